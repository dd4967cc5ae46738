"""Offer letters: which field of a record goes where in a template, how it is written, and the letter itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from deskmate.plugin import ToolInputError
from deskmate_documents.docx.template import fill_template, template_brackets, template_fields
from deskmate_hr.offers import (
    DATE_STYLES,
    EXPIRES,
    SALARY,
    STARTS,
    Record,
    amount_of,
    day_of,
    words,
)

DRAFT = "Draft for professional review – no offer until it is signed and sent by a person"
ALIKE = (
    ("employer", "employer name", "company", "company name", "legal entity", "legal name of the employer"),
    ("candidate name", "candidate", "employee", "employee name", "full name", "full legal name of the employee", "print name"),
    ("position title", "job title", "position", "role", "role title", "offered role title", "title"),
    ("reporting manager", "manager", "reports to", "supervisor", "hiring manager"),
    SALARY,
    STARTS,
    ("bonus terms", "bonus", "target bonus", "bonus eligibility"),
    ("equity terms", "equity", "equity grant", "stock options"),
    ("primary work location", "work location", "location", "place of work"),
    ("employment type", "employment basis", "contract type"),
    EXPIRES,
    ("signatory name", "signatory", "authorized signatory", "name of signatory"),
    ("signatory title", "title of signatory"),
)  # fmt: skip
"""Names that mean the same field."""
TOO_PLAIN = frozenset(("name", "title", "date", "signature", "by", "place"))
CURRENCY = ("currency", "salary currency", "pay currency")
PERIOD = ("pay period", "salary period", "pay basis", "salary basis", "per")
_MONEY = re.compile(r"\b(?:salary|bonus|pay|amount|allowance|wage|compensation|rate|stipend)\b")
_SMALL = frozenset(["of", "the", "a", "an", "or", "and", "for", "to", "in", "by", "if", "any"])
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A place of a template that a record fills. `kind`: `bracket`, `control` or `placeholder`."""

    name: str
    kind: str
    labels: tuple[str, ...] = ()


def slots_of(template: Path) -> list[Slot]:
    """Return the places of a template, each once.

    Raises:
        ToolInputError: it has none.
    """
    found = [Slot(name=name, kind=kind) for name, kind in template_fields(template).items()]
    labels: dict[str, list[str]] = {}
    for bracket in template_brackets(template):
        labels.setdefault(bracket.words, []).append(bracket.label)
    found += [
        Slot(name=name, kind="bracket", labels=tuple(dict.fromkeys(filter(None, own))))
        for name, own in labels.items()
    ]
    if not found:
        raise ToolInputError(
            f"{template.name} has no place to fill: no content control, no {{{{name}}}} and no [words]."
        )
    return found


def resolve(slots: Sequence[Slot], record: Record, given: Mapping[str, str]) -> dict[str, str]:
    """Return place → column of the record.

    Args:
        slots: the template's places.
        record: the offer.
        given: place → column, where the user says so.

    Raises:
        ToolInputError: a place without a column or without a value; all are named at once.
    """
    columns = {words(column): column for column in record.values}
    known = {words(name): column for name, column in given.items()}
    chosen: dict[str, str] = {}
    missing, empty = [], []
    for slot in slots:
        wanted = words(known.get(words(slot.name), ""))
        if wanted and wanted not in columns:
            raise ToolInputError(f"{record.place} has no column {known[words(slot.name)]!r}.")
        column = columns.get(wanted) or _column(slot, columns)
        if column is None:
            missing.append(slot.name)
        elif not record.values[column].strip():
            empty.append(f"{slot.name} ({column})")
        else:
            chosen[slot.name] = column
    if missing:
        raise ToolInputError(
            f"{record.place} has no column for {'; '.join(missing[:12])}. Add it, or say in `fields` which column is meant; "
            f"there are {', '.join(list(record.values)[:40])}."
        )
    if empty:
        raise ToolInputError(
            f"{record.place} is empty for {'; '.join(empty[:12])}. Fill it in, or write there that it does not apply."
        )
    return chosen


