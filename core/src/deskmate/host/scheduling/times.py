"""When a schedule is due: cron fields and single times in a time zone, with its skipped and doubled hours."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from deskmate.errors import UserError
from deskmate.types.schedules import When

NEVER_WITHIN_YEARS = 50
"""The library gives up after so many years without a match."""


def to_text(moment: datetime) -> str:
    """Return a moment as the log and the schedules have it: RFC 3339, UTC, microseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def to_moment(text: str) -> datetime:
    """Return the moment of such a text."""
    return datetime.fromisoformat(text).astimezone(UTC)


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone by its name. Raises UserError if there is none."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError) as error:
        raise UserError(
            f"There is no time zone {name!r}.", hint="Name it as Europe/Berlin or UTC."
        ) from error


def own_zone() -> str:
    """Return the name of this machine's time zone. Raises UserError if it has none that others know."""
    import tzlocal  # noqa: PLC0415 - only commands need it

    try:
        name: str = tzlocal.get_localzone_name()
        zone_of(name)
    except (LookupError, ValueError, OSError, UserError) as error:
        raise UserError(
            "The time zone of this machine is not known.", hint="Name it: --zone Europe/Berlin"
        ) from error
    return name


def checked_cron(text: str, zone: str) -> str:
    """Return cron fields as they are stored. Raises UserError where they say no time at all."""
    words = " ".join(text.split())
    when = When(kind="cron", zone=zone, cron=words)
    if len(words.split()) != 5:
        raise UserError(
            f"{text!r} is no time of cron: it takes five fields.",
            hint='Minute, hour, day, month, weekday: "0 7 * * mon" is Mondays at seven.',
        )
    try:
        first = next(dues_after(when, datetime.now(UTC)), None)
    except ValueError as error:
        raise UserError(
            f"{text!r} is no time of cron: {error}.",
            hint='Minute, hour, day, month, weekday: "0 7 * * mon" is Mondays at seven.',
        ) from error
    if first is None:
        raise UserError(f"{text!r} never comes.", hint="Look at the day and the month.")
    return words


def explained(when: When) -> str:
    """Return in words when a schedule is due."""
    if when.kind == "once":
        return f"once, on {shown(when.at, when.zone)}"
    if when.kind == "change":
        what = f"files {when.pattern}" if when.pattern else "files"
        return f"when {what} in {when.folder} change"
    from cronsim import CronSim  # noqa: PLC0415 - only schedules need it

    return f"{CronSim(when.cron, datetime.now(UTC)).explain()}, in {when.zone}"


def shown(text: str, zone: str) -> str:
    """Return a time for people, in a zone and with its offset, which tells doubled hours apart."""
    return to_moment(text).astimezone(zone_of(zone)).strftime("%a %Y-%m-%d %H:%M %Z (%z)")


def parse_once(text: str, zone: str) -> str:
    """Return a local time, `2026-12-01 07:00`, or one with an offset, as UTC text.

    Raises UserError for what is no time, and for a time that a clock change leaves out.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UserError(f"{text!r} is no time.", hint="Write it as 2026-12-01 07:00") from error
    if moment.tzinfo is not None:
        return to_text(moment)
    local = moment.replace(tzinfo=zone_of(zone))  # of a doubled hour the first
    back = local.astimezone(UTC).astimezone(local.tzinfo).replace(tzinfo=None)
    if back != moment:
        raise UserError(
            f"{text} does not exist in {zone}: clocks are put forward then.",
            hint=f"That moment is {back:%Y-%m-%d %H:%M} there.",
        )
    return to_text(local)


def dues_after(when: When, after: datetime) -> Iterator[datetime]:
    """Yield the times at which a schedule is due after a moment, in order, each once, in UTC.

    As with the cron of Debian: a fixed time that a clock change leaves out comes right after the change, and one that
    comes twice counts the first time; `*` and `*/n` in hours or minutes follow the time that really passes.
    """
    if when.kind == "once":
        if to_moment(when.at) > after:
            yield to_moment(when.at)
        return
    if when.kind == "change":
        return
    from cronsim import CronSim, CronSimError  # noqa: PLC0415 - only schedules need it

    last = after.astimezone(UTC)
    try:
        # the library goes by the clock on the wall: it may name a time of the doubled hour again
        for local in CronSim(when.cron, last.astimezone(zone_of(when.zone))):
            moment = local.astimezone(UTC)
            if moment > last:
                last = moment
                yield moment
    except CronSimError as error:
        raise ValueError(str(error)) from error


def next_dues(when: When, after: datetime, count: int) -> tuple[datetime, ...]:
    """Return the next times."""
    return tuple(islice(dues_after(when, after), count))


def later(text: str, seconds: float) -> str:
    """Return a time that is so many seconds later."""
    return to_text(to_moment(text) + timedelta(seconds=seconds))
