"""Where a conversation is cut, and what the model is told in place of what came before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from deskmate.agent.compaction import (
    Cut,
    anchor_of,
    choose_cut,
    last_compaction,
    rules_summary,
)
from deskmate.agent.conversation import messages_of
from deskmate.testing.caching_server import check_pairs
from deskmate.types.events import Compacted, Event, ModelReplied, Payload, ToolFinished, UserSaid
from deskmate.types.files import Deliverable
from deskmate.types.ids import RunId, ToolUseId
from deskmate.types.messages import NOTE, Message, Text, ToolResult, ToolUse, block_to_json

MakeLog = Callable[..., tuple[Event, ...]]


def log(payloads: Sequence[Payload]) -> tuple[Event, ...]:
    return tuple(
        Event(seq=n, time="2026-11-23T09:00:00.000000Z", payload=one, prev_hash="", hash="")
        for n, one in enumerate(payloads, 1)
    )


def said(text: str, run: str = "r-1") -> UserSaid:
    return UserSaid(run=RunId(run), text=text, model="m")


def turn(number: int, *, results: int = 1, size: int = 100, words: str = "") -> list[Payload]:
    """A reply and the results of all that it asked for."""
    uses = [ToolUse(id=ToolUseId(f"u{number}-{n}"), name="p__t", input={}) for n in range(results)]
    content = (*([Text(text=words)] if words else ()), *uses)
    reply = ModelReplied(turn=number, model="m", content=content, stop_reason="tool_use")
    return [
        reply,
        *(
            ToolFinished(tool_use_id=use.id, tool="p__t", outcome="ok", text="x" * size + use.id)
            for use in uses
        ),
    ]


def compacted(cut: Cut, summary: str = "") -> Compacted:
    return Compacted(
        turn=1,
        by="m" if summary else "rules",
        kept_run=cut.run,
        kept_turn=cut.turn,
        kept_turns=cut.kept_turns,
        retrievable=cut.retrievable,
        summary=summary,
    )


def as_json(messages: Sequence[Message]) -> list[dict[str, Any]]:
    return [
        {"role": one.role, "content": [block_to_json(block) for block in one.content]}
        for one in messages
    ]


def words_of(message: Message) -> list[str]:
    return [block.text for block in message.content if isinstance(block, Text)]


FIVE = [said("Do it"), *(event for n in range(1, 6) for event in turn(n))]


def test_the_earliest_place_is_chosen_from_which_on_all_fits() -> None:
    cut = choose_cut(log(FIVE), 250)
    assert cut is not None
    assert (cut.turn, cut.kept_turns, cut.retrievable) == (4, 2, 3)
    assert 0.5 < cut.share < 0.7


def test_the_last_turn_stays_however_long_it_is() -> None:
    cut = choose_cut(log(FIVE), 0)
    assert cut is not None
    assert (cut.turn, cut.kept_turns) == (5, 1)


def test_nothing_is_cut_where_nothing_came_before() -> None:
    assert choose_cut(log([said("Do it")]), 10) is None
    assert choose_cut(log([said("Do it"), *turn(1)]), 0) is None


def test_a_second_cut_is_behind_the_first_or_there_is_none() -> None:
    cut = choose_cut(log(FIVE), 0)
    assert cut is not None
    events = log([*FIVE, compacted(cut)])
    assert choose_cut(events, 0) is None
    more = log([*FIVE, compacted(cut), *turn(6)])
    again = choose_cut(more, 0)
    assert again is not None
    assert again.turn == 6
    assert again.retrievable == 5


def test_a_reply_that_goes_on_a_paused_one_is_not_parted_from_it() -> None:
    paused = ModelReplied(turn=2, model="m", content=(Text(text="Wait"),), stop_reason="pause_turn")
    cut = choose_cut(log([said("A"), *turn(1), paused, *turn(3)]), 0)
    assert cut is not None
    assert cut.turn == 2


def test_what_stands_in_place_of_the_past_names_it_and_keeps_the_users_words() -> None:
    presented = ToolFinished(
        tool_use_id=ToolUseId("u1-0"), tool="p__t", outcome="ok", text="made",
        deliverables=(Deliverable(path="docs/memo.docx", title="Memo"),),
    )  # fmt: skip
    payloads = [said("Review the lease"), turn(1)[0], presented, *turn(2), *turn(3)]
    cut = choose_cut(log(payloads), 150)
    assert cut is not None
    first, own, listed, reply, result = messages_of(
        log([*payloads, compacted(cut, "I read the lease; clause 4 is odd.")])
    )
    assert words_of(first)[1] == "Review the lease"
    assert words_of(own) == ["I read the lease; clause 4 is odd."]
    assert own.role == "assistant"
    (note,) = words_of(listed)
    assert note.startswith(NOTE)
    assert "- u1-0: p__t {}, 4 characters" in note
    assert "Presented so far: docs/memo.docx." in note
    assert "clause 4" not in note, "what was written from others' texts is not the program's word"
    assert reply.content[-1] == ToolUse(id=ToolUseId("u3-0"), name="p__t", input={})
    assert isinstance(result.content[0], ToolResult)


def test_very_long_and_very_many_words_are_cut_and_say_so() -> None:
    payloads = [
        event
        for n in range(40)
        for event in (said(f"{n} " + "y" * 5_000, f"r-{n}"), *turn(1, words="ok"))
    ]
    cut = choose_cut(log(payloads), 0)
    assert cut is not None
    first = messages_of(log([*payloads, compacted(cut)]))[0]
    texts = words_of(first)
    assert any("10 earlier requests are left out here" in text for text in texts)
    assert any("(cut; thread__read has all of it: r-20)" in text for text in texts)
    assert ("39 " + "y" * 5_000) in texts, "the words that the work goes on with stay whole"


def test_the_rules_tell_the_last_answers_and_the_summary_before_them() -> None:
    cut = choose_cut(log(FIVE), 0)
    assert cut is not None
    done = turn(6, results=0, words="The lease is fine. " * 200)
    text = rules_summary(log([*FIVE, compacted(cut, "Earlier: five files."), *done]))
    assert text.startswith("Earlier: five files.\n\nThe lease is fine.")
    assert text.endswith("… (whole: r-1/6)")


def test_an_anchor_that_is_not_there_changes_nothing() -> None:
    lost = Compacted(
        turn=1, by="rules", kept_run=RunId("r-9"), kept_turn=1, kept_turns=1, retrievable=0
    )
    assert messages_of(log([*FIVE, lost])) == messages_of(log(FIVE))


def test_the_same_long_result_is_told_once_and_then_by_reference() -> None:
    long = "z" * 3_000
    payloads = [said("A"), *turn(1), *turn(2)]
    same = [
        ToolFinished(tool_use_id=one.tool_use_id, tool="p__t", outcome="ok", text=long)
        if isinstance(one, ToolFinished)
        else one
        for one in payloads
    ]
    results = [
        block.text
        for message in messages_of(log(same))
        for block in message.content
        if isinstance(block, ToolResult)
    ]
    assert results[0] == long
    assert results[1].startswith("[the same, to the last character, as the result of u1-0 above")
    whole = messages_of(log(same), whole=True)
    assert as_json(whole)[-1]["content"][0]["content"] == long


@st.composite
def threads(draw: st.DrawFn) -> list[Payload]:
    """Runs of turns of any sizes; some end with words, some were cut off."""
    payloads: list[Payload] = []
    for run in range(draw(st.integers(1, 4))):
        payloads.append(said(f"Request {run}", f"r-{run}"))
        for number in range(1, draw(st.integers(1, 5)) + 1):
            results, size = draw(st.integers(0, 4)), draw(st.integers(0, 400))
            one = turn(number, results=results, size=size, words=draw(st.sampled_from(["", "So."])))
            payloads += [_renamed(event, f"{run}") for event in one]
    return payloads


def _renamed(event: Payload, run: str) -> Payload:
    """The ids of each run are its own."""
    match event:
        case ModelReplied(turn=number, content=content):
            blocks = tuple(
                ToolUse(id=ToolUseId(f"{run}-{block.id}"), name=block.name, input={})
                if isinstance(block, ToolUse)
                else block
                for block in content
            )
            return ModelReplied(turn=number, model="m", content=blocks, stop_reason="tool_use")
        case ToolFinished(tool_use_id=id_, text=text):
            new = ToolUseId(f"{run}-{id_}")
            return ToolFinished(tool_use_id=new, tool="p__t", outcome="ok", text=text)
    return event


@given(threads(), st.lists(st.integers(0, 3_000), max_size=4), st.sampled_from(["", "Short."]))
def test_no_cut_ever_parts_a_use_from_its_result(
    payloads: list[Payload], keeps: list[int], summary: str
) -> None:
    done: list[Payload] = []
    for number, payload in enumerate(payloads):
        done.append(payload)
        settled = number + 1 == len(payloads) or not isinstance(payloads[number + 1], ToolFinished)
        open_ = isinstance(payload, ModelReplied) and not settled
        if keeps and settled and not open_ and number % 3 == 0:
            cut = choose_cut(log(done), keeps[number % len(keeps)])
            if cut is not None:
                made = compacted(cut, summary)
                done.append(made)
                assert anchor_of(log(done), last_compaction(log(done))) == cut.index
    messages = messages_of(log(done))
    if messages[-1].role == "user":
        check_pairs(as_json(messages))
    texts = [text for message in messages if message.role == "user" for text in words_of(message)]
    for payload in payloads:
        if isinstance(payload, UserSaid):
            assert payload.text in texts, "the user's words are always told"
