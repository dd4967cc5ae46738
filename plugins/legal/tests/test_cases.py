import json
import re
import shutil
from typing import Any

import docx
import pytest

from deskmate_documents.quotes import find_quote
from deskmate_documents.text import read_text
from deskmate_legal.contract import read_contract
from deskmate_legal.playbook import load_playbook
from deskmate_legal.review import review
from deskmate_legal.terms import proof_read
from deskmate_legal.tools.memo import memo_write
from deskmate_legal.tools.redline import contract_redline
from deskmate_legal.tools.review import playbook_review
from deskmate_legal.validators import every_rule

pytestmark = pytest.mark.cases

CUAD = {
    "governing-law": ("Governing Law",),
    "assignment": ("Anti-Assignment",),
    "liability-cap": ("Cap On Liability", "Uncapped Liability"),
    "audit": ("Audit Rights",),
    "insurance": ("Insurance",),
    "minimum-commitment": ("Minimum Commitment",),
    "auto-renewal": ("Renewal Term",),
    "liquidated-damages": ("Liquidated Damages",),
    "non-compete": ("Exclusivity", "Non-Compete"),
}


def letters(text: Any) -> Any:
    return re.sub(r"\W+", "", text).lower()


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


def test_clauses_of_the_labelled_types_are_found(cases: Any) -> None:
    found = wanted = 0
    for path in sorted(cases.glob("cuad/*.labels.json")):
        labels = json.loads(path.read_text("utf-8"))["labels"]
        contract = read_contract(path.with_name(path.name.replace(".labels.json", ".txt")))
        results = {r.category.id: r for r in review(contract, load_playbook())}
        for category, names in CUAD.items():
            hits = (
                [letters(hit.text) for hit in results[category].hits] if category in results else []
            )
            clauses = [c for name in names for c in labels.get(name, {}).get("clauses", ())]
            for part in (p for c in clauses for p in c["text"].split("<omitted>")):
                if len(letters(part)) > 15:
                    wanted += 1
                    found += any(letters(part) in hit or hit in letters(part) for hit in hits)
    assert wanted > 40
    assert found / wanted > 0.85
