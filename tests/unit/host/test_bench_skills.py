"""`deskmate bench skills` measures what it says, on few."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from deskmate.cli import root
from deskmate.host.bench_skills import bench_skills


def test_few_skills_are_added_listed_and_ranked(tmp_path: Path) -> None:
    figures = bench_skills(tmp_path, lambda line: None, count=60)
    assert figures.skills == 60
    assert min(figures.add_s, figures.list_s, figures.read_s) > 0
    assert 0 < figures.prompt_characters < 8_000
    assert [*tmp_path.iterdir()] == [], "nothing is left behind"


def test_the_command_gives_json_and_remembers(tmp_path: Path) -> None:
    environ = {"DESKMATE_HOME": str(tmp_path)}
    result = CliRunner().invoke(root, ["bench", "skills", "--skills", "60", "--json"], env=environ)
    assert result.exit_code == 0, result.exception
    assert json.loads(result.stdout)["skills"] == 60
    assert "skills" in CliRunner().invoke(root, ["bench", "history"], env=environ).stdout
