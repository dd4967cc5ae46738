import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from deskmate.plugin import ToolInputError
from deskmate_legal.edits import build_edits
from deskmate_legal.findings import quote
from deskmate_legal.memo import memo_rows
from deskmate_legal.playbook import FOLDER, load_playbook
from deskmate_legal.report import review_json
from deskmate_legal.review import review

NDA = "MUTUAL NON-DISCLOSURE AGREEMENT between Alpha Inc. and Beta Ltd. (each a “Party”)."


def result(contract: Any, category: Any, playbook: Any = None) -> Any:
    found = review(contract, playbook or load_playbook())
    return next(r for r in found if r.category.id == category)


def edit(contract: Any, category: Any, playbook: Any = None) -> Any:
    edits = build_edits(contract, review(contract, playbook or load_playbook()))
    found = [e for e in edits if category in str(e["reference"])]
    return found[0] if found else None


@pytest.mark.parametrize(
    ("category", "sentence", "find", "replace"),
    [
        (
            "confidentiality-term",
            "The obligations of confidentiality survive for a period of five (5) years.",
            "five (5) years.",
            "three (3) years.",
        ),
        (
            "confidentiality-term",
            "The duties of confidentiality under this Agreement shall survive in perpetuity.",
            "in perpetuity.",
            "for three (3) years after the date of disclosure.",
        ),
        (
            "governing-law",
            "This Agreement is governed by the laws of the State of Ohio, without regard to conflicts.",
            "the State of Ohio,",
            "the State of Delaware,",
        ),
        (
            "governing-law",
            "This Agreement shall be construed in accordance with the laws of France.",
            "France.",
            "the State of Delaware.",
        ),
        (
            "injunctive-relief",
            "A Party may seek an injunction without the need to post a bond.",
            "injunction without the need to post a bond.",
            "injunction.",
        ),
        (
            "assignment",
            "No Party may assign this Agreement without the prior written consent of the other Party.",
            "consent of the other Party.",
            "consent of the other Party, which shall not be unreasonably withheld.",
        ),
        (
            "non-solicit",
            "For 24 months neither Party shall solicit any employee of the other, save by general advertising.",
            "24 months",
            "12 months",
        ),
        (
            "return-destroy",
            "The Recipient shall return or destroy all Confidential Information within 3 days of a request.",
            "3 days",
            "30 days",
        ),
        (
            "publicity",
            "Beta may use the name and logo of Alpha in its marketing.",
            "may use",
            "may, with the other Party’s prior written consent, use",
        ),
    ],
)
def test_a_deviation_gets_a_minimal_edit(
    contract_of: Any, category: Any, sentence: Any, find: Any, replace: Any
) -> None:
    contract = contract_of(NDA, "Each Party agrees, and the other Party’s rights stay.", sentence)
    found = edit(contract, category)
    assert found is not None
    assert (found["paragraph"], found["find"], found["replace"].replace("'", "’")) == (
        3,
        find,
        replace,
    )


@pytest.mark.parametrize(
    ("category", "sentence"),
    [
        ("confidentiality-term", "The obligations of confidentiality survive for two (2) years."),
        ("governing-law", "This Agreement is governed by the laws of England and Wales."),
        (
            "governing-law",
            "This Agreement is governed by the law of the state of New York law, laws of New York.",
        ),
        ("injunctive-relief", "The Disclosing Party is entitled to seek injunctive relief."),
        (
            "assignment",
            "Neither Party may assign this Agreement without consent, not to be unreasonably withheld.",
        ),
        ("residuals", "Nothing in this Agreement grants a right to use residuals."),
        ("publicity", "Neither Party may use the name of the other in marketing without consent."),
        (
            "non-solicit",
            "For one (1) year neither Party shall solicit employees, except by general advertising.",
        ),
    ],
)
def test_what_the_playbook_accepts_is_left_alone(
    contract_of: Any, category: Any, sentence: Any
) -> None:
    contract = contract_of(NDA, sentence)
    found = result(contract, category)
    assert found.status == "ok"
    assert found.deviations == []


def test_trade_secrets_may_be_protected_for_as_long_as_they_are_secret(contract_of: Any) -> None:
    contract = contract_of(
        NDA,
        "The obligations of confidentiality survive for three (3) years, but for trade secrets indefinitely.",
    )
    assert [d.rule for d in result(contract, "confidentiality-term").deviations] == [
        "trade-secrets-forever"
    ]


def test_an_absent_category_says_what_was_searched(contract_of: Any) -> None:
    found = result(contract_of(NDA, "1. Hello. Nothing else."), "governing-law")
    assert found.status == "absent"
    assert "governed by" in found.deviations[0].says


