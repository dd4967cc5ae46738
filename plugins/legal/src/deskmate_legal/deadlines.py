"""The deadlines of a document: what is known of the days they run from, when they end, what is open, and the table of all that."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from deskmate_legal.calendars import Calendar, calendar_named, title_of
from deskmate_legal.contract import Contract, Sentence
from deskmate_legal.counting import Due, due
from deskmate_legal.counting_rules import Rule, contract_rule, rule_named
from deskmate_legal.dates import dates_in
from deskmate_legal.findings import quote
from deskmate_legal.listing import Listing, Table, shown
from deskmate_legal.periods import Found, find_periods

DUE = ("No.", "What", "Last day", "Rule", "Counted from", "As it stands", "Place")
OPEN = ("No.", "What", "Period", "Runs from", "As it stands", "Place", "Why it is open")
KNOWN = ("Day", "Name", "As it stands", "Place")
ROWS_LIMIT = 400
AGREEMENT, EFFECTIVE, EXPIRY = "date of the agreement", "effective date", "end of the term"
GIVEN = "given in the request"
LIMIT = (
    "Found and counted by rules, in the first term only; renewals move what hangs on its end. Other laws, courts and calendars count "
    "otherwise, notices may have to arrive earlier, and rules miss periods. Check each day before anybody relies on it."
)
_OPENING = 2500
_NAMED = re.compile(
    r"^\s*,?\s*\(\s*(?:the|this|hereinafter[^“\"]{0,40}|herein[^“\"]{0,40})?\s*[“\"](?P<name>[^“”\"]{0,30}\b(?:Date|Day))[”\"]"
)
_IS = re.compile(
    r"[“\"]?(?P<name>(?:[A-Z][\w’'-]*\s+){0,4}(?:Date|Day))[”\"]?(?:\s+of\s+this\s+\w+)?\s*(?:\([^)]{0,80}\)\s*)?"
    r"(?:is|means|shall\s+be|shall\s+mean|:)\s*(?:the\s+)?$"
)
_EFFECTIVE = re.compile(r"\beffective\s+(?:as\s+of|on|from)?\s*(?:the\s+)?$", re.IGNORECASE)
_MADE = re.compile(
    r"\b(?:dated|entered\s+into|made|executed|signed)\b[^.;]{0,60}$|\bdated:?\s*$", re.IGNORECASE
)
_HEREOF = re.compile(
    r"\bdate\s+(?:hereof|of\s+th(?:is|e)\s+(?:agreement|contract|lease|letter))\b|\bdate\s+(?:first\s+)?(?:set\s+forth|written|stated)\s+above|^hereof$",
    re.IGNORECASE,
)
_END = re.compile(
    r"\b(?:expiration|expiry|end)\b.{0,30}\b(?:term|period|agreement|contract|lease)\b|\bexpiration\s+date\b|\bend\s+of\s+the\s+term\b|^expiration\s+thereof$",
    re.IGNORECASE,
)
_MOVES = re.compile(
    r"\b(?:not|other\s+than)\s+a\s+(?:business|working)\s+day\b.{0,200}\b(?:next|following|succeeding)\b|\b(?:saturday|sunday|holiday)\b.{0,160}\b(?:next|following|succeeding)\s+(?:succeeding\s+)?(?:business|working)\s+day",
    re.IGNORECASE | re.DOTALL,
)
_IN_WORDS = re.compile(
    r"(?P<name>[A-Za-z][\w’' -]{2,50}?)\s*(?::|=|\bis\b|\bwas\b|\bon\b|\bof\b)\s*(?:the\s+)?$",
    re.IGNORECASE,
)
_ELSE = re.compile(
    r"\b(?:earlier|later|longer|shorter|earliest|latest)\s+(?:to\s+occur\s+)?of\b|\bwhichever\b",
    re.IGNORECASE,
)
_FILLING = frozenset(
    [
        "the",
        "a",
        "an",
        "of",
        "on",
        "is",
        "was",
        "at",
        "in",
        "for",
        "to",
        "this",
        "that",
        "with",
        "and",
        "it",
        "and",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A day that has a name. `sentence`: where it stands; None if the request gives it."""

    name: str
    day: date
    sentence: Sentence | None = None
    focus: tuple[int, int] | None = None
    assumed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """A deadline. `due`: None while it is open, then `why` says the reason. `start`: the day it runs from, if any."""

    found: Found
    due: Due | None = None
    start: Known | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """All of a document. `rule`: how it was counted. `moving`: the sentence that moves last days, if there is one."""

    contract: Contract
    calendar: Calendar
    rule: Rule
    known: tuple[Known, ...]
    deadlines: tuple[Deadline, ...]
    moving: Sentence | None = None

    @property
    def due(self) -> tuple[Deadline, ...]:
        """Those with a day, in order of the days."""
        dated = [one for one in self.deadlines if one.due is not None]
        return tuple(sorted(dated, key=lambda one: (one.due and one.due.day, one.found.focus)))

    @property
    def open(self) -> tuple[Deadline, ...]:
        """Those without."""
        return tuple(one for one in self.deadlines if one.due is None)


