"""Edits of pivot tables: made anew, changed, and refreshed after their source changed, with every cell painted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from lxml import etree

from deskmate.errors import ToolInputError
from deskmate_documents.opc import OFFICE_RELS, Element
from deskmate_documents.xlsx import cells
from deskmate_documents.xlsx.book import Sheet
from deskmate_documents.xlsx.naming import insert_after
from deskmate_documents.xlsx.pivotaxes import FORMS, Form
from deskmate_documents.xlsx.pivotlayout import FUNCTIONS, Cell, Grid, Measure, Spec, compute
from deskmate_documents.xlsx.pivotread import as_worded, found_again, not_plain, own_way, read_spec
from deskmate_documents.xlsx.pivots import Pivot, pivots
from deskmate_documents.xlsx.pivotsource import Item, Source, distinct, read_source
from deskmate_documents.xlsx.pivotxml import (
    fill_axes,
    fill_cache,
    fill_table,
    new_cache,
    new_table,
    set_items,
    set_source,
)
from deskmate_documents.xlsx.refs import COLUMNS, ROWS, Area, Place, name_of, parse_areas, words
from deskmate_documents.xlsx.sheetpart import q

if TYPE_CHECKING:
    from deskmate_documents.xlsx.edit import Editor

_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_RID = f"{{{OFFICE_RELS}}}id"
_CAPTIONS = words("rowHeaderCaption colHeaderCaption")
_BEFORE_CACHES = words(
    "fileVersion fileSharing workbookPr workbookProtection bookViews sheets functionGroups externalReferences "
    "definedNames calcPr oleSize customWorkbookViews"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Where:
    """Where a pivot table stands. `top`, `left`: its first cell without page fields."""

    sheet: Sheet
    top: int
    left: int
    part: str
    cache: str
    records: str
    old: Area | None = None
    pages_before: int = 0


def add_pivot(editor: Editor, edit: Mapping[str, Any]) -> None:
    """Make a pivot table: {cells, source, rows, columns, filters, values, name}.

    Raises:
        ToolInputError: unknown fields or functions, a source that is none, or cells in the way.
    """
    editor.flush()
    sheet, area = editor.target(edit, limit=1 << 40)
    source = _current_source(editor, str(edit.get("source", "")))
    spec = _spec(source, edit)
    name = str(edit.get("name") or _free_name(editor))
    if any(p.name.lower() == name.lower() for p in pivots(editor.book)):
        raise ToolInputError(f"There is a pivot table {name} already.")
    package = editor.book.package
    table = _free_part(editor, "xl/pivotTables/pivotTable")
    cache = _free_part(editor, "xl/pivotCache/pivotCacheDefinition")
    records = cache.replace("Definition", "Records")
    where = _Where(
        sheet=sheet,
        top=area.top + (len(spec.filters) + 1 if spec.filters else 0),
        left=area.left,
        part=table,
        cache=cache,
        records=records,
    )
    definition = new_table(name, str(_add_cache(editor, cache)), source, spec)
    root = new_cache(source)
    package.write_xml(cache, root)
    root.set(_RID, package.add_relationship(cache, "pivotCacheRecords", records))
    _fill(editor, where, definition, root, source, spec)
    for part, kind in (
        (table, "pivotTable"),
        (cache, "pivotCacheDefinition"),
        (records, "pivotCacheRecords"),
    ):
        package.set_content_type(part, f"{_TYPE}.{kind}+xml")
    package.add_relationship(sheet.part, "pivotTable", table)
    package.add_relationship(table, "pivotCacheDefinition", cache)


def change_pivot(editor: Editor, edit: Mapping[str, Any]) -> None:
    """Give a pivot table other fields or another source: {pivot, sheet, source, rows, columns, filters, values}.

    Raises:
        ToolInputError: there is none, it is of a kind that is not edited here, or the new fields do not fit.
    """
    editor.flush()
    pivot = _named(editor, edit)
    reason = _reason(editor, pivot)
    if reason:
        raise ToolInputError(f"The pivot table {pivot.name} is not changed here: {reason}.")
    package = editor.book.package
    source = _current_source(editor, str(edit.get("source") or pivot.source))
    old = package.parse(pivot.part)
    known = read_spec(old, package.parse(pivot.cache), source, date1904=editor.book.date1904)
    known = as_worded(editor.book, pivot, old, known)
    if own := own_way(old, known, edit):
        raise ToolInputError(f"The pivot table {pivot.name} is not changed here: {own}.")
    spec = _spec(source, _merged(known, source, edit))
    hidden = {n: found_again(known, spec, n) for n in known.hidden if n in spec.items}
    spec = replace(
        spec, bottom=known.bottom, captions=known.captions, grand=known.grand, hidden=hidden
    )
    definition = new_table(pivot.name, old.get("cacheId", ""), source, spec)
    for caption in _CAPTIONS.intersection(old.attrib):
        definition.set(caption, old.get(caption))
    style = old.find(q("pivotTableStyleInfo"))
    if style is not None:
        definition.replace(definition.find(q("pivotTableStyleInfo")), style)
    where = _place(editor, pivot, known)
    if len(spec.filters) != len(known.filters):
        shift = len(spec.filters) + bool(spec.filters) - len(known.filters) - bool(known.filters)
        where = replace(where, top=where.top + shift)
    cache = package.parse(pivot.cache)
    set_source(cache, source)
    _fill(editor, where, definition, cache, source, spec)


def refresh_pivot(editor: Editor, edit: Mapping[str, Any]) -> None:
    """Compute a pivot table anew from its source: {pivot, sheet, source}; one of another kind is marked for it.

    Raises:
        ToolInputError: there is none, or cells are in the way of its growth.
    """
    editor.flush()
    pivot = _named(editor, edit)
    package = editor.book.package
    cache = package.parse(pivot.cache)
    reason = _reason(editor, pivot)
    if reason:
        if cache.get("refreshOnLoad") not in ("1", "true"):
            cache.set("refreshOnLoad", "1")
            package.write_xml(pivot.cache, cache)
            editor.declared.parts.append(pivot.cache)
        editor.notes.append(
            f"The pivot table {pivot.name} ({pivot.sheet}) is refreshed when Excel opens the file, until then it shows "
            f"old figures: {reason}."
        )
        return
    source = _current_source(editor, str(edit.get("source") or pivot.source))
    definition = package.parse(pivot.part)
    spec = read_spec(definition, cache, source, date1904=editor.book.date1904)
    spec = as_worded(editor.book, pivot, definition, spec)
    set_source(cache, source)
    _fill(editor, _place(editor, pivot, spec), definition, cache, source, spec)


def _reason(editor: Editor, pivot: Pivot) -> str:
    """Return why a pivot table is not computed here, "" if it is."""
    package = editor.book.package
    if not pivot.cache or not package.related(pivot.cache, "pivotCacheRecords"):
        return "it has no cache with records"
    users = [p for p in pivots(editor.book) if p.cache == pivot.cache]
    if len(users) > 1:
        return "it shares its cache with another pivot table"
    return not_plain(package.parse(pivot.part), package.parse(pivot.cache))


def _named(editor: Editor, edit: Mapping[str, Any]) -> Pivot:
    name, sheet = str(edit.get("pivot", "")), str(edit.get("sheet", ""))
    found = [
        p
        for p in pivots(editor.book)
        if p.name.lower() == name.lower() and (not sheet or p.sheet.lower() == sheet.lower())
    ]
    if len(found) != 1:
        names = ", ".join(f"{p.name} ({p.sheet})" for p in pivots(editor.book)) or "none"
        raise ToolInputError(
            f"Name one pivot table, with its sheet if need be; there are: {names}."
        )
    return found[0]


def _place(editor: Editor, pivot: Pivot, known: Spec) -> _Where:
    areas = parse_areas(pivot.area)
    if not areas:
        raise ToolInputError(f"The pivot table {pivot.name} has no place; the file is damaged.")
    old = areas[0]
    return _Where(
        sheet=editor.book.sheet(pivot.sheet),
        top=old.top,
        left=old.left,
        part=pivot.part,
        cache=pivot.cache,
        records=editor.book.package.related(pivot.cache, "pivotCacheRecords")[0],
        old=old,
        pages_before=len(known.filters),
    )


def _current_source(editor: Editor, text: str) -> Source:
    """Return a source whose formulas have been computed since they were edited."""
    source = read_source(editor.book, text)
    sheet = source.sheet
    old = [place for place in source.formulas if editor.is_old(sheet, place)]
    if old:
        raise ToolInputError(
            f"The source holds formulas whose results are old, such as {sheet}!{name_of(old[0])}; recalculate first."
        )
    return source


def _spec(source: Source, edit: Mapping[str, Any]) -> Spec:
    rows, columns = (_fields(source, edit.get(axis)) for axis in ("rows", "columns"))
    pages = [
        page if isinstance(page, dict) else {"field": page} for page in edit.get("filters") or ()
    ]
    filters = tuple(_fields(source, [page.get("field")])[0] for page in pages)
    axes = (*rows, *columns, *filters)
    if not rows or len(set(axes)) < len(axes):
        raise ToolInputError("Give at least one field for rows, and each field in one place only.")
    items = {number: distinct(source, number) for number in axes}
    chosen = [
        _chosen(source.fields[number], items[number], page.get("item"))
        for number, page in zip(filters, pages, strict=True)
    ]
    return Spec(
        rows=rows,
        columns=columns,
        filters=tuple(zip(filters, chosen, strict=True)),
        measures=_measures(source, edit.get("values")),
        items=items,
        row_totals=bool(edit.get("row_totals", True)),
        column_totals=bool(edit.get("column_totals", True)),
        forms=dict.fromkeys(axes, _layout(edit)),
        subtotals=_subtotals(edit, source, rows, columns),
    )


def _layout(edit: Mapping[str, Any]) -> Form:
    """Return the form that all fields of a table have."""
    wanted = str(edit.get("layout") or "tabular")
    found = next((form for form in FORMS if form == wanted), None)
    if found is None:
        raise ToolInputError(f"layout is one of {', '.join(FORMS)}.")
    return found


def _subtotals(
    edit: Mapping[str, Any], source: Source, rows: tuple[int, ...], columns: tuple[int, ...]
) -> frozenset[int]:
    """Return the fields whose groups have a subtotal: none, all of the axes, or those that are named."""
    wanted = edit.get("subtotals", False)
    if isinstance(wanted, bool):
        return frozenset((*rows, *columns)) if wanted else frozenset()
    named = frozenset(_fields(source, wanted))
    if named - {*rows, *columns}:
        raise ToolInputError("subtotals names fields of rows or columns.")
    return named


def _fields(source: Source, names: Any) -> tuple[int, ...]:
    lower = [field.lower() for field in source.fields]
    found = []
    for name in [names] if isinstance(names, str) else names or ():
        if str(name).lower() not in lower:
            raise ToolInputError(
                f"The source has no field {name!r}; it has {', '.join(source.fields)}."
            )
        found.append(lower.index(str(name).lower()))
    return tuple(found)


def _chosen(name: str, items: Sequence[Item], wanted: Any) -> int | None:
    if wanted is None:
        return None
    for at, item in enumerate(items):
        if item.text.lower() == str(wanted).lower():
            return at
    shown = ", ".join(item.text for item in items[:20])
    raise ToolInputError(f"The field {name} has no item {wanted!r}; it has {shown}.")


def _measures(source: Source, values: Any) -> tuple[Measure, ...]:
    found: list[Measure] = []
    taken = {field.lower() for field in source.fields}
    for given in values or ():
        value = given if isinstance(given, dict) else {"field": given}
        (number,) = _fields(source, [value.get("field")])
        function = str(value.get("function", "sum"))
        if function not in FUNCTIONS:
            raise ToolInputError(
                f"A pivot table has no function {function!r}: {', '.join(FUNCTIONS)}."
            )
        caption = str(value.get("name") or f"{FUNCTIONS[function]} of {source.fields[number]}")
        if caption.lower() in taken:
            raise ToolInputError(
                f"{caption!r} is the name of a field or another value; give one with `name`."
            )
        taken.add(caption.lower())
        figures = function not in ("count", "countNums")
        code = str(value.get("number_format") or (source.codes[number] if figures else "General"))
        found.append(Measure(field=number, function=function, caption=caption, code=code))
    if not found:
        raise ToolInputError("Give at least one of values: {field, function, name, number_format}.")
    return tuple(found)


def _merged(known: Spec, source: Source, edit: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an edit says, filled in by what the table has."""
    name = source.fields
    has: dict[str, Any] = {
        "rows": [name[n] for n in known.rows],
        "columns": [name[n] for n in known.columns],
        "filters": [
            {"field": name[n], "item": None if at is None else known.items[n][at].text}
            for n, at in known.filters
        ],
        "values": [
            {"field": name[m.field], "function": m.function, "name": m.caption}
            | ({"number_format": m.code} if m.code else {})
            for m in known.measures
        ],
        "row_totals": known.row_totals,
        "column_totals": known.column_totals,
        "layout": known.forms.get(known.rows[0], "tabular"),
        "subtotals": _kept_subtotals(known, source, edit),
    }
    return has | {key: edit[key] for key in has if key in edit}


