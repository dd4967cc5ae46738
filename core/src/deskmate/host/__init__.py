"""The composition root: the only place that builds adapters and wires them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

import anyio.to_thread

from deskmate import __version__
from deskmate.errors import UserError
from deskmate.host.adapters import Adapters
from deskmate.host.orders import RunOrder, RunResult
from deskmate.ports import Approver, Clock, Model, Observer, Progress, Sandbox
from deskmate.types.events import PluginsSet
from deskmate.types.ids import ThreadId
from deskmate.types.messages import Picture
from deskmate.types.places import Places
from deskmate.types.registry import Registry

if TYPE_CHECKING:
    from deskmate.connectors.egress.outside import Outside
    from deskmate.host.tables import Tables
    from deskmate.types.network import NetworkRule

__all__ = [
    "Host",
    "RunOrder",
    "RunResult",
    "set_thread_hosts",
    "set_thread_plugins",
    "thread_hosts",
    "thread_plugins",
]

_TITLE_LIMIT = 60


class Host:
    """What every front door talks to."""

    def __init__(
        self,
        places: Places,
        *,
        environ: Mapping[str, str] | None = None,
        sandbox: Sandbox | None = None,
        model: Model | None = None,
        clock: Clock | None = None,
        outside: Outside | None = None,
    ) -> None:
        """`sandbox`, `model`, `clock`, `outside`: used instead of the usual ones; for tests and embedding."""
        self._adapters = Adapters(
            places,
            environ=environ,
            sandbox=sandbox,
            model=model,
            clock=clock,
            outside=outside,
        )
        self._threads = places.threads

    async def run(
        self,
        order: RunOrder,
        thread: ThreadId | None,
        *,
        observer: Observer,
        approver: Approver,
    ) -> RunResult:
        """Carry one order out in a thread, a new one without `thread`; return how it ended.

        Raises UserError (PluginError, ConfigError, …) before anything is stored for what the user must
        put right; what happens later is in the thread and in the result.
        """
        from deskmate.host.job import Job  # noqa: PLC0415
        from deskmate.store.thread import open_thread  # noqa: PLC0415

        self.check(order, new=thread is None)
        thread = thread or await self.create_thread(order.text)
        async with open_thread(self._threads, thread) as store, self.pooled():
            return await Job(self._adapters, store, order, observer, approver).carry_out()

    def pooled(self) -> AbstractAsyncContextManager[None]:
        """While this lasts, machines are restored ahead of need, also for the runs after this one."""
        return self._adapters.sandbox().pooled()

    async def registry(self, plugins: Sequence[str], progress: Progress) -> Registry:
        """Return what these plugins bring, as their machine reports it. Raises PluginError, SandboxMissing."""
        self._adapters.check_plugins(plugins)
        return await self._adapters.sandbox().registry(plugins, progress)

    def model(self, name: str | None) -> Model:
        """Return the model of this name, or the one that is chosen. Raises UserError if it cannot be used. Blocks."""
        return self._adapters.model(name)

    def tables(self) -> Tables:
        """Return the user's tables, worked on with the same machines and models."""
        from deskmate.host.tables import Tables  # noqa: PLC0415

        return Tables(self._adapters.places, adapters=self._adapters)

    async def changed_file(self, thread: ThreadId, path: str, limit_bytes: int) -> bytes:
        """Return a file as the thread's last change set has it. Raises UserError if there is none, or it is too large."""
        from deskmate.host.viewing import file_version  # noqa: PLC0415

        places = self._adapters.places
        version = await file_version(places, thread, path)
        if version.size > limit_bytes:
            raise UserError(
                f"{path} has {version.size:,} bytes, too many to be handed over.",
                hint=f"Apply it: deskmate changes apply --thread {thread}",
            )
        return await anyio.to_thread.run_sync(self._adapters.blobs().read, version.sha256)

    def picture(self, picture: Picture) -> bytes:
        """Return a picture that a result showed. Raises CorruptData if it is gone."""
        return self._adapters.blobs().read(picture.sha256)

    async def create_thread(self, title: str, thread: ThreadId | None = None) -> ThreadId:
        """Make an empty thread and return its id, `thread` where that was chosen before."""
        from deskmate.store.making import create_thread  # noqa: PLC0415

        line = " ".join(title.split()) or "New thread"
        short = line if len(line) <= _TITLE_LIMIT else line[: _TITLE_LIMIT - 1] + "…"
        return await create_thread(self._threads, short, version=__version__, thread=thread)

    def check(self, order: RunOrder, *, new: bool) -> None:
        """Refuse what cannot work, before a thread is made for it. Raises as `run` does."""
        from deskmate.changes.scan import check_grants  # noqa: PLC0415

        if new and not order.text:
            hint = "Name a thread, or say what to do."
            raise UserError("There is nothing to go on with.", hint=hint)
        grants, plugins = order.grants, order.plugins
        if order.project:
            from deskmate.host.projects import beside  # noqa: PLC0415

            project = self._adapters.projects().get(order.project)
            grants += beside(project.grants, grants)
            plugins += project.plugins
        check_grants(grants)
        organisation = self._adapters.organisation()
        organisation.check_folders(grants)
        organisation.check_hosts(order.hosts)
        organisation.check_apply(order.apply)
        self._adapters.check_plugins(plugins)
        self._adapters.check_consent(plugins)
        for name in order.connectors:
            organisation.check_connector(self._adapters.connectors().get(name).url)
        self._adapters.plugin_settings(plugins)
        if order.model or new:
            self._adapters.model(order.model)
        if order.attachments:
            from deskmate.host.attachments import Uploads  # noqa: PLC0415

            Uploads(self._adapters.places).check(order.attachments)


