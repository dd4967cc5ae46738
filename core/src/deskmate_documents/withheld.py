"""Words that must not be in a file: how they are found in any spelling of spaces, dashes and quotes, and where they still are.

The search reads the file in another way than what took the words out: every string of every part, attributes and
properties included, and of a PDF the pages by two readers and all strings of its objects.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from deskmate.errors import ToolInputError
from deskmate_documents.opc import Package, parse_xml
from deskmate_documents.quotes import normalise

WORDS_LIMIT = 500
SHORTEST = 2
_DASH, _QUOTE = "[-\u2010-\u2015\u2212\u00ad]", "['\u2018\u2019\u02bc\u00b4`]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A string of a file. `prose`: a paragraph, a page or an address, where personal data may stand."""

    text: str
    where: str
    prose: bool


def check_words(words: Sequence[str]) -> tuple[str, ...]:
    """Return the words without doubles, longest first, so that a part does not spoil its whole.

    Raises:
        ToolInputError: one is shorter than two characters, or there are more than 500.
    """
    known = {" ".join(word.split()): None for word in words if word.strip()}
    if short := [word for word in known if len(re.sub(r"\W", "", word)) < SHORTEST]:
        raise ToolInputError(f"{short[0]!r} is too short to be redacted everywhere.")
    if len(known) > WORDS_LIMIT:
        raise ToolInputError(f"There are more than {WORDS_LIMIT} words to redact.")
    return tuple(sorted(known, key=lambda word: (-len(word), word)))


def pattern_of(words: Sequence[str]) -> re.Pattern[str]:
    """Return a pattern that finds each of the words as whole words, in capitals or not."""
    return re.compile("|".join(map(_one, words)) or r"(?!)", re.IGNORECASE)


def _one(word: str) -> str:
    parts = []
    for sign in word:
        if sign.isspace():
            parts.append(r"[\s\u200b]+")
        elif re.match(_DASH, sign):
            parts.append(_DASH)
        elif re.match(_QUOTE, sign):
            parts.append(_QUOTE)
        else:
            parts.append(re.escape(sign))
    left = r"(?<!\w)" if word[0].isalnum() else ""
    right = r"(?!\w)" if word[-1].isalnum() else ""
    return left + "".join(parts) + right


def remains(file: Path, words: Sequence[str]) -> list[tuple[str, str]]:
    """Return (word, where) of each of the words that a file still holds, once each.

    Raises:
        ToolInputError: it cannot be read, so nothing is proven.
    """
    found: dict[str, str] = {}
    single = [(word, pattern_of([word])) for word in words]
    whole = pattern_of(words)
    for item in strings_of(file):
        for text in {item.text, item.text if item.text.isascii() else normalise(item.text)}:
            if whole.search(text):
                for word, pattern in single:
                    if word not in found and pattern.search(text):
                        found[word] = item.where
    raw = file.read_bytes().lower()
    for word in words:
        coded = [word.lower().encode("utf-8"), word.lower().encode("utf-16-le")]
        if word not in found and len(word) >= 5 and any(code in raw for code in coded):
            found[word] = "the bytes of the file"
    return list(found.items())


def strings_of(file: Path) -> Iterator[Text]:
    """Yield every string of a Word file or PDF.

    Raises:
        ToolInputError: it is neither, or cannot be read.
    """
    if file.suffix.lower() == ".pdf":
        yield from _pdf(file)
        return
    package = Package(file)  # bounds and damage are judged there
    for name in package.names:
        yield Text(text=name, where="the name of a part", prose=False)
        data = package.read(name)
        if name.endswith((".xml", ".rels")):
            yield from _xml(parse_xml(data, name), name)
        else:
            yield from _binary(data, name)
    with zipfile.ZipFile(file) as archive:
        yield Text(text=archive.comment.decode("utf-8", "replace"), where="comment of the archive", prose=False)  # fmt: skip


