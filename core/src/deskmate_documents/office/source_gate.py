"""G-SOURCE: each entry under "Sources" was really opened, and each source that could not be read is named."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from deskmate.errors import ToolError
from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_documents.content import PROSE, Line, read_content

RULE = "G-SOURCE"
_HEADING = re.compile(
    r"^(?:[\d.]+\s+|#+\s*)?(?:sources?|references|sources? (?:used|consulted|read)|source (?:files|documents)|quellen|bibliography|works cited)\s*:?$",
    re.IGNORECASE,
)
_INLINE = re.compile(r"^\**(?:sources?|quellen?)\**\s*:\s*(?P<rest>\S.*)$", re.IGNORECASE)
_NAME = re.compile(
    r"(?<![\w@/])(?P<name>(?:[\w.&()’'-]+/)*[\w&()’'.-]*[\w)]\.(?P<ending>docx?|docm|xlsx?|xlsm|pptx?|pdf|csv|tsv|txt|md|rtf|json|ofx|html?|eml|msg))\b",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(r"[,;:|•·\n\r\"“”«»\[\]]")
_JOINED = re.compile(r"^\s*(?:and|or|und|oder|see)\s", re.IGNORECASE)
_NAME_LIMIT = 100
_URL = re.compile(r"https?://[^\s)>\]”\"]+", re.IGNORECASE)


def check_sources(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Report sources that the host never held or reached, and unreadable ones that the list leaves out."""
    for role, path in deliverable.sources.items():
        if path not in context.sources and path not in context.others:
            yield _finding(f"UNVERIFIED: its {role} {path} was never opened in this thread.")
    if context.file.suffix.lower() not in PROSE:
        return
    content = read_content(context.file)
    before = _before(deliverable, context)
    entries = [(line, text) for line, text in _entries(content.lines) if text not in before]
    for line, text in entries:
        yield from _check_entry(line, text, deliverable, context)
    lost = context.facts.get("unavailable", ())
    if entries and isinstance(lost, list | tuple):
        whole = content.text.lower()
        for path in lost:
            name = PurePosixPath(str(path)).name
            if name.lower() not in whole:
                yield _finding(
                    f"{path} could not be read, and the list of sources does not say so.",
                    fix=f"Name {name} as not available.",
                )


def _before(deliverable: Deliverable, context: ValidationContext) -> frozenset[str]:
    """Return the entries that the file had when the user gave it."""
    file = context.sources.file(deliverable.path)
    try:
        lines = read_content(file).lines if file is not None else ()
    except ToolError:
        return frozenset()
    return frozenset(text for _, text in _entries(lines))


def _finding(message: str, where: str = "", fix: str = "") -> Finding:
    return Finding(
        rule=RULE,
        level="error",
        message=message,
        location=where,
        fix=fix or "Read the source, or take it out of the list.",
    )


def _entries(lines: Iterable[Line]) -> Iterator[tuple[Line, str]]:
    """Yield what is listed under a heading "Sources", and behind "Source:" in a line of its own."""
    inside = False
    for line in lines:
        inline = _INLINE.match(line.text.strip())
        if _HEADING.match(line.text.strip()):
            inside = True
        elif line.heading:
            inside = False
        elif inside:
            yield line, line.text
        elif inline:
            yield line, inline["rest"]


def _check_entry(
    line: Line, text: str, deliverable: Deliverable, context: ValidationContext
) -> Iterator[Finding]:
    hosts = context.facts.get("hosts", ())
    reached = {str(host).lower() for host in hosts} if isinstance(hosts, list | tuple) else set()
    for match in _URL.finditer(text):
        host = (urlsplit(match.group()).hostname or "").lower()
        if host not in reached:
            message = f"Nothing was read from {host} in this thread: {match.group()[:100]}"
            yield _finding(message, line.where)
    left = _URL.sub(" ", text)
    known = {*context.sources, *context.others, deliverable.path}
    if any(_is_said(path, left) for path in known):
        left = _without(known, left)
    start = 0
    for match in _NAME.finditer(left):
        named = _whole_name(left[start : match.end()])
        start = match.end()
        yield _finding(f"UNVERIFIED: {named} was never opened in this thread.", line.where)


def _whole_name(text: str) -> str:
    """Return the name at the end of a text with its blanks, as far as nothing separates it from what is before."""
    name = _JOINED.sub("", _SEPARATOR.split(text)[-1]).strip(" .-–*_`'’\t")
    return name if len(name) <= _NAME_LIMIT else "…" + name[-_NAME_LIMIT:]


def _is_said(path: str, text: str) -> bool:
    return PurePosixPath(path).name.lower() in text.lower()


def _without(known: Iterable[str], text: str) -> str:
    """Return the text without the names of known files, whole paths first, so that names with blanks count."""
    names = {*known, *(PurePosixPath(path).name for path in known)}
    for name in sorted(names, key=len, reverse=True):
        text = re.sub(rf"(?<![\w]){re.escape(name)}(?![\w])", ";", text, flags=re.IGNORECASE)
    return text
