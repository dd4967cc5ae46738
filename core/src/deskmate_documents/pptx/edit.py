"""Edits of a deck that patch it: what no edit names keeps its bytes; slides that go leave no part behind."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lxml import etree

from deskmate.errors import ToolInputError
from deskmate_documents.opc import Element, Package
from deskmate_documents.pptx.deck import P14_NS, RID, Deck, Slide, a, p
from deskmate_documents.pptx.notes import set_notes
from deskmate_documents.pptx.shapes import Shape, shapes_of
from deskmate_documents.pptx.slides import copy_slide, drop_slide

EDITS_LIMIT = 300
TEXT_LIMIT = 20_000


def edit_deck(source: Path, target: Path, edits: Sequence[Mapping[str, Any]]) -> list[str]:
    """Make all edits or none, in order, and return what was done, a line each.

    Numbers of slides mean the deck as the edits before have left it.

    Raises:
        ToolInputError: an edit that does not fit; nothing is written.
    """
    if not 1 <= len(edits) <= EDITS_LIMIT:
        raise ToolInputError(f"Give 1 to {EDITS_LIMIT} edits.")
    work = _Work(source)
    for number, edit in enumerate(edits, 1):
        operation = str(edit.get("op", ""))
        handler = _OPERATIONS.get(operation)
        if handler is None:
            raise ToolInputError(
                f"Edit {number}: op is one of {', '.join(_OPERATIONS)}, not {operation!r}."
            )
        allowed, function = handler
        if unknown := set(edit) - {"op", *allowed}:
            raise ToolInputError(
                f"Edit {number}: {operation} has no {sorted(unknown)[0]!r}; it has {', '.join(allowed)}."
            )
        try:
            function(work, edit)
        except ToolInputError as error:
            raise ToolInputError(f"Edit {number}: {error.message}") from error
        except (TypeError, ValueError, KeyError) as error:
            raise ToolInputError(
                f"Edit {number}: a field of {operation} is missing or of the wrong kind ({error})."
            ) from error
    work.package.save(target)
    return work.done


class _Work:
    """The deck while it is edited."""

    def __init__(self, source: Path) -> None:
        self._deck = Deck(source)
        self.package: Package = self._deck.package
        self.done: list[str] = []

    @property
    def deck(self) -> Deck:
        """The deck as it is now."""
        return self._deck

    def changed(self) -> None:
        """Read the deck anew from its changed parts."""
        fresh = object.__new__(Deck)
        fresh.package, fresh.name, fresh.main = self.package, self._deck.name, self._deck.main
        fresh._trees = {}
        fresh.root = fresh.tree(fresh.main)
        fresh.width, fresh.height = self._deck.width, self._deck.height
        fresh.slides = tuple(fresh._slides())
        self._deck = fresh

    def slide(self, edit: Mapping[str, Any], key: str = "slide") -> Slide:
        return self._deck.slide(int(edit[key]))

    def shape(self, edit: Mapping[str, Any]) -> tuple[Slide, Shape, Element]:
        """Return slide, shape and the tree to change, in which the shape's node stands."""
        slide = self.slide(edit)
        wanted = edit["shape"]
        found = [
            s
            for s in shapes_of(self._deck, slide.part)
            if wanted in (s.id, s.name) or str(wanted) == str(s.id)
        ]
        if len(found) != 1:
            names = ", ".join(f"{s.id} ({s.name})" for s in shapes_of(self._deck, slide.part))[:600]
            many = "several shapes" if found else "no shape"
            raise ToolInputError(f"slide {slide.number} has {many} {wanted!r}; it has {names}.")
        return slide, found[0], self._deck.tree(slide.part)


