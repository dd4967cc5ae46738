"""What adding a connector takes: a free name, secrets, a look at its tools or a login, and the user's word."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import click

from deskmate.cli.output import Session, plain, say, say_json
from deskmate.cli.permissions import someone_is_there
from deskmate.errors import UserError
from deskmate.types.connectors import ConnectorEntry

if TYPE_CHECKING:
    from deskmate.connectors.book import Book
    from deskmate.connectors.pins import Listing


def book_of(session: Session) -> Book:
    """Return the user's connectors."""
    from deskmate.connectors.book import Book  # noqa: PLC0415 - only commands need it

    return Book(session.places.config)


def ask_secrets(session: Session, entry: ConnectorEntry) -> None:
    """Ask at the terminal for secrets that are not kept yet. Raises UserError where nobody is there."""
    from deskmate.connectors.vault import open_vault  # noqa: PLC0415

    names = [header.secret for header in entry.headers]
    if entry.program is not None:
        names += [secret.name for secret in entry.program.secrets]
    if not names:
        return
    vault = open_vault(session.places.config)
    for name in names:
        if vault.get(entry.owner, name) is not None:
            continue
        if not someone_is_there():
            hint = f"Keep it first: deskmate secret set {entry.owner} {name}"
            raise UserError(f"There is no secret {name} for {entry.name}.", hint=hint)
        value = click.prompt(f"{entry.name} {name}", hide_input=True, err=True)
        vault.set(entry.owner, name, str(value).strip())


def add_entry(
    session: Session, entry: ConnectorEntry, *, yes: bool, as_json: bool, device: bool = False
) -> None:
    """Look at a server, ask the user, and keep the connector. `device`: who logs in does so elsewhere. Raises UserError."""
    from deskmate.cli.connector_words import tool_lines  # noqa: PLC0415
    from deskmate.host.connecting import LoginWanted, look_at  # noqa: PLC0415

    try:
        found, listing = (
            logged_in(session, entry, device=device)
            if entry.login
            else anyio.run(look_at, session.places, entry)
        )
    except LoginWanted as error:
        hint = "Log in to it: add --login. Or give it a key: add --secret-header 'Authorization=Bearer TOKEN'"
        if not someone_is_there():
            raise UserError(f"{entry.name} wants to know who you are.", hint=hint) from error
        if not click.confirm(
            f"  {entry.name} wants to know who you are. Log in in your browser?", err=True
        ):
            raise UserError(f"{entry.name} is not connected.", hint=hint) from error
        found, listing = logged_in(session, entry)
    found = replace(found, tools=listing.tools)
    show(f"{entry.name}: {found.server or 'a server without a name'}, {entry.url}")
    for line in tool_lines(found, listing.left_out, whole=True):
        show(line)
    many = count_tools(len(listing.tools))
    try:
        agree_to(yes, f"Accept {many} as described?", f"{entry.name} is not connected")
    except UserError:
        if found.login:
            _log_out(session, found)
        raise
    book_of(session).save(found)
    if as_json:
        say_json(found)
        return
    say(f'{entry.name} is connected with {many}. Use it: deskmate run "…" --connector {entry.name}')


def _log_out(session: Session, entry: ConnectorEntry) -> None:
    from deskmate.connectors.logins import Logins  # noqa: PLC0415
    from deskmate.connectors.vault import open_vault  # noqa: PLC0415

    Logins(session.places.config, open_vault(session.places.config)).forget(entry)


def logged_in(
    session: Session,
    entry: ConnectorEntry,
    *,
    port: int = 0,
    client_id: str = "",
    browser: bool = True,
    device: bool = False,
) -> tuple[ConnectorEntry, Listing]:
    """Have the user log in to a server, here or with a code elsewhere, and return what it offers. Raises UserError."""
    from deskmate.cli.connector_words import open_page, show_code  # noqa: PLC0415
    from deskmate.host.connecting import log_in, log_in_elsewhere  # noqa: PLC0415

    async def work() -> tuple[ConnectorEntry, Listing]:
        if device:
            return await log_in_elsewhere(session.places, entry, show_code, client_id=client_id)
        return await log_in(
            session.places,
            entry,
            lambda address: open_page(address, browser=browser),
            port=port,
            client_id=client_id,
        )

    return anyio.run(work)


def show(line: str) -> None:
    """Show a line before a question, on stderr."""
    click.echo(plain(line), err=True)


def count_tools(number: int) -> str:
    """Return a number of tools in words."""
    return f"{number} tool" if number == 1 else f"{number} tools"


def agree_to(yes: bool, question: str, refused: str) -> None:
    """Return if the user says yes. Raises UserError with what was refused if not, or where nobody can say it."""
    if yes:
        return
    if not someone_is_there():
        raise UserError(
            f"{refused}: nobody is at a terminal to accept it.",
            hint="If you accept it, say so with --yes.",
        )
    if not click.confirm(f"  {question}", default=False, err=True):
        raise UserError(f"{refused}: you did not accept it.")
