"""Conditional formats and data validations of a worksheet: listed, added, changed, taken out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lxml import etree

from deskmate.errors import ToolInputError
from deskmate_documents.opc import Element
from deskmate_documents.xlsx.databars import WORDS as NEWER_BAR
from deskmate_documents.xlsx.databars import add_newer_bar
from deskmate_documents.xlsx.formula import stored
from deskmate_documents.xlsx.iconsets import (
    NEWER_SETS,
    OLDER_SETS,
    add_newer_icons,
    is_newer_set,
)
from deskmate_documents.xlsx.refs import Area, name_of, parse_areas, words
from deskmate_documents.xlsx.sheetpart import q
from deskmate_documents.xlsx.styles import Styles, colour

X14 = "http://schemas.microsoft.com/office/spreadsheetml/2009/9/main"
XM = "http://schemas.microsoft.com/office/excel/2006/main"
_ORDER_TEXT = (
    "sheetPr dimension sheetViews sheetFormatPr cols sheetData sheetCalcPr sheetProtection protectedRanges scenarios "
    "autoFilter sortState dataConsolidate customSheetViews mergeCells phoneticPr conditionalFormatting "
    "dataValidations hyperlinks printOptions pageMargins pageSetup headerFooter rowBreaks colBreaks "
    "customProperties cellWatches ignoredErrors smartTags drawing legacyDrawing legacyDrawingHF drawingHF picture "
    "oleObjects controls webPublishItems tableParts extLst"
)
ORDER = _ORDER_TEXT.split()
OPERATORS = words(
    "lessThan lessThanOrEqual equal notEqual greaterThanOrEqual greaterThan between notBetween"
)
_TEXTS = {
    "containsText": ("containsText", "NOT(ISERROR(SEARCH({t},{c})))"),
    "notContainsText": ("notContains", "ISERROR(SEARCH({t},{c}))"),
    "beginsWith": ("beginsWith", "LEFT({c},LEN({t}))={t}"),
    "endsWith": ("endsWith", "RIGHT({c},LEN({t}))={t}"),
}
_STATES = {
    "containsBlanks": "LEN(TRIM({c}))=0",
    "notContainsBlanks": "LEN(TRIM({c}))>0",
    "containsErrors": "ISERROR({c})",
    "notContainsErrors": "NOT(ISERROR({c}))",
}
_PLAIN = frozenset({"duplicateValues", "uniqueValues"})
_PERIODS = {
    "today": "FLOOR({c},1)=TODAY()",
    "yesterday": "FLOOR({c},1)=TODAY()-1",
    "tomorrow": "FLOOR({c},1)=TODAY()+1",
    "last7Days": "AND(TODAY()-FLOOR({c},1)<=6,FLOOR({c},1)<=TODAY())",
    "thisWeek": "AND(TODAY()-ROUNDDOWN({c},0)<=WEEKDAY(TODAY())-1,ROUNDDOWN({c},0)-TODAY()<=7-WEEKDAY(TODAY()))",
    "lastWeek": "AND(TODAY()-ROUNDDOWN({c},0)>=(WEEKDAY(TODAY())),TODAY()-ROUNDDOWN({c},0)<(WEEKDAY(TODAY())+7))",
    "nextWeek": "AND(ROUNDDOWN({c},0)-TODAY()>(7-WEEKDAY(TODAY())),ROUNDDOWN({c},0)-TODAY()<(15-WEEKDAY(TODAY())))",
    "thisMonth": "AND(MONTH({c})=MONTH(TODAY()),YEAR({c})=YEAR(TODAY()))",
    "lastMonth": "AND(MONTH({c})=MONTH(EDATE(TODAY(),0-1)),YEAR({c})=YEAR(EDATE(TODAY(),0-1)))",
    "nextMonth": "AND(MONTH({c})=MONTH(EDATE(TODAY(),0+1)),YEAR({c})=YEAR(EDATE(TODAY(),0+1)))",
}
TEXTS, STATES, PERIOD = frozenset(_TEXTS), frozenset(_STATES), "timePeriod"
SCALES = frozenset({"colorScale", "dataBar", "iconSet"})
_POINTS = words("min max num percent percentile formula")
_VALIDATIONS = words("whole decimal list date time textLength custom")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A conditional format. `number`: from 1 in the order of the sheet. `node`: its cfRule element."""

    number: int
    cells: str
    kind: str
    operator: str
    formulas: tuple[str, ...]
    newer: bool
    node: Element


