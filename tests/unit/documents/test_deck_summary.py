"""Decks that are made of a workbook or a document: every figure has its cell, old ones are not shown."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pptx
import pytest
import xlsxwriter
from tests.unit.documents.pdfs import write_pdf

from deskmate.errors import ToolInputError
from deskmate.plugin import (
    Finding,
    PluginContext,
    Sources,
    ToolAnswer,
    ToolContext,
    ValidationContext,
)
from deskmate_documents import deskmate_validators
from deskmate_documents.office.deck_tools import (
    deck_summary,
)


def findings_of(answer: ToolAnswer, context: ToolContext) -> list[Finding]:
    """Return what the office plugin's own gates say of a tool's deliverable."""
    deliverable = answer.deliverables[0]
    files = {path: context.workspace / path for path in deliverable.sources.values()}
    digests = {path: hashlib.sha256(file.read_bytes()).hexdigest() for path, file in files.items()}
    seen = ValidationContext(
        file=context.workspace / deliverable.path, sources=Sources(files, digests), evidence=answer.evidence
    )  # fmt: skip
    plugin = PluginContext(name="office", version="1", resources=context.workspace)
    return [
        finding
        for validator in deskmate_validators(plugin)
        if not validator.roles or deliverable.role in validator.roles
        for finding in validator.function(deliverable, seen)
    ]


@pytest.fixture
def book(context: ToolContext) -> Path:
    path = context.workspace / "m.xlsx"
    with xlsxwriter.Workbook(path) as made:
        money, day = (
            made.add_format({"num_format": "€#,##0"}),
            made.add_format({"num_format": "yyyy-mm-dd"}),
        )
        sheet = made.add_worksheet("P&L")
        sheet.write_row("A1", ["Region", "2024", "2025"])
        for row, (name, old, new) in enumerate([("Austria", 1200, 1450), ("Belgium", 900, 870)], 1):
            sheet.write(row, 0, name)
            sheet.write(row, 1, old, money)
            sheet.write(row, 2, new, money)
        months = made.add_worksheet("Monthly")
        months.write_row("A1", ["Month", "Orders"])
        for row in range(1, 21):
            months.write(row, 0, 45_658 + 30 * row, day)
            months.write(row, 1, 100 + row)
        hidden = made.add_worksheet("Secret")
        hidden.write_row("A1", ["a", "b"])
        hidden.hide()
    return path


def test_a_workbook_becomes_a_deck_in_which_each_figure_has_its_cell(
    book: Path, context: ToolContext
) -> None:
    answer = deck_summary("m.xlsx", "s.pptx", context, title="Results")
    assert answer.result["slides"] == ["Results", "P&L", "Monthly"]
    assert "Secret: a hidden sheet" in answer.result["left_out"]
    assert any("only its first 12 rows" in line for line in answer.result["left_out"])
    assert answer.result["doubts"] == []
    evidence = {e.id: e for e in answer.evidence}
    claims = answer.deliverables[0].claims
    assert answer.deliverables[0].sources == {"source": "m.xlsx"}
    euro = next(c for c in claims if c.text == "€1,450")
    cell = evidence[euro.evidence[0]]
    assert (cell.locator, cell.value, cell.unit) == ({"sheet": "P&L", "cell": "C2"}, "1450", "€")
    slides = list(pptx.Presentation(context.workspace / "s.pptx").slides)
    shown = "\n".join(
        cell.text for s in slides for shape in s.shapes if shape.has_table for row in shape.table.rows for cell in row.cells
    ).split("\n")  # fmt: skip
    cited = {c.text for c in claims}
    figures = [
        text for text in shown if any(ch.isdigit() for ch in text) and text not in ("2024", "2025")
    ]
    assert figures
    assert set(figures) <= cited  # nothing stands there without its source
    assert findings_of(answer, context) == []
    assert "€1,450 = 'P&L'!C2" in slides[1].notes_slide.notes_text_frame.text
    chart = next(s for s in slides[1].shapes if s.has_chart).chart
    assert list(chart.plots[0].series[1].values) == [1450, 870]


def test_areas_are_chosen_and_old_figures_never_shown(book: Path, context: ToolContext) -> None:
    with xlsxwriter.Workbook(book) as made:
        sheet = made.add_worksheet("P&L")
        sheet.write_row("A1", ["Region", "2025"])
        sheet.write_row("A2", ["Austria", 1450])
        sheet.write_row("A3", ["Belgium", 870])
        sheet.write_row("A4", ["Total"])
        sheet.write_formula("B4", "=SUM(B2:B3)", None, 99)  # its writer never computed it
    area = {
        "cells": "'P&L'!A1:B4",
        "title": "Austria leads",
        "chart": "bar",
        "bullets": ["My words"],
    }
    answer = deck_summary("m.xlsx", "s.pptx", context, areas=[area])
    slide = pptx.Presentation(context.workspace / "s.pptx").slides[1]
    grid = next(s for s in slide.shapes if s.has_table).table
    assert grid.cell(3, 1).text == "—"
    assert "not computed since an edit" in answer.result["left_out"][0]
    chart = next(s for s in slide.shapes if s.has_chart).chart
    assert list(chart.plots[0].categories) == ["Austria", "Belgium"]  # a total is no bar
    with pytest.raises(ToolInputError):
        deck_summary("m.xlsx", "t.pptx", context, areas=[{"cells": "Nowhere!A1:B2"}])
    with pytest.raises(ToolInputError, match="no 'size'"):
        deck_summary("m.xlsx", "t.pptx", context, areas=[{"cells": "'P&L'!A1:B2", "size": 3}])


def test_a_document_becomes_a_deck_of_its_own_sentences(context: ToolContext) -> None:
    pages = [[(40, 500, "1. TERM"), (40, 470, "This agreement lasts for 36 months from signing."),
              (40, 440, "Either party may renew it in writing.")],
             [(40, 500, "2. PAYMENT"), (40, 470, "The fee of 4,000 euros is due within 30 days."),
              (40, 440, "The buyer is ______________ of 12 Main Street.")]]  # fmt: skip
    write_pdf(context.workspace / "c.pdf", pages)
    answer = deck_summary("c.pdf", "s.pptx", context)
    slides = list(pptx.Presentation(context.workspace / "s.pptx").slides)
    assert [s.shapes.title.text for s in slides] == ["c.pdf", "1. TERM", "2. PAYMENT"]
    assert (
        "The fee of 4,000 euros is due within 30 days." in slides[2].placeholders[1].text_frame.text
    )
    claim = next(c for c in answer.deliverables[0].claims if "4,000" in c.text)
    source = next(e for e in answer.evidence if e.id == claim.evidence[0])
    assert (source.locator["page"], source.quote) == (2, claim.text)
    words = "\n".join(s.placeholders[1].text_frame.text for s in slides[1:])
    assert "____" not in words  # a blank to be filled in is no statement
    assert findings_of(answer, context) == []
    with pytest.raises(ToolInputError, match="are cells of a workbook"):
        deck_summary("c.pdf", "s.pptx", context, areas=[{"cells": "A1"}])
