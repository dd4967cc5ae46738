import shutil
import sys
from pathlib import Path
from typing import Any

import docx
import pytest

from deskmate_documents.quotes import find_quote
from deskmate_documents.text import read_text
from deskmate_legal.contract import read_contract
from deskmate_legal.terms import proof_read
from deskmate_legal.tools.memo import memo_write
from deskmate_legal.tools.redline import contract_redline
from deskmate_legal.tools.review import playbook_review
from deskmate_legal.validators import every_rule

sys.path.insert(0, str(Path(__file__).parents[3]))

from scripts.cuad_table import PLACE, scores, table

pytestmark = pytest.mark.cases


def deliver(context: Any, name: Any) -> Any:
    """Review, redline where there is something to change, write the memo; return the deliverables."""
    found = playbook_review(name, context)
    source = read_text(context.file(name))
    for evidence in found.evidence:
        places = [passage.paragraph for passage in find_quote(source, evidence.quote)]
        assert evidence.locator["paragraph"] in places, evidence.quote
    made: list[Any] = []
    if found.result["edits"]:
        made += contract_redline(name, found.result["edits"], context).deliverables
    made += memo_write(name, context, redline=found.result["redline_path"]).deliverables
    return made


def assert_gates_pass(made: Any, name: Any, clean_room: Any) -> None:
    for deliverable in made:
        for rule, _, check, roles in every_rule():
            if deliverable.role in roles:
                assert list(check(deliverable, clean_room(deliverable, name))) == [], (name, rule)


def test_every_character_of_the_real_contracts_belongs_to_one_clause(cases: Any) -> None:
    files = [
        *cases.glob("cuad/*_*.txt"),
        *cases.glob("cuad/*.pdf"),
        *cases.glob("templates/*.docx"),
    ]
    files = [path for path in files if "README" not in path.name]
    assert len(files) >= 30
    for path in files:
        contract = read_contract(path)
        assert "".join(contract.own_text(clause) for clause in contract.clauses) == contract.text
        if path.suffix == ".txt":
            raw = path.read_text("utf-8", errors="replace")
            assert "".join(contract.text.split()) == "".join(raw.split()), path.name


def test_the_templates_are_redlined_and_pass_the_gates(
    cases: Any, context: Any, clean_room: Any
) -> None:
    redlined = 0
    for path in sorted(cases.glob("templates/*.docx")):
        shutil.copyfile(path, context.workspace / path.name)
        made = deliver(context, path.name)
        redlined += len(made) - 1
        assert_gates_pass(made, path.name, clean_room)
    assert redlined >= 2


@pytest.mark.slow
def test_real_contracts_as_word_files_are_redlined_and_pass_the_gates(
    cases: Any, context: Any, clean_room: Any
) -> None:
    redlined = 0
    for path in sorted(cases.glob("cuad/[01]*.txt")):
        name = f"{path.stem[:40]}.docx"
        document = docx.Document()
        for passage in read_text(path).passages:
            document.add_paragraph(" ".join(passage.text.split()))
        document.save(str(context.workspace / name))
        made = deliver(context, name)
        redlined += len(made) - 1
        assert_gates_pass(made, name, clean_room)
    assert redlined >= 8


def test_real_pdf_and_text_contracts_get_a_memo_with_quotations_in_place(
    cases: Any, context: Any, clean_room: Any
) -> None:
    for path in sorted([*cases.glob("cuad/[01]*.txt"), *cases.glob("cuad/[01]*.pdf")]):
        shutil.copyfile(path, context.workspace / path.name)
        made = deliver(context, path.name)
        assert [deliverable.role for deliverable in made] == ["memo"]
        assert_gates_pass(made, path.name, clean_room)
        source = read_text(path)
        for claim in made[0].claims:
            assert find_quote(source, claim.text), (path.name, claim.text)


def test_proof_reading_real_contracts_stays_bounded(cases: Any) -> None:
    for path in sorted(cases.glob("cuad/[01]*.txt")):
        contract = read_contract(path)
        errors = [slip for slip in proof_read(contract) if slip.level == "error"]
        assert len(errors) < 15, (path.name, [slip.message for slip in errors])


def test_clauses_of_the_labelled_types_are_found_as_the_readme_says(cases: Any) -> None:
    rows = list(scores(cases / "cuad"))
    assert table(rows) == PLACE.read()
    met, wanted = sum(row.met for row in rows), sum(row.wanted for row in rows)
    right, found = sum(row.right for row in rows), sum(row.found for row in rows)
    assert wanted > 40
    assert met / wanted > 0.85
    assert right / found > 0.6
