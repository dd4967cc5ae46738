"""A document as citations, deadlines and screens need it: passages with their place, notes included, and evidence for words."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deskmate.plugin import Evidence
from deskmate_documents.docx.reading import open_body
from deskmate_documents.docx.wml import body_paragraphs, child, is_on, pieces, val
from deskmate_documents.opc import Package
from deskmate_documents.text import Passage, read_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A file that was read. `passages`: in order, with those of footnotes and headers; `name`: workspace path.

    `emphasised`: paragraph of a Word document → spans set in italics or underlined, where names of cases stand.
    """

    name: str
    kind: str
    sha256: str
    passages: tuple[Passage, ...]
    emphasised: Mapping[int, tuple[tuple[int, int], ...]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The file's name without its folder."""
        return self.name.rpartition("/")[2]


def read(path: Path, name: str = "") -> Reading:
    """Read a DOCX, PDF or text file.

    Raises:
        ToolInputError: it cannot be read; one line with the cause.
    """
    source = read_text(path)
    emphasised = _emphasised(path) if source.kind == "docx" else {}
    return Reading(
        name=name or path.name,
        kind=source.kind,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        passages=source.passages,
        emphasised=emphasised,
    )


def _emphasised(path: Path) -> dict[int, tuple[tuple[int, int], ...]]:
    _, root = open_body(Package(path))
    found: dict[int, tuple[tuple[int, int], ...]] = {}
    for index, node in enumerate(body_paragraphs(root), 1):
        spans: list[tuple[int, int]] = []
        at = 0
        for piece in pieces(node):
            end = at + len(piece.text)
            marks = [child(piece.run, "rPr", name) for name in ("i", "u")]
            if any(is_on(mark) and val(mark) != "none" for mark in marks):
                if spans and spans[-1][1] == at:
                    spans[-1] = (spans[-1][0], end)
                else:
                    spans.append((at, end))
            at = end
        if spans:
            found[index] = tuple(spans)
    return found


def place(passage: Passage) -> str:
    """Return where a passage stands, as a table shows it: `p. 3, ¶ 12`."""
    page = "" if passage.page is None else f"p. {passage.page}, "
    return f"{page}¶ {passage.paragraph}"


def citation(reading: Reading, passage: Passage) -> dict[str, Any]:
    """Return where a passage stands: file, paragraph, page if known."""
    page = {} if passage.page is None else {"page": passage.page}
    return {"file": reading.name, "paragraph": passage.paragraph, **page}


def evidence(reading: Reading, passage: Passage, words: str) -> Evidence:
    """Return evidence for words of a passage; the same words get the same id in every run."""
    key = f"{reading.sha256}{passage.paragraph}{words}".encode()
    locator: Mapping[str, int | str] = {"paragraph": passage.paragraph}
    if passage.page is not None:
        locator = {"page": passage.page, **locator}
    return Evidence(
        id=f"legal-{hashlib.sha256(key).hexdigest()[:16]}",
        source=reading.sha256,  # type: ignore[arg-type]
        path=reading.name,
        locator=locator,
        quote=words,
    )
