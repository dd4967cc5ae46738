"""`deskmate fleet`, `worker` and `table --engine` on the command line: what they show, refuse and return."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.unit.tables.table_rooms import COLUMNS, write_contracts

from deskmate.cli import root
from deskmate.engine.pool import make_pool
from deskmate.errors import UserError
from deskmate.host.fleet.status import place_of, shown_url
from deskmate.types.fleet import PoolWorker

Run = Callable[..., Result]


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'pool.db'}"


@pytest.fixture
def run(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    (tmp_path / "store").mkdir()
    monkeypatch.setenv("DESKMATE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DESKMATE_MODEL", "offline")
    monkeypatch.setenv("DESKMATE_ENGINE", address)
    monkeypatch.setenv("DESKMATE_STORE", str(tmp_path / "store"))

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(root, arguments, standalone_mode=False)

    return call


def test_a_pool_is_shown_and_a_lost_worker_s_items_are_named_and_given_back(
    run: Run, address: str
) -> None:
    empty = run("fleet", "status")
    assert "no worker was ever here" in empty.output
    assert "queue (all): 0 wait, 0 run" in empty.output
    pool = make_pool(address)
    try:
        pool.roster.see(
            PoolWorker(
                name="north",
                slots=2,
                memory_mib=None,
                version="0.1",
                began="2026-01-01T00:00:00+00:00",
                seen="2026-01-01T00:00:00+00:00",
            )
        )
        shown = run("fleet", "status").output
        assert "north  not seen since 2026-01-01T00:00:00Z" in shown
        found = json.loads(run("fleet", "status", "--json").output)
        assert set(found) == {
            *("engine", "workers", "queues", "done", "stopped", "stuck", "spent_usd")
        }
        assert found["queues"] == [{"host": "", "waiting": 0, "running": 0, "given_up": 0}]
        assert found["workers"][0]["name"] == "north"
        (told,) = json.loads(run("fleet", "metrics").output)["resourceMetrics"]
        metrics = {one["name"]: one for one in told["scopeMetrics"][0]["metrics"]}
        (up,) = metrics["deskmate.fleet.worker.up"]["gauge"]["dataPoints"]
        assert up["asInt"] == "0", "it was not seen for long"
        assert up["attributes"] == [{"key": "worker", "value": {"stringValue": "north"}}]
        assert metrics["deskmate.fleet.spent"]["sum"]["dataPoints"][0]["asDouble"] == 0.0
        assert "deskmate.fleet.stuck" not in metrics, "there is nothing to say"
        assert "north is forgotten; 0 item(s)" in run("fleet", "forget", "north").output
        assert pool.roster.workers() == ()
    finally:
        pool.close()


def test_what_is_wrong_is_said_in_a_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for words, why in {
        ("fleet", "forget", "nobody"): "There is no worker nobody",
        ("fleet", "stop", "tb-none"): "no table tb-none in this pool",
        ("fleet", "limit", "--items", "3"): "no worker was ever here",
        ("worker", "--name", "a b"): "is no name for a worker",
        ("table", "--engine", "postgresql://me:secret@h/d", "list"): "password in a command line",
        ("fleet", "status", "--engine", "postgresql:///d?password=x"): "password in a command line",
    }.items():
        error = run(*words).exception
        assert isinstance(error, UserError), (words, error)
        assert why in error.message
        assert "\n" not in error.message
    monkeypatch.delenv("DESKMATE_STORE")
    error = run("fleet", "status").exception
    assert isinstance(error, UserError)
    assert "two places" in error.message
    monkeypatch.delenv("DESKMATE_ENGINE")
    error = run("worker").exception
    assert isinstance(error, UserError)
    assert error.message == "Which pool?"
    assert place_of(None, None) is None


def test_a_table_is_the_pool_s_where_one_is_named(run: Run, tmp_path: Path) -> None:
    assert "no table yet" in run("table", "list").output
    (tmp_path / "columns.toml").write_text(COLUMNS)
    write_contracts(tmp_path / "docs", 1)
    batch = ("--over", str(tmp_path / "docs/*"), "--columns", str(tmp_path / "columns.toml"))
    error = run("table", "run", "t", *batch, "--batch").exception
    assert error is not None
    assert "not sent in batches" in str(error)


def test_an_address_is_shown_without_what_is_secret() -> None:
    assert shown_url("postgresql://me:secret@h:5/d?sslmode=require") == "postgresql://me@h:5/d"
    assert shown_url("postgresql:///d?host=h&password=secret") == "postgresql:///d"
    assert shown_url("sqlite:////a/pool.db") == "sqlite:////a/pool.db"
