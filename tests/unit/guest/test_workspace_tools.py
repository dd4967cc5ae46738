from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deskmate.plugin import PluginContext, ToolAnswer, ToolContext, ToolInputError
from deskmate_guest import workspace
from deskmate_guest.layout import PluginPlace
from deskmate_guest.loading import load_plugin
from deskmate_guest.workspace import files
from deskmate_guest.workspace.commands import python, shell, site_packages
from deskmate_guest.workspace.files import edit, read, write
from deskmate_guest.workspace.finding import glob, grep
from deskmate_guest.workspace.telling import ask, plan, present


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    top, home = tmp_path / "workspace", tmp_path / "home"
    (top / "docs" / "deep").mkdir(parents=True)
    home.mkdir()
    (top / "docs" / "a.txt").write_text("one\ntwo\nthree\n")
    (top / "docs" / "deep" / "b.md").write_text("# Two\n")
    (top / "docs" / "x.docx").write_bytes(b"PK\0\0two")
    (top / "docs" / "link.txt").symlink_to("a.txt")
    return ToolContext(workspace=top, home=home, resources=tmp_path)


def test_the_plugin_loads_with_its_ten_tools_and_a_short_prompt() -> None:
    root = Path(workspace.__file__).parents[2]
    plugin = load_plugin(
        PluginPlace(
            name="workspace",
            package="deskmate_guest.workspace",
            version="1",
            order=0,
            root=root,
            wheels=root / "none",
            uid=1000,
        )
    )
    offered = [name for name, loaded in plugin.tools.items() if loaded.spec.offered is None]
    assert len(offered) == 10
    assert plugin.tools.keys() - offered == {"hook"}
    assert plugin.problems == ()
    resources = Path(workspace.__file__).parent
    found = PluginContext(name="workspace", version="1", resources=resources)
    [prompt] = workspace.deskmate_prompts(found)
    assert len(prompt.text.split()) < 400


def test_read_gives_a_window_and_says_how_to_go_on(context: ToolContext) -> None:
    assert read("docs/a.txt", context, offset=2, limit=1) == {
        "path": "docs/a.txt",
        "first_line": 2,
        "text": "two",
        "next_offset": 3,
        "note": "There is more: read on with offset 3.",
    }
    assert read("/workspace/docs/a.txt", context)["text"] == "one\ntwo\nthree"


@pytest.mark.parametrize(
    ("path", "offset", "why"),
    [
        ("docs/x.docx", 1, "is not text"),
        ("docs/none.txt", 1, "is not a file"),
        ("docs", 1, "is not a file"),
        ("../outside.txt", 1, "outside the workspace"),
        ("/etc/passwd", 1, "outside the workspace"),
        ("docs/a.txt", 9, "has 3 lines"),
        ("docs/a.txt", 0, "count from 1"),
    ],
)
def test_read_refuses_what_it_cannot_show(
    context: ToolContext, path: str, offset: int, why: str
) -> None:
    with pytest.raises(ToolInputError, match=why):
        read(path, context, offset=offset)


def test_read_cuts_long_lines_and_long_windows(context: ToolContext) -> None:
    (context.workspace / "docs/long.txt").write_text(("x" * 5000 + "\n") * 100)
    found = read("docs/long.txt", context)
    assert "[… 3000 characters]" in found["text"]
    assert len(found["text"]) < 70_000
    assert found["next_offset"] < 100


def test_write_makes_folders_and_reaches_home(context: ToolContext) -> None:
    assert write("docs/new/n.txt", "né\r\n", context) == {
        "path": "docs/new/n.txt",
        "bytes": 5,
        "replaced": False,
    }
    assert (context.workspace / "docs/new/n.txt").read_bytes() == "né\r\n".encode()
    assert write(f"{context.home}/notes.md", "x", context)["replaced"] is False
    assert (context.home / "notes.md").read_text() == "x"
    with pytest.raises(ToolInputError, match="is a folder"):
        write("docs", "x", context)
    with pytest.raises(ToolInputError, match="cannot be written"):
        write("docs/a.txt/below", "x", context)


def test_edit_changes_only_the_passage_and_keeps_line_ends(context: ToolContext) -> None:
    real = context.workspace / "docs/a.txt"
    real.write_bytes(b"one\r\ntwo\r\n\xfftwo\r\n")
    assert edit("docs/a.txt", "one\ntwo", "1\n2", context) == {"path": "docs/a.txt", "replaced": 1}
    assert real.read_bytes() == b"1\r\n2\r\n\xfftwo\r\n"


@pytest.mark.parametrize(
    ("old", "why"), [("absent", "does not occur"), ("e", "occurs 3 times"), ("", "is empty")]
)
def test_edit_refuses_a_passage_that_is_not_exactly_one(
    context: ToolContext, old: str, why: str
) -> None:
    before = (context.workspace / "docs/a.txt").read_bytes()
    with pytest.raises(ToolInputError, match=why):
        edit("docs/a.txt", old, "x", context)
    assert (context.workspace / "docs/a.txt").read_bytes() == before
    if old == "e":
        assert edit("docs/a.txt", old, "E", context, replace_all=True)["replaced"] == 3


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("**/*", ["docs/a.txt", "docs/x.docx", "docs/deep/b.md"]),
        ("**", ["docs/a.txt", "docs/x.docx", "docs/deep/b.md"]),
        ("**/*.md", ["docs/deep/b.md"]),
        ("docs/*", ["docs/a.txt", "docs/x.docx"]),
        ("docs/**/b.md", ["docs/deep/b.md"]),
        ("/workspace/docs/?.txt", ["docs/a.txt"]),
        ("*", []),
    ],
)
def test_glob_finds_regular_files_by_name(
    context: ToolContext, pattern: str, names: list[str]
) -> None:
    assert [row["path"] for row in glob(context, pattern)["files"]] == names


