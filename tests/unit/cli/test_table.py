"""`deskmate table` on the command line: what it shows, asks and returns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.unit.tables.table_rooms import (
    COLUMNS,
    AnsweringModel,
    DocumentBox,
    WallClock,
    memory_engine,
    reads_well,
    write_contracts,
)

from deskmate.cli import root, table
from deskmate.cli.output import Session
from deskmate.errors import UserError
from deskmate.host.tables import Tables


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    write_contracts(tmp_path / "docs", 3)
    (tmp_path / "columns.toml").write_text(COLUMNS)
    monkeypatch.setenv("DESKMATE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DESKMATE_MODEL", "offline")

    def call(*arguments: str, **parts: Any) -> Result:
        def own(session: Session) -> Tables:
            made: dict[str, Any] = {
                "sandbox": DocumentBox(),
                "clock": WallClock(),
                "open_engine": memory_engine,
            }
            return Tables(session.places, **{**made, **parts})

        monkeypatch.setattr(table, "tables", own)
        return CliRunner().invoke(root, ["table", *arguments], standalone_mode=False)

    return call


def make(run: Any, tmp_path: Path, *more: str, **parts: Any) -> Result:
    over, columns = str(tmp_path / "docs/*.txt"), str(tmp_path / "columns.toml")
    result: Result = run("run", "Key terms", "--over", over, "--columns", columns, *more, **parts)
    return result


def test_a_table_is_run_listed_shown_and_exported(run: Any, tmp_path: Path) -> None:
    made = make(run, tmp_path)
    assert made.return_value == 0, made.output
    assert (
        "3 documents × 3 columns = 9 cells, answered by rules only, no language model"
        in made.stderr
    )
    assert "3 of 3 documents answered" in made.stdout
    assert "9 checked" in made.stdout
    assert "Key terms" in run("list").stdout
    shown = run("show").stdout
    assert "New York" in shown
    assert "1001.5 EUR" in shown
    row = run("show", "--row", "2").stdout
    assert "“The customer pays a yearly fee of EUR 1002.50 to the provider.”" in row
    assert "[checked, paragraph 3, by rules]" in row
    target = tmp_path / "out.csv"
    assert "written" in run("export", "--to", str(target)).stdout
    assert target.is_file()
    again = run("export", "--to", str(target))
    assert isinstance(again.exception, UserError)


def test_json_has_the_rows_with_their_evidence(run: Any, tmp_path: Path) -> None:
    made = json.loads(make(run, tmp_path, "--json").stdout)
    assert made["cells"] == {"checked": 9}
    shown = json.loads(run("show", "--json").stdout)
    assert shown["rows"][0]["cells"][0]["quote"].startswith("It is governed")
    assert json.loads(run("list", "--json").stdout)[0]["rows_done"] == 3


def test_money_is_not_spent_unless_somebody_agrees(run: Any, tmp_path: Path) -> None:
    model = AnsweringModel(reads_well, cost=0.01)
    asked = make(run, tmp_path, model=model)
    assert isinstance(asked.exception, UserError)
    assert "at most about $0.06, estimated from 3 of the documents" in asked.stderr
    assert model.requests == []
    assert "no table yet" in run("list").stdout
    agreed = make(run, tmp_path, "--yes", model=model)
    assert agreed.return_value == 0, agreed.output
    assert "3 model call(s), $0.0300" in agreed.stdout


def test_over_budget_has_its_own_code_and_says_how_to_go_on(run: Any, tmp_path: Path) -> None:
    model = AnsweringModel(reads_well, cost=0.01)
    made = make(run, tmp_path, "--yes", "--budget", "0.03", "--slots", "1", model=model)
    assert made.return_value == 5
    assert "--budget USD" in made.stderr
    done = run("resume", "--budget", "1", model=model)
    assert done.return_value == 0
    assert "9 checked" in done.stdout
    assert len(model.requests) == 3


def test_cells_to_look_at_are_told_and_asked_again(run: Any, tmp_path: Path) -> None:
    model = AnsweringModel(lambda text: [])
    made = make(run, tmp_path, "--yes", "--budget", "1", model=model)
    assert made.return_value == 4
    assert "9 disputed" in made.stdout
    model._say = reads_well
    done = run("resume", "--retry", "disputed", model=model)
    assert done.return_value == 0, done.output
    assert "3 row(s) are answered again" in done.stderr


@pytest.mark.parametrize(
    "arguments", [("show",), ("resume",), ("show", "tb-nothing"), ("show", "../../etc")]
)
def test_a_table_that_is_not_there_is_one_line(run: Any, arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert isinstance(result.exception, UserError)
    assert "no table" in result.exception.message
