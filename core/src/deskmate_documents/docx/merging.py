"""Joins paragraphs whose mark went away, and clears what resolving changes leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from deskmate_documents.docx.wml import ID, M_R, PPR, RPR, TBL, TC, P, R, child, w
from deskmate_documents.opc import Element

_RANGES = tuple(
    w(f"{name}Range{end}")
    for name in (
        "moveFrom",
        "moveTo",
        *(f"customXml{k}" for k in ("Ins", "Del", "MoveFrom", "MoveTo")),
    )
    for end in ("Start", "End")
)
_PAIRS = (("bookmarkStart", "bookmarkEnd"), ("commentRangeStart", "commentRangeEnd"))
MARKERS = frozenset(
    {*_RANGES, w("proofErr"), w("permStart"), w("permEnd")}
    | {w(n) for pair in _PAIRS for n in pair}
)
_UNSEEN = frozenset({RPR, w("lastRenderedPageBreak"), w("commentReference")})
_BLOCKS = (P, TBL, w("sdt"), w("customXml"))


def merge_paragraphs(paragraphs: Iterable[Element]) -> None:
    """Join each paragraph with the one after it; `paragraphs`: in document order."""
    for paragraph in reversed(list(paragraphs)):
        if paragraph.getparent() is not None:
            _merge(paragraph)


def is_empty(paragraph: Element) -> bool:
    """Say whether a paragraph holds nothing but its properties and markers."""
    return all(
        node.tag == PPR or node.tag in MARKERS or (node.tag == R and not _shows(node))
        for node in paragraph
        if isinstance(node.tag, str)
    )


def _shows(run: Element) -> bool:
    # A comment's anchor is not content: it moves on to the next paragraph.
    return any(node.tag not in _UNSEEN for node in run)


def _next_block(paragraph: Element) -> Element | None:
    return next((n for n in paragraph.itersiblings() if n.tag in _BLOCKS), None)


def _merge(paragraph: Element) -> None:
    after = _next_block(paragraph)
    if after is not None and after.tag == P:
        _join(paragraph, after)
    elif is_empty(paragraph) and (after is not None or _may_go(paragraph)):
        parent = paragraph.getparent()
        at = parent.index(paragraph)
        parent[at : at + 1] = [node for node in paragraph if node.tag in MARKERS]


def _join(paragraph: Element, after: Element) -> None:
    """Put a paragraph's content before that of the next one.

    The joined paragraph looks like the first one, unless nothing of the first is left: a paragraph
    taken out whole must not change the one below it.
    """
    first, second = child(paragraph, "pPr"), child(after, "pPr")
    if not is_empty(paragraph):
        if second is not None:
            after.remove(second)
        if first is not None:
            after.insert(0, first)
            _keep_section(first, second)
            second = first
        else:
            second = None
    at = 0 if second is None else 1
    after[at:at] = [node for node in paragraph if node is not first and node.tag != PPR]
    paragraph.getparent().remove(paragraph)


def _keep_section(first: Element, second: Element | None) -> None:
    """A section ends with the mark that is left, which is the second one's."""
    for old in first.findall(w("sectPr")):
        first.remove(old)
    section = child(second, "sectPr")
    if section is not None:
        first.append(section)


def _may_go(paragraph: Element) -> bool:
    """Say whether the last paragraph of its container may be taken out: another one ends it then."""
    before = next((n for n in paragraph.itersiblings(preceding=True) if n.tag in _BLOCKS), None)
    if paragraph.getparent().tag == w("sdtContent"):
        return True
    # A cell must end with a paragraph; a body may end with a table.
    return before is not None and (before.tag == P or paragraph.getparent().tag == w("body"))


def drop_ranges(root: Element, concerns: Callable[[Element], bool]) -> bool:
    """Remove the range markers of moves and content controls whose start `concerns` the caller."""
    gone: set[tuple[str, str]] = set()
    found = list(root.iter(*_RANGES))
    for node in found:
        if node.tag.endswith("Start") and concerns(node):
            gone.add((node.tag[:-5], node.get(ID, "")))
    for node in found:
        key = (node.tag.removesuffix("Start").removesuffix("End"), node.get(ID, ""))
        if key in gone and node.getparent() is not None:
            node.getparent().remove(node)
    return bool(gone)


def tidy(root: Element) -> None:
    """Remove empty runs and property elements, half pairs of markers, and hollow block controls."""
    for node in list(root.iter(R, M_R)):
        if len(node) == 0 or (len(node) == 1 and node[0].tag == RPR):
            node.getparent().remove(node)
    for node in list(root.iter(RPR)):
        if len(node) == 0 and node.getparent() is not None:
            node.getparent().remove(node)
    for node in list(root.iter(PPR)):
        if len(node) == 0 and not node.attrib and node.getparent() is not None:
            node.getparent().remove(node)
    tidy_halves(root)
    _drop_lost_anchors(root)
    _drop_hollow(root)


def tidy_halves(root: Element) -> None:
    """Remove starts of ranges without an end, and ends without a start."""
    for start, end in _PAIRS:
        _drop_halves(root, start, end)


def _drop_lost_anchors(root: Element) -> None:
    """Remove the ranges of comments whose reference went away."""
    named = {node.get(ID) for node in root.iter(w("commentReference"))}
    for node in list(root.iter(w("commentRangeStart"), w("commentRangeEnd"))):
        if node.get(ID) not in named:
            node.getparent().remove(node)


def _drop_halves(root: Element, start: str, end: str) -> None:
    starts = {node.get(ID) for node in root.iter(w(start))}
    ends = {node.get(ID) for node in root.iter(w(end))}
    for node in list(root.iter(w(start), w(end))):
        if node.get(ID) not in starts & ends:
            node.getparent().remove(node)


def _drop_hollow(root: Element) -> None:
    for content in list(root.iter(w("sdtContent"))):
        control = content.getparent()
        if control is None or control.getparent() is None:
            continue
        if all(node.tag in MARKERS for node in content):
            control.getparent().remove(control)
    for cell in root.iter(TC):
        if child(cell, "p") is None and not any(node.tag in _BLOCKS for node in cell):
            cell.append(cell.makeelement(P))
