"""What the user decides of a file that both changed, by the page's API."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.web.conftest import Serve, Server
from tests.web.scene import sandbox
from tests.web.test_api import EDIT, begin

from deskmate.cli import root
from deskmate.errors import UserError

MINE = "My own words.\n"


@pytest.fixture
def both(serve: Serve, folder: Path) -> tuple[Server, str, dict[str, Any]]:
    """Return a server, the route of a thread's changes, and these, with one file that both changed."""
    server = serve(EDIT, sandbox=sandbox())
    thread = begin(server, folder)
    server.wait(thread)
    (folder / "note.txt").write_text(MINE)
    changes = f"/api/threads/{thread}/changes"
    return server, changes, server.ask("GET", changes).json()


def standing(server: Server, changes: str) -> dict[str, str]:
    return {i["path"]: i["standing"] for i in server.ask("GET", changes).json()["items"]}


def test_the_page_learns_which_version_is_there(both: tuple[Server, str, dict[str, Any]]) -> None:
    _, _, found = both
    new, note = found["items"]
    assert (note["standing"], note["now"]) == (
        "conflict",
        hashlib.sha256(MINE.encode()).hexdigest(),
    )
    assert (new["standing"], new["now"]) == ("open", "")


def test_yours_stays_and_the_change_is_settled(
    both: tuple[Server, str, dict[str, Any]], folder: Path
) -> None:
    server, changes, found = both
    body = {"run": found["run"], "yours": ["contracts/note.txt"]}
    done = server.ask("POST", f"{changes}/apply", body).json()
    assert done["written"] == ["contracts/new.txt"]
    assert (folder / "note.txt").read_text() == MINE
    row = next(r for r in server.ask("GET", "/api/threads").json()["rows"])
    assert row["pending"] == 0


def test_the_new_one_is_taken_over_the_version_that_was_seen_and_no_other(
    both: tuple[Server, str, dict[str, Any]], folder: Path
) -> None:
    server, changes, found = both
    seen = {"contracts/note.txt": found["items"][1]["now"]}
    (folder / "note.txt").write_text("Changed once more.\n")
    body = {"run": found["run"], "overwrite": seen}
    done = server.ask("POST", f"{changes}/apply", body).json()
    assert "once more" in done["left_out"]["contracts/note.txt"]
    (folder / "note.txt").write_text(MINE)
    done = server.ask("POST", f"{changes}/apply", body).json()
    assert done["written"] == ["contracts/note.txt"]
    assert "30 days" in (folder / "note.txt").read_text()
    assert set(standing(server, changes).values()) == {"applied"}


def test_both_are_kept_and_nothing_is_left_to_decide(
    both: tuple[Server, str, dict[str, Any]], folder: Path
) -> None:
    server, changes, found = both
    body = {"run": found["run"], "beside": ["contracts/note.txt"]}
    done = server.ask("POST", f"{changes}/apply", body).json()
    assert "contracts/note (Deskmate).txt" in done["written"]
    assert (folder / "note.txt").read_text() == MINE
    assert "30 days" in (folder / "note (Deskmate).txt").read_text()
    row = next(r for r in server.ask("GET", "/api/threads").json()["rows"])
    assert row["pending"] == 0
    for wrong in ({"beside": "note"}, {"overwrite": ["note"]}, {"yours": [1]}):
        assert (
            server.ask("POST", f"{changes}/apply", {"run": found["run"], **wrong}).status_code
            == 400
        )


def test_the_command_line_offers_the_same_choice(
    both: tuple[Server, str, dict[str, Any]], folder: Path
) -> None:
    server, changes, _ = both
    home = {"DESKMATE_HOME": str(server.places.data.parent)}

    def apply(*options: str) -> Result:
        words = ["changes", "apply", "--thread", changes.split("/")[3], *options]
        return CliRunner().invoke(root, words, env=home, standalone_mode=False)

    for options, why in (
        (["--new", "contracts/new.txt"], "no file that you changed"),
        (["--both", "contracts/note.txt", "--yours", "contracts/note.txt"], "decided on twice"),
    ):
        refused = apply(*options)
        assert isinstance(refused.exception, UserError), refused
        assert why in refused.exception.message
    assert (folder / "note.txt").read_text() == MINE
    assert apply("contracts/new.txt", "--new", "contracts/note.txt").return_value == 0
    assert "30 days" in (folder / "note.txt").read_text()
    assert set(standing(server, changes).values()) == {"applied"}


@pytest.mark.parametrize("way", ["--yours", "--both"])
def test_what_was_decided_is_not_told_as_left_out(
    both: tuple[Server, str, dict[str, Any]], folder: Path, way: str
) -> None:
    server, changes, _ = both
    home = {"DESKMATE_HOME": str(server.places.data.parent)}
    words = ["changes", "apply", "--thread", changes.split("/")[3], way, "contracts/note.txt"]
    done = CliRunner().invoke(root, words, env=home, standalone_mode=False)
    assert (done.return_value, "left out" in done.output) == (0, False), done.output
    assert (folder / "note.txt").read_text() == MINE
