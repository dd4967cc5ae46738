"""What the workbook tools keep of a file between calls: its original, what was declared, which results are not settled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deskmate.plugin import ToolContext, ToolInputError

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

    record = _place(source, context)
    if not record.is_file():
        copy = record.with_name(f"{record.stem}-original{source.suffix}")
        return Record(original=context.name_of(source), declared=Declared(), baseline=copy)
    known = json.loads(record.read_text("utf-8"))
    listed = known.get("unsettled")
    return Record(
        original=str(known["original"]),
        declared=Declared.from_json(known["declared"]),
        baseline=record.with_name(str(known["baseline"])),
        unsettled=None if listed is None else frozenset(listed),
    )


def keep_original(source: Path, known: Record) -> None:
    """Keep a copy of a file before its first edit."""
    if not known.is_edited:
        known.baseline.parent.mkdir(parents=True, exist_ok=True)
        known.baseline.write_bytes(source.read_bytes())


def remember(
    result: Path, known: Record, context: ToolContext, *, unsettled: Sequence[str] | None = None
) -> None:
    """Keep a file's history, under its digest."""
    record = _place(result, context)
    record.parent.mkdir(parents=True, exist_ok=True)
    data = {
        "original": known.original,
        "baseline": known.baseline.name,
        "declared": known.declared.to_json(),
        "unsettled": unsettled,
    }
    record.write_text(json.dumps(data), "utf-8")


def _place(file: Path, context: ToolContext) -> Path:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return context.home / ".sheet-edits" / f"{digest}.json"
