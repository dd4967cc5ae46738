"""What stands around a tracked change: the other words of its paragraph, and the comments that are about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from deskmate_documents.docx.wml import ADDED, DEL_TEXT, GONE, ID, P, T, accepted_text, w
from deskmate_documents.opc import Element, Package

AROUND = 160
"""Characters of a paragraph that are shown on each side of a change."""


def words_around(marks: Sequence[Element]) -> tuple[str, str]:
    """Return the words of a paragraph before and after a change in it, whole words of at most 160 characters.

    Both are empty where the marks lie in several paragraphs. Words that other changes take out are not among them.
    """
    holders = {next(mark.iterancestors(P), None) for mark in marks}
    paragraph = holders.pop() if len(holders) == 1 else None
    if paragraph is None:
        return "", ""
    own = set(marks)
    before: list[str] = []
    after: list[str] = []
    for node in paragraph.iter(T, DEL_TEXT):
        above = list(node.iterancestors())
        if next(one for one in above if one.tag == P) is not paragraph:
            continue  # of a box that is anchored here
        if own.intersection(above):
            before += after
            after = []
        elif not any(one.tag in GONE for one in above):
            after.append(node.text or "")
    return _end("".join(before)), _start("".join(after))


def _end(text: str) -> str:
    if len(text) <= AROUND:
        return text
    at = text.find(" ", len(text) - AROUND)
    return f"…{text[max(at, len(text) - AROUND) :]}"


def _start(text: str) -> str:
    if len(text) <= AROUND:
        return text
    at = text.rfind(" ", 0, AROUND)
    return f"{text[: at + 1 if at > 0 else AROUND]}…"


def remarks_over(
    package: Package, main: str, root: Element
) -> Mapping[Element, tuple[tuple[str, str], ...]]:
    """Return mark → (id, `author: text`) of each comment over its words, in the order of the text."""
    said = dict(_said(package, main))
    found: dict[Element, dict[str, str]] = {}
    opened: dict[str, str] = {}
    for node in root.iter():
        name = node.get(ID, "") if isinstance(node.tag, str) else ""
        if node.tag == w("commentRangeStart") and name in said:
            opened[name] = said[name]
        elif node.tag == w("commentRangeEnd"):
            opened.pop(name, None)
        elif node.tag in (T, DEL_TEXT) and opened:
            for mark in node.iterancestors(*GONE, *ADDED):
                found.setdefault(mark, {}).update(opened)
    return {mark: tuple(over.items()) for mark, over in found.items()}


def _said(package: Package, main: str) -> Iterator[tuple[str, str]]:
    for part in package.related(main, "comments"):
        for node in package.parse(part).iterfind(w("comment")):
            text = " ".join(" ".join(accepted_text(p) for p in node.iter(P)).split())
            if text:
                author = node.get(w("author"), "").strip()
                yield node.get(ID, ""), f"{author}: {text}" if author else text
