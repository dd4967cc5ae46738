"""The tool that makes a hiring funnel."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from deskmate.plugin import ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.delivery import TABLES, deliver_book, deliver_picture, target_of
from deskmate_documents.tables import Table, pick_file, read_table
from deskmate_hr.funnel_book import funnel_pages, funnel_scene, share
from deskmate_hr.funnels import Funnel, funnels_of, read_cohort
from deskmate_hr.people import HIDDEN
from deskmate_hr.tools.report import asked_period, least_of, names_column

BOOK = "hiring-funnel.xlsx"
GROUPS_LIMIT = 4


def hiring_funnel(
    context: ToolContext,
    path: str = "",
    group_by: list[str] | None = None,
    output: str = "",
    settings: dict[str, str] | None = None,
    request: str = "",
) -> ToolAnswer:
    """Make a hiring funnel: how many candidates reached each stage, conversion, time in stage, by group; small groups hidden.

    Counts from 1 to 4 are hidden, also those that a reader could subtract from two stages or groups. Ask for all groupings
    in one call. Writes a workbook with live conversions and a native chart, and the funnel as pictures.

    Args:
        context: filled in by Deskmate.
        path: workspace path of the extract (CSV or XLSX): a row a candidate with a column of days a stage, or a row a
            candidate and stage (candidate, stage, date). Empty: the one there.
        group_by: further columns to split by, such as source or department, at most 4. Empty: those that the request
            names after "by".
        output: workspace path of the workbook. Empty: hiring-funnel.xlsx beside the extract.
        settings: `stages` ("Applied, Screen, Offer", first to last) where their order cannot be told; column names
            `candidate`, `stage`, `date`; `from` and `to` (ISO days on which the cohort began); `order` (dmy or mdy).
        request: the user's words; a file, period and columns named there are taken if the others are empty.

    Returns:
        `stages`: list of {stage, reached, went_on, median_days} of all candidates as text, – is hidden; `cohort`; `files`.

    Raises:
        ToolInputError: stages cannot be told, days go backwards, the cohort is empty, or groups cannot be protected.
    """
    path = path or pick_file(
        context.workspace,
        TABLES,
        what="extract of candidates",
        hints=("candidate", "applicant", "application", "ats", "recruit", "pipeline", "hiring"),
        request=request,
        made=BOOK,
    )
    file = context.file(path)
    name = context.name_of(file)
    options = {**asked_period(request), **(settings or {})}
    table = read_table(file, name=name, sheet=options.get("sheet", ""))
    groups = list(group_by if group_by is not None else _asked(table, request))
    if len(groups) > GROUPS_LIMIT:
        raise ToolInputError(
            f"A funnel is split by at most {GROUPS_LIMIT} columns, not {len(groups)}."
        )
    least = least_of(context.config)
    cohort = read_cohort(table, groups, options)
    funnels = funnels_of(cohort, least)
    target = target_of(context, file, output, BOOK, ".xlsx")
    about: dict[str, Any] = {
        "sources": {"candidates": name},
        "data": {"group_by": groups, "settings": options},
    }
    pages = funnel_pages(funnels, cohort, least, name)
    scene = funnel_scene(funnels, cohort, name)
    results = (
        deliver_book(context, target, pages, role="hiring_funnel", **about),
        *deliver_picture(
            context, target.with_name(target.stem), scene, role="funnel_picture", **about
        ),
    )
    told = {"source": name, "files": [one.path for one in results], "cohort": cohort.period}
    return ToolAnswer(result=told | _told(funnels), deliverables=results)


def _asked(table: Table, request: str) -> list[str]:
    said = " ".join(request.lower().replace("_", " ").split()).partition(" by ")[2]
    return [column for column in table.columns if said and names_column(said, column)][
        :GROUPS_LIMIT
    ]


def _told(funnels: Sequence[Funnel]) -> dict[str, Any]:
    rows = []
    (rungs,) = funnels[0].groups.values()
    for place, rung in enumerate(rungs):
        following = rungs[place + 1].reached if place + 1 < len(rungs) else None
        on = share(following, rung.reached)
        rows.append(
            {
                "stage": rung.stage,
                "reached": HIDDEN if rung.reached is None else str(rung.reached),
                "went_on": HIDDEN if on is None else f"{on:.1%}",
                "median_days": HIDDEN if rung.median is None else f"{rung.median:f}",
            }
        )
    lines = [f"{rungs[0].stage}: {rows[0]['reached']} candidates"]
    lines += [
        f"{row['stage']}: {row['reached']} ({before['went_on']} of {before['stage']}, median {before['median_days']} days there)"
        for before, row in pairwise(rows)
    ]
    split = [
        f"Also by {funnel.by}: {len(funnel.groups)} groups, in the workbook."
        for funnel in funnels[1:]
    ]
    return {"stages": rows, "summary": "\n".join([*lines, *split])}
