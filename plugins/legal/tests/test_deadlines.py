import datetime
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import docx
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.tseries.holiday import USFederalHolidayCalendar

from deskmate.plugin import Deliverable, ToolInputError
from deskmate_legal.calendars import BUILT_IN, calendar_named, target, us_federal
from deskmate_legal.counting import LONGEST, Period, due, walked
from deskmate_legal.counting_rules import Rule, built_in, contract_rule, rule_named
from deskmate_legal.dates import dates_in
from deskmate_legal.deadline_rule import check_deadlines
from deskmate_legal.deadlines import events_in, list_deadlines
from deskmate_legal.ics import Entry, read, written
from deskmate_legal.tools.deadlines import deadline_calc, deadlines_write

FEDERAL = BUILT_IN["us-federal"]
AGREEMENT = (
    "SERVICES AGREEMENT",
    "This Services Agreement is made as of January 15, 2026 (the “Effective Date”) between Northlight Inc. and Harbour LLC.",
    "1. Term. This Agreement shall commence on the Effective Date and continue for a term of two (2) years.",
    "2. Renewal. It renews for successive one (1) year periods unless a party gives at least sixty (60) days' prior written notice "
    "before the expiration of the term.",
    "3. Cure. A party may terminate if a breach is not cured within thirty (30) days following written notice of it.",
    "4. Payment. Invoices are payable within ten (10) business days after receipt.",
    "5. Report. The first report is due no later than March 31, 2026.",
)


def day(text: str) -> date:
    return date.fromisoformat(text)


def made(context: Any, *texts: str, name: str = "contract.docx") -> str:
    document = docx.Document()
    for text in texts:
        document.add_paragraph(text)
    document.save(str(context.workspace / name))
    return name


def test_federal_holidays_are_those_that_pandas_computes() -> None:
    theirs = USFederalHolidayCalendar().holidays("1990-01-01", "2060-12-31")
    ours = sorted(d for year in range(1990, 2061) for d in us_federal(year))
    assert ours == [one.date() for one in theirs]


def test_easter_is_where_dateutil_has_it() -> None:
    from dateutil.easter import easter  # type: ignore[import-untyped]

    for year in range(1950, 2150):
        assert easter(year) + timedelta(days=1) in target(year)


@pytest.mark.parametrize(
    ("event", "period", "convention", "expected"),
    [
        # 21 days to answer; the last is a Sunday, and the Monday Columbus Day
        ("2026-09-20", Period(count=21, unit="day"), "frcp-6", "2026-10-13"),
        ("2026-09-20", Period(count=21, unit="day"), "contract", "2026-10-11"),
        # counted back from a hearing: a Saturday is moved back, not on
        ("2026-06-13", Period(count=14, unit="day", before=True), "frcp-6", "2026-05-29"),
        ("2026-01-31", Period(count=1, unit="month"), "contract", "2026-02-28"),
        ("2024-02-29", Period(count=1, unit="year"), "contract", "2025-02-28"),
        ("2026-03-31", Period(count=1, unit="month", before=True), "contract", "2026-02-28"),
        ("2026-07-02", Period(count=1, unit="business day"), "contract", "2026-07-06"),
        ("2026-11-25", Period(count=2, unit="business day"), "contract", "2026-11-30"),
        ("2026-03-02", Period(count=0, unit="day"), "contract", "2026-03-02"),
        # two days over a weekend hold no two working days
        ("2026-03-06", Period(count=2, unit="day"), "eu-1182-71", "2026-03-10"),
        ("2026-03-08", Period(count=1, unit="day", before=True), "eu-1182-71", "2026-03-07"),
        # the three examples of CPR 2.8 that give a last day: hearings of a Friday and a Monday, and 14 days of service
        ("2023-10-20", Period(count=3, unit="day", before=True), "cpr-2-8", "2023-10-16"),
        ("2025-10-20", Period(count=3, unit="day", before=True), "cpr-2-8", "2025-10-14"),
        ("2026-10-02", Period(count=14, unit="day"), "cpr-2-8", "2026-10-16"),
        ("2023-03-14", Period(count=5, unit="day", before=True), "cpr-2-8", "2023-03-06"),
        ("2026-10-29", Period(count=3, unit="day"), "cpr-2-8", "2026-11-03"),
        ("2026-10-08", Period(count=1, unit="month"), "bgb-193", "2026-11-09"),
        ("2026-11-08", Period(count=1, unit="day", before=True), "bgb-193", "2026-11-07"),
        ("2026-10-02", Period(count=8, unit="day"), "ny-gcl-25a", "2026-10-13"),
    ],
)
def test_a_period_ends_where_its_rule_says(
    event: str, period: Period, convention: str, expected: str
) -> None:
    assert due(day(event), period, FEDERAL, built_in()[convention]).day == day(expected)


