"""Templates filled, documents built, comments and answers: what is written, and that nothing else is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import docx
import pytest
from docx.enum.text import WD_ALIGN_PARAGRAPH

from deskmate.plugin import ToolContext, ToolInputError
from deskmate_documents.docx.build import build_docx
from deskmate_documents.docx.reading import read_docx
from deskmate_documents.docx.remarks import Remark, add_remarks
from deskmate_documents.docx.template import fill_template, template_brackets, template_fields
from deskmate_documents.docx.wml import W14_NS
from deskmate_documents.office import docx_tools
from deskmate_documents.office.package_gate import problems
from deskmate_documents.opc import Package

BOLD = "<w:rPr><w:b/></w:rPr>"


def run(text: str, properties: str = "") -> str:
    return f'<w:r>{properties}<w:t xml:space="preserve">{text}</w:t></w:r>'


def control(tag: str, content: str, extra: str = "") -> str:
    return (
        f'<w:sdt><w:sdtPr><w:tag w:val="{tag}"/>{extra}</w:sdtPr>'
        f"<w:sdtContent>{content}</w:sdtContent></w:sdt>"
    )


def texts(path: Path) -> list[str]:
    return [p.text for p in read_docx(path).paragraphs]


def test_a_placeholder_over_runs_takes_the_look_of_its_first_letter(
    make_docx: Any, tmp_path: Path
) -> None:
    body = f"<w:p>{run('Dear ')}{run('{{na', BOLD)}{run('me')}{run('}}, hello')}</w:p>"
    source = make_docx(body, header=f"<w:p>{run('{{name}} · {date}')}</w:p>")
    result = fill_template(source, tmp_path / "o.docx", {"name": "Ann & Bo", "date": "1 May"})
    document = docx.Document(str(tmp_path / "o.docx"))
    assert [(r.text, bool(r.bold)) for r in document.paragraphs[0].runs if r.text] == [
        ("Dear ", False),
        ("Ann & Bo", True),
        (", hello", False),
    ]
    assert read_docx(tmp_path / "o.docx").notes[0].text == "Ann & Bo · 1 May"
    assert result.filled == {"name": 2, "date": 1}
    assert list(problems(tmp_path / "o.docx")) == []


def test_every_kind_of_control_is_filled(make_docx: Any, tmp_path: Path) -> None:
    plain = control("party", run("Click here", BOLD), "<w:showingPlcHdr/><w:text/>")
    box = control(
        "agreed",
        run("☐"),
        f'<w14:checkbox xmlns:w14="{W14_NS}"><w14:checked w14:val="0"/></w14:checkbox>',
    )
    choices = '<w:listItem w:displayText="Delaware" w:value="DE"/><w:listItem w:displayText="Texas" w:value="TX"/>'
    law = control("law", run("Choose"), f"<w:dropDownList>{choices}</w:dropDownList>")
    block = control("scope", f"<w:p>{run('old', BOLD)}</w:p><w:p>{run('older')}</w:p>")
    day = control("start", run("day"), "<w:date/>")
    source = make_docx(f"<w:p>{plain}{box}{law}{day}</w:p>{block}")
    assert list(template_fields(source)) == ["party", "agreed", "law", "start", "scope"]
    values: dict[str, Any] = {
        "party": "Acme", "agreed": True, "law": "tx", "scope": "All\nof it", "start": "2026-05-01",
    }  # fmt: skip
    fill_template(source, tmp_path / "o.docx", values)
    assert texts(tmp_path / "o.docx") == ["Acme☒Texas2026-05-01", "All\nof it"]
    xml = Package(tmp_path / "o.docx").read("word/document.xml").decode()
    assert "showingPlcHdr" not in xml
    assert 'w:fullDate="2026-05-01T00:00:00Z"' in xml
    assert 'w14:val="1"' in xml
    assert docx.Document(str(tmp_path / "o.docx")).element.body.xpath(".//w:b")


@pytest.mark.parametrize(
    ("tag", "extra", "value", "message"),
    [
        ("f", "<w:lock w:val='contentLocked'/>", "x", "is locked"),
        ("f", "<w:dropDownList><w:listItem w:value='A'/></w:dropDownList>", "B", "there are A"),
        ("f", "<w:text/>", "a\nb", "takes one line"),
        ("f", "", True, "is no check box"),
        ("f", "<w:picture/>", "x", "does not hold a text"),
        ("g", "", "x", "has no field f; it has g"),
        ("f", "", "\x00", "cannot hold"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_and_nothing_is_written(
    make_docx: Any, tmp_path: Path, tag: str, extra: str, value: Any, message: str
) -> None:
    source = make_docx(f"<w:p>{control(tag, run('x'), extra)}</w:p>")
    with pytest.raises(ToolInputError, match=message):
        fill_template(source, tmp_path / "o.docx", {"f": value})
    assert not (tmp_path / "o.docx").exists()


def test_what_a_control_is_bound_to_is_written_too(make_docx: Any, tmp_path: Path) -> None:
    item = "{11111111-2222-3333-4444-555555555555}"
    binding = (
        '<w:dataBinding w:prefixMappings="xmlns:a=\'urn:a\'" w:xpath="/a:data[1]/a:party[1]" '
        f'w:storeItemID="{item}"/>'
    )
    rel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    pr = "http://schemas.openxmlformats.org/package/2006/relationships"
    source = make_docx(
        f"<w:p>{control('party', run('old'), binding)}</w:p>",
        extra={
            "word/_rels/document.xml.rels": f'<Relationships xmlns="{pr}"><Relationship Id="rId9" '
            f'Type="{rel}/customXml" Target="../customXml/item1.xml"/></Relationships>',
            "customXml/item1.xml": '<a:data xmlns:a="urn:a"><a:party>old</a:party></a:data>',
            "customXml/_rels/item1.xml.rels": f'<Relationships xmlns="{pr}"><Relationship Id="rId1" '
            f'Type="{rel}/customXmlProps" Target="itemProps1.xml"/></Relationships>',
            "customXml/itemProps1.xml": '<ds:datastoreItem xmlns:ds="http://schemas.openxmlformats.org/'
            f'officeDocument/2006/customXml" ds:itemID="{item}"/>',
        },
    )
    fill_template(source, tmp_path / "o.docx", {"party": "Acme"})
    assert b"<a:party>Acme</a:party>" in Package(tmp_path / "o.docx").read("customXml/item1.xml")


def test_rows_are_repeated_for_a_list(tmp_path: Path) -> None:
    document = docx.Document()
    table = document.add_table(rows=3, cols=2)
    for row, cells in zip(
        table.rows, (("Item", "EUR"), ("{{items.name}}", "{{items.price}}"), ("Total", "{{total}}")), strict=True
    ):  # fmt: skip
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    document.save(str(tmp_path / "t.docx"))
    items: list[dict[str, Any]] = [{"name": "a", "price": "1"}, {"name": "b", "price": 2}]
    fill_template(tmp_path / "t.docx", tmp_path / "o.docx", {"items": items, "total": "3"})
    assert texts(tmp_path / "o.docx")[-8:] == ["Item", "EUR", "a", "1", "b", "2", "Total", "3"]


def test_fields_without_a_value_are_named(make_docx: Any, tmp_path: Path) -> None:
    source = make_docx(f"<w:p>{run('{{a}} and {{b}}')}</w:p>")
    assert fill_template(source, tmp_path / "o.docx", {"a": "1"}).left == ["b"]
    assert texts(tmp_path / "o.docx") == ["1 and {{b}}"]


def test_third_party_templates_are_filled_and_keep_everything_else(
    cases: Path, tmp_path: Path
) -> None:
    folder = cases / "legal/templates"
    for path in sorted(folder.glob("*.docx")):
        stored = folder / f"{path.stem}.fill-values.json"
        fields = template_fields(path)
        given = json.loads(stored.read_text()) if stored.exists() else {}
        values = {name: str(given.get(name) or f"<{name}>") for name in fields if "." not in name}
        before = texts(path)
        fill_template(path, tmp_path / "o.docx", values)
        wanted = []
        for text in before:
            for name, value in values.items():
                text = text.replace(f"{{{name}}}", value)
            wanted.append(text)
        assert texts(tmp_path / "o.docx") == wanted
        assert set(problems(tmp_path / "o.docx")) <= set(problems(path))
        old, new = Package(path), Package(tmp_path / "o.docx")
        stories = ("word/document", "word/header", "word/footer", "word/footnotes", "word/endnotes")
        assert all(old.read(n) == new.read(n) for n in old.names if not n.startswith(stories))


STRUCTURE: dict[str, Any] = {
    "title": "Plan",
    "header": "Acme",
    "footer": "Confidential",
    "page_numbers": True,
    "blocks": [
        {"type": "heading", "text": "One", "level": 2},
        {"type": "paragraph", "text": "A **bold** and an *italic* word, 2 * 3 * 4."},
        {"type": "list", "items": ["a", "b"], "ordered": True},
        {"type": "list", "items": ["c", "d"], "ordered": True},
        {"type": "page_break"},
        {"type": "table", "header": ["x", "y"], "rows": [["1", "2\n3"], ["4"]], "caption": "T"},
        {"type": "paragraph", "text": "Said.", "style": "Quote"},
    ],
}


def test_columns_of_figures_are_set_to_the_right_and_others_are_not(tmp_path: Path) -> None:
    rows = [
        ["West", "1,450.50", "91.7 %", "2099-01-15", "–"], ["East", "(870)", "-3%", "2099-02-01", "—"],
        ["**Total**", "**580.50**", "–", "", ""],
    ]  # fmt: skip
    table = {
        "type": "table",
        "header": ["Region", "Revenue", "Of plan", "Due", "Note"],
        "rows": rows,
    }
    build_docx({"blocks": [table]}, tmp_path / "o.docx")
    for row in docx.Document(str(tmp_path / "o.docx")).tables[0].rows:
        right = [cell.paragraphs[0].alignment == WD_ALIGN_PARAGRAPH.RIGHT for cell in row.cells]
        assert right == [False, True, True, False, False]


def test_a_built_document_has_real_headings_lists_and_tables(tmp_path: Path) -> None:
    build_docx(STRUCTURE, tmp_path / "o.docx")
    document = read_docx(tmp_path / "o.docx")
    assert document.title == "Plan"
    assert [(p.text, p.heading_level) for p in document.paragraphs if p.heading_level] == [
        ("One", 2)
    ]
    assert [p.number for p in document.paragraphs if p.number] == ["1", "2", "1", "2"]
    assert [p.text for p in document.notes] == ["Acme", "Confidential"]
    made = docx.Document(str(tmp_path / "o.docx"))
    bold = [r.text for p in made.paragraphs for r in p.runs if r.bold]
    assert bold == ["bold"]
    assert "2 * 3 * 4" in made.paragraphs[2].text
    assert made.tables[0].rows[0]._tr.xpath("./w:trPr/w:tblHeader")
    assert [c.text for r in made.tables[0].rows for c in r.cells] == [
        "x",
        "y",
        "1",
        "2\n3",
        "4",
        "",
    ]
    assert list(problems(tmp_path / "o.docx")) == []


def test_a_base_gives_its_looks_and_none_of_its_text(tmp_path: Path) -> None:
    base = docx.Document()
    base.add_paragraph("secret")
    base.styles["Normal"].font.name = "Carlito"
    base.sections[0].header.paragraphs[0].text = "Letterhead"
    base.save(str(tmp_path / "base.docx"))
    blocks = {"blocks": [{"type": "paragraph", "text": "Hello"}]}
    build_docx(blocks, tmp_path / "o.docx", tmp_path / "base.docx")
    made = docx.Document(str(tmp_path / "o.docx"))
    assert [p.text for p in made.paragraphs] == ["Hello"]
    assert made.styles["Normal"].font.name == "Carlito"
    assert made.sections[0].header.paragraphs[0].text == "Letterhead"


@pytest.mark.parametrize(
    "structure",
    [
        {},
        {"blocks": [{"type": "poem", "text": "x"}]},
        {"blocks": [{"type": "heading", "text": "x", "level": 9}]},
        {"blocks": [{"type": "table", "header": ["a"], "rows": [["1", "2"]]}]},
        {"blocks": [{"type": "paragraph", "text": "x", "style": "No such"}]},
        {"blocks": [{"type": "paragraph", "text": "\x00"}]},
    ],
)
def test_a_bad_structure_is_one_clear_line(tmp_path: Path, structure: Any) -> None:
    with pytest.raises(ToolInputError):
        build_docx(structure, tmp_path / "o.docx")


def commented(make_docx: Any, tmp_path: Path) -> Path:
    source: Path = make_docx(f"<w:p>{run('The fee is ')}{run('500', BOLD)}{run(' euros.')}</w:p>")
    remark = Remark(paragraph=1, find="is 500", text="Too much?\nAsk.")
    add_remarks(source, tmp_path / "1.docx", [remark], author="Ann", date="2026-01-01")
    return tmp_path / "1.docx"


def test_a_comment_an_answer_and_a_settled_thread(make_docx: Any, tmp_path: Path) -> None:
    first = commented(make_docx, tmp_path)
    answers = [Remark(reply_to="0", text="No."), Remark(reply_to="1", text="Well.", resolve=True)]
    add_remarks(first, tmp_path / "2.docx", answers, author="Bo", date="2026-01-02")
    found = read_docx(tmp_path / "2.docx").comments
    assert [(c.id, c.author, c.text, c.parent, c.resolved, c.anchor) for c in found] == [
        ("0", "Ann", "Too much?\nAsk.", "", True, "is 500"),
        ("1", "Bo", "No.", "0", False, "is 500"),
        ("2", "Bo", "Well.", "0", False, "is 500"),
    ]
    assert texts(tmp_path / "2.docx") == ["The fee is 500 euros."]
    assert list(problems(tmp_path / "2.docx")) == []
    assert len(list(docx.Document(str(tmp_path / "2.docx")).comments)) == 3


@pytest.mark.parametrize(
    ("remark", "message"),
    [
        (Remark(paragraph=9, text="x"), "there is no paragraph 9"),
        (Remark(paragraph=1, find="nowhere", text="x"), "does not occur"),
        (Remark(paragraph=1, find="e", text="x"), "occurs 4 times"),
        (Remark(paragraph=1), "has no text"),
        (Remark(reply_to="7", text="x"), "There is no comment 7; there are 0"),
    ],
)
def test_a_remark_without_a_place_is_refused(
    make_docx: Any, tmp_path: Path, remark: Remark, message: str
) -> None:
    first = commented(make_docx, tmp_path)
    with pytest.raises(ToolInputError, match=message):
        add_remarks(first, tmp_path / "2.docx", [remark], author="Bo", date="2026-01-02")
    assert not (tmp_path / "2.docx").exists()


def test_threads_of_third_party_documents_survive_an_answer(cases: Path, tmp_path: Path) -> None:
    for path in sorted((cases / "legal/docx_comments").glob("*.docx")):
        before = read_docx(path).comments
        anchored = [c for c in before if c.paragraph is not None]
        if not anchored:
            continue
        answer = Remark(reply_to=anchored[0].id, text="Seen.")
        add_remarks(path, tmp_path / "o.docx", [answer], author="Bo", date="2026-01-02")
        after = read_docx(tmp_path / "o.docx").comments
        assert after[:-1] == before
        assert after[-1].parent == (anchored[0].parent or anchored[0].id)
        assert set(problems(tmp_path / "o.docx")) <= set(problems(path))


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    (tmp_path / "ws/w").mkdir(parents=True)
    return ToolContext(workspace=tmp_path / "ws", home=tmp_path, resources=tmp_path)


def test_the_tools_present_what_they_make(context: ToolContext, make_docx: Any) -> None:
    template = make_docx(f"<w:p>{run('Dear {{name}}')}</w:p>")
    template.rename(context.workspace / "w/t.docx")
    assert docx_tools.docx_fields("w/t.docx", context)["fields"] == [
        {"name": "name", "kind": "placeholder"}
    ]
    filled = docx_tools.docx_fill("w/t.docx", {"name": 7}, "w/o.docx", context)
    assert filled.deliverables[0].sources == {"template": "w/t.docx"}
    plain = {"blocks": [{"type": "paragraph", "text": "Hello"}]}
    built = docx_tools.docx_build("w/b.docx", plain, context, base="w/t.docx", sources=["w/o.docx"])
    assert built.deliverables[0].sources == {"source 1": "w/o.docx", "base": "w/t.docx"}
    remarks = [{"paragraph": 1, "text": "Hm."}]
    marked = docx_tools.docx_comment("w/o.docx", remarks, "w/c.docx", context)
    assert marked.deliverables[0].role == "commented"


@pytest.mark.parametrize(
    ("remarks", "target"),
    [([], "w/c.docx"), ([{"colour": "red"}], "w/c.docx"), ([{"text": "x"}], "w/o.docx"), ([{"text": "x"}], "w/c.txt")],
)  # fmt: skip
def test_bad_calls_are_told(
    context: ToolContext, remarks: list[dict[str, Any]], target: str
) -> None:
    build_docx(STRUCTURE, context.workspace / "w/o.docx")
    with pytest.raises(ToolInputError):
        docx_tools.docx_comment("w/o.docx", remarks, target, context)


def test_a_base_that_never_used_a_style_gets_it_but_not_lists(
    make_docx: Any, tmp_path: Path
) -> None:
    base = make_docx("<w:p/>", name="base.docx")
    blocks: list[dict[str, Any]] = [
        {"type": "heading", "text": "One"},
        {"type": "table", "header": ["a"], "rows": [["1"]], "caption": "T"},
    ]
    build_docx({"title": "P", "blocks": blocks}, tmp_path / "o.docx", base)
    assert [p.heading_level for p in read_docx(tmp_path / "o.docx").paragraphs][:2] == [None, 1]
    assert list(problems(tmp_path / "o.docx")) == []
    with pytest.raises(ToolInputError, match="no style 'List Bullet'"):
        build_docx({"blocks": [{"type": "list", "items": ["x"]}]}, tmp_path / "p.docx", base)


def test_places_in_square_brackets_are_found_with_their_labels_and_filled(tmp_path: Path) -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("Dear [Full ")
    paragraph.add_run("name]").bold = True
    document.add_paragraph("Start: [Day] or [Day]")
    table = document.add_table(rows=1, cols=2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "Base Salary:", "[Amount]"
    source, target = tmp_path / "t.docx", tmp_path / "o.docx"
    document.save(str(source))
    found = template_brackets(source)
    assert [(b.words, b.label) for b in found] == [
        ("Full name", "Dear"),
        ("Day", "Start"),
        ("Day", "Start: [Day] or"),
        ("Amount", "Base Salary"),
    ]
    filled = fill_template(
        source, target, {}, {"Full name": "Ada [sic]", "Day": "1 March", "Amount": "9"}
    )
    assert filled.filled == {"[Full name]": 1, "[Day]": 2, "[Amount]": 1}
    assert texts(target) == ["Dear Ada [sic]", "Start: 1 March or 1 March", "Base Salary:", "9"]
    fill_template(source, target, {})
    assert texts(target)[0] == "Dear [Full name]"
