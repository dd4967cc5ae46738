"""Facts of filings: sign, scale and formats, sums within their rounding, hostile files, and changed workbooks."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from plugins.finance.tests.finance_rooms import desk, patch, rules, verdicts

from deskmate.plugin import ToolInputError
from deskmate_finance.tools.xbrl import xbrl_facts
from deskmate_finance.xbrl import read_filing
from deskmate_finance.xbrl_checks import checks, doubled, read_calculations

CASE = Path(__file__).parents[4] / "shared/cases/finance/xbrl/sam-20130629.xml"
REPORT = Path(__file__).parents[1] / "src/deskmate_finance/checks/files/report.xhtml"
HEAD = """<xbrl xmlns="http://www.xbrl.org/2003/instance" xmlns:acme="http://acme.example/2025" xmlns:xbrldi="http://xbrl.org/2006/xbrldi"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<context id="c"><entity><identifier scheme="x">ACME</identifier></entity><period><instant>2025-03-31</instant></period></context>
<context id="d"><entity><identifier scheme="x">ACME</identifier><segment><xbrldi:explicitMember dimension="acme:Axis">acme:North</xbrldi:explicitMember></segment></entity><period><instant>2025-03-31</instant></period></context>
<unit id="u"><divide><unitNumerator><measure>iso4217:EUR</measure></unitNumerator><unitDenominator><measure>shares</measure></unitDenominator></divide></unit>
"""
TOTAL = '<acme:Total contextRef="c" unitRef="u" decimals="0">100</acme:Total>'
PARTS = '<acme:One contextRef="c" unitRef="u" decimals="0">60</acme:One><acme:Two contextRef="c" unitRef="u" decimals="0">41</acme:Two>'
LINKBASE = """<linkbase xmlns="http://www.xbrl.org/2003/linkbase" xmlns:xlink="http://www.w3.org/1999/xlink">
<calculationLink xlink:role="r"><loc xlink:label="t" xlink:href="a.xsd#acme_Total"/><loc xlink:label="a" xlink:href="a.xsd#acme_One"/>
<loc xlink:label="b" xlink:href="a.xsd#acme_Two"/>
<calculationArc xlink:arcrole="http://www.xbrl.org/2003/arcrole/summation-item" xlink:from="t" xlink:to="a" weight="1"/>
<calculationArc xlink:arcrole="http://www.xbrl.org/2003/arcrole/summation-item" xlink:from="t" xlink:to="b" weight="1.0"/>
</calculationLink></linkbase>"""


def read(tmp_path: Path, body: str) -> Any:
    (tmp_path / "f.xml").write_text(HEAD + body + "</xbrl>")
    return read_filing(tmp_path / "f.xml", "f.xml")


def inline(tmp_path: Path, figure: str, attributes: str = "") -> Any:
    text = re.sub(r"<p>Assets.*?</p>", f'<p><ix:nonFraction id="x" name="ifrs-full:Assets" contextRef="now" unitRef="EUR" decimals="0" {attributes}>{figure}</ix:nonFraction></p>', REPORT.read_text())  # fmt: skip
    (tmp_path / "f.xhtml").write_text(text)
    return read_filing(tmp_path / "f.xhtml", "f.xhtml").facts[0].value


def test_facts_have_context_dimension_unit_and_nil(tmp_path: Path) -> None:
    filing = read(tmp_path, TOTAL + '<acme:Part contextRef="d" unitRef="u" decimals="2">1.25</acme:Part><acme:None contextRef="c" unitRef="u" xsi:nil="true"/><acme:Word contextRef="c">Some text</acme:Word>')  # fmt: skip
    total, part, none, word = filing.facts
    assert (total.concept, total.value, filing.units[total.unit]) == ("acme:Total", 100, "iso4217:EUR per shares")  # fmt: skip
    assert filing.contexts[part.context].dimensions == (("acme:Axis", "acme:North"),)
    assert (none.nil, none.value, word.value, word.text) == (True, None, None, "Some text")


@pytest.mark.parametrize(
    ("figure", "attributes", "wanted"),
    [
        ("1,234.5", 'format="ixt:num-dot-decimal" scale="3"', "1234500"),
        ("1.234,5", 'format="ixt:num-comma-decimal" sign="-"', "-1234.5"),
        ("1,234.5", 'format="ixt:numcommadot"', "1234.5"),
        ("1 234,5", 'format="ixt:numspacecomma" scale="-2"', "12.345"),
        ("-", 'format="ixt:fixed-zero"', "0"),
        ("1234.5", "", "1234.5"),
    ],
)
def test_inline_figures_are_read_with_format_scale_and_sign(
    tmp_path: Path, figure: str, attributes: str, wanted: str
) -> None:
    assert inline(tmp_path, figure, attributes) == Decimal(wanted)


@pytest.mark.parametrize(
    ("figure", "attributes", "says"),
    [
        ("1,234", "", "x: '1,234' is no figure"),
        ("ten", 'format="ixt:num-dot-decimal"', "is no figure"),
        ("ten", 'format="ixt:num-word-en"', "format num-word-en is not known"),
        ("1", 'scale="x"', "the scale 'x'"),
        ("1", 'sign="+"', "the sign"),
    ],
)
def test_inline_figures_that_cannot_be_read_are_refused_by_id(
    tmp_path: Path, figure: str, attributes: str, says: str
) -> None:
    with pytest.raises(ToolInputError, match=says):
        inline(tmp_path, figure, attributes)


def test_texts_run_on_and_leave_out_what_is_excluded(tmp_path: Path) -> None:
    text = '<p><ix:nonNumeric id="t" name="a:b" contextRef="now" continuedAt="k">One <ix:exclude>page 7</ix:exclude>two</ix:nonNumeric></p><p><ix:continuation id="k">three</ix:continuation></p></body>'
    (tmp_path / "f.xhtml").write_text(REPORT.read_text().replace("</body>", text))
    assert read_filing(tmp_path / "f.xhtml", "f.xhtml").facts[-1].text == "One two three"
    circle = text.replace('id="k">', 'id="k" continuedAt="k">')
    (tmp_path / "f.xhtml").write_text(REPORT.read_text().replace("</body>", circle))
    with pytest.raises(ToolInputError, match="or a circle"):
        read_filing(tmp_path / "f.xhtml", "f.xhtml")


@pytest.mark.parametrize(
    ("two", "holds"), [("41", True), ("42", False), ("40", True), ("38.5", True), ("38", False)]
)
def test_sums_hold_within_the_rounding_of_their_figures(
    tmp_path: Path, two: str, holds: bool
) -> None:
    (tmp_path / "cal.xml").write_text(LINKBASE)
    sums = read_calculations(tmp_path / "cal.xml", "cal.xml")
    (check,) = checks(read(tmp_path, TOTAL + PARTS.replace("41", two)), sums)
    # three figures, each rounded to whole units
    assert (check.allowed, check.holds) == (Decimal("1.5"), holds)


def test_a_part_of_another_context_is_not_added(tmp_path: Path) -> None:
    (tmp_path / "cal.xml").write_text(LINKBASE)
    other = PARTS.replace('Two contextRef="c"', 'Two contextRef="d"')
    (check,) = checks(read(tmp_path, TOTAL + other), read_calculations(tmp_path / "cal.xml", "c"))
    assert [fact.concept for fact, _ in check.parts] == ["acme:One"]


def test_one_fact_with_two_figures_is_named_and_a_rounded_copy_is_not(tmp_path: Path) -> None:
    rounded = TOTAL.replace('decimals="0">100', 'decimals="-1">104')
    assert list(doubled(read(tmp_path, TOTAL + rounded))) == []
    assert len(list(doubled(read(tmp_path, TOTAL + TOTAL.replace("100", "101"))))) == 1


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (TOTAL.replace('"c"', '"x"'), "the context 'x' is not there"),
        (TOTAL.replace('"u"', '"x"'), "the unit 'x' is not there"),
        (TOTAL.replace(">100", ">about 100"), "'about 100' is no figure"),
        (TOTAL.replace(">100", ">1e99999"), "is no figure"),
        ("", "holds no facts"),
        ("<b>", "no well-formed XML"),
    ],
)
def test_a_damaged_instance_is_refused(tmp_path: Path, body: str, says: str) -> None:
    with pytest.raises(ToolInputError, match=says):
        read(tmp_path, body)


@pytest.mark.parametrize(
    ("head", "says"),
    [
        ('<!DOCTYPE d [<!ENTITY a "aaaa">]>', "document type or entities"),
        ('<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/passwd">]>', "document type or entities"),
        ("<?xml version='1.0'?><other/>", "no well-formed XML|neither"),
    ],
)
def test_hostile_xml_is_refused(tmp_path: Path, head: str, says: str) -> None:
    (tmp_path / "f.xml").write_text(head + HEAD + TOTAL + "</xbrl>")
    with pytest.raises(ToolInputError, match=says):
        read_filing(tmp_path / "f.xml", "f.xml")


def test_a_broken_sum_is_told_and_its_formula_says_no(tmp_path: Path) -> None:
    files = {"acme.xml": HEAD + TOTAL + PARTS.replace("41", "45") + "</xbrl>", "acme_cal.xml": LINKBASE}  # fmt: skip
    context = desk(tmp_path, files)
    answer = xbrl_facts(context, "acme.xml", "acme_cal.xml")
    assert answer.result["broken"] == 1
    assert answer.result["broken_list"] == "acme:Total, 2025-03-31: 100 is reported, the parts are 105 (rounding allows 1.5)"  # fmt: skip
    assert verdicts(context, answer.deliverables[0]) == []
    file = context.workspace / answer.result["path"]
    patch(file, "Checks", "G6", "yes", result=True)
    assert rules(verdicts(context, answer.deliverables[0])) == {"FIN-XBRL-FACTS", "FIN-LIVE-TOTALS"}


@pytest.mark.parametrize(
    ("cell", "value"), [("E6", 101), ("B6", "2024-12-31"), ("D6", "iso4217:USD"), ("A6", "acme:X")]
)
def test_a_changed_fact_is_refused(tmp_path: Path, cell: str, value: Any) -> None:
    context = desk(tmp_path, {"acme.xml": HEAD + TOTAL + "</xbrl>"})
    answer = xbrl_facts(context)
    patch(context.workspace / answer.result["path"], "Facts", cell, value)
    assert rules(verdicts(context, answer.deliverables[0])) == {"FIN-XBRL-FACTS"}


@pytest.mark.cases
@pytest.mark.skipif(not CASE.is_file(), reason="no cases folder")
def test_a_real_filing_gives_every_fact_and_its_balance_sheet_holds() -> None:
    filing = read_filing(CASE, CASE.name)
    text = CASE.read_text()
    assert len(filing.facts) == text.count("contextRef=")
    figures = [f for f in filing.facts if f.value is not None]
    assert len(figures) == text.count("unitRef=") - text.count('xsi:nil="true"')
    equations = checks(filing, {})
    assert [(check.total.value, check.holds) for check in equations] == [
        (Decimal(376766000), True),
        (Decimal(359484000), True),
    ]
    assert list(doubled(filing)) == []
