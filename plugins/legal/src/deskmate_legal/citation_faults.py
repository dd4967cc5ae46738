"""What is wrong with a citation, as far as its own words and the document show it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from deskmate_legal.citations import FULL, Citation

_RANGE = re.compile(r"(?<![\w.:])(\d{1,5})\s?[-–]\s?(\d{1,5})(?![\w:])")
_FIRST = re.compile(r"\*?(\d{1,5})")
_BLANK = re.compile(r"^[_\-–—\s]*$")
_SLACK_YEARS = 2
"""Volumes carry decisions of the year before, and come out late."""


def mark_faults(found: Sequence[Citation], year: int) -> None:
    """Add its problems to each citation. `year`: the current one; nothing can be decided after it."""
    names: dict[str, set[str]] = defaultdict(set)
    for one in found:
        one.problems += [
            problem
            for problem in (_open(one), _page(one), _pin(one), _range(one), _year(one, year))
            if problem
        ]
        if one.kind == "case" and one.year:
            if names[one.core] and one.year not in names[one.core]:
                one.problems.append(
                    f"the same place is cited with another year: {', '.join(sorted(names[one.core]))}"
                )
            names[one.core].add(one.year)


def _open(one: Citation) -> str:
    if one.kind in {"id", "supra", "short", "reference"} and not one.refers_to:
        return "no citation before it that it can refer to"
    return ""


def _page(one: Citation) -> str:
    if one.kind in FULL and one.reporter and one.volume and _BLANK.match(one.page or "_"):
        return "the page is left blank"
    return ""


def _pin(one: Citation) -> str:
    if one.kind != "case" or not one.page.isdigit() or one.pin_cite.startswith(("*", "¶")):
        return ""
    first = _FIRST.match(one.pin_cite.removeprefix("at ").strip())
    if first and int(first[1]) < int(one.page):
        return f"the pin cite {first[1]} lies before the first page {one.page}"
    return ""


def _range(one: Citation) -> str:
    for start, end in _RANGE.findall(one.pin_cite):
        # 347-48 means 347 to 348
        full = end if len(end) >= len(start) else start[: len(start) - len(end)] + end
        if int(full) < int(start):
            return f"the range {start}-{end} runs backwards"
    return ""


def _year(one: Citation, now: int) -> str:
    if not one.year:
        return ""
    year = int(one.year)
    if year > now:
        return f"the year {year} has not come yet"
    if one.years and not one.years[0] - _SLACK_YEARS <= year <= one.years[1] + _SLACK_YEARS:
        until = "today" if one.years[1] == 9999 else str(one.years[1])
        return f"{one.reporter} came out from {one.years[0]} to {until}, not in {year}"
    return ""
