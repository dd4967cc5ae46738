"""A home with one connector, and whole runs over it; the server is whatever a test makes of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.unit.connectors.fake_mcp import HOST, FakeMcp, entry_for, text, tool

from deskmate.connectors.book import Book
from deskmate.errors import SandboxMissing
from deskmate.host import Host, RunOrder, RunResult
from deskmate.ports import Progress
from deskmate.store.thread import open_thread
from deskmate.testing.fake_internet import FakeInternet
from deskmate.testing.fake_sandbox import FakeSandbox
from deskmate.testing.scripted_model import Line, ScriptedModel
from deskmate.types.connectors import ConnectorEntry, ToolSetting
from deskmate.types.events import Event
from deskmate.types.places import Places
from deskmate.types.registry import Registry, ToolSpec

FIND: Line = (("crm__find", {"q": "x"}),)
READS = {"find": ToolSetting(decision="allow", risk="read")}


class NoMachine(FakeSandbox):
    """There is no virtual machine here."""

    async def registry(self, plugins: Any, progress: Progress) -> Registry:
        raise SandboxMissing("There is no QEMU.")


@dataclass(slots=True)
class Scene:
    """A home with one connector. `answers`: of the person, in order, then nobody is there."""

    places: Places
    net: FakeInternet
    fake: FakeMcp
    answers: list[bool | None] = field(default_factory=list)
    asked: list[tuple[str, Any, str]] = field(default_factory=list)
    model: ScriptedModel = field(default_factory=lambda: ScriptedModel(["."]))
    sandbox: FakeSandbox = field(default_factory=lambda: FakeSandbox({}))
    lines: list[str] = field(default_factory=list)

    async def approve(self, spec: ToolSpec, arguments: Any, why: str) -> bool | None:
        self.asked.append((spec.name, arguments, why))
        return self.answers.pop(0) if self.answers else None

    def book(self) -> Book:
        return Book(self.places.config)

    def keep(self, **more: Any) -> ConnectorEntry:
        entry = entry_for(self.fake, **more)
        self.book().save(entry)
        return entry

    async def run(self, *lines: Line, thread: Any = None, **more: Any) -> RunResult:
        if lines:
            self.model = ScriptedModel(lines)
        host = Host(
            self.places,
            environ={},
            sandbox=self.sandbox,
            model=self.model,
            outside=self.net.outside,
        )
        order = RunOrder(**{"text": "Go" if lines else "", "connectors": ("crm",), **more})
        return await host.run(order, thread, observer=self._observe, approver=self)

    def _observe(self, item: Any) -> None:
        if not isinstance(item, Event) and item.kind == "progress":
            self.lines.append(item.text)

    async def events(self, thread: Any) -> list[Event]:
        async with open_thread(self.places.threads, thread, write=False) as store:
            return list(await store.events())

    async def facts(self, thread: Any, kind: type[Any]) -> list[Any]:
        return [e.payload for e in await self.events(thread) if isinstance(e.payload, kind)]


@asynccontextmanager
async def open_scene(folder: Path) -> AsyncIterator[Scene]:
    """Yield a scene whose server offers `find` and `send`."""
    places = Places(data=folder / "data", cache=folder / "cache", config=folder / "config")
    fake = FakeMcp(tools=(tool("find"), tool("send")), results={"find": text("found it")})
    async with FakeInternet() as net:
        net.add(HOST, fake)
        yield Scene(places=places, net=net, fake=fake)
