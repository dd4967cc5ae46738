"""Counts a deadline, and lists those of a document."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError

if TYPE_CHECKING:
    from deskmate_legal.deadlines import Deadline, Listed

SHOWN = 100
ROLE, CALENDAR_ROLE = "deadlines", "deadlines_calendar"


class Event(TypedDict):
    """A day that a deadline runs from, as the user or a document says it."""

    event: str
    date: str


def deadline_calc(
    event_date: str,
    count: int,
    unit: Literal["day", "business day", "week", "month", "quarter", "year"],
    context: ToolContext,
    before: bool = False,
    rule: str = "",
    calendar: str = "",
    added_days: int = 0,
) -> dict[str, Any]:
    """Count one deadline from a day: never count in your head.

    Args:
        event_date: the day of the event, such as 2026-03-02; it must be in the document or the user's words.
        count: how many units, 0 or more.
        unit: what is counted.
        context: filled in by Deskmate.
        before: true to count back from the event.
        rule: `contract` (every day counts, nothing is moved), `frcp-6` (Fed. R. Civ. P. 6(a)), `eu-1182-71` (Regulation
            1182/71), `bgb-193` (Germany), `cpr-2-8` (England and Wales), `ny-gcl-25a` (New York), or one of the settings.
            Empty: the setting.
        calendar: which days are business days: weekdays, us-federal, target or one of the settings. Empty: the setting.
        added_days: days added after the period's end, such as the 3 of Fed. R. Civ. P. 6(d) for service by mail.

    Returns:
        `due`: ISO date; `weekday`; `counted`: before it was moved; `moved`: why, "" if it was not; `rule`; `calendar`: in words;
        `summary`.
    """
    from deskmate_legal.calendars import calendar_named, title_of  # noqa: PLC0415
    from deskmate_legal.counting import Period, due  # noqa: PLC0415
    from deskmate_legal.counting_rules import rule_named  # noqa: PLC0415
    from deskmate_legal.deadlines import no_holidays  # noqa: PLC0415

    event = _day(event_date)
    named, calendar = _chosen(context, rule, calendar)
    counting = rule_named(named, context.config)
    days = calendar_named(calendar, context.config)
    period = Period(count=count, unit=unit, before=before)
    done = due(event, period, days, counting)
    moved = done.moved
    if added_days:
        # what a rule says of short periods is about the period, not about what is added to its end
        plain = replace(counting, short_days=0, least_working=0)
        further = due(done.day, Period(count=added_days, unit="day"), days, plain)
        moved = "; ".join(filter(None, (moved, f"{added_days} days are added", further.moved)))
        done = further
    return {
        "due": done.day.isoformat(),
        "weekday": f"{done.day:%A}",
        "counted": done.counted.isoformat(),
        "moved": moved,
        "rule": counting.told,
        "calendar": title_of(days),
        "summary": " ".join(
            filter(
                None,
                (
                    f"{period.words} {event}: {done.day:%A}, {done.day}.",
                    moved,
                    no_holidays(counting, days),
                ),
            )
        ),
    }


def deadlines_write(
    path: str,
    context: ToolContext,
    events: list[Event] | None = None,
    rule: str = "",
    calendar: str = "",
    target: str = "",
    request: str = "",
) -> ToolAnswer:
    """List the deadlines of a contract, order or letter (DOCX) and as a calendar file (ICS): notice, renewal, cure, payment, answer, end of term.

    Each day is counted by code from a day that the document states or that you give, and comes with its rule and the words
    it rests on. What has no such day is listed as open with the event it runs from: ask for that day, do not guess it.

    Args:
        path: workspace path of a DOCX, PDF or text file.
        context: filled in by Deskmate.
        events: days the user named: list of {event: in the document's words, such as "service" or "Launch Date", date: ISO}.
        rule: see deadline_calc. Empty: the setting.
        calendar: weekdays, us-federal, target or one of the settings. Empty: the setting.
        target: workspace path of the table; empty: "<name> - deadlines.docx" beside the file.
        request: the user's words; days named there ("Launch Date: 1 June 2026") are taken if `events` is empty.

    Returns:
        `path`, `calendar_file`; `deadlines`: list of {what, due, rule, counted_from, quote, place, evidence}, by day;
        `open`: list of {what, period, runs_from, quote, place, why, evidence}; `known`: name → day; `summary`; `report`.

    Raises:
        ToolInputError: an event's date, the rule or the calendar is none.
    """
    from deskmate_legal.deadlines import events_in, listing  # noqa: PLC0415
    from deskmate_legal.listing import write  # noqa: PLC0415
    from deskmate_legal.workspace import beside  # noqa: PLC0415

    source = context.file(path)
    name = context.name_of(source)
    given = {one["event"].strip(): _day(one["date"]) for one in events or ()}
    given = given or events_in(request)
    rule, calendar = _chosen(context, rule, calendar)
    terms = {
        "events": {event: day.isoformat() for event, day in given.items()},
        "rule": rule,
        "calendar": calendar,
    }
    listed = listed_from(source, name, terms, context.config)
    result = beside(context, name, "deadlines", target)
    dates = context.name_of(context.target(f"{result[:-5]}.ics"))
    write(context.target(result), listing(listed))
    today = datetime.datetime.now(datetime.UTC).date()
    context.target(dates).write_bytes(calendar_text(listed, today).encode())
    shown, evidence = _told(listed)
    return ToolAnswer(
        result={"path": result, "calendar_file": dates, **shown},
        evidence=evidence,
        deliverables=tuple(
            Deliverable(
                path=made,
                title=f"{title} of {name.rpartition('/')[2]}",
                role=role,
                sources={"original": name},
                data=terms,
            )
            for made, title, role in (
                (result, "Deadlines", ROLE),
                (dates, "Calendar file of the deadlines", CALENDAR_ROLE),
            )
        ),
    )


def listed_from(source: Any, name: str, terms: Any, config: Any) -> Listed:
    """Return the deadlines of a file. `terms`: {events: event → ISO day, rule, calendar}. Raises ToolInputError."""
    from deskmate_legal.contract import read_contract  # noqa: PLC0415
    from deskmate_legal.deadlines import list_deadlines  # noqa: PLC0415

    given = {str(event): _day(str(day)) for event, day in dict(terms.get("events") or {}).items()}
    return list_deadlines(
        read_contract(source, name),
        given,
        calendar=str(terms.get("calendar", "")),
        rule=str(terms.get("rule", "")),
        config=config,
    )


def calendar_text(listed: Listed, made: datetime.date) -> str:
    """Return the calendar file of the deadlines with a day."""
    from deskmate_legal.ics import written  # noqa: PLC0415

    return written(entries_of(listed), made)


def entries_of(listed: Listed) -> Any:
    """Return an entry a deadline: what, of which document; rule, words and place in its text."""
    from deskmate_legal.deadlines import place_of, rule_of, words_of  # noqa: PLC0415
    from deskmate_legal.ics import Entry  # noqa: PLC0415
    from deskmate_legal.listing import shown  # noqa: PLC0415

    name = listed.contract.name.rpartition("/")[2]
    return [
        Entry(
            day=one.due.day,
            title=shown(f"{one.found.kind}: {name}"),
            text=shown(
                f"{rule_of(one, listed)}. “{words_of(listed.contract, one.found)}” "
                f"({place_of(listed.contract, one.found.sentence)}). Check before you rely on it."
            ),
        )
        for one in listed.due
        if one.due is not None
    ]


def _chosen(context: ToolContext, rule: str, calendar: str) -> tuple[str, str]:
    return (
        rule or str(context.config.get("deadline_rule") or "contract"),
        calendar or str(context.config.get("deadline_calendar") or "weekdays"),
    )


def _day(text: str) -> datetime.date:
    try:
        day = datetime.date.fromisoformat(text.strip())
    except ValueError as problem:
        raise ToolInputError(f"{text!r} is no day such as 2026-03-02.") from problem
    if not 1900 <= day.year <= 2199:
        raise ToolInputError(f"{day} lies outside the years 1900 to 2199.")
    return day


def _told(listed: Listed) -> tuple[dict[str, Any], tuple[Any, ...]]:
    from deskmate_legal.deadlines import how, rule_of, summary  # noqa: PLC0415

    evidence: dict[str, Any] = {}
    dated = [
        {
            "what": one.found.kind,
            "due": one.due.day.isoformat() if one.due else "",
            "rule": rule_of(one, listed),
            "counted_from": one.start.name if one.start else "",
            **_quoted(listed, one, evidence),
        }
        for one in listed.due[:SHOWN]
    ]
    still = [
        {
            "what": one.found.kind,
            "period": one.found.period.words if one.found.period else "",
            "runs_from": one.found.event,
            "why": one.why,
            **_quoted(listed, one, evidence),
        }
        for one in listed.open[:SHOWN]
    ]
    lines = [f"- {row['due']}: {row['what']}, {row['rule']} ({row['place']})" for row in dated[:30]]
    lines += [
        f"- open: {row['what']}, {row['period']} “{row['runs_from'] or 'a day that is not said'}” ({row['place']})"
        for row in still[:15]
    ]
    head = summary(listed)
    return {
        "deadlines": dated,
        "open": still,
        "known": {one.name: one.day.isoformat() for one in listed.known},
        "counting": how(listed),
        "summary": head,
        "report": "\n".join([head, *lines]),
    }, tuple(evidence.values())


def _quoted(listed: Listed, one: Deadline, evidence: dict[str, Any]) -> dict[str, Any]:
    from deskmate_legal.deadlines import place_of, words_of  # noqa: PLC0415
    from deskmate_legal.report import evidence_for  # noqa: PLC0415

    words = words_of(listed.contract, one.found)
    found = evidence_for(listed.contract, one.found.sentence, words)
    evidence[found.id] = found
    return {
        "quote": words,
        "place": place_of(listed.contract, one.found.sentence),
        "evidence": [found.id],
    }