def _move(work: _Work, edit: Mapping[str, Any]) -> None:
    slide, to = work.slide(edit), int(edit["to"])
    root = work.package.parse(work.deck.main)
    listed = root.find(p("sldIdLst"))
    nodes = [node for node in listed if node.get(RID) in {s.rel for s in work.deck.slides}]
    if not 1 <= to <= len(nodes):
        raise ToolInputError(f"the deck has {len(nodes)} slides, no place {to}.")
    node = nodes[slide.number - 1]
    other = nodes[to - 1]
    if node is not other:
        listed.remove(node)
        place = list(listed).index(other)
        listed.insert(place + (1 if to > slide.number else 0), node)
    _order_sections(root)
    work.package.write_xml(work.deck.main, root)
    work.changed()
    work.done.append(f"slide {slide.number} is slide {to} now")


def _order_sections(root: Element) -> None:
    """Put the slides of each section into the order of the deck; one that moved belongs to its neighbour's section."""
    order = [node.get("id") for node in root.find(p("sldIdLst"))]
    lists = list(root.iter(f"{{{P14_NS}}}sldIdLst"))
    if not lists:
        return
    home = {node.get("id"): index for index, one in enumerate(lists) for node in one}
    current, homes = 0, []
    for position, slide_id in enumerate(order):
        own = home.get(slide_id, current)
        following = [home.get(i, own) for i in order[position + 1 : position + 2]]
        if own < current or (following and own > following[0]):
            own = current
        current = own
        homes.append(own)
    for index, one in enumerate(lists):
        for node in list(one):
            one.remove(node)
        for slide_id, own in zip(order, homes, strict=True):
            if own == index:
                etree.SubElement(one, f"{{{P14_NS}}}sldId").set("id", slide_id or "")


def _duplicate(work: _Work, edit: Mapping[str, Any]) -> None:
    slide = work.slide(edit)
    copy_slide(work.package, work.deck.main, slide)
    work.changed()
    work.done.append(f"slide {slide.number} is there twice: {slide.number} and {slide.number + 1}")
    if edit.get("to"):
        _move(work, {"slide": slide.number + 1, "to": edit["to"]})


def _remove(work: _Work, edit: Mapping[str, Any]) -> None:
    slide = work.slide(edit)
    gone = drop_slide(work.package, work.deck.main, slide)
    work.changed()
    work.done.append(f"slide {slide.number} is gone with {gone} parts")


def _hide(work: _Work, edit: Mapping[str, Any]) -> None:
    slide, hidden = work.slide(edit), bool(edit.get("hidden", True))
    root = work.package.parse(slide.part)
    root.attrib.pop("show", None)
    if hidden:
        root.set("show", "0")
    work.package.write_xml(slide.part, root)
    work.changed()
    work.done.append(f"slide {slide.number} is {'hidden' if hidden else 'shown'}")


def _text(work: _Work, edit: Mapping[str, Any]) -> None:
    slide, shape, root = work.shape(edit)
    body = shape.node.find(p("txBody"))
    if body is None:
        raise ToolInputError(f"{shape.name} is a {shape.kind} and holds no text.")
    text = edit["text"]
    lines = text if isinstance(text, list) else str(text).split("\n")
    write_body(body, lines)
    work.package.write_xml(slide.part, root)
    work.changed()
    work.done.append(f"slide {slide.number}: text of {shape.name}")


def write_body(body: Element, lines: list[Any]) -> None:
    """Give a text body these paragraphs, each a text or {text, level}; they look as those at their place did."""
    if sum(len(str(line)) for line in lines) > TEXT_LIMIT:
        raise ToolInputError(f"a shape takes at most {TEXT_LIMIT} characters.")
    old = list(body.iterfind(a("p")))
    for node in old:
        body.remove(node)
    for index, line in enumerate(lines or [""]):
        model = old[min(index, len(old) - 1)] if old else None
        text = str(line["text"]) if isinstance(line, Mapping) else str(line)
        body.append(
            _paragraph(model, text, line.get("level") if isinstance(line, Mapping) else None)
        )


