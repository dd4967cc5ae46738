"""What was taken out of a file and where: the list that leads from each mark of a redacted file back to the words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from deskmate_documents.text import Passage, read_text
from deskmate_documents.withheld import check_words, pattern_of


def map_of(original: Path, name: str, redacted: Path, words: Sequence[str]) -> bytes:
    """Return the map of a redaction as JSON: in reading order each place that was taken out, with its words.

    Args:
        original: the file as it was.
        name: its workspace path.
        redacted: the file without the words.
        words: what was to go.
    """
    about = {
        "original": name,
        "original_sha256": _digest(original),
        "redacted_sha256": _digest(redacted),
        "marks": [*_marks(original, words)],
    }
    return (json.dumps(about, ensure_ascii=False, indent=1) + "\n").encode()


def _marks(original: Path, words: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield each place: `mark` counts through the file, `place` says where the text stands."""
    pattern = pattern_of(check_words(words))
    number = 0
    for passage in read_text(original).passages:
        for match in pattern.finditer(passage.text):
            number += 1
            yield {"mark": number, "place": _place(passage), "words": match.group()}


def _place(passage: Passage) -> str:
    page = f"page {passage.page}, " if passage.page else ""
    return passage.place or f"{page}paragraph {passage.paragraph}"


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
