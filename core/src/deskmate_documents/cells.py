"""Cells of a table over documents: found by rules, and every answer checked against the document's own text.

An answer counts as checked only if its quote stands in the document, its value stands in the quote, and the value
is of its column's type. What merely stands behind a quote, such as a yes, is called quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from deskmate.errors import ToolInputError
from deskmate.types.tables import PLACE_LIMIT, QUOTE_LIMIT, VALUE_LIMIT, Answer, Cell, Column
from deskmate_documents.cell_values import Value, read_value, values_in
from deskmate_documents.quotes import QuoteFinder, normalise
from deskmate_documents.text import Passage, SourceText

MATCHES_LIMIT = 200
_BEFORE, _AFTER = 240, 360
_LEAST_WORDS = 3
_SENTENCE = re.compile(r"(?<=[.;:!?])\s+(?=[\"“(]?[A-Z0-9])|\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What a rule found, and where."""

    value: Value
    quote: str
    passage: Passage


class CellReader:
    """Reads and checks the cells of one document."""

    def __init__(self, source: SourceText) -> None:
        """`source`: the document's text."""
        self._source = source
        self._finder = QuoteFinder(source)
        self._texts = [" ".join(passage.text.split()) for passage in source.passages]
        self._text = "\n".join(self._texts)
        self._starts = _starts(self._texts)

    def find(self, columns: Sequence[Column]) -> list[Cell]:
        """Return a cell for each column, by its rules alone. Raises ToolInputError for a pattern that is none."""
        return [self._by_rules(column) for column in columns]

    def check(self, columns: Sequence[Column], answers: Iterable[Answer]) -> list[Cell]:
        """Return a cell for each column: a model's answer, checked; where a column has rules, against these, too."""
        given = {answer.column: answer for answer in answers}
        return [self._checked(column, given.get(column.name)) for column in columns]

    def _by_rules(self, column: Column) -> Cell:
        found = self._matches(column)
        if not found:
            return Cell(column=column.name, status="not_found", by="rules")
        different = {item.value.key: item for item in reversed(found)}
        chosen = found[-1] if column.pick == "last" else found[0]
        cell = self._cell(column, chosen)
        if len(different) > 1 and (column.pick == "only" or column.kind == "yes_no"):
            others = [item for item in found if item is different[item.value.key]]
            told = ", ".join(f"{item.value.text} ({_place(item.passage)})" for item in others[:4])
            return replace(
                cell, status="disputed", why=f"{len(different)} different answers: {told}"
            )
        return cell

    def _cell(self, column: Column, found: _Found) -> Cell:
        """Return a rule's cell, which stands the same check as a model's answer."""
        answer = Answer(
            column=column.name, found=True, value=found.value.shown(), quote=found.quote
        )
        cell = replace(self._stands(column, answer), by="rules")
        if cell.status in ("checked", "quoted"):
            cell = _at(cell, found.passage)
        if column.kind == "yes_no" and cell.status == "quoted":
            return replace(cell, why="by the wording that the rule looks for")
        return cell

    def _matches(self, column: Column) -> list[_Found]:
        found = [
            item for pattern in column.patterns for item in self._of(column, pattern, "yes")
        ] + [item for pattern in column.no_patterns for item in self._of(column, pattern, "no")]
        return sorted(found, key=lambda item: item.passage.paragraph)

    def _of(self, column: Column, pattern: str, meaning: str) -> Iterator[_Found]:
        try:
            compiled = re.compile(pattern, re.IGNORECASE | re.MULTILINE)
        except re.error as error:
            raise ToolInputError(
                f"The column {column.name} has a broken pattern: {error}."
            ) from error
        for number, match in enumerate(compiled.finditer(self._text)):
            if number == MATCHES_LIMIT:
                return
            words = meaning if column.kind == "yes_no" else _group(match)
            value = read_value(column, words)
            if isinstance(value, Value):
                quote = self._quote(match.start(), match.end())
                yield _Found(value=value, quote=quote, passage=self._passage(match.start()))

    def _passage(self, at: int) -> Passage:
        import bisect  # noqa: PLC0415

        return self._source.passages[max(bisect.bisect_right(self._starts, at) - 1, 0)]

    def _quote(self, start: int, end: int) -> str:
        """Return the sentence around a match, cut to a length that a person reads."""
        low, high = max(start - _BEFORE, 0), min(end + _AFTER, len(self._text))
        for cut in _SENTENCE.finditer(self._text, low, start):
            low = cut.end()
        after = _SENTENCE.search(self._text, max(end - 1, 0), high)
        if after is not None and after.start() >= end:
            high = after.start()
        while low > 0 and low < start and self._text[low - 1].isalnum():
            low += 1
        while high < len(self._text) and high > end and self._text[high].isalnum():
            high -= 1
        return " ".join(self._text[low:high].split())[:QUOTE_LIMIT]

    def _checked(self, column: Column, answer: Answer | None) -> Cell:
        if answer is None:
            why = "the model gave no answer to this column"
            return Cell(column=column.name, status="disputed", why=why)
        cell = (
            self._stands(column, answer)
            if answer.found
            else Cell(column=column.name, status="not_found")
        )
        return self._against_rules(column, cell) if column.has_rules else cell

    def _against_rules(self, column: Column, cell: Cell) -> Cell:
        """Dispute an answer that the column's own rules contradict."""
        rule = self._by_rules(column)
        if rule.status not in ("checked", "quoted") or cell.status == "disputed":
            return cell
        place = _words(rule.page, rule.paragraph, rule.place)
        if cell.status == "not_found":
            why = f"the model found nothing, the rule finds {rule.value} {rule.unit}".rstrip()
            return replace(rule, status="disputed", why=f"{why} on {place}", by="")
        if (cell.value.casefold(), cell.unit) != (rule.value.casefold(), rule.unit):
            why = f"the rule finds {rule.value} {rule.unit}".rstrip()
            return replace(cell, status="disputed", why=f"{why} on {place}")
        return cell

    def _stands(self, column: Column, answer: Answer) -> Cell:
        """Return the cell of an answer: what of it the document bears out."""
        quote = answer.quote.strip()[:QUOTE_LIMIT]
        cell = Cell(
            column=column.name,
            status="disputed",
            value=answer.value.strip()[:VALUE_LIMIT],
            quote=quote,
        )
        if not quote:
            return replace(cell, why="no quote was given")
        places = self._finder.find(quote)
        if not places:
            return replace(cell, why="the quote is not in the document")
        cell = _at(cell, places[0])
        whole = any(normalise(place.text) == normalise(quote) for place in places)
        if len(quote.split()) < _LEAST_WORDS and not whole:
            return replace(cell, why="the quote is too short to prove anything")
        value = read_value(column, cell.value)
        if isinstance(value, str):
            return replace(cell, why=value)
        cell = replace(cell, value=value.text, unit=value.unit)
        if column.kind == "yes_no":
            return replace(cell, status="quoted")
        if value.key in {found.key for found in values_in(column, quote, value)}:
            return replace(cell, status="checked")
        if column.kind == "choice":
            return replace(cell, status="quoted")
        return replace(cell, why="the value is not in the quote")


