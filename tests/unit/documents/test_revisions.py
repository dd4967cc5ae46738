from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from deskmate_documents.docx.equal import body_lines, differences
from deskmate_documents.docx.reading import read_docx
from deskmate_documents.docx.revisions import accept_all, reject_all
from deskmate_documents.opc import Package

MakeDocx = Callable[..., Path]
BY = 'w:author="Ann" w:date="2026-01-01T00:00:00Z"'
INS, DEL = f'<w:ins w:id="1" {BY}', f'<w:del w:id="2" {BY}'
MARK_INS, MARK_DEL = (
    f"<w:pPr><w:rPr>{INS}/></w:rPr></w:pPr>",
    f"<w:pPr><w:rPr>{DEL}/></w:rPr></w:pPr>",
)


def run(text: str, look: str = "") -> str:
    return f'<w:r>{look and f"<w:rPr>{look}</w:rPr>"}<w:t xml:space="preserve">{text}</w:t></w:r>'


def gone(text: str) -> str:
    return f'{DEL}><w:r><w:delText xml:space="preserve">{text}</w:delText></w:r></w:del>'


def new(text: str) -> str:
    return f"{INS}>{run(text)}</w:ins>"


def p(content: str, properties: str = "") -> str:
    return f"<w:p>{properties}{content}</w:p>"


def cell(content: str, properties: str = "") -> str:
    return f"<w:tc>{properties}{content}</w:tc>"


def table(*rows: str) -> str:
    return f"<w:tbl><w:tblPr/><w:tblGrid/>{''.join(rows)}</w:tbl>"


def both(make: MakeDocx, body: str, accepted: str, rejected: str) -> None:
    source = make(body, name="source.docx")
    for settle, wanted in ((accept_all, accepted), (reject_all, rejected)):
        result = source.with_name("result.docx")
        settle(source, result)
        assert differences(result, make(wanted, name="wanted.docx")) == ()
        assert not read_docx(result).has_tracked_changes


def test_runs_are_kept_or_taken_out_with_their_formatting(make_docx: MakeDocx) -> None:
    body = p(run("We ", "<w:b/>") + gone("may ") + new("shall ") + run("pay."))
    both(
        make_docx,
        body,
        p(run("We ", "<w:b/>") + run("shall pay.")),
        p(run("We ", "<w:b/>") + run("may pay.")),
    )


def test_a_paragraph_taken_out_whole_leaves_the_next_as_it_was(make_docx: MakeDocx) -> None:
    heading = p(run("Next"), '<w:pPr><w:pStyle w:val="Heading1"/></w:pPr>')
    both(make_docx, p(gone("old"), MARK_DEL) + heading, heading, p(run("old")) + heading)
    both(make_docx, p(new("new"), MARK_INS) + heading, p(run("new")) + heading, heading)


def test_a_deleted_mark_joins_two_paragraphs_in_the_look_of_the_first(make_docx: MakeDocx) -> None:
    styled = '<w:pPr><w:pStyle w:val="Quote"/></w:pPr>'
    body = p(run("one "), f'<w:pPr><w:pStyle w:val="Quote"/><w:rPr>{DEL}/></w:rPr></w:pPr>') + p(
        run("two")
    )
    both(make_docx, body, p(run("one two"), styled), p(run("one "), styled) + p(run("two")))


def test_several_deleted_marks_in_a_row_join_all(make_docx: MakeDocx) -> None:
    body = p(run("a"), MARK_DEL) + p("", MARK_DEL) + p(run("b"), MARK_DEL) + p(run("c"))
    both(make_docx, body, p(run("abc")), p(run("a")) + p("") + p(run("b")) + p(run("c")))


def test_a_paragraph_before_a_table_goes_without_touching_the_table(make_docx: MakeDocx) -> None:
    grid = table(f"<w:tr>{cell(p(run('x')))}</w:tr>")
    both(
        make_docx,
        p(gone("old"), MARK_DEL) + grid + p(""),
        grid + p(""),
        p(run("old")) + grid + p(""),
    )


def test_a_cell_keeps_a_paragraph(make_docx: MakeDocx) -> None:
    body = table(f"<w:tr>{cell(p(gone('x'), MARK_DEL))}</w:tr>") + p("")
    both(
        make_docx,
        body,
        table(f"<w:tr>{cell(p(''))}</w:tr>") + p(""),
        table(f"<w:tr>{cell(p(run('x')))}</w:tr>") + p(""),
    )


