"""A changed deck as people look at it: slide by slide what is new, gone, moved, and what differs on each."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path

from deskmate_documents.graphics import Chart
from deskmate_documents.opc import canonical
from deskmate_documents.pptx.deck import RID, Deck, Slide, a
from deskmate_documents.pptx.shapes import Box, Shape, shapes_of

_MOVED_PT = 1.0
_EMBED = RID.replace("}id", "}embed")
_SHARED: Mapping[str, tuple[str, ...]] = {
    "layouts, masters or themes": ("ppt/slideLayouts/", "ppt/slideMasters/", "ppt/theme/"),
    "comments": ("ppt/comments/", "ppt/threadedComments/"),
    "macros": ("ppt/vbaProject",),
}
_ELSEWHERE = (
    "ppt/slideLayouts/",
    "ppt/slides/",
    "ppt/notesMasters/",
    "ppt/notesSlides/",
    "ppt/comments/",
)
"""Parts of which a slide names some, and which are told by themselves."""
_IDS = re.compile(rb"\brId\d+\b")
Lines = tuple[str, ...]


def deck_changes(before: Path, after: Path) -> tuple[Lines, ...]:
    """Return what each changed slide looks like, in the order of the newer deck; last what all slides share.

    Raises:
        ToolInputError: a version cannot be read.
    """
    old, new = Deck(before), Deck(after)
    pairs = _pairs(old, new)
    kept = {pair[0].id for pair in pairs if pair[0] is not None and pair[1] is not None}
    order = [slide.id for slide in old.slides if slide.id in kept]
    found: list[Lines] = []
    for one, other in pairs:
        lines = list(_slide(old, new, one, other, order))
        if one is not None and other is not None:
            lines += _unseen(old, new, one, other, is_told=bool(lines))
        if lines:
            slide, deck = (other, new) if other is not None else (one, old)
            assert slide is not None
            title = _title(shapes_of(deck, slide.part))
            found.append((_head(f"slide {slide.number}{title}", found), *lines))
    rest = list(_rest(old, new))
    return (
        (*found, (_head("layouts, masters and all else", found), *rest)) if rest else tuple(found)
    )


def _head(place: str, found: Sequence[Lines]) -> str:
    return f"@@ {place} @@ change {len(found) + 1}"


def _title(shapes: Sequence[Shape]) -> str:
    words = next((" ".join(s.text.split())[:60] for s in shapes if s.kind == "title"), "")
    return f" “{words}”" if words else ""


def _pairs(old: Deck, new: Deck) -> list[tuple[Slide | None, Slide | None]]:
    """Return each slide with what it was: of the same id, else of the same text; those that are gone in their place."""
    known = {slide.id: slide for slide in old.slides}
    before: dict[str, Slide] = {s.id: known[s.id] for s in new.slides if s.id in known}
    left = [slide for slide in old.slides if slide.id not in before]
    for slide in new.slides:
        if slide.id not in before:
            words = _words(new, slide)
            same = next((one for one in left if words and _words(old, one) == words), None)
            if same is not None:
                before[slide.id] = same
                left.remove(same)
    pairs: list[tuple[Slide | None, Slide | None]] = [(before.get(s.id), s) for s in new.slides]
    for slide in left:
        at = next(
            (
                n
                for n, (one, _) in enumerate(pairs)
                if one is not None and one.number > slide.number
            ),
            len(pairs),
        )
        pairs.insert(at, (slide, None))
    return pairs


def _words(deck: Deck, slide: Slide) -> str:
    return "\n".join(s.text for s in shapes_of(deck, slide.part) if not s.is_furniture).strip()


def _slide(
    old: Deck, new: Deck, one: Slide | None, other: Slide | None, order: Sequence[str]
) -> Iterator[str]:
    if one is None or other is None:
        slide, deck = (other, new) if other is not None else (one, old)
        assert slide is not None
        sign = "+" if one is None else "-"
        yield f"~the slide is {'new' if one is None else 'gone'}"
        yield from _all(sign, deck, slide)
        return
    if one.id in order:
        now = [slide.id for slide in new.slides if slide.id in order]
        if order.index(one.id) != now.index(other.id) and _has_moved(one.id, order, now):
            yield f"~moved: it was slide {one.number}"
    if one.hidden != other.hidden:
        yield "~hidden" if other.hidden else "~shown again"
    if old.layout_name(one) != new.layout_name(other):
        yield f"~layout: {old.layout_name(one)} → {new.layout_name(other)}"
    yield from _shapes(old, new, one, other)
    yield from _texts("notes: ", old.notes(one), new.notes(other))


def _has_moved(name: str, old: Sequence[str], new: Sequence[str]) -> bool:
    """Say whether a slide is not among those that kept their order, so that one move is not told as many."""
    match = SequenceMatcher(None, old, new, autojunk=False)
    return all(name not in old[b.a : b.a + b.size] for b in match.get_matching_blocks())


def _all(sign: str, deck: Deck, slide: Slide) -> Iterator[str]:
    for shape in shapes_of(deck, slide.part):
        if not shape.is_furniture:
            yield from (f"{sign}{line}" for line in _said(shape))
    yield from (f"{sign}notes: {line}" for line in deck.notes(slide).splitlines() if line.strip())


def _said(shape: Shape) -> Iterator[str]:
    """Yield all that a shape says, for one that has no other side."""
    if shape.rows:
        yield from (f"table: {' | '.join(row)}" for row in shape.rows)
    elif shape.chart is not None:
        yield from (line for _, line in _points(shape.chart))
    elif shape.text.strip():
        yield from (line for line in shape.text.splitlines() if line.strip())
    elif shape.kind not in ("text", "title"):
        yield f"{shape.kind} “{shape.alt or shape.name}”"


def _shapes(old: Deck, new: Deck, one: Slide, other: Slide) -> Iterator[str]:
    before = {_key(s): s for s in shapes_of(old, one.part) if not s.is_furniture}
    after = {_key(s): s for s in shapes_of(new, other.part) if not s.is_furniture}
    for key, shape in before.items():
        if key not in after:
            yield f"~{shape.kind} “{shape.name}” is gone"
            yield from (f"-{line}" for line in _said(shape))
    for key, shape in after.items():
        if key not in before:
            yield f"~{shape.kind} “{shape.name}” is new"
            yield from (f"+{line}" for line in _said(shape))
            continue
        was = before[key]
        yield from _content(was, shape)
        if shape.kind == "picture" and _image(old, one, was) != _image(new, other, shape):
            yield f"~picture “{shape.name}” is another one"
        if _moved(was.box, shape.box):
            yield f"~{shape.kind} “{shape.name}” was moved or resized"
        if was.alt != shape.alt:
            yield f"~alternative text of “{shape.name}”: {was.alt or 'none'} → {shape.alt or 'none'}"


def _key(shape: Shape) -> tuple[int, str]:
    return shape.id, shape.kind


def _content(old: Shape, new: Shape) -> Iterator[str]:
    if old.rows or new.rows:
        yield from _table(old.rows, new.rows)
    elif old.chart is not None and new.chart is not None:
        if old.chart.kinds != new.chart.kinds:
            yield f"~chart: {', '.join(old.chart.kinds)} → {', '.join(new.chart.kinds)}"
        yield from _by_place(dict(_points(old.chart)), dict(_points(new.chart)))
    else:
        yield from _texts("", old.text, new.text)


def _table(old: Sequence[Sequence[str]], new: Sequence[Sequence[str]]) -> Iterator[str]:
    yield from _by_place(_cells(old), _cells(new))


def _cells(rows: Sequence[Sequence[str]]) -> dict[str, str]:
    return {
        f"{r}.{c}": f"row {r}, column {c}: {' '.join(text.split())}"
        for r, row in enumerate(rows, 1)
        for c, text in enumerate(row, 1)
        if text.strip()
    }


def _points(chart: Chart) -> Iterator[tuple[str, str]]:
    """Yield place → what a chart shows there."""
    if chart.title:
        yield "title", f"chart: {chart.title}"
    for number, series in enumerate(chart.series, 1):
        name = series.name or f"series {number}"
        for index, value in enumerate(series.values):
            label = chart.categories[index] if index < len(chart.categories) else str(index + 1)
            yield f"{number}.{index}", f"chart: {name}, {label}: {value}"


def _by_place(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for place in dict.fromkeys((*old, *new)):
        if old.get(place) != new.get(place):
            yield from (f"-{old[place]}",) if place in old else ()
            yield from (f"+{new[place]}",) if place in new else ()


def _texts(label: str, old: str, new: str) -> Iterator[str]:
    before, after = ([line for line in text.splitlines() if line.strip()] for text in (old, new))
    match = SequenceMatcher(None, before, after, autojunk=False)
    for word, i1, i2, j1, j2 in match.get_opcodes():
        if word != "equal":
            yield from (f"-{label}{line}" for line in before[i1:i2])
            yield from (f"+{label}{line}" for line in after[j1:j2])


def _moved(old: Box | None, new: Box | None) -> bool:
    if old is None or new is None:
        return (old is None) != (new is None)
    return any(abs(x - y) > _MOVED_PT for x, y in zip(old, new, strict=True))


def _image(deck: Deck, slide: Slide, shape: Shape) -> str:
    link = next(iter(shape.node.iter(a("blip"))), None)
    rel = deck.package.relationships(slide.part).get(
        link.get(_EMBED, "") if link is not None else ""
    )
    if rel is None or rel.external or rel.target not in deck.package:
        return ""
    return hashlib.sha256(deck.package.read(rel.target)).hexdigest()


def _unseen(old: Deck, new: Deck, one: Slide, other: Slide, *, is_told: bool) -> Iterator[str]:
    """Yield where links lead that differ, and that more of a slide differs than its lines show."""
    before, after = _links(old, one), _links(new, other)
    yield from (f"-link to {link}" for link in before if link not in after)
    yield from (f"+link to {link}" for link in after if link not in before)
    if not is_told and before == after and _whole(old, one) != _whole(new, other):
        yield "~what it says is the same; its look, animations or what lies within it differ"


def _links(deck: Deck, slide: Slide) -> list[str]:
    rels = deck.package.relationships(slide.part).values()
    return sorted({rel.target[:200] for rel in rels if rel.external})


def _whole(deck: Deck, slide: Slide) -> frozenset[bytes]:
    """Return the slide and all that only it holds: charts and their data, media, diagrams, objects."""
    package = deck.package
    parts: set[str] = set()
    waiting = [slide.part]
    while waiting:
        part = waiting.pop()
        if part in parts or part not in package or (parts and part.startswith(_ELSEWHERE)):
            continue
        parts.add(part)
        waiting += [rel.target for rel in package.relationships(part).values() if not rel.external]
    return frozenset(_digest(deck, part) for part in parts)


def _digest(deck: Deck, part: str) -> bytes:
    is_xml = part.endswith(".xml")
    data = canonical(deck.package.parse(part)) if is_xml else deck.package.read(part)
    return hashlib.sha256(_IDS.sub(b"rId", data) if is_xml else data).digest()


def _rest(old: Deck, new: Deck) -> Iterator[str]:
    """Yield what changed besides slides: their size, and what all of them share."""
    if (old.width, old.height) != (new.width, new.height):
        yield f"~the slides' size is {new.width:g} × {new.height:g} pt, was {old.width:g} × {old.height:g}"
    for name, folders in _SHARED.items():
        if _digests(old, folders) != _digests(new, folders):
            yield f"~{name} differ"


def _digests(deck: Deck, folders: tuple[str, ...]) -> frozenset[bytes]:
    return frozenset(
        _digest(deck, name)
        for name in deck.package.names
        if name.startswith(folders) and "/_rels/" not in name
    )
