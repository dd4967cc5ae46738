from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from deskmate.plugin import ToolContext, ToolInputError
from deskmate_documents.office.action_gate import check_actions
from deskmate_engineering.blame import blaming
from deskmate_engineering.incidents import duration, severity_of
from deskmate_engineering.moments import fixed_zone, instant, written_in
from deskmate_engineering.records import read_source
from deskmate_engineering.tools.incident import incident_timeline, postmortem_write
from deskmate_engineering.validators.incident_rules import (
    blameless,
    cited,
    impact_ties,
    timeline_true,
)

APP = """2026-03-02T12:58:00Z INFO started worker 1
2026-03-02T13:01:10Z ERROR pool exhausted after 30 s, request 4711
2026-03-02T13:01:12Z ERROR pool exhausted after 30 s, request 4712
2026-03-02T13:02:00Z INFO request served
2026-03-02T13:40:00Z INFO deployed release 42 (rollback)
"""
ACCESS = """10.0.0.1 - - [02/Mar/2026:14:01:10 +0100] "GET /a HTTP/1.1" 500 12
10.0.0.1 - - [02/Mar/2026:14:02:10 +0100] "GET /b HTTP/1.1" 200 12
10.0.0.1 - - [02/Mar/2026:14:03:10 +0100] "GET /c HTTP/1.1" 503 12
10.0.0.1 - - [02/Mar/2026:14:59:10 +0100] "GET /d HTTP/1.1" 200 12
"""
ALERTS = """time,status,summary
2026-03-02T08:05:00-05:00,FIRING,Checkout errors above 5 %
2026-03-02T08:50:00-05:00,RESOLVED,Checkout errors above 5 %
"""
CHAT = """Timezone: Europe/Berlin
Monday, 2 March 2026
14:07 Dana: I'm on it, pool looks full
14:20 Priya: Dana broke the pool setting, that was careless
14:41 Dana: rolled back release 42
14:55 Dana: ACTION: Alert on pool use before it is full (owner: Priya; due: 2099-03-10)
14:56 Dana: ACTION: Write down the pool sizes
"""
FILES = {"app.log": APP, "access.log": ACCESS, "alerts.csv": ALERTS, "chat.txt": CHAT}
RULES = (timeline_true, impact_ties, cited, blameless)
LINE = {"text": "The pool was exhausted after 30 s of waiting.", "cites": ["app.log:2"]}


def desk(tmp_path: Path, files: Mapping[str, str] = FILES, **config: Any) -> ToolContext:
    top = tmp_path / "ws"
    (top / "work").mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (top / "work" / name).write_text(text, "utf-8")
    return ToolContext(workspace=top, home=top, resources=top, config=config)


def test_records_in_four_zones_come_into_one_order(tmp_path: Path) -> None:
    result = incident_timeline(desk(tmp_path))
    got = {row["name"]: (row["value"], row["lines"]) for row in result["measures"]}
    assert got["Started"][0] == "2026-03-02 13:01:10 +00:00"
    assert got["Detected"] == ("2026-03-02 13:05:00 +00:00", "alerts.csv:2")
    assert got["Acknowledged"] == ("2026-03-02 13:07:00 +00:00", "chat.txt:3")
    assert got["Mitigated"] == ("2026-03-02 13:41:00 +00:00", "chat.txt:5")
    assert got["Resolved"] == ("2026-03-02 13:50:00 +00:00", "alerts.csv:3")
    assert got["Time to detect"][0] == "3 min 50 s"
    assert got["Time to acknowledge"][0] == "2 min 0 s".removesuffix(" 0 s")
    assert got["Time to resolve"][0] == "48 min 50 s"
    assert got["Severity"][0] == "SEV1"
    assert {row["name"]: row["value"] for row in result["impact"]} == {
        "Error lines in app.log": "2",
        "Failed requests in access.log": "2 of 3 (66.7 %)",
    }
    times = [event["time"] for event in result["events"]]
    assert times == sorted(times)
    assert "No record between" not in " ".join(result["open"])
    assert [action["owner"] for action in result["actions"]] == ["Priya"]
    assert any("chat.txt:7 has no owner and no day" in gap for gap in result["open"])


