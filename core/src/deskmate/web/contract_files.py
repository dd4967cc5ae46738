"""What travels of the files in a thread's folders, as they are on the disk; part of the contract."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Lying:
    """A file or folder. `path`: in the workspace. `size`: in bytes, None for a folder."""

    name: str
    path: str
    size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """What lies in a folder of the workspace, folders first; without `path` the folders of the thread. `cut`: there is more."""

    path: str
    entries: tuple[Lying, ...]
    cut: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The words of a file, from its beginning. `cut`: there are more. `by`: empty, or what took them out of a document."""

    path: str
    text: str
    cut: bool
    by: str


ROOTS = (Shelf, Words)
