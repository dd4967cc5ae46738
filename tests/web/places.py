"""What stands around threads, made for the tests of the page: a schedule with a history, a table, a connector, a project."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from openpyxl import Workbook
from tests.unit.documents.pdfs import write_pdf

from deskmate.connectors.asking import read_question
from deskmate.connectors.book import Book
from deskmate.connectors.pins import read_listing
from deskmate.host.scheduling.ordering import agreement
from deskmate.host.scheduling.times import to_text
from deskmate.store.making import create_thread
from deskmate.store.projects import Projects
from deskmate.store.schedules import Schedules
from deskmate.store.thread import open_thread
from deskmate.tables.record import FILE, TableRecord, make_table
from deskmate.types.connectors import ConnectorAsked, ConnectorEntry, Question
from deskmate.types.events import ModelReplied, RunFinished, ToolStarted, UserSaid
from deskmate.types.ids import Digest, RunId, ToolUseId
from deskmate.types.messages import ToolUse
from deskmate.types.places import Places
from deskmate.types.schedules import Due, Schedule, When
from deskmate.types.tables import Cell, Column, TableAbout

TABLE = "tb-2026-harbour"
COLUMNS = (
    Column(name="Governing law", question="Which law governs the agreement?"),
    Column(name="Notice", question="How many days of notice?", kind="number"),
    Column(name="Fee", question="What is the fee a month?", kind="money"),
)
QUOTE = "This Agreement is governed by the laws of England and Wales."
ANSWERS = (
    (Cell(column="Governing law", status="quoted", value="England and Wales", quote=QUOTE, page=7, by="rules"),
     Cell(column="Notice", status="checked", value="30", quote="thirty (30) days", page=2, by="rules"),
     Cell(column="Fee", status="checked", value="1200.00", unit="EUR", quote="EUR 1,200.00", page=3, by="rules")),
    (Cell(column="Governing law", status="disputed", value="Delaware", quote="Delaware", why="Two laws are named.", by="rules"),
     Cell(column="Notice", status="not_found", by="rules"),
     Cell(column="Fee", status="failed", why="The document has no text.")),
)  # fmt: skip


def ago(**span: float) -> str:
    """Return a moment before now."""
    return to_text(datetime.now(UTC) - timedelta(**span))


def make_schedules(places: Places) -> Schedules:
    """Make one that runs by itself with a history, and a draft whose dry run succeeded."""
    store = Schedules(places.data)
    monday = Schedule(
        id="monday-metrics-1",
        name="Monday metrics",
        when=When(kind="cron", zone="UTC", cron="0 7 * * mon"),
        text="Measure the process and write one page.",
        created=ago(days=40),
        model="offline",
        expects=("*.md",),
    )
    store.add(monday)
    # agreed to just now: nothing is due while a test looks
    store.agree(monday.id, agreement(monday, Projects(places.data)), ago())
    for days, state, why in (
        (28, "succeeded", "there and checked: out/report.md"),
        (21, "failed", "nothing that fits *.md was delivered"),
        (14, "skipped", "this computer was asleep; it is too late to catch up"),
        (7, "succeeded", "there and checked: out/report.md"),
    ):
        due = Due(
            schedule=monday.id,
            due=ago(days=days),
            trigger="time",
            state="claimed",
            thread="" if state == "skipped" else "t-aaaaaaaaaa",
            claimed=ago(days=days),
            until=ago(days=days),
        )
        store.claim(replace(due, state=state, why=why, ended=due.due))  # type: ignore[arg-type]
    draft = replace(monday, id="inbox-watch-1", name="Watch the inbox folder")
    store.add(draft)
    store.claim(
        Due(
            schedule=draft.id,
            due=ago(hours=1),
            trigger="dry run",
            state="succeeded",
            thread="t-bbbbbbbbbb",
            why="there and checked: out/report.md",
            ended=ago(hours=1),
        )
    )
    return store


def make_answers(places: Places, rows: int = 3) -> None:
    """Make a table whose first two documents are answered."""
    about = TableAbout(
        id=TABLE,
        made=ago(hours=2),
        question="What do the supplier agreements say?",
        model="offline",
        over=("*.pdf",),
        columns=COLUMNS,
    )
    paths = [f"/home/user/contracts/Supplier {number:04}.pdf" for number in range(1, rows + 1)]
    make_table(places.tables / TABLE, about, paths)
    record = TableRecord(places.tables / TABLE / FILE)
    for number, cells in enumerate(ANSWERS, 1):
        found = {cell.column: cell for cell in cells}
        assert record.finish_row(number, 1, found, Digest("d" * 64))
    record.close()


def make_connector(places: Places, url: str = "https://crm.example.com/mcp") -> ConnectorEntry:
    """Make a connector with two tools that wants a login and has none."""
    rows = (
        {
            "name": "find_customer",
            "description": "Find a customer by name.",
            "inputSchema": {"type": "object"},
            "annotations": {"readOnlyHint": True},
        },
        {
            "name": "delete_customer",
            "description": "Delete a customer for good.",
            "inputSchema": {"type": "object"},
            "annotations": {"destructiveHint": True},
        },
    )
    entry = ConnectorEntry(
        name="crm",
        url=url,
        categories=("CRM",),
        tools=read_listing("crm", rows).tools,
        off={"delete_customer": "its definition changed since you accepted it"},
        server="CRM 2.1",
        login=True,
    )
    Book(places.config).save(entry)
    return entry


QUESTION = {
    "type": "object",
    "properties": {
        "size": {"type": "string", "title": "Size", "enum": ["s", "l"], "enumNames": ["Small", "Large"]},
        "count": {"type": "integer", "title": "How many", "description": "At most ten", "default": 2},
        "gift": {"type": "boolean", "title": "A gift"},
        "extras": {"type": "array", "title": "Extras", "items": {"type": "string", "enum": ["card", "bow"]}},
    },
    "required": ["size"],
}  # fmt: skip


async def make_question(places: Places) -> str:
    """Make a thread in which a connector's server wants to know something; return its id."""
    use = ToolUse(id=ToolUseId("u-1"), name="crm__find_customer", input={"name": "Dana"})
    question = read_question("crm", "Which parcel is it?", QUESTION)
    assert isinstance(question, Question)
    thread = await create_thread(places.threads, "Order a parcel", version="1")
    async with open_thread(places.threads, thread) as store:
        await store.append(
            UserSaid(run=RunId("r-1"), text="Order it.", model="offline"),
            ModelReplied(turn=1, model="offline", content=(use,), stop_reason="tool_use"),
            ToolStarted(tool_use_id=use.id, tool=use.name, key="k-1"),
            ConnectorAsked(tool_use_id=use.id, question=question),
            RunFinished(run=RunId("r-1"), reason="needs_you", text="crm asks"),
        )
    return thread


def make_documents(folder: Path) -> None:
    """Put a large workbook and a lease of two pages into the user's folder."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Fees")
    sheet.append(["Month", "Customer", "Fee"])
    for number in range(2, 5_001):
        sheet.append([f"2026-{number:05}", f"Customer {number}", number * 1.5])
    book.create_sheet("Notes").append(["Fees are in euros."])
    book.save(folder / "Fees.xlsx")
    pages = [[(50, 500, "Lease")], [(50, 400, "The rent is due on the first of each month.")]]
    write_pdf(folder / "lease.pdf", pages)


def make_project(places: Places, folder: Path) -> None:
    """Make a project with one folder."""
    from deskmate.host.orders import grant_for

    Projects(places.data).new(
        "Harbour deal",
        instructions="Answer in English. Money is in euros.",
        grants=(grant_for(folder),),
    )
