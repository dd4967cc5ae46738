"""Tables over many documents: what is asked of each document, and what each cell of the answer holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from deskmate.types.ids import Digest

ColumnKind = Literal["text", "number", "money", "date", "yes_no", "choice"]
Pick = Literal["only", "first", "last"]
CellStatus = Literal["open", "checked", "quoted", "not_found", "disputed", "failed"]
"""How a cell stands.

`open`: nobody has answered it yet. `checked`: the quote is in the document, the value is in the quote and of its type.
`quoted`: the quote is in the document; that it means the value is the answerer's reading. `not_found`: looked for,
nothing found. `disputed`: an answer that failed a check. `failed`: the document could not be read or answered.
"""
CELLS_LIMIT = 64
"""Columns of one table at most."""
VALUE_LIMIT, QUOTE_LIMIT, WHY_LIMIT, PLACE_LIMIT = 600, 2_000, 400, 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One question to every document. `name`: heading and key. `kind`: type of its answers.

    `choices`: of kind `choice`. `patterns`: regular expressions that find the answer without a model: the group
    `value`, else the first group, else the whole match; of `yes_no` what means yes. `no_patterns`: what means no.
    `pick`: which of different answers counts; `only`: different ones are disputed.
    """

    name: str
    question: str
    kind: ColumnKind = "text"
    choices: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    no_patterns: tuple[str, ...] = ()
    pick: Pick = "only"

    @property
    def has_rules(self) -> bool:
        """Say whether it can be answered without a model."""
        return bool(self.patterns or self.no_patterns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model says of one column, unchecked. `found`: False where the document does not say."""

    column: str
    found: bool
    value: str = ""
    quote: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One answer with its evidence and how it stood the checks.

    `value`: a decimal, an ISO date, yes or no, one of the choices, or text; empty unless something was found.
    `unit`: of money, such as EUR. `page`, `paragraph`: where the quote begins, from 1; `place`: the same in words, such as
    a sheet's row, where these do not say it. `why`: what is wrong with it, or
    how it came about. `by`: "rules", or the model's name. `asked`: how often a model was asked for it in this round: a
    disputed answer is asked for a second time.
    """

    column: str
    status: CellStatus
    value: str = ""
    unit: str = ""
    quote: str = ""
    page: int | None = None
    paragraph: int | None = None
    place: str = ""
    why: str = ""
    by: str = ""
    asked: int = 1


RowState = Literal["open", "again", "done"]
"""`open`: to be answered. `again`: its disputed cells are asked for a second time. `done`: closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One document. `number`: from 1. `path`: absolute, on the host. `round`: how often it was opened, or asked again.

    `sha256`: of the content that was read, None before.
    """

    number: int
    path: str
    round: int = 1
    state: RowState = "open"
    sha256: Digest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableAbout:
    """A table's order: what was asked of what by whom. `over`: the patterns of files as they were written.

    `budget_usd`: what its model calls may cost in all; None: no limit. `batch`: its calls are sent many at once, to be
    answered within a day for less.
    """

    id: str
    made: str
    question: str
    model: str
    over: tuple[str, ...]
    columns: tuple[Column, ...]
    budget_usd: float | None = None
    batch: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Money of model calls, in US dollars. `answered`: of calls whose answers are stored.

    `unanswered`: held for calls that were sent and whose answer is not here: under way, or lost in a crash or a cut
    connection; it counts as spent. `known`: False where a call had no price.
    """

    answered_usd: float = 0.0
    unanswered_usd: float = 0.0
    calls: int = 0
    unanswered_calls: int = 0
    known: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSummary:
    """How a table stands. `cells`: status → how many."""

    about: TableAbout
    rows: int
    rows_done: int
    cells: Mapping[str, int] = field(default_factory=dict)
    spent: Spent = field(default_factory=Spent)
