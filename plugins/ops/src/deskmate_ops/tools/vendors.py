"""The tool that scores vendors and adds up what they cost, into a workbook with live formulas."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

from deskmate.plugin import ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.delivery import TABLES, deliver_book, target_of
from deskmate_documents.tables import find_files, parse_amounts, pick_file
from deskmate_ops.card import Card, card_pages, check_card
from deskmate_ops.costs import (
    TCO,
    Costs,
    cost_sheet,
    has_costs,
    present_value,
    read_costs,
    settings_of,
)
from deskmate_ops.metrics import shown
from deskmate_ops.vendors import DATABASES, read_figures, read_sources, weights_of

BOOK = "vendor-scorecard.xlsx"
HINTS = ("vendor", "supplier", *DATABASES)
COST_WORDS = ("cost", "quote", "tco")
SETTINGS = frozenset({"scale", "discount_rate", "sensitivity"})


def vendor_scorecard(
    context: ToolContext,
    path: str = "",
    output: str = "",
    weights: dict[str, str] | None = None,
    lower_is_better: list[str] | None = None,
    costs: str = "",
    settings: dict[str, str] | None = None,
    request: str = "",
) -> ToolAnswer:
    """Score vendors on weighted criteria, with total cost of ownership and sensitivity, as a workbook with live formulas.

    Each criterion is scaled between its worst (0) and best (100) vendor, or on a scale. For a database (SQLite):
    products, discontinued ones, stock value, products below reorder level, units sold and sales per supplier.

    Args:
        context: filled in by Deskmate.
        path: workspace path of the CSV, XLSX or SQLite file, a row for each vendor. Empty: the one there.
        output: workspace path of the workbook. Empty: vendor-scorecard.xlsx beside the source.
        weights: criterion → decimal weight, adding up to 1, such as {"Price": "0.6", "Quality": "0.4"}; the criterion TCO
            is the present value of the costs. Empty: all criteria weigh the same; say so to the reader.
        lower_is_better: criteria where less is better, such as price or defects; TCO is so always.
        costs: workspace path of the costs: vendor, item, year, amount, currency. Empty: a sheet or file of that name.
        settings: scale (such as 1-5, if figures are marks), discount_rate (0.08), sensitivity (0.2).
        request: the user's words; a file named there is taken if `path` is empty.

    Returns:
        `scores`: vendor, score, rank; `weights`; `equal_weights`; `costs`: vendor → total and present value;
        `changes`: weights whose change alters who is first; `ranking` in words.

    Raises:
        ToolInputError: no vendors or figures, or weights, marks, criteria or costs that do not fit.
    """
    cost_file = costs or _cost_file(context, request)
    path = path or _picked(context, request, cost_file)
    file = context.file(path)
    name = context.name_of(file)
    data = {
        "weights": dict(weights or {}),
        "lower_is_better": list(lower_is_better or []),
        "settings": dict(settings or {}),
    }
    if not cost_file and cost_sheet(file, name):
        cost_file = name
    cost_path = context.file(cost_file) if cost_file else None
    sources = {"source": name, **({"costs": context.name_of(cost_path)} if cost_path else {})}
    card = card_of(
        {"source": file, **({"costs": cost_path} if cost_path else {})},
        sources,
        data,
        context.config,
    )
    target = target_of(context, file, output, BOOK, ".xlsx")
    deliverable = deliver_book(
        context, target, card_pages(card), role="vendor_scorecard", sources=sources, data=data
    )
    return ToolAnswer(
        result={"source": name, "output": deliverable.path, **_told(card)},
        deliverables=(deliverable,),
    )


def card_of(
    files: Mapping[str, Path],
    names: Mapping[str, str],
    data: Mapping[str, Any],
    config: Mapping[str, Any],
) -> Card:
    """Return what a scorecard rests on. `files`, `names`: of `source` and, if there are any, `costs`."""
    settings = {str(key): str(value) for key, value in data["settings"].items()}
    unknown = set(settings) - SETTINGS
    if unknown:
        raise ToolInputError(
            f"Setting {min(unknown)!r} is unknown; use {', '.join(sorted(SETTINGS))}."
        )
    rate, step = settings_of(settings, config)
    figures = read_figures(files["source"], names["source"])
    costs: Costs | None = None
    if "costs" in files:
        costs = read_costs(files["costs"], names["costs"], list(figures))
        for vendor, own in figures.items():
            own[TCO] = present_value(costs.by_year(vendor), rate).quantize(Decimal("0.000001"))
    card = Card(
        figures=figures,
        sources=read_sources(files["source"], names["source"]),
        weights=weights_of(figures, data["weights"]),
        lower=frozenset(data["lower_is_better"]) | ({TCO} if costs else frozenset()),
        scale=_scale(settings.get("scale", "")),
        costs=costs,
        rate=rate,
        step=step,
        equal=not data["weights"],
    )
    check_card(card)
    return card


def _scale(text: str) -> tuple[Decimal, Decimal] | None:
    if not text:
        return None
    low, _, high = text.replace("–", "-").partition("-")
    ends = parse_amounts([(1, low.strip()), (2, high.strip())], "scale")
    if ends[0] is None or ends[1] is None or ends[0] >= ends[1]:
        raise ToolInputError(f"The scale {text!r} is none; write it as 1-5.")
    return ends[0], ends[1]


def _cost_file(context: ToolContext, request: str) -> str:
    """Return the one table whose name speaks of costs and that goes by years, empty if there is none."""
    found = [
        path
        for path in find_files(context.workspace, TABLES, request)
        if any(word in PurePosixPath(path).name.lower() for word in COST_WORDS)
        and has_costs(context.workspace / path, path)
    ]
    if len(found) > 1:
        raise ToolInputError(
            f"Several files may be the costs: {', '.join(found[:12])}. Name one of them."
        )
    return found[0] if found else ""


def _picked(context: ToolContext, request: str, cost_file: str) -> str:
    """Return the one file of vendors that is meant, never that of the costs."""
    said = request.lower()
    others = [
        PurePosixPath(path)
        for path in find_files(context.workspace, (*TABLES, *DATABASES), request)
        if path != cost_file and PurePosixPath(path).name != BOOK
    ]
    hinted = [path for path in others if any(word in path.name.lower() for word in HINTS)]
    for choice in ([path for path in others if path.name.lower() in said], hinted, others):
        if cost_file and len(choice) == 1:
            return choice[0].as_posix()
    return pick_file(
        context.workspace,
        (*TABLES, *DATABASES),
        what="vendor data",
        made=BOOK,
        hints=HINTS,
        request=request,
    )


def _told(card: Card) -> dict[str, Any]:
    scores = card.scores()
    ranks = {vendor: 1 + sum(score > own for _, score in scores) for vendor, own in scores}
    first = scores[0][0]
    changes = []
    for page in card_pages(card):
        if page.name == "Sensitivity":
            for row in page.rows[1:]:
                leader = getattr(row[-1], "result", "")
                by = getattr(row[1], "result", 0)
                if leader != first:
                    changes.append(f"{row[0]} {100 * Decimal(by):+.0f} %: {leader} is first")
    told: dict[str, Any] = {
        "scores": [{"rank": ranks[v], "vendor": v, "score": shown(s)} for v, s in scores[:100]],
        "weights": {name: f"{weight:.4f}" for name, weight in card.weights.items()},
        "equal_weights": card.equal,
        "ranking": "\n".join(f"{ranks[v]}. {v}: {shown(s)}" for v, s in scores[:10]),
        "changes": changes,
        "robust": _robust(card, first, changes),
    }
    told["weighing"] = (
        "All criteria weigh the same, because no weights were given."
        if card.equal
        else "Weights as given."
    )
    told["better"] = (
        f"Less is better for {', '.join(sorted(card.lower))}; more for the rest."
        if card.lower
        else "More counts as better throughout."
    )
    told["cost_lines"] = "No costs were given."
    if card.costs is not None:
        unit = f" {card.costs.currency}" if card.costs.currency else " (currency not named)"
        totals = {v: sum(card.costs.by_year(v), Decimal()) for v, _ in scores}
        told["costs"] = {
            v: {"total": shown(t), "present_value": shown(card.figures[v][TCO])}
            for v, t in totals.items()
        }
        told["cost_lines"] = (
            f"Costs over {len(card.costs.years)} years at {100 * card.rate:f} %:\n"
            + "\n".join(
                f"{v}: total {shown(t)}{unit}, present value {shown(card.figures[v][TCO])}"
                for v, t in list(totals.items())[:10]
            )
        )
    return told


def _robust(card: Card, first: str, changes: list[str]) -> str:
    by = f"{100 * card.step:.0f} %"
    if not changes:
        return f"{first} stays first if any one weight changes by {by}."
    return f"The order is not robust: {'; '.join(changes[:5])}."
