"""`deskmate changes`, `thread` and `audit`, over a real thread on disk."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.unit.changes.folder_trees import Tree, contents, difference, facts, lay

from deskmate.changes.scan import take_base
from deskmate.cli import main
from deskmate.store.blobs import BlobStore
from deskmate.store.making import create_thread
from deskmate.store.thread import open_thread
from deskmate.types.codec import to_json
from deskmate.types.events import BaseTaken, ChangesStaged, GrantsSet, RunFinished, UserSaid
from deskmate.types.files import Grant
from deskmate.types.ids import RunId
from deskmate.types.places import find_places

BEFORE: Tree = {"nda.txt": b"one\n", "gone.txt": b"gone\n"}
AFTER: Tree = {"nda.txt": b"two\n", "memo.md": b"memo\n", "\x1b[2J": b"x"}
LONG: Tree = {"long.txt": b"a\nb\nc\nd\ne\nf\n"}
MANY: Tree = {"a.txt": b"a", "b.txt": b"b", "c.txt": b"c", "d.txt": b"d"}
APPLIED: Tree = {"nda.txt": b"two\n", "memo.md": b"memo\n"}


@dataclass
class Shell:
    """Runs commands against one home."""

    root: Path
    thread: str
    capture: pytest.CaptureFixture[str]

    def run(self, *words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        out, err = self.capture.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0), out, err

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json")[1])


async def _stage(home: Path, root: Path, after: Tree = AFTER) -> str:
    places = find_places({"DESKMATE_HOME": str(home)}, home)
    blobs = BlobStore(places.blobs)
    grants = (Grant(name="docs", folder=str(root)),)
    base = take_base(grants, blobs)
    found = difference(base.entries, "docs", after, blobs)
    digest = blobs.put(json.dumps(to_json(found)).encode())
    manifest = blobs.put(json.dumps({"entries": to_json(base.entries)}).encode())
    thread = await create_thread(places.threads, "NDA", version="1")
    run = RunId("r-1")
    async with open_thread(places.threads, thread) as store:
        await store.append(
            GrantsSet(grants=grants),
            UserSaid(run=run, text="Review \x1b[2J", model="offline"),
            BaseTaken(manifest=manifest, files=base.files, size=base.size),
            ChangesStaged(run=run, difference=digest, created=2, modified=1, deleted=1),
            RunFinished(run=run, reason="done"),
        )
    return thread


MakeShell = Callable[[Tree, Tree], Shell]


@pytest.fixture
def make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> MakeShell:
    def made(before: Tree, after: Tree) -> Shell:
        root = tmp_path / "docs"
        root.mkdir()
        lay(root, before)
        monkeypatch.setenv("DESKMATE_HOME", str(tmp_path / "home"))
        return Shell(root, anyio.run(_stage, tmp_path / "home", root, after), capsys)

    return made


@pytest.fixture
def shell(make: MakeShell) -> Shell:
    return make(BEFORE, AFTER)


@pytest.fixture
def long(make: MakeShell) -> Shell:
    return make(LONG, {"long.txt": b"A\nb\nc\nd\ne\nF\n", "memo.md": b"memo\n"})


@pytest.fixture
def many(make: MakeShell) -> Shell:
    return make(MANY, {"d.txt": b"d"})


def test_the_change_set_is_shown_applied_and_undone(shell: Shell) -> None:
    original = facts(shell.root)
    code, out, _ = shell.run("changes", "show")
    assert code == 0
    assert "1 create, 1 delete, 1 modify" in out
    assert "~ docs/nda.txt  (4 → 4 bytes)" in out
    assert "\x1b" not in out
    assert "+two" in shell.run("changes", "diff", "docs/nda.txt")[1]
    code, out, _ = shell.run("changes", "apply")
    assert code == 4  # one name was left out
    assert "! docs/\\x1b[2J was left out" in out
    assert contents(shell.root) == APPLIED
    assert shell.run("thread", "verify")[0] == 0
    code, out, _ = shell.run("changes", "undo")
    assert (code, facts(shell.root)) == (0, original)
    code, _, err = shell.run("changes", "undo")
    assert (code, err) == (
        2,
        "deskmate: There is nothing to undo.\n  See deskmate changes history.\n",
    )


def test_json_says_the_same(shell: Shell) -> None:
    shown = shell.json("changes", "show")
    assert {item["change"]["path"]: item.get("standing", "open") for item in shown["items"]} == {
        "docs/\x1b[2J": "refused",
        "docs/gone.txt": "open",
        "docs/memo.md": "open",
        "docs/nda.txt": "open",
    }
    applied = shell.json("changes", "apply", "docs/memo.md")
    assert applied["written"] == ["docs/memo.md"]
    (entry,) = shell.json("changes", "history")
    assert (entry["plan"], entry["paths"]) == (applied["plan"], ["docs/memo.md"])
    (listed,) = shell.json("thread", "list")
    assert (listed["thread"], listed["state"], listed["pending"]) == (shell.thread, "needs you", 2)
    assert shell.json("thread", "show")[0]["kind"] == "ThreadCreated"
    assert shell.json("audit", "verify")["reports"][0]["problems"] == []


def test_a_hunk_is_applied_by_its_number_and_the_rest_stays_staged(long: Shell) -> None:
    code, out, _ = long.run("changes", "diff", "docs/long.txt")
    assert (code, "@@ hunk 1\n" in out, "@@ hunk 2\n" in out) == (0, True, True)
    code, out, _ = long.run("changes", "apply", "--hunks", "docs/long.txt:2")
    assert code == 0
    assert "still staged: docs/long.txt: 1 of 2 parts are left out" in out
    assert contents(long.root)["long.txt"] == b"a\nb\nc\nd\ne\nF\n"
    assert "hunk 2 (applied)" in long.run("changes", "diff")[1]
    assert "1 of 2 parts are applied" in long.run("changes", "show")[1]
    (found,) = long.json("changes", "diff", "docs/long.txt")["changes"]
    assert (found["hunks"], found["applied"]) == (["1", "2"], ["2"])
    assert long.run("changes", "apply", "--hunks", "docs/long.txt:1-2")[0] == 0
    assert contents(long.root)["long.txt"] == b"A\nb\nc\nd\ne\nF\n"
    assert [entry["parts"] for entry in long.json("changes", "history")] == [
        {"docs/long.txt": ["2"]},
        {},
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--hunks", "docs/long.txt"), "names no hunks"),
        (("--hunks", "docs/long.txt:"), "names no hunks"),
        (("--hunks", "docs/long.txt:3-1"), "is no range of hunks"),
        (("--hunks", "docs/long.txt:1-99999999"), "is no range of hunks"),
        (("--hunks", "docs/long.txt:7"), "has no hunk 7"),
        (("--leave-out", "docs/nothing"), "docs/nothing is not in the change set"),
    ],
)
def test_a_choice_that_cannot_be_is_one_line(
    long: Shell, words: tuple[str, ...], says: str
) -> None:
    before = facts(long.root)
    code, _, err = long.run("changes", "apply", *words)
    assert (code, says in err, err.startswith("deskmate: ")) == (2, True, True)
    assert facts(long.root) == before


def test_what_is_left_out_is_discarded_by_path(long: Shell) -> None:
    code, out, _ = long.run("changes", "apply", "--leave-out", "docs/long.txt")
    assert (code, "still staged: docs/long.txt: you left it out" in out) == (0, True)
    assert "docs/memo.md is not in" not in out
    assert long.run("changes", "discard", "docs/nope")[0] == 2
    assert (
        "1 path(s) of run r-1 are discarded" in long.run("changes", "discard", "docs/long.txt")[1]
    )
    assert "[discarded: you threw it away]" in long.run("changes", "show")[1]
    assert "Nothing to be written." in long.run("changes", "apply")[1]


def test_a_thread_needs_you_until_every_change_is_applied_or_thrown_away(long: Shell) -> None:
    def pending() -> list[tuple[str, int]]:
        found = json.loads(long.run("thread", "list", "--json")[1])
        return [(one["state"], one.get("pending", 0)) for one in found]

    ((_, whole),) = pending()
    long.run("changes", "apply", "--leave-out", "docs/long.txt")
    assert whole > 1
    assert pending() == [("needs you", 1)]
    long.run("changes", "discard", "docs/long.txt")
    assert pending() == [("done", 0)]


def test_changes_are_discarded_by_path_though_their_folder_is_gone(long: Shell) -> None:
    long.root.rename(long.root.with_name("elsewhere"))
    assert long.run("changes", "discard", "docs/long.txt")[0] == 0
    long.root.with_name("elsewhere").rename(long.root)
    assert "[discarded: you threw it away]" in long.run("changes", "show")[1]
    assert contents(long.root)["long.txt"] == LONG["long.txt"]


def test_history_says_when_by_whom_for_what_and_which_files(shell: Shell) -> None:
    shell.run("changes", "apply", "docs/memo.md")
    shell.run("changes", "undo")
    code, out, _ = shell.run("changes", "history", "--files")
    assert code == 0
    assert "by user  apply of r-1: 1 create  (undone)" in out
    assert "asked: Review \\x1b[2J" in out
    assert "by user  undo: 1 delete" in out
    assert out.count("    docs/memo.md\n") == 2
    assert shell.json("changes", "history", "docs/nda.txt") == []


def test_many_deletions_want_their_number(many: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    code, _, err = many.run("changes", "apply")
    assert (code, "--confirm-deletes 3" in err) == (2, True)
    assert many.run("changes", "apply", "--confirm-deletes", "2")[0] == 2
    assert contents(many.root) == MANY
    monkeypatch.setattr("sys.stdin", _Terminal("4\n"))
    code, _, err = many.run("changes", "apply")
    assert (code, "Not confirmed; nothing was written." in err) == (2, True)
    assert contents(many.root) == MANY
    monkeypatch.setattr("sys.stdin", _Terminal("3\n"))
    assert many.run("changes", "apply")[0] == 0
    assert contents(many.root) == {"d.txt": b"d"}


class _Terminal(io.StringIO):
    """Somebody types."""

    def isatty(self) -> bool:
        return True


def test_discarded_changes_are_not_applied(shell: Shell) -> None:
    assert shell.run("changes", "discard")[0] == 0
    code, _, err = shell.run("changes", "apply")
    assert (code, "were discarded" in err) == (2, True)
    assert contents(shell.root) == BEFORE
    assert shell.json("thread", "list")[0].get("pending", 0) == 0


def test_a_conflict_is_left_out_and_asks_for_you(shell: Shell) -> None:
    (shell.root / "nda.txt").write_bytes(b"mine\n")
    code, out, _ = shell.run("changes", "apply")
    assert code == 4
    assert "! docs/nda.txt was left out: it was changed meanwhile" in out
    assert contents(shell.root) == {"nda.txt": b"mine\n", "memo.md": b"memo\n"}


def test_a_thread_moves_to_another_home(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "t.zip"
    assert shell.run("thread", "export", "--output", str(archive))[0] == 0
    assert "events.jsonl" in zipfile.ZipFile(archive).namelist()
    monkeypatch.setenv("DESKMATE_HOME", str(tmp_path / "other"))
    assert shell.json("thread", "import", str(archive))["thread"] == shell.thread
    assert "sound; 6 events" in shell.run("thread", "verify")[1]
    assert "Review \\x1b[2J" in shell.run("thread", "show")[1]


def test_the_exported_log_is_verified_by_itself(shell: Shell, tmp_path: Path) -> None:
    log, head = tmp_path / "log.jsonl", tmp_path / "head.json"
    assert shell.run("audit", "export", "-o", str(log), "--checkpoint", str(head))[0] == 0
    assert shell.run("audit", "verify", str(log), "--checkpoint", str(head))[0] == 0
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:-1]))
    assert shell.run("audit", "verify", str(log))[0] == 0
    code, out, _ = shell.run("audit", "verify", str(log), "--checkpoint", str(head))
    assert (code, "the log was cut" in out) == (1, True)
    log.write_bytes(b"".join(lines).replace(b"docs", b"dogs", 1))
    code, out, _ = shell.run("audit", "verify", str(log))
    assert (code, "was altered" in out) == (1, True)
    assert shell.run("audit", "export", "-o", str(log))[0] == 2


def test_without_any_thread_the_hint_says_how_to_begin(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESKMATE_HOME", str(tmp_path / "empty"))
    assert "There is no thread yet" in shell.run("thread", "list")[1]
    for words in (("changes", "show"), ("thread", "verify"), ("changes", "undo")):
        code, _, err = shell.run(*words)
        assert (code, "There is no thread yet." in err) == (2, True)
    assert not (tmp_path / "empty").exists()
