"""G-PLACEHOLDER: no placeholder is left in any part of a deliverable that its original did not have."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from deskmate.errors import ToolError
from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_documents.docx.wml import P, accepted_text
from deskmate_documents.opc import Element, Package
from deskmate_documents.text import read_text

RULE = "G-PLACEHOLDER"
FINDINGS_LIMIT = 25
TEXTS = frozenset({".txt", ".md", ".text", ".rst", ".csv", ".tsv", ".html", ".htm", ".pdf"})

_PLACEHOLDERS = re.compile(
    r"\[\s*(?:TBD|TBC|TBA|TODO|FIXME|to be (?:determined|confirmed|completed)|(?:please\s+)?insert\b[^\]]{0,60}|●|•|_+|\.{2,}|…)\s*\]"
    r"|\b(?:TBD|FIXME)\b"
    r"|\bX{3,}\b"
    r"|\blorem ipsum\b"
    r"|\{\{[^{}]{0,80}\}\}"
    r"|~~[^~\n]{0,80}"
    r"|(?<!\w)_{3,}(?!\w)",
    re.IGNORECASE,
)
_ROMAN = re.compile(
    r"\b(?:article|chapter|section|title|part|annex|schedule|appendix|volume|book|no\.?|bowl)\s+$",
    re.IGNORECASE,
)
_SIGNATURE = re.compile(
    r"\b(?:by|name|title|date|dated|signature|signed|print(?:ed)?|place|witness|its)\b[^:_]{0,30}:?\s*$",
    re.IGNORECASE,
)
_PARAGRAPHS = ("}p", "}si", "}is")
_BREAK = "{http://schemas.openxmlformats.org/drawingml/2006/main}br"
_SKIPPED_PARTS = (
    "customXml/",
    "word/glossary/",
    "word/styles",
    "word/theme",
    "word/numbering",
    "word/fontTable",
)


def check_placeholders(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Report placeholders beyond those of the originals that the deliverable was made from."""
    found = [(text, where) for where, line in _lines(context.file) for text in placeholders(line)]
    if not found:
        return
    allowed: Counter[str] = Counter()
    for path in deliverable.sources.values():
        file = context.sources.file(path)
        if file is not None:
            allowed |= _counted(file)
    reported = 0
    for text, where in found:
        key = _key(text)
        if allowed[key] > 0:
            allowed[key] -= 1
            continue
        reported += 1
        if reported <= FINDINGS_LIMIT:
            yield Finding(
                rule=RULE,
                level="error",
                message=f"A placeholder is left: {text[:60]}",
                location=where,
                fix="Fill it in, or say in words what is missing.",
            )


def _key(text: str) -> str:
    return "___" if text.startswith("_") else " ".join(text.lower().split())


def _counted(file: Path) -> Counter[str]:
    try:
        return Counter(_key(text) for _, line in _lines(file) for text in placeholders(line))
    except ToolError:
        return Counter()


def placeholders(line: str) -> Iterator[str]:
    """Yield the placeholders in a paragraph; signature lines and Roman numbers are none."""
    for match in _PLACEHOLDERS.finditer(line):
        text, before = match.group(), line[: match.start()]
        if text.strip("xX") == "" and (
            text != text.upper() or _is_number(text, line, match, before)
        ):
            continue
        if text.startswith("_") and (_SIGNATURE.search(before) or not _has_words(line)):
            continue
        yield text


def _is_number(text: str, line: str, match: re.Match[str], before: str) -> bool:
    """Say whether XXX is thirty, or masks digits of a number that is shown on purpose."""
    roman = text == "XXX" and _ROMAN.search(before) is not None
    behind = line[match.end() : match.end() + 6]
    masked = re.match(r"[-\s]?(?:X{2,4}[-\s])?\d", behind) is not None
    return roman or masked or re.match(r"[-\s]X{2}[-\s]\d", behind) is not None


def _has_words(line: str) -> bool:
    return any(c.isalnum() for c in line)


def _lines(file: Path) -> Iterator[tuple[str, str]]:
    """Yield (where, text) of each paragraph in every part of a file; nothing for a kind without text."""
    with file.open("rb") as stream:
        head = stream.read(4)
    if head == b"PK\x03\x04":
        yield from _package_lines(Package(file))
    elif file.suffix.lower() in TEXTS:
        for passage in read_text(file).passages:
            page = f"page {passage.page}, " if passage.page is not None else ""
            text = passage.text
            if file.suffix.lower() == ".md":
                text = re.sub(r"~~([^~\n]+)~~", r"\1", text)
            for line in text.split("\n"):
                yield f"{page}paragraph {passage.paragraph}", line


def _package_lines(package: Package) -> Iterator[tuple[str, str]]:
    for name in package.names:
        if (
            not name.lower().endswith(".xml")
            or name.startswith(_SKIPPED_PARTS)
            or name == "[Content_Types].xml"
        ):
            continue
        root = package.parse(name)
        for count, node in enumerate(_holders(root), 1):
            text = _text(node)
            if text:
                yield f"{name}, paragraph {count}", text
        for node in root.iter():
            described = (
                node.get("descr") or node.get("title") if isinstance(node.tag, str) else None
            )
            if described and node.tag.endswith(("}docPr", "}cNvPr")):
                yield f"{name}, description of a picture", described


def _holders(root: Element) -> Iterator[Element]:
    """Yield what holds a paragraph's worth of text: paragraphs, shared strings, cells; document properties."""
    if root.tag.endswith("}coreProperties"):
        yield from root
        return
    for node in root.iter():
        if isinstance(node.tag, str) and node.tag.endswith(_PARAGRAPHS):
            yield node


def _text(holder: Element) -> str:
    if holder.tag == P:
        return accepted_text(holder)
    if len(holder) == 0:
        return str(holder.text or "")
    texts = (node for node in holder.iter() if isinstance(node.tag, str))
    return "".join(
        " " if n.tag == _BREAK else n.text or "" for n in texts if n.tag.endswith(("}t", "}br"))
    )
