"""Sub-agents: what they find comes back with its places, they only read, and no death of the process costs twice."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from deskmate.agent import delegation
from deskmate.agent.delegate_tool import DELEGATE
from deskmate.agent.manifests import read_entries
from deskmate.agent.state import fold
from deskmate.agent.subagents import READER
from deskmate.agent.validation import build_validation
from deskmate.errors import ModelRejected
from deskmate.ports import ModelReply, ModelRequest, ToolOutcome
from deskmate.store.invariants import CHECKERS
from deskmate.store.subagents import broken_by_subagents
from deskmate.testing.fake_workspace import Tree
from deskmate.types.codec import to_json
from deskmate.types.events import (
    Event,
    ModelAsked,
    ModelReplied,
    RunFinished,
    RunResumed,
    SandboxOpened,
    SubagentDid,
    SubagentStarted,
    ToolFinished,
    ToolStarted,
    UserSaid,
)
from deskmate.types.files import Difference, Evidence
from deskmate.types.ids import Digest, ToolUseId
from deskmate.types.limits import Limits, Usage
from deskmate.types.messages import Block, Text, ToolUse
from deskmate.types.policy import Rule, Rules
from deskmate.types.registry import ToolSpec
from deskmate.types.subagents import logs_of, started_in

if TYPE_CHECKING:
    from tests.unit.agent.conftest import Lab

    MakeLab = Callable[..., Lab]

pytestmark = pytest.mark.anyio

FILES = {"docs/a.txt": b"alpha", "docs/b.txt": b"beta", "docs/deep/c.txt": b"gamma"}
PRICE = 0.01
NOON = "2026-11-23T12:00:00.000000+00:00"
TASKS: list[dict[str, Any]] = [
    {"title": "About a", "task": "What is in a?", "files": ["docs/a.txt"]},
    {"title": "About b", "task": "What is in b?", "files": ["docs/b.txt"]},
]


def delegate(*tasks: Mapping[str, Any]) -> tuple[tuple[str, Mapping[str, Any]], ...]:
    return ((DELEGATE, {"tasks": list(tasks)}),)


def a_reading(name: str) -> list[Any]:
    return [(("workspace__read", {"path": f"docs/{name}.txt"}),), f"It is in {name} [e-{name}]."]


class Team:
    """Says one script as the agent, and as a sub-agent the one that its task calls for."""

    name = "team"

    def __init__(self, own: Iterable[Any], others: Mapping[str, Any] | None = None) -> None:
        self._own = list(own)
        self._others = {"in a": a_reading("a"), "in b": a_reading("b"), **(others or {})}
        self.requests: list[ModelRequest] = []

    async def reply(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelReply:
        self.requests.append(request)
        turn = sum(message.role == "assistant" for message in request.messages)
        script = self._own
        if READER in request.system:
            asked = str(request.messages[0].content)
            script = next(lines for words, lines in self._others.items() if words in asked)
        line = script[min(turn, len(script) - 1)]
        if callable(line):
            line = await line()
        usage = Usage(input_tokens=100, output_tokens=5, cost_usd=PRICE)
        if isinstance(line, str):
            on_text(line)
            return ModelReply(content=(Text(text=line),), stop_reason="end_turn", usage=usage)
        uses: tuple[Block, ...] = tuple(
            ToolUse(id=ToolUseId(f"toolu_{turn:03}_{n:02}"), name=name, input=arguments)
            for n, (name, arguments) in enumerate(line)
        )
        return ModelReply(content=uses, stop_reason="tool_use", usage=usage)

    def estimate_cost_usd(self, request: ModelRequest) -> float | None:
        return PRICE


def _quote(tree: Tree, arguments: Mapping[str, Any]) -> ToolOutcome:
    path = str(arguments["path"])
    name = path.rpartition("/")[2].partition(".")[0]
    words = tree.read(path).decode()
    place = Evidence(
        id=f"e-{name}", source=Digest("0" * 64), path=path, locator={"line": 1}, quote=words
    )
    return ToolOutcome(text=words, evidence=(place,), wrote=True)


QUOTE = ToolSpec(
    plugin="lab", name="lab__quote", title="Quote", description="Q.", input_schema={"type": "object"}, risk="read"
)  # fmt: skip


@pytest.fixture
def team_lab(make_lab: MakeLab) -> Callable[..., Lab]:
    def make(model: Any, **more: Any) -> Lab:
        lab = make_lab(model, files=dict(FILES), subagents=1, **more)
        plugins = lab.sandbox.inner._plugins
        tools = {**plugins["lab"].tools, QUOTE.name: (QUOTE, _quote)}
        plugins["lab"] = replace(plugins["lab"], tools=tools)
        return lab

    return make


def broken(events: Iterable[Event]) -> list[str]:
    log = list(events)
    found = [one for check in CHECKERS.values() for one in check(log)]
    return [*found, *broken_by_subagents(log)]


def result(lab: Lab) -> ToolFinished:
    found = [done for done in lab.store.of(ToolFinished) if done.tool == DELEGATE]
    assert len(found) == 1
    last: ToolFinished = found[0]
    return last


async def test_answers_come_back_with_their_places_and_are_what_the_run_cost(
    team_lab: MakeLab,
) -> None:
    quoting = [(("lab__quote", {"path": "docs/a.txt"}),), "It says alpha [e-a]."]
    lab = team_lab(Team([delegate(*TASKS), "Both read."], {"in a": quoting}))
    lab.subagents = 2
    ended = await lab.say("Read both")
    assert (ended.reason, broken(lab.store.stored)) == ("done", [])
    done = result(lab)
    assert done.outcome == "ok"
    assert "## About a (s1): done\nIt says alpha [e-a]." in done.text
    assert "- e-a: docs/a.txt, line 1: “alpha”" in done.text
    assert "## About b (s2): done\nIt is in b [e-b]." in done.text
    assert done.untrusted
    state = fold(lab.store.stored)
    assert state.exposure.both
    assert state.spent_usd == pytest.approx(6 * PRICE)
    assert state.usage.cost_usd == pytest.approx(6 * PRICE)
    base = read_entries(lab.blobs, started_in(lab.store.stored)[0].manifest)
    request = build_validation((), Difference(changes=()), base, lab.store.stored, "2026-11-23")
    assert [(item.id, item.path) for item in request.evidence] == [("e-a", "docs/a.txt")]
    assert request.facts["paths_read"] == ["docs/a.txt"]


async def test_a_sub_agent_has_its_files_and_tools_that_read_and_nothing_else(
    team_lab: MakeLab,
) -> None:
    other = [(("workspace__read", {"path": "docs/b.txt"}), ("lab__quote", {"path": "docs/a.txt"}),
              ("workspace__write", {"path": "docs/a.txt", "content": "x"}), delegate(TASKS[0])[0]), "No."]  # fmt: skip
    model = Team([delegate(TASKS[0]), "Done."], {"in a": other})
    lab = team_lab(model)
    assert (await lab.say("Read")).reason == "done"
    (log,) = logs_of(lab.store.stored).values()
    outcomes = [e.payload.outcome for e in log if isinstance(e.payload, ToolFinished)]
    assert sorted(outcomes) == ["error", "error", "error", "ok"]
    readers = [request for request in model.requests if READER in request.system]
    offered = {tool.name for request in readers for tool in request.tools}
    assert {"thread__read", "workspace__read", "lab__quote"} <= offered
    assert not offered & {DELEGATE, "workspace__write", "workspace__ask", "lab__memo", "lab__send"}
    assert "docs (ro)" in str(readers[0].messages[0])
    assert lab.sandbox.egress is None
    assert fold(lab.store.stored).dirty is False
    assert lab.store.of(RunFinished)[-1].text == ""


async def test_it_reads_the_files_as_the_work_of_the_thread_left_them(team_lab: MakeLab) -> None:
    write = (("workspace__write", {"path": "docs/new.txt", "content": "fresh"}),)
    reads = [(("workspace__read", {"path": "docs/new.txt"}),), "Read."]
    task = {"title": "New", "task": "What is new?", "files": ["docs/new.txt"]}
    lab = team_lab(Team([write, delegate(task), "Done."], {"new": reads}))
    assert (await lab.say("Write, then read")).reason == "done"
    (log,) = logs_of(lab.store.stored).values()
    assert [e.payload.text for e in log if isinstance(e.payload, ToolFinished)] == ["fresh"]


async def test_what_it_reads_first_is_an_original_for_the_checks(team_lab: MakeLab) -> None:
    lab = team_lab(Team([delegate(TASKS[0]), "Done."]), listed_only=True)
    assert (await lab.say("Read")).reason == "done"
    assert lab.taken == ["docs/a.txt"]
    state = fold(lab.store.stored)
    assert len(state.contents) == 1
    (entry,) = read_entries(lab.blobs, state.contents[0])
    assert lab.blobs.read(Digest(str(entry.sha256))) == b"alpha"


async def test_one_that_fails_hangs_or_runs_out_of_money_ends_alone(
    team_lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> str:
        raise ModelRejected("No such model.", status=404)

    monkeypatch.setattr(delegation, "DEADLINE_S", 0.5)
    tasks = [{"title": t, "task": t} for t in ("fail", "hang", "in a")]
    model = Team([delegate(*tasks), "Done."], {"fail": [fail], "hang": [anyio.sleep_forever]})
    lab = team_lab(model)
    # the log's clock stands still, so that only the one that hangs is over its time
    monkeypatch.setattr(sys.modules[type(lab).__module__], "stamp", lambda seconds: NOON)
    lab.subagents = 2
    assert (await lab.say("Read")).reason == "done"
    text = result(lab).text
    assert "## fail (s1): failed: No such model." in text
    assert "## hang (s2): not finished, its share of the budget or its time was used up" in text
    assert "(s3): done" in text
    assert broken(lab.store.stored) == []
    poor = team_lab(Team([delegate(*TASKS), "Done."]))
    assert (await poor.say("Read", limits=Limits(cost_usd=4 * PRICE))).reason == "done"
    shares = [one.limits.cost_usd for one in started_in(poor.store.stored)]
    assert shares == [pytest.approx(3 * PRICE * 0.8 / 2)] * 2
    assert result(poor).outcome == "error"
    assert result(poor).text.count("The next call may cost 0.0100 USD") == 2
    assert broken(poor.store.stored) == []


async def test_what_would_be_asked_is_denied_and_nobody_is_asked(team_lab: MakeLab) -> None:
    rules = Rules(rules=(Rule(tool="workspace__read", decision="ask"),))
    lab = team_lab(Team([delegate(TASKS[0]), "Done."]), rules=rules)
    assert (await lab.say("Read")).reason == "done"
    assert lab.person.asked == []
    (log,) = logs_of(lab.store.stored).values()
    (done,) = [e.payload for e in log if isinstance(e.payload, ToolFinished)]
    assert done.outcome == "denied"
    assert done.text.startswith("Denied by the rule that a sub-agent asks nobody.")


@pytest.mark.parametrize(
    ("tasks", "why"),
    [
        ([{"title": "x", "task": "x", "files": ["docs/none.txt"]}], "There is no file 'docs/none.txt'"),
        ([{"title": "x"}], "'task' is a required property"),
        ([TASKS[0]] * 9, "do not fit:\n- tasks:"),
    ],
)  # fmt: skip
async def test_an_order_that_cannot_be_carried_out_begins_nothing(
    team_lab: MakeLab, tasks: list[Any], why: str
) -> None:
    lab = team_lab(Team([delegate(*tasks), "Done."]))
    assert (await lab.say("Read")).reason == "done"
    assert why in result(lab).text
    assert lab.store.of(SubagentStarted) == []


async def test_a_run_has_only_so_many_and_none_where_they_are_not_offered(
    team_lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delegation, "MOST_A_RUN", 3)
    lab = team_lab(Team([delegate(*TASKS), delegate(*TASKS), "Done."]))
    assert (await lab.say("Read")).reason == "done"
    assert len(started_in(lab.store.stored)) == 2
    assert "has at most 3 sub-agents" in lab.store.of(ToolFinished)[-1].text
    model = Team([delegate(*TASKS), "Done."])
    without = team_lab(model)
    without.subagents = 0
    await without.say("Read")
    assert "There is no tool 'thread__delegate'" in result(without).text
    assert DELEGATE not in {tool.name for tool in model.requests[0].tools}


MAY_DIFFER = (SandboxOpened, ModelAsked, RunResumed, ToolStarted)


def lasting(events: Iterable[Event]) -> list[Any]:
    """The thread's own facts and each sub-agent's, without intents and what belongs to one process."""
    log = list(events)
    own = [e for e in log if not isinstance(e.payload, SubagentDid | SubagentStarted)]
    logs = {"": tuple(own), **logs_of(log)}
    return [
        (name, type(e.payload).__name__, to_json(e.payload))
        for name, one in sorted(logs.items())
        for e in one
        if not isinstance(e.payload, MAY_DIFFER)
    ]


@pytest.mark.parametrize("at_once", [1, 2])
async def test_death_at_any_moment_repeats_nothing_that_was_answered(
    team_lab: MakeLab, crash: type[BaseException], at_once: int
) -> None:
    def lab_of() -> tuple[Lab, Team]:
        model = Team([delegate(*TASKS), "Both read."])
        lab = team_lab(model)
        lab.subagents = at_once
        return lab, model

    whole, _ = lab_of()
    assert (await whole.say("Read both")).reason == "done"
    replies = len(whole.store.of(ModelReplied))
    assert len(whole.store.stored) > 35
    for boundary in range(3, len(whole.store.stored)):
        lab, _ = lab_of()
        lab.store.die_at = boundary
        with pytest.raises(crash):
            await lab.say("Read both")
        lab.store.die_at = None
        assert (await lab.resume()).reason == "done", boundary
        assert lasting(lab.store.stored) == lasting(whole.store.stored), boundary
        assert broken(lab.store.stored) == [], boundary
        assert len(lab.store.of(ModelReplied)) == replies
        assert fold(lab.store.stored).spent_usd == pytest.approx(6 * PRICE), boundary


async def test_a_stop_ends_all_and_keeps_what_was_found(team_lab: MakeLab) -> None:
    hanging = anyio.Event()

    async def hang() -> str:
        hanging.set()
        await anyio.sleep_forever()
        return ""

    tasks = [TASKS[0], {"title": "Slow", "task": "hang"}]
    lab = team_lab(Team([delegate(*tasks), "Done."], {"hang": [hang]}))
    async with anyio.create_task_group() as group:
        group.start_soon(lab.say, "Read")
        await hanging.wait()
        group.cancel_scope.cancel()
    assert lab.store.of(RunFinished)[-1].reason == "stopped"
    ends = [log[-1].payload for log in logs_of(lab.store.stored).values()]
    assert [end.reason for end in ends if isinstance(end, RunFinished)] == ["done", "stopped"]
    done = result(lab)
    assert (done.outcome, done.synthetic, done.untrusted) == ("interrupted", True, True)
    assert "It is in a [e-a]." in done.text
    assert "## Slow (s2): stopped before its end" in done.text
    assert (await lab.resume()).reason == "done"
    assert broken(lab.store.stored) == []


async def test_a_second_request_to_a_thread_counts_anew(team_lab: MakeLab) -> None:
    lab = team_lab(Team([delegate(TASKS[0]), "One.", delegate(TASKS[1]), "Two."]))
    await lab.say("Read a", run="r-1")
    await lab.say("Read b", run="r-2")
    assert [one.child for one in started_in(lab.store.stored)] == ["s1", "s2"]
    said = [e.payload.text for log in logs_of(lab.store.stored).values() for e in log
            if isinstance(e.payload, UserSaid)]  # fmt: skip
    assert said[1] == "What is in b?\n\nFiles that you may read: docs/b.txt."