def column_of(slot: Slot, record: Record) -> str | None:
    """Return the column that a place means by its names, None if they do not tell."""
    return _column(slot, {words(column): column for column in record.values})


def _column(slot: Slot, columns: Mapping[str, str]) -> str | None:
    """Return the column that a place means: by its words, by words within them, by its label, by names that mean the same."""
    text = words(slot.name)
    if text in columns:
        return columns[text]
    inside = set(text.split()) - _SMALL
    parts = [
        name for name in columns if len(name.split()) > 1 and set(name.split()) - _SMALL <= inside
    ]
    longest = [name for name in parts if len(name.split()) == max(len(p.split()) for p in parts)]
    if len(longest) == 1:
        return columns[longest[0]]
    labels = [words(label) for label in slot.labels]
    for label in labels:
        if label in columns and label not in TOO_PLAIN:
            return columns[label]
    for name in (text, *(label for label in labels if label not in TOO_PLAIN)):
        group = next((group for group in ALIKE if name in group), ())
        same = [known for known in group if known in columns]
        if same:
            return columns[same[0]]
    return None


def written(record: Record, column: str, style: str) -> str:
    """Return how a letter writes a field: amounts with their currency, days in full, all else as it stands."""
    text = record.values[column].strip()
    day = day_of(text) if re.search(r"\d{4}", text) else None
    if day is not None and amount_of(text) is None:
        return long_date(day, style)
    amount = amount_of(text)
    if amount is None or not _MONEY.search(words(column)) or not re.fullmatch(r"[\d.,' ]+", text):
        return text
    shown = f"{amount:,.2f}".removesuffix(".00")
    if re.fullmatch(r"\d{1,3}\.\d{3}", text):
        raise ToolInputError(
            f"{record.place}: {column} is {text}, which may be thousands or three decimals; write it without a point."
        )
    money = f"{record.get(CURRENCY)} {shown}".strip()
    period = record.get(PERIOD)
    if period and re.search(r"\b(?:salary|pay|wage|rate)\b", words(column)):
        return f"{money} per {period.removeprefix('per ')}"
    return money


def long_date(day: date, style: str) -> str:
    """Return a day as letters have it.

    Raises:
        ToolInputError: an unknown style.
    """
    month = _MONTHS[day.month - 1]
    known = dict(
        zip(
            DATE_STYLES,
            (f"{day.day} {month} {day.year}", f"{month} {day.day}, {day.year}", day.isoformat()),
            strict=True,
        )
    )
    if style not in known:
        raise ToolInputError(
            f"The setting date_style is {style!r}; there are {'; '.join(DATE_STYLES)}."
        )
    return known[style]


def write_letter(
    template: Path, target: Path, record: Record, chosen: Mapping[str, str], style: str
) -> dict[str, str]:
    """Write the letter, with the line that it is a draft on top, and return place → what stands there now."""
    texts = {name: written(record, column, style) for name, column in chosen.items()}
    slots = {slot.name: slot.kind for slot in slots_of(template)}
    target.parent.mkdir(parents=True, exist_ok=True)
    fill_template(
        template,
        target,
        {name: text for name, text in texts.items() if slots[name] != "bracket"},
        {name: text for name, text in texts.items() if slots[name] == "bracket"},
    )
    _mark_draft(target)
    return texts


def _mark_draft(file: Path) -> None:
    import docx  # noqa: PLC0415 - heavy
    from docx.oxml import OxmlElement  # noqa: PLC0415
    from docx.text.paragraph import Paragraph  # noqa: PLC0415

    document = docx.Document(str(file))
    element = OxmlElement("w:p")
    document.element.body.insert(0, element)
    run = Paragraph(element, document._body).add_run(DRAFT)
    run.italic = True
    document.save(str(file))
