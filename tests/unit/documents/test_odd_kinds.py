"""What documents hold beside the usual: diagrams, newer rules under growing tables, turned pages, chains of formulas."""

from __future__ import annotations

import random
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pptx
import pytest
import xlsxwriter
from reportlab.pdfgen import canvas  # type: ignore[import-untyped]
from tests.unit.documents.pdfs import turned, write_pdf
from tests.unit.documents.sheet_rooms import gate

from deskmate.plugin import ToolContext
from deskmate_documents.content import read_content
from deskmate_documents.office.deck_tools import deck_read
from deskmate_documents.office.pdf_tools import pdf_read, pdf_tables
from deskmate_documents.pdf import bounded, tables
from deskmate_documents.pdf.bounded import Pace
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.edit import edit_workbook
from deskmate_documents.xlsx.graph import Graph, Spot
from deskmate_documents.xlsx.refs import Area

A = "http://schemas.openxmlformats.org/drawingml/2006/main"
DIAGRAM = "http://schemas.openxmlformats.org/drawingml/2006/diagram"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
FRAME = (
    '<p:graphicFrame xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main">'
    '<p:nvGraphicFramePr><p:cNvPr id="77" name="Plan"/><p:cNvGraphicFramePr/><p:nvPr/></p:nvGraphicFramePr>'
    '<p:xfrm><a:off x="0" y="0"/><a:ext cx="900000" cy="900000"/></p:xfrm>'
    f'<a:graphic><a:graphicData uri="{DIAGRAM}"><d:relIds xmlns:d="{DIAGRAM}" r:dm="rId71"/>'
    "</a:graphicData></a:graphic></p:graphicFrame>"
)


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    return ToolContext(workspace=tmp_path, home=tmp_path / "h", resources=tmp_path)


def write_diagram(path: Path, *points: str) -> Path:
    """Write a deck of one slide with a diagram whose points stand in a part of their own."""
    deck = pptx.Presentation()
    deck.slides.add_slide(deck.slide_layouts[5])
    plain = path.with_name("plain.pptx")
    deck.save(str(plain))
    listed = "".join(
        f'<d:pt modelId="{n}"><d:t><a:bodyPr/><a:p><a:r><a:t>{text}</a:t></a:r></a:p></d:t></d:pt>'
        for n, text in enumerate(points)
    )
    data = (
        f'<d:dataModel xmlns:d="{DIAGRAM}" xmlns:a="{A}"><d:ptLst>{listed}</d:ptLst></d:dataModel>'
    )
    link = (
        f'<Relationship Id="rId71" Type="{RELATIONS}/diagramData" Target="../diagrams/data1.xml"/>'
    )
    added = {
        "ppt/slides/slide1.xml": ("</p:spTree>", FRAME),
        "ppt/slides/_rels/slide1.xml.rels": ("</Relationships>", link),
    }
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            end, more = added.get(name, ("", ""))
            text = old.read(name)
            new.writestr(name, text.replace(end.encode(), (more + end).encode()) if end else text)
        new.writestr("ppt/diagrams/data1.xml", data)
    return path


def test_the_words_of_a_diagram_are_read_and_checked(context: ToolContext) -> None:
    path = write_diagram(context.workspace / "d.pptx", "Ship 42 units", "", "Then [TBD]")
    shapes = deck_read("d.pptx", "1", context).result["slides"][0]["shapes"]
    assert [s["text"] for s in shapes if s["kind"] == "diagram"] == ["Ship 42 units\nThen [TBD]"]
    assert [line.text for line in read_content(path).lines if "diagram" in line.where] == [
        "Ship 42 units", "Then [TBD]",
    ]  # fmt: skip


def test_rules_of_excel_2010_grow_with_their_table(tmp_path: Path) -> None:
    path, target = tmp_path / "model.xlsx", tmp_path / "out.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Data")
        sheet.add_table("A1:B4", {"name": "T", "columns": [{"header": "K"}, {"header": "V"}]})
        sheet.write_column("B2", [1, 2, 3])
        sheet.conditional_format("B2:B4", {"type": "data_bar", "data_bar_2010": True})
    outcome = edit_workbook(path, target, [{"op": "append", "table": "T", "rows": [["k", 4]]}])
    with zipfile.ZipFile(target) as archive:
        xml = archive.read("xl/worksheets/sheet1.xml").decode()
    assert '<conditionalFormatting sqref="B2:B5">' in xml
    assert "sqref>B2:B5</" in xml
    assert "B2:B4" not in xml
    assert gate(path, target, outcome) == []


