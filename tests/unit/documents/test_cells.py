"""Cells of a table: found by rules, and no answer passes that the document does not bear out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import docx
import pytest
from tests.unit.documents.pdfs import write_pdf

from deskmate.errors import ToolInputError
from deskmate.plugin import ToolContext
from deskmate.types.tables import Answer, Cell, Column
from deskmate_documents.cell_values import Value, read_value
from deskmate_documents.cells import CellReader
from deskmate_documents.office.cell_tools import cells_check, cells_find, cells_text
from deskmate_documents.text import Passage, SourceText, read_text

TEXT = (
    "This Agreement is made on March 4, 2025 between Northlight Ltd and Harbour GmbH.",
    "The Customer shall pay a yearly fee of EUR 12,500.50 in advance.",
    "Either party may terminate this Agreement with sixty (60) days’ prior written notice.",
    "This Agreement is governed by the laws of New York, without regard to conflicts of laws.",
    "Neither party may assign this Agreement without the prior written consent of the other.",
    "Version = 2",
)


def source(*texts: str) -> SourceText:
    passages = tuple(
        Passage(text=text, page=number // 3 + 1, paragraph=number + 1)
        for number, text in enumerate(texts or TEXT)
    )
    return SourceText(kind="pdf", passages=passages)


def column(kind: Any, *patterns: str, **more: Any) -> Column:
    return Column(name="C", question="?", kind=kind, patterns=patterns, **more)


def find(one: Column, *texts: str) -> Cell:
    return CellReader(source(*texts)).find([one])[0]


def check(one: Column, value: str, quote: str, *, found: bool = True) -> Cell:
    answer = Answer(column="C", found=found, value=value, quote=quote)
    return CellReader(source()).check([one], [answer])[0]


@pytest.mark.parametrize(
    ("one", "status", "value", "unit", "page"),
    [
        (column("date", r"made on (\w+ \d+, \d{4})"), "checked", "2025-03-04", "", 1),
        (column("money", r"fee of (?P<value>EUR [\d,.]+\d)"), "checked", "12500.5", "EUR", 1),
        (column("number", r"with (\w+ \(\d+\)) days"), "checked", "60", "", 1),
        (column("text", r"laws of (?-i:([A-Z]\w+ [A-Z]\w+))"), "checked", "New York", "", 2),
        (column("choice", r"laws of ([^,.]+)", choices=("New York", "York")), "checked", "New York", "", 2),
        (column("yes_no", r"neither party may assign"), "quoted", "yes", "", 2),
        (column("yes_no", no_patterns=(r"neither party may assign",)), "quoted", "no", "", 2),
        (column("text", r"arbitration in (\w+)"), "not_found", "", "", None),
    ],
)  # fmt: skip
def test_rules_find_typed_answers_with_their_place(
    one: Column, status: str, value: str, unit: str, page: int | None
) -> None:
    cell = find(one)
    assert (cell.status, cell.value, cell.unit, cell.page) == (status, value, unit, page)
    assert bool(cell.quote) == bool(value)
    assert cell.by == "rules"


def test_different_answers_are_disputed_unless_one_is_picked() -> None:
    twice = ("The fee is EUR 100 a month.", "From May on the fee is EUR 200 a month.")
    pattern = r"fee is (EUR \d+)"
    cell = find(column("money", pattern), *twice)
    assert cell.status == "disputed"
    assert "100 (page 1), 200 (page 1)" in cell.why
    assert find(column("money", pattern, pick="first"), *twice).value == "100"
    assert find(column("money", pattern, pick="last"), *twice).value == "200"
    same = ("The fee is EUR 100 a month.", "As said, the fee is EUR 100 a month.")
    assert find(column("money", pattern), *same).status == "checked"


def test_a_pattern_that_is_none_is_named() -> None:
    with pytest.raises(ToolInputError, match="broken pattern"):
        find(column("text", "("))


QUOTE = "Either party may terminate this Agreement with sixty (60) days' prior written notice."
FEE = "The Customer shall pay a yearly fee of EUR 12,500.50"


@pytest.mark.parametrize(
    ("one", "value", "quote", "status", "why"),
    [
        (column("number"), "60", QUOTE, "checked", ""),
        (column("number"), "60 days", QUOTE, "checked", ""),
        (column("number"), "90", QUOTE, "disputed", "not in the quote"),
        (column("number"), "soon", QUOTE, "disputed", "no number"),
        (column("number"), "60", QUOTE.replace("sixty", "ninety"), "disputed", "not in the document"),
        (column("number"), "60", "", "disputed", "no quote"),
        (column("number"), "60", "(60)", "disputed", "too short"),
        (column("money"), "12,500.50 EUR", FEE, "checked", ""),
        (column("money"), "12,500.50 USD", FEE, "disputed", "not in the quote"),
        (column("money"), "12,500.50", FEE, "disputed", "no currency"),
        (column("date"), "2025-03-04", "made on March 4, 2025", "checked", ""),
        (column("date"), "2025-04-03", "made on March 4, 2025", "disputed", "not in the quote"),
        (column("date"), "03/04/2025", "made on March 4, 2025", "disputed", "can be read as"),
        (column("text"), "Harbour GmbH", "between Northlight Ltd and Harbour GmbH", "checked", ""),
        (column("text"), "Harbour", "between Northlight Ltd and Harbours GmbH", "disputed", "not in the document"),
        (column("text"), "a German firm", "between Northlight Ltd and Harbour GmbH", "disputed", "not in the quote"),
        (column("choice", choices=("mutual", "one-way")), "mutual", QUOTE, "quoted", ""),
        (column("choice", choices=("mutual", "one-way")), "both", QUOTE, "disputed", "none of the choices"),
        (column("yes_no"), "yes", QUOTE, "quoted", ""),
        (column("yes_no"), "perhaps", QUOTE, "disputed", "neither yes nor no"),
        (column("text"), "Version = 2", "Version = 2", "checked", ""),
    ],
)  # fmt: skip
def test_an_answer_counts_only_as_far_as_the_document_bears_it_out(
    one: Column, value: str, quote: str, status: str, why: str
) -> None:
    cell = check(one, value, quote)
    assert cell.status == status, cell
    assert why in cell.why


def test_what_is_not_found_has_neither_value_nor_quote() -> None:
    cell = check(column("number"), "5", QUOTE, found=False)
    assert cell == Cell(column="C", status="not_found")


def test_a_column_without_an_answer_is_disputed() -> None:
    cell = CellReader(source()).check([column("text")], [])[0]
    assert (cell.status, cell.value) == ("disputed", "")


def test_a_model_is_held_against_the_rules_of_its_column() -> None:
    fee = column("money", r"fee of (EUR [\d,.]+\d)")
    assert check(fee, "12,500.50 EUR", FEE).status == "checked"
    missed = check(fee, "", "", found=False)
    assert missed.status == "disputed"
    assert "the rule finds 12500.5 EUR on page 1" in missed.why
    other = check(
        column("text", r"laws of (?-i:([A-Z]\w+ [A-Z]\w+))"),
        "Northlight Ltd",
        "between Northlight Ltd and Harbour",
    )
    assert other.status == "disputed"
    assert "the rule finds New York" in other.why


@pytest.mark.parametrize(
    ("kind", "words", "text"),
    [
        ("date", "the 11th day of March, 1999", "1999-03-11"),
        ("date", "1 January 2024", "2024-01-01"),
        ("date", "31.12.2024", "2024-12-31"),
        ("date", "12/31/2024", "2024-12-31"),
        ("date", "5. März 2024", "2024-03-05"),
        ("number", "1,250", "1250"),
        ("number", "2.50", "2.5"),
        ("money", "$3.2 million", "3200000"),
        ("money", "1.250,00 €", "1250"),
        ("yes_no", "Yes.", "yes"),
    ],
)
def test_words_are_read_as_values(kind: Any, words: str, text: str) -> None:
    value = read_value(column(kind), words)
    assert isinstance(value, Value)
    assert value.text == text


@pytest.mark.parametrize(
    ("kind", "words"),
    [("date", "February 30, 2024"), ("date", "in spring"), ("number", "5 or 6"), ("money", "5 EUR or USD"), ("text", " ")],
)  # fmt: skip
def test_words_that_mean_no_value_say_why(kind: Any, words: str) -> None:
    assert isinstance(read_value(column(kind), words), str)


def context(tmp_path: Path) -> ToolContext:
    return ToolContext(workspace=tmp_path, home=tmp_path, resources=tmp_path)


def rows(*columns: Column) -> list[dict[str, Any]]:
    return [
        {"name": c.name, "question": c.question, "kind": c.kind, "patterns": list(c.patterns)}
        for c in columns
    ]


def test_the_tools_read_pdf_pages_and_word_paragraphs(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    write_pdf(
        tmp_path / "d/a.pdf", [[(50, 500, "Cover")], [(50, 500, "The fee is EUR 700 a month.")]]
    )
    word = docx.Document()
    for text in ("Terms", "The fee is EUR 800 a month."):
        word.add_paragraph(text)
    word.save(str(tmp_path / "d/b.docx"))
    asked = rows(column("money", r"fee is (EUR \d+)"))
    pdf = cells_find("d/a.pdf", asked, context(tmp_path))["cells"][0]
    assert (pdf["value"], pdf["page"]) == ("700", 2)
    told = cells_find("d/b.docx", asked, context(tmp_path))["cells"][0]
    assert told["value"] == "800"
    assert told["paragraph"] == read_text(tmp_path / "d/b.docx").passages[1].paragraph
    assert "[page 2]\nThe fee" in cells_text("d/a.pdf", context(tmp_path))["text"]
    answers = [{"column": "C", "found": True, "value": "EUR 700", "quote": "The fee is EUR 700"}]
    checked = cells_check("d/a.pdf", asked, answers, context(tmp_path))["cells"][0]
    assert (checked["status"], checked["page"]) == ("checked", 2)


def test_long_texts_come_in_windows(tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_text(
        "\n\n".join(f"Line {n} of many words." for n in range(20_000))
    )
    text, start, windows = "", 0, 0
    while True:
        answer = cells_text("long.txt", context(tmp_path), start)
        text += answer["text"]
        windows += 1
        if "next" not in answer:
            break
        start = answer["next"]
    assert windows > 1
    assert len(text) == answer["characters"]
    assert "Line 19999 of many words." in text


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("e.txt", b"", "empty"),
        ("n.pdf", b"%PDF-1.4 broken", "damaged"),
        ("w.txt", b" \n ", "holds no words"),
    ],
)
def test_a_document_without_words_is_an_error_not_an_empty_row(
    tmp_path: Path, name: str, content: bytes, why: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ToolInputError, match=why):
        cells_find(name, rows(column("text", "a")), context(tmp_path))


@pytest.mark.parametrize("bad", [[{"name": 1}], [{"column": "C"}]])
def test_malformed_calls_are_refused(tmp_path: Path, bad: list[dict[str, Any]]) -> None:
    (tmp_path / "a.txt").write_text("Words are here.")
    with pytest.raises(ToolInputError, match="malformed"):
        cells_find("a.txt", bad, context(tmp_path))
    with pytest.raises(ToolInputError, match="malformed"):
        cells_check("a.txt", [], [{"column": 5}], context(tmp_path))
