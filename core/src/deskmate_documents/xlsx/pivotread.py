"""Pivot tables that are there: what they show, and whether they can be computed here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from deskmate.errors import ToolInputError
from deskmate_documents.opc import Element
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.extensions import X14
from deskmate_documents.xlsx.pivotaxes import Form
from deskmate_documents.xlsx.pivotlayout import FUNCTIONS, Measure, Spec
from deskmate_documents.xlsx.pivots import Pivot
from deskmate_documents.xlsx.pivotsource import Item, Source, distinct, iso
from deskmate_documents.xlsx.pivotxml import read_item
from deskmate_documents.xlsx.refs import parse_areas
from deskmate_documents.xlsx.sheetpart import q

_TRUE = ("1", "true")
_SUBTOTALS = (
    "sum",
    "countA",
    "avg",
    "max",
    "min",
    "product",
    "count",
    "stdDev",
    "stdDevP",
    "var",
    "varP",
)


def own_way(old: Element, known: Spec, edit: Mapping[str, Any]) -> str:
    """Return what a table has that would be lost if it were written anew, "" if there is nothing."""
    fields = old.findall(f"{q('pivotFields')}/{q('pivotField')}")
    if any(node.get("sortType") == "descending" for node in fields):
        return "its items are in descending order"
    if any(node.get("includeNewItemsInFilter") in ("1", "true") for node in fields):
        return "a filter of it shows new items"
    if len({known.forms.get(n, "tabular") for n in known.rows}) > 1 and "layout" not in edit:
        return "its fields have several layouts; say in `layout` which one all are to have"
    return ""


def not_plain(definition: Element, cache: Element) -> str:
    """Return why a pivot table cannot be computed here exactly as Excel would, "" if it can."""
    source = cache.find(f"{q('cacheSource')}/{q('worksheetSource')}")
    if source is None or source.get(
        "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
    ):
        return "its source is outside this workbook"
    for node in cache.iterfind(f"{q('cacheFields')}/{q('cacheField')}"):
        if node.get("formula") or node.get("databaseField") in ("0", "false"):
            return "it has calculated fields"
        if node.find(q("fieldGroup")) is not None:
            return "it has grouped fields"
    if definition.find(q("filters")) is not None or cache.find(q("calculatedItems")) is not None:
        return "it has filters or calculated items"
    for data in definition.iterfind(f"{q('dataFields')}/{q('dataField')}"):
        if data.get("showDataAs", "normal") != "normal" or len(data):
            return "it shows values as shares or differences"
    return _axes(definition)


def _axes(definition: Element) -> str:
    rows, columns = (_numbers(definition, name) for name in ("rowFields", "colFields"))
    if -2 in rows or -2 in columns[:-1] or not rows or definition.find(q("dataFields")) is None:
        return "its values or rows are arranged otherwise"
    if definition.get("gridDropZones") in _TRUE or definition.get("dataOnRows") in _TRUE:
        return "its values or rows are arranged otherwise"
    fields = definition.findall(f"{q('pivotFields')}/{q('pivotField')}")
    for number in (*rows, *(n for n in columns if n >= 0)):
        field = fields[number]
        if any(field.get(f"{name}Subtotal") in _TRUE for name in _SUBTOTALS):
            return "it has subtotals of another function than its values"
        if field.get("insertBlankRow") in _TRUE or _fills_down(field):
            return "its labels are repeated or set apart by blank lines"
    return next((text for field in fields if (text := _field(field))), "")


def _fills_down(field: Element) -> bool:
    return any(node.get("fillDownLabels") in _TRUE for node in field.iter(f"{{{X14}}}pivotField"))


def _form(field: Element) -> Form:
    if field.get("outline", "1") not in _TRUE:
        return "tabular"
    return "compact" if field.get("compact", "1") in _TRUE else "outline"


def _field(field: Element) -> str:
    if field.find(q("autoSortScope")) is not None:
        return "its items are sorted by values"
    if not field.get("axis"):
        return ""
    for item in field.iterfind(f"{q('items')}/{q('item')}"):
        kind = item.get("t")
        if kind not in (None, "default") or set(item.attrib) - {"x", "t", "m", "h"}:
            return "items of it are collapsed or renamed"
    return ""


def _numbers(definition: Element, name: str) -> list[int]:
    return [int(node.get("x", "0")) for node in definition.iterfind(f"{q(name)}/{q('field')}")]


def read_spec(definition: Element, cache: Element, source: Source, *, date1904: bool) -> Spec:
    """Return what a plain pivot table shows, of the source as it is now.

    Raises:
        ToolInputError: the source lacks a field that it uses.
    """
    at = _positions(definition, cache, source)
    rows = tuple(at[n] for n in _numbers(definition, "rowFields"))
    columns = tuple(at[n] for n in _numbers(definition, "colFields") if n >= 0)
    pages = definition.findall(f"{q('pageFields')}/{q('pageField')}")
    filters = [(at[int(page.get("fld", "0"))], page) for page in pages]
    used = {at.index(n): n for n in (*rows, *columns, *(n for n, _ in filters))}
    fields = definition.findall(f"{q('pivotFields')}/{q('pivotField')}")
    items = {
        n: _ordered(
            distinct(source, n)[:: -1 if fields[old].get("sortType") == "descending" else 1],
            _listed(definition, cache, old),
            date1904=date1904,
        )
        for old, n in used.items()
    }
    return Spec(
        hidden={
            n: _hidden(fields[old], cache, old, items[n], date1904=date1904)
            for old, n in used.items()
        },
        forms={n: _form(fields[old]) for old, n in used.items()},
        subtotals=frozenset(
            n for old, n in used.items() if fields[old].get("defaultSubtotal", "1") in _TRUE
        ),
        bottom=frozenset(
            n for old, n in used.items() if fields[old].get("subtotalTop", "1") not in _TRUE
        ),
        captions=(
            definition.get("rowHeaderCaption", "Row Labels"),
            definition.get("colHeaderCaption", "Column Labels"),
        ),
        rows=rows,
        columns=columns,
        filters=tuple(
            (n, _chosen(definition, cache, page, items[n], date1904=date1904))
            for n, page in filters
        ),
        measures=tuple(
            _measure(node, at, source)
            for node in definition.iterfind(f"{q('dataFields')}/{q('dataField')}")
        ),
        items=items,
        row_totals=definition.get("rowGrandTotals", "1") in _TRUE,
        column_totals=definition.get("colGrandTotals", "1") in _TRUE,
    )


def _positions(definition: Element, cache: Element, source: Source) -> list[int]:
    """Return where, in the source as it is now, each field of the cache stands. Raises as `read_spec`."""
    names = [
        node.get("name", "") for node in cache.iterfind(f"{q('cacheFields')}/{q('cacheField')}")
    ]
    now = {name.lower(): number for number, name in enumerate(source.fields)}
    if [name.lower() for name in names] != [name.lower() for name in source.fields]:
        missing = [name for name in names if name.lower() not in now]
        if missing or len(names) != len(source.fields):
            what = f"lacks {', '.join(missing)}" if missing else "has other columns than before"
            raise ToolInputError(
                f"The source of the pivot table {definition.get('name', '')} {what}; give pivot_change its fields."
            )
    return [now[name.lower()] for name in names]


def _chosen(
    definition: Element, cache: Element, page: Element, items: list[Item], *, date1904: bool
) -> int | None:
    """Return the position, among the items of now, of the one that a page field was set to."""
    if page.get("item") is None:
        return None
    number = int(page.get("fld", "0"))
    old = _listed(definition, cache, number)[int(page.get("item"))]
    for at, item in enumerate(items):
        if _key(item, date1904=date1904) == _key(old):
            return at
    raise ToolInputError(
        f"The pivot table {definition.get('name', '')} is filtered by {old.text!r}, which its source has no more; "
        "give pivot_change its filters."
    )


def _hidden(
    field: Element, cache: Element, number: int, items: list[Item], *, date1904: bool
) -> frozenset[int]:
    """Return the positions, among the items of now, of those that are not shown.

    New ones are not either where some were hidden by hand, unless the field says that they are to be.
    """
    known = _shared(cache, number)
    nodes = [n for n in field.iterfind(f"{q('items')}/{q('item')}") if n.get("t") is None]
    told = {
        _key(known[place]): node.get("h") in _TRUE
        for node in nodes
        if (place := int(node.get("x", "0"))) < len(known)
    }
    others = any(told.values()) and field.get("includeNewItemsInFilter") not in _TRUE
    return frozenset(
        at for at, item in enumerate(items) if told.get(_key(item, date1904=date1904), others)
    )


def _shared(cache: Element, number: int) -> list[Item]:
    field = cache.findall(f"{q('cacheFields')}/{q('cacheField')}")[number]
    return [read_item(node) for node in field.iterfind(f"{q('sharedItems')}/*")]


def _key(item: Item, *, date1904: bool | None = None) -> tuple[str, str | float]:
    """Return what makes an item of a source and one of a cache, which writes dates in words, the same."""
    if item.kind != "d":
        return item.key
    return "d", item.text if date1904 is None else iso(item, date1904=date1904)


def _listed(definition: Element, cache: Element, number: int) -> list[Item]:
    """Return the items of a field in the order in which it shows them."""
    field = definition.findall(f"{q('pivotFields')}/{q('pivotField')}")[number]
    known = _shared(cache, number)
    places = [
        int(node.get("x", "0"))
        for node in field.iterfind(f"{q('items')}/{q('item')}")
        if node.get("t") is None
    ]
    return [known[place] for place in places if place < len(known)]


def _ordered(items: list[Item], shown: list[Item], *, date1904: bool) -> list[Item]:
    """Return items in the order in which a table shows them already; new ones last if that is one of its own."""
    order = {_key(item): at for at, item in enumerate(shown)}
    known = [order[k] for item in items if (k := _key(item, date1904=date1904)) in order]
    if known == sorted(known):
        return items
    return sorted(items, key=lambda item: order.get(_key(item, date1904=date1904), len(order)))


def _measure(node: Element, at: list[int], source: Source) -> Measure:
    number = at[int(node.get("fld", "0"))]
    function = node.get("subtotal", "sum")
    code = source.codes[number] if node.get("numFmtId") else ""
    return Measure(
        field=number,
        function=function if function in FUNCTIONS else "sum",
        caption=node.get("name", ""),
        code=code,
    )


def as_worded(book: Workbook, pivot: Pivot, definition: Element, spec: Spec) -> Spec:
    """Return what a table shows with the captions that are painted: Excel words them in its own language."""
    area, place = parse_areas(pivot.area), definition.find(q("location"))
    if not area or place is None:
        return spec
    top, left, bottom = area[0].top, area[0].left, area[0].bottom
    sheet = book.sheet(pivot.sheet)
    painted = {v.place: v.text for v in book.values(sheet, area[0]) if v.kind == "text"}
    head = top + int(place.get("firstDataRow", "1")) - 1
    rows = painted.get((head, left)) if spec.is_compact(spec.rows[0]) else None
    columns = painted.get((top, left + int(place.get("firstDataCol", "1"))))
    shared = bool(spec.columns) and spec.is_compact(spec.columns[0])
    grand = painted.get((bottom, left)) if spec.column_totals else None
    return replace(
        spec,
        captions=(rows or spec.captions[0], (columns if shared else None) or spec.captions[1]),
        grand=grand or spec.grand,
    )


def found_again(known: Spec, spec: Spec, number: int) -> frozenset[int]:
    """Return where, in the order of the new table, the items stand that the old one does not show."""
    gone = {known.items[number][place].key for place in known.hidden[number]}
    return frozenset(at for at, item in enumerate(spec.items[number]) if item.key in gone)
