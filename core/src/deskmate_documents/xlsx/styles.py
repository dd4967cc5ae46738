"""A workbook's styles: number formats of cells, what kind of figure they show, and new styles appended."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from lxml import etree

from deskmate.errors import ToolInputError
from deskmate_documents.opc import Element, canonical
from deskmate_documents.xlsx.sheetpart import q

BUILT_IN = {
    0: "General", 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00",
    12: "# ?/?", 13: "# ??/??", 14: "mm-dd-yy", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM",
    19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss", 22: "m/d/yy h:mm", 37: "#,##0 ;(#,##0)",
    38: "#,##0 ;[Red](#,##0)", 39: "#,##0.00;(#,##0.00)", 40: "#,##0.00;[Red](#,##0.00)", 45: "mm:ss",
    46: "[h]:mm:ss", 47: "mmss.0", 48: "##0.0E+0", 49: "@",
}  # fmt: skip
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h|m|s)[^\]]*\]', re.IGNORECASE)
_CURRENCY = re.compile(r"\[\$([^\]\-]+)(?:-[^\]]*)?\]|([€£¥$₹]|CHF|USD|EUR|GBP)")
_FONT = (
    "b", "i", "strike", "condense", "extend", "outline", "shadow", "u", "vertAlign", "sz", "color", "name", "family",
    "charset", "scheme",
)  # fmt: skip
"""The order in which Excel writes what a font is."""
_LOOKS = {
    "bold": ("b", "1", "0"), "italic": ("i", "1", "0"), "strike": ("strike", "1", "0"), "underline": ("u", "single", "none"),
}  # fmt: skip
_CHILDREN = {
    "fonts": ("font", "fontId"),
    "fills": ("fill", "fillId"),
    "borders": ("border", "borderId"),
}


class Styles:
    """The style part. `changed`: whether something was appended."""

    def __init__(self, root: Element) -> None:
        """Read number formats; `root`: the styleSheet element."""
        self.root = root
        self.changed = False
        self._codes = dict(BUILT_IN)
        for node in root.iterfind(f"{q('numFmts')}/{q('numFmt')}"):
            if node.get("numFmtId", "").isdigit():
                self._codes[int(node.get("numFmtId"))] = node.get("formatCode", "")
        found = root.find(q("cellXfs"))
        self._formats = list(found.iterfind(q("xf"))) if found is not None else []

    @property
    def count(self) -> int:
        """How many cell styles there are."""
        return len(self._formats)

    def code(self, style: int) -> str:
        """Return a cell style's number format code; an unknown style is General."""
        if not 0 <= style < len(self._formats):
            return "General"
        number = self._formats[style].get("numFmtId", "0")
        return self._codes.get(int(number) if number.isdigit() else 0, "General")

    def is_locked(self, style: int) -> bool:
        """Say whether a cell of this style is locked on a protected sheet."""
        if not 0 <= style < len(self._formats):
            return True
        node = self._formats[style].find(q("protection"))
        return node is None or node.get("locked", "1") not in ("0", "false")

    def meaning(self, style: int) -> str:
        """Return all that a style says, in a form that does not depend on its number."""
        if not 0 <= style < len(self._formats):
            return ""
        xf = self._formats[style]
        parts = [self.code(style)]
        for group, (_, attribute) in _CHILDREN.items():
            nodes = self.root.find(q(group))
            index = int(xf.get(attribute, "0") or 0)
            if nodes is not None and 0 <= index < len(nodes):
                parts.append(canonical(nodes[index]).decode())
        parts += [canonical(child).decode() for child in xf]
        return "|".join(parts)

    def derived(self, style: int, wanted: Mapping[str, Any]) -> int:
        """Return the number of a style like `style` with these differences, appended if it is new.

        Args:
            style: number of the cell's present style.
            wanted: any of `number_format`, `bold`, `italic`, `color`, `fill` (RRGGBB), `align`, `wrap`, `locked`.

        Raises:
            ToolInputError: an unknown difference or a colour that is none.
        """
        unknown = set(wanted) - {
            "number_format", "bold", "italic", "color", "fill", "align", "wrap", "locked",
        }  # fmt: skip
        if unknown:
            raise ToolInputError(f"A style has no {', '.join(sorted(unknown))}.")
        group = self.root.find(q("cellXfs"))
        if group is None:
            raise ToolInputError("The workbook has no cell styles to derive one from.")
        xf = (
            copy.deepcopy(self._formats[style])
            if style < len(self._formats)
            else etree.Element(q("xf"))
        )
        if "number_format" in wanted:
            xf.set("numFmtId", str(self.number_format(str(wanted["number_format"]))))
            xf.set("applyNumberFormat", "1")
        if {"bold", "italic", "color"} & set(wanted):
            xf.set("fontId", str(self._font(int(xf.get("fontId", "0")), wanted)))
            xf.set("applyFont", "1")
        if "fill" in wanted:
            xf.set("fillId", str(self._fill(colour(wanted["fill"]))))
            xf.set("applyFill", "1")
        _align(xf, wanted)
        for number, known in enumerate(self._formats):
            if canonical(known) == canonical(xf):
                return number
        return self._append(group, xf, self._formats)

    def _append(self, group: Element, node: Element, known: list[Element]) -> int:
        group.append(node)
        known.append(node)
        return self._counted(group)

    def _counted(self, group: Element) -> int:
        group.set("count", str(len(group)))
        self.changed = True
        return len(group) - 1

    def number_format(self, code: str) -> int:
        """Return the number of a number format, appended if it is new.

        Raises:
            ToolInputError: it is empty or too long.
        """
        if not code or len(code) > 255:
            raise ToolInputError("A number format must have 1 to 255 characters.")
        for number, known in self._codes.items():
            if known == code:
                return number
        group = self.root.find(q("numFmts"))
        if group is None:
            group = etree.Element(q("numFmts"))
            self.root.insert(0, group)
        number = max([163, *self._codes]) + 1
        etree.SubElement(group, q("numFmt"), numFmtId=str(number), formatCode=code)
        self._codes[number] = code
        self._counted(group)
        return number

    def _font(self, index: int, wanted: Mapping[str, Any]) -> int:
        group = self.root.find(q("fonts"))
        if group is None or not 0 <= index < len(group):
            raise ToolInputError("The workbook's fonts are damaged.")
        font = copy.deepcopy(group[index])
        for key, tag in (("bold", "b"), ("italic", "i")):
            if key in wanted:
                for old in font.findall(q(tag)):
                    font.remove(old)
                if wanted[key]:
                    font.insert(0, etree.Element(q(tag)))
        if "color" in wanted:
            _set_colour(font, colour(wanted["color"]))
        order = {q(tag): number for number, tag in enumerate(_FONT)}
        font[:] = sorted(font, key=lambda node: order.get(node.tag, len(order)))
        return self._shared(group, font)

    def _fill(self, rgb: str) -> int:
        group = self.root.find(q("fills"))
        if group is None:
            raise ToolInputError("The workbook's fills are damaged.")
        fill = etree.Element(q("fill"))
        pattern = etree.SubElement(fill, q("patternFill"), patternType="solid")
        etree.SubElement(pattern, q("fgColor"), rgb=rgb)
        etree.SubElement(pattern, q("bgColor"), indexed="64")
        return self._shared(group, fill)

    def _shared(self, group: Element, node: Element) -> int:
        wanted = canonical(node)
        for number, known in enumerate(group):
            if canonical(known) == wanted:
                return number
        group.append(node)
        return self._counted(group)

    def add_differential(self, wanted: Mapping[str, Any]) -> int:
        """Append the format that a conditional rule gives its cells; return its number (dxfId)."""
        unknown = set(wanted) - {*_LOOKS, "color", "fill", "border", "number_format"}
        if unknown or not wanted:
            raise ToolInputError(
                "A rule's format takes bold, italic, strike, underline, color, fill, border and number_format."
            )
        group = self.root.find(q("dxfs"))
        if group is None:
            group = etree.Element(q("dxfs"))
            before = self.root.find(q("cellStyles"))
            before = before if before is not None else self.root.find(q("cellXfs"))
            before.addnext(group)
        dxf = etree.Element(q("dxf"))
        _add_font(dxf, wanted)
        if "number_format" in wanted:
            code = str(wanted["number_format"])
            number = str(self.number_format(code))
            etree.SubElement(dxf, q("numFmt"), numFmtId=number, formatCode=code)
        if "fill" in wanted:
            fill = etree.SubElement(dxf, q("fill"))
            pattern = etree.SubElement(fill, q("patternFill"), patternType="solid")
            etree.SubElement(pattern, q("bgColor"), rgb=colour(wanted["fill"]))
        if "border" in wanted:
            _add_border(dxf, colour(wanted["border"]))
        return self._shared(group, dxf)


