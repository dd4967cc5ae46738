"""Citations of cases, statutes, regulations and journals in a document: each with its words, its place and what it refers to.

Found by eyecite with the lists of reporters, laws and courts of the Free Law Project, and by forms of our own; no model, no
network. What is cited is not looked up: nothing here says that a decision exists or says what it is cited for.
"""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from deskmate.plugin import ToolInputError
from deskmate_documents.text import Passage
from deskmate_legal.citation_forms import look_alikes, other_forms

CHARACTERS_LIMIT = 3_000_000
Kind = Literal["case", "law", "journal", "short", "id", "supra", "reference", "unreadable"]
FULL: frozenset[str] = frozenset({"case", "law", "journal"})

_KINDS: dict[str, Kind] = {
    "FullCaseCitation": "case",
    "FullLawCitation": "law",
    "FullJournalCitation": "journal",
    "ShortCaseCitation": "short",
    "IdCitation": "id",
    "SupraCitation": "supra",
    "ReferenceCitation": "reference",
}
_PUBLIC = frozenset(
    {
        "united states",
        "u.s.",
        "state",
        "people",
        "commonwealth",
        "the people",
        "the state",
        "government",
    }
)
"""Parties of so many cases that their name alone means none."""
_STAR = re.compile(r"(?<=\d) \*\d{1,5}(?= [A-Z])")
"""A page of the printed volume, marked within a citation."""
_COURT_AND_YEAR = re.compile(r"[^;()\[\]]{0,60}[(\[][^()\[\]]{0,60}?((?:1[6-9]|20)\d\d)[)\]]")


@dataclass(slots=True, kw_only=True)
class Citation:
    """One citation. `words`: as they stand in the passage; `core`: volume, reporter and page of them, normalised.

    `refers_to`: the `core` of what a short form means, "" if that is open; of a full citation its own. `problems`: why a
    person must look at it.
    """

    kind: Kind
    words: str
    core: str
    passage: Passage
    start: int
    refers_to: str = ""
    volume: str = ""
    reporter: str = ""
    page: str = ""
    pin_cite: str = ""
    parties: str = ""
    year: str = ""
    court: str = ""
    years: tuple[int, int] | None = None
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Plain:
    """Passages as one line each, white space made single. `offsets`: of each character in its passage."""

    text: str
    starts: tuple[int, ...]
    offsets: tuple[tuple[int, ...], ...]

    def original(self, passages: Sequence[Passage], start: int, end: int) -> tuple[int, int, str]:
        """Return the passage's index, the start in it and the words, for a span of the plain text."""
        index = max(bisect.bisect_right(self.starts, start) - 1, 0)
        offsets = self.offsets[index]
        first = start - self.starts[index]
        last = min(end - self.starts[index], len(offsets)) - 1
        while last > first and self.text[self.starts[index] + last].isspace():
            last -= 1
        begin, stop = offsets[first], offsets[max(last, first)] + 1
        return index, begin, passages[index].text[begin:stop]


def _plain(passages: Sequence[Passage]) -> _Plain:
    pieces: list[str] = []
    starts: list[int] = []
    offsets: list[tuple[int, ...]] = []
    length = 0
    for passage in passages:
        dropped = {at for match in _STAR.finditer(passage.text) for at in range(*match.span())}
        kept = [
            at
            for at, sign in enumerate(passage.text)
            if at not in dropped
            and (not sign.isspace() or (at and not passage.text[at - 1].isspace()))
        ]
        line = "".join(" " if passage.text[at].isspace() else passage.text[at] for at in kept)
        starts.append(length)
        offsets.append(tuple(kept))
        pieces.append(line)
        length += len(line) + 1
    return _Plain("\n".join(pieces), tuple(starts), tuple(offsets))


def find_citations(
    passages: Sequence[Passage], emphasised: Mapping[int, Sequence[tuple[int, int]]] | None = None
) -> list[Citation]:
    """Return the citations of a document in order, short forms resolved, problems not yet looked for.

    `emphasised`: paragraph → spans in italics; a party's name there is a citation of its case.

    Raises:
        ToolInputError: the text is longer than 3,000,000 characters.
    """
    if sum(len(passage.text) for passage in passages) > CHARACTERS_LIMIT:
        raise ToolInputError(
            f"The text is longer than {CHARACTERS_LIMIT:,} characters; look for citations in parts of it."
        )
    plain = _plain(passages)
    found = [*_by_lists(plain, passages)]
    taken = [(start, end) for start, end, _ in found]
    for kind, start, end in other_forms(plain.text):
        if not _within(taken, start, end):
            taken.append((start, end))
            found.append((start, end, _made(plain, passages, kind, start, end)))
    for start, end, why in look_alikes(plain.text):
        if not _within(taken, start, end):
            taken.append((start, end))
            one = _made(plain, passages, "unreadable", start, end)
            one.problems.append(why)
            found.append((start, end, one))
    ordered = [one for _, _, one in sorted(found, key=lambda item: item[:2])]
    for one, following in reversed([*itertools.pairwise(ordered)]):
        if one.kind == following.kind == "case" and not one.year and _parallel(one, following):
            one.year = following.year
    return [*_with_names(ordered, passages, emphasised or {})]


def _parallel(one: Citation, following: Citation) -> bool:
    """Say whether two citations are of one decision: only a comma stands between them."""
    between = one.passage.text[one.start + len(one.words) : following.start]
    return one.passage is following.passage and between.strip() == ","


