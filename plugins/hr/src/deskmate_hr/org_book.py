"""What an organisation is delivered as: a workbook of people, layers and findings, a picture of the tree, and a deck of native shapes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from deskmate_documents.pptx.build import build, read_plan
from deskmate_documents.scenes import Box, Item, Line, Scene, Text, headings, shortened
from deskmate_documents.xlsx.build import Computed
from deskmate_documents.xlsx.pages import Page, Value, total_of
from deskmate_hr.orgs import Organisation, spans_of, walk

PEOPLE, LAYERS, FINDINGS, NOTES = "People", "Layers", "Findings", "Notes"
HEADER = (
    "ID",
    "Name",
    "Title",
    "Unit",
    "Manager",
    "Layer",
    "Direct reports",
    "All reports",
    "Source row",
)
LAYER_HEADER = ("Layer", "People", "Managers", "Reports per manager")
FINDING_HEADER = ("Kind", "Who", "What")
DRAWN_LIMIT, DEPTH_LIMIT, SLIDES_LIMIT, BESIDE_LIMIT = 80, 12, 60, 28
NOT_CONNECTED = "not connected to the top"


def note_lines(organisation: Organisation, source: str) -> list[str]:
    """Return what the notes say."""
    top = organisation.people[organisation.root]
    return [
        f"Source: {source}. Top: {top.name} ({top.id}).",
        f"{len(organisation.layers)} of {len(organisation.people)} people are connected to the top; the others stand in {FINDINGS}.",
        "Layer 1 is the top. Direct reports are counted from the column Manager; all reports go down to the last layer.",
        "The chart shows lines of reporting as the table has them. It says nothing about roles, dotted lines or performance.",
    ]


def finding_rows(organisation: Organisation) -> list[list[str]]:
    """Return the rows of what is wrong."""
    rows = [
        [trouble.kind, ", ".join(trouble.ids), trouble.text] for trouble in organisation.troubles
    ]
    rows += [
        [NOT_CONNECTED, person.id, f"{person.name} (row {person.row})"]
        for person in organisation.apart
    ]
    return rows or [["none", "", "One top, nobody without a manager, no circle."]]


def org_pages(organisation: Organisation, source: str) -> list[Page]:
    """Return the sheets."""
    rows: list[list[Value]] = [list(HEADER)]
    order = [*walk(organisation), *(person.id for person in organisation.apart)]
    last = len(order) + 1
    for n, key in enumerate(order, start=2):
        person = organisation.people[key]
        direct = sum(one.manager == key and one.id != key for one in organisation.people.values())
        own = person.manager == key
        count = f"=COUNTIF($E$2:$E${last},A{n})" + ("-1" if own else "")
        in_tree = key in organisation.layers
        rows.append(
            [
                key,
                person.name,
                person.title,
                person.unit,
                person.manager,
                organisation.layers.get(key),
                Computed(count, direct),
                organisation.everybody(key) if in_tree else None,
                person.row,
            ]
        )
    found = finding_rows(organisation)
    wrap = {"op": "style", "cells": f"C2:C{len(found) + 1}", "wrap": True}
    notes = note_lines(organisation, source)
    return [
        Page(name=PEOPLE, rows=rows, widths=(12, 28, 30, 22, 12, 8, 14, 12, 11), formats=(*("",) * 5, *("0",) * 4), freeze="C2"),
        _layers(organisation, last),
        Page(name=FINDINGS, rows=[list(FINDING_HEADER), *found], widths=(26, 30, 90), edits=(wrap,)),
        Page(name=NOTES, rows=[["Notes"], *([line] for line in notes)], widths=(120,)),
    ]  # fmt: skip


def _layers(organisation: Organisation, last: int) -> Page:
    rows: list[list[Value]] = []
    spans = spans_of(organisation)
    for n, (layer, people, managers) in enumerate(spans, start=2):
        below = spans[n - 1][1] if n - 1 < len(spans) else 0
        where = f"{PEOPLE}!$F$2:$F${last},A{n}"
        rows.append(
            [
                layer,
                Computed(f"=COUNTIFS({where})", people),
                Computed(f'=COUNTIFS({where},{PEOPLE}!$G$2:$G${last},">0")', managers),
                Computed(f'=IF(C{n}=0,"",B{n + 1}/C{n})', Decimal(below) / managers)
                if managers
                else None,
            ]
        )
    total: list[Value] = ["Total", total_of(rows, 1), total_of(rows, 2)]
    end = len(rows) + 1
    series = [
        {"name": "People", "categories": f"A2:A{end}", "values": f"B2:B{end}", "fill": "1F3864"}
    ]
    chart = {"type": "column", "title": "People by layer", "legend": False, "gap": 60, "series": series, "y_format": "0", "y_min": 0, "at": "F2", "size": (520, 280)}  # fmt: skip
    return Page(
        name=LAYERS,
        rows=[list(LAYER_HEADER), *rows, total],
        widths=(10, 10, 12, 20),
        formats=("", "0", "0", "0.0"),
        totals=(end + 1,),
        charts=(chart,),
    )


_WIDE, _HIGH, _ACROSS, _DOWN, _STACK, _INDENT = 176.0, 44.0, 18.0, 40.0, 10.0, 20.0
_LEAVES = 9
_FILLS = ("#1F3864", "#2F5597", "#DAE3F3", "#EDF2FA", "#F6F8FC")


@dataclass(slots=True)
class _Block:
    """A part of the tree, laid out from its own corner. `head`: middle of its top box; `items` are moved with it."""

    width: float
    height: float
    head: float
    boxes: list[tuple[str, float, float]] = field(default_factory=list)
    lines: list[tuple[tuple[float, float], ...]] = field(default_factory=list)

    def put(self, other: _Block, x: float, y: float) -> None:
        """Take over another block at a place."""
        self.boxes += [(key, left + x, top + y) for key, left, top in other.boxes]
        self.lines += [tuple((a + x, b + y) for a, b in line) for line in other.lines]


def org_scene(organisation: Organisation, levels: int, source: str) -> Scene:
    """Return the tree as a picture, down to so many levels."""
    block = _laid_out(organisation, organisation.root, levels)
    drawn = len(block.boxes)
    scene = Scene(
        width=max(block.width + 80, 760),
        height=block.height + 170,
        title=f"Organisation, {source}",
        detail=1.2,
    )
    cut = (
        f"; levels below {levels} are counted, not drawn"
        if drawn < len(organisation.layers)
        else ""
    )
    under = f"{drawn} of {len(organisation.people)} people{cut}. Findings: {len(organisation.troubles)}."
    scene.items += headings(scene.title, under)
    dx, dy = 40.0, 96.0
    for line in block.lines:
        points = tuple((x + dx, y + dy) for x, y in line)
        scene.items.append(Line(points=points, stroke="#9CA3AF", arrow=False))
    for key, x, y in block.boxes:
        scene.items += _drawn(organisation, key, (x + dx, y + dy), levels)
    foot = "; ".join(trouble.text for trouble in organisation.troubles[:3])
    if foot:
        y = scene.height - 26
        text = shortened(f"Findings: {foot}", int(scene.width / 7))
        scene.items.append(Text(x=40, y=y, text=text, size=11, anchor="start", color="#B42318"))
    return scene


def levels_of(organisation: Organisation, wanted: int = 0) -> int:
    """Return how many levels are drawn: those wanted, else as many as stay readable, two at least."""
    sizes = [people for _, people, _ in spans_of(organisation)]
    fitting = [n for n in range(1, len(sizes) + 1) if sum(sizes[:n]) <= DRAWN_LIMIT]
    most = max([min(2, len(sizes)), *fitting])
    return min(wanted or most, len(sizes), DEPTH_LIMIT)


def _laid_out(organisation: Organisation, key: str, levels: int) -> _Block:
    below = organisation.reports.get(key, ()) if organisation.layers[key] < levels else ()
    block = _Block(width=_WIDE, height=_HIGH, head=_WIDE / 2)
    if not below:
        block.boxes.append((key, 0.0, 0.0))
        return block
    deep = organisation.layers[key] + 1 < levels
    heads = [one for one in below if deep and organisation.reports.get(one)]
    leaves = [one for one in below if one not in heads]
    parts = [(_laid_out(organisation, one, levels), True) for one in heads]
    parts += [(_stack(leaves[n : n + _LEAVES]), False) for n in range(0, len(leaves), _LEAVES)]
    across = sum(part.width for part, _ in parts) + _ACROSS * (len(parts) - 1)
    block.width = max(across, _WIDE)
    top, bus = _HIGH + _DOWN, _HIGH + _DOWN / 2
    block.height = top + max(part.height for part, _ in parts)
    x = (block.width - across) / 2
    ends = []
    for part, is_head in parts:
        block.put(part, x, top)
        at = x + part.head
        ends.append(at)
        block.lines.append(((at, bus), (at, top if is_head else top + _HIGH / 2)))
        x += part.width + _ACROSS
    block.head = min(max((ends[0] + ends[-1]) / 2, _WIDE / 2), block.width - _WIDE / 2)
    block.boxes.append((key, block.head - _WIDE / 2, 0.0))
    block.lines.append(((block.head, _HIGH), (block.head, bus)))
    block.lines.append(((min(ends[0], block.head), bus), (max(ends[-1], block.head), bus)))
    return block


def _stack(keys: Sequence[str]) -> _Block:
    """Return people below one another, hanging on a line at their left."""
    step = _HIGH + _STACK
    block = _Block(width=_INDENT + _WIDE, height=step * len(keys) - _STACK, head=_INDENT / 2)
    for number, key in enumerate(keys):
        middle = number * step + _HIGH / 2
        block.boxes.append((key, _INDENT, number * step))
        block.lines.append(((_INDENT / 2, middle), (_INDENT, middle)))
    block.lines.append(
        ((_INDENT / 2, _HIGH / 2), (_INDENT / 2, (len(keys) - 1) * step + _HIGH / 2))
    )
    return block


def _drawn(
    organisation: Organisation, key: str, at: tuple[float, float], levels: int
) -> Iterator[Item]:
    person, layer = organisation.people[key], organisation.layers[key]
    fill = _FILLS[min(layer, len(_FILLS)) - 1]
    ink = "#FFFFFF" if layer <= 2 else "#1F2937"
    hidden = organisation.everybody(key) if layer == levels else 0
    x, y = at
    note = f"{person.name}, {person.title or 'no title'}, layer {layer}"
    yield Box(
        x=x, y=y, width=_WIDE, height=_HIGH, fill=fill, stroke="#2F5597", radius=5, title=note
    )
    name = shortened(person.name, 24)
    title = shortened(person.title, 22 if hidden else 28) + (f"  +{hidden}" if hidden else "")
    middle = x + _WIDE / 2
    yield Text(
        x=middle,
        y=y + (15 if title.strip() else _HIGH / 2),
        text=name,
        size=12,
        bold=True,
        color=ink,
    )
    if title.strip():
        yield Text(x=middle, y=y + 31, text=title, size=10, color=ink)


def slides_of(organisation: Organisation) -> list[tuple[str, tuple[str, ...]]]:
    """Return (manager, reports) of each slide, layer by layer from the top."""
    managers = [key for key in organisation.layers if organisation.reports.get(key)]
    managers.sort(key=lambda key: organisation.layers[key])
    return [(key, organisation.reports[key]) for key in managers[:SLIDES_LIMIT]]


def slide_title(organisation: Organisation, key: str) -> str:
    """Return the title of a manager's slide."""
    person, direct = organisation.people[key], len(organisation.reports[key])
    word = "report" if direct == 1 else "reports"
    return f"{person.name}: {direct} direct {word}, {organisation.everybody(key)} in all"


