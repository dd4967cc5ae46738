"""G-QUOTE: every quotation of a deliverable stands verbatim in a source of the host, at the cited place."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from deskmate.errors import ToolError
from deskmate.plugin import Claim, Deliverable, Evidence, Finding, ValidationContext
from deskmate_documents.docx.reading import read_docx
from deskmate_documents.docx.revisions import authors_of
from deskmate_documents.quotes import QuoteFinder, normalise
from deskmate_documents.text import Passage, read_text

RULE = "G-QUOTE"
WORDS_AT_LEAST = 4
PROSE = frozenset({".docx", ".docm", ".pdf", ".md", ".markdown", ".txt", ".text", ".rst"})
_WORD = frozenset({".docx", ".docm"})
NOT_PROSE_ROLES = frozenset({"redline", "comparison", "contract"})
"""Roles whose text is a contract with tracked changes: its quotation marks define terms."""

_QUOTED = tuple(
    re.compile(pattern)
    for pattern in (
        r"[„‟]([^„‟“”]{8,})[“”]",
        # a quotation that its paragraph does not end goes on in the next one
        r"“([^“”]{8,})(?:”|\Z)",
        r'(?<![\w"])"(?=\S)([^"]{8,})(?<=\S)"(?!\w)',
        r"«([^«»]{8,})»",
        r"»([^«»]{8,})«",
        r"‹([^‹›]{8,})›",
        r"[「『]([^「」『』]{8,})[」』]",
        r"[〝❝]([^〝〞❝❞]{8,})[〞❞]",
        r"[＂″]([^＂″]{8,})[＂″]",
        r"”([^“”]{8,})”",
        r'“([^“”"]{8,})"|(?<!\w)"([^“”"]{8,})”',
        r"(?<![\w'`])(?:''|``)([^'`]{8,})''(?!\w)",
        # an apostrophe after a word may end it too early: then its beginning is what is checked
        r"(?<!\w)‘(?=\S)([^‘]{8,}?)(?<=\S)’(?!\w)",
        r"(?<![\w'])'(?=\w)([\w ,.;:()’-]{8,}?)(?<=[\w.,;:)])'(?![\w'])",
    )
)
_PAGE = re.compile(r"\b(?:pages?|pp?\.)\s*(\d+)(?:\s*[-–]\s*(\d+))?", re.IGNORECASE)
_PARAGRAPH = re.compile(
    r"(?:¶|\bparas?\.?|\bparagraphs?)\s*(\d+)(?:\s*[-–]\s*(\d+))?", re.IGNORECASE
)
_CITATION_REACH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """A quotation in running text, with the places that the text after it cites. `where`: in the deliverable."""

    text: str
    where: str
    pages: range | None
    paragraphs: range | None


def _is_marked_up(deliverable: Deliverable, context: ValidationContext) -> bool:
    """Say whether it is a contract with tracked changes, which G-DIFF vouches for.

    A role alone vouches for nothing: what lies under its name may be something else.
    """
    if deliverable.role not in NOT_PROSE_ROLES or context.file.suffix.lower() not in _WORD:
        return False
    try:
        return bool(authors_of(context.file))
    except ToolError:
        return False


class _Sources:
    """The host's originals, read once each."""

    def __init__(self, context: ValidationContext) -> None:
        self._context = context
        self._finders: dict[str, QuoteFinder | str] = {}

    def holds(self, path: str) -> bool:
        return path in self._context.sources

    def finder(self, path: str) -> QuoteFinder | str:
        """Return the finder, or why the source cannot be read."""
        if path not in self._finders:
            file = self._context.sources.file(path)
            try:
                self._finders[path] = (
                    f"UNVERIFIED: the host never held {path}"
                    if file is None
                    else QuoteFinder(read_text(file))
                )
            except ToolError as error:
                self._finders[path] = f"its source cannot be read: {error.message}"
        return self._finders[path]


