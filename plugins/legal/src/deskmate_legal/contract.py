"""A contract as the tools see it: blocks, text, clauses, sentences and where each stands."""

from __future__ import annotations

import bisect
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from deskmate_documents.docx.reading import read_docx
from deskmate_documents.text import read_text
from deskmate_legal.clauses import Block, Clause, clause_tree, is_title

_SEPARATOR = "\n\n"
_STOP = re.compile(r"[.?!][\"”’)\]]*(?=\s+[\"“(\[]?[A-Z\d(])|\n\s*\n")
_ABBREVIATIONS = re.compile(
    r"(?:\b(?:Inc|Ltd|Corp|Co|No|Nos|Sec|Art|Mr|Mrs|Ms|Dr|vs?|St|Ste|Jr|Sr|etc|al|approx|cf|i\.e|e\.g|Attn|Fed|Civ|Code|[A-Z])"
    r"|^\s*(?:Section\s+|Article\s+|SECTION\s+)?[\d.ivxIVX]{1,8}|\([a-z]{1,3}\))\.$"
)
_NDA = re.compile(
    r"non[-\s]?disclosure|confidentiality\s+(?:agreement|undertaking)|\bM?NDA\b", re.IGNORECASE
)
_SECRECY = re.compile(
    r"confidential|evaluation\s+material|proprietary\s+information", re.IGNORECASE
)
_TITLE = re.compile(
    r"\b(?:agreement|contract|addendum|lease|order form|M?NDA|statement of work|amendment)\b",
    re.IGNORECASE,
)
_INCORPORATES = re.compile(
    r"incorporate[sd]?\s+(?:herein\s+)?by\s+(?:this\s+)?reference|(?:posted|available)\s+at\s+(?:https?://|\S+\.com)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A sentence with its span in its block and the index of the block."""

    block: int
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """A contract that was read. `text`: all blocks, joined. `kind`: docx, pdf or text."""

    name: str
    kind: str
    sha256: str
    blocks: tuple[Block, ...]
    text: str
    clauses: tuple[Clause, ...]

    def clause_at(self, offset: int) -> Clause:
        """Return the innermost clause that holds the character at `offset` of the text."""
        starts = [clause.start for clause in self.clauses]
        return self.clauses[max(bisect.bisect_right(starts, offset) - 1, 0)]

    def own_text(self, clause: Clause) -> str:
        """Return a clause's text without its children's."""
        return self.text[clause.start : clause.end]

    def locator(self, block: Block) -> Mapping[str, int | str]:
        """Return where a block stands, as evidence names it."""
        page = {} if block.page is None else {"page": block.page}
        return {**page, "paragraph": block.paragraph}

    def sentences(self) -> Iterator[Sentence]:
        """Yield the sentences in order; a block without a full stop is one sentence."""
        for index, block in enumerate(self.blocks):
            for start, end in sentence_spans(block.text):
                yield Sentence(block=index, start=start, end=end, text=block.text[start:end])

    @property
    def type(self) -> str:
        """`nda` or `commercial`, by the title, else by how much of the opening is about secrecy."""
        opening = self.text[:1500]
        if len(_NDA.findall(opening)) > 1 or _NDA.search(opening[:300]):
            return "nda"
        secret = len(_SECRECY.findall(self.text[:4000])) >= 8
        return "nda" if secret and not _TITLE.search(self.title) else "commercial"

    @property
    def title(self) -> str:
        """Return the title: the first short line that names an agreement, else the first line."""
        lines = [" ".join(line.split()) for line in self.text[:3000].splitlines() if line.strip()]
        named = [line for line in lines if len(line) < 90 and _TITLE.search(line)]
        titled = [line for line in named if is_title(line)]
        title = next(iter(titled + named + lines), "")[:120]
        return re.sub(r"^(?:for|of|to|the|an?)\s+", "", title)

    @property
    def is_contract(self) -> bool:
        """Say whether the opening reads like a contract's."""
        return bool(_TITLE.search(self.text[:3000])) and bool(
            re.search(r"\b(?:part(?:y|ies)|agrees?|between)\b", self.text[:6000], re.IGNORECASE)
        )

    @property
    def incorporates(self) -> bool:
        """Say whether terms that are not in the file are part of the contract."""
        return bool(_INCORPORATES.search(self.text))


def sentence_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of the sentences of a text, without the space around them."""
    start = 0
    for match in _STOP.finditer(text):
        if match.group().startswith(".") and _ABBREVIATIONS.search(
            text[max(start, match.start() - 16) : match.start() + 1]
        ):
            continue
        yield from _span(text, start, match.end())
        start = match.end()
    yield from _span(text, start, len(text))


def _span(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    piece = text[start:end]
    if piece.strip():
        lead = len(piece) - len(piece.lstrip())
        yield start + lead, start + len(piece.rstrip())


def read_contract(path: Path, name: str = "") -> Contract:
    """Read a DOCX, PDF or plain text contract.

    Raises:
        ToolInputError: it cannot be read; one line with the cause.
    """
    source = read_text(path)
    details = {}
    if source.kind == "docx":
        details = {paragraph.index: paragraph for paragraph in read_docx(path).paragraphs}
    blocks: list[Block] = []
    offset = 0
    for passage in source.passages:
        detail = details.get(passage.paragraph)
        if details and detail is None:
            continue  # headers, footers and notes are no clauses
        blocks.append(
            Block(
                text=passage.text,
                start=offset,
                paragraph=passage.paragraph,
                page=passage.page,
                number=passage.number,
                label=detail.label if detail else "",
                level=detail.heading_level if detail else None,
                in_table=detail.in_table if detail else False,
            )
        )
        offset += len(passage.text) + len(_SEPARATOR)
    text = _SEPARATOR.join(block.text for block in blocks)
    return Contract(
        name=name or path.name,
        kind=source.kind,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        blocks=tuple(blocks),
        text=text,
        clauses=clause_tree(blocks, len(text)),
    )
