"""Findings and change sets as tables for a terminal; a narrow one gets them one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from deskmate.cli.output import one_line
from deskmate.types.findings import Finding

if TYPE_CHECKING:
    from rich.table import Table

    from deskmate.changes.review import Item

NARROW = 80
_SIGNS = {
    "create": ("+", "green"),
    "mkdir": ("+", "green"),
    "modify": ("~", "yellow"),
    "mode": ("~", "yellow"),
    "delete": ("-", "red"),
    "rmdir": ("-", "red"),
    "move": ("→", "cyan"),
}
_MARKS = {"error": ("✗", "red"), "warning": ("!", "yellow"), "note": ("·", "")}


def findings_table(findings: Sequence[Finding], width: int) -> Table:
    """Return findings, errors first; `width`: columns of the terminal."""
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    order = list(_MARKS)
    rows = sorted(findings, key=lambda finding: order.index(finding.level))
    wide = width >= NARROW
    table = Table.grid(padding=(0, 2, 0, 0)) if not wide else Table(box=None, pad_edge=False)
    table.add_column("", width=1, no_wrap=True)
    if wide:
        table.add_column("Rule", overflow="fold", style="bold", max_width=24)
        table.add_column("Where", overflow="fold", ratio=2)
    table.add_column("What", overflow="fold", ratio=3)
    for finding in rows:
        mark, colour = _MARKS[finding.level]
        where = ", ".join(one_line(part) for part in (finding.path, finding.location) if part)
        what = Text(one_line(finding.message))
        if finding.fix:
            what.append(f" {one_line(finding.fix)}", style="dim")
        if wide:
            table.add_row(Text(mark, colour), Text(one_line(finding.rule)), Text(where), what)
        else:
            head = Text(one_line(finding.rule), style="bold")
            head.append(f"  {where}" if where else "", style="not bold")
            table.add_row(Text(mark, colour), Text("\n").join([head, what]))
    return table


def change_table(items: Sequence[Item], width: int) -> Table:
    """Return a change set, one row a path; `width`: columns of the terminal."""
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    wide = width >= NARROW
    table = Table(box=None, pad_edge=False) if wide else Table.grid(padding=(0, 2, 0, 0))
    table.add_column("", width=1, no_wrap=True)
    table.add_column("Path", overflow="fold")
    if wide:
        table.add_column("Bytes", justify="right", no_wrap=True)
        table.add_column("Remarks", overflow="fold")
    for item in items:
        sign, colour = sign_of(item)
        path, sizes = one_line(item.path), sizes_of(item)
        remarks = one_line("; ".join(remarks_of(item)))
        if wide:
            table.add_row(Text(sign, colour), Text(path), Text(sizes), Text(remarks))
            continue
        about = "; ".join(part for part in (f"{sizes} bytes" if sizes else "", remarks) if part)
        cell = Text(path)
        cell.append(f"\n{about}" if about else "", style="dim")
        table.add_row(Text(sign, colour), cell)
    return table


def sign_of(item: Item) -> tuple[str, str]:
    """Return the sign of a change and its colour."""
    return _SIGNS["move" if item.moved_from else item.change.operation]


def sizes_of(item: Item) -> str:
    """Return the sizes of a changed file in bytes, before and after; empty for a folder."""
    sides = (item.change.before, item.change.after)
    sizes = (f"{side.size:,}" for side in sides if side is not None and side.kind == "file")
    return " → ".join(sizes)


def remarks_of(item: Item) -> list[str]:
    """Return what else there is to say of a change: where from, flags, how it stands."""
    remarks = [f"moved from {item.moved_from}"] if item.moved_from else []
    remarks += [f"{len(item.parts)} of {item.of} parts are applied"] if item.parts else []
    remarks += item.flags
    if item.standing != "open":
        remarks.append(f"[{item.standing}{': ' + item.why if item.why else ''}]")
    return remarks
