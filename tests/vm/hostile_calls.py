"""What is asked of each hostile document, within which time, and what came of it: shared by the test and its table."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.vm.hostile import hostile_files

from deskmate.sandbox.machine import QemuMachine

CASES = Path(__file__).parents[3] / "shared/cases/hostile"
READ_S, LOOK_S = 20, 120
"""Seconds that a call without and with rendering or recognition may take."""
_READING: Mapping[str, tuple[tuple[str, Mapping[str, Any]], ...]] = {
    ".pdf": (("pdf_outline", {}), ("pdf_tables", {"pages": "1"}), ("pdf_read", {"pages": "1-"})),
    ".xlsx": (("sheet_map", {"lint": True}),),
    ".pptx": (("deck_outline", {}), ("deck_lint", {})),
    ".docx": (("document_read", {}), ("document_outline", {})),
}
_LOOKING: Mapping[str, tuple[tuple[str, Mapping[str, Any]], ...]] = {
    ".pdf": (("pdf_read", {"pages": "1-", "ocr": True}),),
    ".xlsx": (("sheet_recalculate", {"target": "docs/made.xlsx"}),),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What came of a call. `looks`: it rendered, recognised or recomputed. `told`: lines of progress."""

    name: str
    tool: str
    looks: bool
    seconds: float
    told: int
    is_error: bool
    text: str

    @property
    def hung(self) -> bool:
        """Say whether it had to be ended."""
        return "timed out" in self.text

    @property
    def is_clear(self) -> bool:
        """Say whether it gave a result, or an error in one line."""
        return not self.hung and not (self.is_error and "\n" in self.text)


def files(kind: str) -> Iterator[tuple[str, bytes]]:
    """Yield those that are `made` here, or the `cases` of others."""
    if kind == "made":
        yield from hostile_files()
        return
    for path in sorted(CASES.glob("*/*")):  # none where the cases are not beside the checkout
        if path.suffix in _READING:
            yield f"case {path.name}", path.read_bytes()


def calls(name: str) -> Iterator[tuple[bool, str, Mapping[str, Any]]]:
    """Yield (whether it looks, tool, arguments) of the calls that read such a file, then of those that look at it."""
    suffix = Path(name).suffix
    yield from ((False, tool, given) for tool, given in _READING[suffix])
    yield from ((True, tool, given) for tool, given in _LOOKING.get(suffix, ()))
    yield True, "render_pages", {"folder": "docs/look", "pages": "1-3"}


async def called(
    machine: QemuMachine, name: str, tool: str, given: Mapping[str, Any], *, looks: bool
) -> Came:
    """Make a call, print and return what came of it."""
    told: list[str] = []
    began = time.monotonic()
    outcome = await machine.call(
        f"office__{tool}",
        {"path": f"docs/{name}", **given},
        key=f"{tool} {name} {looks}",
        timeout_s=LOOK_S,
        on_progress=told.append,
    )
    came = Came(
        name=name,
        tool=tool,
        looks=looks,
        seconds=time.monotonic() - began,
        told=len(told),
        is_error=outcome.is_error,
        text=outcome.text,
    )
    kind = "error" if outcome.is_error else "result"
    print(
        f"{came.seconds:6.1f} s  {name} {tool}: {came.told} told, {kind}: {outcome.text[:150]!r}",
        flush=True,
    )
    return came
