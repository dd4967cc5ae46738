"""Routes of tables that are made here: the documents of a folder, what a table would cost, and the work on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from glob import escape
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deskmate.errors import UserError
from deskmate.web import contract_tables as page
from deskmate.web.bodies import FLAG, PATHS, WORD, answer, closed, read_body
from deskmate.web.desk import Desk
from deskmate.web.routes_tables import TableRoutes
from deskmate.web.routes_threads import BUDGET, absolute

if TYPE_CHECKING:
    from deskmate.host.table_running import TablesAtWork
    from deskmate.host.tables import TableOrder

READABLE = frozenset(
    {".pdf", ".docx", ".docm", ".dotx", ".txt", ".text", ".md", ".markdown", ".rst"}
    | {".xlsx", ".xlsm", ".csv", ".tsv", ".pptx", ".pptm", ".eml"}
)
"""What the guest's tools read as text; other kinds would be rows that failed."""
DOCUMENTS_SHOWN = 5_000
_DEEP = 20
PLAN = closed(
    ("question", "folder", "names", "columns"),
    question={**WORD, "minLength": 1},
    folder=WORD,
    names={**PATHS, "minItems": 1},
    columns={"type": "array", "minItems": 1},
    model=WORD,
    budget_usd=BUDGET,
    batch=FLAG,
)
BEGIN = closed(("plan",), plan=WORD)
GO_ON = closed(
    statuses={
        "type": "array",
        "items": {"enum": ["quoted", "not_found", "disputed", "failed"]},
        "maxItems": 4,
    },
    cells={"type": "array", "items": WORD, "maxItems": 1_000},
    budget_usd={"type": "number", "exclusiveMinimum": 0, "maximum": 100_000},
    now=FLAG,
)
EMPTY = closed()


class TableMakingRoutes:
    """Nothing is spent before the user has seen what it is at most; what was shown is what begins."""

    def __init__(self, desk: Desk, tables: TableRoutes) -> None:
        self._desk, self._tables = desk, tables

    def routes(self) -> list[Route]:
        """Return the routes."""
        one = "/api/tables/{table}"
        return [
            Route("/api/documents", self.documents, methods=["GET"]),
            Route("/api/tables/plan", self.plan, methods=["POST"]),
            Route("/api/tables", self.begin, methods=["POST"]),
            Route(f"{one}/resume", self.resume, methods=["POST"]),
            Route(f"{one}/stop", self.stop, methods=["POST"]),
        ]

    async def documents(self, request: Request) -> Response:
        """The documents of a folder, with `below` also those of the folders in it."""
        asked = request.query_params
        folder = absolute(asked.get("folder", ""))
        return answer(await anyio.to_thread.run_sync(_documents, folder, asked.get("below") == "1"))

    async def plan(self, request: Request) -> Response:
        """What a table would be and cost; some of the documents are read for that, and nothing is spent."""
        body = await read_body(request, PLAN)
        plan = await self._work.plan(_order(body))
        about = plan.about
        return answer(
            page.Priced(
                id=about.id,
                rows=len(plan.paths),
                columns=len(about.columns),
                model=about.model,
                batch=about.batch,
                sampled=plan.sampled,
                estimate_usd=plan.estimate_usd,
                budget_usd=plan.budget_usd,
                unreadable={Path(path).name: why for path, why in plan.unreadable.items()},
            )
        )

    async def begin(self, request: Request) -> Response:
        """Make a table that was planned, and begin to work on it."""
        body = await read_body(request, BEGIN)
        table = await self._work.begin_planned(body["plan"])
        return answer(await self._tables.row(table), 201)

    async def resume(self, request: Request) -> Response:
        """Go on with a table, or answer some of its cells again."""
        body, table = await read_body(request, GO_ON), str(request.path_params["table"])
        await self._work.go_on(
            table,
            statuses=body.get("statuses", ()),
            cells=body.get("cells", ()),
            budget_usd=body.get("budget_usd"),
            now=body.get("now", False),
        )
        return answer(await self._tables.row(table), 202)

    async def stop(self, request: Request) -> Response:
        """Stop the work on a table; what is answered stays."""
        await read_body(request, EMPTY)
        table = str(request.path_params["table"])
        self._work.stop(table)
        return answer(await self._tables.row(table))

    @property
    def _work(self) -> TablesAtWork:
        assert self._desk.tables is not None, "the desk is open while the server runs"
        return self._desk.tables


def _order(body: dict[str, Any]) -> TableOrder:
    from deskmate.host.tables import TableOrder  # noqa: PLC0415
    from deskmate.tables.order import columns_of  # noqa: PLC0415

    folder = absolute(body["folder"])
    over = []
    for name in body["names"]:
        parts = PurePosixPath(name).parts
        if not parts or "\0" in name or name.startswith("/") or ".." in parts:
            raise UserError(f"{name!r} is no file below {folder}.", hint="Choose it again.")
        over.append(escape(str(folder / name)))
    return TableOrder(
        question=" ".join(body["question"].split()),
        over=tuple(over),
        columns=columns_of({"columns": body["columns"]}, "The questions"),
        model=body.get("model") or None,
        budget_usd=body.get("budget_usd"),
        batch=body.get("batch", False),
    )


def _documents(folder: Path, below: bool) -> page.Documents:
    """Return what of a folder a table can read. Raises UserError if it cannot be looked into."""
    found: list[page.Document] = []
    others = 0
    for path, entry in _files(folder, "", _DEEP if below else 0):
        if PurePosixPath(path).suffix.lower() not in READABLE:
            others += 1
        elif len(found) == DOCUMENTS_SHOWN:
            return page.Documents(folder=str(folder), files=tuple(found), others=others, cut=True)
        else:
            found.append(page.Document(name=path, size=entry.stat().st_size))
    found.sort(key=lambda one: one.name.casefold())
    return page.Documents(folder=str(folder), files=tuple(found), others=others, cut=False)


def _files(folder: Path, above: str, deep: int) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield path below the first folder and entry of each file that is not hidden; links to folders are not followed."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        if above:  # one folder that may not be read is no reason to show none
            return
        raise UserError(f"{folder} cannot be looked into: {error.strerror}.") from error
    for entry in entries:
        if entry.name.startswith("."):
            continue
        path = f"{above}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            if deep:
                yield from _files(Path(entry.path), f"{path}/", deep - 1)
        elif entry.is_file():
            yield path, entry
