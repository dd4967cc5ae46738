"""The tool that walks from opening to closing headcount."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from deskmate.plugin import ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.delivery import TABLES, deliver_book, deliver_picture, target_of
from deskmate_documents.tables import find_files, pick_file, read_table
from deskmate_hr.tools.report import asked_period, least_of
from deskmate_hr.walk_book import walk_pages, walk_scene
from deskmate_hr.walks import Line, Roll, read_extracts, read_people, roll_of, walk_of

BOOK = "headcount-walk.xlsx"
SHOWN = 60


def headcount_walk(
    context: ToolContext,
    path: str = "",
    closing: str = "",
    moves: str = "",
    output: str = "",
    settings: dict[str, str] | None = None,
    request: str = "",
) -> ToolAnswer:
    """Walk from opening to closing headcount by unit: opening + hires + moves in − leavers − moves out = closing, to zero.

    Either two extracts, one of each end of the period, compared by employee id; or one register with hire and leaving
    dates, with a table of moves where there were any. Units of fewer than five people stand together. Writes a workbook
    with live sums and native waterfall charts, and the waterfalls as pictures.

    Args:
        context: filled in by Deskmate.
        path: workspace path of the opening extract, or of the register with dates (CSV or XLSX). Empty: the one there.
        closing: workspace path of the closing extract. Empty: one beside it that is called so, else there is none.
        moves: workspace path of the moves (id, day, from, to), with a register only. Empty: one that is called so.
        output: workspace path of the workbook. Empty: headcount-walk.xlsx beside the table.
        settings: column names where they cannot be told: `id`, `unit`, `hired`, `left`; `from` and `to`, the ISO days
            of the period, for a register.
        request: the user's words; files and a period named there are taken if the others are empty.

    Returns:
        `lines`: list of {unit, opening, hires, moves_in, leavers, moves_out, closing}; `total`: the same; `together`:
        how many small units stand together; `files`.

    Raises:
        ToolInputError: a column, id or date is missing, moves do not fit together, or there are too few people.
    """
    sources = _sources(context, path, closing, moves, request)
    options = {**asked_period(request), **(settings or {})}
    files = {role: context.file(name) for role, name in sources.items()}
    roll = roll_from(files, sources, options)
    lines, merged = walk_of(roll, least_of(context.config))
    first = next(iter(files.values()))
    target = target_of(context, first, output, BOOK, ".xlsx")
    if target in {file.resolve() for file in files.values()}:
        raise ToolInputError(f"{target.name} is a source; give the result a name of its own.")
    about: dict[str, Any] = {"sources": sources, "data": {"settings": options}}
    pages = walk_pages(roll, lines, merged, list(sources.values()))
    book = deliver_book(context, target, pages, role="headcount_walk", **about)
    stem = target.with_name(target.stem)
    scene = walk_scene(roll, lines)
    pictures = deliver_picture(context, stem, scene, role="headcount_picture", **about)
    results = (book, *pictures)
    result = {"source": ", ".join(sources.values()), "files": [one.path for one in results]}
    return ToolAnswer(result={**result, **_told(roll, lines, merged)}, deliverables=results)


def roll_from(
    files: Mapping[str, Path], names: Mapping[str, str], options: Mapping[str, str]
) -> Roll:
    """Return what the sources say. `files`: `opening` and `closing`, or `employees` and perhaps `moves`."""
    tables = {role: read_table(file, name=names[role]) for role, file in files.items()}
    if "closing" in tables:
        return read_extracts(tables["opening"], tables["closing"], options)
    start, end = period_of(options)
    people, by = read_people(tables["employees"], tables.get("moves"), options)
    return roll_of(people, by, start, end)


def period_of(options: Mapping[str, str]) -> tuple[date, date]:
    """Return the first and the last day. Raises ToolInputError."""
    try:
        start, end = date.fromisoformat(options["from"]), date.fromisoformat(options["to"])
    except (KeyError, ValueError) as problem:
        raise ToolInputError(
            "Give the period, such as Q3 2026, or `from` and `to` as 2026-07-01; or give a closing extract."
        ) from problem
    if start > end:
        raise ToolInputError(f"The period ends ({end}) before it begins ({start}).")
    return start, end


def _sources(
    context: ToolContext, path: str, closing: str, moves: str, request: str
) -> dict[str, str]:
    there = [
        name for name in find_files(context.workspace, TABLES, request) if Path(name).name != BOOK
    ]

    def called(*words: str) -> str:
        found = [n for n in there if any(word in Path(n).stem.lower() for word in words)]
        return found[0] if len(found) == 1 else ""

    closing = closing or (called("closing") if not moves else "")
    if closing:
        opening = path or called("opening")
        if not opening:
            raise ToolInputError(f"There is {closing}, but no opening extract; name it as `path`.")
        if context.file(opening) == context.file(closing):
            raise ToolInputError(f"{closing} cannot be both ends of the period.")
        found = {"opening": opening, "closing": closing}
    else:
        moves = moves or called("moves", "transfers")
        if not path:
            rest = [name for name in there if name != moves]
            path = (
                rest[0]
                if len(rest) == 1
                else pick_file(
                    context.workspace,
                    TABLES,
                    what="employee table",
                    made=BOOK,
                    hints=("emp", "people", "staff", "hris", "roster", "register"),
                    request=request,
                )
            )
        found = {"employees": path, **({"moves": moves} if moves and moves != path else {})}
    return {role: context.name_of(context.file(name)) for role, name in found.items()}


def _told(roll: Roll, lines: list[Line], merged: tuple[str, ...]) -> dict[str, Any]:
    rows = [
        {
            "unit": line.unit,
            "opening": line.opening,
            "hires": line.hires,
            "moves_in": line.moves_in,
            "leavers": line.leavers,
            "moves_out": line.moves_out,
            "closing": line.closing,
        }
        for line in lines
    ]
    total = {key: sum(int(str(row[key])) for row in rows) for key in rows[0] if key != "unit"}
    texts = [
        f"{line.unit}: {line.opening} + {line.hires} hires + {line.moves_in} in − {line.leavers} leavers − "
        f"{line.moves_out} out = {line.closing}"
        for line in lines[:SHOWN]
    ]
    whole = (
        f"{roll.period}, by {roll.by}: {total['opening']} + {total['hires']} hires − {total['leavers']} leavers = "
        f"{total['closing']}; {total['moves_in']} moves between units."
    )
    apart = f"\n{len(merged)} small units stand together as Other units." if merged else ""
    return {
        "summary": whole + "\n" + "\n".join(texts) + apart,
        "lines": rows[:SHOWN],
        "total": total,
        "together": len(merged),
    }
