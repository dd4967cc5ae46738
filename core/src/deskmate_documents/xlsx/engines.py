"""The two engines that compute a workbook independently: formualizer within this process, and LibreOffice on a copy.

Both only compute. What they would save is never delivered; results are read from them and patched into the file.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from deskmate.errors import ToolError
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.cells import Kind
from deskmate_documents.xlsx.graph import Spot
from deskmate_documents.xlsx.refs import Area, Place

COMPUTE_LIMIT_S = 100.0
SHARE = 1 / 3
"""What of the time that is left formualizer may take: it needs a second where LibreOffice needs ten."""
_ERRORS = {
    "Null": "#NULL!", "Div": "#DIV/0!", "Value": "#VALUE!", "Ref": "#REF!", "Name": "#NAME?", "Num": "#NUM!",
    "Na": "#N/A",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine says a cell holds. `kind`: number, text, bool or error. `text`: as files store it."""

    kind: Kind
    text: str


class Deadline:
    """When a calculation by several engines has to be over; each gets a share of what is left."""

    def __init__(self, seconds: float) -> None:
        """`seconds`: from now on."""
        self._ends = time.monotonic() + seconds

    @property
    def left_s(self) -> float:
        """Seconds that are left, 0 or more."""
        return max(self._ends - time.monotonic(), 0.0)

    def share_s(self, share: float, name: str) -> float:
        """Return a share, 0 to 1, of the seconds that are left.

        Raises:
            ToolError: none are left; `name`: what was to be computed.
        """
        if not self.left_s:
            raise ToolError(
                f"{name} takes too long to be computed here; its formulas are computed when it is opened."
            )
        return self.left_s * share


class Engine(Protocol):
    """Computes a workbook's formulas."""

    @property
    def name(self) -> str:
        """Its name, for reports."""

    def compute(self, file: Path, wanted: Iterable[Spot]) -> Mapping[Spot, Answer]:
        """Compute every formula anew and return the wanted cells; cells that it cannot compute are left out.

        Raises:
            ToolError: it cannot compute this workbook at all.
        """


class Formualizer:
    """The engine of the PyPI package formualizer, a library without access to anything but the bytes."""

    name = "formualizer"

    def __init__(self, deadline: Deadline | None = None) -> None:
        """`deadline`: of the whole calculation, of which it takes a third; None for 100 seconds of its own."""
        self._deadline = deadline

    def compute(self, file: Path, wanted: Iterable[Spot]) -> Mapping[Spot, Answer]:
        """Compute the workbook; see `Engine`."""
        import formualizer  # noqa: PLC0415

        try:
            deadline = self._deadline or Deadline(COMPUTE_LIMIT_S / SHARE)
            own = Deadline(deadline.share_s(SHARE, file.name))
            book = _load(file, own.left_s / 2)
            try:
                book.evaluate_all()
            except formualizer.ExcelEvaluationError:
                return _one_by_one(book, wanted, own)
            return {
                spot: answer
                for spot in wanted
                if (answer := _answer(book.get_value(spot[0], *spot[1]))) is not None
            }
        except (OSError, ValueError, RuntimeError, KeyError, formualizer.ExcelEvaluationError) as e:
            raise ToolError(f"formualizer cannot compute {file.name}: {_line(e)}.") from e
        except BaseException as error:
            # A panic within the library is no Exception, so that nobody takes it for one of Python's.
            if type(error).__name__ != "PanicException":
                raise
            raise ToolError(f"formualizer cannot compute {file.name}: {_line(error)}.") from error


def _load(file: Path, limit_s: float) -> Any:
    """Open a workbook; each call that computes may take so long."""
    import formualizer  # noqa: PLC0415

    limits = formualizer.EvaluationConfig()
    limits.enable_parallel = False
    limits.max_eval_time_ms = max(int(limit_s * 1000), 1)
    book = formualizer.Workbook.from_bytes(
        file.read_bytes(), config=formualizer.WorkbookConfig(eval_config=limits)
    )
    book.set_temporal_egress("serial")
    return book


def _one_by_one(book: Any, wanted: Iterable[Spot], deadline: Deadline) -> Mapping[Spot, Answer]:
    """Compute cell by cell, so that one formula which cannot be computed leaves out only what reads it.

    Cells that nobody came to in time are left out, too.
    """
    import formualizer  # noqa: PLC0415

    found: dict[Spot, Answer] = {}
    for sheet, place in wanted:
        if not deadline.left_s:
            break
        try:
            answer = _answer(book.evaluate_cell(sheet, *place))
        except (formualizer.ExcelEvaluationError, ValueError, RuntimeError):
            continue
        if answer is not None:
            found[sheet, place] = answer
    return found


def _answer(value: Any) -> Answer | None:
    """Return a value of formualizer as a file stores it; None for what is no answer, such as NaN or a circle."""
    if isinstance(value, bool):
        return Answer("bool", "TRUE" if value else "FALSE")
    if isinstance(value, int | float):
        return Answer("number", number(value)) if math.isfinite(value) else None
    if isinstance(value, str):
        return Answer("text", value)
    if isinstance(value, dict) and value.get("kind") in _ERRORS:
        return Answer("error", _ERRORS[value["kind"]])
    return None


def number(value: float) -> str:
    """Return a number as files store it: shortest, whole ones without a point."""
    whole = float(value).is_integer() and abs(value) < 1e15
    return str(int(value)) if whole else repr(float(value))


Convert = Callable[[Path, Path], object]
"""Has LibreOffice compute the first file and save it as the second."""


class LibreOffice:
    """LibreOffice, which computes a copy and saves it; the copy is read and thrown away."""

    name = "LibreOffice"

    def __init__(self, convert: Convert | None = None) -> None:
        """`convert`: how a file is computed and saved anew; None for this guest's service."""
        self._convert = convert

    def compute(self, file: Path, wanted: Iterable[Spot]) -> Mapping[Spot, Answer]:
        """Compute the workbook; see `Engine`."""
        areas = _areas(wanted)
        with tempfile.TemporaryDirectory(prefix="deskmate-calc-") as folder:
            source = Path(folder) / f"book{file.suffix}"
            source.write_bytes(file.read_bytes())
            computed = Path(folder) / "computed.xlsx"
            (self._convert or _service())(source, computed)
            return _stored(Workbook(computed), areas)


def _service() -> Convert:
    from deskmate_documents.render import convert  # noqa: PLC0415

    return convert


def _areas(wanted: Iterable[Spot]) -> dict[str, set[Place]]:
    found: dict[str, set[Place]] = {}
    for sheet, place in wanted:
        found.setdefault(sheet, set()).add(place)
    return found


def _stored(book: Workbook, wanted: Mapping[str, set[Place]]) -> Mapping[Spot, Answer]:
    found: dict[Spot, Answer] = {}
    for sheet in book.sheets:
        places = wanted.get(sheet.name)
        if not places or sheet.kind != "worksheet":
            continue
        rows, columns = [p[0] for p in places], [p[1] for p in places]
        around = Area(min(rows), min(columns), max(rows), max(columns))
        for value in book.values(sheet, around):
            if value.place in places and value.kind != "empty":
                found[sheet.name, value.place] = Answer(value.kind, value.text)
        book.forget(sheet)
    return found


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200].rstrip(".")
