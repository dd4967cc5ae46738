"""Hooks over whole runs: they hold back, ask, end and add; each runs once, whatever dies; none widens anything."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.agent.test_delegation import TASKS, Team, a_reading, delegate
from tests.unit.agent.test_sent import Recording

from deskmate.agent.hooks import MOST_HELD
from deskmate.changes.review import read_difference
from deskmate.errors import SandboxMissing
from deskmate.ports import ToolOutcome
from deskmate.store.invariants import CHECKERS
from deskmate.store.subagents import broken_by_subagents
from deskmate.testing.fake_workspace import Tree
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.codec import to_json
from deskmate.types.events import (
    ApprovalAsked,
    BaseTaken,
    ChangesStaged,
    EgressAsked,
    HookFinished,
    HookStarted,
    ModelAsked,
    ModelReplied,
    RunResumed,
    SandboxOpened,
    SubagentDid,
    ToolFinished,
    ToolStarted,
)
from deskmate.types.hooks import HOOK_TOOL, HookSpec
from deskmate.types.ids import Digest
from deskmate.types.messages import Text
from deskmate.types.policy import Rule, Rules
from deskmate.types.registry import ToolSpec

if TYPE_CHECKING:
    from tests.unit.agent.conftest import Lab

    MakeLab = Callable[..., Lab]

pytestmark = pytest.mark.anyio

READ = (("workspace__read", {"path": "docs/a.txt"}),)
WRITE = (("workspace__write", {"path": "docs/new.txt", "content": "fresh"}),)
SPEC = ToolSpec(
    plugin="workspace", name=HOOK_TOOL, title="Hook", description="H.", input_schema={"type": "object"}, risk="write", offered=(),
)  # fmt: skip


class Commands:
    """Stands for the machine's shell: what each command answers, and what it was given."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.given: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, tree: Tree, arguments: Mapping[str, Any]) -> ToolOutcome:
        command = str(arguments["command"])
        given = json.loads(arguments["given"])
        self.given.append((command, given))
        answer = self.answers[command]
        if callable(answer):
            answer = answer(tree, given)
        code, stdout, stderr = answer
        facts = {"exit_code": code, "stdout": stdout, "stderr": stderr, "late": code == -9}
        return ToolOutcome(text=json.dumps(facts), structured=facts)

    def events_of(self, command: str) -> list[str]:
        return [given["hook_event_name"] for name, given in self.given if name == command]


def hook(event: str, command: str, **more: Any) -> HookSpec:
    return HookSpec(
        name=f"acme:{command}", plugin="acme", event=event, command=command, approved=Digest("a" * 64), **more
    )  # fmt: skip


@pytest.fixture
def hooked(make_lab: MakeLab) -> Callable[..., Lab]:
    def make(script: Any, commands: Commands, *hooks: HookSpec, **more: Any) -> Lab:
        model = script if hasattr(script, "reply") else ScriptedModel(script)
        lab = make_lab(model, hooks=hooks, **more)
        plugins = lab.sandbox.inner._plugins
        tools: dict[str, Any] = {**plugins["workspace"].tools, HOOK_TOOL: (SPEC, commands)}
        plugins["workspace"] = replace(plugins["workspace"], tools=tools)
        return lab

    return make


def broken(lab: Lab) -> list[str]:
    log = list(lab.store.stored)
    return [*(one for check in CHECKERS.values() for one in check(log)), *broken_by_subagents(log)]


def told(lab: Lab) -> str:
    request = lab.model.requests[-1]  # type: ignore[attr-defined]
    return "\n".join(
        block.text
        for message in request.messages
        for block in message.content
        if isinstance(block, Text)
    )


async def test_a_hook_before_a_tool_holds_it_back_and_the_model_is_told_why(
    hooked: MakeLab,
) -> None:
    commands = Commands(guard=(2, "", "Not that file."))
    lab = hooked([READ, "Then not."], commands, hook("PreToolUse", "guard", matcher="Read"))
    assert (await lab.say("Read it")).reason == "done"
    (done,) = lab.store.of(ToolFinished)
    assert (done.outcome, done.text) == ("denied", "The hook of acme held it back: Not that file.")
    assert lab.store.of(ToolStarted) == []
    (given,) = (given for _, given in commands.given)
    assert given["tool_name"] == "Read"
    assert given["tool_input"] == {"file_path": "/workspace/docs/a.txt"}
    assert given["tool_use_id"] == done.tool_use_id
    (begun,), (ended,) = lab.store.of(HookStarted), lab.store.of(HookFinished)
    assert (begun.command, begun.approved, begun.key) == ("guard", "a" * 64, ended.key)
    assert broken(lab) == []


