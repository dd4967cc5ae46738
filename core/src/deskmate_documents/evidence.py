"""The evidence ledger, re-derived: what stands at a recorded place in the host's original, and what follows.

A ledger entry is a claim of the agent. Its value counts only where the original that the host holds, with the
digest that was read, has it at that very place; or where a workbook that the run delivers proves it beside its original.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, DivisionByZero, InvalidOperation, Overflow
from pathlib import Path
from typing import TYPE_CHECKING

from deskmate.errors import ToolError
from deskmate.plugin import Evidence, ValidationContext
from deskmate_documents.content import SHEETS, TABLES, read_content
from deskmate_documents.numbers import all_values, decimal_of
from deskmate_documents.tables import decode
from deskmate_documents.text import Passage, read_text

if TYPE_CHECKING:
    from deskmate_documents.delivered import DeliveredBook
    from deskmate_documents.xlsx.book import Workbook
    from deskmate_documents.xlsx.declared import Step

FACTORS = frozenset(Decimal(n) for n in (1, 2, 4, 12, 52, 100, 365, 1000, 10_000, 1_000_000))
"""Literals that a formula may hold: units of time and of scale. Everything else needs evidence."""
_FUNCTIONS: Mapping[str, Callable[[Sequence[Decimal]], Decimal]] = {
    "sum": lambda values: sum(values, Decimal(0)),
    "min": min,
    "max": max,
    "abs": lambda values: abs(values[0]),
    "mean": lambda values: sum(values, Decimal(0)) / len(values),
    "count": lambda values: Decimal(len(values)),
}
_OPERATORS: Mapping[type[ast.operator], Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
}
_LENGTH = 1_000
_DEPTH = 60
BOOKS_LIMIT = 8


class Unproven(Exception):
    """A piece of evidence or a formula does not hold. `message`: why, for the finding."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Ledger:
    """The run's evidence beside the host's originals."""

    def __init__(self, context: ValidationContext) -> None:
        """`context`: of the validation."""
        self._context = context
        self._items = {item.id: item for item in context.evidence}
        self._known: dict[str, Decimal] = {}
        self._books: dict[str, Workbook] = {}
        self._texts: dict[str, Sequence[Passage]] = {}
        self._delivered: dict[str, DeliveredBook] = {}

    def item(self, name: str) -> Evidence:
        """Return an entry by its id. Raises Unproven."""
        if name not in self._items:
            raise Unproven(f"there is no evidence {name} in this thread")
        return self._items[name]

    def _cell(self, path: str, place: str) -> Decimal:
        """Return the figure of a cell that is named instead of an entry: `work/model.xlsx#PL!C7`."""
        from deskmate_documents.xlsx.refs import parse_area, split_sheet  # noqa: PLC0415

        try:
            sheet, area = split_sheet(place)
            if path in self._context.others:
                return self._delivered_book(path).figure(sheet, area)
            book = self._book(path)
            cells = list(book.values(book.sheet(sheet), parse_area(area)))
        except ToolError as error:
            raise Unproven(f"{path} has no cell {place}: {error.message}") from error
        if len(cells) != 1 or cells[0].kind != "number":
            raise Unproven(f"{path} has no figure in the cell {place}")
        if cells[0].formula and book.is_stale:
            raise Unproven(f"the figure in {place} of {path} is from before an edit")
        value = decimal_of(cells[0].text)
        if value is None:
            raise Unproven(f"{path} has no figure in the cell {place}")
        return value

    def value(self, name: str) -> Decimal:
        """Return the figure that the original has at the recorded place. Raises Unproven.

        `name`: an entry's id, or a cell as `path#Sheet!C7`.
        """
        if name not in self._known:
            path, mark, place = name.rpartition("#")
            by_place = bool(mark) and name not in self._items
            self._known[name] = (
                self._cell(path, place) if by_place else self._derive(self.item(name))
            )
        return self._known[name]

    def _derive(self, item: Evidence) -> Decimal:
        if "cell" in item.locator and self._is_delivered(item):
            return self._of_delivered(item)
        self._file(item.path)
        if self._context.sources.digest(item.path) not in (None, item.source):
            raise Unproven(f"UNVERIFIED: {item.path} is not the version that was read")
        recorded = decimal_of(item.value)
        if recorded is None:
            raise Unproven(f"the evidence {item.id} is no figure")
        try:
            found = self._at(item)
        except ToolError as error:
            raise Unproven(f"its source cannot be read: {error.message}") from error
        if recorded not in found:
            place = ", ".join(f"{key} {value}" for key, value in item.locator.items())
            raise Unproven(f"{item.path} does not have {item.value} at {place}")
        return recorded

    def _at(self, item: Evidence) -> frozenset[Decimal]:
        """Return the figures that stand at the place. Raises ToolError, Unproven."""
        if "cell" in item.locator:
            return self._in_cell(item)
        for key in ("line", "row"):
            place = item.locator.get(key)
            if place is not None:
                lines = file_lines(self._file(item.path))
                inside = isinstance(place, int) and 1 <= place <= len(lines)
                return frozenset(all_values(lines[int(place) - 1])) if inside else frozenset()
        if not {"paragraph", "page"} & set(item.locator):
            raise Unproven(f"the evidence {item.id} names no place")
        return frozenset(
            value
            for passage in self._passages(item.path)
            if item.locator.get("paragraph") in (None, passage.paragraph)
            and item.locator.get("page") in (None, passage.page)
            for value in all_values(passage.text)
        )

    def _in_cell(self, item: Evidence) -> frozenset[Decimal]:
        from deskmate_documents.xlsx.refs import parse_area  # noqa: PLC0415

        book = self._book(item.path)
        sheet = book.sheet(str(item.locator.get("sheet", "")))
        cells = book.values(sheet, parse_area(str(item.locator["cell"])))
        texts = [cell.text for cell in cells if not (cell.formula and book.is_stale)]
        return frozenset(v for text in texts if (v := decimal_of(text)) is not None)

    def _is_delivered(self, item: Evidence) -> bool:
        """Say whether it was read from another result of this run, as it is now."""
        file = self._context.others.get(item.path)
        if file is None or item.source == self._context.sources.digest(item.path):
            return False
        return hashlib.sha256(file.read_bytes()).hexdigest() == item.source

    def _of_delivered(self, item: Evidence) -> Decimal:
        sheet, cell = str(item.locator.get("sheet", "")), str(item.locator["cell"])
        try:
            found = self._delivered_book(item.path).figure(sheet, cell)
        except ToolError as error:
            raise Unproven(f"its source cannot be read: {error.message}") from error
        if found != decimal_of(item.value):
            raise Unproven(f"{item.path} does not have {item.value} in {sheet}!{cell}")
        return found

    def _delivered_book(self, path: str) -> DeliveredBook:
        """Return another result of the run beside its original, or beside all workbooks where it has another path."""
        from deskmate_documents.delivered import DeliveredBook  # noqa: PLC0415

        if path not in self._delivered:
            sources = self._context.sources
            kept = (
                [path]
                if path in sources
                else [name for name in sources if Path(name).suffix.lower() in SHEETS]
            )
            edited, steps = self._steps(path)
            originals = {
                file: steps if name == edited else ()
                for name in kept[:BOOKS_LIMIT]
                if (file := sources.file(name))
            }
            facts = self._context.facts.get("said", ())
            words = "\n".join(map(str, facts)) if isinstance(facts, list | tuple) else ""
            self._delivered[path] = DeliveredBook(
                self._context.others[path], originals, all_values(words), words
            )
        return self._delivered[path]

    def _steps(self, path: str) -> tuple[str, Sequence[Step]]:
        """Return what a result of the run was edited from, and the rows, columns and sheets that came or went.

        Both are claims; G-DIFF holds the workbook to the very same ones.
        """
        from deskmate_documents.xlsx.declared import Declared  # noqa: PLC0415

        result = self._context.presented.get(path)
        declared = result.data.get("declared") if result is not None else None
        if result is None or not isinstance(declared, dict):
            return path, ()
        return result.sources.get("original", path), Declared.from_json(declared).steps

    def _file(self, path: str) -> Path:
        file = self._context.sources.file(path)
        if file is None:
            raise Unproven(f"UNVERIFIED: the host never held {path}")
        return file

    def _book(self, path: str) -> Workbook:
        from deskmate_documents.xlsx.book import Workbook  # noqa: PLC0415

        if path not in self._books:
            self._books[path] = Workbook(self._file(path))
        return self._books[path]

    def _passages(self, path: str) -> Sequence[Passage]:
        if path not in self._texts:
            self._texts[path] = read_text(self._file(path)).passages
        return self._texts[path]


