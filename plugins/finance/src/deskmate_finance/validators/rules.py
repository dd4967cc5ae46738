"""All gates of the profession with the roles they look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_finance.validators.analytics import analysis_reproduces
from deskmate_finance.validators.audit import audit_complete
from deskmate_finance.validators.bridge import bridge_ties, picture_ties
from deskmate_finance.validators.close import close_plans
from deskmate_finance.validators.dcf import valuation_ties
from deskmate_finance.validators.journal import journal_balances, journal_supported
from deskmate_finance.validators.live import live_totals
from deskmate_finance.validators.recon_ties import recon_ties
from deskmate_finance.validators.sampling import sample_redraws
from deskmate_finance.validators.statements import (
    balance_balances,
    cash_ties,
    statements_tie,
    trial_balances,
)
from deskmate_finance.validators.translation import group_ties
from deskmate_finance.validators.xbrl import facts_tie

Check = Callable[[Deliverable, ValidationContext], Iterable[Finding]]
_STATEMENTS = ("statements",)


Rule = tuple[str, str, Check, tuple[str, ...]]
_RULES: tuple[Rule, ...] = (
    (
        "FIN-RECON-TIES",
        "A reconciliation ties to the bank statement and the ledger, row by row.",
        recon_ties,
        ("reconciliation",),
    ),
    (
        "FIN-TB-BALANCES",
        "Debits equal credits, and every account of the trial balance stands once, with its figures and line.",
        trial_balances,
        _STATEMENTS,
    ),
    (
        "FIN-BS-BALANCES",
        "Assets equal liabilities and equity to the cent, in every period.",
        balance_balances,
        _STATEMENTS,
    ),
    (
        "FIN-CASH-TIES",
        "The cash flows are the change in cash, and its ends are the balance sheets' cash.",
        cash_ties,
        _STATEMENTS,
    ),
    (
        "FIN-STATEMENTS-TIE",
        "Every figure of the statements is what the trial balances give.",
        statements_tie,
        _STATEMENTS,
    ),
    (
        "FIN-LIVE-TOTALS",
        "What must be computed is a formula without typed figures, and shows its true result.",
        live_totals,
        (
            "statements",
            "variance_bridge",
            "model_audit",
            "reconciliation",
            "xbrl_facts",
            "valuation",
            "sox_sample",
            "close_plan",
            "journal_analysis",
            "journal",
            "group_trial_balance",
        ),
    ),
    (
        "FIN-GROUP-TIES",
        "Each account of a group is translated again at its stated rate, and what is left is in sight.",
        group_ties,
        ("group_trial_balance",),
    ),
    (
        "FIN-BRIDGE-TIES",
        "Start and drivers are the end to the cent, and each figure is the source's.",
        bridge_ties,
        ("variance_bridge",),
    ),
    (
        "FIN-BRIDGE-PICTURE",
        "The picture of a bridge is the one that the sources give.",
        picture_ties,
        ("bridge_picture",),
    ),
    (
        "FIN-AUDIT-COMPLETE",
        "The report of an audit has every finding that the model gives, and no other.",
        audit_complete,
        ("model_audit",),
    ),
    (
        "FIN-JE-BALANCES",
        "Debits equal credits to the cent in each journal entry, entity and currency.",
        journal_balances,
        ("journal", "journal_upload"),
    ),
    (
        "FIN-JE-SUPPORTED",
        "Every line of a journal entry is what a record with support gives, by the chart, in an open period.",
        journal_supported,
        ("journal", "journal_upload"),
    ),
    (
        "FIN-JET-REPRODUCES",
        "The tests of a journal give the same findings once more, over the whole file.",
        analysis_reproduces,
        ("journal_analysis",),
    ),
    (
        "FIN-CLOSE-PLAN",
        "A close plan has no circle, and its dates are computed again from the task list.",
        close_plans,
        ("close_plan",),
    ),
    (
        "FIN-SAMPLE-REDRAWS",
        "A sample is drawn again from the same population, and its size is by the table.",
        sample_redraws,
        ("sox_sample",),
    ),
    (
        "FIN-DCF-TIES",
        "A valuation has its inputs from the file, and every result is computed twice.",
        valuation_ties,
        ("valuation",),
    ),
    (
        "FIN-XBRL-FACTS",
        "Every fact of a filing stands with its context, unit, sign and scale, and its sums are added again.",
        facts_tie,
        ("xbrl_facts",),
    ),
)


def every_rule() -> Iterator[Rule]:
    """Yield (rule, title, function, roles)."""
    yield from _RULES
