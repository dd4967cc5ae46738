from __future__ import annotations

from pathlib import Path

import pytest

from deskmate_guest.skills import SkillError, read_skill

HEAD = "---\nname: review\ndescription: >\n  Reviews\n  contracts.\nlicense: MIT\n---\n"
PROCEDURE = """
title = "Review"
triggers = ["Review NDA"]
[[steps]]
id = "find"
tool = "legal__find"
arguments = { request = "$request" }
[[steps]]
id = "each"
tool = "legal__review"
for_each = "$find.contracts"
when = "$item.edits"
on_error = "continue"
[closing]
text = "Done {{find.count}}."
"""


def write(folder: Path, skill: str, procedure: str | None = None) -> Path:
    (folder / "SKILL.md").write_text(skill)
    if procedure is not None:
        (folder / "procedure.toml").write_text(procedure)
    return folder


def test_a_skill_with_a_procedure_is_read(tmp_path: Path) -> None:
    skill = read_skill("legal", write(tmp_path, HEAD + "\n# Steps\n\n---\nmore\n", PROCEDURE))
    assert (skill.plugin, skill.name, skill.description) == (
        "legal",
        "review",
        "Reviews contracts.",
    )
    assert skill.body == "# Steps\n\n---\nmore"
    assert skill.triggers == ("review nda",)
    assert skill.procedure is not None
    assert [step["id"] for step in skill.procedure["steps"]] == ["find", "each"]


def test_a_skill_without_a_procedure_has_none(tmp_path: Path) -> None:
    skill = read_skill("legal", write(tmp_path, "\ufeff" + HEAD.replace("\n", "\r\n") + "Body"))
    assert (skill.procedure, skill.triggers, skill.body) == (None, (), "Body")


@pytest.mark.parametrize(
    ("skill", "why"),
    [
        ("no front matter", "has no front matter"),
        ("---\nname: x\n", "does not end"),
        ("---\n- x\n---\n", "not a mapping"),
        ("---\nname: [\n---\n", "not YAML"),
        ("---\nname: !!python/object:os.system x\n---\n", "not YAML"),
        ("---\nname: x\n---\n", "name and a description"),
        ("---\nname: 1\ndescription: x\n---\n", "name and a description"),
    ],
)
def test_a_skill_that_cannot_be_read_says_why(tmp_path: Path, skill: str, why: str) -> None:
    with pytest.raises(SkillError, match=why):
        read_skill("legal", write(tmp_path, skill))


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("[closing]", "[closing", "not TOML"),
        ('title = "Review"', "", "title"),
        ('id = "each"', 'id = "find"', "same id"),
        ('id = "each"', 'id = "item"', "not"),
        ('tool = "legal__find"', "", "tool"),
        ('"$find.contracts"', '"find"', "for_each"),
        ('on_error = "continue"', 'shell = "rm"', "shell"),
    ],
)
def test_a_procedure_of_another_shape_is_refused(
    tmp_path: Path, old: str, new: str, why: str
) -> None:
    assert old in PROCEDURE
    with pytest.raises(SkillError, match=why):
        read_skill("legal", write(tmp_path, HEAD, PROCEDURE.replace(old, new)))


def test_a_file_that_is_too_large_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SkillError, match="KiB"):
        read_skill("legal", write(tmp_path, HEAD + "x" * 300_000))
    (tmp_path / "SKILL.md").write_bytes(b"---\n\xff\n---\n")
    with pytest.raises(SkillError, match="UTF-8"):
        read_skill("legal", tmp_path)
