"""Pivot parts as XML: the cache with its records, and a table's items and places."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import takewhile

from lxml import etree

from deskmate_documents.opc import OFFICE_RELS, Element
from deskmate_documents.xlsx.cells import escape
from deskmate_documents.xlsx.pivotaxes import Combination, Line
from deskmate_documents.xlsx.pivotlayout import Grid, Spec
from deskmate_documents.xlsx.pivotsource import Item, Source, iso
from deskmate_documents.xlsx.refs import Area
from deskmate_documents.xlsx.sheetpart import MAIN, q

_NSMAP = {None: MAIN, "r": OFFICE_RELS}


def child(parent: Element, tag: str, /, **attributes: str) -> Element:
    """Append an element and return it."""
    return etree.SubElement(parent, q(tag), attributes)


def counted(parent: Element, name: str) -> Element:
    """Return an emptied list element of a definition, made in its place if it is not there."""
    known = parent.find(q(name))
    if known is None:
        known = etree.Element(q(name))
        _place(parent, known)
    for node in list(known):
        known.remove(node)
    return known


_ORDER_TEXT = (
    "location pivotFields rowFields rowItems colFields colItems pageFields dataFields formats conditionalFormats "
    "chartFormats pivotHierarchies pivotTableStyleInfo filters rowHierarchiesUsage colHierarchiesUsage extLst"
)
_ORDER = _ORDER_TEXT.split()


def _place(parent: Element, node: Element) -> None:
    before = {q(name) for name in _ORDER[: _ORDER.index(etree.QName(node).localname)]}
    at = sum(1 for other in parent if other.tag in before)
    parent.insert(at, node)


def set_count(node: Element) -> None:
    """Say how many there are."""
    node.set("count", str(len(node)))


# --- cache


def new_cache(source: Source) -> Element:
    """Return a cache definition without its fields."""
    root = etree.Element(q("pivotCacheDefinition"), nsmap=_NSMAP)
    root.set("refreshOnLoad", "1")
    root.set("refreshedBy", "Deskmate")
    for name, version in (
        ("createdVersion", "6"),
        ("refreshedVersion", "6"),
        ("minRefreshableVersion", "3"),
    ):
        root.set(name, version)
    child(child(root, "cacheSource", type="worksheet"), "worksheetSource")
    set_source(root, source)
    child(root, "cacheFields")
    return root


def set_source(root: Element, source: Source) -> None:
    """Point a cache to its source."""
    node = root.find(f"{q('cacheSource')}/{q('worksheetSource')}")
    node.attrib.clear()
    if source.name:
        node.set("name", source.name)
    else:
        node.set("ref", str(source.area))
        node.set("sheet", source.sheet)


def read_item(node: Element) -> Item:
    """Return an item of a cache; a date keeps its text, as it cannot be told from others of its kind."""
    kind = etree.QName(node).localname
    text = node.get("v", "")
    if kind == "b":
        return Item("b", "TRUE" if text in ("1", "true") else "FALSE")
    return Item(kind, text) if kind in ("n", "s", "e", "d") else Item("m")


def fill_cache(
    root: Element, source: Source, items: Mapping[int, Sequence[Item]], *, date1904: bool
) -> Element:
    """Write the fields of a cache, and return its records. `items`: field → its items as they are numbered."""
    fields = root.find(q("cacheFields"))
    for node in list(fields):
        fields.remove(node)
    for number, name in enumerate(source.fields):
        field = child(fields, "cacheField", name=escape(name), numFmtId="0")
        values = [row[number] for row in source.rows]
        shared = child(field, "sharedItems", **_about(values, date1904=date1904))
        for item in items.get(number, ()):
            _item(shared, item, date1904=date1904)
        if number in items:
            set_count(shared)
    set_count(fields)
    root.set("recordCount", str(len(source.rows)))
    records = etree.Element(q("pivotCacheRecords"), nsmap=_NSMAP)
    positions = {n: {item.key: at for at, item in enumerate(listed)} for n, listed in items.items()}
    for row in source.rows:
        record = child(records, "r")
        for number, item in enumerate(row):
            if number in positions:
                child(record, "x", v=str(positions[number][item.key]))
            else:
                _item(record, item, date1904=date1904)
    set_count(records)
    return records


def _item(parent: Element, item: Item, *, date1904: bool) -> None:
    node = child(parent, item.kind)
    if item.kind == "d":
        node.set("v", iso(item, date1904=date1904))
    elif item.kind == "b":
        node.set("v", "1" if item.text == "TRUE" else "0")
    elif item.kind != "m":
        node.set("v", escape(item.text))


def _about(values: Sequence[Item], *, date1904: bool) -> dict[str, str]:
    """Return the attributes that say what kinds of values a field has."""
    kinds = {item.kind for item in values}
    numbers = [n for item in values if item.kind == "n" and (n := item.number) is not None]
    found: dict[str, str] = {}
    texts = bool(kinds & {"s", "b", "e"})
    if not texts and "m" not in kinds:
        found["containsSemiMixedTypes"] = "0"
    if kinds == {"d"} or kinds == {"d", "m"}:
        found["containsNonDate"] = "0"
        found["containsDate"] = "1"
    if not texts:
        found["containsString"] = "0"
    if "m" in kinds:
        found["containsBlank"] = "1"
    if (texts and numbers) or len(kinds & {"s", "b", "e"}) > 1:
        found["containsMixedTypes"] = "1"
    if numbers:
        found["containsNumber"] = "1"
        if all(n.is_integer() for n in numbers):
            found["containsInteger"] = "1"
        found["minValue"], found["maxValue"] = f"{min(numbers):.15g}", f"{max(numbers):.15g}"
    dates = sorted((item for item in values if item.kind == "d"), key=lambda item: item.rank)
    if dates:
        found["minDate"] = iso(dates[0], date1904=date1904)
        found["maxDate"] = iso(dates[-1], date1904=date1904)
    if any(len(item.text) > 255 for item in values if item.kind == "s"):
        found["longText"] = "1"
    return found


# --- table


def new_table(name: str, cache: str, source: Source, spec: Spec) -> Element:
    """Return a definition; items and places come by `fill_table`."""
    root = etree.Element(q("pivotTableDefinition"), nsmap={None: MAIN})
    for key, value in (
        ("name", name), ("cacheId", cache), ("applyNumberFormats", "0"), ("applyBorderFormats", "0"),
        ("applyFontFormats", "0"), ("applyPatternFormats", "0"), ("applyAlignmentFormats", "0"),
        ("applyWidthHeightFormats", "1"), ("dataCaption", "Values"), ("updatedVersion", "6"),
        ("minRefreshableVersion", "3"), ("useAutoFormatting", "1"), ("itemPrintTitles", "1"), ("createdVersion", "6"),
        ("indent", "0"), *_whole_form(spec), ("multipleFieldFilters", "0"),
    ):  # fmt: skip
        root.set(key, value)
    for attribute, shown in (
        ("rowGrandTotals", spec.row_totals),
        ("colGrandTotals", spec.column_totals),
    ):
        if not shown:
            root.set(attribute, "0")
    child(root, "location")
    fields = child(root, "pivotFields", count=str(len(source.fields)))
    axes = dict.fromkeys(spec.rows, "axisRow") | dict.fromkeys(spec.columns, "axisCol")
    axes |= {n: "axisPage" for n, _ in spec.filters}
    for number in range(len(source.fields)):
        field = child(fields, "pivotField")
        if number in axes:
            field.set("axis", axes[number])
        if any(measure.field == number for measure in spec.measures):
            field.set("dataField", "1")
        if axes.get(number) == "axisPage" and spec.hidden.get(number):
            field.set("multipleItemSelectionAllowed", "1")
        for key, value in _own_form(spec, number).items():
            field.set(key, value)
    child(
        root, "pivotTableStyleInfo", name="PivotStyleLight16", showRowHeaders="1", showColHeaders="1",
        showRowStripes="0", showColStripes="0", showLastColumn="1",
    )  # fmt: skip
    return root


def _whole_form(spec: Spec) -> tuple[tuple[str, str], ...]:
    """Return the attributes of the form that most of a table has: that of its outermost row field."""
    form = spec.forms.get(spec.rows[0], "tabular")
    compact = () if form == "compact" else (("compact", "0"), ("compactData", "0"))
    return compact if form == "tabular" else (("outline", "1"), ("outlineData", "1"), *compact)


def _own_form(spec: Spec, number: int) -> dict[str, str]:
    """Return the attributes of a field's form."""
    form = spec.forms.get(number, "tabular")
    found = {} if form == "compact" else {"compact": "0"}
    found |= {"outline": "0"} if form == "tabular" else {}
    found |= {"subtotalTop": "0"} if number in spec.bottom else {}
    found["showAll"] = "0"
    return found | ({} if number in spec.subtotals else {"defaultSubtotal": "0"})


