"""Who the parties of a contract are, and who is to sign it, by rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from deskmate_legal.contract import Contract
from deskmate_legal.labels import labels_at
from deskmate_legal.patterns import BLANK

_BETWEEN = re.compile(r"\b(?:by\s+and\s+)?(?:between|among(?:st)?)\b\s*:?", re.IGNORECASE)
_PREAMBLE_END = re.compile(
    r"\b(?:WHEREAS|RECITALS?|BACKGROUND|WITNESSETH|NOW,?\s+THEREFORE|IT\s+IS\s+(?:HEREBY\s+)?AGREED|agree(?:s|d)?\s+as\s+follows)\b"
    r"|\n\s*(?:1\.|(?:ARTICLE|Article|SECTION|Section)\s+(?:1|I)\b|IN\s+WITNESS)"
)
_FORM = r"(?:Inc|INC|LLC|L\.L\.C|Ltd|LTD|Limited|LIMITED|Corp|CORP|Corporation|CORPORATION|Company|COMPANY|GmbH|AG|LP|L\.P|LLP|PLC|plc|S\.A|B\.V|N\.V|Pty|SE)\b\.?"
_COMPANY = re.compile(
    r"(?P<name>[A-Z](?:[\w&’'-]|\.(?=[A-Z]))*\.?(?:,?[ \n]+(?:[A-Z&](?:[\w&’'-]*|\.(?:[A-Z]\.)*)|of|and(?= [A-Z]))){0,6}?"
    rf",?\s+{_FORM}(?:,?\s+{_FORM})?)"
)
_ALIAS = re.compile(
    r"(?:doing\s+business\s+as|d/b/a|dba|a\.?k\.?a\.?|f/?k/?a|formerly(?:\s+known\s+as)?|subsidiary\s+of|affiliate\s+of|division\s+of|care\s+of|c/o|bank)\s*(?:the\s+)?[“\"(]?\s*$",
    re.IGNORECASE,
)
_ROLE = re.compile(r"[“\"](?P<role>[A-Z][^“”\"]{1,40}?),?[”\"]")
_AND = re.compile(r"\s*[,;]?\s+(?:and|&)\s+(?:between\s+|among\s+)?|\s*;\s*", re.IGNORECASE)
_NAME_END = re.compile(
    r"[,(;:“\"]|\s+(?:a|an|having|with|whose|located|of|residing|whereas)\s", re.IGNORECASE
)
_PLAIN = frozenset(
    [
        "the",
        "this",
        "that",
        "an",
        "each",
        "all",
        "any",
        "agreement",
        "contract",
        "party",
        "parties",
        "undersigned",
        "between",
        "made",
    ]
)
_WITNESS = re.compile(
    r"\bIN\s+WITNESS\s+(?:WHEREOF|THEREOF)|\bIN\s+WITNESS\b|\b(?:ACCEPTED|ACKNOWLEDGED|AGREED)\s+(?:AND|TO)\b|^\s*(?:EXECUTED|SIGNED)\s+(?:as|by|for)\b|^\s*SIGNATURES?\b|\bsignature\s+page\b|\bhave\s+(?:caused|executed|signed)\b",
    re.IGNORECASE | re.MULTILINE,
)
_SIGN_LINE = re.compile(
    r"(?:(?<=\s)|^)(?P<label>By|Signature|Signed(?:\s+by)?|Sign)\s*:(?P<after>[^\n]*)",
    re.MULTILINE | re.IGNORECASE,
)
_CONFORMED = re.compile(r"/s/\s*\S")
_REGION = 6000
PARTIES_LIMIT = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A party. `role`: what the contract calls it, "" if nothing. `start`, `end`: its name in the text. `blank`: not filled in."""

    name: str
    role: str
    start: int
    end: int
    blank: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Signatures:
    """Where a contract is signed. `start`, `end`: of the part in its text; both 0 if there is none. `lines`: places to sign."""

    start: int
    end: int
    lines: tuple[tuple[int, int], ...]
    conformed: bool


def parties(contract: Contract) -> list[Party]:
    """Return the parties that the opening names, in order; empty if it names none."""
    text = contract.text
    between = _BETWEEN.search(text, 0, 6000)
    if between is None:
        return []
    start = between.end()
    stop = _PREAMBLE_END.search(text, start, start + 2500)
    end = stop.start() if stop else min(start + 1200, len(text))
    found = list(_companies(text, start, end))
    if len(found) < 2:
        found += _segments(text, start, end)
    kept: list[Party] = []
    for one in sorted(found, key=lambda p: (p.start, -(p.end - p.start))):
        same = next((k for k in kept if _same(k, one)), None)
        if same is None:
            kept.append(one)
    return kept[:PARTIES_LIMIT]


