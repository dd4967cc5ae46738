"""G-SUM: totals and subtotals of every table add up, and shares sum to 100 within their rounding."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from deskmate.errors import ToolError
from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_documents.content import KINDS, PROSE, SHEETS, Grid, read_content
from deskmate_documents.numbers import Figure, figures

RULE = "G-SUM"
FINDINGS_LIMIT = 25
_TOTAL = re.compile(
    r"^(?:grand\s+|sub[-\s]?|overall\s+)?(?:total|sum|summe|gesamt|insgesamt)s?\b(?:\s*[:(].*)?$",
    re.IGNORECASE,
)
_TOTAL_WORD = re.compile(r"^(?:grand\s+)?(?:total|sum)s?$", re.IGNORECASE)
_GRAND = re.compile(r"^(?:grand|overall)\b", re.IGNORECASE)
_NOT_ADDITIVE = re.compile(
    r"average|mean|median|rate|ratio|price|per\b|/|min\b|max\b|index|score|rank|margin|growth|change|var(?:iance)?\s*%"
    r"|\bid\b|no\.?$|number$|year|date|age\b|duration|hours per|balance|cumulative|running|yield|multiple|percentile|unit"
    r"|attrition|turnover|utili[sz]ation|days|weight|factor|unique|distinct",
    re.IGNORECASE,
)
_ROUNDED = re.compile(
    r"thousand|million|billion|['’]000|\brounded\b|\b(?:USD|EUR|GBP|\$|€|£)\s?(?:k|m|mn|bn)\b|\((?:[$€£]\s?)?(?:k|m|mn|bn)\)|[$€£](?:k|m|mn|bn)\b",
    re.IGNORECASE,
)
_YEAR = re.compile(r"(?:19|20)\d{2}")
_DASHES = frozenset({"", "-", "–", "—", "n/a", "."})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    value: Decimal
    last: Decimal
    percent: bool


def check_sums(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Report totals that do not add up and did not stand so in an original."""
    if context.file.suffix.lower() not in KINDS:
        return
    found = list(problems(read_content(context.file).grids, exact=_is_exact(context.file.suffix)))
    if not found:
        return
    known: Counter[str] = Counter()
    for path in dict.fromkeys((*deliverable.sources.values(), deliverable.path)):
        file = context.sources.file(path)
        if file is not None and file.suffix.lower() in KINDS:
            known |= _known(file.suffix, path, context)
    reported = 0
    for where, message in found:
        if known[message] > 0:
            known[message] -= 1
            continue
        reported += 1
        if reported <= FINDINGS_LIMIT:
            yield Finding(
                rule=RULE,
                level="error",
                message=message,
                location=where,
                fix="Compute the total from the rows above it, or correct the row that is wrong.",
            )


def _known(suffix: str, path: str, context: ValidationContext) -> Counter[str]:
    file = context.sources.file(path)
    assert file is not None
    try:
        grids = read_content(file).grids
    except ToolError:
        return Counter()
    return Counter(message for _, message in problems(grids, exact=_is_exact(suffix)))


def _is_exact(suffix: str) -> bool:
    """Say whether cells hold their figures in full, so that nothing is rounded for display."""
    return suffix.lower() in SHEETS and suffix.lower() not in PROSE


def problems(grids: Iterable[Grid], *, exact: bool = False) -> Iterator[tuple[str, str]]:
    """Yield (where, message) of each total that does not add up."""
    for grid in grids:
        if not any(_label(row) for row in grid.rows) and not _has_total_column(grid):
            continue
        head = " ".join((grid.above, *(" ".join(row) for row in grid.rows[:2])))
        rounded = exact or _ROUNDED.search(head) is not None
        yield from ((grid.where, message) for message in _down(grid, exact, rounded))
        yield from ((grid.where, message) for message in _across(grid, exact, rounded))


def _label(row: Sequence[str]) -> str:
    """Return the label of a row that is a total, or nothing."""
    first = next((cell.strip() for cell in row if cell.strip()), "")
    return first if _TOTAL.match(first) else ""


def _has_total_column(grid: Grid) -> bool:
    return any(_TOTAL_WORD.match(cell.strip()) for cell in grid.rows[0][1:]) if grid.rows else False


def _cell(text: str) -> _Cell | None:
    """Return the figure that a cell is, None for words, notes and suppressed figures."""
    bare = text.strip().rstrip("*†‡").strip()
    found = list(figures(f" {bare} ")) or list(_plain(bare))
    if len(found) != 1 or len(re.sub(r"[\s$€£¥A-Z%]", "", bare)) > len(found[0].text) + 2:
        return None
    if any(c.islower() for c in bare.replace(found[0].text, "")) or bare.startswith(
        ("<", ">", "~", "≈")
    ):
        return None
    value, last = found[0].readings[0]
    if bare.startswith("(") and bare.endswith(")"):
        value = -abs(value)
    return _Cell(value=value, last=last, percent=bool(found[0].per))


def _plain(bare: str) -> Iterator[Figure]:
    """Yield a bare number that looks like a year or a section elsewhere."""
    digits = bare.strip("()").replace("−", "-")
    if re.fullmatch(r"-?\d+(?:\.\d+)?(?:E[-+]?\d+)?", digits):
        value = Decimal(digits)
        exponent = value.as_tuple().exponent
        last = Decimal(1).scaleb(exponent if isinstance(exponent, int) else 0)
        yield Figure(text=bare, readings=((value, last),), signed=value < 0, per=0, start=0)


