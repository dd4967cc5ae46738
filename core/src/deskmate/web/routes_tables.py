"""Routes of tables over many documents: the list, a window of rows, the evidence of a row, and taking it along."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import anyio.to_thread
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from deskmate.types.tables import Cell, Row, TableSummary
from deskmate.web import contract_tables as page
from deskmate.web.bodies import answer
from deskmate.web.desk import Desk

if TYPE_CHECKING:
    from deskmate.host.tables import Tables

ROWS_AT_ONCE = 100
EXPORTS = {"xlsx", "csv", "json"}
_CHUNK = 1 << 18


class TableRoutes:
    """Tables as they are looked at while they grow, wherever they were begun."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return the routes."""
        one = "/api/tables/{table}"
        return [
            Route("/api/tables", self.listing, methods=["GET"]),
            Route(one, self.window, methods=["GET"]),
            Route(f"{one}/rows/{{number}}", self.evidence, methods=["GET"]),
            Route(f"{one}/export", self.export, methods=["GET"]),
        ]

    async def listing(self, request: Request) -> Response:
        """All tables."""

        def work() -> page.TableRows:
            rows = (self._row(summary) for summary in self._tables().summaries())
            return page.TableRows(rows=tuple(rows))

        return answer(await anyio.to_thread.run_sync(work))

    async def window(self, request: Request) -> Response:
        """How a table stands, and a hundred rows of it after the row `after`."""
        name, after = str(request.path_params["table"]), _number(request.query_params.get("after"))

        def work() -> page.Window:
            with self._tables().opened(name) as record:
                rows = islice(record.rows(after=after), ROWS_AT_ONCE)
                return page.Window(
                    table=self._row(record.summary()),
                    columns=tuple(
                        page.Heading(name=one.name, question=one.question, kind=one.kind)
                        for one in record.about.columns
                    ),
                    after=after,
                    lines=tuple(_line(row, record.cells(row.number)) for row in rows),
                )

        return answer(await anyio.to_thread.run_sync(work))

    async def evidence(self, request: Request) -> Response:
        """The answers of one document, each with its quote and what is wrong with it."""
        name, number = str(request.path_params["table"]), request.path_params["number"]
        if not _number(number):
            raise HTTPException(404, "There is no such row.")

        def work() -> page.Evidence:
            with self._tables().opened(name) as record:
                row = record.row(_number(number))
                cells = record.cells(row.number)
            return page.Evidence(number=row.number, path=row.path, cells=cells)

        return answer(await anyio.to_thread.run_sync(work))

    async def export(self, request: Request) -> Response:
        """The whole table as a file for the user's own programs."""
        name, kind = str(request.path_params["table"]), request.query_params.get("kind", "xlsx")
        if kind not in EXPORTS:
            raise HTTPException(404, "There is no such kind of file.")
        file = await anyio.to_thread.run_sync(self._written, name, kind)
        return StreamingResponse(
            _pieces(file),
            media_type="application/octet-stream",
            headers={"content-disposition": f'attachment; filename="{name}.{kind}"'},
            background=BackgroundTask(_remove, file),
        )

    async def row(self, name: str) -> page.TableRow:
        """Return a table as the list has it."""

        def work() -> page.TableRow:
            with self._tables().opened(name) as record:
                return self._row(record.summary())

        return await anyio.to_thread.run_sync(work)

    def _written(self, name: str, kind: str) -> Path:
        from deskmate.tables.export import export_table  # noqa: PLC0415

        with self._tables().opened(name) as record:
            folder = Path(tempfile.mkdtemp(prefix="deskmate-table-"))
            target = folder / f"table.{kind}"
            try:
                export_table(record, target)
            except BaseException:
                _remove(target)
                raise
            return target

    def _tables(self) -> Tables:
        from deskmate.host.tables import Tables  # noqa: PLC0415

        return Tables(self._desk.places)

    def _row(self, summary: TableSummary) -> page.TableRow:
        from deskmate.store.lock import is_locked  # noqa: PLC0415
        from deskmate.tables.record import LOCK  # noqa: PLC0415

        about, spent, work = summary.about, summary.spent, self._desk.tables
        here = work is not None and work.is_at_work(about.id)
        problem = work.problem(about.id) if work is not None else None
        return page.TableRow(
            id=about.id,
            question=about.question,
            made=about.made,
            model=about.model,
            batch=about.batch,
            rows=summary.rows,
            done=summary.rows_done,
            cells=summary.cells,
            cost_usd=spent.answered_usd + spent.unanswered_usd,
            budget_usd=about.budget_usd,
            calls=spent.calls + spent.unanswered_calls,
            working=here or is_locked(self._desk.places.tables / about.id / LOCK),
            here=here,
            doing=work.doing(about.id) if work is not None else "",
            problem=f"{problem.message} {problem.hint}".strip() if problem else "",
        )


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while piece := stream.read(_CHUNK):
            yield piece


def _remove(file: Path) -> None:
    file.unlink(missing_ok=True)
    file.parent.rmdir()


def _number(text: str | None) -> int:
    """Return a row's number, 0 for what is none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0


def _line(row: Row, cells: tuple[Cell, ...]) -> page.Line:
    return page.Line(
        number=row.number,
        document=PurePath(row.path).name,
        state=row.state,
        cells=tuple(
            page.Brief(status=cell.status, value=cell.value, unit=cell.unit) for cell in cells
        ),
    )
