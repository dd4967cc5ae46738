"""The workbook of a control matrix: coverage, matrix, controls, gaps, evidence with digests, terms; and the matrix as a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any

from deskmate_documents.scenes import Box, Line, Scene, Text, headings, legend, shortened
from deskmate_documents.xlsx.build import Computed
from deskmate_ops.books import Page, Value, column
from deskmate_ops.controls import (
    BARE,
    COVERED,
    FAILED,
    FAILS,
    LATE,
    PASSED,
    UNCLEAR,
    UNTESTED,
    WEAK,
    WORKS,
    Control,
    Matrix,
    gaps_of,
)
from deskmate_ops.risks import NOT_NAMED

COVERAGE, MATRIX, CONTROLS, GAPS, EVIDENCE, TERMS = (
    "Coverage",
    "Matrix",
    "Controls",
    "Gaps",
    "Evidence",
    "Terms",
)
COVERAGE_HEADER = ("Risk ID", "Risk", "Controls", "Working", "Coverage")
CONTROL_HEADER = (
    "Control ID", "Control", "Owner", "Frequency", "Days", "Last tested", "Result", "Holds until", "State", "Evidence", "Source row",
)  # fmt: skip
EVIDENCE_HEADER = ("File", "SHA-256", "Bytes", "Day", "Named by")
NOBODY_NAMED = "none"
COLOURS = {WORKS: "70AD47", FAILS: "E06666", LATE: "F4B183", UNTESTED: "FFD966", UNCLEAR: "D9D9D9"}
RISK_COLOURS = {COVERED: "70AD47", WEAK: "F4B183", BARE: "E06666"}
AS_OF = f"'{TERMS}'!$B$2"


def control_pages(matrix: Matrix, sources: Sequence[str]) -> list[Page]:
    """Return the sheets."""
    return [
        _coverage(matrix),
        _matrix(matrix),
        _controls(matrix),
        _gaps(matrix),
        _evidence(matrix),
        Page(
            name=TERMS,
            rows=[
                ["Term", "Value"],
                ["As of", _day(matrix.today)],
                *([a, b] for a, b in term_lines(sources)),
            ],
            widths=(28, 100),
            inputs=("B2",),
        ),
    ]


def term_lines(sources: Sequence[str]) -> list[tuple[str, str]]:
    """Return what the words mean."""
    return [
        ("Sources", ", ".join(dict.fromkeys(sources))),
        (WORKS, "tested, passed, and the next test is not due yet"),
        (LATE, "the last test passed, and is older than its frequency allows"),
        (UNCLEAR, "result, frequency or day of the test cannot be told"),
        (COVERED, "at least one control of the risk works"),
        ("Passed is", ", ".join(sorted(PASSED))),
        ("Failed is", ", ".join(sorted(FAILED))),
        (
            "Limits",
            "whether a control is well designed, and its evidence convincing, is for a person to say",
        ),
    ]


def _day(day: date | None) -> Value:
    return None if day is None else {"date": day.isoformat()}


def _coverage(matrix: Matrix) -> Page:
    last = column(len(matrix.controls) + 1)
    rows: list[list[Value]] = [list(COVERAGE_HEADER)]
    for n, (risk, text) in enumerate(matrix.risks.items(), start=2):
        covering = matrix.covering(risk)
        working = sum(control.state(matrix.today) == WORKS for control in covering)
        area = f"{MATRIX}!B{n}:{last}{n}"
        rows.append(
            [
                risk,
                text,
                Computed(f'=COUNTIF({area},"?*")', len(covering)),
                Computed(f'=COUNTIF({area},"{WORKS}")', working),
                Computed(
                    f'=IF(C{n}=0,"{BARE}",IF(D{n}=0,"{WEAK}","{COVERED}"))', matrix.coverage(risk)
                ),
            ]
        )
    end = len(rows)
    counts = Counter(matrix.coverage(risk) for risk in matrix.risks)
    rows.append([])
    for name in (COVERED, WEAK, BARE):
        rows.append([name, None, Computed(f'=COUNTIF(E$2:E${end},"{name}")', counts[name])])
    rules = [
        {"op": "rule", "cells": f"E2:E{end}", "rule": _equal(name, colour)}
        for name, colour in RISK_COLOURS.items()
    ]
    series = [
        {
            "name": "Risks",
            "categories": f"A{end + 2}:A{end + 4}",
            "values": f"C{end + 2}:C{end + 4}",
            "fill": "1F3864",
        }
    ]
    chart = {
        "type": "column",
        "title": "Risks by coverage",
        "legend": False,
        "gap": 60,
        "y_format": "0",
        "y_min": 0,
        "series": series,
        "at": "G2",
        "size": (460, 240),
    }
    looks: list[dict[str, Any]] = [
        {"op": "style", "cells": f"B2:B{end}", "wrap": True},
        {"op": "style", "cells": f"E1:E{end}", "align": "center"},
    ]
    return Page(
        name=COVERAGE,
        rows=rows,
        widths=(20, 56, 11, 11, 22),
        formats=("", "", "0", "0", ""),
        charts=(chart,),
        edits=(*looks, *rules),
    )


def _equal(word: str, colour: str) -> dict[str, Any]:
    return {
        "type": "cellIs",
        "operator": "equal",
        "formulas": [f'"{word}"'],
        "format": {"fill": colour},
    }


def _matrix(matrix: Matrix) -> Page:
    rows: list[list[Value]] = [["Risk", *(control.id for control in matrix.controls)]]
    for risk in matrix.risks:
        cells: list[Value] = []
        for n, control in enumerate(matrix.controls, start=2):
            covers = risk in control.risks
            cells.append(
                Computed(f"='{CONTROLS}'!$I${n}", control.state(matrix.today)) if covers else None
            )
        rows.append([risk, *cells])
    end = column(len(matrix.controls) + 1)
    area = f"B2:{end}{len(rows)}"
    rules = [
        {"op": "rule", "cells": area, "rule": _equal(name, colour)}
        for name, colour in COLOURS.items()
    ]
    look = {"op": "style", "cells": area, "align": "center"}
    return Page(
        name=MATRIX,
        rows=rows,
        widths=(16, *(12,) * len(matrix.controls)),
        freeze="B2",
        edits=(look, *rules),
    )


def _controls(matrix: Matrix) -> Page:
    rows: list[list[Value]] = [list(CONTROL_HEADER)]
    for n, control in enumerate(matrix.controls, start=2):
        rows.append(
            [
                control.id,
                control.control,
                control.owner or NOT_NAMED,
                control.frequency or NOT_NAMED,
                control.days,
                _day(control.tested),
                control.result,
                _due(control, n),
                Computed(state_formula(n), control.state(matrix.today)),
                ", ".join(control.evidence) or NOT_NAMED,
                control.row,
            ]
        )
    last = len(rows)
    rules = [
        {"op": "rule", "cells": f"I2:I{last}", "rule": _equal(name, colour)}
        for name, colour in COLOURS.items()
    ]
    red = _equal(NOT_NAMED, "F8CBAD")
    missing = [{"op": "rule", "cells": f"{c}2:{c}{last}", "rule": red} for c in "CDJ"]
    wrap = [{"op": "style", "cells": f"{c}2:{c}{last}", "wrap": True} for c in "BJ"]
    wrap += [{"op": "style", "cells": f"{c}1:{c}{last}", "align": "center"} for c in "GI"]
    return Page(
        name=CONTROLS,
        rows=rows,
        widths=(12, 46, 20, 14, 8, 13, 13, 13, 12, 36, 11),
        formats=("", "", "", "", "0", "yyyy-mm-dd", "", "yyyy-mm-dd", "", "", "0"),
        freeze="C2",
        inputs=(f"E2:G{last}",),
        edits=(*wrap, *rules, *missing),
    )


def _due(control: Control, n: int) -> Computed:
    shown = (control.due - date(1899, 12, 30)).days if control.due is not None else ""
    return Computed(f'=IF(OR(F{n}="",E{n}=""),"",F{n}+E{n})', shown)


def state_formula(n: int) -> str:
    """Return the formula of a control's state, by its own cells and the day of the sheet of terms."""

    def one_of(words: Sequence[str]) -> str:
        tests = ",".join(f'LOWER(G{n})="{word}"' for word in sorted(words))
        return f"OR({tests})"

    late = f'IF({AS_OF}>H{n},"{LATE}","{WORKS}")'
    clear = f'IF(OR(NOT({one_of(tuple(PASSED))}),H{n}="",F{n}>{AS_OF}),"{UNCLEAR}",{late})'
    return f'=IF(OR(F{n}="",G{n}=""),"{UNTESTED}",IF({one_of(tuple(FAILED))},"{FAILS}",{clear}))'


