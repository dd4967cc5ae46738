"""What hooks read, when they are meant, and what their answers mean: to hold back and to add, never to widen."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deskmate.agent.hook_protocol import (
    Answer,
    applies,
    read_answer,
    request,
    response_facts,
    tool_facts,
    words_for_model,
)
from deskmate.formats.hook_matching import fits_rule, is_quick, matches
from deskmate.types.hook_events import HookFinished
from deskmate.types.hooks import HookSpec
from deskmate.types.ids import Digest


def hook(event: str = "PreToolUse", **more: Any) -> HookSpec:
    return HookSpec(
        name="acme:1", plugin="acme", event=event, command="x", approved=Digest("0" * 64), **more
    )


@pytest.mark.parametrize(
    ("matcher", "subject", "meant"),
    [
        ("", "Bash", True),
        ("*", "Bash", True),
        ("Bash", "Bash", True),
        ("Bash", "BashOutput", False),
        ("Edit|Write|MultiEdit", "Write", True),
        ("Edit, Write", "Write", True),
        ("^acme:go$", "acme:go", True),
        ("^acme:go$", "acme:going", False),
        ("mcp__.*__write.*", "mcp__crm__write_note", True),
        ("mcp__.*", "Bash", False),
        ("(Edit|Write)", "Edit", True),
        ("(a+)+$", "a" * 60 + "!", False),
        ("[", "Bash", False),
    ],
)
def test_a_matcher_means_names_and_quick_patterns(matcher: str, subject: str, meant: bool) -> None:
    assert matches(matcher, subject) is meant


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(a|aa)*", r"(a*)\1", "a*a*a*a*b", "(?=a)", "(" * 3, "a{2}{3}b{4}c{5}", "(ab){50}"],
)
def test_a_pattern_that_could_take_long_is_never_tried(pattern: str) -> None:
    assert not is_quick(pattern)


@pytest.mark.parametrize(
    ("rule", "tool", "given", "meant"),
    [
        ("Bash(git commit *)", "Bash", {"command": "git commit -m x"}, True),
        ("Bash(git commit *)", "Bash", {"command": "git commit"}, True),
        ("Bash(git commit *)", "Bash", {"command": "cd a && X=1 git commit -m y"}, True),
        ("Bash(git commit *)", "Bash", {"command": "git push"}, False),
        ("Bash(git:*)", "Bash", {"command": "git push"}, True),
        ("Edit(*.ts)", "Edit", {"file_path": "/workspace/a/b.ts"}, True),
        ("Edit(src/*)", "Edit", {"file_path": "/workspace/src/b.py"}, True),
        ("Edit(*.ts)", "Edit", {"file_path": "/workspace/a/b.py"}, False),
        ("Edit(*.ts)", "Write", {"file_path": "a.ts"}, False),
        ("Bash", "Bash", {}, True),
        ("what is this?", "Bash", {}, True),
    ],
)
def test_a_rule_narrows_a_hook_to_some_uses(
    rule: str, tool: str, given: dict[str, str], meant: bool
) -> None:
    assert fits_rule(rule, tool, given) is meant


def test_a_wildcard_takes_no_time_that_explodes() -> None:
    assert not fits_rule(f"Bash({'*a' * 200}b)", "Bash", {"command": "a" * 20_000})


def test_tools_are_told_by_the_names_that_hooks_know() -> None:
    assert tool_facts("workspace__shell", {"command": "ls"}) == ("Bash", {"command": "ls"})
    assert tool_facts("workspace__write", {"path": "docs/a.md", "content": "x"}) == (
        "Write",
        {"file_path": "/workspace/docs/a.md", "content": "x"},
    )
    assert tool_facts("workspace__edit", {"path": "/home/agent/a", "old": "x", "new": "y"}) == (
        "Edit",
        {"file_path": "/home/agent/a", "old_string": "x", "new_string": "y"},
    )
    name, given = tool_facts("workspace__python", {"code": "print('rm')"})
    assert name == "Bash"
    assert "rm" in given["command"]
    assert tool_facts("crm__find", {"q": "x"}) == ("mcp__crm__find", {"q": "x"})
    assert tool_facts("thread__delegate", {})[0] == "Agent"


def test_what_a_hook_reads_is_bounded() -> None:
    _, given = tool_facts("workspace__write", {"path": "a", "content": "x" * 300_000})
    assert len(given["content"]) < 110_000
    line = request("PreToolUse", "t-1", {"tool_input": given})
    data = json.loads(line)
    assert (data["session_id"], data["cwd"], data["hook_event_name"]) == (
        "t-1",
        "/workspace",
        "PreToolUse",
    )


def test_results_are_told_in_the_form_of_their_tool() -> None:
    shell = response_facts("workspace__shell", {}, '{"exit_code": 0, "output": "hi"}')
    assert shell["stdout"] == "hi"
    written = response_facts("workspace__write", {"path": "a.md"}, "{}")
    assert written == {"filePath": "/workspace/a.md", "success": True}
    assert response_facts("crm__find", {}, "x")["content"][0]["text"] == "x"


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("PreToolUse", Answer(outcome="blocked", text="no")),
        ("UserPromptSubmit", Answer(outcome="blocked", text="no")),
        ("Stop", Answer(outcome="blocked", text="no")),
        ("PostToolUse", Answer(context="no")),
        ("PostToolUseFailure", Answer(context="no")),
        ("SessionStart", Answer(notice="no")),
    ],
)
def test_exit_code_2_holds_back_what_has_not_happened(event: str, expected: Answer) -> None:
    assert read_answer(hook(event), 2, "ignored", "no\n") == expected


def test_any_other_exit_code_is_a_failure_that_holds_nothing_back() -> None:
    found = read_answer(hook(), 1, "", "Traceback: x")
    assert (found.outcome, found.text) == ("error", "exit code 1: Traceback: x")


def test_plain_words_are_context_only_where_the_format_says_so() -> None:
    assert (
        read_answer(hook("UserPromptSubmit"), 0, "Use British English.\n", "").context
        == "Use British English."
    )
    assert read_answer(hook("SessionStart"), 0, "{not json", "").context == "{not json"
    assert read_answer(hook("PostToolUse"), 0, "done", "") == Answer()


@pytest.mark.parametrize(
    ("event", "said", "expected"),
    [
        (
            "PreToolUse",
            {
                "hookSpecificOutput": {
                    "permissionDecision": "deny",
                    "permissionDecisionReason": "why",
                }
            },
            Answer(outcome="blocked", text="why"),
        ),
        (
            "PreToolUse",
            {
                "hookSpecificOutput": {
                    "permissionDecision": "ask",
                    "permissionDecisionReason": "why",
                }
            },
            Answer(text="why", asks=True),
        ),
        (
            "PreToolUse",
            {
                "hookSpecificOutput": {
                    "permissionDecision": "allow",
                    "updatedInput": {"command": "rm"},
                }
            },
            Answer(refused=("updatedInput", "decision allow")),
        ),
        ("PreToolUse", {"decision": "approve"}, Answer(refused=("decision approve",))),
        ("Stop", {"decision": "block", "reason": "more"}, Answer(outcome="blocked", text="more")),
        ("PostToolUse", {"decision": "block", "reason": "fix"}, Answer(context="fix")),
        (
            "PostToolUse",
            {"continue": False, "stopReason": "enough"},
            Answer(outcome="blocked", text="enough", halts=True),
        ),
        ("Stop", {"systemMessage": "hello"}, Answer(notice="hello")),
        (
            "UserPromptSubmit",
            {"hookSpecificOutput": {"additionalContext": "more"}},
            Answer(context="more"),
        ),
        ("Stop", {"decision": 3, "hookSpecificOutput": "x", "continue": "no"}, Answer()),
    ],
)
def test_json_answers_mean_what_the_format_says_and_widen_nothing(
    event: str, said: dict[str, Any], expected: Answer
) -> None:
    assert read_answer(hook(event), 0, json.dumps(said), "") == expected


def test_a_hook_that_nobody_waits_for_decides_nothing() -> None:
    late = hook("Stop", waits=False)
    assert read_answer(late, 2, "", "go on") == Answer(context="go on")
    assert read_answer(late, 0, '{"continue": false}', "").halts is False


def test_a_condition_counts_for_tools_only() -> None:
    assert applies(hook("Stop", matcher="nonsense", condition="Bash(x)"), "")
    assert not applies(hook(condition="Bash(x *)"), "Bash", {"command": "y"})


def test_the_model_is_told_context_and_why_it_goes_on() -> None:
    done = HookFinished(
        key="k",
        hook="acme:1",
        plugin="acme",
        event="Stop",
        at="r/1",
        outcome="blocked",
        text="Add tests.",
    )
    assert words_for_model(done) == "The hook Stop of acme wants you to go on: Add tests."
