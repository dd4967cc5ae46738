"""A machine that waits too long for a person or a model is dropped, and nothing is lost by it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from deskmate.agent.asking import Patience
from deskmate.errors import ConfigError
from deskmate.ports import ModelReply, ModelRequest
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.events import SandboxOpened, ToolFinished
from deskmate.types.registry import ToolSpec

if TYPE_CHECKING:
    from tests.unit.agent.conftest import Lab

    MakeLab = Callable[..., Lab]

pytestmark = pytest.mark.anyio

WRITE = (("workspace__write", {"path": "docs/n.txt", "content": "kept"}),)
READ = (("workspace__read", {"path": "docs/n.txt"}),)
SEND: Any = (("lab__send", {}),)


class SlowPerson:
    """Allows everything, after a while, and looks who is up meanwhile."""

    def __init__(self, lab: Lab, seconds: float) -> None:
        self.lab, self.seconds = lab, seconds
        self.alive: list[bool] = []

    async def approve(self, tool: ToolSpec, arguments: Mapping[str, Any], why: str) -> bool | None:
        await anyio.sleep(self.seconds)
        self.alive.append(await self.lab.sandbox.machines[-1].alive())
        return True


@pytest.mark.parametrize(("idle_s", "alive"), [(0.02, False), (60.0, True)])
async def test_a_question_that_waits_long_costs_no_machine_and_no_work(
    make_lab: MakeLab, idle_s: float, alive: bool
) -> None:
    lab = make_lab(ScriptedModel([WRITE, SEND, READ, "Done."]))
    lab.patience = Patience(idle_s=idle_s)
    person = SlowPerson(lab, 0.2)
    lab.person = person  # type: ignore[assignment]
    assert (await lab.say("Go")).reason == "done"
    assert person.alive == [alive]
    assert [event.outcome for event in lab.store.of(ToolFinished)] == ["ok", "ok", "ok"]
    first, *again = lab.store.of(SandboxOpened)
    assert first.checkpoint is None
    assert all(event.checkpoint is not None for event in again)
    assert bool(again) != alive


async def test_a_slow_model_costs_no_machine_either(make_lab: MakeLab) -> None:
    class Slow(ScriptedModel):
        async def reply(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelReply:
            await anyio.sleep(0.15)
            return await super().reply(request, on_text)

    lab = make_lab(Slow([WRITE, READ, "Done."]))
    lab.patience = Patience(idle_s=0.02)
    assert (await lab.say("Go")).reason == "done"
    assert lab.sandbox.opened == 2
    assert not any([await machine.alive() for machine in lab.sandbox.machines])
    assert [event.outcome for event in lab.store.of(ToolFinished)] == ["ok", "ok"]


async def test_what_goes_wrong_meanwhile_is_told_as_ever(make_lab: MakeLab) -> None:
    class Broken(ScriptedModel):
        async def reply(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelReply:
            if len(self.requests):
                await anyio.sleep(0.1)
                raise ConfigError("No key.", hint="Set it.")
            return await super().reply(request, on_text)

    lab = make_lab(Broken([WRITE, "Done."]))
    lab.patience = Patience(idle_s=0.02)
    ended = await lab.say("Go")
    assert (ended.reason, ended.text) == ("failed", "No key. Set it.")


async def test_a_run_that_is_stopped_while_it_waits_leaves_nothing_up(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([WRITE, SEND, "Done."]))
    lab.patience = Patience(idle_s=0.02)
    lab.person = SlowPerson(lab, 60)  # type: ignore[assignment]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lab.say, "Go")
        while not lab.sandbox.machines or await lab.sandbox.machines[0].alive():
            await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    assert lab.sandbox.opened == 1
    assert not await lab.sandbox.machines[0].alive()
    lab.person = SlowPerson(lab, 0)  # type: ignore[assignment]
    assert (await lab.resume()).reason == "done"
