"""Writes a sales model as an Excel workbook and the board's paper about it as a PDF.

    python examples/make_sales_model.py FOLDER

The workbook has a table of orders, a plan with formulas and four conditional formats, a chart, and a native
pivot table over the orders. The paper has two pages with a target, a rule and the actions agreed. All of it is invented.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import xlsxwriter
from reportlab.lib.pagesizes import A4  # type: ignore[import-untyped]
from reportlab.pdfgen import canvas  # type: ignore[import-untyped]

from deskmate_documents.xlsx.edit import edit_workbook

MODEL, PAPER = "Sales model.xlsx", "Board paper.pdf"
REGIONS = {"North": 1.0, "South": 0.8, "East": 1.3, "West": 0.6}
PRODUCTS = {"Sensor": 240, "Camera": 410, "Service": 95}
PLANS = {"North": 250_000, "South": 195_000, "East": 310_000, "West": 164_000}
QUARTERS = ("Q1", "Q2", "Q3", "Q4")
HEADER = ("Quarter", "Region", "Product", "Units", "Price", "Revenue")
PIVOT = {
    "op": "pivot",
    "cells": "Regions!A3",
    "source": "Orders",
    "rows": ["Region"],
    "values": [{"field": "Revenue", "function": "sum", "number_format": "#,##0"}],
    "name": "RevenueByRegion",
}
PAGES = (
    (
        "Harbour Instruments: paper for the board",
        "1. Where we stand",
        "The board expects every region to reach at least 95 percent of its plan.",
        "A region below that mark is to be shown in red in the sales model.",
        "The plan of the year is 919,000 euros over all four regions.",
        "",
        "2. What the model must show",
        "Revenue by region is no longer enough: the board wants to see it by quarter as well.",
    ),
    (
        "3. Actions agreed",
        "Ann Lee sends the revised model to the members before the next meeting.",
        "Tom Berg explains the plan of the region West.",
        "",
        "4. Confidentiality",
        "This paper is for the members of the board only.",
    ),
)


Order = tuple[str, str, str, int, int, int]
"""Quarter, region, product, units, price, revenue."""


def orders() -> list[Order]:
    """Return the orders of the year."""
    rows = []
    for step, quarter in enumerate(QUARTERS):
        for place, (region, weight) in enumerate(REGIONS.items()):
            for kind, (product, price) in enumerate(PRODUCTS.items()):
                units = round((60 + 9 * step + 7 * ((place + kind + step) % 4)) * weight)
                rows.append((quarter, region, product, units, price, units * price))
    return rows


def write_model(path: Path) -> None:
    """Write the workbook, with the results of its formulas as a spreadsheet program stores them."""
    rows = orders()
    with xlsxwriter.Workbook(path) as book:
        book.set_properties({"created": datetime(2026, 1, 12, tzinfo=UTC)})
        book.calc_on_load = False  # the results below are those of the formulas
        looks = {
            "head": book.add_format({"bold": True, "bottom": 1}),
            "money": book.add_format({"num_format": "#,##0"}),
            "share": book.add_format({"num_format": "0.0%"}),
            "red": book.add_format({"bg_color": "#FFC7CE", "font_color": "#9C0006"}),
            "total": book.add_format({"bold": True, "num_format": "#,##0", "top": 1}),
        }
        _plan(book, looks, rows)
        _orders(book.add_worksheet("Orders"), looks, rows)
        sheet = book.add_worksheet("Regions")
        sheet.write("A1", "Revenue by region, euros", looks["head"])
        sheet.set_column("A:F", 15)
    edit_workbook(path, path, [PIVOT])


def _plan(book: Any, looks: dict[str, Any], rows: list[Order]) -> None:
    sheet = book.add_worksheet("Plan")
    sheet.set_column("A:D", 15)
    sheet.write_row("A1", ["Region", "Plan", "Revenue", "Of plan"], looks["head"])
    actual = {region: sum(row[5] for row in rows if row[1] == region) for region in REGIONS}
    for line, region in enumerate(REGIONS, 2):
        sheet.write(f"A{line}", region)
        sheet.write_number(f"B{line}", PLANS[region], looks["money"])
        formula = f"=SUMIFS(Orders!$F$2:$F${len(rows) + 1},Orders!$B$2:$B${len(rows) + 1},A{line})"
        sheet.write_formula(f"C{line}", formula, looks["money"], actual[region])
        share = actual[region] / PLANS[region]
        sheet.write_formula(f"D{line}", f"=C{line}/B{line}", looks["share"], share)
    last = len(REGIONS) + 1
    totals = (sum(PLANS.values()), sum(actual.values()))
    sheet.write(f"A{last + 1}", "Total", looks["total"])
    for column, total in zip("BC", totals, strict=True):
        formula = f"=SUM({column}2:{column}{last})"
        sheet.write_formula(f"{column}{last + 1}", formula, looks["total"], total)
    sheet.conditional_format(
        f"D2:D{last}", {"type": "cell", "criteria": "<", "value": 0.9, "format": looks["red"]}
    )
    sheet.conditional_format(f"B2:B{last}", {"type": "data_bar", "data_bar_2010": True})
    sheet.conditional_format(f"C2:C{last}", {"type": "icon_set", "icon_style": "3_arrows"})
    chart = book.add_chart({"type": "column"})
    for column in "BC":
        chart.add_series(
            {
                "name": f"=Plan!${column}$1",
                "categories": f"=Plan!$A$2:$A${last}",
                "values": f"=Plan!${column}$2:${column}${last}",
            }
        )
    chart.set_title({"name": "Plan and revenue, euros"})
    sheet.insert_chart("F1", chart)


def _orders(sheet: Any, looks: dict[str, Any], rows: list[Order]) -> None:
    sheet.set_column("A:F", 12)
    sheet.add_table(
        0, 0, len(rows), len(HEADER) - 1,
        {"name": "Orders", "data": rows, "columns": [{"header": name} for name in HEADER]},
    )  # fmt: skip
    sheet.conditional_format(f"F2:F{len(rows) + 1}", {"type": "3_color_scale"})
    sheet.freeze_panes(1, 0)


def write_paper(path: Path) -> None:
    """Write the PDF: two pages of text."""
    page = canvas.Canvas(str(path), pagesize=A4, invariant=True)
    for number, lines in enumerate(PAGES, 1):
        for place, line in enumerate(lines):
            heading = place == 0 or line[:2].rstrip(".").isdigit()
            page.setFont("Helvetica-Bold" if heading else "Helvetica", 13 if heading else 11)
            page.drawString(72, 760 - 24 * place, line)
        page.setFont("Helvetica", 9)
        page.drawString(72, 40, f"Page {number}")
        page.showPage()
    page.save()


def main(folder: Path) -> None:
    """Write both files into a folder, which is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    write_model(folder / MODEL)
    write_paper(folder / PAPER)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/make_sales_model.py FOLDER")
    main(Path(sys.argv[1]))