def marked_text(source: SourceText) -> str:
    """Return a document's text as a model reads it: each paragraph on lines of its own, pages marked."""
    lines: list[str] = []
    page: int | None = None
    for passage in source.passages:
        if passage.page is not None and passage.page != page:
            page = passage.page
            lines.append(f"[page {page}]")
        number = f"{passage.number} " if passage.number else ""
        lines.append(number + " ".join(passage.text.split()))
    return "\n".join(lines)


def columns_of(rows: Iterable[Mapping[str, object]]) -> list[Column]:
    """Return the columns that a call brought. Raises ToolInputError."""
    from deskmate.errors import CorruptData  # noqa: PLC0415
    from deskmate.types.codec import from_json  # noqa: PLC0415

    try:
        return [from_json(Column, row) for row in rows]
    except CorruptData as error:
        raise ToolInputError(f"A column is malformed: {error}.") from error


def _group(match: re.Match[str]) -> str:
    named = match.groupdict().get("value")
    if named:
        return str(named)
    groups = [group for group in match.groups() if group]
    return groups[0] if groups else match.group()


def _starts(texts: Sequence[str]) -> list[int]:
    starts, at = [], 0
    for text in texts:
        starts.append(at)
        at += len(text) + 1
    return starts


def _place(passage: Passage) -> str:
    return _words(passage.page, passage.paragraph, passage.place)


def _words(page: int | None, paragraph: int | None, place: str) -> str:
    return place or (f"page {page}" if page else f"paragraph {paragraph}")


def _at(cell: Cell, passage: Passage) -> Cell:
    return replace(
        cell, page=passage.page, paragraph=passage.paragraph, place=passage.place[:PLACE_LIMIT]
    )
