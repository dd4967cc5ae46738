"""Plugins' tools called by another program: each call is in the record, results are checked, changes wait for the user."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import pytest

from deskmate.errors import DeskmateError, PluginError
from deskmate.host import Host, RunOrder
from deskmate.host.tool_service import FINISH, ToolService, tool_service
from deskmate.models.choose import choose_model
from deskmate.models.client import NAME, ClientModel
from deskmate.ports import BlobReader, Model, ModelRequest, ToolOutcome, ValidationRequest
from deskmate.store.thread import open_thread
from deskmate.testing.fake_sandbox import FakePlugin, FakeSandbox
from deskmate.testing.fake_workspace import Tree
from deskmate.types.events import ChangesStaged, Event, RunFinished, ToolFinished, Validated
from deskmate.types.files import Deliverable, Grant
from deskmate.types.findings import Finding
from deskmate.types.ids import ThreadId
from deskmate.types.places import Places
from deskmate.types.registry import Risk, RuleSpec, SkillSpec, ToolSpec

pytestmark = pytest.mark.anyio
Open = Callable[..., AbstractAsyncContextManager[ToolService]]


def quiet(line: str) -> None:
    """Nobody listens."""


def spec(name: str, risk: Risk = "read", offered: tuple[str, ...] | None = None) -> ToolSpec:
    schema = {"type": "object", "additionalProperties": True}
    return ToolSpec(
        plugin="lab", name=f"lab__{name}", title=name, description=name, input_schema=schema, risk=risk,
        offered=offered,
    )  # fmt: skip


def present(tree: Tree, arguments: Mapping[str, Any]) -> ToolOutcome:
    shown = Deliverable(path=arguments["path"], title="Result")
    return ToolOutcome(text="presented", deliverables=(shown,))


async def slow(tree: Tree, arguments: Mapping[str, Any]) -> str:
    await anyio.sleep(1)
    return "slept"


def no_lies(request: ValidationRequest, blobs: BlobReader) -> Iterable[Finding]:
    for path, digest in request.files.items():
        if b"lie" in blobs.read(digest):
            yield Finding(rule="LAB-TRUE", level="error", message="It lies.", path=path)


LAB = FakePlugin(
    tools={
        "lab__present": (spec("present"), present),
        "lab__send": (spec("send", "send"), lambda tree, given: "sent"),
        "lab__own": (spec("own", offered=()), lambda tree, given: "for the program itself"),
        "lab__slow": (spec("slow"), slow),
    },
    rules={"LAB-TRUE": (RuleSpec(plugin="lab", rule="LAB-TRUE", title="T"), no_lies)},
    skills=(SkillSpec(plugin="lab", name="measure", description="Measure it.", body="Twice."),),
)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(data=tmp_path / "data", cache=tmp_path / "cache", config=tmp_path / "config")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    (tmp_path / "work/a.txt").write_text("one")
    return tmp_path / "work"


@pytest.fixture
def opened(places: Places, folder: Path) -> Open:
    def make(**more: Any) -> AbstractAsyncContextManager[ToolService]:
        def host(model: Model) -> Host:
            return Host(places, sandbox=FakeSandbox({"lab": LAB}), model=model)

        grant = Grant(name="work", folder=str(folder), mode="rw")
        return tool_service(host, RunOrder(plugins=("lab",), grants=(grant,)), quiet, **more)

    return make


async def log(places: Places, thread: ThreadId | None) -> tuple[Event, ...]:
    assert thread is not None
    async with open_thread(places.threads, thread, write=False) as store:
        return await store.events()


def of(events: Iterable[Event], kind: type[Any]) -> list[Any]:
    return [event.payload for event in events if isinstance(event.payload, kind)]


async def test_calls_are_recorded_and_their_changes_wait_for_the_user(
    opened: Open, places: Places, folder: Path
) -> None:
    async with opened() as service:
        assert service.thread is None
        read = await service.call("workspace__read", {"path": "work/a.txt"}, quiet)
        assert (read.is_error, "one" in read.text) == (False, True)
        await service.call("workspace__write", {"path": "work/b.txt", "content": "two"}, quiet)
        await service.call("lab__present", {"path": "work/b.txt"}, quiet)
        done = await service.call(FINISH, {}, quiet)
        assert not done.is_error
        assert f"deskmate changes show --thread {service.thread}" in done.text
        assert [one.uri for one in service.resources()] == [
            "skill:///measure",
            "result:///work/b.txt",
        ]
        held = await service.resource("result:///work/b.txt")
        assert (held.media, held.text) == ("text/plain", "two")
        assert (await service.resource("skill:///measure")).text == "Twice."
        for wrong in (
            "result:///work/a.txt",
            "result:///../etc/passwd",
            "file:///etc/passwd",
            "skill:///no",
        ):
            with pytest.raises(DeskmateError):
                await service.resource(wrong)
    assert [path.name for path in folder.iterdir()] == ["a.txt"]
    events = await log(places, service.thread)
    assert [item.tool for item in of(events, ToolFinished)] == [
        "workspace__read", "workspace__write", "lab__present",
    ]  # fmt: skip
    assert [item.passed for item in of(events, Validated)] == [True]
    assert len(of(events, ChangesStaged)) == 1
    assert [item.reason for item in of(events, RunFinished)] == ["done"]


async def test_calls_at_the_same_time_are_all_answered(opened: Open, places: Places) -> None:
    texts: dict[int, str] = {}

    async def write(service: ToolService, number: int) -> None:
        path, text = f"work/{number}.txt", str(number)
        await service.call("workspace__write", {"path": path, "content": text}, quiet)
        texts[number] = (await service.call("workspace__read", {"path": path}, quiet)).text

    async with opened() as service, anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(write, service, number)
    assert {n for n, text in texts.items() if str(n) in text} == set(range(20))
    assert len(of(await log(places, service.thread), ToolFinished)) == 40


async def test_what_the_checks_find_goes_back_to_the_program_which_mends_it(
    opened: Open, places: Places
) -> None:
    async with opened() as service:
        await service.call("workspace__write", {"path": "work/b.txt", "content": "a lie"}, quiet)
        await service.call("lab__present", {"path": "work/b.txt"}, quiet)
        for _ in range(2):  # who asks again without mending has ended the run
            refused = await service.call(FINISH, {}, quiet)
            assert refused.is_error
            assert "LAB-TRUE work/b.txt" in refused.text
        await service.call(
            "workspace__write", {"path": "work/b.txt", "content": "the truth"}, quiet
        )
        await service.call("lab__present", {"path": "work/b.txt"}, quiet)
        assert not (await service.call(FINISH, {}, quiet)).is_error
    events = await log(places, service.thread)
    assert [item.reason for item in of(events, RunFinished)] == ["rejected", "done"]
    assert [item.passed for item in of(events, Validated)] == [False, True]


async def test_who_goes_without_a_word_leaves_staged_changes_behind(
    opened: Open, places: Places
) -> None:
    async with opened() as service:
        await service.call("workspace__write", {"path": "work/b.txt", "content": "two"}, quiet)
    events = await log(places, service.thread)
    assert len(of(events, ChangesStaged)) == 1
    assert [item.reason for item in of(events, RunFinished)] == ["done"]


async def test_after_the_last_word_or_a_long_silence_the_next_call_begins_another_run(
    opened: Open, places: Places
) -> None:
    async with opened(quiet_s=0.2) as service:
        await service.call("workspace__read", {"path": "work/a.txt"}, quiet)
        await service.call(FINISH, {}, quiet)
        await service.call("workspace__read", {"path": "work/a.txt"}, quiet)
        with anyio.fail_after(20):
            while len(of(await log(places, service.thread), RunFinished)) < 2:
                await anyio.sleep(0.05)
        assert not (await service.call("workspace__read", {"path": "work/a.txt"}, quiet)).is_error
    assert len(of(await log(places, service.thread), RunFinished)) == 3


async def test_what_would_have_to_be_asked_about_is_refused(opened: Open) -> None:
    async with opened() as service:
        await service.call("workspace__read", {"path": "work/a.txt"}, quiet)
        sent = await service.call("lab__send", {"to": "x@example.com"}, quiet)
        assert sent.is_error
        assert "sent" not in sent.text.split()


async def test_only_what_is_offered_can_be_called(opened: Open) -> None:
    async with opened() as service:
        names = [tool.name for tool in service.tools()]
        assert names[0] == FINISH
        assert {"lab__present", "workspace__read", "skill__read"} < set(names)
        for name in ("lab__own", "no__such"):
            assert name not in names
            assert "There is no tool" in (await service.call(name, {}, quiet)).text
        assert service.skill("measure", "") == "Twice."
        nothing = await service.call(FINISH, {}, quiet)
        assert not nothing.is_error
        assert service.thread is None


async def test_a_call_that_its_caller_gave_up_is_answered_to_nobody(opened: Open) -> None:
    async with opened() as service:
        with anyio.move_on_after(0.3):
            await service.call("lab__slow", {}, quiet)
        read = await service.call("workspace__read", {"path": "work/a.txt"}, quiet)
        assert "one" in read.text


async def test_a_run_that_cannot_begin_is_an_answer(opened: Open, folder: Path) -> None:
    async with opened() as service:
        (folder / "a.txt").unlink()
        folder.rmdir()
        answer = await service.call("workspace__read", {"path": "work/a.txt"}, quiet)
        assert answer.is_error
        assert "\n" not in answer.text
        folder.mkdir()
        (folder / "a.txt").write_text("again")
        assert (
            "again" in (await service.call("workspace__read", {"path": "work/a.txt"}, quiet)).text
        )


async def test_a_thread_that_its_program_left_is_resumed_to_its_end() -> None:
    model = choose_model(NAME, {})
    assert isinstance(model, ClientModel)
    request = ModelRequest(model=NAME, system=(), tools=(), messages=())
    reply = await model.reply(request, quiet)
    assert reply.stop_reason == "end_turn"


async def test_an_unknown_plugin_is_refused_before_anything_is_served(places: Places) -> None:
    with pytest.raises(PluginError, match="nosuch"):
        async with tool_service(
            lambda model: Host(places, model=model), RunOrder(plugins=("nosuch",)), quiet
        ):
            pass
    assert not places.threads.exists()
