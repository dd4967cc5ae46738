import sys
from pathlib import Path
from typing import Any

import docx
import pytest

from deskmate.plugin import ToolInputError
from deskmate_documents.text import Passage
from deskmate_legal.authorities import authorities, checked
from deskmate_legal.citation_rules import check_listed, check_traced
from deskmate_legal.citations import CHARACTERS_LIMIT, find_citations
from deskmate_legal.readings import read
from deskmate_legal.tools.cite import authorities_write, cite_check

sys.path.insert(0, str(Path(__file__).parents[3]))

from scripts.citation_table import PLACE, scores, table

BRIEF = (
    "The rule is old. Marlow v. Denning, 512 U.S. 218, 224 (1994); see also Hart v.\nPike Co., 87 F.3d 11 (2d Cir. 1996).",
    "Id. at 14. The statute, 18 U.S.C. § 1836(b)(1), agrees, as does Regulation (EU) 2016/679.",
    "In Marlow, 512 U.S. at 226, the court went on; Denning, supra, at 3, did not.",
)
FAULTY = (
    "Id. at 3.",
    "Gray v. Stone, 250 F.3d 100, 90 (1961).",
    "Gray v. Stone, 250 F.3d 100 (2003). Moss v. Fern, 14 Zedex 2d 77 (1999).",
    "Roe v. Lake, ___ U.S. ___ (2021), and 15 U.S.C. § forbid it. Ash v. Elm, 9 F.4th 30, 45-41 (2087).",
)


def passages(*texts: str) -> list[Passage]:
    return [Passage(text=text, page=None, paragraph=n) for n, text in enumerate(texts, 1)]


def brief(context: Any, *texts: str, name: str = "brief.docx") -> str:
    document = docx.Document()
    for text in texts:
        document.add_paragraph(text)
    document.save(str(context.workspace / name))
    return name


def test_each_kind_is_found_with_its_words_place_and_what_it_refers_to() -> None:
    found = find_citations(passages(*BRIEF))
    assert [(one.kind, one.core, one.refers_to, one.passage.paragraph) for one in found] == [
        ("case", "512 U.S. 218", "512 U.S. 218", 1),
        ("case", "87 F.3d 11", "87 F.3d 11", 1),
        ("id", "Id.", "87 F.3d 11", 2),
        ("law", "18 U.S.C. § 1836", "18 U.S.C. § 1836", 2),
        ("law", "Regulation (EU) 2016/679", "Regulation (EU) 2016/679", 2),
        ("short", "512 U.S. at 226", "512 U.S. 218", 3),
        ("supra", "supra,", "512 U.S. 218", 3),
    ]
    for one in found:
        assert one.passage.text[one.start : one.start + len(one.words)] == one.words
    assert found[1].words == "Hart v.\nPike Co., 87 F.3d 11 (2d Cir. 1996)"
    assert (found[0].pin_cite, found[0].year, found[0].parties) == (
        "224",
        "1994",
        "Marlow v. Denning",
    )


def test_a_section_of_the_contract_itself_and_plain_figures_are_no_citations() -> None:
    texts = (
        "See § 5 and Section 4.2 of this Agreement.",
        "12 May 2024, 30 days, 5 Units 40.",
        "He said: id est.",
    )
    assert find_citations(passages(*texts)) == []


def test_malformed_and_open_ones_are_named(context: Any) -> None:
    found = checked(read(context.workspace / brief(context, *FAULTY)), 2026)
    told = {one.words: "; ".join(one.problems) for one in found}
    assert [text for text in told.values() if text] == [
        "no citation before it that it can refer to",
        "the pin cite 90 lies before the first page 100; F.3d came out from 1993 to today, not in 1961",
        "the same place is cited with another year: 1961",
        "the reporter “Zedex 2d” is in no list",
        "volume or page is left blank",
        "no section number after the sign",
        "the range 45-41 runs backwards; the year 2087 has not come yet",
    ]