async def test_a_hook_that_is_meant_for_another_tool_does_not_run(hooked: MakeLab) -> None:
    commands = Commands(guard=(2, "", "no"))
    lab = hooked([READ, "Read."], commands, hook("PreToolUse", "guard", matcher="Bash|Write"))
    assert (await lab.say("Read it")).reason == "done"
    assert commands.given == []
    assert [done.outcome for done in lab.store.of(ToolFinished)] == ["ok"]


async def test_a_hook_can_have_the_user_asked_and_never_allow(hooked: MakeLab) -> None:
    ask = json.dumps(
        {"hookSpecificOutput": {"permissionDecision": "ask", "permissionDecisionReason": "Sure?"}}
    )
    allow = json.dumps({"hookSpecificOutput": {"permissionDecision": "allow"}})
    commands = Commands(ask=(0, ask, ""), allow=(0, allow, ""))
    lab = hooked([READ, "Read."], commands, hook("PreToolUse", "ask"))
    lab.person.answers = [True]
    assert (await lab.say("Read it")).reason == "done"
    ((_, _, why),) = lab.person.asked
    assert why == "The hook of acme wants it: Sure?"
    assert [done.outcome for done in lab.store.of(ToolFinished)] == ["ok"]
    assert commands.events_of("ask") == ["PreToolUse"], "it is not run again after the answer"
    refused = hooked([READ, "Then not."], commands, hook("PreToolUse", "ask"))
    refused.person.answers = [False]
    await refused.say("Read it")
    assert [done.outcome for done in refused.store.of(ToolFinished)] == ["denied"]
    send = (("lab__send", {"to": "x"}),)
    sending = hooked([send, "Not sent."], commands, hook("PreToolUse", "allow"))
    sending.person.answers = [False]
    await sending.say("Send it")
    assert len(sending.store.of(ApprovalAsked)) == 1, (
        "what a hook allows is asked about all the same"
    )
    assert sending.store.of(HookFinished)[0].refused == ("decision allow",)
    assert broken(lab) == broken(refused) == broken(sending) == []


async def test_hooks_after_tools_tell_the_model_and_their_files_are_kept(hooked: MakeLab) -> None:
    def tidy(tree: Tree, given: Mapping[str, Any]) -> tuple[int, str, str]:
        tree.write("docs/new.txt", b"tidied")
        return 2, "", "I tidied it."

    missing = (("workspace__read", {"path": "docs/none.txt"}),)
    commands = Commands(tidy=tidy, fail=(0, '{"systemMessage": "It failed."}', ""))
    hooks = (hook("PostToolUse", "tidy", matcher="Write"), hook("PostToolUseFailure", "fail"))
    lab = hooked([WRITE, missing, "Written."], commands, *hooks)
    assert (await lab.say("Write it")).reason == "done"
    assert "From the hook PostToolUse of acme: I tidied it." in told(lab)
    assert commands.given[0][1]["tool_response"] == {
        "filePath": "/workspace/docs/new.txt",
        "success": True,
    }
    assert commands.events_of("fail") == ["PostToolUseFailure"]
    (staged,) = lab.store.of(ChangesStaged)
    assert (staged.created, staged.modified) == (1, 0)
    assert lab.store.of(HookFinished)[0].wrote
    made = read_difference(staged.difference, lab.blobs).changes[-1].after
    assert made is not None
    assert made.sha256 is not None
    assert lab.blobs.read(made.sha256) == b"tidied"
    assert broken(lab) == []


async def test_a_hook_holds_words_back_and_no_model_ever_hears_them(hooked: MakeLab) -> None:
    def secret(tree: Tree, given: Mapping[str, Any]) -> tuple[int, str, str]:
        return (2, "", "No passwords.") if "hunter2" in given["prompt"] else (0, "Be brief.", "")

    lab = hooked(["Hello."], Commands(secret=secret), hook("UserPromptSubmit", "secret"))
    ended = await lab.say("The password is hunter2")
    assert (ended.reason, ended.text) == (
        "stopped",
        "The hook UserPromptSubmit of acme held it back: No passwords.",
    )
    assert (await lab.resume()).reason == "stopped", "going on does not get round it"
    assert lab.store.of(ModelAsked) == []
    assert (await lab.say("Hello", run="r-2")).reason == "done"
    assert "hunter2" not in str(lab.model.requests[-1])  # type: ignore[attr-defined]
    assert "From the hook UserPromptSubmit of acme: Be brief." in told(lab)
    assert broken(lab) == []


