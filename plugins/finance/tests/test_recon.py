from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deskmate.plugin import Sources, ToolAnswer, ToolContext, ToolInputError, ValidationContext
from deskmate_documents.tables import read_sheets, write_tables
from deskmate_finance.matching import match
from deskmate_finance.sides import Entry
from deskmate_finance.tools.recon import recon_match
from deskmate_finance.validators.recon_ties import recon_ties

BANK = """Account;DE00 1234
Booking date;Details;Amount;Balance
01.03.2025;Opening deposit;1.000,00;1.000,00
03.03.2025;ACME invoice 17;250,00;1.250,00
05.03.2025;Card settlement;300,00;1.550,00
07.03.2025;Bank fee;-4,50;1.545,50
31.03.2025;Rent;-800,00;745,50
"""
LEDGER = """Posting date,Text,Debit,Credit,Reference
2025-03-01,Opening deposit,1000.00,,
2025-03-02,ACME inv 17,250.00,,
2025-03-04,Card sale A,120.00,,
2025-03-05,Card sale B,180.00,,
2025-03-30,Rent March,,800.00,
2025-03-31,Cheque 99,,55.00,
"""


def workspace(tmp_path: Path, bank: str = BANK, ledger: str = LEDGER) -> ToolContext:
    folder = tmp_path / "ws" / "march"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bank.csv").write_text(bank)
    (folder / "ledger.csv").write_text(ledger)
    return ToolContext(workspace=tmp_path / "ws", home=tmp_path, resources=tmp_path)


def verdict(context: ToolContext, answer: ToolAnswer, **changes: Any) -> list[tuple[str, str]]:
    (deliverable,) = answer.deliverables
    originals = {path: context.workspace / path for path in deliverable.sources.values()}
    room = ValidationContext(
        file=context.workspace / deliverable.path,
        sources=changes.pop("sources", Sources(originals, {})),
    )
    found = recon_ties(replace(deliverable, **changes), room)
    assert all(finding.rule == "FIN-RECON-TIES" for finding in found)
    return [(finding.level, finding.message) for finding in found]


def edited(
    context: ToolContext, answer: ToolAnswer, sheet: str, row: int, column: int, value: Any
) -> None:
    file = context.workspace / answer.deliverables[0].path
    sheets: dict[str, Any] = read_sheets(file)
    figures = {"Amount", "Sum", "Bank", "Ledger"}
    for title, rows in sheets.items():
        for cells in rows[1:]:
            for place, head in enumerate(rows[0]):
                if (
                    head in figures
                    and cells[place].replace(".", "").lstrip("-").isdigit()
                    and title != "Summary"
                ):
                    cells[place] = Decimal(cells[place])
    sheets[sheet][row][column] = value
    write_tables(file, sheets)


def test_rows_are_paired_by_amount_date_and_sum_and_the_rest_is_open(tmp_path: Path) -> None:
    context = workspace(tmp_path)
    answer = recon_match(context)
    result = answer.result
    assert result["output"] == "march/reconciliation.xlsx"
    assert result["groups_by_rule"] == {
        "amount and date": 1,
        "amount within 5 days": 2,
        "sum of 2": 1,
    }
    assert [(i["side"], i["row"], i["amount"], i["age_days"]) for i in result["open_items"]] == [
        ("bank", 6, "-4.50", 24),
        ("ledger", 7, "-55.00", 0),
    ]
    assert (result["difference"], result["ties"]) == ("0.00", True)
    assert result["basis"] == "sum of the movements in the files"
    assert verdict(context, answer) == []


def test_closing_balances_that_do_not_tie_show_the_difference_and_where_it_is_from(
    tmp_path: Path,
) -> None:
    context = workspace(tmp_path)
    answer = recon_match(context, balances={"ledger": "700.00"})
    assert answer.result["difference"] == "-5.00"
    assert not answer.result["ties"]
    assert [level for level, _ in verdict(context, answer)] == ["warning", "warning"]


def test_the_same_files_give_the_same_workbook_contents(tmp_path: Path) -> None:
    context = workspace(tmp_path)
    first = read_sheets(context.workspace / recon_match(context).deliverables[0].path)
    assert (
        read_sheets(
            context.workspace
            / recon_match(context, "march/bank.csv", "march/ledger.csv").deliverables[0].path
        )
        == first
    )


@pytest.mark.parametrize(
    ("sheet", "row", "column", "value", "says"),
    [
        ("Matched", 1, 2, 4, "used twice"),
        ("Matched", 1, 4, Decimal("1000.01"), "in the source, not"),
        ("Open items", 1, 3, Decimal("-4.51"), "in the source, not"),
        ("Open items", 1, 5, 99, "should be 24 days"),
        ("Open items", 1, 1, 77, "has no row 77"),
        ("Summary", 7, 1, Decimal("0.01"), "Difference is 0.01"),
        ("Summary", 4, 2, Decimal("1.00"), "Balance is"),
        ("Summary", 3, 1, "2025-01-01", "day of the ages"),
        ("Ageing", 1, 3, Decimal("0.00"), "Ageing of the bank"),
    ],
)
def test_an_altered_workbook_fails(
    tmp_path: Path, sheet: Any, row: Any, column: Any, value: Any, says: Any
) -> None:
    context = workspace(tmp_path)
    answer = recon_match(context)
    edited(context, answer, sheet, row, column, value)
    assert any(level == "error" and says in message for level, message in verdict(context, answer))


