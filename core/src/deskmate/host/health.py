"""What works on this machine for every front door: the sandbox's checks, and those of threads and plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio.to_thread

from deskmate.errors import DeskmateError
from deskmate.types.places import Places

if TYPE_CHECKING:
    from deskmate.ports import Progress
    from deskmate.sandbox.doctor import Boot
    from deskmate.sandbox.host_checks import Check


async def examine_all(places: Places, boot: Boot | None) -> tuple[Check, ...]:
    """Return all checks in reading order. `boot`: starts a real machine; None leaves that out."""
    from deskmate.sandbox.doctor import examine  # noqa: PLC0415

    return (*await examine(places, boot), *await anyio.to_thread.run_sync(own_checks, places))


def own_checks(places: Places) -> tuple[Check, ...]:
    """Return what is to be said of threads, plugins and the administrator's file. Blocks."""
    return check_threads(places), check_plugins(places), check_organisation()


def check_threads(places: Places) -> Check:
    """Say whether threads can be kept where they would be."""
    from deskmate.sandbox.host_checks import Check  # noqa: PLC0415
    from deskmate.store.synced import check_not_synced, sync_service  # noqa: PLC0415

    threads = places.threads
    try:
        check_not_synced(threads)
    except DeskmateError as error:
        return Check(name="threads", state="fail", cause=error.message, cure=error.hint)
    if found := sync_service(threads):
        cause = f"{found[0]} rewrites {found[1]}, which destroys databases; you accepted that"
        return Check(name="threads", state="warn", cause=cause, cure="Set DESKMATE_HOME elsewhere")
    return Check(name="threads", state="ok", cause=f"kept in {threads}")


def check_plugins(places: Places) -> Check:
    """Say in short what `plugin audit` says at length."""
    from deskmate.discovery.audit import WORST_FIRST, audit  # noqa: PLC0415
    from deskmate.sandbox.host_checks import Check  # noqa: PLC0415

    notes = sorted(audit(store=places.plugins), key=lambda note: WORST_FIRST.index(note.kind))
    if not notes:
        return Check(name="plugins", state="ok", cause="nothing of them ran or changed here")
    labels = list(dict.fromkeys(note.distribution for note in notes))
    first = "; ".join(f"{note.distribution}: {note.what}" for note in notes[:3])
    more = f"; and {len(notes) - 3} more" if len(notes) > 3 else ""
    return Check(
        name="plugins",
        state="warn",
        cause=f"{len(labels)} with something to look at: {first}{more}",
        cure="deskmate plugin audit",
    )


def check_organisation() -> Check:
    """Say what the administrator's file allows."""
    from deskmate.host.organisation import FILE, read_organisation  # noqa: PLC0415
    from deskmate.sandbox.host_checks import Check  # noqa: PLC0415

    try:
        lines = read_organisation().lines
    except DeskmateError as error:
        return Check(name="organisation", state="fail", cause=error.message, cure=error.hint)
    cause = f"{FILE} allows only: {'; '.join(lines)}" if lines else f"no limits in {FILE}"
    return Check(name="organisation", state="ok", cause=cause)


def cure_check(check: Check, places: Places, progress: Progress) -> str:
    """Try to cure one check; return what was done, "" if nothing can be done. Raises DeskmateError. Blocks."""
    from deskmate.sandbox.cures import cure  # noqa: PLC0415

    try:
        return cure(check, places, progress)
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        raise DeskmateError(
            f"{check.name} could not be cured: {name}{error.strerror or error}."
        ) from error
