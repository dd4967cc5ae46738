from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deskmate_documents.docx.compare import CompareResult, compare
from deskmate_documents.docx.equal import differences
from deskmate_documents.docx.revisions import accept_all, reject_all
from deskmate_documents.office.package_gate import problems
from deskmate_documents.opc import Package

MakeDocx = Callable[..., Path]
SECTION = '<w:sectPr><w:pgSz w:w="{}"/></w:sectPr>'


def run(text: str, look: str = "") -> str:
    return f'<w:r>{look and f"<w:rPr>{look}</w:rPr>"}<w:t xml:space="preserve">{text}</w:t></w:r>'


def p(content: str, properties: str = "") -> str:
    return f"<w:p>{properties and f'<w:pPr>{properties}</w:pPr>'}{content}</w:p>"


def text(*lines: str) -> str:
    return "".join(p(run(line)) for line in lines)


def table(*rows: list[str]) -> str:
    cells = ("".join(f"<w:tc>{p(run(cell))}</w:tc>" for cell in row) for row in rows)
    return f"<w:tbl><w:tblPr/><w:tblGrid/>{''.join(f'<w:tr>{row}</w:tr>' for row in cells)}</w:tbl>"


def compared(before: Path, after: Path) -> CompareResult:
    """Compare, and see that both identities hold and the file is whole."""
    target = before.with_name("compared.docx")
    result = compare(before, after, target, author="Cara", date="2026-01-31")
    accept_all(target, before.with_name("accepted.docx"))
    reject_all(target, before.with_name("rejected.docx"))
    assert differences(before.with_name("accepted.docx"), after) == ()
    assert differences(before.with_name("rejected.docx"), before) == ()
    assert list(problems(target)) == []
    assert result.untracked == ()
    return result


def both(make: MakeDocx, before: str, after: str) -> CompareResult:
    one, two = make(before, name="before.docx"), make(after, name="after.docx")
    compared(two, one)
    return compared(one, two)


def test_equal_documents_have_no_revisions(make_docx: MakeDocx) -> None:
    assert both(make_docx, text("a", "b"), text("a", "b")).revisions == 0


def test_words_that_differ_are_the_only_revisions(make_docx: MakeDocx) -> None:
    result = both(make_docx, text("The term is thirty days."), text("The term is sixty days."))
    assert (result.revisions, result.insertions, result.deletions) == (2, 1, 1)
    (change,) = result.changes
    assert (change.kind, change.before, change.after) == (
        "changed",
        "The term is thirty days.",
        "The term is sixty days.",
    )


def test_a_word_over_runs_and_bookmarks_is_one_word(make_docx: MakeDocx) -> None:
    cut = p(
        run("V")
        + '<w:bookmarkStart w:id="1" w:name="x"/>'
        + run("ideo shows")
        + '<w:bookmarkEnd w:id="1"/>'
        + run(" it.")
    )
    assert both(make_docx, cut, text("Video it.")).deletions == 1


def test_formatting_alone_is_a_change_of_formatting(make_docx: MakeDocx) -> None:
    result = both(
        make_docx,
        p(run("bold", "<w:b/>") + run(" word")),
        p(run("bold", "<w:i/>") + run(" word"), '<w:jc w:val="center"/>'),
    )
    assert (result.insertions, result.deletions) == (0, 0)
    assert [c.kind for c in result.changes] == ["formatted"]


def test_paragraphs_come_and_go_anywhere(make_docx: MakeDocx) -> None:
    lines = [
        "Alpha begins the list here.",
        "Bravo follows the first one.",
        "Charlie is number three.",
    ]
    extra = "Something else entirely was written."
    for place in range(4):
        result = both(make_docx, text(*lines), text(*lines[:place], extra, *lines[place:]))
        assert [c.kind for c in result.changes] == ["inserted"]


def test_the_last_paragraph_may_change_its_look_when_others_come(make_docx: MakeDocx) -> None:
    styled = '<w:pStyle w:val="Quote"/>'
    both(make_docx, text("one"), text("one") + p(run("two"), styled))
    both(make_docx, p(""), p("") + p(run("two"), styled))
    both(make_docx, p(run("x"), styled), text("something entirely other"))