async def test_a_call_by_name_is_its_own_moment_and_a_start_is_there_once(hooked: MakeLab) -> None:
    commands = Commands(call=(0, "", ""), begin=(0, "Today is a holiday.", ""))
    hooks = (
        hook("UserPromptExpansion", "call", matcher="^acme:go$"),
        hook("SessionStart", "begin"),
    )
    lab = hooked(["Gone."], commands, *hooks)
    await lab.say("/acme:go to Rome")
    await lab.say("/acme:stay", run="r-2")
    assert [(given["command_name"], given["command_args"]) for name, given in commands.given if name == "call"] == [
        ("acme:go", "to Rome")
    ]  # fmt: skip
    assert commands.events_of("begin") == ["SessionStart"]
    assert "Today is a holiday." in told(lab)


async def test_a_stop_hook_has_the_agent_go_on_and_not_for_ever(hooked: MakeLab) -> None:
    def once(tree: Tree, given: Mapping[str, Any]) -> tuple[int, str, str]:
        return (0, "", "") if given["stop_hook_active"] else (2, "", "Add a test.")

    lab = hooked(["Done.", "Test added."], Commands(once=once), hook("Stop", "once"))
    assert (await lab.say("Do it")).reason == "done"
    assert "The hook Stop of acme wants you to go on: Add a test." in told(lab)
    assert len(lab.store.of(ModelReplied)) == 2
    never = hooked(["Done."], Commands(no=(2, "", "More!")), hook("Stop", "no"))
    assert (await never.say("Do it")).reason == "done"
    assert len(never.store.of(ModelReplied)) == MOST_HELD + 1
    assert broken(lab) == broken(never) == []


async def test_a_hook_can_end_the_run_and_what_was_done_is_kept(hooked: MakeLab) -> None:
    halt = json.dumps({"continue": False, "stopReason": "Enough for today."})
    lab = hooked([WRITE, "Never said."], Commands(halt=(0, halt, "")), hook("PostToolUse", "halt"))
    ended = await lab.say("Write it")
    assert ended.reason == "stopped"
    assert "Enough for today." in ended.text
    (staged,) = lab.store.of(ChangesStaged)
    assert staged.created == 1
    assert len(lab.store.of(ModelReplied)) == 1
    assert broken(lab) == []


async def test_one_that_fails_or_takes_too_long_holds_nothing_back(hooked: MakeLab) -> None:
    commands = Commands(fail=(1, "", "Traceback"), slow=(-9, "", ""))
    hooks = (hook("PreToolUse", "fail"), hook("PreToolUse", "slow", timeout_s=3))
    lab = hooked([READ, "Read."], commands, *hooks)
    assert (await lab.say("Read it")).reason == "done"
    assert [done.outcome for done in lab.store.of(ToolFinished)] == ["ok"]
    assert [(one.outcome, one.text) for one in lab.store.of(HookFinished)] == [
        ("error", "exit code 1: Traceback"),
        ("error", "it ran longer than 3 s and was ended"),
    ]


async def test_without_a_machine_hooks_say_that_they_did_not_run(hooked: MakeLab) -> None:
    lab = hooked(["Hello."], Commands(), hook("UserPromptSubmit", "check"), files={})
    lab.sandbox.refuse_open = [SandboxMissing("There is no QEMU.")] * 5
    assert (await lab.say("Hi")).reason == "done"
    (done,) = lab.store.of(HookFinished)
    assert (done.outcome, done.text) == ("error", "There is no QEMU.")


async def test_who_denies_a_thread_its_shell_denies_it_hooks_and_no_model_calls_one(
    hooked: MakeLab,
) -> None:
    rules = Rules(rules=(Rule(tool="workspace__shell", decision="deny"),))
    commands = Commands(x=(0, "", ""))
    lab = hooked([READ, "Read."], commands, hook("PreToolUse", "x"), rules=rules)
    await lab.say("Read it")
    assert commands.given == []
    own = (((HOOK_TOOL, {"command": "x", "given": "{}", "environment": {}}),),)
    sly = hooked([*own, "No."], commands)
    await sly.say("Run it")
    assert commands.given == []
    assert sly.store.of(ToolFinished)[0].text.startswith("There is no tool")
    assert isinstance(sly.model, ScriptedModel)
    offered = {tool.name for tool in sly.model.requests[0].tools}
    assert HOOK_TOOL not in offered


MAY_DIFFER = (BaseTaken, SandboxOpened, ModelAsked, RunResumed, ToolStarted, HookStarted)


def lasting(lab: Lab) -> list[Any]:
    return [
        (type(p).__name__, to_json(p)) for p in lab.store.payloads if not isinstance(p, MAY_DIFFER)
    ]


