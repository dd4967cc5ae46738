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
_OWN = frozenset({PPR} | {w(n) for n in ("sdtPr", "sdtEndPr", "smartTagPr", "customXmlPr")})


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a token. `run` is None for what stands in the paragraph itself, not in a run."""

    node: Element
    run: Element | None = None
    text: str = ""
    look: str = ""


@dataclass(slots=True)
class Token:
    """The smallest thing that stays, goes or comes: a word, an object, a field, a link.

    `key`: equal for what counts as the same. `look`: its formatting. `marker`: a range marker, which is
    kept and not compared; markers inside a word are parts of it.
    """

    key: str
    look: str = ""
    parts: list[Part] = field(default_factory=list)
    marker: bool = False

    @property
    def node(self) -> Element:
        """The token's first element."""
        return self.parts[0].node

    @property
    def run(self) -> Element | None:
        """The run it begins in, if any."""
        return self.parts[0].run

    @property
    def mixed(self) -> bool:
        """Whether it is a word in more than one formatting, or with a marker inside."""
        return len({part.look for part in self.parts}) > 1 or any(p.run is None for p in self.parts)


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
    ours = list(_tokens(left, sides.left))
    theirs = [token for token in _tokens(right, sides.right) if not token.marker]
    plain = [token for token in ours if not token.marker]
    writer = _Writer(sides)
    for kind, i1, i2, j1, j2 in _steps(plain, theirs):
        for offset, token in enumerate(plain[i1:i2]):
            writer.fates[id(token)] = theirs[j1 + offset] if kind == "equal" else None
        if kind != "equal" and j1 < j2:
            writer.arrivals[i2] = theirs[j1:j2]
    out = writer.write(ours)
    kept = [node for node in left if node.tag in _OWN]
    for node in list(left):
        left.remove(node)
    left.extend([*kept, *out])


class _Writer:
    """Writes the tokens of a paragraph with their marks. `fates`: the token of the right that one equals."""

    def __init__(self, sides: Sides) -> None:
        self._sides = sides
        self.fates: dict[int, Token | None] = {}
        self.arrivals: dict[int, list[Token]] = {}
        self._out: list[Element] = []
        self._batch: list[Token] = []

    def write(self, tokens: Sequence[Token]) -> list[Element]:
        """Return the paragraph's new content."""
        count = 0
        for token in tokens:
            if token.marker:
                self._flush()
                self._out.extend(part.node for part in token.parts)
                continue
            stays = self.fates[id(token)] is not None
            if stays and count in self.arrivals:
                self._flush()
                self._arrive(count)
            if self._batch and (self.fates[id(self._batch[-1])] is not None) != stays:
                self._flush()
            self._batch.append(token)
            count += 1
        self._flush()
        for place in list(self.arrivals):
            self._arrive(place)
        return self._out

    def _arrive(self, place: int) -> None:
        parts = [part for token in self.arrivals.pop(place) for part in token.parts]
        nodes = list(
            _elements(
                [p for p in parts if p.run is not None or not _is_marker(p.node)], self._sides.copy
            )
        )
        self._out.extend(_mark(nodes, INS, self._sides))

    def _flush(self) -> None:
        batch, self._batch = self._batch, []
        if not batch:
            return
        if self.fates[id(batch[0])] is None:
            parts = [part for token in batch for part in token.parts]
            self._out.extend(_mark(list(_elements(parts)), DEL, self._sides))
            return
        start = 0
        for at in range(1, len(batch) + 1):
            if at == len(batch) or not self._alike(batch[at - 1], batch[at]):
                self._out.extend(self._keep(batch[start:at]))
                start = at

    def _alike(self, one: Token, two: Token) -> bool:
        """Say whether two tokens that stay can be written in one go."""
        first, second = self.fates[id(one)], self.fates[id(two)]
        if one.run is None or two.run is None or first is None or second is None:
            return False
        return (one.look == first.look) and (two.look == second.look)

    def _keep(self, tokens: Sequence[Token]) -> list[Element]:
        elements = list(_elements([part for token in tokens for part in token.parts]))
        token, other = tokens[0], self.fates[id(tokens[0])]
        if other is None or other.look == token.look:
            return elements
        if token.run is None or other.run is None:
            _compare_shell(token.node, other.node, self._sides)
            return elements
        if token.node.tag in _NOTES:
            self._sides.note(_NOTES[token.node.tag], token.node.get(ID), other.node.get(ID))
        before, after = token.run.find(RPR), other.run.find(RPR)
        if self._sides.left.form(before) != self._sides.right.form(after):
            for run in elements:
                _reformat(run, other.run, self._sides)
        return elements


def _is_marker(node: Element) -> bool:
    return node.tag in MARKERS or (node.tag == R and node.find(_ANCHOR) is not None)


def _steps(ours: Sequence[Token], theirs: Sequence[Token]) -> list[tuple[str, int, int, int, int]]:
    """Return opcodes of the tokens; replacements that only a space keeps apart become one."""
    out: list[tuple[str, int, int, int, int]] = []
    for code in _split_mixed(ours, theirs):
        if len(out) > 1 and code[0] == "replace" and out[-2][0] == "replace":
            gap = ours[out[-1][1] : out[-1][2]]
            if all(token.key.isspace() for token in gap):
                first = out[-2]
                out[-2:] = [("replace", first[1], code[2], first[3], code[4])]
                continue
        out.append(code)
    return out