def test_a_post_mortem_passes_its_gates_and_the_shared_one_for_actions(
    tmp_path: Path, verdict: Any
) -> None:
    here = desk(tmp_path)
    answer = postmortem_write(here, analysis=[LINE])
    (deliverable,) = answer.deliverables
    for rule in (*RULES, check_actions):
        assert (
            verdict(rule, deliverable, here, facts={"date": datetime.now(UTC).date().isoformat()})
            == []
        )
    text = (here.workspace / "work" / "postmortem.md").read_text()
    assert (
        "| 2026-03-02 13:20:00 +00:00 | chat | (wording left out; see the source line) | chat.txt:4 |"
        in text
    )
    assert "careless" not in text
    assert "ERROR pool exhausted after 30 s, request 4711 (×2) | app.log:2 to app.log:3 |" in text


@pytest.mark.parametrize(
    ("rule", "find", "new", "says"),
    [
        (timeline_true, "13:07:00 +00:00 | chat |", "13:17:00 +00:00 | chat |", "the records give"),
        (timeline_true, "13:07:00 +00:00 | chat |", "13:07:20 +00:00 | chat |", "is not the time of chat.txt:3"),
        (timeline_true, "13:05:00 +00:00 | alert |", "14:05:00 +00:00 | alert |", "runs forward"),
        (timeline_true, "full | chat.txt:3 |", "full | chat.txt:99 |", "names no line"),
        (timeline_true, "| alert | FIRING Checkout errors above 5 %", "| alert | FIRING Checkout errors above 50 %", "the records give"),
        (impact_ties, "| 48 min 50 s |", "| 8 min 50 s |", "48 min 50 s"),
        (impact_ties, "2 of 3 (66.7 %)", "1 of 3 (33.3 %)", "the records give"),
        (impact_ties, "| SEV1 |", "| SEV3 |", "Severity is SEV1"),
        (cited, "after 30 s of waiting.", "after 40 s of waiting.", "40 stands in none"),
        (cited, "30 s of waiting. (app.log:2)", "30 s of waiting. (app.log:77)", "names no line"),
        (cited, "## Action items\n", "The weather was bad.\n\n## Action items\n", "the records give"),
        (blameless, "The pool was exhausted", "Dana ignored that the pool was exhausted", "blames"),
        (blameless, "# Post-mortem: incident", "# Post-mortem: human error and incident", "human error"),
    ],
)  # fmt: skip
def test_a_report_that_its_records_do_not_bear_out_fails(
    tmp_path: Path, verdict: Any, rule: Any, find: str, new: str, says: str
) -> None:
    here = desk(tmp_path)
    (deliverable,) = postmortem_write(here, analysis=[LINE]).deliverables
    file = here.workspace / "work" / "postmortem.md"
    text = file.read_text()
    assert find in text, text
    file.write_text(text.replace(find, new, 1))
    assert any(says in message for message in verdict(rule, deliverable, here)), verdict(
        rule, deliverable, here
    )


def test_an_event_left_out_fails_and_so_does_a_record_that_the_host_never_held(
    tmp_path: Path, verdict: Any
) -> None:
    here = desk(tmp_path)
    (deliverable,) = postmortem_write(here).deliverables
    file = here.workspace / "work" / "postmortem.md"
    file.write_text(
        "\n".join(
            line
            for line in file.read_text().split("\n")
            if "chat.txt:5 |" not in line or "Mitigated" in line
        )
    )
    assert any("chat.txt:5 is left out" in m for m in verdict(timeline_true, deliverable, here))
    for rule in RULES:
        assert "UNVERIFIED" in verdict(rule, deliverable, here, held=False)[0]
    data = {**deliverable.data, "files": deliverable.data["files"][1:]}
    assert "UNVERIFIED" in verdict(timeline_true, replace(deliverable, data=data), here)[0]


