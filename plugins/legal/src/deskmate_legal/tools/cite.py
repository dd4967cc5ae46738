"""Finds and checks citations; writes the table of authorities."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext

if TYPE_CHECKING:
    from deskmate_legal.citations import Citation
    from deskmate_legal.readings import Reading

LISTED_LIMIT = 400


def cite_check(path: str, context: ToolContext) -> ToolAnswer:
    """Find the citations of a brief, memo or contract: cases, statutes, regulations, rules, journals, id., supra, short forms.

    Each comes with its words, its place and what it refers to. Malformed or open ones are named: a short form with nothing
    before it, a pin cite before the first page, a range that runs backwards, a year in which the reporter did not come out,
    a reporter or code in no list, a blank page. Nothing is looked up: no citation is verified by this.

    Args:
        path: workspace path of a DOCX, PDF or text file.
        context: filled in by Deskmate.

    Returns:
        `citations`: list of {number, kind, quote, authority, refers_to, pin_cite, parties, year, problems, citation, evidence},
        in order of the text, 400 at most; `count`; `authorities`: list of {authority, kind, cited: how often}; `problems`:
        how many citations have one; `summary`; `report`.
    """
    from deskmate_legal.authorities import authorities, checked, summary  # noqa: PLC0415
    from deskmate_legal.readings import evidence, place, read  # noqa: PLC0415

    source = context.file(path)
    reading = read(source, context.name_of(source))
    found = checked(reading, _year())
    wrong = [one for one in found if one.problems]
    lines = [
        f"- “{' '.join(one.words.split())}” ({place(one.passage)}): {'; '.join(one.problems)}"
        for one in wrong[:40]
    ]
    head = summary(reading, found)
    return ToolAnswer(
        result={
            "path": reading.name,
            "citations": [
                _row(reading, number, one) for number, one in enumerate(found[:LISTED_LIMIT], 1)
            ],
            "count": len(found),
            "authorities": [
                {"authority": one.core, "kind": one.kind, "cited": len(one.cited)}
                for one in authorities(found)[:LISTED_LIMIT]
            ],
            "problems": len(wrong),
            "summary": head,
            "report": "\n".join([head, *lines]),
        },
        evidence=tuple(
            {
                made.id: made
                for one in found[:LISTED_LIMIT]
                for made in [evidence(reading, one.passage, one.words)]
            }.values()
        ),
    )


def authorities_write(path: str, context: ToolContext, target: str = "") -> ToolAnswer:
    """Write the table of authorities of a brief, memo or contract (DOCX): each authority with the places where it is cited.

    Every citation stands in it as the document has it, with page and paragraph; malformed and open ones are listed by
    themselves, and every authority is marked UNVERIFIED, since none is looked up.

    Args:
        path: workspace path of a DOCX, PDF or text file.
        context: filled in by Deskmate.
        target: workspace path of the result; empty: "<name> - authorities.docx" beside the file.

    Returns:
        `path` of the table, `count` of citations, `authorities`: their number, `problems`, `summary`.
    """
    from deskmate_legal.authorities import (  # noqa: PLC0415
        authorities,
        checked,
        summary,
        write_authorities,
    )
    from deskmate_legal.readings import read  # noqa: PLC0415
    from deskmate_legal.workspace import beside  # noqa: PLC0415

    source = context.file(path)
    reading = read(source, context.name_of(source))
    found = checked(reading, _year())
    result = beside(context, reading.name, "authorities", target)
    write_authorities(context.target(result), reading, found)
    return ToolAnswer(
        result={
            "path": result,
            "count": len(found),
            "authorities": len(authorities(found)),
            "problems": sum(bool(one.problems) for one in found),
            "summary": summary(reading, found),
        },
        deliverables=(
            Deliverable(
                path=result,
                title=f"Table of authorities of {reading.title}",
                role="authorities",
                sources={"original": reading.name},
                data={"year": _year()},
            ),
        ),
    )


def _year() -> int:
    return datetime.datetime.now(datetime.UTC).year


def _row(reading: Reading, number: int, one: Citation) -> dict[str, Any]:
    from deskmate_legal.readings import citation, evidence  # noqa: PLC0415

    return {
        "number": number,
        "kind": one.kind,
        "quote": one.words,
        "authority": one.core,
        "refers_to": one.refers_to,
        "pin_cite": one.pin_cite,
        "parties": one.parties,
        "year": one.year,
        "problems": list(one.problems),
        "citation": citation(reading, one.passage),
        "evidence": [evidence(reading, one.passage, one.words).id],
    }
