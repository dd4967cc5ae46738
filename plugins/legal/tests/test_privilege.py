from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import docx
import pytest

from deskmate.plugin import ToolInputError
from deskmate_legal.mails import read_mail
from deskmate_legal.privilege import Rules, rules_from, screen_files
from deskmate_legal.privilege_rule import check_screen
from deskmate_legal.tools.privilege import named_in, privilege_screen

CONFIG = {
    "counsel": [
        {"name": "Ann Roe", "mail": "ann@northlight.com", "role": "in-house"},
        {"domain": "hale-law.com"},
    ],
    "own_domains": ["northlight.com"],
    "privilege_markings": ["Project Lex"],
}
DISCLAIMER = "This e-mail may contain privileged information. If you are not the intended recipient, delete it."
RULES = rules_from(CONFIG, [], [])


def mail(
    path: Path,
    sender: str,
    to: str,
    text: str,
    *,
    cc: str = "",
    subject: str = "Hello",
    attach: Any = (),
) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message["Date"] = "Mon, 02 Mar 2026 09:00:00 +0100"
    if cc:
        message["Cc"] = cc
    message.set_content(text)
    for name, data in attach:
        message.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    path.write_bytes(bytes(message))


def signs(path: Path, rules: Rules = RULES) -> tuple[str, list[str]]:
    (one,) = screen_files("", {path.name: path}, rules).files
    return one.signs, [reason.rule for reason in one.reasons]


OWN, LAWYER, OTHER = "Bo Lind <bo@northlight.com>", "J. Hale <j@mail.hale-law.com>", "x@rival.com"


@pytest.mark.parametrize(
    ("sender", "to", "cc", "text", "expected"),
    [
        (OWN, LAWYER, "", "May we cancel?", ("strong signs", ["counsel"])),
        (LAWYER, OWN, OTHER, "You may.", ("signs with an outsider", ["counsel"])),
        (OWN, OWN, LAWYER, "Lunch at noon.", ("weak signs", ["counsel"])),
        (OWN, OTHER, "", "Here are the prices.", ("no sign found", [])),
        (OWN, OWN, "", "Privileged & Confidential\n\nThe plan.", ("strong signs", ["marking"])),
        (OWN, OWN, "", "The plan of project lex.", ("strong signs", ["marking"])),
        (OWN, OWN, "", "Our lawyers advised us to settle.", ("strong signs", ["advice"])),
        (OWN, OWN, "", f"The plan.\n\n{DISCLAIMER}", ("weak signs", ["boilerplate"])),
        (OWN, OWN, "", "Ask Ann Roe about it.", ("weak signs", ["named"])),
        (OWN, OWN, "", "It was a privilege to meet you, a legally minded person.", ("no sign found", [])),
        (OWN, '"Roe, Ann" <ann@home.example>', "", "Hello.", ("strong signs", ["counsel"])),
        ("ann@northlight.com.example", OWN, "", "Hello.", ("no sign found", [])),
        ("x@not-hale-law.com", OWN, "", "Hello.", ("no sign found", [])),
    ],
)  # fmt: skip
def test_a_mail_is_sorted_by_who_takes_part_and_what_it_says(
    sender: str, to: str, cc: str, text: str, expected: Any, tmp_path: Path
) -> None:
    mail(tmp_path / "a.eml", sender, to, text, cc=cc)
    assert signs(tmp_path / "a.eml") == expected


def test_documents_and_attachments_are_read_and_quoted(tmp_path: Path) -> None:
    document = docx.Document()
    document.core_properties.author = "Ann Roe"
    document.add_paragraph("Minutes of 5 May 2026.")
    document.add_paragraph("Attorney-client communication: settle.")
    document.save(str(tmp_path / "note.docx"))
    (one,) = screen_files("", {"note.docx": tmp_path / "note.docx"}, RULES).files
    assert (one.day, one.sender, one.signs) == ("2026-05-05", "Ann Roe", "strong signs")
    assert [(r.rule, r.words, r.place) for r in one.reasons] == [
        ("marking", "Attorney-client communication: settle.", "¶ 2"),
        ("author", "Ann Roe", "document properties"),
    ]
    data = (tmp_path / "note.docx").read_bytes()
    mail(tmp_path / "a.eml", OWN, OWN, "See there.", attach=[("note.docx", data), ("a.zip", b"PK")])
    screen = screen_files("", {"a.eml": tmp_path / "a.eml"}, RULES)
    assert screen.files[0].reasons[0].place == "note.docx, ¶ 2"
    assert screen.unread == (("a.eml › a.zip", "its kind is not read"),)


def test_a_page_of_html_and_odd_heads_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(
        b"From: =?utf-8?q?J=C3=B6rg_Hale?= <J@HALE-LAW.COM>\r\nTo: undisclosed-recipients:;\r\nDate: never\r\n"
        b"Subject: =?utf-8?b?w6Q=?=\r\nContent-Type: text/html; charset=nowhere\r\n\r\n"
        b"<style>p{}</style><p>Attorney work&nbsp;product</p>"
    )
    one = read_mail(tmp_path / "a.eml")
    assert (one.sender[0].shown, one.sent, one.subject) == ("Jörg Hale <j@hale-law.com>", "", "ä")
    assert "style" not in one.passages[1].text
    assert signs(tmp_path / "a.eml") == ("strong signs", ["counsel", "marking"])
    for broken in (b"", b"\x00\xff" * 50, b"no mail at all"):
        (tmp_path / "b.eml").write_bytes(broken)
        screen = screen_files("", {"b.eml": tmp_path / "b.eml"}, RULES)
        assert "is no mail" in screen.unread[0][1]