def test_grep_finds_lines_and_counts_what_is_no_text(context: ToolContext) -> None:
    found = grep("(?i)two", context)
    assert [(row["path"], row["line"]) for row in found["hits"]] == [
        ("docs/a.txt", 2),
        ("docs/deep/b.md", 1),
    ]
    assert found["skipped_files"] == 1
    assert len(grep("two", context, path="docs/a.txt")["hits"]) == 1
    with pytest.raises(ToolInputError, match="not a regular expression"):
        grep("(", context)
    with pytest.raises(ToolInputError, match="not there"):
        grep("x", context, path="docs/none")


def test_shell_returns_code_and_both_streams(context: ToolContext) -> None:
    found = shell("pwd; echo bad >&2; exit 3", context)
    assert found == {"exit_code": 3, "output": f"{context.workspace}\nbad\n"}


def test_shell_cuts_long_output_in_the_middle(context: ToolContext) -> None:
    found = shell("seq 1 100000", context)
    assert found["output"].startswith("1\n2\n")
    assert found["output"].endswith("99999\n100000\n")
    assert "bytes left out" in found["output"]
    assert len(found["output"]) < 31_000


def test_shell_kills_its_group_at_the_deadline_and_at_the_end(context: ToolContext) -> None:
    found = shell("trap '' TERM; sleep 60 & sleep 60", context, timeout_s=1)
    assert found["exit_code"] == -9
    assert "longer than 1 s" in found["note"]
    found = shell("sleep 60 & echo done", context)
    assert found == {"exit_code": 0, "output": "done\n"}
    with pytest.raises(ToolInputError, match="timeout_s"):
        shell("true", context, timeout_s=0)


@pytest.mark.parametrize(
    ("code", "exit_code", "output"),
    [
        ("print('héllo')", 0, "héllo\n"),
        ("import os; os.system('echo child')", 0, "child\n"),
        ("raise SystemExit(4)", 4, ""),
        ("import sys; sys.exit('so')", 1, "so\n"),
        ("import os; os._exit(5)", 5, ""),
        ("if __name__ == '__main__': print(open('docs/a.txt').read(3))", 0, "one\n"),
    ],
)
def test_python_runs_afresh_and_returns_what_it_printed(
    context: ToolContext, monkeypatch: Any, code: str, exit_code: int, output: str
) -> None:
    monkeypatch.chdir(context.workspace)
    assert python(code, context) == {"exit_code": exit_code, "output": output}


def test_python_shows_the_agents_own_traceback(context: ToolContext) -> None:
    found = python("x = 1\nprint(x / 0)", context)
    assert found["exit_code"] == 1
    assert 'File "<code>", line 2' in found["output"]
    assert "ZeroDivisionError" in found["output"]
    assert "commands.py" not in found["output"]
    assert "SyntaxError" in python("if", context)["output"]


def test_plan_ask_and_present_check_what_they_are_told(context: ToolContext) -> None:
    assert plan([{"text": "a", "state": "done"}, {"text": "b", "state": "doing"}])["done"] == 1
    with pytest.raises(ToolInputError, match="At most one"):
        plan([{"text": "a", "state": "doing"}, {"text": "b", "state": "doing"}])
    assert ask(" Which? ", ["a", "b"]) == {"question": "Which?", "choices": ["a", "b"]}
    with pytest.raises(ToolInputError, match="empty"):
        ask(" ")
    answer = present([{"path": "/workspace/docs/a.txt", "title": "The numbers"}], context)
    assert isinstance(answer, ToolAnswer)
    assert [(item.path, item.title) for item in answer.deliverables] == [
        ("docs/a.txt", "The numbers")
    ]
    with pytest.raises(ToolInputError, match="not a file"):
        present([{"path": "docs/none", "title": "x"}], context)


def test_what_is_installed_in_the_home_folder_is_found_by_shell_and_python(
    context: ToolContext,
) -> None:
    programs, modules = context.home / ".local/bin", Path(site_packages(context.home))
    programs.mkdir(parents=True)
    modules.mkdir(parents=True)
    (programs / "greet").write_text("#!/bin/sh\necho greetings\n")
    (programs / "greet").chmod(0o755)
    (modules / "greeter.py").write_text("print('greetings')\n")
    (modules / "json.py").write_text("print('not this one')\n")
    assert shell("greet", context) == {"exit_code": 0, "output": "greetings\n"}
    assert python("import greeter, json", context)["output"] == "greetings\n"


def test_files_of_skills_in_other_formats_are_read_and_nothing_beside_them(
    context: ToolContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    brought = tmp_path / "brought"
    (brought / "kit").mkdir(parents=True)
    (brought / "kit/more.md").write_text("More.")
    (tmp_path / "secret").write_text("secret")
    (brought / "kit/out").symlink_to(tmp_path / "secret")
    monkeypatch.setattr(files, "BROUGHT", str(brought))
    assert files.read(f"{brought}/kit/more.md", context)["text"] == "More."
    for path in (f"{brought}/../secret", f"{brought}/kit/out", f"{brought}/kit", f"{brought}/none"):
        with pytest.raises(ToolInputError, match="is not a file of a skill"):
            files.read(path, context)
    with pytest.raises(ToolInputError, match="outside the workspace"):
        files.write(f"{brought}/kit/more.md", "x", context)
