"""The workbook of a valuation: inputs (blue) with their places, the cash flows, the sensitivity table and checks, all live."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.refs import column_name, name_of
from deskmate_finance.dcf import (
    BASE,
    BASE_CAPITAL,
    BETA,
    CAPEX,
    CAPITAL,
    CLAIMS,
    COST_OF_DEBT,
    DEBT,
    DEPRECIATION,
    GROWTH,
    GROWTH_STEP,
    MARGIN,
    PREMIUM,
    RISK_FREE,
    SALES_GROWTH,
    SCALARS,
    SHARES,
    SHIFT,
    TAX,
    WACC,
    WACC_STEP,
    WEIGHT,
    WIDE,
    YEARLY,
    Inputs,
    Valuation,
)
from deskmate_finance.looks import looks, styled
from deskmate_finance.made import Rows, heads, top, words
from deskmate_finance.workbook import cells_of, figure_at

INPUT, FLOWS, SENSE, CHECKS = "Inputs", "DCF", "Sensitivity", "Checks"
HEAD = 5
INPUTS = {INPUT: frozenset(range(2, 20))}
_AMOUNTS = frozenset((BASE, BASE_CAPITAL, DEBT, CLAIMS, SHARES, BETA, SHIFT))
AT = {item: HEAD + 1 + place for place, item in enumerate((*SCALARS, *YEARLY))}
"""Item → its row on the sheet of inputs."""
LINES = (
    "Revenue", "EBIT", "Tax on EBIT", "EBIT after tax", "Depreciation", "Capital expenditure", "Working capital",
    "Increase in working capital", "Free cash flow", "Years of discounting", "Discount factor", "Present value",
)  # fmt: skip
ROW = {title: HEAD + 1 + place for place, title in enumerate(LINES)}
END = HEAD + len(LINES) + 2
RESULTS = (
    "Present value of the forecast", "Terminal value in the last year", "Present value of the terminal value",
    "Enterprise value", "Net debt", "Other claims", "Equity value", "Value a share", "Terminal value, share of the whole",
)  # fmt: skip
RESULT = {title: END + place for place, title in enumerate(RESULTS)}


def sheets(made: Inputs, found: Valuation) -> list[dict[str, Any]]:
    """Return the workbook's sheets, as `build_workbook` takes them."""
    style = looks() | {
        "input percent": {"number_format": "0.00%", "color": "0000FF"},
        "rate": {"number_format": "0.00%"},
        "total rate": {"number_format": "0.00%", "bold": True},
        "center": {"number_format": "#,##0.00;(#,##0.00)", "bold": True, "fill": "FFF2CC"},
    }
    common = {"looks": style, "print": "landscape", "header": 0}
    years = len(made.years)
    return [
        common | {"name": INPUT, "rows": _inputs(made), "freeze": f"B{HEAD + 1}", "widths": [36, 14, *[12] * years, 40]},
        common | {"name": FLOWS, "rows": _flows(made), "freeze": f"B{HEAD + 1}", "widths": [36, 16, *[14] * years],
                  "charts": [_chart(years)]},
        common | {"name": SENSE, "rows": _sense(made), "widths": [20, *[16] * (2 * WIDE + 1)]},
        common | {"name": CHECKS, "rows": _checks(made, found), "widths": [80, 18, 12]},
    ]  # fmt: skip


def _year(place: int) -> str:
    return column_name(3 + place)


