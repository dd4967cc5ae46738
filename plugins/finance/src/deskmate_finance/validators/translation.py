"""FIN-GROUP-TIES: every account is translated again from the originals, and differences and rounding are in sight."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_finance.chart_of_accounts import read_chart
from deskmate_finance.made import other_cells
from deskmate_finance.tools.statements import standard_chart
from deskmate_finance.tools.translation import other_figures
from deskmate_finance.translation import read_rates, translated
from deskmate_finance.translation_book import sheets
from deskmate_finance.validators.findings import Problem, errors
from deskmate_finance.validators.statements import original

FIX = "Run tb_translate again; change the rates or the trial balance, not the workbook."


def group_ties(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Each entity balances in its own currency, each account stands once at its stated rate, and the group sums to nil.

    Source: IAS 21.39 to 41, ASC 830-30-45 (SOURCES.md); rounding on a line of its own: house.
    """
    return errors("FIN-GROUP-TIES", _problems(deliverable, context), FIX)


def _problems(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    path = deliverable.sources.get("trial_balance", "")
    rates = deliverable.sources.get("rates", "")
    chart = deliverable.sources.get("chart", "")
    mapping = (
        read_chart(original(context, chart, "chart of accounts"), chart)
        if chart
        else standard_chart()
    )
    made = translated(
        original(context, path, "trial balance"),
        path,
        str(deliverable.data.get("sheet", "")),
        read_rates(original(context, rates, "file of rates"), rates),
        str(deliverable.data.get("currency", "")),
        mapping,
    )
    total = sum((one.translated for one in made.postings), Decimal())
    total += sum((one.difference + one.rounding for one in made.entities), Decimal())
    if total:
        yield "workbook", f"The group's balances add up to {total:f}, not to nil."
    yield from other_cells(context.file, sheets(made, path))
    yield from other_figures(context.file, made)
