"""HR-OFFER-APPROVED and HR-LETTER-TRUE: no letter without approval, and each word of it from template or record."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path

from deskmate.plugin import Deliverable, Finding, ToolInputError, ValidationContext
from deskmate_documents.days import day_of
from deskmate_documents.docx.reading import read_docx
from deskmate_documents.tables import parse_times
from deskmate_hr.letters import DRAFT, column_of, resolve, slots_of
from deskmate_hr.offers import Record, amount_of, problems
from deskmate_hr.tools.offer import offer_of, unsaid
from deskmate_hr.validators.findings import Problem, findings, unheld

APPROVED, TRUE = "HR-OFFER-APPROVED", "HR-LETTER-TRUE"
_SLOT = re.compile(
    r"\[(?P<bracket>[^\[\]\n]{2,200})\]|\{\{\s*(?P<double>[\w.-]+)\s*\}\}|(?<!\{)\{(?P<single>[\w.-]+)\}(?!\})"
)
_NUMBER = re.compile(r"\d[\d,.' ]*")


def offer_approved(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Read the record again: it is approved, by somebody else, before today; pay, dates and band are what was approved.

    Source: house; segregation of duties (SOURCES.md).
    """
    fix = "Have the record approved; the letter is written from it then."
    return findings(APPROVED, _unapproved(deliverable, context), fix)


