"""The gates of a variance bridge: read again from the host's originals, split again, drawn again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path

from deskmate.plugin import Deliverable, Finding, ToolInputError, ValidationContext
from deskmate_documents.xlsx.book import Workbook
from deskmate_finance.validators.findings import Problem, errors
from deskmate_finance.validators.statements import original
from deskmate_finance.variance import Bridge, Item, Limits, bridge, read_items
from deskmate_finance.variance_book import BRIDGE, HEAD, LIST
from deskmate_finance.variance_picture import draw
from deskmate_finance.workbook import Cells, cells_of, equal, figure_at, text_at

FIX = "Run variance_bridge again; do not edit its figures."


def bridge_of(deliverable: Deliverable, context: ValidationContext) -> Bridge:
    """Return the bridge of the host's originals. Raises ToolInputError."""
    columns = deliverable.data.get("columns")
    given = {str(k): str(v) for k, v in columns.items()} if isinstance(columns, dict) else {}
    path, base = deliverable.sources.get("actual", ""), deliverable.sources.get("base", "")
    before = (original(context, base, "base period's file"), base) if base else None
    items, names = read_items(original(context, path, "file"), path, given, before)
    return bridge(items, names, _limits(deliverable))


def _limits(deliverable: Deliverable) -> Limits:
    given = deliverable.data.get("materiality")
    try:
        amount, percent = (Decimal(str(given[name])) for name in ("amount", "percent"))  # type: ignore[index]
    except (TypeError, KeyError, InvalidOperation) as problem:
        raise ToolInputError("the limits of materiality are not numbers") from problem
    return Limits(amount=amount, percent=percent)


def bridge_ties(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Start plus drivers is end to the cent; each is what the sources give; each item has its figures and its source.

    Source: house; price, volume and mix as in SOURCES.md.
    """
    return errors("FIN-BRIDGE-TIES", _ties(deliverable, context), FIX)


def _ties(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    made = bridge_of(deliverable, context)
    book = Workbook(context.file)
    front, items = cells_of(book, BRIDGE), cells_of(book, LIST)
    expected = [(made.start_name, made.start), *made.drivers, (made.end_name, made.end)]
    shown: list[Decimal] = []
    for row, (title, amount) in enumerate(expected, HEAD + 1):
        found = figure_at(front, row, 2)
        shown.append(found or Decimal())
        if text_at(front, row, 1) != title:
            yield f"{BRIDGE}!A{row}", f"{title} must stand here, not {text_at(front, row, 1)}."
        if not equal(found, amount):
            yield f"{BRIDGE}!B{row}", f"{title} is {found}; the sources give {amount:f}."
    if text_at(front, HEAD + len(expected) + 1, 1):
        yield BRIDGE, "There is a driver too many."
    if not equal(sum(shown[:-1], Decimal()), shown[-1]):
        yield BRIDGE, f"Start and drivers are {sum(shown[:-1]):f}, the end {shown[-1]:f}."
    for row, item in enumerate(made.items, HEAD + 1):
        yield from ((f"{LIST}!A{row}", message) for message in _item(items, row, item))
    if text_at(items, HEAD + len(made.items) + 1, 1) != "Total":
        yield LIST, "There are items too many."


def _item(cells: Cells, row: int, item: Item) -> Iterator[str]:
    if text_at(cells, row, 1) != item.name.strip():
        yield f"{item.name} must stand here, not {text_at(cells, row, 1)}."
        return
    if text_at(cells, row, 2) != ("cost" if item.is_cost else "revenue"):
        yield f"{item.name} is shown as {text_at(cells, row, 2)}."
    if text_at(cells, row, 7) != item.kind:
        yield f"{item.name} is taken as {text_at(cells, row, 7)}, not as {item.kind}."
    figures = (
        (3, item.base.amount), (4, item.actual.amount), (5, item.base.quantity), (6, item.actual.quantity),
    )  # fmt: skip
    for column, figure in figures:
        found = figure_at(cells, row, column)
        if not equal(found, figure):
            yield f"{item.name} has {figure} in the source, not {found}."
    for column, side in ((15, item.base), (16, item.actual)):
        source = "; ".join(map(str, side.places[:4])) or "not there"
        if text_at(cells, row, column) != source:
            yield f"The source of {item.name} is {source}."


def picture_ties(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """The picture is, pixel by pixel, the one that the sources give. Source: house."""
    return errors("FIN-BRIDGE-PICTURE", _picture(deliverable, context.file, context), FIX)


def _picture(deliverable: Deliverable, file: Path, context: ValidationContext) -> Iterator[Problem]:
    from PIL import Image, ImageChops, UnidentifiedImageError  # noqa: PLC0415 - heavy

    expected = draw(bridge_of(deliverable, context))
    try:
        with Image.open(file) as opened:
            shown = opened.convert("RGB") if opened.size == expected.size else None
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError):
        yield "picture", "The file is no picture that can be read."
        return
    if shown is None or ImageChops.difference(shown, expected).getbbox() is not None:
        yield "picture", "The picture is not the one that the sources give."
