from typing import Any

import pytest

from deskmate_legal.nda import CRITERIA, colour
from deskmate_legal.terms import proof_read

CLEAN = (
    "1. Definitions. “Services” means the work. “Client” means Alpha Holdings, Inc. The Services help the Client.",
    "2. Payment. The Client pays for the Services within thirty (30) days under Section 1.",
    "3. Term. It begins on 28 February 2024. See Exhibit A.",
    "4. Law. The Client and the provider of the Services agree, as Section 2 says.",
    "EXHIBIT A",
)


def slips(contract_of: Any, *extra: Any, drop: Any = None) -> Any:
    texts = [text for place, text in enumerate(CLEAN) if place != drop]
    return [
        (slip.check, slip.message) for slip in proof_read(contract_of(*texts, *extra, text=True))
    ]


def test_a_clean_contract_has_no_slip(contract_of: Any) -> None:
    assert slips(contract_of) == []


@pytest.mark.parametrize(
    ("text", "check", "words"),
    [
        ("5. More. “Client” means someone else.", "defined twice", "Client"),
        ("5. More. Under Section 9.4 the Client pays.", "dead cross-reference", "Section 9.4"),
        ("5. More. See Schedule 3.", "missing exhibit", "Schedule 3"),
        ("5. More. Within thirty (45) days.", "number", "thirty (45)"),
        ("5. More. Until February 30, 2024.", "date", "February 30, 2024"),
        ("5. More. Until 31 April 2025.", "date", "31 April 2025"),
        ("5. More. Alpha Holdngs, Inc. agrees.", "party name", "Holdngs"),
        ("5. More. Signed on ____________.", "blank", "not filled in"),
        (
            "5. M. See the Licensed Goods, the Licensed Goods and the Licensed Goods.",
            "undefined term",
            "Licensed Goods",
        ),
    ],
)
def test_a_slip_is_found(contract_of: Any, text: Any, check: Any, words: Any) -> None:
    found = slips(contract_of, text)
    assert [entry[0] for entry in found] == [check]
    assert words in found[0][1] or check == "blank"


@pytest.mark.parametrize(
    "text",
    [
        "5. More. Under Section 9.4 of the Securities Act of 1933 it is exempt.",
        "5. More. Under Section 12(b) of the Master Agreement it is exempt.",
        "5. More. Until 29 February 2024.",
        "5. More. Within forty-five (45) days or ten percent (10%).",
        "5. More. “Services” has the meaning given in Section 1.",
        "5. More. See Section 5(a): (a) this.",
    ],
)
def test_a_near_miss_is_no_slip(contract_of: Any, text: Any) -> None:
    assert slips(contract_of, text) == []


def test_an_unused_term_is_found_in_a_long_contract(contract_of: Any) -> None:
    filler = "6. Filler. " + "The Client uses the Services. " * 60
    assert slips(contract_of, "5. More. “Widget” means a thing.", filler) == [
        ("unused term", "“Widget” is defined and not used.")
    ]


GOOD = {criterion.id: criterion.good for criterion in CRITERIA}


def test_all_good_answers_are_green() -> None:
    assert colour(GOOD) == ("green", [])


def test_absent_counts_as_no() -> None:
    assert colour({**GOOD, "restrictions": "absent"}) == ("green", [])
    assert colour({**GOOD, "exclusions": "absent"}) == ("red", ["exclusions"])


def test_one_red_answer_makes_it_red_whatever_else_is_said() -> None:
    assert colour({**GOOD, "term": "no", "ip": "yes"}) == ("red", ["term", "ip"])


def test_a_missing_answer_is_yellow() -> None:
    assert colour({k: v for k, v in GOOD.items() if k != "liability"}) == ("yellow", ["liability"])
