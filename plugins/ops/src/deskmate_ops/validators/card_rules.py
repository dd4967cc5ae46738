"""OPS-SUMS-TIE and OPS-WEIGHTS for scorecards: computed once more, from the source and in another way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from deskmate_ops.card import EQUAL, GIVEN, Card
from deskmate_ops.costs import TCO, Costs

Problem = tuple[str, str]
Sheets = Mapping[str, Sequence[Sequence[str]]]
NEAR = 2e-6


def shape_problems(shown: Sheets, card: Card) -> Iterator[Problem]:
    """Yield a message if the workbook has not the sheets of a scorecard."""
    wanted = [
        "Scores",
        "Points",
        "Figures",
        "Weights",
        "Sensitivity",
        *(("TCO", "Costs") if card.costs else ()),
        "Terms",
    ]
    if list(shown) != wanted:
        yield (
            f"The workbook has the sheets {', '.join(shown)}; it should have {', '.join(wanted)}.",
            "",
        )


def card_problems(shown: Sheets, card: Card) -> Iterator[Problem]:
    """Yield each figure that the source does not give, by exact fractions."""
    shape = list(shape_problems(shown, card))
    if shape:
        yield from shape
        return
    points = _points(card)
    scores: dict[str, Fraction] = {
        v: sum((points[v][c] * Fraction(w) for c, w in card.weights.items()), Fraction())
        for v in card.figures
    }
    yield from _each(
        shown["Figures"], {v: _exact(f) for v, f in card.figures.items()}, 0, "sheet Figures"
    )
    yield from _each(shown["Points"], points, 0, "sheet Points")
    own = {
        v: {"Score": s, "Rank": Fraction(1 + sum(_more(o, s) for o in scores.values()))}
        for v, s in scores.items()
    }
    yield from _each(shown["Scores"], own, 1, "sheet Scores")
    yield from _sensitivity(shown["Sensitivity"], card, points, scores)
    if card.costs is not None:
        yield from _tco(shown["TCO"], card, card.costs)
        yield from _lines(shown["Costs"], card.costs)


def _exact(figures: Mapping[str, object]) -> dict[str, Fraction]:
    return {name: Fraction(str(value)) for name, value in figures.items()}


def _more(one: Fraction, other: Fraction) -> bool:
    return one - other > Fraction(1, 2_000_000)


def _points(card: Card) -> dict[str, dict[str, Fraction]]:
    found: dict[str, dict[str, Fraction]] = {vendor: {} for vendor in card.figures}
    for name in card.weights:
        column = [Fraction(own[name]) for own in card.figures.values()]
        worst, best = min(column), max(column)
        if card.scale and name != TCO:
            worst, best = Fraction(card.scale[0]), Fraction(card.scale[1])
        if name in card.lower:
            worst, best = best, worst
        for vendor, own in card.figures.items():
            gap = best - worst
            found[vendor][name] = (
                100 * (Fraction(own[name]) - worst) / gap if gap else Fraction(100)
            )
    return found


def _near(cell: str, value: Fraction) -> bool:
    try:
        return abs(float(cell) - float(value)) <= NEAR + 1e-9 * abs(float(value))
    except ValueError:
        return False


def _each(
    rows: Sequence[Sequence[str]], truth: Mapping[str, Mapping[str, Fraction]], at: int, where: str
) -> Iterator[Problem]:
    header = list(rows[0]) if rows else []
    there = [row[at] for row in rows[1:] if len(row) > at]
    if sorted(there) != sorted(truth):
        yield "Its vendors are not those of the source, each once.", where
        return
    for number, row in enumerate(rows[1:], start=2):
        for name, value in truth[row[at]].items():
            place = header.index(name) if name in header else len(row)
            cell = row[place] if place < len(row) else ""
            if not _near(cell, value):
                yield (
                    f"{name} of {row[at]} is {cell!r}; the source gives {float(value):.6g}.",
                    f"{where}, row {number}",
                )


def _sensitivity(
    rows: Sequence[Sequence[str]],
    card: Card,
    points: Mapping[str, Mapping[str, Fraction]],
    scores: Mapping[str, Fraction],
) -> Iterator[Problem]:
    header = list(rows[0])
    expected = [(name, sign) for name in card.weights for sign in (-1, 1)]
    if [row[0] for row in rows[1:]] != [name for name, _ in expected]:
        yield "Its rows are not each criterion twice.", "sheet Sensitivity"
        return
    for number, ((name, sign), row) in enumerate(zip(expected, rows[1:], strict=True), start=2):
        where = f"sheet Sensitivity, row {number}"
        weight = Fraction(card.weights[name])
        new = min(Fraction(1), weight * (1 + sign * Fraction(card.step)))
        best: dict[str, Fraction] = {}
        for vendor in card.figures:
            others = sum(
                (points[vendor][c] * Fraction(w) for c, w in card.weights.items() if c != name),
                Fraction(),
            )
            moved = (
                points[vendor][name] * new + others * (1 - new) / (1 - weight)
                if weight != 1
                else scores[vendor]
            )
            best[vendor] = moved
            cell = row[header.index(vendor)] if vendor in header else ""
            if not _near(cell, moved):
                yield f"{vendor} has {cell!r}; it is {float(moved):.6g}.", where
        leaders = [v for v, s in best.items() if not any(_more(o, s) for o in best.values())]
        if row[len(header) - 1] not in leaders:
            yield f"First is {row[len(header) - 1]!r}; it is {' or '.join(leaders)}.", where


def _tco(rows: Sequence[Sequence[str]], card: Card, costs: Costs) -> Iterator[Problem]:
    header = list(rows[0])
    body = {row[0]: row for row in rows[2:]}
    if sorted(body) != sorted(card.figures):
        yield "Its vendors are not those of the source, each once.", "sheet TCO"
        return
    rate = Fraction(card.rate)
    for vendor, row in body.items():
        lines = [line for line in costs.lines if line.vendor == vendor]
        right = {"Total": sum((Fraction(line.amount) for line in lines), Fraction())}
        right["Present value"] = sum(
            (Fraction(c.amount) / (1 + rate) ** c.year for c in lines), Fraction()
        )
        for year in costs.years:
            right[str(year)] = sum(
                (Fraction(c.amount) for c in lines if c.year == year), Fraction()
            )
        for name, value in right.items():
            cell = row[header.index(name)] if name in header else ""
            if not _near(cell, value):
                yield (
                    f"{name} of {vendor} is {cell!r}; the costs give {float(value):.6g}.",
                    "sheet TCO",
                )


def _lines(rows: Sequence[Sequence[str]], costs: Costs) -> Iterator[Problem]:
    there = rows[1:-1]
    if len(there) != len(costs.lines):
        yield f"It has {len(there)} lines; the costs have {len(costs.lines)}.", "sheet Costs"
    for number, (row, line) in enumerate(zip(there, costs.lines, strict=False), start=2):
        same = list(row[:2]) == [line.vendor, line.item] and row[2] == str(line.year)
        if not same or not _near(row[3], Fraction(line.amount)):
            yield f"{' '.join(row[:4])} is not the line of the costs.", f"sheet Costs, row {number}"
    total = sum((Fraction(line.amount) for line in costs.lines), Fraction())
    if rows[-1][0] != "Total" or not _near(rows[-1][3], total):
        yield (
            f"The total is {rows[-1][3]!r}; the lines add up to {float(total):.6g}.",
            "sheet Costs",
        )


def weight_problems(shown: Sheets, card: Card) -> Iterator[Problem]:
    """Yield weights that are not those given or do not add up to 1, scores off 0 to 100, figures without a source."""
    shape = list(shape_problems(shown, card))
    if shape:
        yield from shape
        return
    yield from _weighed(shown["Weights"][1:-1], card)
    yield from _sourced(shown, card)


def _weighed(rows: Sequence[Sequence[str]], card: Card) -> Iterator[Problem]:
    right = {name: ("lower" if name in card.lower else "higher") for name in card.weights}
    if [row[0] for row in rows] != list(right):
        yield "Its criteria are not those that are weighed.", "sheet Weights"
        return
    origin = EQUAL if card.equal else GIVEN
    total = 0.0
    for number, row in enumerate(rows, start=2):
        where = f"sheet Weights, row {number}"
        if not _near(row[1], Fraction(card.weights[row[0]])):
            yield f"{row[0]} weighs {row[1]!r}; {float(card.weights[row[0]]):.6g} was given.", where
        if list(row[2:4]) != [right[row[0]], origin]:
            yield (
                f"{row[0]} says {' and '.join(row[2:4])!r}; it is {right[row[0]]} and {origin}.",
                where,
            )
        total += float(row[1]) if _near(row[1], Fraction(card.weights[row[0]])) else 0.0
    if abs(total - 1) > NEAR:
        yield f"The weights add up to {total:.6g}, not to 1.", "sheet Weights"


def _in_range(cell: str) -> bool:
    try:
        return -NEAR <= float(cell) <= 100 + NEAR
    except ValueError:
        return False


def _sourced(shown: Sheets, card: Card) -> Iterator[Problem]:
    for row in shown["Scores"][1:]:
        if not _in_range(row[2]):
            yield f"The score of {row[1]} is {row[2]}, off 0 to 100.", "sheet Scores"
    place = len(shown["Figures"][0]) - 1
    for number, row in enumerate(shown["Figures"][1:], start=2):
        cited = row[place] if place < len(row) else ""
        if cited != card.sources.get(row[0]):
            yield (
                f"The figures of {row[0]} name {cited or 'no source'!r}; they stand in {card.sources.get(row[0])!r}.",
                f"sheet Figures, row {number}",
            )
    if card.costs is not None:
        for row, line in zip(shown["Costs"][1:-1], card.costs.lines, strict=False):
            if len(row) < 5 or row[4] != line.source:
                yield f"A cost of {line.vendor} does not name {line.source!r}.", "sheet Costs"
