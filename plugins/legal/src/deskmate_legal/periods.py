"""Finds in a contract or order what must be done by when: periods, what they run from, fixed days, the end of the term."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from deskmate_legal.contract import Contract, Sentence
from deskmate_legal.counting import LONGEST, Period
from deskmate_legal.dates import dates_in
from deskmate_legal.figures import DIGITS, WORDS, Figure, durations, from_words

_EVENT = (
    r"(?P<event>(?:[^,;.()“”\"]|\.(?=\w)|[“”\"](?=\w)){2,140}?)"
    r"(?=\s*(?:[,;)(“”\"]|\.(?!\w))|\s+(?:unless|shall|will|may|must|if|then|provided|either|whichever|whether|and\s+(?:shall|will|continu\w+|end\w*|expir\w+|remain\w*|terminat\w+|thereafter)|to\s+the\s+(?:other|defaulting))\b|\s*$)"
)
_AFTER = re.compile(
    r"^[’'s]*\s*(?:(?:immediately|next)\s+)?(?P<way>after|following|from(?:\s+and\s+after)?|since|of|prior\s+to|prior|before|preceding|in\s+advance\s+of)\s+"
    + _EVENT,
    re.IGNORECASE,
)
_WITHIN = re.compile(
    r"\b(?:within|no(?:t)?\s+later\s+than|(?:no|not)\s+more\s+than|in)\s+(?:a\s+(?:further\s+)?period\s+of\s+)?(?:the\s+)?$",
    re.IGNORECASE,
)
_BACK = re.compile(r"prior|before|preceding|advance", re.IGNORECASE)
_NOTICE = re.compile(
    r"^[’'s]*\s*(?:(?:prior|advance|previous|written)\s+){0,3}notice\b", re.IGNORECASE
)
_NOTICE_END = re.compile(
    r"\b(?:prior\s+to|before|at|upon)\s+(?P<event>(?:the\s+)?(?:expiration|expiry|end)\s+of\s+(?:the|its|any|each|such|this)[^,;.()]{2,60}?)(?=[,;.()]|\s+(?:or|upon|by|unless|on)\b|\s*$)",
    re.IGNORECASE,
)
_BEGINS = re.compile(
    r"\b(?:commenc\w+|begin\w*|start\w*|from)\s+(?:on|upon|as\s+of|with|and\s+after)?\s*" + _EVENT,
    re.IGNORECASE,
)
_TERM = re.compile(r"\bterms?\b|\bremain\s+in\s+(?:full\s+)?(?:force|effect)|\bcontinue\s+in\b", re.IGNORECASE)  # fmt: skip
_TERM_LEAD = re.compile(
    r"(?:\b(?:for|of|be|is|continue|thereafter|until|term)\b|:)\s*(?:an?\s+)?(?:(?:initial|further|fixed|minimum|successive|additional|consecutive)\s+)?(?:(?:term|period)\s+of\s+)?(?:the\s+)?(?:approximately\s+)?$",
    re.IGNORECASE,
)
_ANNIVERSARY = re.compile(
    rf"\b(?P<nth>first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|\d{{1,2}}(?:st|nd|rd|th)|(?:{WORDS}|{DIGITS})(?:\s*\(\d+\))?[\s-]+year)\s+anniversary\s+of\s+"
    + _EVENT,
    re.IGNORECASE,
)
_ORDINALS = {
    word: number
    for number, word in enumerate(
        [
            "first",
            "second",
            "third",
            "fourth",
            "fifth",
            "sixth",
            "seventh",
            "eighth",
            "ninth",
            "tenth",
        ],
        1,
    )
}
_FIXED = re.compile(
    r"\b(?P<how>on\s+or\s+before|(?:no|not)\s+later\s+than|by|until|through(?:\s+and\s+including)?|before|prior\s+to|(?:expir|terminat|end)\w*(?:\s+on)?|extended\s+to|to)\s+(?:midnight\s+(?:on|of)\s+)?(?:the\s+)?$",
    re.IGNORECASE,
)
_YEAR_END = re.compile(
    r"\bend\s+of\s+the\s+(?:then[\s-]+)?current\s+calendar\s+year", re.IGNORECASE
)
_EXPIRES = re.compile(r"\b(?:expire|terminat|end)\w*|\bcontinue|\bremain|\bterm\b", re.IGNORECASE)
_RENEWS = re.compile(r"\b(?:renew|extend)\w*|\bextension", re.IGNORECASE)
_SIGNS = (
    ("cure", re.compile(r"\b(?:un)?cur(?:e|ed|ing)\b|\bremed(?:y|ied|ies)\b", re.IGNORECASE)),
    ("renewal", _RENEWS),
    ("payment", re.compile(r"\bpa(?:y|id|yments?|yable)\b|\binvoices?\b", re.IGNORECASE)),
    ("response", re.compile(
        r"\b(?:respon(?:d|se)|answers?|objections?|object|repl(?:y|ies)|appeal|oppos\w+|motion|pleadings?|fil(?:e|ed|ing)|serv(?:e|ed|ice))\b",
        re.IGNORECASE)),
    ("notice", re.compile(r"\bnoti(?:ce|fy|fies)\b", re.IGNORECASE)),
)  # fmt: skip
KINDS = (
    "end of the term",
    "renewal",
    "notice",
    "cure",
    "payment",
    "response",
    "fixed day",
    "other",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Something with a last day. `focus`: its words in the sentence's block.

    Either `day` (a fixed day), or `period` counted from `event`: the words for it, "" where none stand there.
    `year_end`: the period runs to the end of the calendar year of its event.
    """

    kind: str
    sentence: Sentence
    focus: tuple[int, int]
    period: Period | None = None
    event: str = ""
    day: date | None = None
    year_end: bool = False