def _inputs(made: Inputs) -> Rows:
    rows = top("Inputs", f"From {made.name}; blue figures are the file's or named defaults.")
    figures = frozenset(("Value", *made.years))
    rows.append(heads(("Input", "Value", *made.years, "Where it stands"), figures))
    years = len(made.years)
    for item in SCALARS:
        look = "input" if item in _AMOUNTS else "input percent"
        one = made.scalar.get(item)
        cell: Any = styled(float(one.value), look) if one else None
        place = one.place if one else ""
        if one is None and item == WACC:
            cell, place = styled(_wacc(), "rate"), "from the five rows above"
        if one is None and item == BASE_CAPITAL:
            cell = styled(f"=B{AT[BASE]}*C{AT[CAPITAL]}", "line figure")
            place = "the first year's share of base revenue"
        rows.append([words(item, "line title"), cell, *[None] * years, words(place, "source")])
    for item in YEARLY:
        given = made.yearly[item]
        if len(given) == 1:
            single: Any = styled(float(given[0].value), "input percent")
            of_years: list[Any] = [styled(f"=$B{AT[item]}", "rate")] * years
        else:
            single = None
            of_years = [styled(float(one.value), "input percent") for one in given]
        places = given[0].place if len(given) == 1 else f"{given[0].place} to {given[-1].place}"
        rows.append([words(item, "line title"), single, *of_years, words(places, "source")])
    return rows


def _wacc() -> str:
    equity = f"(B{AT[RISK_FREE]}+B{AT[BETA]}*B{AT[PREMIUM]})"
    debt = f"B{AT[COST_OF_DEBT]}*(1-C{AT[TAX]})"
    return f"=(1-B{AT[WEIGHT]})*{equity}+B{AT[WEIGHT]}*{debt}"


def _of(item: str, letter: str = "$B") -> str:
    return f"{INPUT}!{letter}${AT[item]}"


def _flows(made: Inputs) -> Rows:
    rows = top("Discounted cash flow", f"Every figure is a formula of the sheet {INPUT}.")
    rows.append(heads(("", "Base", *made.years), frozenset(("Base", *made.years))))
    years = range(len(made.years))
    formulas = {
        "Revenue": lambda c, b: f"{b}{ROW['Revenue']}*(1+{_of(SALES_GROWTH, c)})",
        "EBIT": lambda c, b: f"{c}{ROW['Revenue']}*{_of(MARGIN, c)}",
        "Tax on EBIT": lambda c, b: f"-MAX({c}{ROW['EBIT']},0)*{_of(TAX, c)}",
        "EBIT after tax": lambda c, b: f"{c}{ROW['EBIT']}+{c}{ROW['Tax on EBIT']}",
        "Depreciation": lambda c, b: f"{c}{ROW['Revenue']}*{_of(DEPRECIATION, c)}",
        "Capital expenditure": lambda c, b: f"-{c}{ROW['Revenue']}*{_of(CAPEX, c)}",
        "Working capital": lambda c, b: f"{c}{ROW['Revenue']}*{_of(CAPITAL, c)}",
        "Increase in working capital": lambda c, b: f"-({c}{ROW['Working capital']}-{b}{ROW['Working capital']})",
        "Free cash flow": lambda c, b: "+".join(f"{c}{ROW[t]}" for t in ("EBIT after tax", "Depreciation", "Capital expenditure", "Increase in working capital")),
        "Years of discounting": lambda c, b: f"COLUMNS($C{HEAD}:{c}{HEAD})-{_of(SHIFT)}",
        "Discount factor": lambda c, b: f"1/(1+{_of(WACC)})^{c}{ROW['Years of discounting']}",
        "Present value": lambda c, b: f"{c}{ROW['Free cash flow']}*{c}{ROW['Discount factor']}",
    }  # fmt: skip
    base = {"Revenue": f"={_of(BASE)}", "Working capital": f"={_of(BASE_CAPITAL)}"}
    for title in LINES:
        kind = "total" if title in ("Free cash flow", "Present value") else "line"
        look = {"Discount factor": "ratio", "Years of discounting": "count"}.get(title, f"{kind} figure")  # fmt: skip
        first = styled(base.get(title), look if title in base or kind == "total" else "word")
        cells = [
            styled("=" + formulas[title](_year(year), column_name(2 + year)), look)
            for year in years
        ]
        rows.append([words(title, f"{kind} title"), first, *cells])
    return [*rows, [], *_results(made)]


