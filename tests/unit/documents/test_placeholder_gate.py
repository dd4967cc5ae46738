from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from deskmate.errors import ToolInputError
from deskmate.plugin import Deliverable, Finding, Sources, ValidationContext
from deskmate_documents.office.placeholder_gate import check_placeholders, placeholders

MakeDocx = Callable[..., Path]


def p(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def check(file: Path, **originals: Path) -> list[Finding]:
    held = {f"c/{name}": path for name, path in originals.items()}
    context = ValidationContext(file=file, sources=Sources(held, {}))
    sources = {name: f"c/{name}" for name in originals}
    return list(check_placeholders(Deliverable(path="c/x", title="X", sources=sources), context))


@pytest.mark.parametrize(
    "text",
    [
        "The fee is [TBD].",
        "Name: XXX Corp",
        "Lorem ipsum dolor",
        "Dear {{first_name}},",
        "~~old~~",
        "between ________ and us",
        "[insert date]",
        "[●] days",
        "[____] days",
        "pay TBD dollars",
        "TODO is fine but [TODO] is not",
    ],
)
def test_placeholders_are_found(text: str) -> None:
    assert list(placeholders(text))


@pytest.mark.parametrize(
    "text",
    [
        "Article XXX applies.",
        "SSN XXX-XX-1234",
        "By: ____________",
        "Name (print): ______ Title: ______ Date: ______",
        "________________________",
        "snake_case and __init__ and a__b",
        "[1] and [Reserved]",
        "a ~ b",
        "{single}",
        "maxxxed out",
        "the rest is to be determined by the court",
    ],
)
def test_near_misses_are_not(text: str) -> None:
    assert list(placeholders(text)) == []


def test_every_part_is_looked_at(make_docx: MakeDocx) -> None:
    path = make_docx(
        p("fine"),
        header=p("{{title}}"),
        footnotes=f'<w:footnote w:id="1">{p("[TBD]")}</w:footnote>',
        comments=f'<w:comment w:id="1">{p("XXX")}</w:comment>',
    )
    assert [f.location for f in check(path)] == [
        "word/header.xml, paragraph 1",
        "word/footnotes.xml, paragraph 1",
        "word/comments.xml, paragraph 1",
    ]


def test_a_placeholder_over_two_runs_is_found(make_docx: MakeDocx) -> None:
    assert check(make_docx("<w:p><w:r><w:t>{{na</w:t></w:r><w:r><w:t>me}}</w:t></w:r></w:p>"))


def test_what_the_original_had_does_not_count_and_what_is_new_does(make_docx: MakeDocx) -> None:
    original = make_docx(p("due on [____] by [____]") + p("[TBD]"), name="o.docx")
    assert check(make_docx(p("due on [____] by Friday") + p("[TBD]")), original=original) == []
    (finding,) = check(make_docx(p("[____] [____] [____]") + p("[TBD]")), original=original)
    assert finding.level == "error"


def test_deleted_text_does_not_count(make_docx: MakeDocx) -> None:
    path = make_docx(
        "<w:p><w:del w:id='1' w:author='A'><w:r><w:delText>[TBD]</w:delText></w:r></w:del></w:p>"
    )
    assert check(path) == []


def test_sheets_and_slides_are_looked_at(make_docx: MakeDocx) -> None:
    a = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
    path = make_docx(
        "",
        extra={
            "xl/sharedStrings.xml": '<sst xmlns="http://x"><si><t>[TBD]</t></si></sst>',
            "ppt/slides/slide1.xml": f"<s {a}><a:p><a:r><a:t>lorem ipsum</a:t></a:r></a:p></s>",
        },
    )
    assert len(check(path)) == 2


def test_text_files_count_and_struck_out_markdown_does_not(tmp_path: Path) -> None:
    text, markdown = tmp_path / "a.txt", tmp_path / "a.md"
    text.write_text("Dear {{name}}")
    markdown.write_text("was ~~ten~~ twenty")
    assert [f.location for f in check(text)] == ["paragraph 1"]
    assert check(markdown) == []


def test_a_kind_without_text_has_no_findings(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"\x89PNG [TBD]")
    assert check(picture) == []


def test_a_damaged_file_is_not_passed(make_docx: MakeDocx) -> None:
    path = make_docx(p("x"))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ToolInputError):
        check(path)


def test_a_damaged_original_allows_nothing(make_docx: MakeDocx, tmp_path: Path) -> None:
    broken = tmp_path / "o.docx"
    broken.write_bytes(b"PK\x03\x04 broken")
    assert check(make_docx(p("[TBD]")), original=broken)
