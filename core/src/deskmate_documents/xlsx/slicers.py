"""Slicers: the buttons that filter a table or a pivot table, as native parts of a workbook."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lxml import etree

from deskmate.errors import ToolInputError
from deskmate_documents.opc import OFFICE_RELS, Element
from deskmate_documents.xlsx.book import Sheet, Table
from deskmate_documents.xlsx.drawings import DRAWING_ML, Drawing, frame, free_part, room, xdr
from deskmate_documents.xlsx.extensions import X15, extension
from deskmate_documents.xlsx.naming import insert_after
from deskmate_documents.xlsx.pivots import Pivot, pivots
from deskmate_documents.xlsx.rules import X14
from deskmate_documents.xlsx.sheetpart import MAIN, q

if TYPE_CHECKING:
    from deskmate_documents.xlsx.edit import Editor

_SLE = "http://schemas.microsoft.com/office/drawing/2010/slicer"
_SLE15 = "http://schemas.microsoft.com/office/drawing/2012/slicer"
_A14 = "http://schemas.microsoft.com/office/drawing/2010/main"
_MC = "http://schemas.openxmlformats.org/markup-compatibility/2006"
_REL = "http://schemas.microsoft.com/office/2007/relationships"
_RID = f"{{{OFFICE_RELS}}}id"
_TABLE_CACHE = "{2F2917AC-EB37-4324-AD4E-5DD8C200BD13}"
_PIVOT_ID = "{725AE2AE-9491-48be-B2B4-4EB974FC3084}"
_CACHES = {
    True: ("{46BE6895-7355-4a93-B00E-2C351335B9C9}", X15),
    False: ("{BBE1A952-AA13-448e-AADC-164F8A28A991}", X14),
}
_LISTS = {
    True: "{3A4CF648-6AED-40f4-86FF-DC5316D8AED3}",
    False: "{A8765BA9-456A-4dab-B4F3-ACF838C121DE}",
}
"""Extensions of a worksheet that list its slicers: of tables, of pivot tables."""
_WIDTH, _HEIGHT = 3, 12
_BEFORE_NAMES = (
    "fileVersion", "fileSharing", "workbookPr", "workbookProtection", "bookViews", "sheets", "functionGroups",
    "externalReferences",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slicer:
    """What a slicer filters: a table's column, or a field of a pivot table."""

    field: str
    table: Table | None
    pivot: Pivot | None


def add_slicer(editor: Editor, edit: Mapping[str, Any]) -> None:
    """Add a slicer over `cells`: `table` and `field` (its column), or `pivot` and `field`; `caption`.

    Raises:
        ToolInputError: no such table, pivot table or field, or it has a slicer already.
    """
    sheet, area = editor.target(edit, limit=1 << 40)
    editor.flush()
    wanted = _wanted(editor, edit)
    _check_is_first(editor, wanted)
    name = _cache_name(editor, wanted.field)
    package = editor.book.package
    drawing = Drawing(editor, sheet)
    cache = free_part(editor, "xl/slicerCaches/slicerCache")
    package.write_xml(cache, _cache(editor, wanted, name))
    package.set_content_type(cache, "application/vnd.ms-excel.slicerCache+xml")
    shown = _show(editor, sheet, wanted, name, str(edit.get("caption") or wanted.field))
    _list_cache(editor, cache, is_table=wanted.table is not None)
    _name(editor, name)
    drawing.put(room(area, width=_WIDTH, height=_HEIGHT), _drawn(drawing, wanted, shown))
    editor.declared.parts.append(cache)
    editor.declared.names.append(name)
    editor.declared.caches = True
    editor.declared.add_frame(sheet.name)
    editor.workbook_changed = True
    editor.flush()


def _wanted(editor: Editor, edit: Mapping[str, Any]) -> _Slicer:
    book, field = editor.book, str(edit.get("field", ""))
    if edit.get("table"):
        table = next((t for t in book.tables if t.name.lower() == str(edit["table"]).lower()), None)
        known = table.columns if table else ()
        found = next((name for name in known if name.lower() == field.lower()), None)
        if table is None or found is None or not table.header_rows:
            raise ToolInputError(
                f"There is no table {edit['table']!r} with the column {field!r}; "
                f"{'it has ' + ', '.join(known) if table else 'tables: ' + ', '.join(t.name for t in book.tables)}."
            )
        return _Slicer(field=found, table=table, pivot=None)
    wanted = str(edit.get("pivot", "")).lower()
    pivot = next((p for p in pivots(book) if p.name.lower() == wanted), None)
    found = next((n for n in (pivot.fields if pivot else ()) if n.lower() == field.lower()), None)
    if pivot is None or found is None:
        raise ToolInputError(
            f"A slicer needs a table or a pivot table and one of its fields; there is none {edit.get('pivot')!r} "
            f"with {field!r}."
        )
    return _Slicer(field=found, table=None, pivot=pivot)


