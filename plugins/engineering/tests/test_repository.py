import subprocess
from pathlib import Path
from typing import Any

import pytest

from deskmate.plugin import ToolInputError
from deskmate_engineering.ranges import span_of
from deskmate_engineering.repository import open_repository, pick_repository
from deskmate_engineering.tools.fix import fix_propose, run_tests
from deskmate_engineering.tools.review import review_diff, review_report
from deskmate_engineering.tools.standup import standup_from_git

BROKEN = "def double(n):\n    return n + n + 1\n"
TEST = "import unittest\nfrom calc import double\n\n\nclass TestDouble(unittest.TestCase):\n    def test_two(self):\n        self.assertEqual(double(2), 4)\n"


def arm(repo: Any, marker: Path) -> None:
    """Set every trap that a repository can hold for whoever reads it."""
    trap = repo.folder / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {marker}\ncat\n")
    trap.chmod(0o755)
    (repo.folder / ".gitattributes").write_text("*.py diff=trap filter=trap merge=trap\n")
    repo.commit({"calc.py": BROKEN.replace("1", "2")}, "More")
    settings = {
        "core.fsmonitor": trap, "core.hooksPath": repo.folder / "hooks", "core.pager": trap, "core.sshCommand": trap,
        "core.editor": trap, "core.askPass": trap, "core.gitProxy": trap, "core.alternateRefsCommand": trap,
        "diff.external": trap, "diff.trap.textconv": trap, "diff.trap.command": trap, "filter.trap.clean": trap,
        "filter.trap.smudge": trap, "filter.trap.process": trap, "filter.trap.required": "true", "gpg.program": trap,
        "gpg.format": "openpgp", "log.showSignature": "true", "merge.trap.driver": trap, "credential.helper": f"!{trap}",
        "sequence.editor": trap, "uploadpack.packObjectsHook": trap, "remote.origin.url": f"ext::{trap}",
        "remote.origin.promisor": "true", "remote.origin.partialclonefilter": "blob:none", "extensions.partialClone": "origin",
        "include.path": repo.folder / "more.config", "alias.log": f"!{trap}", "alias.diff": f"!{trap}",
        "submodule.odd.url": f"ext::{trap}", "submodule.odd.update": f"!{trap}", "interactive.diffFilter": trap,
        "core.worktree": "/", "trace2.eventTarget": trap, "tar.tar.command": trap,
    }  # fmt: skip
    (repo.folder / "more.config").write_text(f"[core]\n\tfsmonitor = {trap}\n")
    (repo.folder / "hooks").mkdir()
    hooks = (
        "post-checkout",
        "pre-commit",
        "post-index-change",
        "reference-transaction",
        "fsmonitor-watchman",
        "applypatch-msg",
    )
    for folder in (repo.folder / "hooks", repo.folder / ".git" / "hooks"):
        folder.mkdir(exist_ok=True)
        for hook in hooks:
            (folder / hook).write_text(trap.read_text())
            (folder / hook).chmod(0o755)
    (repo.folder / ".git" / "info").mkdir(exist_ok=True)
    (repo.folder / ".git" / "info" / "attributes").write_text("*.py diff=trap filter=trap\n")
    config = repo.folder / ".git" / "config"
    lines = []
    for name, value in settings.items():
        section, _, key = name.rpartition(".")
        top, dot, sub = section.partition(".")
        head = f'[{top} "{sub}"]' if dot else f"[{top}]"
        lines.append(f"{head}\n\t{key} = {str(value).replace(chr(34), '')}\n")
    config.write_text(config.read_text() + "".join(lines))


