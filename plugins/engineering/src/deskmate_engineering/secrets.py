"""Finds what looks like a secret in text, and never shows it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

LINE_LIMIT = 20_000
_TOKENS = {
    "private key": r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----",
    "AWS access key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,})",
    "GitLab token": r"\bglpat-[A-Za-z0-9_-]{20,}",
    "Slack token": r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
    "Stripe key": r"\b[rs]k_live_[A-Za-z0-9]{20,}",
    "Google API key": r"\bAIza[0-9A-Za-z_-]{35}",
    "API key": r"\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{20,}",
    "JSON web token": r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    "password in a URL": r"\b[a-z][a-z0-9+.-]*://[^\s/:@<>\"']+:(?P<secret>[^\s/@<>\"']{3,})@",
}
_PATTERNS = {kind: re.compile(pattern) for kind, pattern in _TOKENS.items()}
_ASSIGNED = re.compile(
    r"(?i)(?P<name>[\w.-]*(?:passw(?:or)?d|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|credential|authorization|auth)s?(?-i:(?![a-z]))[\w.-]*)"
    r"[\"']?\s*(?:=>|:=|=|:)\s*[\"']?(?P<secret>[^\s\"',;)}\]]{8,})"
)
_HARMLESS = re.compile(
    r"(?i)^(?:[*x.•_-]+|<.*>|\$[({\w].*|%.*|\{\{.*|.*(?:example|changeme|placeholder|your[_-]|dummy|redacted|masked).*"
    r"|(?:none|null|true|false|undefined|required|optional|string|process\.env.*|os\.(?:environ|getenv).*|env\..*)[\w.()\[]*)$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A place that seems to hold one. `masked`: its first four characters at most, and its length."""

    line: int
    kind: str
    masked: str


def find_secrets(text: str) -> Iterator[Secret]:
    """Yield the lines (from 1) that seem to hold a secret, at most one of a kind per line."""
    for number, line in enumerate(text.splitlines(), start=1):
        line = line[:LINE_LIMIT]
        found = False
        for kind, pattern in _PATTERNS.items():
            match = pattern.search(line)
            value = (match.groupdict().get("secret") or match[0]) if match else ""
            if value and not _HARMLESS.match(value):
                found = True
                yield Secret(line=number, kind=kind, masked=mask(value))
        if not found:
            yield from _assigned(number, line)


def masked(line: str) -> str:
    """Return a line with each value in it that seems to be a secret replaced by its mask."""
    spans: list[tuple[int, int]] = []
    for pattern in (*_PATTERNS.values(), _ASSIGNED):
        for match in pattern.finditer(line[:LINE_LIMIT]):
            group = "secret" if "secret" in match.groupdict() else 0
            value = match[group]
            if not _HARMLESS.match(value) and (pattern is not _ASSIGNED or looks_random(value)):
                spans.append(match.span(group))
    for start, end in sorted(spans, reverse=True):
        if "***" not in line[start:end]:
            line = f"{line[:start]}{mask(line[start:end])}{line[end:]}"
    return line


def _assigned(number: int, line: str) -> Iterator[Secret]:
    for match in _ASSIGNED.finditer(line):
        value = match["secret"]
        if not _HARMLESS.match(value) and looks_random(value):
            yield Secret(line=number, kind=f"value of {match['name'][:40]}", masked=mask(value))
            return


def looks_random(value: str) -> bool:
    """Say whether a value is like a key or a password: mixed characters, entropy of 3 bits and more."""
    if re.fullmatch(r"[A-Za-z_]+|[a-z]+(?:[-_.][a-z]+)+|[\w.]+[(\[].*", value) or "::" in value:
        return False
    mixed = bool(re.search(r"\d", value)) or bool(re.search(r"[^\w.\-/]", value))
    return mixed and entropy(value) >= 3.0


def entropy(value: str) -> float:
    """Return Shannon's entropy in bits per character."""
    counts = Counter(value)
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())


def mask(value: str) -> str:
    """Return a form that cannot be used: at most the first four characters and the length."""
    shown = value[:4] if len(value) >= 16 else ""
    return f"{shown}*** ({len(value)} characters)"
