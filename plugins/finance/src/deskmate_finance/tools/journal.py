"""The tool that prepares journal entries from records with support."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.tables import find_files, pick_file
from deskmate_finance.chart_of_accounts import Chart
from deskmate_finance.journal import Journal, Rules, journal
from deskmate_finance.journal_book import sheets, upload
from deskmate_finance.journal_reading import read_earlier, read_records
from deskmate_finance.made import book_path, write_made
from deskmate_finance.periods import find_month, read_periods
from deskmate_finance.statements import decimals
from deskmate_finance.tools.statements import TABLES, find_chart

OUTPUT = "journal entries.xlsx"
CALENDARS = ("periods", "period calendar", "open periods")
SHOWN = 40


def je_build(
    context: ToolContext,
    records: str = "",
    period: str = "",
    files: dict[str, str] | None = None,
    output: str = "",
    columns: dict[str, str] | None = None,
    request: str = "",
) -> ToolAnswer:
    """Prepare journal entries for a month from records with support: accruals with their reversal, prepaid and depreciation shares, any other.

    Debits equal credits to the cent in every entry, entity and currency, or nothing is prepared. Also refused: a row
    without support, an account that the chart lacks, a closed period, a preparer who approves, a posting made before.
    Writes a workbook (amounts are formulas of the support) and a CSV for upload. Nothing is posted.

    Args:
        context: filled in by Deskmate.
        records: workspace path of a CSV or XLSX file with a record a row: debit account, credit account, amount,
            reference; or entry, account, debit, credit, reference for entries of several lines. Further columns:
            type (accrual reverses on the first day of the next month), description, date, start with end or months
            (the amount is spread), residual, spread (months or days), reverse (yes or no), entity, currency,
            preparer, approver. Empty: the one in the workspace.
        period: the month, such as 2025-03. Empty: the one that the request names.
        files: {"chart": path of the chart of accounts, "periods": path of a table with period and status (open,
            closed), "earlier": path of a journal posted before, looked through for the same postings}.
        output: workspace path of the workbook. Empty: journal entries.xlsx beside the records.
        columns: names of columns where they cannot be told, such as {"reference": "Beleg"}; sheet.
        request: the user's words.

    Returns:
        `path`, `upload`; `entries`: list of {entry, date, debits, lines, approval, reversal_of}; `debits`: of all,
        decimal string; `idle`: rows that give nothing in this month; `notes`.

    Raises:
        ToolInputError: a file or column cannot be used, or what forbids which rows.
    """
    given, more = dict(columns or {}), dict(files or {})
    unknown = sorted(set(more) - {"chart", "periods", "earlier"})
    if unknown:
        raise ToolInputError(f"`files` knows chart, periods and earlier, not {unknown[0]}.")
    records = records or pick_file(
        context.workspace,
        TABLES,
        what="records for journal entries",
        hints=("accrual", "journal", "prepaid", "depreciation", "payroll", "entries", "records"),
        request=request,
        made=OUTPUT,
    )
    month = find_month(period or request)
    if month is None:
        raise ToolInputError("Name the month of the entries in `period`, such as 2025-03.")
    more["periods"] = more.get("periods", "") or _calendar(context)
    chart, more["chart"] = find_chart(context, more.get("chart", ""))
    rules = _rules(context, chart, more)
    found = read_records(context.file(records), records, month, given)
    made = journal(month, found, rules, decimals(r.basis for r in found))
    target = context.target(book_path(output, records, OUTPUT, records, *more.values()))
    lines = target.with_name(f"{target.stem} upload.csv")
    write_made(target, sheets(made, records))
    lines.write_text(upload(made), "utf-8", newline="")
    sources = {"records": records, **{name: path for name, path in more.items() if path}}
    data = {"period": str(month), "columns": given, "limit": f"{rules.limit:f}"}
    title = f"Journal entries of {month}"
    delivered = tuple(
        Deliverable(path=context.name_of(file), title=title, role=role, sources=sources, data=data)
        for file, role in ((target, "journal"), (lines, "journal_upload"))
    )
    return ToolAnswer(result=_report(made, *(d.path for d in delivered)), deliverables=delivered)


def _rules(context: ToolContext, chart: Chart, more: dict[str, str]) -> Rules:
    """Return what the entries are held against. Raises ToolInputError if a file cannot be used."""
    periods, earlier = more["periods"], more.get("earlier", "")
    return Rules(
        chart=chart,
        open_months=read_periods(context.file(periods), periods) if periods else None,
        limit=_limit(context),
        earlier=read_earlier(context.file(earlier), earlier, {}) if earlier else (),
    )


def _calendar(context: ToolContext) -> str:
    known = [
        path
        for path in find_files(context.workspace, TABLES)
        if Path(path).stem.lower().replace("_", " ").replace("-", " ") in CALENDARS
    ]
    return known[0] if len(known) == 1 else ""


def _limit(context: ToolContext) -> Decimal:
    setting = context.config.get("journal_approval_limit", 0)
    try:
        limit = Decimal(str(setting))
    except InvalidOperation as problem:
        raise ToolInputError(f"journal_approval_limit is {setting!r}; give a number.") from problem
    if not limit.is_finite() or limit < 0:
        raise ToolInputError(f"journal_approval_limit is {setting}; give 0 or more.")
    return limit


def _report(made: Journal, path: str, lines: str) -> dict[str, Any]:
    entries = [
        {
            "entry": name,
            "date": own[0].day.isoformat(),
            "debits": f"{sum((line.debit for line in own), Decimal()):f}",
            "lines": len(own),
            "approval": made.states[name],
            "reversal_of": own[0].reversal_of,
            "text": made.records[own[0].record].text,
        }
        for name, own in made.entries().items()
    ]
    notes = []
    if made.rules.open_months is None:
        notes.append("No calendar of periods was given: whether the month is open was not checked.")
    if not made.rules.earlier:
        notes.append("No earlier journal was given: postings made before were not looked for.")
    if made.idle:
        rows = ", ".join(map(str, made.idle[:SHOWN]))
        notes.append(f"Rows that give nothing in {made.period}: {rows}.")
    return {
        "path": path,
        "upload": lines,
        "period": str(made.period),
        "entries": entries[:SHOWN],
        "entry_count": len(entries),
        "entry_list": "\n".join(map(_line, entries[:SHOWN])),
        "debits": f"{sum((line.debit for line in made.lines), Decimal()):,f}",
        "unapproved": sum(e["approval"] == "needs an approver" for e in entries),
        "chart": made.rules.chart.name,
        "idle": list(made.idle[:SHOWN]),
        "notes": "\n".join(notes) or "The month is open, and no posting was made before.",
    }


def _line(entry: dict[str, Any]) -> str:
    again = f", reverses {entry['reversal_of']}" if entry["reversal_of"] else ""
    what = f"{entry['text']}, " if entry["text"] else ""
    return f"{entry['entry']}, {entry['date']}: {what}{entry['debits']}{again}, {entry['approval']}"
