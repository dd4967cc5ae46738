"""What a thread's work rests on: the places that were recorded in files, and where an answer names one of them.

Only what the record bears out becomes a citation: a quotation whose words were recorded, or a place in a file that was read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePosixPath

from deskmate.types import events as log
from deskmate.types.files import Evidence
from deskmate.types.ids import ToolUseId
from deskmate.types.messages import tool_uses_of
from deskmate.web import contract_places as page
from deskmate.web.contract_log import Cite

PLACES_SHOWN = 200
CITES_LIMIT = 60
_WORKBOOKS = (".xlsx", ".xlsm", ".xltx", ".xltm")
_LEAST = 12
"""Letters that a quotation has at least, so that it names one place and not a word."""
_BEHIND = 8
"""Letters between a place and the file that is named after it, as in `¶ 4 of offer.docx`."""
_QUOTED = re.compile(r"[“\"„«](?P<words>[^“”\"„«»\n]{8,1200})[”\"“»]")
_PLACE = re.compile(
    r"\b(?:page|p\.)\s?(?P<page>\d{1,5})(?!\d)(?:,?\s*(?:¶|\bparagraph|\bpara\.)\s?(?P<under>\d{1,6})(?!\d))?"
    r"|(?:¶|\bparagraph|\bpara\.)\s?(?P<paragraph>\d{1,6})(?!\d)"
    r"|(?:(?P<sheet>'[^'\n]{1,60}'|(?<![\w&'.])[A-Za-z_][\w.]{0,40})!)(?P<cell>\$?[A-Z]{1,3}\$?\d{1,7}(?::\$?[A-Z]{1,3}\$?\d{1,7})?)\b"
)


@dataclass(slots=True)
class _File:
    places: dict[str, page.Locus] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Named:
    """A file's name in a text: where it begins and ends."""

    start: int
    end: int
    path: str


