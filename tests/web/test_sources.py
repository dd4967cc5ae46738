"""An answer cites what the record bears out, and nothing that would have to be guessed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deskmate.types import events as log
from deskmate.types.files import Evidence
from deskmate.types.ids import Digest, ToolUseId
from deskmate.types.messages import ToolUse
from deskmate.web.sources import Sources, label_of

NDA, BOOK = "deal/Harbour NDA.docx", "deal/model.xlsx"
QUOTE = "Either party may terminate this Agreement on ninety (90) days’ written notice."


def read(sources: Sources, path: str, *evidence: Evidence, wrote: bool = False) -> None:
    """Let a tool have read a file and recorded places in it."""
    use = ToolUseId(f"u-{path}-{len(evidence)}")
    sources.take(
        log.ModelReplied(
            content=(ToolUse(id=use, name="office__document_read", input={"path": path}),),
            turn=1,
            model="m",
            stop_reason="tool_use",
        )
    )
    sources.take(
        log.ToolFinished(
            tool_use_id=use,
            tool="office__document_read",
            outcome="ok",
            text="",
            evidence=evidence,
            wrote=wrote,
        )
    )


def at(name: str, path: str, quote: str = "", value: str = "", **where: int | str) -> Evidence:
    return Evidence(
        id=name, source=Digest("a" * 64), path=path, locator=where, quote=quote, value=value
    )


def both() -> Sources:
    sources = Sources()
    read(sources, NDA, at("q1", NDA, QUOTE, paragraph=12, page=3))
    read(sources, BOOK, at("c7", BOOK, value="12.5", sheet="P&L", cell="C7"))
    return sources


def cited(sources: Sources, text: str) -> list[tuple[str, str, str, Mapping[str, str]]]:
    return [(c.mark, c.label, c.source, c.where) for c in sources.cites(text)]


def test_a_quotation_leads_to_where_its_words_were_recorded() -> None:
    text = 'It says “ninety (90) days\' written notice” and "nothing of this kind at all".'
    ((mark, label, source, where),) = cited(both(), text)
    assert mark == "“ninety (90) days' written notice”"
    assert (label, source) == ("Harbour NDA p. 3, ¶ 12", "q1")
    assert where == {"paragraph": "12", "page": "3"}


def test_places_belong_to_the_file_that_was_named_or_the_only_one() -> None:
    found = both().cites(
        "Harbour NDA.docx, page 3, ¶ 12 sets the notice.\n\nThe margin is in 'P&L'!C7, and see P&L!$B$2:C4.\nAlso ¶ 4."
    )
    assert [(c.mark, c.path, c.source) for c in found] == [
        ("Harbour NDA.docx", NDA, ""),
        ("page 3, ¶ 12", NDA, "q1"),
        ("'P&L'!C7", BOOK, "c7"),
        ("¶ 4", NDA, ""),
    ]
    assert found[1].quote == QUOTE


def test_where_two_files_may_be_meant_none_is() -> None:
    sources = both()
    read(sources, "deal/Other.docx")
    assert cited(sources, "See ¶ 4 and page 9.") == []
    (name, place) = cited(sources, "See ¶ 4 of Other.docx.")
    assert (name[0], place[0]) == ("¶ 4", "Other.docx")
    (cell, other) = both().cites("It is in PL!C7.\n\nIn Harbour NDA.docx it is not.")
    assert (cell.path, other.path) == (BOOK, NDA)
    assert both().cites("Harbour NDA.docx repeats PL!C7.")[1].path == BOOK


def test_two_files_of_one_name_are_told_apart_by_their_path() -> None:
    sources = Sources()
    read(sources, "a/terms.docx")
    read(sources, "b/terms.docx")
    assert cited(sources, "As terms.docx says.") == []
    (one,) = sources.cites("As b/terms.docx says.")
    assert one.path == "b/terms.docx"


def test_what_a_run_wrote_and_what_failed_are_no_sources() -> None:
    sources = Sources()
    read(sources, "out/memo.docx", wrote=True)
    assert list(sources.files()) == []
    assert sources.cites("memo.docx, ¶ 4, “as was said before”") == ()


def test_files_come_in_the_order_in_which_they_were_read_and_bounded(monkeypatch: Any) -> None:
    monkeypatch.setattr("deskmate.web.sources.PLACES_SHOWN", 2)
    sources = Sources()
    read(sources, BOOK, *(at(f"e{n}", BOOK, sheet="S", cell=f"A{n}") for n in range(1, 6)))
    read(sources, BOOK, at("e1", BOOK, sheet="S", cell="A1"))
    (file,) = sources.files()
    assert (file.path, [p.label for p in file.places], file.more) == (BOOK, ["S!A1", "S!A2"], 3)
    assert sources.locus(BOOK, "e5") is not None
    assert sources.locus(NDA, "e5") is None


def test_odd_locators_have_a_label_or_none() -> None:
    assert label_of({"line": "4"}) == "line 4"
    assert label_of({"cell": "A1"}) == "A1"
    assert label_of({"commit": "abc"}) == ""


def test_a_long_text_is_read_in_a_bounded_way() -> None:
    text = "“as it was said in the file” ¶ 3 " * 5_000
    assert len(both().cites(text)) <= 60
