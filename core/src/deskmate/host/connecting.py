"""One connection to a connector's server: secrets from the vault, a login where it wants one, and what failed in words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from deskmate.errors import OutcomeUnknown, ProtocolError, ToolError, UserError
from deskmate.ports import Record
from deskmate.types.connectors import ALL_KINDS, ConnectorEntry
from deskmate.types.events import Payload
from deskmate.types.places import Places

if TYPE_CHECKING:
    import httpx2

    from deskmate.connectors.egress.outside import Outside
    from deskmate.connectors.http import Traffic
    from deskmate.connectors.logins import Logins
    from deskmate.connectors.pins import Listing
    from deskmate.connectors.vault import Vault
    from deskmate.protocol.device_flow import DeviceCode
    from deskmate.protocol.oauth import Login, Person
    from deskmate.protocol.remote import RemoteServer

LOGIN_S = 600.0
"""How long a login in the browser may take."""


class LoginWanted(ToolError):
    """A server answers nobody whom it does not know, and nothing was tried yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What connecting needs of this machine."""

    outside: Outside
    vault: Vault
    logins: Logins


def means_of(places: Places, outside: Outside | None = None, *, to_read: bool = False) -> Means:
    """Return what connecting needs. Blocks. `to_read`: nothing will be kept."""
    from deskmate.connectors.egress.outside import internet  # noqa: PLC0415
    from deskmate.connectors.logins import Logins  # noqa: PLC0415
    from deskmate.connectors.vault import open_vault  # noqa: PLC0415

    vault = open_vault(places.config, to_read=to_read)
    return Means(outside=outside or internet(), vault=vault, logins=Logins(places.config, vault))


async def _no_record(payload: Payload) -> None:
    return None


@asynccontextmanager
async def connected(
    entry: ConnectorEntry, means: Means, record: Record = _no_record, person: Person | None = None
) -> AsyncIterator[RemoteServer]:
    """Yield a connection to a connector's server. `person`: who can log in; None: nobody is there.

    Raises ToolError where none comes about, saying what to do.
    """
    from deskmate.connectors.http import client_for  # noqa: PLC0415
    from deskmate.protocol.remote import connect_remote, http_transport  # noqa: PLC0415

    login = await anyio.to_thread.run_sync(means.logins.get, entry) if entry.login else None
    if login is not None and not login.token and person is None:
        raise ToolError(f"it wants a login: deskmate connector login {entry.name}")
    traffic = await _traffic(entry, means, login, may_login=person is not None)
    traffic.record, traffic.listens = record, record is not _no_record
    auth = _auth(entry, means, login, traffic, person) if login is not None else None
    timeout_s = float(entry.timeout_s)
    async with client_for(traffic, auth) as client:
        try:
            async with connect_remote(
                http_transport(entry.url, client),
                timeout_s=timeout_s,
                connect_s=LOGIN_S if person else timeout_s,
            ) as server:
                server.refused = lambda: _more_wanted(entry, traffic)
                yield server
        except ToolError as error:
            if person is None and traffic.status in (401, 403):
                kind = ToolError if entry.headers or entry.login else LoginWanted
                raise kind(_no_entry(entry, traffic.status, error.message)) from error
            raise


async def _traffic(
    entry: ConnectorEntry, means: Means, login: Login | None, *, may_login: bool
) -> Traffic:
    """Return what goes to the server, with its secrets. Raises ToolError where one is missing."""
    from deskmate.connectors.http import Traffic  # noqa: PLC0415
    from deskmate.connectors.logins import secrets_of, token_place  # noqa: PLC0415
    from deskmate.connectors.redaction import Redactor  # noqa: PLC0415
    from deskmate.connectors.way import Way, secret_headers  # noqa: PLC0415

    values = await anyio.to_thread.run_sync(_values, entry, means.vault)
    headers, missing = secret_headers(entry, values)
    if missing:
        raise ToolError(f"its secret is missing: deskmate secret set {entry.owner} {missing[0]}")
    named = {f"{owner}.{name}": value for (owner, name), value in values.items()}
    if login is not None:
        named |= {f"{entry.owner}.{name}": value for name, value in secrets_of(login).items()}
    renewal = token_place(login) if login is not None else ""
    return Traffic(
        way=Way(entry=entry, outside=means.outside, login=may_login, renewal=renewal),
        headers=headers,
        secrets=tuple(named),
        redactor=Redactor(named),
    )


def _values(entry: ConnectorEntry, vault: Vault) -> dict[tuple[str, str], str]:
    found = {}
    for name in dict.fromkeys(header.secret for header in entry.headers):
        value = vault.get(entry.owner, name)
        if value is not None:
            found[entry.owner, name] = value
    return found


def _auth(
    entry: ConnectorEntry, means: Means, login: Login, traffic: Traffic, person: Person | None
) -> httpx2.Auth:
    """Return what adds the login to requests, and keeps what is renewed of it."""
    from deskmate.connectors.logins import secrets_of  # noqa: PLC0415
    from deskmate.connectors.redaction import Redactor  # noqa: PLC0415
    from deskmate.protocol.oauth_flow import oauth  # noqa: PLC0415

    known = secrets_of(login)

    async def keep(new: Login) -> None:
        traffic.wants = new.wants
        known.update(secrets_of(new))
        # the old ones stay unfit to be seen, too
        values = {**secrets_of(login), **{f"{name}_NEW": value for name, value in known.items()}}
        traffic.redactor = Redactor(
            {f"{entry.owner}.{name}": value for name, value in values.items()}
        )
        await anyio.to_thread.run_sync(means.logins.keep, entry, new)

    async def want(scopes: str) -> None:
        traffic.wants = scopes
        stored = await anyio.to_thread.run_sync(means.logins.get, entry)
        await anyio.to_thread.run_sync(means.logins.keep, entry, replace(stored, wants=scopes))

    def check(address: str) -> None:
        traffic.way.check(address)

    return oauth(entry.url, login, keep, want, person, check)


def _more_wanted(entry: ConnectorEntry, traffic: Traffic) -> str:
    """Return that a request was refused for want of scopes, which the next login asks for; "" if it was not."""
    from deskmate.protocol.oauth import MORE_WANTED  # noqa: PLC0415

    if traffic.status != 403 or not traffic.wants:
        return ""
    return f"{MORE_WANTED}: deskmate connector login {entry.name}"


def _no_entry(entry: ConnectorEntry, status: int, said: str) -> str:
    from deskmate.protocol.oauth import MORE_WANTED  # noqa: PLC0415

    if entry.login and MORE_WANTED in said:
        return f"{said}: deskmate connector login {entry.name}"
    if entry.login:
        return f"its login is over (HTTP {status}): deskmate connector login {entry.name}"
    if entry.headers:
        again = f"deskmate secret set {entry.owner} {entry.headers[0].secret}"
        return f"it refuses the secret (HTTP {status}); set it again: {again}"
    return f"it wants to know who you are (HTTP {status}); add it with --login, or with --secret-header and a key"


async def look_at(
    places: Places,
    entry: ConnectorEntry,
    outside: Outside | None = None,
    person: Person | None = None,
) -> tuple[ConnectorEntry, Listing]:
    """Ask a server what it offers; return the entry with what it calls itself, and the listing.

    `person`: logs in where it wants that. Raises UserError where it cannot be reached or does not speak the protocol,
    LoginWanted where it wants to know who asks.
    """
    from deskmate.connectors.pins import read_offered  # noqa: PLC0415

    if entry.program is not None:
        from deskmate.host.programs import look_at_program  # noqa: PLC0415

        return await look_at_program(places, entry)
    means = await anyio.to_thread.run_sync(means_of, places, outside)
    try:
        async with connected(entry, means, person=person) as server:
            offered = await server.offered(ALL_KINDS if "resource" in entry.kinds else None)
            named = replace(entry, server=server.name, protocol=server.protocol)
    except LoginWanted:
        raise
    except (ToolError, ProtocolError, OutcomeUnknown) as error:
        message = f"{entry.name} cannot be used: {error.message}."
        raise UserError(message, hint=f"Its address: {entry.url}") from error
    return named, read_offered(entry.name, offered)


async def log_in(
    places: Places,
    entry: ConnectorEntry,
    open_page: Callable[[str], None],
    *,
    port: int = 0,
    client_id: str = "",
    outside: Outside | None = None,
) -> tuple[ConnectorEntry, Listing]:
    """Have the user log in in a browser, and return what `look_at` does; the login is kept.

    `open_page`: shows an address that was checked; blocks. `port`: where the browser is sent back to, 0 for any.
    `client_id`: of a registration that the user made; its secret, if it has one, is in the vault as CLIENT_SECRET.
    Raises UserError.
    """
    from deskmate.connectors.callback import listening  # noqa: PLC0415
    from deskmate.protocol.oauth import Person  # noqa: PLC0415

    entry = replace(entry, login=True)
    secret = await anyio.to_thread.run_sync(_client_secret, places, entry) if client_id else ""
    async with listening(port) as callback:

        async def show(address: str) -> None:
            callback.expect(address)
            await anyio.to_thread.run_sync(open_page, address, abandon_on_cancel=True)

        person = Person(
            redirect=callback.address,
            client_id=client_id,
            client_secret=secret,
            show=show,
            wait=callback.wait,
        )
        return await look_at(places, entry, outside, person)


async def log_in_elsewhere(
    places: Places,
    entry: ConnectorEntry,
    show: Callable[[DeviceCode], None],
    *,
    client_id: str = "",
    outside: Outside | None = None,
) -> tuple[ConnectorEntry, Listing]:
    """Have the user log in on another device with a code (RFC 8628), and return what `look_at` does; the login is kept.

    `show`: tells them address and code; blocks. `client_id`: as for `log_in`. Raises UserError.
    """
    from deskmate.connectors.http import client_for  # noqa: PLC0415
    from deskmate.protocol.device_flow import Device, log_in_by_device  # noqa: PLC0415

    entry = replace(entry, login=True)
    secret = await anyio.to_thread.run_sync(_client_secret, places, entry) if client_id else ""
    means = await anyio.to_thread.run_sync(means_of, places, outside)

    async def told(code: DeviceCode) -> None:
        await anyio.to_thread.run_sync(show, code, abandon_on_cancel=True)

    try:
        traffic = await _traffic(entry, means, None, may_login=True)

        def check(address: str) -> None:
            traffic.way.check(address)

        device = Device(show=told, check=check, client_id=client_id, client_secret=secret)
        async with client_for(traffic) as client:
            login = await log_in_by_device(entry.url, client, device)
    except ToolError as error:
        message = f"{entry.name}: {error.message}."
        raise UserError(message, hint=f"Its address: {entry.url}") from error
    await anyio.to_thread.run_sync(means.logins.keep, entry, login)
    return await look_at(places, entry, outside)


def _client_secret(places: Places, entry: ConnectorEntry) -> str:
    from deskmate.connectors.logins import CLIENT  # noqa: PLC0415
    from deskmate.connectors.vault import open_vault  # noqa: PLC0415

    return open_vault(places.config, to_read=True).get(entry.owner, CLIENT) or ""
