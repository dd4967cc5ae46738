"""`deskmate schedule`, `inbox` and `service` as their users start them, without a machine."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click import ClickException
from click.testing import CliRunner
from tests.integration.conftest import NAMES, Command, Done

from deskmate.cli import main, root
from deskmate.errors import UserError


@pytest.fixture
def deskmate(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run a command in this process: there are many, and none of them must be killed."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DESKMATE_HOME", str(home))
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    def run(*arguments: str | Path, **environ: str) -> Done:
        capsys.readouterr()
        with monkeypatch.context() as patch:
            for name, value in environ.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                main([str(one) for one in arguments])
        out, err = capsys.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        return Done(arguments, code, out, err)

    return run


ASK = "Say how it stands."
SOON = ("--cron", "0 7 * * mon", "--zone", "Europe/Berlin")


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A model's answer to the request of these tests."""
    file = tmp_path / "recording.jsonl"
    reply = {"content": [{"type": "text", "text": "All is well."}], "stop_reason": "end_turn"}
    line = {"format": 1, "shape": [["user", f"says {ASK}"]], "reply": reply}
    file.write_text(json.dumps(line) + "\n")
    return file


def _add(deskmate: Command, recording: Path, *more: str) -> str:
    done = deskmate(
        "schedule", "add", "How it stands", ASK, *(more or SOON), "--expect-answer",
        "--model", f"replay:{recording}", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["schedule"]["id"])


def _json(done: Done) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_schedule_is_a_draft_until_a_dry_run_succeeds(deskmate: Command, recording: Path) -> None:
    name = _add(deskmate, recording)
    shown = deskmate("schedule", "show", name).stdout
    assert "a draft: it does not run by itself yet" in shown
    assert shown.count("next     Mon ") == 5
    refused = deskmate("schedule", "resume", name)
    assert refused.returncode == 2
    assert f"deskmate schedule run {name} --dry-run" in refused.stderr
    assert deskmate("schedule", "run", name).returncode == 2

    tried = _json(deskmate("schedule", "run", name, "--dry-run", "--agree", "--json"))
    assert (tried["due"]["state"], tried["due"]["trigger"]) == ("succeeded", "dry run")
    assert tried["state"] == "active"
    ran = _json(deskmate("schedule", "run", name, "--json"))
    assert (ran["state"], ran["trigger"], ran["why"]) == (
        "succeeded",
        "hand",
        "there and checked: its answer",
    )
    listed = _json(deskmate("schedule", "list", "--json"))
    assert listed["served"] is False
    assert [one["last"]["due"] for one in listed["schedules"]] == [ran["due"]]
    assert "Nothing carries schedules out now" in deskmate("schedule", "list").stdout
    assert len(_json(deskmate("schedule", "history", name, "--json"))) == 2


def test_a_dry_run_that_delivers_nothing_is_told_and_changes_nothing(
    deskmate: Command, recording: Path
) -> None:
    done = deskmate(
        "schedule", "add", "Files", ASK, *SOON, "--expect", "*.md",
        "--model", f"replay:{recording}", "--json",
    )  # fmt: skip
    name = _json(done)["schedule"]["id"]
    tried = deskmate("schedule", "run", name, "--dry-run", "--agree")
    assert tried.returncode == 1
    assert "dry run failed: it ended without its deliverable *.md" in tried.stdout
    assert _json(deskmate("schedule", "show", name, "--json"))["state"] == "draft"
    (item,) = _json(deskmate("inbox", "list", "--json"))
    assert (item["kind"], item["title"]) == ("failure", "Files")
    assert _json(deskmate("inbox", "dismiss", item["id"], "--json")) == {"dismissed": [item["id"]]}
    assert deskmate("inbox").stdout == "Nothing waits for you.\n"


