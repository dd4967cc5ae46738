"""The tool that draws a sample for a test of a control."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.tables import pick_file
from deskmate_finance.made import book_path, write_made
from deskmate_finance.sampling import (
    ATTRIBUTE,
    SIZES,
    Population,
    Sample,
    draw,
    read_outcomes,
    read_population,
    size_of,
)
from deskmate_finance.sampling_book import sheets, validations
from deskmate_finance.tools.statements import TABLES

OUTPUT = "sample.xlsx"
USUAL = ("Performed", "By the right person", "In time", "Evidenced")
ATTRIBUTES_LIMIT = 12
SHOWN = 60


def sox_sample(
    context: ToolContext,
    path: str = "",
    frequency: str = "",
    seed: str = "",
    options: dict[str, str] | None = None,
    attributes: list[str] | None = None,
    results: str = "",
    request: str = "",
) -> ToolAnswer:
    """Draw a sample for a test of a control (SOX 404), repeatably, and write the workpaper with a sheet of attributes.

    The population is frozen by the SHA-256 of its file. The size comes from a table by the control's frequency and
    risk, or is computed (attribute sampling); a smaller one is refused. Anybody who has the file and the seed draws
    the same items again.

    Args:
        context: filled in by Deskmate.
        path: workspace path of the population (CSV or XLSX, one item a row). Empty: the one in the workspace.
        frequency: of the control: annual, quarterly, monthly, weekly, daily, many times a day; or attribute. Empty:
            the one that the request names.
        seed: any word or number. Empty: the first eight digits of the population's digest.
        options: {"control": its name, "risk": "higher" (default) or "lower", "size": more than the table wants,
            "id": column whose values are all different, "amount": column, "sheet", "expected_count" and
            "expected_total" of the ledger, "output": path of the workpaper; for attribute sampling "confidence" (95),
            "tolerable" (5) in percent and "accepted" (0) deviations}.
        attributes: what is tested of each item. Empty: Performed, By the right person, In time, Evidenced.
        results: workspace path of a table with the results so far: item, a column for each attribute (yes, no, n/a),
            tester, date, evidence.
        request: the user's words.

    Returns:
        `path`; `population` {path, sha256, items, total}; `rule`, `seed`, `size`; `items`: list of {row, item,
        amount}; `tested`, `exceptions`.

    Raises:
        ToolInputError: a file, column or option cannot be used, the population is not complete, the size too small.
    """
    given = dict(options or {})
    output = given.pop("output", "")
    path = path or pick_file(
        context.workspace,
        TABLES,
        what="population",
        hints=("population", "control", "approvals", "changes", "invoices", "payments"),
        request=request,
        made=OUTPUT,
    )
    frequency = frequency or _frequency(request)
    asked = tuple(attributes or USUAL)
    population = read_population(context.file(path), path, given)
    seed = seed or population.digest[:8]
    data = {"frequency": frequency, "seed": seed, "options": given, "attributes": list(asked)}
    made = sample(population, frequency, seed, given, asked)
    sources = {"population": path}
    if results:
        sources["results"] = results
        outcomes = read_outcomes(context.file(results), results, made.items, asked)
        made = replace(made, outcomes=outcomes)
    target = context.target(book_path(output, path, OUTPUT, path, results))
    write_made(target, sheets(made), validations(made))
    deliverable = Deliverable(
        path=context.name_of(target),
        title=f"Sample of {len(made.items)} from {path}",
        role="sox_sample",
        sources=sources,
        data=data,
    )
    return ToolAnswer(result=_report(made, deliverable.path), deliverables=(deliverable,))


def _frequency(request: str) -> str:
    said = f" {request.lower()} "
    found = [name for name in (*SIZES, ATTRIBUTE) if name in said]
    if len(found) != 1:
        raise ToolInputError(f"Name how often the control works: {', '.join(SIZES)}; or {ATTRIBUTE}.")  # fmt: skip
    return found[0]


def sample(
    population: Population,
    frequency: str,
    seed: str,
    options: dict[str, str],
    asked: tuple[str, ...],
) -> Sample:
    """Return the sample of a population. Raises ToolInputError as `size_of` does, or for its attributes."""
    plain = {" ".join(one.lower().split()) for one in asked}
    if not 1 <= len(asked) <= ATTRIBUTES_LIMIT or len(plain) < len(asked) or "" in plain:
        raise ToolInputError(f"Give 1 to {ATTRIBUTES_LIMIT} attributes with different names.")
    count, rule = size_of(frequency, options, len(population.items))
    return Sample(
        population=population, items=draw(population, count, seed), rule=rule, control=options.get("control", ""), seed=seed,
        attributes=asked, outcomes={},
    )  # fmt: skip


def _report(made: Sample, path: str) -> dict[str, Any]:
    population = made.population
    total = f"{population.total:,f}" if population.amount else "no amounts"
    items = [
        {"row": i.number, "item": i.name, "amount": "" if i.amount is None else f"{i.amount:f}"}
        for i in made.items[:SHOWN]
    ]
    return {
        "path": path,
        "population": {
            "path": population.name, "sha256": population.digest, "items": len(population.items), "total": total,
        },
        "rule": made.rule,
        "seed": made.seed,
        "size": len(made.items),
        "items": items,
        "item_list": "\n".join(f"row {i['row']}: {i['item']} {i['amount']}".strip() for i in items),
        "tested": len(made.outcomes),
        "exceptions": made.exceptions[:SHOWN],
        "exception_count": len(made.exceptions),
    }  # fmt: skip
