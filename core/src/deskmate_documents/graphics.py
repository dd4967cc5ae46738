"""What charts and diagrams say, in documents and decks alike: their words and figures lie in parts of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass

from deskmate_documents.opc import OFFICE_RELS, Element, Package, canonical

A_NS = "http://schemas.openxmlformats.org/drawingml/2006/main"
C_NS = "http://schemas.openxmlformats.org/drawingml/2006/chart"
DIAGRAM_NS = "http://schemas.openxmlformats.org/drawingml/2006/diagram"
CHARTEX_NS = "http://schemas.microsoft.com/office/drawing/2014/chartex"
"""Charts of Office 2016: waterfalls, funnels, maps and the like."""
RELATED_IDS = f"{{{DIAGRAM_NS}}}relIds"
_DRAWN_NS = "http://schemas.microsoft.com/office/drawing/2008/diagram"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_ID = f"{{{OFFICE_RELS}}}id"
_DATA = f"{{{OFFICE_RELS}}}dm"
_AXES = ("catAx", "valAx", "dateAx", "serAx")
POINTS_LIMIT = 5_000


def c(name: str) -> str:
    """Return the name of an element of charts."""
    return f"{{{C_NS}}}{name}"


def _a(name: str) -> str:
    return f"{{{A_NS}}}{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A series. `values`: as stored, empty where there is none. `source`: the cells of the chart's own workbook.

    `across`: where on the other axis its points lie, and how large they are, where points are scattered.
    """

    name: str
    values: tuple[str, ...]
    source: str = ""
    across: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart. `kinds`: such as bar, line, pie. `part`: where it is stored. `words`: titles of axes, and labels typed by hand."""

    part: str
    kinds: tuple[str, ...]
    title: str
    categories: tuple[str, ...]
    series: tuple[Series, ...]
    words: tuple[str, ...] = ()

    def texts(self) -> Iterator[str]:
        """Yield all words that it shows: titles, names of series, categories; figures are no words."""
        found = (self.title, *self.words, *(one.name for one in self.series), *self.categories)
        yield from (text for text in found if text.strip() and not is_figure(text))

    def figures(self) -> Iterator[str]:
        """Yield the stored figures, those of both axes where points are scattered."""
        for one in self.series:
            yield from (value for value in (*one.values, *one.across) if is_figure(value))


def is_figure(text: str) -> bool:
    """Say whether a stored text is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_chart(root: Element, part: str) -> Chart:
    """Return what a chart shows."""
    area = root.find(f"{c('chart')}/{c('plotArea')}")
    kinds: list[str] = []
    series: list[Series] = []
    words: list[str] = []
    categories: tuple[str, ...] = ()
    for plot in area if area is not None else ():
        tag = str(plot.tag).rpartition("}")[2]
        if tag in _AXES:
            words.append(_title(plot))
        if not tag.endswith("Chart"):
            continue
        kinds.append(tag.removesuffix("Chart"))
        for node in plot.iterfind(c("ser")):
            values = _first(node, "val", "yVal")
            categories = categories or _points(_first(node, "cat", "xVal"))
            source = values.findtext(f".//{c('f')}") if values is not None else ""
            name = next(iter(_points(node.find(c("tx")))), "")
            across = (*_points(node.find(c("xVal"))), *_points(node.find(c("bubbleSize"))))
            series.append(
                Series(name=name, values=_points(values), source=source or "", across=across)
            )
            words += paragraphs(node.find(c("dLbls")))
    return Chart(
        part=part,
        kinds=tuple(kinds),
        title=_title(root.find(c("chart"))),
        categories=categories,
        series=tuple(series),
        words=tuple(text for text in words if text.strip()),
    )


def _first(node: Element, *names: str) -> Element | None:
    return next((found for name in names if (found := node.find(c(name))) is not None), None)


def _title(holder: Element | None) -> str:
    """Return the title of a chart or an axis, whether it was typed or is a cell's."""
    title = holder.find(c("title")) if holder is not None else None
    if title is None:
        return ""
    return " ".join(paragraphs(title)) or " ".join(_points(title.find(c("tx"))))


def _points(node: Element | None) -> tuple[str, ...]:
    """Return the stored points in order; those that are missing are empty."""
    found: dict[int, str] = {}
    for point in node.iter(c("pt")) if node is not None else ():
        index = point.get("idx", "")
        if index.isdigit() and int(index) < POINTS_LIMIT:
            found.setdefault(int(index), point.findtext(c("v")) or "")
    if not found and node is not None:
        direct = node.findtext(c("v"))
        return (direct,) if direct else ()
    return tuple(found.get(index, "") for index in range(max(found) + 1)) if found else ()


def paragraphs(node: Element | None) -> tuple[str, ...]:
    """Return the words of drawn text, paragraph by paragraph, without empty ones: a diagram's points, a title's lines."""
    found = []
    for paragraph in node.iter(_a("p")) if node is not None else ():
        pieces = paragraph.iter(_a("t"), _a("br"))
        found.append("".join("\n" if n.tag == _a("br") else n.text or "" for n in pieces).strip())
    return tuple(text for text in found if text)


def drawn(
    package: Package, part: str, node: Element, hidden: Iterable[str] = ()
) -> Iterator[Chart | tuple[str, ...]]:
    """Yield the charts and diagrams that stand below a node of a part, in order; a diagram is its points.

    What only programs without them show in their place is left out, and what stands within `hidden` elements.
    """
    rels = None  # read where they are needed: a comparison asks this of every paragraph
    for link in node.iter(c("chart"), RELATED_IDS, f"{{{CHARTEX_NS}}}chart"):
        if next(link.iterancestors(_FALLBACK, *hidden), None) is not None:
            continue
        if rels is None:
            rels = package.relationships(part)
        rel = rels.get(link.get(_DATA if link.tag == RELATED_IDS else _ID, ""))
        if rel is None or rel.external or rel.target not in package:
            continue
        root = package.parse(rel.target)
        yield read_chart(root, rel.target) if link.tag == c("chart") else _words(root)


def _words(root: Element) -> tuple[str, ...]:
    """Return the words of a diagram or a newer chart: what was typed, and the texts that it keeps."""
    kept = (point.text or "" for point in root.iter(f"{{{CHARTEX_NS}}}pt"))
    return (*paragraphs(root), *(text for text in kept if text.strip()))


def drawing_of(root: Element) -> Element | None:
    """Return the element of a diagram's data that names, by a relationship of the part that shows it, its drawing.

    Programs draw that drawing, and compute it anew where there is none.
    """
    return next(root.iter(f"{{{_DRAWN_NS}}}dataModelExt"), None)


def comparable(root: Element) -> bytes:
    """Return a diagram's data in a form that is equal where it says the same, whatever its drawing is called."""
    copy = deepcopy(root)
    link = drawing_of(copy)
    if link is not None:
        link.attrib.pop("relId", None)
    return canonical(copy)


def lines_of(graphics: Iterable[Chart | tuple[str, ...]]) -> Iterator[tuple[str, str, bool]]:
    """Yield (where, text, whether it is a stored figure) of charts and diagrams, which are numbered for themselves."""
    count = {"chart": 0, "diagram": 0}
    for graphic in graphics:
        kind = "chart" if isinstance(graphic, Chart) else "diagram"
        count[kind] += 1
        where = f"{kind} {count[kind]}"
        texts = graphic.texts() if isinstance(graphic, Chart) else iter(graphic)
        yield from ((where, text, False) for text in texts)
        if isinstance(graphic, Chart):
            yield from ((where, figure, True) for figure in graphic.figures())