def rules(skeleton: Element) -> tuple[Rule, ...]:
    """Return the conditional formats of a worksheet, those of Excel 2010 and later last."""
    found: list[Rule] = []
    for group in skeleton.iterfind(q("conditionalFormatting")):
        for node in group.iterfind(q("cfRule")):
            texts = [f.text or "" for f in node.iterfind(q("formula"))]
            texts += [c.get("val", c.get("type", "")) for c in node.iter(q("cfvo"))]
            found.append(_rule(len(found) + 1, group.get("sqref", ""), node, texts, newer=False))
    for group in skeleton.iter(f"{{{X14}}}conditionalFormatting"):
        sqref = group.findtext(f"{{{XM}}}sqref") or ""
        for node in group.iterfind(f"{{{X14}}}cfRule"):
            texts = [f.text or "" for f in node.iter(f"{{{XM}}}f")]
            found.append(_rule(len(found) + 1, sqref, node, texts, newer=True))
    return tuple(found)


def _rule(number: int, cells: str, node: Element, texts: Sequence[str], *, newer: bool) -> Rule:
    return Rule(
        number=number,
        cells=cells,
        kind=node.get("type", ""),
        operator=node.get("operator", ""),
        formulas=tuple(texts),
        newer=newer,
        node=node,
    )


def insert(skeleton: Element, node: Element) -> None:
    """Put a child of the worksheet where the format wants it: after its equals, before what comes later."""
    rank = {q(name): number for number, name in enumerate(ORDER)}
    mine = rank[node.tag]
    place = 0
    for number, child in enumerate(skeleton, 1):
        if rank.get(child.tag, mine if child.tag.endswith("}AlternateContent") else 99) <= mine:
            place = number
    skeleton.insert(place, node)


def add_rule(skeleton: Element, area: Area, wanted: Mapping[str, Any], styles: Styles) -> None:
    """Add a conditional format before all others, as Excel does.

    Args:
        skeleton: the worksheet without its rows.
        area: the cells it is for.
        wanted: `type` and what the type needs; see the reference page.
        styles: where its format is appended.

    Raises:
        ToolInputError: an unknown type or something missing.
    """
    node = etree.Element(q("cfRule"))
    kind = str(wanted.get("type", ""))
    node.set("type", kind)
    if kind == "iconSet" and is_newer_set(wanted.get("icons")):
        _make_room(skeleton)
        add_newer_icons(skeleton, area, wanted)
        return
    fill(node, kind, wanted, name_of((area.top, area.left)))
    if "format" in wanted and kind not in SCALES:
        node.set("dxfId", str(styles.add_differential(dict(wanted["format"]))))
    _make_room(skeleton)
    node.set("priority", "1")
    if wanted.get("stop"):
        node.set("stopIfTrue", "1")
    group = etree.Element(q("conditionalFormatting"), sqref=str(area))
    group.append(node)
    insert(skeleton, group)
    if kind == "dataBar" and NEWER_BAR & wanted.keys():
        add_newer_bar(skeleton, node, area, wanted)


def _make_room(skeleton: Element) -> None:
    """Have every rule come after one that is new."""
    for known in rules(skeleton):
        given = known.node.get("priority", "")
        if given.lstrip("-").isdigit():
            known.node.set("priority", str(int(given) + 1))


def fill(node: Element, kind: str, wanted: Mapping[str, Any], cell: str) -> None:
    """Write what a rule of this kind is stored with into its empty element; `cell`: the first of its cells.

    Raises:
        ToolInputError: an unknown kind, or something missing.
    """
    formulas = [stored(str(text)) for text in wanted.get("formulas", ())]
    if kind == "cellIs":
        _operator(node, wanted, formulas)
    elif kind == "expression":
        if len(formulas) != 1:
            raise ToolInputError("A rule of type expression needs one formula in formulas.")
    elif kind in _TEXTS or kind in _STATES or kind == "timePeriod":
        formulas = [_written(node, kind, wanted, cell)]
    elif kind in ("top10", "aboveAverage"):
        _ranked(node, kind, wanted)
    elif kind in ("colorScale", "dataBar", "iconSet"):
        _scale(node, kind, wanted)
    elif kind not in _PLAIN:
        raise ToolInputError(
            "type is cellIs, expression, colorScale, dataBar, iconSet, top10, aboveAverage, timePeriod, "
            + ", ".join((*sorted(_PLAIN), *_TEXTS, *_STATES))
            + "."
        )
    for text in formulas:
        etree.SubElement(node, q("formula")).text = text


