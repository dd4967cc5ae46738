import csv
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import docx
import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn

from deskmate.plugin import Sources, ToolContext, ToolInputError, ValidationContext
from deskmate_documents.docx.reading import read_docx
from deskmate_documents.office.gates import shared_gates
from deskmate_hr.letters import long_date
from deskmate_hr.offers import amount_of, read_records, same_value
from deskmate_hr.tools.offer import offer_letter
from deskmate_hr.validators.offer_rules import letter_true, offer_approved

CASES = Path(__file__).resolve().parents[4] / "shared" / "cases" / "hr" / "offer_letters"
TODAY = date.today()  # noqa: DTZ011 - the tool takes the machine's own day too
START = next(d for n in range(60, 70) if (d := TODAY + timedelta(days=n)).weekday() == 0)
RECORD = {
    "Offer ID": "OF-17",
    "Employer": "Northlight Inc.",
    "Candidate name": "Ada Okafor",
    "Position title": "Data Engineer",
    "Employment type": "Full-time",
    "Start date": START.isoformat(),
    "Reporting manager": "Lee Marsh",
    "Base salary": "185000",
    "Currency": "USD",
    "Pay period": "year",
    "Bonus terms": "10 % of the base salary",
    "Equity terms": "none",
    "Primary work location": "Oakland",
    "Offer expiration date": (TODAY + timedelta(days=20)).isoformat(),
    "Signatory name": "Sam Dube",
    "Signatory title": "Chief People Officer",
    "Approved by": "Dana Petrov",
    "Approved on": (TODAY - timedelta(days=3)).isoformat(),
    "Approval ID": "AP-991",
}


