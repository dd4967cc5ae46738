import sys
from pathlib import Path
from typing import Any

import pytest

from deskmate_documents.quotes import find_quote
from deskmate_documents.text import read_text
from deskmate_legal.tools.nda import nda_triage

sys.path.insert(0, str(Path(__file__).parents[3]))

from scripts.nda_table import PLACE, contracts, scores, table

NLI = "contract_nli/contract_nli_dev_8.json"


def test_rules_answer_with_words_that_stand_there_and_leave_the_rest_open(
    context: Any, nda: Any
) -> None:
    result = nda_triage(nda, context).result
    source = read_text(context.file(nda))
    assert result["by"] == "rules"
    assert result["answers"]
    for answer in result["answers"]:
        assert answer["paragraph"] in [p.paragraph for p in find_quote(source, answer["quote"])]
    given = {answer["criterion"] for answer in result["answers"]}
    assert given.isdisjoint(result["unanswered"])
    assert len(given) + len(result["unanswered"]) == 10


@pytest.mark.cases
def test_statements_are_found_as_the_readme_says(cases: Any) -> None:
    rows = scores(cases / NLI)
    assert table(rows) == PLACE.read()
    assert sum(row.shown for row in rows) / sum(row.wanted for row in rows) > 0.75


@pytest.mark.cases
def test_no_real_nda_is_green_by_silence(cases: Any, context: Any) -> None:
    for document, contract in contracts(cases / NLI):
        name = f"{document['id']}.txt"
        (context.workspace / name).write_text(document["text"].replace("\n", "\n\n"), "utf-8")
        result = nda_triage(name, context).result
        assert contract.text
        assert result["colour"] in {"yellow", "red"} or not result["unanswered"]
