from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

import deskmate_documents
from deskmate.errors import ToolInputError
from deskmate.plugin import PluginContext, ToolContext
from deskmate_documents.office.tools import (
    document_outline,
    document_quote,
    document_read,
    docx_accept,
    docx_reject,
)

MakeDocx = Callable[..., Path]
TRACKED = "<w:p><w:r><w:t xml:space='preserve'>We </w:t></w:r><w:ins w:id='1' w:author='A'><w:r><w:t>shall</w:t></w:r></w:ins></w:p>"
STYLES = '<w:style w:type="paragraph" w:styleId="H"><w:name w:val="heading 2"/><w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style>'


def p(text: str, style: str = "") -> str:
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{properties}<w:r><w:t>{text}</w:t></w:r></w:p>"


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    return ToolContext(workspace=tmp_path, home=tmp_path, resources=tmp_path)


def test_a_document_is_read_in_windows(make_docx: MakeDocx, context: ToolContext) -> None:
    make_docx("".join(p(f"Number {n}") for n in range(1, 6)))
    first = document_read("a.docx", context, limit=2)
    assert [x["paragraph"] for x in first["paragraphs"]] == [1, 2]
    assert (first["next"], first["last"], first["title"]) == (3, 5, "Number 1")
    rest = document_read("a.docx", context, start=3)
    assert rest["paragraphs"][-1] == {"paragraph": 5, "text": "Number 5"}
    assert "next" not in rest


def test_long_paragraphs_make_the_window_smaller(make_docx: MakeDocx, context: ToolContext) -> None:
    make_docx(p("x" * 50_000) * 3)
    assert document_read("a.docx", context)["next"] == 2


def test_comments_and_changes_are_told_at_the_start(
    make_docx: MakeDocx, context: ToolContext
) -> None:
    make_docx(
        TRACKED + "<w:p><w:r><w:commentReference w:id='1'/></w:r></w:p>",
        comments=f"<w:comment w:id='1' w:author='Ann'>{p('Why?')}</w:comment>",
    )
    read = document_read("a.docx", context)
    assert read["tracked_changes"]
    assert read["comments"] == [{"author": "Ann", "paragraph": 2, "anchor": "", "text": "Why?"}]


@pytest.mark.parametrize(("start", "limit"), [(0, 5), (1, 0), (1, 9_999)])
def test_a_window_out_of_bounds_is_refused(
    make_docx: MakeDocx, context: ToolContext, start: int, limit: int
) -> None:
    make_docx(p("x"))
    with pytest.raises(ToolInputError):
        document_read("a.docx", context, start=start, limit=limit)


def test_the_outline_is_the_headings(make_docx: MakeDocx, context: ToolContext) -> None:
    make_docx(p("Intro") + p("Term", "H") + p("Text."), styles=STYLES)
    assert document_outline("a.docx", context)["headings"] == [
        {"paragraph": 2, "text": "Term", "level": 2}
    ]


def test_without_heading_styles_the_outline_is_guessed(
    tmp_path: Path, context: ToolContext
) -> None:
    (tmp_path / "a.txt").write_text(
        "MUTUAL NDA\n\n1. Term\n\nThe term is two years.\n\n2.1 Duties of care\nmore text"
    )
    outline = document_outline("a.txt", context)
    assert outline["guessed"]
    assert [h["text"] for h in outline["headings"]] == [
        "MUTUAL NDA",
        "1. Term",
        "2.1 Duties of care",
    ]


def test_a_quotation_is_found_and_recorded(make_docx: MakeDocx, context: ToolContext) -> None:
    path = make_docx(p("x") + p("The “Term” is two years."))
    answer = document_quote("a.docx", 'the "Term" is two', context)
    assert answer.result == {"found": False, "places": []}
    answer = document_quote("a.docx", 'The "Term" is two', context)
    assert answer.result["found"]
    (evidence,) = answer.evidence
    assert evidence.source == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (evidence.path, dict(evidence.locator)) == ("a.docx", {"paragraph": 2})


def test_an_empty_quotation_is_refused(make_docx: MakeDocx, context: ToolContext) -> None:
    make_docx(p("x"))
    with pytest.raises(ToolInputError):
        document_quote("a.docx", "  ", context)


def test_tracked_changes_are_settled_into_another_file(
    make_docx: MakeDocx, context: ToolContext
) -> None:
    before = make_docx(TRACKED).read_bytes()
    assert docx_accept("a.docx", "out/accepted.docx", context) == {
        "path": "out/accepted.docx",
        "tracked_changes": False,
    }
    docx_reject("a.docx", "rejected.docx", context)
    assert document_read("out/accepted.docx", context)["paragraphs"][0]["text"] == "We shall"
    assert document_read("rejected.docx", context)["paragraphs"][0]["text"] == "We "
    assert docx_accept("a.docx", "none.docx", context, authors=["Nobody"])["tracked_changes"]
    assert context.file("a.docx").read_bytes() == before


@pytest.mark.parametrize("target", ["a.docx", "b.pdf", "../b.docx"])
def test_a_target_that_does_not_fit_is_refused(
    make_docx: MakeDocx, context: ToolContext, target: str
) -> None:
    make_docx(TRACKED)
    with pytest.raises(ToolInputError):
        docx_accept("a.docx", target, context)


def test_the_hooks_bring_what_the_manifest_says() -> None:
    resources = Path(deskmate_documents.__file__).parent
    manifest = tomllib.loads((resources / "plugin.toml").read_text())
    context = PluginContext(name="office", version="1", resources=resources)
    tools = deskmate_documents.deskmate_tools(context)
    assert {t.name: t.risk for t in tools} == {n: d["risk"] for n, d in manifest["tools"].items()}
    assert {v.rule for v in deskmate_documents.deskmate_validators(context)} == set(
        manifest["validators"]
    )
    (prompt,) = deskmate_documents.deskmate_prompts(context)
    assert "document_quote" in prompt.text
