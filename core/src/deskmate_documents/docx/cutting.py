"""Cuts runs so that every stretch of text that is to change is made of whole runs."""

from __future__ import annotations

import bisect
from collections.abc import Collection
from copy import deepcopy
from dataclasses import dataclass

from deskmate_documents.docx.wml import GONE, RPR, XML_SPACE, R, T, pieces, w
from deskmate_documents.opc import Element

_TEXTUAL = frozenset(
    {T}
    | {
        w(n)
        for n in (
            "tab", "ptab", "br", "cr", "noBreakHyphen", "softHyphen", "sym", "lastRenderedPageBreak",
        )
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Segment:
    """A run and the characters of the paragraph that it holds. `textual`: nothing but text is in it."""

    run: Element
    start: int
    end: int
    textual: bool


def segments(paragraph: Element, hidden: frozenset[str] = GONE) -> list[Segment]:
    """Return the runs that hold text, in order, with their places in the accepted text."""
    out: list[Segment] = []
    at = 0
    for piece in pieces(paragraph, hidden):
        end = at + len(piece.text)
        if out and out[-1].run is piece.run:
            last = out.pop()
            out.append(Segment(last.run, last.start, end, last.textual))
        elif piece.run is not None:
            textual = piece.run.tag == R and all(
                c.tag in _TEXTUAL or c.tag == RPR for c in piece.run
            )
            out.append(Segment(piece.run, at, end, textual))
        at = end
    return out


def cut(
    paragraph: Element, places: Collection[int], hidden: frozenset[str] = GONE
) -> list[Segment]:
    """Cut the runs at these places, and apart from what is no text; return the new segments."""
    wanted = sorted(set(places))
    if not wanted:
        return segments(paragraph, hidden)
    lengths = {piece.node: len(piece.text) for piece in pieces(paragraph, hidden)}
    for segment in segments(paragraph, hidden):
        inside = wanted[
            bisect.bisect_left(wanted, segment.start) : bisect.bisect_right(wanted, segment.end)
        ]
        if inside and segment.run.tag == R and segment.run.getparent() is not None:
            _cut_run(segment.run, segment.start, inside, lengths)
    return segments(paragraph, hidden)


def _cut_run(run: Element, start: int, places: list[int], lengths: dict[Element, int]) -> None:
    groups: list[list[Element]] = [[]]
    at = start
    kind: bool | None = None
    for node in [c for c in run if c.tag != RPR]:
        textual = node.tag in _TEXTUAL
        if at in places or (kind is not None and textual != kind):
            groups.append([])
        kind = textual
        length = lengths.get(node, 0)
        for part in _cut_text(node, [p - at for p in places if at < p < at + length]):
            groups[-1].append(part)
            groups.append([])
        groups.pop()
        at += length
    filled = [group for group in groups if group]
    if len(filled) < 2:
        return
    parent, place, properties = run.getparent(), run.getparent().index(run), run.find(RPR)
    for offset, group in enumerate(filled):
        piece = run.makeelement(R, dict(run.attrib))
        if properties is not None:
            piece.append(deepcopy(properties))
        piece.extend(group)
        parent.insert(place + 1 + offset, piece)
    parent.remove(run)


def _cut_text(node: Element, places: list[int]) -> list[Element]:
    if not places:
        return [node]
    text = node.text or ""
    parts = []
    for begin, end in zip([0, *places], [*places, len(text)], strict=True):
        part = node.makeelement(node.tag, {XML_SPACE: "preserve"})
        part.text = text[begin:end]
        parts.append(part)
    return parts
