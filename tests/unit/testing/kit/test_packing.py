"""A folder becomes a wheel by reading alone: the same bytes each time, and one that Deskmate installs."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from deskmate.discovery.inspection import inspect_wheel
from deskmate.errors import PluginError
from deskmate.testing.kit.new import new_plugin
from deskmate.testing.kit.packing import pack_wheel


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return new_plugin("acme", "tools", tmp_path / "acme")[0]


def test_a_packed_wheel_is_one_that_is_installed_and_the_same_twice(
    folder: Path, tmp_path: Path
) -> None:
    wheel = pack_wheel(folder, tmp_path / "dist")
    again = pack_wheel(folder, tmp_path / "again")
    assert wheel.read_bytes() == again.read_bytes()
    found = inspect_wheel(wheel)
    assert (found.name, found.version, found.plugins) == (
        "deskmate-acme", "0.1.0", (("acme", "deskmate_acme"),)
    )  # fmt: skip
    names = zipfile.ZipFile(wheel).namelist()
    assert "deskmate_acme/checks/files/picture.png" in names
    assert "deskmate_acme-0.1.0.dist-info/licenses/LICENSE" in names
    assert [name for name in names if name.startswith("tests/")] == []


def test_nothing_of_the_folder_runs(folder: Path, tmp_path: Path) -> None:
    trap = f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    for name in ("setup.py", "hatch_build.py", "src/deskmate_acme/__init__.py", "conftest.py"):
        (folder / name).write_text(trap)
    text = (folder / "pyproject.toml").read_text()
    (folder / "pyproject.toml").write_text(text + "\n[tool.hatch.build.hooks.custom]\n")
    pack_wheel(folder, tmp_path / "dist")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('version = "0.1.0"', 'dynamic = ["version"]', "lacks 'version'"),
        ('[project.entry-points."deskmate.plugins"]', "[project.other]", "lacks 'entry-points'"),
        ('name = "deskmate-acme"', 'name = "../evil"', "name or version"),
        ("src/deskmate_acme", "../..", "is no package of"),
        ("[project]", "[project", "not valid TOML"),
    ],
)
def test_what_only_a_build_would_know_is_refused(
    folder: Path, tmp_path: Path, old: str, new: str, why: str
) -> None:
    text = (folder / "pyproject.toml").read_text()
    (folder / "pyproject.toml").write_text(text.replace(old, new))
    with pytest.raises(PluginError, match=why):
        pack_wheel(folder, tmp_path / "dist")
    assert not (tmp_path / "dist").exists()


def test_a_link_out_of_the_folder_is_not_packed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "src/deskmate_acme/leak.txt").symlink_to(tmp_path / "secret.txt")
    names = zipfile.ZipFile(pack_wheel(folder, tmp_path / "dist")).namelist()
    assert "deskmate_acme/leak.txt" not in names
