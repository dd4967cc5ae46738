"""Proof-reads a contract: defined terms, cross-references, exhibits, numbers in words, dates, party names."""

from __future__ import annotations

import calendar
import difflib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from deskmate_legal.contract import Contract
from deskmate_legal.figures import DIGITS, WORDS, from_words
from deskmate_legal.patterns import BLANK

_QUOTED = r"[“\"](?P<term>[A-Z][\w’'&/.-]*(?:[ \n]+[\w’'&/.-]+){0,6}?)[,.]?[”\"]"
_DEFINITIONS = (
    re.compile(
        rf"{_QUOTED}(?:\s+(?:or|and)\s+[“\"][^”\"]{{2,60}}[”\"])*\s*,?\s+(?:shall\s+|will\s+)?(?:means?|refers?\s+to|includes?|ha(?:s|ve)\s+the\s+meanings?)\b"
    ),
    re.compile(
        rf"\((?:[^()“”\"]{{0,80}}?\s)?(?:[“\"][^”\"]{{2,60}}[”\"]\s*(?:,\s*)?(?:or|and)\s+(?:the\s+|an?\s+)?)?{_QUOTED}[^()]{{0,40}}\)"
    ),
)
_USE = re.compile(
    r"\b(?P<before>[a-z]+) (?P<term>[A-Z][a-z]+(?:[ \n](?:[A-Z][a-z]+|of|and)){0,3}(?<! of)(?<! and))(?![\w-])"
)
_DETERMINERS = frozenset(
    ["the", "any", "each", "such", "its", "their", "all", "a", "an", "every", "no"]
)
_REFERENCE = re.compile(
    r"\b(?P<kind>Sections?|Articles?|Clauses?|Paragraphs?)\s+(?P<number>\d+(?:\.\d+)*(?:\s?\([a-z0-9]{1,4}\))*|[IVXL]+(?:\.[A-Z\d]+)?(?!\w))"
    r"(?P<after>[^.;\n]{0,60})",
    re.IGNORECASE,
)
_ELSEWHERE = re.compile(
    r"^\s*(?:there(?:of|in|under)\b|(?:\([a-z0-9]+\)\s*)*(?:(?:and|or|,|through|to)\s+[\d.()a-z]+\s*)*(?:of|in|under|to)\s+(?:the|that|such|its|title|exhibit|schedule|annex|[A-Z\d]))",
)
_LAW = re.compile(r"(?:\bD?FARS?|C\.?F\.?R\.?|U\.?S\.?C\.?|\bAct|\bCode)[,\s]*$")
_HERE = re.compile(
    r"^\s*(?:\([a-z0-9]+\)\s*)*(?:of|in|under)\s+(?:this|the agreement\b|these)", re.IGNORECASE
)
_EXHIBIT = re.compile(
    r"\b(?P<kind>Exhibit|Schedule|Annex|Appendix|Attachment)\s+[“\"]?(?P<key>[A-Z]|\d{1,2})\b(?!\.?\d)",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    rf"\b(?P<words>{WORDS})\s*\(\s*(?P<digits>{DIGITS})\s*(?P<percent>%)?\s*\)", re.IGNORECASE
)
_MONTHS = {name: number for number, name in enumerate(calendar.month_name) if name}
_MONTH = "|".join(_MONTHS)
_DATE = re.compile(
    rf"\b(?:(?P<m1>{_MONTH})\s+(?P<d1>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<y1>\d{{4}})|(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:day\s+of\s+)?(?P<m2>{_MONTH}),?\s+(?P<y2>\d{{4}}))\b",
    re.IGNORECASE,
)
_PARTY = re.compile(
    r"(?P<name>[A-Z](?:[\w&’'-]*|\.(?:[A-Z]\.)*)(?:,?[ \n]+(?:[A-Z&](?:[\w&’'-]*|\.(?:[A-Z]\.)*)|of|and(?= [A-Z]))){0,6}?"
    r",?\s+(?i:Inc|LLC|L\.L\.C|Ltd|Limited|Corp|Corporation|Company|GmbH|AG|LP|LLP|PLC|S\.A|B\.V|Pty)\b\.?)"
)
_NAMES = frozenset(
    [
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
        "Monday",
        "Tuesday",
        "Sections",
        "Articles",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
        "State",
        "States",
        "Delaware",
        "York",
        "California",
        "England",
        "Wales",
        "United",
        "Kingdom",
        "America",
        "American",
        "European",
        "Union",
        "Section",
        "Article",
        "Exhibit",
        "Schedule",
        "Annex",
        "Appendix",
        "Clause",
        "Internet",
        "English",
        "Federal",
        "Inc",
        "Corporation",
        "Company",
        "Limited",
        "President",
        "Director",
        "Attention",
        "Act",
        "Code",
        "Court",
        "Courts",
    ]
)
_LIMIT = 60
_NAMES_LIMIT = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Slip:
    """A thing to put right. `start`, `end`: the words in the contract's text. `level`: error or warning."""

    check: str
    level: str
    message: str
    start: int
    end: int