def list_deadlines(
    contract: Contract,
    given: Mapping[str, date],
    *,
    calendar: str,
    rule: str,
    config: Mapping[str, Any],
) -> Listed:
    """Return the deadlines of a document. `given`: name of an event → its day, as the user said it.

    Raises:
        ToolInputError: the calendar or rule is none.
    """
    days = calendar_named(calendar, config)
    moving = next((s for s in contract.sentences() if _MOVES.search(s.text)), None)
    counting = rule_named(rule, config)
    if counting == contract_rule() and moving is not None:
        counting = contract_rule(moved=True)
    known = [Known(name=name, day=day) for name, day in given.items()]
    known += [one for one in _stated(contract) if one.name.lower() not in {k.name.lower() for k in known}]  # fmt: skip
    found = list(find_periods(contract))[:ROWS_LIMIT]
    made: dict[int, Deadline] = {}
    for number, one in enumerate(found):  # the term first: others run from its end
        if one.kind == EXPIRY:
            made[number] = _deadline(one, known, days, counting)
    ends = {one.due.day: one for one in made.values() if one.due is not None}
    sure = not any(_ELSE.search(one.found.sentence.text) for one in ends.values())
    if len(ends) == 1 and sure and not any(k.name.lower() == EXPIRY for k in known):
        (end,) = ends.values()
        known.append(
            Known(
                name=EXPIRY,
                day=next(iter(ends)),
                sentence=end.found.sentence,
                focus=end.found.focus,
            )
        )
    for number, one in enumerate(found):
        if number not in made:
            made[number] = _deadline(one, known, days, counting)
    return Listed(
        contract=contract,
        calendar=days,
        rule=counting,
        known=tuple(known),
        deadlines=tuple(made[number] for number in range(len(found))),
        moving=moving,
    )


def events_in(request: str) -> dict[str, date]:
    """Return the days that a request names: "Launch Date: 1 June 1999", "served on 2026-03-02"."""
    found: dict[str, date] = {}
    for dated in dates_in(request):
        lead = request[: dated.start]
        clause = re.split(r"[.;,?!\n]|\b(?:and|with|if|when|where|where the)\b", lead)[-1]
        match = _IN_WORDS.search(clause)
        if match is None:
            continue
        words = [w for w in match["name"].split() if w.lower() not in _FILLING]
        if words:
            found.setdefault(" ".join(words[-4:]), dated.day)
    return found


def _stated(contract: Contract) -> Iterator[Known]:
    """Yield the named days that the document states; a name with two days is left out."""
    seen: dict[str, list[Known]] = {}
    for sentence in contract.sentences():
        for dated in dates_in(sentence.text):
            at = contract.blocks[sentence.block].start + sentence.start + dated.start
            for name in _names(sentence.text, dated.start, dated.end, opening=at < _OPENING):
                focus = (sentence.start + dated.start, sentence.start + dated.end)
                one = Known(name=name, day=dated.day, sentence=sentence, focus=focus)
                seen.setdefault(name.lower(), []).append(one)
    for ones in seen.values():
        if len({one.day for one in ones}) == 1:
            yield ones[0]


