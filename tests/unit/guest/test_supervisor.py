from __future__ import annotations

import json
import time
from typing import Any

import anyio
import pytest

from deskmate.errors import ProtocolError

pytestmark = pytest.mark.anyio

TOOLS = """
    import os, sys, time, random
    from deskmate.plugin import (
        Deliverable, Evidence, Finding, Tool, ToolAnswer, ToolContext, ToolInputError, Validator,
        hookimpl,
    )

    def add(left: int, right: int = 1) -> dict[str, int]:
        '''Add two numbers.

        Args:
            left: the first one.
        '''
        return {"sum": left + right}

    def slow(context: ToolContext) -> str:
        '''Take long.'''
        context.on_progress("half way")
        time.sleep(60)
        return "done"

    def count(context: ToolContext) -> int:
        '''Count the calls.'''
        path = context.home / "count"
        number = int(path.read_text()) + 1 if path.exists() else 1
        path.write_text(str(number))
        time.sleep(0.3 if number == 1 else 0)  # a second call comes while the first one runs
        return number

    def die() -> str:
        '''Die.'''
        os._exit(3)

    def broken() -> str:
        '''Raise.'''
        raise KeyError("nothing here")

    def picky(path: str) -> str:
        '''Refuse.'''
        raise ToolInputError(f"{path} is wrong.", hint="Try another.")

    def odd() -> object:
        '''Return what is not JSON.'''
        return object()

    def huge() -> str:
        '''Return too much.'''
        return "x" * 600_000

    def rich(context: ToolContext) -> ToolAnswer:
        '''Return evidence and a deliverable.'''
        return ToolAnswer(
            result={"setting": context.config.get("playbook")},
            evidence=(Evidence(id="e1", source="0" * 64, path="docs/a", locator={"page": 1}),),
            deliverables=(Deliverable(path="docs/a", title="A"),),
        )

    def orphan() -> str:
        '''Kill the zygote.'''
        os.kill(os.getppid(), 9)
        return "done"

    def dice() -> float:
        '''Roll.'''
        return random.random()

    def rubbish() -> str:
        '''Write rubbish to the supervisor.'''
        for fd in range(3, 30):
            try:
                if os.readlink(f"/proc/self/fd/{fd}").startswith("socket:"):
                    os.write(fd, b"[" * 100 + b"\\n")
            except OSError:
                pass
        return "done"

    @hookimpl
    def deskmate_tools(context):
        write = Tool(function=count, risk="write")
        reads = [add, slow, die, broken, picky, odd, huge, rich, dice, rubbish, orphan]
        return [write, *(Tool(function=function) for function in reads)]
"""
NAMES = (
    "add",
    "slow",
    "die",
    "broken",
    "picky",
    "odd",
    "huge",
    "rich",
    "dice",
    "rubbish",
    "orphan",
)
MANIFEST = "\n".join(["[tools.count]\nrisk = 'write'", *(f"[tools.{name}]" for name in NAMES)])


@pytest.fixture
def row(plugin: Any) -> Any:
    return plugin("acme", TOOLS, MANIFEST)


async def test_a_tool_answers_with_text_and_structure(start_guest: Any, row: Any) -> None:
    async with start_guest(row) as guest:
        outcome = await guest.call("acme__add", left=2)
    assert (outcome.text, outcome.structured, outcome.is_error) == ('{"sum":3}', {"sum": 3}, False)
    assert not outcome.wrote


async def test_wrong_arguments_and_tool_errors_are_told_to_the_model(
    start_guest: Any, row: Any
) -> None:
    async with start_guest(row) as guest:
        unknown = await guest.call("acme__add", left=1, up=2)
        missing = await guest.call("acme__add")
        refused = await guest.call("acme__picky", path="x.txt")
        nothing = await guest.call("acme__nothing")
    assert [item.is_error for item in (unknown, missing, refused, nothing)] == [True] * 4
    assert "up" in unknown.text
    assert "left" in missing.text
    assert refused.text == "x.txt is wrong. Try another."
    assert "acme__nothing" in nothing.text


async def test_a_plugins_own_bug_is_told_in_one_sentence_and_the_worker_lives(
    start_guest: Any, row: Any
) -> None:
    async with start_guest(row) as guest:
        outcome = await guest.call("acme__broken")
        assert outcome.is_error
        assert "KeyError: 'nothing here'" in outcome.text
        assert "Traceback" not in outcome.text
        assert (await guest.call("acme__odd")).is_error
        too_much = await guest.call("acme__huge")
        assert "600000 bytes" in too_much.text
        assert (await guest.call("acme__add", left=1)).structured == {"sum": 2}


async def test_a_worker_that_dies_fails_its_call_and_the_next_one_works(
    start_guest: Any, row: Any
) -> None:
    async with start_guest(row) as guest:
        outcome = await guest.call("acme__die")
        assert outcome.is_error
        assert "died" in outcome.text
        assert (await guest.call("acme__add", left=1)).structured == {"sum": 2}


async def test_a_plugin_whose_zygote_was_killed_is_loaded_again_a_few_times(
    start_guest: Any, row: Any
) -> None:
    async with start_guest(row) as guest:
        for _ in range(3):
            assert (await guest.call("acme__orphan")).text == "done"
            assert "died" in (await guest.call("acme__die")).text
            assert (await guest.call("acme__add", left=1)).structured == {"sum": 2}
        await guest.call("acme__orphan")
        await guest.call("acme__die")
        given_up = await guest.call("acme__add", left=1)
        assert given_up.is_error
        assert "plugin acme: its process died" in given_up.text