def _written(node: Element, kind: str, wanted: Mapping[str, Any], cell: str) -> str:
    """Return the formula that a kind of rule is stored with beside its attributes, which are set."""
    if kind in _STATES:
        return _STATES[kind].format(c=cell)
    if kind == "timePeriod":
        period = str(wanted.get("period", ""))
        if period not in _PERIODS:
            raise ToolInputError(f"period is one of {', '.join(_PERIODS)}.")
        node.set("timePeriod", period)
        return _PERIODS[period].format(c=cell)
    operator, pattern = _TEXTS[kind]
    text = str(wanted.get("text", ""))
    if not text:
        raise ToolInputError(f"A rule of type {kind} needs text.")
    node.set("operator", operator)
    node.set("text", text)
    return pattern.format(c=cell, t='"' + text.replace('"', '""') + '"')


def _operator(node: Element, wanted: Mapping[str, Any], formulas: Sequence[str]) -> None:
    operator = str(wanted.get("operator", ""))
    needed = 2 if operator.lower().endswith("between") else 1
    if operator not in OPERATORS or len(formulas) != needed:
        raise ToolInputError(
            f"cellIs needs operator ({', '.join(sorted(OPERATORS))}) and formulas: one, or two for between."
        )
    node.set("operator", operator)


def _ranked(node: Element, kind: str, wanted: Mapping[str, Any]) -> None:
    if kind == "top10":
        rank = wanted.get("rank", 10)
        if not isinstance(rank, int) or not 1 <= rank <= 1000:
            raise ToolInputError("rank is a whole number from 1 to 1000.")
        node.set("rank", str(rank))
        for name in ("percent", "bottom"):
            if wanted.get(name):
                node.set(name, "1")
        return
    if wanted.get("below"):
        node.set("aboveAverage", "0")
    if wanted.get("equal"):
        node.set("equalAverage", "1")
    deviations = wanted.get("deviations")
    if deviations is not None:
        if deviations not in (1, 2, 3) or wanted.get("equal"):
            raise ToolInputError("deviations is 1, 2 or 3 standard deviations, without equal.")
        node.set("stdDev", str(deviations))