def proof_read(contract: Contract) -> list[Slip]:
    """Return the slips in order of the text, at most 60 for each check."""
    found: list[Slip] = []
    for check in (_terms, _references, _exhibits, _numbers, _dates, _parties, _blanks):
        found += list(check(contract))[:_LIMIT]
    return sorted(found, key=lambda slip: slip.start)


def definitions(text: str) -> dict[str, list[tuple[int, int]]]:
    """Return each defined term with the places where it is defined."""
    found: dict[str, list[tuple[int, int]]] = {}
    for pattern in _DEFINITIONS:
        for match in pattern.finditer(text):
            term = " ".join(match["term"].split())
            if len(term) < 2:
                continue  # Exhibit "A"
            spans = found.setdefault(term, [])
            if match.span("term") not in spans:
                spans.append(match.span("term"))
    return found


def _terms(contract: Contract) -> Iterator[Slip]:
    text = contract.text
    defined = definitions(text)
    for term, spans in defined.items():
        real = [
            s for s in spans if not re.match(r"[”\"]\s+ha(?:s|ve)\s+the", text[s[1] : s[1] + 20])
        ]
        if len(real) > 1:
            yield _slip(
                "defined twice", "error", f"“{term}” is defined {len(real)} times.", real[1]
            )
        uses = _uses(term, text) - len(spans)
        if uses <= 0 and len(contract.text) > 1500:
            yield _slip("unused term", "warning", f"“{term}” is defined and not used.", spans[0])
    yield from _undefined(contract, defined)


def _uses(term: str, text: str) -> int:
    words = r"\s+".join(re.escape(word) for word in term.split())
    return len(re.findall(rf"(?<!\w){words}(?:s|es|’s|'s)?(?!\w)", text, re.IGNORECASE))


def _undefined(contract: Contract, defined: dict[str, list[tuple[int, int]]]) -> Iterator[Slip]:
    if len(defined) < 2:
        return
    known = {_stem(term) for term in defined}
    known_words = {word for term in known for word in term.split()}
    titles = " | ".join(_stem(clause.heading) for clause in contract.clauses if clause.heading)
    cells = {_stem(b.text) for b in contract.blocks if b.in_table and len(b.text) < 60}
    parties = " ".join(_party_names(contract)).lower()
    counts: Counter[str] = Counter()
    first: dict[str, tuple[int, int]] = {}
    for match in _USE.finditer(contract.text):
        term = " ".join(match["term"].split())
        if " " not in term and match["before"] not in _DETERMINERS:
            continue
        counts[term] += 1
        first.setdefault(term, match.span("term"))
    for term, count in counts.items():
        stem, words = _stem(term), term.split()
        if count < 3 or stem in known | cells or stem in titles or stem in parties:
            continue
        if set(words) & _NAMES or all(
            _stem(word) in known_words for word in words if word[0].isupper()
        ):
            continue
        if contract.text.count(f" {term.lower()}") > count:
            continue  # mostly an ordinary word
        yield _slip(
            "undefined term",
            "warning",
            f"“{term}” is used {count} times and not defined.",
            first[term],
        )


def _stem(term: str) -> str:
    words = " ".join(term.lower().replace("’", "'").split())
    return re.sub(r"(?<=\w\w)(?:ies|es|s|y|e)\b", "", words)


def _references(contract: Contract) -> Iterator[Slip]:
    numbers = {_plain(clause.number) for clause in contract.clauses if clause.number}
    if len(numbers) < 4:
        return
    inside = {_plain(c.number): contract.own_text(c) for c in contract.clauses if c.number}
    for match in _REFERENCE.finditer(contract.text):
        after = match["after"]
        before = contract.text[max(match.start() - 12, 0) : match.start()]
        if (_ELSEWHERE.match(after) and not _HERE.match(after)) or _LAW.search(before):
            continue
        number = _plain(match["number"])
        if number in numbers or _inline(number, inside) or len(number.split(".")[0]) > 2:
            continue
        if re.search(
            rf"(?<![\w.]){re.escape(match['number'])}\.?\s+[A-Z]",
            contract.text[: match.start()] + contract.text[match.end() :],
        ):
            continue
        if any(other.startswith(number + ".") for other in numbers):
            continue
        shown = f"{match['kind'].rstrip('s').capitalize()} {match['number']}"
        yield _slip(
            "dead cross-reference",
            "error",
            f"There is no {shown}.",
            (match.start(), match.end("number")),
        )