def desk(tmp_path: Path, *records: dict[str, str], **config: Any) -> ToolContext:
    with (tmp_path / "offers.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(RECORD | (records[0] if records else {})))
        writer.writeheader()
        writer.writerows(RECORD | record for record in records or ({},))
    template(tmp_path)
    return ToolContext(workspace=tmp_path, home=tmp_path, resources=tmp_path, config=config)


def template(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_heading("Offer of employment", level=1)
    document.add_paragraph("Dear {{candidate_name}},")
    document.add_paragraph("We offer you the position of [Position title] from [Start date].")
    terms = document.add_table(rows=3, cols=2)
    for row, (label, value) in zip(
        terms.rows,
        (
            ("Base Salary", "[Base salary or hourly amount]"),
            ("Bonus", "[Bonus summary]"),
            ("Equity", "[Equity terms]"),
        ),
        strict=True,
    ):
        row.cells[0].text, row.cells[1].text = label, value
    document.add_paragraph(
        "Employment is at-will. Section 3 of the handbook holds for all 12 months."
    )
    document.save(str(tmp_path / "offer template.docx"))


def verdicts(context: ToolContext, answer: Any, **facts: Any) -> list[str]:
    (item,) = answer.deliverables
    sources = Sources({path: context.workspace / path for path in item.sources.values()}, {})
    room = ValidationContext(
        file=context.workspace / item.path, sources=sources, config=context.config, facts=facts
    )
    return [
        finding.message for rule in (offer_approved, letter_true) for finding in rule(item, room)
    ]


def test_a_letter_says_what_the_approved_record_says(tmp_path: Path) -> None:
    context = desk(tmp_path)
    answer = offer_letter(context)
    assert answer.result["output"] == "offer letter - Ada Okafor.docx"
    assert answer.result["approval"].startswith("Dana Petrov, ")
    document = docx.Document(str(tmp_path / answer.result["output"]))
    lines = [p.text for p in document.paragraphs]
    assert lines[0].startswith("Draft for professional review")
    assert lines[2] == "Dear Ada Okafor,"
    assert (
        lines[3]
        == f"We offer you the position of Data Engineer from {long_date(START, '1 March 2027')}."
    )
    assert document.tables[0].cell(0, 1).text == "USD 185,000 per year"
    assert verdicts(context, answer) == []


def test_the_shared_gates_pass_a_sound_letter(tmp_path: Path) -> None:
    context = desk(tmp_path)
    (item,) = offer_letter(context).deliverables
    sources = Sources({path: tmp_path / path for path in item.sources.values()}, {})
    room = ValidationContext(
        file=tmp_path / item.path, sources=sources, facts={"date": TODAY.isoformat()}
    )
    assert [f.message for gate in shared_gates() for f in gate.function(item, room)] == []


BAD = (
    ({"Approved by": ""}, "not approved: approved by is empty"),
    ({"Approval ID": ""}, "not approved: approval id is empty"),
    ({"Approval status": "pending"}, "its status is pending"),
    ({"Approved by": "Ada Okafor"}, "is the candidate"),
    ({"Requested by": "Dana Petrov"}, "who asked for it"),
    ({"Approved on": (TODAY + timedelta(days=9)).isoformat()}, "still to come"),
    ({"Approved on": "03/04/2026"}, "no clear date"),
    ({"Approved salary": "180,000"}, "180,000 was approved"),
    ({"Start date": (START + timedelta(days=5)).isoformat()}, "is a Saturday"),
    ({"Start date": (TODAY - timedelta(days=30)).isoformat()}, "is past"),
    ({"Offer expiration date": (TODAY - timedelta(days=2)).isoformat()}, "is past"),
)  # fmt: skip


@pytest.mark.parametrize(("change", "says"), BAD)
def test_without_approval_there_is_no_letter_and_the_gate_says_so_too(
    tmp_path: Path, change: dict[str, str], says: str
) -> None:
    sound = offer_letter(desk(tmp_path))
    (tmp_path / "offer letter - Ada Okafor.docx").rename(tmp_path / "kept.docx")
    context = desk(tmp_path, change)
    with pytest.raises(ToolInputError, match=says):
        offer_letter(context)
    assert not (tmp_path / "offer letter - Ada Okafor.docx").exists()
    # a letter that was made all the same, and its record as the host holds it
    (tmp_path / "kept.docx").rename(tmp_path / "offer letter - Ada Okafor.docx")
    assert any(says in message for message in verdicts(context, sound))


NEAR = (
    {"Approval status": "Approved"},
    {"Requested by": "Lee Marsh"},
    {"Approved salary": "185,000.00"},
    {"Approved on": TODAY.isoformat()},
    {"Base salary": "185,000"},
)


@pytest.mark.parametrize("change", NEAR)
def test_what_is_nearly_wrong_is_right(tmp_path: Path, change: dict[str, str]) -> None:
    context = desk(tmp_path, change)
    assert verdicts(context, offer_letter(context), date=TODAY.isoformat()) == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("USD 185,000 per year", "USD 195,000 per year", "the record says '185000'"),
        ("USD 185,000 per year", "EUR 185,000 per year", "the record says '185000'"),
        ("USD 185,000 per year", "USD 185,000 per month", "the record says '185000'"),
        ("Data Engineer", "Data Scientist", "the record says 'Data Engineer'"),
        ("all 12 months", "all 24 months", "The template says"),
        ("Employment is at-will. ", "", "The template says"),
        ("Dear Ada Okafor,", "Dear {{candidate_name}},", "the record says 'Ada Okafor'"),
        ("Draft for professional review", "Final", "the line that it is a draft"),
    ],
)
def test_a_letter_that_was_changed_fails(tmp_path: Path, old: str, new: str, says: str) -> None:
    context = desk(tmp_path)
    answer = offer_letter(context)
    file = tmp_path / answer.result["output"]
    document = docx.Document(str(file))
    cells = [p for row in document.tables[0].rows for cell in row.cells for p in cell.paragraphs]
    (paragraph,) = [p for p in [*document.paragraphs, *cells] if old in p.text]
    text = paragraph.text.replace(old, new)
    for run in paragraph.runs[1:]:
        run.text = ""
    paragraph.runs[0].text = text
    document.save(str(file))
    assert any(says in message for message in verdicts(context, answer))


def test_a_place_is_never_filled_from_another_column_on_the_quiet(tmp_path: Path) -> None:
    context = desk(tmp_path, {"Target salary": "250000"})
    place = "Base salary or hourly amount"
    answer = offer_letter(context, fields={place: "Target salary"})
    assert any(
        "means Base salary; it is filled from Target salary" in m for m in verdicts(context, answer)
    )
    assert verdicts(context, answer, said=["Use the target salary for the amount."]) == []