def test_nothing_that_a_repository_names_is_run_by_any_tool(repo: Any, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    repo.commit({"calc.py": BROKEN, "test_calc.py": TEST}, "First")
    arm(repo, marker)
    before = (repo.folder / ".git" / "config").read_bytes()
    standup_from_git(repo.context)
    review_diff(repo.context)
    review_report(repo.context)
    run_tests(repo.context)
    fix_propose(
        repo.context,
        [{"file": "calc.py", "find": " + 2", "replace": ""}],
        ["test_calc.py::TestDouble::test_two"],
        "It added two for no reason.",
    )
    assert not marker.exists()
    # the traps are armed: plain git springs them
    plain = ["git", "-c", f"core.worktree={repo.folder}", "diff", "HEAD~1"]
    subprocess.run(plain, cwd=repo.folder, capture_output=True, check=False, timeout=30)
    assert marker.exists()
    assert (repo.folder / ".git" / "config").read_bytes() == before


def test_attributes_do_not_hide_a_change(repo: Any) -> None:
    repo.commit({"a.py": "one = 1\n", ".gitattributes": "*.py -diff binary\n"}, "First")
    repo.commit({"a.py": "one = eval(x)\n"}, "Second")
    shown = review_diff(repo.context)
    assert [(file["binary"], file["added"]) for file in shown["files"]] == [(False, 1)]


def test_a_replaced_commit_is_read_as_it_was(repo: Any) -> None:
    repo.commit({"a.py": "one = 1\n"}, "First")
    real = repo.commit({"a.py": "two = 2\n"}, "Second")
    tree = repo.git("rev-parse", "HEAD~1^{tree}")
    fake = repo.git("commit-tree", tree, "-p", "HEAD~1", "-m", "Nothing here", who="Eve")
    repo.git("replace", real, fake)
    assert "Second" in standup_from_git(repo.context).result["summary"]


def test_linked_worktrees_and_packed_repositories_are_read(repo: Any) -> None:
    repo.commit({"a.py": "one = 1\n"}, "First")
    repo.git("gc", "-q")
    repo.git("worktree", "add", "-q", "-b", "side", "../side")
    found = open_repository(repo.top / "work" / "side", repo.top)
    assert found.current_branch() == "side"
    assert found.content("HEAD", "a.py") == b"one = 1\n"
    assert found.content("HEAD", "none.py") is None


def test_a_git_folder_outside_of_the_workspace_is_not_followed(repo: Any, tmp_path: Path) -> None:
    repo.commit({"a.py": "secret = 1\n"}, "First")
    other = tmp_path / "other"
    other.mkdir()
    (other / ".git").write_text(f"gitdir: {repo.folder / '.git'}\n")
    with pytest.raises(ToolInputError, match="not in the workspace"):
        open_repository(other, other)
    inside = tmp_path / "inside"
    (inside / ".git").mkdir(parents=True)
    (inside / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (inside / ".git" / "objects").symlink_to(repo.folder / ".git" / "objects")
    with pytest.raises(ToolInputError, match="objects are not in the workspace"):
        open_repository(inside, inside)


@pytest.mark.parametrize(
    ("words", "base", "head"),
    [
        ("Review feature/login against main.", "main", "feature/login"),
        ("Please review main..feature/login", "main", "feature/login"),
        ("Review the branch feature/login", "main", "feature/login"),
        ("Review.", "main", "feature/login"),
        ("Review HEAD~1 against main", "main", "HEAD~1"),
        ("What changed since v1.0?", "v1.0", "feature/login"),
    ],
)
def test_revisions_are_taken_from_the_words(repo: Any, words: str, base: str, head: str) -> None:
    repo.commit({"a": "1\n"}, "First")
    repo.git("tag", "-a", "-m", "One", "v1.0")
    repo.git("checkout", "-q", "-b", "feature/login")
    repo.commit({"a": "2\n"}, "Second")
    repo.commit({"a": "3\n"}, "Third")
    span = span_of(open_repository(repo.folder, repo.top), "", "", words)
    assert (span.base_name, span.head_name) == (base, head)


def test_on_the_main_branch_the_commit_before_is_the_base(repo: Any) -> None:
    first = repo.commit({"a": "1\n"}, "First")
    with pytest.raises(ToolInputError, match="no commit before it"):
        review_diff(repo.context)
    repo.commit({"a": "2\n"}, "Second")
    assert review_diff(repo.context)["base"] == first


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda c: standup_from_git(c, "nowhere"), "not a folder"),
        (lambda c: standup_from_git(c, "../.."), "outside"),
        (lambda c: standup_from_git(c, since="--output=x"), "names no time"),
        (lambda c: standup_from_git(c, since="2099-01-01"), "is empty"),
        (lambda c: standup_from_git(c, output="x.docx"), "must end in .md"),
        (lambda c: review_diff(c, "work/shop", "--output=/tmp/x"), "not a revision"),
        (lambda c: review_diff(c, "work/shop", "nope"), "no revision 'nope'"),
        (lambda c: review_report(c, output="x.txt"), "must end in .md"),
    ],
)
def test_bad_input_is_refused_in_one_line(repo: Any, call: Any, says: str) -> None:
    repo.commit({"a": "1\n"}, "First")
    repo.commit({"a": "2\n"}, "Second")
    with pytest.raises(ToolInputError, match=says):
        call(repo.context)


def test_a_folder_without_a_repository_and_one_with_several_say_so(
    repo: Any, tmp_path: Path
) -> None:
    with pytest.raises(ToolInputError, match="no git repository"):
        pick_repository(tmp_path / "ws" / "none", "")
    (repo.top / "work" / "till" / ".git").mkdir(parents=True)
    with pytest.raises(ToolInputError, match="several repositories"):
        pick_repository(repo.top, "Review it.")
    assert pick_repository(repo.top, "Review till.").name == "till"


def test_an_empty_repository_has_an_empty_standup(repo: Any) -> None:
    assert standup_from_git(repo.context).result["summary"] == "No commits. Merges left out: 0."
    with pytest.raises(ToolInputError, match="no revision 'HEAD'"):
        review_diff(repo.context)
