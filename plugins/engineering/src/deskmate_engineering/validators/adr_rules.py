"""ENG-ADR-SOUND: a new record has the next number and what a decision needs; the superseded one changes in its status alone."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path, PurePosixPath

from deskmate.plugin import Deliverable, Finding, ToolInputError, ValidationContext
from deskmate_documents.tables import decode
from deskmate_engineering.adr.records import Record, check_records, number_of, read_record
from deskmate_engineering.validators.originals import Missing, Problem, judged

RULE = "ENG-ADR-SOUND"


def adr_sound(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Put the record among the originals and check the folder: nothing that is wrong comes with it.

    Source: MADR 4.0; M. Nygard, Documenting Architecture Decisions (2011); house (SOURCES.md).
    """
    return judged(RULE, "Write it again with adr_new.", deliverable, context, _problems)


def _problems(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    data = deliverable.data
    folder, number = str(data["folder"]), int(data["number"])
    before = _records(folder, {name: context.sources.file(name) for name in context.sources})
    files = {name: context.sources.file(name) for name in context.sources}
    files |= {name: file for name, file in context.others.items() if _is_record(name, folder)}
    files[deliverable.path] = context.file
    after = _records(folder, files)
    highest = max((one.number for one in before), default=0)
    new = [one for one in after if one.path not in {row.path for row in before}]
    if number != highest + 1 or [one.number for one in new] != [number]:
        yield (
            f"The next number is {highest + 1}; the new record has {', '.join(str(one.number) for one in new) or 'none'}.",
            "",
        )
    known = {(slip.file, slip.what) for slip in check_records(before)}
    for slip in check_records(after):
        if slip.level == "error" and (slip.file, slip.what) not in known:
            yield f"{PurePosixPath(slip.file).name}: {slip.what}", slip.file
    if deliverable.path in {row.path for row in before}:
        yield from _only_status(deliverable, context)
    else:
        yield from _whole(after, deliverable.path)


def _whole(after: list[Record], path: str) -> Iterator[Problem]:
    """Yield what a record of ours has besides what any record needs."""
    own = next((one for one in after if one.path == path), None)
    if own is None:
        yield f"{path} is not named as a record in its folder.", ""
        return
    if own.said_number != own.number:
        yield "Its title does not say its number.", "line 1"
    if len(own.options) < 2:
        yield f"It considers {len(own.options)} options; a decision is between two at least.", ""
    for section in ("context", "decision"):
        if section not in own.sections:
            yield f"It has no section “{section.title()}”.", ""


def _only_status(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    original = context.sources.file(deliverable.path)
    if original is None:
        raise Missing(f"{deliverable.path} is not among the originals.")
    old, new = (file.read_bytes().split(b"\n") for file in (original, context.file))
    changes = [
        code
        for code in SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        if code[0] != "equal"
    ]
    if (
        len(changes) != 1
        or changes[0][0] != "replace"
        or changes[0][2] - changes[0][1] != 1
        or changes[0][4] - changes[0][3] != 1
    ):
        yield "More of the older record changed than the line of its status.", ""
    elif b"uperseded by [" not in new[changes[0][3]]:
        yield (
            "The line that changed does not say what it is superseded by.",
            f"line {changes[0][3] + 1}",
        )


def _is_record(name: str, folder: str) -> bool:
    return PurePosixPath(name).parent.as_posix() == folder and number_of(name) is not None


def _records(folder: str, files: dict[str, Path | None]) -> list[Record]:
    rows = []
    for name, file in sorted(files.items()):
        if not _is_record(name, folder):
            continue
        if file is None:
            raise ToolInputError(f"{name} cannot be read.")
        rows.append(read_record(name, decode(file.read_bytes(), name)))
    return rows
