"""What is doubtful in a model: the workbook lint of Deskmate, and what a model auditor looks for beyond it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from deskmate.plugin import ToolError, ToolInputError
from deskmate_documents.content import read_content
from deskmate_documents.office.sum_gate import problems
from deskmate_documents.xlsx.book import Sheet, Workbook
from deskmate_documents.xlsx.calculate import same
from deskmate_documents.xlsx.cells import Value
from deskmate_documents.xlsx.engines import Answer, Formualizer
from deskmate_documents.xlsx.formula import relative
from deskmate_documents.xlsx.lint import Level, lint
from deskmate_documents.xlsx.refs import Area, Place, column_name, name_of, parse_area
from deskmate_documents.xlsx.sheetpart import q
from deskmate_finance.audit_circles import circles
from deskmate_finance.audit_rows import broken_ties, odd_signs, short_sums

CELLS_LIMIT = 200_000
FORMULAS_LIMIT = 60_000
LEVELS: tuple[Level, ...] = ("error", "warning", "note")
TITLES = {
    "error-value": "Formula errors", "dead-reference": "References that are gone", "prefix": "Functions Excel does not know",
    "circular": "Circular references", "tie": "Ties that do not hold", "total": "Typed totals that do not add up",
    "short-range": "Sums that leave cells out", "old-result": "Stored results that are not what the formula gives",
    "literal": "Typed figures in formulas", "pattern": "Formulas that differ from their neighbours", "sign": "Signs that differ in a row",
    "unit": "Units that do not fit", "text-number": "Numbers stored as text", "external": "Links to other workbooks",
    "hidden": "Hidden sheets", "hidden-rows": "Hidden rows and columns", "iterate": "Circles are allowed",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """One finding. `cells`: where, as `Sheet!A1` or `Sheet!A1:C1`. `count`: of cells. `formula`: of the first."""

    level: Level
    rule: str
    cells: str
    count: int
    message: str
    formula: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A sheet that was looked at."""

    sheet: str
    state: str
    cells: int
    formulas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """All findings, worst first, the sheets, and what could not be looked at."""

    matters: tuple[Matter, ...]
    scope: tuple[Scope, ...]
    left_out: tuple[str, ...]

    @property
    def formulas(self) -> int:
        """How many formulas were read."""
        return sum(each.formulas for each in self.scope)

    def count(self, level: Level) -> int:
        """Return the number of findings of a level."""
        return sum(matter.level == level for matter in self.matters)


@dataclass(frozen=True, slots=True)
class _Raw:
    rule: str
    level: Level
    location: str
    message: str


def audit(file: Path) -> Audit:
    """Return what is doubtful in a workbook. The same file always gives the same findings.

    Raises:
        ToolInputError: it is no workbook, damaged, or too large.
    """
    book = Workbook(file)
    left_out: list[str] = []
    sheets = [sheet for sheet in book.sheets if sheet.kind == "worksheet"]
    values: dict[str, dict[Place, Value]] = {}
    for sheet in sheets:
        values[sheet.name] = {
            v.place: v for v in book.values(sheet) if v.kind != "empty" or v.formula
        }
        if sum(map(len, values.values())) > CELLS_LIMIT:
            raise ToolInputError(
                f"{book.name} has more than {CELLS_LIMIT} cells; audit its sheets in parts."
            )
    left_out += [f"{s.name} is a {s.kind}" for s in book.sheets if s.kind != "worksheet"]
    found = [_Raw(d.rule, d.level, d.location, d.message) for d in lint(book)]
    count = sum(bool(v.formula) for cells in values.values() for v in cells.values())
    if count > FORMULAS_LIMIT:
        left_out.append(f"circular references and results: more than {FORMULAS_LIMIT} formulas")
    else:
        found += _of_book(book)
        found += _results(book, file, values, left_out)
    for sheet in sheets:
        found += _of_sheet(book, sheet, values[sheet.name])
    found += _totals(file)
    scope = tuple(
        Scope(
            sheet=s.name,
            state=s.state,
            cells=len(values[s.name]),
            formulas=sum(bool(v.formula) for v in values[s.name].values()),
        )
        for s in sheets
    )
    order = [sheet.name for sheet in book.sheets]
    return Audit(
        matters=tuple(_grouped(found, values, order)), scope=scope, left_out=tuple(left_out)
    )


def _of_sheet(book: Workbook, sheet: Sheet, cells: dict[Place, Value]) -> Iterator[_Raw]:
    def at(place: Place) -> str:
        return f"{sheet.name}!{name_of(place)}"

    yield from (_Raw("tie", "error", at(p), text) for p, text in broken_ties(cells))
    yield from (_Raw("short-range", "warning", at(p), text) for p, text in short_sums(cells))
    yield from (_Raw("sign", "warning", at(p), text) for p, text in odd_signs(cells))
    rows = [n for n, row in book.part(sheet).rows() if row.get("hidden") in ("1", "true")]
    if rows:
        shown = ", ".join(map(str, rows[:12])) + (" …" if len(rows) > 12 else "")
        yield _Raw("hidden-rows", "note", sheet.name, f"{len(rows)} rows are hidden: {shown}.")
    root = book.package.parse(sheet.part)
    columns = [
        f"{column_name(int(node.get('min', '1')))}:{column_name(int(node.get('max', '1')))}"
        for node in root.iterfind(f"{q('cols')}/{q('col')}")
        if node.get("hidden") in ("1", "true")
    ]
    if columns:
        yield _Raw(
            "hidden-rows", "note", sheet.name, f"Columns are hidden: {', '.join(columns[:12])}."
        )


