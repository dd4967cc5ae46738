"""For each promise a log that breaks it, and beside it one that keeps it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from deskmate.store.blobs import BlobStore
from deskmate.store.invariants import CHECKERS
from deskmate.store.making import create_thread
from deskmate.store.thread import open_thread
from deskmate.store.verify import VerifyReport, verify_thread
from deskmate.types.events import (
    ApplyFinished,
    ApplyStarted,
    CheckpointMade,
    Compacted,
    EgressAsked,
    EgressEnded,
    ModelAsked,
    ModelFailed,
    ModelReplied,
    Payload,
    PolicySet,
    RunFinished,
    RunResumed,
    SandboxOpened,
    ToolFinished,
    ToolStarted,
    UserSaid,
)
from deskmate.types.ids import Digest, RunId, ToolUseId
from deskmate.types.limits import Limits, Usage
from deskmate.types.messages import ToolUse
from deskmate.types.policy import Rules

pytestmark = pytest.mark.anyio
RUN = RunId("r-1")
USE, OTHER = ToolUseId("toolu_1"), ToolUseId("toolu_2")
DIGEST = Digest("0" * 64)
SAID = UserSaid(run=RUN, text="go", model="m")
ASKED = ModelAsked(turn=1, model="m", request=DIGEST)


def replied(*uses: ToolUseId, reason: str = "tool_use", cost: float | None = None) -> ModelReplied:
    content = tuple(ToolUse(id=use, name="p__t", input={}) for use in uses)
    usage = Usage(input_tokens=10, output_tokens=10, cost_usd=cost)
    return ModelReplied(turn=1, model="m", content=content, stop_reason=reason, usage=usage)


def started(use: ToolUseId = USE, key: str = "") -> ToolStarted:
    return ToolStarted(tool_use_id=use, tool="p__t", key=key or f"t-x:{use}")


FINISHED = ToolFinished(tool_use_id=USE, tool="p__t", outcome="ok", text="")
WROTE = replace(FINISHED, wrote=True)
SYNTHETIC = replace(FINISHED, outcome="unknown", synthetic=True)
DONE = RunFinished(run=RUN, reason="done")
RESUMED = RunResumed(run=RUN)
POST = EgressAsked(
    request="q-1", method="POST", host="h", port=443, path="/", allowed=True, why="", size=3
)
ENDED = EgressEnded(request="q-1", status=200, sent=3, received=3)


def opened(checkpoint: Digest | None = None) -> SandboxOpened:
    return SandboxOpened(machine="m", template=DIGEST, isolation="none", checkpoint=checkpoint)


def limited(**limits: object) -> UserSaid:
    return replace(SAID, limits=Limits(**limits))  # type: ignore[arg-type]


BEGUN = (SAID, ASKED, replied(USE))
COMPACTED = Compacted(
    turn=1, by="m", kept_run=RUN, kept_turn=1, kept_turns=1, retrievable=0,
    usage=Usage(cost_usd=1.5),
)  # fmt: skip
KEPT: dict[str, tuple[Payload, ...]] = {
    "answered": (*BEGUN, started(), FINISHED, DONE),
    "a question waits": (*BEGUN, RunFinished(run=RUN, reason="needs_you")),
    "lost and said so": (*BEGUN, started(), POST, ENDED, RESUMED, opened(), SYNTHETIC, DONE),
    "a read is run again": (*BEGUN, opened(), started(), RESUMED, opened(), FINISHED, DONE),
    "tried twice": (SAID, ASKED, ModelFailed(turn=1, error="x", retryable=True), ASKED,
                    replied(reason="end_turn"), DONE),
    "summarised by the model": (SAID, ASKED, COMPACTED, ASKED, replied(reason="end_turn"), DONE),
    "summarised by rules": (SAID, replace(COMPACTED, by="rules"), ASKED, replied(reason="end_turn"), DONE),
    "read again by the host": (SAID, ASKED, replied(USE), replace(FINISHED, tool="thread__read"), DONE),
    "the machine's own answer": (*BEGUN, opened(), started(), POST, ENDED, FINISHED, DONE),
    "asked of the user": (SAID, ASKED, replied(USE), replace(FINISHED, tool="workspace__ask"), DONE),
    "one call over the budget": (limited(cost_usd=1.0), ASKED, replied(cost=1.5, reason="end_turn"),
                                 RunFinished(run=RUN, reason="over_budget", text="used up")),
}  # fmt: skip
BROKEN: list[tuple[str, str, tuple[Payload, ...]]] = [
    ("I2", "RunFinished without a result for toolu_1", (*BEGUN, DONE)),
    ("I2", "without a result", (*BEGUN, RunFinished(run=RUN, reason="failed", text="x"))),
    ("I2", "ModelAsked without a result for toolu_1", (*BEGUN, ASKED)),
    ("I2", "toolu_1 has 2 results", (*BEGUN, started(), FINISHED, FINISHED)),
    ("I2", "which nobody asked for", (SAID, started(), FINISHED)),
    ("I2", "was asked for before", (*BEGUN, started(), FINISHED, ASKED, replied(USE))),
    ("I2", "not marked as such", (*BEGUN, started(), replace(SYNTHETIC, synthetic=False))),
    ("I3", "ModelReplied without ModelAsked", (SAID, replied())),
    ("I3", "ModelReplied without ModelAsked", (SAID, ASKED, replied(), replied())),
    ("I3", "ModelFailed without ModelAsked", (SAID, ModelFailed(turn=1, error="", retryable=True))),
    ("I3", "Compacted without ModelAsked", (SAID, ASKED, replied(), COMPACTED)),
    ("I13", "1.5 of 1 USD of the run", (limited(cost_usd=1.0), ASKED, COMPACTED, ASKED)),
    ("I3", "never started: toolu_1", (*BEGUN, FINISHED)),
    ("I3", "never started: toolu_1", (*BEGUN, replace(FINISHED, outcome="error"))),
    ("I3", "ApplyFinished without ApplyStarted", (ApplyFinished(plan=DIGEST, applied=True),)),
    ("I3", "a request ended that was not begun", (ENDED,)),
    ("I3", "a request ended that was not begun", (replace(POST, allowed=False), ENDED)),
    ("I4", "started a second time", (*BEGUN, started(), started(), FINISHED)),
    ("I4", "started a second time", (SAID, ASKED, replied(USE, OTHER), started(key="k:toolu_2"),
                                     started(OTHER, key="k:toolu_2"))),
    ("I4", "without what toolu_1 had written", (*BEGUN, started(), WROTE, opened())),
    ("I4", "is in no checkpoint", (*BEGUN, started(), WROTE, DONE)),
    ("I4", "another state than the last", (CheckpointMade(manifest=DIGEST, files=1, size=1), opened())),
    ("I4", "another state than the last", (opened(DIGEST),)),
    ("I5", "repeated after it had sent", (*BEGUN, started(), POST, ENDED, RESUMED, opened(), FINISHED)),
    ("I5", "to a connector a second time", (*BEGUN, started(), RESUMED, replace(FINISHED, private=True))),
    ("I6", "is of no complete reply", (SAID, ASKED, replied(USE, reason="max_tokens"), started())),
    ("I6", "while the model was still asked", (*BEGUN, started(), FINISHED, ASKED, started(OTHER))),
    ("I13", "1 of 1 turns were used", (limited(max_turns=1), ASKED, replied(), ASKED)),
    ("I13", "20 of 20 tokens were used", (limited(max_tokens=20), ASKED, replied(), ASKED)),
    ("I13", "1.5 of 1 USD of the run", (limited(cost_usd=1.0), ASKED, replied(cost=1.5), ASKED)),
    ("I13", "2 of 2 USD of the thread", (PolicySet(rules=Rules(budget_usd=2.0)), SAID, ASKED,
                                         replied(cost=2.0), ASKED)),
    ("I13", "beyond 1 calls", (limited(max_calls=1), ASKED, replied(USE, OTHER), started(), FINISHED,
                               started(OTHER))),
    ("I14", "a run ended that was not under way", (DONE,)),
    ("I14", "does not say why", (SAID, RunFinished(run=RUN, reason="failed"))),
]  # fmt: skip


async def verified(tmp_path: Path, *payloads: Payload, settled: bool = False) -> VerifyReport:
    thread = await create_thread(tmp_path / "threads", "x", version="1")
    async with open_thread(tmp_path / "threads", thread) as store:
        await store.append(*payloads)
    async with open_thread(tmp_path / "threads", thread, write=False) as store:
        return await verify_thread(store, BlobStore(tmp_path / "blobs"), settled=settled)


@pytest.mark.parametrize("payloads", KEPT.values(), ids=KEPT)
async def test_a_log_that_keeps_its_promises_is_sound(
    tmp_path: Path, payloads: tuple[Payload, ...]
) -> None:
    assert (await verified(tmp_path, *payloads)).problems == ()


@pytest.mark.parametrize(("promise", "problem", "payloads"), BROKEN)
async def test_a_broken_promise_is_named(
    tmp_path: Path, promise: str, problem: str, payloads: tuple[Payload, ...]
) -> None:
    found = (await verified(tmp_path, *payloads)).problems
    assert any(problem in line and line.endswith(f"({promise})") for line in found), found


def test_every_promise_has_a_log_that_breaks_it() -> None:
    assert {promise for promise, _, _ in BROKEN} == set(CHECKERS)


async def test_what_is_under_way_is_a_note_and_no_damage_unless_all_must_be_settled(
    tmp_path: Path,
) -> None:
    report = await verified(tmp_path, SAID, ASKED)
    assert report.problems == ()
    assert "r-1 is under way, or was interrupted" in report.notes[0]
    strict = await verified(tmp_path, SAID, ASKED, settled=True)
    assert strict.problems == report.notes


async def test_an_apply_that_was_not_settled_is_noted(tmp_path: Path) -> None:
    plan = BlobStore(tmp_path / "blobs").put(b'{"grants": [], "steps": []}')
    report = await verified(tmp_path, ApplyStarted(plan=plan))
    assert "deskmate changes recover" in report.notes[0]


async def test_what_a_writer_left_in_the_folder_is_noted(tmp_path: Path) -> None:
    thread = await create_thread(tmp_path / "threads", "x", version="1")
    folder = tmp_path / "threads" / thread
    (folder / "apply").mkdir()
    (folder / "apply" / "aa.json").write_text("{}")
    (folder / ".head.json.00.tmp").write_text("")
    async with open_thread(tmp_path / "threads", thread, write=False) as store:
        report = await verify_thread(store, BlobStore(tmp_path / "blobs"))
    assert [note.partition(":")[0] for note in report.notes] == [
        "an apply's journal is left",
        "a temporary file is left",
    ]
    async with open_thread(tmp_path / "threads", thread) as store:  # its writer is at work
        assert (await verify_thread(store, BlobStore(tmp_path / "blobs"))).notes == ()
