"""Looks in a plugin's texts for what only means to steer a model behind its user's back, or hides from a reader.

A net with known holes, for authors and reviewers: who agrees to a plugin is shown its texts all the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping

_SHOWN = 80
_HIDDEN = re.compile(
    "[\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\u00ad\u115f\u1160\u3164\U000e0000-\U000e0fff]"
)
_COMMENT = re.compile(r"<!--(.*?)-->", re.DOTALL)
_PACKED = re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{160,}={0,2}(?![A-Za-z0-9+/=])")
_ORDERS: Mapping[str, re.Pattern[str]] = {
    what: re.compile(pattern, re.IGNORECASE)
    for what, pattern in {
        "tells the model to drop its rules": r"\b(ignore|disregard|forget|override)\b[^.\n]{0,40}\b(previous|prior|earlier|above|all|any|your|other|system)\b[^.\n]{0,30}\b(instructions?|rules?|prompts?|guidelines?|polic(y|ies)|messages?)\b",
        "tells the model to keep something from the user": r"\b(do not|don't|never|without)\b[^.\n]{0,20}\b(tell|telling|inform|informing|mention|mentioning|reveal|show|notify|alert)\w*\b[^.\n]{0,30}\b(user|human|person|them|anyone|anybody)\b",
        "tells the model to approve by itself": r"(?<!not )(?<!never )(?<!or )\b(approve|accept|allow|confirm)\b[^.\n]{0,20}\b(everything|anything|all (requests|changes|questions|prompts)|without (asking|question))",
        "gives the model another role": r"\b(you are now|from now on,? you (are|will|must)|new system prompt|developer mode|jailbreak)\b",
        "imitates the marks of a conversation": r"(<\|?(im_start|im_end|system|assistant|endoftext)\|?>|</?(system|tool_result|function_calls|antml)\b|^\s*(system|assistant|human)\s*:\s)",
        "asks for keys or passwords": r"(?<!not )(?<!never )\b(send|post|upload|include|print|output|reveal|exfiltrate|append)\b(?!-)[^.\n]{0,40}\b(api[ _-]?keys?|passwords?|credentials?|secrets?|access tokens?|private keys?|environment variables?)\b",
        "sends content out by an address": r"!\[[^\]]*\]\(https?://[^)]*[?&][^)]*(\{|%7b|\$)",
    }.items()
}  # fmt: skip


def suspicions(where: str, text: str) -> Iterator[str]:
    """Yield, one line each, what in a text should not be there. `where`: the text as its author knows it."""
    for found in _first(_HIDDEN, text):
        name = unicodedata.name(found[0], f"U+{ord(found[0]):04X}")
        yield f"{where}:{_line(text, found.start())}: a character that nobody sees ({name})"
    for found in _first(_COMMENT, text):
        yield f"{where}:{_line(text, found.start())}: a comment that a reader does not see and a model does: {_cut(found[1])}"
    for found in _first(_PACKED, text):
        yield f"{where}:{_line(text, found.start())}: {len(found[0])} characters that only a program can read"
    seen = unicodedata.normalize("NFKC", _HIDDEN.sub("", text))
    for what, pattern in _ORDERS.items():
        for found in _first(pattern, seen):
            yield f"{where}:{_line(seen, found.start())}: {what}: {_cut(found[0])}"


def _first(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    found = pattern.search(text)
    if found is not None:
        yield found


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"
