"""The office scene of examples/, through the command line and real machines: honest work passes, each lie is caught."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pptx
import pytest
from tests.vm.desk import Desk, tree

from deskmate_documents.inventory import compare, inventory
from deskmate_documents.opc import Package
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.pivots import pivots
from deskmate_documents.xlsx.refs import parse_area
from deskmate_documents.xlsx.rules import rules

EXAMPLES = Path(__file__).parents[2] / "examples"
MODEL, PAPER = "Sales model.xlsx", "Board paper.pdf"
DECK, BRIEF = "Sales summary.pptx", "Board brief.docx"

pytestmark = [pytest.mark.vm, pytest.mark.timeout(1200)]


def _lines() -> dict[str, object]:
    return {**_run(EXAMPLES / "office_lines.py")}


def _run(file: Path) -> dict[str, object]:
    found: dict[str, object] = {"__name__": file.stem}
    exec(compile(file.read_text("utf-8"), str(file), "exec"), found)
    return found


def test_one_thread_edits_a_model_makes_a_deck_reads_a_pdf_and_every_lie_is_caught(
    desk: Desk, tmp_path: Path
) -> None:
    lines = _lines()
    folder, kept = tmp_path / "board", tmp_path / "kept"
    for place in (folder, kept):
        make = [sys.executable, str(EXAMPLES / "make_sales_model.py"), str(place)]
        subprocess.run(make, check=True, timeout=60)
    before = tree(folder)
    replay = ("--model", f"replay:{EXAMPLES / 'office_scene.jsonl'}")

    done = desk.json("run", str(lines["HONEST"]), "--folder", f"{folder}:rw", *replay)
    thread = done["thread"]
    assert done["reason"] == "done"
    assert "replayed" in done["label"]
    assert tree(folder) == before
    (verdict,) = desk.events(thread, "Validated")
    assert verdict["passed"] is True
    assert [f for f in done["findings"] if f["level"] == "error"] == []
    gates = {str(gate) for gate in lines["LIES"]}  # type: ignore[attr-defined]
    assert set(verdict["rules"]) == gates
    check_deck_claims(done["deliverables"])
    found = {Path(taken["path"]).name for taken in desk.events(thread, "TextTaken")}
    assert found == {MODEL, DECK, BRIEF, PAPER}
    hits = desk.json("thread", "search", "Tom Berg explains the plan of the region")
    assert "TextTaken" in {hit["kind"] for hit in hits}

    desk.call("changes", "apply", "--thread", thread)
    assert {path.name for path in folder.iterdir()} == {MODEL, DECK, BRIEF, PAPER}
    check_model(kept / MODEL, folder / MODEL)
    check_deck(folder / DECK)

    refused = desk.json("run", str(lines["LYING"]), "--thread", thread, *replay, code=3)
    caught = defaultdict(set)
    for finding in refused["findings"]:
        if finding["level"] == "error":
            caught[Path(finding["path"]).stem].add(finding["rule"])
    assert caught == {gate: {gate} for gate in gates}

    desk.call("changes", "discard", "--thread", thread)
    desk.call("changes", "undo", "--thread", thread)
    assert tree(folder) == before
    assert desk.json("thread", "verify", thread)["problems"] == []


def check_deck_claims(deliverables: list[dict[str, object]]) -> None:
    """Assert that every figure of the deck names a cell of the model that its run delivers."""
    (deck,) = [item for item in deliverables if str(item["path"]).endswith(DECK)]
    claims = deck["claims"]
    assert isinstance(claims, list)
    assert len(claims) > 40
    assert all(len(claim["evidence"]) == 1 for claim in claims)


def check_model(old: Path, new: Path) -> None:
    """Assert that pivot table and rule are what was asked for, and that all else is there."""
    book = Workbook(new)
    (pivot,) = pivots(book)
    assert (pivot.rows, pivot.columns, pivot.area) == (("Region",), ("Quarter",), "A3:F9")
    first, *_ = rules(book.part(book.sheet("Plan")).skeleton())
    assert (first.kind, first.formulas) == ("cellIs", ("0.95",))
    (totals,) = [[v.text for v in book.values(book.sheet("Regions"), parse_area("A9:F9"))]]
    assert totals == ["Grand Total", *TOTALS]
    found = compare(inventory(Package(old)), inventory(Package(new)))
    assert found.lost == ()


TOTALS = ("196045", "219240", "242055", "268285", "925625")


def check_deck(path: Path) -> None:
    """Assert that each slide with figures says cell by cell where they come from."""
    slides = list(pptx.Presentation(str(path)).slides)
    assert len(slides) == 4
    for slide in slides[1:]:
        notes = slide.notes_slide.notes_text_frame.text
        assert "Sales model.xlsx" in notes
        assert "Plan!" in notes or "Regions!" in notes
    assert "164,000 = Plan!B5" in slides[1].notes_slide.notes_text_frame.text