def _totals(file: Path) -> Iterator[_Raw]:
    for where, message in problems(read_content(file).grids, exact=True):
        yield _Raw("total", "error", where, message)


def _of_book(book: Workbook) -> Iterator[_Raw]:
    node = book.root.find(q("calcPr"))
    if node is not None and node.get("iterate") in ("1", "true"):
        text = "Iteration is on: circular references are computed and not reported by Excel."
        yield _Raw("iterate", "warning", "workbook", text)
    for circle in circles(book):
        names = [f"{sheet}!{name_of(place)}" for sheet, place in circle]
        path = " → ".join([*names[:6], *(["…"] if len(names) > 6 else []), names[0]])
        yield _Raw("circular", "error", names[0], f"{len(names)} cells read each other: {path}.")


def _results(
    book: Workbook, file: Path, values: dict[str, dict[Place, Value]], left_out: list[str]
) -> Iterator[_Raw]:
    """Yield results that are not what the formula gives; where none are stored, put the computed ones into `values`."""
    formulas = [(n, v) for n, cells in values.items() for v in cells.values() if v.formula]
    try:
        answers = Formualizer().compute(file, [(name, value.place) for name, value in formulas])
    except ToolError as error:
        left_out.append(f"results of formulas: {error.message}")
        return
    unknown = 0
    for name, value in formulas:
        answer = answers.get((name, value.place))
        label = f"{name}!{name_of(value.place)}"
        if answer is None:
            unknown += 1
        elif value.kind == "empty" or book.is_stale:
            values[name][value.place] = replace(value, kind=answer.kind, text=answer.text)
            if answer.kind == "error" and value.kind != "error":
                yield _Raw("error-value", "error", label, f"The formula computes to {answer.text}.")
        elif not same(Answer(value.kind, value.text), answer):
            text = f"The cell shows {value.text[:40]}; its formula computes to {answer.text[:40]}."
            yield _Raw("old-result", "warning", label, text)
    if unknown:
        left_out.append(f"results of {unknown} formulas that the engine does not compute")


_BY_FORMULA = frozenset(("literal", "unit", "prefix", "dead-reference", "short-range", "tie"))
"""Kinds of which cells with copies of one formula are one finding."""


def _grouped(
    found: Iterable[_Raw], values: dict[str, dict[Place, Value]], order: list[str]
) -> Iterator[Matter]:
    """Yield the findings, cells of one rule with copies of one formula as one, worst first."""
    groups: dict[tuple[str, Level, str, str], list[tuple[Place, _Raw]]] = defaultdict(list)
    single: list[Matter] = []
    for raw in dict.fromkeys(found):
        sheet, place = _place(raw.location)
        value = values.get(sheet, {}).get(place) if place else None
        if place is None or value is None:
            single.append(
                Matter(
                    level=raw.level, rule=raw.rule, cells=raw.location, count=1, message=raw.message
                )
            )
            continue
        copies = raw.rule in _BY_FORMULA and value.formula
        key = relative(value.formula, place) if copies else f"{place}{raw.message}"
        groups[raw.rule, raw.level, sheet, key].append((place, raw))
    for (rule, level, sheet, _), rows in groups.items():
        rows.sort(key=lambda row: row[0])
        first, raw = rows[0]
        formula = values[sheet][first].formula
        single.append(
            Matter(
                level=level,
                rule=rule,
                cells=f"{sheet}!{_cells([place for place, _ in rows])}",
                count=len(rows),
                message=raw.message,
                formula=f"={formula[:200]}" if formula else "",
            )
        )

    def rank(matter: Matter) -> tuple[int, int, int, Place, str]:
        sheet, place = _place(matter.cells.split(" ")[0] if "!" in matter.cells else matter.cells)
        number = order.index(sheet) if sheet in order else len(order)
        rule = list(TITLES).index(matter.rule) if matter.rule in TITLES else len(TITLES)
        return LEVELS.index(matter.level), rule, number, place or (0, 0), matter.cells

    yield from sorted(single, key=rank)


def _place(location: str) -> tuple[str, Place | None]:
    sheet, text = ("", "")
    if "!" in location:
        sheet, _, text = location.rpartition("!")
    try:
        area = parse_area(text) if text else None
    except ToolInputError:
        area = None
    return (sheet or location, (area.top, area.left) if area else None)


def _cells(places: list[Place]) -> str:
    rows, columns = [p[0] for p in places], [p[1] for p in places]
    area = Area(min(rows), min(columns), max(rows), max(columns))
    if area.size == len(places):
        return str(area) if area.size > 1 else name_of(places[0])
    more = len(places) - 3
    shown = ", ".join(name_of(place) for place in places[:3])
    return f"{shown} and {more} more" if more > 0 else shown
