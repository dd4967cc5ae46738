"""Recalculation: two engines must agree before a result is written; what they do not agree on is reported."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from deskmate.errors import ToolError, ToolInputError
from deskmate.plugin import Sources, ToolContext, ValidationContext
from deskmate_documents.inventory import compare, inventory
from deskmate_documents.office.package_gate import problems
from deskmate_documents.office.sheet_calc_tool import recalculated, sheet_recalculate
from deskmate_documents.office.sheet_tools import sheet_edit, sheet_read
from deskmate_documents.office.workbook_gate import check_workbook
from deskmate_documents.opc import Package
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.calculate import Calculation, Reason, recalculate, same
from deskmate_documents.xlsx.edit import edit_workbook
from deskmate_documents.xlsx.engines import (
    Answer,
    Deadline,
    Engine,
    Formualizer,
    LibreOffice,
    number,
)
from deskmate_documents.xlsx.graph import Spot
from deskmate_documents.xlsx.refs import Area, name_of
from deskmate_guest import soffice

CASES = Path(__file__).parents[4] / "shared" / "cases" / "finance" / "xlsx_calc"
needs_office = pytest.mark.skipif(not soffice.installed(), reason="LibreOffice is not installed")


class Second:
    """An engine that gives what the first gives, except where it was told something else."""

    name = "second"

    def __init__(self, told: Mapping[str, Answer | None] | None = None) -> None:
        self.told = dict(told or {})

    def compute(self, file: Path, wanted: Iterable[Spot]) -> Mapping[Spot, Answer]:
        found = dict(Formualizer().compute(file, wanted))
        for label, answer in self.told.items():
            spot = next(s for s in wanted if f"{s[0]}!{name_of(s[1])}" == label)
            found.pop(spot, None)
            if answer is not None:
                found[spot] = answer
        return found


def office_of_this_machine(source: Path, target: Path) -> None:
    """Compute by the LibreOffice of this machine, as the guest's service does in a start of its own."""
    folder = target.parent
    soffice.convert_afresh(source, target, target.suffix[1:], folder / "profile", lambda: True)
    shutil.rmtree(folder / "profile")


def values(path: Path) -> dict[str, str]:
    book = Workbook(path)
    return {
        f"{s.name}!{name_of(v.place)}": v.text
        for s in book.sheets
        for v in book.values(s)
        if v.formula
    }


def reasons(done: Calculation) -> dict[str, Reason]:
    return {f"{u.spot[0]}!{name_of(u.spot[1])}": u.reason for u in done.unsettled}