def _results(made: Inputs) -> Rows:
    first, last = _year(0), _year(len(made.years) - 1)
    shares = SHARES in made.scalar
    formulas = {
        "Present value of the forecast": f"SUM({first}{ROW['Present value']}:{last}{ROW['Present value']})",
        "Terminal value in the last year": f"{last}{ROW['Free cash flow']}*(1+{_of(GROWTH)})/({_of(WACC)}-{_of(GROWTH)})",
        "Present value of the terminal value": f"B{RESULT['Terminal value in the last year']}*{last}{ROW['Discount factor']}",
        "Enterprise value": f"B{RESULT['Present value of the forecast']}+B{RESULT['Present value of the terminal value']}",
        "Net debt": f"-{_of(DEBT)}",
        "Other claims": f"-{_of(CLAIMS)}",
        "Equity value": f"SUM(B{RESULT['Enterprise value']}:B{RESULT['Other claims']})",
        "Value a share": f"B{RESULT['Equity value']}/{_of(SHARES)}" if shares else "",
        "Terminal value, share of the whole": f"B{RESULT['Present value of the terminal value']}/B{RESULT['Enterprise value']}",
    }  # fmt: skip
    rows: Rows = []
    for title in RESULTS:
        kind = "grand" if title in ("Equity value", "Enterprise value") else "line"
        look = "percent" if title.endswith("whole") else f"{kind} figure"
        cell: Any = styled(f"={formulas[title]}", look) if formulas[title] else words("no shares given", "note")  # fmt: skip
        rows.append([words(title, f"{kind} title"), cell])
    return rows


def _chart(years: int) -> dict[str, Any]:
    last = _year(years - 1)
    across = f"C{HEAD}:{last}{HEAD}"
    series = [
        {"name": title, "categories": across, "values": f"C{ROW[title]}:{last}{ROW[title]}", "fill": fill}
        for title, fill in (("Free cash flow", "1F3864"), ("Present value", "9DB2D6"))
    ]  # fmt: skip
    return {"type": "column", "title": "Free cash flow and its present value", "series": series, "gap": 60,
            "size": (720, 320), "at": f"D{END}"}  # fmt: skip


def _sense(made: Inputs) -> Rows:
    what = "Value a share" if SHARES in made.scalar else "Equity value"
    rows = top(f"{what} by WACC and terminal growth", "Each cell discounts the cash flows anew; the centre is the base case.")  # fmt: skip
    steps = range(-WIDE, WIDE + 1)
    line: list[Any] = [words("WACC \\ growth", "head")]
    for step in steps:
        line.append(styled(f"={_of(GROWTH)}{_step(step, GROWTH_STEP)}", "total rate"))
    rows.append(line)
    for step in steps:
        row = len(rows) + 1
        cells: list[Any] = [styled(f"={_of(WACC)}{_step(step, WACC_STEP)}", "total rate")]
        for other in steps:
            look = "center" if step == other == 0 else "line figure"
            cells.append(styled(_cell(made, row, column_name(2 + WIDE + other)), look))
        rows.append(cells)
    return rows


def _step(step: int, item: str) -> str:
    return (f"{'+' if step > 0 else '-'}" + "".join([_of(item)] if abs(step) == 1 else [f"2*{_of(item)}"])) if step else ""  # fmt: skip


def _cell(made: Inputs, row: int, column: str) -> str:
    rate, growth = f"$A{row}", f"{column}${HEAD}"
    terms = [
        f"{FLOWS}!{_year(y)}${ROW['Free cash flow']}/(1+{rate})^{FLOWS}!{_year(y)}${ROW['Years of discounting']}"
        for y in range(len(made.years))
    ]
    terminal = terms[-1].replace("/(1+", f"*(1+{growth})/({rate}-{growth})/(1+", 1)
    worth = "+".join([*terms, terminal, f"{FLOWS}!$B${RESULT['Net debt']}", f"{FLOWS}!$B${RESULT['Other claims']}"])  # fmt: skip
    shares = f"/{_of(SHARES)}" if SHARES in made.scalar else ""
    return f'=IF({rate}>{growth},({worth}){shares},"n/a")'


