from dataclasses import replace
from pathlib import Path
from typing import Any

import docx
import pytest
from docx.oxml import OxmlElement
from docx.oxml.ns import qn

from deskmate.plugin import ToolInputError
from deskmate_legal.contract import read_contract
from deskmate_legal.preflight import run_preflight
from deskmate_legal.preflight_rule import check_preflight
from deskmate_legal.signing import parties
from deskmate_legal.tools.preflight import signature_preflight

FINAL = (
    "SUPPLY AGREEMENT",
    "This Supply Agreement is made as of March 2, 2026 between Northlight Instruments, Inc., a Delaware corporation "
    "(“Supplier”), and Harbour Foods LLC, a Texas company (“Buyer”).",
    "1. Supply. Supplier sells to Buyer what Exhibit A lists.",
    "2. Payment. Buyer pays within thirty (30) days.",
    "3. Term. This Agreement ends on March 1, 2027.",
    "IN WITNESS WHEREOF the parties have signed.",
    "NORTHLIGHT INSTRUMENTS, INC.",
    "By: ______________",
    "Name: ____________   Title: ____________",
    "HARBOUR FOODS LLC",
    "By: ______________",
    "Name: ____________   Title: ____________",
    "EXHIBIT A",
    "Valves, 100 pieces.",
)


def write(path: Path, *texts: str, spoil: Any = None) -> None:
    document = docx.Document()
    document.core_properties.author = ""
    for text in texts:
        document.add_paragraph(text)
    if spoil:
        spoil(document)
    document.save(str(path))


def states(path: Path, **options: Any) -> dict[str, str]:
    made = run_preflight(path, read_contract(path), **options)
    return {name: state for name, state in made.states.items() if state != "passes"}


def changed(index: int, text: str) -> tuple[str, ...]:
    return tuple(text if number == index else line for number, line in enumerate(FINAL))


def test_a_sound_contract_has_nothing_but_its_approval_open(tmp_path: Path) -> None:
    write(tmp_path / "a.docx", *FINAL)
    assert states(tmp_path / "a.docx") == {"approval": "look"}
    made = run_preflight(
        tmp_path / "a.docx", read_contract(tmp_path / "a.docx"), approved_by="Ann Roe"
    )
    assert made.verdict == "nothing found that stands against signing"
    assert [(p.name, p.role) for p in made.parties] == [
        ("Northlight Instruments, Inc.", "Supplier"),
        ("Harbour Foods LLC", "Buyer"),
    ]


def tracked(document: Any) -> None:
    mark = OxmlElement("w:ins")
    mark.set(qn("w:id"), "7")
    mark.set(qn("w:author"), "Ann")
    run = OxmlElement("w:r")
    text = OxmlElement("w:t")
    text.text = " more"
    run.append(text)
    mark.append(run)
    document.paragraphs[3]._p.append(mark)


def commented(document: Any) -> None:
    document.add_comment(document.paragraphs[3].runs, text="Really?", author="Ann", initials="A")


def hidden(document: Any) -> None:
    document.paragraphs[3].add_run(" secret").font.hidden = True


def header(document: Any) -> None:
    document.sections[0].header.paragraphs[0].text = "Draft 3"


@pytest.mark.parametrize(
    ("texts", "spoil", "check"),
    [
        (FINAL, tracked, "tracked changes"),
        (FINAL, commented, "comments"),
        (FINAL, hidden, "what travels along"),
        (FINAL, header, "draft marks"),
        (changed(0, "SUPPLY AGREEMENT – DRAFT"), None, "draft marks"),
        (changed(3, "2. Payment. Buyer pays within [●] days."), None, "placeholders"),
        (changed(3, "2. Payment. Buyer pays ____ dollars."), None, "placeholders"),
        (changed(9, "HARBOR FOODS INC"), None, "signature blocks"),
        (changed(10, "and nothing else"), None, "signature blocks"),
        (FINAL[:5], None, "signature blocks"),
        (changed(2, "1. Supply. Supplier sells to Buyer what Exhibit A and Exhibit B list."), None, "exhibits"),
        (FINAL[:-1], None, "exhibits"),
        (changed(4, "3. Term. This Agreement ends on February 30, 2027."), None, "dates"),
        (changed(1, FINAL[1].replace("as of March 2, 2026", "this ___ day of March, 2026")), None, "dates"),
        (changed(3, "2. Payment. Buyer pays within thirty (45) days."), None, "numbers"),
        (changed(1, FINAL[1].replace("Harbour Foods LLC, a Texas company", "______________")), None, "parties"),
    ],
)  # fmt: skip
def test_each_defect_fails_its_check(texts: Any, spoil: Any, check: str, tmp_path: Path) -> None:
    write(tmp_path / "a.docx", *texts, spoil=spoil)
    assert states(tmp_path / "a.docx").get(check) == "fails"


def test_what_only_looks_like_a_defect_does_not(tmp_path: Path) -> None:
    near = (
        *FINAL[:3],
        "2. Payment. Buyer pays within thirty (30) days. A draft drawn on a bank is no payment.",
        "2a. Sections in [brackets] and the word draft in a sentence are nothing to fill in.",
        *FINAL[4:],
    )
    write(tmp_path / "a.docx", *near)
    assert states(tmp_path / "a.docx") == {"approval": "look"}