def test_a_table_that_lies_on_its_side_is_said_and_its_words_are_read(context: ToolContext) -> None:
    page = canvas.Canvas(str(context.workspace / "t.pdf"), pagesize=(400, 600))
    for edge in (300, 340, 380):
        page.line(60, edge, 300, edge)
    for edge in (60, 180, 300):
        page.line(edge, 300, edge, 380)
    for x, y, text in (
        (70, 350, "Item"),
        (190, 350, "Sum"),
        (70, 310, "Rent"),
        (190, 310, "12.50"),
    ):
        page.drawString(x, y, text)
    page.save()
    upright = pdf_tables("t.pdf", "1", context).result["tables"]
    assert upright[0]["rows"] == [["Item", "Sum"], ["Rent", "12.50"]]
    for degrees in (90, 180, 270):
        turned(context.workspace / "t.pdf", 90, (0, 0, 400, 600))
        answer = pdf_tables("t.pdf", "1", context)
        assert [t["problem"] for t in answer.result["tables"]] == [tables.ASTRAY], degrees
        assert answer.evidence == ()
    assert "12.50" in pdf_read("t.pdf", "1", context).result["pages"][0]["text"]


def test_a_page_that_draws_too_much_is_not_given_to_who_takes_long(
    context: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = canvas.Canvas(str(context.workspace / "l.pdf"), pagesize=(400, 600))
    for edge in range(60):
        page.line(edge, 0, edge, 600)
    page.save()
    monkeypatch.setattr(tables, "EDGES_LIMIT", 59)
    monkeypatch.setattr(tables, "_of_page", lambda *_: pytest.fail("it was given to pdfminer"))
    found = pdf_tables("l.pdf", "1", context).result["tables"]
    assert [t["problem"] for t in found] == [tables.TOO_MUCH]


def test_tables_are_looked_for_as_long_as_there_is_time(
    context: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pdf(context.workspace / "a.pdf", [[(50, 500, "one")], [(50, 500, "two")]])
    assert "next" not in pdf_tables("a.pdf", "1-2", context).result
    monkeypatch.setattr(bounded, "CALM_S", -1.0)
    assert pdf_tables("a.pdf", "1-2", context).result["next"] == 2


@pytest.mark.parametrize(
    ("pages", "over"),
    [((1.0, 1.0, 1.0) * 6, [False] * 18), ((1.0, 3.0, 3.0, 3.0), [False, False, False, True]), ((60.0,), [True])],
    ids=["plain pages", "slow pages", "one that takes all"],
)  # fmt: skip
def test_a_call_is_shorter_once_a_page_was_slow(
    pages: tuple[float, ...], over: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    pace = Pace()
    found = []
    for seconds in pages:
        now[0] += seconds
        found.append(pace.is_over())
    assert found == over


def naive(book: Workbook, start: set[Spot]) -> set[Spot]:
    """Return all cells that these reach, formula by formula, until nothing is new."""
    graph = Graph(book, empty=True)
    read = {
        (sheet.name, v.place): graph.precedents(v.formula, sheet.name, v.place)
        for sheet, v in book.formulas()
    }
    reached = set(start)
    while True:
        fresh = {
            spot
            for spot, areas in read.items()
            if spot not in reached
            and any(where == s and place in area for where, area in areas for s, place in reached)
        }
        if not fresh:
            return reached - (start - {spot for spot in start if _reads_back(spot, read, reached)})
        reached |= fresh


def _reads_back(
    spot: Spot, read: dict[Spot, tuple[tuple[str, Area], ...]], reached: set[Spot]
) -> bool:
    return any(
        s == where and place in area for where, area in read.get(spot, ()) for s, place in reached
    )


def formulas(seed: int) -> Iterator[tuple[int, int, str]]:
    """Yield row, column and formula of sums over areas of every size, up, down and across."""
    chance = random.Random(seed)
    for row in range(60):
        for column in range(3, 6):
            top, left = chance.randrange(1, 61), chance.choice("ABCDEF")
            bottom, right = min(top + chance.choice((0, 3, 40)), 61), chance.choice("ABCDEF")
            left, right = sorted((left, right))
            yield (
                row,
                column,
                f"=SUM({left}{top}:{right}{bottom})" if chance.random() < 0.7 else f"={left}{top}",
            )


@pytest.mark.parametrize("seed", range(4))
def test_what_a_cell_reaches_is_what_looking_at_every_formula_finds(
    seed: int, tmp_path: Path
) -> None:
    path = tmp_path / "model.xlsx"
    with xlsxwriter.Workbook(path) as made:
        sheet = made.add_worksheet("S")
        for row, column, formula in formulas(seed):
            sheet.write_formula(row, column, formula)
    book = Workbook(path)
    graph = Graph(book)
    for place in ((1, 1), (30, 4), (61, 6), (500, 1)):
        start: set[Spot] = {("S", place)}
        assert graph.dependents(start)[0] == naive(book, start)
