"""Changes of conditional formats that are there: every kind keeps what a change does not name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lxml import etree

from deskmate.errors import ToolInputError
from deskmate_documents.graphics import is_figure
from deskmate_documents.opc import Element
from deskmate_documents.xlsx.formula import stored
from deskmate_documents.xlsx.iconsets import is_newer_set
from deskmate_documents.xlsx.refs import name_of, parse_area, parse_areas
from deskmate_documents.xlsx.rules import (
    OPERATORS,
    PERIOD,
    SCALES,
    STATES,
    TEXTS,
    X14,
    XM,
    Rule,
    fill,
    insert,
    point_of,
    rules,
)
from deskmate_documents.xlsx.sheetpart import q
from deskmate_documents.xlsx.styles import Styles, colour

_ANY = frozenset({"cells", "formulas", "operator", "format", "colors", "stop"})
_OWN = {
    "top10": ("rank", "percent", "bottom"),
    "aboveAverage": ("below", "equal", "deviations"),
    PERIOD: ("period",),
    "iconSet": ("icons", "points", "reverse", "icons_only"),
    "colorScale": ("points",),
    "dataBar": ("points",),
    **dict.fromkeys(TEXTS, ("text",)),
}
"""What else can be changed, by kind."""
_WRITTEN = frozenset({*TEXTS, PERIOD})
"""Kinds that say in an attribute what they look for, and keep a formula beside it."""
_STORED = (
    "rank",
    "percent",
    "bottom",
    "aboveAverage",
    "equalAverage",
    "stdDev",
    "operator",
    "text",
    "timePeriod",
)
_AUTOMATIC = {"min": "autoMin", "max": "autoMax"}


def change_rule(skeleton: Element, rule: Rule, wanted: Mapping[str, Any], styles: Styles) -> None:
    """Change a rule: its cells, formulas (or thresholds), operator, format, colours, or what only its kind has.

    A data bar's twin for newer versions, which those versions show, changes with it.

    Raises:
        ToolInputError: an unknown change, or another number of formulas than the rule has.
    """
    own = () if rule.newer else _OWN.get(rule.kind, ())
    if not wanted or set(wanted) - {*_ANY, *own}:
        more = f", and {', '.join(own)}" if own else ""
        raise ToolInputError(
            f"Of a rule of type {rule.kind} cells, formulas, operator, format, colors and stop can be changed{more}."
        )
    twins = [each for each in rules(skeleton) if each.newer and each.node.get("id") in _ids(rule)]
    if "formulas" in wanted:
        for each in (rule, *twins):
            _set_thresholds(each, [str(text) for text in wanted["formulas"]])
    _change_look(rule, wanted, styles)
    if "cells" in wanted:
        cells = " ".join(str(parse_area(part)) for part in str(wanted["cells"]).split())
        for each in (rule, *twins):
            _move_rule(skeleton, each, cells)
    mine = {key: wanted[key] for key in own if key in wanted}
    if rule.kind in SCALES:
        _rescale(rule, twins, mine)
    elif mine or ("cells" in wanted and _names_its_cell(rule)):
        _refill(rule, mine)


def _change_look(rule: Rule, wanted: Mapping[str, Any], styles: Styles) -> None:
    if "operator" in wanted:
        _new_operator(rule, str(wanted["operator"]))
    if "format" in wanted:
        _reformat(rule, dict(wanted["format"]), styles)
    if "colors" in wanted:
        _recolour(rule.node, list(wanted["colors"]))
    if "stop" in wanted:
        _flag(rule.node, "stopIfTrue", on="1" if wanted["stop"] else "")


def _names_its_cell(rule: Rule) -> bool:
    """Say whether a rule keeps, beside what it is, a formula that names the first of its cells."""
    words = rule.node.get("text") or rule.node.get("timePeriod")
    return not rule.newer and (rule.kind in STATES or (rule.kind in _WRITTEN and bool(words)))


def _ids(rule: Rule) -> set[str]:
    return {node.text for node in rule.node.iter(f"{{{X14}}}id") if node.text}


def _flag(node: Element, name: str, *, on: str) -> None:
    if on:
        node.set(name, on)
    else:
        node.attrib.pop(name, None)


def _reformat(rule: Rule, wanted: Mapping[str, Any], styles: Styles) -> None:
    if rule.newer:
        raise ToolInputError(
            "The format of this newer kind of rule cannot be changed; add a new rule."
        )
    rule.node.set("dxfId", str(styles.add_differential(dict(wanted))))


def _refill(rule: Rule, wanted: Mapping[str, Any]) -> None:
    """Write anew what a rule of ranks, texts or periods is stored with; what is not named stays."""
    node, known = rule.node, _described(rule)
    if "deviations" in wanted or "equal" in wanted:
        known.pop("equal" if "deviations" in wanted else "deviations", None)
    given = {key: value for key, value in {**known, **wanted}.items() if value is not None}
    sqref = parse_areas(node.getparent().get("sqref", ""))
    fresh = etree.Element(node.tag)
    fill(fresh, rule.kind, given, name_of((sqref[0].top, sqref[0].left)) if sqref else "A1")
    for name in _STORED:
        _flag(node, name, on=fresh.get(name, ""))
    for old in node.findall(q("formula")):
        node.remove(old)
    for place, new in enumerate(list(fresh)):
        node.insert(place, new)


def _described(rule: Rule) -> dict[str, Any]:
    """Return what a rule is, in the words that make it."""
    node = rule.node
    if rule.kind == "top10":
        rank = node.get("rank", "10")
        on = {name: node.get(name) in ("1", "true") for name in ("percent", "bottom")}
        return {"rank": int(rank) if rank.isdigit() else 10, **on}
    if rule.kind == "aboveAverage":
        deviations = node.get("stdDev", "")
        return {
            "below": node.get("aboveAverage") in ("0", "false"),
            "equal": node.get("equalAverage") in ("1", "true"),
            "deviations": int(deviations) if deviations in ("1", "2", "3") else None,
        }
    return {"text": node.get("text", ""), "period": node.get("timePeriod", "")}


def _rescale(rule: Rule, twins: Sequence[Rule], wanted: Mapping[str, Any]) -> None:
    """Give a colour scale, data bar or icon set other points or icons."""
    body = rule.node.find(q(rule.kind))
    if not wanted or body is None:
        return
    if "icons" in wanted:
        _new_icons(body, wanted["icons"])
    for name, attribute, on in (("reverse", "reverse", "1"), ("icons_only", "showValue", "0")):
        if name in wanted:
            _flag(body, attribute, on=on if wanted[name] else "")
    if "points" not in wanted:
        return
    old, points = body.findall(q("cfvo")), list(wanted["points"])
    if len(points) != len(old):
        raise ToolInputError(f"This {rule.kind} needs {len(old)} points.")
    for node, point in zip(old, points, strict=True):
        fresh = point_of(point)
        body.replace(node, fresh)
    for twin in twins:
        places = list(twin.node.iter(f"{{{X14}}}cfvo"))
        for place, node in zip(places, body.findall(q("cfvo")), strict=len(places) == len(old)):
            _set_newer_point(place, node.get("type", ""), node.get("val"))


def _new_icons(body: Element, icons: Any) -> None:
    count = len(body.findall(q("cfvo")))
    fresh = etree.Element(q("cfRule"))
    if is_newer_set(icons):
        raise ToolInputError(
            "These icons are of a newer kind of rule; remove this one and add a new one."
        )
    fill(fresh, "iconSet", {"icons": icons}, "A1")
    made = fresh.find(q("iconSet"))
    if len(made) != count:
        for node in body.findall(q("cfvo")):
            body.remove(node)
        body.extend(list(made))
    body.set("iconSet", str(icons))


def _set_newer_point(place: Element, kind: str, value: str | None) -> None:
    """Give an end of a data bar's twin another threshold; Excel chooses `min` and `max`, as for every new bar."""
    for old in list(place):
        place.remove(old)
    place.set("type", _AUTOMATIC.get(kind, kind))
    if value is not None:
        etree.SubElement(place, f"{{{XM}}}f", nsmap={"xm": XM}).text = value


