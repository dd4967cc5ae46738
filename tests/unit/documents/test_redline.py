from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from deskmate.errors import ToolInputError
from deskmate_documents.docx.equal import body_lines, differences
from deskmate_documents.docx.reading import read_docx
from deskmate_documents.docx.redline import Edit, RedlineResult, redline
from deskmate_documents.docx.revisions import accept_all, reject_all
from deskmate_documents.docx.worddiff import word_changes
from deskmate_documents.office.package_gate import problems
from deskmate_documents.opc import Package

MakeDocx = Callable[..., Path]
ME = "Rita Reviewer"


def run(text: str, look: str = "") -> str:
    return f'<w:r>{look and f"<w:rPr>{look}</w:rPr>"}<w:t xml:space="preserve">{text}</w:t></w:r>'


def p(content: str, properties: str = "") -> str:
    return f"<w:p>{properties}{content}</w:p>"


TERM = p(run("The term is ") + run("thirty (30)", "<w:b/>") + run(" days from the Effective Date."))


def edit(find: str, replace: str, paragraph: int = 1, reason: str = "Playbook") -> Edit:
    return Edit(paragraph=paragraph, find=find, replace=replace, reason=reason, reference="P-1")


def redlined(source: Path, *edits: Edit) -> tuple[Path, RedlineResult]:
    target = source.with_name("redline.docx")
    return target, redline(source, target, edits, author=ME, date="2026-03-31")


def check(source: Path, *edits: Edit, text: list[str]) -> Path:
    """Redline, and see that rejecting restores the source and accepting gives the text."""
    target, _ = redlined(source, *edits)
    assert [x.text for x in read_docx(target).paragraphs if x.text] == [x for x in text if x]
    reject_all(target, source.with_name("rejected.docx"), authors={ME})
    assert differences(source, source.with_name("rejected.docx")) == ()
    accept_all(target, source.with_name("accepted.docx"), authors={ME})
    assert [x.text for x in read_docx(source.with_name("accepted.docx")).paragraphs] == text
    assert list(problems(target)) == []
    before, after = Package(source), Package(target)
    touched = {
        "word/document.xml",
        "word/comments.xml",
        "[Content_Types].xml",
        "word/_rels/document.xml.rels",
    }
    assert all(before.read(n) == after.read(n) for n in before.names if n not in touched)
    return target


def xml(path: Path) -> str:
    return Package(path).read("word/document.xml").decode()


def test_only_the_words_that_differ_are_struck_and_keep_their_formatting(
    make_docx: MakeDocx,
) -> None:
    target = check(
        make_docx(TERM),
        edit("thirty (30) days", "sixty (60) days"),
        text=["The term is sixty (60) days from the Effective Date."],
    )
    found = xml(target)
    assert '<w:delText xml:space="preserve">thirty</w:delText>' in found
    assert '<w:delText xml:space="preserve">30</w:delText>' in found
    assert "from the Effective" not in "".join(
        etree.fromstring(found.encode()).itertext("{*}delText")
    )
    accepted = body_lines(target.with_name("accepted.docx"))
    assert "  rPr{b}|sixty (60)" in accepted


def test_a_change_across_runs_keeps_each_runs_look_when_rejected(make_docx: MakeDocx) -> None:
    check(
        make_docx(TERM),
        edit("is thirty (30) days from", "ends"),
        text=["The term ends the Effective Date."],
    )


def test_each_edit_gets_a_comment_with_reason_and_reference(make_docx: MakeDocx) -> None:
    target, result = redlined(
        make_docx(TERM),
        edit("thirty (30)", "ten (10)", reason="Too long.\nAsk."),
        edit("Effective Date", "date of signature"),
    )
    assert result == RedlineResult(applied=2, insertions=3, deletions=3, comments=2)
    comments = read_docx(target).comments
    assert [c.text for c in comments] == [
        "Too long.\nAsk.\nReference: P-1",
        "Playbook\nReference: P-1",
    ]
    assert [(c.author, c.date, c.paragraph) for c in comments] == [
        (ME, "2026-03-31T00:00:00Z", 1)
    ] * 2
    assert comments[0].anchor == "ten (10"