@settings(max_examples=150, deadline=None)
@given(
    st.dates(date(1995, 1, 1), date(2080, 1, 1)),
    st.sampled_from(sorted(LONGEST)),
    st.integers(0, 40),
    st.booleans(),
    st.sampled_from(sorted(BUILT_IN)),
    st.one_of(
        st.sampled_from([*built_in().values(), contract_rule(moved=True)]),
        st.builds(
            Rule,
            name=st.just("own"),
            words=st.just("w"),
            source=st.just("s"),
            ahead=st.sampled_from(("stays", "next", "previous")),
            back=st.sampled_from(("stays", "next", "previous")),
            short_days=st.integers(0, 12),
            clear_before=st.booleans(),
            least_working=st.integers(0, 5),
        ),
    ),
)
def test_counting_by_arithmetic_and_day_by_day_agree(
    event: date, unit: str, count: int, before: bool, name: str, rule: Rule
) -> None:
    period = Period(count=count, unit=unit, before=before)
    calendar = BUILT_IN[name]
    assert due(event, period, calendar, rule).day == walked(event, period, calendar, rule)


def test_rules_of_the_settings_come_first_and_what_they_cannot_say_is_refused() -> None:
    words = {"words": "Only business days in a week or less", "source": "Local Rule 12"}
    config = {"deadline_rules": {"court": {**words, "short_days": 7}, "frcp-6": words}}
    court = rule_named("court", config)
    assert due(day("2026-10-07"), Period(count=7, unit="day"), FEDERAL, court).day == day(
        "2026-10-19"
    )
    assert court.told == "Only business days in a week or less (Local Rule 12)"
    assert rule_named("frcp-6", config).ahead == "stays"
    for wrong, message in (
        ({}, "There is no rule of counting 'a'; known are bgb-193"),
        ({"a": {"words": "w"}}, "is a table with words and source"),
        ({"a": {**words, "moves": "next"}}, "is a table with words and source"),
        ({"a": {**words, "ahead": "on"}}, "ahead is one of stays, next, previous"),
        ({"a": {**words, "short_days": True}}, "short_days is a number from 0 to 60"),
        ({"a": {**words, "least_working": 61}}, "least_working is a number"),
        ({"a": {**words, "clear_before": 1}}, "clear_before is true or false"),
        ({"a": {**words, "source": " "}}, "source is a short text"),
        ({"a": "next"}, "is a table with"),
    ):
        with pytest.raises(ToolInputError, match=message):
            rule_named("a", {"deadline_rules": wrong})


def test_every_rule_that_comes_with_the_plugin_is_in_the_readme_and_has_a_source() -> None:
    folder = Path(__file__).parents[1]
    readme, sources = (folder / name for name in ("README.md", "SOURCES.md"))
    for name, rule in built_in().items():
        assert f"| `{name}` |" in readme.read_text("utf-8")
        assert f"counting by `{name}`" in sources.read_text("utf-8")
        assert rule.source


def test_business_days_are_those_that_numpy_counts() -> None:
    free = [d for year in (2025, 2026, 2027) for d in us_federal(year)]
    for count in (1, 5, 10, 60):
        for step in range(0, 300, 7):
            event = date(2025, 6, 2) + timedelta(days=step)
            theirs = pandas.offsets.CustomBusinessDay(count, holidays=free)
            wanted = (pandas.Timestamp(event) + theirs).date()
            if not FEDERAL.works(event):
                continue  # numpy first moves such a day
            got = due(event, Period(count=count, unit="business day"), FEDERAL, contract_rule()).day
            assert got == wanted


def test_calendars_of_the_settings_and_what_they_refuse() -> None:
    own = {"court": {"extends": "us-federal", "holidays": ["2026-03-31"], "worked": ["2026-10-12"]},
           "gulf": {"weekend": ["fri", "sat"]}}  # fmt: skip
    config = {"calendars": own}
    court = calendar_named("court", config)
    assert not court.works(day("2026-03-31"))
    assert court.works(day("2026-10-12"))
    assert not court.works(day("2026-12-25"))
    assert calendar_named("gulf", config).works(day("2026-03-01"))
    for wrong, message in (
        ({"a": {"holiday": []}}, "is a table of"),
        ({"a": {"holidays": ["31.3.2026"]}}, "a day that is none"),
        ({"a": {"holidays": "2026-03-31"}}, "is no list"),
        ({"a": {"extends": "b"}}, "extends"),
        (
            {"a": {"weekend": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]}},
            "weekend is a list",
        ),
        ({}, "There is no calendar 'a'"),
    ):
        with pytest.raises(ToolInputError, match=message):
            calendar_named("a", {"calendars": wrong})


