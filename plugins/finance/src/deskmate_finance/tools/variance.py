"""The tool that explains a variance with a bridge."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path, PurePosixPath
from typing import Any

from deskmate.plugin import (
    Deliverable,
    Evidence,
    ToolAnswer,
    ToolContext,
    ToolError,
    ToolInputError,
)
from deskmate_documents.tables import pick_file
from deskmate_documents.xlsx.build import build_workbook
from deskmate_documents.xlsx.refs import name_of
from deskmate_documents.xlsx.results import fill_results
from deskmate_finance.tools.statements import TABLES, text
from deskmate_finance.variance import Bridge, Item, Limits, Place, bridge, read_items
from deskmate_finance.variance_book import sheets
from deskmate_finance.variance_picture import png

OUTPUT = "variance bridge.xlsx"
EVIDENCE_LIMIT = 400
SHOWN = 25


def variance_bridge(
    context: ToolContext,
    path: str = "",
    base_path: str = "",
    output: str = "",
    columns: dict[str, str] | None = None,
    materiality: dict[str, str] | None = None,
    request: str = "",
) -> ToolAnswer:
    """Explain a variance (actual against budget or prior period) with a bridge whose drivers add up to the cent.

    With quantities on both sides it splits into volume, mix, price, new and ended items; without, into the material
    lines and all others. Delivers a workbook (live formulas, native waterfall chart, source of each figure) and the
    chart as a picture.

    Args:
        context: filled in by Deskmate.
        path: workspace path of a CSV or XLSX file with an item a row and both figures, or one figure and a column
            that names the scenario. Empty: the one in the workspace.
        base_path: the base period's own file, where each period has one.
        output: workspace path of the new workbook. Empty: variance bridge.xlsx beside the file.
        columns: names where they cannot be told: item, base, actual, base_quantity, actual_quantity; or scenario,
            amount, quantity; type (cells revenue or cost); sheet.
        materiality: {"amount": "1000", "percent": "5"}: a line is material from both on. Empty: the settings.
        request: the user's words; a file named there is taken.

    Returns:
        `path`, `picture`; `start`, `end`, `variance`: decimal strings; `drivers`: list of {driver, amount};
        `material`: list of {item, base, actual, variance, sources}; `notes`.

    Raises:
        ToolInputError: a file, column, figure or limit cannot be used.
    """
    path = path or pick_file(
        context.workspace,
        TABLES,
        what="table with both figures",
        hints=("budget", "variance", "actual", "plan", "sales", "p&l", "comparison"),
        request=request,
        made=OUTPUT,
    )
    given = dict(columns or {})
    limits = limits_of(context, materiality or {})
    base = (context.file(base_path), base_path) if base_path else None
    items, names = read_items(context.file(path), path, given, base)
    made = bridge(items, names, limits)
    output = output or str(PurePosixPath(path).parent / OUTPUT)
    if not output.lower().endswith(".xlsx") or output in (path, base_path):
        raise ToolInputError(f"{output} cannot be the workbook; give a new name in .xlsx.")
    target, picture = context.target(output), context.target(output[:-5] + ".png")
    write(target, made, f"From {path}" + (f" and {base_path}" if base_path else ""))
    picture.write_bytes(png(made))
    sources = {"actual": path, **({"base": base_path} if base_path else {})}
    data = {
        "columns": given,
        "materiality": {"amount": f"{limits.amount:f}", "percent": f"{limits.percent:f}"},
    }
    title = f"Bridge from {names[0]} to {names[1]}"
    delivered = tuple(
        Deliverable(path=context.name_of(file), title=title, role=role, sources=sources, data=data)
        for file, role in ((target, "variance_bridge"), (picture, "bridge_picture"))
    )
    return ToolAnswer(
        result=_report(made, delivered[0].path, delivered[1].path),
        evidence=tuple(_evidence(context, made)),
        deliverables=delivered,
    )


def limits_of(context: ToolContext, given: dict[str, str]) -> Limits:
    """Return the limits of materiality, from the call or the settings. Raises ToolInputError."""
    found = {}
    for name, default in (("amount", 0), ("percent", 5)):
        setting = given.get(name) or context.config.get(f"materiality_{name}", default)
        try:
            found[name] = Decimal(str(setting))
        except InvalidOperation as problem:
            raise ToolInputError(f"Materiality {name} is {setting!r}; give a number.") from problem
        if not found[name].is_finite() or found[name] < 0:
            raise ToolInputError(f"Materiality {name} is {setting}; give 0 or more.")
    return Limits(amount=found["amount"], percent=found["percent"])


def write(target: Path, made: Bridge, sources: str) -> None:
    """Write the workbook with computed results. Raises ToolError if a formula gives none."""
    if made.start + sum((amount for _, amount in made.drivers), Decimal()) != made.end:
        raise ToolError("The drivers do not add up to the variance; nothing was written.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="deskmate-finance-") as folder:
        part = Path(folder) / "made.xlsx"
        build_workbook(part, sheets(made, sources))
        fill_results(part)
        target.write_bytes(part.read_bytes())


def _evidence(context: ToolContext, made: Bridge) -> Iterator[Evidence]:
    digests: dict[str, str] = {}
    places = [
        (place, side.amount)
        for item in made.items
        for side in (item.base, item.actual)
        if len(side.places) == 1
        for place in side.places
    ]
    for place, amount in places[:EVIDENCE_LIMIT]:
        if place.path not in digests:
            data = context.file(place.path).read_bytes()
            digests[place.path] = hashlib.sha256(data).hexdigest()
        known = f"{digests[place.path]}{place}"
        yield Evidence(
            id=f"fin-{hashlib.sha256(known.encode()).hexdigest()[:12]}",
            source=digests[place.path],  # type: ignore[arg-type]
            path=place.path,
            locator=_locator(place),
            value=f"{amount:f}",
        )


def _locator(place: Place) -> dict[str, int | str]:
    if place.sheet:
        return {"sheet": place.sheet, "cell": name_of((place.row, place.number))}
    return {"row": place.row}


def _report(made: Bridge, path: str, picture: str) -> dict[str, Any]:
    material = sorted(
        (item for item in made.items if made.limits.holds(item)), key=lambda i: -abs(i.effect)
    )
    notes = [
        "Volume is at the base period's average price, mix at base prices, price at actual quantities."
    ]
    if not made.by_quantity:
        notes = ["There are no quantities on both sides: the bridge goes by line."]
    if not any(item.is_cost for item in made.items):
        notes.append("No line is marked as a cost: rows are added as they stand.")
    return {
        "path": path,
        "picture": picture,
        "start_name": made.start_name,
        "end_name": made.end_name,
        "start": text(made.start),
        "end": text(made.end),
        "variance": text(made.end - made.start),
        "drivers": [{"driver": title, "amount": text(amount)} for title, amount in made.drivers],
        "driver_list": "\n".join(f"{title}: {amount:+,f}" for title, amount in made.drivers),
        "limit": str(made.limits),
        "material_count": len(material),
        "material": [_item(item) for item in material[:SHOWN]],
        "material_list": "\n".join(map(_line, material[:SHOWN])) or "No line is over it.",
        "notes": "\n".join(notes),
    }


def _item(item: Item) -> dict[str, Any]:
    return {
        "item": item.name,
        "type": "cost" if item.is_cost else "revenue",
        "base": f"{item.base.amount:f}",
        "actual": f"{item.actual.amount:f}",
        "variance": f"{item.effect:f}",
        "sources": [str(place) for side in (item.base, item.actual) for place in side.places[:4]],
    }


def _line(item: Item) -> str:
    places = "; ".join(str(p) for side in (item.base, item.actual) for p in side.places[:1])
    return f"{item.name}: {item.base.amount:,f} to {item.actual.amount:,f}, {item.effect:+,f} for the result ({places})"