def _check_is_first(editor: Editor, wanted: _Slicer) -> None:
    """Refuse a second slicer for the same field: a workbook has one cache of each."""
    book = editor.book
    for part in book.package.related(book.main, "slicerCache"):
        root = book.package.parse(part)
        if root.get("sourceName", "").lower() != wanted.field.lower():
            continue
        if wanted.table is not None:
            table = book.package.parse(wanted.table.part).get("id")
            same = any(n.get("tableId") == table for n in root.iter(f"{{{X15}}}tableSlicerCache"))
        else:
            name = wanted.pivot.name if wanted.pivot else ""
            same = any(n.get("name") == name for n in root.iter(f"{{{X14}}}pivotTable"))
        if same:
            raise ToolInputError(f"There is a slicer for {wanted.field} already.")


def _cache_name(editor: Editor, field: str) -> str:
    stem = "Slicer_" + re.sub(r"\W", "_", field)
    taken = {name.name.lower() for name in editor.book.names}
    number, name = 0, stem
    while name.lower() in taken:
        number += 1
        name = f"{stem}{number}"
    return name


def _root(tag: str) -> Element:
    root = etree.Element(f"{{{X14}}}{tag}", nsmap={None: X14, "x": MAIN, "mc": _MC})
    root.set(f"{{{_MC}}}Ignorable", "x")
    return root


def _cache(editor: Editor, wanted: _Slicer, name: str) -> Element:
    root = _root("slicerCacheDefinition")
    root.set("name", name)
    root.set("sourceName", wanted.field)
    if wanted.table is not None:
        table = editor.book.package.parse(wanted.table.part)
        columns = list(table.iter(q("tableColumn")))
        column = columns[wanted.table.columns.index(wanted.field)]
        if _is_filtered(table, wanted.table.columns.index(wanted.field)):
            raise ToolInputError(f"The column {wanted.field} is filtered already.")
        extension = etree.SubElement(
            etree.SubElement(root, f"{{{X14}}}extLst"),
            q("ext"),
            uri=_TABLE_CACHE,
            nsmap={"x15": X15},
        )
        etree.SubElement(
            extension,
            f"{{{X15}}}tableSlicerCache",
            tableId=table.get("id"),
            column=column.get("id"),
        )
        return root
    assert wanted.pivot is not None
    _pivot_cache(editor, wanted.pivot, wanted.field, root)
    return root


def _is_filtered(table: Element, number: int) -> bool:
    return any(node.get("colId") == str(number) for node in table.iter(q("filterColumn")))


def _pivot_cache(editor: Editor, pivot: Pivot, field: str, root: Element) -> None:
    book = editor.book
    number = pivot.fields.index(field)
    definition = book.package.parse(pivot.part)
    known = definition.find(q("pivotFields"))[number]
    items = [n for n in known.iterfind(f"{q('items')}/{q('item')}") if n.get("t", "data") == "data"]
    if not items:
        raise ToolInputError(
            f"The field {field} is not laid out in {pivot.name}; use one of its rows, columns or filters."
        )
    sheets = {n.get("name"): n.get("sheetId", "") for n in book.root.iter(q("sheet"))}
    tables = etree.SubElement(root, f"{{{X14}}}pivotTables")
    etree.SubElement(
        tables, f"{{{X14}}}pivotTable", tabId=sheets.get(pivot.sheet, ""), name=pivot.name
    )
    data = etree.SubElement(root, f"{{{X14}}}data")
    cache = _cache_number(editor, pivot, definition.get("cacheId", "0"))
    tabular = etree.SubElement(data, f"{{{X14}}}tabular", pivotCacheId=cache)
    listed = etree.SubElement(tabular, f"{{{X14}}}items", count=str(len(items)))
    for item in items:
        node = etree.SubElement(listed, f"{{{X14}}}i", x=item.get("x", "0"))
        if item.get("h", "0") not in ("1", "true"):
            node.set("s", "1")


