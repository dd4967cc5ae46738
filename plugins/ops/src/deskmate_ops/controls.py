"""Controls against risks: which control covers which risk, whether it was tested in time and passed, and what proves it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import Table, find_column, parse_times
from deskmate_ops.risks import NOBODY

CONTROL_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "id": ("control id", "id", "ref", "control no"),
    "control": ("control", "control description", "description", "title", "name"),
    "risks": ("risks", "risk ids", "risk id", "mitigates", "covers", "risk"),
    "owner": ("owner", "control owner", "responsible", "performed by"),
    "frequency": ("frequency", "test frequency", "how often", "cycle"),
    "tested": ("last tested", "tested on", "test date", "last test", "last performed"),
    "result": ("result", "test result", "conclusion", "outcome", "status"),
    "evidence": ("evidence", "evidence file", "evidence files", "proof"),
}
RISK_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "id": ("risk id", "id", "ref", "reference"),
    "risk": ("risk", "title", "risk description", "description", "name"),
}
FREQUENCIES = {
    "daily": 1, "weekly": 7, "monthly": 31, "quarterly": 92, "half-yearly": 183, "semi-annual": 183, "semi-annually": 183,
    "yearly": 366, "annual": 366, "annually": 366,
}  # fmt: skip
"""Days after which a control must have been tested again."""
PASSED = frozenset(("passed", "pass", "effective", "ok", "operating", "satisfactory", "yes"))
FAILED = frozenset(
    (
        "failed",
        "fail",
        "ineffective",
        "deficient",
        "not effective",
        "unsatisfactory",
        "no",
        "exception",
        "exceptions",
    )
)
WORKS, FAILS, LATE, UNTESTED, UNCLEAR = "works", "failed", "overdue", "not tested", "unclear"
COVERED, WEAK, BARE = "covered", "no working control", "no control"
LIMIT, FILES_LIMIT = 300, 500
_DAY = re.compile(r"(?<!\d)(20\d\d)[-_.]?([01]\d)[-_.]?([0-3]\d)(?!\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One control. `days`: until it must be tested again, None where its frequency says nothing."""

    row: int
    id: str
    control: str
    risks: tuple[str, ...]
    owner: str
    frequency: str
    days: int | None
    tested: date | None
    result: str
    evidence: tuple[str, ...]

    @property
    def due(self) -> date | None:
        """The last day on which its last test still holds."""
        return (
            self.tested + timedelta(days=self.days)
            if self.tested and self.days is not None
            else None
        )

    def state(self, today: date) -> str:
        """Return in a word whether it works, and if not, why."""
        if self.tested is None or not self.result:
            return UNTESTED
        if self.result.lower() in FAILED:
            return FAILS
        if self.result.lower() not in PASSED or self.due is None or self.tested > today:
            return UNCLEAR
        return LATE if today > self.due else WORKS


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A file of evidence. `day`: from its name, None where it names none."""

    path: str
    sha256: str
    size: int
    day: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Everything. `risks`: id → text, in the order of their table."""

    risks: Mapping[str, str]
    controls: tuple[Control, ...]
    proofs: tuple[Proof, ...]
    today: date

    def covering(self, risk: str) -> list[Control]:
        """Return the controls of a risk."""
        return [control for control in self.controls if risk in control.risks]

    def coverage(self, risk: str) -> str:
        """Return in words whether a risk is covered."""
        states = [control.state(self.today) for control in self.covering(risk)]
        return COVERED if WORKS in states else WEAK if states else BARE

    def files_of(self, control: Control) -> list[Proof]:
        """Return the files that a control names as evidence."""
        return [
            proof
            for proof in self.proofs
            if any(is_named(proof.path, name) for name in control.evidence)
        ]


def is_named(path: str, name: str) -> bool:
    """Say whether a name in a table means this file: its path, or its last part."""
    return path == name or Path(path).name.lower() == Path(name).name.lower()


def frequencies_of(config: Mapping[str, Any]) -> dict[str, int]:
    """Return word → days of the setting `control_frequencies`, added to the usual ones. Raises ToolInputError."""
    given = config.get("control_frequencies") or {}
    if not isinstance(given, Mapping) or not all(
        isinstance(days, int) and not isinstance(days, bool) and 1 <= days <= 3660
        for days in given.values()
    ):
        raise ToolInputError("The setting control_frequencies is word = days, from 1 to 3660.")
    return {**FREQUENCIES, **{str(name).lower(): int(days) for name, days in given.items()}}


def read_matrix(
    tables: Mapping[str, Table],
    proofs: Sequence[Proof],
    frequencies: Mapping[str, int],
    today: date,
    order: str = "",
) -> Matrix:
    """Return the matrix of a table of `controls` and one of `risks`.

    Raises:
        ToolInputError: a column is missing, an id is empty or stands twice, a date is none.
    """
    risks: dict[str, str] = {}
    for row, own in _cells(tables["risks"], RISK_COLUMNS, ("id", "risk")):
        if own["id"] in risks:
            raise ToolInputError(
                f"{tables['risks'].name}, row {row}: the id {own['id']} stands there twice."
            )
        risks[own["id"]] = own["risk"]
    table = tables["controls"]
    rows = _cells(table, CONTROL_COLUMNS, ("id", "control", "risks"))
    days = parse_times(
        [(row, own.get("tested", "")) for row, own in rows], f"{table.name}, last tested", order
    )
    controls: list[Control] = []
    seen: set[str] = set()
    for (row, own), tested in zip(rows, days, strict=True):
        if own["id"].lower() in seen:
            raise ToolInputError(f"{table.name}, row {row}: the id {own['id']} stands there twice.")
        seen.add(own["id"].lower())
        owner, frequency = own.get("owner", ""), own.get("frequency", "")
        controls.append(
            Control(
                row=row,
                id=own["id"],
                control=own["control"],
                risks=parts(own["risks"]),
                owner="" if NOBODY.fullmatch(owner) else owner,
                frequency=frequency,
                days=days_of(frequency, frequencies),
                tested=tested.date() if tested else None,
                result=own.get("result", ""),
                evidence=parts(own.get("evidence", "")),
            )
        )
    if not risks or not controls or max(len(risks), len(controls)) > LIMIT:
        raise ToolInputError(
            f"There are {len(risks)} risks and {len(controls)} controls; give 1 to {LIMIT} of each."
        )
    return Matrix(risks=risks, controls=tuple(controls), proofs=tuple(proofs), today=today)


