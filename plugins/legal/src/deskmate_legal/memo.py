"""What the review memo says: rows with quotations, the action for each, what is in line and absent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from deskmate.plugin import Claim, Evidence
from deskmate_legal.contract import Contract, Sentence
from deskmate_legal.edits import build_edits
from deskmate_legal.findings import Deviation, Result, quote, readable
from deskmate_legal.patterns import BLANK
from deskmate_legal.report import citation, evidence_for
from deskmate_legal.wording import in_the_words_of

STATUS = "Draft for professional review"
_RANK = {"high": 0, "medium": 1, "low": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the memo's table. `by`: "rules", or "reading" for what a model or person added.

    `brief`: the action in fewer words, for a crowded page.
    """

    title: str
    severity: str
    quote: str
    place: str
    deviation: str
    position: str
    range: str
    action: str
    brief: str
    by: str = "rules"
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Wording to put forward where the file cannot be redlined."""

    place: str
    words: str
    wording: str
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Memo:
    """The memo's content, before layout. `absent`: categories with the terms that were searched."""

    file: str
    title: str
    playbook: str
    date: str
    summary: str
    redline: str
    rows: tuple[Row, ...]
    proposals: tuple[Proposal, ...]
    in_line: tuple[str, ...]
    unread: tuple[str, ...]
    absent: tuple[tuple[str, tuple[str, ...]], ...]
    notes: tuple[str, ...]

    def claims(self) -> tuple[Claim, ...]:
        """Return a claim for each quotation."""
        return tuple(
            Claim(text=words, evidence=(evidence.id,), kind="quote")
            for words, evidence in self._quoted()
        )

    def evidence(self) -> tuple[Evidence, ...]:
        """Return the evidence for the claims, ids unique."""
        return tuple({evidence.id: evidence for _, evidence in self._quoted()}.values())

    def _quoted(self) -> list[tuple[str, Evidence]]:
        found = [(row.quote, row.evidence) for row in self.rows]
        found += [(proposal.words, proposal.evidence) for proposal in self.proposals]
        return [(words, evidence) for words, evidence in found if evidence is not None and words]


def memo_rows(
    contract: Contract, results: Sequence[Result], edits: Sequence[Mapping[str, Any]], limit: int
) -> list[Row]:
    """Return a row per deviation, most severe first; quotations of at most `limit` characters."""
    rows: dict[tuple[str, str, str], Row] = {}
    more: dict[tuple[str, str, str], int] = {}
    for result in results:
        for deviation in result.deviations:
            says = deviation.says if deviation.rule == "range" else ""
            key = (result.category.id, deviation.rule, says)
            more[key] = more.get(key, -1) + 1
            if key not in rows:
                rows[key] = _row(contract, deviation, edits, limit)
    counted = [
        row
        if not more[key]
        else replace(row, place=f"{row.place}, and {more[key]} more place{'s'[: more[key] > 1]}")
        for key, row in rows.items()
    ]
    return _blanks_once(sorted(counted, key=lambda row: _RANK[row.severity]))


def _blanks_once(rows: list[Row]) -> list[Row]:
    """Quote a blank of a form once: quoted twice it would look like a new one that the memo left."""
    seen: set[str] = set()
    kept = []
    for row in rows:
        blank = BLANK.search(row.quote) is not None
        kept.append(replace(row, quote="", evidence=None) if blank and row.place in seen else row)
        if blank:
            seen.add(row.place)
    return kept


def _row(
    contract: Contract, deviation: Deviation, edits: Sequence[Mapping[str, Any]], limit: int
) -> Row:
    category, sentence = deviation.category, deviation.sentence
    terms = ", ".join(category.search_terms[:6])
    words, place, evidence = "", f"No clause found. Searched: {terms}.", None
    says = deviation.says if sentence is not None else "Absent."
    if sentence is not None:
        raw = quote(contract, sentence, deviation.focus, limit)
        words = " ".join(raw.split())
        place = place_text(citation(contract, sentence))
        evidence = evidence_for(contract, sentence, words)
    action, brief = _action(contract, deviation, edits)
    return Row(
        title=category.title,
        severity=deviation.severity,
        quote=words,
        place=place,
        deviation=says,
        position=category.position,
        range=category.range,
        action=action,
        brief=brief,
        evidence=evidence,
    )


def _action(
    contract: Contract, deviation: Deviation, edits: Sequence[Mapping[str, Any]]
) -> tuple[str, str]:
    category = deviation.category
    wanted = {change.text for change in deviation.changes}
    edited = any(
        category.id in str(edit["reference"]).split(", ")
        and (not wanted or _serves(contract, edit, wanted))
        for edit in edits
    )
    approver = f"Approver: {category.approver or 'Legal'}."
    if edited and (deviation.changes or deviation.sentence is None):
        verb = "Redlined." if contract.kind == "docx" else "Wording proposed in the annex."
        return f"{verb} If refused: {_lower(category.fallback)} {approver}", f"{verb} {approver}"
    if deviation.rule == "blank":
        return ("Fill in before signature.",) * 2
    if deviation.rule == "absent":
        return (f"Ask for a clause. {approver}",) * 2
    negotiate = f"Negotiate. Fallback: {_lower(category.fallback)} {approver}"
    return negotiate, f"Negotiate. {approver}"