def check_quotes(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Check the claims of kind quote, then the quotations of four words and more in the text itself."""
    sources = _Sources(context)
    evidence = {item.id: item for item in context.evidence}
    checked: set[str] = set()
    for claim in deliverable.claims:
        if claim.kind == "quote":
            checked.add(normalise(claim.text))
            yield from _check_claim(claim, evidence, sources, context)
    if context.file.suffix.lower() not in PROSE or _is_marked_up(deliverable, context):
        return
    cited = _cited(deliverable, evidence, context)
    for quoted in quotations(_prose(context.file)):
        if normalise(quoted.text) not in checked:
            yield from _check_prose(quoted, cited, sources)


def _prose(file: Path) -> Iterator[Passage]:
    """Yield what a reader is shown: the passages, and in a Word file the comments."""
    source = read_text(file)
    for passage in source.passages:
        shown = html.unescape(passage.text) if source.kind == "text" else passage.text
        yield replace(passage, text=shown)
    if source.kind == "docx":
        for comment in read_docx(file).comments:
            yield Passage(text=comment.text, page=None, paragraph=comment.paragraph or 0)


def _cited(
    deliverable: Deliverable, evidence: Mapping[str, Evidence], context: ValidationContext
) -> list[str]:
    """Return the sources that a quotation may come from: the named ones, else all that the host held."""
    named = list(deliverable.sources.values())
    for claim in deliverable.claims:
        named += [evidence[name].path for name in claim.evidence if name in evidence]
    return list(dict.fromkeys(named)) or list(context.sources)


def _finding(message: str, quote: str, where: str = "", fix: str = "") -> Finding:
    shown = quote if len(quote) <= 120 else quote[:117] + "…"
    return Finding(
        rule=RULE, level="error", message=f"{message}: “{shown}”", location=where, fix=fix
    )


def _check_claim(
    claim: Claim, evidence: Mapping[str, Evidence], sources: _Sources, context: ValidationContext
) -> Iterator[Finding]:
    known = [evidence[name] for name in claim.evidence if name in evidence]
    if not known:
        yield _finding(
            "The quotation names no source", claim.text, fix="Quote with document_quote."
        )
    for item in known:
        finder = sources.finder(item.path)
        if isinstance(finder, str):
            yield _finding(_sentence(finder), claim.text)
        elif context.sources.digest(item.path) not in (None, item.source):
            yield _finding(f"UNVERIFIED: {item.path} is not the version that was read", claim.text)
        else:
            pages, paragraphs = (
                _range(item.locator.get("page")),
                _range(item.locator.get("paragraph")),
            )
            yield from _judge(claim.text, finder, item.path, pages, paragraphs)


def _judge(
    text: str, finder: QuoteFinder, path: str, pages: range | None, paragraphs: range | None
) -> Iterator[Finding]:
    found = finder.find(text) or finder.find_shortened(text)
    if not found:
        yield _finding(f"Does not occur in {path}", text, fix="Quote verbatim, or drop the marks.")
    elif not any(_fits(passage, pages, paragraphs) for passage in found):
        yield _finding(_elsewhere(path, found), text, fix="Correct the citation.")


def _check_prose(quoted: Quoted, cited: list[str], sources: _Sources) -> Iterator[Finding]:
    if not cited:
        yield _finding("The quotation has no source", quoted.text, quoted.where)
        return
    troubles = []
    elsewhere = ""
    for path in cited:
        finder = sources.finder(path)
        if isinstance(finder, str):
            troubles.append(finder)
            continue
        found = finder.find(quoted.text) or finder.find_shortened(quoted.text)
        if any(_fits(passage, quoted.pages, quoted.paragraphs) for passage in found):
            return
        if found:
            elsewhere = _elsewhere(path, found)
    if elsewhere:
        yield _finding(elsewhere, quoted.text, quoted.where, "Correct the citation.")
    elif len(troubles) == len(cited) or any(t.startswith("UNVERIFIED") for t in troubles):
        yield _finding(_sentence("; ".join(troubles)), quoted.text, quoted.where)
    else:
        names = ", ".join(cited[:3])
        fix = "Quote verbatim with document_quote, or drop the quotation marks."
        yield _finding(f"Does not occur in {names}", quoted.text, quoted.where, fix)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:].rstrip(".")


def _elsewhere(path: str, found: tuple[Passage, ...]) -> str:
    first = found[0]
    page = f"page {first.page}, " if first.page is not None else ""
    return f"Stands elsewhere in {path} ({page}¶ {first.paragraph}), not where it is cited"


def _fits(passage: Passage, pages: range | None, paragraphs: range | None) -> bool:
    """Say whether a passage is at the cited place; a source without pages cannot contradict a page."""
    on_page = pages is None or passage.page is None or passage.page in pages
    return on_page and (paragraphs is None or passage.paragraph in paragraphs)


def _range(first: int | str | None, last: str | None = None) -> range | None:
    if first is None or not str(first).isdigit():
        return None
    return range(int(first), int(last or first) + 1)


def _marked(text: str) -> list[re.Match[str]]:
    """Return what stands in quotation marks of any kind, in order; what stands in others' marks is part of them."""
    found: list[re.Match[str]] = []
    for pattern in _QUOTED:
        for match in pattern.finditer(text):
            if all(match.end() <= m.start() or match.start() >= m.end() for m in found):
                found.append(match)
    return sorted(found, key=lambda match: match.start())


def quotations(passages: Iterable[Passage]) -> Iterator[Quoted]:
    """Yield the quotations of four words and more, in marks of any kind, with what is cited behind them."""
    for passage in passages:
        text = passage.text
        matches = _marked(text)
        for at, match in enumerate(matches):
            words = next(filter(None, match.groups())).strip()
            if len(re.findall(r"\w+(?:['’-]\w+)*", words)) < WORDS_AT_LEAST:
                continue
            limit = matches[at + 1].start() if at + 1 < len(matches) else len(text)
            behind = text[match.end() : min(limit, match.end() + _CITATION_REACH)]
            page, paragraph = _PAGE.search(behind), _PARAGRAPH.search(behind)
            where = f"paragraph {passage.paragraph}"
            yield Quoted(
                text=words,
                where=where if passage.page is None else f"page {passage.page}, {where}",
                pages=_range(*page.groups()) if page else None,
                paragraphs=_range(*paragraph.groups()) if paragraph else None,
            )
