"""Figures in running text: what they may mean, how exactly they are shown, and which are no figures at all.

A figure is no figure to trace where it is a date, a time, a number of a section, page, list, version or telephone,
or part of a name.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

_SCALES = {
    "k": 3, "thousand": 3, "tsd": 3, "m": 6, "mn": 6, "mio": 6, "million": 6, "millions": 6,
    "bn": 9, "b": 9, "mrd": 9, "billion": 9, "billions": 9, "trillion": 12, "tn": 12,
}  # fmt: skip
_MONEY = r"(?:[$€£¥]|US\$|USD|EUR|GBP|CHF|JPY)"
_FIGURE = re.compile(
    r"(?<![\w.,#/])(?P<open>\()?\s?(?P<sign>[-−–+])?\s?(?P<money>" + _MONEY + r")?\s?"
    r"(?P<digits>\d{1,3}(?:[,.’'\u00a0\u202f ]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)?)"
    r"(?:\s?(?P<percent>%|‰|percent\b|per cent\b|bps\b)|\s?(?P<scale>"
    + "|".join(sorted(_SCALES, key=len, reverse=True))
    + r")\b)?(?P<close>\))?(?![\w]|[.,/:]\d)",
    re.IGNORECASE,
)
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec)[a-z]*\.?"
_YEAR = r"(?:19|20)\d{2}"
_NAMED = (
    r"sections?|sec\.|clauses?|articles?|art\.|chapters?|parts?|schedules?|annex(?:es)?|appendix|exhibits?|pages?|pp?\."
    r"|paragraphs?|paras?\.?|lines?|rows?|columns?|tables?|figures?|fig\.|slides?|sheets?|steps?|notes?|items?|nos?\.|number"
    r"|version|v\.|release|rule|recital|levels?|option|phase|stage|iso|rfc|form|week|day|room|q|h|fy|§§?|¶¶?|№|#"
)
_LIST = rf"(?:{_NAMED})\s*\(?\d+(?:\.\d+)*\)?(?:\([a-z0-9]+\))*(?:\s*(?:,|and|or|to|[-–—&])\s*\(?\d+(?:\.\d+)*\)?)*"
IGNORED = re.compile(
    "|".join(
        (
            r"https?://\S+|www\.\S+|[\w.+-]+@[\w-]+\.[\w.-]+|`[^`\n]*`",
            r"\b\d{4}-\d{2}(?:-\d{2})?(?:[T ]\d{2}:\d{2}(?::\d{2})?(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2})?)?\b",
            r"\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b|\b\d{1,2}[:.]\d{2}(?::\d{2})?\s?(?:[ap]\.?m\b\.?|h\b|UTC\b|Uhr\b)",
            r"\b\d{1,2}:\d{2}(?::\d{2})?\b",
            rf"\b\d{{1,2}}(?:st|nd|rd|th)?\.?\s+(?:of\s+)?{_MONTH}(?:,?\s+\d{{4}})?\b",
            rf"\b{_MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?(?:\s*[-–]\s*\d{{1,2}})?(?:,?\s+\d{{4}})?\b",
            rf"\b{_MONTH}\s+\d{{4}}\b",
            rf"(?<![\d.,$€£¥])\b{_YEAR}(?:\s?[-–/]\s?(?:(?:19|20)?\d{{2}}))?\b(?![.,]?\d|\s?%|\s?(?-i:[a-z]))",
            rf"\b(?:in|of|since|by|from|until|to|for|during|and|or|year|the|our|its|their|fiscal|calendar|ended|ending|vs\.?|versus|than|before|after|early|mid|late|through)[\s(-]+{_YEAR}\b(?![.,]?\d|\s?%)",
            r"\b[A-Za-z]\w*[-_/]\d[\w./-]*|\b(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{6,}\b|\b\d+(?:\.\d+){2,}\b",
            r"(?<!\w)\+\d[\d ()/.-]{6,}\d|\(\d{3}\)\s?\d{3}-\d{4}|\b\d{3}-\d{3}-\d{4}\b|\b\d{3}-\d{2}-\d{4}\b",
            rf"(?<!\w)(?:{_LIST})",
            r"(?m:^\s*(?:[-*•]\s*)?\(?\d{1,3}(?:\.\d{1,3})*[.)](?=\s))|\[\d{1,3}\]",
            r"(?m:^\s*\d{1,2}(?:\.\d{1,2}){1,4}\s+(?-i:(?=[A-Z“\"])))",
            r"\b24/7\b|\b\d+(?:st|nd|rd|th)\b",
        )
    ),
    re.IGNORECASE,
)
STORED_EXACT = Decimal("2e-9")
"""How exactly a stored figure is its source's: what floating point leaves."""
_ROUGH = re.compile(
    r"(?:about|around|approximately|approx\.|roughly|nearly|almost|over|more than|some|circa|ca\.|~|≈|under|just)\s*$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure as it is shown. `readings`: (value, what its last digit is worth); 1,234 has two.

    `signed`: with a minus or in brackets. `percent`: of 100, or of 1,000 or 10,000 for ‰ and bps.
    """

    text: str
    readings: tuple[tuple[Decimal, Decimal], ...]
    signed: bool
    per: int
    start: int

    @property
    def value(self) -> Decimal:
        """The likeliest reading."""
        return self.readings[0][0]

    def fits(self, value: Decimal) -> bool:
        """Say whether this is how the value would be shown, rounded to what is shown."""
        return any(self._fits(shown, last, value) for shown, last in self.readings)

    def _fits(self, shown: Decimal, last: Decimal, value: Decimal) -> bool:
        if self.signed and value > 0:
            return False
        candidates = [abs(value)] + ([abs(value) * self.per] if self.per else [])
        return any(abs(abs(shown) - each) <= last / 2 for each in candidates)


class Values:
    """Many values, to look figures up in."""

    def __init__(self, values: Iterable[Decimal]) -> None:
        """`values`: in any order."""
        self._sorted = sorted(set(values))

    def has(self, figure: Figure) -> bool:
        """Say whether the figure shows one of them."""
        for shown, last in figure.readings:
            for per in {1, figure.per or 1}:
                for sign in (1, -1):
                    middle, half = abs(shown) * sign / per, last / 2 / per
                    at = bisect.bisect_left(self._sorted, middle - half)
                    near = self._sorted[at : at + 1]
                    if near and near[0] <= middle + half and figure.fits(near[0]):
                        return True
        return False


def figures(text: str) -> Iterator[Figure]:
    """Yield the figures of a text that can be traced, in order."""
    ignored = [match.span() for match in IGNORED.finditer(text)]
    for match in _FIGURE.finditer(text):
        at = match.start("digits")
        money = bool(match["money"] or match["percent"])
        if not money and any(start <= at < end for start, end in ignored):
            continue
        if money and any(start <= at < end and "/" in text[start:end] for start, end in ignored):
            continue
        yield _figure(match, text)


def stored_figure(text: str) -> Figure | None:
    """Return a figure as a chart stores it: in full, on the chart's own scale; None for nought, which says nothing.

    A chart may show thousands, millions or billions of what its source has, and percentages as they are or of one.
    """
    value = decimal_of(text)
    if not value:
        return None
    scales = [Decimal(10) ** power for power in (0, 3, 6, 9)]
    readings = tuple((value * scale, abs(value) * scale * STORED_EXACT) for scale in scales)
    return Figure(text=text, readings=readings, signed=False, per=100, start=0)


def all_values(text: str) -> Iterator[Decimal]:
    """Yield every value that a source's text may hold, each in all its readings."""
    for match in _FIGURE.finditer(text):
        figure = _figure(match, text)
        for value, _ in figure.readings:
            yield value
            if figure.per:
                yield value / figure.per


def decimal_of(text: str) -> Decimal | None:
    """Return a stored figure such as `1234.5` or `1E-3`, None where it is none."""
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _figure(match: re.Match[str], text: str) -> Figure:
    scale = Decimal(10) ** _SCALES[match["scale"].lower()] if match["scale"] else Decimal(1)
    sign = match["sign"]
    dash = sign in ("-", "−", "–") and not text[: match.start("sign")].rstrip().endswith(
        tuple("0123456789")
    )
    brackets = bool(match["open"] and match["close"]) and bool(
        match["money"] or "." in match["digits"]
    )
    signed = dash or brackets
    rough = _ROUGH.search(text[: match.start()]) is not None
    readings = tuple(
        ((-value if signed else value) * scale, _last(digits, value, rough) * scale)
        for value, digits in _readings(match["digits"])
    )
    per = {"‰": 1000, "bps": 10_000}.get((match["percent"] or "").lower(), 100)
    shown = match.group().strip()
    if shown.startswith("(") != shown.endswith(")"):
        shown = shown.strip("()")
    return Figure(
        text=shown,
        readings=readings,
        signed=signed,
        per=per if match["percent"] else 0,
        start=match.start("digits"),
    )


def _last(digits: str, value: Decimal, rough: bool) -> Decimal:
    """Return what the last digit shown is worth; of a rough figure the last one that is no zero."""
    exponent = -len(digits.partition(".")[2])
    if rough and exponent == 0 and value:
        exponent = len(digits) - len(digits.rstrip("0"))
    return Decimal(1).scaleb(exponent)


def _readings(raw: str) -> list[tuple[Decimal, str]]:
    """Return what the digits may mean, as (value, digits with a decimal point)."""
    bare = re.sub(r"[’'\u00a0\u202f ]", "", raw)
    marks = [sign for sign in bare if sign in ".,"]
    options: list[str] = []
    if len(set(marks)) == 2:
        decimal = marks[-1]
        options = [bare.replace("," if decimal == "." else ".", "").replace(decimal, ".")]
    elif len(marks) > 1:
        options = [bare.replace(marks[0], "")]
    elif marks:
        grouped = len(bare.partition(marks[0])[2]) == 3 and len(bare.partition(marks[0])[0]) <= 3
        whole, point = bare.replace(marks[0], ""), bare.replace(marks[0], ".")
        options = ([whole, point] if marks[0] == "," else [point, whole]) if grouped else [point]
    else:
        options = [bare]
    return [(Decimal(option), option) for option in options]