def parts(text: str) -> tuple[str, ...]:
    """Return the entries of a cell that lists several."""
    return tuple(dict.fromkeys(part.strip() for part in re.split(r"[;,\n]", text) if part.strip()))


def days_of(frequency: str, known: Mapping[str, int]) -> int | None:
    """Return the days of a frequency: a known word, or a number of days."""
    plain = " ".join(frequency.lower().split())
    if plain in known:
        return known[plain]
    found = re.fullmatch(r"(?:every )?(\d{1,4})(?: days?)?", plain)
    return int(found[1]) if found and int(found[1]) else None


def _cells(
    table: Table, columns: Mapping[str, tuple[str, ...]], needed: Sequence[str]
) -> list[tuple[int, dict[str, str]]]:
    plain = {" ".join(re.findall(r"\w+", c.lower())): c for c in reversed(table.columns)}
    found: dict[str, str] = {}
    for what, names in columns.items():
        column = next(
            (plain[name] for name in names if name in plain and plain[name] not in found.values()),
            None,
        )
        if column is None and what in needed:
            column = find_column(table, names)
            if column is None or column in found.values():
                raise ToolInputError(
                    f"{table.name} has no column for {what}; it has {', '.join(table.columns)}."
                )
        if column is not None:
            found[what] = column
    rows = []
    for place, row in enumerate(table.rows):
        own = {what: row.cells[table.columns.index(column)] for what, column in found.items()}
        empty = [what for what in needed if what != "risks" and not own[what]]
        if empty:
            raise ToolInputError(
                f"{table.name}, row {table.rows[place].number}: {' and '.join(empty)} is missing."
            )
        rows.append((row.number, own))
    return rows


def proof_of(file: Path, name: str) -> Proof:
    """Return what is known of a file of evidence."""
    data = file.read_bytes()
    found = _DAY.search(Path(name).stem)
    day = None
    if found is not None:
        try:
            day = date(int(found[1]), int(found[2]), int(found[3]))
        except ValueError:
            day = None
    return Proof(path=name, sha256=hashlib.sha256(data).hexdigest(), size=len(data), day=day)


def gaps_of(matrix: Matrix) -> list[tuple[str, str, str]]:
    """Return (kind, id, what is open) of risks, controls and evidence, in that order."""
    found: list[tuple[str, str, str]] = []
    for risk in matrix.risks:
        state = matrix.coverage(risk)
        if state == BARE:
            found.append(("risk", risk, "no control covers it"))
        elif state == WEAK:
            states = sorted({f"{c.id} {c.state(matrix.today)}" for c in matrix.covering(risk)})
            found.append(("risk", risk, f"no control of it works: {', '.join(states)}"))
    for control in matrix.controls:
        found += [("control", control.id, gap) for gap in control_gaps(control, matrix)]
    for proof in matrix.proofs:
        if not any(is_named(proof.path, name) for c in matrix.controls for name in c.evidence):
            found.append(("evidence", proof.path, "no control names it"))
    return found


def control_gaps(control: Control, matrix: Matrix) -> list[str]:
    """Return what is open about a control, in words."""
    today, gaps = matrix.today, []
    if not control.risks:
        gaps.append("it covers no risk")
    gaps += [
        f"the risk {risk} is not in the list of risks"
        for risk in control.risks
        if risk not in matrix.risks
    ]
    if not control.owner:
        gaps.append("no owner is named")
    if control.days is None:
        gaps.append(
            f"how often it is tested is not clear ({control.frequency or 'nothing is said'})"
        )
    if control.tested is None:
        gaps.append("it was never tested")
    elif control.tested > today:
        gaps.append(f"its test is dated {control.tested}, which is ahead")
    elif control.due is not None and today > control.due:
        gaps.append(f"its test is overdue by {(today - control.due).days} days")
    if control.tested is not None and control.result.lower() in FAILED:
        gaps.append(f"its last test failed ({control.result})")
    elif control.tested is not None and control.result.lower() not in PASSED:
        gaps.append(f"the result of its test is not clear ({control.result or 'nothing is said'})")
    gaps += _evidence_gaps(control, matrix)
    return gaps


def _evidence_gaps(control: Control, matrix: Matrix) -> list[str]:
    if not control.evidence:
        return ["no evidence is named"] if control.tested is not None else []
    gaps = []
    for name in control.evidence:
        files = [proof for proof in matrix.proofs if is_named(proof.path, name)]
        if not files:
            gaps.append(f"its evidence {name} is not there")
        for proof in files:
            if not proof.size:
                gaps.append(f"its evidence {name} is empty")
            age = (matrix.today - proof.day).days if proof.day is not None else None
            if age is not None and control.days is not None and age > control.days:
                gaps.append(f"its evidence {name} is {age} days old, more than {control.days}")
    return gaps
