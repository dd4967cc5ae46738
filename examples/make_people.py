"""Write a folder with invented material for the jobs of HR: `python examples/make_people.py FOLDER`.

A table of employees, three policies in Markdown, Word and an older version, an approved offer and one that is not, a template of
an offer letter, a pay survey, two extracts for a headcount walk, candidates, reporting lines, comments of reviews. All of it is made up; the same
every time but for the days of the offers, which lie ahead of today.
"""

from __future__ import annotations

import random
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from docx import Document

TODAY = datetime.now(UTC).date()
DEPARTMENTS = {"Engineering": 46, "Sales": 31, "Finance": 14, "Legal": 6}
ROLES = {
    "Engineering": ("Data Engineer", "Product Manager"),
    "Sales": ("Account Manager", "Sales Engineer"),
    "Finance": ("Accountant", "Controller"),
    "Legal": ("Counsel", "Counsel"),
}
REMOTE = """---
title: Remote work
---

Effective date: {day}

Applies to: all employees

# Remote work

## Days

Everyone may work remotely up to {days} days a week after agreement with the manager.

## Abroad

Remote work from another country needs the approval of People Operations in advance.
"""
SURVEY = """Role,P25,P50,P75,n,Companies,Source,Effective date,Currency
Data Engineer,98000,112000,127000,64,18,Alpha pay survey,2026-03-01,EUR
Data Engineer,101000,115500,131000,22,9,Beta market data,2026-05-15,EUR
Product Manager,96000,110000,125000,41,15,Alpha pay survey,2026-03-01,EUR
Account Manager,70000,82000,97000,88,21,Alpha pay survey,2026-03-01,EUR
Sales Engineer,78000,90000,104000,35,12,Alpha pay survey,2026-03-01,EUR
Accountant,58000,66000,75000,57,19,Alpha pay survey,2026-03-01,EUR
Controller,84000,97000,110000,19,8,Alpha pay survey,2026-03-01,EUR
Counsel,105000,124000,141000,4,4,Alpha pay survey,2026-03-01,EUR
"""
FIELDS = (
    "Offer ID,Employer,Candidate name,Position title,Employment type,Start date,Reporting manager,Base salary,Currency,Pay period,"
    "Bonus terms,Offer expiration date,Signatory name,Signatory title,Approved by,Approved on,Approval ID"
)


def staff() -> str:
    """Return the employees: departments of different sizes, some people who left."""
    chance = random.Random(11)  # noqa: S311 - invented material
    rows = ["Employee ID,Name,Department,Role,Gender,Age,Years at company,Salary,Currency,Left"]
    number = 0
    for department, size in DEPARTMENTS.items():
        for _ in range(size):
            number += 1
            role = ROLES[department][chance.random() < 0.3]
            pay = round(chance.gauss(92_000, 16_000) / 500) * 500
            rows.append(
                f"E{number:03},Person {number} Example,{department},{role},{chance.choice('FM')},{chance.randint(22, 63)},"
                f"{chance.randint(0, 15)},{pay},EUR,{'yes' if chance.random() < 0.16 else 'no'}"
            )
    return "\n".join(rows) + "\n"


def offers() -> str:
    """Return two offers, the second not approved."""
    start = next(day for n in range(75, 85) if (day := TODAY + timedelta(days=n)).weekday() == 0)
    until, approved = TODAY + timedelta(days=21), TODAY - timedelta(days=2)
    same = f"Northlight GmbH,{{}},{{}},Permanent,{start},Lee Marsh,{{}},EUR,year,10 % of the base salary,{until},Sam Dube,Managing Director"
    return "\n".join(
        (
            FIELDS,
            f"OF-17,{same.format('Ada Okafor', 'Data Engineer', 116000)},Dana Petrov,{approved},AP-991",
            f"OF-18,{same.format('Bo Lind', 'Accountant', 64000)},,,",
        )
    )


def extracts() -> tuple[str, str]:
    """Return who was there at both ends of a quarter: some left, some came, some moved."""
    chance = random.Random(12)  # noqa: S311 - invented material
    sizes = {**DEPARTMENTS, "Board office": 2, "Lab": 3}
    before, after, number = ["Employee ID,Department"], ["Employee ID,Department"], 0
    for department, size in sizes.items():
        for _ in range(size):
            number += 1
            before.append(f"E{number:03},{department}")
            lot = chance.random()
            if lot > 0.06:
                now = chance.choice(list(DEPARTMENTS)) if lot > 0.95 else department
                after.append(f"E{number:03},{now}")
    after += [f"E{number + n:03},{chance.choice(list(DEPARTMENTS))}" for n in range(1, 9)]
    return "\n".join(before) + "\n", "\n".join(after) + "\n"


