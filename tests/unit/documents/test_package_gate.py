from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from deskmate.plugin import Deliverable, Finding, Sources, ValidationContext
from deskmate_documents.office.package_gate import check_package, problems

MakeDocx = Callable[..., Path]
P = "<w:p/>"
COMMENT = '<w:comment w:id="1"><w:p/></w:comment>'
ANCHOR = '<w:p><w:commentRangeStart w:id="1"/><w:commentRangeEnd w:id="1"/><w:r><w:commentReference w:id="1"/></w:r></w:p>'
RUN = "<w:r><w:{0}>x</w:{0}></w:r>"


def check(file: Path, original: Path | None = None) -> list[Finding]:
    held = {"c/o.docx": original} if original else {}
    context = ValidationContext(file=file, sources=Sources(held, {}))
    return list(
        check_package(
            Deliverable(
                path="c/x.docx",
                title="X",
                sources=dict.fromkeys(["original"], "c/o.docx") if original else {},
            ),
            context,
        )
    )


def rewritten(path: Path, changed: Mapping[str, Callable[[bytes], bytes | None]]) -> Path:
    """Return a copy of the package with some parts changed, or left out where the change gives None."""
    target = path.with_name("rewritten.docx")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data: bytes | None = old.read(name)
            if name in changed and data is not None:
                data = changed[name](data)
            if data is not None:
                new.writestr(name, data)
    return target


def test_a_whole_document_passes(make_docx: MakeDocx) -> None:
    assert check(make_docx(ANCHOR + P, comments=COMMENT, styles="", header=P)) == []


BROKEN = {
    "cell": ("<w:tbl><w:tr><w:tc/></w:tr></w:tbl>", "cell does not end"),
    "cell that ends with a table": (
        f"<w:tbl><w:tr><w:tc>{P}<w:tbl><w:tr><w:tc>{P}</w:tc></w:tr></w:tbl></w:tc></w:tr></w:tbl>",
        "cell does not end",
    ),
    "row": ("<w:tbl><w:tr/></w:tbl>", "no cells"),
    "table": ("<w:tbl/>", "no rows"),
    "bookmark": ('<w:p><w:bookmarkStart w:id="1" w:name="a"/></w:p>', "has no end"),
    "bookmark id": (
        '<w:p><w:bookmarkStart w:id="1" w:name="a"/><w:bookmarkStart w:id="1" w:name="b"/><w:bookmarkEnd w:id="1"/></w:p>',
        "is there 2 times",
    ),
    "footnote": ('<w:p><w:r><w:footnoteReference w:id="9"/></w:r></w:p>', "footnote 9"),
    "deleted text": (f"<w:p>{RUN.format('delText')}</w:p>", "outside a deletion"),
    "kept text": (
        f'<w:p><w:del w:id="1" w:author="A">{RUN.format("t")}</w:del></w:p>',
        "as ordinary text",
    ),
    "revision id": (
        f'<w:p><w:ins w:id="1" w:author="A">{RUN.format("t")}</w:ins><w:ins w:id="1" w:author="A">{RUN.format("t")}</w:ins></w:p>',
        "used by 2",
    ),
    "no revision id": (f'<w:p><w:ins w:author="A">{RUN.format("t")}</w:ins></w:p>', "has no id"),
    "lost relationship": ('<w:p><w:hyperlink r:id="rId99"/></w:p>', "rId99"),
    "comment without text": (
        '<w:p><w:commentRangeStart w:id="3"/><w:commentRangeEnd w:id="3"/></w:p>',
        "without a comment",
    ),
    "half a range": (ANCHOR.replace('<w:commentRangeEnd w:id="1"/>', ""), "only one end"),
    "comment without anchor": (P, "not anchored"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_word_would_repair_or_lose_is_an_error(make_docx: MakeDocx, name: str) -> None:
    body, cause = BROKEN[name]
    with_comments = (
        {"comments": COMMENT} if name in {"half a range", "comment without anchor"} else {}
    )
    findings = check(make_docx(body + P, **with_comments))
    assert findings
    assert all((f.rule, f.level) == ("G-OOXML", "error") for f in findings)
    assert any(cause in f.message for f in findings)


def test_moved_text_is_ordinary_text(make_docx: MakeDocx) -> None:
    assert (
        check(
            make_docx(
                f'<w:p><w:moveFrom w:id="1" w:author="A">{RUN.format("t")}</w:moveFrom></w:p>'
            )
        )
        == []
    )


def test_parts_that_are_missing_or_without_type_are_errors(make_docx: MakeDocx) -> None:
    path = make_docx(P, styles="", extra={"word/media/i.odd": "x"})
    found = list(problems(rewritten(path, {"word/styles.xml": lambda _: None})))
    assert any("points to word/styles.xml" in line for line in found)
    assert any("names /word/styles.xml" in line for line in found)
    assert any("i.odd has no content type" in line for line in found)


def test_ids_given_twice_are_errors(make_docx: MakeDocx) -> None:
    path = make_docx(P, styles="", header=P)
    found = list(
        problems(
            rewritten(path, {"word/_rels/document.xml.rels": lambda d: d.replace(b"rId2", b"rId1")})
        )
    )
    assert any("rId1 2 times" in line for line in found)


def test_a_comment_there_twice_is_an_error(make_docx: MakeDocx) -> None:
    assert any(
        "is there 2 times" in f.message for f in check(make_docx(ANCHOR, comments=COMMENT * 2))
    )


def test_xml_that_does_not_parse_is_an_error(make_docx: MakeDocx) -> None:
    path = rewritten(make_docx(P, styles=""), {"word/styles.xml": lambda d: d[:-3]})
    (finding,) = check(path)
    assert "does not parse" in finding.message


def test_what_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.docx"
    path.write_bytes(b"nothing")
    (finding,) = check(path)
    assert "not an Office file" in finding.message


def test_what_the_original_suffered_from_does_not_count(make_docx: MakeDocx) -> None:
    body = '<w:p><w:bookmarkStart w:id="1" w:name="a"/></w:p>'
    original = make_docx(body, name="o.docx")
    assert check(make_docx(body + P), original) == []
    assert check(make_docx(body + "<w:tbl/>"), original)


def test_other_kinds_are_not_this_rules_business(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("x")
    assert check(path) == []
