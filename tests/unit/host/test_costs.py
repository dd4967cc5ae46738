"""What calls took is added up by run; what nobody answered is counted, and a summary is a call like any other."""

from __future__ import annotations

from deskmate.host.costs import costs_of, in_words
from deskmate.host.erasing import summaries_of
from deskmate.types.events import (
    Compacted,
    Event,
    ModelAsked,
    ModelFailed,
    ModelReplied,
    Payload,
    RunResumed,
    UserSaid,
)
from deskmate.types.ids import Digest, RunId, ThreadId
from deskmate.types.limits import Usage
from deskmate.types.messages import Text

THREAD, RUN = ThreadId("t-1"), RunId("r-1")
ASKED = ModelAsked(turn=1, model="sonnet", request=Digest("0" * 64))
SAID = UserSaid(run=RUN, text="Hi", model="sonnet")


def log(*payloads: Payload) -> list[Event]:
    return [
        Event(seq=n, time="2026-01-02T03:04:05.000006Z", payload=one, prev_hash="", hash="")
        for n, one in enumerate(payloads, 1)
    ]


def replied(usage: Usage) -> ModelReplied:
    return ModelReplied(
        turn=1, model="m", content=(Text(text="x"),), stop_reason="end_turn", usage=usage
    )


def compacted(usage: Usage, by: str = "m") -> Compacted:
    return Compacted(
        turn=1, by=by, kept_run=RUN, kept_turn=1, kept_turns=1, retrievable=3, usage=usage
    )


def test_a_summary_is_a_call_and_one_by_rules_is_none() -> None:
    dear, cheap = Usage(input_tokens=10, cost_usd=0.5), Usage(input_tokens=1, cost_usd=0.25)
    found = costs_of(
        THREAD,
        log(SAID, ASKED, compacted(dear), ASKED, replied(cheap), compacted(Usage(), "rules")),
    )
    assert [call.purpose for call in found.calls] == ["compact", ""]
    assert found.usage.cost_usd == 0.75
    assert found.runs[0].calls == 2
    assert found.runs[0].unanswered == 0


def test_what_failed_or_died_is_counted_as_unanswered() -> None:
    failed = ModelFailed(turn=1, error="busy", retryable=True)
    events = log(SAID, ASKED, failed, ASKED, replied(Usage()), RunResumed(run=RUN), ASKED)
    (run,) = costs_of(THREAD, events).runs
    assert (run.calls, run.unanswered) == (1, 2)


def test_a_thread_without_calls_has_no_costs() -> None:
    found = costs_of(THREAD, log(SAID))
    assert (found.calls, found.unpriced, found.usage) == ((), 0, Usage())


def test_usage_is_told_in_words() -> None:
    usage = Usage(input_tokens=100, cache_read_tokens=900, output_tokens=7, cost_usd=0.01234)
    words = "1,000 tokens in, 90 % of them from the cache, 7 out, 0.0123 USD"
    assert in_words(usage) == words
    assert in_words(Usage()) == "0 tokens in, 0 out, price unknown"


def test_with_an_event_the_summaries_made_after_it_are_erased() -> None:
    events = log(SAID, ASKED, compacted(Usage()), SAID, compacted(Usage()))
    assert summaries_of(events, {1}) == {3, 5}
    assert summaries_of(events, {4}) == {5}
    assert summaries_of(events, set()) == frozenset()
