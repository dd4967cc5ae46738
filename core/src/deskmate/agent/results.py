"""What earlier machines of a thread presented and the user has not applied yet, for the tools of the next machine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from deskmate.types.events import Event, ToolFinished
from deskmate.types.files import Deliverable, Difference, EarlierResults, Entry


def earlier_results(
    events: Iterable[Event], changes: Difference, base: Iterable[Entry]
) -> EarlierResults | None:
    """Return them, None where there is nothing to tell.

    A plugin hears of its own results only, as the log has them: no other plugin and no shell command can put words
    into its mouth. Results without `data` have nothing that a tool could go on with.
    """
    changed = {one.path: one for one in changes.changes if one.after is not None}
    found: dict[str, dict[str, Deliverable]] = {}
    for event in events if changed else ():
        if not isinstance(event.payload, ToolFinished):
            continue
        plugin = event.payload.tool.partition("__")[0]
        for item in event.payload.deliverables:
            if item.path in changed and item.data:
                found.setdefault(plugin, {})[item.path] = replace(item, claims=())
    if not found:
        return None
    named = {
        path for items in found.values() for one in items.values() for path in one.sources.values()
    }
    before = {entry.path: entry for entry in base if entry.path in named}
    before |= {path: one.before for path, one in changed.items() if path in named and one.before}
    kept = (entry for _, entry in sorted(before.items()) if entry.kind == "file")
    return EarlierResults(
        presented={plugin: tuple(items.values()) for plugin, items in found.items()},
        originals=tuple(entry for entry in kept if entry.sha256 is not None),
    )
