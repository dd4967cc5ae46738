"""Facts of XBRL: instance documents and inline XBRL, each with context, unit, sign, scale and place; nothing is fetched.

Read from the files alone: no taxonomy is loaded, so that labels and types are not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import LIMIT_BYTES
from deskmate_finance.camt import local, parse_xml

XBRLI = "http://www.xbrl.org/2003/instance"
XBRLDI = "http://xbrl.org/2006/xbrldi"
LINK = "http://www.xbrl.org/2003/linkbase"
INLINE = ("http://www.xbrl.org/2013/inlineXBRL", "http://www.xbrl.org/2008/inlineXBRL")
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
FACTS_LIMIT = 20_000
TEXT_LIMIT = 32_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Of whom and when. `start` is "" for an instant. `dimensions`: (axis, member) in order."""

    id: str
    entity: str
    start: str
    end: str
    dimensions: tuple[tuple[str, str], ...]

    @property
    def period(self) -> str:
        """The period in words."""
        return f"{self.start} to {self.end}" if self.start else self.end

    @property
    def key(self) -> tuple[str, str, str, tuple[tuple[str, str], ...]]:
        """What two contexts of one meaning share."""
        return (self.entity, self.start, self.end, tuple(sorted(self.dimensions)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One fact. `value`: of a figure, sign and scale applied; None for texts and nil. `place`: its id or number."""

    place: str
    concept: str
    context: str
    unit: str
    value: Decimal | None
    text: str
    decimals: str
    scale: int = 0
    sign: str = ""
    nil: bool = False

    @property
    def unsure(self) -> Decimal:
        """By how much the figure may differ from the exact one by its rounding; 0 if it is exact or not said."""
        if self.value is None or not re.fullmatch(r"-?\d{1,2}", self.decimals):
            return Decimal()
        return Decimal(1).scaleb(-int(self.decimals)) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing:
    """All facts of a file. `units`: id → in words, such as iso4217:USD per shares."""

    name: str
    kind: str
    contexts: Mapping[str, Context]
    units: Mapping[str, str]
    facts: tuple[Fact, ...]


def read_filing(file: Path, name: str) -> Filing:
    """Return the facts of an XBRL instance or an inline XBRL document.

    Raises:
        ToolInputError: it is neither, hostile or damaged, or a fact names a context or unit that is not there, or its
            figure cannot be read.
    """
    if file.stat().st_size > LIMIT_BYTES:
        raise ToolInputError(f"{name} is larger than {LIMIT_BYTES // 2**20} MiB.")
    data = file.read_bytes()
    # reports are XHTML, whose harmless document type is customary; entities are refused all the same
    root = parse_xml(data, name, dtd=True)
    inline = any(_space(node) in INLINE for node in root.iter())
    if not inline and root.tag != f"{{{XBRLI}}}xbrl":
        raise ToolInputError(f"{name} is neither an XBRL instance nor inline XBRL.")
    contexts = {c.id: c for c in map(_context, root.iter(f"{{{XBRLI}}}context"))}
    units = {str(node.get("id", "")): _unit(node, name) for node in root.iter(f"{{{XBRLI}}}unit")}
    found = list(_inline(root, name) if inline else _instance(root, name, _prefixes(data)))
    if not found:
        raise ToolInputError(f"{name} holds no facts.")
    if len(found) > FACTS_LIMIT:
        raise ToolInputError(f"{name} has more than {FACTS_LIMIT} facts.")
    facts = tuple(_checked(fact, contexts, units, name) for fact in found)
    kind = "inline XBRL" if inline else "instance document"
    return Filing(name=name, kind=kind, contexts=contexts, units=units, facts=facts)


def _space(node: Any) -> str:
    tag = node.tag if isinstance(node.tag, str) else ""
    return tag[1:].partition("}")[0] if tag.startswith("{") else ""


def _words(node: Any) -> str:
    return " ".join("".join(node.itertext()).split())


def _shown_words(node: Any) -> str:
    """Return an inline element's text without what it excludes."""

    def texts(one: Any) -> Iterator[str]:
        yield one.text or ""
        for child in one:
            if _space(child) not in INLINE or local(child) != "exclude":
                yield from texts(child)
            yield child.tail or ""

    return " ".join("".join(texts(node)).split())


def _context(node: Any) -> Context:
    def of(name: str) -> str:
        found = next(node.iter(f"{{{XBRLI}}}{name}"), None)
        return "" if found is None else _words(found)

    dimensions = []
    for member in node.iter():
        if _space(member) == XBRLDI:
            dimensions.append((str(member.get("dimension", "")), _words(member)))
    return Context(
        id=str(node.get("id", "")),
        entity=of("identifier"),
        start=of("startDate"),
        end=of("endDate") or of("instant") or "for ever",
        dimensions=tuple(dimensions),
    )


def _unit(node: Any, name: str) -> str:
    def measures(under: Any) -> str:
        return " × ".join(_words(m) for m in under.iter(f"{{{XBRLI}}}measure"))

    above = next(node.iter(f"{{{XBRLI}}}unitNumerator"), None)
    below = next(node.iter(f"{{{XBRLI}}}unitDenominator"), None)
    found = (
        f"{measures(above)} per {measures(below)}"
        if above is not None and below is not None
        else measures(node)
    )
    if not found:
        raise ToolInputError(f"{name}: the unit {node.get('id')} has no measure.")
    return found


def _instance(root: Any, name: str, prefixes: Mapping[str, str]) -> Iterator[Fact]:
    """Yield the facts of an instance: elements with a context, also within tuples."""
    for number, node in enumerate(root.iter(), 1):
        if not isinstance(node.tag, str) or node.get("contextRef") is None:
            continue
        if _space(node) in (XBRLI, LINK):
            continue
        text, nil = _words(node), node.get(NIL) in ("true", "1")
        where = str(node.get("id") or f"element {number}")
        unit = str(node.get("unitRef", ""))
        value = None if nil or not unit else _figure(text, f"{name}, {where}")
        yield Fact(
            place=where, concept=f"{prefixes.get(_space(node), _space(node))}:{local(node)}", context=str(node.get("contextRef")), unit=unit,
            value=value, text="" if nil else text, decimals=str(node.get("decimals", "")), nil=nil,
        )  # fmt: skip


def _prefixes(data: bytes) -> dict[str, str]:
    """Return namespace → prefix as a file declares it first; the parser does not keep prefixes."""
    found: dict[str, str] = {}
    declared = re.findall(rb"""xmlns:([\w.\-]+)\s*=\s*["']([^"'<>]+)["']""", data)
    for prefix, space in declared:
        found.setdefault(space.decode("utf-8", "replace"), prefix.decode("utf-8", "replace"))
    return found


def _inline(root: Any, name: str) -> Iterator[Fact]:
    """Yield the facts of inline XBRL: ix:nonFraction, ix:fraction refused, ix:nonNumeric with its continuations."""
    more = {
        str(node.get("id", "")): node
        for node in root.iter()
        if _space(node) in INLINE and local(node) == "continuation"
    }
    for number, node in enumerate(root.iter(), 1):
        if _space(node) not in INLINE:
            continue
        kind, where = local(node), str(node.get("id") or f"element {number}")
        if kind == "fraction":
            raise ToolInputError(f"{name}, {where}: fractions of inline XBRL are not read.")
        if kind not in ("nonFraction", "nonNumeric"):
            continue
        nil = node.get(NIL) in ("true", "1")
        fact = Fact(
            place=where, concept=str(node.get("name", "")), context=str(node.get("contextRef", "")),
            unit=str(node.get("unitRef", "")), value=None, text="" if nil else _continued(node, more, f"{name}, {where}"),
            decimals=str(node.get("decimals", "")), sign=str(node.get("sign", "")), nil=nil,
        )  # fmt: skip
        yield fact if kind == "nonNumeric" or nil else _scaled(fact, node, f"{name}, {where}")


def _continued(node: Any, more: Mapping[str, Any], where: str) -> str:
    texts, seen = [_shown_words(node)], set()
    following = node.get("continuedAt")
    while following:
        if following in seen or following not in more:
            raise ToolInputError(
                f"{where}: its continuation {following} is not there, or a circle."
            )
        seen.add(following)
        texts.append(_shown_words(more[following]))
        following = more[following].get("continuedAt")
    return " ".join(filter(None, texts))


def _scaled(fact: Fact, node: Any, where: str) -> Fact:
    """Return a figure with its format, scale and sign applied."""
    scale = str(node.get("scale", "") or "0")
    if not re.fullmatch(r"[+-]?\d{1,2}", scale) or fact.sign not in ("", "-"):
        raise ToolInputError(f"{where}: the scale {scale!r} or the sign {fact.sign!r} is none.")
    shown = _shown(fact.text, str(node.get("format", "")).rpartition(":")[2], where)
    value = shown.scaleb(int(scale))
    return replace(fact, value=-value if fact.sign else value, scale=int(scale))


_ZERO = frozenset(("zerodash", "fixed-zero", "numdash", "fixedzero"))
# the registry of 2010 names the mark of thousands first: numcommadot has a decimal point
_COMMA = frozenset(
    (
        "numcommadecimal",
        "num-comma-decimal",
        "numspacecomma",
        "numdotcomma",
        "numcomma",
        "num-comma-decimal-apos",
    )
)
_POINT = frozenset(
    ("numdotdecimal", "num-dot-decimal", "numcommadot", "numspacedot", "num-dot-decimal-apos")
)


def _shown(text: str, form: str, where: str) -> Decimal:
    """Return what a shown figure says by its format (transformation registry)."""
    if form in _ZERO:
        return Decimal()
    if not form:
        return _figure(text, where)
    if form in _POINT:
        bare = re.sub(r"[,\s\u00a0'’]", "", text)
    elif form in _COMMA:
        bare = re.sub(r"[.\s\u00a0'’]", "", text).replace(",", ".")
    else:
        raise ToolInputError(f"{where}: the format {form} is not known; its figure is not read.")
    return _figure(bare, where)


def _figure(text: str, where: str) -> Decimal:
    bare = text.strip()
    try:
        figure = Decimal(bare)
    except InvalidOperation as problem:
        raise ToolInputError(f"{where}: {text[:40]!r} is no figure.") from problem
    if not figure.is_finite() or abs(figure.adjusted()) > 40:
        raise ToolInputError(f"{where}: {text[:40]!r} is no figure.")
    return figure


def _checked(
    fact: Fact, contexts: Mapping[str, Context], units: Mapping[str, str], name: str
) -> Fact:
    if fact.context not in contexts:
        raise ToolInputError(f"{name}, {fact.place}: the context {fact.context!r} is not there.")
    if fact.unit and fact.unit not in units:
        raise ToolInputError(f"{name}, {fact.place}: the unit {fact.unit!r} is not there.")
    return fact
