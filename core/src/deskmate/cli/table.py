"""`deskmate table`: one set of questions over many documents."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import click

from deskmate.cli.output import (
    Session,
    is_live,
    json_option,
    one_line,
    report_interrupt,
    say,
    say_json,
    shown_progress,
)
from deskmate.cli.pool import pool_options
from deskmate.cli.run import EXIT_CODES, until_interrupted
from deskmate.errors import LimitExceeded, UserError
from deskmate.types.progress import Counted

if TYPE_CHECKING:
    from deskmate.host.tables import Plan, Tables
    from deskmate.ports import Progress
    from deskmate.types.tables import CellStatus, TableSummary

_POOL = "deskmate.pool"
_RETRY = ("disputed", "failed", "not_found", "quoted")
_EVERY_S = 10.0
"""How often a line of progress is written where there is no terminal to write over."""


@click.group("table")
@pool_options
@click.pass_context
def command(context: click.Context, engine: str | None, store: Path | None) -> None:
    """Ask the same questions of many documents: a row a document, a column a question, evidence for each cell.

    With --engine and --store, before the command's name, the tables are those of a pool, and its workers answer them.
    """
    context.meta[_POOL] = (engine, store)


def tables(session: Session) -> Tables:
    """Return the user's tables, or those of the pool that was named."""
    from deskmate.host.fleet.status import place_of  # noqa: PLC0415 - the help must stay light
    from deskmate.host.fleet.tables import PoolTables  # noqa: PLC0415
    from deskmate.host.tables import Tables  # noqa: PLC0415

    place = place_of(*click.get_current_context().meta.get(_POOL, (None, None)))
    return Tables(session.places) if place is None else PoolTables(session.places, place)


