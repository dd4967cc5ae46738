"""The tool that benchmarks pay against a survey."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.tables import find_files, pick_file
from deskmate_documents.xlsx.pages import write_book
from deskmate_hr.benchmark import Benchmark, benchmark_of, standing, terms_of
from deskmate_hr.benchmark_book import benchmark_pages
from deskmate_hr.offers import words
from deskmate_hr.people import HIDDEN
from deskmate_hr.tools.policy import day_of

TABLES = (".csv", ".tsv", ".xlsx", ".xlsm")
BOOK = "compensation-benchmark.xlsx"
SURVEYS = ("survey", "market", "benchmark", "compensation data")
OWN = ("employee", "staff", "people", "emp", "payroll", "incumbent", "roster")


def comp_benchmark(
    context: ToolContext,
    survey: str = "",
    employees: str = "",
    output: str = "",
    as_of: str = "",
    settings: dict[str, str] | None = None,
    request: str = "",
) -> ToolAnswer:
    """Benchmark pay by role against a market survey: percentiles aged to one day, ranges, compa-ratios, as a live workbook.

    Roles with fewer than five people in the survey are refused, and own pay of fewer than five people is not shown. It
    compares roles, not persons.

    Args:
        context: filled in by Deskmate.
        survey: workspace path of the survey (CSV, XLSX): role, P25, P50, P75 with n, date, source; or one observation a row.
        employees: workspace path of the own people (role, pay). Empty: the one there, or none.
        output: workspace path of the workbook. Empty: compensation-benchmark.xlsx beside the survey.
        as_of: ISO date to age the data to. Empty: today.
        settings: `effective` (date of the survey's data, where it has no column), `individuals` ("ids": a line for each
            person by employee id, for readers who may see single pay).
        request: the user's words; files named there are taken if the others are empty.

    Returns:
        `roles`: list of {role, n, P50, minimum, midpoint, maximum, compa_ratio}; `not_published`: roles with the reason.

    Raises:
        ToolInputError: the data are thin, undated, in several currencies or of a later day.
    """
    survey = survey or pick_file(
        context.workspace, TABLES, what="survey", hints=SURVEYS, request=request, made=BOOK
    )
    sources = {"survey": survey}
    own = employees or _own(context, survey, request)
    if own:
        sources["employees"] = own
    files = {role: context.file(path) for role, path in sources.items()}
    names = {role: context.name_of(file) for role, file in files.items()}
    options, day = dict(settings or {}), day_of(as_of)
    found = benchmark_of(files, names, options, terms_of(context.config, day))
    wanted = output or str(PurePosixPath(names["survey"]).parent / BOOK)
    target = context.target(wanted)
    if target.suffix.lower() != ".xlsx" or target in {file.resolve() for file in files.values()}:
        raise ToolInputError(f"{wanted} cannot be the result; give a new name that ends in .xlsx.")
    write_book(target, benchmark_pages(found))
    deliverable = Deliverable(
        path=context.name_of(target),
        title="Compensation benchmark",
        role="comp_benchmark",
        sources=names,
        data={"settings": options, "as_of": day.isoformat()},
    )
    result = {"output": deliverable.path, "source": names["survey"], **_told(found)}
    return ToolAnswer(result=result, deliverables=(deliverable,))


def _own(context: ToolContext, survey: str, request: str) -> str:
    """Return the one table of own people that is meant, empty if there is none."""
    others = [
        path
        for path in find_files(context.workspace, TABLES, request)
        if path != survey and PurePosixPath(path).name != BOOK
    ]
    named = [path for path in others if PurePosixPath(path).name.lower() in request.lower()]
    hinted = [path for path in others if any(w in PurePosixPath(path).name.lower() for w in OWN)]
    for choice in (named, hinted):
        if len(choice) == 1:
            return choice[0]
        if choice:
            raise ToolInputError(
                f"Several files may be the own people: {', '.join(choice[:12])}. Name one of them."
            )
    return ""


def _told(found: Benchmark) -> dict[str, Any]:
    roles = []
    there = {words(person.label) for person in found.people or ()}
    for role in found.roles:
        pay = None
        if words(role.label) in there:
            pay = standing(role, found.people or (), found.terms.least)["Median pay"]
        roles.append(
            {
                "role": role.label,
                "n": role.count,
                "P50": f"{role.pay['P50']:.2f}",
                "minimum": f"{role.low:.2f}",
                "midpoint": f"{role.middle:.2f}",
                "maximum": f"{role.high:.2f}",
                "compa_ratio": HIDDEN if pay is None else f"{pay / role.middle:.2f}",
            }
        )
    unit = f" {found.currency}" if found.currency else ""
    lines = [
        f"{r['role']}: P50 {r['P50']}{unit} (n {r['n']}), range {r['minimum']} to {r['maximum']}, compa-ratio {r['compa_ratio']}"
        for r in roles
    ]
    thin = [f"{label}: {why}" for label, why in found.thin.items()]
    return {
        "roles": roles[:200],
        "lines": lines[:60],
        "not_published": thin,
        "left_out": "\n".join(thin) or "Every role could be published.",
        "terms": f"Aged to {found.terms.as_of} at {100 * found.terms.ageing:f} % a year.",
    }
