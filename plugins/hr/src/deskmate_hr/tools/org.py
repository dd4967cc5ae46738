"""The tool that draws an organisation chart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deskmate.plugin import ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.delivery import TABLES, deliver_book, deliver_picture, presented, target_of
from deskmate_documents.tables import pick_file, read_table
from deskmate_hr.org_book import NOT_CONNECTED, levels_of, org_pages, org_scene, write_deck
from deskmate_hr.orgs import Organisation, read_organisation, spans_of

BOOK = "org-chart.xlsx"


def org_chart(
    context: ToolContext,
    path: str = "",
    output: str = "",
    settings: dict[str, str] | None = None,
    request: str = "",
) -> ToolAnswer:
    """Draw an organisation chart from reporting lines, with layers and spans, and find cycles, orphans and double managers.

    Delivers a workbook (people with layer and reports, layers with a native chart, findings), the tree as pictures, and a
    deck of native shapes, a slide a manager. What is wrong is listed and not repaired.

    Args:
        context: filled in by Deskmate.
        path: workspace path of the table (CSV or XLSX, a row a person: id, name, title, unit, manager id or name).
            Empty: the one there.
        output: workspace path of the workbook; pictures and deck stand beside it. Empty: org-chart.xlsx beside the table.
        settings: column names `id`, `name`, `title`, `unit`, `manager` where they cannot be told; `root` (id of the top,
            where several have no manager); `levels` that the picture shows (empty: as many as stay readable).
        request: the user's words; a file named there is taken if `path` is empty.

    Returns:
        `people`, `connected`: numbers; `layers`: list of {layer, people, managers}; `findings`: lines; `files`.

    Raises:
        ToolInputError: a column or id is missing, nobody is the top, or there are too many people.
    """
    path = path or pick_file(
        context.workspace,
        TABLES,
        what="table of reporting lines",
        hints=("org", "report", "employee", "people", "staff", "hris", "roster"),
        request=request,
        made=BOOK,
    )
    file = context.file(path)
    name = context.name_of(file)
    options = dict(settings or {})
    organisation, levels = organisation_from(file, name, options)
    target = target_of(context, file, output, BOOK, ".xlsx")
    about: dict[str, Any] = {"sources": {"people": name}, "data": {"settings": options}}
    book = deliver_book(context, target, org_pages(organisation, name), role="org_chart", **about)
    scene = org_scene(organisation, levels, name)
    pictures = deliver_picture(context, target.with_suffix(""), scene, role="org_picture", **about)
    deck = target.with_suffix(".pptx")
    write_deck(deck, organisation, name)
    results = (book, *pictures, presented(context, deck, role="org_deck", **about))
    result = {"source": name, "files": [one.path for one in results], **_told(organisation)}
    return ToolAnswer(result=result, deliverables=results)


def organisation_from(file: Path, name: str, options: dict[str, str]) -> tuple[Organisation, int]:
    """Return the organisation of a file, and how many levels are drawn. Raises ToolInputError."""
    wanted = options.get("levels", "")
    if wanted and not (wanted.isascii() and wanted.isdigit() and int(wanted)):
        raise ToolInputError("The setting levels is a whole number from 1.")
    table = read_table(file, name=name, sheet=options.get("sheet", ""))
    organisation = read_organisation(table, options)
    return organisation, levels_of(organisation, int(wanted or 0))


def _told(organisation: Organisation) -> dict[str, Any]:
    layers = [{"layer": a, "people": b, "managers": c} for a, b, c in spans_of(organisation)]
    lines = [trouble.text for trouble in organisation.troubles]
    apart = organisation.apart
    if apart:
        lines.append(
            f"{len(apart)} {NOT_CONNECTED}: {', '.join(person.id for person in apart[:12])}"
        )
    managers = sum(row["managers"] for row in layers)
    reports = len(organisation.layers) - 1
    span = f"{reports / managers:.1f}" if managers else "none"
    top = organisation.people[organisation.root]
    summary = (
        f"{len(organisation.layers)} of {len(organisation.people)} people below {top.name}, {len(layers)} layers, "
        f"{managers} managers with {span} direct reports on average.\n"
        f"Findings: {len(lines)}{':' if lines else '.'}\n"
        + "\n".join(f"- {line}" for line in lines[:20])
    )
    return {
        "summary": summary.strip(),
        "people": len(organisation.people),
        "connected": len(organisation.layers),
        "layers": layers,
        "findings": lines[:200],
    }
