"""Makes a contract of so many pages and a workbook of so many sheets; the same numbers, the same files.

python -m tests.vm.large_documents FOLDER PAGES SHEETS
"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import docx
import xlsxwriter

CONTRACT, BOOK = "Northlight - Harbour mutual NDA.docx", "model.xlsx"
PARAGRAPHS_A_PAGE = 7
ROWS, MONTHS = 60, 12
_EXAMPLE = Path(__file__).parents[2] / "examples/make_contract.py"
_WORDS = [
    "party",
    "service",
    "schedule",
    "equipment",
    "premises",
    "delivery",
    "acceptance",
    "maintenance",
    "period",
    "report",
    "record",
    "standard",
    "measurement",
    "location",
    "operator",
    "supplier",
    "consent",
    "instruction",
    "reasonable",
    "agreed",
    "annual",
    "written",
    "applicable",
]


def write_contract(folder: Path, pages: int) -> Path:
    """Write the example's agreement with a schedule of so many pages, and its playbook beside it."""
    subprocess.run([sys.executable, _EXAMPLE, folder], check=True, timeout=60)
    path = folder / CONTRACT
    document = docx.Document(str(path))
    document.add_paragraph("Schedule of services")
    dice = random.Random(pages)
    for page in range(1, pages + 1):
        head = document.add_paragraph(f"Service {page}")
        head.paragraph_format.page_break_before = True
        for number in range(1, PARAGRAPHS_A_PAGE):
            words = " ".join(dice.choices(_WORDS, k=60))
            document.add_paragraph(f"{page}.{number} The {words}.")
    document.save(str(path))
    return path


def write_book(folder: Path, sheets: int) -> Path:
    """Write a workbook of sheets of figures by month, each with its sums, and one that adds them up."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / BOOK
    months = [f"2025-{month:02}" for month in range(1, MONTHS + 1)]
    with xlsxwriter.Workbook(str(path)) as book:
        book.calc_on_load = False
        whole = 0
        for number in range(1, sheets + 1):
            sheet = book.add_worksheet(f"Unit{number}")
            sheet.write_row(0, 0, ["Account", *months, "Year"])
            for row in range(1, ROWS + 1):
                figures = [(number * 7 + row * 13 + month * 3) % 997 for month in range(MONTHS)]
                whole += sum(figures)
                sheet.write_row(row, 0, [f"Account {row}", *figures])
                sheet.write_formula(
                    row, MONTHS + 1, f"=SUM(B{row + 1}:M{row + 1})", None, sum(figures)
                )
        total = book.add_worksheet("Group")
        parts = "+".join(f"SUM(Unit{n}!N2:N{ROWS + 1})" for n in range(1, sheets + 1))
        total.write_row(0, 0, ["All units"])
        total.write_formula(0, 1, f"={parts}", None, whole)
    return path


if __name__ == "__main__":
    write_contract(Path(sys.argv[1]), int(sys.argv[2]))
    write_book(Path(sys.argv[1]), int(sys.argv[3]))
