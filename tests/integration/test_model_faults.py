"""Faults of a model's server through the whole house: each run ends recovered or cleanly parked.

Every fault comes before the first reply and again between a tool's effect and the last one. The log is then sound
and settled, no half message is in it, the effect is there once, and every attempt was the same request.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.integration import model_server as ms
from tests.integration.crash_job import COUNT, Nobody, places_of
from tests.unit.agent.conftest import FakeClock, Lab

from deskmate.agent.asking import Patience
from deskmate.host import Host, RunOrder, RunResult
from deskmate.models import bounds
from deskmate.models.anthropic import AnthropicModel
from deskmate.models.catalogue import find_model
from deskmate.ports import Delta
from deskmate.store.blobs import BlobStore
from deskmate.store.thread import open_thread
from deskmate.store.verify import verify_thread
from deskmate.testing.fake_sandbox import FakePlugin, FakeSandbox
from deskmate.testing.fake_workspace import Tree
from deskmate.types.events import (
    Event,
    ModelAsked,
    ModelFailed,
    ModelReplied,
    RunFinished,
    ToolFinished,
)
from deskmate.types.ids import ThreadId
from deskmate.types.messages import text_of

pytestmark = pytest.mark.anyio
MIB = 1024 * 1024


@dataclass
class House:
    """One thread and everything around it; the clock's waits are noted and take no time."""

    root: Path
    model: AnthropicModel
    clock: FakeClock
    host: Host
    effects: list[str]
    notes: list[str]
    thread: ThreadId | None = None

    async def run(self, text: str = "") -> RunResult:
        """Say something, or go on with what was parked."""
        if self.thread is None:
            self.thread = await self.host.create_thread("Faults")
        plugins = ("proof",) if text else ()
        order = RunOrder(text=text, plugins=plugins)
        try:
            return await self.host.run(order, self.thread, observer=self._note, approver=Nobody())
        finally:
            await self.model.aclose()

    def _note(self, item: Event | Delta) -> None:
        if isinstance(item, Delta) and item.kind == "progress":
            self.notes.append(item.text)

    async def events(self) -> tuple[Event, ...]:
        """All events of a log that is sound and settled."""
        assert self.thread
        places = places_of(self.root)
        async with open_thread(places.threads, self.thread, write=False) as store:
            report = await verify_thread(store, BlobStore(places.blobs), settled=True)
            assert report.problems == ()
            return await store.events()

    async def of(self, kind: type[Any]) -> list[Any]:
        return [event.payload for event in await self.events() if isinstance(event.payload, kind)]


def make_house(root: Path, url: str) -> House:
    effects: list[str] = []

    def count(tree: Tree, arguments: object) -> str:
        effects.append("counted")
        return "counted"

    model = AnthropicModel(find_model("sonnet", {}), api_key="k", base_url=url, silence_s=2.0)
    clock = FakeClock()
    sandbox = FakeSandbox({"proof": FakePlugin(tools={COUNT.name: (COUNT, count)})})
    host = Host(places_of(root), environ={}, sandbox=sandbox, model=model, clock=clock)
    return House(root, model, clock, host, effects, [])


@contextmanager
def serving(tmp_path: Path, *script: ms.Play) -> Iterator[tuple[House, ms.ScriptedServer]]:
    with ms.ScriptedServer(script) as server:
        yield make_house(tmp_path, server.url), server


