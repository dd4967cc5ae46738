"""What the workbook tools keep of a file between calls: its original, what was declared, which results are not settled.

Within a machine it lies in the plugin's own folder. It is said with every result, too, and the host's log carries that
into the next machine: there it counts for the very bytes that it was said of.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deskmate.plugin import Deliverable, ToolContext, ToolInputError

if TYPE_CHECKING:
    from deskmate_documents.xlsx.declared import Declared

KINDS = frozenset({".xlsx", ".xlsm", ".xltx", ".xltm"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A file's history. `original`: workspace path of what it was edited from; a file of the user's is its own.

    `baseline`: a copy of that original as it was before the first edit, in the plugin's own folder. `declared`: all edits since. `unsettled`: cells (`Sheet!A1`) whose stored result is old although it was computed
    anew; None if nothing was computed since the last edit.
    """

    original: str
    declared: Declared
    baseline: Path
    unsettled: frozenset[str] | None = None

    @property
    def is_edited(self) -> bool:
        """Say whether these tools edited it."""
        return self.baseline.is_file()


def workbook_file(path: str, context: ToolContext) -> Path:
    """Return the real path of a workbook of the workspace.

    Raises:
        ToolInputError: it is none.
    """
    real = context.file(path)
    if real.suffix.lower() not in KINDS:
        raise ToolInputError(f"{path} is not an Excel workbook (.xlsx or .xlsm).")
    return real


def result_file(source: Path, target: str, context: ToolContext) -> Path:
    """Return the real path of a result, `source` itself for an empty one.

    Raises:
        ToolInputError: it ends otherwise than the source.
    """
    result = context.target(target) if target else source
    if result.suffix.lower() != source.suffix.lower():
        raise ToolInputError(f"The target must end in {source.suffix}, as the source does.")
    return result


def recall(source: Path, context: ToolContext) -> Record:
    """Return what is known of a file as it is now."""
    from deskmate_documents.xlsx.declared import Declared  # noqa: PLC0415

    digest = _digest(source)
    record = _place(digest, context)
    if not record.is_file():
        copy = record.with_name(f"{record.stem}-original{source.suffix}")
        told = _told(digest, context)
        if told is not None:
            return _kept(told, copy, context)
        return Record(original=context.name_of(source), declared=Declared(), baseline=copy)
    known = json.loads(record.read_text("utf-8"))
    listed = known.get("unsettled")
    return Record(
        original=str(known["original"]),
        declared=Declared.from_json(known["declared"]),
        baseline=record.with_name(str(known["baseline"])),
        unsettled=None if listed is None else frozenset(listed),
    )


def _told(digest: str, context: ToolContext) -> Deliverable | None:
    """Return what was said of these very bytes in an earlier machine."""
    for item in context.results.values():
        mark = item.data.get("file")
        if isinstance(mark, dict) and mark.get("sha256") == digest and "original" in item.sources:
            return item
    return None


def _kept(told: Deliverable, copy: Path, context: ToolContext) -> Record:
    """Return the record that a result of an earlier machine carries, its original beside it where it is here."""
    from deskmate_documents.xlsx.declared import Declared  # noqa: PLC0415

    original = told.sources["original"]
    before = context.original(original)
    if before is not None and not copy.is_file():
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(before.read_bytes())
    listed = told.data["file"].get("unsettled")
    return Record(
        original=original,
        declared=Declared.from_json(told.data["declared"]),
        baseline=copy,
        unsettled=None if listed is None else frozenset(listed),
    )


def keep_original(source: Path, known: Record) -> None:
    """Keep a copy of a file before its first edit."""
    if not known.is_edited and known.declared.is_empty:
        known.baseline.parent.mkdir(parents=True, exist_ok=True)
        known.baseline.write_bytes(source.read_bytes())


def remember(
    result: Path, known: Record, context: ToolContext, *, unsettled: Sequence[str] | None = None
) -> dict[str, Any]:
    """Keep a file's history, under its digest; return what the result is to say of it."""
    digest = _digest(result)
    record = _place(digest, context)
    record.parent.mkdir(parents=True, exist_ok=True)
    data = {
        "original": known.original,
        "baseline": known.baseline.name,
        "declared": known.declared.to_json(),
        "unsettled": unsettled,
    }
    record.write_text(json.dumps(data), "utf-8")
    file = {"sha256": digest, "unsettled": unsettled}
    return {"declared": data["declared"], "file": file}


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _place(digest: str, context: ToolContext) -> Path:
    return context.home / ".sheet-edits" / f"{digest}.json"
