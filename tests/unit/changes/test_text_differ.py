from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deskmate.changes.matching import changed_blocks
from deskmate.changes.text_differ import LIMIT_BYTES, TextDiffer

DIFFER = TextDiffer()
LINES = st.lists(st.sampled_from(["a", "b", "ü", "}", "", "x\r", "one more"]), max_size=14)
TEXTS = st.tuples(LINES, st.sampled_from(["", "\n"])).map(
    lambda t: ("\n".join(t[0]) + t[1]).encode()
)


@given(before=TEXTS, after=TEXTS, bits=st.integers(min_value=0))
@settings(max_examples=400, deadline=None, derandomize=True)
def test_all_hunks_give_the_new_text_none_the_old_and_any_choice_takes_just_these(
    before: bytes, after: bytes, bits: int
) -> None:
    pieces = DIFFER.pieces(before, after)
    ids = [piece.id for piece in pieces]
    assert ids == [str(number) for number in range(1, len(ids) + 1)]
    assert DIFFER.merge(before, after, ids) == after
    assert DIFFER.merge(before, after, ()) == before
    chosen = [one for number, one in enumerate(ids) if bits >> number & 1]
    # the chosen hunks are gone from what is left, and nothing else: the rest leads to the new text
    some = DIFFER.merge(before, after, chosen)
    assert (some == before) >= (not chosen)
    assert some != before or not chosen or before == after


@given(before=TEXTS, after=TEXTS, bits=st.integers(min_value=0))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_what_people_see_of_the_chosen_hunks_is_what_they_get(
    before: bytes, after: bytes, bits: int
) -> None:
    before, after = before.replace(b"\r", b""), after.replace(b"\r", b"")
    pieces = DIFFER.pieces(before, after)
    chosen = [piece for number, piece in enumerate(pieces) if bits >> number & 1]
    merged = DIFFER.merge(before, after, [piece.id for piece in chosen])
    assert _patched(before, [piece.lines for piece in chosen]) == merged


def _patched(before: bytes, hunks: Sequence[Sequence[str]]) -> bytes:
    """Apply hunks by their numbers and lines alone; every line that is to be there must be."""
    old = before.decode().splitlines(keepends=True)
    result: list[str] = []
    done = 0
    for head, *lines in hunks:
        start, _, length = head.split()[1][1:].partition(",")
        first = int(start) - (length != "0")
        for line in old[done:first]:
            result.append(line)
        done = max(done, first)
        at = first
        for number, line in enumerate(lines):
            if line.startswith("\\"):
                continue
            bare = lines[number + 1 : number + 2] == ["\\ No newline at end of file"]
            text = line[1:].removesuffix("␊") + ("" if bare else "\n")
            if line[0] in " -":
                assert old[at] == text
                at += 1
            if line[0] in " +" and not (line[0] == " " and at <= done):
                result.append(text)
            done = max(done, at)
    return "".join([*result, *old[done:]]).encode()


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encoding_line_ends_and_byte_order_marks_stay(codec: str, end: str) -> None:
    before = end.join(["Über", "b", "c", "d", "e", "f"]).encode(codec)
    after = end.join(["Über uns", "b", "c", "d", "E", "f"]).encode(codec)
    assert DIFFER.takes(before, after)
    assert len(DIFFER.pieces(before, after)) == 2
    wanted = end.join(["Über", "b", "c", "d", "E", "f"]).encode(codec)
    assert DIFFER.merge(before, after, ["2"]) == wanted


def test_a_change_of_line_ends_alone_can_be_seen() -> None:
    (piece,) = DIFFER.pieces(b"a\r\n", b"a\n")
    assert piece.lines == ("@@ -1 +1 @@ hunk 1", "-a␍␊", "+a␊")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a\n", b"a\0b\n"),
        (b"\x89PNG\r\n\x1a\n", b"text"),
        (b"\xff\xfea\0", b"plain"),
        (b"a", b"x" * (LIMIT_BYTES + 1)),
    ],
)
def test_what_is_not_text_on_both_sides_is_not_taken_apart(before: bytes, after: bytes) -> None:
    assert not DIFFER.takes(before, after)


def test_a_text_made_to_be_slow_costs_no_more_and_gets_larger_hunks() -> None:
    for old, new in [
        (["a", "b"] * 60_000, ["b", "a", "a"] * 40_000),  # nothing is unique
        ([f"{n}" for n in range(120_000)], [f"{n if n % 2 else -n}" for n in range(120_000)]),
        ([f"{n // 2}" for n in range(100_000)], [f"{n // 2}" for n in reversed(range(100_000))]),
    ]:
        blocks = changed_blocks(old, new)
        assert _rebuilt(old, new, blocks) == new


def _rebuilt(old: list[str], new: list[str], blocks: Sequence[tuple[int, ...]]) -> list[str]:
    result: list[str] = []
    done = 0
    for start, end, to_start, to_end in blocks:
        result += old[done:start]
        assert len(result) == to_start
        result += new[to_start:to_end]
        done = end
    return result + old[done:]