def box_text(organisation: Organisation, key: str) -> str:
    """Return what stands in somebody's box."""
    person, count = organisation.people[key], organisation.everybody(key)
    more = f" (+{count})" if count else ""
    return f"{person.name}{more}" + (f"\n{person.title}" if person.title else "")


def write_deck(target: Path, organisation: Organisation, source: str) -> None:
    """Write a deck with a slide a manager: boxes and lines are native shapes."""
    import pptx  # noqa: PLC0415 - heavy

    wanted = slides_of(organisation)
    plans = [{"title": slide_title(organisation, key), "source": source} for key, _ in wanted]
    if not plans:
        plans = [{"title": organisation.people[organisation.root].name, "source": source}]
    build([read_plan(plan) for plan in plans], target)
    deck = pptx.Presentation(str(target))
    for slide, (key, below) in zip(deck.slides, wanted, strict=False):
        _fill(slide, organisation, key, below)
    deck.save(str(target))


def _fill(slide: Any, organisation: Organisation, key: str, below: Sequence[str]) -> None:
    shown = below[:BESIDE_LIMIT]
    columns = min(len(shown), 4)
    lines = -(-len(shown) // columns)
    wide, high, gap = 196.0, 48.0 if lines < 6 else 40.0, 10.0
    left, top, bus = 60.0, 190.0, 172.0
    step = (840.0 - columns * wide) / max(columns - 1, 1) if columns > 1 else 0.0
    step = min(step, 24.0)
    start = left + (840.0 - columns * wide - (columns - 1) * step) / 2
    middle = left + 420.0
    _rectangle(
        slide, (middle - wide / 2, 106.0, wide, high), box_text(organisation, key), head=True
    )
    spines = [start + n * (wide + step) - 9 for n in range(columns)]
    _stroke(slide, (middle, 106.0 + high), (middle, bus))
    _stroke(slide, (min(spines[0], middle), bus), (max(spines[-1], middle), bus))
    for column, spine in enumerate(spines):
        own = shown[column::columns]
        for row, one in enumerate(own):
            y = top + row * (high + gap)
            _rectangle(slide, (spine + 9, y, wide, high), box_text(organisation, one), head=False)
            _stroke(slide, (spine, y + high / 2), (spine + 9, y + high / 2))
        _stroke(slide, (spine, bus), (spine, top + (len(own) - 1) * (high + gap) + high / 2))
    if len(below) > len(shown):
        box = (left, top + lines * (high + gap), 400.0, 20.0)
        _words(slide, box, f"and {len(below) - len(shown)} more in the workbook")


def _rectangle(
    slide: Any, box: tuple[float, float, float, float], text: str, *, head: bool
) -> None:
    from pptx.dml.color import RGBColor  # noqa: PLC0415
    from pptx.enum.shapes import MSO_SHAPE  # noqa: PLC0415
    from pptx.enum.text import MSO_ANCHOR, PP_ALIGN  # noqa: PLC0415
    from pptx.util import Pt  # noqa: PLC0415

    shape = slide.shapes.add_shape(MSO_SHAPE.ROUNDED_RECTANGLE, *(Pt(n) for n in box))
    shape.name = "Manager" if head else "Report"
    shape.fill.solid()
    shape.fill.fore_color.rgb = RGBColor.from_string("1F3864" if head else "DAE3F3")
    shape.line.color.rgb = RGBColor.from_string("2F5597")
    frame = shape.text_frame
    frame.word_wrap, frame.vertical_anchor = True, MSO_ANCHOR.MIDDLE
    frame.margin_top = frame.margin_bottom = Pt(2)
    frame.margin_left = frame.margin_right = Pt(4)
    frame.text = text
    for number, paragraph in enumerate(frame.paragraphs):
        paragraph.alignment = PP_ALIGN.CENTER
        for run in paragraph.runs:
            run.font.size, run.font.bold = Pt(12), number == 0
            run.font.color.rgb = RGBColor.from_string("FFFFFF" if head else "1F2937")


def _stroke(slide: Any, one: tuple[float, float], other: tuple[float, float]) -> None:
    from pptx.dml.color import RGBColor  # noqa: PLC0415
    from pptx.enum.shapes import MSO_CONNECTOR  # noqa: PLC0415
    from pptx.util import Pt  # noqa: PLC0415

    line = slide.shapes.add_connector(MSO_CONNECTOR.STRAIGHT, *(Pt(n) for n in (*one, *other)))
    line.line.color.rgb = RGBColor.from_string("9CA3AF")


def _words(slide: Any, box: tuple[float, float, float, float], text: str) -> None:
    from pptx.util import Pt  # noqa: PLC0415

    frame = slide.shapes.add_textbox(*(Pt(n) for n in box)).text_frame
    frame.text = text
    for run in frame.paragraphs[0].runs:
        run.font.size = Pt(12)
