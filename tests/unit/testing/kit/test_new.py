"""What `plugin new` writes is sound as it is: its style, its own tests, its checks."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from deskmate.errors import PluginError
from deskmate.testing.kit.new import KINDS, Kind, new_plugin


def run(folder: Path, *command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_plugin_keeps_its_style_and_passes_its_own_tests_unchanged(
    kind: Kind, tmp_path: Path
) -> None:
    target, files = new_plugin("acme-two", kind, tmp_path / "new")
    assert {"pyproject.toml", "LICENSE", "README.md", ".github/workflows/check.yml"} <= {*files}
    left = [path for path in files if re.search(rb"@[A-Z]+@", (target / path).read_bytes())]
    assert left == []
    run(target, "ruff", "format", "--check", "--no-cache", ".")
    run(target, "ruff", "check", "--no-cache", ".")
    run(target, "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist")


@pytest.mark.parametrize("name", ["a", "abcdefghijklmnopqrstuvwxyz-abcde"])
def test_the_style_holds_for_the_shortest_and_the_longest_name(name: str, tmp_path: Path) -> None:
    for kind in KINDS:
        new_plugin(name, kind, tmp_path / kind)
    run(tmp_path, "ruff", "format", "--check", "--no-cache", ".")
    run(tmp_path, "ruff", "check", "--no-cache", ".")


@pytest.mark.parametrize(
    "name", ["Acme", "acme_two", "-a", "a" * 33, "../a", "", "office", "skill"]
)
def test_a_name_that_cannot_be_used_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    with pytest.raises(PluginError) as caught:
        new_plugin(name, "tools", tmp_path / "new")
    assert "\n" not in caught.value.message
    assert not (tmp_path / "new").exists()


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(PluginError, match="not empty"):
        new_plugin("acme", "tools", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