def _checks(made: Inputs, found: Valuation) -> Rows:
    what = "Value a share" if SHARES in made.scalar else "Equity value"
    centre = f"{SENSE}!{name_of((HEAD + 1 + WIDE, 2 + WIDE))}"
    rows = top("Checks", "A difference must be 0.")
    rows.append(heads(("Check", "Difference", "Holds"), frozenset(("Difference",))))
    forecast = f"C{ROW['Free cash flow']}:{_year(len(made.years) - 1)}{ROW['Free cash flow']}"
    checks = [
        ("The centre of the sensitivity table is the base case", f"ROUND({centre}-{FLOWS}!B{RESULT[what]},2)"),
        ("Equity value, net debt and other claims are the enterprise value",
         f"ROUND({FLOWS}!B{RESULT['Equity value']}-{FLOWS}!B{RESULT['Net debt']}-{FLOWS}!B{RESULT['Other claims']}-{FLOWS}!B{RESULT['Enterprise value']},2)"),
    ]  # fmt: skip
    if not made.scalar[SHIFT].value:
        net_present = f"NPV({_of(WACC)},{FLOWS}!{forecast})"
        checks.append(("NPV of the forecast is its present value", f"ROUND({net_present}-{FLOWS}!B{RESULT['Present value of the forecast']},2)"))  # fmt: skip
    for title, formula in checks:
        row = len(rows) + 1
        rows.append([words(title), styled(f"={formula}", "line figure"), styled(f'=IF(B{row}=0,"yes","no")', "word")])  # fmt: skip
    over = f"{_of(WACC)}-{_of(GROWTH)}"
    rows.append([words("WACC is above terminal growth"), styled(f"={over}", "rate"), styled(f'=IF({over}>0,"yes","no")', "word")])  # fmt: skip
    rows += [[], [words("To look at", "section")]]
    return rows + ([[words(note)] for note in found.notes] or [[words("Nothing.")]])


def other_values(file: Path, made: Inputs, found: Valuation) -> Iterator[tuple[str, str]]:
    """Yield (place, message) of each result in a workbook that is not the one computed without it."""
    book = Workbook(file)
    flows, sense = cells_of(book, FLOWS), cells_of(book, SENSE)
    expected: list[tuple[str, Any, tuple[int, int], Decimal | None]] = []
    for year, (flow, present) in enumerate(zip(found.flows, found.present, strict=True)):
        expected.append((FLOWS, flows, (ROW["Free cash flow"], 3 + year), flow))
        expected.append((FLOWS, flows, (ROW["Present value"], 3 + year), present))
    results = {
        "Present value of the terminal value": found.terminal, "Enterprise value": found.enterprise,
        "Equity value": found.equity, "Value a share": found.a_share,
    }  # fmt: skip
    expected += [(FLOWS, flows, (RESULT[title], 2), figure) for title, figure in results.items()]
    for (w, g), figure in found.grid.items():
        expected.append((SENSE, sense, (HEAD + 1 + WIDE + w, 2 + WIDE + g), figure))
    for sheet, cells, place, figure in expected:
        shown = figure_at(cells, *place)
        if not _near(shown, figure):
            yield f"{sheet}!{name_of(place)}", f"The cell shows {shown}; the inputs give {figure}."


def _near(one: Decimal | None, other: Decimal | None) -> bool:
    """Say whether two figures are the same but for binary fractions."""
    if one is None or other is None:
        return one is other
    return abs(one - other) <= Decimal("1e-9") * max(abs(one), abs(other), Decimal(1))
