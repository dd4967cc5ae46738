"""G-NUM: figures trace to the host's originals or recompute from them; the agent's ledger proves nothing."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from tests.unit.documents.gate_rooms import digest, errors, room, write_docx

from deskmate.plugin import (
    Claim,
    Deliverable,
    Digest,
    Evidence,
    Finding,
    ToolContext,
    ToolInputError,
)
from deskmate_documents.evidence import Unproven, compute
from deskmate_documents.office.evidence_tools import document_figure, document_present
from deskmate_documents.office.number_gate import check_numbers

REPORT = "Revenue was $1.2 million in 2026, 20.0 % more than in 2025."


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("PL")
        sheet.write_row("A1", ["", 2025, 2026])
        sheet.write_row("A2", ["Revenue", 1_000_400, 1_200_480])
    return path


def cell(model: Path, name: str, value: str, place: str) -> Evidence:
    return Evidence(
        id=name,
        source=Digest(digest(model)),
        path="w/model.xlsx",
        locator={"sheet": "PL", "cell": place},
        value=value,
    )


def claims(**changes: Any) -> tuple[Claim, ...]:
    growth = {
        "text": "20.0 % more",
        "evidence": ("now", "then"),
        "kind": "number",
        "formula": "e1 / e2 - 1",
    } | changes
    return (
        Claim(text="Revenue was $1.2 million", evidence=("now",), kind="number"),
        Claim(**growth),
    )


def check(
    tmp_path: Path, model: Path, text: str = REPORT, made: tuple[Claim, ...] = (), **ledger: str
) -> list[Finding]:
    file = write_docx(tmp_path / "out/report.docx", "# Results", text)
    values = {"now": "1200480", "then": "1000400"} | ledger
    evidence = [
        cell(model, name, value, {"now": "C2", "then": "B2"}.get(name, "B9"))
        for name, value in values.items()
    ]
    deliverable = Deliverable(path="w/report.docx", title="R", role="report", claims=made)
    return list(check_numbers(deliverable, room(file, {"w/model.xlsx": model}, evidence)))


def test_claims_that_recompute_pass(tmp_path: Path, model: Path) -> None:
    assert check(tmp_path, model, made=claims()) == []


def test_a_figure_that_stands_in_a_source_needs_no_claim(tmp_path: Path, model: Path) -> None:
    assert check(tmp_path, model, "Revenue was 1,200,480.") == []


@pytest.mark.parametrize(
    ("text", "made", "found"),
    [
        (REPORT.replace("1.2 m", "1.3 m"), (), "$1.3 million stands in no source"),
        (REPORT, (), "20.0 % stands in no source"),
        (
            REPORT.replace("20.0", "21.0"),
            claims(text="21.0 % more"),
            "gives 0.2, not what is said",
        ),
        (REPORT, claims(text="30.0 % more"), "does not say what is claimed"),
        (REPORT, claims(evidence=("now", "never")), "There is no evidence never"),
        (REPORT, claims(evidence=()), "names no evidence"),
        (REPORT, claims(formula="0.2"), "needs evidence"),
        (REPORT, claims(formula="e1 / e1 * e2 / e2"), "does not depend on e1"),
        (REPORT, claims(formula="__import__('os')"), "may only add"),
        (REPORT, claims(formula=""), "not 20.0 %"),
    ],
)
def test_an_invented_figure_is_found(
    tmp_path: Path, model: Path, text: str, made: tuple[Claim, ...], found: str
) -> None:
    assert found in " ".join(errors(check(tmp_path, model, text, made)))


def test_a_ledger_that_lies_is_not_believed(tmp_path: Path, model: Path) -> None:
    text = "Revenue was 9,999,999."
    lie = (Claim(text="Revenue was 9,999,999", evidence=("now",), kind="number"),)
    assert "does not have 9999999 at" in errors(check(tmp_path, model, text, lie, now="9999999"))[0]


def test_another_version_of_the_source_is_unverified(tmp_path: Path, model: Path) -> None:
    file = write_docx(tmp_path / "report.docx", "Revenue was 1,200,480.")
    evidence = cell(model, "now", "1200480", "C2")
    with xlsxwriter.Workbook(model) as book:
        book.add_worksheet("PL").write("C2", 1)
    claim = Claim(text="Revenue was 1,200,480", evidence=("now",), kind="number")
    deliverable = Deliverable(path="w/report.docx", title="R", role="report", claims=(claim,))
    (message, *_) = errors(
        check_numbers(deliverable, room(file, {"w/model.xlsx": model}, [evidence]))
    )
    assert "UNVERIFIED" in message


def test_a_cell_is_evidence_by_its_place(tmp_path: Path, model: Path) -> None:
    grown = Claim(
        text="20.0 % more",
        evidence=("w/model.xlsx#PL!C2", "w/model.xlsx#PL!B2"),
        kind="number",
        formula="e1/e2-1",
    )
    assert check(tmp_path, model, made=(grown,)) == []
    gone = Claim(text="20.0 % more", evidence=("w/model.xlsx#PL!A2",), kind="number")
    assert "no figure in the cell" in errors(check(tmp_path, model, made=(gone,)))[0]


def test_what_the_user_said_needs_no_source_and_a_free_text_is_warned_of_once(
    tmp_path: Path,
) -> None:
    file = write_docx(tmp_path / "a.docx", "The budget is 50,000, of which 12,345 is spent, 77 %.")
    free = Deliverable(path="w/a.docx", title="A")
    (finding,) = check_numbers(free, room(file, said=["My budget is 50,000."]))
    assert finding.level == "warning"
    assert "12,345, 77 %" in finding.message
    assert (
        list(check_numbers(Deliverable(path="w/a.docx", title="A", role="sop"), room(file))) == []
    )


def test_a_damaged_file_is_not_passed(tmp_path: Path) -> None:
    file = tmp_path / "a.docx"
    file.write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(ToolInputError):
        list(check_numbers(Deliverable(path="w/a.docx", title="A"), room(file)))


@pytest.mark.parametrize(
    ("formula", "result"),
    [("sum(e1, e2) / 2", "3"), ("-e1 + e2 * 100", "398"), ("max(e1, e2)", "4"), ("=e2-e1", "2")],
)
def test_formulas_compute_exactly(formula: str, result: str) -> None:
    assert compute(formula, [Decimal(2), Decimal(4)]) == Decimal(result)


@pytest.mark.parametrize(
    "formula",
    [
        "e1 +",
        "e3",
        "e1 / (e2 - e2)",
        "e1 + 3",
        "e1 ** e2",
        "e1 if e2 else e1",
        "(" * 400,
        "e1.x",
        "",
    ],
)
def test_formulas_that_prove_nothing_are_refused(formula: str) -> None:
    with pytest.raises(Unproven):
        compute(formula, [Decimal(2), Decimal(4)])


def test_a_figure_is_recorded_where_it_stands_and_proves_a_claim(tmp_path: Path) -> None:
    work = tmp_path / "ws"
    (work / "w").mkdir(parents=True)
    (work / "w/ledger.csv").write_text("Date,Amount\n2026-03-01,1250.00\n2026-03-02,-12.40\n")
    context = ToolContext(workspace=work, home=tmp_path, resources=tmp_path)
    answer = document_figure("w/ledger.csv", "12.40", context)
    (place,) = answer.result["places"]
    assert (place["row"], place["value"]) == (3, "-12.40")
    file = write_docx(work / "w/report.docx", "The charges were 12.40.")
    entry = {"text": "charges were 12.40", "evidence": [place["evidence"]]}
    made = document_present("w/report.docx", "R", context, claims=[entry])
    held = {"w/ledger.csv": work / "w/ledger.csv"}
    (deliverable,) = made.deliverables
    assert list(check_numbers(deliverable, room(file, held, answer.evidence))) == []
    assert document_figure("w/ledger.csv", "99", context).result["places"] == []
    for bad in ({"text": ""}, {"text": "x"}, {"text": "x", "evidence": ["e"], "kind": "wish"}):
        with pytest.raises(ToolInputError):
            document_present("w/report.docx", "R", context, claims=[bad])
    with pytest.raises(ToolInputError):
        document_figure("w/ledger.csv", "much", context)
