from itertools import pairwise
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings

from deskmate_legal.clauses import Block, clause_tree, run_in_heading
from deskmate_legal.contract import sentence_spans
from deskmate_legal.labels import labels_at, roman


def numbers(contract: Any) -> Any:
    return [clause.number for clause in contract.clauses if clause.number]


def test_numbers_nest_by_their_style(contract_of: Any) -> None:
    contract = contract_of(
        "SUPPLY AGREEMENT",
        "1. Definitions. Words mean what they say.",
        "(a) First things.",
        "(i) A detail of the first.",
        "(ii) Another detail.",
        "(b) Second things.",
        "2. Price. The price is fixed.",
        "2.1 Taxes. Taxes are added.",
        text=True,
    )
    assert numbers(contract) == ["1", "1(a)", "1(a)(i)", "1(a)(ii)", "1(b)", "2", "2.1"]
    assert contract.clauses[-1].heading == "Taxes"


def test_a_letter_i_after_h_is_a_letter_not_a_roman_one(contract_of: Any) -> None:
    letters = [f"({letter}) Item {letter}." for letter in "abcdefghij"]
    contract = contract_of("1. List. The items:", *letters, text=True)
    assert numbers(contract)[-2:] == ["1(i)", "1(j)"]
    assert {clause.level for clause in contract.clauses[1:]} == {2}


def test_numbers_in_running_text_split_only_where_they_go_on(contract_of: Any) -> None:
    contract = contract_of(
        "Section 1. Scope. 1.1 The parties agree. 1.2 See Section 4.1 below. 1.3 They sign.",
        text=True,
    )
    assert numbers(contract) == ["1", "1.1", "1.2", "1.3"]


def test_page_numbers_and_years_open_no_clause(contract_of: Any) -> None:
    contract = contract_of(
        "1. Term. It begins on", "2019. It ends then.", "12", "2. End.", text=True
    )
    assert numbers(contract) == ["1", "2"]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.text(alphabet="aAbI V1(2).\n “”:;x", min_size=1, max_size=40), min_size=1, max_size=12
    )
)
def test_every_character_belongs_to_exactly_one_clause(texts: Any) -> None:
    blocks, at = [], 0
    for paragraph, text in enumerate(texts, 1):
        blocks.append(Block(text=text, start=at, paragraph=paragraph))
        at += len(text) + 2
    length = at - 2
    clauses = clause_tree(blocks, length)
    assert clauses[0].start == 0
    assert clauses[-1].end == length
    assert all(a.end == b.start for a, b in pairwise(clauses))
    assert all(c.parent is None or c.parent < i for i, c in enumerate(clauses))


def test_roman_numbers_are_read_and_other_letters_refused() -> None:
    assert [roman(text) for text in ("iv", "XIX", "xl", "iiii", "m")] == [4, 19, 40, None, None]
    assert labels_at("Agreement") == ()


def test_a_sentence_is_no_heading() -> None:
    assert run_in_heading(" Term and Termination. This Agreement ends.") == "Term and Termination"
    assert run_in_heading(" The parties shall cooperate. They agree.") == ""


def test_abbreviations_do_not_end_a_sentence() -> None:
    text = "Acme Inc. and Beta Ltd. agree. See Sec. 4. They sign."
    assert [text[a:b] for a, b in sentence_spans(text)][-1] == "They sign."
    assert text[slice(*next(sentence_spans(text)))] == "Acme Inc. and Beta Ltd. agree."
