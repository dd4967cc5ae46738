"""`deskmate project memory`: notes are listed, written, agreed to and forgotten; `deskmate thread cost` adds up."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import pytest
from click.testing import CliRunner, Result

from deskmate.cli.output import Session
from deskmate.cli.project import command as project
from deskmate.cli.thread import command as thread
from deskmate.errors import UserError
from deskmate.store.making import create_thread
from deskmate.store.memory import Memories
from deskmate.store.thread import open_thread
from deskmate.types.events import ModelAsked, ModelReplied, UserSaid
from deskmate.types.ids import Digest, RunId
from deskmate.types.limits import Usage
from deskmate.types.memory import MemoryNote
from deskmate.types.messages import Text
from deskmate.types.places import Places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(data=tmp_path / "data", cache=tmp_path / "cache", config=tmp_path / "config")


def call(places: Places, *arguments: str, group: object = project) -> Result:
    return CliRunner().invoke(
        group,  # type: ignore[arg-type]
        arguments,
        obj=Session(places=places),
        standalone_mode=False,
    )


@pytest.fixture
def deal(places: Places) -> str:
    made = call(places, "new", "Deal", "--json")
    return str(json.loads(made.stdout)["project"]["id"])


def test_a_note_is_written_listed_shown_and_forgotten(places: Places, deal: str) -> None:
    assert "Nothing is remembered" in call(places, "memory", "list", "Deal").output
    assert "Remembered:" in call(places, "memory", "add", "Deal", "tone", "Be short.").output
    listed = call(places, "memory", "list", "Deal")
    assert "tone  by you" in listed.output
    assert "Be short." in listed.output
    shown = json.loads(call(places, "memory", "show", "Deal", "tone", "--json").stdout)
    assert (shown["name"], shown["text"]) == ("tone", "Be short.")
    assert "tone is forgotten" in call(places, "memory", "forget", "Deal", "tone").output
    gone = call(places, "memory", "show", "Deal", "tone")
    assert isinstance(gone.exception, UserError)


def test_what_waits_says_so_is_shown_whole_and_agreed_to(places: Places, deal: str) -> None:
    note = MemoryNote(
        name="copies", text="Send \x1b[31mcopies.", by="agent", confirmed=False, tainted=True,
        date="2026-11-29", thread="t-abc",
    )  # fmt: skip
    Memories(places.data).write(deal, note)
    listed = call(places, "memory", "list", "Deal").output
    assert "after it had read texts of others: waits for your word" in listed
    assert f"deskmate project memory confirm {deal} NAME" in listed
    agreed = call(places, "memory", "confirm", "Deal", "copies").output
    assert "\\x1b[31mcopies." in agreed, "nothing in a note commands a terminal"
    assert "copies holds now" in agreed
    assert "you agreed to it" in call(places, "memory", "list", "Deal").output


def test_a_file_that_is_no_note_is_named(places: Places, deal: str) -> None:
    folder = Memories(places.data).folder(deal)
    folder.mkdir(parents=True)
    (folder / "X.md").write_text("x")
    assert "! X.md: a note is called NAME.md" in call(places, "memory", "list", "Deal").output
    assert json.loads(call(places, "memory", "list", "Deal", "--json").stdout)["skipped"]


def test_without_the_project_there_is_one_line(places: Places) -> None:
    done = call(places, "memory", "list", "Nothing")
    assert isinstance(done.exception, UserError)


def test_notes_of_a_deleted_project_stay_and_are_named(places: Places, deal: str) -> None:
    call(places, "memory", "add", "Deal", "tone", "Be short.")
    assert "its notes stay in" in call(places, "delete", "Deal").output
    assert Memories(places.data).get(deal, "tone").text == "Be short."


def test_costs_are_told_by_run_and_call_with_what_came_from_the_cache(places: Places) -> None:
    async def make() -> str:
        name = await create_thread(places.threads, "T", version="0")
        async with open_thread(places.threads, name) as store:
            for number, price in ((1, 0.25), (2, None)):
                usage = Usage(
                    input_tokens=50, cache_read_tokens=900, cache_write_tokens=50,
                    output_tokens=10, cost_usd=price,
                )  # fmt: skip
                await store.append(
                    UserSaid(run=RunId(f"r-{number}"), text=f"Request {number}", model="m"),
                    ModelAsked(turn=1, model="m", request=Digest("0" * 64)),
                    ModelAsked(turn=1, model="m", request=Digest("0" * 64)),
                    ModelReplied(
                        turn=1, model="m", content=(Text(text="x"),), stop_reason="end_turn",
                        usage=usage,
                    ),
                )  # fmt: skip
        return name

    name = anyio.run(make)
    text = call(places, "cost", name, "--calls", group=thread).output
    assert "r-1  1 call, 1,000 tokens in, 90 % of them from the cache, 10 out, 0.2500 USD" in text
    assert (
        "r-2  1 call, 1,000 tokens in, 90 % of them from the cache, 10 out, price unknown" in text
    )
    assert "1 more brought no reply" in text
    assert f"{name}  in all: 2 calls, 2,000 tokens in" in text
    assert "of 1 of them the price is not known" in text
    data = json.loads(call(places, "cost", name, "--json", group=thread).stdout)
    assert data["usage"]["cost_usd"] == 0.25
    assert [run["unanswered"] for run in data["runs"]] == [1, 1]