def test_lists_that_cannot_be_read_are_refused() -> None:
    for counsel, message in (
        ([], "Nobody is named"),
        ([{"role": "judge", "name": "Ann Roe"}], "is no name"),
        ([{"phone": "1"}], "is no name"),
        (["A."], "too short"),
        ([{"domain": "x"}], "is no domain"),
    ):
        with pytest.raises(ToolInputError, match=message):
            rules_from({"counsel": counsel}, [], [])
    asked = named_in(
        "Screen for privilege. Counsel: hale-law.com, ann@y.com; our domain is northlight.com."
    )
    assert asked == (["hale-law.com", "ann@y.com"], ["northlight.com"])


def folder(context: Any) -> None:
    top = context.workspace / "files"
    top.mkdir()
    mail(top / "1.eml", OWN, LAWYER, "May we cancel?")
    mail(top / "2.eml", OWN, OTHER, "Here are the prices.")
    (top / "3.txt").write_text("Legal advice: none.")
    (top / "4.bin").write_bytes(b"\x00")


def test_the_log_has_every_file_and_the_gate_misses_none(context: Any, clean_room: Any) -> None:
    folder(context)
    context = replace(context, config=CONFIG)
    answer = privilege_screen(context, folder="files")
    assert answer.result["counts"] == {"strong signs": 2, "no sign found": 1}
    assert [one["path"] for one in answer.result["not_screened"]] == ["files/4.bin"]
    made = answer.deliverables[0]
    names = [f"files/{name}" for name in ("1.eml", "2.eml", "3.txt", "4.bin")]
    room = replace(clean_room(made, *names), config=CONFIG)
    assert list(check_screen(made, room)) == []
    for spoil, expected in (
        (lambda d: setattr(d.tables[0].rows[1].cells[7], "text", "privileged"), "is not what"),
        (lambda d: d.tables[0]._tbl.remove(d.tables[0].rows[2]._tr), "is missing"),
        (lambda d: d.add_paragraph("All of these are privileged."), "does not belong"),
        (lambda d: setattr(d.tables[1].rows[1].cells[4], "text", "May we?"), "is not what"),
    ):
        document = docx.Document(str(context.workspace / made.path))
        spoil(document)
        document.save(str(context.workspace / "spoilt.docx"))
        spoilt = replace(room, file=context.file("spoilt.docx"))
        assert any(expected in f.message for f in check_screen(made, spoilt)), expected
    fewer = replace(made, sources={k: v for k, v in made.sources.items() if "3.txt" not in v})
    assert any("files/3.txt is in the folder and not in the log" in f.message for f in check_screen(fewer, room))  # fmt: skip
    assert "UNVERIFIED" in next(iter(check_screen(made, clean_room(made)))).message
    nobody = replace(room, config={})
    assert any("cannot be screened again" in f.message for f in check_screen(made, nobody))


def test_without_a_folder_the_log_goes_into_the_granted_one(context: Any) -> None:
    folder(context)
    made = privilege_screen(context, counsel=["hale-law.com"]).deliverables[0]
    assert made.path == "files/privilege screen.docx"


def test_counsel_that_nobody_named_is_refused(context: Any, clean_room: Any) -> None:
    folder(context)
    made = privilege_screen(context, folder="files", counsel=["hale-law.com"]).deliverables[0]
    names = [f"files/{name}" for name in ("1.eml", "2.eml", "3.txt", "4.bin")]
    room = clean_room(made, *names)
    assert ["neither the user nor" in f.message for f in check_screen(made, room)] == [True]
    told = replace(room, facts={"said": ["Our counsel sits at hale-law.com."]})
    assert list(check_screen(made, told)) == []


def test_an_empty_folder_and_a_bad_target_are_refused(context: Any) -> None:
    with pytest.raises(ToolInputError, match="There are no files"):
        privilege_screen(context, counsel=["hale-law.com"])
    folder(context)
    with pytest.raises(ToolInputError, match="is not a folder"):
        privilege_screen(context, folder="nowhere", counsel=["hale-law.com"])
    with pytest.raises(ToolInputError, match="ends in"):
        privilege_screen(context, counsel=["hale-law.com"], target="a.xlsx")


@pytest.mark.cases
def test_real_contracts_are_screened_and_every_reason_stands_in_its_file(cases: Any) -> None:
    from deskmate_documents.content import read_content

    files = {path.name: path for path in sorted((cases / "cuad").glob("[0-9]*.txt"))}
    screen = screen_files("", files, rules_from({"counsel": ["Kirkland & Ellis"]}, [], []))
    assert len(screen.files) + len(screen.unread) == len(files) >= 13
    for one in screen.files:
        text = " ".join(read_content(files[one.path]).text.split())
        for reason in one.reasons:
            assert " ".join(reason.words.split()) in text
        assert one.signs != "strong signs" or one.reasons
