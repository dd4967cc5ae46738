"""Forms of citations that the reporters' and codes' lists do not have: constitutions, rules, restatements, EU and UK law."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SECTION = r"\d[\w.:-]*(?:\([\w-]+\))*"
_FORMS: tuple[tuple[str, str], ...] = (
    (
        "law",
        r"\b(?:U\.\s?S\.|[A-Z][a-z]+\.?(?:\s[A-Z][a-z]*\.)?) Const\.,? (?:art|amend|pmbl)\.?(?: [IVXLC]+| \d+)?(?:, §+ \d+(?:, cl\. \d+)?)?",
    ),
    (
        "law",
        rf"\bRestatement \((?:First|Second|Third|Fourth)\) of [A-Z][a-z]+(?: (?:of |and |& )?[A-Z][a-z]+)*,? §+ {_SECTION}",
    ),
    (
        "law",
        rf"\bFed\. ?R\. ?(?:Civ|Crim|App|Bankr)\. ?P\. {_SECTION}|\bFed\. ?R\. ?Evid\. {_SECTION}",
    ),
    ("law", rf"\bU\.?C\.?C\.? §+ {_SECTION}"),
    ("law", rf"\b\d+ Del\. ?C\. §+ {_SECTION}"),
    ("law", r"\b\d+ ILCS \d+/[\d.-]*\d\b"),
    (
        "law",
        r"\b(?:Articles? \d+(?:\(\d+\))*(?:\([a-z]\))? of )?(?:Council |Commission |Delegated |Implementing |Framework )*"
        r"(?:Regulation|Directive|Decision) (?:\((?:EU|EC|EEC|Euratom)(?:, Euratom)?\) )?(?:No\.? )?\d{1,4}/\d{1,4}(?:/(?:EU|EC|EEC|JHA))?",
    ),
    (
        "law",
        r"\b(?:[A-Z][A-Za-z'’-]+ (?:(?:and|of|the|to|for|on|in) )*|\([A-Z][A-Za-z ]+\) )+Act (?:1[89]|20)\d\d(?:,? (?:ss?\.|sections?) ?\d+[A-Z]?(?:\(\w+\))*)?",
    ),
    ("case", r"\bCases? [CTF][-‑–]\d{1,4}/\d\d(?: P)?\b"),
    ("case", r"\bECLI:[A-Z]{2}:[A-Z0-9]{1,7}:\d{4}:[A-Z0-9.]{1,25}\b"),
    (
        "case",
        r"\[(?:19|20)\d\d\] (?:UKSC|UKPC|UKHL|EWCA|EWHC|UKUT|UKFTT|CSIH|CSOH|NICA|IESC|IEHC|HCA|FCA|NZSC|SCC|SGCA|ZASCA)(?: \(?(?:Civ|Crim|IAC|LC|TCC)\)?)? \d+(?: \([A-Z][A-Za-z]+\))?",
    ),
)
"""Source: house patterns for the forms of the Bluebook (rules 11, 12.9, 14), of EU acts and cases (interinstitutional style
guide, ECLI), of neutral citations and of UK acts by short title."""

_COMPILED = tuple((kind, re.compile(pattern)) for kind, pattern in _FORMS)
_UNLISTED = re.compile(
    r"(?<![\w.§$£€])\d{1,4} (?P<reporter>[A-Z][A-Za-z.&'’]*(?: ?(?:[A-Z][A-Za-z.&'’]*|\d(?:d|th|nd|rd|st)))*)"
    r" (?P<page>\d{1,5})(?:, \d{1,5}(?:[-–]\d{1,5})?)? ?\((?:[^()\d]{0,40}(?:[A-Z][a-z]{2,8}\.? \d{1,2}, )?)?(?:1[789]|20)\d\d\)"
)
_BLANK = re.compile(
    r"(?P<volume>[_–—-]{2,}|\d{1,4}) (?P<reporter>[A-Z][A-Za-z.]*(?: ?(?:[A-Z][A-Za-z.]*|\d(?:d|th|nd|rd|st)))*) (?P<page>[_–—-]{2,}|\d{1,5})(?!\w)"
)
_SIGN = re.compile(
    r"(?P<code>\b(?:\d+ )?(?:[A-Z][A-Za-z.]* ){0,4}(?:[A-Z][A-Za-z.]*\.|Code|Law|Stat|Act),? ?)(?P<sign>§+ ?)(?P<number>\d[\w.:-]*)?"
)


def other_forms(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield kind (`case` or `law`), start and end of each citation of these forms."""
    for kind, pattern in _COMPILED:
        for match in pattern.finditer(text):
            yield kind, match.start(), match.end()


def look_alikes(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and what is wrong of words that are set like a citation; what is found otherwise is to be left out."""
    for match in _UNLISTED.finditer(text):
        yield match.start(), match.end(), f"the reporter “{match['reporter']}” is in no list"
    for match in _BLANK.finditer(text):
        if not (match["volume"].isdigit() and match["page"].isdigit()):
            yield match.start(), match.end(), "volume or page is left blank"
    for match in _SIGN.finditer(text):
        if match["number"]:
            yield (
                match.start(),
                match.end(),
                f"the code “{match['code'].strip(' ,')}” is in no list",
            )
        else:
            yield (
                match.start(),
                match.start("sign") + len(match["sign"].rstrip()),
                "no section number after the sign",
            )
