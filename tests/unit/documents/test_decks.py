"""Decks: read with the sizes and places that slides really have, checked for geometry, edited by patches, built, summarised."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pptx
import pytest
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.enum.shapes import PP_PLACEHOLDER
from pptx.enum.text import MSO_AUTO_SIZE
from pptx.util import Pt
from tests.unit.documents.pdfs import write_pdf

from deskmate.errors import ToolError, ToolInputError
from deskmate.plugin import (
    ToolContext,
)
from deskmate_documents.office.deck_tools import (
    deck_build,
    deck_edit,
    deck_lint,
    deck_outline,
    deck_read,
)
from deskmate_documents.office.package_gate import problems
from deskmate_documents.office.render_tools import render_pages
from deskmate_documents.opc import TYPES_PART, Package
from deskmate_documents.parts import reachable
from deskmate_documents.pptx.figures import displayed


@pytest.fixture
def deck(context: ToolContext) -> Path:
    """Three slides of 720 by 540 points: bullets with notes, a table, a chart."""
    made = pptx.Presentation()
    first = made.slides.add_slide(made.slide_layouts[1])
    first.shapes.title.text = "Revenue grew"
    first.placeholders[1].text = "Austria 1,450\nBelgium 870"
    first.notes_slide.notes_text_frame.text = "Say why."
    second = made.slides.add_slide(made.slide_layouts[5])
    second.shapes.title.text = "Table"
    grid = second.shapes.add_table(2, 2, Pt(60), Pt(150), Pt(400), Pt(80)).table
    for row, cells in enumerate([["Region", "2025"], ["Austria", "1,450"]]):
        for column, text in enumerate(cells):
            grid.cell(row, column).text = text
    third = made.slides.add_slide(made.slide_layouts[5])
    third.shapes.title.text = "Chart"
    data = CategoryChartData()
    data.categories = ["Q1", "Q2"]
    data.add_series("Orders", (10.5, 12))
    third.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, Pt(60), Pt(150), Pt(400), Pt(300), data)
    path = context.workspace / "d.pptx"
    made.save(path)
    return path


def titles(path: Path) -> list[str]:
    return [slide.shapes.title.text for slide in pptx.Presentation(path).slides]


def unreachable(path: Path) -> list[str]:
    package = Package(path)
    known = reachable(package) | {TYPES_PART}
    return [n for n in package.names if n not in known and not n.endswith(".rels")]


def test_a_deck_is_outlined_and_read_with_evidence(deck: Path, context: ToolContext) -> None:
    outline = deck_outline("d.pptx", context)
    assert outline["size"] == [720, 540]
    assert outline["slides"][0] == {
        "slide": 1, "title": "Revenue grew", "layout": "Title and Content", "has": "1 text", "notes": True,
    }  # fmt: skip
    assert [s.get("has") for s in outline["slides"][1:]] == ["1 table", "1 chart"]
    answer = deck_read("d.pptx", "1-3", context)
    first, second, third = answer.result["slides"]
    assert first["notes"] == "Say why."
    body = first["shapes"][1]
    assert body["box"] == [36, 126, 684, 482.4]  # the layout's: the slide says nothing
    assert body["size"] == 32  # the master's first level
    assert second["shapes"][1]["rows"][1] == ["Austria", "1,450"]
    chart = third["shapes"][1]["chart"]
    assert (chart["kinds"], chart["series"]) == (
        ["bar"],
        [{"name": "Orders", "values": ["10.5", "12"]}],
    )
    by_value = {e.value: e.locator for e in answer.evidence if e.value}
    assert by_value["1450"] == {"slide": 2, "shape": 3, "row": 2, "column": 2}
    assert by_value["10.5"]["point"] == 1
    with pytest.raises(ToolInputError, match="has 3"):
        deck_read("d.pptx", "4", context)


def test_geometry_is_checked_and_what_is_meant_passes(context: ToolContext) -> None:
    made = pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[5])
    slide.shapes.title.text = "Ten words of a title"

    def box(
        name: str, left: float, top: float, width: float, height: float, text: str, size: float
    ) -> None:
        shape = slide.shapes.add_textbox(Pt(left), Pt(top), Pt(width), Pt(height))
        shape.name = name
        shape.text_frame.word_wrap = True
        shape.text_frame.auto_size = MSO_AUTO_SIZE.NONE
        shape.text_frame.text = text
        if text:
            shape.text_frame.paragraphs[0].runs[0].font.size = Pt(size)

    box("beyond", 600, 200, 200, 40, "Beyond the edge", 14)
    box("long", 40, 250, 100, 30, "These many words can never fit into so small a box", 16)
    box("tiny", 200, 250, 200, 30, "Small print", 7)
    box("under", 200, 350, 200, 40, "Lies below", 16)
    box("over", 250, 355, 200, 40, "Lies above", 16)
    box("fine", 40, 450, 300, 40, "Fits well", 16)
    box("touching", 40, 490, 300, 30, "Next to it", 16)
    panel = slide.shapes.add_shape(1, Pt(450), Pt(440), Pt(200), Pt(60))
    panel.name = "panel"
    box("label", 460, 450, 180, 30, "On a panel", 14)
    made.save(context.workspace / "d.pptx")
    found = deck_lint("d.pptx", context)["doubts"]
    assert {(d["rule"], d["shape"]) for d in found} == {
        ("off-slide", "beyond"), ("overflow", "long"), ("small-text", "tiny"), ("overlap", "over"),
    }  # fmt: skip
    assert [d["level"] for d in found[:2]] == ["error", "error"]
    assert not [
        d for d in deck_lint("d.pptx", context, minimum=6)["doubts"] if d["rule"] == "small-text"
    ]


def test_empty_holders_and_missing_titles_are_told(context: ToolContext) -> None:
    made = pptx.Presentation()
    made.slides.add_slide(made.slide_layouts[1])
    made.save(context.workspace / "d.pptx")
    assert [d["rule"] for d in deck_lint("d.pptx", context)["doubts"]] == [
        "empty",
        "empty",
        "no-title",
    ]


def test_slides_are_copied_moved_and_taken_out_without_orphans(
    deck: Path, context: ToolContext
) -> None:
    before = Package(deck)
    kept = {n: before.read(n) for n in before.names if "slides/slide" in n or "charts/" in n}
    answer = deck_edit(
        "d.pptx",
        [{"op": "duplicate", "slide": 3}, {"op": "move", "slide": 4, "to": 1}, {"op": "remove", "slide": 3}],
        context, target="e.pptx",
    )  # fmt: skip
    result = context.workspace / "e.pptx"
    assert len(answer.result["done"]) == 3
    assert titles(result) == ["Chart", "Revenue grew", "Chart"]
    after = Package(result)
    for name, data in kept.items():
        if "slide2.xml" not in name:
            assert after.read(name) == data  # what no edit names keeps its bytes
    assert "ppt/slides/slide2.xml" not in after
    charts = [
        s.shapes[1].chart for s in pptx.Presentation(result).slides if s.shapes[0].text == "Chart"
    ]
    assert len({chart.part.partname for chart in charts}) == 2  # the copy has a chart of its own
    assert len({chart.part.chart_workbook.xlsx_part.partname for chart in charts}) == 2
    assert unreachable(result) == []
    assert list(problems(result)) == []


def test_a_link_to_a_slide_that_goes_is_taken_off(deck: Path, context: ToolContext) -> None:
    made = pptx.Presentation(deck)
    first, second = made.slides[0], made.slides[1]
    first.shapes.title.click_action.target_slide = second
    made.save(deck)
    deck_edit("d.pptx", [{"op": "remove", "slide": 2}], context)
    assert titles(deck) == ["Revenue grew", "Chart"]
    assert b"hlinkClick" not in Package(deck).read("ppt/slides/slide1.xml")
    assert list(problems(deck)) == []


def test_texts_cells_places_and_notes_are_edited(deck: Path, context: ToolContext) -> None:
    deck_edit(
        "d.pptx",
        [
            {"op": "text", "slide": 1, "shape": 3, "text": ["Austria 1,500", {"text": "more", "level": 2}, "Chile"]},
            {"op": "cell", "slide": 2, "shape": "Table 2", "row": 2, "column": 2, "text": "1,500"},
            {"op": "box", "slide": 2, "shape": "Table 2", "box": [100, 200, 500, 280]},
            {"op": "notes", "slide": 1, "text": "Two\nlines"},
            {"op": "notes", "slide": 3, "text": "New notes"},
            {"op": "hide", "slide": 3},
        ],
        context,
    )  # fmt: skip
    slides = list(pptx.Presentation(deck).slides)
    body = slides[0].placeholders[1].text_frame
    assert [(p.text, p.level) for p in body.paragraphs] == [
        ("Austria 1,500", 0),
        ("more", 1),
        ("Chile", 0),
    ]
    assert slides[1].shapes[1].table.cell(1, 1).text == "1,500"
    assert (slides[1].shapes[1].left.pt, slides[1].shapes[1].top.pt) == (100, 200)
    assert slides[0].notes_slide.notes_text_frame.text == "Two\nlines"
    assert slides[2].notes_slide.notes_text_frame.text == "New notes"
    assert deck_outline("d.pptx", context)["slides"][2]["hidden"] is True
    assert list(problems(deck)) == []


def test_notes_are_written_where_a_deck_has_no_notes_master(context: ToolContext) -> None:
    made = pptx.Presentation()
    made.slides.add_slide(made.slide_layouts[5]).shapes.title.text = "One"
    path = context.workspace / "d.pptx"
    made.save(path)
    assert not [n for n in Package(path).names if "notes" in n]
    deck_edit("d.pptx", [{"op": "notes", "slide": 1, "text": "Hello"}], context)
    assert pptx.Presentation(path).slides[0].notes_slide.notes_text_frame.text == "Hello"
    assert list(problems(path)) == []
    assert unreachable(path) == []


@pytest.mark.parametrize(
    ("edit", "said"),
    [({"op": "fly"}, "Edit 1: op is one of move"), ({"op": "move", "slide": 9, "to": 1}, "no slide 9"),
     ({"op": "move", "slide": 1, "to": 7}, "no place 7"), ({"op": "text", "slide": 1, "shape": 77, "text": "x"}, "no shape 77"),
     ({"op": "text", "slide": 3, "shape": 3, "text": "x"}, "holds no text"), ({"op": "move", "slide": 1}, "missing"),
     ({"op": "cell", "slide": 2, "shape": 3, "row": 9, "column": 1, "text": "x"}, "no cell"),
     ({"op": "hide", "slide": 1, "colour": "red"}, "hide has no 'colour'")],
)  # fmt: skip
def test_edits_that_do_not_fit_change_nothing(
    edit: dict[str, Any], said: str, deck: Path, context: ToolContext
) -> None:
    before = deck.read_bytes()
    with pytest.raises(ToolInputError, match=said):
        deck_edit("d.pptx", [edit], context)
    with pytest.raises(ToolInputError, match="Edit 2"):
        deck_edit("d.pptx", [{"op": "hide", "slide": 1}, edit], context)
    assert deck.read_bytes() == before


PLAN: list[dict[str, Any]] = [
    {"kind": "title", "title": "Results", "subtitle": "2025"},
    {"title": "Growth", "bullets": ["One", {"text": "Two", "level": 2}], "notes": "Say why.", "source": "m.xlsx, A1"},
    {"title": "Table", "table": {"header": ["Region", "2025"], "rows": [["Austria", "1,450"], ["Belgium", "870"]]}},
    {"title": "Chart", "bullets": ["Up"], "chart": {
        "type": "column", "categories": ["Q1", "Q2"], "series": [{"name": "Orders", "values": [10.5, None]}]}},
]  # fmt: skip


@pytest.mark.parametrize("templated", [False, True])
def test_a_deck_is_built_with_native_objects(
    templated: bool, deck: Path, context: ToolContext
) -> None:
    answer = deck_build("new.pptx", PLAN, context, template="d.pptx" if templated else "")
    assert answer.result["doubts"] == []
    result = context.workspace / "new.pptx"
    made = pptx.Presentation(result)
    slides = list(made.slides)
    assert [s.shapes.title.text for s in slides] == ["Results", "Growth", "Table", "Chart"]
    assert made.slide_width.pt == (720 if templated else 960)
    assert [(p.text, p.level) for p in slides[1].placeholders[1].text_frame.paragraphs] == [
        ("One", 0),
        ("Two", 1),
    ]
    assert slides[1].notes_slide.notes_text_frame.text == "Say why."
    assert any(
        s.has_text_frame and s.text_frame.text == "Source: m.xlsx, A1" for s in slides[1].shapes
    )
    assert next(s for s in slides[2].shapes if s.has_table).table.cell(2, 1).text == "870"
    chart = next(s for s in slides[3].shapes if s.has_chart).chart
    assert list(chart.plots[0].series[0].values) == [10.5, None]
    assert list(problems(result)) == []
    assert unreachable(result) == []
    assert deck_lint("new.pptx", context)["doubts"] == []


def test_a_new_deck_names_nobody(deck: Path, context: ToolContext) -> None:
    """Neither the library's author nor the template's travels along."""
    made = pptx.Presentation(deck)
    made.core_properties.author = made.core_properties.last_modified_by = "Erika Mustermann"
    made.save(deck)
    for name, template in (("a.pptx", ""), ("b.pptx", "d.pptx")):
        deck_build(name, PLAN, context, template=template)
        about = pptx.Presentation(context.workspace / name).core_properties
        assert (about.author, about.last_modified_by, about.title) == ("", "", "Results")


def test_a_long_table_gets_smaller_text_and_a_longer_one_is_told(context: ToolContext) -> None:
    rows = [[f"Row {n}", "words " * 3] for n in range(14)]
    answer = deck_build("a.pptx", [{"title": "T", "table": {"rows": rows}}], context)
    assert answer.result["doubts"] == []
    rows = [[f"Row {n}", "many more words than fit " * 6] for n in range(25)]
    answer = deck_build("b.pptx", [{"title": "T", "table": {"rows": rows}}], context)
    assert "beyond the bottom" in answer.result["doubts"][0]


@pytest.mark.parametrize(
    ("slide", "said"),
    [({"title": ""}, "needs a title"), ({"title": "x", "foo": 1}, "no 'foo'"), ({"title": "x", "kind": "map"}, "not 'map'"),
     ({"title": "x", "table": {"rows": [["a"], ["b", "c"]]}}, "equal length"),
     ({"title": "x", "chart": {"type": "radar"}}, "A chart's type"),
     ({"title": "x", "chart": {"type": "pie", "categories": ["a"], "series": [{"values": [1, 2]}]}}, "as many values"),
     ({"title": "x", "chart": {"type": "line", "categories": ["a"], "series": [{"values": ["1"]}]}}, "numbers or null")],
)  # fmt: skip
def test_plans_that_make_no_slide_are_refused(
    slide: dict[str, Any], said: str, context: ToolContext
) -> None:
    with pytest.raises(ToolInputError, match=said):
        deck_build("a.pptx", [slide], context)
    assert not (context.workspace / "a.pptx").exists()


def test_a_template_that_is_none_is_refused(context: ToolContext) -> None:
    (context.workspace / "t.pptx").write_bytes(b"PK no deck")
    with pytest.raises(ToolInputError, match=r"t\.pptx is not an Office file"):
        deck_build("a.pptx", PLAN, context, template="t.pptx")


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [("0.2083", "0.0%", "20.8%"), ("1234.5", "#,##0", "1,234"), ("1234.5", "#,##0.00", "1,234.50"), ("-5", "0.0", "-5.0"),
     ("1450", '"$"#,##0', "$1,450"), ("-1450", "€#,##0", "-€1,450"), ("0.1", "General", "0.1"), ("12", "General", "12"),
     ("2025", "General", "2025"), ("45000", "General", "45,000"), ("0.30000000000000004", "General", "0.3")],
)  # fmt: skip
def test_numbers_are_shown_as_their_cells_show_them(value: str, code: str, shown: str) -> None:
    assert displayed(value, code) == shown


def test_pages_are_rendered_and_blank_ones_told(context: ToolContext) -> None:
    write_pdf(context.workspace / "a.pdf", [[(50, 500, "words")], [], [(50, 500, "more")]])
    answer = render_pages("a.pdf", "look", context, pages="1-2", dpi=72)
    assert answer["pages"] == [
        {"page": 1, "image": "look/page-0001.png"}, {"page": 2, "image": "look/page-0002.png", "blank": True},
    ]  # fmt: skip
    assert (answer["of"], answer["next"], answer["by"]) == (3, 3, "pdfium")
    assert "next" not in render_pages("a.pdf", "look", context, pages="3-20")
    with pytest.raises(ToolInputError, match="dpi is 24 to 300"):
        render_pages("a.pdf", "look", context, dpi=9)


def test_a_machine_without_libreoffice_says_so(deck: Path, context: ToolContext) -> None:
    with pytest.raises(ToolError, match="its image is `base`; rendering needs `office`"):
        render_pages("d.pptx", "look", context)
    (context.workspace / "a.exe").write_bytes(b"MZ")
    with pytest.raises(ToolInputError, match="no kind of file that can be rendered"):
        render_pages("a.exe", "look", context)


def furniture(shape: Any) -> bool:
    kinds = (PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.SLIDE_NUMBER)
    return shape.is_placeholder and shape.placeholder_format.type in kinds


@pytest.mark.cases
def test_every_deck_is_read_checked_and_edited(cases: Path, context: ToolContext) -> None:
    files = sorted(cases.glob("pptx/*/*.pptx"))
    assert len(files) >= 30
    edited = 0
    for source in files:
        (context.workspace / "x.pptx").write_bytes(source.read_bytes())
        made = pptx.Presentation(source)
        count = len(made.slides)
        outline = deck_outline("x.pptx", context)
        assert len(outline["slides"]) == count
        deck_lint("x.pptx", context)
        if not count:
            continue
        read = deck_read("x.pptx", f"1-{min(count, 30)}", context).result["slides"]
        for entry, slide in zip(read, made.slides, strict=True):
            words = {
                s.text_frame.text.strip()
                for s in slide.shapes
                if s.has_text_frame and not furniture(s)
            } - {""}
            found = "\n".join(str(s.get("text", "")) for s in entry["shapes"])
            missing = [w for w in words if w.replace("\x0b", "\n") not in found and not w.isdigit()]
            assert not missing, (source.name, missing)
        known = list(problems(source))
        deck_edit(
            "x.pptx",
            [{"op": "duplicate", "slide": 1}, {"op": "notes", "slide": 2, "text": "Hi"},
             {"op": "move", "slide": 1, "to": count + 1}],
            context, target="y.pptx",
        )  # fmt: skip
        result = context.workspace / "y.pptx"
        again = pptx.Presentation(result)
        assert len(again.slides) == count + 1
        assert again.slides[0].notes_slide.notes_text_frame.text == "Hi"
        assert [p for p in problems(result) if p not in known] == []
        before = set(unreachable(source))
        assert set(unreachable(result)) <= before
        deck_edit("y.pptx", [{"op": "remove", "slide": 1}] * (count + 1), context)
        assert [n for n in Package(result).names if n.startswith("ppt/slides/")] == []
        assert [p for p in problems(result) if p not in known] == []
        edited += 1
    assert edited >= 28


@pytest.mark.cases
def test_hostile_decks_give_one_line(cases: Path, context: ToolContext) -> None:
    for source in sorted(cases.glob("hostile/*/*.pptx")):
        (context.workspace / source.name).write_bytes(source.read_bytes())
        for call in (deck_outline, deck_lint):
            with pytest.raises(ToolError, match=source.name):
                call(source.name, context)


def test_a_deck_with_entities_and_a_bomb_are_refused(deck: Path, context: ToolContext) -> None:
    package = Package(deck)
    evil = (
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]>'
        + package.read("ppt/slides/slide1.xml").split(b"?>", 1)[1]
    )
    with zipfile.ZipFile(deck) as old, zipfile.ZipFile(context.workspace / "e.pptx", "w") as new:
        for name in old.namelist():
            new.writestr(name, evil if name == "ppt/slides/slide1.xml" else old.read(name))
    with pytest.raises(ToolInputError, match="document type or entities; refused"):
        deck_outline("e.pptx", context)
    with zipfile.ZipFile(context.workspace / "b.pptx", "w", zipfile.ZIP_DEFLATED) as new:
        new.writestr("[Content_Types].xml", b"0" * (8 << 20))
    with pytest.raises(ToolInputError, match="zip bomb"):
        deck_outline("b.pptx", context)
