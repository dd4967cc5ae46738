"""FIN-DCF-TIES: inputs are the file's, formulas are the model's, and every result is computed again without the workbook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_finance.dcf import read_inputs, value
from deskmate_finance.dcf_book import other_values, sheets
from deskmate_finance.made import other_cells
from deskmate_finance.validators.findings import Problem, errors
from deskmate_finance.validators.statements import original

FIX = "Run dcf_build again; change the file of inputs, not the workbook."


def valuation_ties(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """WACC is above growth, the sensitivity's centre is the base case, and two computations give every result.

    Source: the discounted cash flow with constant growth (SOURCES.md). The first computation is the workbook's formulas
    (FIN-LIVE-TOTALS has an engine compute them), the second decimal arithmetic on the host's original.
    """
    return errors("FIN-DCF-TIES", _problems(deliverable, context), FIX)


def _problems(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    path = deliverable.sources.get("inputs", "")
    file = original(context, path, "file of inputs")
    inputs = read_inputs(file, path, str(deliverable.data.get("sheet", "")))
    found = value(inputs)
    yield from other_cells(context.file, sheets(inputs, found))
    yield from other_values(context.file, inputs, found)
