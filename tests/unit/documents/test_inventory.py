"""The inventory names what a package has, and what a copy of it lost, gained or changed."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import xlsxwriter
from pptx import Presentation

from deskmate_documents.inventory import compare, counts, inventory, part_changes
from deskmate_documents.office.package_gate import problems
from deskmate_documents.opc import Package

MakeDocx = Callable[..., Path]


def test_tracked_changes_controls_fields_and_notes_of_a_document_are_counted(
    make_docx: MakeDocx,
) -> None:
    body = (
        "<w:p><w:ins w:id='1' w:author='A'><w:r><w:t>x</w:t></w:r></w:ins>"
        "<w:sdt><w:sdtContent><w:r><w:t>c</w:t></w:r></w:sdtContent></w:sdt>"
        "<w:r><w:instrText>PAGE</w:instrText></w:r><w:r><w:footnoteReference w:id='2'/></w:r></w:p>"
    )
    with_notes = make_docx(body, "a.docx", footnotes="<w:footnote w:id='2'/>")
    found = counts(inventory(Package(with_notes)))
    for kind in ("tracked insertion", "content control", "field", "footnote", "footnotes"):
        assert found[kind] == 1
    bare = make_docx("<w:p><w:r><w:t>x</w:t></w:r></w:p>", "b.docx")
    lost = compare(inventory(Package(with_notes)), inventory(Package(bare))).lost
    assert {"tracked insertion", "content control", "footnotes"} <= {f.kind for f in lost}


def test_slides_layouts_masters_shapes_and_notes_of_a_deck_are_counted(tmp_path: Path) -> None:
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.notes_slide.notes_text_frame.text = "say this"
    deck.save(str(tmp_path / "a.pptx"))
    found = counts(inventory(Package(tmp_path / "a.pptx")))
    assert found["slide layout"] >= 11
    assert {"slide", "slide master", "notes", "notes master", "shape", "text frame"} <= found.keys()


def test_a_changed_chart_is_told_from_a_lost_one(tmp_path: Path) -> None:
    def make(name: str, last: int, charts: int) -> Package:
        with xlsxwriter.Workbook(tmp_path / name) as book:
            sheet = book.add_worksheet("S")
            for _ in range(charts):
                chart = book.add_chart({"type": "line"})
                chart.add_series({"values": f"=S!$A$1:$A${last}"})
                sheet.insert_chart("C1", chart)
        return Package(tmp_path / name)

    two, changed, one = make("a.xlsx", 3, 2), make("b.xlsx", 4, 2), make("c.xlsx", 3, 1)
    found = compare(inventory(two), inventory(changed))
    assert (found.lost, found.gained) == ((), ())
    assert [f.kind for f in found.changed if f.kind == "chart"] == ["chart", "chart"]
    assert "chart" in {f.kind for f in compare(inventory(two), inventory(one)).lost}
    assert not compare(inventory(two), inventory(two))
    assert part_changes(two, one)["xl/charts/chart2.xml"] == "removed"


BROKEN = {
    "has the style 99": ("xl/worksheets/sheet1.xml", '<c r="A1"', '<c s="99" r="A1"'),
    "has the text 99": ("xl/worksheets/sheet1.xml", "<v>0</v>", "<v>99</v>"),
    "does not say 'Name'": ("xl/tables/table1.xml", 'name="Column1"', 'name="Name"'),
    "but covers A1:B3": ("xl/tables/table1.xml", 'ref="A1:A3"', 'ref="A1:B3"'),
    "uses the format 7": ("xl/worksheets/sheet1.xml", 'dxfId="0"', 'dxfId="7"'),
    "No sheet is visible": ("xl/workbook.xml", 'name="S"', 'name="S" state="hidden"'),
    "is not allowed": ("xl/workbook.xml", 'name="S"', 'name="S/T"'),
}


@pytest.mark.parametrize("cause", BROKEN)
def test_what_excel_would_repair_is_a_problem(tmp_path: Path, cause: str) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as book:
        sheet = book.add_worksheet("S")
        sheet.add_table("A1:A3")
        bold = book.add_format({"bold": True})
        sheet.conditional_format(
            "A1:A3", {"type": "cell", "criteria": ">", "value": 1, "format": bold}
        )
    assert list(problems(tmp_path / "a.xlsx")) == []
    part, old, new = BROKEN[cause]
    with (
        zipfile.ZipFile(tmp_path / "a.xlsx") as source,
        zipfile.ZipFile(tmp_path / "b.xlsx", "w") as target,
    ):
        for name in source.namelist():
            text = source.read(name).decode()
            assert name != part or old in text
            target.writestr(name, text.replace(old, new) if name == part else text)
    assert any(cause in problem for problem in problems(tmp_path / "b.xlsx"))
