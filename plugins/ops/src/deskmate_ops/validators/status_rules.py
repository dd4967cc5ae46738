"""OPS-STATUS-TRUE: a status report shows what its lists say and the colours that the figures give, each with its row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from deskmate.plugin import ToolInputError
from deskmate_documents.content import read_content
from deskmate_ops.status import AMBER, GREEN, RED, Limits, Stream, Task
from deskmate_ops.status_pages import (
    Status,
    headline,
    more_line,
    opening_lines,
    rule_line,
    source_line,
    stream_chart,
    tables_of,
    title_of,
)

Problem = tuple[str, str]


def status_problems(file: Path, status: Status) -> Iterator[Problem]:
    """Yield what a report or deck says otherwise than the lists; workstreams are counted and judged a second time."""
    again = replace(status, streams=_recounted(status))
    content = read_content(file)
    right = tables_of(again)
    shown = [[[_plain(cell) for cell in row] for row in grid.rows] for grid in content.grids]
    wanted = [
        [list(map(_plain, header)), *([_plain(c) for c in row] for row in rows)]
        for _, (header, rows), _ in right
    ]
    for number, (heading, table) in enumerate(zip([h for h, _, _ in right], wanted, strict=True)):
        if number >= len(shown):
            yield f"The table of {heading.lower()} is missing.", heading
            continue
        yield from _table(heading, shown[number], table)
    if len(shown) > len(wanted):
        yield "There are more tables than the lists give.", f"table {len(wanted) + 1}"
    known = {_plain(text) for text in _words(again, deck=file.suffix.lower() == ".pptx")}
    for line in content.lines:
        if not line.in_table and _plain(line.text) not in known:
            yield f"The lists do not say: {line.text[:120]!r}.", line.where
    said = {_plain(line.text) for line in content.lines}
    for text in (title_of(again), opening_lines(again)[0][:220], rule_line(again)):
        if not any(_plain(text) in line for line in said):
            yield f"It does not say: {text[:100]!r}.", "text"
    if file.suffix.lower() == ".pptx":
        yield from _chart(file, again)


def _plain(text: str) -> str:
    return " ".join(text.replace("∗", "*").split())


def _table(
    heading: str, shown: Sequence[Sequence[str]], right: Sequence[Sequence[str]]
) -> Iterator[Problem]:
    if len(shown) != len(right):
        yield f"It has {len(shown) - 1} rows; the lists give {len(right) - 1}.", heading
    for number, (one, other) in enumerate(zip(shown, right, strict=False), start=1):
        for title, found, wanted in zip(right[0], one, other, strict=False):
            if found != wanted:
                yield (
                    f"{title} of {other[0][:50]!r} is {found[:50]!r}; the lists give {wanted[:50]!r}.",
                    f"{heading}, row {number}",
                )


def _recounted(status: Status) -> list[Stream]:
    """Count the workstreams again in one walk over the tasks, and judge each by a list of cases."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for task in status.tasks:
        _count(counts[task.stream], task, status.today, status.limits)
    found = []
    for name, own in counts.items():
        rag, why = _judged(own, status.limits)
        found.append(
            Stream(
                name=name,
                tasks=own["tasks"],
                done=own["done"],
                overdue=own["late"],
                blocked=own["blocked"],
                soon=own["soon"],
                latest=own["latest"],
                rag=rag,
                why=why,
            )
        )
    return sorted(found, key=lambda s: ({RED: 0, AMBER: 1, GREEN: 2}[s.rag], s.name.lower()))


def _count(own: dict[str, int], task: Task, today: date, limits: Limits) -> None:
    if task.state == "dropped":
        own["tasks"] += 0
        return
    own["tasks"] += 1
    if task.state == "done":
        own["done"] += 1
        return
    own["blocked"] += task.state == "blocked"
    if task.due is None:
        return
    days = task.due.toordinal() - today.toordinal()
    own["late"] += days < 0
    own["latest"] = max(own["latest"], -days)
    own["soon"] += 0 <= days <= limits.soon_days


def _judged(own: dict[str, int], limits: Limits) -> tuple[str, str]:
    open_ = own["tasks"] - own["done"]
    late, blocked, latest = own["late"], own["blocked"], own["latest"]
    cases = (
        (
            latest > limits.red_days,
            RED,
            f"a task is {latest} days late, more than {limits.red_days}",
        ),
        (
            late > 0 and late >= limits.red_share * open_,
            RED,
            f"{late} of {open_} open tasks are late, from {limits.red_share:.0%} on it is red",
        ),
        (late > 0, AMBER, f"{late} of {open_} open tasks are late"),
        (blocked > 0, AMBER, f"{blocked} of {open_} open tasks are blocked"),
        (open_ > 0, GREEN, "nothing is late or blocked"),
        (True, GREEN, "everything is done"),
    )
    return next((colour, why) for holds, colour, why in cases if holds)


def _words(status: Status, *, deck: bool) -> Iterator[str]:
    """Yield each line that the report may have besides its tables."""
    opening = opening_lines(status)
    yield from (
        title_of(status),
        *opening,
        opening[0][:220],
        rule_line(status),
        source_line(status),
    )
    yield from ("How to read this", "How far each workstream is")
    for heading, (_, rows), there in tables_of(status):
        yield from (heading, headline(status, heading, there), more_line(len(rows), there))
        path = (
            status.names["kpis"] if heading == "Key figures" else ", ".join(status.names.values())
        )
        yield from (f"Source: {path}", f"Source: {path}; {more_line(len(rows), there)}")
    if deck:
        chart = stream_chart(status)
        yield from (*chart["categories"], *(one["name"] for one in chart["series"]))


def _chart(file: Path, status: Status) -> Iterator[Problem]:
    import pptx  # noqa: PLC0415 - heavy

    try:
        deck: Any = pptx.Presentation(str(file))
    except (KeyError, ValueError, AttributeError) as problem:
        raise ToolInputError(f"The deck is not readable: {problem}.") from problem
    charts = [shape.chart for slide in deck.slides for shape in slide.shapes if shape.has_chart]
    right = stream_chart(status)
    if len(charts) != 1:
        yield f"It has {len(charts)} charts, not one.", "chart"
        return
    plot = charts[0].plots[0]
    shown = {series.name: [float(v or 0) for v in series.values] for series in plot.series}
    wanted = {one["name"]: [float(v) for v in one["values"]] for one in right["series"]}
    if list(plot.categories) != right["categories"] or shown != wanted:
        yield f"The chart shows {shown}; the lists give {wanted}.", "chart"