@command.command("run", short_help="Make a table and work on it.")
@click.argument("question")
@click.option(
    "--over",
    "over",
    multiple=True,
    required=True,
    metavar="PATTERN",
    help="Documents, such as 'contracts/*.pdf'; may be repeated.",
)
@click.option(
    "--columns",
    "columns",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The questions: a TOML file, see docs/reference/table-columns.md.",
)
@click.option(
    "--model", "-m", help="sonnet, opus, offline, local:NAME, replay:FILE; see `model list`."
)
@click.option(
    "--budget",
    type=click.FloatRange(min=0),
    metavar="USD",
    help="What all calls may cost; without it: the estimate.",
)
@click.option(
    "--batch", is_flag=True, help="Half the price, answered within a day; the table waits for it."
)
@click.option("--yes", is_flag=True, help="Do not ask before money is spent.")
@click.option(
    "--slots",
    default=2,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Documents at once, each in a virtual machine of its own.",
)
@json_option
@click.pass_obj
def run_command(  # noqa: PLR0913 - one parameter an option, as click wants it
    session: Session,
    question: str,
    over: tuple[str, ...],
    columns: Path,
    model: str | None,
    budget: float | None,
    batch: bool,
    yes: bool,
    slots: int,
    as_json: bool,
) -> int:
    """Make a table over documents: QUESTION says in plain words what it is about.

    \b
    deskmate table run "Key terms" --over 'contracts/*.pdf' --columns terms.toml

    The price is estimated and shown before anything is spent, and is never exceeded. Exit codes: 0 done, 1 failed,
    2 usage, 4 there are cells to look at, 5 over budget, 130 stopped by you. What stopped goes on: `table resume`.
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    from deskmate.host.tables import TableOrder  # noqa: PLC0415

    order = TableOrder(
        question=question,
        over=over,
        columns=columns,
        model=model,
        budget_usd=budget,
        batch=batch,
    )
    own = tables(session)
    with _progress(as_json=as_json) as progress:
        plan = anyio.run(own.plan, order, progress)
    _agree(plan, yes=yes)
    return _work(own, own.make(plan), slots=slots, as_json=as_json)


def _agree(plan: Plan, *, yes: bool) -> None:
    """Show what it will cost, and go on if the user says so. Raises UserError where nobody can be asked."""
    rows, width = len(plan.paths), len(plan.about.columns)
    by = "rules only, no language model" if plan.about.model == "offline" else plan.about.model
    click.echo(
        f"  {rows:,} documents × {width} columns = {rows * width:,} cells, answered by {by}",
        err=True,
    )
    for path, why in plan.unreadable.items():
        click.echo(f"  ! {one_line(Path(path).name)}: {one_line(why)}", err=True)
    if plan.estimate_usd == 0.0:
        return
    budget = plan.about.budget_usd
    if plan.estimate_usd is None:
        cost = "what it will cost is unknown: the model's price is not known or no sampled document could be read"
    else:
        cost = f"at most about ${plan.estimate_usd:.2f}, estimated from {plan.sampled} of the documents"
    if plan.about.batch:
        cost += ", sent as a batch that may take a day"
    cap = f"; it stops before it costs more than ${budget:.2f}" if budget is not None else ""
    click.echo(f"  the text of all documents goes to {by}: {cost}{cap}", err=True)
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError(
            "This costs money, and nobody can be asked.",
            hint="Agree with --yes, best with --budget USD.",
        )
    click.confirm("  Go on?", abort=True, err=True)


@command.command("resume", short_help="Go on with a table, or answer some of its cells again.")
@click.argument("table", required=False)
@click.option(
    "--retry",
    multiple=True,
    type=click.Choice(_RETRY),
    help="Answer the cells of this status again; may be repeated.",
)
@click.option(
    "--cell",
    "cells",
    multiple=True,
    metavar="ROW:COLUMN",
    help="Answer this cell again; may be repeated.",
)
@click.option("--model", "-m", help="Another model from now on.")
@click.option(
    "--now", is_flag=True, help="No more in batches: ask what is open at once, at the usual price."
)
@click.option(
    "--budget",
    type=click.FloatRange(min=0),
    metavar="USD",
    help="What all calls may cost, with what was spent.",
)
@click.option(
    "--slots", default=2, show_default=True, type=click.IntRange(1, 64), help="Documents at once."
)
@json_option
@click.pass_obj
def resume_command(  # noqa: PLR0913 - one parameter an option, as click wants it
    session: Session,
    table: str | None,
    retry: tuple[CellStatus, ...],
    cells: tuple[str, ...],
    model: str | None,
    now: bool,
    budget: float | None,
    slots: int,
    as_json: bool,
) -> int:
    """Go on with a table that was stopped, cut off or over its budget; without TABLE the newest.

    What is answered stays; nothing is asked or paid for twice.
    """
    own = tables(session)
    name = table or own.newest()
    if budget is not None:
        own.set_budget(name, budget)
    if retry or cells:
        count = own.reopen(name, retry, cells)
        click.echo(f"  {count} row(s) are answered again", err=True)
    return _work(own, name, slots=slots, model=model, now=now, as_json=as_json)


def _work(
    own: Tables,
    name: str,
    *,
    slots: int,
    model: str | None = None,
    now: bool = False,
    as_json: bool = False,
) -> int:
    """Work on a table, show how it stands, and return the exit code."""
    again = own.left(name)
    with _progress(as_json=as_json) as progress:

        async def work() -> TableSummary:
            return await own.work(name, progress, slots=slots, model=model, now=now)

        over_budget: LimitExceeded | None = None
        try:
            summary = anyio.run(until_interrupted, work)
        except LimitExceeded as error:
            over_budget = error
        except KeyboardInterrupt:
            report_interrupt(again)
            raise SystemExit(EXIT_CODES["stopped"]) from None
    if over_budget is not None:
        with own.opened(name) as record:
            summary = record.summary()
    if as_json:
        say_json(summary)
    else:
        _say_summary(summary)
    if over_budget is not None:
        click.echo(f"deskmate: {over_budget.message}\n  {over_budget.hint}", err=True)
        return EXIT_CODES["over_budget"]
    bad = sum(summary.cells.get(status, 0) for status in ("disputed", "failed", "open"))
    return EXIT_CODES["needs_you"] if bad else EXIT_CODES["done"]


def _say_summary(summary: TableSummary) -> None:
    from deskmate.cli.table_view import counts_line, money_line  # noqa: PLC0415

    say(f"table {summary.about.id}: {summary.rows_done} of {summary.rows} documents answered")
    say(f"  {counts_line(summary)}")
    if money := money_line(summary):
        say(f"  {money}")
    say(f"See it: deskmate table show {summary.about.id}")
    say(f"Take it along: deskmate table export {summary.about.id} --to table.xlsx")


@command.command("list", short_help="List tables, the newest first.")
@json_option
@click.pass_obj
def list_command(session: Session, as_json: bool) -> None:
    """List tables, the newest first."""
    from deskmate.cli.table_view import counts_line  # noqa: PLC0415

    found = tables(session).summaries()
    if as_json:
        say_json(found)
        return
    for one in found:
        head = (
            f"{one.about.id}  {one.about.made[:16].replace('T', ' ')}Z  {one.rows_done}/{one.rows}"
        )
        say(f"{head}  {one_line(one.about.question, 60)}  ({counts_line(one)})")
    if not found:
        say('There is no table yet. Begin one: deskmate table run "…" --over … --columns …')


@command.command("show", short_help="Show a table, or one row of it with its evidence.")
@click.argument("table", required=False)
@click.option(
    "--row", "row", type=click.IntRange(min=1), help="This row, with the quote of each cell."
)
@click.option(
    "--only", type=click.Choice((*_RETRY, "open")), help="Only rows with a cell of this status."
)
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 100_000), help="Rows at most."
)
@json_option
@click.pass_obj
def show_command(
    session: Session,
    table: str | None,
    row: int | None,
    only: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Show a table; without TABLE the newest."""
    from deskmate.cli.table_view import show_row, show_rows  # noqa: PLC0415

    own = tables(session)
    with own.opened(table or own.newest()) as record:
        chosen = [record.row(row)] if row else record.rows()
        shown = []
        for each in chosen:
            cells = record.cells(each.number)
            if only is None or any(cell.status == only for cell in cells):
                shown.append((each, cells))
            if len(shown) == limit:
                break
        summary = record.summary()
    if as_json:
        say_json(
            {"summary": summary, "rows": [{"row": each, "cells": cells} for each, cells in shown]}
        )
    elif row:
        show_row(*shown[0])
    else:
        show_rows(summary, shown)


