"""Pages of a PDF within a bound: one on which pdfium never ends is left out, and those behind it are read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pypdf
import pytest
from pypdf.generic import DictionaryObject, NameObject, RectangleObject, StreamObject
from tests.unit.documents.pdfs import write_pdf

from deskmate.errors import ToolInputError
from deskmate.plugin import ToolContext
from deskmate_documents.office.pdf_tools import pdf_find, pdf_outline, pdf_read
from deskmate_documents.office.render_tools import render_pages
from deskmate_documents.pdf import bounded
from deskmate_documents.pdf.bounded import each_page
from deskmate_documents.text import read_text


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ToolContext:
    """A room with a PDF whose second page draws a form that draws itself a thousand times, and so on."""
    write_pdf(tmp_path / "plain.pdf", [[(50, 500, f"Page number {n}")] for n in range(1, 4)])
    writer = pypdf.PdfWriter(clone_from=tmp_path / "plain.pdf")
    form = StreamObject()
    form.set_data(b"/F Do " * 1_000)
    form[NameObject("/Type")], form[NameObject("/Subtype")] = (
        NameObject("/XObject"),
        NameObject("/Form"),
    )
    form[NameObject("/BBox")] = RectangleObject((0, 0, 300, 300))
    drawn = DictionaryObject({NameObject("/F"): writer._add_object(form)})
    resources = DictionaryObject({NameObject("/XObject"): drawn})
    form[NameObject("/Resources")] = writer.pages[1][NameObject("/Resources")] = resources
    content = StreamObject()
    content.set_data(b"/F Do")
    writer.pages[1][NameObject("/Contents")] = writer._add_object(content)
    writer.write(tmp_path / "circle.pdf")
    for name in ("SECONDS_A_PAGE", "SECONDS_A_PICTURE"):
        monkeypatch.setattr(bounded, name, 0.3)
    monkeypatch.setattr(each_page, "__defaults__", (0.3,))
    return ToolContext(workspace=tmp_path, home=tmp_path / "h", resources=tmp_path)


def test_pages_around_one_that_never_ends_are_read(context: ToolContext) -> None:
    pages = pdf_read("circle.pdf", "1-", context).result["pages"]
    assert [page.get("text") for page in pages] == ["Page number 1", None, "Page number 3"]
    assert pages[1]["problem"] == bounded.STUCK
    found = pdf_find("circle.pdf", "number 3", context).result
    assert [place["page"] for place in found["places"]] == [3]
    assert found["problems"] == [f"page 2: {bounded.STUCK}"]


def test_the_outline_says_where_it_ended(context: ToolContext) -> None:
    outline = pdf_outline("circle.pdf", context)
    assert outline["begins"] == [{"page": 1, "begins": "Page number 1"}]
    assert outline["problem"].startswith("Page 2: the page takes too long")


def test_its_picture_is_left_out_and_the_others_are_drawn(context: ToolContext) -> None:
    pages = render_pages("circle.pdf", "look", context)["pages"]
    assert [(page["page"], "image" in page) for page in pages] == [(1, True), (2, False), (3, True)]
    assert sorted(p.name for p in (context.workspace / "look").iterdir()) == [
        "page-0001.png", "page-0003.png",
    ]  # fmt: skip


def test_a_whole_text_is_not_read_without_it(context: ToolContext) -> None:
    with pytest.raises(ToolInputError, match=r"circle\.pdf: page 2 takes too long"):
        read_text(context.workspace / "circle.pdf")


def test_a_crash_of_the_reader_is_no_crash_of_the_tool(context: ToolContext) -> None:
    def work(document: Any, number: int) -> int:
        if number == 2:
            os._exit(9)
        return len(document)

    found = list(each_page(context.workspace / "plain.pdf", "", [1, 2, 3], work))
    assert found == [(1, 3), (2, None), (3, 3)]


def test_what_the_work_raises_is_raised(context: ToolContext) -> None:
    def wrong(document: Any, number: int) -> int:
        raise ToolInputError(f"no page {number}")

    def broken(document: Any, number: int) -> int:
        raise SystemError("unheard of")

    plain = context.workspace / "plain.pdf"
    with pytest.raises(ToolInputError, match="no page 7"):
        list(each_page(plain, "", [7], wrong))
    with pytest.raises(RuntimeError, match="SystemError: unheard of"):
        list(each_page(plain, "", [1], broken))
    (context.workspace / "empty.pdf").touch()
    with pytest.raises(ToolInputError, match="is empty"):
        list(each_page(context.workspace / "empty.pdf", "", [1], wrong))
