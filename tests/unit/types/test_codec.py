"""Reading what was written gives the same; what does not fit is named by its place."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskmate.errors import CorruptData
from deskmate.types import codec
from deskmate.types.codec import from_json, to_json
from deskmate.types.events import Payload, ToolFinished, UserSaid
from deskmate.types.ids import Digest, RunId, ToolUseId
from deskmate.types.messages import Block


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    name: str
    kind: Literal["a", "b"] = "a"
    ratio: float = 0.5
    count: int = 0
    sure: bool = False
    digest: Digest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    leaves: tuple[Leaf, ...]
    child: "Tree | None" = None
    by_name: Mapping[str, Leaf | int] = field(default_factory=dict)
    data: Any = None
    blocks: tuple[Block, ...] = ()


WHOLE = {
    "leaves": [{"name": "x", "kind": "b", "ratio": 2, "count": 3, "sure": True, "digest": "d"}],
    "child": {"leaves": []},
    "by_name": {"one": {"name": "y"}, "two": 2},
    "data": {"any": [None, 1]},
    "blocks": [{"type": "text", "text": "words"}, {"type": "later", "x": 1}],
}


def test_what_is_read_is_written_the_same() -> None:
    tree = from_json(Tree, WHOLE)
    assert tree.child == Tree(leaves=())
    assert tree.by_name == {"one": Leaf(name="y"), "two": 2}
    assert (tree.leaves[0].ratio, type(tree.leaves[0].ratio)) == (2.0, float)
    assert to_json(tree) == WHOLE


def test_a_default_is_written_on_demand_only() -> None:
    assert to_json(Leaf(name="x")) == {"name": "x"}
    assert to_json(Tree(leaves=(), by_name=MappingProxyType({}))) == {"leaves": []}
    whole = to_json(Leaf(name="x"), defaults=True)
    assert whole == {**whole, "kind": "a", "ratio": 0.5, "count": 0, "sure": False, "digest": None}


def test_a_value_that_only_equals_the_default_is_written() -> None:
    assert to_json(Leaf(name="x", count=False)) == {"name": "x", "count": False}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"leaves": {}}, "Tree.leaves is dict, expected list"),
        ({"leaves": [{"name": "x"}, {"name": 3}]}, "Tree.leaves[1].name is int, expected str"),
        ({"leaves": [{}]}, "Tree.leaves[0]: "),
        ({"leaves": [{"name": "x", "kind": "c"}]}, "Tree.leaves[0].kind is 'c', expected one of"),
        ({"leaves": [{"name": "x", "count": True}]}, "count is a truth value, expected a whole"),
        ({"leaves": [{"name": "x", "count": 1.5}]}, "Tree.leaves[0].count is float, expected int"),
        ({"leaves": [{"name": "x", "sure": 1}]}, "Tree.leaves[0].sure is int, expected bool"),
        ({"leaves": [{"name": "x", "ratio": True}]}, "ratio is bool, expected float"),
        ({"child": {"leaves": [None]}}, "Tree.child.leaves[0] is NoneType, expected Mapping"),
        ({"by_name": {"k": "text"}}, "Tree.by_name.k is str, expected int"),
        ({"by_name": []}, "Tree.by_name is list, expected Mapping"),
        ({"blocks": ["text"]}, "Tree.blocks[0] is str, expected Mapping"),
        ({"more": 1, "other": 2}, "Tree has unknown fields more, other"),
    ],
)
def test_what_does_not_fit_is_named_by_its_place(change: Mapping[str, Any], problem: str) -> None:
    with pytest.raises(CorruptData) as caught:
        from_json(Tree, {**WHOLE, **change})
    assert problem in caught.value.message
    assert caught.value.message.startswith("Tree")


def test_a_missing_field_is_named() -> None:
    with pytest.raises(CorruptData, match="'leaves'"):
        from_json(Tree, {})


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(kind=st.sampled_from(get_args(Payload)), data=JSON)
def test_no_json_gives_anything_but_an_event_or_corrupt_data(kind: type[Any], data: Any) -> None:
    try:
        read: Any = from_json(kind, data)
    except CorruptData as error:
        read = error
    assert isinstance(read, kind) or read.message.startswith(kind.__name__)


def test_an_event_in_full_comes_back_equal() -> None:
    said = UserSaid(run=RunId("r-1"), text="Do it", model="offline")
    assert from_json(UserSaid, to_json(said, defaults=True)) == said
    done = ToolFinished(tool_use_id=ToolUseId("u"), tool="t", outcome="ok", text="", wrote=True)
    assert from_json(ToolFinished, to_json(done)) == done


def test_threads_that_read_a_kind_for_the_first_time_together_all_read_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Fresh:
        first: int = 0
        second: int = 0

    monkeypatch.setitem(globals(), "Fresh", Fresh)
    usual, held, go = codec._exact, threading.Event(), threading.Event()

    def slow(hint: Any) -> Any:
        if threading.current_thread().name == "slow":
            held.set()
            go.wait(20)
        return usual(hint)

    monkeypatch.setattr(codec, "_exact", slow)
    seen: list[Fresh] = []
    data = {"first": 1, "second": 2}
    thread = threading.Thread(target=lambda: seen.append(from_json(Fresh, data)), name="slow")
    thread.start()
    assert held.wait(20)
    try:  # the other one is half way
        assert from_json(Fresh, data) == Fresh(first=1, second=2)
    finally:
        go.set()
        thread.join(20)
    assert seen == [Fresh(first=1, second=2)]
