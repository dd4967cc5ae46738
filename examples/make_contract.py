"""Writes a mutual NDA as a Word document and a playbook that it leaves in several places.

    python examples/make_contract.py FOLDER

The agreement has automatic clause numbers, headings, bold defined terms, a table of contacts and a footer. All
parties are invented.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import docx
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from docx.shared import Cm, Pt

CONTRACT = "Northlight - Harbour mutual NDA.docx"
PLAYBOOK = "playbook.yaml"

TITLE = "MUTUAL NON-DISCLOSURE AGREEMENT"
INTRODUCTION = (
    "This Mutual Non-Disclosure Agreement (this “**Agreement**”) is made on 3 March 2026 (the “**Effective Date**”) "
    "between Northlight Instruments, Inc., a Delaware corporation (“**Northlight**”), and Harbour Robotics Ltd., a "
    "company organised under the laws of England and Wales (“**Harbour**”). Each of them is a “**Party**” and both "
    "together are the “**Parties**”."
)
RECITAL = (
    "The Parties wish to explore a joint development of optical sensors for mobile robots (the “**Purpose**”) and, in "
    "connection with the Purpose, each Party may disclose Confidential Information to the other."
)
CLAUSES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Definitions",
        (
            "“**Confidential Information**” means all technical, commercial and financial information that a Party (the "
            "“**Disclosing Party**”) discloses to the other Party (the “**Receiving Party**”) in connection with the Purpose, "
            "in any form, that is marked as confidential or that a reasonable person would understand to be confidential.",
            "Confidential Information does not include information that (a) is or becomes publicly available other than "
            "through a breach of this Agreement; (b) the Receiving Party already knew, without a duty of confidentiality, "
            "before its disclosure; or (c) the Receiving Party rightfully receives from a third party who is under no duty "
            "of confidentiality.",
            "“**Representatives**” means the directors, employees and professional advisers of a Party who need to know "
            "Confidential Information for the Purpose.",
        ),
    ),
    (
        "Obligations",
        (
            "The Receiving Party shall use Confidential Information only for the Purpose and shall not disclose it to anyone "
            "other than its Representatives, who must be bound by duties no less strict than those of this Agreement.",
            "The Receiving Party shall protect Confidential Information with the highest degree of care and in no event with "
            "less care than it uses for its own confidential information of a similar nature.",
            "If law, regulation or a court order requires the Receiving Party to disclose Confidential Information, it shall, "
            "where lawful, give the Disclosing Party prompt written notice and disclose only what is required.",
        ),
    ),
    (
        "Term and Survival",
        (
            "This Agreement takes effect on the Effective Date and continues for two (2) years. It shall automatically renew "
            "for successive periods of one (1) year unless a Party gives written notice of non-renewal at least ninety (90) "
            "days before the end of the current period.",
            "Either Party may terminate this Agreement at any time on thirty (30) days’ written notice to the other Party.",
            "The obligations of confidentiality under this Agreement survive its expiry or termination for a period of seven "
            "(7) years.",
        ),
    ),
    (
        "Return of Materials",
        (
            "Within five (5) days after the Disclosing Party’s written request, the Receiving Party shall return or destroy all "
            "Confidential Information in its possession, together with all copies.",
        ),
    ),
    (
        "Residual Knowledge",
        (
            "The Receiving Party may use for any purpose the residuals resulting from access to Confidential Information, "
            "where “**Residuals**” means information retained in the unaided memory of its Representatives.",
        ),
    ),
    (
        "Non-Solicitation",
        (
            "For a period of twenty-four (24) months after the Effective Date, neither Party shall directly or indirectly "
            "solicit or hire any employee of the other Party with whom it came into contact in connection with the Purpose.",
        ),
    ),
    (
        "Remedies",
        (
            "Each Party acknowledges that a breach of this Agreement may cause irreparable harm. The Disclosing Party shall be "
            "entitled to injunctive relief without the necessity of posting a bond, in addition to any other remedy.",
            "The prevailing Party in any action under this Agreement is entitled to its reasonable attorneys’ fees.",
        ),
    ),
    (
        "General",
        (
            "Neither Party may assign this Agreement without the prior written consent of the other Party.",
            "This Agreement is governed by the laws of the State of Texas, without regard to its conflict of laws rules, and "
            "the courts located in Travis County have exclusive jurisdiction.",
            "Harbour may identify Northlight as a business partner and use its name and logo on its website.",
            "This Agreement is the entire agreement of the Parties on its subject matter and supersedes all earlier "
            "agreements. It may be amended only in writing signed by both Parties.",
            "Notices under this Agreement are given in writing to the contacts named in the table below.",
        ),
    ),
)
CONTACTS = (
    ("Party", "Contact", "Address"),
    ("Northlight", "General Counsel", "400 Lakeside Avenue, Wilmington, Delaware 19801"),
    ("Harbour", "Company Secretary", "12 Dock Road, Bristol BS1 6XN, United Kingdom"),
)
PLAYBOOK_TEXT = """\
# Our positions for NDAs. Categories that are not named here come from the standard playbook.
title: Northlight NDA playbook
version: "2026-01"
extends: default
categories:
  - id: confidentiality-term
    severity: high
    approver: General Counsel
    position: Confidentiality obligations last three years.
    fallback: Five years for source code and schematics.
    measure: {min: 12, max: 36, preferred: 36}
  - id: governing-law
    approver: General Counsel
    position: Delaware law; New York and England are acceptable.
    measure: {allowed: [Delaware, New York, England and Wales], preferred: the State of Delaware}
  - id: non-solicit
    approver: Head of People
    position: At most twelve months, general advertising excepted.
    measure: {max: 12, preferred: 12}
  - id: return-destroy
    position: Thirty days, with an exception for backup and legal copies.
    measure: {min: 10, max: 60, preferred: 30}
  - id: auto-renewal
    position: Notice of non-renewal of thirty days.
    measure: {max: 60, preferred: 30}
