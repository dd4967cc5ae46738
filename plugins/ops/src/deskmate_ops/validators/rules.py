"""OPS-SUMS-TIE and OPS-STEPS-COMPLETE: figures come from the source again, and no step is lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path

from deskmate.plugin import Deliverable, Finding, ToolInputError, ValidationContext
from deskmate_documents.tables import Cell, cell_text, decode, read_sheets
from deskmate_ops.procedures import numbered, read_lines, without_number
from deskmate_ops.runbooks import read_runbook
from deskmate_ops.tools.measures import Sheets, process_sheets, vendor_sheets

SUMS, STEPS = "OPS-SUMS-TIE", "OPS-STEPS-COMPLETE"
LIMIT = 20


def _finding(rule: str, message: str, where: str = "") -> Finding:
    fix = (
        "Run the tool again; do not edit its figures."
        if rule == SUMS
        else "Build it again from the notes."
    )
    return Finding(rule=rule, level="error", message=message, location=where, fix=fix)


def sums_tie(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Measure the original again and compare every cell of the workbook.

    Source: house (SOURCES.md).
    """
    path = deliverable.sources.get("source", "")
    source = context.sources.file(path) if path else None
    if source is None:
        return [
            _finding(
                SUMS, f"UNVERIFIED: the source {path or '(none named)'} is not among the originals."
            )
        ]
    try:
        shown = read_sheets(context.file, name=deliverable.path)
        right = _again(deliverable, source, path)
    except ToolInputError as problem:
        return [_finding(SUMS, f"It cannot be computed again: {problem.message}")]
    return [_finding(SUMS, message, where) for message, where in _differences(shown, right)][:LIMIT]


def _again(deliverable: Deliverable, file: Path, path: str) -> Sheets:
    if deliverable.role == "process_metrics":
        return process_sheets(file, path, _texts(deliverable.data.get("settings")))
    lower = deliverable.data.get("lower_is_better")
    names = [str(name) for name in lower] if isinstance(lower, list | tuple) else []
    return vendor_sheets(
        file, path, {"weights": _texts(deliverable.data.get("weights")), "lower_is_better": names}
    )


def _texts(value: object) -> dict[str, str]:
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, Mapping) else {}


def _differences(
    shown: Mapping[str, Sequence[Sequence[str]]], right: Sheets
) -> Iterator[tuple[str, str]]:
    if list(shown) != list(right):
        yield (
            f"The workbook has the sheets {', '.join(shown)}; it should have {', '.join(right)}.",
            "",
        )
        return
    for title, rows in right.items():
        there = shown[title]
        if len(there) != len(rows):
            yield f"It has {len(there)} rows; the source gives {len(rows)}.", f"sheet {title}"
        for number, (cells, truth) in enumerate(zip(there, rows, strict=False), start=1):
            for place, value in enumerate(truth):
                cell = cells[place] if place < len(cells) else ""
                if not _same(cell, value):
                    yield (
                        f"{cell!r} should be {cell_text(value)!r} ({rows[0][place]}).",
                        f"sheet {title}, row {number}",
                    )


def _same(cell: str, value: Cell) -> bool:
    if isinstance(value, Decimal | int):
        try:
            return Decimal(cell) == value
        except InvalidOperation:
            return False
    return cell == cell_text(value)


def steps_complete(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Check that each step of the notes stands in the procedure, word for word and in order, and no other.

    Source: house (SOURCES.md).
    """
    path = deliverable.sources.get("notes", "")
    source = context.sources.file(path) if path else None
    if source is None:
        return [
            _finding(
                STEPS,
                f"UNVERIFIED: the notes {path or '(none named)'} are not among the originals.",
            )
        ]
    try:
        book = read_runbook(decode(source.read_bytes(), path), path)
        lines = read_lines(context.file, deliverable.path)
    except ToolInputError as problem:
        return [_finding(STEPS, problem.message)]
    wanted = [
        (number, " ".join(step.text.split()))
        for _, steps in numbered(book)
        for number, step in steps
    ]
    found = list(_missing(wanted, [" ".join(line.split()) for line in lines]))
    return [_finding(STEPS, message, where) for message, where in found][:LIMIT]


def _missing(wanted: Sequence[tuple[str, str]], lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    at = 0
    for number, text in wanted:
        expected = f"{number} {text}"
        place = next((i for i in range(at, len(lines)) if lines[i] == expected), None)
        if place is not None:
            at = place + 1
        elif any(without_number(line) == text for line in lines):
            yield f"The step {text[:120]!r} is out of order or misnumbered.", f"step {number}"
        else:
            yield f"The step {text[:120]!r} of the notes is missing or altered.", f"step {number}"
    known = {f"{number} {text}" for number, text in wanted}
    for line in lines:
        if line not in known and without_number(line) != line and "." in line.split()[0]:
            yield f"The step {line[:120]!r} is not in the notes.", ""
