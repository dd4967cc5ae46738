"""Comments of a Word document: reading them with their anchors, threads and state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deskmate_documents.docx.wml import ID, W14_NS, W15_NS, P, accepted_text, pieces, w
from deskmate_documents.opc import Element, Package

_PARA_ID = f"{{{W14_NS}}}paraId"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """One comment. `paragraph`: where its range begins, or None. `anchor`: the words it is about.

    `parent`: id of the comment it answers, or "". `date`: as stored, ISO 8601 or "".
    """

    id: str
    author: str
    date: str
    text: str
    paragraph: int | None = None
    anchor: str = ""
    parent: str = ""
    resolved: bool = False


def read_comments(
    package: Package, main: str, paragraphs: Sequence[Element]
) -> tuple[Comment, ...]:
    """Return the comments in the order of their part."""
    parts = package.related(main, "comments")
    if not parts:
        return ()
    threads = _threads(package, main)
    anchors = _anchors(paragraphs)
    nodes = list(package.parse(parts[0]).iterfind(w("comment")))
    by_para = {p.get(_PARA_ID): node.get(ID, "") for node in nodes for p in node.iter(P)}
    found = []
    for node in nodes:
        inner = list(node.iter(P))
        parent, resolved = threads.get(inner[-1].get(_PARA_ID) if inner else None, (None, False))
        place, words = anchors.get(node.get(ID, ""), (None, ""))
        found.append(
            Comment(
                id=node.get(ID, ""),
                author=node.get(w("author"), ""),
                date=node.get(w("date"), ""),
                text="\n".join(accepted_text(p) for p in inner),
                paragraph=place,
                anchor=words,
                parent=by_para.get(parent, "") if parent else "",
                resolved=resolved,
            )
        )
    return tuple(found)


def _threads(package: Package, main: str) -> dict[str | None, tuple[str | None, bool]]:
    """Return paragraph id of a comment → (paragraph id of its parent, resolved)."""
    threads: dict[str | None, tuple[str | None, bool]] = {}
    for part in package.related(main, "commentsExtended"):
        for node in package.parse(part):
            if isinstance(node.tag, str):
                done = node.get(f"{{{W15_NS}}}done") in {"1", "true"}
                threads[node.get(f"{{{W15_NS}}}paraId")] = (
                    node.get(f"{{{W15_NS}}}paraIdParent"),
                    done,
                )
    return threads


def _anchors(paragraphs: Sequence[Element]) -> dict[str, tuple[int | None, str]]:
    """Return comment id → (paragraph of its start, the words in its range)."""
    anchors: dict[str, tuple[int | None, str]] = {}
    opened: set[str] = set()
    for index, paragraph in enumerate(paragraphs, 1):
        texts = {piece.node: piece.text for piece in pieces(paragraph)}
        for node in paragraph.iter():
            name = node.get(ID, "") if isinstance(node.tag, str) else ""
            if node.tag == w("commentRangeStart"):
                anchors.setdefault(name, (index, ""))
                opened.add(name)
            elif node.tag == w("commentRangeEnd"):
                opened.discard(name)
            elif node.tag == w("commentReference"):
                anchors.setdefault(name, (index, ""))
            elif node in texts:
                for open_name in opened:
                    place, words = anchors[open_name]
                    anchors[open_name] = (place, words + texts[node])
    return anchors
