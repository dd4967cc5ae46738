"""Times in lines of logs, alerts and chats: what is written there, and the zone that it is in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from deskmate.plugin import ToolInputError
from deskmate_engineering.windows import zone_of

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ZONE = r"(?P<zone>Z\b|\s?[+-]\d{2}:?\d{2}\b|(?:\s?(?:UTC|GMT)[+-]\d{1,2}(?::?\d{2})?)|\s?[A-Z]{2,5}\b(?=[\s\]):,|]|$))?"
_CLOCK = r"(?P<clock>\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?)(?:\s?(?P<half>[AaPp][Mm])\b)?"
_ISO = re.compile(rf"(?<!\d)(?P<day>\d{{4}}[-/]\d{{2}}[-/]\d{{2}})[T\s]{_CLOCK}{_ZONE}")
_CLF = re.compile(
    r"(?P<day>\d{2}/[A-Z][a-z]{2}/\d{4}):(?P<clock>\d{2}:\d{2}:\d{2})\s?(?P<zone>[+-]\d{4})?"
)
_SYSLOG = re.compile(rf"^(?:<\d+>)?(?P<day>[A-Z][a-z]{{2}}\s{{1,2}}\d{{1,2}})\s{_CLOCK}{_ZONE}")
_BARE = re.compile(rf"^\W{{0,3}}{_CLOCK}{_ZONE}")
_EPOCH = re.compile(r"^\D{0,4}(?P<epoch>1[0-9]{9}(?:\d{3}|\.\d{1,6})?)\b")
_FIXED = {
    "Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "MEZ": 1, "MESZ": 2, "EET": 2, "EEST": 3, "MSK": 3,
    "EST": -5, "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "AKST": -9, "HST": -10, "JST": 9, "KST": 9,
    "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
}  # fmt: skip
AMBIGUOUS = frozenset({"CST", "IST", "BST", "AST", "SST"})
"""Abbreviations that are several zones; they are not guessed at."""
_HEAD_DAY = re.compile(r"^[\W_]*(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day\W+)?(?P<iso>\d{4}-\d{2}-\d{2})[\W_]*$|^[\W_]*(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day\W+)?(?:(?P<d1>\d{1,2})\s+(?P<m1>[a-z]{3,9})|(?P<m2>[a-z]{3,9})\s+(?P<d2>\d{1,2})),?\s+(?P<year>\d{4})[\W_]*$", re.IGNORECASE)  # fmt: skip
_SAYS_ZONE = re.compile(
    r"\b(?:time\s?zone|tz|times?(?: are| shown| given)?(?: all)?(?: in)?)\s*[:=]?\s*(?:in\s+)?(?P<zone>[A-Z][a-zA-Z]+/[A-Z][\w/]+|UTC(?:[+-]\d{1,2}(?::?\d{2})?)?|GMT|[A-Z]{3,4}|[+-]\d{2}:?\d{2})\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A time as a line has it. `zone`: as written there, empty where none is. `end`: where the rest of the line begins."""

    local: datetime
    zone: str
    end: int


def written_in(line: str, day: date | None, year: int | None) -> Written | None:
    """Return the time that a line begins with or carries; None where there is none, or its day cannot be told.

    Args:
        line: the line.
        day: the day that a heading above it named.
        year: for lines that name no year.
    """
    for form in (_ISO, _CLF, _SYSLOG, _EPOCH, _BARE):
        match = form.search(line[:200])
        if match is None:
            continue
        parts = match.groupdict()
        try:
            if epoch := parts.get("epoch"):
                seconds = float(epoch) / (1000 if len(epoch) == 13 else 1)
                moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
                return Written(local=moment, zone="UTC", end=match.end())
            on = _day(parts.get("day"), day, year)
            if on is None:
                continue
            local = datetime.combine(on, _clock(parts["clock"], parts.get("half") or ""))
        except ValueError:
            continue
        zone = (parts.get("zone") or "").strip()
        known = (
            not zone or zone in _FIXED or zone in AMBIGUOUS or bool(re.match(r"[+-]|UTC|GMT", zone))
        )
        end = match.end() if known else match.start("zone")
        return Written(local=local, zone=zone if known else "", end=end)
    return None


def _day(text: str | None, day: date | None, year: int | None) -> date | None:
    if text is None:
        return day
    if re.match(r"\d{4}", text):
        return date.fromisoformat(text.replace("/", "-"))
    if "/" in text:
        one, month, four = text.split("/")
        return date(int(four), _MONTHS.index(month.lower()) + 1, int(one))
    month, one = text.split()
    return date(year, _MONTHS.index(month.lower()) + 1, int(one)) if year else None


def _clock(text: str, half: str) -> time:
    hours, minutes, *rest = text.replace(",", ".").split(":")
    hour = int(hours)
    if half:
        hour = hour % 12 + (12 if half.lower() == "pm" else 0)
    seconds = f"{float(rest[0]):09.6f}" if rest else "00.000000"
    return datetime.fromisoformat(f"2000-01-01T{hour:02}:{minutes}:{seconds}").time()


def day_head(line: str) -> date | None:
    """Return the day that a line names and nothing else: the heading of what follows."""
    match = _HEAD_DAY.match(line)
    if match is None:
        return None
    try:
        if match["iso"]:
            return date.fromisoformat(match["iso"])
        month = _MONTHS.index((match["m1"] or match["m2"])[:3].lower()) + 1
        return date(int(match["year"]), month, int(match["d1"] or match["d2"]))
    except ValueError:
        return None


def zone_said(line: str) -> str:
    """Return the zone that a line declares for the file, such as `Timezone: Europe/Berlin`; empty where it declares none."""
    match = _SAYS_ZONE.search(line[:300])
    return match["zone"] if match and fixed_zone(match["zone"]) is not None else ""


def fixed_zone(name: str) -> tzinfo | None:
    """Return the zone of an offset, an abbreviation that is one zone, or an IANA name; None for all others."""
    if name in _FIXED:
        return timezone(timedelta(hours=_FIXED[name]))
    if match := re.fullmatch(r"(?:UTC|GMT)?([+-])(\d{1,2}):?(\d{2})?", name):
        minutes = int(match[2]) * 60 + int(match[3] or 0)
        return timezone(timedelta(minutes=minutes if match[1] == "+" else -minutes))
    if "/" in name:
        try:
            return zone_of(name)
        except ToolInputError:
            return None
    return None


def instant(local: datetime, zone: tzinfo) -> tuple[datetime, str]:
    """Return a local time as an aware one, and why it is doubtful: it was twice, or never, when the clock changed."""
    first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if not isinstance(zone, ZoneInfo) or first.utcoffset() == second.utcoffset():
        return first, ""
    real = first.astimezone(UTC).astimezone(zone).replace(tzinfo=None)
    return first, "was twice that day" if real == local else "did not exist that day"
