"""What travels of sources and the places in them; part of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deskmate.host.showing import Excerpt, SheetRows


@dataclass(frozen=True, slots=True, kw_only=True)
class Locus:
    """A recorded place in a file. `label`: in short, as people cite it. `where`: page, paragraph, line, row, sheet, cell.

    `id`, `digest`: of the evidence and of the file that was read. `quote`: the words there. `value`: the figure there.
    """

    id: str
    digest: str
    label: str
    where: Mapping[str, str]
    quote: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file that was read. `more`: places of it that are not listed."""

    path: str
    places: tuple[Locus, ...]
    more: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The files that a thread's work rests on, in the order in which they were read."""

    files: tuple[SourceFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A document at a place. `changed`: the file is another one by now than what was read."""

    path: str
    changed: bool
    excerpt: Excerpt


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A page as a picture (a `data:` address), and where words stand on it, as shares of it."""

    page: int
    of: int
    found: bool
    boxes: tuple[tuple[float, ...], ...]
    picture: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedSheet:
    """Rows of a worksheet."""

    path: str
    changed: bool
    rows: SheetRows


ROOTS = (Sources, Opened, Drawn, OpenedSheet)
