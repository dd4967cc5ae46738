"""The one stream: nothing is missed over a cut, and who missed too much is told to read anew."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from typing import Any, get_args, get_type_hints

import anyio
import pytest
from tests.web.conftest import Serve

from deskmate.types.events import KINDS
from deskmate.web import contract, views
from deskmate.web.contract import Message, Progress, Reset, Streamed
from deskmate.web.hub import Hub
from deskmate.web.typescript import typescript

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def note(text: str) -> Progress:
    return Progress(thread="t-a", text=text, done=0, total=0)


def piece(at: int, text: str, thread: str = "t-a") -> Streamed:
    return Streamed(thread=thread, at=at, text=text)


async def some(
    stream: AsyncIterator[tuple[str, Message | None]], count: int
) -> list[tuple[str, Any]]:
    found = []
    with anyio.fail_after(5):
        async for item in stream:
            found.append(item)
            if len(found) == count:
                return found
    return found


async def test_who_comes_back_gets_what_came_meanwhile_and_nothing_twice() -> None:
    hub = Hub()
    place = hub.now()
    for word in ("one", "two", "three"):
        hub.publish(note(word))
    first = await some(hub.follow(place), 2)
    rest = await some(hub.follow(first[-1][0]), 1)
    assert [message.text for _, message in first + rest] == ["one", "two", "three"]


@pytest.mark.parametrize("last", ["", "0-1", "x", "-1", "{boot}-99", "{boot}-x", "{boot}--1"])
async def test_who_comes_from_elsewhere_is_told_to_read_anew(last: str) -> None:
    hub = Hub()
    hub.publish(note("one"))
    boot = hub.now().partition("-")[0]
    ((place, message),) = await some(hub.follow(last.format(boot=boot)), 1)
    assert (place, message) == (hub.now(), Reset())


async def test_who_missed_more_than_is_kept_is_told_to_read_anew() -> None:
    hub = Hub(kept=3)
    place = hub.now()
    for number in range(5):
        hub.publish(note(str(number)))
    ((_, message),) = await some(hub.follow(place), 1)
    assert message == Reset()
    slow = hub.follow(hub.now())
    hub.publish(note("a"))
    assert (await some(slow, 1))[0][1] == note("a")


async def test_pieces_of_a_reply_are_joined_and_never_overtaken() -> None:
    hub = Hub()
    place = hub.now()
    hub.publish(piece(0, "Hel"))
    hub.publish(piece(3, "lo"))
    hub.publish(piece(0, "Other", "t-b"))
    hub.publish(note("stored"))
    found = await some(hub.follow(place), 2)
    assert [message for _, message in found] == [piece(0, "Hello"), note("stored")]
    hub.publish(piece(5, " you"))
    hub.publish(piece(0, "Anew"))  # another reply began
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hub.flush_often)
        rest = await some(hub.follow(found[-1][0]), 3)
        tasks.cancel_scope.cancel()
    assert {message.text for _, message in rest} == {" you", "Anew", "Other"}


async def test_messages_of_worker_threads_come_too_and_quiet_streams_say_so() -> None:
    hub = Hub()
    place = hub.now()
    await anyio.to_thread.run_sync(hub.publish, note("from a thread"))
    found = await some(hub.follow(place, idle_s=0.01), 2)
    assert [message for _, message in found] == [note("from a thread"), None]


def test_the_wire_has_ids_and_ends_when_the_browser_is_signed_out(serve: Serve) -> None:
    server = serve()
    lines: list[str] = []

    def leave() -> None:
        for device in server.sign_in.devices():
            server.sign_in.revoke(device.id)
        server.client.portal.call(server.desk.hub.publish, note("bye"))  # type: ignore[union-attr]

    timer = threading.Timer(0.3, leave)
    timer.start()
    with server.client.stream("GET", "/api/events", headers={}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        lines += response.iter_lines()
    timer.join()
    assert any(line.startswith("id: ") for line in lines)
    assert 'data: {"kind":"reset"}' in lines


def test_every_kind_of_event_is_shown_or_left_out_on_purpose() -> None:
    source = views.__loader__.get_source("deskmate.web.views")  # type: ignore[union-attr]
    shown = {kind for kind in KINDS if f"case log.{kind}(" in source}
    assert shown | views.HIDDEN == set(KINDS)
    assert shown & views.HIDDEN == {"ApplyStarted"}


def test_the_page_s_types_are_those_of_the_server() -> None:
    from tests.web.browser import ROOT

    committed = (ROOT / "web/src/contract.gen.ts").read_text("utf-8")
    assert committed == typescript(), (
        "run: python -m deskmate.web.typescript > web/src/contract.gen.ts"
    )


def test_unions_are_told_apart_by_their_kind() -> None:
    for union in (contract.Body, contract.Message):
        named = [get_args(get_type_hints(cls)["kind"]) for cls in get_args(union)]
        assert all(len(name) == 1 for name in named)
        assert len(set(named)) == len(named)


async def test_a_stream_ends_as_soon_as_it_is_told_and_not_at_the_next_message() -> None:
    hub, over, seen = Hub(), [False], list[object]()

    async def listen() -> None:
        async for item in hub.follow(hub.now(), idle_s=3600, over=lambda: over[0]):
            seen.append(item)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            await anyio.wait_all_tasks_blocked()
            over[0] = True
            hub.wake()
    assert seen == []