def _down(grid: Grid, exact: bool, rounded: bool) -> Iterator[str]:
    """Yield the totals of columns that do not add up."""
    totals = [number for number, row in enumerate(grid.rows) if _label(row)]
    for number in totals:
        row = grid.rows[number]
        for column in range(1, len(row)):
            total = _cell(row[column])
            header = _header(grid, column)
            computed = (number, column) in grid.computed
            if total is None or computed or _NOT_ADDITIVE.search(header):
                continue
            runs = list(_runs(grid, number, column, totals))
            if not runs or (_has_dash(grid, number, column) and _may_hide(total, runs)):
                continue
            message = _judge(total, runs, exact, rounded)
            if message:
                yield f"{_label(row)}, {header or f'column {column + 1}'}: {message}"


def _has_dash(grid: Grid, number: int, column: int) -> bool:
    """Say whether a cell above the total is a dash, which may be nothing or a figure that is hidden."""
    return any(
        row[column].strip().lower() in _DASHES - {""}
        for row in grid.rows[:number]
        if column < len(row)
    )


def _may_hide(total: _Cell, runs: Sequence[tuple[_Cell, ...]]) -> bool:
    """Say whether hidden figures could make up what is missing: the total is more than what is shown."""
    shown = [cell for run in runs for cell in run]
    least = min(sum((cell.value for cell in run), Decimal(0)) for run in runs)
    return any(cell.value < 0 for cell in shown) or total.value >= least


def _header(grid: Grid, column: int) -> str:
    for row in grid.rows[:3]:
        text = row[column].strip() if column < len(row) else ""
        if text and (_cell(text) is None or _is_years(row, 0)):
            return text
    return ""


def _is_years(row: Sequence[str], number: int) -> bool:
    """Say whether a row near the top is a header of years."""
    cells = [text.strip() for text in row[1:] if text.strip()]
    figures_ = [text for text in cells if _cell(text) is not None]
    return number <= 2 and bool(figures_) and all(_YEAR.fullmatch(text) for text in figures_)


def _runs(
    grid: Grid, number: int, column: int, totals: Sequence[int]
) -> Iterator[tuple[_Cell, ...]]:
    """Yield the sets of cells that the total may be the sum of; nothing where a cell is no figure."""
    items: list[_Cell] = []
    subtotals: list[_Cell] = []
    everything: list[_Cell] = []
    grand = _GRAND.match(_label(grid.rows[number])) is not None
    for above in range(number - 1, -1, -1):
        row = grid.rows[above]
        text = row[column].strip() if column < len(row) else ""
        cell = _cell(text)
        if above in totals:
            if cell is not None:
                subtotals.append(cell)
            if items and not grand:
                yield tuple(items)
            continue
        if cell is None or _is_years(row, above):
            if text.lower() in _DASHES:
                continue
            if above > 2 or (cell is None and _says_number(text)):
                return  # words or a hidden figure in the column: nobody can say what it sums to
            break
        items.append(cell)
        everything.append(cell)
    if len(items) >= 2:
        yield tuple(items)
    if len(subtotals) >= 2:
        yield tuple(subtotals)


def _says_number(text: str) -> bool:
    return any(c.isdigit() for c in text) or text[:1] in "<>*"


def _judge(total: _Cell, runs: Sequence[tuple[_Cell, ...]], exact: bool, rounded: bool) -> str:
    """Return what is wrong, nothing if the total is the sum of one of the runs."""
    misses = []
    for run in runs:
        if any(cell.percent != total.percent for cell in run):
            return ""
        if total.percent and abs(total.value - 100) > 1:
            return ""  # a rate, not a share: rates do not add up
        found = sum((cell.value for cell in run), Decimal(0))
        if abs(found - total.value) <= _slack(total, run, exact, rounded):
            return ""
        misses.append(found)
    return _say(total, misses[-1]) if misses else ""


def _say(total: _Cell, found: Decimal) -> str:
    sign = " %" if total.percent else ""
    return (
        f"{total.value:f}{sign} is given, the rows above it add up to {found.normalize():f}{sign}."
    )


def _slack(total: _Cell, run: Sequence[_Cell], exact: bool, rounded: bool) -> Decimal:
    """Return how far a sum may be off: nothing for counts and money in full, else what rounding can do."""
    if exact:
        return max(abs(total.value), Decimal(1)) / Decimal(10**9)
    last = max(cell.last for cell in (total, *run))
    whole_money = last in (Decimal(1), Decimal("0.01"))
    if whole_money and not (rounded or total.percent):
        return Decimal(0)
    return last * (len(run) + 1) / 2


def _across(grid: Grid, exact: bool, rounded: bool) -> Iterator[str]:
    """Yield the totals of rows that do not add up where most rows of the table do."""
    if not grid.rows:
        return
    last = len(grid.rows[0]) - 1
    if last < 3 or not _TOTAL_WORD.match(grid.rows[0][last].strip()):
        return
    wrong: list[str] = []
    right = 0
    for row in grid.rows[1:]:
        cells = [_cell(text) if text.strip() not in _DASHES else None for text in row[1:last]]
        total = _cell(row[last]) if last < len(row) else None
        words = any(
            cell is None and text.strip() for cell, text in zip(cells, row[1:last], strict=False)
        )
        run = tuple(cell for cell in cells if cell is not None)
        if total is None or words or len(run) < 2 or any(c.percent for c in (total, *run)):
            continue
        found = sum((cell.value for cell in run), Decimal(0))
        if abs(found - total.value) <= _slack(total, run, exact, rounded):
            right += 1
        else:
            wrong.append(
                f"{row[0][:60]}, total of the row: {total.value:f} is given, its cells add up to {found.normalize():f}."
            )
    if right > len(wrong):
        yield from wrong