def test_a_party_s_name_in_italics_refers_to_its_case(context: Any) -> None:
    document = docx.Document()
    document.add_paragraph("Marlow v. Denning, 512 U.S. 218 (1994).")
    line = document.add_paragraph("The ")
    line.add_run("Marlow").italic = True
    line.add_run(" rule binds.")
    document.save(str(context.workspace / "brief.docx"))
    found = checked(read(context.workspace / "brief.docx"), 2026)
    assert [(one.kind, one.words, one.refers_to) for one in found][1:] == [
        ("reference", "Marlow", "512 U.S. 218")
    ]
    assert [len(one.cited) for one in authorities(found)] == [2]


def test_footnotes_are_read_and_a_text_too_long_is_refused() -> None:
    with pytest.raises(ToolInputError, match="3,000,000"):
        find_citations(passages("x" * (CHARACTERS_LIMIT + 1)))


def test_the_tool_gives_quotations_with_evidence(context: Any) -> None:
    answer = cite_check(brief(context, *BRIEF), context)
    assert answer.result["count"] == 7
    assert answer.result["problems"] == 0
    known = {one.id: one for one in answer.evidence}
    for row in answer.result["citations"]:
        assert known[row["evidence"][0]].quote == row["quote"]


def test_the_table_passes_and_each_spoilt_one_does_not(context: Any, clean_room: Any) -> None:
    name = brief(context, *BRIEF, *FAULTY)
    made = authorities_write(name, context).deliverables[0]
    room = clean_room(made, name)
    assert list(check_listed(made, room)) == []
    for table_number, row, column, text, expected in (
        (2, 1, 1, "Marlow v. Denning, 513 U.S. 218", "does not stand at"),
        (2, 1, 4, "¶ 2", "does not stand at"),
        (0, 1, 4, "Verified", "is not what the document gives"),
        (2, 3, 3, "512 U.S. 218", "is not what the document gives"),
    ):
        document = docx.Document(str(context.workspace / made.path))
        document.tables[table_number].rows[row].cells[column].text = text
        document.save(str(context.workspace / "spoilt.docx"))
        found = list(check_listed(made, clean_room(made, name, file=context.file("spoilt.docx"))))
        assert any(expected in finding.message for finding in found), text
    document = docx.Document(str(context.workspace / made.path))
    gone = document.tables[1].rows[1]._element
    gone.getparent().remove(gone)
    document.save(str(context.workspace / "spoilt.docx"))
    found = list(check_listed(made, clean_room(made, name, file=context.file("spoilt.docx"))))
    assert [finding.message.partition(":")[0] for finding in found] == ["Malformed or open"]
    assert next(iter(check_listed(made, clean_room(made)))).message.startswith("UNVERIFIED")


def test_a_memo_that_cites_from_memory_is_taken_back(context: Any, clean_room: Any) -> None:
    from deskmate.plugin import Deliverable

    name = brief(context, *BRIEF)
    memo = brief(
        context,
        "It rests on Marlow v. Denning, 512 U. S. 218 (1994) and 18 U.S.C. § 1836.",
        name="memo.docx",
    )
    good = Deliverable(path=memo, title="Memo", role="memo", sources={"original": name})
    assert list(check_traced(good, clean_room(good, name))) == []
    brief(context, "It rests on Vane v. Holt, 12 U.S. 18 (1812).", name="memo.docx")
    found = list(check_traced(good, clean_room(good, name)))
    assert ["12 U.S. 18" in finding.message for finding in found] == [True]


@pytest.mark.cases
def test_citations_of_the_pairs_are_found_as_the_readme_says(cases: Any) -> None:
    rows = scores(cases / "citations/eyecite_pairs.jsonl")
    assert table(rows) == PLACE.read()
    assert sum(row.right for row in rows) == sum(row.wanted for row in rows) > 80
    assert sum(row.found for row in rows) == sum(row.right for row in rows)
