"""Pivot tables as definitions: where they stand, what they read, and their fields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from deskmate_documents.opc import Element
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.refs import quote_sheet
from deskmate_documents.xlsx.sheetpart import q


@dataclass(frozen=True, slots=True, kw_only=True)
class Pivot:
    """A pivot table. `source`: range, table or name it reads, or what kind of source. `data`: (field, function)."""

    name: str
    sheet: str
    area: str
    part: str
    cache: str
    source: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    filters: tuple[str, ...]
    data: tuple[tuple[str, str], ...]
    fields: tuple[str, ...]


def pivots(book: Workbook) -> Iterator[Pivot]:
    """Yield the pivot tables of all sheets; what a damaged one lacks is empty."""
    for sheet in book.sheets:
        for part in book.package.related(sheet.part, "pivotTable"):
            yield _pivot(book, sheet.name, part)


def _pivot(book: Workbook, sheet: str, part: str) -> Pivot:
    root = book.package.parse(part)
    cache = next(iter(book.package.related(part, "pivotCacheDefinition")), "")
    known = book.package.parse(cache) if cache else None
    fields = (
        tuple(n.get("name", "") for n in known.iterfind(f"{q('cacheFields')}/{q('cacheField')}"))
        if known is not None
        else ()
    )
    place = root.find(q("location"))
    return Pivot(
        name=root.get("name", ""),
        sheet=sheet,
        area=place.get("ref", "") if place is not None else "",
        part=part,
        cache=cache,
        source=_source(known),
        rows=_axis(root, "rowFields", fields),
        columns=_axis(root, "colFields", fields),
        filters=tuple(
            _named(n.get("fld"), fields)
            for n in root.iterfind(f"{q('pageFields')}/{q('pageField')}")
        ),
        data=tuple(
            (_named(n.get("fld"), fields), n.get("subtotal", "sum"))
            for n in root.iterfind(f"{q('dataFields')}/{q('dataField')}")
        ),
        fields=fields,
    )


def _source(cache: Element | None) -> str:
    if cache is None:
        return ""
    source = cache.find(q("cacheSource"))
    inner = cache.find(f"{q('cacheSource')}/{q('worksheetSource')}")
    if inner is None:
        return str(source.get("type", "")) if source is not None else ""
    if inner.get("name"):
        return str(inner.get("name"))
    sheet = inner.get("sheet", "")
    return f"{quote_sheet(sheet)}!{inner.get('ref', '')}" if sheet else str(inner.get("ref", ""))


def _axis(root: Element, axis: str, fields: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_named(n.get("x"), fields) for n in root.iterfind(f"{q(axis)}/{q('field')}"))


def _named(index: str | None, fields: tuple[str, ...]) -> str:
    if index == "-2":
        return "Values"
    number = int(index) if index is not None and index.isdigit() else -1
    return fields[number] if 0 <= number < len(fields) else ""
