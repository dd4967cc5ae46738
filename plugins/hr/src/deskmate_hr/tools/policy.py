"""The tool that answers from a handbook, with verbatim quotes or not at all."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deskmate.plugin import Digest, Evidence, ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.tables import find_files
from deskmate_documents.text import Passage, read_text

SUFFIXES = (".md", ".txt", ".pdf", ".docx")
FILES_LIMIT = 500
QUOTE_LIMIT = 1_000
COVERED = 0.4
K1, B = 1.2, 0.75
_STOP_WORDS = """
a about after all am an and any are as at be been before but by can could did do does for from get had has have
how i if in into is it its many me much must my need no not of on or our policy say says shall should so take tell
than that the their them there they this to us was we what when where which who why will with would you your
"""
STOP = frozenset(re.findall(r"\w+", _STOP_WORDS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A paragraph of the handbook that may answer. `terms`: its words and those of its headings."""

    path: str
    file: Path
    passage: Passage
    section: str
    terms: Counter[str]


def policy_lookup(
    context: ToolContext, question: str, folder: str = "", limit: int = 3
) -> ToolAnswer:
    """Find what a handbook says on a question, as verbatim quotes with file and paragraph, or nothing.

    Use it before every answer on policy. It quotes; it does not interpret. "Not found" means that no
    paragraph holds the words that matter: then say so and do not guess.

    Args:
        context: filled in by Deskmate.
        question: the user's question, in the handbook's language.
        folder: workspace folder of the handbook (Markdown, text, PDF, DOCX). Empty: the whole workspace.
        limit: how many quotes at most, 1 to 10.

    Returns:
        `found`: bool. `answers`: list of {path, page, paragraph, section, quote, score}, best first.
        `searched`: number of files. `unreadable`: files with the reason. `missing_words`: words of the
        question that occur nowhere.

    Raises:
        ToolInputError: no words to look for, no such folder, or no handbook in it.
    """
    if not 1 <= limit <= 10:
        raise ToolInputError(f"limit is {limit}; give 1 to 10.")
    wanted = list(dict.fromkeys(terms_of(question)))
    if not wanted:
        raise ToolInputError(
            "The question has no words to look for; ask about a subject, such as parental leave."
        )
    places, searched, unreadable = _places(context, folder)
    ranked, missing = rank(wanted, places)
    answers: list[dict[str, Any]] = []
    evidence: list[Evidence] = []
    for score, place in ranked[:limit]:
        quote = excerpt(place.passage.text, set(wanted))
        answers.append(_answer(place, quote, score))
        evidence.append(_evidence(f"policy-{len(evidence) + 1}", place, quote))
    result = {
        "found": bool(answers),
        "question": question,
        "answers": answers,
        "searched": searched,
        "unreadable": unreadable,
        "missing_words": missing,
        "summary": _summary(answers, searched, missing),
    }
    return ToolAnswer(result=result, evidence=tuple(evidence))


def _answer(place: Place, quote: str, score: float) -> dict[str, Any]:
    return {
        "path": place.path,
        "page": place.passage.page,
        "paragraph": place.passage.paragraph,
        "section": place.section,
        "quote": quote,
        "score": round(score, 2),
    }


def _evidence(name: str, place: Place, quote: str) -> Evidence:
    locator: dict[str, int | str] = {"paragraph": place.passage.paragraph}
    if place.passage.page is not None:
        locator["page"] = place.passage.page
    digest = hashlib.sha256(place.file.read_bytes()).hexdigest()
    return Evidence(id=name, source=Digest(digest), path=place.path, locator=locator, quote=quote)


def _summary(answers: list[dict[str, Any]], searched: int, missing: list[str]) -> str:
    if not answers:
        unknown = f" Nowhere in it: {', '.join(missing)}." if missing else ""
        return f"Not found in {searched} file(s) of the handbook.{unknown} I do not guess."
    quotes = [
        f"“{a['quote']}”\n({a['path']}, {'page ' + str(a['page']) + ', ' if a['page'] else ''}paragraph {a['paragraph']}"
        f"{'; ' + a['section'] if a['section'] else ''})"
        for a in answers
    ]
    return "\n\n".join(quotes)


