"""Hostile documents with rendering and recognition: a result or one line within two minutes, and nothing else of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.vm.hostile import hostile_files

from deskmate.errors import SandboxMissing
from deskmate.ports import SandboxSpec, ToolOutcome
from deskmate.sandbox.adapter import QemuSandbox
from deskmate.sandbox.image import find_image
from deskmate.sandbox.machine import QemuMachine
from deskmate.testing.memory import MemoryBlobs
from deskmate.types.files import Entry, Grant
from deskmate.types.ids import ThreadId
from deskmate.types.places import Places

pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.anyio, pytest.mark.timeout(14_400)]
CASES = Path(__file__).parents[3] / "shared/cases/hostile"
LIMIT_S = 120
_SPEC = SandboxSpec(
    thread=ThreadId("t-hostile"),
    plugins=(),
    grants=(Grant(name="docs", folder="/nowhere", mode="rw"),),
    flavour="office",
)


def _files(kind: str) -> Iterator[tuple[str, bytes]]:
    """Yield those that are `made` here, or the `cases` of others; each kind takes its own half hour and more."""
    if kind == "made":
        yield from hostile_files()
        return
    for path in sorted(CASES.glob("*/*")):  # none where the cases are not beside the checkout
        if path.suffix in {".docx", ".xlsx", ".pptx", ".pdf"}:
            yield f"case {path.name}", path.read_bytes()


def _calls(path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the calls that read, compute or show such a file."""
    suffix = Path(path).suffix
    if suffix == ".pdf":
        yield "pdf_outline", {}
        yield "pdf_tables", {"pages": "1"}
        yield "pdf_read", {"pages": "1-", "ocr": True}
    elif suffix == ".xlsx":
        yield "sheet_map", {"lint": True}
        yield "sheet_recalculate", {"target": "docs/made.xlsx"}
    elif suffix == ".pptx":
        yield "deck_lint", {}
    else:
        yield "document_read", {}
    yield "render_pages", {"folder": "docs/look", "pages": "1-3"}


@pytest.mark.parametrize("kind", ["made", "cases"])
async def test_each_gives_a_result_or_one_line_and_stays_as_it_was(
    kind: str, places: Places, sandbox: QemuSandbox, blobs: MemoryBlobs
) -> None:
    files = dict(_files(kind))
    if not files:
        pytest.skip("the cases folder is not beside the checkout")
    try:
        find_image(places, flavour="office")
    except SandboxMissing:
        pytest.skip("the office image is not there: make image-office")
    entries = [
        Entry(path=f"docs/{name}", kind="file", mode=0o644, size=len(data), sha256=blobs.put(data))
        for name, data in sorted(files.items())
    ]
    async with sandbox.open(_SPEC, lambda line: None) as machine:
        await machine.put_base(entries, blobs, lambda line: None)
        wrong = []
        for name in files:
            for tool, arguments in _calls(name):
                outcome = await _timed(machine, tool, f"docs/{name}", arguments)
                if "timed out" in outcome.text or (outcome.is_error and "\n" in outcome.text):
                    wrong.append((name, tool, outcome.text[:300]))
        again = await _timed(machine, "document_read", "docs/gone.docx", {"limit": 1})
        assert again.is_error
        assert "timed out" not in again.text  # the same machine still answers
        changes = (await machine.difference(entries, blobs))[0].changes
    assert wrong == []
    assert not {change.path for change in changes} & {entry.path for entry in entries}


async def _timed(
    machine: QemuMachine, tool: str, path: str, arguments: Mapping[str, Any]
) -> ToolOutcome:
    """Call and print how long it took, what was told on the way and what came of it."""
    told: list[str] = []
    began = time.monotonic()
    outcome = await machine.call(
        f"office__{tool}", {"path": path, **arguments}, key=f"{tool} {path}", timeout_s=LIMIT_S,
        on_progress=told.append,
    )  # fmt: skip
    kind = "error" if outcome.is_error else "result"
    print(
        f"{time.monotonic() - began:6.1f} s  {path} {tool}: {len(told)} told, {kind}: {outcome.text[:150]}"
    )
    return outcome