async def set_thread_plugins(
    places: Places, thread: str, names: Sequence[str], progress: Progress
) -> PluginsSet:
    """Make `names` the enabled plugins of a thread from its next turn on; return what was stored."""
    from deskmate.host.job import enabled_plugins  # noqa: PLC0415
    from deskmate.host.network import last_network, with_plugins  # noqa: PLC0415
    from deskmate.store.thread import open_thread  # noqa: PLC0415

    adapters = Adapters(places)
    chosen = await adapters.choose_plugins(names, progress)
    async with open_thread(places.threads, thread) as store:
        events = await store.events()
        await store.append(chosen)
        # who names the plugins that are enabled already agrees to them anew
        agreed = set(names) - set(enabled_plugins(events)) or set(names)
        before = last_network(events)
        network, _ = with_plugins(before, adapters.manifests(tuple(chosen.versions)), agreed)
        if network != before:
            await store.append(network)
    return chosen


async def thread_hosts(places: Places, thread: str) -> tuple[NetworkRule, ...]:
    """Return what a thread may reach: the user's rules first, then those of its plugins."""
    from deskmate.host.network import last_network  # noqa: PLC0415
    from deskmate.store.thread import open_thread  # noqa: PLC0415

    async with open_thread(places.threads, thread, write=False) as store:
        return last_network(await store.events()).rules


async def set_thread_hosts(
    places: Places, thread: str, allow: Sequence[NetworkRule], forbid: Sequence[str]
) -> tuple[NetworkRule, ...]:
    """Let a thread reach hosts from its next run on, and others no more; return what it may reach then.

    Its byte budgets begin anew. Raises UserError if `forbid` names a host that was not allowed.
    """
    from deskmate.host.network import changed_by_user, last_network  # noqa: PLC0415
    from deskmate.store.thread import open_thread  # noqa: PLC0415
    from deskmate.types.network import USER  # noqa: PLC0415

    async with open_thread(places.threads, thread) as store:
        before = last_network(await store.events())
        known = {rule.host for rule in before.rules if rule.by == USER}
        if unknown := [host for host in forbid if host not in known]:
            hint = f"See what it may reach: deskmate thread allow {thread}"
            raise UserError(f"You did not allow {unknown[0]} for {thread}.", hint=hint)
        network = changed_by_user(before, allow, forbid)
        await store.append(network)
    return network.rules


async def thread_plugins(places: Places, thread: str) -> tuple[str, ...]:
    """Return the names of a thread's enabled plugins, in order."""
    from deskmate.host.job import enabled_plugins  # noqa: PLC0415
    from deskmate.store.thread import open_thread  # noqa: PLC0415

    async with open_thread(places.threads, thread, write=False) as store:
        return enabled_plugins(await store.events())
