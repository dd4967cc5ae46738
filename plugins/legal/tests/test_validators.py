from dataclasses import replace
from pathlib import Path
from typing import Any

import docx
import pytest

from deskmate_documents.docx.revisions import accept_all
from deskmate_legal.tools.memo import memo_write
from deskmate_legal.tools.redline import contract_redline
from deskmate_legal.tools.review import playbook_review
from deskmate_legal.validators import (
    check_accept_all,
    check_coverage,
    check_edit_reason,
    check_reject_all,
    every_rule,
)


@pytest.fixture
def redlined(context: Any, nda: Any) -> Any:
    edits = playbook_review(nda, context).result["edits"]
    return contract_redline(nda, edits, context).deliverables[0]


@pytest.fixture
def memo(context: Any, nda: Any) -> Any:
    return memo_write(nda, context).deliverables[0]


def errors(check: Any, deliverable: Any, room: Any) -> Any:
    return [finding.message for finding in check(deliverable, room) if finding.level == "error"]


@pytest.mark.parametrize("check", [check_reject_all, check_accept_all, check_edit_reason])
def test_an_honest_redline_passes(check: Any, redlined: Any, nda: Any, clean_room: Any) -> None:
    assert errors(check, redlined, clean_room(redlined, nda)) == []


def test_an_honest_memo_passes(memo: Any, nda: Any, clean_room: Any) -> None:
    room = clean_room(memo, nda, "contracts/playbook.yaml")
    assert errors(check_coverage, memo, room) == []


def changed(context: Any, deliverable: Any, change: Any) -> None:
    path = context.file(deliverable.path)
    document = docx.Document(str(path))
    change(document)
    document.save(str(path))


def test_an_untracked_word_fails_reject_all(
    context: Any, redlined: Any, nda: Any, clean_room: Any
) -> None:
    def untracked(document: Any) -> None:
        document.paragraphs[2].runs[-1].text += " Secretly."

    changed(context, redlined, untracked)
    assert errors(check_reject_all, redlined, clean_room(redlined, nda))


def test_lost_bold_fails_reject_all(context: Any, redlined: Any, nda: Any, clean_room: Any) -> None:
    def unbold(document: Any) -> None:
        for run in document.paragraphs[1].runs:
            run.bold = None

    changed(context, redlined, unbold)
    assert errors(check_reject_all, redlined, clean_room(redlined, nda))


def test_new_document_properties_fail_reject_all(
    context: Any, redlined: Any, nda: Any, clean_room: Any
) -> None:
    def retitled(document: Any) -> None:
        document.core_properties.keywords = "seen"

    changed(context, redlined, retitled)
    assert errors(check_reject_all, redlined, clean_room(redlined, nda))


def test_another_authors_change_fails_reject_all(redlined: Any, nda: Any, clean_room: Any) -> None:
    stranger = replace(redlined, data={**redlined.data, "author": "Someone Else"})
    assert errors(check_reject_all, stranger, clean_room(redlined, nda))


def test_an_undeclared_edit_fails_accept_all(redlined: Any, nda: Any, clean_room: Any) -> None:
    fewer = replace(redlined, data={**redlined.data, "edits": redlined.data["edits"][1:]})
    assert errors(check_accept_all, fewer, clean_room(redlined, nda))


def test_an_edit_that_was_not_made_fails_accept_all(
    redlined: Any, nda: Any, clean_room: Any
) -> None:
    more = {
        "paragraph": 2,
        "find": "Northlight Instruments",
        "replace": "Southlight",
        "reason": "x",
    }
    claimed = replace(redlined, data={**redlined.data, "edits": [*redlined.data["edits"], more]})
    assert errors(check_accept_all, claimed, clean_room(redlined, nda))


def test_a_changed_replacement_fails_accept_all(redlined: Any, nda: Any, clean_room: Any) -> None:
    first = {**redlined.data["edits"][0], "replace": "something else entirely"}
    other = replace(redlined, data={**redlined.data, "edits": [first, *redlined.data["edits"][1:]]})
    assert errors(check_accept_all, other, clean_room(redlined, nda))


