"""OPS-STEP-OWNERS: each step has an owner or is named as open, and what is said of it stands in its lines of the notes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from deskmate_ops.procedures import EVERY, FACT_GAPS, GAPS, OPEN, RACI_HEADER, STEP_HEADER, numbered
from deskmate_ops.runbooks import Runbook, plain

Problem = tuple[str, str]
Table = Sequence[Sequence[str]]
NONE = "none named"


def owner_problems(
    tables: Sequence[Table], lines: Sequence[str], book: Runbook, notes: str
) -> Iterator[Problem]:
    """Yield what is invented, left out or not named as open. `lines`: paragraphs of the procedure."""
    steps = next((t for t in tables if t and tuple(t[0]) == STEP_HEADER), None)
    raci = next((t for t in tables if t and tuple(t[0]) == RACI_HEADER), None)
    if steps is None or raci is None:
        yield "It has no table of steps with owners, or none of responsibilities.", ""
        return
    wanted = [
        (n, s.line, part.role) for part, own in numbered(book) for n, s in own if s.depth == 1
    ]
    for what, table in (("steps", steps), ("responsibilities", raci)):
        if [row[0] for row in table[1:]] != [number for number, _, _ in wanted]:
            yield f"The table of {what} does not have each step once, in order.", ""
            return
    written = [" ".join(plain(line).split()) for line in notes.replace("\r\n", "\n").split("\n")]
    starts = [line for _, line, _ in wanted] + [len(written) + 1]
    for place, ((number, line, role), row, duty) in enumerate(
        zip(wanted, steps[1:], raci[1:], strict=True)
    ):
        said = " ".join(written[line - 1 : starts[place + 1] - 1]).lower()
        yield from (
            (message, f"step {number}") for message in _row(row, duty, line, role, said, book)
        )
    yield from _gaps(steps[1:], raci[1:], lines, book)


def _row(
    row: Sequence[str], duty: Sequence[str], line: int, role: str, said: str, book: Runbook
) -> Iterator[str]:
    if row[5] != str(line):
        yield f"It says line {row[5]} of the notes; it stands in line {line}."
    for name, value in (
        *zip(STEP_HEADER[1:5], row[1:5], strict=True),
        *zip(RACI_HEADER[3:], duty[3:], strict=True),
    ):
        if value in (OPEN, NONE):
            if (
                value == OPEN
                and name == "Owner"
                and re.search(r"\b(?:owner|who|responsible)\s*:", said)
            ):
                yield "Its notes name an owner, and it says open."
        elif not value.strip():
            yield f"{name} is empty; what is not named is {OPEN!r}."
        elif name == "Owner" and value == role:
            continue
        elif not all(" ".join(part.split()).lower() in said for part in value.split(";")):
            yield f"{name} {value[:80]!r} does not stand in its lines of the notes."
    if duty[1] != row[1]:
        yield f"Responsible is {duty[1]!r}; the owner is {row[1]!r}."
    if duty[2] != book.facts.get("owner", OPEN):
        yield f"Accountable is {duty[2]!r}; exactly one is, the owner of the procedure ({book.facts.get('owner', OPEN)})."


def _gaps(steps: Table, raci: Table, lines: Sequence[str], book: Runbook) -> Iterator[Problem]:
    """Yield gaps of the tables that the open points do not name, and open points that are none."""
    wanted = {
        f"The notes do not name {what}." for key, what in FACT_GAPS.items() if key not in book.facts
    }
    columns = [[row[place] for row in steps] for place in (1, 2, 3, 4)] + [[row[2] for row in raci]]
    for words, cells in zip(GAPS.values(), columns, strict=True):
        numbers = [row[0] for row, cell in zip(steps, cells, strict=True) if cell == OPEN]
        if numbers:
            named = (
                EVERY
                if len(numbers) == len(steps)
                else f"step{'s' * (len(numbers) > 1)} {', '.join(numbers)}"
            )
            wanted.add(f"{words} {named}.")
    known = ("The notes do not name ", *GAPS.values())
    shown = {" ".join(line.split()) for line in lines if line.startswith(known)}
    for gap in sorted(wanted - shown):
        yield f"The open points do not say: {gap}", ""
    for gap in sorted(shown - wanted):
        yield f"The open point is none: {gap}", ""