def test_a_blank_is_to_be_filled_in_not_redlined(contract_of: Any) -> None:
    contract = contract_of(
        NDA, "This Agreement is governed by the laws of the State of {governing_law}."
    )
    found = result(contract, "governing-law")
    assert (found.status, found.deviations[0].rule) == ("blank", "blank")
    assert edit(contract, "governing-law") is None


def test_a_defined_term_is_no_law(contract_of: Any) -> None:
    contract = contract_of(NDA, "Disputes are governed by the laws of the Governing State.")
    assert not [d for d in result(contract, "governing-law").deviations if d.rule == "range"]


def test_a_missing_clause_is_numbered_on_and_speaks_the_contracts_language(
    contract_of: Any,
) -> None:
    contract = contract_of(
        NDA,
        "1. Purpose. Each Party uses the information for the purpose of talks; the other Party may stop it.",
        "2. Recipient. The Recipient keeps it secret with reasonable care. The Recipient returns it.",
        "3. Discloser. The Discloser may stop. Each Party and either Party may end this NDA. The Discloser agrees.",
        "IN WITNESS WHEREOF the Parties sign this NDA.",
    )
    edits = [e for e in build_edits(contract, review(contract, load_playbook())) if not e["find"]]
    assert {e["paragraph"] for e in edits} == {4}
    texts = [str(e["replace"]) for e in edits]
    assert texts[0].startswith("4. ")
    assert texts[1].startswith("5. ")
    joined = " ".join(texts)
    assert "this NDA" in joined
    assert "receiving party" not in joined
    assert "licence" not in joined


def test_no_clause_is_inserted_where_other_terms_are_incorporated(contract_of: Any) -> None:
    contract = contract_of(
        NDA, "1. Terms. The Standard Terms posted at https://example.com/nda are incorporated."
    )
    assert contract.incorporates
    assert not [
        e for e in build_edits(contract, review(contract, load_playbook())) if not e["find"]
    ]


def test_a_review_without_a_redline_says_why(contract_of: Any) -> None:
    contract = contract_of(
        NDA, "1. Terms. The Standard Terms posted at https://example.com/nda are incorporated."
    )
    book = load_playbook()
    found, _ = review_json(contract, book, review(contract, book), "")
    assert not found["edits"]
    assert "No redline: none of its own words can be replaced by rule" in found["summary"]
    assert found["summary"].endswith("It refers to terms that are not in this file.")


def test_two_changes_that_touch_become_one_edit_and_none_overlap(contract_of: Any) -> None:
    contract = contract_of(
        NDA,
        "For 30 months and 30 months the Party shall be entitled to injunctive relief without posting a bond; "
        "for 30 months no Party shall solicit any employee. It shall be entitled to an injunction.",
    )
    text = contract.blocks[1].text
    edits = [
        e for e in build_edits(contract, review(contract, load_playbook())) if e["paragraph"] == 2
    ]
    spans = sorted(
        (text.index(str(e["find"])), text.index(str(e["find"])) + len(str(e["find"])))
        for e in edits
    )
    assert edits
    assert all(text.count(str(e["find"])) == 1 for e in edits)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))


def test_a_struck_clause_keeps_its_number(contract_of: Any) -> None:
    contract = contract_of(NDA, "7. Residuals. Beta may use the residuals for any purpose.")
    found = edit(contract, "residuals")
    assert found is not None
    text = contract.blocks[1].text.replace(str(found["find"]), str(found["replace"]))
    assert text == "7. Residuals. Intentionally omitted."


def test_the_comment_tells_the_other_side_no_limits(contract_of: Any) -> None:
    contract = contract_of(NDA, "The obligations of confidentiality survive for nine (9) years.")
    found = edit(contract, "confidentiality-term")
    assert found is not None
    assert "Our position" in str(found["reason"])
    assert "Approver" not in str(found["reason"])
    assert "allback" not in str(found["reason"])


# ---- playbooks -------------------------------------------------------------------------------------


def write(tmp_path: Path, text: Any) -> Any:
    path = tmp_path / "playbook.yaml"
    path.write_text(text, "utf-8")
    return path


def test_a_short_playbook_takes_detection_from_the_standard(
    tmp_path: Path, contract_of: Any
) -> None:
    path = write(
        tmp_path,
        "title: Mine\ncategories:\n  - id: confidentiality-term\n    measure: {max: 24, preferred: 24}\n",
    )
    playbook = load_playbook(path)
    assert [c.id for c in playbook.categories] == ["confidentiality-term"]
    assert playbook.categories[0].range == "12 to 24 months"
    contract = contract_of(NDA, "The obligations of confidentiality survive for three (3) years.")
    found = edit(contract, "confidentiality-term", playbook)
    assert found is not None
    assert found["replace"] == "two (2) years."


