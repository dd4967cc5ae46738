"""The tool that writes an offer letter from an approved record, and none from any other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.tables import find_files, pick_file
from deskmate_documents.text import read_text
from deskmate_hr.letters import resolve, slots_of, write_letter
from deskmate_hr.offers import (
    CANDIDATES,
    Record,
    approved_with,
    pick_record,
    problems,
    read_records,
)
from deskmate_hr.tools.policy import day_of

RECORDS = (".csv", ".tsv", ".xlsx", ".xlsm", ".json")
TEMPLATES = (".docx", ".dotx")
MADE = "offer letter - "


def offer_letter(
    context: ToolContext,
    record: str = "",
    template: str = "",
    offer: str = "",
    approvals: str = "",
    output: str = "",
    fields: dict[str, str] | None = None,
    request: str = "",
) -> ToolAnswer:
    """Fill an offer letter from an approved record; without approval there is no letter.

    Every figure, day and name comes from the record as it stands; nothing is invented, rounded or left open. It stays a
    draft until a person signs and sends it.

    Args:
        context: filled in by Deskmate.
        record: workspace path of the offers (CSV, XLSX or JSON; an offer a row, or fields and values). Empty: the one there.
        template: workspace path of the letter's template (DOCX) with content controls, {{name}} or [words]. Empty: the one there.
        offer: id of the offer or name of the candidate, where there are several.
        approvals: workspace path of a register of approvals with the offers' ids, where they are kept apart. Empty: the record's own.
        output: workspace path of the letter, a .docx. Empty: `offer letter - CANDIDATE.docx` beside the record.
        fields: place of the template → column of the record, where names do not tell.
        request: the user's words; the offer and files named there are taken if the others are empty.

    Returns:
        `output`; `filled`: place → what stands there now; `approval`: who approved it when; `offer`.

    Raises:
        ToolInputError: no approval, a figure that differs from the approved one, a past date, pay outside its band, a place
            that the record does not fill.
    """
    record = record or pick_file(
        context.workspace,
        RECORDS,
        what="offer record",
        hints=("offer", "approved", "candidate"),
        request=request,
    )
    template = template or _template(context, request)
    chosen = pick_record(read_records(context.file(record), record), offer, request)
    sources = {"record": record, "template": template}
    if approvals:
        sources["approvals"] = approvals
    files = {role: context.file(path) for role, path in sources.items()}
    names = {role: context.name_of(file) for role, file in files.items()}
    as_of = day_of("")
    whole = offer_of(files, names, chosen.label)
    _check(whole, files["template"], template, context.config, as_of)
    columns = resolve(slots_of(files["template"]), whole, fields or {})
    target = _target(context, names["record"], output, whole)
    style = str(context.config.get("date_style", "1 March 2027"))
    texts = write_letter(files["template"], target, whole, columns, style)
    deliverable = Deliverable(
        path=context.name_of(target),
        title=f"Offer letter for {whole.get(CANDIDATES)}",
        role="offer_letter",
        sources=names,
        data={
            "offer": chosen.label,
            "columns": columns,
            "fields": dict(fields or {}),
            "as_of": as_of.isoformat(),
        },
    )
    return ToolAnswer(result=_told(deliverable, whole, texts), deliverables=(deliverable,))


def _check(
    offer: Record, template: Path, name: str, config: Mapping[str, Any], as_of: date
) -> None:
    """Refuse an offer that is not approved as it stands, and a template that lacks what every letter must say."""
    wrong = problems(offer, config, as_of)
    if wrong:
        raise ToolInputError(f"No letter for {offer.label} ({offer.place}): {'; '.join(wrong)}.")
    missing = unsaid(template, config)
    if missing:
        raise ToolInputError(f"{name} does not say what every letter must: {'; '.join(missing)}.")


def _told(deliverable: Deliverable, record: Record, texts: Mapping[str, str]) -> dict[str, Any]:
    approver = record.get(("approved by", "approver"))
    day = record.get(("approved on", "approval date", "date approved", "approved date"))
    number = record.get(("approval id", "approval number", "approval no", "approval reference"))
    return {
        "output": deliverable.path,
        "offer": record.label,
        "place": record.place,
        "approval": ", ".join(filter(None, (approver, day, number))),
        "filled": dict(texts),
        "lines": [f"{name}: {text}" for name, text in texts.items()],
    }


def offer_of(files: Mapping[str, Path], names: Mapping[str, str], label: str) -> Record:
    """Return an offer by its label, with its approval from the register if there is one."""
    record = pick_record(read_records(files["record"], names["record"]), label, "")
    if "approvals" in files:
        return approved_with(record, read_records(files["approvals"], names["approvals"]))
    return record


def unsaid(template: Path, config: Mapping[str, Any]) -> list[str]:
    """Return the phrases that the settings ask of every letter and that this file lacks."""
    text = " ".join(" ".join(p.text for p in read_text(template).passages).lower().split())
    return [
        str(said)
        for said in config.get("letter_must_say", ())
        if " ".join(str(said).lower().split()) not in text
    ]


def _template(context: ToolContext, request: str) -> str:
    """Return the one template that is meant; letters made here are none."""
    found = [
        path
        for path in find_files(context.workspace, TEMPLATES, request)
        if not PurePosixPath(path).name.startswith(MADE)
    ]
    named = [path for path in found if PurePosixPath(path).name.lower() in request.lower()]
    hinted = [
        path
        for path in found
        if re.search("offer|letter|template", PurePosixPath(path).name.lower())
    ]
    for choice in (named, hinted, found):
        if len(choice) == 1:
            return choice[0]
    if not found:
        raise ToolInputError("There is no template for the letter in the workspace (.docx, .dotx).")
    raise ToolInputError(
        f"Several files may be the template: {', '.join((hinted or found)[:12])}. Name one of them."
    )


def _target(context: ToolContext, record: str, output: str, offer: Record) -> Path:
    name = re.sub(r"[^\w .-]+", " ", offer.get(CANDIDATES) or offer.label).strip() or "candidate"
    wanted = output or str(PurePosixPath(record).parent / f"{MADE}{name}.docx")
    target = context.target(wanted)
    if target.suffix.lower() != ".docx" or target.name.lower().endswith("template.docx"):
        raise ToolInputError(f"{wanted} cannot be the letter; give a new name that ends in .docx.")
    return target