class Sources:
    """The sources of one thread, taken from its events in order."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}
        self._reads: dict[ToolUseId, str] = {}
        self._quotes: dict[str, tuple[str, page.Locus]] = {}

    def take(self, payload: log.Payload) -> None:
        """Note what an event says of files that were read."""
        match payload:
            case log.ModelReplied(content=content):
                for use in tool_uses_of(content):
                    path = use.input.get("path")
                    if isinstance(path, str) and path:
                        self._reads[use.id] = path
            case log.ToolFinished(tool_use_id=use, outcome="ok") as result:
                path = self._reads.pop(use, "")
                if path and not result.wrote:
                    self._files.setdefault(path, _File())
                for item in result.evidence:
                    self._add(item)

    def _add(self, item: Evidence) -> None:
        places = self._files.setdefault(item.path, _File()).places
        if item.id in places:
            return
        where = {name: str(value) for name, value in item.locator.items()}
        places[item.id] = page.Locus(
            id=item.id,
            digest=item.source,
            label=label_of(where),
            where=where,
            quote=item.quote,
            value=item.value,
        )
        if len(key := folded(item.quote)) >= _LEAST:
            self._quotes.setdefault(key, (item.path, places[item.id]))

    def files(self) -> Iterator[page.SourceFile]:
        """Yield the files, each with its first places."""
        for path, file in self._files.items():
            shown = tuple(islice(file.places.values(), PLACES_SHOWN))
            yield page.SourceFile(path=path, places=shown, more=len(file.places) - len(shown))

    def locus(self, path: str, name: str) -> page.Locus | None:
        """Return a recorded place of a file by its id."""
        file = self._files.get(path)
        return file.places.get(name) if file else None

    def cites(self, text: str) -> tuple[Cite, ...]:
        """Return what a text cites of these, in order; nothing that would have to be guessed."""
        if not self._files or not text:
            return ()
        named = list(_names(text, self._files))
        found = [*self._quoted(text), *self._placed(text, named)]
        taken = {start for start, _ in found}
        found += [
            (one.start, Cite(mark=text[one.start : one.end], path=one.path))
            for one in named
            if one.start not in taken
        ]
        return tuple(cite for _, cite in sorted(found, key=lambda one: one[0])[:CITES_LIMIT])

    def _quoted(self, text: str) -> Iterator[tuple[int, Cite]]:
        for hit in islice(_QUOTED.finditer(text), CITES_LIMIT) if self._quotes else ():
            wanted = folded(hit["words"])
            if len(wanted) < _LEAST:
                continue
            known = self._quotes.get(wanted) or next(
                (place for key, place in self._quotes.items() if wanted in key or key in wanted),
                None,
            )
            if known is not None:
                path, place = known
                yield hit.start(), _cite(hit[0], path, place, hit["words"])

    def _placed(self, text: str, named: list[_Named]) -> Iterator[tuple[int, Cite]]:
        for hit in islice(_PLACE.finditer(text), CITES_LIMIT):
            path = self._path_at(text, hit, named)
            if not path:
                continue
            where = {
                "page": hit["page"],
                "paragraph": hit["paragraph"] or hit["under"],
                "sheet": (hit["sheet"] or "").strip("'"),
                "cell": (hit["cell"] or "").replace("$", ""),
            }
            wanted = {name: value for name, value in where.items() if value}
            known = next(
                (p for p in self._files[path].places.values() if wanted.items() <= p.where.items()),
                None,
            )
            yield (
                hit.start(),
                Cite(
                    mark=hit[0],
                    path=path,
                    source=known.id if known else "",
                    where=wanted,
                    quote=known.quote if known else "",
                ),
            )

    def _path_at(self, text: str, hit: re.Match[str], named: list[_Named]) -> str:
        """Return the file that a place in a text is in: the last that was named in its paragraph, or the only one there is."""
        is_cell = hit["cell"] is not None
        start = text.rfind("\n", 0, hit.start()) + 1
        end = text.find("\n", hit.end())
        end = min(end if end >= 0 else len(text), hit.end() + _BEHIND)
        near = [n for n in named if (_suffix(n.path) in _WORKBOOKS) == is_cell]
        before = [n for n in near if start <= n.start < hit.start()]
        behind = [n for n in near if hit.end() <= n.start <= end]
        if before or behind:
            return (before[-1] if before else behind[0]).path
        fits = [path for path in self._files if (_suffix(path) in _WORKBOOKS) == is_cell]
        return fits[0] if len(fits) == 1 else ""


def sources_in(events: Iterable[log.Event]) -> Sources:
    """Return the sources of a thread by its log."""
    found = Sources()
    for event in events:
        found.take(event.payload)
    return found


def label_of(where: Mapping[str, str]) -> str:
    """Return a place as people cite it: `p. 3, ¶ 17`, `Model!C7`."""
    if cell := where.get("cell"):
        sheet = where.get("sheet", "")
        return f"{sheet}!{cell}" if sheet else cell
    marks = {"page": "p.", "paragraph": "¶", "line": "line", "row": "row", "slide": "slide"}
    return ", ".join(f"{mark} {where[name]}" for name, mark in marks.items() if where.get(name))


def folded(text: str) -> str:
    """Return a text's letters and digits in lower case: what makes two quotations the same here."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _cite(mark: str, path: str, place: page.Locus, words: str) -> Cite:
    return Cite(
        mark=mark,
        path=path,
        label=f"{_short(path)} {place.label}".strip(),
        source=place.id,
        where=place.where,
        quote=words,
    )


def _short(path: str) -> str:
    stem = PurePosixPath(path).stem
    return stem if len(stem) <= 24 else f"{stem[:23]}…"


def _suffix(path: str) -> str:
    return PurePosixPath(path).suffix.lower()


def _names(text: str, paths: Iterable[str]) -> Iterator[_Named]:
    """Yield where files are named, by path or by name; a name that two of them have names none."""
    words: dict[str, str] = {}
    for path in paths:
        words[path] = path
        name = PurePosixPath(path).name
        words[name] = "" if name in words and words[name] != path else path
    chosen = sorted((word for word in words if len(word) > 3), key=len, reverse=True)
    if not chosen:
        return
    pattern = re.compile(rf"(?<![\w/])(?:{'|'.join(map(re.escape, chosen))})(?!\w)")
    for hit in pattern.finditer(text):
        if path := words[hit[0]]:
            yield _Named(hit.start(), hit.end(), path)
