"""The shapes of a slide, groups taken apart, with the place, the text and the sizes that they really have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deskmate_documents.graphics import C_NS, DIAGRAM_NS, RELATED_IDS, Chart, paragraphs, read_chart
from deskmate_documents.opc import OFFICE_RELS, Element
from deskmate_documents.pptx.deck import EMU, RID, Deck, a, p, paragraph_text

Box = tuple[float, float, float, float]
SHAPES_LIMIT = 3_000
_DEPTH = 16
_DEFAULT_SIZE = 18.0
_TITLES = frozenset({"title", "ctrTitle"})
_FURNITURE = frozenset({"dt", "ftr", "sldNum", "hdr"})
_STYLES = {
    "title": "titleStyle",
    "ctrTitle": "titleStyle",
    "body": "bodyStyle",
    "subTitle": "bodyStyle",
    "obj": "bodyStyle",
}
_GRAPHICS = {
    "http://schemas.openxmlformats.org/drawingml/2006/table": "table",
    "http://schemas.openxmlformats.org/drawingml/2006/chart": "chart",
    DIAGRAM_NS: "diagram",
    "http://schemas.openxmlformats.org/presentationml/2006/ole": "object",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """A paragraph. `level`: from 1. `sizes`: those of its runs, in points, as they are shown."""

    text: str
    level: int = 1
    sizes: tuple[float, ...] = ()
    bold: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A shape. `kind`: title, text, picture, table, chart, diagram, object, line or media.

    `box`: left, top, right, bottom in points from the slide's top left; None where it has no place. `holder`: type of
    the placeholder that it is, empty if none. `rows`: of a table. `words`: of a diagram. `fit`: how text and shape fit each other: none,
    shrink or grow.
    """

    id: int
    name: str
    kind: str
    box: Box | None
    node: Element
    holder: str = ""
    paragraphs: tuple[Paragraph, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    words: tuple[str, ...] = ()
    chart: Chart | None = None
    alt: str = ""
    fit: str = "none"
    insets: Box = (7.2, 3.6, 7.2, 3.6)
    wraps: bool = True
    rotated: bool = False
    hidden: bool = False

    @property
    def text(self) -> str:
        """All text, a line for each paragraph or row."""
        if self.rows:
            return "\n".join(" | ".join(row) for row in self.rows)
        return "\n".join((*(paragraph.text for paragraph in self.paragraphs), *self.words))

    @property
    def is_furniture(self) -> bool:
        """Say whether it is a date, footer or number, which every slide has."""
        return self.holder in _FURNITURE


@dataclass(frozen=True, slots=True)
class _Frame:
    """How coordinates within a group become the slide's."""

    x: float = 0.0
    y: float = 0.0
    across: float = 1.0
    down: float = 1.0

    def box(self, left: float, top: float, width: float, height: float) -> Box:
        x, y = self.x + left * self.across, self.y + top * self.down
        return x, y, x + width * self.across, y + height * self.down


def shapes_of(deck: Deck, part: str) -> tuple[Shape, ...]:
    """Return the shapes of a slide, layout or master in their order, bottom first; at most 3,000."""
    tree = deck.tree(part).find(f"{p('cSld')}/{p('spTree')}")
    if tree is None:
        return ()
    found: list[Shape] = []
    for shape in _walk(deck, part, tree, _Frame(), 0):
        if len(found) >= SHAPES_LIMIT:
            break
        found.append(shape)
    return tuple(found)


def _walk(deck: Deck, part: str, tree: Element, frame: _Frame, depth: int) -> Iterator[Shape]:
    for node in tree:
        tag = node.tag if isinstance(node.tag, str) else ""
        if tag == p("grpSp") and depth < _DEPTH:
            yield from _walk(deck, part, node, _inner(node, frame), depth + 1)
        elif tag in (p("sp"), p("pic"), p("graphicFrame"), p("cxnSp")):
            yield _shape(deck, part, node, frame)
        elif tag.endswith("}AlternateContent"):
            chosen = next((kid for kid in node if str(kid.tag).endswith("}Fallback")), None)
            choice = next((kid for kid in node if str(kid.tag).endswith("}Choice")), chosen)
            if choice is not None and depth < _DEPTH:
                yield from _walk(deck, part, choice, frame, depth + 1)


def _inner(group: Element, frame: _Frame) -> _Frame:
    place = group.find(f"{p('grpSpPr')}/{a('xfrm')}")
    if place is None:
        return frame
    off, ext = _pair(place, "off", "x", "y"), _pair(place, "ext", "cx", "cy")
    start, size = _pair(place, "chOff", "x", "y"), _pair(place, "chExt", "cx", "cy")
    if not (off and ext and start and size) or not size[0] or not size[1]:
        return frame
    across, down = ext[0] / size[0], ext[1] / size[1]
    x, y = off[0] - start[0] * across, off[1] - start[1] * down
    return _Frame(
        frame.x + x * frame.across,
        frame.y + y * frame.down,
        across * frame.across,
        down * frame.down,
    )


def _pair(node: Element, name: str, first: str, second: str) -> tuple[float, float] | None:
    found = node.find(a(name))
    try:
        return (
            (int(found.get(first)) / EMU, int(found.get(second)) / EMU)
            if found is not None
            else None
        )
    except (TypeError, ValueError):
        return None


def _shape(deck: Deck, part: str, node: Element, frame: _Frame) -> Shape:
    about = next(node.iter(p("cNvPr")), None)
    holder = next(node.iter(p("ph")), None)
    kind_of_holder = holder.get("type", "obj") if holder is not None else ""
    ancestors = _ancestors(deck, part, holder) if holder is not None else []
    kind, rows, chart = _content(deck, part, node, kind_of_holder)
    body = node.find(p("txBody"))
    settings = [n for n in (_body_settings(one) for one in (node, *ancestors)) if n is not None]
    paragraphs: tuple[Paragraph, ...] = ()
    fit = "none"
    if body is not None:
        fit, scale = _fit(settings)
        paragraphs = tuple(_paragraphs(deck, part, body, ancestors, kind_of_holder, scale))
    place = _place([node, *ancestors])
    return Shape(
        id=int(about.get("id", "0")) if about is not None and about.get("id", "0").isdigit() else 0,
        name=about.get("name", "") if about is not None else "",
        kind=kind,
        box=frame.box(*place[:4]) if place is not None else None,
        node=node,
        holder=kind_of_holder,
        paragraphs=paragraphs,
        rows=rows,
        words=_diagram(deck, part, node) if kind == "diagram" else (),
        chart=chart,
        alt=about.get("descr", "") if about is not None else "",
        fit=fit,
        insets=_insets(settings),
        wraps=not any(one.get("wrap") == "none" for one in settings[:1]),
        rotated=place is not None and bool(place[4]),
        hidden=about is not None and about.get("hidden") in ("1", "true"),
    )


def _content(
    deck: Deck, part: str, node: Element, holder: str
) -> tuple[str, tuple[tuple[str, ...], ...], Chart | None]:
    if node.tag == p("cxnSp"):
        return "line", (), None
    if node.tag == p("pic"):
        media = any(str(n.tag).endswith(("}videoFile", "}audioFile")) for n in node.iter())
        return ("media" if media else "picture"), (), None
    if node.tag == p("sp"):
        return ("title" if holder in _TITLES else "text"), (), None
    data: Element = next(node.iter(a("graphicData")), None)
    kind = _GRAPHICS.get(data.get("uri", "") if data is not None else "", "object")
    if kind == "table":
        return kind, _rows(data), None
    if kind == "chart":
        link = data.find(f"{{{C_NS}}}chart")
        rel = deck.package.relationships(part).get(link.get(RID, "")) if link is not None else None
        there = rel is not None and not rel.external and rel.target in deck.package
        return kind, (), read_chart(deck.tree(rel.target), rel.target) if rel and there else None
    return kind, (), None


def _diagram(deck: Deck, part: str, node: Element) -> tuple[str, ...]:
    """Return what a diagram says, point by point; its words lie in a part of their own."""
    found: list[str] = []
    for named in node.iter(RELATED_IDS):
        rel = deck.package.relationships(part).get(named.get(f"{{{OFFICE_RELS}}}dm", ""))
        if rel is not None and not rel.external and rel.target in deck.package:
            found += paragraphs(deck.tree(rel.target))
    return tuple(found)


def _rows(data: Element) -> tuple[tuple[str, ...], ...]:
    return tuple(
        tuple("\n".join(paragraph_text(n) for n in cell.iter(a("p"))) for cell in row.iter(a("tc")))
        for row in data.iter(a("tr"))
    )


def _ancestors(deck: Deck, part: str, holder: Element) -> list[Element]:
    """Return the placeholders of layout and master that this one takes after."""
    found = []
    kind, index = holder.get("type", "obj"), holder.get("idx", "0")
    for above in deck.above(part):
        tree = deck.tree(above).find(f"{p('cSld')}/{p('spTree')}")
        candidates = [
            (node, node.find(f".//{p('ph')}")) for node in (tree if tree is not None else ())
        ]
        candidates = [(node, ph) for node, ph in candidates if ph is not None]
        match = next(
            (n for n, ph in candidates if ph.get("idx", "0") == index and index != "0"), None
        )
        if match is None or above.startswith("ppt/slideMasters"):
            wanted = _same(kind)
            match = next((n for n, ph in candidates if ph.get("type", "obj") in wanted), match)
        if match is not None:
            found.append(match)
            kind = match.find(f".//{p('ph')}").get("type", kind)
    return found


def _same(kind: str) -> tuple[str, ...]:
    if kind in _TITLES:
        return ("title", "ctrTitle")
    return (kind,) if kind in _FURNITURE else (kind, "body", "obj")


def _place(nodes: list[Element]) -> tuple[float, float, float, float, bool] | None:
    for node in nodes:
        place = node.find(f"{p('spPr')}/{a('xfrm')}")
        place = place if place is not None else node.find(p("xfrm"))
        if place is None:
            continue
        off, ext = _pair(place, "off", "x", "y"), _pair(place, "ext", "cx", "cy")
        if off and ext:
            return *off, *ext, place.get("rot", "0") not in ("0", "")
    return None


def _body_settings(node: Element) -> Element | None:
    return node.find(f"{p('txBody')}/{a('bodyPr')}")


def _fit(settings: list[Element]) -> tuple[str, float]:
    for one in settings:
        if one.find(a("spAutoFit")) is not None:
            return "grow", 1.0
        shrink = one.find(a("normAutofit"))
        if shrink is not None:
            return "shrink", _number(shrink.get("fontScale"), 100_000) / 100_000
        if one.find(a("noAutofit")) is not None:
            return "none", 1.0
    return "none", 1.0


def _number(text: Any, default: float) -> float:
    try:
        return float(str(text).rstrip("%")) * (1_000 if str(text).endswith("%") else 1)
    except ValueError:
        return default


def _insets(settings: list[Element]) -> Box:
    found = []
    for key, default in (("lIns", 91_440), ("tIns", 45_720), ("rIns", 91_440), ("bIns", 45_720)):
        text = next((one.get(key) for one in settings if one.get(key) is not None), default)
        found.append(_number(text, default) / EMU)
    return found[0], found[1], found[2], found[3]


def _paragraphs(
    deck: Deck, part: str, body: Element, ancestors: list[Element], holder: str, scale: float
) -> Iterator[Paragraph]:
    lists = [
        body.find(a("lstStyle")),
        *(n.find(f"{p('txBody')}/{a('lstStyle')}") for n in ancestors),
    ]
    lists += _master_styles(deck, part, holder)
    for node in body.iter(a("p")):
        settings = node.find(a("pPr"))
        level = int(_number(settings.get("lvl", "0") if settings is not None else "0", 0))
        inherited = _inherited_size(lists, level)
        runs = [n for n in node if n.tag in (a("r"), a("fld"))]
        sizes, bold = [], False
        for run in runs:
            look = run.find(a("rPr"))
            own = look.get("sz") if look is not None else None
            bold |= look is not None and look.get("b") in ("1", "true")
            if (run.findtext(a("t")) or "").strip():
                sizes.append((_number(own, 1_800) / 100 if own else inherited) * scale)
        if not runs:
            end = node.find(a("endParaRPr"))
            own = end.get("sz") if end is not None else None
            sizes = [(_number(own, 1_800) / 100 if own else inherited) * scale]
        yield Paragraph(text=paragraph_text(node), level=level + 1, sizes=tuple(sizes), bold=bold)


def _master_styles(deck: Deck, part: str, holder: str) -> list[Element | None]:
    above = deck.above(part)
    found: list[Element | None] = []
    if above:
        styles = deck.tree(above[-1]).find(p("txStyles"))
        if styles is not None:
            found.append(styles.find(p(_STYLES.get(holder, "otherStyle"))))
    found.append(deck.root.find(p("defaultTextStyle")))
    return found


def _inherited_size(lists: list[Element | None], level: int) -> float:
    for styles in lists:
        entry = (
            styles.find(f"{a(f'lvl{level + 1}pPr')}/{a('defRPr')}") if styles is not None else None
        )
        if entry is not None and entry.get("sz"):
            return _number(entry.get("sz"), 1_800) / 100
    return _DEFAULT_SIZE
