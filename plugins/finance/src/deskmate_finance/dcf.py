"""A discounted cash flow: inputs as read from a file, and the valuation computed exactly, without any workbook."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import LIMIT_BYTES, decode, read_sheets
from deskmate_documents.xlsx.refs import name_of

BASE, BASE_CAPITAL, WACC, GROWTH, DEBT, CLAIMS, SHARES, SHIFT, WACC_STEP, GROWTH_STEP = (
    "Base revenue", "Base working capital", "WACC", "Terminal growth", "Net debt", "Other claims", "Shares",
    "Mid-year shift (years)", "Step of WACC", "Step of terminal growth",
)  # fmt: skip
RISK_FREE, BETA, PREMIUM, COST_OF_DEBT, WEIGHT = (
    "Risk-free rate", "Beta", "Equity risk premium", "Cost of debt", "Share of debt",
)  # fmt: skip
SALES_GROWTH, MARGIN, TAX, DEPRECIATION, CAPEX, CAPITAL = (
    "Revenue growth", "EBIT margin", "Tax rate", "Depreciation, % of revenue", "Capital expenditure, % of revenue",
    "Working capital, % of revenue",
)  # fmt: skip
BUILD_UP = (RISK_FREE, BETA, PREMIUM, COST_OF_DEBT, WEIGHT)
SCALARS = (
    BASE, BASE_CAPITAL, *BUILD_UP, WACC, GROWTH, DEBT, CLAIMS, SHARES, SHIFT, WACC_STEP, GROWTH_STEP,
)  # fmt: skip
YEARLY = (SALES_GROWTH, MARGIN, TAX, DEPRECIATION, CAPEX, CAPITAL)
ALSO: Mapping[str, Sequence[str]] = {
    BASE: ("revenue", "sales", "last revenue", "base year revenue"),
    BASE_CAPITAL: ("base nwc", "opening working capital"),
    RISK_FREE: ("rf", "risk free"),
    PREMIUM: ("erp", "market risk premium"),
    COST_OF_DEBT: ("pre tax cost of debt", "kd"),
    WEIGHT: ("debt weight", "debt to capital", "d v"),
    WACC: ("discount rate", "cost of capital"),
    GROWTH: ("terminal growth rate", "perpetual growth", "long term growth"),
    DEBT: ("net financial debt",),
    CLAIMS: ("minority interests", "non controlling interests", "pensions"),
    SHARES: ("shares outstanding", "diluted shares", "number of shares"),
    SHIFT: ("mid year", "mid year shift", "mid year convention"),
    WACC_STEP: ("wacc step",),
    GROWTH_STEP: ("growth step", "terminal growth step"),
    SALES_GROWTH: ("growth", "sales growth"),
    MARGIN: ("operating margin", "ebit"),
    TAX: ("tax", "income tax rate"),
    DEPRECIATION: ("depreciation", "d a", "depreciation and amortisation", "d a of revenue"),
    CAPEX: ("capex", "capital expenditure", "capex of revenue"),
    CAPITAL: ("working capital", "nwc", "net working capital", "nwc of revenue"),
}  # fmt: skip
DEFAULTS = {CLAIMS: "0", SHIFT: "0", WACC_STEP: "0.01", GROWTH_STEP: "0.005"}
WIDE = 2
"""Steps of the sensitivity table to each side of the base case."""
_YEAR = re.compile(r"(?:FY\s?)?((?:19|20)\d{2})\s?[AEFBP]?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One figure and where it stands in the file; `place` is "default" where it is none of the file's."""

    value: Decimal
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """All inputs. `scalar`: item → figure. `yearly`: item → one for each year, or one for all."""

    name: str
    years: tuple[str, ...]
    scalar: Mapping[str, Input]
    yearly: Mapping[str, tuple[Input, ...]]

    def of_year(self, item: str, year: int) -> Decimal:
        """Return a yearly item's figure; one for all years counts in each."""
        figures = self.yearly[item]
        return figures[year if len(figures) > 1 else 0].value


@dataclass(frozen=True, slots=True, kw_only=True)
class Valuation:
    """What the inputs give. `grid`: (step of WACC, step of growth) → value, None where WACC is not above growth."""

    wacc: Decimal
    flows: tuple[Decimal, ...]
    present: tuple[Decimal, ...]
    terminal: Decimal
    enterprise: Decimal
    equity: Decimal
    a_share: Decimal | None
    grid: Mapping[tuple[int, int], Decimal | None]
    notes: tuple[str, ...] = field(default=())