async def test_a_worker_that_talks_rubbish_fails_its_call_only(start_guest: Any, row: Any) -> None:
    async with start_guest(row) as guest:
        outcome = await guest.call("acme__rubbish")
        assert outcome.is_error
        assert "broke the rules" in outcome.text
        assert (await guest.call("acme__add", left=1)).structured == {"sum": 2}


async def test_a_call_past_its_deadline_is_killed_while_pings_are_answered(
    start_guest: Any, row: Any
) -> None:
    lines: list[str] = []
    async with start_guest(row) as guest:
        async with anyio.create_task_group() as tasks:

            async def slow() -> None:
                outcome = await guest.client.call(
                    "acme__slow", {}, key="s", timeout_s=1, on_progress=lines.append
                )
                assert outcome.is_error
                assert "timed out after 1 s" in outcome.text

            tasks.start_soon(slow)
            await guest.client.ping()
            assert await guest.client.status("s") == ("running", None)
        assert lines == ["half way"]
        assert (await guest.call("acme__add", left=1)).structured == {"sum": 2}
        state, outcome = await guest.client.status("s")
        assert (state, outcome.is_error) == ("finished", True)


async def test_one_key_runs_once_also_when_it_is_asked_twice_at_the_same_time(
    start_guest: Any, row: Any
) -> None:
    async with start_guest(row) as guest:
        await guest.open("rw")
        found: list[Any] = []

        async def call() -> None:
            found.append((await guest.call("acme__count", key="same")).structured)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            tasks.start_soon(call)
        await call()
        assert found == [1, 1, 1]
        assert (await guest.call("acme__count", key="other")).structured == 2
        for number in range(62):  # the last ones are written down together
            await guest.call("acme__count", key=f"later-{number}")
        await guest.client.ping()
        ledger = (guest.root / "scratch" / "ledger").read_text().splitlines()
        assert [json.loads(line)["key"] for line in ledger][:2] == ["same", "other"]
        assert len(ledger) == 64


async def test_settings_evidence_and_deliverables_travel(start_guest: Any, row: Any) -> None:
    async with start_guest(row) as guest:
        await guest.client.open([], {"acme": {"playbook": "mine.yaml"}}, "t-1")
        outcome = await guest.call("acme__rich")
    assert outcome.structured == {"setting": "mine.yaml"}
    assert [item.id for item in outcome.evidence] == ["e1"]
    assert [item.path for item in outcome.deliverables] == ["docs/a"]


async def test_a_resumed_worker_has_random_numbers_of_its_own(start_guest: Any, row: Any) -> None:
    async with start_guest(row) as guest:
        names = await guest.client.resume(
            time_ns=time.time_ns(), seed=bytes(64), machine_id="0" * 32, hostname="t"
        )
        assert names == ("acme",)
        first = await guest.call("acme__dice")
        await guest.client.resume(
            time_ns=time.time_ns(), seed=bytes(64), machine_id="0" * 32, hostname="t"
        )
        second = await guest.call("acme__dice")
    assert first.structured != second.structured


# numpy's generator, unlike random's, is not seeded anew by a fork
NUMBERS = """
    import os, random, sys, types
    from deskmate.plugin import Tool, hookimpl

    shared = random.Random(7)
    sys.modules["numpy.random"] = types.SimpleNamespace(seed=shared.seed)

    def roll() -> float:
        '''Roll.'''
        return shared.random()

    def die() -> str:
        '''Die.'''
        os._exit(3)

    @hookimpl
    def deskmate_tools(context):
        return [Tool(function=roll), Tool(function=die)]
"""


async def test_every_new_worker_has_its_own_random_numbers(start_guest: Any, plugin: Any) -> None:
    async with start_guest(plugin("luck", NUMBERS, "[tools.roll]\n[tools.die]")) as guest:
        rolled = []
        for _ in range(3):
            rolled.append((await guest.call("luck__roll")).text)
            await guest.call("luck__die")
    assert len(set(rolled)) == 3


async def test_code_that_forks_again_and_again_has_nothing_in_its_output_but_its_own(
    start_guest: Any, workspace_row: Any
) -> None:
    code = "import os\nfor _ in range(2):\n    if os.fork():\n        os.wait()\n        break\nelse:\n    print('last')"
    async with start_guest(workspace_row) as guest:
        await guest.open()
        outcome = await guest.call("workspace__python", code=code)
        again = await guest.call("workspace__glob", pattern="*")
    assert outcome.structured == {"exit_code": 0, "output": "last\n"}
    assert not again.is_error


async def test_a_broken_plugin_is_a_named_problem_and_the_others_work(
    start_guest: Any, row: Any, plugin: Any
) -> None:
    bad = plugin("bad", "import nothing_of_that_name", "")
    dead = plugin("dead", "import os; os._exit(9)", "")
    typo = plugin(
        "typo",
        """
        from deskmate.plugin import hookimpl

        @hookimpl
        def deskmate_tool(context):
            return []
        """,
    )
    async with start_guest(row, bad, dead, typo) as guest:
        registry = await guest.client.registry()
        assert [text.split(":")[0] for text in registry.problems] == ["bad", "dead", "typo"]
        assert "nothing_of_that_name" in registry.problems[0]
        assert "deskmate_tool" in registry.problems[2]
        assert {tool.plugin for tool in registry.tools} == {"acme"}
        assert (await guest.call("acme__add", left=1)).structured == {"sum": 2}


async def test_what_is_put_before_open_or_under_a_running_tool_is_refused(
    start_guest: Any, row: Any
) -> None:
    async with start_guest(row) as guest:
        with pytest.raises(ProtocolError, match="not open"):
            await guest.client.put("base", 0, timeout_s=5)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(guest.call, "acme__slow", "k", 1)
            await anyio.sleep(0.2)
            with pytest.raises(ProtocolError, match="a tool runs"):
                await guest.client.put("base", 0, timeout_s=5)
