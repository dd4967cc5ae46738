"""HR-QUOTES-VERBATIM and HR-POLICY-SEARCHED: what a memo quotes stands there, and what it says of the search is so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from deskmate.plugin import Deliverable, Finding, ToolInputError, ValidationContext
from deskmate_documents.days import day_of
from deskmate_documents.quotes import normalise
from deskmate_documents.text import read_text
from deskmate_hr.memo import (
    DRAFT,
    LIMIT,
    QUESTION,
    SAYS,
    SEARCHED,
    SILENT,
    read_memo,
    searched_lines,
)
from deskmate_hr.tools.policy import TITLE, Search, answer_of, searched
from deskmate_hr.validators.findings import Problem, findings

VERBATIM, SEARCH = "HR-QUOTES-VERBATIM", "HR-POLICY-SEARCHED"
FIX = "Write the memo again with policy_answer; do not edit its quotes."
_PLACE = re.compile(
    r"(?P<path>.+?), (?:page (?P<page>\d+), )?paragraph (?P<paragraph>\d+)(?P<rest>;.*)?", re.DOTALL
)


def quotes_verbatim(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Read each quote's source again: the words stand there, letter for letter, in the paragraph and on the page that is named.

    Source: house (SOURCES.md).
    """
    return findings(VERBATIM, _misquoted(deliverable, context), FIX)


def _misquoted(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    memo = read_memo(context.file)
    for number, (words, place) in enumerate(memo.quotes, 1):
        where = f"quote {number}"
        found = _PLACE.fullmatch(place.strip())
        if found is None:
            yield f"Its place {place!r} names no file and paragraph.", where
            continue
        path = found["path"]
        file = context.sources.file(path) if path in deliverable.sources.values() else None
        if file is None:
            yield f"UNVERIFIED: {path} is not among the originals.", where
            continue
        yield from ((message, where) for message in _judged(file, path, words, found))


def _judged(file: Path, path: str, words: str, place: re.Match[str]) -> Iterator[str]:
    number = int(place["paragraph"])
    passage = next((p for p in read_text(file).passages if p.paragraph == number), None)
    if passage is None:
        yield f"{path} has no paragraph {number}."
    elif not words.strip() or _plain(words) not in _plain(passage.text):
        yield f"Paragraph {number} of {path} does not say “{words[:100]}”."
    elif place["page"] and passage.page != int(place["page"]):
        yield f"Paragraph {number} of {path} is on page {passage.page}, not {place['page']}."
    elif passage.page is not None and not place["page"]:
        yield f"The page is missing: paragraph {number} of {path} is on page {passage.page}."


def _plain(text: str) -> str:
    """Return a text on one line; letters, marks and case stay as they are, but for kinds of quotes and dashes."""
    return normalise(text)


def policy_searched(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Search the originals again and hold the memo to it.

    It quotes what is in force and applies, says that the policy is silent only where nothing is found, names what was left
    out or unreadable, and adds no words of its own.

    Source: house (SOURCES.md).
    """
    return findings(SEARCH, _unlike(deliverable, context), FIX)


def _unlike(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    files: dict[str, Path] = {}
    for path in deliverable.sources.values():
        file = context.sources.file(path)
        if file is None:
            yield f"UNVERIFIED: {path} is not among the originals.", ""
            return
        files[path] = file
    data = deliverable.data
    question, limit = data.get("question"), data.get("limit")
    if not files or not isinstance(question, str) or not isinstance(limit, int):
        raise ToolInputError("The memo does not say which question and which files it rests on.")
    day: date = day_of(data, context.facts)
    search = searched(files, question, limit, day, str(data.get("jurisdiction", "")))
    memo = read_memo(context.file)
    answer = answer_of(search)
    yield from _verdict(search, [words for words, _ in memo.quotes], SILENT in memo.others)
    places = {place for _, place in answer.quotes}
    for number, (_, place) in enumerate(memo.quotes, 1):
        if place not in places:
            yield f"{place} is not among the passages that answer.", f"quote {number}"
    lines = searched_lines(answer)
    known = {TITLE, DRAFT, QUESTION, SAYS, SEARCHED, SILENT, LIMIT, *lines, *question.split("\n")}
    yield from ((f"The memo does not say: {line}", "") for line in lines if line not in memo.others)
    if not set(question.split("\n")) <= set(memo.others):
        yield "The memo does not state the question as it was asked.", ""
    for line in memo.others:
        if line not in known:
            yield (
                f"These words are neither a quote with its place nor the memo's own: {line[:100]!r}.",
                "",
            )


def _verdict(search: Search, quoted: list[str], silent: bool) -> Iterator[Problem]:
    if silent and (search.quotes or quoted):
        yield "It says that the policy is silent, and the policy has passages that answer.", ""
    if not silent and not quoted:
        yield "It neither quotes the policy nor says that the policy does not say.", ""
    if quoted and not search.quotes:
        yield "It quotes a policy in which nothing answers the question.", ""