def _names(text: str, start: int, end: int, *, opening: bool) -> Iterator[str]:
    before, after = text[:start], text[end:]
    if match := _NAMED.match(after):
        yield " ".join(match["name"].split())
    elif match := _IS.search(before):
        name = re.sub(r"^The\s+", "", " ".join(match["name"].split()))
        if " " in name:
            yield name
    elif _EFFECTIVE.search(before):
        yield "Effective Date"
    own = len(text) < 60 or re.search(r"\bthis\b", before, re.IGNORECASE)
    if opening and own and _MADE.search(before):
        yield AGREEMENT


def _deadline(found: Found, known: Sequence[Known], calendar: Calendar, rule: Rule) -> Deadline:
    if found.day is not None:
        return Deadline(found=found, due=Due(day=found.day, counted=found.day))
    start = _start(found, known)
    if start is None:
        runs = f"no day is known for “{found.event}”" if found.event else "nothing says from when"
        return Deadline(found=found, why=runs)
    if found.year_end:
        end = date(start.day.year, 12, 31)
        return Deadline(found=found, due=Due(day=end, counted=end), start=start)
    assert found.period is not None
    # a term ends when it ends: only what must be done by a day is moved to a business day
    rule = contract_rule() if found.kind == EXPIRY else rule
    return Deadline(found=found, due=due(start.day, found.period, calendar, rule), start=start)


def _start(found: Found, known: Sequence[Known]) -> Known | None:
    """Return the day that a period runs from: by name, as the date of the agreement, or as the end of its term."""
    event = found.event
    by_name = {one.name.lower(): one for one in known}
    for one in sorted(known, key=lambda k: (k.sentence is not None, -len(k.name))):
        if event and _mentions(event, one.name):
            return one
    if event and (direct := next(dates_in(event), None)) is not None:
        return Known(name=event, day=direct.day, sentence=found.sentence, focus=found.focus)
    if _HEREOF.search(event):
        return by_name.get(AGREEMENT) or by_name.get(EFFECTIVE)
    if _END.search(event) and not re.search(r"terminat", event, re.IGNORECASE):
        return by_name.get(EXPIRY)
    if not event and (found.kind == EXPIRY or found.year_end):
        begun = by_name.get(EFFECTIVE) or by_name.get(AGREEMENT)
        if begun is not None:
            return Known(
                name=begun.name,
                day=begun.day,
                sentence=begun.sentence,
                focus=begun.focus,
                assumed="assumed: the sentence names no start",
            )
    return None


def _mentions(event: str, name: str) -> bool:
    """Say whether words for an event name a known day: all of the name's words, in any order and form."""
    if name in (AGREEMENT, EXPIRY):
        return False
    words = {_stem(word) for word in re.findall(r"\w+", event.lower())}
    wanted = {_stem(word) for word in re.findall(r"\w+", name.lower())} - _FILLING
    return bool(wanted) and wanted <= words


def _stem(word: str) -> str:
    return re.sub(r"(?:ing|ed|es|e|s|ice|al)$", "", word) if len(word) > 4 else word


def rule_of(one: Deadline, listed: Listed) -> str:
    """Return in words how a day came about."""
    found, done = one.found, one.due
    if done is None:
        return ""
    if found.day is not None:
        return "the day itself"
    start = one.start.day if one.start else None
    if found.year_end:
        return f"31 December of the year of {start}"
    period = found.period
    assert period is not None
    text = f"{period.words} {start}"
    if period.unit == "business day":
        text += f", calendar {listed.calendar.name}"
    other = (
        f"; another event may decide (“{match.group()}”)"
        if (match := _ELSE.search(found.sentence.text))
        else ""
    )
    return (f"{text}; {done.moved}" if done.moved else text) + other


