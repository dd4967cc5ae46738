"""FIN-LIVE-TOTALS: what must be computed is a formula, and shows what it computes to."""

from __future__ import annotations

from collections.abc import Iterable

from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_finance.validators.findings import errors
from deskmate_finance.validators.inputs import inputs_of
from deskmate_finance.workbook import not_live

FIX = "Make the workbook anew with its tool; do not type figures over formulas."


def live_totals(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """No figure is typed in where a formula must stand, no formula holds one, and stored results are true.

    Source: house; after the FAST modelling standard (SOURCES.md).
    """
    inputs, skip = inputs_of(deliverable.role)
    return errors("FIN-LIVE-TOTALS", not_live(context.file, inputs, skip), FIX)
