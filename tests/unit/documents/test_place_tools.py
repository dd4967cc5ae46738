"""A source is opened at its place: the words are marked in its text and on its page, a sheet comes by windows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import docx
import pytest
from openpyxl import Workbook as NewWorkbook
from tests.unit.documents.pdfs import turned, write_pdf

from deskmate.errors import ToolInputError
from deskmate.plugin import ToolContext
from deskmate_documents.office import place_tools
from deskmate_documents.office.place_tools import document_place, page_place, sheet_window
from deskmate_documents.spots import spans_of
from deskmate_documents.xlsx.showing import shown_number

NOTICE = "Either party may end this agreement on ninety (90) days’ written notice."


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    for name in ("workspace", "home"):
        (tmp_path / name).mkdir()
    return ToolContext(workspace=tmp_path / "workspace", home=tmp_path / "home", resources=tmp_path)


def marked(place: dict[str, Any]) -> list[tuple[int, str]]:
    return [
        (one["paragraph"], one["text"][first:behind])
        for one in place["paragraphs"]
        for first, behind in one["marks"]
    ]


@pytest.mark.parametrize(
    ("quote", "found"),
    [
        ("ninety (90) days' written notice", ["ninety (90) days’ written notice"]),
        ("NINETY 90 days", ["ninety (90) days"]),
        ("Either party … written notice", ["Either party", "written notice"]),
        ("or else. Either party may end this agreement on", ["Either party may end this agreement on"]),
        ("days’ written notice. Nothing else counts at all", ["days’ written notice"]),
        ("thirty days", []),
        ("…", []),
    ],
)  # fmt: skip
def test_words_are_found_letter_by_letter(quote: str, found: list[str]) -> None:
    assert [NOTICE[first:behind] for first, behind in spans_of(NOTICE, quote)] == found


def test_a_word_file_opens_at_the_quotation_that_is_meant(context: ToolContext) -> None:
    document = docx.Document()
    for number in range(1, 60):
        document.add_paragraph(NOTICE if number in (7, 40) else f"Clause {number}.")
    document.save(str(context.workspace / "a.docx"))
    near = document_place("a.docx", context, quote="ninety (90) days' written", paragraph=41)
    assert (near["kind"], near["found"], near["at"], near["last"]) == ("docx", True, 40, 59)
    assert marked(near) == [(40, "ninety (90) days’ written")]
    assert [near["paragraphs"][0]["paragraph"], near["paragraphs"][-1]["paragraph"]] == [25, 55]
    lost = document_place("a.docx", context, quote="never said", paragraph=9)
    assert (lost["found"], lost["at"], marked(lost)) == (False, 9, [])
    plain = document_place("a.docx", context, paragraph=12)
    assert (plain["found"], plain["at"]) == (True, 12)
    assert document_place("a.docx", context, paragraph=400)["found"] is False


def test_a_quotation_over_two_paragraphs_is_marked_in_both(context: ToolContext) -> None:
    (context.workspace / "a.txt").write_text("One ends here at last.\n\nTwo begins right there.\n")
    place = document_place("a.txt", context, quote="ends here at last. Two begins right")
    assert marked(place) == [(1, "ends here at last"), (2, "Two begins right")]
    line = document_place("a.txt", context, line=3)
    assert (line["found"], line["at"], marked(line)) == (True, 2, [(2, "Two begins right there")])


def test_what_has_no_words_says_so(context: ToolContext) -> None:
    (context.workspace / "a.txt").write_text(" \n")
    with pytest.raises(ToolInputError, match="no words"):
        document_place("a.txt", context, quote="x")


def test_the_page_is_found_and_the_words_have_boxes_on_it(context: ToolContext) -> None:
    pages = [[(50, 500, f"Page {n}")] for n in range(1, 6)]
    pages[3] += [(50, 300, "Either party may end this agreement"), (50, 284, "on ninety days.")]
    write_pdf(context.workspace / "a.pdf", pages)
    found = page_place("a.pdf", "out", context, quote="may end this agreement on ninety", page=2)
    assert (found["page"], found["of"], found["found"]) == (4, 5, True)
    assert (context.workspace / found["image"]).read_bytes().startswith(b"\x89PNG")
    first, second = found["boxes"]
    assert first[0] > 50 / 400
    assert second[0] == pytest.approx(50 / 400, abs=0.01)
    for box, baseline in ((first, 300), (second, 284)):
        top, bottom = box[1] * 600, (box[1] + box[3]) * 600
        assert top < 600 - baseline < bottom + 1
        assert 5 < bottom - top < 20
    plain = page_place("a.pdf", "out", context, quote="never said", page=3)
    assert (plain["page"], plain["found"], plain["boxes"]) == (3, False, [])
    assert page_place("a.pdf", "out", context, page=99)["page"] == 5


def test_boxes_stand_where_a_turned_page_shows_the_words(context: ToolContext) -> None:
    path = write_pdf(context.workspace / "a.pdf", [[(100, 500, "Governing law of England")]])
    turned(path, 90, (50, 50, 400, 600))
    (box,) = _one_area(page_place("a.pdf", "out", context, quote="Governing law")["boxes"])
    # turned to the right: what stood near the top stands at the right
    assert box[0] > 0.7
    assert all(0 <= share <= 1 for share in box)


def _one_area(boxes: list[list[float]]) -> list[list[float]]:
    left, top = min(b[0] for b in boxes), min(b[1] for b in boxes)
    right, bottom = max(b[0] + b[2] for b in boxes), max(b[1] + b[3] for b in boxes)
    return [[left, top, right - left, bottom - top]]


def test_a_sheet_comes_as_people_see_it(context: ToolContext) -> None:
    book = NewWorkbook()
    sheet = book.active
    sheet.title = "P&L 2025"
    sheet.append(["Item", "EUR", None, "Share"])
    sheet.append(["Fees", 1234567.891, None, 0.125])
    sheet.append(["Total", "=B2*2", True, "#N/A"])
    sheet["B2"].number_format = "#,##0.00"
    sheet["D2"].number_format = "0.0%"
    sheet.column_dimensions["A"].width = 30
    book.create_sheet("Hidden").sheet_state = "hidden"
    book.create_sheet("Other")["C3"] = "x"
    book["Other"]["A1"] = "A sentence that goes on for much longer than any column should be wide."
    book.save(context.workspace / "a.xlsx")
    window = sheet_window("a.xlsx", context)
    assert (window["sheets"], window["sheet"]) == (["P&L 2025", "Other"], "P&L 2025")
    assert (window["rows"], window["columns"], window["top"]) == (3, 4, 1)
    assert window["cells"][1] == ["Fees", "1,234,567.89", "", "12.5%"]
    assert (window["cells"][2][1], window["kinds"][2]) == ("=B2*2", "tfbe")
    assert window["formulas"] == {"B3": "=B2*2"}
    assert window["widths"][0] == pytest.approx(30, abs=1)
    # set by nobody: as wide as what stands there, within reason
    assert window["widths"][1] == len("1,234,567.89") + 2
    assert window["widths"][2] == pytest.approx(8.43)
    other = sheet_window("a.xlsx", context, sheet="Other", top=99)
    assert (other["top"], other["cells"]) == (3, [["", "", "x"]])
    assert sheet_window("a.xlsx", context, sheet="Other")["widths"][0] == 40
    with pytest.raises(ToolInputError, match="no sheet"):
        sheet_window("a.xlsx", context, sheet="none")


def test_a_large_sheet_comes_by_windows_that_meet(
    context: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = NewWorkbook(write_only=True)
    sheet = book.create_sheet("Long")
    for row in range(1, 2_001):
        sheet.append([row, f"text of row {row}"])
    book.save(context.workspace / "a.xlsx")
    first = sheet_window("a.xlsx", context)
    assert (first["rows"], len(first["cells"])) == (2_000, place_tools.ROWS_A_WINDOW)
    after = sheet_window("a.xlsx", context, top=len(first["cells"]) + 1)
    assert after["cells"][0][0] == str(len(first["cells"]) + 1)
    monkeypatch.setattr(place_tools, "WINDOW_CHARACTERS", 100)
    short = sheet_window("a.xlsx", context, top=10)
    assert 0 < len(short["cells"]) < 10
    assert short["cells"][0] == ["10", "text of row 10"]


@pytest.mark.parametrize(
    ("number", "code", "shown"),
    [
        ("1234.5", "General", "1234.5"),
        ("0.1", "General", "0.1"),
        ("100", "General", "100"),
        ("0.30000000000000004", "General", "0.3"),
        ("1E+30", "General", "1E+30"),
        ("1234.5", "#,##0", "1,235"),
        ("1234567.125", "#,##0.00", "1,234,567.13"),
        ("-5", "#,##0.00;(#,##0.00)", "(5.00)"),
        ("-5", "0.0", "-5.0"),
        ("0", '0.0;-0.0;"none"', "none"),
        ("0.125", "0%", "13%"),
        ("0.5", "#.##", ".5"),
        ("7", "000", "007"),
        ("12345678", '#,##0.0,,"m"', "12.3m"),
        ("1500", "[$€-407] #,##0.00", "€ 1,500.00"),
        ("1500", '"USD" #,##0', "USD 1,500"),
        ("-3", "[Red]-#,##0", "--3"),
        ("45000", "yyyy-mm-dd", "2023-03-15"),
        ("0.5", "h:mm", "12:00:00"),
        ("5551234", "000-0000", "5551234"),
        ("0.75", "# ?/?", "0.75"),
        ("12345", "0.00E+00", "12345"),
        ("5", "[>10]0;0.0", "5"),
        ("abc", "0.00", "abc"),
        ("NaN", "0.00", "NaN"),
    ],
)
def test_numbers_show_as_their_format_says_or_plainly(number: str, code: str, shown: str) -> None:
    assert shown_number(number, code) == shown