def _cache_number(editor: Editor, pivot: Pivot, number: str) -> str:
    """Return the number by which slicers know a pivot cache; it is given one if it has none."""
    root = editor.book.package.parse(pivot.cache)
    known = root.find(f".//{{{X14}}}pivotCacheDefinition")
    if known is not None and known.get("pivotCacheId"):
        return str(known.get("pivotCacheId"))
    if known is None:
        group = root.find(q("extLst"))
        group = etree.SubElement(root, q("extLst")) if group is None else group
        extension = etree.SubElement(group, q("ext"), uri=_PIVOT_ID, nsmap={"x14": X14})
        known = etree.SubElement(extension, f"{{{X14}}}pivotCacheDefinition")
    known.set("pivotCacheId", number)
    editor.book.package.write_xml(pivot.cache, root)
    editor.declared.parts.append(pivot.cache)
    return number


def _show(editor: Editor, sheet: Sheet, wanted: _Slicer, cache: str, caption: str) -> str:
    """Add the slicer to those of its sheet; return its name."""
    package = editor.book.package
    taken = set()
    for each in editor.book.sheets:
        for part in package.related(each.part, "slicer"):
            taken |= {
                n.get("name", "").lower() for n in package.parse(part).iter(f"{{{X14}}}slicer")
            }
    name, number = wanted.field, 0
    while name.lower() in taken:
        number += 1
        name = f"{wanted.field} {number}"
    uri = _LISTS[wanted.table is not None]
    listed = extension(editor.on(sheet).open_frame(), uri, f"{{{X14}}}slicerList")
    rels = package.relationships(sheet.part)
    there = [rels[n.get(_RID)].target for n in listed if n.get(_RID) in rels]
    part = there[0] if there else free_part(editor, "xl/slicers/slicer")
    root = package.parse(part) if there else _root("slicers")
    etree.SubElement(
        root, f"{{{X14}}}slicer", name=name, cache=cache, caption=caption, rowHeight="241300"
    )
    package.write_xml(part, root)
    package.set_content_type(part, "application/vnd.ms-excel.slicer+xml")
    if not there:
        rel = package.add_relationship(sheet.part, "slicer", part, type_=f"{_REL}/slicer")
        etree.SubElement(listed, f"{{{X14}}}slicer", {_RID: rel})
    editor.declared.parts.append(part)
    return name


def _list_cache(editor: Editor, part: str, *, is_table: bool) -> None:
    book = editor.book
    uri, space = _CACHES[is_table]
    rel = book.package.add_relationship(book.main, "slicerCache", part, type_=f"{_REL}/slicerCache")
    listed = extension(book.root, uri, f"{{{space}}}slicerCaches")
    etree.SubElement(listed, f"{{{X14}}}slicerCache", {_RID: rel})


def _name(editor: Editor, name: str) -> None:
    """Define the name that keeps the slicer's own from being used."""
    root = editor.book.root
    group = root.find(q("definedNames"))
    if group is None:
        group = etree.Element(q("definedNames"))
        insert_after(root, group, _BEFORE_NAMES)
    etree.SubElement(group, q("definedName"), name=name).text = "#N/A"


def _drawn(drawing: Drawing, wanted: _Slicer, name: str) -> Element:
    """Return the slicer as it is drawn, with a box for programs that know none."""
    space, prefix = (_SLE15, "sle15") if wanted.table is not None else (_A14, "a14")
    both = etree.Element(f"{{{_MC}}}AlternateContent", nsmap={"mc": _MC})
    choice = etree.SubElement(both, f"{{{_MC}}}Choice", nsmap={prefix: space})
    choice.set("Requires", prefix)
    inner = etree.Element(f"{{{_SLE}}}slicer", name=name, nsmap={"sle": _SLE})
    number = drawing.number()
    choice.append(frame(number, name, _SLE, inner))
    box = etree.SubElement(
        etree.SubElement(both, f"{{{_MC}}}Fallback"), xdr("sp"), macro="", textlink=""
    )
    properties = etree.SubElement(box, xdr("nvSpPr"))
    etree.SubElement(properties, xdr("cNvPr"), id="0", name="")
    etree.SubElement(properties, xdr("cNvSpPr"))
    look = etree.SubElement(box, xdr("spPr"))
    shape = etree.SubElement(look, f"{{{DRAWING_ML}}}prstGeom", prst="rect")
    etree.SubElement(shape, f"{{{DRAWING_ML}}}avLst")
    text = etree.SubElement(box, xdr("txBody"))
    etree.SubElement(text, f"{{{DRAWING_ML}}}bodyPr")
    etree.SubElement(text, f"{{{DRAWING_ML}}}lstStyle")
    run = etree.SubElement(etree.SubElement(text, f"{{{DRAWING_ML}}}p"), f"{{{DRAWING_ML}}}r")
    etree.SubElement(run, f"{{{DRAWING_ML}}}t").text = f"Slicer {name}: needs Excel 2013 or later."
    return both
