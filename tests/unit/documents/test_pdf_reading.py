"""PDFs read: places as they are seen, windows, bookmarks, tables, words found, passwords, pages that are pictures."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pypdf
import pytest
from PIL import Image
from tests.unit.documents.pdfs import turned, write_form, write_pdf, write_scan

from deskmate.errors import ToolInputError
from deskmate.plugin import ToolContext
from deskmate_documents.office import pdf_tools
from deskmate_documents.office.pdf_tools import (
    pdf_find,
    pdf_form,
    pdf_outline,
    pdf_read,
    pdf_tables,
)
from deskmate_documents.pdf import bounded
from deskmate_documents.pdf import ocr as recognition
from deskmate_documents.pdf.opening import Frame, page_numbers
from deskmate_documents.pdf.tables import figure_of


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    (tmp_path / "w").mkdir()
    return ToolContext(workspace=tmp_path / "w", home=tmp_path / "h", resources=tmp_path)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_box_goes_to_the_page_as_shown_and_back(rotation: int) -> None:
    frame = Frame(left=50, bottom=100, right=350, top=600, rotation=rotation)
    width, height = frame.size
    assert (width, height) == ((300, 500) if rotation in (0, 180) else (500, 300))
    box = frame.shown(60, 110, 90, 130)
    assert 0 <= box[0] < box[2] <= width
    assert 0 <= box[1] < box[3] <= height
    assert frame.stored(box) == (60, 110, 90, 130)
    corner = {0: (0, 480), 90: (0, 0), 180: (280, 0), 270: (480, 280)}[rotation]
    assert frame.shown(50, 100, 70, 120)[:2] == corner


def test_the_lines_of_a_turned_and_cropped_page_are_where_they_are_seen(
    context: ToolContext,
) -> None:
    file = write_pdf(
        context.workspace / "a.pdf", [[(100, 500, "Revenue 1,250"), (100, 300, "Cost")]]
    )
    turned(file, 90, (50, 100, 350, 600))
    answer = pdf_read("a.pdf", "1", context, boxes=True)
    page = answer.result["pages"][0]
    assert page["size"] == [500, 300]
    lines = {line["text"]: line["box"] for line in page["lines"]}
    assert set(lines) == {"Revenue 1,250", "Cost"}
    left, top, right, bottom = lines["Revenue 1,250"]
    assert (395 < left < 402, 49 < top < 53) == (True, True)  # turned: its y is now its x
    assert bottom - top > right - left
    first = next(e for e in answer.evidence if "1,250" in e.quote)
    assert (first.path, first.locator["page"], first.quote) == ("a.pdf", 1, "Revenue 1,250")
    assert str(first.locator["box"]).startswith(f"{left}")


def test_a_file_of_many_pages_is_read_from_its_outline_and_by_windows(context: ToolContext) -> None:
    file = write_pdf(
        context.workspace / "long.pdf", [[(50, 500, f"Chapter {n} begins")] for n in range(1, 151)]
    )
    plain = pdf_outline("long.pdf", context)
    assert (plain["pages"], plain["begins"][59], plain["next"]) == (
        150, {"page": 60, "begins": "Chapter 60 begins"}, 61,
    )  # fmt: skip
    assert pdf_outline("long.pdf", context, start=121)["begins"][0]["page"] == 121
    writer = pypdf.PdfWriter(clone_from=file)
    parent = writer.add_outline_item(title="Part I", page_number=0)
    writer.add_outline_item(title="Chapter 90", page_number=89, parent=parent)
    writer.write(file)
    outline = pdf_outline("long.pdf", context)
    assert outline["bookmarks"][1] == {"level": 2, "title": "Chapter 90", "page": 90}
    assert "begins" not in outline
    found = pdf_find("long.pdf", "chapter 140", context)
    assert [place["page"] for place in found.result["places"]] == [140]
    assert found.evidence[0].locator["page"] == 140
    assert pdf_find("long.pdf", "begins", context).result["next"] == 101
    with pytest.raises(ToolInputError, match="more than 40 pages"):
        pdf_read("long.pdf", "1-41", context)


def test_words_are_found_over_the_end_of_a_line(context: ToolContext) -> None:
    write_pdf(
        context.workspace / "a.pdf", [[(50, 500, "the governing"), (50, 486, "law of Austria")]]
    )
    place = pdf_find("a.pdf", "governing law", context).result["places"][0]
    assert len(place["boxes"]) == 2


def test_the_window_ends_where_there_is_much_text(
    context: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdf_tools, "CHARACTERS_LIMIT", 100)
    write_pdf(context.workspace / "a.pdf", [[(10, 500, "x" * 40)]] * 5)
    answer = pdf_read("a.pdf", "1-5", context).result
    assert ([page["page"] for page in answer["pages"]], answer["next"]) == ([1, 2], 3)


@pytest.mark.parametrize(
    ("text", "pages"),
    [("1-3,8", [1, 2, 3, 8]), ("9-", [9, 10]), ("3-1", [3, 2, 1]), ("-2", [1, 2])],
)
def test_pages_are_named_by_ranges(text: str, pages: list[int]) -> None:
    assert page_numbers(text, 10, 10) == pages


@pytest.mark.parametrize("text", ["", "x", "0", "11", "2-11", "1,,2", "1--2", "-"])
def test_pages_that_are_not_there_are_said(text: str) -> None:
    with pytest.raises(ToolInputError):
        page_numbers(text, 10, 10)


def test_a_page_that_is_a_picture_says_what_recognises_it(
    context: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_scan(context.workspace / "scan.pdf", Image.new("RGB", (60, 60), "white"))
    monkeypatch.setenv("PATH", "/nowhere")
    answer = pdf_read("scan.pdf", "1", context, ocr=True).result["pages"][0]
    assert answer["text"] == ""
    assert "its image is `base`; OCR needs `office`" in answer["problem"]
    assert pdf_outline("scan.pdf", context)["without_text"] == [1]


def test_recognised_lines_come_with_box_and_confidence(
    context: ToolContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program in tesseract's place, which writes the table that tesseract writes."""
    rows = [
        "level page_num block_num par_num line_num word_num left top width height conf text",
        "5 1 1 1 1 1 100 200 50 20 91.5 Total",
        "5 1 1 1 1 2 160 200 50 20 80.5 1,200",
        "5 1 1 1 2 1 100 240 50 20 40 again",
    ]
    table = tmp_path / "table"
    table.write_text("\n".join(row.replace(" ", "\t") for row in rows) + "\n")
    program = tmp_path / "bin" / "tesseract"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nimport sys\n"
        "data = sys.stdin.buffer.read()\n"
        "assert data.startswith(b'\\x89PNG') and sys.argv[3:5] == ['-l', 'deu'], sys.argv\n"
        f"print(open({str(table)!r}).read(), end='')\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}/usr/bin")
    write_scan(context.workspace / "scan.pdf", Image.new("RGB", (60, 60), "white"))
    asked = pdf_read("scan.pdf", "1", context)
    assert "ask again with ocr=true" in asked.result["pages"][0]["problem"]
    answer = pdf_read("scan.pdf", "1", context, boxes=True, ocr=True, language="deu")
    page = answer.result["pages"][0]
    assert page["lines"][0] == {"text": "Total 1,200", "box": [36.0, 72.0, 75.6, 79.2]}
    assert (page["confidence"], len(page["lines"])) == (63, 2)
    assert answer.evidence == ()  # what a program guessed is no evidence
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('no language deu')\n")
    with pytest.raises(Exception, match="Page 1 was not recognised: no language deu"):
        pdf_read("scan.pdf", "1", context, ocr=True, language="deu")
    program.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(60)\n")
    monkeypatch.setattr(recognition, "SECONDS_A_PAGE", 0.05)
    late = pdf_read("scan.pdf", "1", context, ocr=True)
    assert late.result["pages"][0]["problem"] == "Page 1 was not recognised within 0.05 s."


