"""What travels of a thread's changes; part of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deskmate.host.reviewing import Past, Shown
from deskmate.types.files import Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One change of a change set, as it stands. `size`, `was`: bytes after and before, None where there is nothing.

    `now`: digest of the user's file as it is, empty where there is none.
    """

    path: str
    operation: Operation
    standing: str
    why: str
    flags: tuple[str, ...]
    moved_from: str
    size: int | None
    was: int | None
    is_file: bool
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """A run's change set. `errors`: what the output checks found in its results. `past`: applies and undos."""

    run: str
    discarded: bool
    errors: int
    items: tuple[Item, ...]
    refused: Mapping[str, str]
    past: tuple[Past, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """How changes look, piece by piece."""

    changes: tuple[Shown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What an apply or undo did. `left_out`: path → why it was not touched; `waiting`: what stays staged."""

    written: tuple[str, ...]
    left_out: Mapping[str, str]
    waiting: Mapping[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """Pictures of a file, each as a `data:` address. `first`: which page is the first; `more`: there may be others."""

    first: int
    pictures: tuple[str, ...]
    more: bool
