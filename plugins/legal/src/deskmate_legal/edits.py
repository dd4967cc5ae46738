"""Turns the changes of a review into edits for the redline: unique, minimal, never overlapping."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deskmate_legal.clauses import Clause
from deskmate_legal.contract import Contract
from deskmate_legal.findings import Deviation, Result
from deskmate_legal.wording import in_the_words_of

_SIGNATURE = re.compile(
    r"in witness whereof|^\s*by signing|^\s*signatures?\b|^\s*(?:by|name|title)\s*:|executed (?:this|as of)|^\s*/s/"
    r"|^\s*(?:agreed|accepted) (?:and|to)",
    re.IGNORECASE,
)
_ATTACHED = re.compile(r"exhibit|schedule|annex|appendix|attachment", re.IGNORECASE)
_TYPED = re.compile(
    r"\s*(?P<word>Section\s+|SECTION\s+)?(?P<number>\d{1,2})(?P<stop>[.)])(?P<gap>[^\S\n]+)"
)
_WORD_LEFT = re.compile(r"\S+\s*$")
_WORD_RIGHT = re.compile(r"\s*\S+")


@dataclass(slots=True, kw_only=True)
class _Spot:
    """A stretch of a block to be replaced, with the deviations that ask for it."""

    block: int
    start: int
    end: int
    text: str
    deviations: list[Deviation]


def build_edits(contract: Contract, results: Sequence[Result]) -> list[dict[str, object]]:
    """Return the edits in order of the text, each `{paragraph, find, replace, reason, reference}`.

    `find` occurs exactly once in its paragraph; it is empty where `replace` is a new paragraph after it.
    Where two deviations want to change the same words, the more severe one is served.
    """
    spots = _without_overlap(
        [
            _Spot(block=c.block, start=c.start, end=c.end, text=c.text, deviations=[deviation])
            for deviation in _by_severity(results)
            for c in deviation.changes
        ]
    )
    edits = [
        edit
        for index in sorted({spot.block for spot in spots})
        for edit in _in_block(contract, index, [s for s in spots if s.block == index])
    ]
    return edits + list(_new_clauses(contract, results))


def _by_severity(results: Sequence[Result]) -> list[Deviation]:
    rank = {"high": 0, "medium": 1, "low": 2}
    found = [deviation for result in results for deviation in result.deviations]
    return sorted(found, key=lambda d: rank[d.severity])


def _without_overlap(wanted: Sequence[_Spot]) -> list[_Spot]:
    kept: list[_Spot] = []
    for spot in wanted:
        rivals = [k for k in kept if k.block == spot.block]
        same = [k for k in rivals if (k.start, k.end) == (spot.start, spot.end)]
        if same and spot.start == spot.end:
            if spot.text not in same[0].text:
                same[0].text += spot.text
            same[0].deviations += spot.deviations
        elif not any(k.start < spot.end and spot.start < k.end for k in rivals) and not same:
            kept.append(spot)
    return kept


def _in_block(contract: Contract, index: int, spots: list[_Spot]) -> Iterator[dict[str, object]]:
    """Widen each spot to whole words that occur once; spots that then touch become one edit."""
    text = contract.blocks[index].text
    groups = [[spot] for spot in sorted(spots, key=lambda s: (s.start, s.end))]
    spans = [_unique(text, group[0].start, group[-1].end) for group in groups]
    at = 0
    while at + 1 < len(groups):
        if spans[at][1] >= spans[at + 1][0]:
            groups[at] += groups.pop(at + 1)
            spans.pop(at + 1)
            start, end = groups[at][0].start, max(s.end for s in groups[at])
            spans[at] = _unique(text, start, end)
            at = max(at - 1, 0)
        else:
            at += 1
    for group, (start, end) in zip(groups, spans, strict=True):
        yield _edit(contract, index, group, start, end)


def _unique(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the smallest span of whole words around `start`–`end` whose text occurs once."""
    while start > 0 and not text[start - 1].isspace() and start < len(text):
        start -= 1
    while end < len(text) and not text[end].isspace():
        end += 1
    while start == end or text.count(text[start:end]) > 1:
        left = _WORD_LEFT.search(text, 0, start)
        right = _WORD_RIGHT.match(text, end)
        if left is not None:
            start = left.start()
        elif right is not None:
            end = right.end()
        else:
            break
    return start, end


