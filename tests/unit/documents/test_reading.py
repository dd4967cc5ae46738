from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from deskmate.errors import ToolInputError
from deskmate_documents.docx.reading import read_docx

MakeDocx = Callable[..., Path]


def p(text: str, properties: str = "") -> str:
    return f'<w:p>{properties and f"<w:pPr>{properties}</w:pPr>"}<w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>'


def number(level: int, list_id: int = 1) -> str:
    return f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{list_id}"/></w:numPr>'


def level(index: int, text: str, kind: str = "decimal", more: str = "", start: int = 1) -> str:
    return f'<w:lvl w:ilvl="{index}"><w:start w:val="{start}"/><w:numFmt w:val="{kind}"/>{more}<w:lvlText w:val="{text}"/></w:lvl>'


LEGAL = (
    level(0, "%1.")
    + level(1, "%1.%2")
    + level(2, "(%3)", "lowerLetter")
    + level(3, "(%4)", "lowerRoman")
)
LISTS = f'<w:abstractNum w:abstractNumId="0">{LEGAL}</w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>'


def numbers(path: Path) -> list[str]:
    return [paragraph.number for paragraph in read_docx(path).paragraphs]


def test_paragraphs_are_counted_through_tables_and_content_controls(make_docx: MakeDocx) -> None:
    table = f"<w:tbl><w:tr><w:tc>{p('in a cell')}</w:tc></w:tr></w:tbl>"
    control = f"<w:sdt><w:sdtContent>{p('in a control')}</w:sdtContent></w:sdt>"
    found = read_docx(make_docx(p("one") + table + control + p("last"))).paragraphs
    assert [(x.index, x.text, x.in_table) for x in found] == [
        (1, "one", False),
        (2, "in a cell", True),
        (3, "in a control", False),
        (4, "last", False),
    ]


def test_text_is_the_accepted_view_of_tracked_changes(make_docx: MakeDocx) -> None:
    body = (
        "<w:p><w:r><w:t>We </w:t></w:r><w:del w:id='1' w:author='A'><w:r><w:delText>may</w:delText></w:r></w:del>"
        "<w:ins w:id='2' w:author='A'><w:r><w:t>shall</w:t></w:r></w:ins>"
        "<w:moveFrom w:id='3' w:author='A'><w:r><w:t> gone</w:t></w:r></w:moveFrom></w:p>"
    )
    document = read_docx(make_docx(body))
    assert document.paragraphs[0].text == "We shall"
    assert document.has_tracked_changes


def test_tabs_breaks_hyphens_and_fields_read_as_text(make_docx: MakeDocx) -> None:
    body = (
        "<w:p><w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t><w:noBreakHyphen/><w:t>d</w:t></w:r>"
        "<w:r><w:fldChar w:fldCharType='begin'/></w:r><w:r><w:instrText>REF x</w:instrText></w:r>"
        "<w:r><w:fldChar w:fldCharType='separate'/></w:r><w:r><w:t> 4.2</w:t></w:r><w:r><w:fldChar w:fldCharType='end'/></w:r></w:p>"
    )
    assert read_docx(make_docx(body)).paragraphs[0].text == "a\tb\nc-d 4.2"


def test_a_text_box_is_a_paragraph_of_its_own_and_its_fallback_is_not_read_twice(
    make_docx: MakeDocx,
) -> None:
    box = f"<w:txbxContent>{p('boxed')}</w:txbxContent>"
    mc = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    body = f"<w:p><w:r><w:t>around</w:t><mc:AlternateContent {mc}><mc:Choice Requires='wps'>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent></w:r></w:p>"
    assert [x.text for x in read_docx(make_docx(body)).paragraphs] == ["around", "boxed"]


