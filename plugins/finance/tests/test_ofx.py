import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deskmate.plugin import ToolContext, ToolInputError
from deskmate_finance.ofx import read_ofx
from deskmate_finance.tools.recon import recon_match

CASES = Path(__file__).resolve().parents[4] / "shared" / "cases" / "finance" / "ofx"
HEAD = "OFXHEADER:100\nDATA:OFXSGML\n\n<OFX><BANKMSGSRSV1><STMTTRNRS>"
TAIL = "</STMTTRNRS></BANKMSGSRSV1></OFX>"


def statement(rows: str, account: str = "77") -> str:
    return (
        f"<STMTRS><CURDEF>EUR<BANKACCTFROM><ACCTID>{account}</BANKACCTFROM><BANKTRANLIST>{rows}</BANKTRANLIST>"
        "<LEDGERBAL><BALAMT>10.00<DTASOF>20250331</LEDGERBAL><AVAILBAL><BALAMT>99.00</AVAILBAL></STMTRS>"
    )


def row(amount: str = "-1.50", day: str = "20250302120000[-5:EST]", more: str = "") -> str:
    return f"<STMTTRN><TRNTYPE>POS<DTPOSTED>{day}<TRNAMT>{amount}<FITID>1<NAME>A &amp; B{more}</STMTTRN>"


def read(tmp_path: Path, text: str, account: str = "") -> Any:
    (tmp_path / "s.ofx").write_text(text)
    return read_ofx(tmp_path / "s.ofx", "s.ofx", account)


def test_movements_and_the_ledger_balance_are_read(tmp_path: Path) -> None:
    side = read(tmp_path, HEAD + statement(row() + row("00002,7500")) + TAIL)
    assert [(e.number, e.day, e.amount, e.text) for e in side.entries] == [
        (1, date(2025, 3, 2), Decimal("-1.50"), "A & B"),
        (2, date(2025, 3, 2), Decimal("2.75"), "A & B"),
    ]
    assert (side.closing, side.currency) == (Decimal("10.00"), "EUR")


def test_an_account_of_several_must_be_named(tmp_path: Path) -> None:
    text = HEAD + statement(row()) + statement(row("5.00"), "88") + TAIL
    with pytest.raises(ToolInputError, match="accounts 77, 88"):
        read(tmp_path, text)
    assert read(tmp_path, text, "88").total == Decimal("5.00")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hello", "not an OFX statement"),
        (HEAD + statement(row()), "cut off"),
        (HEAD + TAIL, "holds no statement"),
        (HEAD + statement("") + TAIL, "no cash movements"),
        (HEAD + statement(row("$5")) + TAIL, r"movement 1 .*'\$5' is not an amount"),
        (HEAD + statement(row(day="20259900")) + TAIL, "not a date"),
        (HEAD + statement("<STMTTRN><TRNAMT>1" + row()) + TAIL, "damaged"),
        (HEAD + statement(row() + row(more="<CURRENCY><CURSYM>USD</CURRENCY>")) + TAIL, "EUR, USD"),
        (HEAD + "<STATUS><CODE>2<SEVERITY>ERROR<MESSAGE>Wrong password</STATUS>" + TAIL, "Wrong password"),
    ],
)  # fmt: skip
def test_broken_statements_are_refused_with_the_place(tmp_path: Path, text: Any, says: Any) -> None:
    with pytest.raises(ToolInputError, match=says):
        read(tmp_path, text)


def test_the_original_currency_does_not_count_as_the_rows_currency(tmp_path: Path) -> None:
    foreign = row(more="<ORIGCURRENCY><CURRATE>1.1<CURSYM>USD</ORIGCURRENCY>")
    assert read(tmp_path, HEAD + statement(foreign) + TAIL).currency == "EUR"


@pytest.mark.cases
@pytest.mark.skipif(not CASES.is_dir(), reason="no cases folder")
@pytest.mark.parametrize(
    ("name", "total", "closing"),
    [("anzcc", "-5.50", "-123.45"), ("bank_medium", "-345.27", "382.34"), ("suncorp", "-16.85", "1234.12"),
     ("ofx-v102-empty-tags", "12.34", None), ("fidelity-savings", "-1778.3952", None)],
)  # fmt: skip
def test_real_statements_are_read_to_the_cent(name: Any, total: Any, closing: Any) -> None:
    side = read_ofx(CASES / f"{name}.ofx", name)
    assert side.total == Decimal(total)
    assert side.closing == (Decimal(closing) if closing else None)


@pytest.mark.cases
@pytest.mark.skipif(not CASES.is_dir(), reason="no cases folder")
@pytest.mark.parametrize(
    "name", ["fail_nice__decimal_error", "signon_fail", "vanguard", "investment_401k"]
)
def test_real_broken_or_unfit_statements_are_refused(name: Any) -> None:
    with pytest.raises(ToolInputError):
        read_ofx(CASES / f"{name}.ofx", name)


@pytest.mark.cases
@pytest.mark.skipif(not CASES.is_dir(), reason="no cases folder")
def test_a_real_statement_is_reconciled_with_a_ledger(tmp_path: Path) -> None:
    (tmp_path / "b.ofx").write_bytes((CASES / "bank_medium.ofx").read_bytes())
    (tmp_path / "ledger.csv").write_text(
        "Date,Amount,Text\n2009-04-01,-6.60,Lunch\n2009-04-03,-338.67,Hair twice\n"
    )
    context = ToolContext(workspace=tmp_path, home=tmp_path, resources=tmp_path)
    result = recon_match(context, request="reconcile b.ofx with the ledger").result
    assert result["groups_by_rule"] == {"amount and date": 1, "sum of 2": 1}
    assert result["open_count"] == 0
    assert result["difference"] == "0.00"


def reading_of(file: Path) -> str:
    """Return why a file is refused; of one that is read, hold it against a second reading, by the tag of amounts alone."""
    try:
        side = read_ofx(file, file.name)
    except ToolInputError as problem:
        return problem.message
    amounts = re.findall(r"<TRNAMT>\s*([-+\d.,]+)", file.read_text("latin-1"))
    assert side.total == sum(Decimal(one.replace(",", ".")) for one in amounts)
    assert len(side.entries) == len(amounts)
    return ""


@pytest.mark.cases
@pytest.mark.skipif(not CASES.is_dir(), reason="no cases folder")
def test_every_real_file_is_read_whole_or_refused_in_one_line() -> None:
    said = {file.stem: reading_of(file) for file in sorted(CASES.glob("*.ofx"))}
    refused = {name: words for name, words in said.items() if words}
    assert list(refused) == [
        "fail_nice__decimal_error",
        "investment_401k",
        "signon_fail",
        "vanguard",
    ]
    assert len(said) == 11
    for name, words in refused.items():
        assert words.startswith(f"{name}.ofx")
        assert "\n" not in words
