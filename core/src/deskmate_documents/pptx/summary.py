"""A summary deck from a workbook or a document: nothing on it that does not stand in the source, and says where."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from deskmate.errors import ToolInputError
from deskmate_documents.pptx.build import POINTS_LIMIT, Plan
from deskmate_documents.pptx.figures import Figure, grid
from deskmate_documents.text import Passage, SourceText
from deskmate_documents.xlsx.book import Sheet, Workbook, parse_target
from deskmate_documents.xlsx.refs import Area, quote_sheet
from deskmate_documents.xlsx.sheetmap import overview

SHEETS_SHOWN = 8
ROWS_SHOWN = 12
COLUMNS_SHOWN = 7
SENTENCES, SENTENCE_LENGTH = 4, 260
SECTIONS_SHOWN = 12
TITLE_LENGTH = 90
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z“\"(])")
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cited:
    """A figure or sentence on a slide, and its place in the source: a cell, or a passage."""

    slide: int
    text: str
    figure: Figure | None = None
    passage: Passage | None = None


@dataclass(slots=True)
class Summary:
    """Slides to be made with what each cites. `left_out`: what does not stand on them, and why."""

    plans: list[Plan] = field(default_factory=list)
    cited: list[Cited] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def add(self, plan: Plan, figures: list[Figure], passages: list[tuple[str, Passage]]) -> None:
        """Add a slide and what it cites."""
        self.plans.append(plan)
        number = len(self.plans)
        self.cited += [Cited(slide=number, text=f.shown, figure=f) for f in figures]
        self.cited += [Cited(slide=number, text=text, passage=p) for text, p in passages]


def summarise_workbook(
    book: Workbook, name: str, title: str, wanted: list[Mapping[str, Any]]
) -> Summary:
    """Return a deck of the areas wanted, each {cells, title, chart, bullets}, or else of the tables of visible sheets.

    Raises:
        ToolInputError: an area that is not there, or nothing to show.
    """
    found = Summary()
    found.add(Plan(kind="title", title=title or name, subtitle=f"From {name}"), [], [])
    for item in wanted or list(_tables(book, found)):
        _area_slide(book, name, item, found)
    if len(found.plans) == 1:
        raise ToolInputError(
            f"{name} has no table with a header that a slide could show; name cells yourself."
        )
    return found


def _tables(book: Workbook, found: Summary) -> Iterator[dict[str, Any]]:
    shown = 0
    for entry in overview(book)["sheets"]:
        name, header, used = entry["name"], entry.get("header_row"), entry.get("used")
        if entry.get("state", "visible") != "visible":
            found.left_out.append(f"{name}: a hidden sheet")
        elif not header or not used:
            found.left_out.append(f"{name}: no table with a header")
        elif shown == SHEETS_SHOWN:
            found.left_out.append(f"{name}: more than {SHEETS_SHOWN} sheets")
        else:
            shown += 1
            _, area = parse_target(book, f"{quote_sheet(name)}!{used}")
            area = Area(int(header), area.left, area.bottom, area.right)
            yield {"cells": f"{quote_sheet(name)}!{area}", "title": name, "chart": "auto"}


def _area_slide(book: Workbook, name: str, item: Mapping[str, Any], found: Summary) -> None:
    if unknown := set(item) - {"cells", "title", "chart", "bullets"}:
        raise ToolInputError(
            f"An area has no {sorted(unknown)[0]!r}; it has cells, title, chart, bullets."
        )
    sheet, area = parse_target(book, str(item["cells"]))
    rows, note = _cut(book, sheet, area)
    if len(rows) < 2:
        found.left_out.append(f"{item['cells']}: fewer than two rows with content")
        return
    found.left_out += [f"{item['cells']}: {note}"] if note else []
    old = [f for row in rows for f in row if f is not None and f.old]
    if old:
        found.left_out.append(
            f"{len(old)} figures of {item['cells']} were not computed since an edit ({old[0].cell}); they show as —"
        )
    texts = [
        ["—" if f is not None and f.old else f.shown if f else "" for f in row] for row in rows
    ]
    figures = [
        f for row in rows for f in row if f is not None and not f.old and (f.value or f.is_date)
    ]
    chart = _chart(rows, str(item.get("chart") or ""))
    bullets = tuple(str(text) for text in item.get("bullets") or ())
    narrow = chart is not None and len(texts[0]) > 4
    plan = Plan(
        title=str(item.get("title") or sheet.name),
        bullets=bullets,
        table={"header": texts[0], "rows": texts[1:]} if not narrow else None,
        chart=chart,
        source=f"{name}, {item['cells']}",
        notes=_notes(name, figures),
    )
    if narrow:
        found.add(_without(plan, chart=True), figures, [])
        plan = _without(plan, table={"header": texts[0], "rows": texts[1:]})
    found.add(plan, figures, [])


def _without(plan: Plan, *, chart: bool = False, table: Mapping[str, Any] | None = None) -> Plan:
    return Plan(
        title=plan.title, bullets=plan.bullets if chart else (), table=table, chart=plan.chart if chart else None,
        source=plan.source, notes=plan.notes,
    )  # fmt: skip


def _cut(book: Workbook, sheet: Sheet, area: Area) -> tuple[list[list[Figure | None]], str]:
    """Return the rows of an area that a slide can show, without empty rows and columns."""
    whole = (area.bottom - area.top + 1, area.right - area.left + 1)
    seen = Area(
        area.top, area.left, min(area.bottom, area.top + 400), min(area.right, area.left + 60)
    )
    rows = [row for row in grid(book, sheet, seen) if any(row)]
    used = [i for i in range(len(rows[0]) if rows else 0) if any(row[i] for row in rows)]
    columns = used[:COLUMNS_SHOWN]
    kept = [[row[i] for i in columns] for row in rows[: ROWS_SHOWN + 1]]
    notes = []
    if len(rows) > len(kept) or whole[0] > 401:
        notes.append(f"only its first {len(kept) - 1} rows are shown")
    if len(used) > len(columns) or whole[1] > 61:
        notes.append(f"only its first {len(columns)} columns are shown")
    return kept, "; ".join(notes)


def _chart(rows: list[list[Figure | None]], kind: str) -> dict[str, Any] | None:
    """Return a chart of the columns of figures over the first column; None where there is nothing to draw."""
    if not kind or kind == "none":
        return None
    body = [row for row in rows[1:] if row[0] is not None and not _is_total(row[0].shown)]
    columns = [
        i
        for i in range(1, len(rows[0]))
        if rows[0][i] is not None and body and all(_drawable(row[i]) for row in body)
    ]
    units = {f.unit for row in body for i in columns if (f := row[i]) is not None}
    if not 2 <= len(body) <= POINTS_LIMIT or not columns or (len(units) > 1 and kind == "auto"):
        return None
    dated = all(row[0] is not None and row[0].is_date for row in body)
    series = [
        {"name": rows[0][i].shown, "values": [float(row[i].value) for row in body]}  # type: ignore[union-attr]
        for i in columns[:4]
    ]
    percent = units == {"%"}
    return {
        "type": ("line" if dated else "column") if kind == "auto" else kind,
        "categories": [row[0].shown for row in body if row[0] is not None],
        "series": series,
        "number_format": "0.0%" if percent else "#,##0.##" if _fractions(series) else "#,##0",
    }


def _drawable(figure: Figure | None) -> bool:
    return figure is not None and bool(figure.value) and not figure.old


def _is_total(text: str) -> bool:
    return (
        text.strip()
        .lower()
        .rstrip(":")
        .startswith(("total", "sum", "grand total", "summe", "subtotal"))
    )


def _fractions(series: list[dict[str, Any]]) -> bool:
    return any(value != int(value) for one in series for value in one["values"])


def _notes(name: str, figures: list[Figure]) -> str:
    lines = [f"{f.shown} = {f.cell}" for f in figures[:150]]
    return "\n".join([f"Figures of this slide in {name}:", *lines])


def summarise_document(
    source: SourceText, headings: list[tuple[str, int]], name: str, title: str
) -> Summary:
    """Return a deck with a slide for each section: its sentences with figures first, word for word, with their places.

    Args:
        source: the document's text.
        headings: (text, paragraph), in order; without any, the document is one section.
        name: of the file.
        title: of the deck.

    Raises:
        ToolInputError: there are no sentences.
    """
    found = Summary()
    found.add(Plan(kind="title", title=title or name, subtitle=f"From {name}"), [], [])
    starts = [paragraph for _, paragraph in headings] or [1]
    names = [text for text, _ in headings] or ["What it says"]
    for index, (heading, start) in enumerate(zip(names, starts, strict=True)):
        end = starts[index + 1] if index + 1 < len(starts) else 1 << 60
        body = [
            p for p in source.passages if start <= p.paragraph < end and p.text.strip() != heading
        ]
        chosen = _sentences(body)
        if not chosen:
            continue
        if len(found.plans) > SECTIONS_SHOWN:
            found.left_out.append(f"{_short(heading)}: more than {SECTIONS_SHOWN} sections")
            continue
        places = [_place(passage) for _, passage in chosen]
        plan = Plan(
            title=_short(heading),
            bullets=tuple(text for text, _ in chosen),
            source=f"{name}, {'; '.join(dict.fromkeys(places))}",
            notes="\n".join(
                f"{place}: {text}" for place, (text, _) in zip(places, chosen, strict=True)
            ),
        )
        found.add(plan, [], chosen)
    if len(found.plans) == 1:
        raise ToolInputError(f"{name} has no sentences that a slide could show.")
    return found


def _short(heading: str) -> str:
    """Return a heading that fits a title: clauses often run on in the heading's own paragraph."""
    words = heading.split()
    while words and len(" ".join(words)) > TITLE_LENGTH:
        words.pop()
    short = " ".join(words)
    return short if len(short) == len(" ".join(heading.split())) else f"{short} …"


def _sentences(body: list[Passage]) -> list[tuple[str, Passage]]:
    """Return the sentences of a section to show, in their order; those with figures are preferred."""
    every = [
        (" ".join(sentence.split()), passage)
        for passage in body
        for sentence in _SENTENCE.split(passage.text)
        if 20 <= len(" ".join(sentence.split())) <= SENTENCE_LENGTH and "__" not in sentence
    ]
    ranked = sorted(range(len(every)), key=lambda i: (not _DIGIT.search(every[i][0]), i))
    return [every[i] for i in sorted(ranked[:SENTENCES])]


def _place(passage: Passage) -> str:
    page = f"page {passage.page}, " if passage.page is not None else ""
    return f"{page}¶ {passage.paragraph}"
