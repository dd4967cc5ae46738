"""OPS-LIVE-FORMULAS: each formula gives what the workbook shows for it, and what has to be live is no typed figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from deskmate.plugin import Deliverable, Finding, ToolError, ValidationContext
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.calculate import same
from deskmate_documents.xlsx.cells import Value
from deskmate_documents.xlsx.engines import Answer, Formualizer
from deskmate_documents.xlsx.refs import Area, name_of

RULE = "OPS-LIVE-FORMULAS"
LIMIT = 20
LIVE: Mapping[str, Mapping[str, Sequence[str]]] = {
    "process_metrics": {},
    "vendor_scorecard": {
        "Scores": ("Rank", "Score"),
        "Points": ("*",),
        "Sensitivity": ("First",),
        "TCO": ("*",),
    },
    "risk_register": {"Register": ("Score", "Band", "Residual score", "Residual band")},
}
"""Role → sheet → columns in which every figure is a formula; `*`: all but the first. Rows called Total are so everywhere."""


def live_formulas(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Compute every formula anew by an engine of its own and compare; refuse typed figures where formulas belong.

    Source: house (SOURCES.md).
    """
    try:
        found = list(_problems(context.file, LIVE.get(deliverable.role, {})))
    except ToolError as problem:
        found = [(f"It cannot be computed: {problem}", "")]
    fix = "Run the tool again; do not type over its formulas."
    return [
        Finding(rule=RULE, level="error", message=message, location=where, fix=fix)
        for message, where in found
    ][:LIMIT]


def _problems(file: Path, columns: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    book = Workbook(file)
    formulas = [(sheet.name, value) for sheet, value in book.formulas()]
    spots = [(sheet, value.place) for sheet, value in formulas]
    answers = Formualizer().compute(file, spots)
    for sheet, value in formulas:
        answer = answers.get((sheet, value.place))
        where = f"{sheet}!{name_of(value.place)}"
        if answer is None:
            yield f"={value.formula[:80]} cannot be computed.", where
        elif (value.text or answer.text) and not same(Answer(value.kind, value.text), answer):
            yield f"It shows {value.text!r}; its formula gives {answer.text!r}.", where
    live = set(spots)
    for page in book.sheets:
        yield from _typed(book, page.name, columns.get(page.name, ()), live)
    for name in columns:
        if name not in {sheet.name for sheet in book.sheets}:
            continue
        if not any(sheet == name for sheet, _ in spots):
            yield f"The sheet {name} has no formula.", ""


def _typed(
    book: Workbook, name: str, columns: Sequence[str], live: set[tuple[str, tuple[int, int]]]
) -> Iterator[tuple[str, str]]:
    """Yield figures that stand where a formula belongs."""
    rows: dict[int, dict[int, Value]] = {}
    for value in book.values(book.sheet(name), Area(1, 1, 200_000, 200)):
        rows.setdefault(value.place[0], {})[value.place[1]] = value
    header = {place: value.text for place, value in rows.get(1, {}).items()}
    for number, cells in rows.items():
        total = number > 1 and 1 in cells and cells[1].text == "Total"
        for place, value in cells.items():
            named = header.get(place) in columns
            wanted = named or (value.kind == "number" and (total or ("*" in columns and place > 1)))
            if number > 1 and wanted and value.text and (name, value.place) not in live:
                yield (
                    f"{value.text} is typed where a formula belongs.",
                    f"{name}!{name_of(value.place)}",
                )
