"""A connector that is a program: it runs in a virtual machine of its own, which has nothing but what was pinned for it."""

from __future__ import annotations

import base64
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from deskmate.errors import (
    DeskmateError,
    OutcomeUnknown,
    ProtocolError,
    SandboxUnavailable,
    ToolError,
    UserError,
)
from deskmate.host.adapters import Adapters
from deskmate.host.kept import ProgramFiles, files_of, grants_of, placed
from deskmate.host.network import egress_for
from deskmate.ports import Egress, Machine, Progress, Record, SandboxSpec
from deskmate.types.connectors import ALL_KINDS, ConnectorEntry, Program
from deskmate.types.events import NetworkSet, Payload
from deskmate.types.ids import ThreadId
from deskmate.types.network import SecretGrant, Sending
from deskmate.types.places import Places

if TYPE_CHECKING:
    from deskmate.connectors.pins import Listing
    from deskmate.protocol.piped import ProgramPipe
    from deskmate.protocol.remote import RemoteServer

START_S = 60.0
HANDSHAKE_S = 180.0
"""How long a program may take over its first answers: it loads then, perhaps without hardware acceleration."""
EXCHANGE_S = 60.0


class _Unasked:
    """The user named the hosts when they added the connector, and each call is a question or a standing word of theirs."""

    def asks(self, method: str, *, trusted: bool) -> bool:
        return False

    def place_of(self, address: str) -> str:
        return ""

    async def permit(self, sending: Sending) -> None:
        return None


def _quiet(line: str) -> None:
    """Drop progress."""


async def _no_record(payload: Payload) -> None:
    return None


@asynccontextmanager
async def connected_program(
    entry: ConnectorEntry,
    adapters: Adapters,
    record: Record = _no_record,
    progress: Progress = _quiet,
) -> AsyncIterator[RemoteServer]:
    """Yield a connection to a connector's program, started in a new virtual machine that ends with the block.

    Raises ToolError where none comes about, saying why, with the program's own last words.
    """
    from deskmate.protocol.piped import ProgramPipe  # noqa: PLC0415
    from deskmate.protocol.remote import connect_remote  # noqa: PLC0415
    from deskmate.protocol.sdk import line_transport  # noqa: PLC0415

    program = entry.program
    assert program is not None
    adapters.know_program(entry)
    egress = await anyio.to_thread.run_sync(_egress, entry, program, adapters, record)
    spec = SandboxSpec(
        thread=ThreadId(f"c-{entry.name}"),
        plugins=(entry.plugin,),
        grants=grants_of(program),
        egress=egress,
    )
    progress(f"{entry.name}: starting its program in a virtual machine of its own")
    async with AsyncExitStack() as stack:
        files = stack.enter_context(files_of(adapters.places, entry))
        try:
            machine = await stack.enter_async_context(adapters.sandbox().open(spec, progress))
            if files is not None:
                await files.lay(machine, adapters, progress)
            relay = _Relay(machine, entry.plugin)
            await relay.start(program)
        except ToolError:
            raise
        except DeskmateError as error:
            hint = f" {error.hint}" if error.hint else ""
            raise ToolError(f"it has no virtual machine: {error.message}{hint}") from error
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            raise ToolError(
                f"it has no virtual machine: {error.strerror}{where}; try again"
            ) from error
        pipe = ProgramPipe(relay.exchange)
        try:
            async with connect_remote(
                line_transport(pipe),
                timeout_s=max(float(entry.timeout_s), HANDSHAKE_S),
                connect_s=HANDSHAKE_S,
            ) as server:
                server.said = pipe.said
                server.stderr = lambda: pipe.stderr
                if files is not None:
                    server.settle = partial(_keep, files, machine)
                yield server
        except ToolError as error:
            raise _with_words(error, pipe) from error