def _kept_subtotals(known: Spec, source: Source, edit: Mapping[str, Any]) -> bool | list[str]:
    """Return which fields have a subtotal after an edit: all if all had one, else those that are left of them."""
    axes = (*known.rows, *known.columns)
    if known.subtotals.issuperset(axes):
        return True
    there = {
        number
        for key, numbers in (("rows", known.rows), ("columns", known.columns))
        for number in (_fields(source, edit[key]) if key in edit else numbers)
    }
    return [source.fields[n] for n in sorted(known.subtotals & there)]


def _fill(
    editor: Editor, where: _Where, definition: Element, cache: Element, source: Source, spec: Spec
) -> None:
    """Write the parts of a pivot table and paint its cells."""
    package, book = editor.book.package, editor.book
    grid = compute(source, spec)
    area = Area(where.top, where.left, where.top + grid.height - 1, where.left + grid.width - 1)
    if area.bottom > ROWS or area.right > COLUMNS:
        raise ToolInputError("The pivot table would leave the sheet.")
    codes = [m.code if m.code != "General" else "" for m in spec.measures]
    fill_axes(definition, spec, [book.styles.number_format(code) if code else 0 for code in codes])
    fields = definition.find(q("pivotFields"))
    for number, items in spec.items.items():
        hidden = spec.hidden.get(number, frozenset())
        set_items(fields[number], len(items), hidden=hidden, subtotal=number in spec.subtotals)
    fill_table(definition, spec, grid, area)
    records = fill_cache(cache, source, spec.items, date1904=book.date1904)
    cache.set("refreshOnLoad", "1")
    fresh = set(editor.refreshed)
    _Painter(editor, where, source, spec).paint(grid, area)
    editor.refreshed |= fresh | {where.part}
    package.write_xml(where.part, definition)
    package.write_xml(where.cache, cache)
    package.write_xml(where.records, records)
    editor.declared.parts.extend((where.part, where.cache, where.records))
    editor.declared.styles = True
    editor.flush()


