"""Whether a workbook that a tool made is live: each formula gives what it shows, and no figure is typed where one belongs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from deskmate.errors import ToolError
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.calculate import same
from deskmate_documents.xlsx.cells import Value
from deskmate_documents.xlsx.engines import Answer, Formualizer
from deskmate_documents.xlsx.refs import Area, name_of

TOTAL = "Total"


def live_problems(
    file: Path,
    columns: Mapping[str, Sequence[str]],
    *,
    totals: bool = True,
    blanks: Collection[str] = (),
) -> Iterator[tuple[str, str]]:
    """Yield (message, place) of each formula that gives something else, and of each figure that should be one.

    Args:
        file: the workbook.
        columns: sheet → headers of columns in which every figure is a formula; `*`: all but the first.
        totals: rows whose first cell says Total hold formulas only, in every sheet.
        blanks: texts that stand for no figure, such as a dash.
    """
    try:
        for message, place, text in _problems(file, columns, totals):
            if text not in blanks or not text:
                yield message, place
    except ToolError as problem:
        yield f"It cannot be computed: {problem}", ""


def _problems(
    file: Path, columns: Mapping[str, Sequence[str]], totals: bool
) -> Iterator[tuple[str, str, str]]:
    """Yield (message, place, typed text)."""
    book = Workbook(file)
    formulas = [(sheet.name, value) for sheet, value in book.formulas()]
    spots = [(sheet, value.place) for sheet, value in formulas]
    answers = Formualizer().compute(file, spots)
    for sheet, value in formulas:
        answer = answers.get((sheet, value.place))
        where = f"{sheet}!{name_of(value.place)}"
        if answer is None:
            yield f"={value.formula[:80]} cannot be computed.", where, ""
        elif (value.text or answer.text) and not same(Answer(value.kind, value.text), answer):
            yield f"It shows {value.text!r}; its formula gives {answer.text!r}.", where, ""
    live = set(spots)
    for page in book.sheets:
        yield from _typed(book, page.name, columns.get(page.name, ()), live, totals=totals)
    for name in columns:
        if name not in {sheet.name for sheet in book.sheets}:
            continue
        if not any(sheet == name for sheet, _ in spots):
            yield f"The sheet {name} has no formula.", "", ""


def _typed(
    book: Workbook,
    name: str,
    columns: Sequence[str],
    live: set[tuple[str, tuple[int, int]]],
    *,
    totals: bool,
) -> Iterator[tuple[str, str, str]]:
    """Yield figures that stand where a formula belongs."""
    rows: dict[int, dict[int, Value]] = {}
    for value in book.values(book.sheet(name), Area(1, 1, 200_000, 200)):
        rows.setdefault(value.place[0], {})[value.place[1]] = value
    header = {place: value.text for place, value in rows.get(1, {}).items()}
    for number, cells in rows.items():
        total = totals and number > 1 and 1 in cells and cells[1].text == TOTAL
        for place, value in cells.items():
            named = header.get(place) in columns
            wanted = named or (value.kind == "number" and (total or ("*" in columns and place > 1)))
            if number > 1 and wanted and value.text and (name, value.place) not in live:
                yield (
                    f"{value.text} is typed where a formula belongs.",
                    f"{name}!{name_of(value.place)}",
                    value.text,
                )
