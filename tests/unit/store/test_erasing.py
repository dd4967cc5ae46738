"""What is personal can be erased for good; the chain holds, nothing else can be changed, and the record says so."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner
from tests.unit.store.test_invariants import ASKED, DIGEST, DONE, SAID, started

from deskmate.cli import root
from deskmate.errors import CorruptData, UserError
from deskmate.host.erasing import Choice, chosen, titles_of
from deskmate.store import chain
from deskmate.store.archive import export_thread, import_thread
from deskmate.store.blobs import BlobStore
from deskmate.store.making import create_thread
from deskmate.store.thread import open_thread
from deskmate.store.verify import verify_thread
from deskmate.types.codec import from_json
from deskmate.types.events import (
    ERASED,
    KINDS,
    Event,
    ModelReplied,
    Payload,
    ThreadCreated,
    ThreadRenamed,
    ToolFinished,
    UserSaid,
)
from deskmate.types.files import Deliverable, Evidence
from deskmate.types.ids import Digest, RunId, ThreadId, ToolUseId
from deskmate.types.messages import ToolUse

pytestmark = pytest.mark.anyio
SECRET = "Jane Doe of 12 Elm Street"
LONG = f"{SECRET}. " * 900  # spreads over several pages of the database
USE = ToolUseId("toolu_1")
REPLIED = ModelReplied(
    turn=1,
    model="m",
    content=(ToolUse(id=USE, name="p__t", input={"who": SECRET}),),
    stop_reason="tool_use",
)
FINISHED = ToolFinished(
    tool_use_id=USE,
    tool="p__t",
    outcome="ok",
    text=LONG,
    evidence=(Evidence(id="e1", source=DIGEST, path="p", locator={}, quote=SECRET),),
    deliverables=(Deliverable(path="a", title=SECRET),),
)
WORDS = UserSaid(run=RunId("r-1"), text=SECRET, model="m")


class Archive:
    """One thread with personal words in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.threads = home / "data/threads"
        self.thread = ""

    async def make(self) -> None:
        self.thread = await create_thread(self.threads, f"About {SECRET}", version="1")
        async with open_thread(self.threads, self.thread) as store:
            await store.append(WORDS, ASKED, REPLIED, started(), FINISHED, DONE)

    async def erase(self, *seqs: int) -> None:
        async with open_thread(self.threads, self.thread) as store:
            await store.erase(seqs, "asked for")

    async def problems(self) -> tuple[str, ...]:
        async with open_thread(self.threads, self.thread, write=False) as store:
            return (
                await verify_thread(store, BlobStore(self.home / "blobs"), settled=True)
            ).problems

    async def events(self) -> tuple[Event, ...]:
        async with open_thread(self.threads, self.thread, write=False) as store:
            return await store.events()

    async def records(self) -> tuple[dict[str, Any], ...]:
        async with open_thread(self.threads, self.thread, write=False) as store:
            return await store.rows()

    def sql(self, statement: str) -> None:
        with sqlite3.connect(self.threads / self.thread / "thread.db") as db:
            db.execute(statement)
        db.close()

    def holds(self, words: str) -> list[str]:
        """Return the files of the home folder in which these words are, anywhere."""
        files = (path for path in self.home.rglob("*") if path.is_file())
        return [path.name for path in files if words.encode() in path.read_bytes()]


@pytest.fixture
async def archive(tmp_path: Path) -> Archive:
    made = Archive(tmp_path)
    await made.make()
    return made


async def test_no_byte_of_what_was_erased_is_left_and_the_chain_is_whole(archive: Archive) -> None:
    before = await archive.records()
    assert archive.holds(SECRET)
    await archive.erase(*range(1, 8))
    assert archive.holds(SECRET) == []
    assert await archive.problems() == ()
    after = await archive.records()
    assert [record["hash"] for record in after[:7]] == [record["hash"] for record in before]
    report = chain.check(after)
    assert (report.problem, report.erased, report.size) == ("", 4, 8)


async def test_what_is_left_says_that_something_was_there_and_what_is_needed_to_go_on(
    archive: Archive,
) -> None:
    await archive.erase(*range(1, 8))
    _, said, _, replied, _, finished, *_ = (event.payload for event in await archive.events())
    assert isinstance(said, UserSaid)
    assert isinstance(replied, ModelReplied)
    assert isinstance(finished, ToolFinished)
    assert (said.text, said.run, said.model) == (ERASED, "r-1", "m")
    assert replied.content == (ToolUse(id=USE, name="p__t", input={}),)
    assert (finished.text, finished.outcome, finished.evidence) == (ERASED, "ok", ())