def _add_font(dxf: Element, wanted: Mapping[str, Any]) -> None:
    if not {*_LOOKS, "color"} & set(wanted):
        return
    font = etree.SubElement(dxf, q("font"))
    for key, (tag, on, off) in _LOOKS.items():
        if key in wanted:
            etree.SubElement(font, q(tag), val=on if wanted[key] else off)
    if "color" in wanted:
        etree.SubElement(font, q("color"), rgb=colour(wanted["color"]))


def _add_border(dxf: Element, rgb: str) -> None:
    border = etree.SubElement(dxf, q("border"))
    for side in ("left", "right", "top", "bottom"):
        etree.SubElement(etree.SubElement(border, q(side), style="thin"), q("color"), rgb=rgb)


def _set_colour(font: Element, rgb: str) -> None:
    for old in font.findall(q("color")):
        font.remove(old)
    place = next(
        (
            n
            for n, c in enumerate(font)
            if c.tag in (q("name"), q("family"), q("charset"), q("scheme"))
        ),
        len(font),
    )
    font.insert(place, etree.Element(q("color"), rgb=rgb))


def _align(xf: Element, wanted: Mapping[str, Any]) -> None:
    if {"align", "wrap"} & set(wanted):
        node = xf.find(q("alignment"))
        if node is None:
            node = etree.Element(q("alignment"))
            xf.insert(0, node)
        if "align" in wanted:
            if wanted["align"] not in ("left", "right", "center", "general"):
                raise ToolInputError("align is left, right, center or general.")
            node.set("horizontal", str(wanted["align"]))
        if "wrap" in wanted:
            node.set("wrapText", "1" if wanted["wrap"] else "0")
        xf.set("applyAlignment", "1")
    if "locked" in wanted:
        node = xf.find(q("protection"))
        if node is None:
            node = etree.Element(q("protection"))
            alignment = xf.find(q("alignment"))
            xf.insert(0 if alignment is None else 1, node)
        node.set("locked", "1" if wanted["locked"] else "0")
        xf.set("applyProtection", "1")


def colour(value: Any) -> str:
    """Return a colour as files store it (FFRRGGBB).

    Raises:
        ToolInputError: it is not RRGGBB.
    """
    text = str(value).lstrip("#").upper()
    if not re.fullmatch(r"(?:FF)?[0-9A-F]{6}", text):
        raise ToolInputError(f"{value!r} is not a colour such as C00000 (red, green, blue).")
    return "FF" + text[-6:]


def is_date(code: str) -> bool:
    """Say whether a number format shows a date or time."""
    first = _LITERAL.sub("", code).split(";")[0].replace("General", "")
    return bool(re.search(r"[dmyhs]", first, re.IGNORECASE)) and "@" not in first


def unit_of(code: str) -> str:
    """Return the unit that a number format shows: a currency, "%", or ""."""
    if found := _CURRENCY.search(code.replace("[Red]", "")):
        return (found[1] or found[2]).strip()
    return "%" if "%" in _LITERAL.sub("", code) else ""
