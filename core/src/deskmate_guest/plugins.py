"""The plugins of a guest: their processes, what they registered, and loading more before a freeze."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from deskmate_guest.disk import mount_plugins
from deskmate_guest.layout import FIRST_LATER_UID, Layout, PluginPlace, read_lock
from deskmate_guest.loop import Loop
from deskmate_guest.pool import Job, PluginProcesses
from deskmate_guest.registry import RegistryBuilder

_WARM_CALLS = 5
_LATER_WARM_CALLS = 1
"""Of plugins that come later: whoever has just enabled them waits for it."""
_WARM_S = 30.0


class Plugins:
    """Starts plugins, has each do some calls' work before the freeze, and knows who is ready."""

    def __init__(self, loop: Loop, layout: Layout, ready: Callable[[], None]) -> None:
        """`ready()`: called once, when the plugins of the layer have reported and are warm."""
        self._loop, self._layout = loop, layout
        self._lock = read_lock(layout.layer)
        self.registry = RegistryBuilder(self._lock)
        self.processes: dict[str, PluginProcesses] = {}
        self._later = False
        self._start(self._lock.plugins, _WARM_CALLS, ready)

    def load_later(self, done: Callable[[], None]) -> None:
        """Load the plugins of the disk `plugins`, once. Raises OSError if they cannot be had."""
        if self._later or not self.registry.complete:
            raise OSError("plugins are loaded once, before the freeze")
        self._later = True
        try:
            mount_plugins(self._layout)
            lock = read_lock(self._layout.plugins, first_uid=FIRST_LATER_UID)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OSError(f"no plugins to load: {error}") from error
        if lock.code != self._lock.code:
            raise OSError("they belong to other code of Deskmate")
        there = {name: plugin.place for name, plugin in self.processes.items()}
        places = tuple(there.get(place.name, place) for place in lock.plugins)
        self.registry.extend(replace(lock, plugins=places))
        new = tuple(place for place in places if place.name not in there)
        self._start(new, _LATER_WARM_CALLS, done)

    def _start(self, places: Sequence[PluginPlace], calls: int, done: Callable[[], None]) -> None:
        names = tuple(place.name for place in places)

        def loaded(name: str, report: Any) -> None:
            self.registry.add(name, report)
            if self.registry.complete:
                self._warm(names, calls, done)

        for place in places:
            self.processes[place.name] = PluginProcesses(
                self._loop, self._layout, place, partial(loaded, place.name)
            )
        if not places:
            self._loop.soon(done)

    def _warm(self, names: Sequence[str], rounds: int, done: Callable[[], None]) -> None:
        """Have these plugins' workers do some calls' work, then call `done`.

        What runs for the first time touches, and so copies, many pages: better once in the template.
        """
        waiting = {name for name in names if self.processes[name].alive}

        def one_done(name: str, reply: Any, failure: str) -> None:
            waiting.discard(name)
            if not waiting:
                self._warm(names, rounds - 1, done)

        if not waiting or not rounds:
            done()
            return
        for name in tuple(waiting):
            job = Job(message={"op": "warm"}, timeout_s=_WARM_S, done=partial(one_done, name))
            self.processes[name].run(job)
