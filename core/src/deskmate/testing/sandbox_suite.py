"""The conformance suite for sandboxes: what every adapter of the port, real or double, must do.

Each check is an async function that takes a `Sandbox` and a `Blobs` and raises AssertionError. Run all of
`CHECKS` against a new adapter to prove it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from deskmate.errors import SandboxUnavailable
from deskmate.ports import (
    Blobs,
    Machine,
    Sandbox,
    SandboxSpec,
    SourceFile,
    ToolOutcome,
    ValidationRequest,
)
from deskmate.types.files import Deliverable, Difference, EarlierResults, Entry, Evidence, Grant
from deskmate.types.ids import ThreadId

Check = Callable[[Sandbox, Blobs], Awaitable[None]]

_SPEC = SandboxSpec(
    thread=ThreadId("t-conformance"),
    plugins=(),
    grants=(Grant(name="docs", folder="/nowhere", mode="rw"),),
)


def _quiet(line: str) -> None:
    """Drop progress."""


def _base(blobs: Blobs) -> tuple[Entry, ...]:
    files = {"docs/a.txt": b"alpha\n", "docs/b.txt": b"beta\n", "docs/sub/c.txt": b"gamma\n"}
    entries = [Entry(path="docs/sub", kind="dir", mode=0o755)]
    for path, content in files.items():
        digest = blobs.put(content)
        entries.append(Entry(path=path, kind="file", mode=0o644, size=len(content), sha256=digest))
    return tuple(sorted(entries, key=lambda entry: entry.path))


@asynccontextmanager
async def _machine(sandbox: Sandbox, blobs: Blobs) -> AsyncIterator[Machine]:
    async with sandbox.open(_SPEC, _quiet) as machine:
        await machine.put_base(_base(blobs), blobs, _quiet)
        yield machine


async def _call(machine: Machine, tool: str, key: str, **arguments: Any) -> ToolOutcome:
    return await machine.call(
        f"workspace__{tool}", arguments, key=key, timeout_s=30, on_progress=_quiet
    )


def _operations(difference: Difference) -> dict[str, str]:
    return {change.path: change.operation for change in difference.changes}


async def the_registry_names_the_workspace_tools(sandbox: Sandbox, blobs: Blobs) -> None:
    """Every sandbox brings the built-in workspace tools."""
    registry = await sandbox.registry((), _quiet)
    names = {tool.name for tool in registry.tools}
    assert {"workspace__read", "workspace__write", "workspace__shell", "workspace__glob"} <= names


async def the_base_is_readable_and_unchanged(sandbox: Sandbox, blobs: Blobs) -> None:
    """What was copied in can be read, and reading changes nothing."""
    async with _machine(sandbox, blobs) as machine:
        outcome = await _call(machine, "read", "k1", path="docs/sub/c.txt")
        assert not outcome.is_error
        assert "gamma" in outcome.text
        difference, _ = await machine.difference(_base(blobs), blobs)
        assert difference.changes == ()


async def writes_show_up_in_the_difference(sandbox: Sandbox, blobs: Blobs) -> None:
    """Created, modified, deleted and moved files are told apart, with their content."""
    async with _machine(sandbox, blobs) as machine:
        await _call(machine, "write", "k1", path="docs/new.txt", content="new\n")
        await _call(machine, "write", "k2", path="docs/a.txt", content="changed\n")
        await _call(machine, "shell", "k3", command="rm -rf docs/b.txt")
        await _call(machine, "shell", "k4", command="mkdir docs/empty")
        await _call(machine, "shell", "k5", command="mv docs/sub/c.txt docs/c.txt")
        difference, _ = await machine.difference(_base(blobs), blobs)
        assert _operations(difference) == {
            "docs/new.txt": "create",
            "docs/a.txt": "modify",
            "docs/b.txt": "delete",
            "docs/empty": "mkdir",
            "docs/c.txt": "create",
            "docs/sub/c.txt": "delete",
        }
        after = {change.path: change.after for change in difference.changes}
        entry = after["docs/a.txt"]
        assert entry is not None
        assert entry.sha256 is not None
        assert blobs.read(entry.sha256) == b"changed\n"


async def an_equal_copy_is_no_change(sandbox: Sandbox, blobs: Blobs) -> None:
    """A file that was written with what it held before is left out."""
    async with _machine(sandbox, blobs) as machine:
        await _call(machine, "write", "k1", path="docs/a.txt", content="alpha\n")
        difference, _ = await machine.difference(_base(blobs), blobs)
        assert difference.changes == ()


async def a_deleted_folder_lists_all_it_held(sandbox: Sandbox, blobs: Blobs) -> None:
    """Removing a folder is a deletion of every entry in it."""
    async with _machine(sandbox, blobs) as machine:
        await _call(machine, "shell", "k1", command="rm -rf docs/sub")
        difference, _ = await machine.difference(_base(blobs), blobs)
        assert _operations(difference) == {"docs/sub": "rmdir", "docs/sub/c.txt": "delete"}


async def a_checkpoint_moves_to_the_next_machine(sandbox: Sandbox, blobs: Blobs) -> None:
    """What one machine handed over, the next one continues from."""
    base = _base(blobs)
    async with _machine(sandbox, blobs) as first:
        await _call(first, "write", "k1", path="docs/new/deep.txt", content="kept\n")
        await _call(first, "shell", "k2", command="rm -rf docs/sub")
        before, home = await first.difference(base, blobs)
    async with _machine(sandbox, blobs) as second:
        await second.put_checkpoint(before, home, blobs)
        outcome = await _call(second, "read", "k3", path="docs/new/deep.txt")
        assert "kept" in outcome.text
        after, _ = await second.difference(base, blobs)
        assert _operations(after) == _operations(before)


def _listed(blobs: Blobs, *paths: str) -> tuple[Entry, ...]:
    return tuple(replace(e, sha256=None) if e.path in paths else e for e in _base(blobs))


@asynccontextmanager
async def _listing_machine(
    sandbox: Sandbox, blobs: Blobs, *paths: str
) -> AsyncIterator[tuple[Machine, tuple[Entry, ...]]]:
    base = _listed(blobs, *paths)
    async with sandbox.open(_SPEC, _quiet) as machine:
        await machine.put_base(base, blobs, _quiet)
        yield machine, base


async def a_listed_file_is_named_and_comes_when_it_is_put(sandbox: Sandbox, blobs: Blobs) -> None:
    """A file without content is listed, is no change, is asked for by who reads it, and is then there."""
    async with _listing_machine(sandbox, blobs, "docs/b.txt", "docs/sub/c.txt") as (machine, base):
        outcome = await _call(machine, "glob", "k1", pattern="**/*")
        for name in ("docs/a.txt", "docs/b.txt", "docs/sub/c.txt"):
            assert name in outcome.text
        early = await _call(machine, "read", "k2", path="docs/sub/c.txt")
        assert early.is_error
        assert early.needs == ("docs/sub/c.txt",)
        difference, _ = await machine.difference(base, blobs)
        assert difference == Difference(changes=())
        wanted = [entry for entry in _base(blobs) if entry.path == "docs/sub/c.txt"]
        await machine.put_content(wanted, (), blobs, _quiet)
        outcome = await _call(machine, "read", "k3", path="docs/sub/c.txt")
        assert "gamma" in outcome.text
        difference, _ = await machine.difference(_listed(blobs, "docs/b.txt"), blobs)
        assert difference == Difference(changes=())


async def a_listed_file_that_is_gone_is_no_longer_named(sandbox: Sandbox, blobs: Blobs) -> None:
    """What the user removed before it was read is not listed and not asked for again."""
    async with _listing_machine(sandbox, blobs, "docs/b.txt") as (machine, _):
        await machine.put_content((), ("docs/b.txt",), blobs, _quiet)
        outcome = await _call(machine, "glob", "k1", pattern="**/*")
        assert "docs/a.txt" in outcome.text
        assert "docs/b.txt" not in outcome.text
        outcome = await _call(machine, "read", "k2", path="docs/b.txt")
        assert outcome.is_error
        assert outcome.needs == ()


async def a_move_over_a_listed_file_is_a_change_and_stays(sandbox: Sandbox, blobs: Blobs) -> None:
    """What took the place of an unread file is not undone by the file's content coming later."""
    async with _listing_machine(sandbox, blobs, "docs/b.txt") as (machine, base):
        await _call(machine, "shell", "k1", command="mv docs/a.txt docs/b.txt")
        expected = {"docs/a.txt": "delete", "docs/b.txt": "modify"}
        difference, _ = await machine.difference(base, blobs)
        assert _operations(difference) == expected
        wanted = [entry for entry in _base(blobs) if entry.path == "docs/b.txt"]
        await machine.put_content(wanted, (), blobs, _quiet)
        outcome = await _call(machine, "read", "k2", path="docs/b.txt")
        assert "alpha" in outcome.text
        difference, _ = await machine.difference(_base(blobs), blobs)
        assert _operations(difference) == expected


