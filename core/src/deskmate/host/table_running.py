"""Tables that are worked on in this process whoever looks on: planned, begun, stopped, and taken up again.

One after the other: the engine of a process is one.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import anyio
import anyio.abc
import anyio.to_thread

from deskmate.errors import DeskmateError, UserError
from deskmate.host.running import Problem
from deskmate.host.tables import Plan, TableOrder, Tables
from deskmate.types.progress import Counted
from deskmate.types.tables import CellStatus

LOG = logging.getLogger("deskmate")
PLANS = 20
"""Planned tables that wait for the user's word; older ones are planned again."""
WAITS = "waits until another table is done"


class TablesAtWork:
    """What is at work on tables here, with how far each is and why one broke off."""

    def __init__(self, tables: Tables, tasks: anyio.abc.TaskGroup) -> None:
        """`tasks`: where the work goes on."""
        self._tables, self._tasks = tables, tasks
        self._plans: dict[str, Plan] = {}
        self._scopes: dict[str, anyio.CancelScope] = {}
        self._lines: dict[str, str] = {}
        self._problems: dict[str, Problem] = {}
        self._turn = anyio.Lock()

    async def plan(self, order: TableOrder) -> Plan:
        """Return what a table would be and cost; it is kept until `begin_planned`. Raises as `Tables.plan`."""
        plan = await self._tables.plan(order, lambda line: None)
        self._plans[plan.about.id] = plan
        for old in list(self._plans)[:-PLANS]:
            del self._plans[old]
        return plan

    async def begin_planned(self, plan: str) -> str:
        """Make the table that was planned, as it was shown, and begin to work on it; return its id. Raises UserError."""
        found = self._plans.pop(plan, None)
        if found is None:
            raise UserError(
                "What this table would cost is not known any more.", hint="Look at it again."
            )
        table = await anyio.to_thread.run_sync(self._tables.make, found)
        self._begin(table)
        return table

    async def go_on(
        self,
        table: str,
        *,
        statuses: Sequence[CellStatus] = (),
        cells: Sequence[str] = (),
        budget_usd: float | None = None,
        now: bool = False,
    ) -> None:
        """Work on a table again. `statuses`, `cells`: answered anew, as `Tables.reopen` has them.

        `now`: no more in batches. Raises UserError.
        """
        self._check_free(table)

        def prepare() -> None:
            if budget_usd is not None:
                self._tables.set_budget(table, budget_usd)
            if statuses or cells:
                self._tables.reopen(table, statuses, cells)
            with self._tables.opened(table):
                """Raises where there is none."""

        await anyio.to_thread.run_sync(prepare)
        self._begin(table, now=now)

    def stop(self, table: str) -> None:
        """Stop the work on a table; what is answered stays. Raises UserError if none goes on here."""
        scope = self._scopes.get(table)
        if scope is None:
            raise UserError(
                "Nothing is at work on this table here.",
                hint="Where a terminal works on it, end it there with Ctrl-C.",
            )
        scope.cancel()

    def is_at_work(self, table: str) -> bool:
        """Say whether this process works on a table, or will."""
        return table in self._scopes

    def doing(self, table: str) -> str:
        """Return how far the work is in one line, empty where none goes on."""
        return self._lines.get(table, "")

    def problem(self, table: str) -> Problem | None:
        """Return why the last work on a table in this process broke off."""
        return self._problems.get(table)

    def _check_free(self, table: str) -> None:
        if table in self._scopes:
            raise UserError("This table is at work.", hint="Wait until it is done, or stop it.")

    def _begin(self, table: str, *, now: bool = False) -> None:
        self._check_free(table)
        self._scopes[table] = anyio.CancelScope()
        self._lines[table] = WAITS if self._turn.locked() else ""
        self._problems.pop(table, None)
        self._tasks.start_soon(self._carry_out, table, now)

    async def _carry_out(self, table: str, now: bool) -> None:
        def told(line: str) -> None:
            pace = line.note if isinstance(line, Counted) else ""
            self._lines[table] = pace or str(line)

        try:
            with self._scopes[table]:
                async with self._turn:
                    await self._tables.work(table, told, now=now)
        except DeskmateError as error:
            self._problems[table] = Problem(message=error.message, hint=error.hint)
        except OSError as error:
            name = f"{error.filename}: " if error.filename else ""
            self._problems[table] = Problem(message=f"{name}{error.strerror or error}.")
        except Exception:  # one table's defect must not end the others
            LOG.exception("The work on the table %s broke off.", table)
            self._problems[table] = Problem(
                message="The work broke off through a fault in Deskmate itself.",
                hint="What is answered is safe; the terminal that serves this page says more.",
            )
        finally:
            self._scopes.pop(table, None)
            self._lines.pop(table, None)
