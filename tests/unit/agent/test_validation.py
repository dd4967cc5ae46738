"""What goes into the clean room, and verdicts that fail closed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from deskmate.agent import validation
from deskmate.agent.validation import build_validation, earlier_verdict, inputs_of
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.events import (
    ContentTaken,
    EgressAsked,
    Event,
    ToolFinished,
    UserSaid,
    Validated,
)
from deskmate.types.files import Change, Deliverable, Difference, Entry, Evidence
from deskmate.types.findings import Finding
from deskmate.types.ids import Digest, RunId, ToolUseId
from deskmate.types.registry import Registry, RuleSpec

if TYPE_CHECKING:
    from tests.unit.agent.conftest import Lab

    MakeLab = Callable[..., Lab]

A, B, C = (Digest(letter * 64) for letter in "abc")
MakeLog = Callable[..., tuple[Event, ...]]


def entry(path: str, sha256: Digest | None) -> Entry:
    return Entry(path=path, kind="file" if sha256 else "dir", mode=0o644, sha256=sha256)


def found(id_: str, path: str) -> ToolFinished:
    evidence = Evidence(id=id_, source=A, path=path, locator={"page": 1})
    return ToolFinished(
        tool_use_id=ToolUseId("u"), tool="t", outcome="ok", text="", evidence=(evidence,)
    )


def test_sources_are_the_originals_and_files_are_as_the_overlay_has_them(
    make_log: MakeLog,
) -> None:
    base = (entry("d", None), entry("d/old", A), entry("d/gone", A), entry("d/same", C))
    difference = Difference(
        changes=(
            Change(path="d/gone", operation="delete", before=base[2], after=None),
            Change(path="d/new", operation="create", before=None, after=entry("d/new", B)),
            Change(path="d/old", operation="modify", before=base[1], after=entry("d/old", B)),
        )
    )
    chosen = [Deliverable(path=f"d/{name}", title="") for name in ("old", "new", "gone", "same")]
    events = make_log(found("1", "d/same"), found("1", "d/old"), found("2", "d/old"))
    request = build_validation(chosen, difference, base, events, "2026-11-23")
    assert request.files == {"d/old": B, "d/new": B, "d/same": C}
    assert {source.path: source.sha256 for source in request.sources} == {
        "d/old": A,
        "d/gone": A,
        "d/same": C,
    }
    assert [item.path for item in request.deliverables] == ["d/gone", "d/new", "d/old", "d/same"]
    assert [(item.id, item.path) for item in request.evidence] == [("1", "d/old"), ("2", "d/old")]
    assert request.facts == {
        "date": "2026-11-23",
        "paths_read": ["d/old"],
        "said": [],
        "unavailable": [],
        "hosts": [],
    }


def test_rules_are_told_what_the_host_knows_of_the_thread(make_log: MakeLog) -> None:
    def asked(host: str, *, allowed: bool) -> EgressAsked:
        return EgressAsked(
            request=host, method="GET", host=host, port=443, path="/", allowed=allowed, why=""
        )

    events = make_log(
        UserSaid(run=RunId("r"), text="x" * 39_999, model="m"),
        UserSaid(run=RunId("r"), text="It costs 500.", model="m"),
        ContentTaken(manifest=A, files=1, size=1, lost={"d/locked": "permission denied"}),
        asked("api.example.com", allowed=True),
        asked("evil.example.com", allowed=False),
    )
    facts = build_validation((), Difference(changes=()), (), events, "2026-11-23").facts
    assert facts["said"] == ["It costs 500."]
    assert facts["unavailable"] == ["d/locked"]
    assert facts["hosts"] == ["api.example.com"]


def test_of_more_originals_than_a_clean_room_holds_those_come_that_are_named_or_changed(
    make_log: MakeLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tuple(replace(entry(f"d/{name}", A), size=10) for name in ("a", "b", "c", "z"))
    change = Change(path="d/b", operation="modify", before=base[1], after=entry("d/b", B))
    arguments: Any = (
        [Deliverable(path="d/c", title="")],
        Difference(changes=(change,)),
        base,
        make_log(found("1", "d/a")),
        "2026-11-23",
    )
    monkeypatch.setattr(validation, "SOURCES_BYTES", 40)
    every = build_validation(*arguments)
    assert [source.path for source in every.sources] == ["d/a", "d/b", "d/c", "d/z"]
    monkeypatch.setattr(validation, "SOURCES_BYTES", 39)
    some = build_validation(*arguments)
    assert [source.path for source in some.sources] == ["d/a", "d/b", "d/c"]
    assert some.files == every.files == {"d/c": A}


def test_a_verdict_is_used_again_for_the_same_inputs_and_rules_only(make_log: MakeLog) -> None:
    request = build_validation((), Difference(changes=()), (), (), "2026-11-23")
    rule = RuleSpec(plugin="p", rule="R", title="")
    inputs = inputs_of(request, Registry(lock=A))
    assert inputs != inputs_of(request, Registry(lock=B))
    assert inputs != inputs_of(request, Registry(lock=A, rules=(rule,)))
    assert inputs != inputs_of(request, Registry(lock=A, code=B)), "other code may judge otherwise"
    good = Validated(run=RunId("r"), inputs=inputs, rules=("R",), passed=True)
    no_room = Validated(run=RunId("r"), inputs=inputs, rules=())
    assert earlier_verdict(make_log(good), inputs) == good
    assert earlier_verdict(make_log(good), A) is None
    assert earlier_verdict(make_log(no_room), inputs) is None


@pytest.mark.anyio
async def test_an_error_of_a_rule_that_is_no_gate_does_not_stop_a_deliverable(
    make_lab: MakeLab,
) -> None:
    def warn(request: Any, blobs: Any) -> list[Finding]:
        return [Finding(rule="T-SOFT", level="error", message="hm")]

    lab = make_lab(ScriptedModel([(("lab__memo", {}),), "Here."]))
    soft = RuleSpec(plugin="lab", rule="T-SOFT", title="", gate=False)
    lab.sandbox.inner._plugins["lab"].rules["T-SOFT"] = (soft, warn)  # type: ignore[index]
    assert (await lab.say("Go")).reason == "done"
    (verdict,) = lab.store.of(Validated)
    assert verdict.passed
    assert verdict.findings[0].rule == "T-SOFT"


@pytest.mark.anyio
async def test_who_else_uses_a_gates_name_does_not_open_the_gate(make_lab: MakeLab) -> None:
    def fail(request: Any, blobs: Any) -> list[Finding]:
        return [Finding(rule="T-GATE", level="error", message="no")]

    lab = make_lab(ScriptedModel([(("lab__memo", {}),), "Here.", "Hm."]))
    gate = RuleSpec(plugin="lab", rule="T-GATE", title="", gate=True)
    lab.sandbox.inner._plugins["lab"].rules["T-GATE"] = (gate, fail)  # type: ignore[index]
    lab.extra_rules = (RuleSpec(plugin="evil", rule="T-GATE", title="", gate=False),)
    assert (await lab.say("Go")).reason == "rejected"


@pytest.mark.anyio
async def test_a_rule_that_crashes_rejects(make_lab: MakeLab) -> None:
    def broken(request: Any, blobs: Any) -> list[Finding]:
        raise ZeroDivisionError

    lab = make_lab(ScriptedModel([(("lab__memo", {}),), "Here.", "Hm."]))
    rule = RuleSpec(plugin="lab", rule="T-BAD", title="")
    lab.sandbox.inner._plugins["lab"].rules["T-BAD"] = (rule, broken)  # type: ignore[index]
    assert (await lab.say("Go")).reason == "rejected"


@pytest.mark.anyio
async def test_a_clean_room_that_hangs_rejects(
    make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(self: Any, request: Any, blobs: Any) -> Any:
        await anyio.sleep_forever()

    from deskmate.testing.fake_sandbox import FakeMachine

    monkeypatch.setattr(validation, "DEADLINE_S", 0.02)
    monkeypatch.setattr(FakeMachine, "validate", hang)
    lab = make_lab(ScriptedModel([(("lab__memo", {}),), "Here.", "Hm."]))
    assert (await lab.say("Go")).reason == "rejected"
    assert "no verdict" in lab.store.of(Validated)[0].findings[0].message
