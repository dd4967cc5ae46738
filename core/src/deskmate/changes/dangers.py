"""What is new and may act by itself in a file's content, seen in its bytes alone.

Nothing is unpacked here: of archives and Office files the names of their parts are seen, of PDFs what is
not compressed. What lies deeper is looked at in the clean room.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from deskmate.ports import BlobReader
from deskmate.types.files import Entry

LIMIT_BYTES = 64 << 20
_OVERLAP = 4096
_PROGRAMS = (
    b"\x7fELF", b"MZ", b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"\0asm",
)  # fmt: skip


class _Sign(NamedTuple):
    pattern: re.Pattern[bytes]
    flag: str


def _signs(*pairs: tuple[bytes, str]) -> tuple[_Sign, ...]:
    return tuple(_Sign(re.compile(pattern, re.IGNORECASE), flag) for pattern, flag in pairs)


def _wide(text: str) -> bytes:
    return re.escape(text.encode("utf-16-le"))


_PAGE = _signs(
    (rb"<script|\bon[a-z]{3,20}\s*=\s*[\"']?[^\s\"'>]|javascript:|<handler\b", "holds script"),
    (rb"<(iframe|object|embed|applet|frame)\b", "embeds other content"),
    (rb"http-equiv\s*=\s*[\"']?\s*refresh", "leads to another page by itself"),
    (
        rb"<(img|link|script|iframe|audio|video|source|image|use|base|form)\b[^>]{0,2000}"
        rb"\b(src|href|action|data)\s*=\s*[\"']?\s*(https?:)?//",
        "fetches from the network",
    ),
)
_CELL = rb"(?:^|[\r\n,;\t])[ \"']*[=+@-][^\r\n]{0,400}?"
_TABLE = _signs(
    (_CELL + rb"\b[a-z]{2,20}\|['\"]?[^\r\n|]{0,200}![a-z0-9_]", "starts a program (DDE)"),
    (_CELL + rb"\b(hyperlink|webservice|filterxml|import(xml|data|html|feed|range)|image|rtd|call|"
     rb"register\.id|exec|cube[a-z]+)\s*\(", "holds a formula that reaches outside"),
    (rb"(?:^|[\r\n,;\t])[ \"']*=\s*[a-z(+-]", "holds formulas"),
)  # fmt: skip
_ARCHIVE = _signs(
    (rb"vbaproject\.bin|xl/macrosheets/|basic/standard/", "holds macros"),
    (rb"/activex/", "holds ActiveX controls"),
    (rb"/embeddings/[^/]{0,200}\.(bin|exe|ole)", "holds embedded programs or objects"),
    (rb"xl/externallinks/|xl/connections\.xml|xl/querytables/", "reads other files or databases"),
    (rb"word/_rels/settings\.xml\.rels", "names a template or data source elsewhere"),
    (rb"word/attachedtoolbars|customui/|webextensions/", "changes the program's menus or adds add-ins"),
)  # fmt: skip
_OLD_OFFICE = _signs(
    (_wide("_VBA_PROJECT") + b"|" + _wide("Macros"), "holds macros"),
    (_wide("\x01Ole10Native") + b"|" + _wide("Ole10Native"), "holds embedded programs or objects"),
)
_RICH_TEXT = _signs(
    (rb"\\object\b|\\objdata\b|\\objemb\b", "holds embedded programs or objects"),
    (rb"\\fldinst\W{0,40}dde(auto)?\b|\bddeauto\b", "starts a program (DDE)"),
    (rb"\\\*\\template\s", "names a template or data source elsewhere"),
)
_PDF = _signs(
    (rb"/(javascript|js)\b", "holds script"),
    (rb"/launch\b", "starts a program"),
    (rb"/(embeddedfiles?|richmedia)\b", "holds attached files"),
    (rb"/(submitform|importdata|gotor|gotoe)\b", "sends or fetches data"),
    (rb"/xfa\b", "holds an XFA form, which may hold script"),
)
_XML_OFFICE = _signs(
    (rb"\binstr(text)?\b[^<]{0,80}[\s\"'>]dde(auto)?\b|\bddeauto\b", "starts a program (DDE)"),
    (rb"<office:scripts>|<script:|macrospresent\s*=\s*.yes|bindata[^>]{0,80}editdata", "holds macros"),
)  # fmt: skip
_PAGES = frozenset(["html", "htm", "xhtml", "xht", "shtml", "svg", "mht", "mhtml"])
_TABLES = frozenset(["csv", "tsv", "tab", "slk", "dif", "iqy"])


def content_flags(
    path: str, before: Entry | None, after: Entry | None, blobs: BlobReader
) -> tuple[str, ...]:
    """Return what a file may newly do when it is opened, each in a few words. Raises CorruptData.

    What the earlier file had already is no news; an earlier file that nobody has read has had nothing.
    """
    if after is None or after.kind != "file" or after.sha256 is None:
        return ()
    if before is not None and before.sha256 == after.sha256:
        return ()
    found = _look(path, after, blobs)
    if found and before and before.kind == "file" and before.sha256 and blobs.has(before.sha256):
        had = _look(path, before, blobs)
        found = {flag: None for flag in found if flag not in had}
    return tuple(found)


def _look(path: str, entry: Entry, blobs: BlobReader) -> dict[str, None]:
    assert entry.sha256 is not None
    found: dict[str, None] = {}
    signs: tuple[_Sign, ...] | None = None
    is_pdf = False
    for window in _windows(blobs.chunks(entry.sha256)):
        if signs is None:
            found |= _by_beginning(window)
            signs = _signs_for(path, window)
            is_pdf = signs is _PDF
        text = _plain_names(window) if is_pdf else window
        found |= {sign.flag: None for sign in signs if sign.pattern.search(text)}
    if signs and entry.size > LIMIT_BYTES:
        found[f"only its first {LIMIT_BYTES >> 20} MiB were looked at"] = None
    return found


def _windows(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the beginning of a content in pieces that overlap, so that no sign falls between two."""
    kept, seen = b"", 0
    for chunk in chunks:
        yield kept + chunk
        kept = (kept + chunk)[-_OVERLAP:]
        seen += len(chunk)
        if seen >= LIMIT_BYTES:
            return


def _by_beginning(head: bytes) -> Mapping[str, None]:
    if head.startswith(_PROGRAMS):
        return {"is a program": None}
    if head.startswith(b"#!"):
        return {"is a script": None}
    return {}


def _signs_for(path: str, head: bytes) -> tuple[_Sign, ...]:
    suffix = path.rpartition(".")[2].casefold()
    begin = head[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _ARCHIVE
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        return _OLD_OFFICE
    if b"%PDF-" in head[:1024]:
        return _PDF
    if begin.startswith(b"{\\rt"):
        return _RICH_TEXT
    if suffix in _TABLES:
        return _TABLE
    if suffix in _PAGES or begin.startswith((b"<!doctype html", b"<html", b"<svg")):
        return _PAGE
    if begin.startswith(b"<?xml"):
        return _XML_OFFICE + (_PAGE if b"<svg" in head[:4096].lower() else ())
    return ()


def _plain_names(window: bytes) -> bytes:
    """Return a PDF's bytes with `#41` in names resolved: `/J#61vaScript` is `/JavaScript`."""
    return re.sub(rb"#([0-9A-Fa-f]{2})", lambda code: bytes([int(code[1], 16)]), window)
