"""OPS-CONTROL-COVERAGE: a control matrix says what its tables and files say, and hides no gap; all judged a second time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

from deskmate_documents.shown import sheet_problems
from deskmate_ops.control_book import (
    CONTROL_HEADER,
    CONTROLS,
    COVERAGE,
    COVERAGE_HEADER,
    EVIDENCE,
    EVIDENCE_HEADER,
    GAPS,
    MATRIX,
    NOBODY_NAMED,
    TERMS,
    term_lines,
)
from deskmate_ops.controls import FAILED, PASSED, Control, Matrix, gaps_of
from deskmate_ops.risks import NOT_NAMED

Sheets = Mapping[str, Sequence[Sequence[str]]]


def control_problems(
    shown: Sheets, matrix: Matrix, files: Mapping[str, Path], sources: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yield what is otherwise than the sources have it. `files`: workspace path → original of each file of evidence."""
    today = matrix.today
    states = {control.id: _judged(control, today) for control in matrix.controls}
    rows: dict[str, list[list[str]]] = {
        COVERAGE: [list(COVERAGE_HEADER)],
        MATRIX: [["Risk", *states]],
        CONTROLS: [list(CONTROL_HEADER)],
    }
    tally = {"covered": 0, "no working control": 0, "no control": 0}
    for risk, text in matrix.risks.items():
        cells = [states[c.id] if risk in c.risks else "" for c in matrix.controls]
        rows[MATRIX].append([risk, *cells])
        covering, working = sum(map(bool, cells)), cells.count("works")
        word = "covered" if working else "no working control" if covering else "no control"
        tally[word] += 1
        rows[COVERAGE].append([risk, text, str(covering), str(working), word])
    rows[COVERAGE] += [[], *([name, "", str(count)] for name, count in tally.items())]
    rows[CONTROLS] += [_control(control, states[control.id]) for control in matrix.controls]
    rows[EVIDENCE] = [list(EVIDENCE_HEADER), *_evidence(matrix, files)]
    terms = [[name, text] for name, text in term_lines(sources)]
    rows[TERMS] = [["Term", "Value"], ["As of", today.isoformat()], *terms]
    rows[GAPS] = [list(row) for row in shown.get(GAPS, ())]
    yield from sheet_problems(
        shown, {name: rows[name] for name in (COVERAGE, MATRIX, CONTROLS, GAPS, EVIDENCE, TERMS)}
    )
    yield from _gaps(shown.get(GAPS, ()), matrix, rows)


def _judged(control: Control, today: date) -> str:
    """Return a control's state, by a table of cases."""
    result = control.result.lower()
    if control.tested is None or not result:
        return "not tested"
    if result in FAILED:
        return "failed"
    if result not in PASSED or control.days is None or control.tested > today:
        return "unclear"
    return "works" if today - control.tested <= timedelta(days=control.days) else "overdue"


def _control(control: Control, state: str) -> list[str]:
    until = ""
    if control.tested is not None and control.days is not None:
        until = date.fromordinal(control.tested.toordinal() + control.days).isoformat()
    return [
        control.id,
        control.control,
        control.owner or NOT_NAMED,
        control.frequency or NOT_NAMED,
        "" if control.days is None else str(control.days),
        "" if control.tested is None else control.tested.isoformat(),
        control.result,
        until,
        state,
        ", ".join(control.evidence) or NOT_NAMED,
        str(control.row),
    ]


def _evidence(matrix: Matrix, files: Mapping[str, Path]) -> Iterator[list[str]]:
    """Yield the rows of the evidence, hashed from the originals."""
    if not files:
        yield [NOBODY_NAMED]
    days = {proof.path: proof.day for proof in matrix.proofs}
    for path in sorted(files):
        data = files[path].read_bytes()
        last = path.rpartition("/")[2].lower()
        naming = [
            control.id
            for control in matrix.controls
            if any(
                name == path or name.rpartition("/")[2].lower() == last for name in control.evidence
            )
        ]
        day = days.get(path)
        yield [
            path,
            hashlib.sha256(data).hexdigest(),
            str(len(data)),
            day.isoformat() if day else "",
            ", ".join(naming) or NOBODY_NAMED,
        ]


def _gaps(
    shown: Sequence[Sequence[str]], matrix: Matrix, rows: Mapping[str, Sequence[Sequence[str]]]
) -> Iterator[tuple[str, str]]:
    """Yield gaps that are not named, and named ones that are none; the plainest are found here once more, by the cells."""
    named = {
        (row[0], row[1], row[2]) for row in shown[1:] if len(row) > 2 and row[0] != NOBODY_NAMED
    }
    right = set(gaps_of(matrix))
    for kind, key, gap in sorted(right - named):
        yield f"{kind} {key}: {gap}; the sheet of gaps does not say so.", f"sheet {GAPS}"
    for kind, key, gap in sorted(named - right):
        yield f"The gap {gap[:80]!r} of {kind} {key} is none.", f"sheet {GAPS}"
    told = {(kind, key) for kind, key, _ in named}
    bare = [("risk", row[0]) for row in rows[COVERAGE] if len(row) > 4 and row[4].startswith("no ")]
    bare += [
        ("control", row[0])
        for row in rows[CONTROLS][1:]
        if row[8] != "works" or row[2] == NOT_NAMED
    ]
    bare += [
        ("evidence", row[0])
        for row in rows[EVIDENCE][1:]
        if len(row) > 4 and row[4] == NOBODY_NAMED
    ]
    for kind, key in bare:
        if (kind, key) not in told:
            yield f"The {kind} {key} has a gap that is not named.", f"sheet {GAPS}"