def test_numbers_are_computed_with_their_ancestors(make_docx: MakeDocx) -> None:
    body = "".join(p("x", number(n)) for n in (0, 1, 1, 2, 2, 3, 1, 2, 0, 1))
    path = make_docx(body, numbering=LISTS)
    assert numbers(path) == [
        "1",
        "1.1",
        "1.2",
        "1.2(a)",
        "1.2(b)",
        "1.2(b)(i)",
        "1.3",
        "1.3(a)",
        "2",
        "2.1",
    ]
    assert [x.label for x in read_docx(path).paragraphs][3] == "(a)"


def test_a_paragraph_without_number_does_not_count(make_docx: MakeDocx) -> None:
    body = p("a", number(0)) + p("plain") + p("off", number(0, 0)) + p("b", number(0))
    assert numbers(make_docx(body, numbering=LISTS)) == ["1", "", "", "2"]


def test_numbers_come_from_styles_and_their_ancestors(make_docx: MakeDocx) -> None:
    styles = (
        '<w:style w:type="paragraph" w:styleId="H1"><w:name w:val="heading 1"/><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr><w:outlineLvl w:val="0"/></w:pPr></w:style>'
        '<w:style w:type="paragraph" w:styleId="H2"><w:name w:val="heading 2"/><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style>'
        '<w:style w:type="paragraph" w:styleId="H1b"><w:name w:val="Special"/><w:basedOn w:val="H1"/></w:style>'
    )
    lists = LISTS.replace('<w:lvl w:ilvl="1">', '<w:lvl w:ilvl="1"><w:pStyle w:val="H2"/>')
    body = "".join(p("x", f'<w:pStyle w:val="{s}"/>') for s in ("H1", "H2", "H2", "H1b", "H2"))
    path = make_docx(body, styles=styles, numbering=lists)
    assert numbers(path) == ["1", "1.1", "1.2", "2", "2.1"]
    assert [x.heading_level for x in read_docx(path).paragraphs] == [1, 2, 2, 1, 2]
    assert read_docx(path).paragraphs[3].style == "Special"


def test_an_override_restarts_its_list_once(make_docx: MakeDocx) -> None:
    lists = (
        LISTS
        + '<w:num w:numId="2"><w:abstractNumId w:val="0"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride></w:num>'
    )
    body = (
        p("a", number(0))
        + p("b", number(0))
        + p("c", number(0, 2))
        + p("d", number(0, 2))
        + p("e", number(0))
    )
    assert numbers(make_docx(body, numbering=lists)) == ["1", "2", "5", "6", "7"]


def test_two_lists_of_one_definition_count_on_without_override(make_docx: MakeDocx) -> None:
    lists = LISTS + '<w:num w:numId="2"><w:abstractNumId w:val="0"/></w:num>'
    body = p("a", number(0)) + p("b", number(0, 2))
    assert numbers(make_docx(body, numbering=lists)) == ["1", "2"]


def test_legal_style_roman_and_words_in_labels(make_docx: MakeDocx) -> None:
    levels = level(0, "Article %1", "upperRoman", start=4) + level(
        1, "Section %1.%2", more="<w:isLgl/>"
    )
    lists = f'<w:abstractNum w:abstractNumId="0">{levels}</w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>'
    path = make_docx(p("a", number(0)) + p("b", number(1)), numbering=lists)
    assert [(x.number, x.label) for x in read_docx(path).paragraphs] == [
        ("IV", "Article IV"),
        ("4.1", "Section 4.1"),
    ]


def test_a_level_that_never_restarts_counts_on(make_docx: MakeDocx) -> None:
    levels = level(0, "%1.") + level(1, "%2)", more='<w:lvlRestart w:val="0"/>')
    lists = f'<w:abstractNum w:abstractNumId="0">{levels}</w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>'
    body = "".join(p("x", number(n)) for n in (0, 1, 0, 1))
    assert [x.label for x in read_docx(make_docx(body, numbering=lists)).paragraphs] == [
        "1.",
        "1)",
        "2.",
        "2)",
    ]


def test_bullets_have_no_number(make_docx: MakeDocx) -> None:
    lists = f'<w:abstractNum w:abstractNumId="0">{level(0, "•", "bullet")}</w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>'
    assert numbers(make_docx(p("x", number(0)), numbering=lists)) == [""]


