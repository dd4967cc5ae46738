"""When a schedule is due, out of what its maker says."""

from __future__ import annotations

from pathlib import Path

from deskmate.errors import UserError
from deskmate.host.scheduling.times import checked_cron, own_zone, parse_once, zone_of
from deskmate.host.scheduling.watching import look_at
from deskmate.types.schedules import When


def when_of(
    cron: str | None,
    once: str | None,
    folder: str | None,
    *,
    pattern: str,
    zone: str | None,
    now: str,
) -> When:
    """Return when it is due. Raises UserError unless exactly one way is named, and for what never comes. Blocks."""
    if sum(one is not None for one in (cron, once, folder)) != 1:
        raise UserError("Say when: one of --cron, --at and --on-change.")
    if pattern and folder is None:
        raise UserError("--files goes with --on-change.")
    name = zone or own_zone()
    zone_of(name)
    if cron is not None:
        return When(kind="cron", zone=name, cron=checked_cron(cron, name))
    if once is not None:
        at = parse_once(once, name)
        if at <= now:
            raise UserError(f"{once} has passed.", hint=f"It is read in {name}; see --zone.")
        return When(kind="once", zone=name, at=at)
    path = Path(folder or "").expanduser().absolute()
    look_at(path, pattern)
    return When(kind="change", zone=name, folder=str(path), pattern=pattern)