@pytest.mark.parametrize(
    ("line", "moment"),
    [
        ("2026-03-02T14:05:09.250+01:00 x", datetime(2026, 3, 2, 13, 5, 9, 250000, UTC)),
        ("2026-03-02 14:05:09,123 CET ERROR x", datetime(2026, 3, 2, 13, 5, 9, 123000, UTC)),
        ("[2026-03-02 14:05:09 UTC] x", datetime(2026, 3, 2, 14, 5, 9, 0, UTC)),
        ("2026/03/02 14:05:09 UTC+2 x", datetime(2026, 3, 2, 12, 5, 9, 0, UTC)),
        ('1.2.3.4 - - [02/Mar/2026:14:05:09 -0330] "GET', datetime(2026, 3, 2, 17, 35, 9, 0, UTC)),
        ("Mar  2 14:05:09 host app: x", datetime(2026, 3, 2, 14, 5, 9, 0, UTC)),
        ("1772460309 x", datetime(2026, 3, 2, 14, 5, 9, 0, UTC)),
        ('{"ts": 1', None),
        ("[2:05 PM] Dana: x", datetime(2026, 3, 2, 14, 5, 0, 0, UTC)),
        ("12:05 am x", datetime(2026, 3, 2, 0, 5, 0, 0, UTC)),
        ("2026-13-40 14:05:09 x", None),
        ("the ratio is 14:05 or so", None),
        ("2026-03-02 14:05:09 ERROR x", datetime(2026, 3, 2, 14, 5, 9, 0, UTC)),
    ],
)
def test_times_are_read_in_the_forms_of_logs_and_chats(line: str, moment: datetime | None) -> None:
    found = written_in(line, date(2026, 3, 2), 2026)
    assert (found is None) == (moment is None)
    if found and moment:
        assert instant(found.local, fixed_zone(found.zone) or UTC)[0] == moment


def test_hours_that_were_twice_or_never_are_named() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert instant(datetime.fromisoformat("2026-10-25T02:30"), berlin)[1] == "was twice that day"
    assert (
        instant(datetime.fromisoformat("2026-03-29T02:30"), berlin)[1] == "did not exist that day"
    )
    assert instant(datetime.fromisoformat("2026-03-29T03:30"), berlin)[1] == ""


def test_zones_come_from_the_line_then_the_user_then_the_file_and_else_are_named_as_open() -> None:
    line = "2026-03-02 14:05:09 ERROR x"
    usual = timezone(timedelta(0), "UTC")

    def at(text: str, **zones: str) -> tuple[int, tuple[str, ...]]:
        given = {"a.log": zones["zone"]} if zones else {}
        found = read_source(text, "work/a.log", given, usual)
        return found.records[0].at.astimezone(UTC).hour, found.doubts

    assert at(f"All times in CET\n{line}") == (13, ())
    assert at(f"All times in CET\n{line}", zone="America/New_York") == (19, ())
    assert at("2026-03-02 14:05:09 +03:00 ERROR x", zone="CET") == (11, ())
    assert at(line)[1] == ("a.log states no time zone; its times are read as UTC.",)
    assert "more than one time zone" in at("2026-03-02 14:05:09 CST ERROR x")[1][0]
    with pytest.raises(ToolInputError, match=r"no time zone of a\.log"):
        at(line, zone="Mars")


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("alerts.json", '[\n  {"startsAt": "2026-03-02T13:00:00Z", "status": "firing"},\n  {"startsAt": "2026-03-02T14:00:00Z", "status": "resolved"}\n]', [2, 3]),
        ("slack.json", '{"messages": [{"ts": "1772460309.0001", "user": "U1", "text": "down"},\n{"ts": "1772460409.0001", "text": "up"}]}', [1, 2]),
        ("app.jsonl", '{"time": "2026-03-02T13:00:00Z", "level": "ERROR", "msg": "x"}\n{"time": "2026-03-02T13:01:00Z", "level": "INFO", "msg": "y"}\n', [1, 2]),
        ("alerts.csv", 'at,text\n2026-03-02T13:00:00Z,"two\nlines"\n2026-03-02T13:05:00Z,x\n', [2, 4]),
    ],
)  # fmt: skip
def test_tables_and_json_are_cited_by_their_lines(name: str, text: str, lines: list[int]) -> None:
    assert [r.line for r in read_source(text, name, {}, UTC).records] == lines


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    files = {
        "app.log": "2026-03-02T13:00:00Z ERROR a\n2026-03-02T14:10:00Z ERROR b\n",
        "chat.txt": "14:00 Dana: hi there\n",
    }
    told = " ".join(incident_timeline(desk(tmp_path, files))["open"])
    assert "No record between app.log:1 and app.log:2: 1 h 10 min." in told
    assert "chat.txt has times without a day or year" in told
    assert "No record says when it was resolved." in told
    assert "share that failed is not known" in told