def _new_operator(rule: Rule, operator: str) -> None:
    two = rule.operator.lower().endswith("between")
    if rule.kind != "cellIs" or operator not in OPERATORS:
        raise ToolInputError("Only a cellIs rule has an operator such as greaterThan.")
    if two != operator.lower().endswith("between"):
        raise ToolInputError("between needs two formulas, the others one; add a new rule instead.")
    rule.node.set("operator", operator)


def _recolour(node: Element, colors: Sequence[Any]) -> None:
    places = list(node.iter(q("color")))
    if len(places) != len(colors):
        raise ToolInputError(f"This rule has {len(places)} colours.")
    for place, value in zip(places, colors, strict=True):
        for attribute in list(place.attrib):
            del place.attrib[attribute]
        place.set("rgb", colour(value))


def _set_thresholds(rule: Rule, texts: Sequence[str]) -> None:
    newer_points = list(rule.node.iter(f"{{{X14}}}cfvo"))
    points = list(rule.node.iter(q("cfvo")))
    formulas = list(
        rule.node.iter(f"{{{XM}}}f") if rule.newer else rule.node.iterfind(q("formula"))
    )
    if newer_points and len(newer_points) == len(texts):
        for node, text in zip(newer_points, texts, strict=True):
            fresh = _threshold(node.get("type", ""), text)
            _set_newer_point(node, *fresh)
        return
    if len(formulas) + len(points) != len(texts):
        count = len(formulas) + len(points)
        raise ToolInputError(f"This rule has {count} formulas or thresholds; give as many.")
    for node, text in zip(formulas, texts, strict=False):
        node.text = stored(text)
    for node, text in zip(points, texts[len(formulas) :], strict=True):
        kind, value = _threshold(node.get("type", ""), text)
        node.set("type", kind)
        _flag(node, "val", on=value or "")


def _threshold(kind: str, text: str) -> tuple[str, str | None]:
    """Return (type, value) of a threshold of this type that is to be `text`; the lowest and highest have none."""
    if text in ("min", "max"):
        return text, None
    value = text.removeprefix("=")
    if kind not in ("min", "max", "autoMin", "autoMax"):
        return kind, value
    return ("num" if is_figure(value) else "formula"), value


def _move_rule(skeleton: Element, rule: Rule, cells: str) -> None:
    group = rule.node.getparent()
    if rule.newer:
        group.find(f"{{{XM}}}sqref").text = cells
    elif len(group.findall(q("cfRule"))) == 1:
        group.set("sqref", cells)
    else:
        fresh = etree.Element(q("conditionalFormatting"), sqref=cells)
        fresh.append(rule.node)
        insert(skeleton, fresh)
