"""Text files in hunks: each run of changed lines is one, and any choice of them gives a whole file."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from deskmate.changes.differ import Piece
from deskmate.changes.matching import Block, changed_blocks

LIMIT_BYTES = 4 << 20
_CONTEXT = 3
_MARKS = ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_CODECS = ("utf-8", "cp1252")
_CONTROL = frozenset(chr(code) for code in range(32)) - frozenset("\t\n\r\f\x1b")


@dataclass(frozen=True, slots=True)
class _Text:
    lines: tuple[str, ...]
    codec: str


class TextDiffer:
    """Lines, in any encoding that gives the same bytes back; line ends and byte order marks stay."""

    unit = "hunk"

    def takes(self, before: bytes | None, after: bytes | None) -> bool:
        """Say whether both sides (None: nothing there) are text in one encoding."""
        return _pair(before, after) is not None

    def pieces(self, before: bytes | None, after: bytes | None) -> tuple[Piece, ...]:
        """Return the hunks, numbered from 1, as the parts of a unified diff."""
        old, new = _needed(before, after)
        blocks = changed_blocks(old.lines, new.lines)
        return tuple(
            Piece(id=str(number), lines=tuple(_hunk(old.lines, new.lines, blocks, number)))
            for number in range(1, len(blocks) + 1)
        )

    def merge(self, before: bytes | None, after: bytes | None, chosen: Collection[str]) -> bytes:
        """Return the old content with the chosen hunks of the new one."""
        old, new = _needed(before, after)
        parts: list[str] = []
        done = 0
        for number, block in enumerate(changed_blocks(old.lines, new.lines), 1):
            parts += old.lines[done : block.start]
            taken = str(number) in chosen
            parts += (
                new.lines[block.to_start : block.to_end]
                if taken
                else old.lines[block.start : block.end]
            )
            done = block.end
        parts += old.lines[done:]
        return "".join(parts).encode(new.codec if before is None else old.codec)


def _pair(before: bytes | None, after: bytes | None) -> tuple[_Text, _Text] | None:
    for codec in _codecs([side for side in (before, after) if side]):
        old, new = _text(before or b"", codec), _text(after or b"", codec)
        if old and new:
            return old, new
    return None


def _needed(before: bytes | None, after: bytes | None) -> tuple[_Text, _Text]:
    pair = _pair(before, after)
    if pair is None:
        raise ValueError("not a pair of texts")
    return pair


def _codecs(sides: Sequence[bytes]) -> Sequence[str]:
    """Return the encodings to try; sides with different byte order marks have none in common."""
    marks = {codec: mark for mark, codec in _MARKS}
    found = [codec for codec in marks if any(side.startswith(marks[codec]) for side in sides)]
    if not found:
        return _CODECS
    return [codec for codec in found if all(side.startswith(marks[codec]) for side in sides)]


@functools.lru_cache(maxsize=8)
def _text(content: bytes, codec: str) -> _Text | None:
    if len(content) > LIMIT_BYTES:
        return None
    try:
        text = content.decode(codec)
    except UnicodeDecodeError:
        return None
    if text.encode(codec) != content or _CONTROL & set(text):
        return None
    lines = text.split("\n")
    whole = [line + "\n" for line in lines[:-1]]
    return _Text(tuple([*whole, lines[-1]] if lines[-1] else whole), codec)


def _hunk(
    old: Sequence[str], new: Sequence[str], blocks: Sequence[Block], number: int
) -> Iterator[str]:
    """Yield one hunk with up to three lines around it; neighbours share the lines between them."""
    block = blocks[number - 1]
    before = block.start - (blocks[number - 2].end if number > 1 else 0)
    after = (blocks[number].start if number < len(blocks) else len(old)) - block.end
    if number > 1:  # the earlier hunk shows the larger half
        before -= min(_CONTEXT, (before + 1) // 2)
    lead = min(_CONTEXT, before)
    tail = min(_CONTEXT, after if number == len(blocks) else (after + 1) // 2)
    first, last = block.start - lead, block.end + tail
    to_first, to_last = block.to_start - lead, block.to_end + tail
    yield f"@@ -{_span(first, last)} +{_span(to_first, to_last)} @@ hunk {number}"
    bare = [line.rstrip("\r\n") for line in old[block.start : block.end]]
    ends = bare == [line.rstrip("\r\n") for line in new[block.to_start : block.to_end]]
    yield from _shown(" ", old[first : block.start], ends=False)
    yield from _shown("-", old[block.start : block.end], ends=ends)
    yield from _shown("+", new[block.to_start : block.to_end], ends=ends)
    yield from _shown(" ", old[block.end : last], ends=False)


def _span(start: int, end: int) -> str:
    length = end - start
    first = start + 1 if length else start
    return str(first) if length == 1 else f"{first},{length}"


def _shown(sign: str, lines: Sequence[str], *, ends: bool) -> Iterator[str]:
    """Yield lines for people. `ends`: only the line ends differ, so they must be seen."""
    for line in lines:
        text = line.rstrip("\r\n")
        if ends:
            text += "␍␊" if line.endswith("\r\n") else "␊" if line.endswith("\n") else ""
        yield sign + text
        if not line.endswith("\n"):
            yield "\\ No newline at end of file"
