"""A connector in a run: connects when called, refuses what changed, goes on after faults, and stops trying in the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from tests.unit.connectors.fake_mcp import FakeMcp, entry_for, tool

from deskmate.connectors import remote
from deskmate.connectors.pins import Drift
from deskmate.connectors.remote import FAILURES_LIMIT, RemoteConnector
from deskmate.errors import OutcomeUnknown, ProtocolError, ToolError
from deskmate.ports import Record, ToolOutcome
from deskmate.protocol.remote import Offered, RemoteResult
from deskmate.types.connectors import ConnectorEntry, ToolSetting

pytestmark = pytest.mark.anyio


class Server:
    """Stands in for a connection. `plays`: what the next calls do; then all is well."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = [tool("find"), tool("send")]
        self.plays: list[Exception] = []
        self.dialling: list[Exception] = []
        self.dials = self.lists = self.closed = 0
        self.calls: list[str] = []

    @asynccontextmanager
    async def dial(self, record: Record) -> AsyncIterator[Any]:
        self.dials += 1
        if self.dialling:
            raise self.dialling.pop(0)
        try:
            yield self
        finally:
            self.closed += 1

    def said(self) -> str:
        return ""

    async def offered(self) -> Offered:
        self.lists += 1
        return Offered(tools=tuple(self.rows))

    async def call(self, name: str, arguments: Mapping[str, Any], **options: Any) -> RemoteResult:
        self.calls.append(name)
        if self.plays:
            raise self.plays.pop(0)
        return RemoteResult(content=({"type": "text", "text": f"{name} done"},))


async def no_record(payload: Any) -> None:
    return None


async def ask(connector: RemoteConnector, name: str = "crm__find") -> ToolOutcome:
    return await connector.call(name, {}, record=no_record, on_progress=lambda line: None)


def entry(**more: Any) -> ConnectorEntry:
    return entry_for(FakeMcp(tools=(tool("find"), tool("send"))), **more)


@asynccontextmanager
async def opened(
    server: Server, made: ConnectorEntry | None = None, found: list[Drift] | None = None
) -> AsyncIterator[RemoteConnector]:
    async with anyio.create_task_group() as tasks:
        told = found if found is not None else []
        connector = RemoteConnector(made or entry(), server.dial, tasks, told.append)
        yield connector
        connector.close()


async def test_it_connects_once_when_it_is_first_called_and_hangs_up_at_the_end() -> None:
    server = Server()
    async with opened(server) as connector:
        assert [spec.name for spec in await connector.tools()] == ["crm__find", "crm__send"]
        assert server.dials == 0
        assert (await ask(connector)).text == "find done"
        await ask(connector, "crm__send")
        assert (server.dials, server.lists, server.calls) == (1, 1, ["find", "send"])
    assert server.closed == 1


async def test_a_tool_that_changed_is_off_and_the_others_work() -> None:
    server, found = Server(), list[Drift]()
    server.rows[0] = tool("find", "Does something else.")
    async with opened(server, found=found) as connector:
        with pytest.raises(
            ToolError, match=r"its definition changed since you accepted it.*connector review crm"
        ):
            await ask(connector)
        assert (await ask(connector, "crm__send")).text == "send done"
    assert server.calls == ["send"]
    assert [list(one.changed) for one in found] == [["find"]]


async def test_definitions_are_looked_at_again_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Server()
    async with opened(server) as connector:
        await ask(connector)
        monkeypatch.setattr(remote, "CHECKED_S", 0.0)
        server.rows[0] = tool("find", "Does something else.")
        with pytest.raises(ToolError, match="changed"):
            await ask(connector)
    assert server.calls == ["find"]


@pytest.mark.parametrize(
    "made", [entry(off={"find": "x"}), entry(settings={"find": ToolSetting(decision="deny")})]
)
async def test_what_is_off_or_blocked_is_not_called_and_nobody_is_asked(
    made: ConnectorEntry,
) -> None:
    server = Server()
    async with opened(server, made) as connector:
        with pytest.raises(ToolError, match="does not offer crm__find"):
            await ask(connector)
    assert server.dials == 0


async def test_a_servers_refusal_is_an_outcome_and_no_failure() -> None:
    server = Server()
    server.plays = [ToolError("calling find failed: no")] * 5
    async with opened(server) as connector:
        for _ in range(5):
            outcome = await ask(connector)
            assert (outcome.is_error, outcome.text) == (True, "crm: calling find failed: no")
    assert server.dials == 1


async def test_a_lost_answer_is_unknown_and_the_next_call_connects_anew() -> None:
    server = Server()
    server.plays = [OutcomeUnknown("lost")]
    async with opened(server) as connector:
        with pytest.raises(OutcomeUnknown):
            await ask(connector)
        assert (await ask(connector)).text == "find done"
    assert (server.dials, server.lists, server.closed) == (2, 2, 2)


@pytest.mark.parametrize(
    "error", [ToolError("no"), ProtocolError("garbage"), ValueError("odd"), OutcomeUnknown("lost")]
)
async def test_a_server_that_fails_again_and_again_is_left_alone(error: Exception) -> None:
    server = Server()
    server.dialling = [error] * 10
    async with opened(server) as connector:
        for _ in range(FAILURES_LIMIT):
            with pytest.raises(ToolError, match="crm cannot be used"):
                await ask(connector)
        with pytest.raises(ToolError, match="left alone in this run"):
            await ask(connector)
    assert server.dials == FAILURES_LIMIT


async def test_a_connection_that_breaks_between_calls_is_made_anew() -> None:
    class Breaks(Server):
        @asynccontextmanager
        async def dial(self, record: Record) -> AsyncIterator[Any]:
            self.dials += 1
            async with anyio.create_task_group() as tasks:
                if self.dials == 1:
                    tasks.start_soon(self.fail)
                yield self
                tasks.cancel_scope.cancel()

        async def fail(self) -> None:
            await anyio.sleep(0.01)
            raise ConnectionError("reset")

    server = Breaks()
    async with opened(server) as connector:
        await ask(connector)
        await anyio.sleep(0.05)
        assert (await ask(connector)).text == "find done"
    assert server.dials == 2


@pytest.mark.parametrize("where", ["dial", "list"])
async def test_a_server_that_is_not_ready_in_time_is_an_error_and_nothing_was_sent(
    monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    class Slow(Server):
        @asynccontextmanager
        async def dial(self, record: Record) -> AsyncIterator[Any]:
            if where == "dial":
                await anyio.sleep_forever()
            yield self

        async def offered(self) -> Offered:
            await anyio.sleep_forever()
            raise AssertionError

    monkeypatch.setattr(remote, "READY_S", 0.05)
    server = Slow()
    async with opened(server) as connector:
        with pytest.raises(ToolError, match=r"not ready in 0\.05 s"):
            await ask(connector)
    assert server.calls == []


async def test_a_cancelled_call_leaves_nothing_behind() -> None:
    class Hangs(Server):
        async def call(
            self, name: str, arguments: Mapping[str, Any], **options: Any
        ) -> RemoteResult:
            await anyio.sleep_forever()
            raise AssertionError

    server = Hangs()
    async with opened(server) as connector:
        with anyio.move_on_after(0.05) as scope:
            await ask(connector)
        assert scope.cancelled_caught
    assert server.closed == 1
