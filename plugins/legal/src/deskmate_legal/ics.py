"""A calendar file (RFC 5545) with one all-day entry a deadline, and how it is read again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

_FOLD = 73


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An all-day entry."""

    day: date
    title: str
    text: str


def written(entries: Sequence[Entry], made: date) -> str:
    """Return the calendar file; the same entries get the same ids in every run."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Deskmate//Legal deadlines//EN"]
    for entry in entries:
        key = hashlib.sha256(f"{entry.day}{entry.title}{entry.text}".encode()).hexdigest()[:32]
        lines += [
            "BEGIN:VEVENT",
            f"UID:{key}@deskmate",
            f"DTSTAMP:{made:%Y%m%d}T000000Z",
            f"DTSTART;VALUE=DATE:{entry.day:%Y%m%d}",
            f"DTEND;VALUE=DATE:{entry.day + timedelta(days=1):%Y%m%d}",
            f"SUMMARY:{_escaped(entry.title)}",
            f"DESCRIPTION:{_escaped(entry.text)}",
            "TRANSP:TRANSPARENT",
            "END:VEVENT",
        ]
    lines.append("END:VCALENDAR")
    return "".join(f"{folded}\r\n" for line in lines for folded in _folded(line))


def read(text: str) -> list[Entry]:
    """Return the entries of a calendar file in their order. Raises ValueError if one has no day."""
    entries: list[Entry] = []
    fields: dict[str, str] | None = None
    for line in re.sub(r"\r?\n[ \t]", "", text).splitlines():
        name, _, value = line.partition(":")
        if line == "BEGIN:VEVENT":
            fields = {}
        elif line == "END:VEVENT" and fields is not None:
            day = fields.get("DTSTART;VALUE=DATE", "")
            entries.append(
                Entry(
                    day=date.fromisoformat(f"{day[:4]}-{day[4:6]}-{day[6:]}"),
                    title=_plain(fields.get("SUMMARY", "")),
                    text=_plain(fields.get("DESCRIPTION", "")),
                )
            )
            fields = None
        elif fields is not None:
            fields[name] = value
    return entries


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return text.replace("\n", "\\n")


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: {"n": "\n", "N": "\n"}.get(match[1], match[1]), text)


def _folded(line: str) -> list[str]:
    """Return a line in pieces of at most 75 octets, each further one led by a space; no character is cut."""
    pieces, piece = [], ""
    for sign in line:
        if len((piece + sign).encode()) > _FOLD:
            pieces.append(piece)
            piece = ""
        piece += sign
    pieces.append(piece)
    return [pieces[0], *(f" {one}" for one in pieces[1:])]