async def test_only_what_was_named_is_erased_and_a_second_time_there_is_nothing(
    archive: Archive,
) -> None:
    await archive.erase(2)
    _, said, _, replied, *_ = (event.payload for event in await archive.events())
    assert isinstance(said, UserSaid)
    assert isinstance(replied, ModelReplied)
    assert said.text == ERASED
    assert replied.content == REPLIED.content
    with pytest.raises(UserError, match="nothing to erase"):
        await archive.erase(2, 3)


@pytest.mark.parametrize(
    "statement",
    [
        "update events set payload = '{}' where seq = 2",
        "update events set salt = '' where seq = 2",
        "update events set sealed = null where seq = 2",
        "update events set hash = 'x' where seq = 2",
        "update events set payload = '{' || substr(sealed, 83), salt = '', time = 'x'"
        " where seq = 2",
        "update events set payload = '{}', salt = '' where seq = 3",
        "delete from events where seq = 2",
    ],
)
async def test_the_database_lets_nothing_else_be_changed(archive: Archive, statement: str) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        archive.sql(statement)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("update events set payload = '{' || substr(sealed, 83), salt = '' where seq = 2",
         "record 2 was erased, and no record says so"),
        ("update events set payload = replace(payload, 'Jane', 'Joan') where seq = 2",
         "record 2 was altered: its content is not what was sealed"),
        ("update events set salt = '00' where seq = 2", "record 2 was altered"),
        ("update events set salt = '' where seq = 2", "record 2 was altered"),
        ("update events set sealed = null, salt = null where seq = 2", "record 2 was altered"),
        ("update events set sealed = replace(sealed, 'r-1', 'r-2') where seq = 2", "record 2 was altered"),
        ("update events set sealed = 'x' where seq = 2", "record 2 was altered"),
    ],
)  # fmt: skip
async def test_tampering_with_a_sealed_record_is_found(
    archive: Archive, statement: str, problem: str
) -> None:
    archive.sql("drop trigger events_no_update")
    archive.sql(statement)
    assert any(problem in found for found in await archive.problems())
    if "no record says" not in problem:
        with pytest.raises(CorruptData):
            await archive.events()


async def test_what_is_left_of_an_erased_record_is_held_to_the_letter(archive: Archive) -> None:
    await archive.erase(4)
    records = [dict(record) for record in await archive.records()]
    assert chain.check(records).problem == ""
    for same in (True, 1.0):  # equal to 1 in Python, and another text
        altered = {**records[3], "payload": {**records[3]["payload"], "turn": same}}
        assert altered == records[3]
        report = chain.check([*records[:3], altered, *records[4:]])
        assert "record 4 was altered" in report.problem


async def test_a_seal_needs_its_salt_so_that_nobody_can_guess(archive: Archive) -> None:
    first, second = (await archive.records())[1], (await archive.records())[1]
    assert first["salt"] == second["salt"]
    await archive.erase(2)
    record = (await archive.records())[1]
    assert record["salt"] == ""
    guess = chain.canonical_text(first["payload"])
    assert chain.commitment("", guess) != record["sealed"][chain.COMMITMENT]
    assert chain.commitment(first["salt"], guess) == record["sealed"][chain.COMMITMENT]


async def test_a_thread_with_erased_records_is_exported_and_comes_back(
    archive: Archive, tmp_path: Path
) -> None:
    await archive.erase(2, 6)
    blobs = BlobStore(tmp_path / "blobs")
    async with open_thread(archive.threads, archive.thread) as store:
        await export_thread(store, blobs, tmp_path / "t.zip")
        head = (await store.events())[-1].hash
    other = tmp_path / "other/threads"
    await import_thread(tmp_path / "t.zip", other, BlobStore(tmp_path / "other/blobs"))
    async with open_thread(other, archive.thread) as store:
        assert (await store.events())[-1].hash == head
        assert (await verify_thread(store, blobs)).problems == ()
        await store.erase([4], "there, too")  # what was not erased can be, there as well


async def test_a_kill_in_the_midst_erases_all_or_nothing(archive: Archive) -> None:
    async with open_thread(archive.threads, archive.thread) as store:
        store._token += 1  # the lease is lost: the transaction fails before its end
        with pytest.raises(UserError, match="took over"):
            await store.erase([2], "x")
    assert archive.holds(SECRET)
    assert await archive.problems() == ()


async def test_what_is_left_of_any_kind_can_be_read(archive: Archive) -> None:
    await archive.erase(*range(1, 8))
    for record in await archive.records():
        from_json(KINDS[record["kind"]], record["payload"])


def test_a_title_that_was_taken_from_the_request_goes_with_it() -> None:
    long = "Write to Jane Doe about the\n lease " + "and so on " * 9
    title = f"{' '.join(long.split())[:59]}…"
    payloads: list[Payload] = [
        ThreadCreated(thread=ThreadId("t-x"), title=title, version="1"),
        UserSaid(run=RunId("r-1"), text=long, model="m"),
        ThreadRenamed(title="The lease"),
    ]
    events = [
        Event(seq=seq, time="", payload=payload, prev_hash="", hash="")
        for seq, payload in enumerate(payloads, start=1)
    ]
    assert titles_of(events, {2}) == {1}
    assert titles_of(events, {3}) == frozenset()


