"""Hostile documents with rendering and recognition: a result or one line within two minutes, and nothing else of them."""

from __future__ import annotations

import pytest
from tests.vm.hostile_calls import called, calls, files

from deskmate.errors import SandboxMissing
from deskmate.ports import SandboxSpec
from deskmate.sandbox.adapter import QemuSandbox
from deskmate.sandbox.image import find_image
from deskmate.testing.memory import MemoryBlobs
from deskmate.types.files import Entry, Grant
from deskmate.types.ids import ThreadId
from deskmate.types.places import Places

pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.anyio, pytest.mark.timeout(14_400)]
SPEC = SandboxSpec(
    thread=ThreadId("t-hostile"),
    plugins=(),
    grants=(Grant(name="docs", folder="/nowhere", mode="rw"),),
    flavour="office",
)


@pytest.mark.parametrize("kind", ["made", "cases"])
async def test_each_gives_a_result_or_one_line_and_stays_as_it_was(
    kind: str, places: Places, sandbox: QemuSandbox, blobs: MemoryBlobs
) -> None:
    known = dict(files(kind))
    if not known:
        pytest.skip("the cases folder is not beside the checkout")
    try:
        find_image(places, flavour="office")
    except SandboxMissing:
        pytest.skip("the office image is not there: make image-office")
    entries = [
        Entry(path=f"docs/{name}", kind="file", mode=0o644, size=len(data), sha256=blobs.put(data))
        for name, data in sorted(known.items())
    ]
    async with sandbox.open(SPEC, lambda line: None) as machine:
        await machine.put_base(entries, blobs, lambda line: None)
        came = [
            await called(machine, name, tool, given, looks=looks)
            for name in known
            for looks, tool, given in calls(name)
        ]
        again = await called(machine, "gone.docx", "document_read", {"limit": 1}, looks=False)
        assert again.is_error
        assert not again.hung  # the same machine still answers
        changes = (await machine.difference(entries, blobs))[0].changes
    assert [(one.name, one.tool, one.text[:300]) for one in came if not one.is_clear] == []
    assert not {change.path for change in changes} & {entry.path for entry in entries}