def test_comments_that_are_there_stay_and_ids_do_not_clash(make_docx: MakeDocx) -> None:
    anchored = (
        "<w:commentRangeStart w:id='4'/>"
        + run("Old words here.")
        + "<w:commentRangeEnd w:id='4'/><w:r><w:commentReference w:id='4'/></w:r>"
    )
    source = make_docx(
        p(anchored) + TERM,
        comments=f"<w:comment w:id='4' w:author='Ann'>{p(run('Mine.'))}</w:comment>",
    )
    target = check(
        source,
        edit("days", "weeks", paragraph=2),
        edit("words", "text"),
        text=["Old text here.", "The term is thirty (30) weeks from the Effective Date."],
    )
    assert [(c.id, c.author) for c in read_docx(target).comments] == [
        ("4", "Ann"),
        ("5", ME),
        ("6", ME),
    ]


def test_insertions_and_deletions_alone(make_docx: MakeDocx) -> None:
    source = make_docx(TERM)
    check(
        source,
        edit("thirty", "not more than thirty"),
        text=["The term is not more than thirty (30) days from the Effective Date."],
    )
    check(source, edit(" from the Effective Date", ""), text=["The term is thirty (30) days."])
    check(
        source,
        edit("The term", "Note: The term"),
        text=["Note: The term is thirty (30) days from the Effective Date."],
    )
    check(
        source,
        edit("Date.", "Date. It renews."),
        text=["The term is thirty (30) days from the Effective Date. It renews."],
    )


def test_a_new_paragraph_takes_the_style_and_most_common_look(make_docx: MakeDocx) -> None:
    styled = '<w:pPr><w:pStyle w:val="Clause"/></w:pPr>'
    source = make_docx(
        p(run("Term.", "<w:b/>") + run(" It is thirty days long.", "<w:i/>"), styled)
        + p(run("Next."))
    )
    target = check(
        source,
        Edit(paragraph=1, find="", replace="New one.\nAnd two.", reason="r"),
        text=["Term. It is thirty days long.", "New one.", "And two.", "Next."],
    )
    accepted = body_lines(target.with_name("accepted.docx"))
    assert accepted[3:5] == ["p pPr{pStyle[val=Clause]}", "  rPr{i}|New one."]


@pytest.mark.parametrize("after", ["", "<w:tbl><w:tr><w:tc><w:p/></w:tc></w:tr></w:tbl><w:p/>"])
def test_a_new_paragraph_at_a_containers_end_leaves_no_trace_when_rejected(
    make_docx: MakeDocx, after: str
) -> None:
    extra = [""] * after.count("<w:p/>")
    check(
        make_docx(TERM + after),
        Edit(paragraph=1, find="", replace="New.", reason="r"),
        text=["The term is thirty (30) days from the Effective Date.", "New.", *extra],
    )


def test_a_new_paragraph_in_a_cell(make_docx: MakeDocx) -> None:
    body = f"<w:tbl><w:tr><w:tc>{p(run('cell'))}</w:tc></w:tr></w:tbl>{p(run('end'))}"
    check(
        make_docx(body),
        Edit(paragraph=1, find="", replace="More.", reason="r"),
        text=["cell", "More.", "end"],
    )


def test_a_whole_paragraph_goes_with_its_mark(make_docx: MakeDocx) -> None:
    check(make_docx(p(run("Go.")) + p(run("Stay."))), edit("Go.", ""), text=["Stay."])


def test_the_last_paragraph_keeps_its_mark(make_docx: MakeDocx) -> None:
    check(
        make_docx(p(run("Stay.")) + p(run("Go."))), edit("Go.", "", paragraph=2), text=["Stay.", ""]
    )


def test_other_authors_changes_stay(make_docx: MakeDocx) -> None:
    theirs = '<w:ins w:id="1" w:author="Ann"><w:r><w:t>within thirty days</w:t></w:r></w:ins>'
    source = make_docx(p(run("Pay ") + theirs + run(" of receipt.")))
    target = check(
        source,
        edit("thirty days of", "ten business days after"),
        text=["Pay within ten business days after receipt."],
    )
    reject_all(target, source.with_name("theirs.docx"), authors={"Ann"})
    assert "within" not in read_docx(source.with_name("theirs.docx")).paragraphs[0].text
    kept = [
        n
        for n in etree.fromstring(xml(target).encode()).iter("{*}ins")
        if n.get("{http://schemas.openxmlformats.org/wordprocessingml/2006/main}author") == "Ann"
    ]
    assert "".join("".join(n.itertext()) for n in kept) == "within thirty days"


