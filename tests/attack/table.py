"""The table of results: what each attack's tests did, gathered while they run. Nothing in it is typed by hand."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.attack.rows import NO_PART_YET, ROWS

from deskmate import __version__
from deskmate.sandbox.launcher import landlock_abi


@dataclass(slots=True)
class Result:
    """What became of one row. `open`: names of tries that got through. `skipped`: test → why."""

    run: int = 0
    blocked: int = 0
    seconds: float = 0.0
    open: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """`blocked` only if something ran, and all of it was."""
        if self.open or self.blocked < self.run:
            return "OPEN"
        return "blocked" if self.run else "not run"


@dataclass(slots=True)
class Attempts:
    """Counts the single tries of one test. A try that gets through fails the test at its end."""

    run: int = 0
    open: list[str] = field(default_factory=list)

    def __call__(self, name: str, *, blocked: bool) -> None:
        """Note one try: what it was, and whether it was blocked."""
        self.run += 1
        if not blocked:
            self.open.append(name)


@dataclass(slots=True)
class Table:
    """All rows of one test session.

    `facts`: what the tests saw of the machine under test. `tested`: rows that have a test at all.
    """

    rows: dict[str, Result] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    scope: str = ""
    tested: set[str] = field(default_factory=set)

    def add(self, row: str, test: str, attempts: Attempts, *, passed: bool, seconds: float) -> None:
        """Note a test that ran: each try it counted is one, or the whole test is one."""
        result = self.rows.setdefault(row, Result())
        run = attempts.run or 1
        opened = attempts.open or ([] if passed else [test])
        result.run += max(run, len(opened))
        result.blocked += max(run, len(opened)) - len(opened)
        result.open += opened
        result.seconds += seconds

    def skip(self, row: str, test: str, why: str) -> None:
        """Note a test that did not run."""
        self.rows.setdefault(row, Result()).skipped[test] = why

    def to_json(self) -> dict[str, Any]:
        """Return the table: `head`, then `rows` in the order of the list of attacks."""
        rows = [self._row(row, what) for row, what in ROWS.items()]
        ran = [row for row in rows if row["run"]]
        head = {
            "rows_run": len(ran),
            "rows_blocked": sum(row["state"] == "blocked" for row in ran),
            "rows_not_run": [row["id"] for row in rows if not row["run"]],
            "attempts_run": sum(row["run"] for row in rows),
            "attempts_blocked": sum(row["blocked"] for row in rows),
            "scope": self.scope,
            "date": datetime.now(UTC).date().isoformat(),
            "deskmate": __version__,
            **machine_facts(),
            **self.facts,
        }
        return {"head": head, "rows": rows}

    def _row(self, row: str, what: str) -> dict[str, Any]:
        result = self.rows.get(row, Result())
        note = "; ".join([f"got through: {name}" for name in result.open[:5]])
        if result.skipped:
            note += ("; " if note else "") + "; ".join(
                f"not run: {test}: {why}" for test, why in result.skipped.items()
            )
        elif not result.run:
            note = NO_PART_YET.get(row, "there is no test")
            if row in self.tested:
                note = "its tests were not selected, or not reached"
        return {
            "id": row,
            "what": what,
            "run": result.run,
            "blocked": result.blocked,
            "seconds": round(result.seconds, 1),
            "state": result.state,
            "note": note,
        }

    def write(self, folder: Path) -> None:
        """Write `security-results.json` and `security-results.md`."""
        folder.mkdir(parents=True, exist_ok=True)
        data = self.to_json()
        text = json.dumps(data, indent=1, ensure_ascii=False) + "\n"
        (folder / "security-results.json").write_text(text, "utf-8")
        (folder / "security-results.md").write_text(markdown(data), "utf-8")


def machine_facts() -> dict[str, str]:
    """Return what this host is; tests add what they saw of QEMU and the guest."""
    return {
        "host_kernel": platform.release(),
        "host_machine": platform.machine(),
        "landlock": str(landlock_abi()),
        "qemu": "none was run",
        "accelerator": "none was run",
        "guest_kernel": "none was run",
    }


def markdown(data: Mapping[str, Any]) -> str:
    """Return the table as a page."""
    head = data["head"]
    lines = [
        "# Results of the attack suite",
        "",
        "Written by `make attack`, not by hand.",
        "",
        f"**{head['rows_run']} attacks run, {head['rows_blocked']} blocked** "
        f"({head['attempts_run']} tries, {head['attempts_blocked']} blocked; {head['scope']}). "
        f"Not run: {', '.join(head['rows_not_run']) or 'none'}.",
        "",
        f"Deskmate {head['deskmate']}, {head['date']}. Accelerator: {head['accelerator']}. "
        f"QEMU {head['qemu']}. Host kernel {head['host_kernel']} on {head['host_machine']}, "
        f"Landlock {head['landlock']}; guest kernel {head['guest_kernel']}.",
        "",
    ]
    if not str(head["accelerator"]).startswith("kvm"):
        lines += [
            "These results show that the controls work. Under software emulation QEMU promises no "
            "isolation: they do not show that a machine is isolated.",
            "",
        ]
    lines += ["| id | what is tried | tries | blocked | seconds | result | note |"]
    lines += ["|---|---|---|---|---|---|---|"]
    lines += [_line(row) for row in data["rows"]]
    return "\n".join(lines) + "\n"


def _line(row: Mapping[str, Any]) -> str:
    cells = [row[name] for name in ("id", "what", "run", "blocked", "seconds", "state", "note")]
    return f"| {' | '.join(str(cell).replace('|', '/') for cell in cells)} |"


def summary(table: Table) -> Iterable[str]:
    """Yield the lines for the end of a test session."""
    head = table.to_json()["head"]
    yield (
        f"attacks: {head['rows_run']} run, {head['rows_blocked']} blocked "
        f"({head['attempts_run']} tries, {head['attempts_blocked']} blocked)"
    )
    for row, result in sorted(table.rows.items()):
        for name in result.open:
            yield f"attack {row} got through: {name}"
        for test, why in result.skipped.items():
            yield f"attack {row} not run: {test}: {why}"