def test_dates_are_read_as_people_write_them_and_doubtful_ones_are_left() -> None:
    text = "March 11, 1999; the 14 day of June 2006; 11th day of March, 1999; 2026-03-02; 9/21/98; 3/4/2026; 30 February 2026; 5 Sept. 2026"
    assert [one.day.isoformat() for one in dates_in(text)] == [
        "1999-03-11", "2006-06-14", "1999-03-11", "2026-03-02", "1998-09-21", "2026-09-05",
    ]  # fmt: skip


def test_each_deadline_has_its_day_rule_and_words(context: Any) -> None:
    answer = deadlines_write(made(context, *AGREEMENT), context)
    rows = [(r["what"], r["due"], r["rule"]) for r in answer.result["deadlines"]]
    assert rows == [
        ("fixed day", "2026-03-31", "the day itself"),
        ("renewal", "2027-11-16", "60 days before 2028-01-15"),
        ("end of the term", "2028-01-15", "2 years after 2026-01-15"),
        ("renewal", "2029-01-15", "1 year after 2028-01-15"),
    ]
    assert [(r["what"], r["period"], r["runs_from"]) for r in answer.result["open"]] == [
        ("cure", "30 days after", "written notice of it"),
        ("payment", "10 business days after", "receipt"),
    ]
    known = {one.id: one.quote for one in answer.evidence}
    for row in (*answer.result["deadlines"], *answer.result["open"]):
        assert known[row["evidence"][0]] == row["quote"]
    assert "Check before" in (context.workspace / "contract - deadlines.ics").read_text("utf-8")


def test_days_that_the_request_names_are_counted_from(context: Any) -> None:
    request = "Deadlines please. Receipt was on 2026-07-01, and written notice: 2 March 2026."
    assert events_in(request) == {"Receipt": day("2026-07-01"), "written notice": day("2026-03-02")}
    answer = deadlines_write(
        made(context, *AGREEMENT), context, request=request, calendar="us-federal"
    )
    dues = {r["what"]: r["due"] for r in answer.result["deadlines"]}
    assert dues["payment"] == "2026-07-16"  # the 3rd is observed for the 4th, a Saturday
    assert dues["cure"] == "2026-04-01"
    assert answer.result["open"] == []


def test_a_contract_that_moves_last_days_is_heard(context: Any) -> None:
    moving = "6. If a day for any act is not a Business Day, the act may be done on the next Business Day."
    late = "7. Notice of claims is given within 30 days after the Effective Date."
    answer = deadlines_write(made(context, *AGREEMENT, moving, late), context)
    row = next(r for r in answer.result["deadlines"] if r["what"] == "notice")
    assert row["due"] == "2026-02-16"
    assert row["rule"].endswith("2026-02-14 is Saturday, so it is 2026-02-16")
    assert "next Business Day" in answer.result["counting"][1]


def test_no_start_is_guessed_where_two_ends_or_no_day_are_there(contract_of: Any) -> None:
    contract = contract_of(
        "This Agreement is between A Inc. and B Inc.",
        "The initial term is three (3) years from the Launch Date.",
        "Notice of non-renewal is given 90 days before the expiration of the term.",
    )
    listed = list_deadlines(contract, {}, calendar="weekdays", rule="contract", config={})
    assert [one.due for one in listed.deadlines] == [None, None]
    assert [one.why for one in listed.deadlines] == [
        "no day is known for “the Launch Date”",
        "no day is known for “the expiration of the term”",
    ]


def test_one_deadline_is_counted_and_bad_terms_are_refused(context: Any) -> None:
    order = {"unit": "day", "context": context, "rule": "frcp-6", "calendar": "us-federal"}
    done = deadline_calc("2026-09-20", 21, **order)
    assert (done["due"], done["weekday"], done["counted"]) == (
        "2026-10-13",
        "Tuesday",
        "2026-10-11",
    )
    mailed = deadline_calc("2026-09-20", 21, **order, added_days=3)
    assert mailed["due"] == "2026-10-16"
    assert json.dumps(mailed)
    assert "holidays" not in mailed["summary"]
    # the days that are added are no short period of their own: Sunday the 18th goes on to Monday
    english = {"context": context, "rule": "cpr-2-8", "added_days": 3}
    added = deadline_calc("2026-10-01", 14, "day", **english)
    assert added["due"] == "2026-10-19"
    assert "the calendar weekdays has none" in added["summary"]
    for wrong, message in (
        ({"event_date": "soon", "count": 1}, "is no day"),
        ({"event_date": "2026-01-01", "count": -1}, "0 to 40000"),
        ({"event_date": "2199-12-01", "count": 90}, "1900 to 2199"),
        ({"event_date": "2026-01-01", "count": 1, "rule": "sharia"}, "no rule of counting"),
    ):
        with pytest.raises(ToolInputError, match=message):
            deadline_calc(**{**order, **wrong})