def test_tables_are_compared_by_row_and_cell(make_docx: MakeDocx) -> None:
    before = table(["a", "one"], ["b", "two"]) + p("")
    assert both(make_docx, before, table(["a", "one"], ["b", "three"]) + p("")).revisions == 2
    assert (
        both(make_docx, before, table(["a", "one"], ["x", "new"], ["b", "two"]) + p("")).revisions
        == 1
    )
    both(make_docx, before, table(["a", "one", "more"], ["b", "two", "more"]) + p(""))
    both(make_docx, text("x") + before, text("x"))
    both(make_docx, text("x", "y"), text("x") + before + text("y"))


def test_table_properties_and_grid_are_tracked(make_docx: MakeDocx) -> None:
    one = table(["a"]) + p("")
    two = one.replace("<w:tblPr/>", '<w:tblPr><w:jc w:val="center"/></w:tblPr>').replace(
        "<w:tblGrid/>", '<w:tblGrid><w:gridCol w:w="100"/></w:tblGrid>'
    )
    both(
        make_docx,
        one,
        two.replace("<w:tc>", '<w:tc><w:tcPr><w:tcW w:w="5"/></w:tcPr>').replace(
            "<w:tr>", "<w:tr><w:trPr><w:cantSplit/></w:trPr>"
        ),
    )


def test_content_controls_come_go_and_change(make_docx: MakeDocx) -> None:
    def control(content: str) -> str:
        return f"<w:sdt><w:sdtPr><w:text/></w:sdtPr><w:sdtContent>{content}</w:sdtContent></w:sdt>"

    both(make_docx, control(text("in it")) + text("end"), control(text("in there")) + text("end"))
    both(make_docx, text("end"), control(text("in it")) + text("end"))
    both(make_docx, p(run("a ") + control(run("old"))), p(run("a ") + control(run("new"))))
    both(make_docx, p(run("a ") + control(run("old"))), p(run("a ")))


def test_links_fields_and_formulas_come_and_go(make_docx: MakeDocx) -> None:
    m = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    formula = f"<m:oMath {m}><m:r><m:t>a=b</m:t></m:r></m:oMath>"
    link = f'<w:hyperlink w:anchor="x">{run("the link")}</w:hyperlink>'
    marks = [f'<w:r><w:fldChar w:fldCharType="{k}"/></w:r>' for k in ("begin", "separate", "end")]
    field = f"{marks[0]}<w:r><w:instrText>PAGE</w:instrText></w:r>{marks[1]}{run('3')}{marks[2]}"
    for thing in (
        formula,
        link,
        field,
        f'<w:fldSimple w:instr="PAGE">{run("3")}</w:fldSimple>',
        "<w:r><w:tab/><w:br/></w:r>",
    ):
        both(make_docx, p(run("text here ") + thing + run(" end")), p(run("text here  end")))
    both(make_docx, p(link), p(link.replace("the link", "a link")))


def test_external_links_and_pictures_come_with_their_parts(make_docx: MakeDocx) -> None:
    r = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    rels = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="rId8" Type="{r}/hyperlink" Target="https://example.com/a" TargetMode="External"/>'
        f'<Relationship Id="rId9" Type="{r}/image" Target="media/i.xml"/></Relationships>'
    )
    body = p(
        f'<w:hyperlink r:id="rId8">{run("site")}</w:hyperlink><w:r><w:drawing><w:x r:embed="rId9"/></w:drawing></w:r>'
    )
    after = make_docx(
        text("x") + body,
        name="after.docx",
        extra={"word/_rels/document.xml.rels": rels, "word/media/i.xml": "<image/>"},
    )
    compared(make_docx(text("x"), name="before.docx"), after)
    assert "word/media/iD1.xml" in Package(after.with_name("compared.docx"))


def test_lists_and_styles_that_are_new_come_along(make_docx: MakeDocx) -> None:
    lists = '<w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:lvlText w:val="%1."/></w:lvl></w:abstractNum><w:num w:numId="3"><w:abstractNumId w:val="0"/></w:num>'
    styles = '<w:style w:type="paragraph" w:styleId="New"><w:name w:val="New"/></w:style>'
    numbered = p(run("one item"), '<w:pStyle w:val="New"/><w:numPr><w:numId w:val="3"/></w:numPr>')
    before = make_docx(text("x"), name="before.docx", styles="")
    compared(
        before, make_docx(text("x") + numbered, name="after.docx", styles=styles, numbering=lists)
    )
    assert b'w:styleId="New"' in Package(before.with_name("compared.docx")).read("word/styles.xml")
    other = lists.replace("%1.", "(%1)")
    same_id = make_docx(text("x") + numbered, name="before.docx", styles=styles, numbering=other)
    compared(
        same_id, make_docx(text("x") + numbered, name="after.docx", styles=styles, numbering=lists)
    )


