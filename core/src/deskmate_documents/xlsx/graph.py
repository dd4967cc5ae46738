"""What formulas read and what reads them: precedents and dependents over the whole workbook."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from deskmate_documents.xlsx.book import Sheet, Workbook
from deskmate_documents.xlsx.formula import VOLATILE, Token, bare, split_ref, tokens
from deskmate_documents.xlsx.refs import Area, Place, parse_areas, split_sheet

DEPTH_LIMIT = 20
SMALL = 64
Spot = tuple[str, Place]
"""(sheet, cell)."""


class _Rows:
    """Areas of the same columns, each given out once: with the first row that lies in it."""

    def __init__(self, areas: Sequence[Area]) -> None:
        """`areas`: sorted by their first rows."""
        self._areas = areas
        self._tops = [area.top for area in areas]
        self._size = 1 << (len(areas) - 1).bit_length()
        # a tree of last rows, each node the greatest of its two: what ends above a row is passed over at once
        self._last = [0] * self._size + [area.bottom for area in areas]
        self._last += [0] * (2 * self._size - len(self._last))
        for node in range(self._size - 1, 0, -1):
            self._last[node] = max(self._last[2 * node], self._last[2 * node + 1])

    def take(self, row: int) -> Iterator[Area]:
        """Yield the areas with this row that were not given out before."""
        begun = bisect_right(self._tops, row)
        pending = [(1, 0, self._size)]
        while pending:
            node, first, count = pending.pop()
            if first >= begun or self._last[node] < row:
                continue
            if count > 1:
                half = count // 2
                pending += [(2 * node, first, half), (2 * node + 1, first + half, half)]
                continue
            yield self._areas[first]
            self._last[node] = 0
            while node > 1:
                node //= 2
                self._last[node] = max(self._last[2 * node], self._last[2 * node + 1])


class _Areas:
    """The wide areas of a sheet, each given out once."""

    def __init__(self, areas: Iterable[Area]) -> None:
        """Sort them by their columns."""
        groups: dict[tuple[int, int], list[Area]] = defaultdict(list)
        for area in areas:
            groups[area.left, area.right].append(area)
        self._groups = [(*columns, _Rows(sorted(found))) for columns, found in groups.items()]

    def take(self, place: Place) -> Iterator[Area]:
        """Yield the areas with this cell that were not given out before."""
        for left, right, rows in self._groups:
            if left <= place[1] <= right:
                yield from rows.take(place[0])


class Graph:
    """The references between the cells of a workbook."""

    def __init__(self, book: Workbook, *, empty: bool = False) -> None:
        """Read every formula once; `empty`: none, to resolve references only."""
        self._book = book
        self._order = [sheet.name for sheet in book.sheets]
        self._lower = {name.lower(): name for name in self._order}
        self._names = {(n.scope.lower(), n.name.lower()): n.refers_to for n in book.names}
        self._tables = {table.name.lower(): table for table in book.tables}
        self._direct: dict[Spot, list[Spot]] = defaultdict(list)
        # sheet and row → first and last column that are read, and by what: a row's sum is one entry, not one a cell
        self._lines: dict[tuple[str, int], list[tuple[int, int, list[Spot]]]] = defaultdict(list)
        self._wide: dict[str, dict[Area, list[Spot]]] = defaultdict(lambda: defaultdict(list))
        self.volatile: set[Spot] = set()
        self.count = 0
        for sheet, value in () if empty else book.formulas():
            self._add(sheet, value.place, value.formula, value.array)

    def _add(self, sheet: Sheet, place: Place, formula: str, array: str) -> None:
        self.count += 1
        parts = tokens(formula)
        spots = [
            (sheet.name, cell)
            for area in parse_areas(array)
            if area.size <= 10_000
            for cell in area.cells()
        ]
        spots = spots or [(sheet.name, place)]
        if any(t.kind == "function" and bare(t.text) in VOLATILE for t in parts):
            self.volatile.update(spots)
        for where, area in set(self._areas(parts, sheet.name, place, 0)):
            if area.top == area.bottom and 1 < area.size <= SMALL:
                self._lines[where, area.top].append((area.left, area.right, spots))
            elif area.size <= SMALL:
                for cell in area.cells():
                    self._direct[where, cell].extend(spots)
            else:
                self._wide[where][area].extend(spots)

    def precedents(self, formula: str, sheet: str, place: Place) -> tuple[tuple[str, Area], ...]:
        """Return the (sheet, area)s that a formula reads, names and tables resolved, in order."""
        return tuple(dict.fromkeys(self._areas(tokens(formula), sheet, place, 0)))

    def _areas(
        self, parts: Iterable[Token], sheet: str, place: Place, depth: int
    ) -> Iterator[tuple[str, Area]]:
        for token in parts:
            if token.kind == "ref":
                prefix, text = split_ref(token.text)
                where = split_sheet(f"{prefix}A1")[0] if prefix else sheet
                for area in parse_areas(re.sub(r"\s", "", text)):
                    yield from ((each, area) for each in self._sheets(where))
            elif token.kind == "name" and depth < DEPTH_LIMIT:
                yield from self._named(token.text, sheet, place, depth)
            elif token.kind == "table":
                yield from self._of_table(token.text, sheet, place)

    def _sheets(self, where: str) -> list[str]:
        """Return the sheets that a prefix means, also `First:Last`; another workbook's are none."""
        known = self._lower
        if where.lower() in known:
            return [known[where.lower()]]
        first, colon, last = where.partition(":")
        if colon and first.lower() in known and last.lower() in known:
            ends = sorted(self._order.index(known[end.lower()]) for end in (first, last))
            return self._order[ends[0] : ends[1] + 1]
        return []

    def _named(self, text: str, sheet: str, place: Place, depth: int) -> Iterator[tuple[str, Area]]:
        where, name = split_sheet(text)
        scope = where or sheet
        refers_to = self._names.get((scope.lower(), name.lower())) or self._names.get(
            ("", name.lower())
        )
        if refers_to:
            yield from self._areas(tokens(refers_to), scope, place, depth + 1)
        elif name.lower() in self._tables:
            table = self._tables[name.lower()]
            yield table.sheet, table.body

    def _of_table(self, text: str, sheet: str, place: Place) -> Iterator[tuple[str, Area]]:
        name, _, inner = text.partition("[")
        table = self._tables.get(name.lower())
        if table is None and not name:
            table = next(
                (t for t in self._tables.values() if t.sheet == sheet and place in t.area), None
            )
        if table is None:
            return
        inner = inner.removesuffix("]")
        lower = inner.lower()
        this_row = "#this row" in lower or inner.startswith("@")
        area = table.area if re.search(r"#all|#headers|#totals", lower) else table.body
        plain = [column.lower() for column in table.columns]
        wanted = re.findall(r"\[([^\[\]]*)\]", inner) or [inner.lstrip("@")]
        wanted = [w.lstrip("@") for w in wanted if not w.startswith("#")]
        indexes = [
            plain.index(w.replace("'", "").lower())
            for w in wanted
            if w.replace("'", "").lower() in plain
        ]
        left = area.left + min(indexes) if indexes else area.left
        right = area.left + max(indexes) if indexes else area.right
        if this_row and table.sheet == sheet:
            yield table.sheet, Area(place[0], left, place[0], right)
        else:
            yield (
                table.sheet,
                Area(area.top, left, max(area.bottom, area.top), min(right, area.right)),
            )

    def readers(self, sheet: str, place: Place) -> Iterator[Spot]:
        """Yield the cells whose formulas read this cell directly."""
        yield from self._near(sheet, place)
        for area, spots in self._wide.get(sheet, {}).items():
            if place in area:
                yield from spots

    def _near(self, sheet: str, place: Place) -> Iterator[Spot]:
        """Yield the readers of small areas."""
        yield from self._direct.get((sheet, place), ())
        for left, right, spots in self._lines.get((sheet, place[0]), ()):
            if left <= place[1] <= right:
                yield from spots

    def dependents(
        self, start: Iterable[Spot], limit: int = 5_000, *, volatile: bool = True
    ) -> tuple[set[Spot], bool]:
        """Return all cells that these reach, volatile ones included unless told, and whether the limit cut them short."""
        reached: set[Spot] = set(self.volatile) if volatile else set()
        pending = [*start, *reached]
        wide = {sheet: _Areas(areas) for sheet, areas in self._wide.items()}
        while pending:
            sheet, place = pending.pop()
            found = list(self._near(sheet, place))
            for area in wide[sheet].take(place) if sheet in wide else ():
                found.extend(self._wide[sheet][area])
            for spot in found:
                if spot not in reached:
                    reached.add(spot)
                    pending.append(spot)
            if len(reached) > limit:
                return reached, True
        return reached, False
