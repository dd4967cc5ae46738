"""Names of WordprocessingML and the order of a paragraph's text: what a reader sees, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from deskmate_documents.opc import Element

W_NS = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
M_NS = "http://schemas.openxmlformats.org/officeDocument/2006/math"
R_NS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
W14_NS = "http://schemas.microsoft.com/office/word/2010/wordml"
W15_NS = "http://schemas.microsoft.com/office/word/2012/wordml"
MC_NS = "http://schemas.openxmlformats.org/markup-compatibility/2006"
XML_SPACE = "{http://www.w3.org/XML/1998/namespace}space"


def w(name: str) -> str:
    """Return the qualified name of an element or attribute of WordprocessingML."""
    return f"{{{W_NS}}}{name}"


P, R, T, PPR, RPR, TBL, TR, TC = (w(n) for n in ("p", "r", "t", "pPr", "rPr", "tbl", "tr", "tc"))
INS, DEL, MOVE_FROM, MOVE_TO = (w(n) for n in ("ins", "del", "moveFrom", "moveTo"))
DEL_TEXT, VAL, ID = w("delText"), w("val"), w("id")
M_TEXT = f"{{{M_NS}}}t"
M_R = f"{{{M_NS}}}r"
FALLBACK = f"{{{MC_NS}}}Fallback"

GONE = frozenset({DEL, MOVE_FROM})
"""Around runs: content that is no longer there once everything is accepted."""
ADDED = frozenset({INS, MOVE_TO})
_SKIPPED = frozenset(
    {PPR, RPR, FALLBACK, w("instrText"), w("rt"), w("sectPr"), w("sdtPr"), w("sdtEndPr"), P, TBL}
)
_FIXED = {
    w("tab"): "\t",
    w("ptab"): "\t",
    w("cr"): "\n",
    w("noBreakHyphen"): "-",
    w("softHyphen"): "",
    w("dayShort"): "",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text of one node. `node`: the `w:t`, `w:tab` and so on; `run`: its run."""

    node: Element
    run: Element
    text: str


def val(node: Element | None, default: str = "") -> str:
    """Return a node's `w:val`, or the default."""
    return default if node is None else str(node.get(VAL, default))


def child(node: Element | None, *names: str) -> Element | None:
    """Return the first child along a path of WordprocessingML names, or None."""
    for name in names:
        if node is None:
            return None
        node = node.find(w(name))
    return node


def is_on(node: Element | None) -> bool:
    """Say whether a toggle element is there and not switched off."""
    return node is not None and val(node, "1") not in {"0", "false", "off"}


def body_paragraphs(root: Element) -> list[Element]:
    """Return all paragraphs of a part in document order: tables, controls and text boxes included."""
    return [p for p in root.iter(P) if not _in_fallback(p)]


def _in_fallback(node: Element) -> bool:
    return next(node.iterancestors(FALLBACK), None) is not None


def pieces(paragraph: Element, hidden: frozenset[str] = GONE) -> Iterator[Piece]:
    """Yield a paragraph's text in order, leaving out what `hidden` elements enclose.

    Paragraphs nested in text boxes are paragraphs of their own and not part of this one.
    """
    run: Element = None
    stack = [iter(paragraph)]
    runs: list[Element] = [None]
    while stack:
        node = next(stack[-1], None)
        if node is None:
            stack.pop()
            runs.pop()
            continue
        tag = node.tag
        if tag in hidden or tag in _SKIPPED or not isinstance(tag, str):
            continue
        run = node if tag in (R, M_R) else runs[-1]
        text = _text_of(node)
        if text is not None:
            yield Piece(node, run, text)
            continue
        stack.append(iter(node))
        runs.append(run)


def _text_of(node: Element) -> str | None:
    """Return the text that a node stands for, "" for none, or None for a node to look into."""
    tag = node.tag
    if tag in (T, DEL_TEXT, M_TEXT):
        return node.text or ""
    if tag in _FIXED:
        return _FIXED[tag]
    if tag == w("br"):
        return "" if node.get(w("type")) in {"page", "column"} else "\n"
    if tag == w("sym"):
        return _symbol(node.get(w("char"), ""))
    return None


def _symbol(code: str) -> str:
    try:
        number = int(code, 16)
    except ValueError:
        return ""
    return chr(number) if 0x20 <= number < 0xD800 or 0xE000 <= number <= 0xFFFD else ""


def accepted_text(paragraph: Element) -> str:
    """Return the paragraph's text as if all tracked changes were accepted."""
    return "".join(piece.text for piece in pieces(paragraph))