def test_an_extended_playbook_keeps_the_other_categories(tmp_path: Path) -> None:
    playbook = load_playbook(
        write(
            tmp_path,
            "title: Mine\nextends: default\ncategories:\n  - id: audit\n    severity: high\n",
        )
    )
    assert len(playbook.categories) == len(load_playbook().categories)
    assert next(c for c in playbook.categories if c.id == "audit").severity == "high"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("title: [", "not readable YAML"),
        ("- a list", "not a playbook"),
        ("title: x\ncategories: []", "categories"),
        ("title: x\ncategories:\n  - id: new-one\n", "needs detect.any"),
        ("title: x\ncategories:\n  - id: audit\n  - id: audit\n", "two categories with one id"),
        ("title: x\ncategories:\n  - id: a\n    detect: {any: ['(']}\n", "is wrong"),
        ("title: x\ncategories:\n  - id: audit\n    severity: huge\n", "severity"),
    ],
)
def test_a_wrong_playbook_is_named_in_one_line(tmp_path: Path, text: Any, complaint: Any) -> None:
    with pytest.raises(ToolInputError) as caught:
        load_playbook(write(tmp_path, text))
    assert complaint in caught.value.message
    assert "\n" not in caught.value.message


def test_every_standard_category_has_what_memo_and_comment_need() -> None:
    for category in load_playbook().categories:
        assert category.position
        assert category.approver
        assert category.fallback
        assert category.search_terms
        assert not category.required or category.insert or category.id in {"purpose"}


def test_a_quotation_is_verbatim_whole_words_and_free_of_control_characters(
    contract_of: Any,
) -> None:
    words = "The parties agree on many long and winding matters of form\x02hood before "
    contract = contract_of(f"{words * 8}they agree on the governing law. {words * 8}", text=True)
    sentence = next(contract.sentences())
    text = contract.blocks[0].text
    at = text.index("governing")
    shown = quote(contract, sentence, (at, at + 9), 120)
    assert "governing law" in shown
    assert shown in text
    assert "\x02" not in shown
    assert len(shown) <= 120
    assert re.search(rf"(?<!\w){re.escape(shown)}(?!\w)", text)


def test_a_quotation_of_a_long_focus_ends_with_a_whole_word(contract_of: Any) -> None:
    contract = contract_of("The parties agree " + "extraordinarily " * 40 + "today.", text=True)
    sentence = next(contract.sentences())
    shown = quote(contract, sentence, (4, sentence.end - 2), 100)
    assert shown.endswith("extraordinarily")


def test_the_standard_playbook_is_a_valid_playbook(tmp_path: Path) -> None:
    playbook = load_playbook(write(tmp_path, (FOLDER / "default.yaml").read_text("utf-8")))
    assert playbook == load_playbook()


@pytest.mark.parametrize(
    ("exclusion", "rules"),
    [
        (
            "(a) is public; (b) was already known; (c) comes from a third party; (d) is independently developed",
            [],
        ),
        (
            "(a) is public; (b) is known by it at the time of receipt; (c) comes from a third party",
            ["no-independent"],
        ),
        (
            "(a) is generally available; (b) is developed independently",
            ["no-known", "no-third-party"],
        ),
    ],
)
def test_each_of_the_four_exclusions_is_looked_for(
    contract_of: Any, exclusion: Any, rules: Any
) -> None:
    contract = contract_of(
        NDA, f"Confidential Information does not include information that {exclusion}."
    )
    assert [d.rule for d in result(contract, "definition-exclusions").deviations] == rules


def test_a_letter_about_confidential_material_is_an_nda(contract_of: Any) -> None:
    letter = "You will keep the Evaluation Material confidential. " * 5
    assert contract_of("Dear Ms Vale:", letter, text=True).type == "nda"
    assert (
        contract_of("SUPPLY AGREEMENT", "The parties keep prices confidential.", text=True).type
        == "commercial"
    )


def test_a_blank_that_two_rows_are_about_is_quoted_once(contract_of: Any) -> None:
    contract = contract_of(
        NDA,
        "This Agreement is governed by the laws of Peru and an injunction issues without posting a bond on ____.",
    )
    results = review(contract, load_playbook())
    rows = memo_rows(contract, results, build_edits(contract, results), 320)
    assert sum("____" in row.quote for row in rows) == 1
    assert len([row for row in rows if "¶ 2" in row.place]) >= 2