def fill_axes(root: Element, spec: Spec, formats: Sequence[int]) -> None:
    """Write which fields stand where, and the measures. `formats`: number format of each measure, 0 for none."""
    for name, numbers in (("rowFields", spec.rows), ("colFields", _with_values(spec))):
        if numbers:
            node = counted(root, name)
            for number in numbers:
                child(node, "field", x=str(number))
            set_count(node)
    if spec.filters:
        node = counted(root, "pageFields")
        for number, chosen in spec.filters:
            page = child(node, "pageField", fld=str(number))
            if chosen is not None:
                page.set("item", str(chosen))
            page.set("hier", "-1")
        set_count(node)
    node = counted(root, "dataFields")
    for measure, code in zip(spec.measures, formats, strict=True):
        data = child(node, "dataField", name=escape(measure.caption), fld=str(measure.field))
        if measure.function != "sum":
            data.set("subtotal", measure.function)
        data.set("baseField", "0")
        data.set("baseItem", "0")
        if code:
            data.set("numFmtId", str(code))
    set_count(node)


def _with_values(spec: Spec) -> tuple[int, ...]:
    return (*spec.columns, -2) if len(spec.measures) > 1 else spec.columns


def set_items(field: Element, count: int, *, hidden: Collection[int] = (), subtotal: bool) -> None:
    """List the items of a field in their order, with a subtotal if it is to have one; one that it has stays."""
    items = field.find(q("items"))
    if items is None:
        items = etree.Element(q("items"))
        field.insert(0, items)
    rest = [node for node in items if node.get("t") is not None]
    for node in list(items):
        items.remove(node)
    for number in range(count):
        child(items, "item", x=str(number), **({"h": "1"} if number in hidden else {}))
    for node in rest:
        items.append(node)
    if subtotal and not rest:
        child(items, "item", t="default")
    set_count(items)


