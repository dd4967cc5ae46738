"""`deskmate model`: the list says what is usable, the test says whether a model answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deskmate.cli import root
from deskmate.errors import ConfigError, ModelRejected

NAMES = ("ANTHROPIC_API_KEY", "DESKMATE_MODEL_URL", "DESKMATE_MODEL")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DESKMATE_HOME", str(tmp_path))
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(root, ["model", *arguments])


def test_the_list_names_models_prices_sources_and_the_default(home: Path) -> None:
    result = run("list")
    assert result.exit_code == 0
    assert "Default: offline" in result.stdout
    assert "claude-sonnet-5-5, 2 in, 10 out; platform.claude.com/docs" in result.stdout
    assert "needs ANTHROPIC_API_KEY" in result.stdout


def test_the_list_as_json_has_own_models_from_the_settings(home: Path) -> None:
    (home / "config").mkdir()
    text = 'model = "mine"\n[models.mine]\nid = "x"\ninput_usd = 1\noutput_usd = 2\n'
    (home / "config/config.toml").write_text(text)
    data = json.loads(run("list", "--json").stdout)
    assert data["default"] == "mine"
    mine = next(model for model in data["models"] if model["alias"] == "mine")
    assert (mine["id"], mine["price"]["source"]) == ("x", "your configuration")
    assert "x, 1 in, 2 out; your configuration" in run("list").stdout


def test_rules_only_answer_without_a_key(home: Path) -> None:
    result = run("test")
    assert result.exit_code == 0
    assert result.stdout.startswith("offline (rules only, no language model) answers:")
    assert json.loads(run("test", "offline", "--json").stdout)["answers"] is True


def test_a_model_that_cannot_answer_is_an_error_and_not_a_result(
    home: Path, tmp_path: Path
) -> None:
    assert isinstance(run("test", "sonnet").exception, ConfigError)
    recording = tmp_path / "r.jsonl"
    line = {
        "format": 1,
        "shape": [["user", "says x"]],
        "reply": {"content": [], "stop_reason": "end_turn"},
    }
    recording.write_text(json.dumps(line))
    assert isinstance(run("test", f"replay:{recording}").exception, ModelRejected)
