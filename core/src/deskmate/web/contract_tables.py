"""What travels of tables over many documents; part of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deskmate.types.tables import Cell, CellStatus, ColumnKind, RowState


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """A table in the list. `cells`: status → how many. `working`: a process is at work on it now; `here`: this one.

    `batch`: its calls are sent many at once, for less. `doing`: how far it is, in one line. `problem`: why the work here
    broke off.
    """

    id: str
    question: str
    made: str
    model: str
    batch: bool
    rows: int
    done: int
    cells: Mapping[str, int]
    cost_usd: float
    budget_usd: float | None
    calls: int
    working: bool
    here: bool
    doing: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRows:
    """All tables, the newest first."""

    rows: tuple[TableRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A column of a table: one question to every document."""

    name: str
    question: str
    kind: ColumnKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """A cell without its evidence. `unit`: of money."""

    status: CellStatus
    value: str
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One document's answers, in the order of the columns."""

    number: int
    document: str
    state: RowState
    cells: tuple[Brief, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Some rows of a table, from the one after `after`."""

    table: TableRow
    columns: tuple[Heading, ...]
    after: int
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One document's answers with what they rest on."""

    number: int
    path: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file that a table can ask about. `name`: below the folder. `size`: in bytes."""

    name: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """What of a folder a table can ask about. `others`: files of kinds that it cannot read. `cut`: there are more."""

    folder: str
    files: tuple[Document, ...]
    others: int
    cut: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """A table before it is made; `id` begins it, as it is shown here and no other.

    `estimate_usd`: an upper estimate by `sampled` of the documents; None: nobody knows; 0: it is free. `budget_usd`: it
    stops before it costs more; None: no limit. `batch`: as a row of the list has it. `unreadable`: name → why, of the sample.
    """

    id: str
    rows: int
    columns: int
    model: str
    batch: bool
    sampled: int
    estimate_usd: float | None
    budget_usd: float | None
    unreadable: Mapping[str, str]


ROOTS = (TableRows, Window, Evidence, Documents, Priced)