class _Painter:
    """Writes a computed pivot table into the cells of its sheet."""

    def __init__(self, editor: Editor, where: _Where, source: Source, spec: Spec) -> None:
        self._editor = editor
        self._where = where
        self._source = source
        self._spec = spec
        self._sheet = editor.on(where.sheet)

    def paint(self, grid: Grid, area: Area) -> None:
        """Paint all cells, and clear those that the table had before."""
        where, old = self._where, self._where.old
        pages = self._pages()
        around = [area, *(Area(*place, *place) for place in pages)]
        had = [old] if old else []
        for page in range(where.pages_before):
            top = (old.top if old else where.top) - where.pages_before - 1 + page
            had.append(Area(top, where.left, top, where.left + 1))
        for part in around:
            for place in part.cells():
                if not any(place in known for known in had) and self._sheet.has(place):
                    raise ToolInputError(
                        f"The pivot table needs {part}, and {name_of(place)} is not empty."
                    )
        for known in had:
            for place in known.cells():
                if self._sheet.has(place):
                    cells.clear(self._node(place))
                    self._touch(place)
        for (row, column), painted in grid.cells.items():
            self._put((area.top + row, area.left + column), painted)
        for place, label in pages.items():
            self._put(place, label)

    def _pages(self) -> dict[Place, Cell]:
        found: dict[Place, Cell] = {}
        top = self._where.top - len(self._spec.filters) - 1
        for line, (number, chosen) in enumerate(self._spec.filters):
            found[top + line, self._where.left] = Cell("caption", field=number)
            item = None if chosen is None else self._spec.items[number][chosen]
            found[top + line, self._where.left + 1] = (
                Cell(
                    "caption", text="(Multiple Items)" if self._spec.hidden.get(number) else "(All)"
                )
                if item is None
                else Cell("label", item=item, field=number)
            )
        return found

    def _node(self, place: Place) -> Element:
        return self._sheet.cell(place, within=self._where.part)

    def _touch(self, place: Place) -> None:
        self._editor.touch(self._where.sheet, place)

    def _put(self, place: Place, cell: Cell) -> None:
        node = self._node(place)
        book = self._editor.book
        value, code = self._value(cell)
        cells.put(node, value, known=book.plain_strings, date1904=book.date1904)
        if code and code != "General":
            style = int(node.get("s", "0"))
            node.set("s", str(book.styles.derived(style, {"number_format": code})))
        self._touch(place)

    def _value(self, cell: Cell) -> tuple[Any, str]:
        """Return what a cell holds, and its number format."""
        if cell.role == "figure":
            value = cell.value
            whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
            return (int(value) if whole else value), self._spec.measures[cell.measure].code  # type: ignore[arg-type]
        if cell.item is not None:
            code = self._source.codes[cell.field] if cell.item.kind in ("n", "d") else ""
            return _stored(cell.item), code
        return cell.text or self._source.fields[cell.field], ""


def _stored(item: Item) -> Any:
    if item.kind == "m":
        return "(blank)"
    if item.kind == "b":
        return item.text == "TRUE"
    return Decimal(item.text) if item.kind in ("n", "d") else item.text


def _add_cache(editor: Editor, part: str) -> int:
    """Name a new cache in the workbook; return its number."""
    book = editor.book
    group = book.root.find(q("pivotCaches"))
    if group is None:
        group = etree.Element(q("pivotCaches"))
        insert_after(book.root, group, _BEFORE_CACHES)
    used = {int(node.get("cacheId", "0")) for node in group}
    number = max(used, default=0) + 1
    node = etree.SubElement(group, q("pivotCache"), cacheId=str(number))
    node.set(_RID, book.package.add_relationship(book.main, "pivotCacheDefinition", part))
    editor.workbook_changed = True
    return number


def _free_part(editor: Editor, stem: str) -> str:
    number = 1
    while f"{stem}{number}.xml" in editor.book.package:
        number += 1
    return f"{stem}{number}.xml"


def _free_name(editor: Editor) -> str:
    used = {p.name.lower() for p in pivots(editor.book)}
    number = 1
    while f"pivottable{number}" in used:
        number += 1
    return f"PivotTable{number}"
