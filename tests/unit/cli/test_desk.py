"""The loop that a chat's turns share: one pool from the first to the last, Ctrl-C as in a single run."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import anyio
import pytest
from click.testing import CliRunner

import deskmate.host
from deskmate.cli.chat import command
from deskmate.cli.desk import kept_desk
from deskmate.cli.output import Session
from deskmate.errors import UserError
from deskmate.host import Host
from deskmate.testing.fake_sandbox import FakeSandbox
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.places import Places


class PoolingSandbox(FakeSandbox):
    """Notes when pools begin and end, and machines."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def pooled(self) -> AbstractAsyncContextManager[None]:
        return self._noted()

    @asynccontextmanager
    async def _noted(self) -> AsyncIterator[None]:
        self.notes.append("pool begins")
        try:
            yield
        finally:
            self.notes.append("pool ends")


@pytest.fixture
def sandbox() -> PoolingSandbox:
    return PoolingSandbox()


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(data=tmp_path / "data", cache=tmp_path / "cache", config=tmp_path / "config")


@pytest.fixture
def host(places: Places, sandbox: PoolingSandbox) -> Host:
    model = ScriptedModel(["First answer.", "Second answer."])
    return Host(places, environ={}, sandbox=sandbox, model=model)


async def the_loop() -> asyncio.AbstractEventLoop:
    await anyio.sleep(0)
    return asyncio.get_running_loop()


def test_all_work_of_a_desk_is_in_one_loop_with_one_pool(
    host: Host, sandbox: PoolingSandbox
) -> None:
    with kept_desk(host) as desk:
        assert desk.run(the_loop) is desk.run(the_loop)
        assert sandbox.notes == ["pool begins"]
    assert sandbox.notes == ["pool begins", "pool ends"]


def test_an_error_passes_as_itself_and_the_next_turn_works(host: Host) -> None:
    async def fail() -> None:
        raise UserError("no such thing")

    with kept_desk(host) as desk:
        with pytest.raises(UserError, match="no such thing"):
            desk.run(fail)
        assert desk.run(the_loop).is_running()


def test_ctrl_c_stops_the_work_for_good_and_leaves_no_pool(
    host: Host, sandbox: PoolingSandbox
) -> None:
    async def stubborn() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await anyio.sleep(60)
        except anyio.get_cancelled_exc_class():
            sandbox.notes.append("cancelled")
        try:
            await anyio.sleep(60)  # as a library that takes being cancelled for a broken connection
        finally:
            sandbox.notes.append("cancelled again")

    # tests that run in the background begin without it
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), kept_desk(host) as desk:
            desk.run(stubborn)
    finally:
        signal.signal(signal.SIGINT, before)
    assert sandbox.notes == ["pool begins", "cancelled", "cancelled again", "pool ends"]


def test_the_turns_of_a_chat_share_a_host_and_its_pool(
    host: Host, sandbox: PoolingSandbox, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Places] = []

    def make(own: Places) -> Host:
        made.append(own)
        return host

    monkeypatch.setattr(deskmate.host, "Host", make)
    done = CliRunner().invoke(
        command, input="one\ntwo\n\n", obj=Session(places=places), standalone_mode=False
    )
    assert (done.exception, done.return_value) == (None, 0)
    assert "First answer." in done.stdout
    assert "Second answer." in done.stdout
    assert done.stdout.count("Go on with: deskmate chat t-") == 1
    assert made == [places]
    pools = ["pool begins", "pool ends"]
    assert sandbox.notes == ["pool begins", *pools, *pools, "pool ends"]
