"""Data bars as Excel 2010 and later draw them: solid, with a border, an axis and another colour below zero."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from lxml import etree

from deskmate.errors import ToolInputError
from deskmate_documents.opc import Element
from deskmate_documents.xlsx.extensions import X14, extension
from deskmate_documents.xlsx.formula import stored
from deskmate_documents.xlsx.refs import Area
from deskmate_documents.xlsx.sheetpart import q
from deskmate_documents.xlsx.styles import colour

XM = "http://schemas.microsoft.com/office/excel/2006/main"
WORDS = frozenset(
    {"solid", "border_color", "negative_color", "axis", "axis_color", "direction", "bar_only"}
)
"""What only the newer kind of data bar can have."""
_TWIN = "{B025F937-C7B1-47D3-B67F-A62EFF666E3E}"
_LIST = "{78C0D931-6437-407d-A8EE-F0AAD7539E65}"
_AXES = {"automatic": "automatic", "middle": "middle", "none": "none"}
_DIRECTIONS = {"left_to_right": "leftToRight", "right_to_left": "rightToLeft", "context": "context"}
_RED = "FFFF0000"


def x14(name: str) -> str:
    """Return the name of an element of Excel 2010."""
    return f"{{{X14}}}{name}"


def add_newer_bar(skeleton: Element, rule: Element, area: Area, wanted: Mapping[str, Any]) -> None:
    """Give a data bar, which is in the worksheet already, its twin for newer versions.

    Args:
        skeleton: the worksheet without its rows.
        rule: the plain data bar.
        area: the cells it is for.
        wanted: `solid`, `border_color`, `negative_color`, `axis`, `axis_color`, `direction`, `bar_only`, `points`.

    Raises:
        ToolInputError: an unknown axis or direction.
    """
    axis, direction = str(wanted.get("axis", "automatic")), str(wanted.get("direction", "context"))
    if axis not in _AXES or direction not in _DIRECTIONS:
        raise ToolInputError(
            f"axis is one of {', '.join(_AXES)}; direction is one of {', '.join(_DIRECTIONS)}."
        )
    known = {node.text for node in skeleton.iter(x14("id"))}
    name = next(
        text for number in range(len(known) + 1) if (text := _guid(f"{area}/{number}")) not in known
    )
    extension(rule, _TWIN, x14("id")).text = name
    if wanted.get("bar_only"):
        rule.find(q("dataBar")).set("showValue", "0")
    listed = extension(skeleton, _LIST, x14("conditionalFormattings"))
    group = etree.SubElement(listed, x14("conditionalFormatting"), nsmap={"xm": XM})
    twin = etree.SubElement(group, x14("cfRule"), type="dataBar", id=name)
    twin.append(_bar(wanted, rule, axis, direction))
    etree.SubElement(group, f"{{{XM}}}sqref").text = str(area)


def _guid(text: str) -> str:
    return "{" + str(uuid.uuid5(uuid.NAMESPACE_URL, text)).upper() + "}"


def _bar(wanted: Mapping[str, Any], rule: Element, axis: str, direction: str) -> Element:
    border, negative = wanted.get("border_color"), wanted.get("negative_color")
    bar = etree.Element(x14("dataBar"), minLength="0", maxLength="100")
    if wanted.get("bar_only"):
        bar.set("showValue", "0")
    if border:
        bar.set("border", "1")
    if wanted.get("solid"):
        bar.set("gradient", "0")
    if direction != "context":
        bar.set("direction", _DIRECTIONS[direction])
    if border:
        bar.set("negativeBarBorderColorSameAsPositive", "0")
    if axis != "automatic":
        bar.set("axisPosition", _AXES[axis])
    for end, point in zip(("autoMin", "autoMax"), rule.iter(q("cfvo")), strict=True):
        bar.append(_point(end, point))
    fill = colour(negative) if negative else _RED
    colours = {"borderColor": colour(border) if border else "", "negativeFillColor": fill}
    colours["negativeBorderColor"] = fill if border else ""
    colours["axisColor"] = colour(wanted.get("axis_color") or "000000") if axis != "none" else ""
    for tag, rgb in colours.items():
        if rgb:
            etree.SubElement(bar, x14(tag), rgb=rgb)
    return bar


def _point(end: str, point: Element) -> Element:
    """Return one end of the bar; `min` and `max` are chosen by Excel, as for every new data bar."""
    kind = point.get("type", "")
    node = etree.Element(x14("cfvo"), type=end if kind in ("min", "max") else kind)
    if point.get("val") is not None:
        etree.SubElement(node, f"{{{XM}}}f", nsmap={"xm": XM}).text = stored(point.get("val"))
    return node
