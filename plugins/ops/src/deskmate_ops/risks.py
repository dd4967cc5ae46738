"""Reads a list of risks from a table: who owns each, how it is rated, what is done about it, and what the table leaves open."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import Table, find_column, parse_times
from deskmate_ops.scale import IMPACTS, LIKELIHOODS, Scale

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "risk id", "ref", "reference", "no", "number"),
    "risk": ("risk", "title", "risk description", "description", "name", "risk title"),
    "category": ("category", "type", "area", "risk category"),
    "likelihood": ("likelihood", "probability", "inherent likelihood"),
    "impact": ("impact", "severity", "consequence", "inherent impact"),
    "owner": ("owner", "risk owner", "responsible", "accountable"),
    "treatment": ("treatment", "mitigation", "response", "control", "controls", "treatment plan"),
    "due": ("treatment due", "mitigation due", "due", "due date", "target date"),
    "residual likelihood": ("residual likelihood", "residual probability", "target likelihood"),
    "residual impact": ("residual impact", "residual severity", "target impact"),
    "review": ("review date", "next review", "review", "review due"),
    "status": ("status", "state"),
}
NEEDED = ("risk", "likelihood", "impact")
SETTINGS = frozenset((*COLUMNS, "order", "sheet"))
CLOSED = frozenset({"closed", "done", "retired", "resolved", "accepted and closed"})
NOBODY = re.compile(
    r"(?:\W*|tb[acdn]|n/?a|none|nobody|unknown|unassigned|open|team|all)", re.IGNORECASE
)
NOT_NAMED = "not named"


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """One risk. Ratings that the table does not give are None; texts that it does not give are empty."""

    row: int
    id: str
    risk: str
    category: str
    likelihood: int | None
    impact: int | None
    owner: str
    treatment: str
    due: date | None
    residual_likelihood: int | None
    residual_impact: int | None
    review: date | None
    status: str

    @property
    def score(self) -> int | None:
        """Likelihood times impact, before treatment."""
        return _product(self.likelihood, self.impact)

    @property
    def residual(self) -> int | None:
        """Likelihood times impact, after treatment."""
        return _product(self.residual_likelihood, self.residual_impact)

    @property
    def is_closed(self) -> bool:
        """Say whether nothing more is to be done about it."""
        return self.status.lower() in CLOSED

    def is_late(self, today: date) -> bool:
        """Say whether its review is overdue."""
        return self.review is not None and self.review < today and not self.is_closed


def _product(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one * other


def read_risks(table: Table, settings: Mapping[str, str], scale: Scale) -> list[Risk]:
    """Return the risks in the order of the table.

    Raises:
        ToolInputError: a column is missing, an id occurs twice, a rating or date is none, or a row has no risk.
    """
    unknown = set(settings) - SETTINGS
    if unknown:
        raise ToolInputError(
            f"Setting {min(unknown)!r} is unknown; use {', '.join(sorted(SETTINGS))}."
        )
    columns = _columns(table, settings)
    cells = {what: table.values(column) for what, column in columns.items()}
    dates: dict[str, list[datetime | None]] = {
        what: parse_times(cells[what], f"{table.name}, {columns[what]}", settings.get("order", ""))
        for what in ("due", "review")
        if what in columns
    }
    risks: list[Risk] = []
    seen: dict[str, int] = {}
    for place, row in enumerate(table.rows):
        own = {what: texts[place][1] for what, texts in cells.items()}
        where = f"{table.name}, row {row.number}"
        if not own["risk"]:
            raise ToolInputError(f"{where}: there is no risk in the column {columns['risk']}.")
        key = own.get("id") or f"R{place + 1:03}"
        if key.lower() in seen:
            raise ToolInputError(f"{where}: the id {key} stands in row {seen[key.lower()]} too.")
        seen[key.lower()] = row.number
        days: dict[str, datetime | None] = {what: m[place] for what, m in dates.items()}
        risks.append(_risk(row.number, key, own, days, scale, where))
    if not risks:
        raise ToolInputError(f"{table.name} has no risks.")
    return risks


def _columns(table: Table, settings: Mapping[str, str]) -> dict[str, str]:
    columns: dict[str, str] = {}
    plain = {
        " ".join(re.findall(r"\w+", c.replace("_", " ").lower())): c
        for c in reversed(table.columns)
    }
    for what, known in COLUMNS.items():
        named = settings.get(what, "")
        column = (
            find_column(table, known, named)
            if named
            else next((plain[name] for name in known if name in plain), None)
        )
        if column is not None and column not in columns.values():
            columns[what] = column
        elif what in NEEDED:
            raise ToolInputError(
                f"{table.name} has no {what} column; it has {', '.join(table.columns)}."
            )
    return columns


def _risk(
    row: int,
    key: str,
    own: Mapping[str, str],
    days: Mapping[str, datetime | None],
    scale: Scale,
    where: str,
) -> Risk:
    def rated(what: str, words: Mapping[str, int]) -> int | None:
        return scale.rating(own.get(what, ""), words, f"{where}, {what}")

    def day(what: str) -> date | None:
        found = days.get(what)
        return found.date() if found is not None else None

    owner = own.get("owner", "")
    return Risk(
        row=row,
        id=key,
        risk=own["risk"],
        category=own.get("category", ""),
        likelihood=rated("likelihood", LIKELIHOODS),
        impact=rated("impact", IMPACTS),
        owner="" if NOBODY.fullmatch(owner) else owner,
        treatment=own.get("treatment", ""),
        due=day("due"),
        residual_likelihood=rated("residual likelihood", LIKELIHOODS),
        residual_impact=rated("residual impact", IMPACTS),
        review=day("review"),
        status=own.get("status", ""),
    )


def gaps_of(risk: Risk, scale: Scale, today: date) -> list[str]:
    """Return what is open about a risk, in words; what the table does not say is named, never filled in."""
    found = []
    if risk.score is None:
        found.append("likelihood or impact is not rated, so there is no score")
    if not risk.owner:
        found.append("no owner is named")
    heavy = risk.score is not None and scale.band(risk.score) in [n for n, _ in scale.bands[2:]]
    if heavy and not risk.treatment:
        found.append("no treatment is named, though the risk is above the second band")
    if heavy and risk.due is None and not risk.is_closed:
        found.append("no day is named by which it is treated")
    if risk.residual is not None and risk.score is not None and risk.residual > risk.score:
        found.append("the residual score is above the score before treatment")
    if risk.review is None and not risk.is_closed:
        found.append("no review date is named")
    if risk.is_late(today) and risk.review is not None:
        found.append(f"its review is overdue by {(today - risk.review).days} days")
    if risk.due is not None and risk.due < today and not risk.is_closed:
        found.append(f"its treatment is overdue by {(today - risk.due).days} days")
    return found