async def a_removed_folder_keeps_what_was_only_listed(sandbox: Sandbox, blobs: Blobs) -> None:
    """Who removes a folder removes what was in it there; a file that was never read is not deleted."""
    async with _listing_machine(sandbox, blobs, "docs/sub/c.txt") as (machine, base):
        await _call(machine, "shell", "k1", command="rm -rf docs/sub")
        difference, _ = await machine.difference(base, blobs)
        assert difference.changes == ()


def _shelf(blobs: Blobs, count: int) -> tuple[Entry, ...]:
    """A folder of many files: names beyond ASCII, one that runs, an empty one, a link."""
    top = Entry(path="docs/shelf", kind="dir", mode=0o755, mtime_ns=1_700_000_000_000_000_000)
    entries = [top, Entry(path="docs/shelf/link", kind="symlink", mode=0o777, target="000.txt")]
    for number in range(count):
        content = b"number %d\n" % number * number
        entries.append(
            Entry(
                path=f"docs/shelf/{number:03}{'-é' if number % 5 == 1 else ''}.txt",
                kind="file",
                mode=0o755 if number == 7 else 0o644,
                size=len(content),
                sha256=blobs.put(content),
                mtime_ns=1_700_000_000_123_456_789,
            )
        )
    return tuple(sorted(entries, key=lambda entry: entry.path))


