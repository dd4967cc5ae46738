from __future__ import annotations

import pytest

from deskmate_documents.quotes import QuoteFinder, find_quote, normalise
from deskmate_documents.text import Passage, SourceText


def source(*texts: str) -> SourceText:
    passages = (Passage(text=t, page=n, paragraph=n) for n, t in enumerate(texts, 1))
    return SourceText(kind="text", passages=tuple(passages))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("“Term” – the ‘period’", "\"Term\" - the 'period'"),
        ("thirty\u00a0(30)  days", "thirty (30) days"),
        ("con-\nfidential", "confidential"),
        ("the ﬁrst", "the first"),
        ("a—b", "a -- b"),
        ("soft\u00adhyphen", "softhyphen"),
    ],
)
def test_typesetting_makes_no_difference(one: str, two: str) -> None:
    assert normalise(one) == normalise(two)


@pytest.mark.parametrize(
    ("one", "two"), [("30 days", "60 days"), ("may", "May"), ("not liable", "liable")]
)
def test_words_do(one: str, two: str) -> None:
    assert normalise(one) != normalise(two)


def test_a_quote_is_found_with_its_place() -> None:
    (found,) = find_quote(
        source("Nothing.", "The Recipient shall not disclose."), "Recipient shall not"
    )
    assert found.paragraph == 2


def test_a_hyphen_at_a_line_end_may_belong_to_the_word() -> None:
    assert find_quote(source("a work-for-\nhire clause"), "work-for-hire clause")


def test_a_quote_may_run_over_adjacent_passages() -> None:
    (found,) = find_quote(source("x", "the end of one", "and the next"), "of one and the next")
    assert found.paragraph == 2


def test_every_place_is_returned_once() -> None:
    assert [f.paragraph for f in find_quote(source("pay pay", "no", "pay"), "pay")] == [1, 3]


@pytest.mark.parametrize(
    "quote", ["shall disclose", "not disclos", "", "   ", "Shall not disclose", "0 days"]
)
def test_what_is_not_there_word_for_word_is_not_found(quote: str) -> None:
    assert find_quote(source("We shall not disclose for 30 days."), quote) == ()


def test_shortened_quotes_keep_their_order() -> None:
    finder = QuoteFinder(
        source("The Recipient shall, at its own cost, return all materials promptly.")
    )
    assert finder.find_shortened("Recipient shall … return all materials")
    assert finder.find_shortened("[t]he Recipient shall [...] return [the] materials promptly")
    assert finder.find_shortened("[Bob] shall, at its own cost")
    assert not finder.find_shortened("return all materials … Recipient shall")
    assert not finder.find_shortened("Recipient shall … keep all materials")
    assert not finder.find_shortened("…")