def _serves(contract: Contract, edit: Mapping[str, Any], wanted: set[str]) -> bool:
    new = str(edit["replace"])
    return any(in_the_words_of(contract, text).strip() in new for text in wanted)


def _lower(text: str) -> str:
    if not text:
        return "none."
    head = text if text[:2].isupper() else text[0].lower() + text[1:]
    return head if head.endswith(".") else f"{head}."


def place_text(cited: Mapping[str, Any]) -> str:
    """Return a citation in words: "clause 4.2, page 3, ¶ 17"."""
    parts = []
    if cited.get("clause"):
        parts.append(f"clause {cited['clause']}")
    if cited.get("page"):
        parts.append(f"page {cited['page']}")
    parts.append(f"¶ {cited['paragraph']}")
    return ", ".join(parts)


def proposals(contract: Contract, results: Sequence[Result]) -> list[Proposal]:
    """Return the wording to propose for a PDF or text: their words, verbatim, and ours."""
    if contract.kind == "docx":
        return []
    found = []
    blocks = {block.paragraph: index for index, block in enumerate(contract.blocks)}
    sentences: dict[int, list[Sentence]] = {}
    for sentence in contract.sentences():
        sentences.setdefault(sentence.block, []).append(sentence)
    for edit in build_edits(contract, results):
        index = blocks[int(str(edit["paragraph"]))]
        text, words = contract.blocks[index].text, str(edit["find"])
        at = text.index(words)
        sentence = next(s for s in sentences[index] if s.end > at)
        left, right = _context(text, at, at + len(words), sentence)
        shown = " ".join(text[left:right].split())
        new = text[left:at] + str(edit["replace"]) + text[at + len(words) : right]
        found.append(
            Proposal(
                place=place_text(citation(contract, sentence)),
                words=shown,
                wording=" ".join(new.split()) or "(delete)",
                evidence=evidence_for(contract, sentence, shown),
            )
        )
    for result in results:
        if result.status == "absent" and result.deviations and result.category.insert:
            heading, body = result.category.insert
            wording = in_the_words_of(contract, f"{heading}. {body}")
            found.append(Proposal(place="new clause", words="", wording=wording))
    return found


def _context(text: str, start: int, end: int, sentence: Sentence) -> tuple[int, int]:
    """Widen a span by some words to each side, within its sentence, so that a reader finds his way."""
    left, right = max(start - 60, min(sentence.start, start)), min(end + 40, max(sentence.end, end))
    left, right = readable(text, left, right, start)
    while left < start and left > 0 and not text[left - 1].isspace():
        left += 1
    while right > end and right < len(text) and not text[right].isspace():
        right -= 1
    return left, right


def make_memo(
    contract: Contract,
    results: Sequence[Result],
    *,
    playbook: str,
    date: str,
    redline: str = "",
    summary: str = "",
    extra: Sequence[Row] = (),
    limit: int = 320,
) -> Memo:
    """Return the memo's content for a review. `extra`: rows that reading added to the rules'."""
    edits = build_edits(contract, results)
    rows = sorted(
        [*memo_rows(contract, results, edits, limit), *extra], key=lambda row: _RANK[row.severity]
    )
    by_status = {
        status: tuple(r.category.title for r in results if r.status == status)
        for status in ("ok", "present")
    }
    return Memo(
        file=contract.name.rpartition("/")[2],
        title=contract.title,
        playbook=playbook,
        date=date,
        summary=" ".join(part for part in (_summary(results, rows), summary) if part),
        redline=redline.rpartition("/")[2],
        rows=tuple(rows),
        proposals=tuple(proposals(contract, results)),
        in_line=by_status["ok"],
        unread=by_status["present"],
        absent=tuple(
            (r.category.title, r.category.search_terms[:4])
            for r in results
            if r.status == "absent" and not r.deviations
        ),
        notes=_notes(contract),
    )


def _summary(results: Sequence[Result], rows: Sequence[Row]) -> str:
    total = len(results)
    if not rows:
        return f"No deviation from the playbook was found in {total} categories."
    high = [row.title for row in rows if row.severity == "high"]
    count = len(rows)
    text = f"{count} deviation{'s'[: count > 1]} from the playbook in {total} categories"
    if not high:
        return f"{text}, none of high severity."
    names = ", ".join(dict.fromkeys(high))
    return f"{text}; {len(high)} of high severity: {names}. Do not sign before these are settled."


def _notes(contract: Contract) -> tuple[str, ...]:
    notes = []
    if contract.incorporates:
        notes.append(
            "The contract incorporates terms that are not in this file; a clause reported absent may be there."
        )
    if contract.kind != "docx":
        notes.append(
            "The file is no Word document and cannot carry tracked changes; wording is proposed in the annex."
        )
    return tuple(notes)