def _edit(
    contract: Contract, index: int, group: list[_Spot], start: int, end: int
) -> dict[str, object]:
    text = contract.blocks[index].text
    out, at = [], start
    for spot in group:
        out += [text[at : spot.start], in_the_words_of(contract, spot.text)]
        at = spot.end
    out.append(text[at:end])
    deviations = list({id(d): d for spot in group for d in spot.deviations}.values())
    return {
        "paragraph": contract.blocks[index].paragraph,
        "find": text[start:end],
        "replace": "".join(out),
        "reason": " / ".join(dict.fromkeys(reason(d) for d in deviations)),
        "reference": ", ".join(dict.fromkeys(d.category.id for d in deviations)),
    }


def reason(deviation: Deviation) -> str:
    """Return the comment for an edit: what is wrong and our position, in words the other side may read.

    Limits, fallbacks and approvers stay in the memo: a redline leaves the house.
    """
    category = deviation.category
    says = "" if deviation.rule in {"range", "absent"} else f" {deviation.says}"
    if deviation.rule == "absent":
        says = " There is no such clause."
    position = f" Our position: {category.position}" if category.position else ""
    return f"{category.title}:{says}{position}" if says or position else f"{category.title}."


def _new_clauses(contract: Contract, results: Sequence[Result]) -> Iterator[dict[str, object]]:
    """Yield new paragraphs for required categories that are absent, in front of the signatures."""
    missing = [r for r in results if r.status == "absent" and r.deviations and r.category.insert]
    if not missing or contract.incorporates or contract.kind != "docx":
        return
    anchor = _last_clause(contract)
    if anchor is None:
        return
    clause, index = anchor
    block = contract.blocks[index]
    for place, result in enumerate(missing, 1):
        heading, body = result.category.insert or ("", "")
        number = "" if block.label else _next_number(contract, clause, place)
        yield {
            "paragraph": block.paragraph,
            "find": "",
            "replace": in_the_words_of(contract, f"{number}{heading}. {body}"),
            "reason": reason(result.deviations[0]),
            "reference": result.category.id,
        }


def _last_clause(contract: Contract) -> tuple[Clause, int] | None:
    """Return the last main clause in front of the signatures, and the block in which it ends."""
    stop = len(contract.text)
    for index, block in enumerate(contract.blocks):
        if index > len(contract.blocks) // 3 and _SIGNATURE.search(block.text[:120]):
            stop = block.start
            break
    numbered = [
        clause
        for clause in contract.clauses
        if clause.number and clause.start < stop and not _ATTACHED.match(clause.number)
    ]
    if not numbered:
        return None
    top = min(clause.level for clause in numbered)
    last = [clause for clause in numbered if clause.level == top][-1]
    at = contract.clauses.index(last)
    inside = {at}
    end = last.end
    for place, clause in enumerate(contract.clauses[at + 1 :], at + 1):
        if clause.parent not in inside:
            break
        inside.add(place)
        end = clause.end
    within = [
        index
        for index, block in enumerate(contract.blocks)
        if last.start <= block.start < min(end, stop) and not block.in_table
    ]
    labelled = [index for index in within if contract.blocks[index].label]
    return (last, (labelled or within)[-1]) if within else None


def _next_number(contract: Contract, clause: Clause, place: int) -> str:
    """Return the typed number of the `place`th new clause after one: "12. " or "Section 12. "."""
    match = _TYPED.match(contract.text, clause.start)
    if match is None:
        return ""
    return f"{match['word'] or ''}{int(match['number']) + place}{match['stop']}{match['gap']}"
