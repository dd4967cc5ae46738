"""A chart that is there becomes one of another type: its series keep what they read, their names and their colours."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

from lxml import etree

from deskmate.errors import ToolInputError
from deskmate_documents.opc import Element
from deskmate_documents.xlsx.chartxml import (
    AXIS,
    GROUP,
    a,
    axes,
    c,
    dropped,
    groups,
    is_across,
    local,
    placed,
    plot,
)

TAGS: Mapping[str, str] = {
    "column": "barChart", "bar": "barChart", "line": "lineChart", "area": "areaChart", "pie": "pieChart",
    "doughnut": "doughnutChart", "scatter": "scatterChart",
}  # fmt: skip
STACKED = frozenset({"barChart", "lineChart", "areaChart"})
_ROUND = frozenset({"pieChart", "doughnutChart"})
_LINES = frozenset({"lineChart", "radarChart"})
_KNOWN = frozenset({*TAGS.values(), "radarChart"})
_END = ("cat", "val", "xVal", "yVal", "smooth", "shape", "extLst")
_HEAD = ("idx", "order", "tx", "spPr")
_BEHIND = ("dPt", "dLbls", "trendline", "errBars")
_SERIES: Mapping[str, tuple[str, ...]] = {
    "barChart": (*_HEAD, "invertIfNegative", "pictureOptions", *_BEHIND, *_END),
    "lineChart": (*_HEAD, "marker", *_BEHIND, *_END),
    "areaChart": (*_HEAD, "pictureOptions", *_BEHIND, *_END),
    "scatterChart": (*_HEAD, "marker", *_BEHIND, *_END),
    "pieChart": (*_HEAD, "explosion", "dPt", "dLbls", *_END),
    "doughnutChart": (*_HEAD, "explosion", "dPt", "dLbls", *_END),
}
_ONLY: Mapping[str, frozenset[str]] = {
    "shape": frozenset(), "smooth": frozenset({"lineChart", "scatterChart"}),
}  # fmt: skip
_KEPT_EXTENSIONS = frozenset({"{C3380CC4-5D6E-409C-BE32-E72D297353CC}"})
"""The number by which newer versions know a series again; others belong to one type or to filtered series."""
_WIDE = "28575"
_TURNED = "-5400000"
_PAINTS = ("noFill", "solidFill", "gradFill", "pattFill")


def change_type(root: Element, kind: str) -> None:
    """Make all series of a chart those of a type; groups that share their axes become one.

    Raises:
        ToolInputError: it is of a type that is not changed here, or its series do not fit the new one.
    """
    found = groups(root)
    _check(root, found, kind)
    tag = TAGS[kind]
    flat = [
        is_across(axis) for axis in axes(root)
    ]  # of two axes of figures this shows by the old type only
    made: dict[tuple[str, ...], Element] = {}
    for old in found:
        ids = () if tag in _ROUND else tuple(n.get("val", "") for n in old.iterfind(c("axId")))
        if local(old) == tag and ids not in made:
            made[ids] = old  # a column that becomes a bar keeps all else
            continue
        new = made.get(ids)
        if new is None:
            new = made[ids] = _group(old, tag)
            old.addprevious(new)
        _take(new, old)
        plot(root).remove(old)
    for group in made.values():
        if tag == "barChart":
            placed(group, "barDir", GROUP, "bar" if kind == "bar" else "col")
    _fit_axes(root, tag, kind, flat)


def stack(root: Element, how: bool | str) -> None:
    """Put the series of a chart on top of one another: true, false, or `percent` of the whole.

    Raises:
        ToolInputError: it is of a type that is never stacked.
    """
    found = [group for group in groups(root) if local(group) in STACKED]
    if not found:
        raise ToolInputError("Only columns, bars, lines and areas are stacked.")
    for group in found:
        plain = "clustered" if local(group) == "barChart" else "standard"
        value = {"percent": "percentStacked", True: "stacked"}.get(how, plain)
        placed(group, "grouping", GROUP, value)
        if local(group) == "barChart":
            dropped(group, "overlap")
            if how:
                placed(group, "overlap", GROUP, "100")
    for axis in axes(root):
        if how == "percent" and not is_across(axis):
            form = placed(axis, "numFmt", AXIS)
            if form.get("formatCode", "General") == "General" or form.get("sourceLinked") == "1":
                form.set("formatCode", "0%")
                form.set("sourceLinked", "0")


def paint(series: Element, color: Element) -> None:
    """Give a series a paint (`a:solidFill`, `a:noFill`, …) where its type shows one."""
    tag = local(series.getparent())
    order = _SERIES.get(tag, _SERIES["lineChart"])
    look = placed(series, "spPr", order)
    if tag == "scatterChart":
        mark = placed(series, "marker", order)
        for name, value in (("symbol", "circle"), ("size", "5")):
            if mark.find(c(name)) is None:
                placed(mark, name, ("symbol", "size", "spPr", "extLst"), value)
        dots = placed(mark, "spPr", ("symbol", "size", "spPr", "extLst"))
        _filled(dots, color)
        line = look.find(a("ln"))
        if line is not None and line.find(a("noFill")) is None:
            _filled(line, color)
    elif tag in _LINES:
        line = look.find(a("ln"))
        if line is None:
            line = etree.SubElement(look, a("ln"), w=_WIDE, cap="rnd")
        _filled(line, color)
    else:
        _filled(look, color)


def _filled(holder: Element, color: Element) -> None:
    """Put a paint into a shape's or line's properties, behind its geometry."""
    for name in _PAINTS:
        for node in holder.findall(a(name)):
            holder.remove(node)
    at = sum(node.tag in (a("xfrm"), a("custGeom"), a("prstGeom")) for node in holder)
    holder.insert(at, deepcopy(color))


def _check(root: Element, found: list[Element], kind: str) -> None:
    strange = [local(group) for group in found if local(group) not in _KNOWN]
    if strange or not found:
        what = strange[0].removesuffix("Chart") if strange else "another"
        raise ToolInputError(f"The chart is of type {what}, which is not made another one here.")
    series = [node for group in found for node in group.iterfind(c("ser"))]
    if kind == "pie" and len(series) != 1:
        raise ToolInputError(f"A pie shows one series; the chart has {len(series)}.")
    if kind != "scatter" or all(local(group) == "scatterChart" for group in found):
        return
    if root.find(c("pivotSource")) is not None:
        raise ToolInputError("The chart of a pivot table cannot be a scatter.")
    for node in series:
        read = node.find(c("cat"))
        if read is not None and read.find(c("numRef")) is None and read.find(c("numLit")) is None:
            raise ToolInputError(
                "A scatter needs figures across; the chart's categories are texts."
            )


def _group(old: Element, tag: str) -> Element:
    """Return a group of a type, without series yet, drawn over the same axes."""
    new = etree.Element(c(tag))
    grouping = old.find(c("grouping"))
    piled = grouping.get("val", "") if grouping is not None else ""
    piled = piled if piled in ("stacked", "percentStacked") else ""
    if tag == "barChart":
        placed(new, "barDir", GROUP, "col")
    if tag == "scatterChart":
        placed(new, "scatterStyle", GROUP, "lineMarker")
    if tag in STACKED:
        plain = "clustered" if tag == "barChart" else "standard"
        placed(new, "grouping", GROUP, piled or plain)
    placed(new, "varyColors", GROUP, "1" if tag in _ROUND else "0")
    if tag == "barChart":
        placed(new, "gapWidth", GROUP, "150")
        if piled:
            placed(new, "overlap", GROUP, "100")
    if tag == "lineChart":
        placed(new, "marker", GROUP, "1")
    if tag in _ROUND:
        placed(new, "firstSliceAng", GROUP, "0")
        if tag == "doughnutChart":
            placed(new, "holeSize", GROUP, "50")
    else:
        for node in old.iterfind(c("axId")):
            new.append(deepcopy(node))
    return new


def _take(new: Element, old: Element) -> None:
    """Move the series, and the labels that all of them have, to a group of another type."""
    at = 1 + max(n for n, node in enumerate(new) if local(node) in GROUP[: GROUP.index("ser") + 1])
    was = local(old)
    for series in old.findall(c("ser")):
        color = _color(series, was)
        new.insert(at, series)
        at += 1
        if was == local(new):
            continue
        _adapt(series, was, local(new))
        if color is not None and not _alike(was, local(new)) and local(new) not in _ROUND:
            paint(series, color)
    labels = old.find(c("dLbls"))
    if labels is not None and new.find(c("dLbls")) is None:
        new.insert(at, labels)
        _unplaced(labels)


def _alike(one: str, other: str) -> bool:
    """Say whether series of two types have the same look."""
    return one == other or {one, other} <= {"barChart", "areaChart"} or {one, other} <= _LINES


def _color(series: Element, tag: str) -> Element | None:
    """Return the paint that shows of a series."""
    look = series.find(c("spPr"))
    places = [look, look.find(a("ln"))] if look is not None else []
    if tag in _LINES or tag == "scatterChart":
        dots = series.find(f"{c('marker')}/{c('spPr')}")
        places = [*places[1:], dots] if tag in _LINES else [dots, *places[1:]]
    for place in places:
        for name in _PAINTS if place is not None else ():
            if (found := place.find(a(name))) is not None:
                return found
        if tag not in _LINES and tag != "scatterChart":
            break
    return None


def _adapt(series: Element, was: str, tag: str) -> None:
    """Make a series one of another type: its children are those that the type has, in their order."""
    scattered = "scatterChart" in (was, tag)
    for one, other in (("cat", "xVal"), ("val", "yVal")) if scattered else ():
        old, new = (other, one) if was == "scatterChart" else (one, other)
        if (node := series.find(c(old))) is not None:
            node.tag = c(new)
    gone = set() if _alike(was, tag) else {"spPr", "marker", "pictureOptions"}
    gone |= {"dPt"} if was in _ROUND or tag in _ROUND else set()
    gone |= {"errBars"} if scattered else set()
    gone |= {name for name, tags in _ONLY.items() if tag not in tags}
    for node in list(series):
        if local(node) in gone or local(node) not in _SERIES[tag]:
            series.remove(node)
    _drop_extensions(series)
    for labels in series.findall(c("dLbls")):
        _unplaced(labels)
    series[:] = sorted(series, key=lambda node: _SERIES[tag].index(local(node)))
    if tag in ("lineChart", "scatterChart"):
        placed(series, "smooth", _SERIES[tag], "0")
    if tag == "scatterChart":
        look = placed(series, "spPr", _SERIES[tag])
        etree.SubElement(etree.SubElement(look, a("ln"), w=_WIDE), a("noFill"))


def _drop_extensions(series: Element) -> None:
    """Take out what newer versions keep of a series for its old type."""
    for node in series.findall(f"{c('extLst')}/{c('ext')}"):
        if node.get("uri") not in _KEPT_EXTENSIONS:
            node.getparent().remove(node)
    if (listed := series.find(c("extLst"))) is not None and not len(listed):
        dropped(series, "extLst")


def _unplaced(labels: Element) -> None:
    """Let labels stand where their type puts them: a place that it does not know makes Excel mend the file."""
    for node in list(labels.iter(c("dLblPos"))):
        node.getparent().remove(node)


def _fit_axes(root: Element, tag: str, kind: str, across: list[bool]) -> None:
    """Give a chart the axes of its type, each where the type has it; `across`: whether each was one of categories."""
    area = plot(root)
    if tag in _ROUND:
        for axis in axes(root):
            area.remove(axis)
        dropped(area, "dTable")
        return
    if not across:
        _add_axes(root)
        across = [local(axis) == "catAx" for axis in axes(root)]
    for axis, flat in zip(axes(root), across, strict=True):
        stands = flat == (kind == "bar")
        place = placed(axis, "axPos", AXIS)
        turned = {"b": "l", "t": "r"} if stands else {"l": "b", "r": "t"}
        place.set(
            "val", turned.get(place.get("val", ""), place.get("val") or ("l" if stands else "b"))
        )
        for body in axis.iterfind(f"{c('title')}//{a('bodyPr')}"):
            if stands and body.get("rot") == "0":  # without one, a title stands as its axis does
                body.set("rot", _TURNED)
            elif not stands and body.get("rot") == _TURNED:
                body.set("rot", "0")
        if flat:
            _as_kind(axis, "valAx" if tag == "scatterChart" else "catAx")
        if local(axis) == "valAx":
            between = "midCat" if tag in ("areaChart", "scatterChart") else "between"
            placed(axis, "crossBetween", AXIS, between)


def _as_kind(axis: Element, name: str) -> None:
    """Make an axis one of figures or of categories; one of dates is one of categories, too."""
    if local(axis) == name or (name == "catAx" and local(axis) == "dateAx"):
        return
    shared = AXIS[: AXIS.index("crossesAt") + 1]
    for node in list(axis):
        if local(node) not in shared:
            axis.remove(node)
    axis.tag = c(name)
    if name == "catAx":
        for child, value in (
            ("auto", "1"),
            ("lblAlgn", "ctr"),
            ("lblOffset", "100"),
            ("noMultiLvlLbl", "0"),
        ):
            placed(axis, child, AXIS, value)


def _add_axes(root: Element) -> None:
    """Give a chart that had none one axis of categories and one of figures."""
    used = {node.get("val") for node in root.iter(c("axId"))}
    ids = [str(n) for n in range(50_010_001, 50_010_100) if str(n) not in used][:2]
    last = groups(root)[-1]
    for group in groups(root):
        for number in ids:
            etree.SubElement(group, c("axId"), val=number)
        if (extension := group.find(c("extLst"))) is not None:
            group.append(extension)
    for name, own, other, place in (("valAx", ids[1], ids[0], "l"), ("catAx", ids[0], ids[1], "b")):
        axis = etree.Element(c(name))
        placed(axis, "axId", AXIS, own)
        etree.SubElement(placed(axis, "scaling", AXIS), c("orientation"), val="minMax")
        placed(axis, "delete", AXIS, "0")
        placed(axis, "axPos", AXIS, place)
        if name == "valAx":
            placed(axis, "majorGridlines", AXIS)
        form = placed(axis, "numFmt", AXIS)
        form.set("formatCode", "General")
        form.set("sourceLinked", "1")
        placed(axis, "tickLblPos", AXIS, "nextTo")
        placed(axis, "crossAx", AXIS, other)
        placed(axis, "crosses", AXIS, "autoZero")
        last.addnext(axis)
        if name == "catAx":
            for child, value in (
                ("auto", "1"),
                ("lblAlgn", "ctr"),
                ("lblOffset", "100"),
                ("noMultiLvlLbl", "0"),
            ):
                placed(axis, child, AXIS, value)
        else:
            placed(axis, "crossBetween", AXIS, "between")