def test_a_pause_and_its_end(deskmate: Command, recording: Path) -> None:
    name = _add(deskmate, recording)
    assert deskmate("schedule", "pause", name).returncode == 2
    deskmate("schedule", "run", name, "--dry-run", "--agree")
    assert _json(deskmate("schedule", "pause", name, "--json"))["state"] == "paused"
    assert _json(deskmate("schedule", "resume", name, "--json"))["state"] == "active"
    assert deskmate("schedule", "remove", name).returncode == 0
    assert "There is no schedule yet." in deskmate("schedule", "list").stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((*SOON,), "not said what a run must deliver"),
        (("--expect-answer",), "one of --cron, --at and --on-change"),
        ((*SOON, "--at", "2030-01-01 07:00", "--expect-answer"), "one of --cron"),
        (("--cron", "0 7 * *", "--zone", "UTC", "--expect-answer"), "is no time of cron"),
        (("--cron", "0 7 * * mon", "--zone", "Mars", "--expect-answer"), "no time zone 'Mars'"),
        (("--at", "2020-01-01 07:00", "--zone", "UTC", "--expect-answer"), "has passed"),
        (
            ("--at", "2027-03-28 02:30", "--zone", "Europe/Berlin", "--expect-answer"),
            "does not exist",
        ),
        (("--on-change", "gone", "--zone", "UTC", "--expect-answer"), "is not there"),
        ((*SOON, "--expect-answer", "--allow", "mail__send"), "whatever its target"),
        ((*SOON, "--expect-answer", "--allow", "mail__send team"), "is no target"),
        ((*SOON, "--expect-answer", "--plugin", "nothing"), "nothing"),
        ((*SOON, "--expect-answer", "--project", "nothing"), "no project nothing"),
        ((*SOON, "--expect-answer", "--folder", "gone"), "does not exist"),
    ],
)
def test_what_could_not_run_unwatched_is_refused_in_one_line(
    recording: Path,
    arguments: tuple[str, ...],
    says: str,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DESKMATE_HOME", str(home))
    words = ["schedule", "add", "X", ASK, "--model", f"replay:{recording}", *arguments]
    error = CliRunner().invoke(root, words).exception
    assert isinstance(error, UserError | ClickException)
    assert says in f"{error.message} {getattr(error, 'hint', '')}"
    assert not (home / "data/schedules.db").exists()


def test_a_model_that_costs_money_needs_a_budget(deskmate: Command) -> None:
    arguments = ("schedule", "add", "X", ASK, *SOON, "--expect-answer", "--model", "sonnet")
    done = deskmate(*arguments, ANTHROPIC_API_KEY="none")
    assert done.returncode == 2
    assert "--budget 2" in done.stderr
    assert deskmate(*arguments, "--budget", "2", ANTHROPIC_API_KEY="none").returncode == 0


def test_the_process_that_carries_schedules_out_runs_what_is_due_and_ends_when_told(
    deskmate: Command, recording: Path, clean_environ: dict[str, str], home: Path
) -> None:
    """What was due a moment ago is as good as due: nobody waits a minute for a test."""
    name = _add(deskmate, recording, "--cron", "* * * * *", "--zone", "UTC")
    deskmate("schedule", "run", name, "--dry-run", "--agree")
    import sqlite3

    db = sqlite3.connect(home / "data/schedules.db")
    with db:
        db.execute(
            "update schedules set looked = strftime('%Y-%m-%dT%H:%M:%S.000000Z', 'now', '-61 seconds')"
        )
    db.close()
    words = [sys.executable, "-m", "deskmate", "schedule", "serve"]
    serving = subprocess.Popen(words, env=clean_environ, stdout=subprocess.PIPE, text=True)
    try:
        end = time.monotonic() + 60
        while not any(
            due["trigger"] == "time" and due["state"] == "succeeded"
            for due in _history(deskmate, name)
        ):
            assert time.monotonic() < end, _history(deskmate, name)
            time.sleep(0.2)
        second = deskmate("schedule", "serve")
        assert second.returncode == 2
        assert "carries the schedules out already" in second.stderr
        assert "Schedules are carried out now." in deskmate("service", "status").stdout
        os.kill(serving.pid, signal.SIGTERM)
        out, _ = serving.communicate(timeout=60)
    finally:
        serving.kill()
        serving.wait(10)
    assert serving.returncode == 0
    assert "succeeded: there and checked: its answer" in out


def _history(deskmate: Command, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _json(deskmate("schedule", "history", name, "--json"))
    return found


def test_what_is_not_in_the_inbox_is_told(deskmate: Command) -> None:
    done = deskmate("inbox", "answer", "i-0000000000", "yes")
    assert done.returncode == 2
    assert "Nothing of i-0000000000 waits in the inbox." in done.stderr
