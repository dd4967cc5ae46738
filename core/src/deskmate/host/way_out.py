"""The way out of a thread's machines: what it may reach, with the secrets that belong there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio.to_thread

from deskmate.host.adapters import Adapters
from deskmate.ports import MakeEgress, Progress
from deskmate.types.events import Event
from deskmate.types.progress import Note

if TYPE_CHECKING:
    from deskmate.types.events import NetworkSet


async def way_out_of(
    adapters: Adapters, network: NetworkSet, events: Iterable[Event], progress: Progress
) -> MakeEgress | None:
    """Return what makes the broker of each machine, None where the thread may reach nothing.

    `events`: the thread's log, which says what was spent of its byte budgets.
    """
    from deskmate.host.network import egress_for  # noqa: PLC0415

    allowed = adapters.organisation().within(network.rules)
    for rule in network.rules:
        if rule not in allowed:
            progress(Note(f"your organisation does not allow requests to {rule.host}"))
    if network.web and not adapters.organisation().lets_read_pages:
        progress(Note("your organisation does not allow pages of the web"))
        network = replace(network, web=False)
    if not allowed and not network.web:
        return None
    vault = await anyio.to_thread.run_sync(adapters.vault)
    values: dict[tuple[str, str], str] = {}
    for grant in network.secrets:
        value = await anyio.to_thread.run_sync(vault.get, grant.plugin, grant.name)
        if value is None:
            named = f"{grant.plugin} {grant.name}"
            progress(f"no secret {named} yet: deskmate secret set {named}")
        else:
            values[grant.plugin, grant.name] = value
    return egress_for(
        replace(network, rules=allowed),
        adapters.outside(),
        values,
        models=adapters.model_hosts(),
        before=[event.payload for event in events],
    )