async def many_files_are_what_they_were_and_change_as_any(sandbox: Sandbox, blobs: Blobs) -> None:
    """Of a large folder every file is there, and reading, changing, deleting and moving are told."""
    base = tuple(sorted((*_base(blobs), *_shelf(blobs, 60)), key=lambda entry: entry.path))
    async with sandbox.open(_SPEC, _quiet) as machine:
        await machine.put_base(base, blobs, _quiet)
        outcome = await _call(machine, "read", "k1", path="docs/shelf/051-é.txt")
        assert "number 51" in outcome.text
        difference, _ = await machine.difference(base, blobs)
        assert difference == Difference(changes=())
        await _call(machine, "write", "k2", path="docs/shelf/001-é.txt", content="new\n")
        await _call(machine, "shell", "k3", command="rm -rf docs/shelf/002.txt")
        await _call(machine, "shell", "k4", command="mv docs/shelf/007.txt docs/moved.txt")
        difference, _ = await machine.difference(base, blobs)
        assert _operations(difference) == {
            "docs/moved.txt": "create",
            "docs/shelf/001-é.txt": "modify",
            "docs/shelf/002.txt": "delete",
            "docs/shelf/007.txt": "delete",
        }


async def content_in_parts_is_there_with_the_last(sandbox: Sandbox, blobs: Blobs) -> None:
    """Listed files that come in several parts, and later ones, are whole; parts without a last are not laid."""
    whole = _shelf(blobs, 60)
    files = [entry for entry in whole if entry.kind == "file"]
    listed = tuple(replace(e, sha256=None) if e.kind == "file" else e for e in whole)
    async with sandbox.open(_SPEC, _quiet) as machine:
        await machine.put_base(listed, blobs, _quiet)
        await machine.put_content(files[:5], (), blobs, _quiet, more=True)
        early = await _call(machine, "read", "k1", path=files[3].path)
        assert early.needs == (files[3].path,)
        await machine.put_content(files[:1], (), blobs, _quiet)
        await machine.put_content(files[1:30], (), blobs, _quiet, more=True)
        await machine.put_content(files[30:50], (files[59].path,), blobs, _quiet)
        await machine.put_content(files[50:59], (), blobs, _quiet)
        for number in (0, 3, 29, 30, 49, 58):
            outcome = await _call(machine, "read", f"r{number}", path=files[number].path)
            assert not outcome.is_error, outcome.text
            assert outcome.needs == ()
        await _call(machine, "write", "k2", path=files[40].path, content="new\n")
        await _call(machine, "shell", "k3", command=f"rm -rf {files[20].path}")
        await _call(machine, "shell", "k4", command=f"rm -rf {files[55].path}")
        base = tuple(entry for entry in whole if entry.path != files[59].path)
        difference, _ = await machine.difference(base, blobs)
        gone = {files[20].path: "delete", files[55].path: "delete"}
        assert _operations(difference) == {files[40].path: "modify", **gone}


