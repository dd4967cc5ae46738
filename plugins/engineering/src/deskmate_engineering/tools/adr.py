"""The tools that write a decision record and check a folder of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.tables import decode
from deskmate_engineering.adr.records import FOLDERS, Record, check_records, number_of, read_record
from deskmate_engineering.adr.writing import as_markdown, decision_of, file_name, superseded

RECORDS_LIMIT = 2_000


def adr_check(context: ToolContext, path: str = "") -> dict[str, Any]:
    """Check a folder of architecture decision records: numbers, titles, statuses, options, and that links of superseding go both ways.

    Args:
        context: filled in by Deskmate.
        path: workspace folder of the records. Empty: the one there, by the usual names (docs/decisions, docs/adr, …).

    Returns:
        `folder`, `count`; `records`: list of {number, title, status, file}; `slips`: list of {file, level, what}, level error or note;
        `errors`: how many are errors; `summary`: one line for each slip.

    Raises:
        ToolInputError: there is no such folder, several, or no record in it.
    """
    folder = _folder(context, path)
    records = records_in(context, folder)
    if not records:
        raise ToolInputError(
            f"There is no record in {folder}; records are named like 0001-title.md."
        )
    slips = check_records(records)
    lines = [f"- {slip.level}: {slip.file}: {slip.what}" for slip in slips]
    return {
        "folder": folder,
        "count": len(records),
        "records": [{"number": r.number, "title": r.title, "status": r.status, "file": r.path} for r in records],
        "slips": [asdict(slip) for slip in slips],
        "errors": sum(slip.level == "error" for slip in slips),
        "summary": "\n".join(lines) or "Nothing is wrong with them.",
    }  # fmt: skip


def adr_new(
    context: ToolContext, decision: Mapping[str, Any], path: str = "", supersedes: int = 0
) -> ToolAnswer:
    """Write an architecture decision record with the next number, and mark the one that it supersedes.

    Args:
        context: filled in by Deskmate.
        decision: {title, context, options: list of {title, good: list, bad: list}, two at least, chosen: title of an option,
            because, consequences: list, status: proposed (usual), accepted or rejected}. What the user did not say is
            not made up.
        path: workspace folder of the records. Empty: the one there, by the usual names.
        supersedes: number of an older record that this one takes the place of; its status is changed and links here. 0: none.

    Returns:
        `output`, `number`, `superseded`: path of the older record; `errors`: what the check finds in the whole folder.

    Raises:
        ToolInputError: no such folder or older record, or something is missing in the decision.
    """
    made = decision_of(decision, datetime.now(UTC).date().isoformat())
    folder = _folder(context, path)
    records = records_in(context, folder)
    older = next((one for one in records if one.number == supersedes), None)
    if supersedes and older is None:
        raise ToolInputError(f"There is no record {supersedes} in {folder}.")
    if older and older.superseded_by:
        raise ToolInputError(f"{older.path} is superseded already.")
    number = max((one.number for one in records), default=0) + 1
    target = context.target(f"{folder}/{file_name(number, made.title, records)}")
    changed = _mark(context, older, target.name, made.title) if older else None
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(as_markdown(made, number, older), "utf-8")
    data = {"folder": folder, "number": number, "supersedes": supersedes}
    sources = {"older": older.path} if older else {}
    deliverables = [
        _deliverable(context.name_of(target), f"Decision {number}: {made.title}", sources, data)
    ]
    if older and changed is not None:
        context.target(older.path).write_bytes(changed.encode())
        deliverables.append(
            _deliverable(older.path, f"Decision {older.number}, superseded", sources, data)
        )
    errors = [
        asdict(one) for one in check_records(records_in(context, folder)) if one.level == "error"
    ]
    result = {
        "output": deliverables[0].path,
        "number": number,
        "superseded": older.path if older else "",
        "errors": errors,
    }
    return ToolAnswer(result=result, deliverables=tuple(deliverables))


def _deliverable(
    path: str, title: str, sources: dict[str, str], data: dict[str, Any]
) -> Deliverable:
    return Deliverable(path=path, title=title, role="decision", sources=sources, data=data)


def _mark(context: ToolContext, older: Record, name: str, title: str) -> str:
    text = context.file(older.path).read_bytes().decode("utf-8", "strict")
    return superseded(text, name, title)


def records_in(context: ToolContext, folder: str) -> list[Record]:
    """Return a folder's records, by number."""
    place = context.workspace / folder
    files = sorted(place.iterdir()) if place.is_dir() else []
    found = [file for file in files if number_of(file.name) is not None and file.is_file()]
    if len(found) > RECORDS_LIMIT:
        raise ToolInputError(f"{folder} has more than {RECORDS_LIMIT} records.")
    rows = [
        read_record(context.name_of(file), decode(file.read_bytes(), file.name)) for file in found
    ]
    return sorted(rows, key=lambda one: (one.number, one.path))


def _folder(context: ToolContext, path: str) -> str:
    """Return the workspace folder of the records."""
    if path:
        real = context.target(path)
        if real.is_file():
            raise ToolInputError(f"{path} is a file; name the folder of the records.")
        name = context.name_of(real)
        if name == ".":
            raise ToolInputError("Name the folder of the records, such as docs/decisions.")
        return name
    top = context.workspace.resolve()
    found = sorted(
        {
            folder.relative_to(top).as_posix()
            for name in FOLDERS
            for depth in ("", "*/", "*/*/")
            for folder in top.glob(f"{depth}{name}")
            if folder.is_dir() and any(number_of(one.name) is not None for one in folder.iterdir())
        }
    )
    if len(found) == 1:
        return found[0]
    if not found:
        raise ToolInputError(
            "There is no folder of decision records; name one as path, such as docs/decisions."
        )
    raise ToolInputError(
        f"There are several folders of records: {', '.join(found[:6])}. Name one as path."
    )
