"""Rules only: a procedure followed turn by turn, and plain words where it cannot go on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from deskmate.models.offline import LABEL, OfflineModel, answer, choose_skill
from deskmate.ports import ModelRequest
from deskmate.types.ids import ToolUseId
from deskmate.types.messages import (
    GAVE_UP,
    NOT_FINISHED,
    NOTE,
    Block,
    Message,
    Text,
    ToolResult,
    ToolUse,
    tool_uses_of,
)
from deskmate.types.registry import SkillSpec, ToolSpec

MakeMessage = Callable[..., Message]

PROCEDURE: dict[str, Any] = {
    "title": "Review contracts",
    "triggers": ["review nda", "review contract"],
    "steps": [
        {"id": "find", "say": "I look.", "tool": "lab__find", "arguments": {"request": "$request"}},
        {
            "id": "review",
            "for_each": "$find.contracts",
            "tool": "lab__review",
            "arguments": {"path": "$item.path", "mode": "full"},
        },
        {
            "id": "redline",
            "for_each": "$review",
            "when": "$item.edits",
            "tool": "lab__redline",
            "arguments": {"path": "$item.path", "edits": "$item.edits", "missing": "$item.nothing"},
        },
        {
            "id": "memo",
            "when": "$find.count",
            "tool": "lab__memo",
            "arguments": {"reviews": "$review", "first": "$review.0.path"},
        },
    ],
    "closing": {"text": "Reviewed {{find.count}}.\n{{memo.summary}} {{nothing.here}}"},
}


def skill(name: str = "review-contract", procedure: Any = PROCEDURE, **fields: Any) -> SkillSpec:
    return SkillSpec(
        plugin="lab", name=name, description=f"Does {name}.", body="", procedure=procedure, **fields
    )


def tool(name: str) -> ToolSpec:
    return ToolSpec(plugin="lab", name=name, title="", description="", input_schema={}, risk="read")


TOOLS = tuple(tool(f"lab__{name}") for name in ("find", "review", "redline", "memo"))
TABLE: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "lab__find": lambda a: {"count": 2, "contracts": [{"path": "a"}, {"path": "b"}]},
    "lab__review": lambda a: {"path": a["path"], "edits": ["e"] if a["path"] == "b" else []},
    "lab__redline": lambda a: {"path": a["path"] + "-redline"},
    "lab__memo": lambda a: {"summary": f"{len(a['reviews'])} reviews from {a['first']}."},
}


def request_for(*messages: Message, skills: Any = None, tools: Any = TOOLS) -> ModelRequest:
    return ModelRequest(
        model="offline",
        system=(),
        tools=tools,
        messages=messages,
        skills=(skill(),) if skills is None else skills,
    )


def says(text: str) -> Message:
    return Message(role="user", content=(Text(text=f"{NOTE}Today is 2026-11-23."), Text(text=text)))


def play(
    text: str,
    table: Mapping[str, Callable[[Mapping[str, Any]], Any]] = TABLE,
    **fields: Any,
) -> tuple[list[list[ToolUse]], list[Message], str]:
    """Follow a procedure to its end; return the uses of each turn, the messages, the last words."""
    messages: list[Message] = [says(text)]
    turns: list[list[ToolUse]] = []
    for _ in range(20):
        content = answer(request_for(*messages, **fields))
        messages.append(Message(role="assistant", content=content))
        uses = list(tool_uses_of(content))
        if not uses:
            return turns, messages, words(content)
        turns.append(uses)
        messages.append(Message(role="user", content=tuple(result(use, table) for use in uses)))
    raise AssertionError("it does not end")


def result(use: ToolUse, table: Mapping[str, Callable[[Mapping[str, Any]], Any]]) -> ToolResult:
    value = table[use.name](use.input)
    if isinstance(value, Exception):
        return ToolResult(tool_use_id=use.id, text=str(value), is_error=True)
    text = value if isinstance(value, str) else json.dumps(value)
    return ToolResult(tool_use_id=use.id, text=text)


def words(content: tuple[Block, ...]) -> str:
    return "\n".join(block.text for block in content if isinstance(block, Text))


def test_a_procedure_is_followed_turn_by_turn_to_its_closing() -> None:
    turns, messages, last = play("Review this NDA against our playbook")
    called = [[(use.name, dict(use.input)) for use in uses] for uses in turns]
    reviews = [{"path": "a", "edits": []}, {"path": "b", "edits": ["e"]}]
    assert called == [
        [("lab__find", {"request": "Review this NDA against our playbook"})],
        [
            ("lab__review", {"path": "a", "mode": "full"}),
            ("lab__review", {"path": "b", "mode": "full"}),
        ],
        [("lab__redline", {"path": "b", "edits": ["e"]})],
        [("lab__memo", {"reviews": reviews, "first": "a"})],
    ]
    assert last == "Reviewed 2.\n2 reviews from a. none"
    assert words(messages[1].content) == "I look."


def test_the_same_conversation_gives_the_same_uses_with_the_same_ids() -> None:
    first, second = play("review the contract"), play("review the contract")
    assert first == second
    ids = [use.id for uses in first[0] for use in uses]
    assert len(ids) == len(set(ids))


def test_ids_that_were_changed_on_the_way_do_not_matter() -> None:
    find = ToolUse(id=ToolUseId("other"), name="lab__find", input={})
    found = ToolResult(tool_use_id=ToolUseId("other"), text='{"contracts": [{"path": "z"}]}')
    content = answer(
        request_for(
            says("review contract"),
            Message(role="assistant", content=(find,)),
            Message(role="user", content=(found,)),
        )
    )
    assert [dict(use.input)["path"] for use in tool_uses_of(content)] == ["z"]


def test_an_empty_list_skips_its_steps() -> None:
    table = {**TABLE, "lab__find": lambda a: {"count": 0, "contracts": []}}
    turns, _, last = play("review nda", table)
    assert len(turns) == 1
    assert last.startswith("Reviewed 0.\nnone")


def test_something_that_is_no_list_stops_in_plain_words() -> None:
    table = {**TABLE, "lab__find": lambda a: {"contracts": {"path": "a"}}}
    assert "step 'review': $find.contracts is not a list" in play("review nda", table)[2]


def test_a_result_in_words_is_a_value_too() -> None:
    table = {**TABLE, "lab__memo": lambda a: "just words"}
    procedure = {**PROCEDURE, "closing": {"text": "{{memo}}"}}
    assert play("review nda", table, skills=(skill(procedure=procedure),))[2] == "just words"


def test_a_failed_step_ends_the_procedure_with_its_error() -> None:
    table = {**TABLE, "lab__review": lambda a: ValueError("The file is encrypted.")}
    turns, _, last = play("review nda", table)
    assert last == "I had to stop at the step 'review': The file is encrypted."
    assert len(turns) == 2


def test_a_step_that_may_fail_leaves_the_failed_items_out() -> None:
    steps = [dict(step) for step in PROCEDURE["steps"]]
    steps[1]["on_error"] = "continue"
    table = {
        **TABLE,
        "lab__review": lambda a: (
            ValueError("no") if a["path"] == "a" else {"path": "b", "edits": []}
        ),
    }
    _, _, last = play("review nda", table, skills=(skill(procedure={**PROCEDURE, "steps": steps}),))
    assert last.startswith("Reviewed 2.\n1 reviews from b.")


def test_a_missing_tool_stops_in_plain_words() -> None:
    assert "the tool lab__review is not available" in play("review nda", tools=TOOLS[:1])[2]


def test_a_slash_command_picks_the_skill_and_is_not_part_of_the_request() -> None:
    other = skill("other", {**PROCEDURE, "triggers": []})
    turns, _, _ = play("/other for Acme, please", skills=(skill(), other))
    assert turns[0][0].input == {"request": "for Acme, please"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Review this NDA!", "nda"),
        ("please REVIEW both NDAs today", "nda"),
        ("review nda against playbook", "deep"),
        ("/nda", "nda"),
        ("/unknown review nda", "nda"),
        ("review the agenda", None),
        ("", None),
    ],
)
def test_the_longest_trigger_whose_words_all_occur_picks_the_skill(
    text: str, expected: str | None
) -> None:
    skills = (
        skill("nda", {**PROCEDURE, "triggers": ["review nda"]}),
        skill("deep", {**PROCEDURE, "triggers": ["nda review playbook"]}),
    )
    chosen, _ = choose_skill(text, skills)
    assert (chosen.name if chosen else None) == expected


def test_a_skills_own_triggers_count_and_a_procedure_is_preferred() -> None:
    skills = (
        skill("a-words-only", None, triggers=("review nda",)),
        skill("b-rules", {**PROCEDURE, "triggers": []}, triggers=("review nda",)),
    )
    chosen, _ = choose_skill("review nda", skills)
    assert chosen is not None
    assert chosen.name == "b-rules"


def test_without_a_fitting_procedure_it_lists_what_it_can_do() -> None:
    last = play("Write me a poem", skills=(skill(), skill("plain", None)))[2]
    assert "no procedure fits" in last
    assert "- /review-contract: Does review-contract." in last
    assert "plain" not in last


def test_without_any_procedure_it_says_what_is_missing() -> None:
    assert "Enable a plugin" in play("Hello", skills=())[2]


def test_a_skill_without_a_procedure_needs_a_language_model() -> None:
    assert "needs a language model" in play("/plain", skills=(skill("plain", None),))[2]


@pytest.mark.parametrize(
    ("change", "words_"),
    [
        ({"steps": []}, "steps"),
        ({"steps": [{"id": "a"}]}, "'tool' is a required property"),
        ({"steps": [{"id": "item", "tool": "x"}]}, "steps.0.id"),
        (
            {"steps": [{"id": "a", "tool": "x"}, {"id": "a", "tool": "x"}]},
            "two steps with the id a",
        ),
        ({"steps": [{"id": "a", "tool": "x", "for_each": "no reference"}]}, "steps.0.for_each"),
        ({"more": 1}, "the file"),
    ],
)
def test_a_broken_procedure_is_named_and_not_followed(change: dict[str, Any], words_: str) -> None:
    last = play("/review-contract", skills=(skill(procedure={**PROCEDURE, **change}),))[2]
    assert words_ in last
    assert "I can do nothing with it" in last


def test_findings_after_the_end_are_passed_on_plainly() -> None:
    _, messages, _ = play("review nda")
    note = Text(text=f"{NOTE}The output checks refused it.\n- error R in x: wrong\n- note N: y")
    content = answer(request_for(*messages, Message(role="user", content=(note,))))
    assert not tool_uses_of(content)
    assert "rules alone cannot repair" in words(content)
    assert "- error R in x: wrong" in words(content)


def test_being_told_to_go_on_after_the_end_does_nothing_more() -> None:
    _, messages, _ = play("review nda")
    content = answer(
        request_for(*messages, Message(role="user", content=(Text(text=f"{NOTE}Go on."),)))
    )
    assert words(content) == "That was all that this procedure does."


def test_a_later_request_in_the_same_thread_starts_anew_with_new_ids() -> None:
    turns, messages, _ = play("review nda")
    content = answer(request_for(*messages, says("review contract again")))
    (again,) = tool_uses_of(content)
    assert again.name == "lab__find"
    assert again.id not in {use.id for uses in turns for use in uses}


def test_notes_alone_are_no_request() -> None:
    note = Message(role="user", content=(Text(text=f"{NOTE}Hm."),))
    assert words(answer(request_for(note))) == "There is no request yet."


def test_a_use_without_a_result_stops_the_procedure() -> None:
    first = answer(request_for(says("review nda")))
    content = answer(request_for(says("review nda"), Message(role="assistant", content=first)))
    assert "has no result" in words(content)


@pytest.mark.anyio
async def test_it_is_labelled_free_and_streams_its_words() -> None:
    model, heard = OfflineModel(), list[str]()
    request = request_for(says("review nda"))
    reply = await model.reply(request, heard.append)
    assert (reply.label, reply.stop_reason, reply.usage.cost_usd) == (LABEL, "tool_use", 0.0)
    assert heard == ["I look."]
    assert model.name == "offline"
    assert model.estimate_cost_usd(request) == 0.0
    last = await model.reply(request_for(says("hello")), heard.append)
    assert last.stop_reason == GAVE_UP  # nothing that it could do: never told as done


async def stop_reason_of(*messages: Message, **fields: Any) -> str:
    reply = await OfflineModel().reply(request_for(*messages, **fields), lambda text: None)
    return reply.stop_reason


@pytest.mark.anyio
async def test_a_stopped_procedure_gives_up_and_tries_the_failed_step_again_when_it_goes_on() -> (
    None
):
    table = {**TABLE, "lab__review": lambda a: ValueError("The disk is full.")}
    _, messages, last = play("review nda", table)
    assert last.endswith("The disk is full.")
    assert await stop_reason_of(*messages[:-1]) == GAVE_UP
    go_on = Message(role="user", content=(Text(text=f"{NOTE}Go on."),))
    again = tool_uses_of(answer(request_for(*messages, go_on)))
    assert [use.name for use in again] == ["lab__review", "lab__review"]


@pytest.mark.anyio
async def test_without_tools_it_gives_up_and_begins_when_they_are_back() -> None:
    asked = says("review nda")
    off = answer(request_for(asked, tools=(), skills=()))
    assert "no tools" in words(off)
    assert await stop_reason_of(asked, tools=(), skills=()) == GAVE_UP
    go_on = Message(role="user", content=(Text(text=f"{NOTE}Go on."),))
    back = answer(request_for(asked, Message(role="assistant", content=off), go_on))
    assert [use.name for use in tool_uses_of(back)] == ["lab__find"]


def test_a_turn_that_ctrl_c_cut_off_is_done_again() -> None:
    asked = says("review nda")
    first = answer(request_for(asked))
    cut = tuple(
        ToolResult(tool_use_id=use.id, text=f"{NOT_FINISHED}Stopped.", is_error=True)
        for use in tool_uses_of(first)
    )
    messages = (asked, Message(role="assistant", content=first), Message(role="user", content=cut))
    assert [use.name for use in tool_uses_of(answer(request_for(*messages)))] == ["lab__find"]


def test_a_skill_of_another_format_is_called_by_its_plugins_name_and_needs_a_model() -> None:
    skills = (skill("kit:write", None), skill("write-up", None))
    found, words = choose_skill("/kit:write a letter", skills)
    assert found is not None
    assert (found.name, words) == ("kit:write", "a letter")
    assert choose_skill("/kit: what", skills)[0] is None
