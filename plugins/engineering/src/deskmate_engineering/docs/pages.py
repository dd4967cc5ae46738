"""Takes a Markdown file apart as far as its links and code are concerned (CommonMark 0.31, GitHub's anchors)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape

_FENCE = re.compile(r"^(?P<indent> {0,3}|\s*)(?P<mark>`{3,}|~{3,})\s*(?P<info>[^`]*)$")
_HEADING = re.compile(r"^ {0,3}(#{1,6})(?:\s+(.*?))?(?:\s+#+)?\s*$")
_LINK = re.compile(
    r"!?\[(?:[^\[\]]|\[[^\[\]]*\]|!\[[^\]]*\]\([^)]*\))*\]\(\s*(<[^>]*>|[^\s()]*(?:\([^\s()]*\)[^\s()]*)*)(?:\s+[\"'(].*?[\"')])?\s*\)"
)
_DEFINITION = re.compile(r"^ {0,3}\[([^\]]+)\]:\s*(<[^>]*>|\S+)")
_REFERENCE = re.compile(r"!?\[([^\[\]]+)\]\[([^\[\]]*)\]")
_HTML = re.compile(r"<(?:a|img)\b[^>]*?\b(?:href|src)\s*=\s*[\"']([^\"']+)", re.IGNORECASE)
_HTML_ID = re.compile(r"\b(?:id|name)\s*=\s*[\"']([^\"']+)", re.IGNORECASE)
_CODE = re.compile(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """`target`: as it is written. `line`: from 1."""

    target: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block of code. `language`: first word after the fence, small letters. `line`: of its first line of code."""

    language: str
    info: str
    text: str
    line: int
    closed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a Markdown file has. `anchors`: what a link to it may name. `spans`: inline code. `lost`: references without a definition."""

    links: tuple[Link, ...]
    blocks: tuple[Block, ...]
    spans: tuple[Link, ...]
    anchors: frozenset[str]
    lost: tuple[Link, ...]


def read_page(text: str) -> Page:
    """Return what a Markdown text has."""
    blocks, prose = _split(text.replace("\r\n", "\n").split("\n"))
    anchors: dict[str, int] = {}
    links: list[Link] = []
    spans: list[Link] = []
    wanted: list[tuple[str, int]] = []
    defined: set[str] = set()
    for number, raw in prose:
        if match := _HEADING.match(raw):
            name = slug(match[2] or "")
            seen = anchors.get(name, 0)
            anchors[name] = seen + 1
            if seen:
                anchors[f"{name}-{seen}"] = 1
        for name in _HTML_ID.findall(raw):
            anchors.setdefault(name, 1)
        spans += [Link(target=code.strip(), line=number) for _, code in _CODE.findall(raw)]
        line = _CODE.sub(lambda found: "x" * len(found[0]), raw)
        if match := _DEFINITION.match(line):
            defined.add(_label(match[1]))
            links.append(Link(target=match[2].strip("<>"), line=number))
            continue
        links += [Link(target=unescape(t.strip("<>")), line=number) for t in _targets(line)]
        wanted += [(second or first, number) for first, second in _REFERENCE.findall(line)]
    lost = [
        Link(target=name, line=n) for name, n in wanted if defined and _label(name) not in defined
    ]
    return Page(
        links=tuple(links), blocks=tuple(blocks), spans=tuple(spans),
        anchors=frozenset(anchors), lost=tuple(lost),
    )  # fmt: skip


def _targets(line: str) -> Iterator[str]:
    yield from _LINK.findall(line)
    # a picture inside a link is within the link's own brackets
    for inner in re.findall(r"\[(!\[[^\]]*\]\([^)]*\))\]", line):
        yield from _LINK.findall(inner)
    yield from _HTML.findall(line)


def _label(name: str) -> str:
    return " ".join(name.lower().split())


def _split(lines: list[str]) -> tuple[list[Block], list[tuple[int, str]]]:
    """Return blocks of code, and the other lines with their numbers; comments are neither."""
    blocks: list[Block] = []
    prose: list[tuple[int, str]] = []
    number, comment = 0, False
    while number < len(lines):
        line = lines[number]
        if comment:
            _, mark, line = line.partition("-->")
            comment = not mark
        if not comment and "<!--" in (line := re.sub(r"<!--.*?-->", "", line)):
            line, comment = line.partition("<!--")[0], True
        fence = _FENCE.match(line)
        if fence is None:
            prose.append((number + 1, line))
            number += 1
            continue
        block, number = _block(lines, number, fence)
        blocks.append(block)
    return blocks, prose


def _block(lines: list[str], start: int, fence: re.Match[str]) -> tuple[Block, int]:
    mark, indent = fence["mark"], len(fence["indent"])
    end = start + 1
    close = re.compile(rf"^\s*{re.escape(mark[0])}{{{len(mark)},}}\s*$")
    while end < len(lines) and not close.match(lines[end]):
        end += 1
    inside = [row[min(indent, len(row) - len(row.lstrip())) :] for row in lines[start + 1 : end]]
    info = fence["info"].strip()
    language = re.split(r"[\s,{:]", info.lstrip("{."), maxsplit=1)[0].lower() if info else ""
    block = Block(
        language=language,
        info=info,
        text="\n".join(inside),
        line=start + 2,
        closed=end < len(lines),
    )
    return block, end + 1


def slug(heading: str) -> str:
    """Return a heading's anchor as GitHub makes it."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    text = re.sub(r"<[^>]*>", "", unescape(text)).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
