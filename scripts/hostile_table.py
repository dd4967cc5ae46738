"""Measures what comes of hostile documents in a machine of the office image, as a Markdown table.

Usage: python -m scripts.hostile_table; with --write, into docs/reference/documents.md. It takes half an hour and more where
everything is emulated; documents of others are tried where the cases folder lies beside the checkout.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import anyio
from scripts.measured import Place
from tests.vm.conftest import make_sandbox
from tests.vm.hostile_calls import LOOK_S, READ_S, Came, called, calls, files
from tests.vm.test_hostile_documents import SPEC

from deskmate.sandbox.adapter import QemuSandbox
from deskmate.testing.memory import MemoryBlobs
from deskmate.types.files import Entry
from deskmate.types.places import find_places

PLACE = Place(
    name="hostile", file=Path(__file__).parents[1] / "docs" / "reference" / "documents.md"
)
HEAD = (
    "| documents | | files | calls | results | errors in one line | ended by force | longest | over the limit | originals changed |\n"
    "|---|---|---|---|---|---|---|---|---|---|\n"
)


async def measure(sandbox: QemuSandbox, kind: str) -> tuple[list[Came], int]:
    """Make all calls of one kind of documents in a fresh machine; return them, and how many originals changed."""
    blobs = MemoryBlobs()
    known = dict(files(kind))
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
        changes = (await machine.difference(entries, blobs))[0].changes
    changed = {change.path for change in changes} & {entry.path for entry in entries}
    return came, len(changed)


def rows(kind: str, came: Sequence[Came], changed: int) -> Iterator[str]:
    """Yield the two rows of one kind of documents."""
    for looks, limit_s in ((False, READ_S), (True, LOOK_S)):
        some = [one for one in came if one.looks == looks]
        if not some:
            continue
        lines = [one for one in some if one.is_error and one.is_clear]
        cells = (
            {"made": "made for the tests", "cases": "of others"}[kind],
            f"{'with' if looks else 'without'} rendering, OCR, recalculation, ≤ {limit_s} s",
            len({one.name for one in some}),
            len(some),
            sum(not one.is_error for one in some),
            len(lines),
            sum(one.hung for one in some),
            f"{max(one.seconds for one in some):.0f} s",
            sum(one.seconds > limit_s for one in some),
            changed,
        )
        yield f"| {' | '.join(map(str, cells))} |"


async def _all() -> list[str]:
    adapter = make_sandbox(find_places(dict(os.environ), Path.home()))
    found: list[str] = []
    try:
        for kind in ("made", "cases"):
            if list(files(kind)):
                found += rows(kind, *await measure(adapter, kind))
    finally:
        adapter.close()
    return found


def main() -> None:
    """Print the table, and with --write put it into its place."""
    table = HEAD + "\n".join(anyio.run(_all)) + "\n"
    print(table)
    if "--write" in sys.argv:
        PLACE.write(table)


if __name__ == "__main__":
    main()