def tables(listed: Listed) -> tuple[Table, Table, Table]:
    """Return the three tables: deadlines by day, open ones, known days."""
    contract = listed.contract
    dated = tuple(
        (
            str(number), one.found.kind, one.due.day.isoformat() if one.due else "",
            rule_of(one, listed), _from(contract, one), shown(words_of(contract, one.found)),
            place_of(contract, one.found.sentence),
        )
        for number, one in enumerate(listed.due, 1)
    )  # fmt: skip
    still = tuple(
        (
            str(number), one.found.kind, one.found.period.words if one.found.period else "to the end of the year",
            shown(one.found.event) or "not said", shown(words_of(contract, one.found)),
            place_of(contract, one.found.sentence), shown(one.why),
        )
        for number, one in enumerate(listed.open, 1)
    )  # fmt: skip
    days = tuple(
        (
            one.day.isoformat(), one.name,
            shown(quote(contract, one.sentence, one.focus)) if one.sentence else GIVEN,
            place_of(contract, one.sentence) if one.sentence else GIVEN,
        )
        for one in listed.known
    )  # fmt: skip
    none = "None was found."
    return (
        Table(heading="Last days", header=DUE, rows=dated, widths=(0.4, 0.9, 0.9, 1.9, 1.5, 3.0, 0.8), empty=none),
        Table(heading="Open: a day is missing", header=OPEN, rows=still, widths=(0.4, 0.9, 1.1, 1.7, 3.0, 0.8, 1.5), empty=none),
        Table(heading="Days that are known", header=KNOWN, rows=days, widths=(0.9, 1.9, 5.6, 1.0), empty=none),
    )  # fmt: skip


def _from(contract: Contract, one: Deadline) -> str:
    if one.start is None:
        return "stands there"
    where = place_of(contract, one.start.sentence) if one.start.sentence else GIVEN
    assumed = f"; {one.start.assumed}" if one.start.assumed else ""
    return shown(f"{one.start.name}, {one.start.day} ({where}){assumed}")


def words_of(contract: Contract, found: Found) -> str:
    """Return the words of a deadline, verbatim."""
    return quote(contract, found.sentence, found.focus)


def place_of(contract: Contract, sentence: Sentence) -> str:
    """Return where a sentence stands: `p. 3, ¶ 12`."""
    block = contract.blocks[sentence.block]
    page = "" if block.page is None else f"p. {block.page}, "
    return f"{page}¶ {block.paragraph}"


def summary(listed: Listed) -> str:
    """Return one line with the counts."""
    name = listed.contract.name.rpartition("/")[2]
    return f"{name}: {len(listed.due)} last days, {len(listed.open)} open for want of a day."


def no_holidays(rule: Rule, calendar: Calendar) -> str:
    """Return what is to be said where a rule speaks of holidays and the calendar has none, else ""."""
    if calendar.knows_holidays or not rule.asks_holidays:
        return ""
    return (
        f"The rule {rule.name} speaks of holidays, and the calendar {calendar.name} has none: name one in the setting "
        "`calendars`, or look yourself whether a holiday is near."
    )


def how(listed: Listed) -> list[str]:
    """Return the lines that say how was counted."""
    lines = [f"Counted: {listed.rule.told}. Business days: {title_of(listed.calendar)}."]
    if listed.moving is not None:
        words = shown(quote(listed.contract, listed.moving))
        lines.append(f"{place_of(listed.contract, listed.moving)}: “{words}”")
    if unaware := no_holidays(listed.rule, listed.calendar):
        lines.append(unaware)
    return lines


def listing(listed: Listed) -> Listing:
    """Return the deadlines as a document."""
    return Listing(
        title=f"Deadlines: {listed.contract.name.rpartition('/')[2]}",
        lines=(summary(listed), *how(listed)),
        tables=tables(listed),
        closing=(LIMIT,),
        landscape=True,
    )
