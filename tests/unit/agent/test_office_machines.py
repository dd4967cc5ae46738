"""When a thread's machine is one that renders and recalculates, and what the next machine is told of earlier results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from deskmate.agent.results import earlier_results
from deskmate.ports import Delta, ToolOutcome
from deskmate.testing.fake_sandbox import FakePlugin
from deskmate.testing.fake_workspace import Tree
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.events import Event, ToolFinished, Validated
from deskmate.types.files import Change, Claim, Deliverable, Difference, Entry
from deskmate.types.ids import Digest, ToolUseId
from deskmate.types.registry import ToolSpec

if TYPE_CHECKING:
    from tests.unit.agent.conftest import Lab

    MakeLab = Callable[..., Lab]
    MakeLog = Callable[..., tuple[Event, ...]]

pytestmark = pytest.mark.anyio
A, B = Digest("a" * 64), Digest("b" * 64)


def tool(name: str, office: str = "") -> ToolSpec:
    schema = {"type": "object", "properties": {"ocr": {"type": "boolean"}}}
    return ToolSpec(
        plugin="lab", name=f"lab__{name}", title=name, description="It.", input_schema=schema,
        risk="write", office=office,
    )  # fmt: skip


def _write(tree: Tree, arguments: Mapping[str, Any]) -> ToolOutcome:
    tree.write("docs/m.xlsx", b"edited")
    data = {"declared": {"cells": {}}, "render": True}
    made = Deliverable(path="docs/m.xlsx", title="M", sources={"original": "docs/a.txt"}, data=data)
    return ToolOutcome(text="done", deliverables=(made,))


def _look(tree: Tree, arguments: Mapping[str, Any]) -> ToolOutcome:
    return ToolOutcome(text=tree.read("docs/m.xlsx").decode())


DESK = FakePlugin(
    tools={
        "lab__write": (tool("write"), _write),
        "lab__draw": (tool("draw", office="always"), _look),
        "lab__read": (tool("read", office="ocr"), _look),
    }
)


def lab_with_desk(make_lab: MakeLab, *lines: Any) -> Lab:
    lab = make_lab(ScriptedModel([*lines, "Ok."]))
    lab.sandbox.inner._plugins = {**lab.sandbox.inner._plugins, "lab": DESK}
    return lab


def said(lab: Lab) -> list[str]:
    return [item.text for item in lab.seen if isinstance(item, Delta) and item.kind == "progress"]


async def test_a_call_that_renders_goes_on_in_a_machine_that_can(make_lab: MakeLab) -> None:
    lab = lab_with_desk(make_lab, (("lab__write", {}),), (("lab__draw", {}),))
    await lab.say("Go")
    assert lab.sandbox.flavours[:2] == ["base", "office"]
    assert [done.text for done in lab.store.of(ToolFinished)] == ["done", "edited"]
    assert any("lab__draw takes LibreOffice" in line for line in said(lab))


async def test_a_thread_that_renders_nothing_stays_as_it_was(make_lab: MakeLab) -> None:
    lab = lab_with_desk(make_lab, (("lab__read", {}),), (("lab__read", {"ocr": False}),))
    await lab.say("Go")
    assert lab.sandbox.flavours == ["base"]
    assert not any("LibreOffice" in line for line in said(lab))


async def test_an_argument_may_be_what_asks_for_it(make_lab: MakeLab) -> None:
    lab = lab_with_desk(make_lab, (("lab__read", {"ocr": True}),), (("lab__draw", {}),))
    await lab.say("Go")
    assert lab.sandbox.flavours == ["office"]


async def test_without_that_image_the_tool_is_called_all_the_same_and_one_line_says_why(
    make_lab: MakeLab,
) -> None:
    lab = lab_with_desk(make_lab, (("lab__draw", {}),), (("lab__draw", {}),))
    lab.sandbox.lack = "There is none. Build it."
    await lab.say("Go")
    assert lab.sandbox.flavours == ["base"]
    assert [line for line in said(lab) if "Build it" in line] == [
        "lab__draw takes LibreOffice. There is none. Build it."
    ]
    assert len(lab.store.of(ToolFinished)) == 2


async def test_a_result_that_asks_to_be_rendered_is_checked_where_that_works(
    make_lab: MakeLab,
) -> None:
    lab = lab_with_desk(make_lab, (("lab__write", {}),), "Ok.", (("lab__write", {}),))
    lab.sandbox.lack = "There is none."
    await lab.say("Go")
    lab.sandbox.lack = ""
    await lab.say("Again", run="r-2")
    assert [f for f in lab.sandbox.flavours if "room" in f] == [
        "clean room: base",
        "clean room: office",
    ]
    first, second = lab.store.of(Validated)
    assert first.inputs != second.inputs


async def test_the_next_run_s_machine_is_told_what_was_presented_and_from_what(
    make_lab: MakeLab,
) -> None:
    lab = lab_with_desk(make_lab, (("lab__write", {}),), "Ok.", (("lab__read", {}),))
    await lab.say("Go")
    assert lab.sandbox.machines[0].presented == {}
    await lab.say("Again", run="r-2")
    told = lab.sandbox.machines[-1]
    assert [item.path for item in told.presented["lab"]] == ["docs/m.xlsx"]
    assert told.originals == {"docs/a.txt": b"alpha"}


async def test_what_was_applied_is_told_no_more(make_lab: MakeLab) -> None:
    lab = lab_with_desk(make_lab, (("lab__write", {}),), "Ok.", (("lab__read", {}),))
    await lab.say("Go")
    lab.files["docs/m.xlsx"] = b"edited"
    await lab.apply("docs/m.xlsx")
    await lab.say("Again", run="r-2")
    assert len(lab.sandbox.machines) == 2
    assert lab.sandbox.machines[-1].presented == {}


def made(tool: str, path: str, **fields: Any) -> ToolFinished:
    fields = {"data": {"n": 1}, **fields}
    item = Deliverable(path=path, title="It", **fields)
    return ToolFinished(
        tool_use_id=ToolUseId("u"), tool=tool, outcome="ok", text="", deliverables=(item,)
    )


def entry(path: str, sha256: Digest | None = A) -> Entry:
    return Entry(path=path, kind="file", mode=0o644, sha256=sha256)


def test_each_plugin_hears_the_last_word_of_its_own_tools_only(make_log: MakeLog) -> None:
    events = make_log(
        made("lab__write", "w/m.xlsx", data={"n": 1}, sources={"original": "w/m.xlsx"}),
        made("lab__write", "w/m.xlsx", data={"n": 2}, sources={"original": "w/m.xlsx"}, claims=(Claim(text="1", evidence=("e",)),)),
        made("evil__write", "w/m.xlsx", data={"n": 9}),
        made("lab__write", "w/gone.xlsx"),
        made("lab__write", "w/plain.txt", data={}),
    )  # fmt: skip
    after = Change(
        path="w/m.xlsx", operation="modify", before=entry("w/m.xlsx"), after=entry("w/m.xlsx", B)
    )
    plain = Change(path="w/plain.txt", operation="create", before=None, after=entry("w/plain.txt"))
    found = earlier_results(events, Difference(changes=(after, plain)), [entry("w/m.xlsx", B)])
    assert found is not None
    assert {name: [dict(one.data) for one in items] for name, items in found.presented.items()} == {
        "lab": [{"n": 2}], "evil": [{"n": 9}],
    }  # fmt: skip
    assert found.presented["lab"][0].claims == ()
    assert [(one.path, one.sha256) for one in found.originals] == [("w/m.xlsx", A)]


def test_without_changes_or_results_nothing_is_told(make_log: MakeLog) -> None:
    events = make_log(made("lab__write", "w/m.xlsx"))
    assert earlier_results(events, Difference(changes=()), []) is None
    gone = Change(path="w/m.xlsx", operation="delete", before=entry("w/m.xlsx"), after=None)
    assert earlier_results(events, Difference(changes=(gone,)), []) is None
