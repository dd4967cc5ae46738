from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from deskmate.plugin import ToolInputError
from deskmate_engineering.standups import theme_of_paths
from deskmate_engineering.tools.standup import standup_from_git
from deskmate_engineering.validators.standup_rules import standup_true
from deskmate_engineering.windows import window_of

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 3, 2, 9, 30, tzinfo=BERLIN)


@pytest.fixture
def week(repo: Any) -> Any:
    """Commits on both sides of midnight in Berlin, by two people, one under two names, and a merge."""
    repo.config = {"zone": "Europe/Berlin"}
    repo.commit({"src/a.py": "1\n"}, "feat: the day before", when="2026-03-01T23:59:59+01:00")
    repo.commit(
        {"src/a.py": "1\n2\n"},
        "fix(till): round to the cent, SHOP-12",
        when="2026-03-01T23:00:00+00:00",
    )
    repo.git("checkout", "-q", "-b", "side")
    repo.commit(
        {"docs/a.md": "x\n", "ü.bin": "\0"},
        "Say what it is\n\nCloses #7.",
        who="Grace",
        when="2026-03-02T10:00:00+05:30",
    )
    repo.git("checkout", "-q", "main")
    repo.commit({"tests/test_a.py": "x\n"}, "Prove it", when="2026-03-02T11:00:00+01:00")
    repo.git("merge", "-q", "--no-edit", "side", when="2026-03-02T12:00:00+01:00")
    return repo


def standup(week: Any, **arguments: Any) -> Any:
    return standup_from_git(week.context, since="2026-03-02", until="2026-03-03", **arguments)


def test_commits_of_the_window_stand_by_author_and_theme(week: Any, verdict: Any) -> None:
    answer = standup(week)
    text = (week.top / "work" / "standup.md").read_text()
    assert text.startswith(
        "# Stand-up of shop, 2026-03-02 00:00 +01:00 to 2026-03-03 00:00 +01:00\n"
    )
    assert "3 commits by 2 people, +3 −0 lines in 4 files. Merges left out: 1." in text
    assert "the day before" not in text
    ada, grace = answer.result["authors"]
    assert [c["theme"] for c in ada["commits"]] == ["Tests", "Fixes"]
    assert [c["tickets"] for c in ada["commits"]] == [[], ["SHOP-12"]]
    assert grace["commits"][0]["tickets"] == ["#7"]
    assert {"path": "ü.bin", "added": None, "removed": None} in grace["commits"][0]["files"]
    assert f"- Say what it is (`{grace['commits'][0]['id'][:10]}`, 2 files)" in text
    assert verdict(standup_true, answer.deliverables[0], week.context) == []


def test_an_author_narrows_it_and_names_tell_people_apart(week: Any, verdict: Any) -> None:
    answer = standup(week, author="grace", output="work/g.md")
    assert [a["name"] for a in answer.result["authors"]] == ["Grace"]
    assert verdict(standup_true, answer.deliverables[0], week.context) == []
    week.git(
        "-c",
        "user.name=Ada Lace",
        "commit",
        "-q",
        "--allow-empty",
        "--author=Ada Lace <ADA@example.org>",
        "-m",
        "More",
        when="2026-03-02T13:00:00+01:00",
    )
    answer = standup(week)
    assert [(a["name"], len(a["commits"])) for a in answer.result["authors"]] == [
        ("Ada", 2),
        ("Ada Lace", 1),
        ("Grace", 1),
    ]
    assert verdict(standup_true, answer.deliverables[0], week.context) == []


def test_highlights_cite_commits_of_the_window(week: Any, verdict: Any) -> None:
    ids = [c["id"] for a in standup(week).result["authors"] for c in a["commits"]]
    answer = standup(
        week,
        highlights=[{"text": "Rounding is right and tested.", "commits": [ids[0], ids[1][:8]]}],
    )
    assert (
        f"- Rounding is right and tested. (`{ids[0][:10]}`, `{ids[1][:10]}`)"
        in answer.result["summary"]
    )
    assert verdict(standup_true, answer.deliverables[0], week.context) == []
    for wrong, says in (
        ({"text": "Invented", "commits": ["abcdef1234"]}, "no commit of this window"),
        ({"text": "Xylophones", "commits": [ids[0]]}, "no word in common"),
        ({"text": "Nothing", "commits": []}, "needs text and commits"),
    ):
        with pytest.raises(ToolInputError, match=says):
            standup(week, highlights=[wrong])