def find_periods(contract: Contract) -> Iterator[Found]:
    """Yield what has a last day, in order of the text."""
    for sentence in contract.sentences():
        found = [*_periods(sentence), *_anniversaries(sentence), *_fixed(sentence)]
        match = _YEAR_END.search(sentence.text)
        if match and _EXPIRES.search(sentence.text):
            found.append(_found("end of the term", sentence, match.span(), year_end=True))
        yield from sorted(found, key=lambda one: one.focus)


def _periods(sentence: Sentence) -> Iterator[Found]:
    text = sentence.text
    for figure in durations(text):
        period = _period(figure)
        if period is None or figure.conflict:
            continue
        before, after = text[: figure.start], text[figure.end :]
        if _NOTICE.match(after):
            yield _notice(sentence, figure, period, text)
        elif match := _AFTER.match(after):
            back = _BACK.match(match["way"]) is not None
            if match["way"].lower() == "of" and not _WITHIN.search(before):
                continue
            kind = _kind(sentence, figure.start, figure.end + match.end())
            if kind == "other" and not back and _TERM_LEAD.search(before) and _TERM.search(text):
                kind = "end of the term"
            yield _counted(kind, sentence, figure, period, match, back)
        elif _TERM.search(text) and _TERM_LEAD.search(before):
            yield from _term(sentence, figure, period, before, after)


def _counted(
    kind: str, sentence: Sentence, figure: Figure, period: Period, match: re.Match[str], back: bool
) -> Found:
    event, end = match["event"], figure.end + match.end("event")
    rest = sentence.text[figure.end + match.start("event") :]
    if (dated := next(dates_in(rest), None)) and not rest[: dated.start].strip():
        event, end = rest[: dated.end], end - len(event) + dated.end  # its comma ends no event
    return _found(
        kind,
        sentence,
        (figure.start, end),
        period=Period(count=period.count, unit=period.unit, before=back),
        event=_spaced(event),
    )


