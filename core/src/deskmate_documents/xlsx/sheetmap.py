"""A workbook as a map that a model can read: sheets, regions, columns, formulas by pattern, names, pivots."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from deskmate_documents.inventory import counts, inventory
from deskmate_documents.xlsx.book import Sheet, Workbook
from deskmate_documents.xlsx.cells import Value
from deskmate_documents.xlsx.chartedit import shown
from deskmate_documents.xlsx.formula import relative
from deskmate_documents.xlsx.graph import Graph
from deskmate_documents.xlsx.pivots import pivots
from deskmate_documents.xlsx.refs import Area, Place, column_name
from deskmate_documents.xlsx.rules import rules, validations
from deskmate_documents.xlsx.sheetpart import q
from deskmate_documents.xlsx.styles import is_date, unit_of
from deskmate_documents.xlsx.survey import Survey, quick_survey, whole_survey

SHEETS_LIMIT = 80
LIST_LIMIT = 60
COLUMNS_LIMIT = 60
CHARTS_LIMIT = 40
REGIONS_LIMIT = 80
HEADERS_LIMIT = 14
PROGRESS_EVERY = 10
_PLAIN_FEATURES = frozenset(
    {"worksheet", "theme", "sheet view", "sheet format", "page margins", "page setup", "workbook view", "named style",
     "column format", "calculation settings", "printer settings", "print options", "drawing", "comments",
     "legacy drawing", "page header or footer", "outline", "custom XML", "tab colour"}
)  # fmt: skip


@dataclass(slots=True)
class _Column:
    """What one pass over a column finds."""

    kinds: Counter[str] = field(default_factory=Counter)
    styles: Counter[int] = field(default_factory=Counter)
    formulas: int = 0
    first: str = ""

    def add(self, value: Value) -> None:
        """Count one cell."""
        if not self.kinds:
            self.first = value.text[:60]
        self.kinds[value.kind] += 1
        self.formulas += bool(value.formula)
        if value.kind == "number":
            self.styles[value.style] += 1


def overview(book: Workbook, progress: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """Return the whole workbook: a line for each sheet, names, tables, pivot tables, what else it holds."""
    features = counts(inventory(book.package))
    shown = book.sheets[:SHEETS_LIMIT]
    answer: dict[str, Any] = {
        "sheets": list(_lines(book, shown, progress)),
        "names": [
            _filled({"name": n.name, "sheet": n.scope, "refers_to": n.refers_to[:200]})
            for n in book.names
            if not n.hidden
        ][:LIST_LIMIT],
        "tables": [
            {"name": t.name, "cells": f"{t.sheet}!{t.area}", "columns": list(t.columns[:30])}
            for t in book.tables
        ][:LIST_LIMIT],
        "pivots": [
            _filled(
                {
                    "name": p.name,
                    "cells": f"{p.sheet}!{p.area}",
                    "source": p.source,
                    "rows": list(p.rows),
                    "columns": list(p.columns),
                    "filters": list(p.filters),
                    "data": [f"{function} of {name}" for name, function in p.data],
                }
            )
            for p in pivots(book)
        ][:LIST_LIMIT],
        "features": {
            kind: count for kind, count in features.items() if kind not in _PLAIN_FEATURES
        },
        "results_may_be_old": book.is_stale,
        "dates_from_1904": book.date1904,
    }
    left_out = {
        "sheets": len(book.sheets) - len(shown),
        "names": len([n for n in book.names if not n.hidden]) - LIST_LIMIT,
        "tables": len(book.tables) - LIST_LIMIT,
    }
    answer["left_out"] = {name: count for name, count in left_out.items() if count > 0}
    return _filled(answer)


def _lines(
    book: Workbook, sheets: Sequence[Sheet], progress: Callable[[str], None]
) -> Iterator[dict[str, Any]]:
    for number, sheet in enumerate(sheets, 1):
        yield _line(book, sheet)
        if number % PROGRESS_EVERY == 0:
            progress(f"{number} of {len(sheets)} sheets looked through")


def _filled(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in entry.items() if value not in ("", [], {}, None, False, 0)
    }


def _line(book: Workbook, sheet: Sheet) -> dict[str, Any]:
    line: dict[str, Any] = {"name": sheet.name}
    if sheet.state != "visible":
        line["state"] = sheet.state
    if sheet.kind != "worksheet":
        return line | {"kind": sheet.kind}
    survey = quick_survey(book, sheet)
    frame = book.part(sheet).skeleton()
    row, headers = header(survey)
    protection = frame.find(q("sheetProtection"))
    line |= _filled(
        {
            "used": str(survey.used) if survey.used else "",
            "cells": survey.cells,
            "formulas": survey.formulas,
            "error_values": survey.errors,
            "header_row": row,
            "headers": [value.text[:40] for value in headers[:HEADERS_LIMIT]],
            "rules": len(rules(frame)),
            "validations": len(list(validations(frame))),
            "protected": protection is not None and protection.get("sheet") in ("1", "true"),
            "units": survey.notes[:3],
        }
    )
    book.forget(sheet)
    return line


def header(survey: Survey) -> tuple[int, list[Value]]:
    """Return the row that heads the table below it, by the texts in it, or (0, [])."""
    widths = Counter(len(values) for values in survey.rows.values())
    usual = max(widths, key=lambda n: (widths[n], n)) if widths else 0
    for row, values in survey.rows.items():
        texts = [v for v in values if v.kind == "text" and v.text.strip() and not v.formula]
        if len(texts) >= 2 and len(texts) * 4 >= max(usual, len(values)) * 3:
            return row, texts
    return 0, []


def _held(book: Workbook, sheet: Sheet, row: int) -> tuple[dict[int, _Column], dict[Place, Value]]:
    """Return the columns below a header's row with what they hold, and all formulas."""
    columns: dict[int, _Column] = defaultdict(_Column)
    formulas: dict[Place, Value] = {}
    for value in book.values(sheet):
        if value.place[0] > row and (value.kind != "empty" or value.formula):
            columns[value.place[1]].add(value)
        if value.formula:
            formulas[value.place] = value
    return columns, formulas


