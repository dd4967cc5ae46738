"""Samples: sizes by their source, a draw that repeats, a population that is complete, and results with evidence."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from plugins.finance.tests.finance_rooms import desk, patch, rules, shown, verdicts

from deskmate.plugin import ToolInputError
from deskmate_finance.sampling import attribute_size
from deskmate_finance.tools.sampling import sox_sample

POPULATION = "Voucher,Date,Amount\n" + "".join(
    f"PV-{n},2025-03-{n % 28 + 1:02},{n}.50\n" for n in range(1, 61)
)
RESULTS = "Voucher,Performed,In time,Tester,Date,Evidence\n"
ASKED = ["Performed", "In time"]


def drawn(tmp_path: Path, more: dict[str, str] | None = None, **arguments: Any) -> Any:
    context = desk(tmp_path, {"population.csv": POPULATION, **(more or {})})
    given: dict[str, Any] = {"frequency": "weekly", "seed": "7", "attributes": ASKED}
    return context, sox_sample(context, "population.csv", **{**given, **arguments})


@pytest.mark.parametrize(
    ("confidence", "tolerable", "accepted", "size"),
    # as in the tables of the AICPA's guide
    [(0.95, 0.05, 0, 59), (0.95, 0.05, 1, 93), (0.90, 0.10, 0, 22), (0.90, 0.10, 1, 38), (0.95, 0.10, 0, 29)],
)  # fmt: skip
def test_attribute_sizes_are_the_published_ones(
    confidence: float, tolerable: float, accepted: int, size: int
) -> None:
    assert attribute_size(confidence, tolerable, accepted) == size


@pytest.mark.parametrize(
    ("frequency", "options", "size"),
    [
        ("annual", {}, 1),
        ("Monthly", {}, 5),
        ("weekly", {"risk": "lower"}, 5),
        ("many times a day", {}, 60),
        ("weekly", {"size": "20"}, 20),
        ("attribute", {}, 59),
        ("attribute", {"confidence": "90", "tolerable": "10"}, 22),
    ],
)
def test_the_size_comes_from_the_table_or_the_computation(
    tmp_path: Path, frequency: str, options: dict[str, str], size: int
) -> None:
    context, answer = drawn(tmp_path, frequency=frequency, options=options)
    assert answer.result["size"] == size
    assert verdicts(context, answer.deliverables[0]) == []


def test_anybody_draws_the_same_items_from_file_and_seed(tmp_path: Path) -> None:
    _, answer = drawn(tmp_path)
    digest = hashlib.sha256(POPULATION.encode()).hexdigest()
    ranks = sorted(
        range(2, 62), key=lambda row: hashlib.sha256(f"7|{digest}|{row}".encode()).hexdigest()
    )
    assert [item["row"] for item in answer.result["items"]] == sorted(ranks[:15])
    assert answer.result["population"]["sha256"] == digest
    _, other = drawn(tmp_path, seed="8")
    assert other.result["items"] != answer.result["items"]


def test_without_a_seed_it_comes_from_the_population(tmp_path: Path) -> None:
    _, answer = drawn(tmp_path, seed="")
    assert answer.result["seed"] == answer.result["population"]["sha256"][:8]


def test_results_are_taken_in_and_the_rate_is_computed(tmp_path: Path) -> None:
    _, first = drawn(tmp_path)
    names = [item["item"] for item in first.result["items"]]
    found = "".join(
        f"{name},yes,{'no' if n == 2 else 'n/a'},Ann,2025-04-02,WP-{n}\n"
        for n, name in enumerate(names[:10])
    )
    context, answer = drawn(tmp_path, {"results.csv": RESULTS + found}, results="results.csv")
    figures = shown(context.workspace / answer.result["path"], "Plan")
    assert [figures[k] for k in ("Tested", "With an exception", "Open")] == [10, 1, 5]
    assert figures["Rate of exceptions"] == pytest.approx(0.1)
    assert figures["State"] == "testing is not complete"
    assert answer.result["exceptions"] == [names[2]]
    assert verdicts(context, answer.deliverables[0]) == []


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("PV-99,yes,yes,Ann,2025-04-02,WP\n", "'PV-99' is not in the sample"),
        ("{0},yes,maybe,Ann,2025-04-02,WP\n", "an answer is yes, no or n/a"),
        ("{0},yes,yes,,2025-04-02,WP\n", "a tester, a date and evidence"),
        ("{0},yes,yes,Ann,2025-04-02,\n", "a tester, a date and evidence"),
        ("{0},yes,yes,Ann,2025-04-02,WP\n" * 2, "or stands twice"),
    ],
)
def test_a_result_without_evidence_is_refused(tmp_path: Path, row: str, says: str) -> None:
    _, first = drawn(tmp_path)
    text = RESULTS + row.format(first.result["items"][0]["item"])
    with pytest.raises(ToolInputError, match=says):
        drawn(tmp_path, {"results.csv": text}, results="results.csv")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"frequency": "sometimes"}, "The frequency is annual"),
        ({"frequency": ""}, "Name how often the control works"),
        ({"options": {"size": "14"}}, "below the 15 that table: weekly control"),
        ({"options": {"expected_count": "61"}}, "has 60 where 61 is expected"),
        ({"options": {"expected_total": "1,860.01"}}, "has 1860.00 where 1,860.01 is expected"),
        ({"options": {"risk": "none"}}, "the risk lower or higher"),
        ({"options": {"foo": "1"}}, "'foo' is unknown"),
        ({"options": {"id": "Date"}}, "stands twice or has no name"),
        ({"attributes": ["A", "a"]}, "attributes with different names"),
        ({"seed": " "}, "The seed is empty"),
        ({"frequency": "attribute", "options": {"tolerable": "0"}}, "tolerable 1 to 50"),
    ],
)
def test_what_would_not_be_a_sample_is_refused(
    tmp_path: Path, arguments: dict[str, Any], says: str
) -> None:
    with pytest.raises(ToolInputError, match=says):
        drawn(tmp_path, **arguments)


def test_a_complete_population_ties(tmp_path: Path) -> None:
    options = {"expected_count": "60", "expected_total": "1,860.00"}
    assert drawn(tmp_path, options=options)[1].result["size"] == 15


@pytest.mark.parametrize(
    ("sheet", "cell", "value"),
    [
        ("Sample", "C6", "PV-other"),
        ("Plan", "B10", "0" * 64),
        ("Plan", "B8", "8"),
        ("Plan", "B12", 1861),
        ("Attributes", "C6", "yes"),
    ],
)
def test_a_changed_workpaper_is_refused(tmp_path: Path, sheet: str, cell: str, value: Any) -> None:
    context, answer = drawn(tmp_path)
    patch(context.workspace / answer.result["path"], sheet, cell, value)
    assert "FIN-SAMPLE-REDRAWS" in rules(verdicts(context, answer.deliverables[0]))


def test_a_changed_population_no_longer_fits(tmp_path: Path) -> None:
    context, answer = drawn(tmp_path)
    file = context.workspace / "population.csv"
    file.write_text(file.read_text().replace("PV-60", "PV-61"))
    messages = [m for _, _, m in verdicts(context, answer.deliverables[0])]
    assert any("The digest is not that of population.csv" in m for m in messages)