def test_a_choice_is_numbers_ranges_a_run_or_all() -> None:
    payloads: list[Payload] = [ASKED, SAID, ASKED, DONE, ASKED]
    events = [
        Event(seq=seq, time="", payload=payload, prev_hash="", hash="")
        for seq, payload in enumerate(payloads, start=1)
    ]
    assert chosen(events, Choice(events=("1", "3-4"))) == {1, 3, 4}
    assert chosen(events, Choice(run="r-1")) == {2, 3, 4, 5}
    assert chosen(events, Choice(everything=True)) == {1, 2, 3, 4, 5}
    for wrong in (Choice(), Choice(events=("0",)), Choice(events=("6",)), Choice(events=("x",)),
                  Choice(events=("3-2",)), Choice(run="r-9")):  # fmt: skip
        with pytest.raises(UserError):
            chosen(events, wrong)


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def audit(tmp_path: Path) -> Run:
    def run(*words: str) -> tuple[int, str]:
        environ = {"DESKMATE_HOME": str(tmp_path)}
        result = CliRunner().invoke(root, list(words), env=environ, standalone_mode=False)
        code = 1 if result.exception else result.return_value or 0
        return code, result.stdout + str(result.exception or "")

    return run


def test_the_command_erases_also_what_the_index_holds(tmp_path: Path, audit: Run) -> None:
    made = Archive(tmp_path)
    anyio.run(made.make)
    assert "Elm" in audit("thread", "search", "Jane")[1]
    code, text = audit(
        "audit", "erase", "-t", made.thread, "--run", "r-1", "-e", "1", "--why", "asked", "--yes"
    )
    assert (code, "4 events erased" in text) == (0, True), text
    assert made.holds(SECRET) == []
    assert "Elm" not in audit("thread", "search", "Jane")[1]
    assert audit("audit", "verify")[0] == 0
    assert audit("audit", "export", "-t", made.thread, "-o", str(tmp_path / "log"))[0] == 0
    assert "8 records, 4 of them erased" in audit("audit", "verify", str(tmp_path / "log"))[1]
    assert audit("audit", "erase", "-t", made.thread, "--all", "--why", "x", "--yes")[0] != 0


def test_nothing_is_erased_without_a_yes_or_while_a_run_is_under_way(
    tmp_path: Path, audit: Run
) -> None:
    made = Archive(tmp_path)
    anyio.run(made.make)
    assert audit("audit", "erase", "-t", made.thread, "--all", "--why", "x")[0] != 0

    async def begin() -> None:
        async with open_thread(made.threads, made.thread) as store:
            await store.append(SAID)

    anyio.run(begin)
    code, text = audit("audit", "erase", "-t", made.thread, "--all", "--why", "x", "--yes")
    assert (code, "under way" in text) == (1, True)
    assert made.holds(SECRET)


def test_the_compliance_feed_says_who_did_what_and_holds_no_content(
    tmp_path: Path, audit: Run
) -> None:
    made = Archive(tmp_path)
    anyio.run(made.make)
    code, text = audit("audit", "export", "-t", made.thread, "--format", "compliance")
    assert code == 0
    feed = json.loads(text)
    assert SECRET not in text
    assert [one["type"] for one in feed["data"]][:3] == [
        "thread_created",
        "prompt_submitted",
        "model_request_sent",
    ]
    assert feed["data"][1]["actor"]["type"] == "user"
    assert feed["data"][5]["details"]["outcome"] == "ok"
    assert (feed["first_id"], feed["last_id"]) == (f"{made.thread}:1", f"{made.thread}:7")
    none = json.loads(
        audit(
            "audit", "export", "-t", made.thread, "--format", "compliance", "--until", "2000-01-01"
        )[1]
    )
    assert (none["data"], none["first_id"]) == ([], None)
    for wrong in (["--format", "compliance", "--sign"], ["--since", "2020-01-01"], ["--content"]):
        assert audit("audit", "export", "-t", made.thread, *wrong)[0] != 0


def test_every_kind_has_a_name_and_no_personal_field_in_the_feed() -> None:
    from deskmate.store import compliance, sealing

    assert compliance._ACTIVITIES.keys() == KINDS.keys()
    for kind, fields in compliance._FACTS.items():
        assert {*fields} <= {*KINDS[kind].__dataclass_fields__}
        private = {*sealing._TEXTS.get(kind, ()), *sealing._LEFT_OUT.get(kind, ())} - {"arguments"}
        assert not private & {*fields}, kind
    assert Digest(DIGEST)
