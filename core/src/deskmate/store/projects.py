"""The user's projects: one small file each, replaced in one rename."""

from __future__ import annotations

import json
import re
import secrets
import unicodedata
from pathlib import Path

from deskmate.errors import CorruptData, UserError
from deskmate.store.blobs import make_folder, sync_folder, write_file
from deskmate.types.codec import from_json, to_json
from deskmate.types.files import Grant
from deskmate.types.projects import Project

NAME_LIMIT = 80
INSTRUCTIONS_LIMIT = 20_000
_ID = re.compile(r"[a-z0-9-]{1,60}")


class Projects:
    """Over `<data>/projects`."""

    def __init__(self, data: Path) -> None:
        """`data` is made when the first project is."""
        self._folder = data / "projects"

    def all(self) -> tuple[Project, ...]:
        """Return all projects by name. Raises CorruptData."""
        files = sorted(self._folder.glob("*.json")) if self._folder.is_dir() else []
        found = [_read(file) for file in files if _ID.fullmatch(file.stem)]
        return tuple(sorted(found, key=lambda project: (project.name.casefold(), project.id)))

    def find(self, name: str) -> Project | None:
        """Return the project of this id or name, None if there is none. Raises UserError where two match."""
        if _ID.fullmatch(name) and (file := self._folder / f"{name}.json").is_file():
            return _read(file)
        named = [one for one in self.all() if one.name.casefold() == name.strip().casefold()]
        if len(named) > 1:
            ids = ", ".join(one.id for one in named)
            raise UserError(
                f"{len(named)} projects are called {name}.", hint=f"Name one by its id: {ids}"
            )
        return named[0] if named else None

    def get(self, name: str) -> Project:
        """Return the project of this id or name. Raises UserError if there is none."""
        project = self.find(name)
        if project is None:
            raise UserError(f"There is no project {name}.", hint="See: deskmate project list")
        return project

    def new(
        self,
        name: str,
        *,
        instructions: str = "",
        grants: tuple[Grant, ...] = (),
        plugins: tuple[str, ...] = (),
    ) -> Project:
        """Make a project. Raises UserError for a bad or taken name."""
        words = checked_name(name)
        if self.find(words) is not None:
            raise UserError(f"There is a project {words} already.", hint="Choose another name.")
        project = Project(
            id=_new_id(words), name=words, instructions=instructions, grants=grants, plugins=plugins
        )
        self.save(project)
        return project

    def save(self, project: Project) -> None:
        """Store a project durably. Raises UserError for instructions that are too long."""
        if len(project.instructions) > INSTRUCTIONS_LIMIT:
            raise UserError(
                f"The instructions have {len(project.instructions):,} characters; {INSTRUCTIONS_LIMIT:,} are the most.",
                hint="Keep what every thread needs, and put the rest into a file in a folder of the project.",
            )
        make_folder(self._folder)
        text = json.dumps(to_json(project), ensure_ascii=False, indent=2)
        write_file(self._folder / f"{project.id}.json", text.encode())

    def delete(self, project: Project) -> None:
        """Forget a project; its threads stay."""
        (self._folder / f"{project.id}.json").unlink(missing_ok=True)
        sync_folder(self._folder)


def checked_name(name: str) -> str:
    """Return a project's name in one line. Raises UserError if it is empty or too long."""
    words = " ".join(name.split())
    if not words or len(words) > NAME_LIMIT:
        raise UserError(f"A project needs a name of 1 to {NAME_LIMIT} characters.")
    return words


def _read(file: Path) -> Project:
    try:
        return from_json(Project, json.loads(file.read_text("utf-8")))
    except (ValueError, RecursionError, CorruptData) as error:
        raise CorruptData(
            f"The project in {file} cannot be read: {error}.",
            hint="Put the file right, or remove it.",
        ) from error


def _new_id(name: str) -> str:
    """Return an id that people recognise and that no other machine's project has."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-")
    return f"{slug or 'project'}-{secrets.token_hex(3)}"
