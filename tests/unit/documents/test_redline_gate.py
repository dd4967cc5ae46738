from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from deskmate.plugin import Deliverable, Finding, Sources, ValidationContext
from deskmate_documents.office.redline_gate import check_redline

MakeDocx = Callable[..., Path]
ONE = "<w:p><w:r><w:t>The term is </w:t></w:r>{0}<w:r><w:t> years.</w:t></w:r></w:p>"
TWO = "<w:p><w:r><w:t>{0}</w:t></w:r></w:p>"
FIVE = "<w:r><w:t>five</w:t></w:r>"


def change(author: str, old: str, new: str, number: int = 1) -> str:
    mark = f'w:author="{author}" w:date="2026-01-01T00:00:00Z"'
    return (
        f'<w:del w:id="{number}" {mark}><w:r><w:delText>{old}</w:delText></w:r></w:del>'
        f'<w:ins w:id="{number + 1}" {mark}><w:r><w:t>{new}</w:t></w:r></w:ins>'
    )


def check(file: Path, **originals: Path) -> list[Finding]:
    held = {f"c/{name}.docx": path for name, path in originals.items()}
    context = ValidationContext(file=file, sources=Sources(held, {}))
    return list(check_redline(Deliverable(path="c/final.docx", title="Final"), context))


def test_tracked_changes_of_an_original_pass_without_naming_it(make_docx: MakeDocx) -> None:
    other = make_docx(TWO.format("Something else."), "other.docx")
    original = make_docx(ONE.format(FIVE) + TWO.format("Delaware."), "o.docx")
    body = ONE.format(change("Deskmate", "five", "three")) + TWO.format("Delaware.")
    assert check(make_docx(body, "x.docx"), other=other, original=original) == []


def test_a_change_that_is_not_tracked_is_found(make_docx: MakeDocx) -> None:
    original = make_docx(ONE.format(FIVE) + TWO.format("Delaware."), "o.docx")
    body = ONE.format(change("Deskmate", "five", "three")) + TWO.format("Texas.")
    (finding,) = check(make_docx(body, "x.docx"), original=original)
    assert finding.level == "error"
    assert "gives no original back" in finding.message


def test_tracked_changes_of_nothing_that_was_read_are_unverified(make_docx: MakeDocx) -> None:
    file = make_docx(ONE.format(change("Deskmate", "five", "three")), "x.docx")
    (finding,) = check(file)
    assert "UNVERIFIED" in finding.message


def test_a_second_round_by_the_same_author_passes(make_docx: MakeDocx) -> None:
    first = ONE.format(change("Deskmate", "five", "three"))
    original = make_docx(first + TWO.format("Delaware."), "o.docx")
    second = first + f"<w:p>{change('Deskmate', 'Delaware.', 'New York.', 7)}</w:p>"
    assert check(make_docx(second, "x.docx"), original=original) == []


def test_a_document_without_tracked_changes_is_not_its_business(make_docx: MakeDocx) -> None:
    assert check(make_docx(TWO.format("A memo."), "x.docx")) == []


def test_a_broken_document_is_an_error_and_a_broken_original_is_passed_over(
    make_docx: MakeDocx, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.docx"
    broken.write_bytes(b"not a document")
    assert check(broken)[0].level == "error"
    original = make_docx(ONE.format(FIVE), "o.docx")
    file = make_docx(ONE.format(change("Deskmate", "five", "three")), "x.docx")
    assert check(file, broken=broken, original=original) == []
