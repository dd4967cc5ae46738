"""Automatic numbers: what Word prints before a paragraph, computed from styles and numbering parts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from deskmate_documents.docx.wml import VAL, child, is_on, val, w
from deskmate_documents.opc import Element

LEVELS = 9
_COUNTERS = re.compile(r"%([1-9])")
_CORE = re.compile(r"[(\[]?%[1-9](?:.*%[1-9])?[)\]]?", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level of a list. `restart`: the level (1-based) whose number resets it; 0: never; None: any."""

    start: int = 1
    format: str = "decimal"
    text: str = ""
    legal: bool = False
    style: str = ""
    restart: int | None = None


@dataclass(slots=True, kw_only=True)
class Style:
    """What a paragraph style says about headings and lists, its ancestors included."""

    name: str
    outline: int | None = None
    list_id: str | None = None
    level: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A paragraph's number. `label`: as printed, "(a)"; `full`: with its ancestors, "4.2(a)"."""

    label: str = ""
    full: str = ""


NONE = Number()


class StyleSheet:
    """Paragraph styles by id."""

    def __init__(self, root: Element | None) -> None:
        """`root`: of styles.xml, or None if the document has none."""
        self._nodes: dict[str, Element] = {}
        self.default = ""
        for node in () if root is None else root.iterfind(w("style")):
            if node.get(w("type"), "paragraph") == "paragraph":
                self._nodes[node.get(w("styleId"), "")] = node
                if node.get(w("default")) in {"1", "true", "on"}:
                    self.default = node.get(w("styleId"), "")
        self._known: dict[str, Style] = {}

    def get(self, style_id: str) -> Style:
        """Return a style with what it inherits; an unknown id gives a style of that name."""
        if style_id not in self._known:
            self._known[style_id] = self._resolve(style_id)
        return self._known[style_id]

    def _resolve(self, style_id: str) -> Style:
        node = self._nodes.get(style_id)
        style = Style(name=val(child(node, "name"), style_id))
        seen: set[str] = set()
        while node is not None and style_id not in seen:
            seen.add(style_id)
            self._inherit(style, node)
            style_id = val(child(node, "basedOn"))
            node = self._nodes.get(style_id)
        return style

    def _inherit(self, style: Style, node: Element) -> None:
        outline = child(node, "pPr", "outlineLvl")
        if style.outline is None and outline is not None:
            style.outline = _int(val(outline), 9)
        number = child(node, "pPr", "numPr")
        if number is not None:
            if style.list_id is None and child(number, "numId") is not None:
                style.list_id = val(child(number, "numId"))
            if style.level is None and child(number, "ilvl") is not None:
                style.level = _int(val(child(number, "ilvl")), 0)

    def list_of(self, style_id: str) -> str:
        """Return the list that a numbering style points to (its numbering id), or ""."""
        return self.get(style_id).list_id or ""


@dataclass(slots=True)
class _State:
    """Counters of one abstract list, and the full number last printed at each level."""

    counts: list[int | None] = field(default_factory=lambda: [None] * LEVELS)
    printed: list[str] = field(default_factory=lambda: [""] * LEVELS)


