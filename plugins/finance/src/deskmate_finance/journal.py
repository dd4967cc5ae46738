"""Journal entries from records with support: what each gives for a period, its reversal, and what forbids it.

Nothing here rounds a difference away: an entry whose sides differ is refused.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from deskmate.plugin import ToolInputError
from deskmate_finance.chart_of_accounts import Chart, account_key
from deskmate_finance.periods import Month, month_of

LOOKED_BACK = 3
"""How many periods before this one a doubled posting is looked for in."""
SHOWN = 12
Side = tuple[str, str]
"""(debit account, credit account); one of them is "" where a row is one line of a larger entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """How an amount is spread: `all` parts (months or days), of which `after` and `before` this period's end and start."""

    all: int = 1
    after: int = 1
    before: int = 0
    unit: str = ""


WHOLE = Parts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One row with its support. `basis`: the whole amount, `residual` of it is never spread."""

    number: int
    entry: str
    kind: str
    text: str
    accounts: Side
    basis: Decimal
    residual: Decimal = Decimal()
    parts: Parts = WHOLE
    day: date
    reference: str
    entity: str = ""
    currency: str = ""
    preparer: str = ""
    approver: str = ""
    reverses: bool = False

    def amount(self, places: int) -> Decimal:
        """Return what the period takes; the shares of all periods add up to the whole."""
        whole = self.basis - self.residual
        return rounded(whole * self.parts.after / self.parts.all, places) - rounded(
            whole * self.parts.before / self.parts.all, places
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of an entry. `record`: its place among the records, from 0. One of both sides is 0."""

    entry: str
    day: date
    account: str
    debit: Decimal
    credit: Decimal
    record: int
    reversal_of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """A line that was posted before. `number`: its row in the file."""

    number: int
    day: date
    account: str
    amount: Decimal
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What entries are held against. `open_months`: month → open; None: no calendar. `limit`: amount that needs an approver."""

    chart: Chart
    open_months: Mapping[Month, bool] | None
    limit: Decimal
    earlier: Sequence[Earlier] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """The entries of a period. `idle`: rows that give nothing in it. `places`: decimals of its amounts."""

    period: Month
    records: tuple[Record, ...]
    lines: tuple[Line, ...]
    idle: tuple[int, ...]
    rules: Rules
    places: int
    states: Mapping[str, str] = field(default_factory=dict)

    def entries(self) -> dict[str, list[Line]]:
        """Return entry → its lines, in order."""
        found: dict[str, list[Line]] = {}
        for line in self.lines:
            found.setdefault(line.entry, []).append(line)
        return found


def rounded(figure: Decimal, places: int) -> Decimal:
    """Return an amount of money with so many decimals, halves away from zero as spreadsheets round."""
    return figure.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def journal(period: Month, records: Sequence[Record], rules: Rules, places: int) -> Journal:
    """Return the entries that records give for a period.

    Raises:
        ToolInputError: what forbids which rows: no support, an account that the chart lacks, a closed period, sides
            that differ, a preparer who approves, a posting that was made already.
    """
    idle = tuple(r.number for r in records if not r.amount(places))
    taken = tuple(r for r in records if r.amount(places))
    if not taken:
        raise ToolInputError(f"No row gives an entry for {period}.")
    problems = list(_problems(period, taken, rules, places))
    lines = list(_lines(period, taken, places))
    problems += _unbalanced(lines, taken)
    if problems:
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise ToolInputError("Nothing was prepared: " + "; ".join(problems[:SHOWN]) + more + ".")
    made = Journal(
        period=period, records=taken, lines=tuple(lines), idle=idle, rules=rules, places=places
    )
    return replace(made, states={name: _state(made, own) for name, own in made.entries().items()})


def _lines(period: Month, records: Sequence[Record], places: int) -> Iterator[Line]:
    """Yield the lines of all entries, then of all reversals."""
    again: list[Line] = []
    for place, record in enumerate(records):
        amount = record.amount(places)
        for account, is_debit in ((record.accounts[0], True), (record.accounts[1], False)):
            if not account:
                continue
            sides = (amount, Decimal()) if is_debit else (Decimal(), amount)
            line = Line(
                entry=record.entry, day=record.day, account=account, debit=sides[0],
                credit=sides[1], record=place,
            )  # fmt: skip
            yield line
            if record.reverses:
                again.append(
                    replace(
                        line, entry=f"{record.entry}-R", day=period.later(1).first, debit=sides[1],
                        credit=sides[0], reversal_of=record.entry,
                    )
                )  # fmt: skip
    yield from again


def _problems(period: Month, records: Sequence[Record], rules: Rules, places: int) -> Iterator[str]:
    months = rules.open_months
    if months is not None and not months.get(period, False):
        known = "closed" if period in months else "not in the calendar of periods"
        yield f"the period {period} is {known}"
    seen: dict[tuple[object, ...], int] = {}
    for record in records:
        where, amount = f"row {record.number}", record.amount(places)
        yield from (f"{where}{text}" for text in _of_record(record, period, rules.chart))
        first = seen.setdefault(
            (record.reference.lower(), record.accounts, amount, record.entity, record.text.lower()),
            record.number,
        )
        if first != record.number:
            yield f"{where} is row {first} once more"
        yield from (f"{where}: {text}" for text in _posted(record, amount, period, rules.earlier))


def _of_record(record: Record, period: Month, chart: Chart) -> Iterator[str]:
    """Yield what is wrong with a row by itself."""
    if month_of(record.day) != period:
        yield f": {record.day} is not in {period}"
    if not record.reference:
        yield " has no support: give a reference"
    if record.basis <= 0:
        yield f": {record.basis:f} is no amount above 0; swap the accounts instead"
    if not 0 <= record.residual <= max(record.basis, Decimal()):
        yield f": a residual of {record.residual:f} is more than the amount, or negative"
    for account in filter(None, record.accounts):
        if not chart.line_of(account):
            yield f": account {account} is not in {chart.name}"
    if account_key(record.accounts[0]) == account_key(record.accounts[1]):
        yield " debits and credits the same account"
    if record.preparer and _same(record.preparer, record.approver):
        yield f": {record.preparer} prepares and approves"


def _same(one: str, other: str) -> bool:
    return " ".join(one.lower().split()) == " ".join(other.lower().split())


def _posted(
    record: Record, amount: Decimal, period: Month, earlier: Iterable[Earlier]
) -> Iterator[str]:
    """Yield what was posted already; shares of a spread amount come again by nature."""
    if record.parts != WHOLE:
        return
    for line in earlier:
        back = period.number - month_of(line.day).number
        if (
            0 <= back <= LOOKED_BACK
            and _same(line.reference, record.reference)
            and line.amount == amount
            and account_key(line.account) == account_key(record.accounts[0] or record.accounts[1])
        ):
            yield (
                f"{record.reference} with {amount:f} on {line.account} was posted on {line.day} "
                f"(row {line.number} of the earlier journal)"
            )
            return


def _unbalanced(lines: Iterable[Line], records: Sequence[Record]) -> Iterator[str]:
    sums: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    days: dict[str, set[date]] = defaultdict(set)
    for line in lines:
        record = records[line.record]
        sums[line.entry, record.entity, record.currency] += line.debit - line.credit
        days[line.entry].add(line.day)
    for (entry, entity, currency), gap in sums.items():
        if gap:
            what = " ".join(filter(None, (entity, currency)))
            yield f"entry {entry}{f' ({what})' if what else ''}: debits less credits are {gap:f}"
    yield from (
        f"entry {entry} has several dates" for entry, found in days.items() if len(found) > 1
    )


def _state(made: Journal, lines: Sequence[Line]) -> str:
    """Return where an entry stands; nobody's approval is taken for granted."""
    approvers = {made.records[line.record].approver for line in lines}
    total = sum((line.debit for line in lines), Decimal())
    if "" not in approvers:
        return f"approver named: {', '.join(sorted(approvers))}"
    return "needs an approver" if total >= made.rules.limit else "below the limit for approval"
