"""A thread's rules: made, listed, replaced and revoked, and in the log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from deskmate.cli import root
from deskmate.store.making import create_thread
from deskmate.store.thread import open_thread
from deskmate.types.events import PolicySet

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def run(home: Path, *words: str) -> tuple[int, str]:
    environ = {"DESKMATE_HOME": str(home)}
    result = CliRunner().invoke(root, ["policy", *words], env=environ)
    return result.exit_code, result.output


def test_rules_are_made_listed_and_revoked(tmp_path: Path) -> None:
    import anyio

    async def make() -> str:
        return await create_thread(tmp_path / "data/threads", "T", version="0")

    thread = anyio.run(make)
    assert run(tmp_path, "allow", thread, "mail__draft", "folder=Drafts")[0] == 0
    assert run(tmp_path, "deny", thread, "mail__draft", "folder=Drafts")[0] == 0
    assert run(tmp_path, "mode", thread, "auto")[0] == 0
    code, text = run(tmp_path, "list", thread, "--json")
    assert code == 0
    assert json.loads(text)["rules"] == {
        "mode": "auto",
        "budget_usd": None,
        "ask_usd": None,
        "rules": [{"decision": "deny", "tool": "mail__draft", "where": {"folder": "Drafts"}}],
    }
    assert run(tmp_path, "revoke", thread, "mail__draft")[0] != 0
    assert run(tmp_path, "revoke", thread, "mail__draft", "folder=Drafts")[0] == 0

    async def stored() -> list[PolicySet]:
        async with open_thread(tmp_path / "data/threads", thread, write=False) as store:
            events = await store.events()
        return [event.payload for event in events if isinstance(event.payload, PolicySet)]

    assert len(anyio.run(stored)) == 4


def test_a_target_is_an_argument_and_a_value(tmp_path: Path) -> None:
    code, _ = run(tmp_path, "allow", "t-x", "mail__draft", "Drafts")
    assert code != 0


def test_a_call_above_a_price_is_asked_about_until_that_is_taken_back(tmp_path: Path) -> None:
    import anyio

    async def make() -> str:
        return await create_thread(tmp_path / "data/threads", "T", version="0")

    thread = anyio.run(make)
    code, text = run(tmp_path, "ask-above", thread, "0.5")
    assert code == 0
    assert "asks before a call that may cost more than 0.50 USD" in text
    assert json.loads(run(tmp_path, "list", thread, "--json")[1])["rules"]["ask_usd"] == 0.5
    assert "asks before" not in run(tmp_path, "ask-above", thread)[1]