def fill_table(root: Element, spec: Spec, grid: Grid, area: Area) -> None:
    """Write where a table stands and which rows and columns it has."""
    place = root.find(q("location"))
    place.set("ref", str(area))
    # With several measures and no column field there is no row for the name of the column field.
    place.set("firstHeaderRow", "0" if not spec.columns and len(spec.measures) > 1 else "1")
    place.set("firstDataRow", str(grid.header))
    place.set("firstDataCol", str(grid.labels))
    if spec.filters:
        place.set("rowPageCount", str(len(spec.filters)))
        place.set("colPageCount", "1")
    rows = counted(root, "rowItems")
    _lines(rows, grid.rows, 1)
    if spec.column_totals:
        child(child(rows, "i", t="grand"), "x")
    set_count(rows)
    columns = counted(root, "colItems")
    measures = len(spec.measures)
    if spec.columns:
        _lines(columns, grid.columns, measures)
        for number in range(measures if spec.row_totals else 0):
            grand = child(columns, "i", t="grand")
            if number:
                grand.set("i", str(number))
            child(grand, "x")
    elif measures > 1:
        _lines(columns, [Line("item")], measures)
    else:
        child(columns, "i")
    set_count(columns)


def _lines(parent: Element, lines: Iterable[Line], measures: int) -> None:
    """Write lines, each as far as it differs from the one before, once for each measure."""
    before: Combination = ()
    for line in lines:
        for number in range(measures):
            node = child(parent, "i")
            if line.kind == "subtotal":
                node.set("t", "default")
                whole, same = line.items, len(line.items) - 1
            else:
                whole = (*line.items, number) if measures > 1 else line.items
                pairs = zip(before, whole, strict=False)
                same = len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
            if same:
                node.set("r", str(same))
            if number:
                node.set("i", str(number))
            for at in whole[same:]:
                x = child(node, "x")
                if at:
                    x.set("v", str(at))
            before = whole