def test_a_bare_section_break_takes_no_number(make_docx: MakeDocx) -> None:
    empty = f"<w:p><w:pPr>{number(0)}<w:sectPr/></w:pPr></w:p>"
    assert numbers(make_docx(empty + p("a", number(0)), numbering=LISTS)) == ["", "1"]


def test_a_deleted_paragraph_takes_no_number(make_docx: MakeDocx) -> None:
    gone = f"<w:p><w:pPr>{number(0)}<w:rPr><w:del w:id='1' w:author='A'/></w:rPr></w:pPr><w:del w:id='2' w:author='A'><w:r><w:delText>x</w:delText></w:r></w:del></w:p>"
    assert numbers(make_docx(gone + p("a", number(0)), numbering=LISTS)) == ["", "1"]


def test_pages_come_from_stored_breaks_and_are_not_counted_twice(make_docx: MakeDocx) -> None:
    broken = "<w:p><w:r><w:t>one</w:t><w:br w:type='page'/></w:r></w:p>"
    rendered = "<w:p><w:r><w:lastRenderedPageBreak/><w:t>two</w:t></w:r></w:p>"
    across = "<w:p><w:r><w:t>two, then </w:t></w:r><w:r><w:lastRenderedPageBreak/><w:t>three</w:t></w:r></w:p>"
    found = read_docx(make_docx(broken + rendered + across + p("three"))).paragraphs
    assert [x.page for x in found] == [1, 2, 2, 3]


def test_a_file_without_page_information_has_no_pages(make_docx: MakeDocx) -> None:
    assert read_docx(make_docx(p("a"))).paragraphs[0].page is None


def test_comments_have_anchor_author_and_thread(make_docx: MakeDocx) -> None:
    body = (
        "<w:p><w:r><w:t>We </w:t></w:r><w:commentRangeStart w:id='7'/><w:r><w:t>shall pay</w:t></w:r>"
        "<w:commentRangeEnd w:id='7'/><w:r><w:commentReference w:id='7'/></w:r></w:p>"
    )
    path = make_docx(
        body,
        comments=f"<w:comment w:id='7' w:author='Ann' w:date='2026-01-01T00:00:00Z'>{p('Why?')}</w:comment>",
    )
    (comment,) = read_docx(path).comments
    assert (comment.author, comment.text, comment.anchor, comment.paragraph) == (
        "Ann",
        "Why?",
        "shall pay",
        1,
    )


def test_notes_and_headers_follow_the_body(make_docx: MakeDocx) -> None:
    path = make_docx(
        p("body"),
        footnotes=f"<w:footnote w:id='1'>{p('a note')}</w:footnote>",
        header=p("a header"),
    )
    document = read_docx(path)
    assert len(document.paragraphs) == 1
    assert {(x.index, x.text) for x in document.notes} == {(2, "a header"), (3, "a note")}


def test_the_title_is_the_title_paragraph_or_the_first_words(make_docx: MakeDocx) -> None:
    styles = '<w:style w:type="paragraph" w:styleId="T"><w:name w:val="Title"/></w:style>'
    titled = make_docx(p("intro") + p("Mutual  NDA", '<w:pStyle w:val="T"/>'), styles=styles)
    assert read_docx(titled).title == "Mutual NDA"
    assert read_docx(make_docx(p("") + p("First words"), name="b.docx")).title == "First words"


def test_a_workbook_is_not_read_as_a_document(make_docx: MakeDocx) -> None:
    path = make_docx("", extra={"word/document.xml": "<workbook/>"})
    with pytest.raises(ToolInputError, match="workbook"):
        read_docx(path)


def test_tracked_changes_in_a_header_count(make_docx: MakeDocx) -> None:
    header = "<w:p><w:ins w:id='1' w:author='A'><w:r><w:t>x</w:t></w:r></w:ins></w:p>"
    assert read_docx(make_docx(p("a"), header=header)).has_tracked_changes