async def test_death_at_any_moment_runs_no_hook_again_that_has_answered(
    hooked: MakeLab, crash: type[BaseException]
) -> None:
    def lab_of() -> tuple[Lab, Commands]:
        def stop(tree: Tree, given: Mapping[str, Any]) -> tuple[int, str, str]:
            return (0, "", "") if given["stop_hook_active"] else (2, "", "More.")

        def note(tree: Tree, given: Mapping[str, Any]) -> tuple[int, str, str]:
            tree.write(f"docs/{given['tool_use_id']}.log", b"seen")
            return 0, '{"decision": "block", "reason": "Seen."}', ""

        commands = Commands(
            begin=(0, "Hello.", ""),
            words=(0, "Words.", ""),
            guard=(0, "", ""),
            note=note,
            stop=stop,
        )
        hooks = (
            hook("SessionStart", "begin"), hook("UserPromptSubmit", "words"), hook("PreToolUse", "guard"),
            hook("PostToolUse", "note"), hook("Stop", "stop"),
        )  # fmt: skip
        return hooked([(*WRITE, *READ), "Done.", "More done."], commands, *hooks), commands

    whole, _ = lab_of()
    assert (await whole.say("Write")).reason == "done"
    assert broken(whole) == []
    answers = len(whole.store.of(HookFinished))
    assert answers == 8
    for boundary in range(3, len(whole.store.stored)):
        lab, commands = lab_of()
        lab.store.die_at = boundary
        with pytest.raises(crash):
            await lab.say("Write")
        done = len(lab.store.of(HookFinished))
        lab.store.die_at, before = None, len(commands.given)
        assert (await lab.resume()).reason == "done", boundary
        assert lasting(lab) == lasting(whole), boundary
        assert len(commands.given) - before == answers - done, boundary
        assert broken(lab) == [], boundary


async def test_one_that_sent_something_and_was_cut_off_is_not_repeated(
    hooked: MakeLab, crash: type[BaseException]
) -> None:
    commands = Commands(send=(0, "", ""))
    lab = hooked(["Hello."], commands, hook("UserPromptSubmit", "send"))
    sent = EgressAsked(
        request="q1", method="POST", host="h", port=443, path="/", allowed=True, why=""
    )
    lab.sandbox.requests, lab.egress = [sent], Recording
    whole = hooked(["Hello."], Commands(send=(0, "", "")), hook("UserPromptSubmit", "send"))
    await whole.say("Hi")
    place = next(n for n, p in enumerate(whole.store.payloads) if isinstance(p, HookFinished))
    lab.store.die_at = place + 1  # the request itself is a fact, too
    with pytest.raises(crash):
        await lab.say("Hi")
    assert len(commands.given) == 1
    lab.store.die_at = None
    assert (await lab.resume()).reason == "done"
    assert len(commands.given) == 1
    (done,) = lab.store.of(HookFinished)
    assert done.outcome == "unknown"


async def test_a_lost_machine_costs_another_try_and_the_answer_counts_once(hooked: MakeLab) -> None:
    commands = Commands(guard=(0, "", ""))
    lab = hooked([READ, "Read."], commands, hook("PreToolUse", "guard"))
    lab.sandbox.kill_before = [HOOK_TOOL]
    assert (await lab.say("Read it")).reason == "done"
    assert [one.outcome for one in lab.store.of(HookFinished)] == ["ok"]
    assert len(commands.given) == 1
    lost = hooked([READ, "Read."], commands, hook("PreToolUse", "guard"))
    lost.sandbox.kill_before = [HOOK_TOOL] * 3
    assert (await lost.say("Read it")).reason == "done"
    assert [one.outcome for one in lost.store.of(HookFinished)] == ["unknown"]


async def test_a_guard_holds_for_sub_agents_too(hooked: MakeLab) -> None:

    def guard(tree: Tree, given: Mapping[str, Any]) -> tuple[int, str, str]:
        secret = given["tool_name"] == "Read" and "b.txt" in given["tool_input"]["file_path"]
        return (2, "", "Secret.") if secret else (0, "", "")

    commands = Commands(guard=guard, stop=(2, "", "More"))
    files = {"docs/a.txt": b"alpha", "docs/b.txt": b"beta"}
    model = Team([delegate(*TASKS), "Both read."], {"in b": [*a_reading("b")]})
    hooks = (hook("PreToolUse", "guard"), hook("UserPromptSubmit", "stop", waits=False))
    lab = hooked(model, commands, *hooks, files=files, subagents=1)
    assert (await lab.say("Read both")).reason == "done"
    inside = [one.fact for one in lab.store.of(SubagentDid) if one.kind == "ToolFinished"]
    assert [fact["outcome"] for fact in inside] == ["ok", "denied"]
    assert commands.events_of("stop") == ["UserPromptSubmit"], (
        "a sub-agent's task is no word of the user"
    )
    assert broken(lab) == []
