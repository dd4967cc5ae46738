"""From a schedule to the order of one run, and what exactly the user agrees to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deskmate.host.orders import RunOrder, Unattended
from deskmate.types.ids import Digest
from deskmate.types.schedules import Due, Schedule

if TYPE_CHECKING:
    from deskmate.store.projects import Projects

DRY_RUN: Final = "dry run"


def order_of(schedule: Schedule, unattended: Unattended, *, apply: bool = True) -> RunOrder:
    """Return the order of a run of the schedule. `apply`: what may be written without a review is written."""
    return RunOrder(
        text=schedule.text,
        model=schedule.model or None,
        plugins=schedule.plugins,
        grants=schedule.grants,
        limits=schedule.limits,
        apply=schedule.apply if apply else "review",
        hosts=schedule.hosts,
        connectors=schedule.connectors,
        project=schedule.project,
        unattended=unattended,
    )


def unattended_of(schedule: Schedule, *, closing: bool = False) -> Unattended:
    """Return how questions of a run are answered. `closing`: it has waited long enough, so all others get a no."""
    return Unattended(
        allowed=schedule.allowed,
        agreed_in=f"schedule {schedule.name}",
        otherwise=False if closing else None,
        by="deadline",
    )


def dry_run_of(schedule: Schedule) -> RunOrder:
    """Return the order of a dry run: nothing is written, and nothing leaves the machine unless it may anyway."""
    return order_of(schedule, Unattended(otherwise=False, by=DRY_RUN), apply=False)


def agreement(schedule: Schedule, projects: Projects) -> Digest:
    """Return the digest of all that a run of the schedule does by itself, with what its project adds to it.

    Raises UserError if the project is gone.
    """
    from deskmate.agent.manifests import digest_of  # noqa: PLC0415
    from deskmate.types.codec import to_json  # noqa: PLC0415

    project = projects.get(schedule.project) if schedule.project else None
    return digest_of(to_json({"schedule": schedule, "project": project}, defaults=True))


def title_of(schedule: Schedule, due: Due) -> str:
    """Return the title of a run's thread."""
    from deskmate.host.scheduling.times import to_moment, zone_of  # noqa: PLC0415

    at = to_moment(due.due).astimezone(zone_of(schedule.when.zone))
    dry = "Dry run: " if due.trigger == DRY_RUN else ""
    return f"{dry}{schedule.name}, {at:%Y-%m-%d %H:%M}"