@pytest.mark.parametrize(
    ("find", "replace", "says"),
    [
        ("Prove it", "Proved all of it", "the line says otherwise"),
        ("**Grace**", "**Linus**", "stands under Linus"),
        ("3 commits by", "4 commits by", "totals say 4"),
        ("**Ada** (2 commits, +2", "**Ada** (2 commits, +9", "has (2, 2, 0)"),
        ("- Say what it is (", "- Say what it was (", "says otherwise"),
        ("*Tests*", "Ada also wrote the manual.", "rests on no commit"),
        ("Merges left out: 1.", "Merges left out: 0.", "there are 1"),
        ("00:00 +01:00 to", "00:00 +00:00 to", "Its title reads"),
    ],
)
def test_a_line_that_git_does_not_bear_out_fails(
    week: Any, verdict: Any, find: str, replace: str, says: str
) -> None:
    (deliverable,) = standup(week).deliverables
    file = week.top / "work" / "standup.md"
    text = file.read_text()
    assert find in text
    file.write_text(text.replace(find, replace))
    assert any(says in message for message in verdict(standup_true, deliverable, week.context))


def test_a_commit_left_out_named_twice_or_made_up_fails(week: Any, verdict: Any) -> None:
    (deliverable,) = standup(week).deliverables
    file = week.top / "work" / "standup.md"
    text = file.read_text()
    line = next(part for part in text.split("\n") if part.startswith("- Prove it"))
    file.write_text(text.replace(line + "\n", ""))
    assert any("is left out" in m for m in verdict(standup_true, deliverable, week.context))
    file.write_text(text.replace(line, f"{line}\n{line}"))
    assert any("named twice" in m for m in verdict(standup_true, deliverable, week.context))
    file.write_text(text.replace(line, f"{line}\n- Fix the rest (`{'0' * 10}`, 1 file)"))
    assert any(
        "no commit of this window" in m for m in verdict(standup_true, deliverable, week.context)
    )
    file.write_text(text)
    assert "UNVERIFIED" in verdict(standup_true, deliverable, week.context, held=False)[0]
    facts = {"date": "2026-02-20"}
    assert (
        "after the day of the run"
        in verdict(standup_true, deliverable, week.context, facts=facts)[0]
    )


def test_what_the_run_committed_itself_is_no_work_of_anybody(week: Any, verdict: Any) -> None:
    room = standup(week).deliverables[0]
    assert verdict(standup_true, room, week.context) == []
    # the tool sees the agent's commit; the host's originals do not have it
    week.commit({"z": "1\n"}, "Agent's own", when="2026-03-02T15:00:00+01:00")
    (later,) = standup(week).deliverables
    tip = week.git("rev-parse", "HEAD")
    week.git("reset", "-q", "--hard", "HEAD~1")
    assert any(tip[:10] in m for m in verdict(standup_true, later, week.context))


@pytest.mark.parametrize(
    ("words", "since", "until"),
    [
        ("Stand-up of yesterday", "2026-02-27T00:00", ""),
        ("today's stand-up", "2026-03-02T00:00", ""),
        ("this week", "2026-03-02T00:00", ""),
        ("what was done last week", "2026-02-23T09:30", ""),
        ("the last 3 days", "2026-02-27T09:30", ""),
        ("since 2026-02-01", "2026-02-01T00:00", ""),
        ("between 2026-02-01 and 2026-02-03", "2026-02-01T00:00", "2026-02-04T00:00"),
        ("on 2026-02-01", "2026-02-01T00:00", "2026-02-02T00:00"),
        ("the stand-up", "2026-02-23T09:30", ""),
    ],
)
def test_windows_are_taken_from_the_words(words: str, since: str, until: str) -> None:
    window = window_of("", "", words, MONDAY)
    assert window.since == datetime.fromisoformat(since).replace(tzinfo=BERLIN)
    assert window.until == (
        datetime.fromisoformat(until).replace(tzinfo=BERLIN) if until else MONDAY
    )


def test_days_are_days_of_the_zone_also_when_the_clock_changes() -> None:
    window = window_of("2026-03-29", "2026-03-30", "", MONDAY + timedelta(days=40))
    assert window.until.timestamp() - window.since.timestamp() == 23 * 3600
    assert window.title == "2026-03-29 00:00 +01:00 to 2026-03-30 00:00 +02:00"


def test_an_unknown_zone_is_said(week: Any) -> None:
    week.config = {"zone": "Mars/North"}
    with pytest.raises(ToolInputError, match="no time zone"):
        standup(week)


@pytest.mark.parametrize(
    ("paths", "theme"),
    [
        (["src/a.py", "src/b.py", "web/x.js", "tests/test_a.py"], "src"),
        (["README.md", "docs/x.png"], "Documentation"),
        (["tests/test_a.py"], "Tests"),
        (["setup.py"], "top folder"),
        ([], "No files"),
    ],
)
def test_themes_come_from_what_is_touched(paths: list[str], theme: str) -> None:
    assert theme_of_paths(paths) == theme
