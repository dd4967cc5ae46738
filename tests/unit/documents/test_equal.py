from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from deskmate_documents.docx.equal import differences

MakeDocx = Callable[..., Path]
BASE = '<w:p><w:pPr><w:jc w:val="both"/></w:pPr><w:r><w:rPr><w:b/></w:rPr><w:t>One two</w:t></w:r></w:p>'

SAME = {
    "runs cut in two": '<w:p><w:pPr><w:jc w:val="both"/></w:pPr><w:r><w:rPr><w:b/></w:rPr><w:t xml:space="preserve">One </w:t></w:r><w:r><w:rPr><w:b w:val="1"/></w:rPr><w:t>two</w:t></w:r></w:p>',
    "save ids and marks": '<w:p w:rsidR="00AA"><w:bookmarkStart w:id="1" w:name="x"/><w:pPr><w:jc w:val="both"/></w:pPr><w:proofErr w:type="spellStart"/><w:r w:rsidR="00BB"><w:rPr><w:b/><w:lang w:val="de-DE"/></w:rPr><w:lastRenderedPageBreak/><w:t>One two</w:t></w:r><w:bookmarkEnd w:id="1"/></w:p>',
    "comment anchors": '<w:p><w:pPr><w:jc w:val="both"/></w:pPr><w:commentRangeStart w:id="1"/><w:r><w:rPr><w:b/></w:rPr><w:t>One two</w:t></w:r><w:commentRangeEnd w:id="1"/><w:r><w:commentReference w:id="1"/></w:r></w:p>',
    "empty properties": '<w:p><w:pPr><w:rPr/><w:jc w:val="both"/></w:pPr><w:r><w:rPr><w:b/></w:rPr><w:t>One two</w:t></w:r><w:r><w:rPr><w:i/></w:rPr></w:r></w:p>',
}
OTHER = {
    "a word": BASE.replace("two", "too"),
    "bold": BASE.replace("<w:b/>", ""),
    "bold switched off": BASE.replace("<w:b/>", '<w:b w:val="0"/>'),
    "alignment": BASE.replace("both", "left"),
    "a paragraph more": BASE + "<w:p/>",
    "in a table": f"<w:tbl><w:tr><w:tc>{BASE}</w:tc></w:tr></w:tbl>",
    "in a control": f"<w:sdt><w:sdtContent>{BASE}</w:sdtContent></w:sdt>",
    "a break": BASE.replace("One two</w:t>", "One</w:t><w:br/><w:t>two</w:t>"),
    "a tracked change": BASE.replace("<w:r>", '<w:ins w:id="1" w:author="A"><w:r>').replace(
        "</w:r>", "</w:r></w:ins>"
    ),
    "a number": BASE.replace("<w:jc", '<w:numPr><w:numId w:val="1"/></w:numPr><w:jc'),
    "a link": BASE.replace("<w:r>", '<w:hyperlink w:anchor="x"><w:r>').replace(
        "</w:r>", "</w:r></w:hyperlink>"
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_what_word_renews_is_no_difference(make_docx: MakeDocx, name: str) -> None:
    assert differences(make_docx(BASE), make_docx(SAME[name], name="b.docx")) == ()


@pytest.mark.parametrize("name", OTHER)
def test_what_a_reader_or_editor_sees_is_one(make_docx: MakeDocx, name: str) -> None:
    assert differences(make_docx(BASE), make_docx(OTHER[name], name="b.docx"))


def test_notes_and_headers_count_and_their_ids_do_not(make_docx: MakeDocx) -> None:
    def document(name: str, note: str, note_id: int, head: str = "h") -> Path:
        body = f'<w:p><w:r><w:footnoteReference w:id="{note_id}"/></w:r></w:p><w:sectPr><w:headerReference r:id="rId2"/></w:sectPr>'
        return make_docx(
            body,
            name=name,
            footnotes=f'<w:footnote w:id="{note_id}"><w:p><w:r><w:t>{note}</w:t></w:r></w:p></w:footnote>',
            header=f"<w:p><w:r><w:t>{head}</w:t></w:r></w:p>",
        )

    one = document("1.docx", "note", 1)
    assert differences(one, document("2.docx", "note", 7)) == ()
    assert differences(one, document("3.docx", "other", 1))
    assert differences(one, document("4.docx", "note", 1, "other"))


def test_lists_are_told_by_their_levels_not_their_ids(make_docx: MakeDocx) -> None:
    def document(name: str, number: int, text: str) -> Path:
        body = f'<w:p><w:pPr><w:numPr><w:numId w:val="{number}"/></w:numPr></w:pPr></w:p>'
        lists = f'<w:abstractNum w:abstractNumId="{number}"><w:lvl w:ilvl="0"><w:lvlText w:val="{text}"/></w:lvl></w:abstractNum><w:num w:numId="{number}"><w:abstractNumId w:val="{number}"/></w:num>'
        return make_docx(body, name=name, numbering=lists)

    assert differences(document("1.docx", 1, "%1."), document("2.docx", 9, "%1.")) == ()
    assert differences(document("1.docx", 1, "%1."), document("3.docx", 1, "(%1)"))
