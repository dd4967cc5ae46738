"""The gates of journal entries: sides add up in the file itself, and every line is what the host's records give."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation

from deskmate.plugin import Deliverable, Finding, ToolInputError, ValidationContext
from deskmate_documents.tables import decode
from deskmate_documents.xlsx.book import Workbook
from deskmate_finance.chart_of_accounts import read_chart
from deskmate_finance.journal import Journal, Rules, journal
from deskmate_finance.journal_book import CHECKS, ENTRIES, HEAD, UPLOAD, sheets, upload
from deskmate_finance.journal_reading import read_earlier, read_records
from deskmate_finance.made import other_cells
from deskmate_finance.periods import find_month, read_periods
from deskmate_finance.statements import decimals
from deskmate_finance.tools.statements import standard_chart
from deskmate_finance.validators.findings import Problem, errors
from deskmate_finance.validators.statements import original
from deskmate_finance.workbook import cells_of, equal, figure_at, text_at

FIX = "Run je_build again; do not edit its lines."
Sums = Mapping[tuple[str, str, str], tuple[Decimal, Decimal]]


def texts(given: object) -> dict[str, str]:
    """Return a claim's mapping as texts; {} if it is none."""
    return {str(k): str(v) for k, v in given.items()} if isinstance(given, dict) else {}


def journal_of(deliverable: Deliverable, context: ValidationContext) -> Journal:
    """Return the entries that the host's originals give. Raises ToolInputError."""
    path = deliverable.sources.get("records", "")
    month = find_month(str(deliverable.data.get("period", "")))
    if month is None:
        raise ToolInputError("the entries name no month")
    try:
        limit = Decimal(str(deliverable.data.get("limit", "")))
    except InvalidOperation as problem:
        raise ToolInputError("the limit of approval is no number") from problem
    chart, periods, earlier = (
        deliverable.sources.get(role, "") for role in ("chart", "periods", "earlier")
    )
    rules = Rules(
        chart=read_chart(original(context, chart, "chart of accounts"), chart)
        if chart
        else standard_chart(),
        open_months=read_periods(original(context, periods, "calendar of periods"), periods)
        if periods
        else None,
        limit=limit,
        earlier=read_earlier(original(context, earlier, "earlier journal"), earlier, {})
        if earlier
        else (),
    )
    columns = texts(deliverable.data.get("columns"))
    records = read_records(original(context, path, "records"), path, month, columns)
    return journal(month, records, rules, decimals(r.basis for r in records))


def journal_balances(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Debits equal credits to the cent in each entry, entity and currency; every line has one side, above 0.

    Source: double-entry bookkeeping. Read from the file alone: it believes neither the tool nor the sheet Checks.
    """
    is_book = deliverable.role == "journal"
    found = _book(context) if is_book else _upload(context)
    return errors("FIN-JE-BALANCES", found, FIX)


def _book(context: ValidationContext) -> Iterator[Problem]:
    book = Workbook(context.file)
    cells = cells_of(book, ENTRIES)
    lines = []
    row = HEAD + 1
    while (entry := text_at(cells, row, 1)) and entry != "Total":
        key = (entry, text_at(cells, row, 4), text_at(cells, row, 8))
        sides = (figure_at(cells, row, 6), figure_at(cells, row, 7))
        lines.append((f"{ENTRIES}!A{row}", key, sides))
        row += 1
    sums = yield from _balanced(lines)
    checks = cells_of(book, CHECKS)
    row = HEAD + 1
    while entry := text_at(checks, row, 1):
        own = sums.get((entry, text_at(checks, row, 2), text_at(checks, row, 3)))
        shown = (figure_at(checks, row, 5), figure_at(checks, row, 6))
        if own is None or not all(map(equal, shown, own)):
            yield f"{CHECKS}!A{row}", f"The sums of {entry} are not those of its lines."
        row += 1


def _upload(context: ValidationContext) -> Iterator[Problem]:
    rows = list(csv.reader(io.StringIO(decode(context.file.read_bytes(), "the file"))))
    if not rows or tuple(rows[0]) != UPLOAD:
        yield "row 1", f"The columns must be {', '.join(UPLOAD)}."
        return
    lines = []
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(UPLOAD):
            yield f"row {number}", "The row has not as many fields as the first."
            continue
        lines.append((f"row {number}", (row[0], row[3], row[7]), (_exact(row[5]), _exact(row[6]))))
    yield from _balanced(lines)


def _exact(text: str) -> Decimal | None:
    try:
        return Decimal(text) if text else None
    except InvalidOperation:
        return Decimal(-1)  # refused as no amount above 0


def _balanced(
    lines: Iterable[tuple[str, tuple[str, str, str], tuple[Decimal | None, Decimal | None]]],
) -> Generator[Problem, None, Sums]:
    """Yield what is wrong; return the sums of each entry, entity and currency."""
    sums: dict[tuple[str, str, str], tuple[Decimal, Decimal]] = defaultdict(
        lambda: (Decimal(), Decimal())
    )
    for place, key, (debit, credit) in lines:
        if (debit is None) == (credit is None) or min(debit or 1, credit or 1) <= 0:
            yield place, "A line has one side, a debit or a credit above 0."
        before = sums[key]
        sums[key] = (before[0] + (debit or 0), before[1] + (credit or 0))
    if not sums:
        yield ENTRIES, "There are no lines."
    for (entry, *_), (debit, credit) in sums.items():
        if not equal(debit, credit):
            yield entry, f"Entry {entry} has debits of {debit:f} and credits of {credit:f}."
    return sums


def journal_supported(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Every line is what a record of the originals gives: account of the chart, open period, share, reversal, approval.

    Source: house. A period whose calendar was not given is a warning.
    """
    rule = "FIN-JE-SUPPORTED"
    yield from errors(rule, _supported(deliverable, context), FIX)
    if "periods" not in deliverable.sources:
        message = "No calendar of periods was given: whether the period is open is not known."
        yield Finding(
            rule=rule, level="warning", message=message, fix="Give a calendar of periods."
        )


def _supported(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    made = journal_of(deliverable, context)
    if deliverable.role == "journal":
        yield from other_cells(context.file, sheets(made, deliverable.sources["records"]))
        return
    wanted = upload(made).splitlines()
    found = decode(context.file.read_bytes(), "the file").splitlines()
    for number, line in enumerate(wanted, 1):
        if number > len(found) or found[number - 1] != line:
            yield f"row {number}", f"{line[:120]} must stand here."
    if len(found) > len(wanted):
        yield f"row {len(wanted) + 1}", "There are lines that no record gives."
