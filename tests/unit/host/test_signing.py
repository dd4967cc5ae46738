"""Signatures under results: bound to their bytes, kept in the log, and told to the rules."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from deskmate.agent.validation import build_validation
from deskmate.cli import root
from deskmate.errors import UserError
from deskmate.host.signing import sign, signable
from deskmate.store.blobs import BlobStore
from deskmate.store.making import create_thread
from deskmate.store.thread import ThreadStore, open_thread
from deskmate.types.codec import to_json
from deskmate.types.events import ChangesDiscarded, ChangesStaged, DeliverableSigned, GrantsSet
from deskmate.types.files import Change, Deliverable, Difference, Entry, Grant
from deskmate.types.ids import Digest, RunId

pytestmark = pytest.mark.anyio
PATH = "docs/Opinion.docx"
Stage = Callable[[ThreadStore, bytes], Any]


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "data/blobs")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[ThreadStore]:
    thread = await create_thread(tmp_path / "data/threads", "Opinion", version="1")
    async with open_thread(tmp_path / "data/threads", thread) as opened:
        yield opened


async def stage(
    store: ThreadStore, blobs: BlobStore, content: bytes, *, path: str = PATH, presents: bool = True
) -> Digest:
    digest = blobs.put(content)
    after = Entry(path=path, kind="file", mode=0o644, size=len(content), sha256=digest)
    difference = Difference(
        changes=(Change(path=path, operation="create", before=None, after=after),)
    )
    held = blobs.put(json.dumps(to_json(difference)).encode())
    await store.append(
        ChangesStaged(
            run=RunId("r-1"), difference=held, created=1, modified=0, deleted=0,
            deliverables=(Deliverable(path=path, title="Opinion"),) if presents else (),
        )
    )  # fmt: skip
    return digest


async def grant(store: ThreadStore, folder: Path) -> None:
    """Give the thread a folder, in which what is staged lies when it is applied."""
    folder.mkdir()
    await store.append(GrantsSet(grants=(Grant(folder=str(folder), name="docs", mode="rw"),)))


async def test_what_the_user_changed_since_cannot_be_signed_and_the_signature_lapses(
    store: ThreadStore, blobs: BlobStore, tmp_path: Path
) -> None:
    await grant(store, tmp_path / "docs")
    file = tmp_path / "docs/Opinion.docx"
    await stage(store, blobs, b"one")
    assert (await sign(store, blobs, PATH, "Ann Lee")).holds  # not applied yet
    file.write_bytes(b"one")
    (applied,) = await signable(await store.events(), blobs)
    assert applied.holds
    file.write_bytes(b"one, edited by hand")
    (edited,) = await signable(await store.events(), blobs)
    assert edited.signed is not None
    assert not edited.holds
    with pytest.raises(UserError, match="is not what the run presented"):
        await sign(store, blobs, PATH, "Ann Lee")


async def test_what_a_later_run_changed_or_took_back_cannot_be_signed(
    store: ThreadStore, blobs: BlobStore, tmp_path: Path
) -> None:
    await grant(store, tmp_path / "docs")
    await stage(store, blobs, b"one")
    await stage(store, blobs, b"one", presents=False)
    assert (await sign(store, blobs, PATH, "Ann Lee")).holds
    await stage(store, blobs, b"two", presents=False)
    with pytest.raises(UserError, match="a later run changed it"):
        await sign(store, blobs, PATH, "Ann Lee")
    await stage(store, blobs, b"three")
    await stage(store, blobs, b"x", path="docs/other.docx", presents=False)
    with pytest.raises(UserError, match="a later run took it back"):
        await sign(store, blobs, PATH, "Ann Lee")


async def test_what_was_thrown_away_cannot_be_signed(
    store: ThreadStore, blobs: BlobStore, tmp_path: Path
) -> None:
    await grant(store, tmp_path / "docs")
    await stage(store, blobs, b"one")
    (staged,) = [e.payload for e in await store.events() if isinstance(e.payload, ChangesStaged)]
    await store.append(ChangesDiscarded(difference=staged.difference, paths=(PATH,)))
    with pytest.raises(UserError, match="you threw it away"):
        await sign(store, blobs, PATH, "Ann Lee")


async def test_a_signature_is_for_the_bytes_of_now(store: ThreadStore, blobs: BlobStore) -> None:
    digest = await stage(store, blobs, b"one")
    (before,) = await signable(await store.events(), blobs)
    assert (before.signed, before.holds) == (None, False)
    done = await sign(store, blobs, PATH, " Ann  Lee ", "General Counsel")
    assert done.holds
    (event,) = [e.payload for e in await store.events() if isinstance(e.payload, DeliverableSigned)]
    assert (event.name, event.role, event.sha256) == ("Ann Lee", "General Counsel", digest)

    await stage(store, blobs, b"two")
    (after,) = await signable(await store.events(), blobs)
    assert after.signed == event
    assert not after.holds


async def test_the_rules_are_told_who_signed_what(store: ThreadStore, blobs: BlobStore) -> None:
    digest = await stage(store, blobs, b"one")
    nothing = build_validation((), Difference(changes=()), (), await store.events(), "2026-11-28")
    assert "signatures" not in nothing.facts
    await sign(store, blobs, PATH, "Ann Lee")
    facts = build_validation(
        (), Difference(changes=()), (), await store.events(), "2026-11-28"
    ).facts
    assert facts["signatures"] == {PATH: {"name": "Ann Lee", "sha256": digest}}


async def test_a_signer_who_was_erased_signs_nothing_any_more(
    store: ThreadStore, blobs: BlobStore
) -> None:
    await stage(store, blobs, b"one")
    await sign(store, blobs, PATH, "Ann Lee", "General Counsel")
    number = len(await store.events())
    await store.erase([number], "asked for")
    assert b"Ann Lee" not in b"".join(p.read_bytes() for p in store.folder.glob("thread.db*"))
    facts = build_validation(
        (), Difference(changes=()), (), await store.events(), "2026-11-28"
    ).facts
    assert "signatures" not in facts
    (item,) = await signable(await store.events(), blobs)
    assert not item.holds


@pytest.mark.parametrize(
    ("path", "name", "said"),
    [("docs/other.docx", "Ann Lee", "is no result"), (PATH, "  ", "name of a person"), (PATH, "x" * 201, "name of a person")],
)  # fmt: skip
async def test_only_results_are_signed_and_only_with_a_name(
    store: ThreadStore, blobs: BlobStore, path: str, name: str, said: str
) -> None:
    await stage(store, blobs, b"one")
    before = len(await store.events())
    with pytest.raises(UserError, match=said):
        await sign(store, blobs, path, name)
    assert len(await store.events()) == before


async def test_a_thread_without_results_has_nothing_to_sign(
    store: ThreadStore, blobs: BlobStore
) -> None:
    with pytest.raises(UserError, match="no result to sign"):
        await signable(await store.events(), blobs)


def test_the_command_signs_and_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import anyio

    monkeypatch.setenv("DESKMATE_HOME", str(tmp_path))
    threads, blobs = tmp_path / "data/threads", BlobStore(tmp_path / "data/blobs")

    async def make() -> str:
        thread = await create_thread(threads, "Opinion", version="1")
        async with open_thread(threads, thread) as opened:
            await stage(opened, blobs, b"one")
        return thread

    thread = anyio.run(make)

    def call(*arguments: str) -> Any:
        return CliRunner().invoke(root, ["sign", "--thread", thread, *arguments])

    assert f"{PATH}: not signed" in call().output
    assert f"{PATH}: signed by Ann Lee" in call(PATH, "--name", "Ann Lee").output
    (row,) = json.loads(call("--json").output)
    assert (row["holds"], row["signable"]["signed"]["name"]) == (True, "Ann Lee")
    refused = call(PATH)
    assert isinstance(refused.exception, UserError)