def detail(book: Workbook, sheet: Sheet) -> dict[str, Any]:
    """Return one sheet: its columns, formulas by pattern, rules, validations, hidden and merged things."""
    survey = whole_survey(book, sheet)
    row, headers = header(survey)
    titles = {value.place[1]: value.text for value in headers}
    columns, formulas = _held(book, sheet, row)
    found = regions(formulas)
    frame = book.part(sheet).skeleton()
    answer = {
        "name": sheet.name,
        "state": sheet.state,
        "used": str(survey.used) if survey.used else "",
        "header_row": row,
        "columns": [
            _column(book, n, titles.get(n, ""), columns[n]) for n in sorted(columns)[:COLUMNS_LIMIT]
        ],
        "charts": list(shown(book, sheet))[:CHARTS_LIMIT],
        "formulas": [
            _filled({"cells": str(area), "formula": f"={text[:300]}"})
            for area, text in found[:REGIONS_LIMIT]
        ],
        "reads_sheets": _reads(book, sheet, formulas.values()),
        "rules": [
            _filled(
                {
                    "number": r.number,
                    "cells": r.cells[:120],
                    "type": r.kind,
                    "operator": r.operator,
                    "formulas": [text[:120] for text in r.formulas],
                    "newer": r.newer,
                }
            )
            for r in rules(frame)[:LIST_LIMIT]
        ],
        "validations": [
            _filled(
                {
                    "cells": cells[:120],
                    "type": node.get("type", ""),
                    "formulas": [t.strip()[:120] for t in node.itertext() if t.strip()][:2],
                }
            )
            for cells, node in list(validations(frame))[:LIST_LIMIT]
        ],
        "units": survey.notes,
        **_layout(book, sheet, frame),
        "left_out": _filled(
            {
                "columns": max(len(columns) - COLUMNS_LIMIT, 0),
                "formulas": max(len(found) - REGIONS_LIMIT, 0),
            }
        ),
    }
    book.forget(sheet)
    return _filled(answer)


def _column(book: Workbook, number: int, title: str, column: _Column) -> dict[str, Any]:
    usual = column.styles.most_common(1)
    code = book.styles.code(usual[0][0]) if usual else ""
    kinds = {
        "date" if kind == "number" and is_date(code) else kind: n
        for kind, n in column.kinds.items()
    }
    return _filled(
        {
            "column": column_name(number),
            "header": title[:80],
            "kinds": kinds,
            "formulas": column.formulas,
            "format": code if code != "General" else "",
            "unit": unit_of(code),
            "first": column.first,
        }
    )


def regions(formulas: dict[Place, Value]) -> list[tuple[Area, str]]:
    """Return areas whose formulas are copies of one another, with the first's text, in reading order."""
    forms = {place: (relative(v.formula, place), v.array) for place, v in formulas.items()}
    runs: dict[tuple[int, int, tuple[str, str]], list[int]] = defaultdict(list)
    for column, rows in _by_column(forms).items():
        start = rows[0]
        for row, following in [*pairwise(rows), (rows[-1], None)]:
            if following != row + 1 or forms[row, column] != forms[following, column]:
                runs[start, row, forms[start, column]].append(column)
                start = following if following is not None else start
    found = []
    for (top, bottom, _), columns in runs.items():
        left = columns[0]
        for column, following in [*pairwise(columns), (columns[-1], None)]:
            if following != column + 1:
                found.append((Area(top, left, bottom, column), formulas[top, left].formula))
                left = following if following is not None else left
    return sorted(found)


def _by_column(forms: Iterable[Place]) -> dict[int, list[int]]:
    columns: dict[int, list[int]] = defaultdict(list)
    for row, column in sorted(forms):
        columns[column].append(row)
    return columns


def _reads(book: Workbook, sheet: Sheet, values: Iterable[Value]) -> list[str]:
    graph = Graph(book, empty=True)
    read = {
        where
        for value in values
        for where, _ in graph.precedents(value.formula, sheet.name, value.place)
    }
    return sorted(read - {sheet.name})


def _layout(book: Workbook, sheet: Sheet, frame: Any) -> dict[str, Any]:
    hidden = [
        f"{column_name(int(n.get('min', '1')))}:{column_name(int(n.get('max', '1')))}"
        for n in frame.iterfind(f"{q('cols')}/{q('col')}")
        if n.get("hidden") in ("1", "true")
    ]
    rows = [str(n) for n, row in book.part(sheet).rows() if row.get("hidden") in ("1", "true")]
    pane = frame.find(f"{q('sheetViews')}/{q('sheetView')}/{q('pane')}")
    merged = [n.get("ref", "") for n in frame.iterfind(f"{q('mergeCells')}/{q('mergeCell')}")]
    return {
        "hidden_columns": hidden[:LIST_LIMIT],
        "hidden_rows": rows[:LIST_LIMIT],
        "merged": merged[:LIST_LIMIT],
        "frozen_at": pane.get("topLeftCell", "") if pane is not None else "",
        "protected": frame.find(q("sheetProtection")) is not None,
    }