def _gaps(matrix: Matrix) -> Page:
    rows: list[list[Value]] = [["Kind", "ID", "What is open", "Owner"]]
    owners = {control.id: control.owner or NOT_NAMED for control in matrix.controls}
    rows += [
        [kind, key, gap, owners.get(key, "") if kind == "control" else ""]
        for kind, key, gap in gaps_of(matrix)
    ]
    if len(rows) == 1:
        rows.append([NOBODY_NAMED, "", "Nothing is open in the source.", ""])
    wrap = {"op": "style", "cells": f"C2:C{len(rows)}", "wrap": True}
    return Page(name=GAPS, rows=rows, widths=(12, 30, 76, 22), edits=(wrap,))


def _evidence(matrix: Matrix) -> Page:
    rows: list[list[Value]] = [list(EVIDENCE_HEADER)]
    for proof in matrix.proofs:
        naming = [control.id for control in matrix.controls if proof in matrix.files_of(control)]
        rows.append(
            [
                proof.path,
                proof.sha256,
                proof.size,
                _day(proof.day),
                ", ".join(naming) or NOBODY_NAMED,
            ]
        )
    if len(rows) == 1:
        rows.append([NOBODY_NAMED, "", None, None, ""])
    centre = {"op": "style", "cells": f"E1:E{len(rows)}", "align": "center"}
    return Page(
        name=EVIDENCE,
        rows=rows,
        edits=(centre,),
        widths=(44, 68, 12, 13, 24),
        formats=("", "", "#,##0", "yyyy-mm-dd", ""),
    )


