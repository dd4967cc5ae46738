"""Everything in a workbook that names a sheet: formulas of cells, names, rules, charts, links, pivot sources, controls."""

from __future__ import annotations

import html
from collections.abc import Callable

from lxml import etree

from deskmate.errors import ToolInputError
from deskmate_documents.opc import Element
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.formula import tokens
from deskmate_documents.xlsx.refs import quote_sheet, split_sheet
from deskmate_documents.xlsx.rules import XM
from deskmate_documents.xlsx.sheetpart import q
from deskmate_documents.xlsx.shiftparts import (
    CHART,
    CHART15,
    CHARTEX,
    LINKS,
    VML,
    VML_FORMULAS,
)

Change = Callable[[str, str], str]
"""(text of a formula or a plain name, where it stands) → the text afterwards."""

_TEXTS = frozenset(
    {q(n) for n in ("formula", "formula1", "formula2", "calculatedColumnFormula", "totalsRowFormula", "definedName")}
    | {f"{{{XM}}}f", f"{{{CHART}}}f", f"{{{CHARTEX}}}f", f"{{{CHART15}}}f", f"{{{CHART15}}}sqref"}
    | {f"{{{VML}}}{name}" for name in VML_FORMULAS}
)  # fmt: skip
_PLAIN = frozenset({q("worksheetSource"), q("rangeSet"), q("dataRef")})
_F = q("f")
_UNREAD = (
    "sharedStrings",
    "pivotCacheRecords",
    "/theme",
    "/styles",
    "/metadata",
    "docProps/",
    "customXml/",
)


def with_sheets(formula: str, change: Callable[[str], str]) -> str:
    """Return a formula in which each sheet that it names, also an end of `First:Last`, went through `change`."""
    out = []
    for token in tokens(formula) if "!" in formula else ():
        text = token.text
        if token.kind in ("ref", "name", "broken") and "!" in text:
            end = text.removesuffix("#REF!").rindex("!")
            prefix, rest = text[:end], text[end + 1 :]
            names = split_sheet(f"{prefix}!A1")[0]
            if names and "[" not in names:
                ends = names.split(":")
                now = [change(name) for name in ends]
                text = text if now == ends else f"{_prefix(now)}!{rest}"
        out.append(text)
    return "".join(out) if out else formula


def _prefix(names: list[str]) -> str:
    quoted = [quote_sheet(name) for name in names]
    if len(quoted) == 1 or not any(name.startswith("'") for name in quoted):
        return ":".join(quoted)
    return "'" + ":".join(name.replace("'", "''") for name in names) + "'"


def may_name(data: bytes, name: str) -> bool:
    """Say whether XML holds a sheet's name in any of the ways in which it may be written."""
    text = html.unescape(data.decode("utf-8", "replace")).lower()
    return name.lower() in text or name.replace("'", "''").lower() in text


def change_parts(book: Workbook, name: str, change: Change) -> None:
    """Let everything but cells that may name a sheet go through `change`; what stays the same keeps its bytes.

    Raises:
        ToolInputError: a part that names it cannot be read.
    """
    sheets = {sheet.part: sheet for sheet in book.sheets if sheet.kind == "worksheet"}
    for part in book.package.names:
        if not part.lower().endswith((".xml", ".rels", ".vml")) or part == book.main:
            continue
        if any(word in part for word in _UNREAD) or not may_name(book.package.read(part), name):
            continue
        if part in sheets:
            _change_frame(book, part, change)
        else:
            _change_part(book, part, change)
    _walk(book.root, "the workbook", change)


def _change_part(book: Workbook, part: str, change: Change) -> None:
    root = book.package.parse(part)
    before = etree.tostring(root)
    if part.endswith(".rels"):
        for node in root:
            target = node.get("Target", "")
            if target.startswith("#"):
                node.set("Target", "#" + _link(target[1:], "a link", change))
    else:
        _walk(root, part.rpartition("/")[2].removesuffix(".xml"), change)
    if etree.tostring(root) != before:
        if part.lower().endswith(".vml"):
            book.package.write(part, etree.tostring(root))
        else:
            book.package.write_xml(part, root)


def _change_frame(book: Workbook, part: str, change: Change) -> None:
    sheet = next(sheet for sheet in book.sheets if sheet.part == part)
    rows = book.part(sheet)
    frame = rows.skeleton()
    before = etree.tostring(frame)
    _walk(frame, sheet.name, change)
    if etree.tostring(frame) != before:
        book.package.write(part, rows.patched({}, frame))
        book.forget(sheet)


def _walk(root: Element, label: str, change: Change) -> None:
    for node in root.iter():
        if not isinstance(node.tag, str):
            continue
        if node.tag in _TEXTS and node.text:
            where = f"the name {node.get('name')}" if node.tag == q("definedName") else label
            node.text = change(node.text, where)
        if node.tag == q("hyperlink") and node.get("location"):
            node.set("location", _link(node.get("location"), label, change))
        for attribute in (*LINKS, "cell" if node.tag == q("parameter") else ""):
            text = node.get(attribute) if attribute else None
            if text:
                equals = "=" if text.startswith("=") else ""
                node.set(attribute, equals + change(text.removeprefix("="), label))
        if node.tag in _PLAIN and node.get("sheet"):
            node.set("sheet", _plain(node.get("sheet"), label, change))


def _link(text: str, label: str, change: Change) -> str:
    """Return the place that a link leads to; programs write it with and without quotes."""
    sheet, rest = split_sheet(text)
    named = f"{quote_sheet(sheet)}!{rest}" if sheet else text
    now = change(named, label)
    return text if now == named else now


def _plain(name: str, label: str, change: Change) -> str:
    return split_sheet(change(f"{quote_sheet(name)}!A1", label))[0]


def change_cells(book: Workbook, name: str, change: Change) -> None:
    """Let the formulas of all cells that may name a sheet go through `change`; other rows keep their bytes."""
    for sheet in book.sheets:
        data = book.package.read(sheet.part) if sheet.kind == "worksheet" else b""
        if not may_name(data, name):
            continue
        part = book.part(sheet)
        mark = b"<" + part.prefix + b"f"

        def rewrite(number: int, row: Element, label: str = sheet.name) -> int:
            for node in row.iter(_F):
                if node.text:
                    node.text = change(node.text, f"{label}, row {number}")
            return number

        def needs(number: int, row: bytes, mark: bytes = mark) -> bool:
            return mark in row and may_name(row, name)

        book.package.write(sheet.part, part.rewritten(needs, rewrite))
        book.forget(sheet)


def texts_that_name(formula: str, name: str) -> bool:
    """Say whether a formula names a sheet within a text, as INDIRECT and HYPERLINK do."""
    wanted = (f"{name}!".lower(), f"{quote_sheet(name)}!".lower())
    return any(
        mark in token.text.lower()
        for token in tokens(formula)
        if token.kind == "string"
        for mark in wanted
    )


def check_kinds(book: Workbook) -> None:
    """Raise ToolInputError for workbooks whose sheets are named in ways that are not read here."""
    if any(sheet.kind not in ("worksheet", "chartsheet") for sheet in book.sheets):
        raise ToolInputError(
            f"{book.name} has macro or dialog sheets, which name sheets in ways that are not changed here."
        )
    if any(part.startswith(("xl/revisions/", "xl/model/")) for part in book.package.names):
        raise ToolInputError(
            f"{book.name} has a record of shared changes or a data model, which name its sheets."
        )