def test_an_exhibit_may_be_a_file_of_its_own(context: Any, clean_room: Any) -> None:
    texts = changed(2, "1. Supply. Supplier sells to Buyer what Exhibit A and Exhibit B list.")
    write(context.workspace / "a.docx", *texts)
    (context.workspace / "Exhibit_B prices.txt").write_text("Prices")
    answer = signature_preflight("a.docx", context, attachments=["Exhibit_B prices.txt"])
    assert answer.result["checks"]["exhibits"] == "passes"
    made = answer.deliverables[0]
    assert list(check_preflight(made, clean_room(made, "a.docx", "Exhibit_B prices.txt"))) == []
    found = list(check_preflight(made, clean_room(made, "a.docx")))
    assert ["UNVERIFIED" in f.message for f in found] == [True]
    with pytest.raises(ToolInputError, match="is not a file"):
        signature_preflight("a.docx", context, attachments=["Exhibit C.pdf"])


def test_the_verdict_is_the_file_s_and_nobody_else_s(context: Any, clean_room: Any) -> None:
    write(context.workspace / "a.docx", *changed(3, "2. Payment. Buyer pays within [●] days."))
    answer = signature_preflight("a.docx", context)
    made = answer.deliverables[0]
    assert answer.result["verdict"] == "not ready"
    assert answer.result["summary"] == "a.docx: not ready (placeholders)."
    assert list(check_preflight(made, clean_room(made, "a.docx"))) == []
    for spoil, expected in (
        (
            lambda d: reset(d, "Verdict", "Verdict: nothing found that stands against signing."),
            "does not belong",
        ),
        (lambda d: d.add_paragraph("Verdict: ready."), "does not belong"),
        (lambda d: d.tables[1]._tbl.remove(d.tables[1].rows[1]._tr), "is missing"),
        (lambda d: setattr(d.tables[0].rows[4].cells[1], "text", "passes"), "is not what"),
        (lambda d: reset(d, "File", "File: a.docx, SHA-256 00."), "does not belong"),
    ):
        document = docx.Document(str(context.workspace / made.path))
        spoil(document)
        document.save(str(context.workspace / "spoilt.docx"))
        room = clean_room(made, "a.docx", file=context.file("spoilt.docx"))
        assert any(expected in f.message for f in check_preflight(made, room)), expected
    write(context.workspace / "a.docx", *FINAL)  # the file is another one now
    assert list(check_preflight(made, clean_room(made, "a.docx")))
    (context.workspace / "a.docx").write_bytes(b"PK\x03\x04broken")
    (crashed,) = check_preflight(made, clean_room(made, "a.docx"))
    assert "cannot be checked again" in crashed.message


def reset(document: Any, start: str, text: str) -> None:
    next(p for p in document.paragraphs if p.text.startswith(start)).text = text


def test_nobody_approved_it_but_who_the_user_named(context: Any, clean_room: Any) -> None:
    write(context.workspace / "a.docx", *FINAL)
    made = signature_preflight("a.docx", context, approved_by="Ann Roe").deliverables[0]
    room = clean_room(made, "a.docx")
    assert ["said no such thing" in f.message for f in check_preflight(made, room)] == [True]
    told = replace(room, facts={"said": ["Check it; Ann  Roe approved it."]})
    assert list(check_preflight(made, told)) == []


def test_people_are_parties_too_and_aliases_are_none(contract_of: Any) -> None:
    text = (
        "BUSINESS AFFILIATE AGREEMENT is entered into by and between Dr. George D. Green (the “Affiliate”) and UNION DENTAL "
        "CORP., a Florida corporation, doing business as Smile Company, Inc. (“UDC”). WHEREAS Other Bank Ltd. lends."
    )
    assert [(p.name, p.role) for p in parties(contract_of(text))] == [
        ("Dr. George D. Green", "Affiliate"),
        ("UNION DENTAL CORP.", "UDC"),
    ]
    assert parties(contract_of("A letter to nobody.")) == []


@pytest.mark.cases
def test_parties_of_real_contracts_are_those_that_lawyers_marked(cases: Any) -> None:
    import json

    right = wanted = 0
    for path in sorted((cases / "cuad").glob("[0-9]*.txt")):
        labels = json.loads(path.with_suffix(".labels.json").read_text("utf-8"))["labels"]
        marked = " ".join(clause["text"] for clause in labels["Parties"]["clauses"])
        flat = "".join(c for c in marked.lower() if c.isalnum())
        found = parties(read_contract(path))
        named = ["".join(c for c in p.name.lower() if c.isalnum()) for p in found if not p.blank]
        right += sum(name in flat for name in named)
        wanted += len(named)
        run_preflight(path, read_contract(path))
    assert wanted >= 18
    assert right / wanted >= 0.85


@pytest.mark.cases
def test_forms_that_nobody_filled_in_are_not_ready(cases: Any) -> None:
    seen = 0
    for path in sorted((cases / "templates").glob("*.docx")):
        made = run_preflight(path, read_contract(path))
        assert made.verdict == "not ready", path.name
        seen += 1
    assert seen >= 5