def _split_mixed(
    ours: Sequence[Token], theirs: Sequence[Token]
) -> Iterator[tuple[str, int, int, int, int]]:
    """Yield opcodes; equal words whose formatting differs within the word count as replaced."""
    for kind, i1, i2, j1, j2 in opcodes([t.key for t in ours], [t.key for t in theirs]):
        if kind != "equal":
            yield kind, i1, i2, j1, j2
            continue
        start = 0
        for offset in range(i2 - i1):
            one, two = ours[i1 + offset], theirs[j1 + offset]
            if one.look != two.look and (one.mixed or two.mixed):
                if start < offset:
                    yield "equal", i1 + start, i1 + offset, j1 + start, j1 + offset
                yield "replace", i1 + offset, i1 + offset + 1, j1 + offset, j1 + offset + 1
                start = offset + 1
        if start < i2 - i1:
            yield "equal", i1 + start, i2, j1 + start, j2


def _tokens(parent: Element, canon: Canon) -> Iterator[Token]:
    waiting: list[Part] = []
    for token in _atoms(parent, canon):
        if token.marker or (token.run is not None and token.node.tag == T):
            waiting.extend(token.parts)
            continue
        yield from _words(waiting)
        waiting = []
        yield token
    yield from _words(waiting)


def _words(parts: Sequence[Part]) -> Iterator[Token]:
    """Yield the words of running text, whatever runs and markers they are spread over."""
    todo = list(reversed(parts))
    for word in words("".join(part.text for part in parts)):
        while todo[-1].run is None:
            yield Token("", parts=[todo.pop()], marker=True)
        held: list[Part] = []
        missing = len(word)
        while missing:
            part = todo.pop()
            if len(part.text) > missing:
                todo.append(Part(part.node, part.run, part.text[missing:], part.look))
                part = Part(part.node, part.run, part.text[:missing], part.look)
            missing -= len(part.text)
            if part.run is None or part.text:
                held.append(part)
        looks = [p.look for p in held if p.run is not None]
        spread = "|".join(f"{len(p.text)}:{p.look}" for p in held if p.run is not None)
        yield Token(word, looks[0] if len(set(looks)) == 1 else spread, held)
    for part in reversed(todo):
        if part.run is None:
            yield Token("", parts=[part], marker=True)


def _atoms(parent: Element, canon: Canon) -> Iterator[Token]:
    """Yield what a paragraph is made of, text not yet cut to words, fields in one piece."""
    depth = 0
    group = Token("")
    for node in parent:
        tag = node.tag
        if not isinstance(tag, str) or tag in _OWN:
            continue
        inside = depth > 0
        depth += _field_step(node)
        if inside or depth > 0:
            group.parts.append(Part(node))
            group.key += canon.form(node)
            if depth <= 0:
                yield group
                group, depth = Token(""), 0
        elif _is_marker(node):
            yield Token("", parts=[Part(node)], marker=True)
        elif tag == R:
            yield from _run_atoms(node, canon)
        elif tag in SHELLS:
            yield Token(canon.shell(node), "\n".join(_inside(node, canon)), [Part(node)])
        else:
            yield Token(canon.form(node), "", [Part(node)])
    if group.parts:
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


def _run_atoms(run: Element, canon: Canon) -> Iterator[Token]:
    look = canon.form(run.find(RPR))
    for node in run:
        if node.tag in (RPR, w("lastRenderedPageBreak")) or not isinstance(node.tag, str):
            continue
        if node.tag == T:
            yield Token("", look, [Part(node, run, node.text or "", look)])
        elif node.tag in _NOTES:
            kind = _NOTES[node.tag]
            yield Token(f"<{kind}>", look + canon.note(node, kind), [Part(node, run, "", look)])
        else:
            yield Token(canon.form(node) or str(node.tag), look, [Part(node, run, "", look)])


def _compare_shell(left: Element, right: Element, sides: Sides) -> None:
    ours = child(left, "sdtContent") if left.tag == w("sdt") else left
    theirs = child(right, "sdtContent") if right.tag == w("sdt") else right
    if ours is not None and theirs is not None:
        compare_inline(ours, theirs, sides)


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


def _elements(
    parts: Sequence[Part], copy: Callable[[Element], Element] | None = None
) -> Iterator[Element]:
    """Yield elements that hold these parts, text of one run joined. `copy`: for what comes from the right."""
    run: Element | None = None
    look = ""
    made: Element | None = None
    for part in parts:
        if part.run is None:
            made = None
            yield part.node if copy is None else copy(part.node)
            continue
        same = part.run is run or (copy is not None and part.look == look)
        if made is None or not same:
            run, look = part.run, part.look
            made = _empty_run(part.run, copy or deepcopy)
            yield made
        if part.node.tag != T:
            made.append((copy or deepcopy)(part.node))
        elif len(made) and made[-1].tag == T:
            made[-1].text += part.text
        else:
            text = made.makeelement(T, {XML_SPACE: "preserve"})
            text.text = part.text
            made.append(text)


def _empty_run(run: Element, copy: Callable[[Element], Element]) -> Element:
    made = run.makeelement(R)
    properties = run.find(RPR)
    if properties is not None:
        made.append(copy(properties))
    return made


def _mark(nodes: Sequence[Element], tag: str, sides: Sides) -> list[Element]:
    if not nodes:
        return []
    holder = nodes[0].makeelement(P)
    holder.extend(nodes)
    mark_content(sides.marker, holder, tag)
    return list(holder)