def test_the_gate_passes_what_is_true_and_refuses_each_spoilt_one(
    context: Any, clean_room: Any
) -> None:
    name = made(context, *AGREEMENT)
    table, dates = deadlines_write(name, context).deliverables
    assert list(check_deadlines(table, clean_room(table, name))) == []
    assert list(check_deadlines(dates, clean_room(dates, name))) == []
    for spoil, expected in (
        (lambda d: cell(d, 0, 2, 2, "2027-11-17"), "is not what the files give"),
        (
            lambda d: cell(d, 0, 2, 5, "Notice is given 60 days before."),
            "is not what the files give",
        ),
        (lambda d: d.tables[1]._tbl.remove(d.tables[1].rows[1]._tr), "is missing"),
        (lambda d: d.add_paragraph("The answer is due on 2026-05-01."), "does not belong there"),
        (lambda d: d.paragraphs[3].clear(), "is missing or says something else"),
    ):
        document = docx.Document(str(context.workspace / table.path))
        spoil(document)
        document.save(str(context.workspace / "spoilt.docx"))
        room = clean_room(table, name, file=context.file("spoilt.docx"))
        assert any(expected in f.message for f in check_deadlines(table, room)), expected
    spoilt = context.workspace / "spoilt.ics"
    whole = (context.workspace / dates.path).read_text("utf-8")
    for text in (whole.replace("20271116", "20271117"), whole.replace("DTSTART", "DTSTARTED")):
        spoilt.write_text(text, "utf-8")
        assert list(check_deadlines(dates, clean_room(dates, name, file=spoilt)))
    assert "UNVERIFIED" in next(iter(check_deadlines(table, clean_room(table)))).message


def test_a_day_that_nobody_named_is_refused(context: Any, clean_room: Any) -> None:
    from dataclasses import replace

    name = made(context, *AGREEMENT)
    events: Any = [{"event": "receipt", "date": "2026-07-01"}]
    table = deadlines_write(name, context, events=events).deliverables[0]
    room = clean_room(table, name)
    found = list(check_deadlines(table, room))
    assert ["neither the user nor a source names" in f.message for f in found] == [True]
    told = replace(room, facts={"said": ["We received it on July 1, 2026."]})
    assert list(check_deadlines(table, told)) == []
    broken = replace(table, data={**table.data, "calendar": "none"})
    assert "There is no calendar" in next(iter(check_deadlines(broken, room))).message
    assert isinstance(table, Deliverable)


def test_a_calendar_file_is_read_as_it_was_written() -> None:
    entries = [Entry(day=day("2026-03-02"), title="a; b, c\\d", text="ä" * 200 + "\nzwei")]
    text = written(entries, datetime.date(2026, 1, 1))
    assert read(text) == entries
    assert max(len(line.encode()) for line in text.split("\r\n")) <= 75


def cell(document: Any, table: int, row: int, column: int, text: str) -> None:
    document.tables[table].rows[row].cells[column].text = text


ENDS = {
    "03": "2019-12-27",
    "04": "2007-06-14",
    "05": "2018-05-03",
    "10": "2023-12-31",
    "11": "2014-12-31",
    "12": "2001-09-21",
}


@pytest.mark.cases
def test_ends_of_terms_of_real_contracts_are_those_that_lawyers_gave(cases: Any) -> None:
    from deskmate_legal.contract import read_contract

    right = {}
    for path in sorted((cases / "cuad").glob("[0-9]*.txt")):
        contract = read_contract(path)
        listed = list_deadlines(contract, {}, calendar="weekdays", rule="contract", config={})
        ends = {
            one.due.day.isoformat()
            for one in listed.due
            if one.due and one.found.kind == "end of the term"
        }
        labels = json.loads(path.with_suffix(".labels.json").read_text("utf-8"))["labels"]
        truth = labels["Expiration Date"]["answer"]
        if truth and truth[0].isdigit():
            month, number, year = map(int, truth.split("/"))
            wanted = date(2000 + year, month, number).isoformat()
            right[path.name[:2]] = (wanted, ends)
        for one in listed.deadlines:
            block = contract.blocks[one.found.sentence.block]
            assert one.found.sentence.text in block.text
    assert {key: wanted for key, (wanted, _) in right.items()} == ENDS
    missed = {key: pair for key, pair in right.items() if pair[0] not in pair[1]}
    assert missed == {}