def overloaded() -> dict[str, Any]:
    return {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


PASSING: dict[str, ms.Play] = {
    "429": ms.status(429, "rate_limit_error"),
    "500": ms.status(500, "api_error"),
    "502": ms.status(502, "api_error"),
    "503": ms.status(503, "api_error"),
    "529": ms.status(529, "overloaded_error"),
    "overloaded after 200": ms.broken(ms.start(), *ms.text_block(0, "Half"), overloaded()),
    "reset after headers": ms.broken(reset=True),
    "reset mid-block": ms.broken(*ms.DONE_EVENTS[:3], reset=True),
    "reset in a tool's arguments": ms.broken(*ms.TOOL_EVENTS[:3], reset=True),
    "reset before message_stop": ms.broken(*ms.DONE_EVENTS[:-1], reset=True),
    "closed before message_stop": ms.broken(*ms.DONE_EVENTS[:-1]),
    "closed before message_stop, tool": ms.broken(*ms.TOOL_EVENTS[:-1]),
    "silence after headers": ms.silence,
    "malformed data": ms.broken(*ms.DONE_EVENTS[:2], raw=b"event: x\ndata: {not json\n\n"),
    "no UTF-8": ms.broken(*ms.DONE_EVENTS[:2], raw=b"data: \xff\xfe\n\n"),
    "invalid tool JSON": ms.reply(ms.start(), *ms.tool_block(0, '{"a": '), *ms.finish("tool_use")),
    "an HTML page": ms.broken(raw=b"<html>gateway</html>"),
    "gzip bomb": ms.gzip_bomb,
}
"""Faults that pass: the same request is sent again, and what came of the broken ones is no history."""

LASTING = {
    "400": ms.status(400, "invalid_request_error"),
    "401": ms.status(401, "authentication_error"),
    "403": ms.status(403, "permission_error"),
    "413": ms.status(413, "request_too_large"),
    "refused after 200": ms.broken(
        ms.start(), {"type": "error", "error": {"type": "invalid_request_error", "message": "No."}}
    ),
}
"""Faults that asking again does not mend."""

BENIGN = {
    "UTF-8 split across chunks": ms.in_pieces(ms.sse(*ms.DONE_EVENTS), 1),
    "CRLF": ms.in_pieces(ms.sse(*ms.DONE_EVENTS, end="\r\n"), 7),
    "CR LF and LF mixed": ms.in_pieces(
        ms.sse(*ms.DONE_EVENTS[:3], end="\r\n") + ms.sse(*ms.DONE_EVENTS[3:]), 5
    ),
    "unknown events": ms.reply(
        {"type": "news", "of": "2027"}, *ms.DONE_EVENTS[:2], {"type": "ping"}, *ms.DONE_EVENTS[2:]
    ),
    "comments and pings": ms.in_pieces(
        b": hello\n\n" + ms.sse({"type": "ping"}, *ms.DONE_EVENTS), 9
    ),
    "message_stop twice": ms.reply(*ms.DONE_EVENTS, ms.DONE_EVENTS[-1]),
    "message_delta twice": ms.reply(*ms.DONE_EVENTS[:-1], *ms.DONE_EVENTS[-2:]),
}
"""What is odd and harms nothing: the first attempt is the reply, to the letter."""


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
async def test_a_fault_that_passes_is_recovered_from(fault: ms.Play, tmp_path: Path) -> None:
    with serving(tmp_path, fault, ms.CALL, fault, ms.END) as (house, server):
        result = await house.run("Count.")
        assert (result.reason, result.answer) == ("done", ms.DONE)
    assert house.effects == ["counted"]
    failed = await house.of(ModelFailed)
    assert [one.retryable for one in failed] == [True, True]
    replies = await house.of(ModelReplied)
    assert [one.stop_reason for one in replies] == ["tool_use", "end_turn"]
    asked = await house.of(ModelAsked)
    assert [one.request == asked[0].request for one in asked] == [True, True, False, False]
    assert asked[2].request == asked[3].request
    assert server.requests[0] == server.requests[1]
    assert server.requests[2] == server.requests[3]
    assert sum("again in" in note for note in house.notes) == 2  # the user sees it


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
async def test_a_fault_that_stays_parks_the_run_which_goes_on_later(
    fault: ms.Play, tmp_path: Path
) -> None:
    if fault is PASSING["silence after headers"]:
        pytest.skip("six times the wait; its end for good is test_asking's")
    with serving(tmp_path, ms.CALL, fault) as (house, server):
        result = await house.run("Count.")
        assert result.reason == "failed"
        (ended,) = await house.of(RunFinished)
        assert "Gave up after 6 attempts" in ended.text
        assert len(house.clock.slept) == 5
        assert max(house.clock.slept) <= 60
        server.script = [ms.END]
        assert (await house.run()).reason == "done"
    assert house.effects == ["counted"]  # not again
    assert len(await house.of(ModelReplied)) == 2


@pytest.mark.parametrize("fault", LASTING.values(), ids=LASTING.keys())
async def test_a_refusal_parks_the_run_at_once_and_it_goes_on_when_mended(
    fault: ms.Play, tmp_path: Path
) -> None:
    with serving(tmp_path, ms.CALL, fault) as (house, server):
        assert (await house.run("Count.")).reason == "failed"
        assert len(server.requests) == 2  # not asked again
        assert house.clock.slept == []
        (failed,) = await house.of(ModelFailed)
        assert not failed.retryable
        server.script = [ms.END]
        assert (await house.run()).reason == "done"
    assert house.effects == ["counted"]


@pytest.mark.parametrize("reply", BENIGN.values(), ids=BENIGN.keys())
async def test_oddities_of_a_stream_change_nothing(reply: ms.Play, tmp_path: Path) -> None:
    with serving(tmp_path, ms.CALL, reply) as (house, _):
        result = await house.run("Count.")
        assert (result.reason, result.answer) == ("done", ms.DONE)
    assert await house.of(ModelFailed) == []
    assert text_of((await house.of(ModelReplied))[-1].content) == ms.DONE


@pytest.mark.parametrize(
    "events",
    [
        [ms.start(), *ms.TOOL_EVENTS],
        [ms.TOOL_EVENTS[0], ms.TOOL_EVENTS[1], *ms.TOOL_EVENTS[1:]],
        [*ms.TOOL_EVENTS[:3], ms.TOOL_EVENTS[2], *ms.TOOL_EVENTS[3:]],
    ],
    ids=["message_start", "content_block_start", "content_block_delta"],
)
async def test_doubled_events_never_double_an_effect_or_bend_a_message(
    events: list[dict[str, Any]], tmp_path: Path
) -> None:
    with serving(tmp_path, ms.reply(*events), ms.CALL, ms.END) as (house, server):
        result = await house.run("Count.")
        assert result.reason in ("done", "failed")
        if result.reason == "failed":
            server.script = [ms.END]
            assert (await house.run()).reason == "done"
    uses = [one for one in await house.of(ToolFinished) if one.outcome == "ok"]
    assert len(house.effects) == len(uses)
    for body in server.requests:  # what is sent back pairs each use with its result
        made = [
            block["id"]
            for message in body["messages"]
            for block in message["content"]
            if block["type"] == "tool_use"
        ]
        answered = [
            block["tool_use_id"]
            for message in body["messages"]
            for block in message["content"]
            if block["type"] == "tool_result"
        ]
        assert made == answered
        assert len(set(made)) == len(made)


async def test_tool_uses_with_one_id_become_two(tmp_path: Path) -> None:
    twice = [ms.start(), *ms.tool_block(0, "{}"), *ms.tool_block(1, "{}"), *ms.finish("tool_use")]
    again = ms.reply(*twice)
    with serving(tmp_path, again, again, ms.END) as (house, server):
        assert (await house.run("Count.")).reason == "done"
    assert house.effects == ["counted"] * 4
    sent = [
        block["id"]
        for message in server.requests[-1]["messages"]
        for block in message["content"]
        if block["type"] == "tool_use"
    ]
    assert len(set(sent)) == 4


async def test_arguments_cut_by_the_output_limit_run_no_tool(tmp_path: Path) -> None:
    cut = [ms.start(), *ms.tool_block(0, '{"text": "half of'), *ms.finish("max_tokens")]
    with serving(tmp_path, ms.reply(*cut), ms.END) as (house, server):
        assert (await house.run("Count.")).reason == "done"
    assert house.effects == []
    (closed,) = await house.of(ToolFinished)
    assert closed.synthetic
    assert server.requests[-1]["messages"][-1]["role"] == "user"


async def test_a_reply_of_nothing_ends_the_run_in_words(tmp_path: Path) -> None:
    with serving(tmp_path, ms.reply(ms.start(), *ms.finish("end_turn"))) as (house, server):
        result = await house.run("Count.")
        (ended,) = await house.of(RunFinished)
        assert ended.reason == result.reason
        server.script = [ms.END]
        assert (await house.run("Say something.")).reason == "done"
    for message in server.requests[-1]["messages"]:
        assert message["content"], "an empty message is not accepted back"


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [
        ("7", 7, 8),
        ("Wed, 21 Oct 2093 07:28:00 GMT", 60, 60),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 1),
        ("99999999999999999999", 60, 60),
        ("1e400", 60, 60),
        ("-5", 0, 1),
        ("soon", 0, 1),
        ("nan", 0, 1),
    ],
)
async def test_the_servers_wish_to_wait_is_kept_within_reason(
    said: str, least: float, most: float, tmp_path: Path
) -> None:
    busy = ms.status(429, "rate_limit_error", f"retry-after: {said}")
    with serving(tmp_path, busy, ms.END) as (house, _):
        assert (await house.run("Hi.")).reason == "done"
    (waited,) = house.clock.slept
    assert least <= waited <= most


