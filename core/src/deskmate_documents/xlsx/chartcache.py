"""The figures that a chart keeps of what it reads, when those cells move: each point stays with its cell."""

from __future__ import annotations

from lxml import etree

from deskmate_documents.opc import Element
from deskmate_documents.xlsx.formula import areas
from deskmate_documents.xlsx.refs import Area, Place
from deskmate_documents.xlsx.shift import Shift

CELLS_LIMIT = 100_000


def reindexed(node: Element, formula: str, shift: Shift) -> None:
    """Renumber the points kept beside a reference; where that is not possible they are dropped.

    Args:
        node: the element that holds the reference, with its cache beside it.
        formula: the reference as it was.
        shift: what moves.
    """
    holder = node.getparent()
    read = [area for _, area in areas(formula)]
    places = _places(read)
    for cache in list(holder):
        name = etree.QName(cache).localname if isinstance(cache.tag, str) else ""
        if name in ("numCache", "strCache") and places:
            _renumber(cache, places, shift)
        elif name == "multiLvlStrCache" and len(read) == 1 and shift.axis == "rows":
            _renumber(cache, [(row, 1) for row in range(read[0].top, read[0].bottom + 1)], shift)
        elif name.endswith("Cache"):
            holder.remove(cache)


def _places(read: list[Area]) -> list[Place]:
    if not read or sum(area.size for area in read) > CELLS_LIMIT:
        return []
    return [place for area in read for place in area.cells()]


def _renumber(cache: Element, places: list[Place], shift: Shift) -> None:
    kept = [shift.place(place) for place in places]
    after = _after(places, shift)
    where = {place: number for number, place in enumerate(after)}
    for point in list(cache.iter("{*}pt")):
        index = int(point.get("idx", "0"))
        place = kept[index] if index < len(kept) else None
        now = where.get(place) if place is not None else None
        if now is None:
            point.getparent().remove(point)
        else:
            point.set("idx", str(now))
    for count in cache.iter("{*}ptCount"):
        count.set("val", str(len(after)))


def _after(places: list[Place], shift: Shift) -> list[Place]:
    """Return the cells that are read afterwards, those that came in between included."""
    found: list[Place] = []
    for number, place in enumerate(places):
        now = shift.place(place)
        if now is None:
            continue
        before = places[number - 1] if number else None
        grows = (
            not shift.gone
            and before is not None
            and shift.along(before) == shift.at - 1
            and shift.along(place) == shift.at
        )
        if grows:
            for line in range(shift.at, shift.at + shift.count):
                found.append((line, place[1]) if shift.axis == "rows" else (place[0], line))
        found.append(now)
    return found
