"""Which file of the workspace is meant, where earlier results of the profession lie beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deskmate.plugin import ToolContext
from deskmate_documents.delivery import TABLES
from deskmate_documents.tables import find_files, pick_file

MADE = frozenset(
    ("capacity-plan.xlsx", "change-check.xlsx", "control-matrix.xlsx", "process-metrics.xlsx", "risk-register.xlsx", "vendor-scorecard.xlsx")
)  # fmt: skip
"""What the tools write; such a file is a source only where the request names it."""


def picked(context: ToolContext, *, what: str, hints: Sequence[str], request: str) -> str:
    """Return the workspace path of the one table that is meant: by its name in the request, else by hints.

    Raises:
        ToolInputError: none fits, or several do.
    """
    there = find_files(context.workspace, TABLES, request)
    said = request.lower()
    named = [name for name in there if Path(name).stem.lower() in said]
    rest = [name for name in there if Path(name).name not in MADE]
    hinted = [n for n in named or rest if any(hint in Path(n).name.lower() for hint in hints)]
    if len(hinted) == 1:
        return hinted[0]
    return pick_file(context.workspace, TABLES, what=what, hints=hints, request=request)