def test_words_in_links_fields_and_controls_can_change(make_docx: MakeDocx) -> None:
    link = f'<w:hyperlink w:anchor="a">{run("the old link")}</w:hyperlink>'
    control = f"<w:sdt><w:sdtContent>{run('old control')}</w:sdtContent></w:sdt>"
    begin, separate, end = (
        f'<w:r><w:fldChar w:fldCharType="{k}"/></w:r>' for k in ("begin", "separate", "end")
    )
    number = f"{begin}<w:r><w:instrText>REF a</w:instrText></w:r>{separate}{run('4.2')}{end}"
    source = make_docx(
        p(run("See ") + link + run(", ") + control + run(" and Section ") + number + run("."))
    )
    text = "See the new link, new control and Section 4.2 and 5."
    target = check(
        source,
        edit("old link", "new link"),
        edit("old control", "new control"),
        edit("4.2", "4.2 and 5"),
        text=[text],
    )
    assert xml(target).index(" and 5") > xml(target).index('w:fldCharType="end"')


def test_typographic_variants_in_find_are_forgiven_and_kept(make_docx: MakeDocx) -> None:
    source = make_docx(p(run("the “Term” of\u00a0Supplier’s lease")))
    check(
        source,
        edit('"Term" of Supplier\'s lease', '"Term" of Customer\'s lease'),
        text=["the “Term” of\u00a0Customer's lease"],
    )


def test_pictures_and_notes_are_never_struck_with_words(make_docx: MakeDocx) -> None:
    noted = '<w:r><w:t>before</w:t><w:footnoteReference w:id="1"/><w:t xml:space="preserve"> after</w:t></w:r>'
    source = make_docx(p(noted), footnotes=f'<w:footnote w:id="1">{p(run("n"))}</w:footnote>')
    target = check(source, edit("before after", "neither"), text=["neither"])
    assert "footnoteReference" in xml(target.with_name("accepted.docx"))


@pytest.mark.parametrize(
    ("bad", "cause"),
    [
        (edit("ninety", "ten"), "does not occur"),
        (edit("e", "a"), "occurs 6 times"),
        (edit("days", "days"), "changes nothing"),
        (edit("days", "weeks", paragraph=9), "no paragraph 9"),
        (edit("days", "weeks", reason=" "), "no reason"),
        (Edit(paragraph=1, find="", replace=" ", reason="r"), "empty paragraph"),
    ],
)
def test_an_edit_that_does_not_fit_stops_everything(
    make_docx: MakeDocx, bad: Edit, cause: str
) -> None:
    source = make_docx(TERM)
    with pytest.raises(ToolInputError, match=cause):
        redlined(source, edit("term", "period"), bad)
    assert not source.with_name("redline.docx").exists()


def test_overlapping_edits_are_refused(make_docx: MakeDocx) -> None:
    with pytest.raises(ToolInputError, match="overlap"):
        redlined(make_docx(TERM), edit("thirty (30) days", "a week"), edit("(30) days from", "on"))


@pytest.mark.parametrize(
    ("author", "date"), [("", "2026-01-01"), (ME, "yesterday"), (ME, "2026-1-1")]
)
def test_author_and_date_are_needed(make_docx: MakeDocx, author: str, date: str) -> None:
    source = make_docx(TERM)
    with pytest.raises(ToolInputError):
        redline(
            source, source.with_name("x.docx"), [edit("term", "period")], author=author, date=date
        )


def test_no_edits_give_a_copy(make_docx: MakeDocx) -> None:
    source = make_docx(TERM)
    target, result = redlined(source)
    assert result.applied == 0
    assert Package(source).read("word/document.xml") == Package(target).read("word/document.xml")


def test_numbers_change_whole() -> None:
    changes = word_changes("cap of $1,000.00 per year", "cap of $2,000.00 per month")
    assert [(c.text) for c in changes] == ["2,000.00", "month"]


WORDS = st.lists(
    st.sampled_from(["the", "Supplier", "shall", "30", "days", "“Term”", "not", ",", "pay"]),
    min_size=1,
    max_size=12,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    runs=st.lists(
        st.tuples(WORDS, st.sampled_from(["", "<w:b/>", "<w:i/>"])), min_size=1, max_size=4
    ),
    new=WORDS,
    cut=st.tuples(st.integers(0, 60), st.integers(1, 60)),
)
def test_any_change_of_any_stretch_can_be_rejected_and_accepted(
    make_docx: MakeDocx, runs: list[tuple[list[str], str]], new: list[str], cut: tuple[int, int]
) -> None:
    body = p("".join(run(" ".join(words) + " ", look) for words, look in runs)) + p(run("end"))
    text = "".join(" ".join(words) + " " for words, _ in runs)
    start = cut[0] % len(text)
    find, replace = text[start : start + cut[1]], " ".join(new)
    if text.count(find) != 1 or find == replace:
        return
    check(make_docx(body), edit(find, replace), text=[text.replace(find, replace), "end"])