def read_inputs(file: Path, name: str, sheet: str = "") -> Inputs:
    """Return the inputs of a CSV or XLSX file: an item a row, a column of values, a column a year.

    Raises:
        ToolInputError: an item is unknown, stands twice or is missing, or a figure cannot be read.
    """
    rows, title = _rows(file, name, sheet)
    head = next((n for n, row in enumerate(rows[:50]) if sum(map(_is_year, row)) >= 2), None)
    if head is None:
        raise ToolInputError(f"{name} has no row of years such as 2026, 2027; give each year a column.")  # fmt: skip
    years = [place for place, text in enumerate(rows[head]) if _is_year(text)]
    # a bare year would be a number stored as text
    labels = tuple(re.sub(r"^(?=\d)", "FY", rows[head][place].strip()) for place in years)
    numbers = [int(_YEAR.fullmatch(label)[1]) for label in labels]  # type: ignore[index]
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))) or not 2 <= len(years) <= 15:
        raise ToolInputError(f"{name}: the years must follow each other, 2 to 15 of them.")
    found: dict[str, dict[int, Input]] = {}
    for number, row in enumerate(rows[head + 1 :], head + 2):
        text = next((cell for cell in row if cell.strip()), "")
        if not text:
            continue
        item = _item(row[0], f"{name}, row {number}")
        if item in found:
            raise ToolInputError(f"{name}, row {number}: {item} stands twice.")
        found[item] = {}
        for place, cell in enumerate(row[1:], 1):
            figure = _figure(cell)
            if cell.strip() and figure is None and (place in years or place < years[0]):
                raise ToolInputError(f"{name}, row {number}: {cell!r} is no figure.")
            if figure is not None and place <= years[-1]:
                at = f"{title}!{name_of((number, place + 1))}" if title else f"row {number}"
                found[item][place] = Input(value=figure, place=at)
    return _arranged(name, labels, years, found)


def _rows(file: Path, name: str, sheet: str) -> tuple[list[list[str]], str]:
    if file.stat().st_size > LIMIT_BYTES:
        raise ToolInputError(f"{name} is larger than {LIMIT_BYTES // 2**20} MiB.")
    if file.suffix.lower() in (".xlsx", ".xlsm"):
        sheets = read_sheets(file, name=name)
        if sheet and sheet not in sheets:
            raise ToolInputError(f"{name} has no sheet {sheet!r}; it has {', '.join(sheets)}.")
        title = sheet or next(iter(sheets), "")
        return sheets.get(title, []), title
    text = decode(file.read_bytes(), name)
    mark = max(",;\t", key=text[:4000].count)
    try:
        return list(csv.reader(io.StringIO(text), delimiter=mark)), ""
    except csv.Error as problem:
        raise ToolInputError(f"{name} is not a readable table: {problem}.") from problem


def _is_year(text: str) -> bool:
    return bool(_YEAR.fullmatch(text.strip()))


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


_NAMES = {_plain(name): item for item in (*SCALARS, *YEARLY) for name in (item, *ALSO.get(item, ()))}  # fmt: skip


def _item(text: str, where: str) -> str:
    found = _NAMES.get(_plain(text))
    if found is None:
        known = ", ".join((*SCALARS, *YEARLY))
        raise ToolInputError(f"{where}: {text!r} is no input; use {known}.")
    return found


def _figure(text: str) -> Decimal | None:
    """Return a figure with a decimal point; `8%` is 0.08."""
    bare = re.sub(r"[\s,'’\u00a0]", "", text)
    percent = bare.endswith("%")
    try:
        figure = Decimal(bare.removesuffix("%"))
    except InvalidOperation:
        return None
    if not figure.is_finite():
        return None
    return figure / 100 if percent else figure


def _arranged(
    name: str, labels: tuple[str, ...], years: list[int], found: Mapping[str, dict[int, Input]]
) -> Inputs:
    scalar: dict[str, Input] = {}
    yearly: dict[str, tuple[Input, ...]] = {}
    for item in YEARLY:
        cells = found.get(item, {})
        of_years = tuple(cells[place] for place in years if place in cells)
        whole = [cells[place] for place in sorted(cells) if place not in years]
        if len(of_years) not in (0, len(years)) or (not of_years and not whole):
            raise ToolInputError(f"{name}: {item} needs a figure for every year, or one for all.")
        yearly[item] = of_years or (whole[0],)
    for item in SCALARS:
        cells = found.get(item, {})
        if len(cells) > 1:
            raise ToolInputError(f"{name}: {item} has several figures; give one.")
        if cells:
            scalar[item] = next(iter(cells.values()))
        elif item in DEFAULTS:
            scalar[item] = Input(value=Decimal(DEFAULTS[item]), place="default")
    missing = [item for item in (BASE, GROWTH, DEBT) if item not in scalar]
    built = [item for item in BUILD_UP if item in scalar]
    if WACC not in scalar and len(built) < len(BUILD_UP):
        missing.append(f"{WACC} (or {', '.join(BUILD_UP)})")
    if WACC in scalar and built:
        raise ToolInputError(f"{name} gives both {WACC} and {built[0]}; give one or the other.")
    if missing:
        raise ToolInputError(f"{name} has no {', no '.join(missing)}.")
    return Inputs(name=name, years=labels, scalar=scalar, yearly=yearly)


