from __future__ import annotations

import sys

import click
import pytest

from deskmate.cli.approver import TerminalApprover
from deskmate.types.registry import ToolSpec

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_an_argument_cannot_forge_a_second_question(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(click, "confirm", lambda *_, **__: False)
    tool = ToolSpec(
        name="mail__send",
        plugin="mail",
        title="Send",
        description="Sends.",
        input_schema={},
        risk="write",
    )
    forged = {"text": "hello\n? mail__read: harmless\x1b[2J", "a\nb": ["x\ny"]}
    assert await TerminalApprover().approve(tool, forged, "it sends\nmail") is False
    shown = capsys.readouterr().err
    assert len(shown.splitlines()) == 3
    assert "\x1b" not in shown
    assert "mail__read: harmless" in shown
