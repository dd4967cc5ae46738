"""Decision records: numbers, statuses and links are kept by the tool, and a gate that looks at the whole folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deskmate.plugin import Deliverable, Sources, ToolContext, ToolInputError, ValidationContext
from deskmate_engineering.adr.records import read_record
from deskmate_engineering.adr.writing import superseded
from deskmate_engineering.tools.adr import adr_check, adr_new
from deskmate_engineering.validators.adr_rules import adr_sound

FIRST = "# 1. Use a database\n\n- Status: accepted\n- Date: 2025-01-01\n\n## Considered options\n\n- SQLite\n- Files\n\n## Decision\n\nSQLite.\n"
NYGARD = (
    "# ADR-0002: Log to files\r\n\r\n## Status\r\n\r\nAccepted\r\n\r\n## Context\r\n\r\nWords.\r\n"
)
DECISION: dict[str, Any] = {
    "title": "Keep events in PostgreSQL", "context": "The database is full of events by now.",
    "options": [{"title": "SQLite", "bad": ["One writer."]}, {"title": "PostgreSQL", "good": ["Many writers."]}],
    "chosen": "PostgreSQL", "because": "Several services write at once.", "status": "accepted", "consequences": ["A server to run."],
}  # fmt: skip


@pytest.fixture
def desk(tmp_path: Path) -> ToolContext:
    folder = tmp_path / "ws" / "repo" / "docs" / "adr"
    folder.mkdir(parents=True)
    (folder / "0001-use-a-database.md").write_text(FIRST)
    (folder / "0002-log.md").write_bytes(NYGARD.encode())
    (folder / "README.md").write_text("no record")
    return ToolContext(workspace=tmp_path / "ws", home=tmp_path, resources=tmp_path)


def held(desk: ToolContext) -> dict[str, bytes]:
    return {
        one.relative_to(desk.workspace).as_posix(): one.read_bytes()
        for one in desk.workspace.rglob("*")
        if one.is_file()
    }


def said(
    desk: ToolContext,
    before: dict[str, bytes],
    item: Deliverable,
    made: tuple[Deliverable, ...],
    tmp_path: Path,
    **changes: Any,
) -> list[str]:
    room = tmp_path / "room"
    for name, data in before.items():
        (room / name).parent.mkdir(parents=True, exist_ok=True)
        (room / name).write_bytes(data)
    context = ValidationContext(
        file=desk.workspace / item.path,
        sources=Sources({name: room / name for name in before}, {}),
        others={one.path: desk.workspace / one.path for one in made if one.path != item.path},
    )
    return [finding.message for finding in adr_sound(replace(item, **changes), context)]


def test_a_record_gets_the_next_number_and_the_older_one_only_another_status(
    desk: ToolContext, tmp_path: Path
) -> None:
    before = held(desk)
    answer = adr_new(desk, DECISION, supersedes=1)
    assert answer.result == {
        "output": "repo/docs/adr/0003-keep-events-in-postgresql.md", "number": 3, "superseded": "repo/docs/adr/0001-use-a-database.md", "errors": [],
    }  # fmt: skip
    new, older = answer.deliverables
    text = (desk.workspace / new.path).read_text()
    assert text.startswith("# 3. Keep events in PostgreSQL\n\n- Status: accepted\n- Date: ")
    assert "- Supersedes: [Use a database](0001-use-a-database.md)" in text
    changed = (desk.workspace / older.path).read_text()
    assert changed == FIRST.replace(
        "accepted", "superseded by [Keep events in PostgreSQL](0003-keep-events-in-postgresql.md)"
    )
    for item in answer.deliverables:
        assert said(desk, before, item, answer.deliverables, tmp_path) == []
    assert adr_check(desk)["errors"] == 0


def test_other_forms_of_records_are_marked_too_and_keep_their_line_ends(
    desk: ToolContext, tmp_path: Path
) -> None:
    before = held(desk)
    made = adr_new(desk, DECISION, supersedes=2).deliverables
    assert (desk.workspace / made[1].path).read_bytes() == NYGARD.encode().replace(
        b"Accepted", b"Superseded by [Keep events in PostgreSQL](0003-keep-events-in-postgresql.md)"
    )
    assert said(desk, before, made[1], made, tmp_path) == []
    with pytest.raises(ToolInputError, match="no status"):
        superseded("# 1. Title\n\n## Status\n\n## Context\n", "x.md", "X")


@pytest.mark.parametrize(
    ("which", "find", "put", "says"),
    [(0, "# 3.", "# 4.", "title"), (0, "- PostgreSQL\n", "", "1 option"), (0, "## Decision", "## Words", "section"), (0, "Status: accepted", "Status: done", "status"),
     (0, "(0001-use-a-database.md)", "(0009-nothing.md)", "not there"), (1, "SQLite.\n", "SQLite, of course.\n", "More of the older"),
     (1, "superseded by", "accepted, see", "does not say")],
)  # fmt: skip
def test_a_seeded_defect_is_refused(
    desk: ToolContext, tmp_path: Path, which: int, find: str, put: str, says: str
) -> None:
    before = held(desk)
    made = adr_new(desk, DECISION, supersedes=1).deliverables
    file = desk.workspace / made[which].path
    assert find in file.read_text()
    file.write_text(file.read_text().replace(find, put))
    found = said(desk, before, made[which], made, tmp_path)
    assert any(says in one for one in found), found


def test_a_number_that_is_taken_a_lost_record_and_a_crash_are_refused(
    desk: ToolContext, tmp_path: Path
) -> None:
    before = held(desk)
    made = adr_new(desk, DECISION).deliverables
    taken = {**before, "repo/docs/adr/0003-other.md": FIRST.replace("# 1.", "# 3.").encode()}
    assert any("next number is 4" in one for one in said(desk, taken, made[0], made, tmp_path))
    assert "not whole" in said(desk, before, made[0], made, tmp_path, data={})[0]
    # what was wrong before is not held against the new record
    wrong = {**before, "repo/docs/adr/0001-again.md": FIRST.encode()}
    assert said(desk, wrong, made[0], made, tmp_path) == []


def test_a_folder_is_checked_as_a_whole(desk: ToolContext) -> None:
    folder = desk.workspace / "repo/docs/adr"
    (folder / "0001-twin.md").write_text("# 7. Twin\n\nStatus: maybe\n\n## Options\n\n- one\n")
    (folder / "0005-lonely.md").write_text(
        "No title\n\n**Status:** superseded by [x](0002-log.md)\n"
    )
    (folder / "0006-bare.md").write_text(
        "# 6. Bare\n\nStatus: superseded\n\n```\nStatus: accepted\n```\n"
    )
    found = {
        (Path(one["file"]).name, one["level"], one["what"]) for one in adr_check(desk)["slips"]
    }
    assert found == {
        ("0001-twin.md", "error", "Its title says 7, its file 1."), ("0001-twin.md", "error", "Its status 'maybe' is none of proposed, accepted, rejected, deprecated, superseded."),
        ("0001-twin.md", "error", "It considers 1 option; a decision is between two at least."), ("0001-use-a-database.md", "error", "The number 1 is 0001-twin.md's, too."),
        ("0005-lonely.md", "error", "It has no title (a line that begins with #)."), ("0005-lonely.md", "error", "It is superseded by 0002, which does not say that it supersedes 0005."),
        ("0006-bare.md", "error", "It is superseded, and does not link to what it is superseded by."), ("0006-bare.md", "note", "No record has the numbers 3, 4."),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "says"),
    [({"options": [{"title": "One", "good": ["x"]}]}, "two different options"), ({"title": ""}, "title"), ({"chosen": "Other"}, "none of its options"),
     ({"because": ""}, "because of what"), ({"status": "superseded"}, "not 'superseded'"), ({"options": "x"}, "options is a list"),
     ({"options": [{"title": "a"}, {"title": "b", "good": ["x"]}], "chosen": "b"}, "good or bad about a"), ({"options": [1, 2]}, "Option 1"), ({"extra": 1}, "no extra"),
     ({"consequences": [1]}, "list of sentences")],
)  # fmt: skip
def test_a_decision_that_lacks_something_is_refused(
    desk: ToolContext, change: dict[str, Any], says: str
) -> None:
    before = held(desk)
    with pytest.raises(ToolInputError, match=says):
        adr_new(desk, {**DECISION, **change})
    assert held(desk) == before


def test_folders_that_are_missing_or_several_are_asked_for(
    desk: ToolContext, tmp_path: Path
) -> None:
    with pytest.raises(ToolInputError, match="no record 9"):
        adr_new(desk, DECISION, supersedes=9)
    other = desk.workspace / "repo/doc/adr"
    other.mkdir(parents=True)
    (other / "0001-x.md").write_text(FIRST)
    with pytest.raises(ToolInputError, match="several folders"):
        adr_check(desk)
    with pytest.raises(ToolInputError, match="no record in"):
        adr_check(desk, "repo/docs")
    with pytest.raises(ToolInputError, match="is a file"):
        adr_check(desk, "repo/docs/adr/README.md")
    (tmp_path / "none").mkdir()
    empty = ToolContext(workspace=tmp_path / "none", home=tmp_path, resources=tmp_path)
    with pytest.raises(ToolInputError, match="no folder of decision records"):
        adr_check(empty)
    assert (
        adr_new(empty, DECISION, path="app/decisions").result["output"]
        == "app/decisions/0001-keep-events-in-postgresql.md"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "#",
        "status:",
        "## Status",
        "- superseded by [x]()",
        "\0",
        "# 99999999. x",
        "supersedes superseded by [a](1-b.md)",
    ],
)
def test_odd_records_are_read(text: str) -> None:
    read_record("adr/0001-x.md", text)