def value(inputs: Inputs) -> Valuation:
    """Return the valuation, computed in decimals.

    Raises:
        ToolInputError: WACC is not above terminal growth, a step is not above 0, or there are no shares.
    """
    given = {item: one.value for item, one in inputs.scalar.items()}
    wacc = _wacc(inputs, given)
    growth, shift = given[GROWTH], given[SHIFT]
    if wacc <= growth:
        raise ToolInputError(f"WACC of {wacc:.2%} is not above terminal growth of {growth:.2%}; there is no value.")  # fmt: skip
    if not growth > -1 or wacc >= 1 or not 0 <= shift < 1:
        raise ToolInputError("WACC and growth are shares such as 8% or 0.08, the shift 0 or 0.5 years.")  # fmt: skip
    if given[WACC_STEP] <= 0 or given[GROWTH_STEP] <= 0 or given.get(SHARES, Decimal(1)) <= 0:
        raise ToolInputError("Steps and shares are above 0.")
    flows = _flows(inputs, given)
    periods = [Decimal(year) - shift for year in range(1, len(flows) + 1)]

    def enterprise(rate: Decimal, long: Decimal) -> Decimal:
        present = [f / (1 + rate) ** p for f, p in zip(flows, periods, strict=True)]
        return sum(present, Decimal()) + flows[-1] * (1 + long) / (rate - long) / (1 + rate) ** periods[-1]  # fmt: skip

    def result(rate: Decimal, long: Decimal) -> Decimal | None:
        if rate <= long:
            return None
        return (enterprise(rate, long) - given[DEBT] - given[CLAIMS]) / given.get(SHARES, Decimal(1))  # fmt: skip

    steps = range(-WIDE, WIDE + 1)
    grid = {
        (w, g): result(wacc + w * given[WACC_STEP], growth + g * given[GROWTH_STEP])
        for w in steps
        for g in steps
    }
    present = tuple(f / (1 + wacc) ** p for f, p in zip(flows, periods, strict=True))
    whole = enterprise(wacc, growth)
    terminal = whole - sum(present, Decimal())
    equity = whole - given[DEBT] - given[CLAIMS]
    return Valuation(
        wacc=wacc, flows=flows, present=present, terminal=terminal, enterprise=whole, equity=equity,
        a_share=equity / given[SHARES] if SHARES in given else None, grid=grid,
        notes=tuple(_notes(inputs, given, terminal / whole if whole else Decimal())),
    )  # fmt: skip


def _wacc(inputs: Inputs, given: Mapping[str, Decimal]) -> Decimal:
    if WACC in given:
        return given[WACC]
    equity = given[RISK_FREE] + given[BETA] * given[PREMIUM]
    after_tax = given[COST_OF_DEBT] * (1 - inputs.of_year(TAX, 0))
    return (1 - given[WEIGHT]) * equity + given[WEIGHT] * after_tax


def _flows(inputs: Inputs, given: Mapping[str, Decimal]) -> tuple[Decimal, ...]:
    revenue = given[BASE]
    capital = given.get(BASE_CAPITAL, revenue * inputs.of_year(CAPITAL, 0))
    flows = []
    for year in range(len(inputs.years)):
        revenue *= 1 + inputs.of_year(SALES_GROWTH, year)
        profit = revenue * inputs.of_year(MARGIN, year)
        tax = max(profit, Decimal()) * inputs.of_year(TAX, year)
        needed = revenue * inputs.of_year(CAPITAL, year)
        spent = revenue * (inputs.of_year(CAPEX, year) - inputs.of_year(DEPRECIATION, year))
        flows.append(profit - tax - spent - (needed - capital))
        capital = needed
    return tuple(flows)


def _notes(inputs: Inputs, given: Mapping[str, Decimal], share: Decimal) -> list[str]:
    last = len(inputs.years) - 1
    notes = []
    if share > Decimal("0.75"):
        notes.append(f"The terminal value is {share:.0%} of the whole: the forecast is short, or growth ends late.")  # fmt: skip
    if inputs.of_year(CAPEX, last) < inputs.of_year(DEPRECIATION, last) and given[GROWTH] > 0:
        notes.append("In the last year less is invested than depreciated, and yet it grows for ever.")  # fmt: skip
    if given[GROWTH] > given.get(RISK_FREE, given[GROWTH]):
        notes.append("Terminal growth is above the risk-free rate.")
    if inputs.of_year(SALES_GROWTH, last) - given[GROWTH] > Decimal("0.03"):
        notes.append("Growth falls by more than three points after the last year; a fade is missing.")  # fmt: skip
    if BASE_CAPITAL not in given:
        notes.append("Base working capital is not given: it is the first year's share of base revenue.")  # fmt: skip
    return notes
