"""A project: what several threads share."""

from __future__ import annotations

from dataclasses import dataclass

from deskmate.types.files import Grant


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """Folders, plugins and instructions that each thread of a project has from its next run on.

    `id`: never changes. `instructions`: what the user wants in every thread of it, in plain words.
    """

    id: str
    name: str
    instructions: str = ""
    grants: tuple[Grant, ...] = ()
    plugins: tuple[str, ...] = ()
