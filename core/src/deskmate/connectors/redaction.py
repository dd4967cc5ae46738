"""Takes secret values out of texts and streams, however they are commonly spelled."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar
from urllib.parse import quote

SHORTEST = 8
"""A shorter value would be found everywhere; it cannot be kept secret by its text."""
T = TypeVar("T")


def mark(name: str) -> str:
    """Return what stands in place of a secret's value."""
    return f"⟦secret:{name}⟧"


class Redactor:
    """Knows secret values by name. Empty, it changes nothing."""

    def __init__(self, values: Mapping[str, str]) -> None:
        """`values`: name → value; those shorter than 8 characters are left out."""
        spellings: dict[str, str] = {}
        for name, value in values.items():
            if len(value) >= SHORTEST:
                spellings |= dict.fromkeys(_spellings(value), name)
        ordered = sorted(spellings, key=len, reverse=True)
        self._names = spellings
        self._bytes = {
            spelling.encode(): mark(name).encode() for spelling, name in spellings.items()
        }
        self._in_text = re.compile("|".join(map(re.escape, ordered))) if ordered else None
        in_bytes = b"|".join(re.escape(spelling.encode()) for spelling in ordered)
        self.in_bytes = re.compile(in_bytes) if ordered else None
        self.longest = max((len(spelling) for spelling in self._bytes), default=0)

    def __bool__(self) -> bool:
        """Say whether there is anything to take out."""
        return self._in_text is not None

    def text(self, text: str) -> str:
        """Return a text without the secrets."""
        if self._in_text is None:
            return text
        return self._in_text.sub(lambda found: mark(self._names[found[0]]), text)

    def data(self, data: bytes) -> bytes:
        """Return bytes without the secrets."""
        return data if self.in_bytes is None else self.in_bytes.sub(self.stand_for, data)

    def stand_for(self, found: re.Match[bytes]) -> bytes:
        """Return the mark for one find."""
        return self._bytes[found[0]]

    def value(self, value: T) -> T:
        """Return JSON data or a dataclass without the secrets; unchanged parts are the same objects."""
        return value if self._in_text is None else self._clean(value)

    def _clean(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self._clean(key): self._clean(item) for key, item in value.items()}
        if isinstance(value, tuple | list):
            return type(value)(self._clean(item) for item in value)
        if is_dataclass(value) and not isinstance(value, type):
            old = {field.name: getattr(value, field.name) for field in fields(value) if field.init}
            new = {name: self._clean(item) for name, item in old.items()}
            return replace(value, **new) if new != old else value
        return value


class Scrubber:
    """Takes secrets out of a stream, also where a piece ends in the middle of one."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Return what may go on now; as much as a secret is long may be held back."""
        pattern = self._redactor.in_bytes
        if pattern is None:
            return data
        data = self._held + data
        safe = len(data) - self._redactor.longest + 1
        out, at = [], 0
        for found in pattern.finditer(data):
            if found.start() >= safe:
                break
            out += [data[at : found.start()], self._redactor.stand_for(found)]
            at = found.end()
        if at < safe:
            out.append(data[at:safe])
            at = safe
        self._held = data[at:]
        return b"".join(out)

    def end(self) -> bytes:
        """Return what was held back."""
        held, self._held = self._held, b""
        return self._redactor.data(held)


def _spellings(value: str) -> list[str]:
    """Return the ways in which servers and programs commonly write a value back."""
    raw = value.encode()
    found = [value, quote(value, safe=""), quote(value), json.dumps(value)[1:-1], raw.hex()]
    found += [json.dumps(value, ensure_ascii=False)[1:-1], raw.hex().upper(), value[::-1]]
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for shift in range(3):
            # the outer characters mix with what stands before and after the value
            whole = encode(bytes(shift) + raw).rstrip(b"=").decode()
            cut_end = (len(raw) + shift) % 3 != 0
            core = whole[(0, 2, 3)[shift] : len(whole) - (1 if cut_end else 0)]
            if len(core) >= SHORTEST:
                found.append(core)
    return [spelling for spelling in dict.fromkeys(found) if len(spelling) >= SHORTEST]
