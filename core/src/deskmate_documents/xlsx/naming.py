"""Changes of the workbook's own parts: defined names, the calculation chain, calculation on opening."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from lxml import etree

from deskmate.errors import ToolInputError
from deskmate_documents.opc import Element
from deskmate_documents.xlsx.book import Sheet, Workbook
from deskmate_documents.xlsx.formula import stored
from deskmate_documents.xlsx.refs import Place, name_of
from deskmate_documents.xlsx.sheetpart import q

_NAME = re.compile(r"[^\W\d][\w.\\]{0,254}")
_LIKE_A_CELL = re.compile(r"(?i)[a-z]{1,3}\d{1,7}|r\d*c\d*|r|c")
_BEFORE_NAMES = (
    "fileVersion", "fileSharing", "workbookPr", "workbookProtection", "bookViews", "sheets", "functionGroups",
    "externalReferences",
)  # fmt: skip
_BEFORE_CALC = (*_BEFORE_NAMES, "definedNames")


def set_name(book: Workbook, edit: Mapping[str, Any]) -> str:
    """Add, change or (with `refers_to` null) delete a defined name; return its name.

    Raises:
        ToolInputError: it cannot be a name, or the one to delete is not there.
    """
    name, scope = str(edit.get("name", "")), str(edit.get("sheet", ""))
    if not _NAME.fullmatch(name) or _LIKE_A_CELL.fullmatch(name):
        raise ToolInputError(
            f"{name[:60]!r} cannot be a name: letters, digits, _ and ., not like a cell."
        )
    if "refers_to" not in edit:
        raise ToolInputError("refers_to is missing; null deletes the name.")
    local = str(book.sheet(scope).number) if scope else None
    group = book.root.find(q("definedNames"))
    known = _find(group, name, local)
    if edit["refers_to"] is None:
        if known is None:
            raise ToolInputError(f"There is no name {name}.")
        group.remove(known)
        if not len(group):
            book.root.remove(group)
        return name
    text = stored(str(edit["refers_to"]))
    if known is None:
        if group is None:
            group = etree.Element(q("definedNames"))
            insert_after(book.root, group, _BEFORE_NAMES)
        known = etree.SubElement(group, q("definedName"), name=name)
        if local is not None:
            known.set("localSheetId", local)
    known.text = text
    return name


def _find(group: Element | None, name: str, local: str | None) -> Element | None:
    for node in group if group is not None else ():
        if node.get("name", "").lower() == name.lower() and node.get("localSheetId") == local:
            return node
    return None


def insert_after(root: Element, node: Element, before: Iterable[str]) -> None:
    """Insert an element behind the last one of those names."""
    tags = {q(name) for name in before}
    place = 0
    for number, child in enumerate(root, 1):
        if child.tag in tags:
            place = number
    root.insert(place, node)


def calculate_on_load(book: Workbook) -> None:
    """Have the file calculated when it is opened; stored results of formulas may be old until then."""
    node = book.root.find(q("calcPr"))
    if node is None:
        node = etree.Element(q("calcPr"), calcId="0")
        del node.attrib["calcId"]
        insert_after(book.root, node, _BEFORE_CALC)
    node.set("fullCalcOnLoad", "1")


def calculated(book: Workbook) -> None:
    """Take back that the file is to be calculated when it is opened: every stored result is right."""
    node = book.root.find(q("calcPr"))
    if node is not None:
        node.attrib.pop("fullCalcOnLoad", None)


def drop_chain(book: Workbook) -> None:
    """Take the calculation chain out, which programs write anew."""
    for part in book.package.related(book.main, "calcChain"):
        book.package.remove(part)


def drop_from_chain(book: Workbook, cells: Iterable[tuple[Sheet, Place]]) -> None:
    """Take cells that lost their formula out of the calculation chain; Excel repairs files that keep them."""
    parts = book.package.related(book.main, "calcChain")
    if not parts:
        return
    ids = {
        node.get("name", ""): node.get("sheetId", "")
        for node in book.root.iterfind(f"{q('sheets')}/{q('sheet')}")
    }
    gone = {(ids.get(sheet.name, ""), name_of(place)) for sheet, place in cells}
    root = book.package.parse(parts[0])
    current, kept, removed = "", "", False
    for node in list(root):
        current = node.get("i", current)
        if (current, node.get("r", "")) in gone:
            root.remove(node)
            removed = True
            continue
        if current != kept:
            node.set("i", current)
        kept = current
    if not len(root):
        book.package.remove(parts[0])
    elif removed:
        book.package.write_xml(parts[0], root)
