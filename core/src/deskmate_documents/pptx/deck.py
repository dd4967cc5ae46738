"""A PowerPoint deck as its parts: slides in order, their layouts, masters and notes. Opened within bounds, never run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deskmate.errors import ToolInputError
from deskmate_documents.graphics import A_NS
from deskmate_documents.opc import OFFICE_RELS, Element, Package

P_NS = "http://schemas.openxmlformats.org/presentationml/2006/main"
P14_NS = "http://schemas.microsoft.com/office/powerpoint/2010/main"
RID = f"{{{OFFICE_RELS}}}id"
EMU = 12_700
"""English Metric Units of a point."""
SLIDES_LIMIT = 2_000


def p(name: str) -> str:
    """Return the name of an element of presentations."""
    return f"{{{P_NS}}}{name}"


def a(name: str) -> str:
    """Return the name of an element of drawings."""
    return f"{{{A_NS}}}{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slide:
    """A slide. `number`: from 1. `id`: the deck's own. `rel`: the relationship of the presentation that names it."""

    number: int
    id: str
    rel: str
    part: str
    hidden: bool = False


class Deck:
    """An open deck. Parts are parsed once, and are not to be changed by readers."""

    def __init__(self, path: Path) -> None:
        """Open a deck.

        Raises:
            ToolInputError: encrypted, damaged, a bomb, or no presentation.
        """
        self.package = Package(path)
        self.name = path.name
        self.main = self.package.main_part()
        self._trees: dict[str, Element] = {}
        self.root = self.tree(self.main)
        if self.root.tag != p("presentation"):
            raise self.package.error("is not a PowerPoint presentation")
        size = self.root.find(p("sldSz"))
        self.width = self._length(size, "cx", 9_144_000)
        self.height = self._length(size, "cy", 6_858_000)
        self.slides = tuple(self._slides())

    def _length(self, node: Element, key: str, default: int) -> float:
        try:
            return (int(node.get(key)) if node is not None else default) / EMU
        except (TypeError, ValueError):
            return default / EMU

    def _slides(self) -> Iterator[Slide]:
        rels = self.package.relationships(self.main)
        listed = self.root.find(p("sldIdLst"))
        number = 0
        for node in listed if listed is not None else ():
            rel = rels.get(node.get(RID, ""))
            if rel is None or rel.external or rel.target not in self.package:
                continue
            number += 1
            if number > SLIDES_LIMIT:
                raise self.package.error(f"has more than {SLIDES_LIMIT} slides; refused")
            shown = self.tree(rel.target).get("show", "1")
            yield Slide(
                number=number, id=node.get("id", ""), rel=rel.id, part=rel.target,
                hidden=shown in ("0", "false"),
            )  # fmt: skip

    def slide(self, number: int) -> Slide:
        """Return a slide.

        Raises:
            ToolInputError: there is no such number.
        """
        if not 1 <= number <= len(self.slides):
            raise ToolInputError(f"{self.name} has {len(self.slides)} slides, no slide {number}.")
        return self.slides[number - 1]

    def tree(self, part: str) -> Element:
        """Return a part's root element."""
        if part not in self._trees:
            self._trees[part] = self.package.parse(part)
        return self._trees[part]

    def one(self, part: str, kind: str) -> str:
        """Return the part that `part` points to by a relationship of this kind; empty if there is none."""
        return next(iter(self.package.related(part, kind)), "")

    def above(self, part: str) -> list[str]:
        """Return the layout and the master of a slide, or the master of a layout, as far as they are there."""
        layout = self.one(part, "slideLayout")
        master = self.one(layout or part, "slideMaster")
        return [name for name in (layout, master) if name]

    def layout_name(self, slide: Slide) -> str:
        """Return the name of a slide's layout."""
        layout = self.one(slide.part, "slideLayout")
        node = self.tree(layout).find(p("cSld")) if layout else None
        return str(node.get("name", "")) if node is not None else ""

    def notes(self, slide: Slide) -> str:
        """Return the speaker notes of a slide."""
        part = self.one(slide.part, "notesSlide")
        if not part:
            return ""
        for shape in self.tree(part).iter(p("sp")):
            holder = shape.find(f"{p('nvSpPr')}/{p('nvPr')}/{p('ph')}")
            if holder is not None and holder.get("type") == "body":
                return text_of(shape.find(p("txBody")))
        return ""


def text_of(body: Element) -> str:
    """Return the text of a text body, a line for each paragraph."""
    if body is None:
        return ""
    return "\n".join(paragraph_text(node) for node in body.iter(a("p")))


def paragraph_text(node: Element) -> str:
    """Return the text of a paragraph: runs, fields and line breaks."""
    pieces = []
    for child in node.iter(a("t"), a("br")):
        pieces.append("\n" if child.tag == a("br") else child.text or "")
    return "".join(pieces)
