"""The text of a long PDF, read once and kept for the next window: reading a thousand pages takes its time."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path

from deskmate.plugin import ToolContext
from deskmate_documents.text import Passage, SourceText, read_text

KEPT_FROM_BYTES = 512 << 10


def text_of(real: Path, context: ToolContext, password: str = "") -> SourceText:
    """Return the passages of a file, as `read_text` does; those of a long PDF from the last time, if it is the same.

    Raises:
        ToolInputError: as `read_text`.
    """
    if real.suffix.lower() != ".pdf" or real.stat().st_size < KEPT_FROM_BYTES:
        return read_text(real, context.on_progress, password)
    with real.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if password:
        digest = hashlib.sha256(f"{digest}\n{password}".encode()).hexdigest()
    store = context.home / ".texts"
    kept = store / f"{digest}.json"
    if kept.is_file():
        return SourceText(
            kind="pdf", passages=tuple(Passage(**each) for each in json.loads(kept.read_bytes()))
        )
    source = read_text(real, context.on_progress, password)
    shutil.rmtree(store, ignore_errors=True)  # one at a time: a long thread would fill the disk
    store.mkdir(parents=True)
    part = kept.with_suffix(".part")
    part.write_text(json.dumps([asdict(passage) for passage in source.passages]), "utf-8")
    part.replace(kept)
    return source