def test_a_call_that_takes_long_ends_and_says_where_to_go_on(
    context: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pdf(context.workspace / "a.pdf", [[(50, 500, f"Page {n}")] for n in range(1, 6)])
    monkeypatch.setattr(bounded, "CALM_S", -1.0)
    read = pdf_read("a.pdf", "2-5", context).result
    assert ([page["page"] for page in read["pages"]], read["next"]) == ([2], 3)
    assert pdf_tools.pdf_find("a.pdf", "Page", context, pages="2-5").result["next"] == 3
    assert pdf_tools.pdf_tables("a.pdf", "2-5", context).result["next"] == 3


@pytest.mark.parametrize(
    ("text", "figure"),
    [("1,234.50", "1234.50"), ("(1,200)", "-1200"), ("$ 0.61", "0.61"), ("-7", "-7"), ("−7", "-7"), ("12%", "12"),
     ("1.234,50", ""), ("12,34", ""), ("(5", ""), ("0085648", ""), ("Q1", ""), ("2 3", ""), ("", "")],
)  # fmt: skip
def test_a_cells_figure_is_read_only_where_it_is_clear(text: str, figure: str) -> None:
    assert figure_of(text) == figure


def test_tables_come_as_rows_with_evidence_for_each_cell(cases: Path, context: ToolContext) -> None:
    source = cases / "pdf/pdfplumber/issue-140-example.pdf"
    (context.workspace / "t.pdf").write_bytes(source.read_bytes())
    answer = pdf_tables("t.pdf", "1", context)
    table = answer.result["tables"][1]
    assert table["rows"][1][5:8] == ["$ 0.61", "$ 388.57", "0.0000"] or "388.57" in str(
        table["rows"]
    )
    amounts = [e for e in answer.evidence if e.value == "388.57"]
    assert [(e.locator["page"], e.locator["table"]) for e in amounts] == [(1, 2)]
    box = [float(edge) for edge in str(amounts[0].locator["box"]).split(",")]
    lines = pdf_read("t.pdf", "1", context, boxes=True).result["pages"][0]["lines"]
    row = next(line for line in lines if "388.57" in line["text"])
    assert box[1] - 1 <= row["box"][1]
    assert row["box"][3] <= box[3] + 1


def test_a_form_is_listed_with_what_is_missing(context: ToolContext) -> None:
    write_form(context.workspace / "f.pdf")
    answer = pdf_form("f.pdf", context)
    fields = {field["name"]: field for field in answer["fields"]}
    assert set(fields) == {"Name", "Code", "Agreed", "Country", "Plan"}
    assert (fields["Code"]["max_length"], fields["Name"]["required"]) == (4, True)
    assert (fields["Country"]["options"], fields["Country"]["value"]) == (
        ["Austria", "Belgium"],
        "Austria",
    )
    assert (sorted(fields["Plan"]["options"]), fields["Plan"]["value"]) == (
        ["basic", "full"],
        "full",
    )
    assert fields["Name"]["box"] == [100, 80, 220, 100]
    assert answer["problems"] == [
        "Name is required and is empty.",
        "Agreed is required and is empty.",
    ]


def test_names_that_are_no_pdf_are_refused(context: ToolContext) -> None:
    (context.workspace / "a.docx").write_bytes(b"x")
    (context.workspace / "a.pdf").write_bytes(b"")
    with pytest.raises(ToolInputError, match="not a PDF by its name"):
        pdf_outline("a.docx", context)
    with pytest.raises(ToolInputError, match="is empty"):
        pdf_outline("a.pdf", context)
