"""Tool uses: tools that are gone, answers that do not come, reads side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from deskmate.agent import elsewhere, toolbox
from deskmate.ports import ToolOutcome
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.events import RunFinished, ToolFinished, ToolStarted
from deskmate.types.registry import ToolSpec

if TYPE_CHECKING:
    from tests.unit.agent.conftest import Lab

    MakeLab = Callable[..., Lab]

pytestmark = pytest.mark.anyio


def tool(name: str, risk: Any = "read") -> ToolSpec:
    return ToolSpec(
        plugin=name.partition("__")[0],
        name=name,
        title="",
        description="",
        input_schema={},
        risk=risk,
        timeout_s=5,
    )


def add(lab: Lab, spec: ToolSpec, function: Callable[..., Any]) -> None:
    lab.sandbox.inner._plugins["lab"].tools[spec.name] = (spec, function)  # type: ignore[index]


async def test_reads_run_side_by_side_and_writes_alone_in_order(make_lab: MakeLab) -> None:
    running: list[str] = []
    together: list[int] = []

    def watch(name: str) -> Callable[..., Any]:
        async def work(tree: Any, arguments: Mapping[str, Any]) -> str:
            running.append(name)
            together.append(len(running))
            await anyio.sleep(0.01)
            running.remove(name)
            return name

        return work

    lab = make_lab(
        ScriptedModel([(("lab__r", {}), ("lab__r", {}), ("lab__w", {}), ("lab__w", {})), "Ok."])
    )
    add(lab, tool("lab__r"), watch("r"))
    add(lab, tool("lab__w", "write"), watch("w"))
    await lab.say("Go")
    assert together == [1, 2, 1, 1]
    assert [started.tool for started in lab.store.of(ToolStarted)][2:] == ["lab__w", "lab__w"]


async def test_a_full_disk_among_parallel_reads_is_said_as_what_it_is(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(("lab__r", {}), ("lab__r", {})), "Ok."]))
    add(lab, tool("lab__r"), lambda tree, arguments: "x")
    append = lab.store.append

    async def full(*payloads: Any) -> Any:
        if isinstance(payloads[0], ToolFinished):
            raise OSError(28, "No space left on device")
        return await append(*payloads)

    lab.store.append = full  # type: ignore[method-assign]
    with pytest.raises(OSError, match="No space left"):
        await lab.say("Go")
    assert not lab.store.of(RunFinished)


async def test_a_call_without_an_answer_in_time_counts_as_lost(
    make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolbox, "GRACE_S", -4.9)
    lab = make_lab(ScriptedModel([(("workspace__read", {"path": "docs/a.txt"}),), "Ok."]))
    hang = [True]

    async def slow(tree: Any, arguments: Mapping[str, Any]) -> str:
        if hang.pop() if hang else False:
            await anyio.sleep_forever()
        return "late"

    lab.model._lines = ((("lab__slow", {}),), "Ok.")  # type: ignore[attr-defined]
    add(lab, tool("lab__slow"), slow)
    assert (await lab.say("Go")).reason == "done"
    assert [(done.outcome, done.text) for done in lab.store.of(ToolFinished)] == [("ok", "late")]


async def test_a_connector_without_an_answer_in_time_has_an_unknown_outcome(
    make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent:
        async def tools(self) -> tuple[ToolSpec, ...]:
            return ()

        async def call(self, tool: str, arguments: Mapping[str, Any], **_: object) -> ToolOutcome:
            await anyio.sleep_forever()
            raise AssertionError

    monkeypatch.setattr(elsewhere, "GRACE_S", -4.9)
    lab = make_lab(
        ScriptedModel([(("mail__list", {}),), "Ok."]),
        connectors={"mail": Silent()},
        extra_tools=(tool("mail__list"),),
    )
    await lab.say("Go")
    assert lab.store.of(ToolFinished)[0].outcome == "unknown"


async def test_a_tool_that_is_gone_after_a_restart_gets_an_error_result(
    make_lab: MakeLab, crash: type[BaseException]
) -> None:
    lab = make_lab(ScriptedModel([(("lab__gone", {}),), "Ok."]))
    add(lab, tool("lab__gone"), lambda tree, arguments: "x")
    lab.store.die_at = 8
    with pytest.raises(crash):
        await lab.say("Go")
    assert isinstance(lab.store.payloads[-1], ToolStarted)
    lab.store.die_at = None
    del lab.sandbox.inner._plugins["lab"].tools["lab__gone"]  # type: ignore[attr-defined]
    assert (await lab.resume()).reason == "done"
    assert "no longer there" in lab.store.of(ToolFinished)[0].text


async def test_a_tool_that_is_gone_while_its_approval_waits_gets_an_error_result(
    make_lab: MakeLab,
) -> None:
    lab = make_lab(ScriptedModel([(("lab__send", {}),), "Ok."]))
    assert (await lab.say("Go")).reason == "needs_you"
    del lab.sandbox.inner._plugins["lab"].tools["lab__send"]  # type: ignore[attr-defined]
    assert (await lab.resume()).reason == "done"
    assert "no longer there" in lab.store.of(ToolFinished)[0].text


async def test_closing_a_connectors_started_call_says_that_nobody_knows(
    make_lab: MakeLab,
) -> None:
    class Slow:
        async def tools(self) -> tuple[ToolSpec, ...]:
            return ()

        async def call(self, tool: str, arguments: Mapping[str, Any], **_: object) -> ToolOutcome:
            await anyio.sleep_forever()
            raise AssertionError

    lab = make_lab(
        ScriptedModel([(("mail__list", {}), ("mail__more", {})), "Ok."]),
        connectors={"mail": Slow()},
        extra_tools=(tool("mail__list"), replace(tool("mail__list"), name="mail__more")),
    )
    with anyio.move_on_after(0.1):
        await lab.say("Go")
    assert [done.outcome for done in lab.store.of(ToolFinished)] == ["unknown", "interrupted"]
