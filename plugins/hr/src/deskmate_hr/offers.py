"""An approved offer record: how it is read, whether it is approved, and what of it a letter may say."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import decode, parse_amounts, parse_times, read_table

FIELD_HEADERS = frozenset(("field", "item", "term", "key", "attribute"))
IDS = ("offer id", "offer number", "offer no", "requisition id", "requisition", "id")
CANDIDATES = ("candidate name", "candidate", "employee name", "employee", "full name", "name")
APPROVAL: Mapping[str, tuple[str, ...]] = {
    "approved by": ("approver", "approver name", "approved by name"),
    "approved on": (
        "approval date",
        "date approved",
        "date of approval",
        "approved date",
        "approved at",
    ),
    "approval id": (
        "approval number",
        "approval no",
        "approval reference",
        "approval ref",
        "approval code",
        "approval ticket",
    ),
}
"""The fields of an approval → other names of their columns."""
STATUS = ("approval status", "offer status", "status", "approved", "approval")
ASKING = ("requested by", "requester", "recruiter", "prepared by", "submitted by", "hiring manager")
STARTS = (
    "start date",
    "employment start date",
    "start",
    "first day",
    "joining date",
    "date of joining",
    "commencement date",
    "hire date",
)
EXPIRES = (
    "offer expiration date",
    "expiration date",
    "offer expires",
    "offer expires on",
    "expiry date",
    "expires",
    "offer valid until",
    "valid until",
    "acceptance deadline",
    "accept by",
    "respond by",
)
SALARY = (
    "base salary",
    "annual salary",
    "annual base salary",
    "salary",
    "offered salary",
    "starting salary",
    "gross salary",
    "base pay",
    "base compensation",
    "hourly rate",
)
APPROVED_SALARY = (
    "approved base salary",
    "approved salary",
    "approved amount",
    "approved base pay",
)
LEVELS = ("level", "grade", "band", "pay band", "position title", "job title", "role")
EXCEPTION = ("exception approved by", "band exception", "exception approval")
_APPROVED = frozenset(("approved", "yes", "y", "true", "final approved", "fully approved"))
DATE_STYLES = ("1 March 2027", "March 1, 2027", "2027-03-01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One offer. `values`: column → text as it stands; `place`: where it stands, for messages."""

    values: Mapping[str, str]
    place: str

    def column(self, names: Sequence[str]) -> str:
        """Return the column that has one of these names, "" if none has."""
        plain = {words(column): column for column in self.values}
        return next((plain[name] for name in names if name in plain), "")

    def get(self, names: Sequence[str]) -> str:
        """Return the text of the column that has one of these names, "" if there is none."""
        return self.values.get(self.column(names), "").strip()

    @property
    def label(self) -> str:
        """The offer's id, else the candidate's name."""
        return self.get(IDS) or self.get(CANDIDATES)