def _notice(sentence: Sentence, figure: Figure, period: Period, text: str) -> Found:
    """Return a period of notice: back from the end that the sentence names, else on from the notice."""
    end = _NOTICE_END.search(text)
    kind = "renewal" if _RENEWS.search(text) else "notice"
    focus = (figure.start, figure.end)
    if end is None:
        return _found(kind, sentence, focus, period=period, event="the notice")
    back = Period(count=period.count, unit=period.unit, before=True)
    focus = (min(focus[0], end.start()), max(focus[1], end.end()))
    return _found(kind, sentence, focus, period=back, event=_spaced(end["event"]))


def _term(
    sentence: Sentence, figure: Figure, period: Period, before: str, after: str
) -> Iterator[Found]:
    """Yield the end of a term; each further term only where the sentence is about renewal alone."""
    if _RENEWS.search(before) or re.match(r"\s*(?:renewal|extension)", after, re.IGNORECASE):
        event, kind = "the end of the term", "renewal"
    else:
        match = _BEGINS.search(after) or _BEGINS.search(before)
        event, kind = _spaced(match["event"]) if match else "", "end of the term"
    yield _found(kind, sentence, (figure.start, figure.end), period=period, event=event)


def _anniversaries(sentence: Sentence) -> Iterator[Found]:
    for match in _ANNIVERSARY.finditer(sentence.text):
        nth = match["nth"].lower()
        number = _ORDINALS.get(nth)
        if number is None:
            digits = re.search(r"\d+", nth)
            said = from_words(re.sub(r"[\s-]+year$", "", nth)) if digits is None else None
            number = int(digits.group()) if digits else int(said or 0)
        if not 1 <= number <= LONGEST["year"]:
            continue
        kind = "end of the term" if _EXPIRES.search(sentence.text) else "other"
        yield _found(
            kind,
            sentence,
            match.span(),
            period=Period(count=number, unit="year"),
            event=_spaced(match["event"]),
        )


def _fixed(sentence: Sentence) -> Iterator[Found]:
    text = sentence.text
    for dated in dates_in(text):
        lead = _FIXED.search(text[: dated.start])
        if lead is None:
            continue
        how = " ".join(lead["how"].lower().split())
        if how == "to" and not re.search(r"\bfrom\b", text[: lead.start()], re.IGNORECASE):
            continue
        if how in {"before", "prior to"} and re.search(
            r"\b(?:day|month|year|week)s?\s*$", text[: lead.start()]
        ):
            continue  # the figure before it counts from here
        ends = how.startswith(("expir", "terminat", "end")) or (
            how in {"to", "until", "through", "through and including"} and _TERM.search(text)
        )
        kind = "end of the term" if ends else _kind(sentence, lead.start(), dated.end)
        if kind == "other":
            kind = "fixed day"
        yield _found(kind, sentence, (lead.start(), dated.end), day=dated.day)


def _kind(sentence: Sentence, start: int, end: int) -> str:
    """Return what a period is for, by the words around it."""
    near = sentence.text[max(start - 160, 0) : end + 80]
    return next((kind for kind, pattern in _SIGNS if pattern.search(near)), "other")


def _period(figure: Figure) -> Period | None:
    if figure.value != figure.value.to_integral_value():
        return None
    unit = figure.unit
    if unit == "day" and re.search(r"\b(?:business|working)\b", figure.text, re.IGNORECASE):
        unit = "business day"
    count = int(figure.value)
    return Period(count=count, unit=unit) if 0 < count <= LONGEST[unit] else None


def _found(
    kind: str,
    sentence: Sentence,
    span: tuple[int, int],
    *,
    period: Period | None = None,
    event: str = "",
    day: date | None = None,
    year_end: bool = False,
) -> Found:
    focus = (sentence.start + span[0], sentence.start + span[1])
    return Found(
        kind=kind,
        sentence=sentence,
        focus=focus,
        period=period,
        event=event,
        day=day,
        year_end=year_end,
    )


def _spaced(text: str) -> str:
    return " ".join(text.split()).strip(" ’'”“\"")