def _plain(number: str) -> str:
    """Return "4.2(a)" and "4.2.a" as "4.2.a"."""
    return re.sub(r"[\s()]+", ".", number).strip(".").lower().replace("..", ".")


def _inline(number: str, inside: dict[str, str]) -> bool:
    """Say whether a reference's last letters stand as "(a)" inside the text of the clause above."""
    head, _, last = number.rpartition(".")
    while head:
        if head in inside:
            return f"({last})" in inside[head].lower()
        head, _, last = head.rpartition(".")
    return False


def _exhibits(contract: Contract) -> Iterator[Slip]:
    attached = {
        (match["kind"].lower(), match["key"].upper())
        for block in contract.blocks
        for line in block.text.splitlines()[:400]
        if (match := _EXHIBIT.match(line.strip())) and len(line.strip()) < 120
    }
    attached |= {
        (match["kind"].lower(), match["key"].upper())
        for match in _EXHIBIT.finditer(contract.text)
        if match["kind"].isupper()
    }
    said: set[tuple[str, str]] = set()
    for match in _EXHIBIT.finditer(contract.text):
        key = (match["kind"].lower(), match["key"].upper())
        if key in attached or key in said or not match["kind"][0].isupper():
            continue
        after = contract.text[match.end() : match.end() + 30]
        if re.match(r"[”\"]?\s+(?:to|of)\s+the\s+(?!agreement)", after, re.IGNORECASE):
            continue
        said.add(key)
        name = " ".join(match.group().split())
        yield _slip(
            "missing exhibit", "error", f"{name} is referred to and not in the file.", match.span()
        )


def _numbers(contract: Contract) -> Iterator[Slip]:
    for match in _NUMBER.finditer(contract.text):
        said = from_words(match["words"])
        written = match["digits"].replace(",", "")
        if said is not None and "." not in written and int(said) != int(written):
            words = " ".join(match.group().split())
            yield _slip("number", "error", f"Words and figures differ: {words}.", match.span())


def _dates(contract: Contract) -> Iterator[Slip]:
    for match in _DATE.finditer(contract.text):
        month = _MONTHS[(match["m1"] or match["m2"]).capitalize()]
        day, year = int(match["d1"] or match["d2"]), int(match["y1"] or match["y2"])
        if not 1 <= day <= calendar.monthrange(min(max(year, 1), 9999), month)[1]:
            yield _slip(
                "date", "error", f"There is no {' '.join(match.group().split())}.", match.span()
            )


def _party_names(contract: Contract) -> list[str]:
    names = (
        " ".join(m["name"].split())
        for m in _PARTY.finditer(contract.text[:4000])
        if m["name"][0].isupper()
    )
    return list(dict.fromkeys(name for name in names if 2 <= len(name.split()) <= 7))[:6]


def _parties(contract: Contract) -> Iterator[Slip]:
    """Yield names that are nearly the same as another: the rarer spelling, or the later one."""
    counts: Counter[str] = Counter()
    first: dict[str, tuple[str, tuple[int, int]]] = {}
    for match in _PARTY.finditer(contract.text):
        shown = " ".join(match["name"].split())
        counts[_letters(shown)] += 1
        first.setdefault(_letters(shown), (shown, match.span("name")))
    ranked = sorted(first, key=lambda key: (-counts[key], first[key][1]))[:_NAMES_LIMIT]
    for place, key in enumerate(ranked):
        for better in ranked[:place]:
            if difflib.SequenceMatcher(None, better, key).ratio() >= 0.88:
                shown, span = first[key]
                message = f"“{shown}” may be “{first[better][0]}”."
                yield _slip("party name", "warning", message, span)
                break


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.lower())


def _blanks(contract: Contract) -> Iterator[Slip]:
    for match in BLANK.finditer(contract.text):
        yield _slip("blank", "warning", "A field is not filled in.", match.span())


def _slip(check: str, level: str, message: str, span: tuple[int, int]) -> Slip:
    return Slip(check=check, level=level, message=message, start=span[0], end=span[1])
