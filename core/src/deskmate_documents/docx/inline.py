"""Compares the content of two paragraphs word by word and writes the difference as tracked changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field

from deskmate_documents.docx.align import opcodes
from deskmate_documents.docx.canon import Canon
from deskmate_documents.docx.importing import Importer
from deskmate_documents.docx.marking import Marker, ensure, mark_content
from deskmate_documents.docx.merging import MARKERS
from deskmate_documents.docx.wml import DEL, ID, INS, PPR, RPR, XML_SPACE, P, R, T, child, w
from deskmate_documents.docx.worddiff import words
from deskmate_documents.opc import Element

SHELLS = frozenset(w(n) for n in ("hyperlink", "sdt", "fldSimple", "smartTag", "customXml"))
_NOTES = {w("footnoteReference"): "footnotes", w("endnoteReference"): "endnotes"}
_ANCHOR = w("commentReference")


@dataclass(slots=True)
class Token:
    """The smallest thing that stays, goes or comes: a word, an object, a field, a link.

    `key`: equal for what counts as the same. `look`: its formatting. `run`: the run it stands in, or None
    for `nodes` that are children of the paragraph. `marker`: a range marker, kept and not compared.
    """

    key: str
    look: str = ""
    run: Element | None = None
    nodes: list[Element] = field(default_factory=list)
    text: str = ""
    marker: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """What a comparison needs of both documents. `parts`: names of the parts at hand, left and right."""

    left: Canon
    right: Canon
    marker: Marker
    importer: Importer
    parts: tuple[str, str]
    note: Callable[[str, str | None, str | None], None]

    def copy(self, node: Element) -> Element:
        """Return a copy of a node of the right for the left."""
        return self.importer.node(node, *self.parts)


def compare_inline(left: Element, right: Element, sides: Sides) -> None:
    """Rewrite the inline content of `left` so that accepting gives `right` and rejecting `left`."""
    ours, theirs = list(_tokens(left, sides.left)), list(_tokens(right, sides.right))
    theirs = [token for token in theirs if not token.marker]
    plain = [token for token in ours if not token.marker]
    kinds: dict[int, tuple[str, Token | None]] = {}
    arrivals: dict[int, list[Token]] = {}
    for kind, i1, i2, j1, j2 in _steps(plain, theirs):
        for offset, token in enumerate(plain[i1:i2]):
            kinds[id(token)] = (kind, theirs[j1 + offset] if kind == "equal" else None)
        if kind != "equal" and j1 < j2:
            arrivals[i2] = theirs[j1:j2]
    out: list[Element] = []
    batch: list[Token] = []
    count = 0

    def flush() -> None:
        out.extend(_emit(batch, kinds, sides))
        batch.clear()

    for token in ours:
        if token.marker:
            flush()
            out.extend(token.nodes)
            continue
        if count in arrivals and kinds[id(token)][0] == "equal":
            flush()
            out.extend(_arrive(arrivals.pop(count), sides))
        if batch and kinds[id(batch[-1])][0] != kinds[id(token)][0]:
            flush()
        batch.append(token)
        count += 1
    flush()
    for group in arrivals.values():
        out.extend(_arrive(group, sides))
    kept = [node for node in left if node.tag in (PPR, w("sdtPr"), w("sdtEndPr"), w("smartTagPr"))]
    for node in list(left):
        left.remove(node)
    left.extend([*kept, *out])


def _steps(ours: Sequence[Token], theirs: Sequence[Token]) -> list[tuple[str, int, int, int, int]]:
    """Return opcodes of the tokens; replacements that only a space keeps apart become one."""
    out: list[tuple[str, int, int, int, int]] = []
    for code in opcodes([t.key for t in ours], [t.key for t in theirs]):
        if len(out) > 1 and code[0] == "replace" and out[-2][0] == "replace":
            gap = ours[out[-1][1] : out[-1][2]]
            if all(token.text.isspace() for token in gap):
                first = out[-2]
                out[-2:] = [("replace", first[1], code[2], first[3], code[4])]
                continue
        out.append(code)
    return out


def _tokens(parent: Element, canon: Canon) -> Iterator[Token]:
    field_depth = 0
    group = Token("")
    for node in parent:
        tag = node.tag
        if not isinstance(tag, str) or tag in (PPR, w("sdtPr"), w("sdtEndPr"), w("smartTagPr")):
            continue
        depth = field_depth + _field_step(node)
        if field_depth or depth > 0:
            group.nodes.append(node)
            group.key += canon.form(node)
            field_depth = depth
            if depth == 0:
                yield group
                group = Token("")
        elif tag in MARKERS or (tag == R and node.find(_ANCHOR) is not None):
            yield Token("", nodes=[node], marker=True)
        elif tag == R:
            yield from _run_tokens(node, canon)
        elif tag in SHELLS:
            yield Token(canon.shell(node), nodes=[node], look="\n".join(_inside(node, canon)))
        else:
            yield Token(canon.form(node), nodes=[node])
    if group.nodes:
        yield group


def _inside(node: Element, canon: Canon) -> list[str]:
    content = child(node, "sdtContent") if node.tag == w("sdt") else node
    return [] if content is None else [f"{k}|{t}" for k, t in canon.stretches(content)]


def _field_step(node: Element) -> int:
    step = 0
    for mark in node.iter(w("fldChar")) if node.tag == R else ():
        kind = mark.get(w("fldCharType"))
        step += 1 if kind == "begin" else -1 if kind == "end" else 0
    return step


def _run_tokens(run: Element, canon: Canon) -> Iterator[Token]:
    look = canon.form(run.find(RPR))
    for node in run:
        if node.tag == RPR or not isinstance(node.tag, str):
            continue
        if node.tag == T:
            for word in words(node.text or ""):
                yield Token(word, look, run, [node], word)
        elif node.tag in _NOTES:
            key = f"<{_NOTES[node.tag]}>"
            yield Token(key, look + canon.note(node, _NOTES[node.tag]), run, [node])
        elif node.tag == w("lastRenderedPageBreak"):
            continue
        else:
            yield Token(canon.form(node) or str(node.tag), look, run, [node])


def _emit(
    tokens: Sequence[Token], kinds: dict[int, tuple[str, Token | None]], sides: Sides
) -> list[Element]:
    """Return the elements for left tokens that all stay or all go."""
    if not tokens:
        return []
    if kinds[id(tokens[0])][0] != "equal":
        return _mark(list(_runs(tokens)), DEL, sides)
    out: list[Element] = []
    start = 0
    for at in range(1, len(tokens) + 1):
        if at < len(tokens) and _same_fate(tokens[at - 1], tokens[at], kinds):
            continue
        out.extend(_kept(tokens[start:at], kinds, sides))
        start = at
    return out


def _same_fate(one: Token, two: Token, kinds: dict[int, tuple[str, Token | None]]) -> bool:
    if one.run is None or one.run is not two.run:
        return False
    first, second = kinds[id(one)][1], kinds[id(two)][1]
    return first is not None and second is not None and first.look == second.look


def _kept(
    tokens: Sequence[Token], kinds: dict[int, tuple[str, Token | None]], sides: Sides
) -> list[Element]:
    runs = list(_runs(tokens))
    other = kinds[id(tokens[0])][1]
    if other is None or other.look == tokens[0].look:
        return runs
    if tokens[0].run is None:
        _compare_shell(tokens[0].nodes[0], other.nodes[0], sides)
        return runs
    node = tokens[0].nodes[0]
    if node.tag in _NOTES:
        sides.note(_NOTES[node.tag], node.get(ID), other.nodes[0].get(ID))
    if sides.left.form(tokens[0].run.find(RPR)) != sides.right.form(other.run.find(RPR)):
        for run in runs:
            _reformat(run, other.run, sides)
    return runs


def _compare_shell(left: Element, right: Element, sides: Sides) -> None:
    if left.tag == w("sdt"):
        left, right = child(left, "sdtContent"), child(right, "sdtContent")
    if left is not None and right is not None:
        compare_inline(left, right, sides)


def _reformat(run: Element, other: Element, sides: Sides) -> None:
    before = run.find(RPR)
    after = other.find(RPR)
    if before is not None:
        run.remove(before)
    if after is None:
        fresh = ensure(run, RPR, 0)
    else:
        fresh = sides.copy(after)
        run.insert(0, fresh)
    sides.marker.former(fresh, before)


def _runs(
    tokens: Sequence[Token], copy: Callable[[Element], Element] = deepcopy
) -> Iterator[Element]:
    """Yield the elements that hold these tokens: words of one run joined, in runs that look the same."""
    run: Element | None = None
    made: Element | None = None
    for token in tokens:
        if token.run is None:
            run = None
            yield from (node if copy is deepcopy else copy(node) for node in token.nodes)
            continue
        if run is not token.run:
            run = token.run
            made = _shell_of(run, copy)
            yield made
        assert made is not None
        if not token.text:
            made.extend(copy(node) for node in token.nodes)
        elif len(made) and made[-1].tag == T:
            made[-1].text += token.text
        else:
            text = made.makeelement(T)
            text.text = token.text
            text.set(XML_SPACE, "preserve")
            made.append(text)


def _shell_of(run: Element, copy: Callable[[Element], Element]) -> Element:
    made = run.makeelement(R)
    properties = run.find(RPR)
    if properties is not None:
        made.append(copy(properties))
    return made


def _arrive(tokens: Sequence[Token], sides: Sides) -> list[Element]:
    return _mark(list(_runs(tokens, sides.copy)), INS, sides)


def _mark(nodes: Sequence[Element], tag: str, sides: Sides) -> list[Element]:
    holder = nodes[0].makeelement(P)
    holder.extend(nodes)
    mark_content(sides.marker, holder, tag)
    return list(holder)
