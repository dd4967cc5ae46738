"""Figures of a workbook that the same run edited: proven beside the original, never believed."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from tests.unit.documents.gate_rooms import digest, room
from tests.unit.documents.sheet_rooms import forge, part

from deskmate.plugin import Claim, Deliverable, Digest, Evidence
from deskmate_documents.evidence import Ledger, Unproven
from deskmate_documents.office.number_gate import check_numbers
from deskmate_documents.xlsx.edit import edit_workbook
from deskmate_documents.xlsx.engines import Formualizer

PIVOT: dict[str, Any] = {
    "op": "pivot",
    "cells": "Pivot!A1",
    "source": "Data!A1:B4",
    "rows": ["Region"],
    "values": [{"field": "Amount", "function": "sum"}],
    "name": "P",
}


@pytest.fixture
def original(tmp_path: Path) -> Path:
    path = tmp_path / "model.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.calc_on_load = False
        sheet = book.add_worksheet("Data")
        rows = (("Region", "Amount"), ("North", 10), ("South", 20), ("North", 5))
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
        sheet.write_formula("D1", "=SUM(B2:B4)", None, 35)
        book.add_worksheet("Pivot")
    return path


def ledger(original: Path, edits: list[dict[str, Any]], said: str = "") -> Ledger:
    made = original.with_name("made.xlsx")
    edit_workbook(original, made, edits)
    return beside(original, made, said)


def beside(original: Path, made: Path, said: str = "") -> Ledger:
    context = room(
        made.with_name("deck.pptx"),
        {"w/model.xlsx": original},
        others={"w/model.xlsx": made},
        said=[said],
    )
    return Ledger(context)


def test_cells_of_a_new_pivot_table_are_computed_once_more(original: Path) -> None:
    found = ledger(original, [PIVOT])
    assert found.value("w/model.xlsx#Pivot!B2") == Decimal(15)
    assert found.value("w/model.xlsx#Data!B3") == Decimal(20)


def test_a_forged_cell_of_a_pivot_table_is_no_evidence(original: Path, tmp_path: Path) -> None:
    import zipfile

    made = original.with_name("made.xlsx")
    edit_workbook(original, made, [PIVOT])
    with zipfile.ZipFile(made) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet2.xml"
    assert b"<v>15</v>" in parts[sheet]
    parts[sheet] = parts[sheet].replace(b"<v>15</v>", b"<v>95</v>")
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    with pytest.raises(Unproven, match="does not give 95"):
        beside(original, made).value("w/model.xlsx#Pivot!B2")


def test_what_the_agent_wrote_is_no_evidence_unless_the_user_said_it(original: Path) -> None:
    edit = {"op": "set", "cells": "Data!B2", "value": 77}
    with pytest.raises(Unproven, match="was written in this run"):
        ledger(original, [edit]).value("w/model.xlsx#Data!B2")
    said = "Set the first amount to 77."
    assert ledger(original, [edit], said).value("w/model.xlsx#Data!B2") == Decimal(77)


def test_a_pivot_table_over_what_the_agent_wrote_is_no_evidence(original: Path) -> None:
    edits: list[dict[str, Any]] = [{"op": "set", "cells": "Data!B2", "value": 77}, PIVOT]
    with pytest.raises(Unproven, match=r"Data!B2 was written in this run"):
        ledger(original, edits).value("w/model.xlsx#Pivot!B2")


def test_a_result_counts_only_if_it_is_new_and_right(original: Path, tmp_path: Path) -> None:
    untouched = ledger(original, [{"op": "style", "cells": "Data!A1", "bold": True}])
    assert untouched.value("w/model.xlsx#Data!D1") == Decimal(35)
    edit = {"op": "set", "cells": "Data!B2", "value": 77}
    with pytest.raises(Unproven, match="from before an edit"):
        ledger(original, [edit], "77").value("w/model.xlsx#Data!D1")


def test_an_old_result_of_an_original_is_no_proof(original: Path) -> None:
    sheet = "xl/worksheets/sheet1.xml"
    forge(original, sheet, "<v>35</v>", "<v>99</v>")
    made = original.with_name("made.xlsx")
    made.write_bytes(original.read_bytes())
    assert beside(original, made).value("w/model.xlsx#Data!D1") == Decimal(99)
    forge(original, "xl/workbook.xml", "<calcPr ", '<calcPr fullCalcOnLoad="1" ')
    with pytest.raises(Unproven, match="computed once more"):
        beside(original, made).value("w/model.xlsx#Data!D1")


def settled(made: Path, cell: str) -> str:
    """Store what an engine gives for a cell, as recalculating does; return it."""
    spot = ("Data", (6, 1))
    answer = Formualizer().compute(made, [spot])[spot]
    sheet = part(made, "xl/worksheets/sheet1.xml")
    (found,) = re.findall(rf'<c r="{cell}"[^>]*>(?:(?!</c>).)*</c>', sheet)
    formula = found[found.index("<f>") : found.index("</f>") + 4]
    forge(
        made, "xl/worksheets/sheet1.xml", found, f'<c r="{cell}">{formula}<v>{answer.text}</v></c>'
    )
    book = part(made, "xl/workbook.xml")
    if 'fullCalcOnLoad="1"' in book:
        forge(made, "xl/workbook.xml", 'fullCalcOnLoad="1"', "")
    return answer.text


def of_formula(original: Path, formula: str, *edits: dict[str, Any], said: str = "") -> Decimal:
    made = original.with_name("made.xlsx")
    edit_workbook(original, made, [*edits, {"cells": "Data!A6", "formula": formula}])
    settled(made, "A6")
    return beside(original, made, said).value("w/model.xlsx#Data!A6")


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("=SUM(B2:B4)/B3", "1.75"),
        ("=B2*12", "120"),
        ("=ROUND(B2/B3,3)", "0.5"),
        ("=SUBTOTAL(9,B2:B4)", "35"),
        ('=SUMIF(A2:A4,"North",B2:B4)', "15"),
        ("=VLOOKUP(A3,A2:B4,2,0)", "20"),
    ],
)
def test_a_formula_of_this_run_counts_if_all_of_it_stands_in_cells(
    original: Path, formula: str, value: str
) -> None:
    assert of_formula(original, formula) == Decimal(value)


@pytest.mark.parametrize(
    ("formula", "why"),
    [
        ("=4711", "holds 4711"),
        ("=B2*0+4711", "holds 4711"),
        ('=B2*0+VALUE("88")', "holds"),
        ("=100*12", "reads no cell"),
        ("=B2*0+LEN(A1)", "calls LEN"),
        ("=B2+ROW(A47)", "calls ROW"),
        ('=B2*0+INDIRECT("B3")', "calls INDIRECT"),
        ("=SUM(B2:INDEX(B2:B4,2))", "cannot be told"),
        ("=B2*0+SUBTOTAL(9,B3)+3", "holds 3"),
        ("=B2*Mine", "uses the name Mine, which holds 47.5"),
    ],
)
def test_a_formula_does_not_make_the_agents_word_a_proof(
    original: Path, formula: str, why: str
) -> None:
    name = {"op": "name", "name": "Mine", "refers_to": "=47.5"}
    with pytest.raises(Unproven, match=why):
        of_formula(original, formula, name)


def test_a_figure_that_the_user_said_may_stand_in_a_formula(original: Path) -> None:
    assert of_formula(original, "=B2*1.25", said="Add 1.25 as factor.") == Decimal("12.5")


def test_a_formula_of_the_original_may_hold_its_figures_also_where_rows_came(
    original: Path,
) -> None:
    model = original.with_name("own.xlsx")
    edit_workbook(original, model, [{"cells": "Data!A6", "formula": "=B2*1.25"}])
    settled(model, "A6")
    assert of_formula(model, "=B3*1.25") == Decimal(25)


def test_a_deck_of_the_edited_workbook_passes_and_its_lie_does_not(
    original: Path, tmp_path: Path
) -> None:
    made, file = tmp_path / "made.xlsx", tmp_path / "brief.txt"
    edit_workbook(original, made, [PIVOT])
    for shown, errors in (("15", 0), ("16", 1)):
        file.write_text(f"The North has {shown} orders.")
        evidence = Evidence(
            id="cell", source=Digest(digest(made)), path="w/model.xlsx", value="15",
            locator={"sheet": "Pivot", "cell": "B2"},
        )  # fmt: skip
        deliverable = Deliverable(
            path="w/brief.txt", title="Brief", role="brief", sources={"source": "w/model.xlsx"},
            claims=(Claim(text=f"{shown} orders", evidence=("cell",), kind="number"),),
        )  # fmt: skip
        context = room(file, {"w/model.xlsx": original}, [evidence], {"w/model.xlsx": made})
        assert len(list(check_numbers(deliverable, context))) == errors


def test_evidence_of_a_version_that_is_not_delivered_stays_unverified(original: Path) -> None:
    item = Evidence(
        id="cell", source=Digest("0" * 64), path="w/model.xlsx", value="15",
        locator={"sheet": "Pivot", "cell": "B2"},
    )  # fmt: skip
    made = original.with_name("made.xlsx")
    edit_workbook(original, made, [PIVOT])
    context = room(original, {"w/model.xlsx": original}, [item], others={"w/model.xlsx": made})
    with pytest.raises(Unproven, match="not the version that was read"):
        Ledger(context).value("cell")


def shifted(original: Path, edits: list[dict[str, Any]], *, steps: bool = True) -> Ledger:
    """Edit a workbook and hear what its result says of the edits, or nothing of its rows and columns."""
    made = original.with_name("made.xlsx")
    declared = edit_workbook(original, made, edits).declared
    data = declared.to_json() | ({} if steps else {"steps": []})
    result = Deliverable(
        path="w/model.xlsx",
        title="Model",
        sources={"original": "w/model.xlsx"},
        data={"declared": data},
    )
    deck = made.with_name("deck.pptx")
    held, others = {"w/model.xlsx": original}, {"w/model.xlsx": made}
    return Ledger(room(deck, held, others=others, presented={"w/model.xlsx": result}))


INSERT: dict[str, Any] = {"op": "insert", "cells": "Data!2:3"}


def test_figures_follow_rows_that_came_in(original: Path) -> None:
    found = shifted(original, [INSERT])
    assert found.value("w/model.xlsx#Data!B5") == Decimal(20)
    with pytest.raises(Unproven, match="written in this run"):
        shifted(original, [INSERT], steps=False).value("w/model.xlsx#Data!B5")


def test_what_was_written_into_a_new_row_is_no_evidence(original: Path) -> None:
    edits = [INSERT, {"op": "set", "cells": "Data!B2", "value": 20}]
    with pytest.raises(Unproven, match="written in this run"):
        shifted(original, edits).value("w/model.xlsx#Data!B2")


def test_a_pivot_table_over_rows_that_moved_is_proven(original: Path) -> None:
    assert shifted(original, [INSERT, PIVOT | {"source": "Data!A1:B6"}]) is not None
    edits: list[dict[str, Any]] = [
        {"op": "insert", "cells": "Data!1:2"},
        PIVOT | {"source": "Data!A3:B6"},
    ]
    assert shifted(original, edits).value("w/model.xlsx#Pivot!B2") == Decimal(15)


def test_a_result_that_grew_over_new_rows_must_compute(original: Path, tmp_path: Path) -> None:
    """The sum reads the new row as well; its old result is no evidence even where the original had it."""
    edits: list[dict[str, Any]] = [
        {"op": "insert", "cells": "Data!3:3"},
        {"op": "set", "cells": "Data!B3", "value": 7},
    ]
    with pytest.raises(Unproven):
        shifted(original, edits).value("w/model.xlsx#Data!D1")


def test_rows_that_are_said_to_have_gone_prove_nothing_of_their_neighbours(original: Path) -> None:
    """A file whose rows never moved does not get another row's figure by saying that they did."""
    made = original.with_name("made.xlsx")
    edit_workbook(original, made, [{"op": "set", "cells": "Data!B4", "value": 11}])
    data = {
        "declared": {
            "steps": [{"sheet": "Data", "axis": "rows", "at": 2, "count": 1, "gone": True}]
        }
    }
    result = Deliverable(
        path="w/model.xlsx", title="M", sources={"original": "w/model.xlsx"}, data=data
    )
    context = room(
        made.with_name("deck.pptx"), {"w/model.xlsx": original}, others={"w/model.xlsx": made},
        presented={"w/model.xlsx": result},
    )  # fmt: skip
    with pytest.raises(Unproven):
        Ledger(context).value("w/model.xlsx#Data!B4")
