"""What a front door is told of a run's end."""

from __future__ import annotations

from deskmate.host.job import result_of
from deskmate.types.events import (
    ApplyFinished,
    ChangesStaged,
    CheckpointMade,
    Event,
    ModelReplied,
    Payload,
    RunFinished,
    ThreadCreated,
    UserSaid,
)
from deskmate.types.ids import Digest, RunId, ThreadId
from deskmate.types.messages import Text

NONE = Digest("0" * 64)
THREAD = ThreadId("t-1")


def _events(*payloads: Payload) -> list[Event]:
    first = ThreadCreated(thread=THREAD, title="t", version="1")
    return [
        Event(seq=n, time="2026-01-02T03:04:05.000006Z", payload=one, prev_hash="", hash="")
        for n, one in enumerate((first, *payloads), start=1)
    ]


def _run(name: str, *between: Payload) -> tuple[Payload, ...]:
    run = RunId(name)
    words = ModelReplied(turn=1, model="m", content=(Text(text="Hello."),), stop_reason="end_turn")
    said = UserSaid(run=run, text="Hi", model="m")
    return (said, *between, words, RunFinished(run=run, reason="done"))


STAGED = (
    CheckpointMade(manifest=NONE, files=1, size=1),
    ChangesStaged(run=RunId("one"), difference=NONE, created=1, modified=0, deleted=0),
)


def test_changes_of_an_earlier_run_still_wait_after_a_run_of_words_only() -> None:
    result = result_of(THREAD, _events(*_run("one", *STAGED), *_run("two")), "")
    assert result.staged
    assert result.deliverables == ()


def test_nothing_waits_once_it_was_applied() -> None:
    applied = ApplyFinished(plan=NONE, applied=True)
    assert not result_of(THREAD, _events(*_run("one", *STAGED), applied, *_run("two")), "").staged


def test_nothing_waits_where_nothing_was_ever_staged() -> None:
    assert not result_of(THREAD, _events(*_run("one")), "").staged