def candidates() -> str:
    """Return candidates with the day on which they reached each stage."""
    chance = random.Random(13)  # noqa: S311 - invented material
    rows = ["Candidate ID,Source,Applied,Screen,Interview,Offer,Hired"]
    for number in range(240):
        day = date(2026, 1, 5) + timedelta(days=chance.randint(0, 150))
        days = [str(day)]
        for going_on in (0.5, 0.45, 0.4, 0.8):
            if chance.random() > going_on:
                break
            day += timedelta(days=chance.randint(1, 20))
            days.append(str(day))
        source = chance.choice(("Referral", "Job board", "Agency"))
        rows.append(f"C{number:03},{source},{','.join(days)}{',' * (5 - len(days))}")
    return "\n".join(rows) + "\n"


def lines() -> str:
    """Return who reports to whom, with a circle, an orphan and a second manager in it."""
    rows = ["Employee ID,Name,Job title,Manager ID", "1,Dana Petrov,Managing Director,"]
    number = 1
    for unit, teams in {"Engineering": (5, 4), "Sales": (4,), "Finance": ()}.items():
        number += 1
        head = number
        rows.append(f"{head},Head of {unit},Director,1")
        for size in teams:
            number += 1
            lead = number
            rows.append(f"{lead},Lead {lead},Team lead,{head}")
            for _ in range(size):
                number += 1
                rows.append(f"{number},Person {number},Specialist,{lead}")
    rows += ["90,Ari One,Analyst,91", "91,Ari Two,Analyst,90", "92,Bo Orphan,Analyst,77"]
    return "\n".join([*rows, "4,Person 4,Specialist,2"]) + "\n"


REVIEWS = """Employee ID,Rating,Comments
E001,4,"Closed 14 of 15 tickets in Q2; when the export failed in May, she traced it in a day and wrote the test that was missing."
E002,2,"He is lazy and always late. Needs improvement."
E003,3,"Good."
E004,4,"She is too emotional for her age, but an outstanding colleague. People say that since having a baby she leaves early."
"""


def letter(file: Path) -> None:
    """Write the template of the letter."""
    document = Document()
    document.core_properties.author = ""
    document.add_heading("Offer of employment", level=1)
    document.add_paragraph("Dear {{candidate_name}},")
    document.add_paragraph(
        "[Employer] offers you the position of [Position title], {{employment_type}}, from [Start date]."
    )
    terms = (
        ("Base salary", "[Base salary]"),
        ("Bonus", "[Bonus terms]"),
        ("You report to", "[Reporting manager]"),
    )
    table = document.add_table(rows=len(terms), cols=2, style="Table Grid")
    for row, texts in zip(table.rows, terms, strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    document.add_paragraph("This offer holds until [Offer expiration date].")
    document.add_paragraph("[Signatory name], [Signatory title]")
    document.save(str(file))


def main(folder: Path) -> None:
    """Write everything."""
    policies = folder / "policies"
    policies.mkdir(parents=True, exist_ok=True)
    (folder / "employees.csv").write_text(staff(), "utf-8")
    (folder / "market survey.csv").write_text(SURVEY, "utf-8")
    (folder / "offers.csv").write_text(offers(), "utf-8")
    for name, text in zip(("opening", "closing"), extracts(), strict=True):
        (folder / f"{name}.csv").write_text(text, "utf-8")
    (folder / "performance reviews.csv").write_text(REVIEWS, "utf-8")
    (folder / "applications.csv").write_text(candidates(), "utf-8")
    (folder / "reporting lines.csv").write_text(lines(), "utf-8")
    letter(folder / "offer template.docx")
    (policies / "remote-work-2025.md").write_text(
        REMOTE.format(day="2025-01-01", days="two"), "utf-8"
    )
    (policies / "remote-work-2026.md").write_text(
        REMOTE.format(day="2026-01-01", days="three"), "utf-8"
    )
    document = Document()
    document.add_heading("Expenses", level=1)
    document.add_paragraph("Receipts are handed in within thirty days of the journey.")
    document.save(str(policies / "expenses.docx"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