def test_an_edit_of_words_that_are_not_there_fails_accept_all(
    redlined: Any, nda: Any, clean_room: Any
) -> None:
    first = {**redlined.data["edits"][0], "find": "no such words"}
    other = replace(redlined, data={**redlined.data, "edits": [first]})
    assert "occurs 0 times" in errors(check_accept_all, other, clean_room(redlined, nda))[0]


def test_a_whole_paragraph_may_be_deleted(context: Any, nda: Any, clean_room: Any) -> None:
    edits: list[Any] = [
        {
            "paragraph": 4,
            "find": "The Parties agree as follows:",
            "replace": "",
            "reason": "Not needed.",
        }
    ]
    deliverable = contract_redline(nda, edits, context).deliverables[0]
    for check in (check_reject_all, check_accept_all, check_edit_reason):
        assert errors(check, deliverable, clean_room(deliverable, nda)) == []


def test_an_edit_without_reason_fails(redlined: Any, nda: Any, clean_room: Any) -> None:
    first = {**redlined.data["edits"][0], "reason": "  "}
    other = replace(redlined, data={**redlined.data, "edits": [first, *redlined.data["edits"][1:]]})
    assert "has no reason" in errors(check_edit_reason, other, clean_room(redlined, nda))[0]


def test_a_reason_that_is_in_no_comment_fails(redlined: Any, nda: Any, clean_room: Any) -> None:
    first = {**redlined.data["edits"][0], "reason": "Because I say so."}
    other = replace(redlined, data={**redlined.data, "edits": [first, *redlined.data["edits"][1:]]})
    assert "no comment" in errors(check_edit_reason, other, clean_room(redlined, nda))[0]


def test_a_redline_without_declared_edits_fails(redlined: Any, nda: Any, clean_room: Any) -> None:
    empty = replace(redlined, data={**redlined.data, "edits": []})
    assert errors(check_edit_reason, empty, clean_room(redlined, nda))
    assert errors(check_accept_all, empty, clean_room(redlined, nda))


def test_accepted_changes_are_no_redline(
    context: Any, redlined: Any, nda: Any, clean_room: Any, tmp_path: Path
) -> None:
    flat = tmp_path / "flat.docx"
    accept_all(context.file(redlined.path), flat)
    room = clean_room(redlined, nda, file=flat)
    assert errors(check_reject_all, redlined, room)


def test_a_memo_that_leaves_a_category_out_fails(
    context: Any, memo: Any, nda: Any, clean_room: Any
) -> None:
    def forget(document: Any) -> None:
        for table in document.tables:
            for row in table.rows:
                for paragraph in row.cells[0].paragraphs:
                    for run in paragraph.runs:
                        run.text = run.text.replace("Residuals", "Something")
        for paragraph in document.paragraphs:
            for run in paragraph.runs:
                run.text = run.text.replace("Residuals", "Something")

    changed(context, memo, forget)
    found = errors(check_coverage, memo, clean_room(memo, nda, "contracts/playbook.yaml"))
    assert len(found) == 1
    assert "Residuals (deviation)" in found[0]


def test_what_the_host_never_held_is_unverified(
    redlined: Any, memo: Any, nda: Any, clean_room: Any
) -> None:
    for rule, _, check, roles in every_rule():
        deliverable = redlined if "redline" in roles else memo
        # the one looks at the redline alone, the other finds no citation in the memo
        if rule not in {"LEGAL-EDIT-REASON", "LEGAL-CITES-TRACED"}:
            assert "UNVERIFIED" in errors(check, deliverable, clean_room(deliverable))[0]
    assert "UNVERIFIED" in errors(check_coverage, memo, clean_room(memo, nda))[0]


@pytest.mark.parametrize(
    "check", [check_reject_all, check_accept_all, check_edit_reason, check_coverage]
)
def test_a_damaged_file_is_never_a_pass(
    check: Any, redlined: Any, memo: Any, nda: Any, clean_room: Any, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.docx"
    damaged.write_bytes(b"PK\x03\x04 broken")
    deliverable = memo if check is check_coverage else redlined
    room = clean_room(deliverable, nda, "contracts/playbook.yaml", file=damaged)
    with pytest.raises(Exception, match="damaged"):
        list(check(deliverable, room))
