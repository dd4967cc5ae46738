"""I8 to I10: logs and plans that break what is promised of every change to the user's files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deskmate.store.blobs import BlobStore
from deskmate.store.making import create_thread
from deskmate.store.thread import open_thread
from deskmate.store.verify import verify_thread
from deskmate.types.events import ApplyFinished, ApplyStarted, ChangesStaged, Payload
from deskmate.types.ids import Digest, RunId

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
OLD, NEW = b"old", b"new"


class Book:
    """A log with plans; what is put is in its blobs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.blobs = BlobStore(folder / "blobs")
        self.payloads: list[Payload] = []

    def state(self, content: bytes, **facts: Any) -> Json:
        digest = self.blobs.put(content)
        return {"kind": "file", "mode": 420, "size": 3, "sha256": digest, "mtime_ns": 7, **facts}

    def staged(self) -> Digest:
        digest = self.blobs.put(b'{"changes": []}')
        self.payloads.append(
            ChangesStaged(run=RunId("r"), difference=digest, created=0, modified=1, deleted=0)
        )
        return digest

    def plan(self, *steps: Json, mode: str = "rw", **facts: Any) -> Digest:
        grants = [{"name": "docs", "folder": "/x", "mode": mode}]
        plan = {"id": str(len(self.payloads)), "grants": grants, "steps": list(steps), **facts}
        return self.blobs.put(json.dumps(plan).encode())

    def modify(self, **facts: Any) -> Json:
        step = {"path": "docs/a", "before": self.state(OLD), "after": self.state(NEW)}
        return {**step, **facts}

    def carry_out(self, plan: Digest, **facts: Any) -> Digest:
        self.payloads += [ApplyStarted(plan=plan, **facts), ApplyFinished(plan=plan, applied=True)]
        return plan

    async def problems(self) -> tuple[str, ...]:
        thread = await create_thread(self.folder / "threads", "x", version="1")
        async with open_thread(self.folder / "threads", thread) as store:
            await store.append(*self.payloads)
            return (await verify_thread(store, self.blobs)).problems


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path)


async def expect(book: Book, promise: str, problem: str) -> None:
    found = await book.problems()
    assert any(problem in line and line.endswith(f"({promise})") for line in found), found


async def test_an_apply_and_its_exact_undo_are_sound(book: Book) -> None:
    step = book.modify()
    applied = book.carry_out(book.plan(step, source=book.staged()), by="user")
    back = {**step, "before": step["after"], "after": step["before"]}
    book.carry_out(book.plan(back, undoes=[applied]), undo_of=applied)
    assert await book.problems() == ()


async def test_two_applies_at_once_break_i8(book: Book) -> None:
    source = book.staged()
    first, second = (book.plan(book.modify(), source=source, id=name) for name in "ab")
    book.payloads += [ApplyStarted(plan=first), ApplyStarted(plan=second)]
    await expect(book, "I8", "began before that of event 3 was settled")


@pytest.mark.parametrize(
    "facts", [{"mode": 384}, {"mtime_ns": 8}, {"attributes": {"user.x": "00"}}]
)
async def test_an_undo_that_is_not_exact_breaks_i9(book: Book, facts: Json) -> None:
    step = book.modify()
    applied = book.carry_out(book.plan(step, source=book.staged()))
    back = {**step, "before": step["after"], "after": {**step["before"], **facts}}
    book.carry_out(book.plan(back, undoes=[applied]))
    await expect(book, "I9", "docs/a is not what it was before it was applied")


async def test_an_undo_of_another_file_breaks_i9(book: Book) -> None:
    applied = book.carry_out(book.plan(book.modify(), source=book.staged()))
    book.carry_out(book.plan(book.modify(path="docs/b"), undoes=[applied]))
    await expect(book, "I9", "docs/b, which its plans had not touched")


async def test_a_change_that_no_run_made_breaks_i10(book: Book) -> None:
    book.carry_out(book.plan(book.modify()))
    await expect(book, "I10", "an apply of changes that no run made")


async def test_a_change_set_that_was_not_staged_breaks_i10(book: Book) -> None:
    book.carry_out(book.plan(book.modify(), source="1" * 64))
    await expect(book, "I10", "never staged")


async def test_an_undo_of_nothing_breaks_i10(book: Book) -> None:
    book.carry_out(book.plan(book.modify(), undoes=["1" * 64]))
    await expect(book, "I10", "an undo of a plan that was never carried out")


async def test_content_without_a_name_breaks_i10(book: Book) -> None:
    bare = book.modify(before={"kind": "file", "mode": 420})
    book.carry_out(book.plan(bare, source=book.staged()))
    await expect(book, "I10", "its content before is not named")


@pytest.mark.parametrize(
    ("mode", "step", "problem"),
    [
        ("ro", {}, "granted for reading only"),
        ("rw-no-delete", {"after": None}, "deleted where the grant forbids that"),
        ("rw", {"path": "elsewhere/a"}, "in no granted folder"),
    ],
)
async def test_a_change_beyond_the_grant_breaks_i10(
    book: Book, mode: str, step: Json, problem: str
) -> None:
    book.carry_out(book.plan(book.modify(**step), mode=mode, source=book.staged()))
    await expect(book, "I10", problem)


async def test_a_deed_of_nobody_breaks_i10(book: Book) -> None:
    book.carry_out(book.plan(book.modify(), source=book.staged()), by="agent")
    await expect(book, "I10", "nobody is named who wanted the apply")


@pytest.mark.parametrize("content", [b"[]", b"{", b'{"steps": 1, "grants": []}'])
async def test_what_is_no_plan_is_no_crash(book: Book, content: bytes) -> None:
    book.carry_out(book.blobs.put(content))
    assert all("Traceback" not in line for line in await book.problems())