def _with_names(
    ordered: Sequence[Citation],
    passages: Sequence[Passage],
    emphasised: Mapping[int, Sequence[tuple[int, int]]],
) -> list[Citation]:
    """Add the citations by name alone: a party of a case cited before, in italics, outside another citation."""
    names: dict[str, tuple[tuple[int, int], str]] = {}
    for one in ordered:
        if one.kind == "case":
            for name in one.parties.split(" v. "):
                if len(name) > 3 and name.lower() not in _PUBLIC:
                    names.setdefault(name, ((one.passage.paragraph, one.start), one.core))
    by_paragraph = {passage.paragraph: passage for passage in passages}
    added = []
    for paragraph, spans in emphasised.items():
        passage = by_paragraph.get(paragraph)
        inside = [one for one in ordered if one.passage.paragraph == paragraph]
        for start, end in spans if passage else ():
            words = passage.text[start:end].strip(" ,.;:\n") if passage else ""
            at = start + passage.text[start:end].find(words) if passage else 0
            known = names.get(" ".join(words.split()))
            taken = any(one.start < end and start < one.start + len(one.words) for one in inside)
            if passage and words and known and not taken and known[0] < (paragraph, start):
                added.append(
                    Citation(
                        kind="reference", words=words, core=words, passage=passage, start=at, refers_to=known[1]
                    )
                )  # fmt: skip
    order = {passage.paragraph: index for index, passage in enumerate(passages)}
    return sorted([*ordered, *added], key=lambda one: (order[one.passage.paragraph], one.start))


def _within(taken: Sequence[tuple[int, int]], start: int, end: int) -> bool:
    return any(one < end and start < other for one, other in taken)


def _made(plain: _Plain, passages: Sequence[Passage], kind: Any, start: int, end: int) -> Citation:
    index, at, words = plain.original(passages, start, end)
    core = " ".join(words.split())
    refers = core if kind in FULL else ""
    return Citation(
        kind=kind, words=words, core=core, passage=passages[index], start=at, refers_to=refers
    )


def _by_lists(plain: _Plain, passages: Sequence[Passage]) -> Iterator[tuple[int, int, Citation]]:
    import eyecite  # noqa: PLC0415 - builds its tables, a second

    found = [
        one
        for one in eyecite.get_citations(plain.text)
        if type(one).__name__ in _KINDS and one.span()[1] > one.span()[0]
    ]
    meant = {
        id(one): _core(resource.citation)
        for resource, ones in eyecite.resolve_citations(found).items()
        for one in ones
    }
    for place, one in enumerate(found):
        following = found[place + 1].span()[0] if place + 1 < len(found) else len(plain.text)
        before = found[place - 1].span()[1] if place else 0
        start, end, year = _extent(plain.text, one, before, following)
        index, at, words = plain.original(passages, start, end)
        groups, metadata = one.groups, one.metadata
        kind = _KINDS[type(one).__name__]
        core = _core(one)
        parties = [getattr(metadata, name, None) for name in ("plaintiff", "defendant")]
        yield (
            start,
            end,
            Citation(
                kind=kind,
                words=words,
                core=core,
                passage=passages[index],
                start=at,
                refers_to=core if kind in FULL else meant.get(id(one), ""),
                volume=groups.get("volume") or "",
                reporter=groups.get("reporter") or "",
                page=groups.get("page") or "",
                pin_cite=metadata.pin_cite or "",
                parties=" v. ".join(name for name in parties if name),
                year=year,
                court=getattr(metadata, "court", None) or "",
                years=_printed(one),
            ),
        )


def _core(one: Any) -> str:
    """Return what the citation is known by: of a case with the reporter's usual abbreviation, else its own words."""
    corrected = type(one).__name__ in {
        "FullCaseCitation",
        "FullJournalCitation",
        "ShortCaseCitation",
    }
    return " ".join(str(one.corrected_citation() if corrected else one.matched_text()).split())


def _extent(text: str, one: Any, before: int, following: int) -> tuple[int, int, str]:
    """Return the span with the parties, pin cite and court, and the year; it stays between its neighbours."""
    start, end = one.span()
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", end)
    line_end = len(text) if line_end < 0 else line_end
    begin = one.full_span()[0]
    if max(line_start, before) <= begin < start and len(text[begin:start]) <= 250:
        start = begin
    law = type(one).__name__ == "FullLawCitation"
    pin = one.full_span()[1] if law else one.span_with_pincite()[1]
    if end < pin <= min(line_end, following):
        end = pin
    year = ""
    if type(one).__name__.startswith("Full"):
        closing = _COURT_AND_YEAR.match(text, one.span()[1], min(line_end, max(following, end)))
        if closing:
            end, year = max(end, closing.end()), closing[1]
    return start, end, year


def _printed(one: Any) -> tuple[int, int] | None:
    """Return the first and last year in which volumes of the reporter came out, as its list has it; None if that is open."""
    editions = getattr(one, "exact_editions", ()) or getattr(one, "variation_editions", ())
    starts = [edition.start.year for edition in editions if edition.start]
    ends = [edition.end.year if edition.end else 9999 for edition in editions]
    if not editions or len(starts) != len(editions):
        return None
    return min(starts), max(ends)
