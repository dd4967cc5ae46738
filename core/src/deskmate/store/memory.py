"""The notes of projects, one Markdown file each below `<data>/memory/<project>`; made to be read and changed by people.

A file that the agent wrote begins with a few lines that say so; a file without them is the user's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from deskmate.errors import UserError
from deskmate.store.blobs import make_folder, sync_folder, write_file
from deskmate.types.memory import NAME, NOTE_CHARACTERS, MemoryNote

MOST_NOTES = 200
FILE_BYTES = 64_000
"""A longer file is no note."""
_NAME = re.compile(NAME)
_PROJECT = re.compile(r"[a-z0-9-]{1,60}")
_HEAD = re.compile(r"---\n((?:[a-z]+: [^\n]*\n){1,8})---\n")
_FENCE = "---\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """A project's notes by name. `skipped`: file name → why it is no note."""

    notes: tuple[MemoryNote, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)


class Memories:
    """Over `<data>/memory`."""

    def __init__(self, data: Path) -> None:
        """`data` is made when the first note is."""
        self._folder = data / "memory"

    def folder(self, project: str) -> Path:
        """Return where a project's notes are. Raises UserError for what is no project's id."""
        if not _PROJECT.fullmatch(project):
            raise UserError(f"{project!r} is no project's id.", hint="See: deskmate project list")
        return self._folder / project

    def file(self, project: str, name: str) -> Path:
        """Return a note's file. Raises UserError for what cannot be a note's name."""
        if not _NAME.fullmatch(name):
            raise UserError(
                f"{name!r} cannot be a note's name.",
                hint="Use small letters, digits and hyphens, 60 at most.",
            )
        return self.folder(project) / f"{name}.md"

    def read(self, project: str) -> Notes:
        """Return what is there."""
        folder = self.folder(project)
        found: list[MemoryNote] = []
        skipped: dict[str, str] = {}
        for file in sorted(folder.iterdir()) if folder.is_dir() else ():
            if file.name.startswith("."):
                continue  # being written, or left by an editor
            if file.suffix != ".md" or not _NAME.fullmatch(file.stem):
                skipped[file.name] = (
                    "a note is called NAME.md, in small letters, digits and hyphens"
                )
            elif len(found) == MOST_NOTES:
                skipped[file.name] = f"a project has {MOST_NOTES} notes at most"
            else:
                note = _read(file)
                if isinstance(note, str):
                    skipped[file.name] = note
                else:
                    found.append(note)
        return Notes(notes=tuple(found), skipped=skipped)

    def get(self, project: str, name: str) -> MemoryNote:
        """Return one note. Raises UserError if there is none or it cannot be read."""
        file = self.file(project, name)
        if not file.is_file():
            raise UserError(
                f"The project has no note {name}.",
                hint=f"See: deskmate project memory list {project}",
            )
        note = _read(file)
        if isinstance(note, str):
            raise UserError(f"{file} is no note: {note}.")
        return note

    def write(self, project: str, note: MemoryNote) -> None:
        """Store a note durably. Raises UserError for one that is empty or too long, or where there are too many."""
        file = self.file(project, note.name)
        text = note.text.strip()
        if not text or len(text) > NOTE_CHARACTERS:
            raise UserError(
                f"A note has 1 to {NOTE_CHARACTERS:,} characters; {note.name} has {len(text):,}."
            )
        if not file.exists() and len(self.read(project).notes) >= MOST_NOTES:
            raise UserError(
                f"The project has {MOST_NOTES} notes already.",
                hint=f"Forget some: deskmate project memory forget {project} NAME",
            )
        make_folder(file.parent)
        write_file(file, (_head(note) + text + "\n").encode())

    def confirm(self, project: str, name: str) -> MemoryNote:
        """Make a note one that the user agrees to. Raises UserError if there is none."""
        note = replace(self.get(project, name), confirmed=True)
        self.write(project, note)
        return note

    def forget(self, project: str, name: str) -> None:
        """Remove a note. Raises UserError if there is none."""
        self.get(project, name)
        file = self.file(project, name)
        file.unlink()
        sync_folder(file.parent)


def _head(note: MemoryNote) -> str:
    if note.by == "user":
        return ""
    lines = {
        "by": "agent",
        "confirmed": "yes" if note.confirmed else "no",
        "read": "texts of others" if note.tainted else "nothing of others",
        "date": note.date,
        "thread": note.thread,
    }
    return _FENCE + "".join(f"{key}: {value}\n" for key, value in lines.items()) + _FENCE


def _read(file: Path) -> MemoryNote | str:
    """Return the note in a file, or why it is none."""
    try:
        if file.is_symlink() or not file.is_file():
            return "it is no plain file"
        if file.stat().st_size > FILE_BYTES:
            return f"it has more than {FILE_BYTES:,} bytes"
        text = file.read_text("utf-8")
    except UnicodeDecodeError:
        return "it is not UTF-8 text"
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    head = _HEAD.match(text)
    lines = dict(line.split(": ", 1) for line in head[1].splitlines()) if head else {}
    if head is None or lines.get("by") != "agent":
        return MemoryNote(name=file.stem, text=text.strip())
    return MemoryNote(
        name=file.stem,
        text=text[head.end() :].strip(),
        by="agent",
        confirmed=lines.get("confirmed") == "yes",
        tainted=lines.get("read") != "nothing of others",
        date=lines.get("date", ""),
        thread=lines.get("thread", ""),
    )
