"""`deskmate mcp serve`: the token of its HTTP door, and what is said where it cannot serve."""

from __future__ import annotations

from pathlib import Path

import pytest

from deskmate.cli import main
from deskmate.cli.mcp import token_of
from deskmate.connectors.vault import Vault


def test_the_token_stays_until_it_is_removed(tmp_path: Path) -> None:
    vault = Vault(tmp_path, None)
    first = token_of(vault)
    assert len(first) >= 40
    assert token_of(Vault(tmp_path, None)) == first
    vault.remove("deskmate", "MCP_TOKEN")
    assert token_of(vault) != first


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--plugin", "nosuch"], "nosuch"),
        (["--folder", "/nowhere/at/all"], "/nowhere/at/all does not exist"),
        (["--allow-host", "not a host"], "not a host"),
        ([], "deskmate image build"),
    ],
)
def test_what_cannot_be_served_is_one_line(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DESKMATE_HOME", str(tmp_path))
    with pytest.raises(SystemExit) as ended:
        main(["mcp", "serve", *arguments])
    said = capsys.readouterr()
    assert ended.value.code != 0
    assert words in said.err
    assert said.out == ""
    assert "Traceback" not in said.err
