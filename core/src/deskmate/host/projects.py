"""A thread in a project: what the project gives it, and takes back, when a run begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deskmate.host.orders import RunOrder
from deskmate.types.events import Event, GrantsSet, PluginsSet, ProjectSet
from deskmate.types.files import Grant
from deskmate.types.places import Places
from deskmate.types.projects import Project

if TYPE_CHECKING:
    from deskmate.store.projects import Projects


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """An order with what the project adds. `record`: to be stored if it is new.

    `gone_folders`, `gone_plugins`: what the project gave and gives no more. `note`: for the user.
    """

    order: RunOrder
    record: ProjectSet | None = None
    gone_folders: frozenset[str] = frozenset()
    gone_plugins: frozenset[str] = frozenset()
    note: str = ""


def join(
    order: RunOrder, events: Sequence[Event], projects: Projects, *, pending: bool = False
) -> Joined:
    """Return the order as the thread's project makes it.

    What the user gave this thread goes before the project: a folder's mode stays as it was given here.
    `pending`: the thread has changes that are neither applied nor discarded; no folder is taken from it then.
    Raises UserError if the order names a project that is not there.
    """
    before = project_of(events) or ProjectSet(project="")
    name = order.project or before.project
    project = (projects.get(name) if order.project else projects.find(name)) if name else None
    if name and project is None:
        note = f"the project {before.name} is not here: the thread goes on with what it has of it"
        return Joined(order=order, note=note)
    if project is None and before == ProjectSet(project=""):
        return Joined(order=order)
    project = project or Project(id="", name="")
    had = _granted(events)
    enabled = _enabled(events)
    given = {grant.folder: grant for grant in before.grants}
    grants = [grant for grant in project.grants if grant.folder not in had or grant.folder in given]
    plugins = [one for one in project.plugins if one not in enabled or one in before.plugins]
    if pending:
        known = {one.folder for one in grants}
        grants += [one for one in before.grants if one.folder not in known]
    record = ProjectSet(
        project=project.id,
        name=project.name,
        instructions=project.instructions,
        grants=tuple(grants),
        plugins=tuple(plugins),
    )
    # a mode that was given here is not made wider by the project
    add = [one for one in grants if one.folder not in had or _follows(one, had, given)]
    return Joined(
        order=replace(
            order,
            grants=(*add, *order.grants),
            plugins=(*(one for one in plugins if one not in enabled), *order.plugins),
        ),
        record=None if record == before else record,
        gone_folders=frozenset(given) - {one.folder for one in grants},
        gone_plugins=frozenset(before.plugins) - set(plugins),
    )


def _follows(grant: Grant, had: Mapping[str, Grant], given: Mapping[str, Grant]) -> bool:
    """Say whether the thread has the folder in the mode that the project gave it, and so follows it."""
    return had[grant.folder].mode == given[grant.folder].mode != grant.mode


def beside(more: Sequence[Grant], grants: Sequence[Grant]) -> tuple[Grant, ...]:
    """Return those of `more` whose folders are not in `grants`, by names that are free beside them."""
    from deskmate.host.job import free_name  # noqa: PLC0415 - it needs this module

    taken, found = {grant.name for grant in grants}, []
    for grant in more:
        if grant.folder not in {one.folder for one in grants}:
            found.append(replace(grant, name=free_name(grant.name, taken)))
            taken.add(found[-1].name)
    return tuple(found)


def project_of(events: Sequence[Event]) -> ProjectSet | None:
    """Return what the log says last of the thread's project."""
    found = (event.payload for event in reversed(events) if isinstance(event.payload, ProjectSet))
    return next(found, None)


def _granted(events: Sequence[Event]) -> dict[str, Grant]:
    for event in reversed(events):
        if isinstance(event.payload, GrantsSet):
            return {grant.folder: grant for grant in event.payload.grants}
    return {}


def _enabled(events: Sequence[Event]) -> frozenset[str]:
    for event in reversed(events):
        if isinstance(event.payload, PluginsSet):
            return frozenset(event.payload.versions)
    return frozenset()


async def set_thread_project(places: Places, thread: str, name: str) -> ProjectSet:
    """Put a thread into a project, or out of any with an empty name; from its next run on.

    What a project gave the thread before goes with it. Raises UserError if there is no such project.
    """
    from deskmate.store.projects import Projects  # noqa: PLC0415 - only commands need it
    from deskmate.store.thread import open_thread  # noqa: PLC0415

    project = Projects(places.data).get(name) if name else Project(id="", name="")
    async with open_thread(places.threads, thread) as store:
        before = project_of(await store.events()) or ProjectSet(project="")
        wanted = ProjectSet(
            project=project.id,
            name=project.name,
            instructions=project.instructions,
            grants=before.grants,  # until the next run: it gives the new ones and takes these
            plugins=before.plugins,
        )
        if wanted != before:
            await store.append(wanted)
    return wanted