def rewritten(source: Path, target: Path, before: bytes, after: bytes) -> Path:
    with zipfile.ZipFile(source) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    assert any(before in data for data in parts.values())
    with zipfile.ZipFile(target, "w") as new:
        for name, data in parts.items():
            new.writestr(name, data.replace(before, after))
    return target


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Figures and results as a spreadsheet program stores them, on two sheets."""
    path = tmp_path / "model.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Model")
        sheet.write_column("A1", [10, 20, 30])
        sheet.write_formula("B1", "=A1*2", None, 20)
        sheet.write_formula("B2", "=A2*2", None, 40)
        sheet.write_formula("C1", "=SUM(B1:B2)", None, 60)
        sheet.write_formula("C2", '=IF(C1>60,"high","low")', None, "low")
        sheet.write_formula("C3", "=C1>60", None, False)
        sheet.write_formula("C4", "=A3/(A1-10)", None, "#DIV/0!")
        other = book.add_worksheet("Sum")
        other.write_formula("A1", "=Model!C1/2", None, 30)
        other.write_formula("A2", "=Model!A3", None, 30)
    return rewritten(path, path, b' fullCalcOnLoad="1"', b"")


def edited(model: Path, *edits: dict[str, Any]) -> tuple[Path, dict[str, list[Area]]]:
    target = model.with_name("edited.xlsx")
    return target, edit_workbook(model, target, edits).declared.cells


def test_results_that_an_edit_reaches_are_written_back(model: Path, tmp_path: Path) -> None:
    file, changed = edited(model, {"cells": "Model!A1", "value": 100})
    done = recalculate(
        file, tmp_path / "o.xlsx", [Formualizer(), Second()], changed=changed, baseline=model
    )
    assert done.unsettled == ()
    assert values(tmp_path / "o.xlsx") == {
        "Model!B1": "200", "Model!B2": "40", "Model!C1": "240", "Model!C2": "high", "Model!C3": "TRUE",
        "Model!C4": "0.3333333333333333", "Sum!A1": "120", "Sum!A2": "30",
    }  # fmt: skip
    assert not Workbook(tmp_path / "o.xlsx").is_stale
    assert list(problems(tmp_path / "o.xlsx")) == []


def test_nothing_but_results_changes(model: Path, tmp_path: Path) -> None:
    file, changed = edited(model, {"cells": "Model!A1", "value": 100})
    recalculate(file, tmp_path / "o.xlsx", [Formualizer(), Second()], changed=changed)
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(tmp_path / "o.xlsx") as new:
        differing = {n for n in old.namelist() if old.read(n) != new.read(n)}
        assert old.namelist() == new.namelist()
    assert differing == {"xl/worksheets/sheet1.xml", "xl/worksheets/sheet2.xml", "xl/workbook.xml"}
    found = compare(inventory(Package(file)), inventory(Package(tmp_path / "o.xlsx")))
    assert found.lost == found.gained == ()


def test_a_cell_on_which_the_engines_differ_keeps_its_result(model: Path, tmp_path: Path) -> None:
    file, changed = edited(model, {"cells": "Model!A1", "value": 100})
    second = Second({"Model!C1": Answer("number", "241")})
    done = recalculate(file, tmp_path / "o.xlsx", [Formualizer(), second], changed=changed)
    assert reasons(done) == {"Model!C1": "engines differ"}
    assert done.unsettled[0].answers == {"formualizer": "240", "second": "241"}
    assert values(tmp_path / "o.xlsx")["Model!C1"] == "60"
    assert Workbook(tmp_path / "o.xlsx").is_stale


def test_a_cell_that_one_engine_cannot_compute_is_reported(model: Path, tmp_path: Path) -> None:
    file, changed = edited(model, {"cells": "Model!A1", "value": 100})
    done = recalculate(
        file, tmp_path / "o.xlsx", [Formualizer(), Second({"Model!B1": None})], changed=changed
    )
    assert reasons(done) == {"Model!B1": "not computed"}


def test_what_no_edit_reached_is_not_written_even_if_both_engines_differ_from_it(
    model: Path, tmp_path: Path
) -> None:
    with_other = rewritten(
        model, tmp_path / "other.xlsx", b"<f>Model!A3</f><v>30</v>", b"<f>Model!A3</f><v>31</v>"
    )
    file, changed = edited(with_other, {"cells": "Model!A1", "value": 100})
    done = recalculate(file, tmp_path / "o.xlsx", [Formualizer(), Second()], changed=changed)
    assert reasons(done) == {"Sum!A2": "another program differs"}
    assert values(tmp_path / "o.xlsx")["Sum!A2"] == "31"


def test_engines_that_did_not_give_what_was_stored_before_settle_nothing_after(
    model: Path, tmp_path: Path
) -> None:
    before = rewritten(
        model, tmp_path / "before.xlsx", b"<f>A1*2</f><v>20</v>", b"<f>A1*2</f><v>21</v>"
    )
    file, changed = edited(before, {"cells": "Model!A1", "value": 100})
    done = recalculate(
        file, tmp_path / "o.xlsx", [Formualizer(), Second()], changed=changed, baseline=before
    )
    found = reasons(done)
    assert found["Model!B1"] == found["Sum!A1"] == "result in doubt"
    assert values(tmp_path / "o.xlsx")["Model!B1"] == "21"


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        ("=RAND()", "changes by itself"),
        ("=A1+TODAY()", "changes by itself"),
        ("=MULTINOMIAL(TRUE,1,2)", "result in doubt"),
        ("=ACCRINT(DATE(2020,1,1),DATE(2020,7,1),DATE(2020,3,1),0.1,1000,2,1)", "result in doubt"),
        ("=IRR(E1:E4)", "result in doubt"),  # the cash flows turn twice
        ("=IRR(F1:F4)", ""),
        ("=NPV(0.1,G1:G2)", "result in doubt"),  # text among the figures
        ("=NPV(0.1,F1:F4)", ""),
        ("=NOSUCHFUNCTION(1)", ""),  # both say #NAME?
    ],
)
def test_formulas_that_agreeing_engines_do_not_prove(
    formula: str, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("S")
        sheet.write_column("A1", [1, 2])
        sheet.write_column("E1", [-100, 230, -132, 1])
        sheet.write_column("F1", [-100, 50, 50, 20])
        sheet.write_column("G1", [5, "text"])
        sheet.write_formula("B1", formula, None, "")
    done = recalculate(path, tmp_path / "o.xlsx", [Formualizer(), Second()])
    assert reasons(done).get("S!B1", "") == reason
    assert bool(done.written) == (not reason)


def test_a_data_table_and_a_dynamic_array_are_left_to_the_spreadsheet_program(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("S")
        sheet.write_column("A1", [3, 1, 2])
        sheet.write_dynamic_array_formula("C1:C3", "=SORT(A1:A3)", None, 1)
        sheet.write_array_formula("E1:E3", "{=A1:A3*2}", None, 6)
        sheet.write_formula("G1", "=SUM(C1:C3)", None, 6)
    done = recalculate(
        path, tmp_path / "o.xlsx", [Formualizer(), Second()], changed={"S": [Area(1, 1, 1, 1)]}
    )
    found = reasons(done)
    assert found["S!C1"] == found["S!G1"] == "fills several cells"
    assert found["S!E1"] == "fills several cells"


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (Answer("number", "0.1"), Answer("number", "0.1000000000000000055"), True),
        (Answer("number", "1000000000"), Answer("number", "1000000000.5"), True),
        (Answer("number", "1"), Answer("number", "1.00000001"), False),
        (Answer("number", "1e-17"), Answer("number", "0"), True),
        (Answer("number", "1e-10"), Answer("number", "0"), False),
        (Answer("number", "1"), Answer("bool", "TRUE"), False),
        (Answer("error", "#N/A"), Answer("text", "#N/A"), True),
        (Answer("error", "#N/A"), Answer("error", "#NAME?"), False),
        (Answer("text", ""), Answer("number", "0"), False),
    ],
)
def test_answers_are_the_same_within_a_billionth(one: Answer, other: Answer, equal: bool) -> None:
    assert same(one, other) is equal
    assert same(other, one) is equal


def test_numbers_are_stored_shortest() -> None:
    assert [number(x) for x in (3.0, 0.1, -2.5e-10, 1e20)] == ["3", "0.1", "-2.5e-10", "1e+20"]


def test_one_engine_is_not_enough(model: Path) -> None:
    with pytest.raises(ToolInputError, match="two engines"):
        recalculate(model, model, [Formualizer()])


def test_a_circle_is_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("S")
        sheet.write_formula("A1", "=B1+1", None, 0)
        sheet.write_formula("B1", "=A1+1", None, 0)
    assert Formualizer().compute(path, [("S", (1, 1)), ("S", (1, 2))]) == {}


def test_a_file_that_the_engine_cannot_read_gives_one_line(tmp_path: Path) -> None:
    bad = tmp_path / "bad.xlsx"
    bad.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(ToolError, match=r"formualizer cannot compute bad.xlsx: [^\n]+\.$"):
        Formualizer().compute(bad, [])


def test_an_engine_that_fails_leaves_the_file_as_it_was(model: Path) -> None:
    def broken(source: Path, target: Path) -> None:
        raise ToolError("LibreOffice's service ended while it converted.")

    before = model.read_bytes()
    with pytest.raises(ToolError, match="ended"):
        recalculate(model, model, [Formualizer(), LibreOffice(broken)])
    assert model.read_bytes() == before


def test_libreoffice_reads_what_the_converted_copy_holds(model: Path, tmp_path: Path) -> None:
    seen: list[bytes] = []

    def recorded(source: Path, target: Path) -> None:
        seen.append(source.read_bytes())
        shutil.copyfile(model, target)

    found = LibreOffice(recorded).compute(
        model, [("Model", (1, 2)), ("Model", (2, 3)), ("Sum", (1, 1)), ("Sum", (9, 9))]
    )
    assert seen == [model.read_bytes()]
    assert found == {
        ("Model", (1, 2)): Answer("number", "20"),
        ("Model", (2, 3)): Answer("text", "low"),
        ("Sum", (1, 1)): Answer("number", "30"),
    }


@pytest.fixture
def context(tmp_path: Path, model: Path) -> ToolContext:
    (tmp_path / "w").mkdir()
    shutil.copyfile(model, tmp_path / "w" / "m.xlsx")
    return ToolContext(workspace=tmp_path / "w", home=tmp_path / "h", resources=tmp_path)


def test_a_result_is_evidence_again_once_it_was_settled(context: ToolContext, model: Path) -> None:
    sheet_edit("m.xlsx", [{"cells": "Model!A1", "value": 100}], context)
    old = sheet_read("m.xlsx", "Model!B1:C2", context)
    assert all(cell["old"] for cell in old.result["cells"])
    assert old.evidence == ()
    second = Second({"Model!C2": Answer("text", "higher")})
    answer = recalculated("m.xlsx", context, "", (Formualizer(), second))
    assert answer.result["written"] == 5
    assert {"cell": "Model!C1", "was": "60", "now": "240"} in answer.result["changed"]
    assert [u["cell"] for u in answer.result["unsettled"]] == ["Model!C2"]
    now = sheet_read("m.xlsx", "Model!B1:C2", context)
    assert [c["cell"] for c in now.result["cells"] if c.get("old")] == ["C2"]
    assert {e.locator["cell"]: e.value for e in now.evidence} == {
        "B1": "200", "B2": "40", "C1": "240",
    }  # fmt: skip
    deliverable = answer.deliverables[0]
    file = context.workspace / "m.xlsx"
    checked = ValidationContext(file=file, sources=Sources({"m.xlsx": model}, {}))
    assert list(check_workbook(deliverable, checked)) == []
    sheet_edit("m.xlsx", [{"cells": "Model!A2", "value": 1}], context)
    again = sheet_read("m.xlsx", "Model!B1:C2", context)
    assert all(cell["old"] for cell in again.result["cells"])


def test_the_gate_refuses_a_result_that_no_edit_reaches(context: ToolContext, model: Path) -> None:
    sheet_edit("m.xlsx", [{"cells": "Model!A1", "value": 100}], context)
    answer = recalculated("m.xlsx", context, "", (Formualizer(), Second()))
    file = context.workspace / "m.xlsx"
    lied = rewritten(file, context.workspace / "lie.xlsx", b"<v>40</v>", b"<v>41</v>")
    checked = ValidationContext(file=lied, sources=Sources({"m.xlsx": model}, {}))
    messages = [f.message for f in check_workbook(answer.deliverables[0], checked)]
    assert messages == ["Not among the declared edits: Model!B2 was 40 and is 41."]


def test_results_of_a_file_that_was_never_computed_are_checked_by_the_gate(
    context: ToolContext, tmp_path: Path
) -> None:
    file = context.workspace / "never.xlsx"
    with xlsxwriter.Workbook(file) as book:
        book.add_worksheet("S").write_formula("A1", "=1+1", None, 0)
    original = tmp_path / "never.xlsx"
    shutil.copyfile(file, original)
    assert sheet_read("never.xlsx", "S!A1", context).evidence == ()
    answer = recalculated("never.xlsx", context, "", (Formualizer(), Second()))
    assert answer.result["changed"] == [{"cell": "S!A1", "was": "0", "now": "2"}]
    assert sheet_read("never.xlsx", "S!A1", context).evidence[0].value == "2"
    lied = rewritten(file, tmp_path / "lie.xlsx", b"<v>2</v>", b"<v>3</v>")
    sources = Sources({"never.xlsx": original}, {})
    for path, count in ((file, 0), (lied, 1)):
        found = check_workbook(
            answer.deliverables[0], ValidationContext(file=path, sources=sources)
        )
        assert len(list(found)) == count


def test_without_libreoffice_the_tool_says_which_image_has_it(context: ToolContext) -> None:
    with pytest.raises(ToolError, match="its image is `base`"):
        sheet_recalculate("m.xlsx", context)


@needs_office
def test_both_real_engines_agree_on_a_model(model: Path, tmp_path: Path) -> None:
    file, changed = edited(model, {"cells": "Model!A1", "value": 100})
    engines: list[Engine] = [Formualizer(), LibreOffice(office_of_this_machine)]
    done = recalculate(file, tmp_path / "o.xlsx", engines, changed=changed, baseline=model)
    assert (done.formulas, done.agreed, done.unsettled) == (8, 8, ())
    assert values(tmp_path / "o.xlsx")["Sum!A1"] == "120"


@needs_office
@pytest.mark.cases
@pytest.mark.skipif(not CASES.is_dir(), reason="the cases folder is not beside the checkout")
@pytest.mark.parametrize("source", sorted(CASES.glob("*.xlsx")), ids=lambda p: p.stem)
def test_no_result_of_excel_is_replaced_by_another(source: Path, tmp_path: Path) -> None:
    """All results are declared old and nothing is known of what Excel gave: each is reproduced or reported."""
    stale = tmp_path / "stale.xlsx"
    book = Workbook(source)
    from deskmate_documents.xlsx import naming

    naming.calculate_on_load(book)
    book.package.write_xml(book.main, book.root)
    book.package.save(stale)
    engines: list[Engine] = [Formualizer(), LibreOffice(office_of_this_machine)]
    done = recalculate(stale, tmp_path / "o.xlsx", engines)
    before = {(s.name, v.place): v for s, v in Workbook(source).formulas()}
    after = {(s.name, v.place): v for s, v in Workbook(tmp_path / "o.xlsx").formulas()}
    for spot, value in before.items():
        now = after[spot]
        if value.kind == now.kind == "number":
            # what is left of a search for a rate: Excel stops a little earlier
            assert float(now.text) == pytest.approx(float(value.text), rel=1e-9, abs=1e-9), spot
        else:
            assert (now.kind, now.text) == (value.kind, value.text), spot
    assert done.formulas == done.agreed + len(done.unsettled)


def test_a_calculation_whose_time_is_over_ends_in_one_line(model: Path) -> None:
    with pytest.raises(ToolError, match="takes too long to be computed here"):
        Formualizer(Deadline(0.0)).compute(model, [])
    assert 5.0 < Deadline(30.0).share_s(1 / 3, "x") <= 10.0
