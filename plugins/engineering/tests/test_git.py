import subprocess
from pathlib import Path
from typing import Any

import pytest

from deskmate.plugin import ToolContext, ToolInputError
from deskmate_engineering.tools.review import review_diff
from deskmate_engineering.tools.standup import standup_from_git


def git(folder: Path, *words: str, who: str = "Ada") -> None:
    person = [
        "-c",
        f"user.name={who}",
        "-c",
        f"user.email={who.lower()}@example.org",
        "-c",
        "commit.gpgsign=false",
    ]
    subprocess.run(["git", *person, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "a.py").write_text("one\ntwo\nthree\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "First")
    (folder / "a.py").write_text("one\nTWO\nthree\nfour\n")
    (folder / "ü.bin").write_bytes(b"\0\1")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Second", who="Bob")
    return folder


def here(folder: Path) -> ToolContext:
    return ToolContext(workspace=folder.parent, home=folder.parent, resources=folder)


def test_commits_are_grouped_by_author_with_files_and_counts(shop: Any) -> None:
    result = standup_from_git(here(shop)).result
    assert (result["repository"], result["commits"]) == ("shop", 2)
    bob = next(a for a in result["authors"] if a["name"] == "Bob")
    assert (bob["added"], bob["removed"]) == (2, 1)
    assert bob["commits"][0]["files"] == [
        {"path": "a.py", "added": 2, "removed": 1},
        {"path": "ü.bin", "added": None, "removed": None},
    ]
    assert f"- Second (`{bob['commits'][0]['id'][:10]}`, 2 files)" in result["summary"]


def test_an_author_and_a_window_narrow_it_and_a_file_is_a_deliverable(shop: Any) -> None:
    answer = standup_from_git(here(shop), "shop", author="ada", output="standup.md")
    assert [a["name"] for a in answer.result["authors"]] == ["Ada"]
    assert "First" in (shop.parent / "standup.md").read_text()
    assert answer.deliverables[0].role == "standup"
    assert (
        standup_from_git(here(shop), since="2099-01-01").result["summary"]
        == "No commits since 2099-01-01."
    )


def test_programs_that_the_repository_names_are_not_run(shop: Any) -> None:
    trap = shop / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {shop.parent}/ran\ncat\n")
    trap.chmod(0o755)
    (shop / ".gitattributes").write_text("*.py diff=trap\n")
    settings = (
        "core.fsmonitor",
        "diff.external",
        "diff.trap.textconv",
        "diff.trap.command",
        "core.pager",
        "gpg.program",
    )
    for setting in settings:
        git(shop, "config", setting, str(trap))
    git(shop, "config", "log.showSignature", "true")
    standup_from_git(here(shop))
    review_diff(here(shop), "shop")
    assert not (shop.parent / "ran").exists()


def test_two_revisions_become_numbered_lines(shop: Any) -> None:
    result = review_diff(here(shop), "shop", "HEAD~1", "HEAD")
    file = result["files"][0]
    assert (file["path"], file["status"], file["added"], file["removed"]) == (
        "a.py",
        "modified",
        2,
        1,
    )
    lines = file["hunks"][0]["lines"]
    assert {"kind": "added", "old": None, "new": 4, "text": "four"} in lines
    assert {"kind": "removed", "old": 2, "new": None, "text": "two"} in lines
    assert result["files"][1]["binary"]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda c: standup_from_git(c, "nowhere"), "not a folder"),
        (lambda c: standup_from_git(c, "../.."), "outside"),
        (lambda c: standup_from_git(c, since="--output=x"), "dash"),
        (lambda c: standup_from_git(c, output="x.docx"), "must end in .md"),
        (lambda c: review_diff(c, "shop", "--output=/tmp/x"), "not a revision"),
        (lambda c: review_diff(c, "shop", "nope"), "git rev-parse"),
    ],
)
def test_bad_input_is_refused_in_one_line(shop: Any, call: Any, says: Any) -> None:
    with pytest.raises(ToolInputError, match=says):
        call(here(shop))


def test_a_folder_without_a_repository_says_so(tmp_path: Path) -> None:
    with pytest.raises(ToolInputError, match="no git repository"):
        standup_from_git(ToolContext(workspace=tmp_path, home=tmp_path, resources=tmp_path))
