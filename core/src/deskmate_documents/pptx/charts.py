"""Charts of decks: what they show, from the values stored with them."""

from __future__ import annotations

from dataclasses import dataclass

from deskmate_documents.opc import Element
from deskmate_documents.pptx.deck import C_NS, a

POINTS_LIMIT = 5_000


def c(name: str) -> str:
    """Return the name of an element of charts."""
    return f"{{{C_NS}}}{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A series. `values`: as stored, empty where there is none. `source`: the cells of the chart's own workbook."""

    name: str
    values: tuple[str, ...]
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart. `kinds`: such as bar, line, pie. `part`: where it is stored."""

    part: str
    kinds: tuple[str, ...]
    title: str
    categories: tuple[str, ...]
    series: tuple[Series, ...]


def read_chart(root: Element, part: str) -> Chart:
    """Return what a chart shows."""
    area = root.find(f"{c('chart')}/{c('plotArea')}")
    kinds: list[str] = []
    series: list[Series] = []
    categories: tuple[str, ...] = ()
    for plot in area if area is not None else ():
        tag = str(plot.tag).rpartition("}")[2]
        if not tag.endswith("Chart"):
            continue
        kinds.append(tag.removesuffix("Chart"))
        for node in plot.iterfind(c("ser")):
            name = next(iter(_points(node.find(c("tx")))), "")
            values = (
                node.find(c("val")) if node.find(c("val")) is not None else node.find(c("yVal"))
            )
            labels = (
                node.find(c("cat")) if node.find(c("cat")) is not None else node.find(c("xVal"))
            )
            categories = categories or _points(labels)
            source = values.findtext(f".//{c('f')}") if values is not None else ""
            series.append(Series(name=name, values=_points(values), source=source or ""))
    title = root.find(f"{c('chart')}/{c('title')}")
    words = "".join(n.text or "" for n in title.iter(a("t"))) if title is not None else ""
    return Chart(
        part=part, kinds=tuple(kinds), title=words, categories=categories, series=tuple(series)
    )


def _points(node: Element) -> tuple[str, ...]:
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
