"""Hotspots are counted from commits, and counted again by the gate."""

from __future__ import annotations

from typing import Any

import pytest
from plugins.engineering.tests.conftest import Verdict
from plugins.engineering.tests.engineering_repos import Repo

from deskmate.plugin import ToolInputError
from deskmate_engineering.hotspots import ways_through
from deskmate_engineering.tools.hotspots import hotspots
from deskmate_engineering.validators.hotspot_rules import hotspots_true

BRANCHY = "def f(a):\n    if a and a > 1:\n        return [x for x in a if x]\n    return 0\n"


@pytest.fixture
def grown(repo: Repo) -> Repo:
    repo.commit(
        {"app.py": BRANCHY, "flat.py": "x = 1\n", "notes.md": "x\n", "old.py": BRANCHY},
        "one",
        when="2026-01-01T10:00:00Z",
    )
    repo.commit(
        {"app.py": BRANCHY + "y = 2\n", "flat.py": "x = 2\n"},
        "two",
        who="Grace",
        when="2026-02-01T10:00:00Z",
    )
    repo.commit(
        {"app.py": BRANCHY + "y = 3\n", "old.py": None}, "three", when="2026-03-01T10:00:00Z"
    )
    return repo


def test_change_times_complexity_ranks_the_files(grown: Repo) -> None:
    result = hotspots(grown.context).result
    assert result["commits"] == 3
    assert [
        (s["path"], s["commits"], s["authors"], s["lines"], s["ways"], s["score"])
        for s in result["spots"]
    ] == [
        ("app.py", 3, 2, 7, 6, 18),
        ("flat.py", 2, 2, 3, 1, 2),
    ]
    assert result["summary"].startswith("- app.py: 3 commits × 6 = 18")
    few = hotspots(grown.context, since="2026-02-15").result
    assert [(s["path"], s["commits"]) for s in few["spots"]] == [("app.py", 1)]


def test_the_gate_counts_again(grown: Repo, verdict: Verdict) -> None:
    (item,) = hotspots(grown.context).deliverables
    file = grown.top / item.path
    text = file.read_text()
    assert "From 2025-03-01 00:00 +00:00 to 2026-03-01 10:00 +00:00" in text
    assert verdict(hotspots_true, item, grown.context) == []
    file.write_text(text.replace("| 3 | 2 | 7 |", "| 4 | 2 | 7 |"))
    assert len(verdict(hotspots_true, item, grown.context)) == 2
    file.write_text("\n".join(row for row in text.split("\n") if "flat.py" not in row))
    assert "flat.py" in verdict(hotspots_true, item, grown.context)[0]
    file.write_text(text)
    assert verdict(hotspots_true, item, grown.context, held=False)[0].startswith("UNVERIFIED")
    assert "not whole" in verdict(hotspots_true, item, grown.context, data={})[0]
    assert (
        "cannot be checked"
        in verdict(hotspots_true, item, grown.context, data={**item.data, "head": "0" * 40})[0]
    )


def test_bad_input_is_refused_in_one_line(grown: Repo) -> None:
    for more, says in (
        ({"since": "2030-01-01"}, "empty"), ({"since": "whenever"}, "names no time"), ({"revision": "nope"}, "no revision"), ({"output": "x.txt"}, "must end"),
        ({"since": "2026-01-15", "until": "2026-01-20"}, "no commit in the window"),
    ):  # fmt: skip
        with pytest.raises(ToolInputError, match=says):
            hotspots(grown.context, **more)


@pytest.mark.parametrize(
    ("path", "text", "ways"),
    [("a.py", "x = 1\n", 1), ("a.py", BRANCHY, 6), ("a.py", "if (:\n  if x", 3), ("a.js", "if (a && b) { for (;;) {} } // if if\n'if' + \"for\"", 4),
     ("a.go", "switch x {\ncase 1:\ncase 2:\n}", 3), ("a.sql", "", 1), ("a.py", "(" * 5000, 1)],
)  # fmt: skip
def test_complexity_is_that_of_the_syntax_tree_or_of_the_words_that_branch(
    path: str, text: str, ways: Any
) -> None:
    assert ways_through(path, text) == ways