def _unapproved(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    missing = unheld(deliverable, context, *deliverable.sources)
    if missing:
        yield from missing
        return
    files, record = _offer(deliverable, context)
    day = day_of(deliverable.data, context.facts)
    yield from (
        (f"{record.label}: {wrong}.", record.place)
        for wrong in problems(record, context.config, day)
    )
    for said in unsaid(context.file, context.config):
        yield f"The letter does not say what every letter must: {said}", ""
    if not {"record", "template"} <= set(files):
        yield "The letter does not name its record and its template.", ""


def _offer(deliverable: Deliverable, context: ValidationContext) -> tuple[dict[str, Path], Record]:
    files = {}
    for role, path in deliverable.sources.items():
        file = context.sources.file(path)
        if file is not None:
            files[role] = file
    if "record" not in files or "template" not in files:
        raise ToolInputError("The letter does not name its record and its template.")
    return files, offer_of(files, deliverable.sources, str(deliverable.data.get("offer", "")))


def letter_true(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Lay the letter beside its template: the same words, and in each place the figure, day or words of the record.

    Source: house (SOURCES.md).
    """
    fix = "Correct the record, or the template, and write the letter again."
    return findings(TRUE, _untrue(deliverable, context), fix)


def _untrue(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    missing = unheld(deliverable, context, *deliverable.sources)
    if missing:
        yield from missing
        return
    files, record = _offer(deliverable, context)
    columns = deliverable.data.get("columns")
    if not isinstance(columns, Mapping):
        raise ToolInputError("The letter does not say which field of the record went where.")
    chosen = {str(place): str(column) for place, column in columns.items()}
    yield from _misplaced(files["template"], record, chosen, deliverable, context)
    template, letter = _paragraphs(files["template"]), _paragraphs(context.file)
    if not letter or letter[0][1] != DRAFT:
        yield "The letter does not begin with the line that it is a draft.", "paragraph 1"
    else:
        letter = letter[1:]
    controls = {slot.name for slot in slots_of(files["template"]) if slot.kind == "control"}
    if len(template) != len(letter):
        yield f"The letter has {len(letter)} paragraphs; its template has {len(template)}.", ""
    for (_, form), (where, text) in zip(template, letter, strict=False):
        yield from (
            (message, where) for message in _compared(form, text, record, chosen, bool(controls))
        )


def _misplaced(
    template: Path,
    record: Record,
    chosen: Mapping[str, str],
    deliverable: Deliverable,
    context: ValidationContext,
) -> Iterator[Problem]:
    """Yield places that are filled from another column than names tell, unless the user named that column."""
    given = deliverable.data.get("fields")
    fields = {str(k): str(v) for k, v in given.items()} if isinstance(given, Mapping) else {}
    said = " ".join(map(str, context.facts.get("said", ()))).lower()
    slots = slots_of(template)
    if resolve(slots, record, fields) != chosen:
        yield "The places are not filled from the columns that were declared.", ""
    for slot in slots:
        usual = column_of(slot, record)
        own = chosen.get(slot.name, "")
        if usual and own != usual and own.lower() not in said:
            yield (
                f"The place {slot.name!r} means {usual}; it is filled from {own or 'nothing'}.",
                "",
            )


def _paragraphs(file: Path) -> list[tuple[str, str]]:
    document = read_docx(file)
    every = (*document.paragraphs, *document.notes)
    return [(f"paragraph {p.index}", " ".join(p.text.split())) for p in every if p.text.strip()]


def _compared(
    form: str, text: str, record: Record, chosen: Mapping[str, str], controls: bool
) -> Iterator[str]:
    slots = list(_SLOT.finditer(form))
    names = ["".join(filter(None, (m["bracket"], m["double"], m["single"]))).strip() for m in slots]
    pattern, at = "", 0
    for match in slots:
        pattern += re.escape(form[at : match.start()]) + "(.+?)"
        at = match.end()
    found = re.fullmatch(pattern + re.escape(form[at:]), text)
    if found is None:
        if controls and not slots:
            yield from _controlled(form, text, record, chosen)
        else:
            yield f"The template says {form[:100]!r}; the letter says {text[:100]!r}."
        return
    for name, shown in zip(names, found.groups(), strict=True):
        column = chosen.get(name, "")
        if column not in record.values:
            yield f"The place {name!r} is filled from nothing in the record."
        elif not says(shown, record, column):
            yield f"{name} is {shown!r}; the record says {record.values[column]!r} ({column})."


def _controlled(form: str, text: str, record: Record, chosen: Mapping[str, str]) -> Iterator[str]:
    """Judge a paragraph in which a content control was filled: what is new in it stands in the record."""
    fresh = [
        column
        for column in chosen.values()
        if says(text, record, column) or _ends(text, record, column)
    ]
    if not fresh:
        yield f"The template says {form[:100]!r}; the letter says {text[:100]!r}, which is in no field of the record."
        return
    allowed = {_decimal(n) for column in fresh for n in _NUMBER.findall(record.values[column])}
    allowed |= {_decimal(n) for n in _NUMBER.findall(form)}
    day_parts = {
        Decimal(p) for c in fresh if (d := _day(record.values[c])) for p in (d.day, d.year, d.month)
    }
    for number in _NUMBER.findall(text):
        if _decimal(number) not in allowed | day_parts:
            yield f"The figure {number.strip()} is in neither the template nor the record: {text[:100]!r}."


def _ends(text: str, record: Record, column: str) -> bool:
    value = " ".join(record.values[column].split())
    return bool(value) and (
        value in text or any(says(part, record, column) for part in _pieces(text))
    )


def _pieces(text: str) -> Iterator[str]:
    """Yield the runs of words of a paragraph that may be a value: short ones only."""
    split = text.split()
    for start in range(len(split)):
        for end in range(start + 1, min(start + 8, len(split)) + 1):
            yield " ".join(split[start:end]).strip(".,;")


def says(shown: str, record: Record, column: str) -> bool:
    """Say whether a text is what the record has in a column: the same amount and currency, the same day, the same words."""
    value = " ".join(record.values[column].split())
    if shown == value:
        return True
    amount = amount_of(value)
    if amount is not None and re.fullmatch(r"[\d.,' ]+", value):
        numbers = _NUMBER.findall(shown)
        rest = _NUMBER.sub("", shown, count=1)
        known = " ".join(record.values.values()).lower()
        return (
            len(numbers) == 1
            and _decimal(numbers[0]) == amount
            and all(word == "per" or word in known for word in re.findall(r"\w+", rest.lower()))
        )
    day = _day(value)
    return day is not None and day == _day(shown)


def _decimal(text: str) -> Decimal:
    found = amount_of(text.strip().rstrip(".,' "))
    return Decimal(-1) if found is None else found


def _day(text: str) -> date | None:
    if not re.search(r"\d{4}", text):
        return None
    try:
        (moment,) = parse_times([(1, text.strip())], "date")
    except ToolInputError:
        return None
    return moment.date() if moment else None