def test_rows_come_and_go_and_a_table_without_rows_goes_too(make_docx: MakeDocx) -> None:
    old = f"<w:tr>{cell(p(run('a')))}</w:tr>"
    added = f"<w:tr><w:trPr>{INS}/></w:trPr>{cell(p(new('b')))}</w:tr>"
    removed = f"<w:tr><w:trPr>{DEL}/></w:trPr>{cell(p(gone('c')))}</w:tr>"
    plain = {name: f"<w:tr>{cell(p(run(name)))}</w:tr>" for name in "bc"}
    both(
        make_docx,
        table(old, added, removed) + p(""),
        table(old, plain["b"]) + p(""),
        table(old, plain["c"]) + p(""),
    )
    both(
        make_docx,
        p(run("x")) + table(removed) + p(""),
        p(run("x")) + p(""),
        p(run("x")) + table(plain["c"]) + p(""),
    )


def test_cells_come_and_go_and_merge(make_docx: MakeDocx) -> None:
    inserted = cell(p(new("b")), f'<w:tcPr><w:cellIns w:id="3" {BY}/></w:tcPr>')
    deleted = cell(p(gone("c")), f'<w:tcPr><w:cellDel w:id="4" {BY}/></w:tcPr>')
    merged = cell(p(""), f'<w:tcPr><w:cellMerge w:id="5" {BY} w:vMerge="cont"/></w:tcPr>')
    body = table(f"<w:tr>{cell(p(run('a')))}{inserted}{deleted}{merged}</w:tr>") + p("")
    accepted = table(
        f"<w:tr>{cell(p(run('a')))}{cell(p(run('b')))}{cell(p(''), '<w:tcPr><w:vMerge/></w:tcPr>')}</w:tr>"
    ) + p("")
    rejected = table(f"<w:tr>{cell(p(run('a')))}{cell(p(run('c')))}{cell(p(''))}</w:tr>") + p("")
    both(make_docx, body, accepted, rejected)


def test_former_properties_come_back(make_docx: MakeDocx) -> None:
    changed = (
        f'<w:p><w:pPr><w:jc w:val="center"/><w:rPr><w:b/><w:rPrChange w:id="6" {BY}><w:rPr/></w:rPrChange></w:rPr>'
        f'<w:pPrChange w:id="7" {BY}><w:pPr><w:jc w:val="left"/></w:pPr></w:pPrChange></w:pPr>'
        f'<w:r><w:rPr><w:i/><w:rPrChange w:id="8" {BY}><w:rPr><w:u w:val="single"/></w:rPr></w:rPrChange></w:rPr><w:t>x</w:t></w:r></w:p>'
    )
    accepted = p(run("x", "<w:i/>"), '<w:pPr><w:jc w:val="center"/><w:rPr><w:b/></w:rPr></w:pPr>')
    rejected = p(run("x", '<w:u w:val="single"/>'), '<w:pPr><w:jc w:val="left"/></w:pPr>')
    both(make_docx, changed, accepted, rejected)


def test_section_changes_keep_headers(make_docx: MakeDocx) -> None:
    section = (
        '<w:sectPr><w:headerReference w:type="default" r:id="rId1"/><w:pgSz w:w="{}"/>{}</w:sectPr>'
    )
    change = (
        f'<w:sectPrChange w:id="6" {BY}><w:sectPr><w:pgSz w:w="100"/></w:sectPr></w:sectPrChange>'
    )
    path = make_docx(p(run("x")) + section.format(200, change), header=p(run("head")))
    reject_all(path, path.with_name("r.docx"))
    (line,) = [x for x in body_lines(path.with_name("r.docx")) if x.startswith("sectPr")]
    assert "w=100" in line
    assert "headerReference:default:" in line


def test_a_content_control_comes_and_goes_around_its_content(make_docx: MakeDocx) -> None:
    def control(kind: str) -> str:
        return (
            f'<w:customXml{kind}RangeStart w:id="1" {BY}/><w:sdt><w:sdtPr><w:text/></w:sdtPr><w:sdtContent><w:customXml{kind}RangeEnd w:id="1"/>'
            f'{run("in")}<w:customXml{kind}RangeStart w:id="2" {BY}/></w:sdtContent></w:sdt><w:customXml{kind}RangeEnd w:id="2"/>'
        )

    kept = f"<w:sdt><w:sdtPr><w:text/></w:sdtPr><w:sdtContent>{run('in')}</w:sdtContent></w:sdt>"
    both(make_docx, p(control("Del")), p(run("in")), p(kept))
    both(make_docx, p(control("Ins")), p(kept), p(run("in")))