def test_the_users_marks_hold_and_impossible_ones_are_refused(tmp_path: Path) -> None:
    here = desk(tmp_path)
    rows = incident_timeline(here, marks={"resolved": "chat.txt:5"})["measures"]
    assert {r["name"]: r["lines"] for r in rows}["Resolved"] == "chat.txt:5"
    for marks, says in (
        ({"resolved": "app.log:1"}, "is before"),
        ({"resolved": "app.log:99"}, "no line with a time"),
        ({"over": "app.log:1"}, "is no mark"),
    ):
        with pytest.raises(ToolInputError, match=says):
            incident_timeline(here, marks=marks)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"text": "Something.", "cites": []}, "needs text and cites"),
        ({"text": "Something.", "cites": ["nowhere.log:1"]}, "names no line of the records"),
        ({"text": "Dana forgot the pool.", "cites": ["app.log:2"]}, "blames"),
    ],
)
def test_an_analysis_that_cites_nothing_or_blames_is_refused(
    tmp_path: Path, line: Any, says: str
) -> None:
    with pytest.raises(ToolInputError, match=says):
        postmortem_write(desk(tmp_path), analysis=[line])


@pytest.mark.parametrize(
    "text",
    [
        "It was Dana's fault.",
        "You should have checked.",
        "Operator error.",
        "The outage was caused by Dana",
        "Dana quickly deleted the wrong table",
    ],
)
def test_blame_is_found(text: str) -> None:
    assert list(blaming(text, {"Dana"}))


@pytest.mark.parametrize(
    "text",
    [
        "The default pool failed.",
        "Dana rolled back release 42.",
        "The failover was caused by a full disk.",
        "A fault tolerant design would help.",
        "Dana failed over to the replica",
    ],
)
def test_facts_are_no_blame(text: str) -> None:
    assert list(blaming(text, {"Dana"})) == ([] if "failed over" not in text else ["Dana failed"])


@pytest.mark.parametrize(
    ("minutes", "share", "level"),
    [
        ("240", None, "SEV1"),
        ("239", "9.9", "SEV2"),
        ("10", "10", "SEV2"),
        ("15", "0.9", "SEV3"),
        ("14", "0.9", "SEV4"),
        (None, None, "SEV4"),
    ],
)
def test_severity_follows_the_matrix(minutes: str | None, share: str | None, level: str) -> None:
    given = [Decimal(value) if value else None for value in (minutes, share)]
    assert severity_of(given[0], given[1], {}) == level
    assert severity_of(given[0], given[1], {"P1": {"minutes": 1}}) == ("P1" if minutes else "SEV4")


@pytest.mark.parametrize("matrix", [{"P1": {"hours": 1}}, {"P1": 3}, {"P1": {"minutes": "long"}}])
def test_a_matrix_that_is_none_is_refused(tmp_path: Path, matrix: Any) -> None:
    with pytest.raises(ToolInputError, match="severity_matrix"):
        incident_timeline(desk(tmp_path, severity_matrix=matrix))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.5, "1 min"), (3600, "1 h"), (3661, "1 h 1 min 1 s"), (-61, "-1 min 1 s")],
)
def test_spans_are_told_in_words(seconds: float, text: str) -> None:
    assert duration(timedelta(seconds=seconds)) == text


def test_files_of_a_repository_are_no_records(tmp_path: Path) -> None:
    here = desk(tmp_path)
    code = here.workspace / "work" / "shop"
    (code / ".git").mkdir(parents=True)
    (code / "package.json").write_text("{}")
    assert len(incident_timeline(here)["files"]) == len(FILES)


def test_no_records_or_none_with_a_time_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolInputError, match="no records"):
        incident_timeline(desk(tmp_path, {}))
    with pytest.raises(ToolInputError, match="begins with a time"):
        incident_timeline(desk(tmp_path, {"a.log": "hello\n"}))