@command.command("export", short_help="Write a table to a workbook, CSV or JSON file.")
@click.argument("table", required=False)
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file that ends in .xlsx, .csv or .json.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.pass_obj
def export_command(session: Session, table: str | None, target: Path, force: bool) -> None:
    """Write a table to a file; without TABLE the newest. In a workbook each cell leads to its evidence."""
    from deskmate.tables.export import export_table  # noqa: PLC0415

    if target.exists() and not force:
        raise UserError(f"{target} is there already.", hint="Give another name, or --force.")
    own = tables(session)
    with own.opened(table or own.newest()) as record:
        export_table(record, target)
    say(f"written: {target}")


@contextmanager
def _progress(*, as_json: bool) -> Iterator[Progress]:
    """Show progress: live on a terminal, else a line now and then."""
    with shown_progress(as_json=as_json) as show:
        yield show if is_live(as_json=as_json) else _now_and_then(show)


def _now_and_then(show: Callable[[str], None]) -> Callable[[str], None]:
    last = 0.0

    def line(text: str) -> None:
        nonlocal last
        if not isinstance(text, Counted):
            show(text)
            return
        now = time.monotonic()
        if now - last >= _EVERY_S or text.done == text.total:
            last = now
            note = f", {text.note}" if text.note else ""
            show(f"{text}: {text.done} of {text.total}{note}")

    return line