def test_moves_settle_at_one_end(make_docx: MakeDocx) -> None:
    def moved(kind: str) -> str:
        return f'<w:p><w:pPr><w:rPr><w:{kind} w:id="3" {BY}/></w:rPr></w:pPr><w:{kind}RangeStart w:id="4" {BY} w:name="m"/><w:{kind} w:id="5" {BY}>{run("moved")}</w:{kind}><w:{kind}RangeEnd w:id="4"/></w:p>'

    body = moved("moveFrom") + p(run("stays")) + moved("moveTo") + p(run("end"))
    both(
        make_docx,
        body,
        p(run("stays")) + p(run("moved")) + p(run("end")),
        p(run("moved")) + p(run("stays")) + p(run("end")),
    )


def test_formulas_settle(make_docx: MakeDocx) -> None:
    m = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    kept = "<m:r><m:t>A=</m:t></m:r>"
    inside = f"<m:r>{DEL}><m:t>2</m:t></w:del></m:r>"
    both(
        make_docx,
        p(f"<m:oMath {m}>{kept}{inside}</m:oMath>"),
        p(f"<m:oMath {m}>{kept}</m:oMath>"),
        p(f"<m:oMath {m}>{kept}<m:r><m:t>2</m:t></m:r></m:oMath>"),
    )


def test_an_inserted_number_goes_when_rejected(make_docx: MakeDocx) -> None:
    number = '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/>{}</w:numPr>'
    body = p(run("x"), f"<w:pPr>{number.format(INS + '/>')}</w:pPr>")
    both(make_docx, body, p(run("x"), f"<w:pPr>{number.format('')}</w:pPr>"), p(run("x")))


def test_only_the_named_authors_changes_are_settled(make_docx: MakeDocx) -> None:
    nested = f'{INS}>{run("kept by Ann ")}<w:del w:id="9" w:author="Bob"><w:r><w:delText>struck by Bob</w:delText></w:r></w:del></w:ins>'
    source = make_docx(p(run("x ") + nested))
    reject_all(source, source.with_name("r.docx"), authors={"Bob"})
    assert (
        differences(
            source.with_name("r.docx"),
            make_docx(
                p(run("x ") + f"{INS}>{run('kept by Ann struck by Bob')}</w:ins>"), name="w.docx"
            ),
        )
        == ()
    )
    accept_all(source, source.with_name("a.docx"), authors={"Ann"})
    left = read_docx(source.with_name("a.docx"))
    assert left.has_tracked_changes
    assert left.paragraphs[0].text == "x kept by Ann "


def test_a_link_left_empty_goes(make_docx: MakeDocx) -> None:
    link = (
        f'<w:hyperlink w:anchor="a"><w:proofErr w:type="spellStart"/>{gone("here")}</w:hyperlink>'
    )
    both(
        make_docx,
        p(run("see ") + link),
        p(run("see ")),
        p(run("see ") + f'<w:hyperlink w:anchor="a">{run("here")}</w:hyperlink>'),
    )


def test_notes_and_comments_go_with_their_reference(make_docx: MakeDocx) -> None:
    inside = '<w:r><w:footnoteReference w:id="1"/></w:r><w:r><w:commentReference w:id="5"/></w:r>'
    body = p(run("x") + f"{DEL}>{inside}</w:del>")
    path = make_docx(
        body,
        footnotes=f'<w:footnote w:id="1">{p(run("secret"))}</w:footnote>',
        comments=f'<w:comment w:id="5">{p(run("c"))}</w:comment>',
    )
    accept_all(path, path.with_name("o.docx"))
    package = Package(path.with_name("o.docx"))
    assert b"secret" not in package.read("word/footnotes.xml")
    assert read_docx(path.with_name("o.docx")).comments == ()


def test_changes_in_notes_and_headers_are_settled(make_docx: MakeDocx) -> None:
    path = make_docx(
        p(run("x")),
        header=p(new("draft ") + run("head")),
        footnotes=f'<w:footnote w:id="1">{p(gone("old") + run("note"))}</w:footnote>',
        name="source.docx",
    )
    accept_all(path, path.with_name("a.docx"))
    reject_all(path, path.with_name("r.docx"))
    assert {n.text for n in read_docx(path.with_name("a.docx")).notes} == {"draft head", "note"}
    assert {n.text for n in read_docx(path.with_name("r.docx")).notes} == {"head", "oldnote"}


@pytest.mark.parametrize("settle", [accept_all, reject_all])
def test_a_document_without_changes_keeps_every_byte(
    make_docx: MakeDocx, settle: Callable[[Path, Path], None]
) -> None:
    path = make_docx(p(run("x")) + "<w:p><w:pPr><w:rPr/></w:pPr></w:p>", header=p(run("h")))
    settle(path, path.with_name("o.docx"))
    before, after = Package(path), Package(path.with_name("o.docx"))
    assert {n: before.read(n) for n in before.names} == {n: after.read(n) for n in after.names}
