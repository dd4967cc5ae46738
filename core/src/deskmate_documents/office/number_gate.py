"""G-NUM: each figure of a deliverable is one of its sources, within display rounding, or recomputes from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path

from deskmate.errors import ToolError
from deskmate.plugin import Claim, Deliverable, Finding, ValidationContext
from deskmate_documents.content import PROSE, SHEETS, Line, read_content
from deskmate_documents.evidence import Ledger, Unproven, compute
from deskmate_documents.numbers import (
    Figure,
    Values,
    all_values,
    decimal_of,
    figures,
    stored_figure,
)
from deskmate_documents.quotes import normalise

RULE = "G-NUM"
FINDINGS_LIMIT = 25
STRICT_ROLES = frozenset({"report", "deck", "summary", "brief"})
"""Roles that rest on figures of sources; `document` is held to it once it claims a number or names its sources."""
FORMS = frozenset({"base", "template"})
"""Sources that give a file its looks, and no figure."""
_FIX = "Cite the figure with office__document_figure or office__sheet_read and claim it, or take it out."


def check_numbers(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Check the claims of kind number, then every other figure of the text.

    Of roles that a profession's own rules recompute, only the claims are checked. A document that rests on
    nothing gets one warning that names its figures.
    """
    claims = [claim for claim in deliverable.claims if claim.kind == "number"]
    ledger = Ledger(context)
    if claims:
        text = normalise(read_content(context.file).text)
        for claim in claims:
            yield from _check_claim(claim, ledger, text)
    if context.file.suffix.lower() not in PROSE:
        return
    strict = deliverable.role in STRICT_ROLES or bool(claims)
    if deliverable.role == "document":
        strict = strict or bool(set(deliverable.sources) - FORMS)
    elif not strict:
        return
    loose = list(_untraced(deliverable, claims, context))
    if strict:
        yield from _errors(loose)
    elif loose:
        names = ", ".join(figure.text for _, figure in loose[:8])
        more = f" and {len(loose) - 8} more" if len(loose) > 8 else ""
        yield Finding(
            rule=RULE,
            level="warning",
            message=f"UNVERIFIED: these figures stand in no source of this thread: {names}{more}",
            location=loose[0][0].where,
            fix=_FIX,
        )


def _errors(loose: list[tuple[Line, Figure]]) -> Iterator[Finding]:
    for line, figure in loose[:FINDINGS_LIMIT]:
        yield Finding(
            rule=RULE,
            level="error",
            message=f"The figure {figure.text} stands in no source and no claim proves it: “{line.text[:100]}”",
            location=line.where,
            fix=_FIX,
        )
    if len(loose) > FINDINGS_LIMIT:
        message = f"There are {len(loose) - FINDINGS_LIMIT} more figures without a source."
        yield Finding(rule=RULE, level="error", message=message)


def _check_claim(claim: Claim, ledger: Ledger, text: str) -> Iterator[Finding]:
    def bad(message: str, fix: str = _FIX) -> Finding:
        shown = claim.text if len(claim.text) <= 100 else claim.text[:97] + "…"
        return Finding(rule=RULE, level="error", message=f"{message}: “{shown}”", fix=fix)

    if normalise(claim.text) not in text:
        yield bad("The deliverable does not say what is claimed", "Claim the words as they stand.")
        return
    shown = list(figures(claim.text))
    if not shown:
        yield bad("The claim has no figure")
        return
    if not claim.evidence:
        yield bad("The claim names no evidence")
        return
    try:
        values = [ledger.value(name) for name in claim.evidence]
        results = [compute(claim.formula, values)] if claim.formula else []
    except Unproven as error:
        yield bad(error.message[0].upper() + error.message[1:])
        return
    if results and not any(figure.fits(results[0]) for figure in shown):
        yield bad(f"The formula {claim.formula} gives {_plain(results[0])}, not what is said")
        return
    for figure in shown:
        if not any(figure.fits(value) for value in (*results, *values)):
            found = ", ".join(_plain(value) for value in values[:6])
            yield bad(f"The evidence has {found}, not {figure.text}")


def _plain(value: Decimal) -> str:
    return f"{value.quantize(Decimal('0.000001')).normalize():f}" if value else "0"


def _untraced(
    deliverable: Deliverable, claims: list[Claim], context: ValidationContext
) -> Iterator[tuple[Line, Figure]]:
    """Yield the figures that no claim covers and no source has. Sources are read one by one, as needed."""
    claimed = [normalise(claim.text) for claim in claims]
    said_so = [figure for claim in claimed for figure in figures(claim)]
    left = [
        (line, figure)
        for line in read_content(context.file).lines
        for figure in _figures(line)
        if not (
            _is_drawn(figure, said_so) if line.stored else _is_claimed(figure, line.text, claimed)
        )
    ]
    said = context.facts.get("said", ())
    if left and isinstance(said, list | tuple):
        values = Values(value for text in said for value in all_values(str(text)))
        left = [(line, figure) for line, figure in left if not values.has(figure)]
    for file in _sources(deliverable, context):
        if not left:
            return
        values = Values(source_values(file))
        left = [(line, figure) for line, figure in left if not values.has(figure)]
    yield from left


def _figures(line: Line) -> Iterator[Figure]:
    if not line.stored:
        yield from figures(line.text)
    elif (found := stored_figure(line.text)) is not None:
        yield found


def _is_drawn(figure: Figure, said_so: list[Figure]) -> bool:
    """Say whether a chart draws what a claim says somewhere in the file, rounded as it is; each was checked."""
    return any(said.fits(value) for said in said_so for value, _ in figure.readings)


def _is_claimed(figure: Figure, line: str, claimed: list[str]) -> bool:
    """Say whether one of the claims in this line says this figure; each was checked."""
    text = normalise(line)
    return any(claim in text and normalise(figure.text) in claim for claim in claimed)


def _sources(deliverable: Deliverable, context: ValidationContext) -> Iterator[Path]:
    """Yield the named originals; without any, the one that had this path, then all that the host held."""
    named = [path for role, path in deliverable.sources.items() if role not in FORMS]
    rest = [] if named else [deliverable.path, *context.sources]
    for path in dict.fromkeys((*named, *rest)):
        file = context.sources.file(path)
        if file is not None:
            yield file


def source_values(file: Path) -> Iterator[Decimal]:
    """Yield every figure of a source; none of what cannot be read."""
    try:
        content = read_content(file)
    except ToolError:
        return
    exact = file.suffix.lower() in SHEETS
    for line in content.lines:
        stored = decimal_of(line.text) if exact or line.stored else None
        if stored is not None:
            yield stored
        else:
            yield from all_values(line.text)
