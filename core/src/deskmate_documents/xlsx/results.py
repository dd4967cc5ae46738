"""Results of formulas in workbooks that a tool writes itself: computed, stored, and found again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deskmate.errors import ToolError
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.calculate import same, write_results
from deskmate_documents.xlsx.engines import Answer, Engine, Formualizer
from deskmate_documents.xlsx.graph import Spot
from deskmate_documents.xlsx.refs import name_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """A formula whose stored result is not what the engine computes. `computed`: "" if it computes none."""

    spot: Spot
    formula: str
    stored: str
    computed: str

    @property
    def label(self) -> str:
        """The cell's name with its sheet."""
        return f"{self.spot[0]}!{name_of(self.spot[1])}"


def fill_results(file: Path, engine: Engine | None = None) -> None:
    """Store the result of every formula in a new workbook, so that any program shows figures.

    For tools that know what the results must be and compare them afterwards; a workbook of somebody else's is
    recalculated by two engines (`calculate.recalculate`).

    Args:
        file: the workbook; it is changed in place.
        engine: what computes; None for formualizer.

    Raises:
        ToolError: a formula has no result, or an error as result; the file is left as it was.
    """
    book = Workbook(file)
    formulas = {(sheet.name, value.place): value.formula for sheet, value in book.formulas()}
    answers = (engine or Formualizer()).compute(file, formulas)
    for spot, formula in formulas.items():
        answer = answers.get(spot)
        if answer is None or answer.kind == "error":
            shown = answer.text if answer else "no result"
            place = f"{spot[0]}!{name_of(spot[1])}"
            raise ToolError(f"The formula ={formula[:80]} in {place} gives {shown}.")
    write_results(book, file, answers, complete=True)


def wrong_results(file: Path, engine: Engine | None = None) -> Iterator[Mismatch]:
    """Yield the formulas whose stored result is missing or differs from the engine's.

    Raises:
        ToolError: the engine cannot compute the workbook at all.
    """
    book = Workbook(file)
    values = {(sheet.name, value.place): value for sheet, value in book.formulas()}
    answers = (engine or Formualizer()).compute(file, values)
    for spot, value in values.items():
        answer = answers.get(spot)
        stored = None if value.kind == "empty" else Answer(value.kind, value.text)
        if answer is None or stored is None or not same(stored, answer):
            yield Mismatch(
                spot=spot,
                formula=value.formula,
                stored=value.text,
                computed=answer.text if answer else "",
            )
