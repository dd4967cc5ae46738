"""Recalculation: two engines compute the workbook, and where they agree the result is written into the file.

A cell where they do not agree keeps what it has, is reported, and stays marked as old.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lxml import etree

from deskmate.errors import ToolInputError
from deskmate_documents.xlsx import cells, naming
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.cells import Value
from deskmate_documents.xlsx.engines import Answer, Engine
from deskmate_documents.xlsx.formula import functions
from deskmate_documents.xlsx.graph import Graph, Spot
from deskmate_documents.xlsx.refs import Area, Place, words
from deskmate_documents.xlsx.sheetedit import SheetEdit
from deskmate_documents.xlsx.sheetpart import q
from deskmate_documents.xlsx.trust import Trust

FORMULAS_LIMIT = 200_000
RELATIVE = 1e-9
TINY = 1e-12
"""Below this, what is left of a subtraction is noise of floating point."""
CHANCE = words("RAND RANDBETWEEN RANDARRAY NOW TODAY CELL INFO")
Reason = Literal[
    "engines differ", "not computed", "changes by itself", "fills several cells", "another program differs",
    "result in doubt",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsettled:
    """A cell that was not settled. `answers`: engine → its answer, "" where it has none."""

    spot: Spot
    reason: Reason
    formula: str
    stored: str
    answers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calculation:
    """What a recalculation found. `written`: cells that got a new result. `unsettled`: in the order of the sheets.

    `agreed`: how many cells both engines gave the same result for. `was`, `now`: stored results of the written cells.
    """

    formulas: int
    agreed: int
    written: tuple[Spot, ...]
    was: Mapping[Spot, str]
    now: Mapping[Spot, str]
    unsettled: tuple[Unsettled, ...]


def same(one: Answer, other: Answer) -> bool:
    """Say whether two answers are the same value, numbers within 1e-9 of each other."""
    if one.kind != other.kind:
        # A file may keep an error as the text that it shows.
        return {one.kind, other.kind} == {"error", "text"} and one.text == other.text
    if one.kind != "number":
        return one.text == other.text
    left, right = float(one.text), float(other.text)
    gap = abs(left - right)
    return gap <= TINY or gap <= RELATIVE * max(abs(left), abs(right))


class Calculator:
    """A workbook while it is recalculated."""

    def __init__(self, file: Path, engines: Sequence[Engine]) -> None:
        """Open it.

        Raises:
            ToolInputError: it cannot be read, has too many formulas, or fewer than two engines are given.
        """
        if len(engines) < 2:
            raise ToolInputError("A recalculation needs two engines.")
        self.file = file
        self.book = Workbook(file)
        self._engines = tuple(engines)
        self._graph: Graph | None = None
        self.cells: dict[Spot, Value] = {}
        self._filled: set[Spot] = set()
        self._collect()

    def _collect(self) -> None:
        """List the cells with formulas, and those of them that fill others."""
        for sheet, value in self.book.formulas():
            self.cells[sheet.name, value.place] = value
            if len(self.cells) > FORMULAS_LIMIT:
                raise ToolInputError(
                    f"{self.book.name} has more than {FORMULAS_LIMIT} formulas; they are computed on opening."
                )
            # One engine keeps what an array filled before, so that both could agree on old results.
            if value.array and (value.meta or ":" in value.array):
                self._filled.add((sheet.name, value.place))

    @property
    def graph(self) -> Graph:
        """What reads what."""
        if self._graph is None:
            self._graph = Graph(self.book)
        return self._graph

    def answers(self) -> dict[str, Mapping[Spot, Answer]]:
        """Have every engine compute; return its answers by its name."""
        if not self.cells:
            return {e.name: {} for e in self._engines}
        return {e.name: e.compute(self.file, self.cells.keys()) for e in self._engines}

    def moving(self) -> set[Spot]:
        """Return the cells whose result changes by itself, and all that read them."""
        return self.followed({s for s, v in self.cells.items() if functions(v.formula) & CHANCE})

    def filling(self) -> set[Spot]:
        """Return the cells of data tables and dynamic arrays, and all that read them."""
        return self.followed(self._filled)

    def followed(self, start: set[Spot]) -> set[Spot]:
        """Return these cells and all that read them."""
        if not start:
            return set()
        return start | self.graph.dependents(start, limit=10**7, volatile=False)[0]


def recalculate(
    file: Path,
    target: Path,
    engines: Sequence[Engine],
    *,
    changed: Mapping[str, Iterable[Area]] | None = None,
    baseline: Path | None = None,
) -> Calculation:
    """Compute a workbook by all engines, write results that agree into `target`, and report the others.

    Args:
        file: the workbook.
        target: where the result goes; may be the same.
        engines: two or more.
        changed: sheet → areas that were edited since the results were right: only results that these reach are
            old. None: every result is, if the file says so; otherwise only results that are missing.
        baseline: the workbook before the edits, whose results another program computed; a cell for which the
            engines do not give what that program gave is not settled by them.

    Raises:
        ToolError: an engine cannot compute the workbook at all.
    """
    work = Calculator(file, engines)
    answers = work.answers()
    old = _old(work, changed)
    trust = Trust(work.book, work.graph, answers[engines[0].name])
    shaky = trust.doubts({spot: work.cells[spot] for spot in old})
    wrong: set[Spot] = set()
    if baseline is not None:
        proved, wrong = _tried(work, baseline, engines, old)
        shaky -= proved
    doubted = frozenset(work.followed(shaky | wrong))
    moving, filling = work.moving(), work.filling()
    agreed = 0
    written: dict[Spot, Answer] = {}
    unsettled: list[Unsettled] = []
    for spot, value in work.cells.items():
        given = [found.get(spot) for found in answers.values()]
        reason = _reason(spot, given, moving=moving, filling=filling, doubted=doubted)
        agreed += not reason
        stored = _stored_answer(value)
        answer = given[0]
        if not reason and answer is not None:
            if stored is not None and same(stored, answer):
                continue
            if spot in old:
                written[spot] = answer
                continue
            reason = "another program differs"
        elif spot not in old and stored is not None:
            continue  # what Excel stored is right and nobody asked
        unsettled.append(_unsettled(spot, value, reason, answers))
    write_results(work.book, target, written, complete=not any(u.spot in old for u in unsettled))
    order = {sheet.name: number for number, sheet in enumerate(work.book.sheets)}
    unsettled.sort(key=lambda u: (order.get(u.spot[0], 0), u.spot[1]))
    return Calculation(
        formulas=len(work.cells),
        agreed=agreed,
        written=tuple(written),
        was={spot: work.cells[spot].text for spot in written},
        now={spot: answer.text for spot, answer in written.items()},
        unsettled=tuple(unsettled),
    )


def _unsettled(
    spot: Spot,
    value: Value,
    reason: Reason | Literal[""],
    answers: Mapping[str, Mapping[Spot, Answer]],
) -> Unsettled:
    shown = {name: found[spot].text if spot in found else "" for name, found in answers.items()}
    return Unsettled(
        spot=spot,
        reason=reason or "engines differ",
        formula=value.formula,
        stored=value.text,
        answers=shown,
    )


def _reason(
    spot: Spot,
    given: Sequence[Answer | None],
    *,
    moving: set[Spot],
    filling: set[Spot],
    doubted: frozenset[Spot],
) -> Reason | Literal[""]:
    if spot in filling:
        return "fills several cells"
    if spot in moving:
        return "changes by itself"
    if spot in doubted:
        return "result in doubt"
    there = [answer for answer in given if answer is not None]
    if len(there) < len(given):
        return "not computed"
    return "" if all(same(there[0], other) for other in there[1:]) else "engines differ"


def _stored_answer(value: Value) -> Answer | None:
    return None if value.kind == "empty" else Answer(value.kind, value.text)


def _old(work: Calculator, changed: Mapping[str, Iterable[Area]] | None) -> set[Spot]:
    """Return the cells whose stored result is from before an edit, or missing."""
    missing = {spot for spot, value in work.cells.items() if value.kind == "empty"}
    if changed is None:
        return set(work.cells) if work.book.is_stale else missing
    start = {(sheet, p) for sheet, areas in changed.items() for a in areas for p in a.cells()}
    reached, _ = work.graph.dependents(start, limit=10**7)
    return missing | (reached & work.cells.keys()) | (start & work.cells.keys())


def _tried(
    work: Calculator, baseline: Path, engines: Sequence[Engine], old: set[Spot]
) -> tuple[set[Spot], set[Spot]]:
    """Return the old cells for which the engines give, before the edits, what was stored then; and those for which not."""
    before = Calculator(baseline, engines)
    wanted = {
        spot
        for spot in old
        if spot in before.cells
        and before.cells[spot].kind != "empty"
        and before.cells[spot].formula == work.cells[spot].formula
    }
    if before.book.is_stale or not wanted:
        return set(), set()
    found = before.answers()
    wanted -= before.moving()
    right = {
        spot
        for spot in wanted
        if all(_gives(answers, spot, before.cells[spot]) for answers in found.values())
    }
    none = {
        spot
        for spot in wanted
        if not any(_gives(answers, spot, before.cells[spot]) for answers in found.values())
    }
    return right, none


def _gives(answers: Mapping[Spot, Answer], spot: Spot, value: Value) -> bool:
    answer, stored = answers.get(spot), _stored_answer(value)
    return answer is not None and stored is not None and same(answer, stored)


def write_results(
    book: Workbook, target: Path, written: Mapping[Spot, Answer], *, complete: bool
) -> None:
    """Patch results into the file; `complete`: no result is old any more, so nothing is computed on opening."""
    edits: dict[str, SheetEdit] = {}
    for (name, place), answer in written.items():
        if name not in edits:
            edits[name] = SheetEdit(book, book.sheet(name), allow_protected=True)
        put_result(edits[name], place, answer)
    for edit in edits.values():
        edit.finish()
    if complete and book.is_stale:
        naming.calculated(book)
        book.package.write_xml(book.main, book.root)
    book.package.save(target)


def put_result(edit: SheetEdit, place: Place, answer: Answer) -> None:
    """Give a formula's cell a result; its formula, style and everything else stay."""
    node = edit.result(place)
    for child in list(node):
        if child.tag in (q("v"), q("is")):
            node.remove(child)
    node.attrib.pop("t", None)
    kind = {"text": "str", "bool": "b", "error": "e"}.get(answer.kind)
    if kind:
        node.set("t", kind)
    stored = etree.Element(q("v"))
    stored.text = cells.escape(answer.text)
    if answer.kind == "bool":
        stored.text = "1" if answer.text == "TRUE" else "0"
    formula = node.find(q("f"))
    node.insert(0 if formula is None else list(node).index(formula) + 1, stored)