def words(name: str) -> str:
    """Return a name in lower case, one space between its words."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return " ".join(re.findall(r"\w+", spaced.replace("_", " ").lower()))


def read_records(file: Path, name: str) -> list[Record]:
    """Return the offers of a table (one a row), of a sheet of fields and values, or of a JSON file.

    Raises:
        ToolInputError: it is none of these, or a field stands twice.
    """
    if file.suffix.lower() == ".json":
        return _json_records(file, name)
    table = read_table(file, name=name)
    if len(table.columns) in (2, 3) and words(table.columns[0]) in FIELD_HEADERS:
        values: dict[str, str] = {}
        for row in table.rows:
            if words(row.cells[0]) in {words(known) for known in values}:
                raise ToolInputError(f"{name}, row {row.number}: {row.cells[0]} stands twice.")
            values[row.cells[0]] = row.cells[1]
        return [Record(values=values, place=name)]
    return [
        Record(
            values=dict(zip(table.columns, row.cells, strict=True)),
            place=f"{name}, row {row.number}",
        )
        for row in table.rows
    ]


def _json_records(file: Path, name: str) -> list[Record]:
    try:
        data = json.loads(decode(file.read_bytes(), name))
    except (json.JSONDecodeError, RecursionError) as problem:
        raise ToolInputError(f"{name} is not readable JSON.") from problem
    entries = data if isinstance(data, list) else [data]
    if not all(isinstance(entry, dict) for entry in entries):
        raise ToolInputError(f"{name} holds no offer: give an object, or a list of objects.")
    return [
        Record(values=dict(_flat(entry)), place=f"{name}, entry {number}")
        for number, entry in enumerate(entries, 1)
    ]


def _flat(entry: Mapping[str, Any], head: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in entry.items():
        if isinstance(value, dict):
            found += _flat(value, f"{head}{key} ")
        elif isinstance(value, str | int | float | bool) or value is None:
            found.append((f"{head}{key}", "" if value is None else str(value)))
    return found


def pick_record(records: Sequence[Record], offer: str, request: str) -> Record:
    """Return the one offer that is meant.

    Raises:
        ToolInputError: none or several are.
    """
    if offer:
        found = [
            r
            for r in records
            if offer.strip().lower() in (r.get(IDS).lower(), r.get(CANDIDATES).lower())
        ]
    else:
        said = request.lower()
        found = [
            r
            for r in records
            if any(len(t) > 2 and t.lower() in said for t in (r.get(IDS), r.get(CANDIDATES)))
        ]
        found = found or list(records)
    if len(found) == 1:
        return found[0]
    names = ", ".join(filter(None, (r.label for r in records[:12])))
    what = f"There is no single offer {offer!r}" if offer else "Several offers are there"
    raise ToolInputError(f"{what}; name one of: {names}.")


def approved_with(record: Record, register: Sequence[Record]) -> Record:
    """Return an offer with its approval from a register; what both say must be the same.

    Raises:
        ToolInputError: the register has not exactly one approval of it, or says something else.
    """
    found = [
        r for r in register if record.get(IDS) and r.get(IDS).lower() == record.get(IDS).lower()
    ]
    if len(found) != 1:
        raise ToolInputError(
            f"The register of approvals has {len(found)} approvals of the offer {record.label}; one is needed."
        )
    merged = dict(record.values)
    for column, text in found[0].values.items():
        own = record.column((words(column),))
        if own and record.values[own].strip() and not same_value(record.values[own], text):
            raise ToolInputError(
                f"{column} is {record.values[own]} in {record.place}, and {text} in {found[0].place}."
            )
        merged[own or column] = text
    return Record(values=merged, place=record.place)


def same_value(one: str, other: str) -> bool:
    """Say whether two texts are the same amount, day or words."""
    left, right = amount_of(one), amount_of(other)
    if left is not None and right is not None:
        return left == right
    days = day_of(one), day_of(other)
    return days[0] == days[1] if None not in days else words(one) == words(other)


def amount_of(text: str) -> Decimal | None:
    """Return the amount that a text is, None if it is more or less than that."""
    try:
        (found,) = parse_amounts([(1, text.strip())], "amount")
    except ToolInputError:
        return None
    return found


def day_of(text: str) -> date | None:
    """Return the day that a text is, None if it is none or might be two."""
    if not text.strip():
        return None
    try:
        (moment,) = parse_times([(1, text.strip())], "date")
    except ToolInputError:
        return None
    return moment.date() if moment else None


def problems(record: Record, config: Mapping[str, Any], as_of: date) -> list[str]:
    """Return why no letter may be written from this record on this day, nothing if it may."""
    return [
        *_approval(record, config, as_of),
        *_dates(record, config, as_of),
        *_pay(record, config),
    ]


def _approval(record: Record, config: Mapping[str, Any], as_of: date) -> list[str]:
    found = []
    names = [words(str(name)) for name in config.get("approval_fields", list(APPROVAL))]
    for name in names or list(APPROVAL):
        if not record.get((name, *APPROVAL.get(name, ()))):
            found.append(f"it is not approved: {name} is empty or missing")
    status = record.get(STATUS)
    if status and words(status) not in _APPROVED:
        found.append(f"it is not approved: its status is {status}")
    approver = record.get(("approved by", *APPROVAL["approved by"]))
    for names_of, what in ((CANDIDATES, "the candidate"), (ASKING, "who asked for it")):
        if approver and words(approver) in {
            words(record.values.get(record.column((n,)), "")) for n in names_of
        }:
            found.append(f"{approver} approved it and is {what}")
    text = record.get(("approved on", *APPROVAL["approved on"]))
    day = day_of(text)
    if text and day is None:
        found.append(f"the day of its approval, {text}, is no clear date (write 2027-03-01)")
    if day and day > as_of:
        found.append(f"its approval is dated {day}, which is still to come")
    return found


def _dates(record: Record, config: Mapping[str, Any], as_of: date) -> list[str]:
    found = []
    for names, what in ((STARTS, "start date"), (EXPIRES, "date until which the offer holds")):
        text = record.get(names)
        day = day_of(text)
        if text and day is None:
            found.append(f"the {what}, {text}, is no clear date (write 2027-03-01)")
        elif day and day < as_of:
            found.append(f"the {what}, {day}, is past")
        elif (
            day
            and what == "start date"
            and day.weekday() > 4
            and not config.get("weekend_start", False)
        ):
            found.append(f"the {what}, {day}, is a {day:%A}")
    return found


def _pay(record: Record, config: Mapping[str, Any]) -> list[str]:
    found = []
    text, approved = record.get(SALARY), record.get(APPROVED_SALARY)
    if approved and not same_value(text, approved):
        found.append(f"the salary is {text or 'not stated'}, and {approved} was approved")
    bands = {words(str(name)): band for name, band in dict(config.get("pay_bands", {})).items()}
    amount = amount_of(text)
    for names in LEVELS:
        band = bands.get(words(record.get((names,))))
        if band is None:
            continue
        if amount is None:
            found.append(
                f"the salary, {text or 'not stated'}, is no plain amount to hold to its band"
            )
            break
        low, high = band_of(band, names)
        if not low <= amount <= high and not record.get(EXCEPTION):
            found.append(
                f"the salary {text} lies outside the band {low:f} to {high:f}, and no exception is approved"
            )
        break
    return found


def band_of(band: Any, name: str) -> tuple[Decimal, Decimal]:
    """Return the ends of a pay band as the settings have it.

    Raises:
        ToolInputError: it is no list of two rising amounts.
    """
    try:
        low, high = (Decimal(str(end)) for end in band)
    except (TypeError, ValueError, ArithmeticError) as problem:
        raise ToolInputError(
            f"The pay band of {name} must be two amounts, such as [90000, 120000]."
        ) from problem
    if not 0 <= low < high:
        raise ToolInputError(f"The pay band of {name} must rise, such as [90000, 120000].")
    return low, high