def _xml(root: Any, name: str) -> Iterator[Text]:
    seen: set[tuple[str, bool]] = set()  # a value says the same wherever it stands
    running: set[Any] = set()  # what stands in a paragraph: "the" of "the|se" is no word
    for node in root.iter():
        if not isinstance(node.tag, str):
            yield Text(text=node.text or "", where=f"a remark in {name}", prose=False)
            continue
        local = node.tag.rpartition("}")[2]
        for key, value in node.attrib.items():
            target = key == "Target" or key.endswith("}href")
            if (value, target) in seen:
                continue
            seen.add((value, target))
            yield Text(text=value, where=f"{local} of {name}", prose=target)
            if "%" in value:
                yield Text(text=unquote(value), where=f"{local} of {name}", prose=target)
        if local == "p":
            running.update(node.iterdescendants())
            yield Text(text=_running(node), where=f"a paragraph of {name}", prose=True)
        elif node not in running and node.text and node.text.strip():
            yield Text(text=node.text, where=f"{local} of {name}", prose=False)


def _running(paragraph: Any) -> str:
    """Return all the text below a paragraph, deleted, hidden and of fields included; breaks and tabs as spaces."""
    parts = []
    for node in paragraph.iter():
        if not isinstance(node.tag, str):
            continue
        local = node.tag.rpartition("}")[2]
        if local in {"br", "tab", "cr", "p"}:
            parts.append(" ")
        elif local == "noBreakHyphen":
            parts.append("-")
        parts.append(node.text or "")
    return "".join(parts)


def _binary(data: bytes, name: str) -> Iterator[Text]:
    for coding in ("latin-1", "utf-16-le"):
        runs = re.findall(r"[^\x00-\x1f]{4,}", data.decode(coding, "ignore"))
        yield Text(text="\n".join(runs), where=name, prose=False)


def _pdf(file: Path) -> Iterator[Text]:
    from deskmate_documents.pdf.opening import guarded, parsed, shown  # noqa: PLC0415
    from deskmate_documents.pdf.tables import mined, readable  # noqa: PLC0415

    with shown(file) as document:
        count = len(document)
        for number in range(1, count + 1):
            page = document[number - 1]
            words = page.get_textpage()
            yield Text(text=words.get_text_range(), where=f"page {number}", prose=True)
            words.close()
            page.close()
    for page in mined(file, list(range(1, count + 1))):
        with readable(file):
            text = page.extract_text() or ""
        yield Text(text=text, where=f"page {page.page_number}", prose=True)
    with parsed(file) as reader, guarded(file):
        for number in _numbers(reader):
            yield from _object(reader, number)


def _numbers(reader: Any) -> list[int]:
    numbers = {number for table in reader.xref.values() for number in table}
    return sorted(numbers | set(reader.xref_objStm))


def _object(reader: Any, number: int) -> Iterator[Text]:
    from pypdf.errors import PyPdfError  # noqa: PLC0415
    from pypdf.generic import IndirectObject  # noqa: PLC0415

    where = f"object {number}"
    try:
        found = IndirectObject(number, 0, reader).get_object()
    except (PyPdfError, ValueError, KeyError, zlib.error):
        return  # what no reader can open; the bytes are looked at as well
    yield from (Text(text=text, where=where, prose=False) for text in _strings(found, 0))


def _strings(node: Any, depth: int) -> Iterator[str]:
    from pypdf.generic import (  # noqa: PLC0415
        ArrayObject,
        ByteStringObject,
        DictionaryObject,
        TextStringObject,
    )

    if isinstance(node, TextStringObject):
        yield str(node)
    elif isinstance(node, ByteStringObject):
        yield bytes(node).decode("latin-1")
    elif isinstance(node, DictionaryObject) and depth < 50:
        for value in node.values():
            yield from _strings(value, depth + 1)
    elif isinstance(node, ArrayObject) and depth < 50:
        for value in node:
            yield from _strings(value, depth + 1)
