"""The first bad commit is found by running the test, and found again by the gate."""

from __future__ import annotations

from typing import Any

import pytest
from plugins.engineering.tests.conftest import Verdict
from plugins.engineering.tests.engineering_repos import Repo

from deskmate.plugin import ToolError, ToolInputError
from deskmate_engineering.tools.bisecting import bisect_run
from deskmate_engineering.validators.bisect_rules import bisect_true

TEST = "import unittest\nimport cart\n\nclass Cart(unittest.TestCase):\n    def test_total(self):\n        self.assertEqual(cart.total([1, 2]), 3)\n"
NAME = "test_cart.py::Cart::test_total"


@pytest.fixture
def shop(repo: Repo) -> tuple[Repo, list[str]]:
    """Six commits: the third cannot be imported, the fifth breaks the sum; the test comes with the last."""
    commits = []
    for number, body in enumerate(
        ("sum(x)", "sum(x, 0)", "", "0 + sum(x)", "sum(x) + len(x) - 1", "sum(x) + 1"), 1
    ):
        text = f"def total(x):\n    return {body}\n" if body else "def total(x:\n"
        files: dict[str, str | None] = {"cart.py": text}
        if number == 6:
            files["test_cart.py"] = TEST
        commits.append(repo.commit(files, f"Step {number}", when=f"2025-01-0{number}T10:00:00Z"))
    return repo, commits


def test_a_commit_is_found_and_a_gate_that_searches_again_sees_the_edited_line_and_no_other(
    repo: Repo, verdict: Verdict
) -> None:
    good = repo.commit({"cart.py": "def total(x):\n    return sum(x)\n"}, "One")
    first = repo.commit({"cart.py": "def total(x):\n    return 0\n", "test_cart.py": TEST}, "Two")
    answer = bisect_run(repo.context, [NAME], good=good)
    assert (answer.result["first"], answer.result["tried"]) == (first, 2)
    (item,) = answer.deliverables
    file = repo.top / item.path
    text = file.read_text()
    file.write_text(text.replace(" Two (Ada", " One (Ada"))
    found = verdict(bisect_true, item, repo.context, data={**item.data, "first": good})
    assert len(found) == 3
    assert "the first bad commit is" in found[0]
    lost = {**item.data, "good": "0" * 40}
    assert verdict(bisect_true, item, repo.context, data=lost)[0].startswith("UNVERIFIED")
    assert "not whole" in verdict(bisect_true, item, repo.context, data={})[0]


@pytest.mark.slow  # some thirty runs of tests
def test_the_first_bad_commit_is_named_and_the_gate_finds_it_too(
    shop: tuple[Repo, list[str]], verdict: Verdict
) -> None:
    repo, commits = shop
    answer = bisect_run(repo.context, [NAME], good=commits[0])
    assert (answer.result["first"], answer.result["between"]) == (commits[4], 5)
    (item,) = answer.deliverables
    file = repo.top / item.path
    text = file.read_text()
    assert f"`{commits[4][:10]}` Step 5 (Ada, 2025-01-05)." in text
    assert f"| {commits[2][:10]} | cannot tell |" in text
    assert "- M cart.py" in text
    assert verdict(bisect_true, item, repo.context) == []
    file.write_text(text.replace("Step 5", "Step 4"))
    assert len(verdict(bisect_true, item, repo.context)) == 2
    file.write_text(text)
    other = {**item.data, "first": commits[5]}
    assert "the first bad commit is" in verdict(bisect_true, item, repo.context, data=other)[0]
    assert verdict(bisect_true, item, repo.context, held=False)[0].startswith("UNVERIFIED")


def test_ends_that_are_not_what_they_are_said_to_be_are_refused(
    shop: tuple[Repo, list[str]],
) -> None:
    repo, commits = shop
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"good": commits[4]}, "must pass there"),
        ({"good": commits[0], "bad": commits[3], "tests": ["cart.py::x"]}, "must fail there"),
        ({"good": commits[5], "bad": commits[0], "tests": ["cart.py::x"]}, "does not lie on the way"),
        ({"good": commits[0], "bad": commits[0], "tests": ["cart.py::x"]}, "0 commits between"),
        ({"good": "nope"}, "no revision"), ({"good": commits[0], "tests": ["gone.py::x"]}, "is not in"),
        ({"good": commits[0], "tests": []}, "1 to 20 tests"), ({"good": commits[0], "output": "x.txt"}, "must end in"),
    )  # fmt: skip
    for more, says in cases:
        with pytest.raises(ToolInputError, match=says):
            bisect_run(repo.context, **{"tests": [NAME], **more})


def test_where_no_one_commit_can_be_named_the_range_is(repo: Repo) -> None:
    good = repo.commit({"cart.py": "def total(x):\n    return sum(x)\n"}, "One")
    mute = repo.commit({"cart.py": "def total(x:\n"}, "Two")
    bad = repo.commit({"cart.py": "def total(x):\n    return 0\n", "test_cart.py": TEST}, "Three")
    with pytest.raises(ToolError, match=f"one of {mute[:10]}, {bad[:10]}"):
        bisect_run(repo.context, [NAME], good=good)
    assert not (repo.top / "work/bisect.md").exists()


@pytest.mark.slow
def test_a_test_that_ends_now_so_now_so_finds_nothing(repo: Repo, tmp_path: Any) -> None:
    marker = tmp_path / "marker"
    odd = TEST.replace(
        "self.assertEqual", f"import pathlib; p = pathlib.Path({str(marker)!r}); n = p.exists(); p.touch()\n        if n and cart.BAD: return\n        self.assertEqual"
    )  # fmt: skip
    good = repo.commit({"cart.py": "BAD = 0\ndef total(x):\n    return sum(x)\n"}, "One")
    repo.commit({"cart.py": "BAD = 1\ndef total(x):\n    return 0\n", "test_cart.py": odd}, "Two")
    with pytest.raises(ToolError, match="does not end the same each time"):
        bisect_run(repo.context, [NAME], good=good)