def _same(one: Party, other: Party) -> bool:
    if one.start <= other.start < one.end:
        return True
    mine, theirs = letters(one.name), letters(other.name)
    return bool(mine and theirs) and (mine in theirs or theirs in mine)


def _companies(text: str, start: int, end: int) -> Iterator[Party]:
    depth = _masked(text[start:end])
    for match in _COMPANY.finditer(depth):
        before = depth[: match.start()]
        if _ALIAS.search(before) or re.search(r"\b(?:an?|any|each)\s+$", before):
            continue
        lead = re.match(r"(?:And|AND)\s+", match["name"])
        at = start + match.start("name") + (lead.end() if lead else 0)
        yield Party(
            name=" ".join(text[at : start + match.end("name")].split()),
            role=_role(text, start + match.end()),
            start=at,
            end=start + match.end("name"),
        )


def _segments(text: str, start: int, end: int) -> Iterator[Party]:
    """Yield what stands between "between", each "and" and the words that follow a name."""
    masked = _masked(text[start:end])
    at = 0
    for cut in [*_AND.finditer(masked), None]:
        piece_end = cut.start() if cut else len(masked)
        piece = masked[at:piece_end]
        lead = len(piece) - len(piece.lstrip())
        name_end = _NAME_END.search(piece, lead + 1)
        raw = piece[lead : name_end.start() if name_end else len(piece)]
        begin = start + at + lead
        at = cut.end() if cut else len(masked)
        name = " ".join(raw.split()).rstrip(".,")
        words = re.findall(r"[\w’'.&-]+", name)
        if BLANK.search(raw) and len(words) <= 3:
            yield Party(name=name, role=_role(text, begin), start=begin, end=begin + len(raw), blank=True)  # fmt: skip
        elif 2 <= len(words) <= 8 and _is_name(words):
            yield Party(name=name, role=_role(text, begin + len(raw)), start=begin, end=begin + len(raw))  # fmt: skip


def _is_name(words: list[str]) -> bool:
    capital = [w for w in words if w[0].isupper() or w[0].isdigit()]
    return (
        words[0][0].isupper()
        and words[0].lower() not in _PLAIN
        and len(capital) >= len(words) - 2
        and not {w.lower() for w in words}
        & {"shall", "will", "agrees", "agree", "is", "are", "has"}
    )


def _masked(text: str) -> str:
    """Return the text with what stands in brackets as spaces, so that names in it are no parties."""
    return re.sub(r"\([^()]{0,300}\)", lambda m: "(" + " " * (len(m.group()) - 2) + ")", text)


def _role(text: str, at: int) -> str:
    near = text[at : at + 260]
    match = _ROLE.search(near)
    if match is None or _AND.search(_masked(near[: match.start()])):
        return ""
    return " ".join(match["role"].split())


def signatures(contract: Contract) -> Signatures:
    """Return where the contract is signed."""
    text = contract.text
    ends = [
        block.start
        for block in contract.blocks
        if (found := labels_at(block.text.lstrip())) and found[0].kind == "exhibit"
    ]
    marks = [m.start() for m in _WITNESS.finditer(text) if m.start() > len(text) // 4]
    lines = list(_SIGN_LINE.finditer(text))
    if not marks and not lines:
        return Signatures(start=0, end=0, lines=(), conformed=False)
    with_lines = [m for m in marks if any(m <= one.start() <= m + _REGION for one in lines)]
    start = (with_lines or [max(lines[0].start() - 600, 0)] if lines else marks[-1:])[-1]
    end = min([start + _REGION, len(text), *(e for e in ends if e > start)])
    inside = [one for one in lines if start <= one.start() < end]
    return Signatures(
        start=start,
        end=end,
        lines=tuple((one.start("label"), one.end("label")) for one in inside),
        conformed=_CONFORMED.search(text, start, end) is not None,
    )


def signs(party: Party, region: str) -> bool:
    """Say whether a party's name, or the role the contract gives it, stands where it is signed."""
    there = letters(region)
    return letters(party.name) in there or (
        bool(party.role)
        and re.search(rf"(?<!\w){re.escape(party.role)}(?!\w)", region, re.IGNORECASE) is not None
    )


def letters(name: str) -> str:
    """Return a name's letters and figures, small."""
    return re.sub(r"[^a-z0-9]+", "", name.lower())
