"""A connector on its way, for a front door that can be closed meanwhile: asked, logged in to, shown, and accepted or not.

One at a time; what was shown is what is accepted. Nothing is kept of one that was not accepted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import anyio
import anyio.abc
import anyio.to_thread

from deskmate.errors import DeskmateError, UserError
from deskmate.host.connector_making import (
    ProgramOptions,
    accepted,
    bounds_of,
    check_free,
    fetched_program,
    forget_program,
    forget_secrets,
)
from deskmate.types.connectors import ConnectorEntry
from deskmate.types.places import Places

if TYPE_CHECKING:
    from deskmate.connectors.egress.outside import Outside
    from deskmate.connectors.pins import Listing

Step = Literal["fetching", "fetched", "asking", "login wanted", "login", "shown", "done", "failed"]
"""`fetched`: a program lies here and may be started; `shown`: its tools wait for the user's word."""
Kind = Literal["add", "login", "review"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be connected. `secrets`: name → value, for headers and variables of it. `program`: None for an address."""

    entry: ConnectorEntry
    secrets: Mapping[str, str] = field(default_factory=dict)
    program: ProgramOptions | None = None
    arguments: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Going:
    """How it stands. `login`: the address to log in at, which was checked. `found`, `listing`: what its server offers."""

    kind: Kind
    entry: ConnectorEntry
    step: Step
    line: str = ""
    login: str = ""
    problem: str = ""
    hint: str = ""
    found: ConnectorEntry | None = None
    listing: Listing | None = None
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)


Guard = Callable[[Callable[[], Awaitable[None]]], Coroutine[Any, Any, None]]


async def _unguarded(work: Callable[[], Awaitable[None]]) -> None:
    await work()


class Connecting:
    """The one connector that is being added, logged in to or looked at anew."""

    def __init__(
        self,
        places: Places,
        tasks: anyio.abc.TaskGroup,
        outside: Outside | None = None,
        guard: Guard = _unguarded,
    ) -> None:
        """`tasks`: where it goes on. `outside`: the network, for tests. `guard`: what a defect is caught by, so that the rest goes on."""
        self._places, self._tasks, self._outside, self._guard = places, tasks, outside, guard
        self._now: Going | None = None

    @property
    def now(self) -> Going | None:
        """How it stands; None: nothing is on its way."""
        return self._now

    async def add(self, wish: Wish) -> None:
        """Begin to connect a server: fetch its program, or ask it for its tools. Raises UserError."""
        self._check_free()
        await anyio.to_thread.run_sync(self._prepare, wish)
        self._check_free()
        if wish.program is None:
            going = self._now = Going(kind="add", entry=wish.entry, step="asking")
            self._begin(going, lambda: self._look(going))
        else:
            going = self._now = Going(kind="add", entry=wish.entry, step="fetching")
            self._begin(going, lambda: self._fetch(going, wish))

    async def again(self, name: str, kind: Literal["login", "review"]) -> None:
        """Log in to a connector that is there, or look at what its server offers now. Raises UserError."""
        self._check_free()
        entry = await anyio.to_thread.run_sync(self._book_get, name)
        going = self._now = Going(kind=kind, entry=entry, step="asking")
        work = self._log_in if kind == "login" else self._look
        self._begin(going, lambda: work(going))

    def go_on(self) -> None:
        """Start the program that was fetched, or log in where that is wanted. Raises UserError."""
        going = self._now
        if going is None or going.step not in ("fetched", "login wanted"):
            raise UserError("Nothing waits for that.", hint="Look at the page again.")
        work = self._look if going.step == "fetched" else self._log_in
        going.step = "asking"
        self._begin(going, lambda: work(going))

    async def accept(self) -> None:
        """Keep the connector with the tools that were shown. Raises UserError."""
        going = self._now
        if going is None or going.step != "shown" or not going.found or not going.listing:
            raise UserError("Nothing waits to be accepted.", hint="Look at the page again.")
        from deskmate.connectors.book import Book  # noqa: PLC0415

        if going.kind == "add":
            await anyio.to_thread.run_sync(check_free, self._places, going.entry.name)
        kept = accepted(going.entry, going.found, going.listing)
        await anyio.to_thread.run_sync(Book(self._places.config).save, kept)
        self._now = None

    async def cancel(self) -> None:
        """Give it up; of a connector that was not there before nothing is kept."""
        going, self._now = self._now, None
        if going is None:
            return
        going.scope.cancel()
        if going.kind == "add":
            await anyio.to_thread.run_sync(self._clear, going.entry.name)

    def _check_free(self) -> None:
        going = self._now
        if going is not None and going.step not in ("done", "failed"):
            raise UserError(
                f"{going.entry.name} is on its way.", hint="Finish that first, or give it up."
            )

    def _prepare(self, wish: Wish) -> None:
        """Check what can be checked here, and put the secrets away. Raises UserError."""
        from deskmate.connectors.vault import open_vault  # noqa: PLC0415
        from deskmate.connectors.way import parse_server  # noqa: PLC0415

        entry, vault = wish.entry, open_vault(self._places.config)
        check_free(self._places, entry.name)
        wanted = [header.secret for header in entry.headers]
        if wish.program is None:
            parse_server(entry.url)
        else:
            wanted += [secret.name for secret in bounds_of(wish.program).secrets]
        for name in wanted:
            if not wish.secrets.get(name) and vault.get(entry.owner, name) is None:
                raise UserError(
                    f"The value of {name} is missing.", hint="Write it beside its name."
                )
        for name in wanted:
            if value := wish.secrets.get(name):
                vault.set(entry.owner, name, value.strip())

    def _clear(self, name: str) -> None:
        from deskmate.connectors.book import Book  # noqa: PLC0415

        if Book(self._places.config).find(name) is None:
            forget_secrets(self._places, name)
            forget_program(self._places, name)

    def _book_get(self, name: str) -> ConnectorEntry:
        from deskmate.connectors.book import Book  # noqa: PLC0415

        return Book(self._places.config).get(name)

    def _begin(self, going: Going, work: Callable[[], Awaitable[None]]) -> None:
        going.scope = anyio.CancelScope()
        self._tasks.start_soon(self._guard, partial(self._carry_out, going, work))

    async def _carry_out(self, going: Going, work: Callable[[], Awaitable[None]]) -> None:
        from deskmate.host.connecting import LoginWanted  # noqa: PLC0415

        going.problem = "It broke off through a fault in Deskmate itself."
        going.hint = "The terminal that serves this page says more."
        try:
            with going.scope:
                await work()
            going.problem = going.hint = ""
        except LoginWanted:
            going.step, going.problem, going.hint = "login wanted", "", ""
        except DeskmateError as error:
            going.problem, going.hint = error.message, error.hint
        except OSError as error:
            going.problem, going.hint = error.strerror or str(error), ""
        finally:
            await self._settle(going)

    async def _settle(self, going: Going) -> None:
        """Say how it ended; what was kept for one that failed goes."""
        going.line = going.login = ""
        if not going.problem:
            return
        if going.kind == "add" and self._now is going:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._clear, going.entry.name)
        going.step = "failed"

    async def _fetch(self, going: Going, wish: Wish) -> None:
        assert wish.program is not None
        options = wish.program

        def told(line: str) -> None:
            going.line = str(line)

        def work() -> ConnectorEntry:
            known = bounds_of(options)
            url, program = fetched_program(
                self._places, wish.entry.name, options, wish.arguments, told
            )
            bounded = replace(
                program, hosts=known.hosts, secrets=known.secrets, environment=known.environment
            )
            return replace(wish.entry, url=url, transport="stdio", program=bounded)

        going.entry = await anyio.to_thread.run_sync(work)
        going.step = "fetched"

    async def _look(self, going: Going) -> None:
        from deskmate.host.connecting import look_at  # noqa: PLC0415

        found = await look_at(self._places, going.entry, self._outside)
        await self._show(going, *found)

    async def _log_in(self, going: Going) -> None:
        from deskmate.host.connecting import log_in  # noqa: PLC0415

        def show(address: str) -> None:
            going.login, going.step = address, "login"

        found = await log_in(self._places, going.entry, show, outside=self._outside)
        going.login = ""
        await self._show(going, *found)

    async def _show(self, going: Going, found: ConnectorEntry, listing: Listing) -> None:
        from deskmate.connectors.book import Book  # noqa: PLC0415
        from deskmate.connectors.pins import drift  # noqa: PLC0415

        going.found, going.listing = found, listing
        if going.kind == "add":
            going.step = "shown"
            return
        # what changed is off from now on, whatever the user says to it
        off = drift(going.entry.tools, listing.tools).off()
        kept = replace(
            found,
            tools=going.entry.tools,
            settings=going.entry.settings,
            off={**going.entry.off, **off},
        )
        await anyio.to_thread.run_sync(Book(self._places.config).save, kept)
        going.step = "shown" if kept.off or drift(going.entry.tools, listing.tools) else "done"
