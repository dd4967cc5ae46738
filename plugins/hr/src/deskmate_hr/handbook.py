"""Searches a handbook: its paragraphs with their headings, which of its versions are in force, what answers a question."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from deskmate.plugin import ToolInputError
from deskmate_documents.docx.reading import read_docx
from deskmate_documents.tables import find_files
from deskmate_documents.text import Passage, read_text
from deskmate_hr.versions import Version, left_out, version_of

SUFFIXES = (".md", ".txt", ".pdf", ".docx")
FILES_LIMIT = 500
QUOTE_LIMIT = 1_000
COVERED = 0.5
UNKNOWN = 0.35
"""A passage answers only if it has half of what a question asks for; nothing does if a third of it occurs nowhere."""
MADE = "policy-answer"
"""How results of the tool are called, which are no policy."""
K1, B = 1.2, 0.75
_STOP_WORDS = """
a about after all am an and any are as at be been before but by can could did do does for from get had has have
how i if in into is it its many me much must my need no not of on or our policy say says shall should so take tell
than that the their them there they this to us was we what when where which who why will with would you your
answer draft explain find memo please question tells write writing written
always may might anybody anyone company employee employees employer get gets give given handbook happen happens often organisation organization
person people receive receives somebody someone soon staff want wants
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Handbook:
    """What can be searched. `left_out`, `unreadable`: path → reason. `versions`: path → what a file says of itself."""

    places: tuple[Place, ...]
    files: Mapping[str, Path]
    versions: Mapping[str, Version]
    left_out: Mapping[str, str]
    unreadable: Mapping[str, str]


def find_handbook(root: Path, folder: str) -> list[Path]:
    """Return the files of a handbook's folder.

    Raises:
        ToolInputError: there is none, or too many.
    """
    paths = find_files(root, SUFFIXES)
    made = [path for path in paths if not Path(path).name.startswith(MADE)]
    if not made:
        raise ToolInputError(
            f"{folder or 'The workspace'} holds no handbook ({', '.join(SUFFIXES)})."
        )
    if len(made) > FILES_LIMIT:
        raise ToolInputError(
            f"{folder or 'The workspace'} holds more than {FILES_LIMIT} documents; name a folder."
        )
    return [root / path for path in made]


def read_handbook(files: Mapping[str, Path], as_of: date, jurisdiction: str) -> Handbook:
    """Return the paragraphs of all files (workspace path → file) that are in force and apply."""
    places: dict[str, list[Place]] = {}
    versions: dict[str, Version] = {}
    unreadable: dict[str, str] = {}
    for name, file in files.items():
        try:
            passages = read_text(file).passages
            places[name] = list(_file_places(file, name, passages))
            versions[name] = version_of(name, [passage.text for passage in passages[:12]])
        except ToolInputError as problem:
            unreadable[name] = problem.message
    out = left_out(versions, as_of, jurisdiction)
    return Handbook(
        places=tuple(place for name in places if name not in out for place in places[name]),
        files=dict(files),
        versions=versions,
        left_out=out,
        unreadable=unreadable,
    )


def _file_places(file: Path, name: str, passages: tuple[Passage, ...]) -> Iterator[Place]:
    trail: dict[int, str] = {}
    markdown = file.suffix.lower() == ".md"
    headings = _word_headings(file) if file.suffix.lower() == ".docx" else {}
    for index, passage in enumerate(passages):
        lines = passage.text.strip().splitlines()
        if markdown and index == 0 and lines[0] == "---":
            title = re.search(r"^title:\s*(.+)$", passage.text, re.MULTILINE)
            trail = {0: title[1].strip().strip("\"'")} if title else {}
            continue
        level, text = (
            headings.get(passage.paragraph, (0, "")) if headings else _heading(lines[0], markdown)
        )
        if level:
            trail = {above: title for above, title in trail.items() if above < level}
            trail[level] = text
            lines = lines[1:]
        body = "\n".join(lines).strip()
        if not body:
            continue
        section = " › ".join(trail.values())
        stem = re.sub(r"[-_]+", " ", file.stem.rsplit("__", 1)[-1])
        found = Counter(terms_of(re.sub(r"\]\([^)]*\)", "]", body)))
        found.update(set(terms_of(f"{section} {stem}")))
        quoted = Passage(text=body, page=passage.page, paragraph=passage.paragraph)
        yield Place(path=name, file=file, passage=quoted, section=section, terms=found)


def _heading(line: str, markdown: bool) -> tuple[int, str]:
    """Return level and text of a Markdown heading, 0 for other lines."""
    found = re.match(r"(#{1,6})\s+(.*?)\s*#*$", line) if markdown else None
    if found is None:
        return 0, ""
    return len(found[1]), re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", found[2])


def _word_headings(file: Path) -> dict[int, tuple[int, str]]:
    return {
        p.index: (p.heading_level, p.text.strip())
        for p in read_docx(file).paragraphs
        if p.heading_level and p.text.strip()
    }


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


def rank(wanted: list[str], places: Sequence[Place]) -> tuple[list[tuple[float, Place]], list[str]]:
    """Return the paragraphs that hold enough of the question by BM25, best first, and unknown words."""
    count = len(places)
    mean = sum(place.terms.total() for place in places) / count if count else 1.0
    holding = {term: sum(1 for place in places if term in place.terms) for term in wanted}
    weight = {term: math.log(1 + (count - n + 0.5) / (n + 0.5)) for term, n in holding.items()}
    total = sum(weight.values())
    missing = [term for term, n in holding.items() if n == 0]
    if not total or sum(weight[term] for term in missing) / total > UNKNOWN:
        return [], missing
    ranked = []
    enough = min(2, len(wanted))
    for place in places:
        covered = sum(weight[term] for term in wanted if term in place.terms)
        if covered / total < COVERED or sum(term in place.terms for term in wanted) < enough:
            continue
        length = K1 * (1 - B + B * place.terms.total() / mean)
        score = sum(
            weight[t] * place.terms[t] * (K1 + 1) / (place.terms[t] + length) for t in wanted
        )
        ranked.append((score, place))
    ranked.sort(key=lambda pair: (-pair[0], pair[1].path, pair[1].passage.paragraph))
    return ranked, missing


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
