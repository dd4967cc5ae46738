"""Redaction of Word documents: words are taken out of every part, and with them all that travels along unseen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from deskmate.errors import ToolError
from deskmate_documents.docx.reading import open_body
from deskmate_documents.docx.revisions import accept_all
from deskmate_documents.docx.wml import DEL_TEXT, M_TEXT, P, T, pieces, w
from deskmate_documents.opc import Element, Package, without_times
from deskmate_documents.withheld import pattern_of, remains

MARK = "█████"
"""Of one length for all words, so that it does not tell how long they were."""
NOWHERE = "https://redacted.invalid/"
_UNSEEN = (
    "comments", "commentsExtended", "commentsIds", "commentsExtensible", "people", "customXml", "glossaryDocument",
    "printerSettings", "attachedTemplate",
)  # fmt: skip
_ANCHORS = tuple(w(name) for name in ("commentRangeStart", "commentRangeEnd", "commentReference"))
_KEPT_PROPERTIES = frozenset({"created", "modified", "revision", "language"})
_OPAQUE = re.compile(r"(?:^|/)(?:embeddings|activeX)/|vbaProject\.bin$|\.bin$", re.IGNORECASE)
_A_P = "{http://schemas.openxmlformats.org/drawingml/2006/main}p"
_A_T = "{http://schemas.openxmlformats.org/drawingml/2006/main}t"
_RUNNING = frozenset({T, DEL_TEXT, M_TEXT, _A_T, w("instrText"), w("delInstrText")})
"""Text of paragraphs, which was looked at whole: "the" of "the|se" is no word."""


def redact_docx(source: Path, target: Path, words: Sequence[str]) -> tuple[Counter[str], list[str]]:
    """Write a document without the words, and without comments, tracked changes, properties and custom XML.

    Args:
        source: the document; it stays as it is.
        target: the result.
        words: as `check_words` returns them.

    Returns:
        How often each word was taken out of the text, and what to tell the user.

    Raises:
        ToolInputError: it cannot be read, or holds embedded objects or macros, which cannot be judged.
        ToolError: the result still holds one of the words; nothing is written.
    """
    work = target.with_name(f".{target.name}.redacting.docx")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        accept_all(source, work)
        package = Package(work)
        if opaque := [name for name in package.names if _OPAQUE.search(name)]:
            raise package.error(
                f"holds {opaque[0]}, which cannot be redacted; take embedded objects and macros out first"
            )
        notes = _strip(package)
        counts = _take_out(package, words)
        package.save(work)
        without_times(work)
        if left := remains(work, words):
            raise ToolError(
                f"{source.name} was not redacted: a word is still in {left[0][1]}. Nothing was written."
            )
        work.replace(target)
    finally:
        work.unlink(missing_ok=True)
    return counts, notes


def _strip(package: Package) -> list[str]:
    """Take out the parts that no reader sees, and empty the properties; return notes."""
    main, _ = open_body(package)
    for owner in ("", main):
        for rel in list(package.relationships(owner).values()):
            if rel.external or rel.target not in package:
                continue
            if rel.kind in _UNSEEN or rel.kind in {"custom-properties", "thumbnail"}:
                own = [
                    r.target for r in package.relationships(rel.target).values() if not r.external
                ]
                for name in (*own, rel.target):
                    if name in package:
                        package.remove(name)
    _empty_properties(package)
    pictures = [name for name in package.names if "/media/" in name]
    return [f"{len(pictures)} pictures were not read; look at them."] if pictures else []


def _empty_properties(package: Package) -> None:
    for kind in ("core-properties", "extended-properties"):
        for part in package.related("", kind):
            root = package.parse(part)
            for node in list(root):
                if str(node.tag).rpartition("}")[2] not in _KEPT_PROPERTIES:
                    root.remove(node)
            package.write_xml(part, root)


def _take_out(package: Package, words: Sequence[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    pattern = pattern_of(words)
    single = [(word, pattern_of([word])) for word in words]
    for name in package.names:
        if name.endswith(".rels"):
            _links(package, name, pattern)
        elif name.endswith(".xml") and name != "[Content_Types].xml":
            root = package.parse(name)
            for node in list(root.iter(*_ANCHORS, w("dataBinding"), w("docVars"))):
                node.getparent().remove(node)
            for found in _paragraphs(root, pattern):
                counts[next((word for word, one in single if one.fullmatch(found)), found)] += 1
            _sweep(root, pattern)
            package.write_xml(name, root)
    return counts


def _links(package: Package, name: str, pattern: re.Pattern[str]) -> None:
    root = package.parse(name)
    for node in root:
        target = node.get("Target", "")
        if node.get("TargetMode") == "External" and pattern.search(unquote(target)):
            node.set("Target", NOWHERE)
    package.write_xml(name, root)


def _paragraphs(root: Element, pattern: re.Pattern[str]) -> Iterator[str]:
    """Replace the words in each paragraph, however they are spread over runs; yield what was found."""
    for paragraph in root.iter(P):
        nodes = [(piece.node, piece.text) for piece in pieces(paragraph, frozenset())]
        yield from _replace(nodes, pattern)
        fields = list(paragraph.iter(w("instrText"), w("delInstrText")))
        yield from _replace([(node, node.text or "") for node in fields], pattern)
    for paragraph in root.iter(_A_P):
        yield from _replace([(n, n.text or "") for n in paragraph.iter(_A_T)], pattern)


def _replace(nodes: Sequence[tuple[Any, str]], pattern: re.Pattern[str]) -> Iterator[str]:
    text = "".join(part for _, part in nodes)
    spans = [match.span() for match in pattern.finditer(text)]
    if not spans:
        return
    at = 0
    for node, part in nodes:
        kept = []
        for place, sign in enumerate(part, at):
            inside = next((span for span in spans if span[0] <= place < span[1]), None)
            if inside is None:
                kept.append(sign)
            elif inside[0] == place:
                kept.append(MARK)
        new = "".join(kept)
        if new != part:
            _put(node, new)
        at += len(part)
    yield from (" ".join(text[start:end].split()) for start, end in spans)


def _put(node: Any, text: str) -> None:
    """Give a node its new text; a tab, a break or a sign that belonged to a word goes, or becomes the mark."""
    if node.text is not None or node.tag == T:
        node.text = text
        return
    parent = node.getparent()
    if text:
        fresh = node.makeelement(T, {})
        fresh.text = text
        parent.insert(parent.index(node), fresh)
    parent.remove(node)


def _sweep(root: Element, pattern: re.Pattern[str]) -> None:
    """Replace the words wherever else a part says them: attributes, cached values, names."""
    for node in root.iter():
        if not isinstance(node.tag, str):
            node.text = pattern.sub(MARK, node.text or "")
            continue
        if node.tag not in _RUNNING and node.text and pattern.search(node.text):
            node.text = pattern.sub(MARK, node.text)
        for key, value in node.attrib.items():
            if pattern.search(value) or pattern.search(unquote(value)):
                node.set(key, pattern.sub(MARK, unquote(value)))