def _paragraph(model: Element | None, text: str, level: Any) -> Element:
    node = etree.Element(a("p"))
    settings = model.find(a("pPr")) if model is not None else None
    if settings is not None:
        node.append(copy.deepcopy(settings))
    if level is not None:
        if node.find(a("pPr")) is None:
            node.insert(0, etree.Element(a("pPr")))
        node.find(a("pPr")).set("lvl", str(max(int(level) - 1, 0)))
    look = model.find(f"{a('r')}/{a('rPr')}") if model is not None else None
    end = model.find(a("endParaRPr")) if model is not None else None
    if text:
        run = etree.SubElement(node, a("r"))
        if look is not None:
            fresh = copy.deepcopy(look)
            for link in fresh.findall(a("hlinkClick")):
                fresh.remove(link)
            run.append(fresh)
        elif end is not None:
            fresh = copy.deepcopy(end)
            fresh.tag = a("rPr")
            run.append(fresh)
        etree.SubElement(run, a("t")).text = re.sub(r"[\x00-\x08\x0b-\x1f]", "", text)
    if end is not None:
        node.append(copy.deepcopy(end))
    return node


def _cell(work: _Work, edit: Mapping[str, Any]) -> None:
    slide, shape, root = work.shape(edit)
    row, column = int(edit["row"]), int(edit["column"])
    cells = [list(node.iterfind(a("tc"))) for node in shape.node.iter(a("tr"))]
    if not shape.rows or not 1 <= row <= len(cells) or not 1 <= column <= len(cells[row - 1]):
        raise ToolInputError(f"{shape.name} has no cell in row {row}, column {column}.")
    cell = cells[row - 1][column - 1]
    if cell.get("hMerge") or cell.get("vMerge"):
        raise ToolInputError(f"row {row}, column {column} is under a merged cell.")
    write_body(cell.find(a("txBody")), str(edit["text"]).split("\n"))
    work.package.write_xml(slide.part, root)
    work.changed()
    work.done.append(f"slide {slide.number}: {shape.name}, row {row}, column {column}")


def _box(work: _Work, edit: Mapping[str, Any]) -> None:
    slide, shape, root = work.shape(edit)
    left, top, right, bottom = (float(edge) for edge in edit["box"])
    if right <= left or bottom <= top:
        raise ToolInputError("box is [left, top, right, bottom] in points.")
    if any(str(node.tag).endswith("}grpSp") for node in shape.node.iterancestors()):
        raise ToolInputError(f"{shape.name} stands in a group and is not moved alone.")
    numbers = {"off": {"x": left, "y": top}, "ext": {"cx": right - left, "cy": bottom - top}}
    frame = shape.node.tag == p("graphicFrame")
    place = shape.node.find(p("xfrm")) if frame else shape.node.find(f"{p('spPr')}/{a('xfrm')}")
    if place is None:
        place = etree.Element(a("xfrm"))
        shape.node.find(p("spPr")).insert(0, place)
    for name, values in numbers.items():
        node = place.find(a(name))
        node = node if node is not None else etree.SubElement(place, a(name))
        for key, value in values.items():
            node.set(key, str(round(value * 12_700)))
    work.package.write_xml(slide.part, root)
    work.changed()
    work.done.append(f"slide {slide.number}: place of {shape.name}")


def _notes(work: _Work, edit: Mapping[str, Any]) -> None:
    slide = work.slide(edit)
    set_notes(work.deck, slide, str(edit["text"]), write_body)
    work.changed()
    work.done.append(f"slide {slide.number}: notes")


_Operation = tuple[tuple[str, ...], Callable[[_Work, Mapping[str, Any]], None]]
_OPERATIONS: Mapping[str, _Operation] = {
    "move": (("slide", "to"), _move),
    "duplicate": (("slide", "to"), _duplicate),
    "remove": (("slide",), _remove),
    "hide": (("slide", "hidden"), _hide),
    "text": (("slide", "shape", "text"), _text),
    "cell": (("slide", "shape", "row", "column", "text"), _cell),
    "box": (("slide", "shape", "box"), _box),
    "notes": (("slide", "text"), _notes),
}
