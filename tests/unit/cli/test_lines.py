from __future__ import annotations

from typing import Any

import pytest

from deskmate.cli.lines import log_line
from deskmate.store import chain
from deskmate.store.rows import make_event
from deskmate.types.connectors import ConnectorsSet
from deskmate.types.events import (
    ApplyFinished,
    ApplyStarted,
    ChangesDiscarded,
    CheckpointMade,
    EgressAsked,
    KindsSeen,
    ModelAsked,
    ModelReplied,
    NetworkSet,
    Payload,
    PluginsSet,
    RunFinished,
    SandboxOpened,
    TextTaken,
    ThreadCreated,
    ThreadForked,
    ThreadMarked,
    ToolFinished,
    ToolStarted,
    UserSaid,
    Validated,
)
from deskmate.types.ids import Digest, RunId, ThreadId, ToolUseId
from deskmate.types.messages import Opaque, Text, ToolUse
from deskmate.types.network import NetworkRule

NONE = Digest("0" * 64)
USE = ToolUseId("toolu_1")
WORDS: list[tuple[Payload, str]] = [
    (ThreadCreated(thread=ThreadId("t-1"), title="A title", version="1"), "A title"),
    (ThreadForked(thread=ThreadId("t-2"), parent=ThreadId("t-1"), seq=7), "from t-1 at event 7"),
    (UserSaid(run=RunId("r-1"), text="Do\n\tthis", model="m"), "Do this"),
    (ModelAsked(turn=1, model="sonnet", request=NONE), "sonnet"),
    (
        ModelReplied(
            turn=1,
            model="m",
            content=(
                Opaque(data={"type": "thinking"}),
                Text(text="So."),
                ToolUse(id=USE, name="a__b", input={}),
            ),
            stop_reason="tool_use",
        ),
        "So. [a__b]",
    ),
    (ModelReplied(turn=1, model="m", content=(), stop_reason="end_turn"), ""),
    (ToolStarted(tool_use_id=USE, tool="a__b", key="k"), "a__b"),
    (ToolFinished(tool_use_id=USE, tool="a__b", outcome="ok", text="It is."), "a__b ok: It is."),
    (CheckpointMade(manifest=NONE, files=2, size=3000), "2 files, 3,000 bytes"),
    (PluginsSet(lock=NONE, versions={"legal": "1.0"}), "legal 1.0"),
    (Validated(run=RunId("r-1"), inputs=NONE, rules=(), passed=True), "passed, 0 findings"),
    (RunFinished(run=RunId("r-1"), reason="done", text=""), "done"),
    (ApplyStarted(plan=NONE, by="user"), "apply by user"),
    (ApplyStarted(plan=NONE, undo_of=NONE), "undo by user"),
    (ApplyFinished(plan=NONE, applied=True), "written"),
    (ApplyFinished(plan=NONE, applied=True, left=2), "written, 2 changes stay staged"),
    (ApplyFinished(plan=NONE, applied=False, text="It changed."), "nothing: It changed."),
    (ChangesDiscarded(difference=NONE), "all of them"),
    (ChangesDiscarded(difference=NONE, paths=("a", "b")), "a, b"),
    (ThreadMarked(pinned=True, archived=True), "pinned archived"),
    (ThreadMarked(), "plain"),
    (KindsSeen(kinds=(".pdf", "*")), ".pdf *"),
    (SandboxOpened(machine="m", template=NONE, isolation="kvm"), "kvm"),
    (TextTaken(path="docs/a.md", sha256=NONE, words=NONE), "docs/a.md"),
    (ConnectorsSet(connectors={"crm": NONE, "erp": NONE}), f"crm {NONE[:12]}, erp {NONE[:12]}"),
    (ConnectorsSet(connectors={}), "none"),
    (NetworkSet(rules=(NetworkRule(host="a.example", methods=("GET",)),)), "a.example GET"),
    (
        EgressAsked(
            request="1", method="GET", host="h", port=443, path="/", allowed=False, why="no"
        ),
        "REFUSED GET h/: no",
    ),
]


def row(payload: Payload) -> tuple[Any, ...]:
    return make_event(1, "2026-01-02T03:04:05.000006Z", payload, chain.GENESIS)[1]


@pytest.mark.parametrize(("payload", "words"), WORDS, ids=lambda one: type(one).__name__)
def test_an_event_is_one_line_of_what_people_want_to_know(payload: Payload, words: str) -> None:
    line = log_line(row(payload))
    kind = type(payload).__name__
    assert line.rstrip() == f"    1  2026-01-02T03:04:05  {kind:<16}  {words}".rstrip()


def test_a_long_text_is_cut_to_one_line() -> None:
    said = UserSaid(run=RunId("r-1"), text="word \n" * 1000, model="m")
    line = log_line(row(said))
    assert line.endswith("…")
    assert len(line) < 180
