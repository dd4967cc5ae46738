"""Skills are listed from their files alone."""

from typing import Any

import pytest

from deskmate.discovery.installed import find_plugins
from deskmate.discovery.skills import SkillText, skills_of

MANIFEST = 'api = ">=1,<2"\ntitle = "Acme"\nsummary = "s"\n[skills]\nnames = ["do-it"]\n'
GOOD = "---\nname: do-it\ndescription: >\n  Does it.\n  Use when asked.\n---\n# How\n\nStep.\n"


def read(site: Any, text: str, **more: str) -> SkillText:
    files = {"acme/plugin.toml": MANIFEST, "acme/skills/do-it/SKILL.md": text, **more}
    site.install("acme", files, {"acme": "acme"})
    (skill,) = skills_of(find_plugins(site.path).plugins[0])
    return skill


def test_a_skill_has_the_description_and_text_of_its_file(site: Any) -> None:
    skill = read(site, GOOD)
    assert skill.problem == ""
    assert skill.description == "Does it. Use when asked."
    assert skill.body == "# How\n\nStep."
    assert skill.has_procedure is False


def test_a_procedure_beside_it_is_noticed(site: Any) -> None:
    assert read(site, GOOD, **{"acme/skills/do-it/procedure.toml": ""}).has_procedure


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# How",
        "---\nname: do-it\n---\nx",
        "---\n- a\n---\n",
        "---\nname: [\n---\n",
        "---\nname: x",
        "---\nname: other\ndescription: d\n---\n",
        "---\n!!python/object/apply:os.system ['x']\n---\n",
    ],
)
def test_a_broken_skill_is_a_problem_and_not_a_crash(site: Any, text: str) -> None:
    assert read(site, text).problem


def test_a_skill_that_the_manifest_names_and_nobody_wrote_is_a_problem(site: Any) -> None:
    site.install("acme", {"acme/plugin.toml": MANIFEST}, {"acme": "acme"})
    (skill,) = skills_of(find_plugins(site.path).plugins[0])
    assert "no do-it/SKILL.md" in skill.problem