def test_a_row_left_out_of_the_workbook_fails(tmp_path: Path) -> None:
    context = workspace(tmp_path)
    answer = recon_match(context)
    file = context.workspace / answer.deliverables[0].path
    sheets: dict[str, Any] = read_sheets(file)
    del sheets["Open items"][1]
    write_tables(file, sheets)
    assert any(
        "Rows 6 of the bank are neither matched nor open" in m for _, m in verdict(context, answer)
    )


def test_a_group_that_does_not_settle_fails(tmp_path: Path) -> None:
    context = workspace(tmp_path)
    answer = recon_match(context)
    edited(context, answer, "Matched", 1, 0, 2)
    assert any("does not settle" in message for _, message in verdict(context, answer))


def test_a_workbook_written_again_with_the_same_contents_passes(tmp_path: Path) -> None:
    context = workspace(tmp_path)
    answer = recon_match(context)
    edited(context, answer, "Open items", 1, 7, "asked the bank about it")
    assert verdict(context, answer) == []


def test_a_source_that_the_host_never_held_is_unverified(tmp_path: Path) -> None:
    context = workspace(tmp_path)
    answer = recon_match(context)
    assert "UNVERIFIED" in verdict(context, answer, sources=Sources({}, {}))[0][1]


def test_a_source_that_changed_fails(tmp_path: Path) -> None:
    context = workspace(tmp_path)
    answer = recon_match(context)
    workspace(
        tmp_path,
        bank=BANK.replace("-4,50", "-4,60")
        .replace("1.545,50", "1.545,40")
        .replace("745,50", "745,40"),
    )
    assert any("-4.60 in the source" in message for _, message in verdict(context, answer))


def test_a_deliverable_that_is_no_workbook_or_has_broken_data_is_an_error_not_a_crash(
    tmp_path: Path,
) -> None:
    context = workspace(tmp_path)
    answer = recon_match(context)
    assert any(
        "cannot be read again" in m
        for _, m in verdict(context, answer, data={"settings": {"bank.x": "1"}})
    )
    (context.workspace / answer.deliverables[0].path).write_bytes(b"junk")
    assert "not a readable workbook" in verdict(context, answer)[0][1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"bank": "march/none.csv"}, "not a file"),
        ({"days": 90}, "0 to 60"),
        ({"bank": "march/ledger.csv"}, "cannot be both"),
        ({"output": "march/ledger.csv"}, "cannot be the workbook"),
        ({"output": "../out.xlsx"}, "outside the workspace"),
        ({"settings": {"bank.colour": "x"}}, "unknown"),
        ({"settings": {"bank.amount": "Betrag"}}, "no column 'Betrag'"),
        ({"settings": {"as_of": "soon"}}, "give a date"),
        ({"balances": {"bank": "many"}}, "not an amount"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(tmp_path: Path, arguments: Any, says: Any) -> None:
    with pytest.raises(ToolInputError, match=says):
        recon_match(workspace(tmp_path), **arguments)


@pytest.mark.parametrize(
    ("ledger", "says"),
    [
        ("Text,Debit,Credit\nx,1,2\n", "no date column"),
        ("Date,Text\n2025-01-01,x\n", "no amount column"),
        ("Date,Amount\n2025-01-01,\n", "row 2: the amount is missing"),
        ("Date,Amount\n2025-01-01,abc\n", "not an amount"),
        ("Date,Amount,Currency\n2025-01-01,1,EUR\n2025-01-01,1,USD\n", "one currency at a time"),
    ],
)
def test_ledgers_that_cannot_be_read_are_refused_with_the_place(
    tmp_path: Path, ledger: Any, says: Any
) -> None:
    with pytest.raises(ToolInputError, match=says):
        recon_match(workspace(tmp_path, ledger=ledger))


def entry(number: int, amount: str, day: int = 1, text: str = "", reference: str = "") -> Entry:
    return Entry(
        number=number,
        day=date(2025, 1, day),
        amount=Decimal(amount),
        text=text,
        reference=reference,
    )


def test_a_reference_beats_the_date_and_the_text_breaks_ties() -> None:
    found = match(
        [entry(1, "5.00", 1, reference="R2"), entry(2, "5.00", 1, "coffee beans")],
        [
            entry(1, "5.00", 1, "tea"),
            entry(2, "5.00", 1, "coffee bean"),
            entry(3, "5.00", 28, reference="r2"),
        ],
        days=5,
        group_size=4,
    )
    assert [(g.bank, g.ledger) for g in found.groups] == [((1,), (3,)), ((2,), (2,))]


def test_a_sum_is_matched_only_if_one_smallest_group_fits() -> None:
    ledger = [entry(1, "3.00"), entry(2, "7.00"), entry(3, "4.00"), entry(4, "6.00")]
    doubtful = match([entry(1, "10.00")], ledger, days=5, group_size=4)
    assert (doubtful.groups, doubtful.ambiguous_bank) == ((), (1,))
    clear = match([entry(1, "10.00")], ledger[:3], days=5, group_size=4)
    assert [(g.bank, g.ledger) for g in clear.groups] == [((1,), (1, 2))]


def test_thousands_of_equal_amounts_are_all_paired_once() -> None:
    many = [entry(n, "9.99", n % 28 + 1) for n in range(3000)]
    found = match(many, many, days=3, group_size=4)
    assert len(found.groups) == 3000
    assert len({g.ledger for g in found.groups}) == 3000
