"""The directory of known connectors: Deskmate's own fits its own command, others' are read as data and refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from deskmate.cli.connector import add_command
from deskmate.cli.connector_known import known_command
from deskmate.cli.output import Session
from deskmate.connectors.known import FILE, known_connectors
from deskmate.errors import ConfigError
from deskmate.types.places import Places


def test_each_of_deskmate_s_own_is_words_that_the_command_takes() -> None:
    for entry in known_connectors():
        made = add_command.make_context("add", [entry.name, *_plain(entry.add)], obj=None)
        assert made.params["name"] == entry.name
        assert made.params["pypi"] or made.params["npm"]


def _plain(words: tuple[str, ...]) -> list[str]:
    return ["/tmp" if word == "FOLDER" else word for word in words]


def test_a_later_file_s_entry_counts_and_its_command_is_quoted(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.mkdir()
    (config / FILE).write_text(
        '[time]\nabout = "Ours"\ncategories = ["our clock"]\nadd = ["https://mcp.example.com/x y"]\n'
    )
    session = Session(places=Places(data=tmp_path, cache=tmp_path, config=config))
    done = CliRunner().invoke(known_command, ["--json"], obj=session, standalone_mode=False)
    (row,) = [one for one in json.loads(done.stdout) if one["name"] == "time"]
    assert (row["about"], row["of"]) == ("Ours", str(config / FILE))
    assert row["command"] == (
        "deskmate connector add time --category 'our clock' 'https://mcp.example.com/x y'"
    )
    shown = CliRunner().invoke(known_command, [], obj=session, standalone_mode=False).output
    assert "deskmate connector add notes --category memory --npm" in shown


@pytest.mark.parametrize(
    "text",
    [
        "[",
        '["a b"]\nabout = "x"\nadd = []',
        "[a]\nadd = []",
        '[a]\nabout = "x"\nadd = "x"\nrun = "y"',
        '[a]\nabout = "x"\nadd = ["a\\u001bb"]',
        '[a]\nabout = "x"\nadd = [1]',
        '[a]\nabout = "x"\nadd = "x"',
        '[a]\nabout = 7\nadd = ["x"]',
        "a = 1",
    ],
)
def test_what_is_no_directory_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ConfigError, match="no directory of connectors"):
        known_connectors(tmp_path)
