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