def test_pay_outside_its_band_needs_an_approved_exception(tmp_path: Path) -> None:
    bands = {"Data Engineer": [120000, 180000]}
    with pytest.raises(ToolInputError, match="outside the band 120000 to 180000"):
        offer_letter(desk(tmp_path, pay_bands=bands))
    context = desk(tmp_path, {"Exception approved by": "Dana Petrov"}, pay_bands=bands)
    assert verdicts(context, offer_letter(context)) == []
    with pytest.raises(ToolInputError, match="must rise"):
        offer_letter(desk(tmp_path, pay_bands={"Data Engineer": [9, 1]}))


def test_a_phrase_that_every_letter_must_have_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ToolInputError, match="does not say what every letter must: Notice period"):
        offer_letter(desk(tmp_path, letter_must_say=["Notice period"]))
    context = desk(tmp_path, letter_must_say=["employment is at-will"])
    assert verdicts(context, offer_letter(context)) == []


def test_an_approval_may_stand_in_a_register_and_must_agree(tmp_path: Path) -> None:
    bare = {"Approved by": "", "Approved on": "", "Approval ID": ""}
    context = desk(tmp_path, bare)
    register = (
        "Offer ID,Approved by,Approved on,Approval ID,Base salary\nOF-17,Dana Petrov,{},AP-1,{}\n"
    )
    (tmp_path / "register.csv").write_text(register.format(TODAY, "185000"))
    answer = offer_letter(context, record="offers.csv", approvals="register.csv")
    assert verdicts(context, answer) == []
    (tmp_path / "register.csv").write_text(register.format(TODAY, "175000"))
    assert any("175000" in message for message in verdicts(context, answer))
    with pytest.raises(ToolInputError, match="Base salary is 185000"):
        offer_letter(context, record="offers.csv", approvals="register.csv")


def test_the_offer_is_found_by_name_and_never_guessed(tmp_path: Path) -> None:
    context = desk(tmp_path, {}, {"Offer ID": "OF-18", "Candidate name": "Bo Lind"})
    assert "Bo Lind" in offer_letter(context, request="offer letter for Bo Lind").result["output"]
    with pytest.raises(ToolInputError, match="Several offers"):
        offer_letter(context)
    with pytest.raises(ToolInputError, match="no single offer 'Cy'"):
        offer_letter(context, offer="Cy")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"Equity terms": ""}, "empty for Equity terms"),
        ({"Base salary": "185.000"}, "thousands or three decimals"),
    ],
)
def test_gaps_and_doubtful_figures_are_refused(tmp_path: Path, change: Any, says: str) -> None:
    with pytest.raises(ToolInputError, match=says):
        offer_letter(desk(tmp_path, change))


def test_a_place_without_a_column_is_named(tmp_path: Path) -> None:
    context = desk(tmp_path)
    document = docx.Document(str(tmp_path / "offer template.docx"))
    document.add_paragraph("Your badge is [Badge colour].")
    document.save(str(tmp_path / "offer template.docx"))
    with pytest.raises(ToolInputError, match="no column for Badge colour"):
        offer_letter(context)