class Numbering:
    """Counts paragraphs in document order; call `number` once for each paragraph."""

    def __init__(self, root: Element | None, styles: StyleSheet) -> None:
        """`root`: of numbering.xml, or None."""
        self._styles = styles
        self._abstract: dict[str, dict[int, Level]] = {}
        self._links: dict[str, str] = {}
        self._style_links: dict[str, str] = {}
        self._lists: dict[str, tuple[str, dict[int, Level], dict[int, int]]] = {}
        self._state: dict[str, _State] = {}
        self._started: set[tuple[str, int]] = set()
        if root is not None:
            self._read(root)

    def _read(self, root: Element) -> None:
        for node in root.iterfind(w("abstractNum")):
            name = node.get(w("abstractNumId"), "")
            self._abstract[name] = {
                _int(level.get(w("ilvl"), "0"), 0): _level(level)
                for level in node.iterfind(w("lvl"))
            }
            if child(node, "numStyleLink") is not None:
                self._links[name] = val(child(node, "numStyleLink"))
            if child(node, "styleLink") is not None:
                self._style_links[val(child(node, "styleLink"))] = name
        for node in root.iterfind(w("num")):
            levels: dict[int, Level] = {}
            starts: dict[int, int] = {}
            for override in node.iterfind(w("lvlOverride")):
                index = _int(override.get(w("ilvl"), "0"), 0)
                if child(override, "lvl") is not None:
                    levels[index] = _level(child(override, "lvl"))
                if child(override, "startOverride") is not None:
                    starts[index] = _int(val(child(override, "startOverride")), 1)
            self._lists[node.get(w("numId"), "")] = (
                val(child(node, "abstractNumId")),
                levels,
                starts,
            )

    def number(self, paragraph: Element, style_id: str) -> Number:
        """Return the number of the next paragraph in document order; an empty one for none."""
        found = self._place(paragraph, style_id)
        if found is None:
            return NONE
        list_id, index = found
        abstract, overrides, starts = self._lists[list_id]
        abstract = self._followed(abstract)
        levels = {**self._abstract.get(abstract, {}), **overrides}
        level = levels.get(index)
        if level is None:
            return NONE
        state = self._state.setdefault(abstract, _State())
        self._count(state, list_id, index, levels, starts)
        return self._print(state, index, levels)

    def _followed(self, abstract: str) -> str:
        """Return the abstract list that holds the levels, behind a link to a numbering style."""
        if abstract in self._links:
            return self._style_links.get(self._links[abstract], abstract)
        return abstract

    def _place(self, paragraph: Element, style_id: str) -> tuple[str, int] | None:
        """Return the list and level of a paragraph: its own, else its style's."""
        style = self._styles.get(style_id)
        own = child(paragraph, "pPr", "numPr")
        list_id, level = style.list_id, style.level
        by_style = True
        if own is not None and child(own, "numId") is not None:
            list_id, by_style = val(child(own, "numId")), False
            level = None
        if own is not None and child(own, "ilvl") is not None:
            level = _int(val(child(own, "ilvl")), 0)
        if list_id is None or list_id == "0" or list_id not in self._lists:
            return None
        if level is None or by_style:
            level = self._level_of_style(list_id, style_id, level or 0)
        return list_id, min(max(level, 0), LEVELS - 1)

    def _level_of_style(self, list_id: str, style_id: str, default: int) -> int:
        abstract, overrides, _ = self._lists[list_id]
        levels = {**self._abstract.get(self._followed(abstract), {}), **overrides}
        return next((i for i, level in levels.items() if level.style == style_id), default)

    def _count(
        self,
        state: _State,
        list_id: str,
        index: int,
        levels: Mapping[int, Level],
        starts: Mapping[int, int],
    ) -> None:
        fresh = (list_id, index) not in self._started
        self._started.add((list_id, index))
        current = state.counts[index]
        if fresh and index in starts:
            state.counts[index] = starts[index]
        elif current is None:
            state.counts[index] = starts.get(index, levels[index].start)
        else:
            state.counts[index] = current + 1
        for upper in range(index):
            if state.counts[upper] is None:
                state.counts[upper] = levels[upper].start if upper in levels else 1
        for lower in range(index + 1, LEVELS):
            restart = levels[lower].restart if lower in levels else None
            if restart is None or (restart != 0 and index < restart):
                state.counts[lower] = None
                state.printed[lower] = ""

    def _print(self, state: _State, index: int, levels: Mapping[int, Level]) -> Number:
        level = levels[index]
        state.printed[index] = ""
        if level.format in {"bullet", "none"} or not _COUNTERS.search(level.text):
            return NONE

        def counter(match: re.Match[str]) -> str:
            which = int(match.group(1)) - 1
            kind = levels[which].format if which in levels else "decimal"
            return formatted(state.counts[which] or 0, "decimal" if level.legal else kind)

        label = _COUNTERS.sub(counter, level.text).strip()
        core = _CORE.search(level.text)
        full = _COUNTERS.sub(counter, core.group()) if core else label
        lowest = min(int(n) for n in _COUNTERS.findall(level.text)) - 1
        above = next((state.printed[i] for i in range(lowest - 1, -1, -1) if state.printed[i]), "")
        if above:
            full = above + full if full[0] in "([" else f"{above}.{full}"
        state.printed[index] = full
        return Number(label=label, full=full)


def _level(node: Element) -> Level:
    restart = child(node, "lvlRestart")
    return Level(
        start=_int(val(child(node, "start"), "1"), 1),
        format=val(child(node, "numFmt"), "decimal"),
        text=val(child(node, "lvlText")),
        legal=is_on(child(node, "isLgl")),
        style=val(child(node, "pStyle")),
        restart=None if restart is None else _int(restart.get(VAL, ""), 0),
    )


def _int(text: str, default: int) -> int:
    try:
        return int(text)
    except ValueError:
        return default


def _letters(number: int) -> str:
    # Word goes on after z with aa, bb, cc.
    return chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1) if 0 < number < 781 else ""


def _roman(number: int) -> str:
    if not 0 < number < 4000:
        return str(number)
    signs = ["m", "cm", "d", "cd", "c", "xc", "l", "xl", "x", "ix", "v", "iv", "i"]
    values = (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1)
    out = ""
    for value, sign in zip(values, signs, strict=True):
        out += sign * (number // value)
        number %= value
    return out


def _ordinal(number: int) -> str:
    ending = (
        "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    )
    return f"{number}{ending}"


_FORMATS: dict[str, Callable[[int], str]] = {
    "decimal": str,
    "decimalZero": lambda n: f"{n:02d}",
    "lowerLetter": _letters,
    "upperLetter": lambda n: _letters(n).upper(),
    "lowerRoman": _roman,
    "upperRoman": lambda n: _roman(n).upper(),
    "ordinal": _ordinal,
    "none": lambda _n: "",
}


def formatted(number: int, kind: str) -> str:
    """Return a counter as Word prints it in this format; unknown formats print as decimal."""
    return _FORMATS.get(kind, str)(number)
