"""The driver at the end of a run and in the next one: verdicts, long results, folders, what observers hear."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from deskmate.errors import (
    ConfigError,
    CorruptData,
    OutcomeUnknown,
    ProtocolError,
    SandboxMissing,
    SandboxUnavailable,
)
from deskmate.ports import Delta, ToolOutcome
from deskmate.testing.fake_sandbox import FakePlugin
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.events import (
    BaseTaken,
    ChangesStaged,
    CheckpointMade,
    ModelReplied,
    ToolFinished,
    Validated,
)
from deskmate.types.limits import Limits
from deskmate.types.messages import NOTE, Text
from deskmate.types.registry import RuleSpec, ToolSpec

if TYPE_CHECKING:
    from tests.unit.agent.conftest import Lab

    MakeLab = Callable[..., Lab]

pytestmark = pytest.mark.anyio

WRITE = ("workspace__write", {"path": "docs/b.txt", "content": "beta"})
READ = ("workspace__read", {"path": "docs/a.txt"})


async def test_deliverables_that_stay_wrong_are_rejected_after_the_repairs(
    make_lab: MakeLab,
) -> None:
    lab = make_lab(ScriptedModel([(("lab__memo", {"text": "TODO"}),), "Here."] * 9))
    ended = await lab.say("Go", limits=Limits(max_repairs=2))
    assert ended.reason == "rejected"
    assert [v.passed for v in lab.store.of(Validated)] == [False] * 3
    assert lab.sandbox.clean_rooms == 1, "the same inputs are not checked twice"


async def test_a_model_that_repairs_nothing_is_rejected_at_once(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(("lab__memo", {"text": "TODO"}),), "Here.", "I cannot."]))
    assert (await lab.say("Go")).reason == "rejected"
    assert len(lab.store.of(Validated)) == 1


async def test_a_deliverable_without_a_file_is_an_error(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(("lab__present", {"path": "docs/x.md"}),), "Here.", "Hm."]))
    assert (await lab.say("Go")).reason == "rejected"
    assert lab.store.of(Validated)[0].findings[0].rule == "G-PRESENT"


async def test_an_original_can_be_presented_and_is_checked(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(("lab__present", {"path": "docs/a.txt"}),), "Here."]))
    assert (await lab.say("Go")).reason == "done"
    assert lab.store.of(Validated)[0].passed


@pytest.mark.parametrize(
    ("errors", "reason"),
    [
        ([SandboxUnavailable("x")], "done"),
        ([SandboxUnavailable("x"), ProtocolError("y")], "rejected"),
        ([SandboxMissing("z")], "rejected"),
    ],
)
async def test_a_clean_room_that_fails_is_tried_again_and_then_fails_closed(
    errors: list[Exception], reason: str, make_lab: MakeLab
) -> None:
    lab = make_lab(ScriptedModel([(("lab__memo", {}),), "Here.", "Hm."]))
    lab.sandbox.refuse_clean_room = list(errors)
    assert (await lab.say("Go")).reason == reason


async def test_a_rule_that_did_not_run_fails_closed(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(("lab__memo", {}),), "Here.", "Hm."]))
    plugin = lab.sandbox.inner._plugins["lab"]
    ghost = RuleSpec(plugin="ghost", rule="T-GHOST", title="Never runs.")
    other = RuleSpec(plugin="ghost", rule="T-OTHER", title="Other role.", roles=("redline",))
    lab.extra_rules = (ghost, other)
    assert isinstance(plugin, FakePlugin)
    assert (await lab.say("Go")).reason == "rejected"
    assert "T-GHOST" in lab.store.of(Validated)[0].findings[0].message
    assert len(lab.store.of(Validated)[0].findings) == 1


async def test_a_long_result_is_cut_and_kept_whole_in_a_blob(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(READ,), "Ok."]), files={"docs/a.txt": b"\xc3\xa9" * 5000})
    await lab.say("Go", limits=Limits(max_result_bytes=101))
    (done,) = lab.store.of(ToolFinished)
    assert done.text.startswith("é" * 50 + "\n[cut")
    assert lab.blobs.read(done.full) == b"\xc3\xa9" * 5000


async def test_the_rules_only_model_gets_whole_json_results(make_lab: MakeLab) -> None:
    class Offline(ScriptedModel):
        @property
        def name(self) -> str:
            return "offline"

    lab = make_lab(Offline([(("workspace__glob", {"pattern": "*"}),), "Ok."]))
    await lab.say("Go", limits=Limits(max_result_bytes=5))
    assert lab.store.of(ToolFinished)[0].text == '["docs/a.txt"]'


async def test_a_later_run_starts_from_the_folders_as_they_are_then(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(READ,), "Read.", (READ,), "Read."]))
    await lab.say("Go")
    lab.files["docs/a.txt"] = b"changed"
    await lab.say("Again", run="r-2")
    assert [done.text for done in lab.store.of(ToolFinished)] == ["alpha", "changed"]
    assert len(lab.store.of(BaseTaken)) == 2


async def test_unapplied_work_is_there_in_the_next_run_and_gone_after_apply(
    make_lab: MakeLab,
) -> None:
    look = ("workspace__glob", {"pattern": "docs/*"})
    lab = make_lab(ScriptedModel([(WRITE,), "One.", (look,), "Two.", (look,), "Three."]))
    await lab.say("Go")
    await lab.say("Again", run="r-2")
    assert "docs/b.txt" in lab.store.of(ToolFinished)[-1].text
    assert len(lab.store.of(BaseTaken)) == 1
    await lab.apply("docs/b.txt")
    await lab.say("Once more", run="r-3")
    assert "docs/b.txt" not in lab.store.of(ToolFinished)[-1].text
    assert len(lab.store.of(BaseTaken)) == 2


async def test_new_folders_keep_the_originals_of_changed_files(make_lab: MakeLab) -> None:
    from deskmate.changes.review import read_difference
    from deskmate.types.events import GrantsSet
    from deskmate.types.files import Grant

    change = ("workspace__write", {"path": "docs/a.txt", "content": "mine"})
    lab = make_lab(ScriptedModel([(change,), "One.", (WRITE,), "Two."]))
    await lab.say("Go")
    grants = (Grant(name="docs", folder="/d"), Grant(name="more", folder="/m"))
    await lab.store.append(GrantsSet(grants=grants))
    lab.files["docs/a.txt"] = b"the user's own change"
    await lab.say("Again", run="r-2")
    difference = read_difference(lab.store.of(ChangesStaged)[-1].difference, lab.blobs)
    before = next(c.before for c in difference.changes if c.path == "docs/a.txt")
    assert before is not None
    assert before.sha256 is not None
    assert lab.blobs.read(before.sha256) == b"alpha", "so that apply sees the conflict"


async def test_folders_that_cannot_be_read_fail_the_run_with_the_reason(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(READ,), "Ok."]))

    def broken() -> Any:
        raise ConfigError("The folder docs is gone.", hint="Grant another.")

    lab.take_base = broken  # type: ignore[method-assign]
    ended = await lab.say("Go")
    assert (ended.reason, ended.text) == ("failed", "The folder docs is gone. Grant another.")
    assert lab.results == [("workspace__read", "interrupted", True)]


async def test_a_damaged_checkpoint_stops_without_writing_more(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(WRITE,), "One.", (READ,), "Two."]))
    await lab.say("Go")
    (made,) = lab.store.of(CheckpointMade)
    lab.blobs.content[made.manifest] = b"not json"
    with pytest.raises(CorruptData):
        await lab.say("Again", run="r-2")


async def test_there_is_nothing_to_go_on_with_after_a_finished_run(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel(["Hi."]))
    assert await lab.resume() is None
    await lab.say("Hi")
    assert await lab.resume() is None


async def test_the_observer_hears_every_event_and_the_text_as_it_streams(
    make_lab: MakeLab,
) -> None:
    lab = make_lab(ScriptedModel([(WRITE,), "Done."]))
    await lab.say("Go")
    heard = [item for item in lab.seen if not isinstance(item, Delta)]
    assert heard == lab.store.stored[2:]
    assert Delta(kind="text", text="Done.") in lab.seen


async def test_a_connector_is_asked_about_and_its_lost_answer_is_unknown(
    make_lab: MakeLab,
) -> None:
    class Mail:
        async def tools(self) -> tuple[ToolSpec, ...]:
            return ()

        async def call(self, tool: str, arguments: Mapping[str, Any], **_: object) -> ToolOutcome:
            if tool == "mail__lost":
                raise OutcomeUnknown("The line dropped.")
            return ToolOutcome(text="inbox")

    read = ToolSpec(
        plugin="mail", name="mail__list", title="", description="", input_schema={}, risk="read"
    )
    lost = replace(read, name="mail__lost", risk="write")
    lab = make_lab(
        ScriptedModel([(("mail__list", {}), ("mail__lost", {})), "Ok."]),
        connectors={"mail": Mail()},
        extra_tools=(read, lost),
    )
    lab.person.answers = [True]
    assert (await lab.say("Go")).reason == "done"
    assert lab.results == [("mail__list", "ok", False), ("mail__lost", "unknown", True)]
    assert lab.sandbox.opened == 0


async def test_tokens_are_counted_over_the_run(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(READ,)]))
    ended = await lab.say("Go", limits=Limits(max_tokens=40))
    assert (ended.reason, len(lab.store.of(ModelReplied))) == ("over_budget", 3)


async def test_notes_of_the_program_are_marked(make_lab: MakeLab) -> None:
    model = ScriptedModel(["Hi."])
    lab = make_lab(model)
    await lab.say("Hello")
    first, second = model.requests[0].messages[0].content
    assert isinstance(first, Text)
    assert first.text.startswith(NOTE)
    assert second == Text(text="Hello")