async def test_a_compressed_reply_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    with serving(tmp_path, ms.gzip_bomb, ms.END) as (house, server):
        assert (await house.run("Hi.")).reason == "done"
    (failed,) = await house.of(ModelFailed)
    assert "compressed it (gzip), which was not asked for" in failed.error
    assert server.codings == ["identity", "identity"]


async def test_a_line_that_never_ends_is_given_up_at_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "REPLY_LIMIT_BYTES", 3 * MIB)
    with serving(tmp_path, ms.endless_line, ms.END) as (house, _):
        assert (await house.run("Hi.")).reason == "done"
    (failed,) = await house.of(ModelFailed)
    assert "longer than 3 MiB" in failed.error


@pytest.mark.parametrize("what", ["bytes", "pings"])
async def test_a_server_that_lives_and_says_nothing_is_told_of_and_given_up(what: str) -> None:
    """A byte now and then, or pings for ever; the times are a thousandth of the real ones."""
    import anthropic  # noqa: F401 - loading it takes seconds, which are no silence of the server

    data = ms.sse(ms.start()) if what == "bytes" else ms.sse({"type": "ping"})
    with ms.ScriptedServer([ms.dribble(data, 0.01 if what == "bytes" else 0.001)]) as server:
        model = AnthropicModel(
            find_model("sonnet", {}), api_key="k", base_url=server.url, silence_s=5.0
        )
        lab = Lab(model)
        lab.patience = Patience(tell_s=0.2, silence_s=1.0, reply_s=30.0)
        with anyio.fail_after(60):
            ended = await lab.say("Hi")
        await model.aclose()
    assert ended.reason == "failed"
    assert lab.store.of(ModelReplied) == []
    assert any("no answer" in i.text for i in lab.seen if isinstance(i, Delta))
