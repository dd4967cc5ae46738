"""Icon sets of Excel 2010 and later: stars, triangles and boxes, and sets put together of single icons."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from lxml import etree

from deskmate.errors import ToolInputError
from deskmate_documents.opc import Element
from deskmate_documents.xlsx.extensions import X14, extension
from deskmate_documents.xlsx.formula import stored
from deskmate_documents.xlsx.refs import Area, words

XM = "http://schemas.microsoft.com/office/excel/2006/main"
NEWER_SETS = words("3Stars 3Triangles 5Boxes")
OLDER_SETS = words(
    "3Arrows 3ArrowsGray 3Flags 3TrafficLights1 3TrafficLights2 3Signs 3Symbols 3Symbols2 4Arrows 4ArrowsGray "
    "4RedToBlack 4Rating 4TrafficLights 5Arrows 5ArrowsGray 5Rating 5Quarters"
)
NONE = "NoIcons"
"""In a set of single icons: nothing is shown."""
_LIST = "{78C0D931-6437-407d-A8EE-F0AAD7539E65}"
_KINDS = words("num percent percentile formula")
_SHAPES = {3: "3TrafficLights1", 4: "4Arrows", 5: "5Arrows"}


def _x14(name: str) -> str:
    return f"{{{X14}}}{name}"


def is_newer_set(icons: Any) -> bool:
    """Say whether only newer versions have these icons."""
    return isinstance(icons, list) or icons in NEWER_SETS


def add_newer_icons(skeleton: Element, area: Area, wanted: Mapping[str, Any]) -> None:
    """Add a rule that shows icons of the newer kind, before all others.

    Args:
        skeleton: the worksheet without its rows; the other rules have made room for the first priority.
        area: the cells it is for.
        wanted: `icons`: a set, or a list of 3 to 5 such as `3Stars/2` (its third icon) or `NoIcons`, from the lowest
            to the highest; `points`, `reverse`, `icons_only`.

    Raises:
        ToolInputError: an unknown icon, or too many or too few points.
    """
    icons = wanted.get("icons")
    single = [_icon(text) for text in icons] if isinstance(icons, list) else []
    count = len(single) if isinstance(icons, list) else int(str(icons)[0])
    if count not in _SHAPES:
        raise ToolInputError("icons has 3, 4 or 5 of them.")
    steps = [{"type": "percent", "value": n * 100 // count} for n in range(count)]
    points = list(wanted.get("points") or steps)
    if len(points) != count:
        raise ToolInputError(f"This iconSet needs {count} points.")
    listed = extension(skeleton, _LIST, _x14("conditionalFormattings"))
    known = {node.get("id") for node in skeleton.iter(_x14("cfRule"))}
    names = (f"{area} icons {number}" for number in range(len(known) + 1))
    name = next(text for text in map(_guid, names) if text not in known)
    group = etree.SubElement(listed, _x14("conditionalFormatting"), nsmap={"xm": XM})
    rule = etree.SubElement(group, _x14("cfRule"), type="iconSet", priority="1", id=name)
    shape = _SHAPES[count] if single else str(icons)
    body = etree.SubElement(rule, _x14("iconSet"), iconSet=shape)
    flags = {
        "showValue": "0" if wanted.get("icons_only") else "",
        "reverse": "1" if wanted.get("reverse") else "",
    }
    flags["custom"] = "1" if single else ""
    for attribute, value in flags.items():
        if value:
            body.set(attribute, value)
    for point in points:
        body.append(_point(point))
    for shown, number in single:
        etree.SubElement(body, _x14("cfIcon"), iconSet=shown, iconId=str(number))
    etree.SubElement(group, f"{{{XM}}}sqref").text = str(area)


def _icon(text: Any) -> tuple[str, int]:
    name, _, number = str(text).partition("/")
    if name == NONE:
        return NONE, 0
    known = name in OLDER_SETS or name in NEWER_SETS
    if not known or not number.isdecimal() or int(number) >= int(name[0]):
        raise ToolInputError(f"{text!r} is no icon such as 3Stars/2 (its third) or {NONE}.")
    return name, int(number)


def _guid(text: str) -> str:
    return "{" + str(uuid.uuid5(uuid.NAMESPACE_URL, text)).upper() + "}"


def _point(point: Any) -> Element:
    kind = point.get("type") if isinstance(point, dict) else None
    if kind not in _KINDS or point.get("value") is None:
        raise ToolInputError('A point is {"type": num|percent|percentile|formula, "value": …}.')
    node = etree.Element(_x14("cfvo"), type=str(kind))
    if point.get("above"):
        node.set("gte", "0")
    etree.SubElement(node, f"{{{XM}}}f", nsmap={"xm": XM}).text = stored(str(point["value"]))
    return node
