"""Elements of charts: their names, the order that their schema wants, and texts as titles."""

from __future__ import annotations

from collections.abc import Sequence

from lxml import etree

from deskmate_documents.opc import Element
from deskmate_documents.xlsx.refs import words
from deskmate_documents.xlsx.shiftparts import CHART

DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"


def _listed(text: str) -> tuple[str, ...]:
    """Return the names of a list written as text, in order."""
    return tuple(text.split())


_SCALE = "axId scaling delete axPos majorGridlines minorGridlines title numFmt majorTickMark minorTickMark tickLblPos spPr txPr crossAx"
AXIS = _listed(
    f"{_SCALE} crosses crossesAt crossBetween auto lblAlgn lblOffset baseTimeUnit majorUnit majorTimeUnit minorUnit "
    "minorTimeUnit dispUnits tickLblSkip tickMarkSkip noMultiLvlLbl extLst"
)
SCALING = ("logBase", "orientation", "max", "min", "extLst")
WHOLE = _listed(
    "title autoTitleDeleted pivotFmts view3D floor sideWall backWall plotArea legend plotVisOnly dispBlanksAs "
    "showDLblsOverMax extLst"
)
LEGEND = ("legendPos", "legendEntry", "layout", "overlay", "spPr", "txPr", "extLst")
GROUP = _listed(
    "barDir scatterStyle radarStyle grouping varyColors ser dLbls dropLines hiLowLines upDownBars gapWidth overlap serLines marker smooth "
    "firstSliceAng holeSize axId extLst"
)
AXES = words("catAx valAx dateAx serAx")


def c(name: str) -> str:
    """Return a chart element's name as lxml writes it."""
    return f"{{{CHART}}}{name}"


def a(name: str) -> str:
    """Return a drawing element's name as lxml writes it."""
    return f"{{{DRAWING}}}{name}"


def local(node: Element) -> str:
    """Return an element's name without its namespace; "" for comments and what is of another one."""
    tag = node.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) and tag.startswith(f"{{{CHART}}}") else ""


def placed(parent: Element, name: str, order: Sequence[str], value: str | None = None) -> Element:
    """Return a child, made at its place in the order if it is not there; `value`: what its `val` becomes."""
    node = parent.find(c(name))
    if node is None:
        later = set(order[order.index(name) + 1 :])
        at = next((n for n, each in enumerate(parent) if local(each) in later), len(parent))
        node = etree.Element(c(name))
        parent.insert(at, node)
    if value is not None:
        node.set("val", value)
    return node


def dropped(parent: Element, *names: str) -> None:
    """Take children out."""
    for name in names:
        for node in parent.findall(c(name)):
            parent.remove(node)


def titled(holder: Element, text: str, order: Sequence[str], *, upright: bool = False) -> None:
    """Give a chart or an axis a title, which keeps the look of the one before; an empty text takes it away.

    `upright`: a new one reads from bottom to top.
    """
    old = holder.find(c("title"))
    if not text:
        dropped(holder, "title")
        return
    if old is None:
        old = placed(holder, "title", order)
        etree.SubElement(old, c("overlay"), val="0")
    look = next(iter(old.iter(a("rPr"), a("defRPr"))), None)
    body = old.find(f"{c('tx')}/{c('rich')}/{a('bodyPr')}")
    if body is None:
        body = etree.Element(a("bodyPr"))
        if upright:
            body.set("rot", "-5400000")
            body.set("vert", "horz")
    dropped(old, "tx")
    text_holder = etree.Element(c("tx"))
    old.insert(0, text_holder)
    rich = etree.SubElement(text_holder, c("rich"))
    rich.append(body)
    etree.SubElement(rich, a("lstStyle"))
    run = etree.SubElement(etree.SubElement(rich, a("p")), a("r"))
    if look is not None:
        look.tag = a("rPr")
        run.append(look)
    etree.SubElement(run, a("t")).text = text


def plot(root: Element) -> Element:
    """Return the area in which the series and axes of a chart are drawn; an empty one where there is none."""
    found = root.find(f"{c('chart')}/{c('plotArea')}")
    return found if found is not None else etree.Element(c("plotArea"))


def groups(root: Element) -> list[Element]:
    """Return the groups of series of one type each, such as `barChart`."""
    return [node for node in plot(root) if local(node).endswith("Chart")]


def axes(root: Element) -> list[Element]:
    """Return the axes."""
    return [node for node in plot(root) if local(node) in AXES]


def is_across(axis: Element) -> bool:
    """Say whether an axis is that of the categories or, of two axes of figures, the one that lies flat."""
    if local(axis) != "valAx":
        return True
    kinds = {local(node) for node in groups(axis.getparent().getparent().getparent())}
    place = axis.find(c("axPos"))
    return "scatterChart" in kinds and place is not None and place.get("val") in ("b", "t")
