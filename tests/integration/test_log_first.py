"""If the log cannot be written nothing is done: a run whose disk fails at any record has no effect without its intent."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from deskmate.errors import DeskmateError
from deskmate.host import Host, RunOrder
from deskmate.ports import Delta, ModelReply, ModelRequest
from deskmate.store.thread import ThreadStore
from deskmate.testing.fake_sandbox import FakePlugin, FakeSandbox
from deskmate.testing.fake_workspace import Tree
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.events import Event
from deskmate.types.files import Grant
from deskmate.types.places import Places
from deskmate.types.registry import ToolSpec

pytestmark = pytest.mark.anyio
INTENTS = {"model": "ModelAsked", "tool": "ToolStarted", "file": "ApplyStarted"}


class Yes:
    async def approve(self, tool: object, arguments: object, why: str) -> bool | None:
        return True


def quiet(item: Event | Delta) -> None:
    """Show nothing."""


class World:
    """One run over a log that takes `writes` appends; notes each effect and what was stored by then."""

    def __init__(self, root: Path, writes: int) -> None:
        self.root, self.left = root, writes
        self.stored: list[str] = []
        self.effects: list[str] = []
        self.folder = root / "work"
        self.folder.mkdir(parents=True)
        (self.folder / "a.txt").write_text("alpha")
        self.failed, self.told = False, ""

    def insert(self, store: ThreadStore, payloads: Sequence[Any], *also: Any) -> Any:
        if self.left <= 0:
            self.failed = True
            raise sqlite3.OperationalError("database or disk is full")
        self.left -= 1
        made = REAL(store, payloads, *also)
        self.stored += [type(payload).__name__ for payload in payloads]
        return made

    def note(self, effect: str) -> None:
        """An effect must have its intent in the log; more of them than intents is one too many."""
        self.effects.append(effect)
        intents = self.stored.count(INTENTS[effect])
        assert self.effects.count(effect) <= intents, f"{effect} without {INTENTS[effect]}"
        assert not self.failed, f"{effect} after the log had failed"

    async def run(self) -> None:
        world = self

        class Model(ScriptedModel):
            async def reply(self, request: ModelRequest, on_text: Any) -> ModelReply:
                world.note("model")
                return await super().reply(request, on_text)

        def write(tree: Tree, arguments: Any) -> str:
            world.note("tool")
            tree.write("work/new.txt", b"new")
            return "written"

        def send(tree: Tree, arguments: Any) -> str:
            world.note("tool")
            assert "ApprovalGiven" in world.stored, "sent without a stored approval"
            return "sent"

        tools = {
            "lab__write": (_spec("lab__write", "write"), write),
            "lab__send": (_spec("lab__send", "send"), send),
        }
        sandbox = FakeSandbox({"lab": FakePlugin(tools=tools)})
        model = Model([(("lab__write", {}),), (("lab__send", {"to": "x"}),), "Done."])
        places = Places(data=self.root / "d", cache=self.root / "c", config=self.root / "f")
        host = Host(places, environ={}, sandbox=sandbox, model=model)
        grant = Grant(name="work", folder=str(self.folder))
        order = RunOrder(text="Go", plugins=("lab",), grants=(grant,), apply="all")
        try:
            await host.run(order, None, observer=quiet, approver=Yes())
        except DeskmateError as error:
            self.told = error.message
        assert not self.failed or "disk is full" in self.told or "takes no more" in self.told
        if (self.folder / "new.txt").exists():
            self.effects.append("file")
            assert "ApplyStarted" in self.stored


def _spec(name: str, risk: Any) -> ToolSpec:
    return ToolSpec(plugin="lab", name=name, title="", description="x", input_schema={}, risk=risk)


REAL = ThreadStore._insert


async def test_no_effect_without_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = World(tmp_path / "whole", 10_000)
    monkeypatch.setattr(
        ThreadStore, "_insert", lambda store, payloads, *also: whole.insert(store, payloads, *also)
    )
    await whole.run()
    appends = 10_000 - whole.left
    assert sorted(set(whole.effects)) == ["file", "model", "tool"]
    assert appends > 15
    seen = set()
    for writes in range(appends):
        world = World(tmp_path / str(writes), writes)
        monkeypatch.setattr(
            ThreadStore,
            "_insert",
            lambda store, payloads, *also, w=world: w.insert(store, payloads, *also),
        )
        await world.run()
        assert world.failed
        seen.add(len(world.effects))
    assert len(seen) > 4, "the failures must come at different places"