def test_notes_are_compared_in_place_and_new_ones_come_along(make_docx: MakeDocx) -> None:
    def document(name: str, *notes: str) -> Path:
        body = "".join(
            run(f"word {n}") + f'<w:r><w:footnoteReference w:id="{n}"/></w:r>'
            for n in range(1, len(notes) + 1)
        )
        found = "".join(
            f'<w:footnote w:id="{n}">{p(run(note))}</w:footnote>' for n, note in enumerate(notes, 1)
        )
        return make_docx(
            p(body or run("word")), name=name, **({"footnotes": found} if notes else {})
        )

    result = compared(document("before.docx", "an old note"), document("after.docx", "a new note"))
    assert (result.insertions, result.deletions) == (1, 1)
    assert [c.kind for c in result.changes] == ["formatted"]
    compared(document("before.docx", "one"), document("after.docx", "one", "two"))
    compared(document("before.docx"), document("after.docx", "one"))


def test_headers_and_sections_are_compared(make_docx: MakeDocx) -> None:
    def document(name: str, head: str, width: int) -> Path:
        body = text("x") + SECTION.format(width).replace(
            "<w:pgSz", '<w:headerReference w:type="default" r:id="rId1"/><w:pgSz'
        )
        return make_docx(body, name=name, header=text(head))

    assert (
        compared(
            document("before.docx", "draft one", 100), document("after.docx", "draft two", 200)
        ).revisions
        == 3
    )


def test_what_word_cannot_track_is_named(make_docx: MakeDocx) -> None:
    headed = make_docx(
        text("x") + '<w:sectPr><w:headerReference r:id="rId1"/></w:sectPr>',
        name="after.docx",
        header=text("h"),
    )
    before = make_docx(text("x") + "<w:sectPr/>", name="before.docx")
    result = compare(before, headed, before.with_name("c.docx"), author="C", date="2026-01-01")
    assert any("headerReference" in line for line in result.untracked)


def test_earlier_tracked_changes_count_as_accepted(make_docx: MakeDocx) -> None:
    tracked = p(run("We ") + '<w:ins w:id="1" w:author="A"><w:r><w:t>shall</w:t></w:r></w:ins>')
    before, after = (
        make_docx(tracked, name="before.docx"),
        make_docx(text("We will"), name="after.docx"),
    )
    compare(before, after, before.with_name("c.docx"), author="C", date="2026-01-01")
    reject_all(before.with_name("c.docx"), before.with_name("r.docx"))
    assert differences(before.with_name("r.docx"), make_docx(text("We shall"), name="w.docx")) == ()


def test_odd_ids_and_hollow_controls_are_no_crash(make_docx: MakeDocx) -> None:
    odd = p('<w:bookmarkStart w:id="" w:name="a"/>' + run("word") + '<w:bookmarkEnd w:id="x"/>')
    before = make_docx(text("x") + "<w:sdt/>" + text("y"), name="before.docx")
    after = make_docx(
        text("x") + odd + "<w:sdt><w:sdtContent><w:p/></w:sdtContent></w:sdt>" + text("y"),
        name="after.docx",
    )
    for one, two in ((before, after), (after, before)):
        compare(one, two, before.with_name("c.docx"), author="C", date="2026-01-01")


LINES = st.lists(
    st.lists(
        st.sampled_from(["the", "Supplier", "shall", "pay", "30", "days", "not", "."]), max_size=6
    ).map(" ".join),
    min_size=1,
    max_size=5,
)
LOOKS = st.lists(st.sampled_from(["", "<w:b/>", "<w:i/>"]), min_size=5, max_size=5)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(old=LINES, new=LINES, looks=LOOKS, grid=st.booleans())
def test_any_two_documents_hold_both_identities(
    make_docx: MakeDocx, old: list[str], new: list[str], looks: list[str], grid: bool
) -> None:
    def body(lines: list[str], look: list[str]) -> str:
        made = "".join(
            p(run(line, one), f'<w:jc w:val="{"left" if one else "both"}"/>')
            for line, one in zip(lines, look, strict=False)
        )
        return (table(lines) if grid else "") + made

    compared(
        make_docx(body(old, looks), name="before.docx"),
        make_docx(body(new, looks[::-1]), name="after.docx"),
    )
