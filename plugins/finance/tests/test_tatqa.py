"""Questions on annual reports (TAT-QA): each derivation is cited cell by cell and recomputes; a changed answer is refused."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from deskmate.plugin import Claim, Deliverable, Evidence, Sources, ValidationContext
from deskmate.types.ids import Digest
from deskmate_documents.evidence import FACTORS
from deskmate_documents.numbers import all_values
from deskmate_documents.office.number_gate import check_numbers
from deskmate_documents.text import read_text

CASES = (
    Path(__file__).resolve().parents[4]
    / "shared"
    / "cases"
    / "finance"
    / "tatqa"
    / "tatqa_dev_20.json"
)
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")

pytestmark = [pytest.mark.cases, pytest.mark.skipif(not CASES.is_file(), reason="no cases folder")]


def figure_of(text: str) -> Decimal | None:
    """Return a cell's figure: brackets are a minus, currencies and percent signs are none."""
    plain = re.sub(r"[^\d.,()\-]", "", text).replace(",", "")
    match = re.fullmatch(r"(\(?)-?(\d+(?:\.\d+)?)\)?", plain)
    if match is None:
        return None
    return -Decimal(match[2]) if match[1] or plain.startswith("-") else Decimal(match[2])


class Desk:
    """One context of the data set: its table as a workbook, its paragraphs as a text."""

    def __init__(self, folder: Path, case: Any) -> None:
        self.folder = folder
        self.cells: dict[Decimal, str] = {}
        book = openpyxl.Workbook()
        sheet = book.active
        assert sheet is not None
        sheet.title = "T"
        for row, texts in enumerate(case["table"]["table"], 1):
            for column, text in enumerate(texts, 1):
                figure = figure_of(text)
                cell = sheet.cell(row, column, text if figure is None else float(figure))
                if figure is not None:
                    self.cells.setdefault(abs(figure), cell.coordinate)
        book.save(folder / "report.xlsx")
        texts = [one["text"] for one in sorted(case["paragraphs"], key=lambda one: one["order"])]
        (folder / "notes.txt").write_text("\n\n".join(texts))
        passages = read_text(folder / "notes.txt").passages
        self.paragraphs = [(passage.paragraph, passage.text) for passage in passages]
        self.evidence: dict[str, Evidence] = {}

    def cite(self, figure: Decimal) -> tuple[str, int]:
        """Return how a figure is cited, empty if it stands nowhere, and its scale there: a text may say millions."""
        if figure in self.cells:
            return f"w/report.xlsx#T!{self.cells[figure]}", 1
        for number, text in self.paragraphs:
            there = set(all_values(text))
            for scale in (1, 1_000, 1_000_000):
                if figure * scale in there:
                    name = f"p{number}-{figure}"
                    self.evidence[name] = Evidence(
                        id=name, source=Digest("0" * 64), path="w/notes.txt",
                        locator={"paragraph": number}, value=str(figure * scale),
                    )  # fmt: skip
                    return name, scale
        return "", 1

    def name(self, match: re.Match[str], cited: list[str]) -> str:
        """Return what stands for a figure of a derivation; a question mark if nothing does."""
        figure = Decimal(match[0].replace(",", ""))
        place, scale = self.cite(figure)
        if place:
            cited.append(place)
            # a bracket in the report is a minus that the derivation writes itself
            return f"abs(e{len(cited)})" + (f"/{scale}" if scale > 1 else "")
        if figure in FACTORS:
            return match[0]
        # a mean of so many figures
        many = ", ".join(f"e{n}" for n in range(1, len(cited) + 1))
        return f"count({many})" if figure == len(cited) else "?"

    def formula(self, derivation: str) -> tuple[str, list[str]] | None:
        """Return a derivation over evidence, with what it cites; None if one of its figures stands nowhere."""
        cited: list[str] = []

        plain = re.sub(r"[$£€]", "", derivation).strip()
        text = NUMBER.sub(lambda match: self.name(match, cited), plain)
        return None if "?" in text or not cited else (text, cited)

    def verdict(self, answer: str, formula: str, cited: list[str]) -> list[str]:
        """Return what G-NUM says of a line with this answer."""
        line = f"The figure is {answer}."
        (self.folder / "answer.md").write_text(f"{line}\n")
        claim = Claim(text=line, evidence=tuple(cited), kind="number", formula=formula)
        item = Deliverable(path="w/answer.md", title="A", role="summary", claims=(claim,))
        files = {f"w/{name}": self.folder / name for name in ("report.xlsx", "notes.txt")}
        room = ValidationContext(
            file=self.folder / "answer.md",
            sources=Sources(files, {}),
            evidence=tuple(self.evidence.values()),
        )
        return [
            finding.message for finding in check_numbers(item, room) if finding.level == "error"
        ]


def test_every_derivation_recomputes_and_a_changed_answer_does_not(tmp_path: Path) -> None:
    proved = asked = 0
    for number, case in enumerate(json.loads(CASES.read_text("utf-8"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        desk = Desk(folder, case)
        for question in case["questions"]:
            if question["answer_type"] != "arithmetic":
                continue
            asked += 1
            found = desk.formula(question["derivation"])
            if found is None:
                continue
            percent = " %" if question["scale"] == "percent" else ""
            answer = Decimal(str(question["answer"]))
            assert desk.verdict(f"{answer}{percent}", *found) == [], (
                question["question"],
                question["derivation"],
            )
            wrong = answer * Decimal("1.07") + Decimal("0.31")
            assert desk.verdict(f"{wrong.quantize(Decimal('0.01'))}{percent}", *found), question[
                "question"
            ]
            proved += 1
    assert asked == 52
    assert proved >= 51