def test_records_may_be_fields_and_values_or_json(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Field,Value\nBase salary,185000\nCandidate,Ada\n")
    (tmp_path / "b.json").write_text(
        json.dumps({"candidate": {"name": "Ada"}, "baseSalary": 185000})
    )
    assert read_records(tmp_path / "a.csv", "a.csv")[0].get(("base salary",)) == "185000"
    (record,) = read_records(tmp_path / "b.json", "b.json")
    assert (record.get(("candidate name",)), record.get(("base salary",))) == ("Ada", "185000")
    (tmp_path / "c.json").write_text("[1]")
    for name in ("c.json", "d.json"):
        (tmp_path / "d.json").write_text("{")
        with pytest.raises(ToolInputError):
            read_records(tmp_path / name, name)
    (tmp_path / "e.csv").write_text("Field,Value\nSalary,1\nsalary,2\n")
    with pytest.raises(ToolInputError, match="stands twice"):
        read_records(tmp_path / "e.csv", "e.csv")


def test_amounts_and_days_are_compared_as_such() -> None:
    assert same_value("185,000.00", "185000")
    assert same_value("1 March 2027", "2027-03-01")
    assert not same_value("185000", "185001")
    assert amount_of("about 3") is None
    with pytest.raises(ToolInputError, match="date_style"):
        long_date(TODAY, "soon")


def test_a_letter_that_is_junk_or_names_no_record_fails(tmp_path: Path) -> None:
    context = desk(tmp_path)
    answer = offer_letter(context)
    (tmp_path / answer.result["output"]).write_bytes(b"junk")
    assert verdicts(context, answer)
    room = ValidationContext(file=tmp_path / answer.result["output"], sources=Sources({}, {}))
    for rule in (offer_approved, letter_true):
        assert any("UNVERIFIED" in f.message for f in rule(answer.deliverables[0], room))


@pytest.mark.cases
@pytest.mark.skipif(not CASES.is_dir(), reason="no cases folder")
def test_a_real_template_is_filled_wholly(tmp_path: Path) -> None:
    context = desk(tmp_path)
    (tmp_path / "offer template.docx").write_bytes(next(CASES.glob("*.docx")).read_bytes())
    answer = offer_letter(context)
    assert len(answer.result["filled"]) == 13
    text = "\n".join(
        p.text for p in docx.Document(str(tmp_path / answer.result["output"])).paragraphs
    )
    assert "[" not in text
    assert verdicts(context, answer) == []


def controlled(tmp_path: Path) -> None:
    """A template with content controls, one within a line and one of its own."""
    document = docx.Document()
    for before, tag, after in (
        ("You will be paid ", "base_salary", " in 12 parts."),
        ("", "start_date", ""),
    ):
        paragraph = document.add_paragraph(before)
        paragraph._p.append(
            parse_xml(
                f'<w:sdt {nsdecls("w")}><w:sdtPr><w:tag w:val="{tag}"/><w:showingPlcHdr/></w:sdtPr><w:sdtContent>'
                "<w:r><w:t>Click to enter</w:t></w:r></w:sdtContent></w:sdt>"
            )
        )
        paragraph.add_run(after)
    document.add_paragraph("Welcome aboard.")
    document.save(str(tmp_path / "offer template.docx"))


def test_content_controls_are_filled_and_held_to_the_record(tmp_path: Path) -> None:
    context = desk(tmp_path)
    controlled(tmp_path)
    answer = offer_letter(context)
    file = tmp_path / answer.result["output"]
    assert "You will be paid USD 185,000 per year in 12 parts." in [
        p.text for p in read_docx(file).paragraphs
    ]
    assert verdicts(context, answer) == []
    for old, new in (("185,000", "195,000"), ("Welcome aboard", "Welcome, colleague")):
        offer_letter(context)
        document = docx.Document(str(file))
        (text,) = [t for t in document.element.body.iter(qn("w:t")) if old in (t.text or "")]
        text.text = text.text.replace(old, new)
        document.save(str(file))
        assert verdicts(context, answer)


def test_a_signatory_s_title_is_never_the_position(tmp_path: Path) -> None:
    context = desk(tmp_path)
    document = docx.Document()
    table = document.add_table(rows=2, cols=2)
    for row, texts in zip(
        table.rows,
        (("Position", "[Role on offer]"), ("Title", "[Title of who signs]")),
        strict=True,
    ):
        row.cells[0].text, row.cells[1].text = texts
    document.save(str(tmp_path / "offer template.docx"))
    record = {"Offer ID": "1", "Candidate": "Ada", "Title": "Engineer", "Approver": "Dana",
              "Approval date": TODAY.isoformat(), "Approval ref": "A"}  # fmt: skip
    (tmp_path / "offers.csv").write_text(",".join(record) + "\n" + ",".join(record.values()) + "\n")
    with pytest.raises(ToolInputError, match="no column for Title of who signs") as problem:
        offer_letter(context)
    assert "Role on offer" not in str(problem.value).partition("there are")[0]


def test_a_band_needs_a_plain_amount(tmp_path: Path) -> None:
    bands = {"Data Engineer": [120000, 180000]}
    with pytest.raises(ToolInputError, match="no plain amount"):
        offer_letter(desk(tmp_path, {"Base salary": "to be agreed"}, pay_bands=bands))
