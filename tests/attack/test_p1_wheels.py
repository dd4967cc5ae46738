"""P1: whatever a wheel holds, it is data to the host: odd ones are refused by name, and none of them runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.attack.evil_wheels import (
    CODE_ONLY,
    PACKAGE,
    REFUSED,
    Evil,
    WheelOf,
    source_archive,
)
from tests.attack.table import Attempts

from deskmate.discovery.installed import find_plugins
from deskmate.discovery.installing import InstallOrder, install
from deskmate.discovery.plugin_store import PluginStore
from deskmate.errors import ConfigError, PluginError
from deskmate.types.places import Places

pytestmark = pytest.mark.attack("P1")


def quiet(line: str) -> None:
    """Show nothing."""


def put(wheel: Path, store: Path) -> None:
    install(InstallOrder(what=(str(wheel),)), PluginStore(store), quiet)


def tree(folder: Path) -> list[str]:
    """Return what the store holds beside its lock."""
    found = (p.relative_to(folder).as_posix() for p in folder.rglob("*")) if folder.exists() else ()
    return sorted(path for path in found if path != ".lock")


@pytest.mark.parametrize("evil", REFUSED, ids=lambda evil: evil.name)
def test_an_odd_wheel_is_refused_in_one_line_and_leaves_nothing(
    evil: Evil, tmp_path: Path, attempt: Attempts
) -> None:
    marker = tmp_path / "marker"
    wheel = evil.make(tmp_path / "wheels", marker)
    (tmp_path / "store").mkdir()
    with pytest.raises((PluginError, ConfigError)) as caught:
        put(wheel, tmp_path / "store")
    text = caught.value.message
    attempt(evil.name, blocked=not marker.exists())
    assert re.search(evil.why, text), text
    assert "\n" not in text
    assert text.isprintable()
    assert len(text) < 600
    assert tree(tmp_path / "store") == []
    assert find_plugins(store=tmp_path / "store").problems == find_plugins().problems


def test_a_member_that_stands_twice_is_refused(tmp_path: Path) -> None:
    wheel = WheelOf().write(tmp_path)
    with warnings.catch_warnings(), zipfile.ZipFile(wheel, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr(f"{PACKAGE}/__init__.py", "evil")
    with pytest.raises(PluginError, match="twice"):
        put(wheel, tmp_path / "store")


def test_an_honest_wheel_is_not_refused(tmp_path: Path) -> None:
    """The wheel that all evil ones are made from: each is refused for its own oddity alone."""
    put(WheelOf().write(tmp_path / "wheels"), tmp_path / "store")
    assert find_plugins(store=tmp_path / "store").get("evil").origin == "store"


def test_there_are_many_evil_plugins() -> None:
    names = [evil.name for evil in (*CODE_ONLY, *REFUSED)]
    assert len(set(names)) == len(names) >= 90


THEFTS: tuple[tuple[str, Callable[[Path], Path]], ...] = (
    ("the name of another plugin", lambda folder: WheelOf(name="deskmate_other").write(folder)),
    (
        "the name in another spelling",
        lambda folder: WheelOf(
            name="deskmate_other", plugins=f"[deskmate.plugins]\nev-il = {PACKAGE}\n"
        ).write(folder),
    ),
)


@pytest.mark.parametrize("theft", THEFTS, ids=lambda theft: theft[0])
def test_the_name_of_an_installed_plugin_cannot_be_taken(
    theft: tuple[str, Callable[[Path], Path]], tmp_path: Path
) -> None:
    owner = WheelOf(plugins=f"[deskmate.plugins]\nev_il = {PACKAGE}\nevil = {PACKAGE}\n")
    put(owner.write(tmp_path / "wheels"), tmp_path / "store")
    before = tree(tmp_path / "store")
    with pytest.raises(PluginError, match=r"belongs to deskmate.evil 1\.0"):
        put(theft[1](tmp_path / "wheels"), tmp_path / "store")
    assert tree(tmp_path / "store") == before


def test_the_name_of_a_plugin_that_pip_installed_cannot_be_taken(tmp_path: Path) -> None:
    wheel = WheelOf(plugins=f"[deskmate.plugins]\nlegal = {PACKAGE}\n").write(tmp_path)
    with pytest.raises(PluginError, match="belongs to deskmate-legal"):
        put(wheel, tmp_path / "store")


def test_a_distribution_that_pip_installed_is_not_shadowed(tmp_path: Path) -> None:
    wheel = WheelOf(name="deskmate_legal", plugins=f"[deskmate.plugins]\nother = {PACKAGE}\n")
    with pytest.raises(PluginError, match="installed by pip already"):
        put(wheel.write(tmp_path), tmp_path / "store")


def venv_with_pip(folder: Path) -> Path:
    """Return the Python of a new environment that pip can install into."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=120)
    return folder / "bin/python"


def pip(python: Path, *arguments: str | Path) -> None:
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PYTHON"))}
    subprocess.run(
        [python, "-m", "pip", "install", "--no-index", "--quiet", *map(str, arguments)],
        check=True, timeout=240, env=environ, capture_output=True,
    )  # fmt: skip


def test_what_pip_let_run_is_named_by_the_audit_and_the_doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With pip it is pip and Python that run code, not Deskmate: the audit says which."""
    from deskmate.discovery.audit import audit
    from deskmate.host.health import check_plugins

    python = venv_with_pip(tmp_path / "env")
    (site,) = (tmp_path / "env").glob("lib/python*/site-packages")
    hook = WheelOf(
        name="deskmate_hook",
        plugins=f"[deskmate.plugins]\nhook = {PACKAGE}\n[console_scripts]\nls2 = {PACKAGE}:run\n",
        files={"zz_hook.pth": f"import os; os.environ.setdefault('X', '{tmp_path}')\n"},
    ).write(tmp_path / "wheels")
    pip(python, "--no-deps", hook)
    source = source_archive(tmp_path / "wheels", tmp_path / "marker")
    pip(python, "--no-deps", source)
    assert (tmp_path / "marker").exists(), "building it ran its code, which is pip's doing"
    (tmp_path / "marker").unlink()
    notes = {(note.distribution, note.kind) for note in audit([str(site)])}
    assert {
        ("deskmate_hook 1.0", "startup"),
        ("deskmate_hook 1.0", "script"),
        ("deskmate_evil 1.0", "built"),
    } <= notes
    find_plugins([str(site)])
    assert not (tmp_path / "marker").exists(), "Deskmate ran nothing of it"
    places = Places(data=tmp_path / "d", cache=tmp_path / "c", config=tmp_path / "e")
    monkeypatch.setattr(sys, "path", [str(site)])
    check = check_plugins(places)
    assert check.state == "warn"
    assert "zz_hook.pth runs at every start of Python" in check.cause
    assert "deskmate_evil 1.0: its build ran here" in check.cause
    assert check.cure == "deskmate plugin audit"
    assert not (tmp_path / "marker").exists()