def _scale(node: Element, kind: str, wanted: Mapping[str, Any]) -> None:
    points = list(wanted.get("points", ()))
    colors = [colour(value) for value in wanted.get("colors", ())]
    body = etree.SubElement(node, q(kind))
    if kind == "iconSet":
        icons = str(wanted.get("icons", "3TrafficLights1"))
        if icons not in OLDER_SETS:
            known = ", ".join(sorted((*OLDER_SETS, *NEWER_SETS)))
            raise ToolInputError(f"icons is one of {known}, or a list such as 3Stars/2, NoIcons.")
        body.set("iconSet", icons)
        count = int(icons[0])
        points = points or [{"type": "percent", "value": n * 100 // count} for n in range(count)]
        for name, attribute in (("reverse", "reverse"), ("icons_only", "showValue")):
            if wanted.get(name):
                body.set(attribute, "1" if name == "reverse" else "0")
        colors = []
    else:
        points = (
            points or ["min", "max"]
            if len(colors) < 3
            else points or ["min", {"type": "percentile", "value": 50}, "max"]
        )
        count = 2 if kind == "dataBar" else len(colors)
        if (kind == "colorScale" and count not in (2, 3)) or (
            kind == "dataBar" and len(colors) != 1
        ):
            raise ToolInputError("colors: two or three for a colorScale, one for a dataBar.")
    if len(points) != count:
        raise ToolInputError(f"This {kind} needs {count} points.")
    for point in points:
        body.append(point_of(point))
    for rgb in colors:
        etree.SubElement(body, q("color"), rgb=rgb)


def point_of(point: Any) -> Element:
    """Return a threshold as it is stored: "min", "max" or {type, value, above: more than it, not as much}.

    Raises:
        ToolInputError: it is none of these.
    """
    kind, value = (
        (point.get("type"), point.get("value")) if isinstance(point, dict) else (point, None)
    )
    if kind not in _POINTS or (value is None) != (kind in ("min", "max")):
        raise ToolInputError(
            'A point is "min", "max" or {"type": num|percent|percentile|formula, "value": …}.'
        )
    node = etree.Element(q("cfvo"), type=str(kind))
    if value is not None:
        node.set("val", stored(str(value)) if kind == "formula" else str(value))
    if isinstance(point, dict) and point.get("above"):
        node.set("gte", "0")
    return node


def numbered(skeleton: Element, number: Any) -> Rule:
    """Return the rule of this number.

    Raises:
        ToolInputError: there is none.
    """
    known = rules(skeleton)
    if not isinstance(number, int) or not 1 <= number <= len(known):
        raise ToolInputError(
            f"The sheet has {len(known)} conditional formats; there is no number {number}."
        )
    return known[number - 1]


def remove_rule(skeleton: Element, rule: Rule) -> None:
    """Take a rule out, with its twin for newer versions, and its group if it was the last."""
    twins = {node.text for node in rule.node.iter(f"{{{X14}}}id") if node.text}
    for node in [
        rule.node,
        *(r.node for r in rules(skeleton) if r.newer and r.node.get("id") in twins),
    ]:
        group = node.getparent()
        group.remove(node)
        if not any(str(n.tag).endswith("}cfRule") for n in group):
            _prune(skeleton, group)


def _prune(skeleton: Element, node: Element) -> None:
    """Take a node out, and whatever held nothing else."""
    holder = node.getparent()
    holder.remove(node)
    if holder is not skeleton and len(holder) == 0:
        _prune(skeleton, holder)


def validations(skeleton: Element) -> Iterator[tuple[str, Element]]:
    """Yield (cells, element) of each data validation, also those that refer to other sheets."""
    for node in skeleton.iterfind(f"{q('dataValidations')}/{q('dataValidation')}"):
        yield node.get("sqref", ""), node
    for node in skeleton.iter(f"{{{X14}}}dataValidation"):
        yield node.findtext(f"{{{XM}}}sqref") or "", node


def add_validation(skeleton: Element, area: Area, wanted: Mapping[str, Any]) -> None:
    """Add a data validation; `wanted`: type, operator, formulas, blank, prompt, error, stop.

    Raises:
        ToolInputError: an unknown type or operator, or the cells have a validation already.
    """
    for cells, _ in validations(skeleton):
        if any(area.meets(known) for known in parse_areas(cells)):
            raise ToolInputError(f"{area} has a validation already ({cells}); remove that first.")
    node = _validation(area, wanted)
    group = skeleton.find(q("dataValidations"))
    if group is None:
        group = etree.Element(q("dataValidations"))
        insert(skeleton, group)
    group.append(node)
    group.set("count", str(len(group)))


def _validation(area: Area, wanted: Mapping[str, Any]) -> Element:
    kind, operator = str(wanted.get("type", "")), str(wanted.get("operator", "between"))
    style, formulas = (
        str(wanted.get("error_style", "stop")),
        [str(t) for t in wanted.get("formulas", ())],
    )
    if kind not in _VALIDATIONS or operator not in OPERATORS:
        raise ToolInputError(f"A validation's type is one of {', '.join(sorted(_VALIDATIONS))}.")
    compared = kind not in ("list", "custom")
    needed = 2 if compared and operator.lower().endswith("between") else 1
    if len(formulas) != needed:
        raise ToolInputError(f"This validation needs {needed} formula(s).")
    if style not in ("stop", "warning", "information"):
        raise ToolInputError("error_style is stop, warning or information.")
    node = etree.Element(q("dataValidation"), type=kind)
    if style != "stop":
        node.set("errorStyle", style)
    if compared and operator != "between":
        node.set("operator", operator)
    if wanted.get("blank", True):
        node.set("allowBlank", "1")
    node.set("showInputMessage", "1")
    node.set("showErrorMessage", "1")
    for name in ("error", "prompt"):
        if wanted.get(name):
            node.set(name, str(wanted[name])[:225])
    node.set("sqref", str(area))
    for number, text in enumerate(formulas, 1):
        etree.SubElement(node, q(f"formula{number}")).text = stored(text)
    return node


def remove_validations(skeleton: Element, area: Area) -> int:
    """Take out the validations whose cells all lie within the area; return how many.

    Raises:
        ToolInputError: a validation lies within it in part, or none does.
    """
    count = 0
    for cells, node in list(validations(skeleton)):
        known = parse_areas(cells)
        inside = [(k.top, k.left) in area and (k.bottom, k.right) in area for k in known]
        if not any(area.meets(k) for k in known):
            continue
        if not all(inside):
            raise ToolInputError(
                f"The validation of {cells} reaches beyond {area}; name all of its cells."
            )
        group = node.getparent()
        group.remove(node)
        group.set("count", str(len(group)))
        if not len(group):
            _prune(skeleton, group)
        count += 1
    if not count:
        raise ToolInputError(f"{area} has no validation.")
    return count
