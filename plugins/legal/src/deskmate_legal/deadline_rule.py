"""The gate for deadlines: every day is counted again, in another way, and rests on words that stand in the document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from itertools import islice
from typing import TYPE_CHECKING

from deskmate.plugin import Deliverable, Finding, ToolError, ValidationContext

if TYPE_CHECKING:
    from deskmate_legal.deadlines import Listed

RULE = "LEGAL-DEADLINES-TIE"
ROLES = ("deadlines", "deadlines_calendar")
FINDINGS_LIMIT = 25
_AGAIN = "Write the deadlines again with deadlines_write."


def check_deadlines(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Each last day follows from its rule and its event, each row stands in the document, none is missing or added."""
    from deskmate_legal.tools.deadlines import listed_from  # noqa: PLC0415

    name = deliverable.sources.get("original", "")
    original = context.sources.file(name)
    if original is None:
        yield _error("UNVERIFIED: the host never held the document that this was made from.")
        return
    try:
        listed = listed_from(original, name, deliverable.data, context.config)
    except ToolError as problem:
        yield _error(f"It cannot be counted again: {problem.message}")
        return
    yield from _events(listed, context)
    yield from _walked(listed)
    if deliverable.role == "deadlines_calendar":
        yield from _entries(listed, context)
    else:
        yield from _rows(listed, context)


def _events(listed: Listed, context: ValidationContext) -> Iterator[Finding]:
    """A day that the document does not state was named by the user, or stands in another source."""
    from deskmate_legal.dates import dates_in  # noqa: PLC0415

    given = {one.name: one.day for one in listed.known if one.sentence is None}
    if not given:
        return
    said = context.facts.get("said", ())
    texts = [str(text) for text in (said if isinstance(said, list | tuple) else ())]
    days = {dated.day for text in texts for dated in dates_in(text)}
    if not set(given.values()) <= days:
        days |= set(_days_of_sources(context))
    for event, day in given.items():
        if day not in days:
            yield _error(
                f"“{event}” is counted from {day}, a day that neither the user nor a source names.",
                "Ask for the day.",
            )


def _days_of_sources(context: ValidationContext) -> Iterator[date]:
    from deskmate_documents.content import read_content  # noqa: PLC0415
    from deskmate_legal.dates import dates_in  # noqa: PLC0415

    for path in context.sources:
        file = context.sources.file(path)
        if file is None:
            continue
        try:
            text = read_content(file).text
        except ToolError:
            continue
        yield from (dated.day for dated in dates_in(text))


def _walked(listed: Listed) -> Iterator[Finding]:
    from deskmate_legal.counting import walked  # noqa: PLC0415
    from deskmate_legal.counting_rules import contract_rule  # noqa: PLC0415
    from deskmate_legal.deadlines import EXPIRY  # noqa: PLC0415

    for one in listed.due:
        period, start = one.found.period, one.start
        if period is None or start is None or one.due is None:
            continue
        rule = contract_rule() if one.found.kind == EXPIRY else listed.rule
        again = walked(start.day, period, listed.calendar, rule)
        if again != one.due.day:
            yield _error(f"{period.words} {start.day} is {again}, not {one.due.day}.")


def _rows(listed: Listed, context: ValidationContext) -> Iterator[Finding]:
    from deskmate_legal.deadlines import listing  # noqa: PLC0415
    from deskmate_legal.listing import problems  # noqa: PLC0415

    for problem in islice(problems(context.file, listing(listed)), FINDINGS_LIMIT):
        yield _error(problem, _AGAIN)


def _entries(listed: Listed, context: ValidationContext) -> Iterator[Finding]:
    from deskmate_legal.ics import read  # noqa: PLC0415
    from deskmate_legal.tools.deadlines import entries_of  # noqa: PLC0415

    try:
        got = Counter(read(context.file.read_text("utf-8")))
    except ValueError:
        yield _error("It is no calendar file that can be read.", _AGAIN)
        return
    wanted = Counter(entries_of(listed))
    for entry, fault in [
        *((entry, "is missing") for entry in (wanted - got)),
        *((entry, "is not what the document gives") for entry in (got - wanted)),
    ][:FINDINGS_LIMIT]:
        yield _error(f"The entry of {entry.day}, “{entry.title[:80]}”, {fault}.", _AGAIN)


def _error(message: str, fix: str = "") -> Finding:
    return Finding(rule=RULE, level="error", message=message, fix=fix)
