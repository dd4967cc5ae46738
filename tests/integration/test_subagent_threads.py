"""A thread with sub-agents is a thread like any other: verified, copied, forked, collected, erased, shown, paid for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.integration import crash_job
from tests.integration.subagent_trials import CALLS, PRICE, Lead

from deskmate.cli.lines import log_line
from deskmate.host import Host, RunOrder
from deskmate.host.costs import costs_of
from deskmate.host.erasing import Choice, erase_events
from deskmate.host.forking import fork_thread
from deskmate.host.thread_page import thread_page
from deskmate.store.archive import export_thread, import_thread
from deskmate.store.blobs import BlobStore
from deskmate.store.collection import collect
from deskmate.store.compliance import as_feed
from deskmate.store.subagents import broken_by_subagents
from deskmate.store.thread import open_thread
from deskmate.store.verify import VerifyReport, verify_thread
from deskmate.testing.fake_sandbox import FakePlugin, FakeSandbox
from deskmate.types.events import Event, SubagentDid, SubagentStarted, ToolFinished
from deskmate.types.files import Grant
from deskmate.types.ids import ThreadId
from deskmate.types.limits import Limits
from deskmate.types.places import Places
from deskmate.types.subagents import did, logs_of
from deskmate.web.contract import Call, Finished, Replied
from deskmate.web.views import Viewer

pytestmark = pytest.mark.anyio
ANSWER = "It was read."


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    crash_job.prepare(tmp_path)
    return crash_job.places_of(tmp_path)


async def a_thread(places: Places) -> ThreadId:
    sandbox = FakeSandbox(
        {"proof": FakePlugin(tools={crash_job.COUNT.name: (crash_job.COUNT, crash_job._count)})}
    )
    host = Host(places, environ={}, sandbox=sandbox, model=Lead())
    grant = Grant(name="work", folder=str(places.data.parent / "work"))
    order = RunOrder(text="Do it.", grants=(grant,), plugins=("proof",))
    result = await host.run(order, None, observer=lambda item: None, approver=crash_job.Nobody())
    assert result.reason == "done"
    assert result.usage.cost_usd == CALLS * PRICE
    return result.thread


async def events_of(places: Places, thread: str) -> tuple[Event, ...]:
    async with open_thread(places.threads, thread, write=False) as store:
        return await store.events()


async def verified(places: Places, thread: str) -> VerifyReport:
    async with open_thread(places.threads, thread, write=False) as store:
        return await verify_thread(store, BlobStore(places.blobs), settled=True)


async def test_it_is_verified_copied_collected_and_forked(places: Places, tmp_path: Path) -> None:
    thread = await a_thread(places)
    report = await verified(places, thread)
    assert report.problems == ()
    async with open_thread(places.threads, thread, write=False) as store:
        await export_thread(store, BlobStore(places.blobs), tmp_path / "t.zip")
    there = Places(data=tmp_path / "there", cache=tmp_path / "c", config=tmp_path / "g")
    await import_thread(tmp_path / "t.zip", there.threads, BlobStore(there.blobs))
    assert await verified(there, thread) == report
    events = await events_of(places, thread)
    for kind in (SubagentStarted, SubagentDid):
        last = max(e.seq for e in events if isinstance(e.payload, kind))
        fork = await fork_thread(places, thread, seq=last)
        assert (await verified(places, fork.thread)).problems == ()
    collect(places.threads, places.blobs)
    assert await verified(places, thread) == report


async def test_what_its_sub_agents_read_and_said_is_erased_with_it(places: Places) -> None:
    thread = await a_thread(places)
    file = places.threads / thread / "thread.db"
    assert ANSWER.encode() in file.read_bytes()
    await erase_events(places, thread, Choice(everything=True), "asked for")
    left = b"".join(path.read_bytes() for path in file.parent.glob("thread.db*"))
    for words in (ANSWER, "What is in a.txt?", "alpha"):
        assert words.encode() not in left
    assert (await verified(places, thread)).problems == ()
    assert costs_of(thread, await events_of(places, thread)).usage.cost_usd == CALLS * PRICE


async def test_its_cost_its_lines_and_its_page_say_who_did_what(places: Places) -> None:
    thread = await a_thread(places)
    events = await events_of(places, thread)
    costs = costs_of(thread, events)
    assert costs.usage.cost_usd == CALLS * PRICE
    assert sorted(call.subagent for call in costs.calls) == ["", "", "s1", "s1", "s2", "s2"]
    assert [(run.calls, run.unanswered) for run in costs.runs] == [(CALLS, 0)]
    async with open_thread(places.threads, thread, write=False) as store:
        lines = await store.each_row(log_line)
        feed = as_feed(await store.rows(), version="0")
    assert any("s1: a.txt, 1 files" in line for line in lines)
    assert any(f"s2 ModelReplied: {ANSWER}" in line for line in lines)
    assert ANSWER not in json.dumps(feed)
    page = "".join(thread_page(events, BlobStore(places.blobs)))
    assert page.count("<summary>Sub-agent <code>s") == 2
    assert page.count("<details") == page.count("</details>") >= 2 + 2 + 2
    entries = [entry.body for entry in Viewer().entries(events)]
    calls = [call for body in entries if isinstance(body, Replied) for call in body.calls]
    begun = [call for call in calls if isinstance(call, Call) and call.tool == "subagent"]
    assert [call.sentence for call in begun] == [
        "sub-agent s1 reads: a.txt",
        "sub-agent s2 reads: b.txt",
    ]
    ended = {body.use: body.text for body in entries if isinstance(body, Finished)}
    assert {ended[call.id] for call in begun} == {ANSWER}
    cost = sum(body.cost_usd or 0 for body in entries if isinstance(body, Replied))
    assert cost == CALLS * PRICE


async def test_a_record_in_which_they_do_what_they_may_not_does_not_verify(places: Places) -> None:
    events = await events_of(places, await a_thread(places))
    assert list(broken_by_subagents(events)) == []

    def told(log: Sequence[Event]) -> str:
        return " ".join(broken_by_subagents(log))

    def changed(kind: type[Any], **changes: Any) -> list[Event]:
        return [
            replace(e, payload=replace(e.payload, **changes)) if isinstance(e.payload, kind) else e
            for e in events
        ]

    assert "s1 was never begun" in told(
        [e for e in events if not isinstance(e.payload, SubagentStarted)]
    )
    assert "was begun a second time" in told(changed(SubagentStarted, child="s1"))
    assert "other limits than were reserved" in told(
        changed(SubagentStarted, limits=Limits(max_turns=1))
    )
    late = replace(
        next(e for e in events if isinstance(e.payload, SubagentDid)), seq=len(events) + 1
    )
    assert "went on after its call had ended" in told([*events, late])
    (log, *_) = logs_of(events).values()
    results = [e.payload for e in log if isinstance(e.payload, ToolFinished)]
    twice = replace(late, payload=did("s1", results[0]))
    assert "s1: toolu_r has 2 results (I2)" in told([*events, twice])