def file_lines(file: Path) -> Sequence[str]:
    """Return the lines of a text; of a CSV its rows, the cells apart from one another."""
    if file.suffix.lower() in TABLES:
        return ["  |  ".join(row) for grid in read_content(file).grids for row in grid.rows]
    return decode(file.read_bytes(), file.name).splitlines()


def compute(formula: str, values: Sequence[Decimal]) -> Decimal:
    """Return what a formula over `e1`, `e2`, … gives; + − × ÷, brackets, sum min max abs mean count.

    Raises:
        Unproven: it cannot be read, divides by nothing, holds a literal that is no unit, or does not
            depend on every value that it is said to rest on.
    """
    tree = _parse(formula)
    result = _evaluated(tree, values)
    for index in range(len(values)):
        moved = [v + (abs(v) / 97 + 1) * (n == index) for n, v in enumerate(values)]
        counting = any(
            isinstance(n, ast.Name) and n.id in ("count", "min", "max") for n in ast.walk(tree)
        )
        if not counting and _evaluated(tree, moved) == result:
            raise Unproven(f"the formula {formula} does not depend on e{index + 1}")
    return result


def _parse(formula: str) -> ast.expr:
    if len(formula) > _LENGTH:
        raise Unproven("the formula is too long")
    try:
        return ast.parse(formula.strip().lstrip("="), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Unproven(f"the formula {formula[:80]} cannot be read") from error


def _evaluated(tree: ast.expr, values: Sequence[Decimal]) -> Decimal:
    try:
        return _evaluate(tree, values, 0)
    except (DivisionByZero, InvalidOperation, Overflow, ZeroDivisionError, ValueError) as error:
        raise Unproven("the formula cannot be computed") from error


def _evaluate(node: ast.expr, values: Sequence[Decimal], depth: int) -> Decimal:
    if depth > _DEPTH:
        raise Unproven("the formula is nested too deeply")
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            if Decimal(str(number)) not in FACTORS:
                raise Unproven(f"the formula holds the literal {number}, which needs evidence")
            return Decimal(str(number))
        case ast.Name(id=name):
            index = int(name[1:]) if name[:1] == "e" and name[1:].isdigit() else 0
            if not 1 <= index <= len(values):
                raise Unproven(f"the formula names {name}; it has e1 to e{len(values)}")
            return values[index - 1]
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_evaluate(inner, values, depth + 1)
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATORS:
            one, two = _evaluate(left, values, depth + 1), _evaluate(right, values, depth + 1)
            return _OPERATORS[type(operator)](one, two)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if (
            name in _FUNCTIONS and args
        ):
            return _FUNCTIONS[name]([_evaluate(arg, values, depth + 1) for arg in args])
    raise Unproven(
        "the formula may only add, subtract, multiply, divide, sum, min, max, abs, mean, count"
    )
