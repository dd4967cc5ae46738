"""Changes of documents in pieces: what each shows, and any choice of them as a whole file."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import docx
import pytest
from openpyxl import load_workbook
from tests.unit.documents.gate_rooms import write_docx

from deskmate.plugin import ToolInputError
from deskmate_documents.differs import merge, pieces, search_text
from deskmate_documents.docx.equal import differences
from deskmate_documents.docx.reading import read_docx
from deskmate_documents.docx.redline import Edit, redline
from deskmate_documents.docx.revisions import authors_of
from deskmate_documents.office.package_gate import problems
from deskmate_documents.xlsx.edit import edit_workbook

OLD = (
    "# Terms",
    "The fee is 500 euros, due in 30 days.",
    "Notices by post.",
    "Law of Texas.",
    "End.",
)
NEW = (
    "# Terms",
    "The fee is 700 euros, due in 10 days.",
    "Law of Texas.",
    "A new clause.",
    "And one more.",
    "End.",
)


def texts(path: Path) -> list[str]:
    return [p.text for p in read_docx(path).paragraphs if p.text]


@pytest.fixture
def versions(tmp_path: Path) -> tuple[Path, Path]:
    return write_docx(tmp_path / "old.docx", *OLD), write_docx(tmp_path / "new.docx", *NEW)


def test_each_change_of_a_document_is_a_piece(versions: tuple[Path, Path]) -> None:
    found = pieces(*versions)
    assert [piece.id for piece in found] == [str(n) for n in range(1, len(found) + 1)]
    lines = [line for piece in found for line in piece.lines]
    assert {
        "-500",
        "+700",
        "-30",
        "+10",
        "-Notices by post.",
        "+A new clause.",
        "+And one more.",
    } <= set(lines)
    assert len(found) == 4


def test_any_choice_gives_a_whole_document(versions: tuple[Path, Path], tmp_path: Path) -> None:
    found = pieces(*versions)
    target = tmp_path / "out.docx"
    merge(*versions, [], target)
    assert differences(target, versions[0]) == ()
    merge(*versions, [piece.id for piece in found], target)
    assert differences(target, versions[1]) == ()
    fee = next(piece.id for piece in found if "+700" in piece.lines)
    merge(*versions, [fee], target)
    assert texts(target) == [OLD[0].lstrip("# "), "The fee is 700 euros, due in 30 days.", *OLD[2:]]
    for number in range(1, 2 ** len(found) - 1):
        chosen = [piece.id for place, piece in enumerate(found) if number >> place & 1]
        merge(*versions, chosen, target)
        assert list(problems(target)) == []
        assert not read_docx(target).has_tracked_changes


def test_tracked_changes_of_the_newer_version_stay_tracked(tmp_path: Path) -> None:
    old = write_docx(tmp_path / "old.docx", *OLD)
    edits = [
        Edit(paragraph=2, find="500", replace="700", reason="Our position."),
        Edit(paragraph=3, find="post", replace="e-mail", reason="Faster."),
    ]
    redline(old, tmp_path / "new.docx", edits, author="Deskmate", date="2026-01-01")
    found = pieces(old, tmp_path / "new.docx")
    assert [piece.lines[1:] for piece in found] == [
        ("#Deskmate: Our position.", " The fee is ", "-500", "+700", "  euros, due in 30 days."),
        ("#Deskmate: Faster.", " Notices by ", "-post", "+e-mail", " ."),
    ]
    # a file that is new shows the same, and is taken whole
    fresh = pieces(None, tmp_path / "new.docx")
    assert [piece.lines for piece in fresh] == [piece.lines for piece in found]
    assert not any(piece.alone for piece in fresh)
    target = tmp_path / "out.docx"
    merge(old, tmp_path / "new.docx", ["2"], target)
    assert texts(target) == [OLD[0].lstrip("# "), OLD[1], "Notices by e-mail.", *OLD[3:]]
    assert authors_of(target) == {"Deskmate"}
    assert [comment.text for comment in read_docx(target).comments] == ["Faster."]
    assert list(problems(target)) == []
    merge(old, tmp_path / "new.docx", [], target)
    assert differences(target, old) == ()
    assert read_docx(target).comments == ()


def test_a_change_stands_among_the_words_of_its_paragraph(tmp_path: Path) -> None:
    long = "word " * 60
    old = write_docx(tmp_path / "old.docx", f"{long}ten {long}.", "Two and three.")
    edits = [
        Edit(paragraph=1, find="ten", replace="twelve", reason="One."),
        Edit(paragraph=2, find="Two", replace="Four", reason="Two."),
        Edit(paragraph=2, find="three", replace="five", reason="Three."),
    ]
    redline(old, tmp_path / "new.docx", edits, author="Ann", date="2026-01-01")
    first, second, third = (piece.lines for piece in pieces(old, tmp_path / "new.docx"))
    assert first[1] == "#Ann: One."
    assert (first[2][:2], first[2][-6:], len(first[2]) <= 162) == (" …", " word ", True)
    assert (first[5][:6], first[5][-1], len(first[5]) <= 162) == ("  word", "…", True)
    # what another change takes out is not among them, what it brings is
    assert second[2:] == ("-Two", "+Four", "  and five.")
    assert third[2:] == (" Four and ", "-three", "+five", " .")


def test_third_party_pairs_hold_both_ends_and_random_choices_are_whole(
    cases: Path, tmp_path: Path
) -> None:
    folder = cases / "legal/docx_tracked_triples"
    rng = random.Random(7)
    for accepted in sorted(folder.glob("*-Accepted.docx")):
        rejected = accepted.with_name(accepted.name.replace("-Accepted", "-Rejected"))
        found = pieces(rejected, accepted)
        ids = [piece.id for piece in found]
        target = tmp_path / "out.docx"
        merge(rejected, accepted, ids, target)
        assert differences(target, accepted) == ()
        merge(rejected, accepted, [], target)
        assert differences(target, rejected) == ()
        merge(rejected, accepted, rng.sample(ids, len(ids) // 2), target)
        assert set(problems(target)) <= set(problems(accepted)) | set(problems(rejected))


def test_third_party_redlines_are_taken_change_by_change(cases: Path, tmp_path: Path) -> None:
    folder = cases / "legal/docx_tracked_triples"
    for source in sorted(folder.glob("*.docx")):
        if source.stem.endswith("ted"):
            continue
        rejected = source.with_name(f"{source.stem}-Rejected.docx")
        try:
            ids = [piece.id for piece in pieces(rejected, source)]
        except ToolInputError:
            continue
        merge(rejected, source, ids[::2], tmp_path / "out.docx")
        assert set(problems(tmp_path / "out.docx")) <= set(problems(source)) | set(
            problems(rejected)
        )


@pytest.fixture
def books(tmp_path: Path) -> tuple[Path, Path]:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    sheet.title = "P L"
    for row in (
        ["Item", "EUR"],
        ["Rent", 600],
        ["Power", 400],
        ["Total", "=SUM(B2:B3)"],
        ["Note", "=x"],
    ):
        sheet.append(row)
    sheet["B5"].data_type = "s"
    old, new = tmp_path / "old.xlsx", tmp_path / "new.xlsx"
    book.save(old)
    edits: list[dict[str, Any]] = [
        {"op": "set", "cells": "'P L'!B2", "value": 650.5},
        {"op": "set", "cells": "'P L'!B4", "formula": "=B2+B3"},
        {"op": "set", "cells": "'P L'!A3", "value": "=Power", "as_text": True},
        {"op": "clear", "cells": "'P L'!B5"},
        {"op": "set", "cells": "'P L'!C2", "value": True},
    ]
    edit_workbook(old, new, edits)
    return old, new


def values(path: Path) -> dict[str, Any]:
    sheet = load_workbook(path)["P L"]
    return {
        cell.coordinate: cell.value
        for row in sheet.iter_rows()
        for cell in row
        if cell.value is not None
    }


def test_each_cell_of_a_workbook_is_a_piece(books: tuple[Path, Path], tmp_path: Path) -> None:
    found = pieces(*books)
    heads = [piece.lines[0].split(" @@")[0] for piece in found]
    assert heads == [f"@@ 'P L'!{name}" for name in ("B2", "C2", "A3", "B4", "B5")]
    assert found[0].lines[1:] == ("-600", "+650.5")
    assert found[3].lines[1:] == ("-=SUM(B2:B3)", "+=B2+B3")
    target = tmp_path / "out.xlsx"
    merge(*books, [], target)
    assert values(target) == values(books[0])
    merge(*books, [piece.id for piece in found], target)
    assert values(target) == values(books[1])
    merge(*books, ["1", "4"], target)
    assert values(target) == values(books[0]) | {"B2": 650.5, "B4": "=B2+B3"}
    assert list(problems(target)) == []


def test_what_is_not_a_cell_is_one_piece_of_a_workbook(
    books: tuple[Path, Path], tmp_path: Path
) -> None:
    old, new = books
    bold = [
        {"op": "style", "cells": "'P L'!A1", "bold": True},
        {"op": "set", "cells": "'P L'!B3", "value": 1},
    ]
    edit_workbook(old, new, bold)
    found = pieces(old, new)
    assert found[-1].lines[0].startswith("@@ formats, rules, sheets and all else")
    target = tmp_path / "out.xlsx"
    merge(old, new, [found[-1].id], target)
    book = load_workbook(target)["P L"]
    assert (book["A1"].font.bold, book["B3"].value) == (True, 400)
    merge(old, new, ["1"], target)
    book = load_workbook(target)["P L"]
    assert (book["A1"].font.bold, book["B3"].value) == (False, 1)


def test_unknown_pieces_other_kinds_and_damaged_files_are_told(
    versions: tuple[Path, Path], books: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(ToolInputError, match="has no change 99; it has 4"):
        merge(*versions, ["99"], tmp_path / "out.docx")
    with pytest.raises(ToolInputError, match="no document whose changes"):
        pieces(versions[0], books[0])
    (tmp_path / "broken.docx").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(ToolInputError):
        pieces(versions[0], tmp_path / "broken.docx")


def test_text_for_search_comes_from_every_kind(
    versions: tuple[Path, Path], books: tuple[Path, Path], tmp_path: Path
) -> None:
    assert list(search_text(versions[0]))[1] == OLD[1]
    assert {"Rent", "600"} <= set(search_text(books[0]))
    (tmp_path / "a.md").write_text("# Hello\n\nworld")
    assert list(search_text(tmp_path / "a.md")) == ["Hello", "world"]
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    assert list(search_text(tmp_path / "a.png")) == []
    document = docx.Document()
    for _ in range(300):
        document.add_paragraph("word " * 2_000)
    document.save(str(tmp_path / "long.docx"))
    assert sum(len(line) + 1 for line in search_text(tmp_path / "long.docx")) <= 2_000_001


MOVED = (
    '<w:p><w:moveFromRangeStart w:id="1" w:name="m" w:author="Ann" w:date="2026-01-01T00:00:00Z"/>'
    '<w:moveFrom w:id="2" w:author="Ann" w:date="2026-01-01T00:00:00Z"><w:r><w:t>one </w:t></w:r></w:moveFrom>'
    '<w:moveFromRangeEnd w:id="1"/><w:r><w:t>two </w:t></w:r>'
    '<w:moveToRangeStart w:id="3" w:name="m" w:author="Ann" w:date="2026-01-01T00:00:00Z"/>'
    '<w:moveTo w:id="4" w:author="Ann" w:date="2026-01-01T00:00:00Z"><w:r><w:t>one </w:t></w:r></w:moveTo>'
    '<w:moveToRangeEnd w:id="3"/></w:p>'
)


def test_both_ends_of_a_move_are_one_change(make_docx: Any, tmp_path: Path) -> None:
    old = make_docx("<w:p><w:r><w:t>one two </w:t></w:r></w:p>", name="old.docx")
    new = make_docx(MOVED, name="new.docx")
    (piece,) = pieces(old, new)
    assert piece.lines[-1] == "~moved"
    merge(old, new, [], tmp_path / "out.docx")
    assert differences(tmp_path / "out.docx", old) == ()
    merge(old, new, ["1"], tmp_path / "out.docx")
    assert authors_of(tmp_path / "out.docx") == {"Ann"}
    assert texts(tmp_path / "out.docx") == ["two one "]
    assert list(problems(tmp_path / "out.docx")) == []


def test_a_deleted_paragraph_end_and_a_control_are_taken_or_left(
    make_docx: Any, tmp_path: Path
) -> None:
    who = 'w:author="Ann" w:date="2026-01-01T00:00:00Z"'
    control = (
        '<w:sdt><w:sdtPr><w:tag w:val="fee"/></w:sdtPr><w:sdtContent>{}</w:sdtContent></w:sdt>'
    )
    plain = control.format("<w:r><w:t>500</w:t></w:r>")
    marked = control.format(
        f'<w:del w:id="8" {who}><w:r><w:delText>500</w:delText></w:r></w:del>'
        f'<w:ins w:id="9" {who}><w:r><w:t>700</w:t></w:r></w:ins>'
    )
    rest = "<w:p><w:r><w:t>second</w:t></w:r></w:p>"
    old = make_docx(f"<w:p><w:r><w:t>fee </w:t></w:r>{plain}</w:p>{rest}", name="old.docx")
    end = f'<w:pPr><w:rPr><w:del w:id="7" {who}/></w:rPr></w:pPr>'
    new = make_docx(f"<w:p>{end}<w:r><w:t>fee </w:t></w:r>{marked}</w:p>{rest}", name="new.docx")
    found = pieces(old, new)
    lines = [line for piece in found for line in piece.lines]
    assert {"-500", "+700"} <= set(lines)
    merge(old, new, [], tmp_path / "out.docx")
    assert differences(tmp_path / "out.docx", old) == ()
    merge(old, new, [piece.id for piece in found], tmp_path / "out.docx")
    assert differences(tmp_path / "out.docx", new) == ()
