"""Which cells of each kind of workbook hold typed figures; all others must be formulas."""

from __future__ import annotations

from collections.abc import Mapping

from deskmate_finance.analytics_book import INPUTS as ANALYTICS_INPUTS
from deskmate_finance.analytics_book import POPULATION_CELLS as ANALYTICS_CELLS
from deskmate_finance.audit_book import INPUTS as AUDIT_INPUTS
from deskmate_finance.close_book import INPUTS as CLOSE_INPUTS
from deskmate_finance.close_book import TOP_CELLS as CLOSE_CELLS
from deskmate_finance.dcf_book import INPUTS as DCF_INPUTS
from deskmate_finance.journal_book import INPUTS as JOURNAL_INPUTS
from deskmate_finance.reconciliation_book import INPUTS as RECONCILIATION_INPUTS
from deskmate_finance.reconciliation_book import TYPED
from deskmate_finance.sampling_book import INPUTS as SAMPLING_INPUTS
from deskmate_finance.sampling_book import PLAN_CELLS as SAMPLING_CELLS
from deskmate_finance.statements import TRIAL
from deskmate_finance.translation_book import INPUTS as GROUP_INPUTS
from deskmate_finance.variance_book import INPUTS as BRIDGE_INPUTS
from deskmate_finance.variance_book import LIMIT_CELLS
from deskmate_finance.xbrl_book import INPUTS as XBRL_INPUTS

Inputs = Mapping[str, frozenset[int]]
_KNOWN: Mapping[str, tuple[Inputs, frozenset[str]]] = {
    "statements": ({TRIAL: frozenset((4, 5, 7, 8, 9))}, frozenset()),
    "model_audit": (AUDIT_INPUTS, frozenset()),
    "journal": (JOURNAL_INPUTS, frozenset()),
    "group_trial_balance": (GROUP_INPUTS, frozenset()),
    "journal_analysis": (ANALYTICS_INPUTS, ANALYTICS_CELLS),
    "close_plan": (CLOSE_INPUTS, CLOSE_CELLS),
    "sox_sample": (SAMPLING_INPUTS, SAMPLING_CELLS),
    "valuation": (DCF_INPUTS, frozenset()),
    "xbrl_facts": (XBRL_INPUTS, frozenset()),
    "reconciliation": (RECONCILIATION_INPUTS, TYPED),
    "variance_bridge": (BRIDGE_INPUTS, LIMIT_CELLS),
}


def inputs_of(role: str) -> tuple[Inputs, frozenset[str]]:
    """Return sheet → columns of inputs, and single cells that are inputs."""
    return _KNOWN[role]
