"""What was in the thread before can be read again and found, with where it came from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from deskmate.agent.recall import PAGE, Recall, items_of
from deskmate.errors import ToolInputError
from deskmate.ports import ToolOutcome
from deskmate.testing.memory import MemoryBlobs
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.events import Event, ModelReplied, RunResumed, ToolFinished, UserSaid
from deskmate.types.ids import Digest, RunId, ToolUseId
from deskmate.types.limits import Limits
from deskmate.types.messages import Text, ToolUse
from deskmate.types.registry import ToolSpec

if TYPE_CHECKING:
    from tests.unit.agent.conftest import Lab

MakeLog = Callable[..., tuple[Event, ...]]
RUN = RunId("r-1")


def said(text: str, run: str = "r-1") -> UserSaid:
    return UserSaid(run=RunId(run), text=text, model="m")


def replied(turn: int, *content: Any) -> ModelReplied:
    return ModelReplied(turn=turn, model="m", content=content, stop_reason="end_turn")


def done(id_: str, text: str, **fields: Any) -> ToolFinished:
    fields = {"tool": "p__t", "outcome": "ok", **fields}
    return ToolFinished(tool_use_id=ToolUseId(id_), text=text, **fields)


def use(id_: str) -> ToolUse:
    return ToolUse(id=ToolUseId(id_), name="p__t", input={"path": "a" * 200})


def recall(make_log: MakeLog, *payloads: Any, blobs: MemoryBlobs | None = None) -> Recall:
    return Recall(make_log(*payloads), blobs or MemoryBlobs())


def test_words_replies_and_results_have_references_that_every_copy_of_the_thread_has(
    make_log: MakeLog,
) -> None:
    log = make_log(
        said("Hi"),
        replied(1, Text(text="Looking."), use("u1")),
        done("u1", "found"),
        RunResumed(run=RUN),
        replied(2, Text(text="Done.")),
    )
    items = [(item.ref, item.kind, item.text) for item in items_of(log)]
    assert items == [
        ("r-1", "said", "Hi"),
        ("r-1/1", "reply", "Looking."),
        ("u1", "result", "found"),
        ("r-1/2", "reply", "Done."),
    ]
    result = next(item for item in items_of(log) if item.ref == "u1")
    assert result.title.startswith('p__t {"path": "aaa')
    assert len(result.title) < 120


def test_a_window_on_a_cut_result_is_of_the_whole_text(make_log: MakeLog) -> None:
    blobs = MemoryBlobs()
    whole = "".join(f"{n:04}" for n in range(1000))
    cut = done("u1", whole[:40] + "\n[cut]", full=blobs.put(whole.encode()))
    item = recall(make_log, said("A"), replied(1, use("u1")), cut, blobs=blobs).read("u1", 2000, 8)
    assert item.text == "05000501\n[characters 2,000 to 2,008 of 4,000; go on with start 2008]"


def test_the_end_says_that_it_is_the_end(make_log: MakeLog) -> None:
    one = recall(make_log, said("A"), replied(1, use("u1")), done("u1", "abcdef"))
    assert one.read("u1", 4, 100).text == "ef\n[characters 4 to 6 of 6]"
    assert one.read("u1", 0, 100).text == "abcdef"
    with pytest.raises(ToolInputError, match="u1 has 6 characters"):
        one.read("u1", 6, 10)


def test_what_is_not_there_is_an_error_that_names_the_search(make_log: MakeLog) -> None:
    with pytest.raises(ToolInputError, match="no 'u9' in this thread; find it with thread__search"):
        recall(make_log, said("A")).read("u9", 0, 10)


def test_content_that_is_gone_gives_what_the_log_has_and_damage_is_told(make_log: MakeLog) -> None:
    gone = done("u1", "the beginning", full=Digest("0" * 64))
    assert recall(make_log, said("A"), gone).read("u1", 0, 100).text == "the beginning"

    class Damaged(MemoryBlobs):
        def has(self, digest: Digest) -> bool:
            return True

    with pytest.raises(ToolInputError, match="u1 cannot be read again"):
        recall(make_log, said("A"), gone, blobs=Damaged()).read("u1", 0, 100)


def test_the_search_finds_words_beyond_the_cut_newest_first(make_log: MakeLog) -> None:
    blobs = MemoryBlobs()
    full = blobs.put(("x " * 500 + "The Harbour clause").encode())
    one = recall(
        make_log,
        said("Where is the harbour?"),
        replied(1, use("u1")),
        done("u1", "x", full=full, untrusted=True),
        blobs=blobs,
    )
    found = one.search("HARBOUR", 1)
    assert [line.split(",")[0] for line in found.text.splitlines()] == ["- u1", "- r-1"]
    assert found.untrusted, "it quotes what others wrote"
    assert one.search("zebra", 1).text == "Nothing; 0 places in all."


def test_the_search_has_pages(make_log: MakeLog) -> None:
    many = [done(f"u{n}", "needle") for n in range(PAGE + 3)]
    one = recall(make_log, said("A"), *many)
    assert one.search("needle", 1).text.endswith("More on page 2.")
    assert len(one.search("needle", 2).text.splitlines()) == 3


@pytest.mark.anyio
async def test_the_model_reads_on_where_a_result_was_cut_and_its_taint_stays(
    make_lab: Callable[..., Lab],
) -> None:
    text = "".join(f"{n:05}" for n in range(2_000))
    big = ToolSpec(
        plugin="lab",
        name="lab__big",
        title="Big",
        description="",
        input_schema={"type": "object"},
        risk="read",
    )
    model = ScriptedModel(
        [
            (("lab__big", {}),),
            (("thread__read", {"ref": "toolu_000_00", "start": 5_000, "length": 10}),),
            (("thread__search", {"words": "0123401235"}),),
            (("thread__read", {"ref": "nowhere"}),),
            "Read.",
        ]
    )
    lab = make_lab(model)
    tools: Any = lab.sandbox.inner._plugins["lab"].tools
    tools["lab__big"] = (big, lambda tree, arguments: ToolOutcome(text=text))
    assert (await lab.say("Get it", limits=Limits(max_result_bytes=1_000))).reason == "done"
    results = lab.store.of(ToolFinished)
    assert "thread__read, ref toolu_000_00, start 1000]" in results[0].text
    assert results[1].text.startswith("0100001001\n[characters 5,000 to 5,010 of 10,000")
    assert results[1].untrusted == results[0].untrusted
    assert "toolu_000_00" in results[2].text
    assert results[3].outcome == "error"
