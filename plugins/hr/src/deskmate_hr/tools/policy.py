"""The tools that answer from a handbook, with verbatim quotes or not at all."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from deskmate.plugin import (
    Claim,
    Deliverable,
    Digest,
    Evidence,
    ToolAnswer,
    ToolContext,
    ToolInputError,
)
from deskmate_hr.handbook import (
    MADE,
    Handbook,
    Place,
    excerpt,
    find_handbook,
    rank,
    read_handbook,
    terms_of,
)
from deskmate_hr.memo import Answer, write_memo

TITLE = "Answer from the policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What was looked for and found. `quotes`: place and words, best first."""

    question: str
    as_of: date
    jurisdiction: str
    handbook: Handbook
    quotes: tuple[tuple[float, Place, str], ...]
    missing: tuple[str, ...]

    @property
    def searched(self) -> int:
        """How many files could be searched."""
        return (
            len(self.handbook.files) - len(self.handbook.unreadable) - len(self.handbook.left_out)
        )


def policy_lookup(
    context: ToolContext,
    question: str,
    folder: str = "",
    limit: int = 3,
    as_of: str = "",
    jurisdiction: str = "",
) -> ToolAnswer:
    """Find what a handbook says on a question, as verbatim quotes with file and paragraph, or nothing.

    Use it before every answer on policy. It quotes; it does not interpret. "Not found" means that no
    paragraph holds the words that matter: then say so and do not guess. Policies that are superseded, not yet in force
    or for another place are left out and named.

    Args:
        context: filled in by Deskmate.
        question: the user's question, in the handbook's language.
        folder: workspace folder of the handbook (Markdown, text, PDF, DOCX). Empty: the whole workspace.
        limit: how many quotes at most, 1 to 10.
        as_of: ISO date on which the policy must be in force. Empty: today.
        jurisdiction: country or state of who asks. Empty: all.

    Returns:
        `found`: bool. `answers`: list of {path, page, paragraph, section, quote, score, effective, applies_to}, best
        first. `searched`: number of files. `unreadable`, `left_out`: files with the reason. `missing_words`: words of
        the question that occur nowhere.

    Raises:
        ToolInputError: no words to look for, no such folder, or no handbook in it.
    """
    search = _search(context, question, folder, limit, (as_of, jurisdiction))
    return ToolAnswer(result=_told(search), evidence=tuple(_evidence(search)))


def policy_answer(
    context: ToolContext,
    question: str,
    folder: str = "",
    output: str = "",
    limit: int = 3,
    as_of: str = "",
    jurisdiction: str = "",
) -> ToolAnswer:
    """Write a memo that answers a question from the policy: verbatim quotes with their places, or that it says nothing.

    For an answer that somebody will keep or pass on; the gates hold each quote to its source. To look first, use
    policy_lookup.

    Args:
        context: filled in by Deskmate.
        question: the question, as the memo shall state it.
        folder: workspace folder of the handbook. Empty: the whole workspace.
        output: workspace path of the memo, a .docx. Empty: policy-answer.docx.
        limit: how many quotes at most, 1 to 10.
        as_of: ISO date on which the policy must be in force. Empty: today.
        jurisdiction: country or state of who asks. Empty: all.

    Returns:
        As policy_lookup, and `output`: the memo.

    Raises:
        ToolInputError: no words to look for, no handbook, or the output is no new .docx.
    """
    search = _search(context, question, folder, limit, (as_of, jurisdiction))
    first = next(iter(search.handbook.files))
    wanted = output or "/".join(
        [*first.split("/")[:1], f"{MADE}.docx"] if "/" in first else [f"{MADE}.docx"]
    )
    if not wanted.lower().endswith(".docx") or wanted in search.handbook.files:
        raise ToolInputError(f"{wanted} cannot be the memo; give a new name that ends in .docx.")
    target = context.target(wanted)
    write_memo(target, TITLE, answer_of(search))
    evidence = list(_evidence(search))
    deliverable = Deliverable(
        path=context.name_of(target),
        title=TITLE,
        role="policy_answer",
        sources={name: name for name in search.handbook.files},
        claims=tuple(
            Claim(text=item.quote, evidence=(item.id,), kind="quote") for item in evidence
        ),
        data={
            "question": question,
            "as_of": search.as_of.isoformat(),
            "jurisdiction": jurisdiction,
            "limit": limit,
        },
    )
    told = {**_told(search), "output": deliverable.path}
    return ToolAnswer(result=told, evidence=tuple(evidence), deliverables=(deliverable,))


def _search(
    context: ToolContext, question: str, folder: str, limit: int, when_where: tuple[str, str]
) -> Search:
    root = context.target(folder) if folder else context.workspace
    if not root.is_dir():
        raise ToolInputError(f"{folder} is not a folder in the workspace.")
    words_of(question, limit)
    files = {context.name_of(file): file for file in find_handbook(root, folder)}
    as_of, jurisdiction = when_where
    return searched(files, question, limit, day_of(as_of), jurisdiction)


