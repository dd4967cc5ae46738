"""Lists of files as blobs: one text for one value, and damage is named."""

from __future__ import annotations

import pytest

from deskmate.agent.manifests import (
    Checkpoint,
    Entries,
    canonical,
    digest_of,
    put_manifest,
    read_checkpoint,
    read_entries,
    read_plan_paths,
)
from deskmate.changes.review import read_difference
from deskmate.errors import CorruptData
from deskmate.testing.memory import MemoryBlobs
from deskmate.types.files import Change, Difference, Entry
from deskmate.types.ids import Digest

ENTRY = Entry(path="d/ä \udcff.txt", kind="file", mode=0o640, size=3, sha256=Digest("a" * 64))
CHANGES = Difference(
    changes=(Change(path=ENTRY.path, operation="create", before=None, after=ENTRY),),
    refused={"d/fifo": "not a file"},
)


def test_each_list_comes_back_as_it_was_even_with_names_that_are_no_text() -> None:
    blobs = MemoryBlobs()
    checkpoint = Checkpoint(changes=CHANGES, home=(ENTRY,))
    assert read_entries(blobs, put_manifest(blobs, Entries(entries=(ENTRY,)))) == (ENTRY,)
    assert read_checkpoint(blobs, put_manifest(blobs, checkpoint)) == checkpoint
    assert read_difference(put_manifest(blobs, CHANGES), blobs) == CHANGES


def test_the_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest_of({"a": 1, "b": (2,)}) == digest_of({"b": [2], "a": 1})
    assert canonical({"b": 1, "a": "é"}) == '{"a":"é","b":1}'.encode()


@pytest.mark.parametrize("content", [b"not json", b"[]", b'{"entries": 3}', b"\xff"])
def test_damage_is_corrupt_data(content: bytes) -> None:
    blobs = MemoryBlobs()
    with pytest.raises(CorruptData):
        read_entries(blobs, blobs.put(content))
    with pytest.raises(CorruptData):
        read_plan_paths(blobs, blobs.put(content))


def test_the_paths_of_a_plan_are_those_of_the_real_format() -> None:
    from deskmate.changes.plan import Plan, Step, store_plan

    blobs = MemoryBlobs()
    plan = Plan(id="1", grants=(), steps=(Step(path="d/a", before=None, after=None),))
    assert read_plan_paths(blobs, store_plan(plan, blobs)) == {"d/a"}