"""

_NUMBERING = f"""
<w:abstractNum {nsdecls("w")} w:abstractNumId="90">
  <w:multiLevelType w:val="multilevel"/>
  <w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/><w:lvlJc w:val="left"/>
    <w:pPr><w:ind w:left="567" w:hanging="567"/></w:pPr></w:lvl>
  <w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1.%2"/><w:lvlJc w:val="left"/>
    <w:pPr><w:ind w:left="567" w:hanging="567"/></w:pPr></w:lvl>
</w:abstractNum>
"""


def write_contract(path: Path) -> None:
    """Write the agreement."""
    document = docx.Document()
    _page(document)
    number = _numbering(document)
    title = document.add_paragraph(style="Title")
    title.add_run(TITLE).font.size = Pt(16)
    title.alignment = WD_ALIGN_PARAGRAPH.CENTER
    _text(document.add_paragraph(), INTRODUCTION)
    _text(document.add_paragraph(), RECITAL)
    document.add_paragraph("The Parties agree as follows:")
    for heading, texts in CLAUSES:
        head = document.add_paragraph(style="Heading 1")
        head.add_run(heading).font.size = Pt(12)
        _number(head, number, 0)
        for text in texts:
            clause = document.add_paragraph()
            _number(clause, number, 1)
            _text(clause, text)
    _contacts(document)
    document.add_paragraph(
        "IN WITNESS WHEREOF, the Parties have executed this Agreement as of the Effective Date."
    )
    for party, signer in (
        ("Northlight Instruments, Inc.", "Dana Whitfield"),
        ("Harbour Robotics Ltd.", "Imogen Vale"),
    ):
        document.add_paragraph().add_run(party).bold = True
        document.add_paragraph(f"Name: {signer}")
        document.add_paragraph("Signature and date:")
    document.core_properties.title = "Mutual Non-Disclosure Agreement"
    document.save(str(path))


def _page(document: Any) -> None:
    section = document.sections[0]
    section.page_width, section.page_height = Cm(21), Cm(29.7)
    section.left_margin = section.right_margin = Cm(2.8)
    normal = document.styles["Normal"]
    normal.font.name, normal.font.size = "Georgia", Pt(11)
    normal.paragraph_format.space_after = Pt(8)
    normal.paragraph_format.line_spacing = 1.25
    section.footer.paragraphs[
        0
    ].text = "Northlight / Harbour: Mutual Non-Disclosure Agreement. Confidential."


def _numbering(document: Any) -> int:
    root = document.part.numbering_part.element
    root.insert(0, parse_xml(_NUMBERING))
    return int(root.add_num(90).numId)


def _number(paragraph: Any, number: int, level: int) -> None:
    properties = paragraph._p.get_or_add_pPr().get_or_add_numPr()
    properties.get_or_add_ilvl().val = level
    properties.get_or_add_numId().val = number


def _text(paragraph: Any, text: str) -> None:
    """Add text to a paragraph; words between two stars are bold."""
    for place, part in enumerate(text.split("**")):
        if part:
            paragraph.add_run(part).bold = True if place % 2 else None


def _contacts(document: Any) -> None:
    table = document.add_table(rows=0, cols=3)
    table.style = "Table Grid"
    for place, entries in enumerate(CONTACTS):
        for cell, entry in zip(table.add_row().cells, entries, strict=True):
            cell.paragraphs[0].add_run(entry).bold = True if place == 0 else None
    table.rows[0]._tr.get_or_add_trPr().append(parse_xml(f"<w:tblHeader {nsdecls('w')}/>"))
    document.add_paragraph()


def main(folder: Path) -> None:
    """Write both files to a folder, made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    write_contract(folder / CONTRACT)
    (folder / PLAYBOOK).write_text(PLAYBOOK_TEXT, "utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Usage: python examples/make_contract.py FOLDER")
    main(Path(sys.argv[1]))
