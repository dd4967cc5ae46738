"""New worksheets in a workbook that is there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lxml import etree

from deskmate.errors import ToolInputError
from deskmate_documents.opc import OFFICE_RELS
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.formula import split_ref, tokens
from deskmate_documents.xlsx.refs import split_sheet
from deskmate_documents.xlsx.sheetpart import MAIN, q

if TYPE_CHECKING:
    from deskmate_documents.xlsx.edit import Editor

SHEETS_LIMIT = 250
_TITLE = re.compile(r"[^\[\]:*?/\\]{1,31}")
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSheet:
    """A worksheet that comes in. `before`: the sheet it stands before, "" for the end. `widths`: of its columns."""

    name: str
    before: str = ""
    widths: tuple[float, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"add": self.name, "before": self.before, "widths": list(self.widths)}

    @classmethod
    def from_json(cls, data: Any) -> NewSheet | None:
        """Return it for `to_json`'s shape; None for any other."""
        if not isinstance(data, Mapping) or not isinstance(data.get("add"), str):
            return None
        before, widths = data.get("before"), data.get("widths")
        listed = widths if isinstance(widths, list) else ()
        return cls(
            name=data["add"],
            before=before if isinstance(before, str) else "",
            widths=tuple(float(w) for w in listed if isinstance(w, int | float)),
        )


def check_title(name: str) -> None:
    """Raise ToolInputError for a text that cannot name a sheet."""
    if not _TITLE.fullmatch(name) or name.startswith("'") or name.endswith("'"):
        raise ToolInputError(
            f"{name[:60]!r} cannot name a sheet: 1 to 31 characters without []:*?/\\."
        )


def add_sheet(book: Workbook, new: NewSheet) -> None:
    """Put an empty worksheet into the workbook in memory.

    Raises:
        ToolInputError: its name cannot be one or is taken, or it would come between sheets that a formula reads as one.
    """
    check_title(new.name)
    group = book.root.find(q("sheets"))
    taken = {node.get("name", "").lower() for node in group}
    if new.name.lower() in taken or len(taken) >= SHEETS_LIMIT:
        raise ToolInputError(f"{book.name} has a sheet {new.name!r} already, or too many sheets.")
    at = len(group)
    if new.before:
        at = book.sheet(new.before).number
        _check_runs(book, at)
    number = max((int(node.get("sheetId", "0")) for node in group), default=0) + 1
    part = f"xl/worksheets/sheet{number}.xml"
    while part in book.package:
        part = part.replace(".xml", "x.xml")
    book.package.write_xml(part, _empty(new))
    book.package.set_content_type(part, _TYPE)
    node = etree.Element(q("sheet"), nsmap={"r": OFFICE_RELS})
    node.set("name", new.name)
    node.set("sheetId", str(number))
    rel = book.package.add_relationship(book.main, "worksheet", part)
    node.set(f"{{{OFFICE_RELS}}}id", rel)
    group.insert(at, node)
    _renumber(book, at)
    book.package.write_xml(book.main, book.root)
    for cached in ("sheets", "names", "tables"):
        book.__dict__.pop(cached, None)


def _empty(new: NewSheet) -> Any:
    root = etree.Element(q("worksheet"), nsmap={None: MAIN, "r": OFFICE_RELS})
    views = etree.SubElement(root, q("sheetViews"))
    etree.SubElement(views, q("sheetView"), workbookViewId="0")
    etree.SubElement(root, q("sheetFormatPr"), defaultRowHeight="15")
    if new.widths:
        columns = etree.SubElement(root, q("cols"))
        for number, width in enumerate(new.widths, 1):
            if not 0 < width <= 255:
                raise ToolInputError(f"{width} is no width of a column: more than 0, at most 255.")
            given = {
                "min": str(number),
                "max": str(number),
                "width": str(width),
                "customWidth": "1",
            }
            etree.SubElement(columns, q("col"), given)
    etree.SubElement(root, q("sheetData"))
    margins = {
        "left": "0.7",
        "right": "0.7",
        "top": "0.75",
        "bottom": "0.75",
        "header": "0.3",
        "footer": "0.3",
    }
    etree.SubElement(root, q("pageMargins"), margins)
    return root


def _check_runs(book: Workbook, at: int) -> None:
    """Refuse a place between sheets that a formula reads as a run, `First:Last!A1`."""
    order = [
        node.get("name", "").lower() for node in book.root.iterfind(f"{q('sheets')}/{q('sheet')}")
    ]
    texts = [value.formula for _, value in book.formulas()] + [n.refers_to for n in book.names]
    for text in texts:
        for token in tokens(text) if ":" in text else ():
            prefix = split_ref(token.text)[0] if token.kind == "ref" else ""
            first, colon, last = split_sheet(f"{prefix}A1")[0].lower().partition(":")
            if not colon or first not in order or last not in order:
                continue
            ends = sorted((order.index(first), order.index(last)))
            if ends[0] < at <= ends[1]:
                raise ToolInputError(
                    f"A formula reads {token.text}; a sheet between them would be read too. Choose another place."
                )


def _renumber(book: Workbook, at: int) -> None:
    """Have what counts sheets count as before: names of one sheet, and the sheet that is shown."""
    for node in book.root.iterfind(f"{q('definedNames')}/{q('definedName')}"):
        local = node.get("localSheetId", "")
        if local.isdigit() and int(local) >= at:
            node.set("localSheetId", str(int(local) + 1))
    for node in book.root.iterfind(f"{q('bookViews')}/{q('workbookView')}"):
        for name in ("activeTab", "firstSheet"):
            given = node.get(name, "0")
            if given.isdigit() and int(given) >= at:
                node.set(name, str(int(given) + 1))


def new_sheet(editor: Editor, edit: Mapping[str, Any]) -> None:
    """Add a worksheet: `name`, `before` (a sheet; else it comes last), `widths` of its columns.

    Raises:
        ToolInputError: as `add_sheet`, or the workbook's structure is protected.
    """
    book = editor.book
    lock = book.root.find(q("workbookProtection"))
    locked = lock is not None and lock.get("lockStructure", "0") in ("1", "true")
    if locked and not editor.allow_protected:
        raise ToolInputError(
            f"The structure of {book.name} is protected; if the user agrees, say allow_protected: true."
        )
    new = NewSheet(
        name=str(edit.get("name", "")),
        before=str(edit.get("before") or ""),
        widths=tuple(float(width) for width in edit.get("widths") or ()),
    )
    editor.flush()
    add_sheet(book, new)
    editor.declared.steps.append(new)
