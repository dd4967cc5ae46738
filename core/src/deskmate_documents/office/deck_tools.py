"""Tools for PowerPoint decks: outline, slides with evidence, geometry, edits that patch, new decks, summaries."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from deskmate.plugin import Claim, Deliverable, Evidence, ToolAnswer, ToolContext, ToolInputError
from deskmate.types.ids import Digest

if TYPE_CHECKING:
    from deskmate_documents.pptx.deck import Deck, Slide
    from deskmate_documents.pptx.shapes import Shape
    from deskmate_documents.pptx.summary import Cited, Summary

KINDS = frozenset({".pptx", ".pptm", ".potx"})
SLIDES_A_CALL = 30
OUTLINE_LIMIT = 300
DOUBTS_LIMIT = 80
TEXT_LIMIT = 4_000
POINTS_SHOWN = 120


def deck_outline(path: str, context: ToolContext) -> dict[str, Any]:
    """Show how a PowerPoint deck is built: slides with titles, what is on them, layouts, hidden slides. Start here.

    Args:
        path: workspace path of the deck.
        context: filled in by Deskmate.

    Returns:
        `size`: width and height in points; `slides`: list of {slide, title, layout, has: such as "2 text, 1 chart",
        notes, hidden}, at most 300.
    """
    from collections import Counter  # noqa: PLC0415

    from deskmate_documents.pptx.shapes import shapes_of  # noqa: PLC0415

    real, deck = _open(path, context)
    slides = []
    for slide in deck.slides[:OUTLINE_LIMIT]:
        shapes = [s for s in shapes_of(deck, slide.part) if not s.is_furniture]
        kinds = Counter(s.kind for s in shapes if s.kind not in ("title", "line"))
        entry = {
            "slide": slide.number,
            "title": _title(shapes),
            "layout": deck.layout_name(slide),
            "has": ", ".join(f"{count} {kind}" for kind, count in kinds.items()),
            "notes": bool(deck.notes(slide).strip()),
            "hidden": slide.hidden,
        }
        slides.append({key: value for key, value in entry.items() if value})
    return {
        "path": context.name_of(real), "size": [deck.width, deck.height], "slides": slides,
        "more": max(len(deck.slides) - OUTLINE_LIMIT, 0),
    }  # fmt: skip


def _title(shapes: list[Shape]) -> str:
    return next((" ".join(s.text.split())[:200] for s in shapes if s.kind == "title"), "")


def deck_read(path: str, slides: str, context: ToolContext) -> ToolAnswer:
    """Read slides of a PowerPoint deck: texts, tables, the values of charts, notes; figures are recorded as evidence.

    Args:
        path: workspace path of the deck.
        slides: such as `1-5,9`; at most 30.
        context: filled in by Deskmate.

    Returns:
        `slides`: list of {slide, shapes, notes}; a shape is {shape: its number, name, kind, box: [left, top, right,
        bottom] in points, text, rows, chart: {kinds, title, categories, series}, size: smallest text in points}.
    """
    from deskmate_documents.pdf.opening import page_numbers  # noqa: PLC0415
    from deskmate_documents.pptx.shapes import shapes_of  # noqa: PLC0415

    real, deck = _open(path, context)
    name, digest = context.name_of(real), _digest(real)
    entries = []
    evidence: dict[str, Evidence] = {}
    for number in page_numbers(slides, len(deck.slides), SLIDES_A_CALL):
        slide = deck.slide(number)
        shapes = [s for s in shapes_of(deck, slide.part) if not s.is_furniture]
        entry: dict[str, Any] = {"slide": number, "shapes": [_shown(s) for s in shapes]}
        notes = deck.notes(slide).strip()
        entry |= ({"notes": notes[:TEXT_LIMIT]} if notes else {}) | (
            {"hidden": True} if slide.hidden else {}
        )
        entries.append(entry)
        for item in _evidence_of(digest, name, slide, shapes):
            evidence[item.id] = item
    return ToolAnswer(result={"path": name, "slides": entries}, evidence=tuple(evidence.values()))


def _shown(shape: Shape) -> dict[str, Any]:
    from deskmate_documents.pdf.opening import rounded  # noqa: PLC0415

    sizes = [
        size for paragraph in shape.paragraphs for size in paragraph.sizes if paragraph.text.strip()
    ]
    entry: dict[str, Any] = {
        "shape": shape.id, "name": shape.name, "kind": shape.kind, "box": rounded(shape.box) if shape.box else None,
        "text": "" if shape.rows else shape.text[:TEXT_LIMIT], "rows": [list(row) for row in shape.rows],
        "size": min(sizes, default=0), "alt": shape.alt[:300],
    }  # fmt: skip
    if shape.chart is not None:
        entry["chart"] = {
            "kinds": list(shape.chart.kinds), "title": shape.chart.title,
            "categories": list(shape.chart.categories[:POINTS_SHOWN]),
            "series": [{"name": s.name, "values": list(s.values[:POINTS_SHOWN])} for s in shape.chart.series],
        }  # fmt: skip
    return {key: value for key, value in entry.items() if value not in ("", [], None, 0)}


def _evidence_of(digest: Digest, path: str, slide: Slide, shapes: list[Shape]) -> list[Evidence]:
    from deskmate_documents.pdf.tables import figure_of  # noqa: PLC0415

    found: list[tuple[dict[str, int | str], str, str]] = []
    for shape in shapes:
        place: dict[str, int | str] = {"slide": slide.number, "shape": shape.id}
        for row, cells in enumerate(shape.rows, 1):
            for column, text in enumerate(cells, 1):
                if text.strip():
                    found.append((place | {"row": row, "column": column}, text, figure_of(text)))
        if not shape.rows:
            found += [
                (place | {"paragraph": index}, paragraph.text, figure_of(paragraph.text))
                for index, paragraph in enumerate(shape.paragraphs, 1)
                if paragraph.text.strip()
            ]
        for one in shape.chart.series if shape.chart is not None else ():
            found += [
                (place | {"series": one.name, "point": index}, "", value)
                for index, value in enumerate(one.values[:POINTS_SHOWN], 1)
                if value
            ]
    return [
        Evidence(
            id=f"slide-{digest[:8]}-{hashlib.sha256(repr(sorted(locator.items())).encode()).hexdigest()[:10]}",
            source=digest, path=path, locator=locator, quote=text[:2_000], value=value,
            unit="%" if value and "%" in text else "",
        )
        for locator, text, value in found
    ]  # fmt: skip


def deck_lint(
    path: str, context: ToolContext, slides: str = "1-", minimum: float = 10.0
) -> dict[str, Any]:
    """Check the geometry of a PowerPoint deck: off the slide, overlapping, text that does not fit or is too small, empty holders.

    Args:
        path: workspace path of the deck.
        context: filled in by Deskmate.
        slides: such as `1-5`; all by default.
        minimum: the smallest text size in points that is fine.

    Returns:
        `doubts`: list of {rule, level, slide, shape, message}, errors first, at most 80. Heights are estimated from
        font metrics: look at the slides themselves with render_pages where the image has LibreOffice.
    """
    from deskmate_documents.pdf.opening import page_numbers  # noqa: PLC0415
    from deskmate_documents.pptx.lint import lint  # noqa: PLC0415

    real, deck = _open(path, context)
    count = len(deck.slides)
    found = lint(deck, page_numbers(slides, count, count), minimum) if count else []
    found.sort(key=lambda d: (d.level != "error", d.slide))
    shown = [
        {"rule": d.rule, "level": d.level, "slide": d.slide, "shape": d.shape, "message": d.message}
        for d in found[:DOUBTS_LIMIT]
    ]
    return {
        "path": context.name_of(real),
        "doubts": shown,
        "left_out": max(len(found) - DOUBTS_LIMIT, 0),
    }


def deck_edit(
    path: str, edits: list[dict[str, Any]], context: ToolContext, target: str = ""
) -> ToolAnswer:
    """Edit a PowerPoint deck in place or into a new file, all edits or none; whatever no edit names stays as it is.

    Args:
        path: workspace path of the deck.
        edits: in order; numbers of slides mean the deck as the edits before left it. By `op`: move {slide, to};
            duplicate {slide, to}; remove {slide}; hide {slide, hidden}; text {slide, shape, text: lines or list of
            {text, level}}; cell {slide, shape, row, column, text}; box {slide, shape, box: [left, top, right, bottom] in
            points}; notes {slide, text}. `shape`: number or name as deck_read gives it.
        context: filled in by Deskmate.
        target: workspace path of the result; empty: the same file.

    Returns:
        `path`, `done`: a line for each edit, `doubts`: the geometry of the changed deck, errors only.
    """
    from deskmate_documents.pptx.deck import Deck  # noqa: PLC0415
    from deskmate_documents.pptx.edit import edit_deck  # noqa: PLC0415

    real, _ = _open(path, context)
    result = context.target(target) if target else real
    if result.suffix.lower() != real.suffix.lower():
        raise ToolInputError(f"The target must end in {real.suffix}, as the source does.")
    done = edit_deck(real, result, edits)
    sources = {} if result.resolve() == real.resolve() else {"original": context.name_of(real)}
    answer = {"path": context.name_of(result), "done": done, "doubts": _errors(Deck(result))}
    return _delivered(answer, f"Edited deck {result.name}", sources)


def _errors(deck: Deck) -> list[str]:
    from deskmate_documents.pptx.lint import lint  # noqa: PLC0415

    found = [d for d in lint(deck) if d.level == "error"]
    return [f"slide {d.slide}, {d.shape}: {d.message}" for d in found[:20]]


def deck_build(
    target: str, slides: list[dict[str, Any]], context: ToolContext, template: str = ""
) -> ToolAnswer:
    """Make a new PowerPoint deck with native tables and charts, in the house style or by the user's template.

    Args:
        target: workspace path of the result, ending in .pptx.
        slides: each {kind: content (default), title or section; title: the message in a sentence; subtitle; bullets:
            texts or {text, level}; table: {header, rows}; chart: {type: column, stacked, bar, line, area, pie or doughnut;
            categories; series: [{name, values}]; number_format; title}; source: where its figures come from; notes}.
        context: filled in by Deskmate.
        template: workspace path of a deck whose master and layouts are used; its slides are left out.

    Returns:
        `path`, `slides`: their number, `doubts`: what lies badly; shorten the text and build again.
    """
    from deskmate_documents.pptx.build import build, read_plan  # noqa: PLC0415
    from deskmate_documents.pptx.deck import Deck  # noqa: PLC0415

    result = _new(target, context)
    build(
        [read_plan(item) for item in slides], result, context.file(template) if template else None
    )
    answer = {
        "path": context.name_of(result),
        "slides": len(slides),
        "doubts": _errors(Deck(result)),
    }
    sources = {"template": template.removeprefix("/workspace/")} if template else {}
    return _delivered(answer, f"Deck {result.name}", sources)


def deck_summary(
    path: str,
    target: str,
    context: ToolContext,
    title: str = "",
    areas: list[dict[str, Any]] | None = None,
    template: str = "",
) -> ToolAnswer:
    """Make a summary deck from a workbook, Word, PDF or text file in one call; every figure carries its source cell or paragraph.

    Args:
        path: workspace path of the source.
        target: workspace path of the deck, ending in .pptx.
        context: filled in by Deskmate.
        title: of the deck; the file's name by default.
        areas: of a workbook, what to show, each {cells: `Sheet!A3:D9` with its header row, title: the message in a
            sentence, chart: auto, none, column, bar, line or pie, bullets: your words, no figures that are not in the
            cells}; the tables of the visible sheets by default.
        template: workspace path of a deck whose master and layouts are used.

    Returns:
        `path`, `slides`: titles, `figures`: how many carry their source, `left_out`: what is not shown and why, `doubts`.
        Each slide names its source at the foot, and cell by cell in its notes.
    """
    from deskmate_documents.pptx.build import build  # noqa: PLC0415
    from deskmate_documents.pptx.deck import Deck  # noqa: PLC0415

    real, result = context.file(path), _new(target, context)
    summary = _summary(real, title, areas or [], context)
    build(summary.plans, result, context.file(template) if template else None)
    name = context.name_of(real)
    evidence, claims = _claims(_digest(real), name, summary.cited)
    answer = {
        "path": context.name_of(result), "slides": [plan.title for plan in summary.plans],
        "figures": len(summary.cited), "left_out": summary.left_out[:40], "doubts": _errors(Deck(result)),
    }  # fmt: skip
    deliverable = Deliverable(
        path=context.name_of(result), title=f"Summary of {real.name}", role="deck",
        sources={"source": name}, claims=claims,
    )  # fmt: skip
    return ToolAnswer(result=answer, evidence=evidence, deliverables=(deliverable,))


def _summary(real: Path, title: str, areas: list[dict[str, Any]], context: ToolContext) -> Summary:
    from deskmate_documents.office.sheet_record import KINDS as BOOKS  # noqa: PLC0415
    from deskmate_documents.office.tools import document_outline  # noqa: PLC0415
    from deskmate_documents.pptx.summary import (  # noqa: PLC0415
        summarise_document,
        summarise_workbook,
    )
    from deskmate_documents.text import read_text  # noqa: PLC0415
    from deskmate_documents.xlsx.book import Workbook  # noqa: PLC0415

    if real.suffix.lower() in BOOKS:
        return summarise_workbook(Workbook(real), real.name, title, list(areas))
    if areas:
        raise ToolInputError("`areas` are cells of a workbook.")
    outline = document_outline(context.name_of(real), context)["headings"]
    headings = [(str(h["text"]), int(h["paragraph"])) for h in outline]
    return summarise_document(read_text(real), headings, real.name, title)


def _claims(
    digest: Digest, path: str, cited: list[Cited]
) -> tuple[tuple[Evidence, ...], tuple[Claim, ...]]:
    """Return the evidence of what a deck cites, and a claim for each figure or sentence on it."""
    evidence: dict[str, Evidence] = {}
    claims: list[Claim] = []
    for item in cited:
        one = _cell(digest, path, item) if item.figure is not None else _passage(digest, path, item)
        evidence[one.id] = one
        dated = item.figure is not None and item.figure.is_date
        kind: Literal["number", "quote", "statement"] = (
            "number" if one.value else "statement" if dated else "quote"
        )
        claims.append(Claim(text=item.text, evidence=(one.id,), kind=kind))
    return tuple(evidence.values()), tuple(claims)


def _cell(digest: Digest, path: str, item: Cited) -> Evidence:
    from deskmate_documents.xlsx.refs import split_sheet  # noqa: PLC0415

    figure = item.figure
    if figure is None:
        raise ValueError("only figures have a cell")
    sheet, cell = split_sheet(figure.cell)
    label = f"{sheet}!{cell}"
    return Evidence(
        id=f"cell-{digest[:8]}-{hashlib.sha256(label.encode()).hexdigest()[:10]}", source=digest, path=path,
        locator={"sheet": sheet, "cell": cell}, quote="" if figure.value else figure.shown, value=figure.value, unit=figure.unit,
    )  # fmt: skip


def _passage(digest: Digest, path: str, item: Cited) -> Evidence:
    passage = item.passage
    if passage is None:
        raise ValueError("only sentences have a paragraph")
    locator: dict[str, int | str] = {"paragraph": passage.paragraph}
    locator |= {"page": passage.page} if passage.page is not None else {}
    key = hashlib.sha256(item.text.encode()).hexdigest()[:6]
    return Evidence(
        id=f"quote-{digest[:8]}-{passage.paragraph}-{key}", source=digest, path=path, locator=locator, quote=item.text,
    )  # fmt: skip


def _new(target: str, context: ToolContext) -> Path:
    result = context.target(target)
    if result.suffix.lower() != ".pptx":
        raise ToolInputError("The target must end in .pptx.")
    return result


def _open(path: str, context: ToolContext) -> tuple[Path, Deck]:
    from deskmate_documents.pptx.deck import Deck  # noqa: PLC0415

    real = context.file(path)
    if real.suffix.lower() not in KINDS:
        raise ToolInputError(f"{path} is not a PowerPoint deck (.pptx or .pptm).")
    return real, Deck(real)


def _digest(real: Path) -> Digest:
    with real.open("rb") as stream:
        return Digest(hashlib.file_digest(stream, "sha256").hexdigest())


def _delivered(answer: dict[str, Any], title: str, sources: dict[str, str]) -> ToolAnswer:
    deliverable = Deliverable(path=str(answer["path"]), title=title, role="deck", sources=sources)
    return ToolAnswer(result=answer, deliverables=(deliverable,))
