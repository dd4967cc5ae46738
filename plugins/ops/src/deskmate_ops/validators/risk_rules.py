"""OPS-RISK-SCORES and OPS-RISK-OWNERS: a register says what its table says, scores it rightly, and hides no gap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from deskmate.plugin import ToolInputError
from deskmate_ops.risk_book import HEADER, OVERDUE, SHEETS, UNRATED
from deskmate_ops.risks import CLOSED, NOT_NAMED, Risk
from deskmate_ops.scale import Scale

Problem = tuple[str, str]
Sheets = Mapping[str, Sequence[Sequence[str]]]
Row = dict[str, str]


def rows_of(sheets: Sheets) -> list[tuple[str, Row]]:
    """Return (place, header → cell) of each risk of a register.

    Raises:
        ToolInputError: it has not the sheets and columns of one.
    """
    if tuple(sheets) != SHEETS:
        raise ToolInputError(
            f"It has the sheets {', '.join(sheets)}; it should have {', '.join(SHEETS)}"
        )
    rows = sheets["Register"]
    if not rows or tuple(rows[0]) != HEADER:
        raise ToolInputError("The sheet Register has not the columns of a register")
    padded = [[*row, *[""] * (len(HEADER) - len(row))] for row in rows[1:]]
    return [
        (f"sheet Register, row {number}", dict(zip(HEADER, row, strict=False)))
        for number, row in enumerate(padded, start=2)
    ]


def score_problems(
    sheets: Sheets, risks: Sequence[Risk], scale: Scale, day: date
) -> Iterator[Problem]:
    """Yield what is wrong with ids, ratings, scores, bands, dates and counts."""
    rows = rows_of(sheets)
    ids = Counter(row["ID"].lower() for _, row in rows)
    truth = {risk.id: risk for risk in risks}
    for where, row in rows:
        if ids[row["ID"].lower()] > 1:
            yield f"The id {row['ID']} occurs {ids[row['ID'].lower()]} times.", where
        risk = truth.pop(row["ID"], None)
        if risk is None:
            if ids[row["ID"].lower()] == 1:
                yield f"The risk {row['ID']!r} is not in the table.", where
            continue
        yield from ((message, where) for message in _told(row, risk))
        yield from ((message, where) for message in _scored(row, scale, day))
    for key in truth:
        yield f"The risk {key} of the table is missing.", "sheet Register"
    yield from _heat(sheets["Heat map"], [row for _, row in rows], scale)
    yield from _summary(sheets["Summary"], [row for _, row in rows], scale)
    yield from _terms(sheets["Scale"], scale, day)


def _told(row: Row, risk: Risk) -> Iterator[str]:
    """Yield cells that are not what the table says."""
    expected = {
        "Risk": risk.risk,
        "Category": risk.category,
        "Owner": risk.owner or NOT_NAMED,
        "Likelihood": _text(risk.likelihood),
        "Impact": _text(risk.impact),
        "Treatment": risk.treatment or NOT_NAMED,
        "Treatment due": _text(risk.due),
        "Residual likelihood": _text(risk.residual_likelihood),
        "Residual impact": _text(risk.residual_impact),
        "Next review": _text(risk.review),
        "Status": risk.status,
        "Source row": str(risk.row),
    }
    for name, value in expected.items():
        if row[name] != value:
            yield f"{risk.id}: {name} is {row[name][:60]!r}; the table says {value[:60]!r}."


def _text(value: int | date | None) -> str:
    return "" if value is None else str(value)


def _scored(row: Row, scale: Scale, day: date) -> Iterator[str]:
    """Yield what does not follow from the register's own cells."""
    for prefix in ("", "Residual "):
        names = [f"{prefix}likelihood".capitalize(), f"{prefix}impact".capitalize()]
        score, band = (f"{prefix}{word}".capitalize() for word in ("score", "band"))
        ratings = [row[name] for name in names]
        if not all(ratings):
            if row[score] or row[band]:
                yield f"{row['ID']} has a {score.lower()} without ratings."
            continue
        if not all(text.isdigit() and 1 <= int(text) <= scale.steps for text in ratings):
            yield f"{row['ID']}: ratings are whole numbers from 1 to {scale.steps}, not {' and '.join(ratings)}."
            continue
        product = int(ratings[0]) * int(ratings[1])
        wanted = next(name for name, top in scale.bands if product <= top)
        if (row[score], row[band]) != (str(product), wanted):
            yield f"{row['ID']}: {score.lower()} is {row[score]} ({row[band]}); it is {product} ({wanted})."
    for name in ("Treatment due", "Next review"):
        try:
            moment = date.fromisoformat(row[name]) if row[name] else None
        except ValueError:
            yield f"{row['ID']}: {row[name]!r} is no day ({name})."
            continue
        if name == "Next review":
            late = moment is not None and moment < day and row["Status"].lower() not in CLOSED
            if (row["Review overdue"] == OVERDUE) != late:
                yield f"{row['ID']}: its review is {'' if late else 'not '}overdue on {day}."


