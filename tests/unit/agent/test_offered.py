"""Which tools a request holds: those that the thread's files give a use for, in an order that only grows at its end."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from deskmate.agent.context import build_request, offered_tools
from deskmate.changes.kinds import kinds_in
from deskmate.types.events import Event, KindsSeen, ModelReplied, ToolFinished, UserSaid
from deskmate.types.files import Deliverable
from deskmate.types.ids import Digest, RunId, ToolUseId
from deskmate.types.messages import ToolUse
from deskmate.types.registry import Registry, SkillSpec, ToolSpec

MakeLog = Callable[..., tuple[Event, ...]]
NONE = Digest("0" * 64)


def tool(name: str, *offered: str, hidden: bool = False) -> ToolSpec:
    return ToolSpec(
        plugin="p", name=f"p__{name}", title="", description="", input_schema={}, risk="read",
        offered=offered if offered or hidden else None,
    )  # fmt: skip


REGISTRY = Registry(
    lock=NONE,
    tools=(tool("z"), tool("a_pdf", ".pdf"), tool("b_deck", ".pptx", ".pptm"), tool("inner", hidden=True), tool("m")),
    skills=(SkillSpec(plugin="p", name="pptx", description="", body=""),),
)  # fmt: skip


def names(events: tuple[Event, ...], model: str = "sonnet") -> list[str]:
    offered = [tool.name for tool in build_request(events, REGISTRY, model).tools]
    if model != "offline":
        assert offered[:2] == ["thread__read", "thread__search"]
        offered = offered[2:]
    return [name.removeprefix("p__") for name in offered]


def said() -> UserSaid:
    return UserSaid(run=RunId("r"), text="Go", model="m")


def made(path: str) -> ToolFinished:
    deliverable = Deliverable(path=path, title="It")
    return ToolFinished(
        tool_use_id=ToolUseId("u"), tool="p__m", outcome="ok", text="", deliverables=(deliverable,)
    )


def reads_skill(name: str) -> ModelReplied:
    use = ToolUse(id=ToolUseId("s"), name="skill__read", input={"name": name})
    return ModelReplied(turn=1, model="m", content=(use,), stop_reason="tool_use")


def test_tools_of_kinds_that_the_thread_lacks_are_not_offered(make_log: MakeLog) -> None:
    assert names(make_log(said())) == ["m", "z", "skill__read"]
    assert names(make_log(KindsSeen(kinds=(".pdf", ".txt")), said())) == ["m", "z", "skill__read", "a_pdf"]  # fmt: skip


@pytest.mark.parametrize(
    "payload", [KindsSeen(kinds=(".pptm",)), made("w/Deck.PPTX"), reads_skill("pptx")]
)
def test_files_results_and_skills_bring_their_tools(make_log: MakeLog, payload: Any) -> None:
    assert "b_deck" in names(make_log(said(), payload))
    assert "a_pdf" not in names(make_log(said(), payload))


def test_what_was_offered_stays_in_its_place(make_log: MakeLog) -> None:
    log = make_log(
        KindsSeen(kinds=(".pptx",)), said(), made("w/a.pdf"), made("w/b.pptx"), reads_skill("pptx")
    )
    steps = [[t.name for t in offered_tools(log[:end], REGISTRY)] for end in range(len(log) + 1)]
    for shorter, longer in pairwise(steps):
        assert longer[: len(shorter)] == shorter
    assert steps[-1] == ["p__m", "p__z", "skill__read", "p__b_deck", "p__a_pdf"]


def test_where_not_all_names_were_seen_every_kind_is_offered(make_log: MakeLog) -> None:
    assert names(make_log(KindsSeen(kinds=("*",)), said())) == ["m", "z", "skill__read", "a_pdf", "b_deck"]  # fmt: skip


def test_a_model_that_follows_rules_has_all_of_them(make_log: MakeLog) -> None:
    assert names(make_log(said()), "offline") == ["a_pdf", "b_deck", "inner", "m", "z", "skill__read"]  # fmt: skip


def test_kinds_are_told_by_names_alone(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    for name in ("a.PDF", "below/b.docx", "c.tar.gz", "no_suffix", "odd.a b", ".hidden"):
        (tmp_path / name).touch()
    (tmp_path / "loop").symlink_to(tmp_path)
    assert kinds_in([str(tmp_path)]) == {".pdf", ".docx", ".gz"}
    assert "*" in kinds_in([str(tmp_path)], limit=3)
    assert kinds_in([str(tmp_path / "gone")]) == frozenset()
