"""The banks' own formats: rows to the cent, balances that must fit, and files that are not whole named by their place."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskmate.plugin import ToolContext, ToolInputError
from deskmate_finance.bai2 import read_bai2
from deskmate_finance.bank_formats import read_bank_format
from deskmate_finance.camt import read_camt
from deskmate_finance.mt940 import read_mt940
from deskmate_finance.tools.recon import recon_match

MT940 = """{1:F01DEUTDEFFXXXX0000000000}{2:I940DEUTDEFFXXXXN}{4:
:20:STARTUMS
:25:10020030/1234567
:28C:00003/001
:60F:C250228EUR1000,00
:61:2503010301C250,00NTRFINV-1017//BK77
supplementary
:86:166?00GUTSCHRIFT?20EREF+INV-1017?21 ACME invoice?32ACME
 GmbH
:61:2501021231D4,5NMSCNONREF//FEE9
:86:Bank fee
:61:250331RC10,NTRFR-1
:62F:C250331EUR1235,5
:64:C250331EUR1235,5
-}
"""
CAMT = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><GrpHdr><MsgId>1</MsgId></GrpHdr>
<Stmt><Id>S1</Id><Acct><Id><IBAN>DE00 1234</IBAN></Id><Ccy>EUR</Ccy></Acct>
<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">1000.00</Amt><CdtDbtInd>CRDT</CdtDbtInd></Bal>
<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">1245.5</Amt><CdtDbtInd>CRDT</CdtDbtInd></Bal>
<Ntry><Amt Ccy="EUR">250</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2025-03-01</Dt></BookgDt>
<NtryDtls><TxDtls><Refs><EndToEndId>INV-1017</EndToEndId></Refs><RltdPties><Dbtr><Pty><Nm>ACME</Nm></Pty></Dbtr></RltdPties>
<RmtInf><Ustrd>Invoice 1017</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>
<Ntry><Amt Ccy="EUR">4.50</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>BOOK</Sts><BookgDt><DtTm>2025-03-07T10:00:00</DtTm></BookgDt>
<AcctSvcrRef>FEE9</AcctSvcrRef><AddtlNtryInf>Bank fee</AddtlNtryInf></Ntry>
<Ntry><Amt Ccy="EUR">99.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>PDNG</Cd></Sts><BookgDt><Dt>2025-03-08</Dt></BookgDt></Ntry>
</Stmt></BkToCstmrStmt></Document>
"""
BAI2 = """01,122099999,123456789,250331,0800,1,,,2/
02,123456789,122099999,1,250331,0800,USD,2/
03,4711,,010,100000,,/
88,015,124550,,/
16,165,25000,0,BK77,INV-1017,ACME invoice 1017
88,paid in full
16,698,450,V,250331,,FEE9,,Bank fee/
49,250000,5/
98,250000,1,7/
99,250000,1,9/
"""


def read(tmp_path: Path, name: str, text: str, account: str = "") -> Any:
    (tmp_path / name).write_text(text)
    return read_bank_format(tmp_path / name, name, account)


def rows(side: Any) -> list[tuple[Any, ...]]:
    return [(e.number, e.day, e.amount, e.reference) for e in side.entries]


def test_mt940_is_read_with_its_year_of_booking_reversals_and_subfields(tmp_path: Path) -> None:
    side = read(tmp_path, "s.sta", MT940)
    assert rows(side) == [
        (1, date(2025, 3, 1), Decimal("250.00"), "INV-1017"),
        (2, date(2024, 12, 31), Decimal("-4.50"), "FEE9"),
        (3, date(2025, 3, 31), Decimal("-10.00"), "R-1"),
    ]
    assert side.entries[0].text == "ACME GmbH · EREF+INV-1017 ACME invoice · supplementary"
    assert side.entries[1].text == "Bank fee"
    assert (side.closing, side.currency) == (Decimal("1235.50"), "EUR")


def test_camt_is_read_without_what_is_pending(tmp_path: Path) -> None:
    side = read(tmp_path, "s.xml", CAMT)
    assert rows(side) == [
        (1, date(2025, 3, 1), Decimal("250.00"), "INV-1017"),
        (2, date(2025, 3, 7), Decimal("-4.50"), "FEE9"),
    ]
    assert [e.text for e in side.entries] == ["ACME · Invoice 1017", "Bank fee"]
    assert (side.closing, side.currency) == (Decimal("1245.50"), "EUR")


def test_bai2_is_read_with_continuations_and_types_of_funds(tmp_path: Path) -> None:
    side = read(tmp_path, "s.bai", BAI2)
    assert rows(side) == [
        (1, date(2025, 3, 31), Decimal("250.00"), "INV-1017"),
        (2, date(2025, 3, 31), Decimal("-4.50"), "FEE9"),
    ]
    assert side.entries[0].text == "ACME invoice 1017 paid in full"
    assert (side.closing, side.currency) == (Decimal("1245.50"), "USD")


