"""Charts and diagrams: what they say is read, compared and checked as all other words and figures are."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pptx
import xlsxwriter
from pptx.chart.data import CategoryChartData, XyChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches
from tests.unit.documents.conftest import CT, MAIN, PR, R, story
from tests.unit.documents.gate_rooms import digest, errors, room

from deskmate.plugin import Claim, Deliverable, Digest, Evidence
from deskmate_documents.content import read_content
from deskmate_documents.docx.compare import compare
from deskmate_documents.docx.equal import differences
from deskmate_documents.docx.pieces import docx_merge, docx_pieces
from deskmate_documents.docx.reading import read_docx
from deskmate_documents.docx.revisions import accept_all, reject_all
from deskmate_documents.office.number_gate import check_numbers
from deskmate_documents.office.package_gate import problems
from deskmate_documents.opc import Package

DGM = "http://schemas.openxmlformats.org/drawingml/2006/diagram"
A = "http://schemas.openxmlformats.org/drawingml/2006/main"
DSP = "http://schemas.microsoft.com/office/drawing/2008/diagram"
DRAWN = "http://schemas.microsoft.com/office/2007/relationships/diagramDrawing"
KINDS = {
    "data": "diagramData",
    "layout": "diagramLayout",
    "quickStyle": "diagramQuickStyle",
    "colors": "diagramColors",
}
FRAME = (
    f'<w:p><w:r><w:t>Our plan</w:t></w:r></w:p><w:p><w:r><w:drawing><a:graphic xmlns:a="{A}"><a:graphicData uri="{DGM}">'
    f'<dgm:relIds xmlns:dgm="{DGM}" r:dm="rIddata" r:lo="rIdlayout" r:qs="rIdquickStyle" r:cs="rIdcolors"/>'
    "</a:graphicData></a:graphic></w:drawing></w:r></w:p>"
)


def write_diagram(path: Path, *points: str, drawing: str = "rIddrawing") -> Path:
    """Write a document with a diagram; `drawing`: the id of the relationship that its drawing has."""
    listed = "".join(
        f'<dgm:pt modelId="{n}"><dgm:t><a:p><a:r><a:t>{text}</a:t></a:r></a:p></dgm:t></dgm:pt>'
        for n, text in enumerate(points)
    )
    link = f'<a:ext uri="x"><dsp:dataModelExt xmlns:dsp="{DSP}" relId="{drawing}"/></a:ext>'
    data = f"<dgm:ptLst>{listed}</dgm:ptLst><dgm:extLst>{link}</dgm:extLst>"
    parts = {
        "data1": f'<dgm:dataModel xmlns:dgm="{DGM}" xmlns:a="{A}">{data}</dgm:dataModel>',
        "drawing1": f'<dsp:drawing xmlns:dsp="{DSP}" xmlns:a="{A}"><a:t>{" ".join(points)}</a:t></dsp:drawing>',
        **{
            f"{name}1": f'<dgm:{name} xmlns:dgm="{DGM}"/>'
            for name in ("layout", "quickStyle", "colors")
        },
    }
    rels = "".join(
        f'<Relationship Id="rId{name}" Type="{R}/{kind}" Target="diagrams/{name}1.xml"/>'
        for name, kind in KINDS.items()
    )
    rels += f'<Relationship Id="{drawing}" Type="{DRAWN}" Target="diagrams/drawing1.xml"/>'
    types = (
        f'<Types xmlns="{CT}"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/word/document.xml" ContentType="{MAIN}"/></Types>'
    )
    files = {
        "[Content_Types].xml": types,
        "_rels/.rels": f'<Relationships xmlns="{PR}"><Relationship Id="rId1" Type="{R}/officeDocument" Target="word/document.xml"/></Relationships>',
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{PR}">{rels}</Relationships>',
        "word/document.xml": story("document", f"<w:body>{FRAME}</w:body>"),
        **{f"word/diagrams/{name}.xml": content for name, content in parts.items()},
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_words_of_a_diagram_are_read_behind_the_body(tmp_path: Path) -> None:
    document = read_docx(write_diagram(tmp_path / "a.docx", "Ask", "Act for Ann Lee"))
    assert [p.text for p in document.paragraphs] == ["Our plan", ""]
    assert [(p.index, p.text, p.part) for p in document.notes] == [
        (3, "Ask", "diagram 1"), (4, "Act for Ann Lee", "diagram 1"),
    ]  # fmt: skip
    assert "Act for Ann Lee" in read_content(tmp_path / "a.docx").text


def test_a_diagram_that_says_something_else_is_a_change_with_its_words(tmp_path: Path) -> None:
    before = write_diagram(tmp_path / "before.docx", "Ask", "Act")
    after = write_diagram(tmp_path / "after.docx", "Ask", "Wait", drawing="rIdother")
    target = tmp_path / "compared.docx"
    result = compare(before, after, target, author="Cara", date="2026-01-31")
    ((change,), untracked) = result.changes, result.untracked
    assert (change.kind, change.before, change.after, untracked) == (
        "changed", "[Ask; Act]", "[Ask; Wait]", (),
    )  # fmt: skip
    for settle, name, wanted in ((accept_all, "a", after), (reject_all, "r", before)):
        settle(target, tmp_path / f"{name}.docx")
        assert differences(tmp_path / f"{name}.docx", wanted) == ()
    assert list(problems(target)) == []
    assert docx_pieces(before, after) == (
        ("@@ ¶ 2 @@ change 1", "-diagram 1: Act", "+diagram 1: Wait"),
    )


def test_a_diagram_that_comes_brings_its_drawing_along(tmp_path: Path) -> None:
    before = write_diagram(tmp_path / "before.docx", "Ask", "Act")
    after = write_diagram(tmp_path / "after.docx", "Ask", "Wait", drawing="rIdother")
    docx_merge(before, after, {1}, tmp_path / "merged.docx")
    package = Package(tmp_path / "merged.docx")
    rels = package.relationships("word/document.xml")
    shown = package.parse("word/document.xml").find(f".//{{{DGM}}}relIds")
    data = package.parse(rels[shown.get(f"{{{R}}}dm")].target)
    drawing = rels[data.find(f".//{{{DSP}}}dataModelExt").get("relId")]
    assert (drawing.type, package.parse(drawing.target).findtext(f"{{{A}}}t")) == (
        DRAWN,
        "Ask Wait",
    )


def test_the_same_diagram_under_another_number_is_no_change(tmp_path: Path) -> None:
    one = write_diagram(tmp_path / "a.docx", "Ask", "Act")
    other = write_diagram(tmp_path / "b.docx", "Ask", "Act", drawing="rId77")
    assert differences(one, other) == ()


def write_deck(path: Path, *values: float, title: str = "Sales") -> Path:
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    data = CategoryChartData()
    data.categories = ["North", "South"]
    data.add_series("2026", values)
    place = Inches(1), Inches(1), Inches(6), Inches(4)
    chart = slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *place, data).chart
    chart.has_title = True
    chart.chart_title.text_frame.text = title
    chart.value_axis.has_title = True
    chart.value_axis.axis_title.text_frame.text = "in thousands"
    deck.save(str(path))
    return path


def write_source(path: Path) -> Path:
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet("S").write_column("A1", [164_000.4, 181_250, 0.1 + 0.2])
    return path


def said_of(
    file: Path, source: Path, *claims: Claim, evidence: tuple[Evidence, ...] = ()
) -> list[str]:
    deliverable = Deliverable(
        path="w/deck.pptx", title="x", role="deck", sources={"source": "w/s.xlsx"}, claims=claims
    )
    context = room(file, {"w/s.xlsx": source}, evidence)
    return errors(check_numbers(deliverable, context))


def test_words_of_a_chart_are_lines_of_its_slide(tmp_path: Path) -> None:
    lines = read_content(write_deck(tmp_path / "d.pptx", 164.0004, 181.25)).lines
    assert [(line.text, line.where, line.stored) for line in lines] == [
        (text, "slide 1, chart 1", stored)
        for text, stored in (
            ("Sales", False), ("in thousands", False), ("North", False), ("South", False),
            ("164.0004", True), ("181.25", True),
        )
    ]  # fmt: skip


def test_figures_of_a_chart_are_those_of_a_source_on_its_own_scale(tmp_path: Path) -> None:
    source = write_source(tmp_path / "s.xlsx")
    assert said_of(write_deck(tmp_path / "a.pptx", 164.0004, 181.25), source) == []
    assert said_of(write_deck(tmp_path / "b.pptx", 164_000.4, 30), source) == []  # 30 % of one
    (error,) = said_of(write_deck(tmp_path / "c.pptx", 164.0004, 191.25), source)
    assert error.startswith("The figure 191.25 stands in no source")
    (error,) = said_of(write_deck(tmp_path / "t.pptx", 0, 181.25, title="Up 47 %"), source)
    assert error.startswith("The figure 47 % stands in no source")


def test_a_chart_may_draw_what_a_claim_proves(tmp_path: Path) -> None:
    source = write_source(tmp_path / "s.xlsx")
    deck = write_deck(tmp_path / "d.pptx", 345_250.4, 181_250, title="Together 345,250")
    evidence = tuple(
        Evidence(id=name, source=Digest(digest(source)), path="w/s.xlsx", locator={"sheet": "S", "cell": name}, value=value)
        for name, value in (("A1", "164000.4"), ("A2", "181250"))
    )  # fmt: skip
    claim = Claim(text="Together 345,250", evidence=("A1", "A2"), kind="number", formula="e1 + e2")
    assert said_of(deck, source, claim, evidence=evidence) == []
    assert len(said_of(deck, source)) == 2


def test_every_series_of_scattered_points_is_traced_on_both_axes(tmp_path: Path) -> None:
    source = tmp_path / "s.xlsx"
    with xlsxwriter.Workbook(source) as book:
        book.add_worksheet("S").write_column("A1", [1.5, 2.5, 30.5, 40.5, 77.5])

    def write(name: str, second_x: float) -> Path:
        deck = pptx.Presentation()
        slide = deck.slides.add_slide(deck.slide_layouts[6])
        data = XyChartData()
        for series, x in (("One", 1.5), ("Two", second_x)):
            points = data.add_series(series)
            points.add_data_point(x, 30.5)
            points.add_data_point(2.5, 40.5)
        place = Inches(1), Inches(1), Inches(6), Inches(4)
        slide.shapes.add_chart(XL_CHART_TYPE.XY_SCATTER, *place, data)
        deck.save(str(tmp_path / name))
        return tmp_path / name

    assert said_of(write("true.pptx", 77.5), source) == []
    (error,) = said_of(write("false.pptx", 88.5), source)
    assert error.startswith("The figure 88.5 stands in no source")


def test_two_series_of_one_name_are_two_lines(tmp_path: Path) -> None:
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    data = CategoryChartData()
    data.categories = ["North"]
    for _ in range(2):
        data.add_series("Same", (1.5,))
    place = Inches(1), Inches(1), Inches(6), Inches(4)
    slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *place, data)
    deck.save(str(tmp_path / "d.pptx"))
    words = [line.text for line in read_content(tmp_path / "d.pptx").lines if not line.stored]
    assert words.count("Same") == 2