def _places(context: ToolContext, folder: str) -> tuple[list[Place], int, list[str]]:
    root = context.target(folder) if folder else context.workspace
    if not root.is_dir():
        raise ToolInputError(f"{folder} is not a folder in the workspace.")
    paths = find_files(root, SUFFIXES)
    if not paths:
        raise ToolInputError(
            f"{folder or 'The workspace'} holds no handbook ({', '.join(SUFFIXES)})."
        )
    if len(paths) > FILES_LIMIT:
        raise ToolInputError(
            f"{folder or 'The workspace'} holds more than {FILES_LIMIT} documents; name a folder."
        )
    places: list[Place] = []
    unreadable: list[str] = []
    for path in paths:
        file = root / path
        try:
            places += _file_places(file, context.name_of(file))
        except ToolInputError as problem:
            unreadable.append(problem.message)
    return places, len(paths) - len(unreadable), unreadable


def _file_places(file: Path, name: str) -> list[Place]:
    places: list[Place] = []
    trail: dict[int, str] = {}
    markdown = file.suffix.lower() == ".md"
    for index, passage in enumerate(read_text(file).passages):
        lines = passage.text.strip().splitlines()
        if markdown and index == 0 and lines[0] == "---":
            title = re.search(r"^title:\s*(.+)$", passage.text, re.MULTILINE)
            trail = {0: title[1].strip().strip("\"'")} if title else {}
            continue
        heading = re.match(r"(#{1,6})\s+(.*?)\s*#*$", lines[0]) if markdown else None
        if heading:
            trail = {level: text for level, text in trail.items() if level < len(heading[1])}
            trail[len(heading[1])] = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[2])
            lines = lines[1:]
        body = "\n".join(lines).strip()
        if not body:
            continue
        section = " › ".join(trail.values())
        stem = re.sub(r"[-_]+", " ", file.stem.rsplit("__", 1)[-1])
        found = Counter(terms_of(re.sub(r"\]\([^)]*\)", "]", body)))
        found.update(set(terms_of(f"{section} {stem}")))
        quoted = Passage(text=body, page=passage.page, paragraph=passage.paragraph)
        places.append(Place(path=name, file=file, passage=quoted, section=section, terms=found))
    return places


def terms_of(text: str) -> list[str]:
    """Return the words that matter, lower case, without common endings."""
    words = (
        word.removesuffix("'s") for word in re.findall(r"[\w']+", text.lower().replace("’", "'"))
    )
    return [_stem(word.strip("'")) for word in words if word.strip("'") and word not in STOP]


def _stem(word: str) -> str:
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("s", "")):
        if (
            word.endswith(ending)
            and len(word) - len(ending) >= 3
            and not word.endswith(("ss", "us", "is"))
        ):
            stem = word.removesuffix(ending) + instead
            # running → run, stopped → stop; but calling → call
            doubled = ending in ("ing", "ed") and stem[-1] == stem[-2] and stem[-1] not in "lsz"
            return (stem[:-1] if doubled else stem).removesuffix("e")
    return word.removesuffix("e") if len(word) > 4 else word


def rank(wanted: list[str], places: list[Place]) -> tuple[list[tuple[float, Place]], list[str]]:
    """Return the paragraphs that hold enough of the question by BM25, best first, and unknown words."""
    count = len(places)
    mean = sum(place.terms.total() for place in places) / count if count else 1.0
    holding = {term: sum(1 for place in places if term in place.terms) for term in wanted}
    weight = {term: math.log(1 + (count - n + 0.5) / (n + 0.5)) for term, n in holding.items()}
    total = sum(weight.values())
    ranked = []
    for place in places:
        covered = sum(weight[term] for term in wanted if term in place.terms)
        if not total or covered / total < COVERED:
            continue
        length = K1 * (1 - B + B * place.terms.total() / mean)
        score = sum(
            weight[t] * place.terms[t] * (K1 + 1) / (place.terms[t] + length) for t in wanted
        )
        ranked.append((score, place))
    ranked.sort(key=lambda pair: (-pair[0], pair[1].path, pair[1].passage.paragraph))
    return ranked, [term for term, n in holding.items() if n == 0]


def excerpt(text: str, wanted: set[str]) -> str:
    """Return the text, or of a long one the run of whole lines that holds most of the wanted words."""
    if len(text) <= QUOTE_LIMIT:
        return text
    lines = text.splitlines()
    best, best_hits = text[:QUOTE_LIMIT], -1
    for start in range(len(lines)):
        end, size = start, 0
        while end < len(lines) and size + len(lines[end]) + 1 <= QUOTE_LIMIT:
            size += len(lines[end]) + 1
            end += 1
        run = "\n".join(lines[start:end])
        hits = sum(1 for term in terms_of(run) if term in wanted)
        if run and hits > best_hits:
            best, best_hits = run, hits
    return best.strip("\n")