def control_scene(matrix: Matrix, source: str) -> Scene:
    """Return the matrix as a picture: a row a risk, a column a control, colours by state."""
    left, top, side, high = 330.0, 150.0, 58.0, 38.0
    width = max(left + side * len(matrix.controls) + 190, 760)
    scene = Scene(
        width=width,
        height=top + high * len(matrix.risks) + 90,
        title=f"Risks and their controls, {source}",
    )
    counts = Counter(matrix.coverage(risk) for risk in matrix.risks)
    words = f"{len(matrix.risks)} risks: {counts[COVERED]} covered, {counts[WEAK]} without a working control, {counts[BARE]} without any. As of {matrix.today}."
    scene.items += headings(scene.title, words)
    for place, control in enumerate(matrix.controls):
        x = left + place * side + side / 2
        scene.items.append(Text(x=x, y=top - 18, text=shortened(control.id, 8), size=12, bold=True))
    for row, (risk, text) in enumerate(matrix.risks.items()):
        y = top + row * high
        scene.items.append(
            Text(x=40, y=y + high / 2, text=shortened(risk, 7), size=12, anchor="start", bold=True)
        )
        scene.items.append(
            Text(x=100, y=y + high / 2, text=shortened(text, 32), size=12, anchor="start")
        )
        for place, control in enumerate(matrix.controls):
            covers = risk in control.risks
            state = control.state(matrix.today) if covers else ""
            fill = f"#{COLOURS[state]}" if covers else "#F3F4F6"
            x = left + place * side
            note = f"{risk}, {control.id}: {state or 'not covered'}"
            scene.items.append(
                Box(x=x, y=y, width=side, height=high, fill=fill, stroke="#FFFFFF", title=note)
            )
            if covers:
                scene.items += _mark(state, x + side / 2, y + high / 2)
        state = matrix.coverage(risk)
        x = left + side * len(matrix.controls) + 14
        scene.items.append(
            Text(x=x, y=y + high / 2, text=state, size=12, anchor="start", bold=state != COVERED)
        )
    scene.items += legend(list(COLOURS.items()), scene.height - 38, 130)
    return scene


def _mark(state: str, x: float, y: float) -> list[Line | Text]:
    """Return a sign for a state, so that it does not rest on colour alone."""
    ink = "#1F2937"
    if state == WORKS:
        return [
            Line(
                points=((x - 7, y), (x - 2, y + 6), (x + 8, y - 7)),
                stroke=ink,
                width=2.5,
                arrow=False,
            )
        ]
    if state == FAILS:
        return [
            Line(points=((x - 6, y - 6), (x + 6, y + 6)), stroke=ink, width=2.5, arrow=False),
            Line(points=((x - 6, y + 6), (x + 6, y - 6)), stroke=ink, width=2.5, arrow=False),
        ]
    return [
        Text(x=x, y=y, text={LATE: "late", UNTESTED: "–", UNCLEAR: "?"}[state], size=12, bold=True)
    ]
