"""`deskmate sign`: a named person stands for a result, or: who stands for which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import click

from deskmate.cli.opening import choose_thread, open_for_reading, thread_option
from deskmate.cli.output import Session, json_option, say, say_json
from deskmate.errors import UserError

if TYPE_CHECKING:
    from deskmate.host.signing import Signable


@click.command("sign")
@click.argument("path", required=False, default="")
@thread_option
@click.option("--name", default="", help="Who signs: a person's full name.")
@click.option("--role", default="", help="As what, such as General Counsel.")
@json_option
@click.pass_obj
def command(
    session: Session, path: str, thread: str | None, name: str, role: str, as_json: bool
) -> None:
    """Sign the result at PATH, a path in the workspace; without PATH list the results and who signed them.

    \b
    deskmate sign "contracts/Opinion.docx" --name "Ann Lee" --role "General Counsel"

    A signature is for the bytes that the run presented: what was changed since, by you or by a later run, cannot be signed, and
    a signature from before no longer holds. It is kept in the thread's
    record; the checks of regulated results (G-REVIEW) take it into account from the next check on.
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    if path and not name.strip():
        raise UserError("Who signs?", hint=f'deskmate sign "{path}" --name "Ann Lee"')
    found = anyio.run(_sign, session, path, thread, name, role) if path else ()
    found = found or anyio.run(_list, session, thread)
    if as_json:
        say_json([{"signable": item, "holds": item.holds} for item in found])
        return
    for item in found:
        say(f"{item.path}: {_standing(item)}  (sha256 {item.sha256[:12]})")


def _standing(item: Signable) -> str:
    if item.signed is None:
        return f"not signed, and it cannot be: {item.changed}" if item.changed else "not signed"
    who = f"{item.signed.name}, {item.signed.role}" if item.signed.role else item.signed.name
    return f"signed by {who}" if item.holds else f"changed since {who} signed it"


async def _list(session: Session, thread: str | None) -> tuple[Signable, ...]:
    from deskmate.host.signing import signable  # noqa: PLC0415

    async with open_for_reading(session, thread) as (store, blobs):
        return await signable(await store.events(), blobs)


async def _sign(
    session: Session, path: str, thread: str | None, name: str, role: str
) -> tuple[Signable, ...]:
    from deskmate.host.signing import sign  # noqa: PLC0415
    from deskmate.store.blobs import BlobStore  # noqa: PLC0415
    from deskmate.store.thread import open_thread  # noqa: PLC0415

    async with open_thread(session.places.threads, choose_thread(session, thread)) as store:
        return (await sign(store, BlobStore(session.places.blobs), path, name, role),)