async def one_key_runs_once(sandbox: Sandbox, blobs: Blobs) -> None:
    """A repeated key returns the first result and does nothing."""
    async with _machine(sandbox, blobs) as machine:
        first = await _call(machine, "write", "same", path="docs/x.txt", content="one\n")
        second = await _call(machine, "write", "same", path="docs/x.txt", content="two\n")
        assert second.text == first.text
        outcome = await _call(machine, "read", "k2", path="docs/x.txt")
        assert "one" in outcome.text


async def the_ledger_knows_what_became_of_a_key(sandbox: Sandbox, blobs: Blobs) -> None:
    """Status tells unknown from finished, with the result."""
    async with _machine(sandbox, blobs) as machine:
        assert await machine.status("never") == ("unknown", None)
        outcome = await _call(machine, "read", "k1", path="docs/a.txt")
        state, known = await machine.status("k1")
        assert state == "finished"
        assert known is not None
        assert known.text == outcome.text


async def a_failing_tool_is_an_outcome(sandbox: Sandbox, blobs: Blobs) -> None:
    """Errors of tools are told to the model, not raised."""
    async with _machine(sandbox, blobs) as machine:
        outcome = await _call(machine, "read", "k1", path="docs/missing.txt")
        assert outcome.is_error
        assert "missing.txt" in outcome.text
        unknown = await machine.call(
            "workspace__no_such", {}, key="k2", timeout_s=5, on_progress=_quiet
        )
        assert unknown.is_error


async def a_slow_tool_is_stopped_at_its_deadline(sandbox: Sandbox, blobs: Blobs) -> None:
    """A tool past its deadline is an error outcome, and the machine goes on."""
    async with _machine(sandbox, blobs) as machine:
        outcome = await machine.call(
            "workspace__shell", {"command": "sleep 60"}, key="k1", timeout_s=1, on_progress=_quiet
        )
        assert outcome.is_error
        assert "timed out" in outcome.text
        after = await _call(machine, "read", "k2", path="docs/a.txt")
        assert not after.is_error


async def machines_do_not_see_each_other(sandbox: Sandbox, blobs: Blobs) -> None:
    """What one thread's machine writes, another's never has."""
    async with _machine(sandbox, blobs) as one, _machine(sandbox, blobs) as other:
        assert one.id != other.id
        await _call(one, "write", "k1", path="docs/mine.txt", content="secret\n")
        outcome = await _call(other, "read", "k1", path="docs/mine.txt")
        assert outcome.is_error


async def a_machine_made_ahead_is_as_fresh_as_any(sandbox: Sandbox, blobs: Blobs) -> None:
    """Under `pooled` each opening is a machine of its own that nobody used, and none is left at the end."""
    seen: list[Machine] = []
    async with sandbox.pooled():
        for number in range(4):
            async with _machine(sandbox, blobs) as machine:
                assert machine.id not in {other.id for other in seen}
                old = await _call(machine, "read", f"r{number}", path="docs/mine.txt")
                assert old.is_error, "another opening's file is there"
                state, _ = await machine.status("w")
                assert state == "unknown", "another opening's call is known"
                wrote = await _call(machine, "write", "w", path="docs/mine.txt", content="secret\n")
                assert not wrote.is_error
                seen.append(machine)
        async with sandbox.clean_room((), _quiet) as machine:
            assert machine.id not in {other.id for other in seen}
            assert await machine.alive()
            seen.append(machine)
    for machine in seen:
        assert not await machine.alive()