def test_a_format_is_told_by_its_content_and_a_table_in_txt_stays_a_table(tmp_path: Path) -> None:
    assert read(tmp_path, "s.txt", MT940).closing == Decimal("1235.50")
    assert read(tmp_path, "b.txt", BAI2).closing == Decimal("1245.50")
    assert read(tmp_path, "t.txt", "Date;Amount\n2025-03-01;5,00\n") is None
    assert read(tmp_path, "t.csv", "Date,Amount\n2025-03-01,5.00\n") is None


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (":62F:C250331EUR1235,5\n", "", r"statement 1 is cut off: its closing \(:62F:\)"),
        (":60F:C250228EUR1000,00", ":60F:C250228EUR1000,01", "movements of 235.50 are not 1235.50"),
        ("C250,00NTRF", "C250.00NTRF", r"movement 1: '2503010301C250\.00NTRF.* is no statement line"),
        ("2503010301C", "2513010301C", "movement 1: '251301' is no date"),
        ("2503010301C", "2503011301C", "'1301' is no day of a year"),
        ("EUR1235,5\n:64", "USD1235,5\n:64", "opens in EUR and closes in USD"),
        (":25:10020030/1234567\n", "", "has no account"),
        (":20:STARTUMS\n", "", "stands before the first :20:"),
        (":60F:C250228EUR1000,00", ":60F:C250228EUR", "is no balance"),
    ],
)  # fmt: skip
def test_mt940_that_is_not_whole_is_refused_with_its_place(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    assert old in MT940
    with pytest.raises(ToolInputError, match=says):
        read(tmp_path, "s.sta", MT940.replace(old, new))


BOMB = '<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("</Document>", "", "is no well-formed XML"),
        ("<Document", BOMB + "<Document", "document type or entities"),
        ("<Document", '<!DOCTYPE d SYSTEM "file:///etc/passwd"><Document', "document type or entities"),
        ("1245.5<", "1245.51<", "are not 1245.51"),
        (">250<", ">2,50<", "movement 1: '2,50' 'CRDT' is no amount"),
        ("2025-03-01", "2025-13-01", "movement 1: '2025-13-01' is no date"),
        ('<Ntry><Amt Ccy="EUR">250', '<Ntry><Amt Ccy="USD">250', "movement 1 is in USD"),
        ("BkToCstmrStmt", "BkToCstmrDbtCdtNtfctn", "is a camt.054 notification"),
        ("BkToCstmrStmt", "CstmrCdtTrfInitn", "is no CAMT.053 statement"),
        ("<IBAN>DE00 1234</IBAN>", "", "names no account"),
    ],
)  # fmt: skip
def test_camt_that_is_hostile_or_not_whole_is_refused(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    assert old in CAMT
    with pytest.raises(ToolInputError, match=says):
        read(tmp_path, "s.xml", CAMT.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("99,250000,1,9/\n", "", r"cut off: its end \(record 99\)"),
        ("16,165,25000", "16,165,25001", "line 8: the control total is 250000, the amounts are 250001"),
        ("015,124550", "015,124551", "the control total"),
        ("16,165", "16,890", "whether type '890' is money in or out is not known"),
        ("0800,USD", "0800,EUR", ""),
        ("250331,0800,USD", "259931,0800,USD", "line 2: '259931' is no date"),
        ("16,698,450,V", "16,698,450,Q", "'Q' is no type of funds"),
        ("98,250000", "97,250000", "is no record of BAI2"),
        ("03,4711", "04,4711", "is no record of BAI2"),
    ],
)  # fmt: skip
def test_bai2_that_is_not_whole_is_refused_with_its_line(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    assert old in BAI2
    if not says:
        assert read(tmp_path, "s.bai", BAI2.replace(old, new)).currency == "EUR"
        return
    with pytest.raises(ToolInputError, match=says):
        read(tmp_path, "s.bai", BAI2.replace(old, new))


def test_statements_of_one_account_follow_each_other_or_one_is_missing(tmp_path: Path) -> None:
    second = MT940.replace("C250228EUR1000,00", "C250331EUR1235,50").replace(
        "EUR1235,5\n", "EUR1471,\n"
    )
    assert len(read(tmp_path, "s.sta", MT940 + second).entries) == 6
    other = MT940.replace("10020030/1234567", "99")
    with pytest.raises(ToolInputError, match="holds the accounts 10020030/1234567, 99"):
        read(tmp_path, "s.sta", MT940 + other)
    assert len(read(tmp_path, "s.sta", MT940 + other, "99").entries) == 3
    with pytest.raises(ToolInputError, match="a statement is missing between them"):
        read(tmp_path, "s.sta", MT940 + MT940)


def refusal(read_: Any, data: Any) -> str:
    try:
        read_(data, "s")
    except ToolInputError as problem:
        return problem.message
    return ""


@given(st.text(":20:5610FCDR,/\n-{}EUR0123", max_size=200), st.integers(0, 400))
def test_anything_is_read_or_refused_in_one_line(text: str, place: int) -> None:
    said = [
        refusal(read_mt940, MT940[:place] + text + MT940[place:]),
        refusal(read_bai2, BAI2[:place] + text + BAI2[place:]),
        refusal(read_camt, (CAMT[:place] + text + CAMT[place:]).encode()),
    ]
    assert not any("\n" in message for message in said)


@pytest.mark.parametrize(("name", "text"), [("s.sta", MT940), ("s.xml", CAMT), ("s.bai", BAI2)])
def test_a_statement_in_a_banks_own_format_is_reconciled(
    tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text)
    (tmp_path / "ledger.csv").write_text(
        "Date,Text,Amount,Balance\n2025-02-28,Before,1000.00,1000.00\n2025-03-01,ACME INV-1017,250.00,1250.00\n"
    )
    context = ToolContext(workspace=tmp_path, home=tmp_path, resources=tmp_path)
    result = recon_match(context, request=f"reconcile {name} with the ledger").result
    assert result["groups"] == 1
    assert result["bank"]["balance"] == ("1235.50" if name == "s.sta" else "1245.50")
    assert result["basis"] == "closing balances"