def day_of(text: str) -> date:
    """Return the day that is meant, today if none is given.

    Raises:
        ToolInputError: it is no date.
    """
    try:
        return date.fromisoformat(text) if text else datetime.now(UTC).date()
    except ValueError as problem:
        raise ToolInputError(f"{text} is no date such as 2026-03-01.") from problem


def words_of(question: str, limit: int) -> list[str]:
    """Return the words of a question that matter, each once.

    Raises:
        ToolInputError: there are none, or the limit is out of range.
    """
    if not 1 <= limit <= 10:
        raise ToolInputError(f"limit is {limit}; give 1 to 10.")
    wanted = list(dict.fromkeys(terms_of(question)))
    if not wanted:
        raise ToolInputError(
            "The question has no words to look for; ask about a subject, such as parental leave."
        )
    return wanted


def searched(
    files: Mapping[str, Path], question: str, limit: int, as_of: date, jurisdiction: str
) -> Search:
    """Return what a handbook (workspace path → file) says on a question."""
    wanted = words_of(question, limit)
    handbook = read_handbook(files, as_of, jurisdiction)
    ranked, missing = rank(wanted, handbook.places)
    quotes = [
        (score, place, excerpt(place.passage.text, set(wanted))) for score, place in ranked[:limit]
    ]
    return Search(
        question=question,
        as_of=as_of,
        jurisdiction=jurisdiction,
        handbook=handbook,
        quotes=tuple(quotes),
        missing=tuple(_said(question, term) for term in missing),
    )


def _said(question: str, term: str) -> str:
    """Return the question's own word for a term."""
    words = re.findall(r"[\w']+", question.lower())
    return next((word for word in words if terms_of(word) == [term]), term)


def _told(search: Search) -> dict[str, Any]:
    answers = [_answer(search, *quote) for quote in search.quotes]
    return {
        "found": bool(answers),
        "question": search.question,
        "answers": answers,
        "searched": search.searched,
        "unreadable": list(search.handbook.unreadable.values()),
        "left_out": reasons(search.handbook.left_out),
        "missing_words": list(search.missing),
        "summary": _summary(answers, search),
    }


def reasons(named: Mapping[str, str]) -> list[str]:
    """Return files with the reason, a line each."""
    return [f"{path}: {reason}" for path, reason in named.items()]


def _answer(search: Search, score: float, place: Place, quote: str) -> dict[str, Any]:
    version = search.handbook.versions[place.path]
    return {
        "path": place.path,
        "page": place.passage.page,
        "paragraph": place.passage.paragraph,
        "section": place.section,
        "quote": quote,
        "score": round(score, 2),
        "effective": version.effective.isoformat() if version.effective else "",
        "applies_to": version.applies,
    }


def _evidence(search: Search) -> Sequence[Evidence]:
    found = []
    for number, (_, place, quote) in enumerate(search.quotes, 1):
        locator: dict[str, int | str] = {"paragraph": place.passage.paragraph}
        if place.passage.page is not None:
            locator["page"] = place.passage.page
        digest = Digest(hashlib.sha256(place.file.read_bytes()).hexdigest())
        found.append(
            Evidence(
                id=f"policy-{number}", source=digest, path=place.path, locator=locator, quote=quote
            )
        )
    return found


def _summary(answers: list[dict[str, Any]], search: Search) -> str:
    out = reasons(search.handbook.left_out)
    note = f"\n\nNot quoted: {'; '.join(out[:5])}." if out else ""
    if not answers:
        unknown = f" Nowhere in it: {', '.join(search.missing)}." if search.missing else ""
        return f"Not found in {search.searched} file(s) of the handbook.{unknown} The policy does not say; I do not guess.{note}"
    quotes = [f"“{a['quote']}”\n({place_text(a)})" for a in answers]
    return "\n\n".join(quotes) + note


def place_text(answer: Mapping[str, Any]) -> str:
    """Return where a quote stands, in words."""
    page = f"page {answer['page']}, " if answer["page"] else ""
    tail = f"; {answer['section']}" if answer["section"] else ""
    day = f"; effective {answer['effective']}" if answer["effective"] else ""
    applies = f"; applies to {answer['applies_to']}" if answer["applies_to"] else ""
    return f"{answer['path']}, {page}paragraph {answer['paragraph']}{tail}{day}{applies}"


def answer_of(search: Search) -> Answer:
    """Return what the memo says."""
    found = [_answer(search, *quote) for quote in search.quotes]
    return Answer(
        question=search.question,
        as_of=search.as_of,
        jurisdiction=search.jurisdiction,
        quotes=tuple((str(one["quote"]), place_text(one)) for one in found),
        searched=search.searched,
        missing=search.missing,
        left_out=tuple(reasons(search.handbook.left_out)),
        unreadable=tuple(search.handbook.unreadable.values()),
    )
