"""How a chart that is there looks: legend, titles and scale of its axes, labels, gaps and colours of its series."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from lxml import etree

from deskmate.errors import ToolInputError
from deskmate_documents.opc import Element
from deskmate_documents.xlsx.charttype import paint
from deskmate_documents.xlsx.chartxml import (
    AXIS,
    GROUP,
    LEGEND,
    SCALING,
    WHOLE,
    a,
    axes,
    c,
    dropped,
    groups,
    is_across,
    local,
    placed,
    titled,
)

TEXT_LIMIT = 255
_SIDES: Mapping[str, str] = {"right": "r", "left": "l", "top": "t", "bottom": "b"}
_COLOR = re.compile(r"[0-9A-Fa-f]{6}|none")
_SHOWS = ("showLegendKey", "showVal", "showCatName", "showSerName", "showPercent", "showBubbleSize")
_ROUND = frozenset({"pieChart", "doughnutChart"})


def checked(look: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is wanted of a chart's look.

    Raises:
        ToolInputError: something of it is unknown, or no such value.
    """
    for name, value in look.items():
        if name not in _FITS:
            raise ToolInputError(f"A chart's look has {', '.join(_FITS)}; it has no {name[:40]!r}.")
        fits, wanted = _FITS[name]
        if not fits(value):
            raise ToolInputError(f"`{name}` of a chart is {wanted}.")
    low, high = look.get("y_min"), look.get("y_max")
    if low is not None and high is not None and low >= high:
        raise ToolInputError("`y_min` of a chart is less than its `y_max`.")
    return dict(look)


def apply_look(root: Element, look: Mapping[str, Any]) -> None:
    """Change how a chart looks; what `look` does not name stays.

    Raises:
        ToolInputError: the chart has no such axis or bars.
    """
    for name, value in checked(look).items():
        _CHANGES[name](root, value)


def fill_series(series: Element, color: str) -> None:
    """Give a series a colour, six hex digits, or `none`.

    Raises:
        ToolInputError: it is no colour, or the series shows one for each point.
    """
    if not _COLOR.fullmatch(color):
        raise ToolInputError(f"A fill is none or six hex digits, not {color[:20]!r}.")
    if local(series.getparent()) in _ROUND:
        raise ToolInputError(
            "The pieces of a pie or doughnut have a colour each; there is none for all."
        )
    wanted = etree.Element(a("noFill" if color == "none" else "solidFill"))
    if color != "none":
        etree.SubElement(wanted, a("srgbClr"), val=color.upper())
    paint(series, wanted)


def _legend(root: Element, side: str) -> None:
    whole = root.find(c("chart"))
    if side == "none":
        dropped(whole, "legend")
        return
    legend = placed(whole, "legend", WHOLE)
    placed(legend, "legendPos", LEGEND, _SIDES[side])
    dropped(legend, "layout")  # a place of its own would win over the side
    placed(legend, "overlay", LEGEND, "0")


def _axis(root: Element, *, across: bool) -> Element:
    """Return the first axis of the categories or of the figures."""
    first = {node.get("val") for group in groups(root)[:1] for node in group.iterfind(c("axId"))}
    for axis in axes(root):
        own = axis.find(c("axId"))
        if own is not None and own.get("val") in first and is_across(axis) == across:
            return axis
    raise ToolInputError("The chart has no such axis.")


def _title_axis(root: Element, text: str, *, across: bool) -> None:
    axis = _axis(root, across=across)
    place = axis.find(c("axPos"))
    titled(axis, text, AXIS, upright=place is not None and place.get("val") in ("l", "r"))


def _format(root: Element, code: str) -> None:
    form = placed(_axis(root, across=False), "numFmt", AXIS)
    form.set("formatCode", code)
    form.set("sourceLinked", "0")


def _bound(root: Element, name: str, value: float | None) -> None:
    scaling = placed(_axis(root, across=False), "scaling", AXIS)
    if value is None:
        dropped(scaling, name)
    else:
        placed(scaling, name, SCALING, repr(value))


def _gap(root: Element, percent: int) -> None:
    bars = [group for group in groups(root) if local(group) == "barChart"]
    if not bars:
        raise ToolInputError("Only columns and bars have a gap between them.")
    for group in bars:
        placed(group, "gapWidth", GROUP, str(percent))


def _labels(root: Element, wanted: bool | str) -> None:
    for group in groups(root):
        dropped(group, "dLbls")
        for series in group.iterfind(c("ser")):
            dropped(series, "dLbls")
        if not wanted:
            continue
        shares = wanted == "percent"
        if shares and local(group) not in _ROUND:
            raise ToolInputError("Only pies and doughnuts have labels in percent.")
        labels = placed(group, "dLbls", GROUP)
        for name in _SHOWS:
            on = name == ("showPercent" if shares else "showVal")
            etree.SubElement(labels, c(name), val="1" if on else "0")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= TEXT_LIMIT


_BOUND = (lambda value: value is None or _is_number(value), "a number, or null for none")
_TITLE = (_is_text, f"a text of at most {TEXT_LIMIT} characters, empty for none")
_FITS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "legend": (
        lambda value: isinstance(value, str) and value in (*_SIDES, "none"),
        "right, left, top, bottom or none",
    ),
    "x_title": _TITLE,
    "y_title": _TITLE,
    "y_format": (lambda value: _is_text(value) and bool(value), "a number format such as #,##0"),
    "y_min": _BOUND,
    "y_max": _BOUND,
    "gap": (
        lambda value: isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 500,
        "0 to 500, in percent of a column's width",
    ),
    "labels": (
        lambda value: isinstance(value, bool) or value == "percent",
        "true, false or percent",
    ),
}
_CHANGES: Mapping[str, Callable[[Element, Any], None]] = {
    "legend": _legend,
    "x_title": lambda root, value: _title_axis(root, value, across=True),
    "y_title": lambda root, value: _title_axis(root, value, across=False),
    "y_format": _format,
    "y_min": lambda root, value: _bound(root, "min", value),
    "y_max": lambda root, value: _bound(root, "max", value),
    "gap": _gap,
    "labels": _labels,
}
LOOKS = tuple(_FITS)
