"""Tools of the evidence ledger: a figure recorded where it stands, and results presented with their claims."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from deskmate.plugin import (
    Claim,
    Deliverable,
    Digest,
    Evidence,
    ToolAnswer,
    ToolContext,
    ToolInputError,
)

PLACES_LIMIT = 20
ROLES = ("document", "report", "summary", "brief", "deck", "minutes")
_KINDS = ("number", "quote", "statement")


def document_figure(path: str, figure: str, context: ToolContext) -> ToolAnswer:
    """Find where a figure stands in a Word, PDF, text or CSV file, before you use it; for workbooks use sheet_read.

    Args:
        path: workspace path of the file.
        figure: as you would show it, such as `12.5 %`, `$3.2 million` or `1,234.50`; rounding counts as the same.
        context: filled in by Deskmate.

    Returns:
        `places`: list of {evidence, value, text, and paragraph with page, or line, or row}, at most 20. Name the `evidence`
        in a claim when you present the result. Empty if the figure stands nowhere.
    """
    from deskmate_documents.numbers import figures  # noqa: PLC0415

    wanted = next(figures(f" {figure} "), None)
    if wanted is None:
        raise ToolInputError(f"{figure!r} is no figure.")
    real = context.file(path)
    if real.suffix.lower() in (".xlsx", ".xlsm"):
        raise ToolInputError(f"{path} is a workbook; read its cells with office__sheet_read.")
    digest = Digest(hashlib.sha256(real.read_bytes()).hexdigest())
    name = context.name_of(real)
    places: list[dict[str, Any]] = []
    evidence: list[Evidence] = []
    for locator, text in _passages(real):
        for found in figures(text):
            value = next((v for v, _ in found.readings if wanted.fits(v)), None)
            if value is None or len(places) == PLACES_LIMIT:
                continue
            label = f"{name} {sorted(locator.items())} {value}"
            item = Evidence(
                id=f"figure-{digest[:8]}-{hashlib.sha256(label.encode()).hexdigest()[:10]}",
                source=digest,
                path=name,
                locator=locator,
                quote=text[:2_000],
                value=f"{value:f}",
                unit="%" if found.per == 100 else "",
            )
            if all(item.id != other.id for other in evidence):
                evidence.append(item)
                places.append(
                    {"evidence": item.id, "value": item.value, "text": text[:300], **locator}
                )
    return ToolAnswer(result={"path": name, "places": places}, evidence=tuple(evidence))


def _passages(real: Path) -> Iterator[tuple[dict[str, int | str], str]]:
    from deskmate_documents.content import TABLES  # noqa: PLC0415
    from deskmate_documents.evidence import file_lines  # noqa: PLC0415
    from deskmate_documents.text import read_text  # noqa: PLC0415

    source = read_text(real)
    if source.kind == "text":
        unit = "row" if real.suffix.lower() in TABLES else "line"
        for number, line in enumerate(file_lines(real), 1):
            yield {unit: number}, line
        return
    for passage in source.passages:
        locator: dict[str, int | str] = {"paragraph": passage.paragraph}
        if passage.page is not None:
            locator["page"] = passage.page
        yield locator, passage.text


def document_present(
    path: str,
    title: str,
    context: ToolContext,
    role: str = "report",
    sources: list[str] | None = None,
    claims: list[dict[str, Any]] | None = None,
    regulated: bool = False,
) -> ToolAnswer:
    """Present a file that rests on sources: each figure in it must stand there, or a claim must prove it.

    Use it instead of workspace__present for reports, summaries, briefs, decks and minutes.

    Args:
        path: workspace path of the result.
        title: what it is, for its reader.
        context: filled in by Deskmate.
        role: one of document, report, summary, brief, deck, minutes.
        sources: workspace paths of the files that it rests on; empty: all that were opened.
        claims: {"text": words of the result that hold the figure, "evidence": [ids, or cells as
            "work/model.xlsx#PL!C7"], "formula": "e1 / e2 - 1"}; the formula over the evidence in its order, empty if the figure itself is there. Kinds: "number" (the
            default), "quote", "statement".
        regulated: a professional answers for it, such as an opinion or a filing; it must say "Draft for professional
            review" until a named person has signed it.

    Returns:
        `presented`: the path, and how many `claims` it carries.
    """
    real = context.file(path)
    if role not in ROLES:
        raise ToolInputError(f"The role is one of {', '.join(ROLES)}.")
    deliverable = Deliverable(
        path=context.name_of(real),
        title=title.strip() or real.name,
        role=role,
        sources=named_sources(sources or [], context),
        claims=claims_of(claims or []),
        data={"regulated": True} if regulated else {},
    )
    answer = {"presented": deliverable.path, "claims": len(deliverable.claims)}
    return ToolAnswer(result=answer, deliverables=(deliverable,))


def named_sources(paths: Iterable[str], context: ToolContext) -> dict[str, str]:
    """Return role → workspace path of a result's sources. Raises ToolInputError for one that is not there."""
    names = [context.name_of(context.file(path)) for path in paths]
    return {f"source {number}": name for number, name in enumerate(names, 1)}


def claims_of(entries: Iterable[Mapping[str, Any]]) -> tuple[Claim, ...]:
    """Return the claims that a call brought.

    Raises:
        ToolInputError: one lacks its text or its evidence; names it.
    """
    claims = []
    for number, entry in enumerate(entries, 1):
        names, kind = entry.get("evidence", ()), entry.get("kind", "number")
        text, formula = entry.get("text", ""), entry.get("formula", "")
        if not (isinstance(text, str) and text.strip() and isinstance(formula, str)):
            raise ToolInputError(f"Claim {number} has no text.")
        if not (isinstance(names, list) and names and all(isinstance(name, str) for name in names)):
            raise ToolInputError(f"Claim {number} names no evidence; give a list of ids.")
        if kind not in _KINDS:
            raise ToolInputError(f"Claim {number}: the kind is one of {', '.join(_KINDS)}.")
        claims.append(Claim(text=text, evidence=tuple(names), kind=kind, formula=formula))
    return tuple(claims)
