"""What documents cost: outline, lint, patch and rendering of generated material, in real machines, side by side in one run."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deskmate.errors import DeskmateError
from deskmate.ports import Flavour, Machine, Progress, Sandbox, SandboxSpec
from deskmate.types.files import Grant
from deskmate.types.ids import ThreadId

GROWTH_TARGET = 2.6
"""What twice the sheets may cost: twice the time and some."""
_CALL_S = 1200.0
_COLUMNS = 8
_BOOK, _TWICE, _DECK = "docs/model.xlsx", "docs/twice.xlsx", "docs/deck.pptx"
_MONEY = "[$€-407] #,##0"
_GRANT = Grant(name="docs", folder="/nowhere", mode="rw")


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFigures:
    """One run. `call_ms`: a call that does nothing, which is in all others. `lint_growth`, `patch_growth`: of twice the sheets.

    `render_s`: pages of a deck of five slides, None without the office image; `render_again_s`: the next window of them.
    """

    sheets: int
    rows: int
    call_ms: float
    outline_s: float
    lint_s: float
    lint_growth: float
    patch_s: float
    patch_growth: float
    lint_over_outline: float
    render_s: float | None
    render_again_s: float | None
    targets_met: bool


async def bench_documents(
    sandbox: Sandbox, progress: Progress, *, sheets: int = 6, rows: int = 400
) -> DocumentFigures:
    """Measure. `sheets`, `rows`: of the generated workbook; a second one has twice the sheets.

    Raises what the sandbox raises, and DeskmateError if a tool fails.
    """
    await sandbox.registry((), progress)
    async with sandbox.open(_spec("base"), progress) as machine:
        await machine.put_base((), _Nothing(), progress)
        for path, count in ((_BOOK, sheets), (_TWICE, 2 * sheets)):
            progress(f"building a workbook of {count} sheets")
            await _timed(
                machine,
                "office__sheet_build",
                path=path,
                sheets=[_sheet(n, rows) for n in range(count)],
            )
        empty = [await _timed(machine, "workspace__glob", pattern="docs/*") for _ in range(5)]
        progress("outline, lint and patch")
        outline = await _timed(machine, "office__sheet_map", path=_BOOK)
        lint = [
            await _timed(machine, "office__sheet_map", path=p, lint=True) for p in (_BOOK, _TWICE)
        ]
        edits = [{"op": "set", "cells": "S1!B3", "value": 4711}]
        patch = [
            await _timed(machine, "office__sheet_edit", path=p, edits=edits)
            for p in (_BOOK, _TWICE)
        ]
    render = await _rendered(sandbox, progress)
    lints = (lint[0] - outline, lint[1] - 2 * outline)
    growth, patch_growth = lints[1] / max(lints[0], 1e-3), patch[1] / patch[0]
    return DocumentFigures(
        sheets=sheets,
        rows=rows,
        call_ms=round(statistics.median(empty) * 1000, 1),
        outline_s=round(outline, 2),
        lint_s=round(lint[0], 2),
        lint_growth=round(growth, 2),
        patch_s=round(patch[0], 2),
        patch_growth=round(patch_growth, 2),
        lint_over_outline=round(lint[0] / outline, 2),
        render_s=render[0] if render else None,
        render_again_s=render[1] if render else None,
        targets_met=max(growth, patch_growth) <= GROWTH_TARGET,
    )


async def _rendered(sandbox: Sandbox, progress: Progress) -> tuple[float, float] | None:
    """Return seconds of a deck's first pages and of the next ones; None where nothing can render."""
    if lack := await sandbox.lacks("office"):
        progress(f"pages are not rendered: {lack}")
        return None
    async with sandbox.open(_spec("office"), progress) as machine:
        await machine.put_base((), _Nothing(), progress)
        slides = [{"title": f"Slide {n}", "bullets": ["One", "Two"]} for n in range(1, 6)]
        await _timed(machine, "office__deck_build", target=_DECK, slides=slides)
        progress("rendering a deck")
        pages = [
            await _timed(
                machine, "office__render_pages", path=_DECK, folder="docs/look", pages=these
            )
            for these in ("1-3", "4-5")
        ]
    return round(pages[0], 2), round(pages[1], 2)


def _spec(flavour: Flavour) -> SandboxSpec:
    return SandboxSpec(thread=ThreadId("t-bench"), plugins=(), grants=(_GRANT,), flavour=flavour)


def _sheet(number: int, rows: int) -> Mapping[str, Any]:
    """Return a sheet of figures in euros, with sums, running totals and shares of a whole column."""
    width = _COLUMNS - 3
    last = chr(ord("A") + width)
    lines: list[list[Any]] = [["Item", *(f"M{n}" for n in range(1, width + 1)), "Total", "So far"]]
    for row in range(2, rows + 2):
        figures = [row * n for n in range(1, width + 1)]
        lines.append(
            [f"Item {row}", *figures, f"=SUM(B{row}:{last}{row})", f"=SUM(G$2:G{row})/SUM(G:G)"]
        )
    return {
        "name": f"S{number + 1}",
        "rows": lines,
        "formats": ["", *[_MONEY] * (width + 1), "0.0%"],
    }


async def _timed(machine: Machine, tool: str, **arguments: Any) -> float:
    """Return the seconds that a call took."""
    began = time.monotonic()
    outcome = await machine.call(
        tool, arguments, key=os.urandom(8).hex(), timeout_s=_CALL_S, on_progress=lambda line: None
    )
    if outcome.is_error:
        raise DeskmateError(f"The measurement failed: {outcome.text}")
    return time.monotonic() - began


class _Nothing:
    """Blobs of an empty folder."""

    def read(self, digest: str) -> bytes:
        raise KeyError(digest)

    def chunks(self, digest: str) -> tuple[bytes, ...]:
        raise KeyError(digest)

    def has(self, digest: str) -> bool:
        return False
