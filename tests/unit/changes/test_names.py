from __future__ import annotations

import pytest

from deskmate.changes.names import flags, fold, protection, refusal


@pytest.mark.attack("F4")
@pytest.mark.parametrize(
    "path",
    [
        "docs/.git/hooks/pre-commit",
        "docs/a/.GIT/config",
        "docs/git~1/config",
        "docs/.git./config",
        "docs/.g\u200cit/config",
        "docs/.ｇｉｔ/config",
        "docs/.git::$INDEX_ALLOCATION/config",
        "docs/.bashrc",
        "docs/.Bashrc",
        "docs/.ssh/authorized_keys",
        "docs/.vscode/tasks.json",
        "docs/.idea/workspace.xml",
        "docs/.mcp.json",
        "docs/.claude/settings.json",
        "docs/.envrc",
        "docs/Library/LaunchAgents/x.plist",
        "docs/Desktop.ini",
        "docs/AUTORUN.INF",
        "docs/Report.pdf.LNK",
        "docs/x.pth",
        "docs/.github/workflows/ci.yml",
        "docs/.config/autostart/x",
    ],
)
def test_names_that_other_programs_act_on_are_protected(path: str) -> None:
    assert protection(path)


@pytest.mark.parametrize(
    "path",
    [
        "docs/nda.docx",
        "docs/.gitignore",
        "docs/git/x",
        "docs/bashrc",
        "docs/.github/README.md",
        ".git/nda.docx",
        "docs/Schlüssel.pdf",
        "docs/config",
    ],
)
def test_ordinary_names_are_not(path: str) -> None:
    assert protection(path) == ""


def test_names_are_text_below_a_grant() -> None:
    assert refusal("docs/Über uns (v2).docx") == ""
    assert refusal("docs/a\udce9") == "its name is not text"
    assert refusal("docs/" + "ä" * 128) == "its name is too long"
    assert refusal("docs/" + "/".join("n" * 200 for _ in range(20))) == "its name is too long"


@pytest.mark.attack("F5")
@pytest.mark.parametrize(
    ("path", "mode", "flag"),
    [
        ("docs/x.docm", 0o644, "may hold macros"),
        ("docs/x.XLSM", 0o644, "may hold macros"),
        ("docs/x.html", 0o644, "opens as a program or page"),
        ("docs/x", 0o755, "executable"),
        ("docs/-rf", 0o644, "its name looks like an option"),
        ("docs/.x", 0o644, "hidden"),
        ("docs/CON", 0o644, "its name does not work on Windows"),
        ("docs/com1.txt", 0o644, "its name does not work on Windows"),
        ("docs/x. ", 0o644, "its name does not work on Windows"),
        ("docs/x:stream", 0o644, "its name does not work on Windows"),
        ("docs/a\u0308", 0o644, "its name is not normalised"),
    ],
)
def test_what_a_reviewer_should_know_is_flagged(path: str, mode: int, flag: str) -> None:
    assert flags(path, mode) == (flag,)


def test_an_ordinary_file_has_no_flags() -> None:
    assert flags("docs/Console.docx", 0o644) == ()


def test_twins_of_other_file_systems_fold_together() -> None:
    assert fold("docs/A.TXT") == fold("docs/a.txt")
    assert fold("docs/ä") == fold("docs/a\u0308")
    assert fold("docs/a") != fold("docs/b")


@pytest.mark.parametrize(
    "path",
    [
        "docs/VSCODE~1/tasks.json",
        "docs/CLAUDE~1",
        "docs/BASHRC~1",
        "docs/ssh~2/config",
        "docs/a/autostart/x",
        "docs/Programs/Startup/x.txt",
        "docs/.config",
        "docs/profile.ps1",
        "docs/look.url",
        "docs/look.SCF",
        "docs/x.library-ms",
        "docs/.circleci/config.yml",
        "docs/Jenkinsfile",
        "docs/.cargo/config.toml",
    ],
)
def test_short_names_and_what_starts_by_being_looked_at_are_protected(path: str) -> None:
    assert protection(path)


@pytest.mark.parametrize(
    "path",
    ["docs/report~1", "docs/Startup/plan.docx", "docs/url", "docs/git~guide/x", "docs/a~1.txt"],
)
def test_what_only_looks_like_it_is_not(path: str) -> None:
    assert protection(path) == ""


@pytest.mark.parametrize(
    "path",
    ["docs/CON", "docs/aux.txt", "docs/com1 .txt", "docs/CON /x", "docs/a.", "docs/a ", "docs/a:b", "docs/x./y"],
)  # fmt: skip
def test_names_that_fail_on_windows_are_flagged_in_every_part_of_a_path(path: str) -> None:
    assert "its name does not work on Windows" in flags(path, 0o644)


def test_long_paths_and_texts_that_other_assistants_follow_are_flagged() -> None:
    assert flags("docs/" + "/".join(["n" * 60] * 4), 0o644) == (
        "its path may be too long for Windows",
    )
    assert flags("docs/CLAUDE.md", 0o644) == ("other assistants follow what it says",)
    assert flags("docs/cafe\u0301/x", 0o644) == ("its name is not normalised",)
    assert flags("docs/Console.log", 0o644) == ()
