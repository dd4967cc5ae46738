"""The workbook of a risk register: Register with live scores, Heat map, Summary, Open points, Scale; and the picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from deskmate_documents.scenes import Box, Scene, Text
from deskmate_documents.xlsx.build import Computed
from deskmate_ops.books import Page, Value, column, total_of
from deskmate_ops.risks import CLOSED, NOT_NAMED, Risk, gaps_of
from deskmate_ops.scale import Scale

HEADER = (
    "ID",
    "Risk",
    "Category",
    "Owner",
    "Likelihood",
    "Impact",
    "Score",
    "Band",
    "Treatment",
    "Treatment due",
    "Residual likelihood",
    "Residual impact",
    "Residual score",
    "Residual band",
    "Next review",
    "Review overdue",
    "Status",
    "Source row",
)
SHEETS = ("Register", "Heat map", "Summary", "Open points", "Scale")
OVERDUE = "overdue"
AS_OF = "'Scale'!$B$2"
UNRATED = "not rated"
IDS_SHOWN = 9


def register_pages(risks: Sequence[Risk], scale: Scale, today: date) -> list[Page]:
    """Return the sheets of a register; the highest scores first, those without a score last."""
    ordered = ranked(risks)
    return [
        _register(ordered, scale, today),
        _heat(ordered, scale),
        _summary(ordered, scale, today),
        _open(ordered, scale, today),
        _scale(scale, today),
    ]


def ranked(risks: Sequence[Risk]) -> list[Risk]:
    """Return the risks by score, then residual score, then as in the source."""
    return sorted(risks, key=lambda r: (-(r.score or 0), -(r.residual or 0), r.row))


def _day(day: date | None) -> Value:
    return None if day is None else {"date": day.isoformat()}


def _register(risks: Sequence[Risk], scale: Scale, today: date) -> Page:
    rows: list[list[Value]] = [list(HEADER)]
    for number, risk in enumerate(risks, start=2):
        score, left = risk.score, risk.residual
        late = OVERDUE if risk.is_late(today) else ""
        words = ",".join(f'LOWER(Q{number})="{word}"' for word in sorted(CLOSED))
        closed = f"OR({words})"
        rows.append(
            [
                risk.id,
                risk.risk,
                risk.category,
                risk.owner or NOT_NAMED,
                risk.likelihood,
                risk.impact,
                _product(f"E{number}", f"F{number}", score),
                Computed(scale.formula(f"G{number}"), scale.band(score) if score else ""),
                risk.treatment or NOT_NAMED,
                _day(risk.due),
                risk.residual_likelihood,
                risk.residual_impact,
                _product(f"K{number}", f"L{number}", left),
                Computed(scale.formula(f"M{number}"), scale.band(left) if left else ""),
                _day(risk.review),
                Computed(
                    f'=IF(O{number}="","",IF(AND(O{number}<{AS_OF},NOT({closed})),"{OVERDUE}",""))',
                    late,
                ),
                risk.status,
                risk.row,
            ]
        )
    last = len(rows)
    return Page(
        name="Register",
        rows=rows,
        widths=(9, 46, 16, 20, 11, 9, 8, 11, 40, 14, 18, 15, 15, 14, 13, 15, 13, 11),
        formats=(
            "",
            "",
            "",
            "",
            "0",
            "0",
            "0",
            "",
            "",
            "yyyy-mm-dd",
            "0",
            "0",
            "0",
            "",
            "yyyy-mm-dd",
            "",
            "",
            "0",
        ),
        freeze="C2",
        inputs=(f"E2:F{last}", f"K2:L{last}"),
        edits=[*_band_rules(scale, last), *_open_rules(last)],
    )


def _product(one: str, other: str, result: int | None) -> Computed:
    return Computed(
        f'=IF(OR({one}="",{other}=""),"",{one}*{other})', "" if result is None else result
    )


def _band_rules(scale: Scale, last: int) -> list[dict[str, Any]]:
    """Return native conditional formats: scores and bands in the colour of their band, by figures, not by words."""
    edits: list[dict[str, Any]] = []
    for letters, figure in (("G", "G"), ("H", "G"), ("M", "M"), ("N", "M")):
        floor = 0
        for name, top in scale.bands:
            formula = f'AND(${figure}2<>"",${figure}2>{floor},${figure}2<={top})'
            rule = {
                "type": "expression",
                "formulas": [formula],
                "format": {"fill": scale.colour(name)},
            }
            edits.append({"op": "rule", "cells": f"{letters}2:{letters}{last}", "rule": rule})
            floor = top
    return edits


def _open_rules(last: int) -> list[dict[str, Any]]:
    red = {"color": "B42318", "bold": True}
    wrap = [{"op": "style", "cells": f"{c}2:{c}{last}", "wrap": True} for c in ("B", "I")]
    late = {"type": "cellIs", "operator": "equal", "formulas": [f'"{OVERDUE}"'], "format": red}
    nobody = {"type": "cellIs", "operator": "equal", "formulas": [f'"{NOT_NAMED}"'], "format": red}
    return [
        *wrap,
        {"op": "rule", "cells": f"P2:P{last}", "rule": late},
        {"op": "rule", "cells": f"D2:D{last}", "rule": nobody},
        {"op": "rule", "cells": f"I2:I{last}", "rule": nobody},
    ]


def _heat(risks: Sequence[Risk], scale: Scale) -> Page:
    """Return how many risks lie where, before and after treatment: live counts over the native matrix."""
    last, steps = len(risks) + 1, scale.steps
    rows: list[list[Value]] = []
    edits: list[dict[str, Any]] = []
    for title, columns, pairs in (
        ("Before treatment", "EF", Counter((r.likelihood, r.impact) for r in risks)),
        (
            "After treatment",
            "KL",
            Counter((r.residual_likelihood, r.residual_impact) for r in risks),
        ),
    ):
        rows.append([f"{title}: likelihood ↓, impact →", *range(1, steps + 1)])
        head = len(rows)
        for likelihood in range(steps, 0, -1):
            number = len(rows) + 1
            row: list[Value] = [likelihood]
            for impact in range(1, steps + 1):
                one, other = (f"'Register'!${c}$2:${c}${last}" for c in columns)
                letter = column(impact + 1)
                formula = f"=COUNTIFS({one},$A{number},{other},{letter}${head})"
                row.append(Computed(formula, pairs[likelihood, impact]))
            rows.append(row)
        area = f"B{head + 1}:{column(steps + 1)}{len(rows)}"
        if head > 1:
            look = {"bold": True, "fill": "1F3864", "color": "FFFFFF", "wrap": True}
            edits.append({"op": "style", "cells": f"A{head}:{column(steps + 1)}{head}", **look})
        edits.append(
            {"op": "style", "cells": area, "align": "center", "bold": True, "number_format": "0;;"}
        )
        floor = 0
        for name, top in scale.bands:
            product = f"$A{head + 1}*B${head}"
            formula = f"AND({product}>{floor},{product}<={top})"
            rule = {
                "type": "expression",
                "formulas": [formula],
                "format": {"fill": scale.colour(name)},
            }
            edits.append({"op": "rule", "cells": area, "rule": rule})
            floor = top
        rows.append([])
    return Page(
        name="Heat map", rows=rows[:-1], widths=(40, *(10,) * steps), freeze="B2", edits=edits
    )


def _summary(risks: Sequence[Risk], scale: Scale, today: date) -> Page:
    last = len(risks) + 1
    rows: list[list[Value]] = []
    before = Counter(scale.band(r.score) if r.score else "" for r in risks)
    after = Counter(scale.band(r.residual) if r.residual else "" for r in risks)
    for name, _ in scale.bands:
        rows.append(
            [
                name,
                Computed(f"=COUNTIF('Register'!$H$2:$H${last},A{len(rows) + 2})", before[name]),
                Computed(f"=COUNTIF('Register'!$N$2:$N${last},A{len(rows) + 2})", after[name]),
            ]
        )
    rated = len(rows)
    blanks = {"G": before[""], "M": after[""]}
    rows.append(
        [
            UNRATED,
            *(
                Computed(f"=ROWS('Register'!{c}2:{c}{last})-COUNT('Register'!{c}2:{c}{last})", n)
                for c, n in blanks.items()
            ),
        ]
    )
    total: list[Value] = ["Total", total_of(rows, 1), total_of(rows, 2)]
    lines: list[list[Value]] = [
        ["Reviews overdue", _count("P", last, OVERDUE, sum(r.is_late(today) for r in risks)), None],
        ["Without an owner", _count("D", last, NOT_NAMED, sum(not r.owner for r in risks)), None],
        [
            "Without a treatment",
            _count("I", last, NOT_NAMED, sum(not r.treatment for r in risks)),
            None,
        ],
    ]
    series = [
        {"name": name, "categories": f"A2:A{rated + 1}", "values": f"{c}2:{c}{rated + 1}"}
        for c, name in (("B", "Before treatment"), ("C", "After treatment"))
    ]
    chart = {"type": "column", "title": "Risks by band", "at": "E2", "series": series}
    return Page(
        name="Summary",
        rows=[["Band", "Before treatment", "After treatment"], *rows, total, *lines],
        widths=(26, 18, 18),
        formats=("", "0", "0"),
        totals=(len(rows) + 2,),
        charts=(chart,),
    )


def _count(letter: str, last: int, word: str, result: int) -> Computed:
    return Computed(
        f"=COUNTIF('Register'!${letter}$2:${letter}${last},\"{word}\")", Decimal(result)
    )


def _open(risks: Sequence[Risk], scale: Scale, today: date) -> Page:
    rows: list[list[Value]] = [["ID", "Open point", "Owner"]]
    for risk in risks:
        rows += [[risk.id, gap, risk.owner or NOT_NAMED] for gap in gaps_of(risk, scale, today)]
    if len(rows) == 1:
        rows.append(["none", "Nothing is open in the source.", ""])
    return Page(name="Open points", rows=rows, widths=(10, 70, 24))


def _scale(scale: Scale, today: date) -> Page:
    rows: list[list[Value]] = [
        ["Term", "Value"],
        ["As of", {"date": today.isoformat()}],
        ["Likelihood and impact from 1 to", scale.steps],
        ["Score", "likelihood × impact"],
    ]
    rows += [[f"Band {name}, highest score", top] for name, top in scale.bands]
    return Page(name="Scale", rows=rows, widths=(36, 24), inputs=("B2",))


def heat_scene(risks: Sequence[Risk], scale: Scale, today: date, source: str) -> Scene:
    """Return the heat map as a picture: where each risk lies before and after treatment, by its id."""
    side, left, top = 104.0, 96.0, 110.0
    width = side * scale.steps
    scene = Scene(
        width=2 * (left + width) + 60,
        height=top + side * scale.steps + 96,
        title=f"Risk heat map of {source}",
    )
    rated = sum(risk.score is not None for risk in risks)
    under = f"{rated} of {len(risks)} risks are rated; as of {today.isoformat()}. Score = likelihood x impact."
    scene.items += [
        Text(x=40, y=30, text=scene.title, size=18, anchor="start", bold=True),
        Text(x=40, y=54, text=under, size=12, anchor="start"),
    ]
    ordered = ranked(risks)
    before = [((r.likelihood, r.impact), r.id) for r in ordered]
    after = [((r.residual_likelihood, r.residual_impact), r.id) for r in ordered]
    for place, (title, pairs) in enumerate(
        (("Before treatment", before), ("After treatment", after))
    ):
        x = left + place * (width + left + 20)
        _matrix(scene, (x, top), side, scale, title, pairs)
    for number, (name, highest) in enumerate(scale.bands):
        at = left + number * 150
        y = top + side * scale.steps + 62
        scene.items += [
            Box(x=at, y=y, width=18, height=18, fill=f"#{scale.colour(name)}"),
            Text(x=at + 26, y=y + 9, text=f"{name}, to {highest}", size=12, anchor="start"),
        ]
    return scene


def _matrix(
    scene: Scene,
    corner: tuple[float, float],
    side: float,
    scale: Scale,
    title: str,
    pairs: Sequence[tuple[tuple[int | None, int | None], str]],
) -> None:
    x0, y0 = corner
    scene.items.append(Text(x=x0, y=y0 - 22, text=title, size=15, anchor="start", bold=True))
    for row in range(scale.steps):
        likelihood = scale.steps - row
        y = y0 + row * side
        scene.items.append(Text(x=x0 - 14, y=y + side / 2, text=str(likelihood), anchor="end"))
        for impact in range(1, scale.steps + 1):
            x = x0 + (impact - 1) * side
            ids = [key for pair, key in pairs if pair == (likelihood, impact)]
            colour = scale.colour(scale.band(likelihood * impact))
            note = f"likelihood {likelihood}, impact {impact}: {', '.join(ids) or 'none'}"
            scene.items.append(
                Box(
                    x=x,
                    y=y,
                    width=side,
                    height=side,
                    fill=f"#{colour}",
                    stroke="#FFFFFF",
                    title=note,
                )
            )
            shown = (
                ids
                if len(ids) <= IDS_SHOWN
                else [*ids[: IDS_SHOWN - 1], f"+{len(ids) - IDS_SHOWN + 1}"]
            )
            for number, key in enumerate(shown):
                line, place = divmod(number, 2) if len(shown) > 4 else (number, -1)
                middle = x + side * (0.5 if place < 0 else 0.27 + 0.46 * place)
                text = (
                    key
                    if len(key) <= (12 if place < 0 else 6)
                    else f"{key[: 10 if place < 0 else 5]}…"
                )
                scene.items.append(
                    Text(x=middle, y=y + 18 + line * 18, text=text, size=11, bold=True)
                )
    for impact in range(1, scale.steps + 1):
        x = x0 + (impact - 0.5) * side
        scene.items.append(Text(x=x, y=y0 + side * scale.steps + 16, text=str(impact)))
    middle = x0 + side * scale.steps / 2
    scene.items.append(Text(x=middle, y=y0 + side * scale.steps + 38, text="Impact", bold=True))
    scene.items.append(Text(x=x0 - 44, y=y0 - 22, text="Likelihood", size=12, bold=True))