async def a_closed_machine_says_so(sandbox: Sandbox, blobs: Blobs) -> None:
    """After its context ends a machine is gone, and a call raises SandboxUnavailable."""
    async with _machine(sandbox, blobs) as machine:
        assert await machine.alive()
    assert not await machine.alive()
    try:
        await _call(machine, "read", "k1", path="docs/a.txt")
    except SandboxUnavailable:
        return
    raise AssertionError("a call on a closed machine must raise SandboxUnavailable")


async def earlier_results_are_taken_and_are_no_change(sandbox: Sandbox, blobs: Blobs) -> None:
    """What tools presented before comes in beside the workspace, which shows nothing of it."""
    base = _base(blobs)
    told = EarlierResults(
        presented={
            "workspace": (Deliverable(path="docs/a.txt", title="A", data={"n": "x" * 100_000}),)
        },
        originals=tuple(entry for entry in base if entry.sha256 is not None),
    )
    async with _machine(sandbox, blobs) as machine:
        await machine.put_results(told, blobs)
        read = await _call(machine, "read", "k1", path="docs/a.txt")
        difference, _ = await machine.difference(base, blobs)
    assert not read.is_error
    assert difference.changes == ()


async def the_clean_room_runs_every_rule_of_the_registry(sandbox: Sandbox, blobs: Blobs) -> None:
    """Validation reports the rules that ran, for a harmless deliverable without findings of level error."""
    content = b"A short note without anything to complain about.\n"
    digest = blobs.put(content)
    request = ValidationRequest(
        deliverables=(Deliverable(path="docs/note.txt", title="Note", role="note"),),
        files={"docs/note.txt": digest},
        sources=(),
        evidence=(),
        facts={"date": "2026-01-31"},
    )
    registry = await sandbox.registry((), _quiet)
    async with sandbox.clean_room((), _quiet) as machine:
        report = await machine.validate(request, blobs)
    expected = {rule.rule for rule in registry.rules if not rule.roles}
    assert expected <= set(report.rules)
    assert [finding for finding in report.findings if finding.level == "error"] == []


async def the_clean_room_takes_evidence_of_any_size(sandbox: Sandbox, blobs: Blobs) -> None:
    """Evidence and sources that no line of a channel could hold reach the rules."""
    digest = blobs.put(b"A short note.\n")
    quotes = tuple(
        Evidence(id=f"e{number}", source=digest, path="docs/a.txt", locator={}, quote="q" * 10_000)
        for number in range(150)
    )
    request = ValidationRequest(
        deliverables=(Deliverable(path="docs/note.txt", title="Note", role="note"),),
        files={"docs/note.txt": digest},
        sources=(SourceFile(path="docs/a.txt", sha256=digest),),
        evidence=quotes,
        facts={"date": "2026-01-31"},
    )
    async with sandbox.clean_room((), _quiet) as machine:
        report = await machine.validate(request, blobs)
    assert [finding for finding in report.findings if finding.level == "error"] == []


CHECKS: tuple[Check, ...] = (
    the_registry_names_the_workspace_tools,
    the_base_is_readable_and_unchanged,
    writes_show_up_in_the_difference,
    an_equal_copy_is_no_change,
    a_deleted_folder_lists_all_it_held,
    a_checkpoint_moves_to_the_next_machine,
    a_listed_file_is_named_and_comes_when_it_is_put,
    a_listed_file_that_is_gone_is_no_longer_named,
    a_move_over_a_listed_file_is_a_change_and_stays,
    a_removed_folder_keeps_what_was_only_listed,
    many_files_are_what_they_were_and_change_as_any,
    content_in_parts_is_there_with_the_last,
    one_key_runs_once,
    the_ledger_knows_what_became_of_a_key,
    a_failing_tool_is_an_outcome,
    a_slow_tool_is_stopped_at_its_deadline,
    machines_do_not_see_each_other,
    a_machine_made_ahead_is_as_fresh_as_any,
    a_closed_machine_says_so,
    earlier_results_are_taken_and_are_no_change,
    the_clean_room_runs_every_rule_of_the_registry,
    the_clean_room_takes_evidence_of_any_size,
)
