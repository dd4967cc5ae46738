"""Threads as their owners handle them on the command line: forks, projects, copies, space."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Protocol

import pytest

Done = subprocess.CompletedProcess[str]


class Command(Protocol):
    def __call__(self, *arguments: str | Path, **environ: str) -> Done: ...


@pytest.fixture
def thread(deskmate: Command) -> str:
    """A thread with one run of words."""
    done = deskmate("run", "What about the harbour?", "--model", "offline", "--json")
    return str(json.loads(done.stdout)["thread"])


def read(done: Done) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def head(deskmate: Command, thread: str) -> tuple[int, str]:
    report = read(deskmate("thread", "verify", thread, "--json"))
    return report["events"], report["head"]


def test_a_fork_is_listed_named_and_goes_its_own_way(deskmate: Command, thread: str) -> None:
    made = read(deskmate("thread", "fork", thread, "--at", "3", "--title", "Other way", "--json"))
    assert (made["parent"], made["seq"], made["title"]) == (thread, 3, "Other way")
    listed = {row["thread"]: row for row in read(deskmate("thread", "list", "--json"))}
    assert listed[made["thread"]]["forked_from"] == thread
    assert f"from {thread} at event 3" in deskmate("thread", "show", made["thread"]).stdout
    assert deskmate("thread", "verify", made["thread"]).returncode == 0
    before = head(deskmate, thread)
    deskmate("run", "And now?", "--thread", made["thread"], "--model", "offline")
    assert head(deskmate, thread) == before


@pytest.mark.parametrize("at", ["0", "-3", "9999"])
def test_an_event_that_is_not_there_is_one_line(deskmate: Command, thread: str, at: str) -> None:
    done = deskmate("thread", "fork", thread, "--at", at)
    assert done.returncode == 2
    assert "has no event" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(read(deskmate("thread", "list", "--json"))) == 1


def test_all_threads_move_to_another_home_with_the_same_hashes(
    deskmate: Command, thread: str, tmp_path: Path
) -> None:
    other = read(deskmate("thread", "fork", thread, "--json"))["thread"]
    done = deskmate("thread", "export", "--all", "-o", tmp_path / "all.zip")
    assert done.returncode == 0
    assert "2 threads" in done.stdout
    heads = {name: head(deskmate, name) for name in (thread, other)}
    there = {"DESKMATE_HOME": str(tmp_path / "there")}
    back = read(deskmate("thread", "import", tmp_path / "all.zip", "--json", **there))
    assert set(back["threads"]) == {thread, other}
    for name, wanted in heads.items():
        report = read(deskmate("thread", "verify", name, "--json", **there))
        assert (report["events"], report["head"]) == wanted
    again = read(deskmate("thread", "import", tmp_path / "all.zip", "--json", **there))
    assert (again["threads"], set(again["here"])) == ([], {thread, other})


def test_a_folder_and_a_page_are_written_once(
    deskmate: Command, thread: str, tmp_path: Path
) -> None:
    for form, name in (("jsonl", thread), ("html", f"{thread}.html")):
        done = deskmate("thread", "export", thread, "--format", form)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / name).exists()
        again = deskmate("thread", "export", thread, "--format", form)
        assert again.returncode == 2
        assert "exists already" in again.stderr
    assert "What about the harbour?" in (tmp_path / f"{thread}.html").read_text("utf-8")
    assert deskmate("audit", "verify", tmp_path / thread / "events.jsonl").returncode == 0
    there = {"DESKMATE_HOME": str(tmp_path / "there")}
    assert (
        read(deskmate("thread", "import", tmp_path / thread, "--json", **there))["thread"] == thread
    )


def test_all_and_one_exclude_each_other(deskmate: Command, thread: str) -> None:
    for more in ((thread,), ("--format", "html")):
        done = deskmate("thread", "export", "--all", *more)
        assert done.returncode == 2
        assert "--all" in done.stderr


def test_what_nothing_needs_goes_and_a_dry_run_only_counts(
    deskmate: Command, thread: str, home: Path
) -> None:
    from deskmate.store.blobs import BlobStore

    blobs = BlobStore(home / "data/blobs")
    stray = blobs.put(b"stray")
    assert read(deskmate("thread", "gc", "--dry-run", "--json"))["left"] == 1
    assert blobs.has(stray)
    done = read(deskmate("thread", "gc", "--json"))
    assert (done["removed"], done["left"]) == (1, 0)
    assert not blobs.has(stray)
    assert deskmate("thread", "verify", thread).returncode == 0


def test_a_project_is_made_used_changed_and_deleted(
    deskmate: Command, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "style.md").write_text("In German.")
    made = read(
        deskmate(
            "project", "new", "Deal", "-f", f"{folder}:ro", "--instructions", "@style.md", "--json"
        )
    )["project"]
    assert made["instructions"] == "In German."
    deskmate("run", "Go", "--project", "deal", "--model", "offline")
    shown = read(deskmate("project", "show", "Deal", "--json"))
    assert len(shown["threads"]) == 1
    assert [
        row["thread"] for row in read(deskmate("thread", "list", "--project", "Deal", "--json"))
    ] == shown["threads"]
    changed = read(
        deskmate("project", "change", "Deal", "--name", "New deal", "-r", folder, "--json")
    )
    assert (changed["project"]["name"], changed["project"]["grants"]) == ("New deal", [])
    assert deskmate("project", "remove", *shown["threads"]).returncode == 0
    assert read(deskmate("project", "list", "--json"))[0]["threads"] == 0
    assert deskmate("project", "add", made["id"], *shown["threads"]).returncode == 0
    assert shown["threads"][0] in deskmate("project", "delete", "New deal").stdout
    assert deskmate("thread", "verify", *shown["threads"]).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("project", "show", "nothing"), "no project nothing"),
        (("project", "new", " "), "needs a name"),
        (("project", "new", "A", "-f", "/nowhere/at/all"), "does not exist"),
        (("project", "new", "A", "-p", "nosuch"), "nosuch"),
        (("project", "new", "A", "--instructions", "@missing.md"), "cannot be read"),
        (("run", "Go", "--project", "nothing"), "no project nothing"),
        (("thread", "list", "--project", "nothing"), "no project nothing"),
        (("project", "add", "nothing", "t-abc"), "no project nothing"),
    ],
)
def test_what_a_user_gets_wrong_is_one_line(
    deskmate: Command, arguments: tuple[str, ...], words: str
) -> None:
    done = deskmate(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_threads_are_not_kept_where_a_service_rewrites_them(
    deskmate: Command, tmp_path: Path
) -> None:
    there = {"DESKMATE_HOME": str(tmp_path / "Dropbox/desk")}
    done = deskmate("run", "Go", "--model", "offline", **there)
    assert done.returncode == 2
    assert "Dropbox rewrites" in done.stderr
    look = deskmate("doctor", "--quick", **there)
    assert "fail  threads:" in look.stdout
    assert not (tmp_path / "Dropbox/desk/data/threads").exists()


def test_what_is_said_to_a_thread_waits_is_withdrawn_and_heard_by_its_next_run(
    deskmate: Command, thread: str
) -> None:
    assert "Nothing waits" in deskmate("thread", "queue", thread).stdout
    for words in ("Only clause nine.", "Never mind."):
        read(deskmate("thread", "queue", thread, words, "--json"))
    kept, gone = read(deskmate("thread", "queue", thread, "--json"))
    left = read(deskmate("thread", "queue", thread, "--withdraw", gone["id"], "--json"))
    assert left == [kept]
    again = deskmate("thread", "queue", thread, "--withdraw", gone["id"])
    assert (again.returncode, again.stderr.count("\n")) == (2, 2)
    idle = deskmate("thread", "pause", thread)
    assert (idle.returncode, "Nothing runs" in idle.stderr) == (2, True)
    deskmate("run", "And now?", "--thread", thread, "--model", "offline")
    log = deskmate("thread", "show", thread).stdout
    assert log.index("And now?") < log.index("Only clause nine.")
    assert "Never mind" not in log
    assert read(deskmate("thread", "queue", thread, "--json")) == []
    assert deskmate("thread", "verify", thread).returncode == 0