async def _keep(files: ProgramFiles, machine: Machine) -> None:
    """Keep what a call left, before its answer counts. Raises ToolError."""
    try:
        await files.keep(machine)
    except (SandboxUnavailable, ProtocolError, OSError) as error:
        raise ToolError(
            f"the call was done, but what it left could not be kept: {error}"
        ) from error


def _with_words(error: ToolError, pipe: ProgramPipe) -> ToolError:
    """Return the error with what the program said at its end, or else last."""
    words = pipe.said() or _last_words(pipe.stderr)
    return ToolError(f"{error.message}: {words}" if words else error.message)


def _last_words(stderr: str) -> str:
    from deskmate.shown import one_line  # noqa: PLC0415

    last = one_line(stderr.strip().rpartition("\n")[2], 400)
    return f"it said last: {last}" if last else ""


class _Relay:
    """The calls of one machine that reach its program."""

    def __init__(self, machine: Machine, plugin: str) -> None:
        self._machine, self._plugin = machine, plugin
        self._numbers = itertools.count(1)

    async def start(self, program: Program) -> None:
        """Start the program. Raises ToolError, SandboxUnavailable, ProtocolError."""
        arguments = {
            "command": list(placed(program.command)),
            "environment": {
                name: placed((value,))[0] for name, value in program.environment.items()
            },
        }
        await self._call("start", arguments, START_S)

    async def exchange(self, data: bytes, wait_s: float) -> str:
        """Pass bytes on and return the relay's answer. Raises ToolError, SandboxUnavailable, ProtocolError."""
        arguments = {"data": base64.b64encode(data).decode(), "wait_s": wait_s}
        return await self._call("exchange", arguments, EXCHANGE_S)

    async def _call(self, tool: str, arguments: Mapping[str, object], timeout_s: float) -> str:
        outcome = await self._machine.call(
            f"{self._plugin}__{tool}",
            arguments,
            key=f"{tool}-{next(self._numbers)}",
            timeout_s=timeout_s,
            on_progress=_quiet,
        )
        if outcome.is_error:
            raise ToolError(outcome.text)
        return outcome.text


def _egress(
    entry: ConnectorEntry, program: Program, adapters: Adapters, record: Record
) -> Egress | None:
    """Return the way out of the program's machine, None where it has none. Blocks. Raises ToolError, UserError."""
    if not program.hosts:
        return None
    adapters.organisation().check_hosts(program.hosts)
    vault = adapters.vault()
    values: dict[tuple[str, str], str] = {}
    for secret in program.secrets:
        value = vault.get(entry.owner, secret.name)
        if value is None:
            raise ToolError(
                f"its secret is missing: deskmate secret set {entry.owner} {secret.name}"
            )
        values[entry.plugin, secret.name] = value
    network = NetworkSet(
        rules=program.hosts,
        secrets=tuple(
            SecretGrant(plugin=entry.plugin, name=secret.name, send_to=secret.send_to)
            for secret in program.secrets
        ),
    )
    make = egress_for(network, adapters.outside(), values, models=adapters.model_hosts())
    return make(record, _Unasked()) if make is not None else None


async def look_at_program(
    places: Places, entry: ConnectorEntry, adapters: Adapters | None = None
) -> tuple[ConnectorEntry, Listing]:
    """Start a connector's program and ask it what it offers, as `look_at` does of a server. Raises UserError."""
    from deskmate.connectors.pins import read_offered  # noqa: PLC0415

    adapters = adapters or Adapters(places)
    try:
        async with connected_program(entry, adapters) as server:
            offered = await server.offered(ALL_KINDS if "resource" in entry.kinds else None)
            named = replace(entry, server=server.name, protocol=server.protocol)
            stderr = server.stderr()
    except (ToolError, ProtocolError, OutcomeUnknown) as error:
        raise UserError(
            f"{entry.name} cannot be used: {error.message}.", hint=f"Its package: {entry.url}"
        ) from error
    return named, replace(read_offered(entry.name, offered), stderr=stderr)
