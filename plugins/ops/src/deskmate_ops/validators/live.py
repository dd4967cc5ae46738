"""OPS-LIVE-FORMULAS: each formula gives what the workbook shows for it, and what has to be live is no typed figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_documents.xlsx.live import live_problems

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
    "capacity_plan": {
        "Summary": ("*",),
        "Utilisation": ("*",),
        "Capacity": ("*",),
        "Demand": ("*",),
        "Gap": ("*",),
        "What-if": ("Highest", "Periods over"),
    },
    "control_matrix": {
        "Coverage": ("Controls", "Working", "Coverage"),
        "Controls": ("Holds until", "State"),
    },
    "change_check": {"Changes": ("Open points", "Verdict")},
    "risk_register": {"Register": ("Score", "Band", "Residual score", "Residual band")},
}
"""Role → sheet → columns in which every figure is a formula; `*`: all but the first. Rows called Total are so everywhere."""


def live_formulas(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Compute every formula anew by an engine of its own and compare; refuse typed figures where formulas belong.

    Source: house (SOURCES.md).
    """
    fix = "Run the tool again; do not type over its formulas."
    return [
        Finding(rule=RULE, level="error", message=message, location=where, fix=fix)
        for message, where in live_problems(context.file, LIVE.get(deliverable.role, {}))
    ][:LIMIT]
