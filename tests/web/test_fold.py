"""The page's own logic, tried by its own tool."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
VITEST = ROOT / "web/node_modules/vitest/vitest.mjs"


def _builder() -> Any:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "core/hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


hatch_build = _builder()


@pytest.mark.skipif(not VITEST.is_file(), reason="the page was not built here: make setup")
def test_the_fold_of_events_into_the_page() -> None:
    npm = hatch_build.system_npm() or hatch_build.packaged_npm()
    assert npm
    done = subprocess.run(
        [npm[0].with_name("node"), VITEST, "run"],
        cwd=ROOT / "web",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_build_knows_when_the_page_is_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    static, sources = tmp_path / "static", tmp_path / "web"
    (sources / "src").mkdir(parents=True)
    (sources / "package.json").write_text("{}")
    (sources / "src/main.tsx").write_text("1")
    monkeypatch.setattr(hatch_build, "STATIC", static)
    monkeypatch.setattr(hatch_build, "SOURCES", sources)
    assert not hatch_build.is_built()
    static.mkdir()
    (static / "index.html").write_text("x")
    assert not hatch_build.is_built()
    (static / hatch_build.STAMP).write_text(hatch_build.state_of_sources())
    assert hatch_build.is_built()
    (sources / "src/main.tsx").write_text("2")
    assert not hatch_build.is_built()
    monkeypatch.setattr(hatch_build, "SOURCES", tmp_path / "none")
    assert hatch_build.is_built()  # an sdist: what is there is what there is


def test_the_lock_names_every_package_by_its_content_and_no_place() -> None:
    import json

    packages = json.loads((ROOT / "web/package-lock.json").read_text())["packages"]
    wanted = json.loads((ROOT / "web/package.json").read_text())
    assert all("resolved" not in package for package in packages.values())
    assert [name for name, package in packages.items() if name and "integrity" not in package] == []
    pins = {**wanted["dependencies"], **wanted["devDependencies"]}
    assert all(pin[0].isdigit() for pin in pins.values())