def _heat(cells: Sequence[Sequence[str]], rows: Sequence[Row], scale: Scale) -> Iterator[Problem]:
    at = 0
    for prefix in ("", "Residual "):
        counts: Counter[tuple[str, str]] = Counter(
            (row[f"{prefix}likelihood".capitalize()], row[f"{prefix}impact".capitalize()])
            for row in rows
        )
        for step in range(scale.steps):
            likelihood = str(scale.steps - step)
            shown = list(cells[at + 1 + step]) if at + 1 + step < len(cells) else []
            right = [
                likelihood,
                *(str(counts[likelihood, str(i)]) for i in range(1, scale.steps + 1)),
            ]
            if shown[: len(right)] != right:
                yield (
                    f"Counts of likelihood {likelihood} are {shown[1:]}; the register gives {right[1:]}.",
                    "sheet Heat map",
                )
        at += scale.steps + 2


def _summary(
    cells: Sequence[Sequence[str]], rows: Sequence[Row], scale: Scale
) -> Iterator[Problem]:
    shown = {row[0]: [cell for cell in row[1:] if cell] for row in cells[1:] if row}
    before = Counter(row["Band"] for row in rows)
    after = Counter(row["Residual band"] for row in rows)
    right = {name: [str(before[name]), str(after[name])] for name, _ in scale.bands}
    right |= {
        UNRATED: [str(before[""]), str(after[""])],
        "Total": [str(len(rows))] * 2,
        "Reviews overdue": [str(sum(row["Review overdue"] == OVERDUE for row in rows))],
        "Without an owner": [str(sum(row["Owner"] == NOT_NAMED for row in rows))],
        "Without a treatment": [str(sum(row["Treatment"] == NOT_NAMED for row in rows))],
    }
    for name, values in right.items():
        if shown.get(name) != values:
            yield f"{name}: {shown.get(name)} should be {values}.", "sheet Summary"


def _terms(cells: Sequence[Sequence[str]], scale: Scale, day: date) -> Iterator[Problem]:
    shown = {row[0]: row[1] if len(row) > 1 else "" for row in cells if row}
    right = {"As of": str(day), "Likelihood and impact from 1 to": str(scale.steps)}
    right |= {f"Band {name}, highest score": str(top) for name, top in scale.bands}
    for name, value in right.items():
        if shown.get(name) != value:
            yield f"{name} is {shown.get(name)!r}; it should be {value!r}.", "sheet Scale"


def owner_problems(sheets: Sheets, scale: Scale, day: date) -> Iterator[Problem]:
    """Yield gaps of the register that its open points do not name, and open points that are none."""
    named = Counter((row[0], row[1]) for row in sheets.get("Open points", ())[1:] if len(row) > 1)
    for where, row in rows_of(sheets):
        if not row["Owner"]:
            yield f"{row['ID']} has neither an owner nor the words {NOT_NAMED!r}.", where
        for gap in _gaps(row, scale, day):
            if not named[row["ID"], gap]:
                yield f"{row['ID']}: {gap}, and the open points do not say so.", where
            named[row["ID"], gap] -= 1
    for (key, gap), count in named.items():
        if count > 0 and key != "none":
            yield f"The open point {gap!r} of {key} is none.", "sheet Open points"


def _gaps(row: Row, scale: Scale, day: date) -> Iterator[str]:
    score = int(row["Score"]) if row["Score"].isdigit() else None
    left = int(row["Residual score"]) if row["Residual score"].isdigit() else None
    closed = row["Status"].lower() in CLOSED
    heavy = score is not None and len(scale.bands) > 1 and score > scale.bands[1][1]
    due = date.fromisoformat(row["Treatment due"]) if row["Treatment due"] else None
    review = date.fromisoformat(row["Next review"]) if row["Next review"] else None
    tests = (
        (score is None, "likelihood or impact is not rated, so there is no score"),
        (row["Owner"] == NOT_NAMED, "no owner is named"),
        (
            heavy and row["Treatment"] == NOT_NAMED,
            "no treatment is named, though the risk is above the second band",
        ),
        (heavy and due is None and not closed, "no day is named by which it is treated"),
        (
            left is not None and score is not None and left > score,
            "the residual score is above the score before treatment",
        ),
        (review is None and not closed, "no review date is named"),
    )
    yield from (gap for open_, gap in tests if open_)
    for moment, what in ((review, "review"), (due, "treatment")):
        if moment is not None and moment < day and not closed:
            yield f"its {what} is overdue by {(day - moment).days} days"
