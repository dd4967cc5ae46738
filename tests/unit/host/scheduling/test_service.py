"""The unit of the user's systemd: what it says, and that systemd itself takes it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deskmate.errors import UserError
from deskmate.host.scheduling.service import NAME, install, remove, status, unit_file, unit_text


def test_the_unit_starts_this_very_interpreter_and_says_where_things_are() -> None:
    text = unit_text("/opt/desk mate/bin/python", {"DESKMATE_HOME": "/data/100%", "OTHER": "x"})
    assert 'ExecStart="/opt/desk mate/bin/python" "-m" "deskmate" "schedule" "serve"\n' in text
    assert 'Environment="DESKMATE_HOME=/data/100%%"\n' in text
    assert "OTHER" not in text
    assert "Restart=always\n" in text
    assert "WantedBy=default.target\n" in text


def test_no_key_is_written_into_the_unit() -> None:
    text = unit_text(
        "/usr/bin/python3", {"ANTHROPIC_API_KEY": "secret", "DESKMATE_MODEL_KEY": "secret"}
    )
    assert "secret" not in text


def test_signs_that_systemd_reads_are_quoted() -> None:
    text = unit_text('/a"b\\c$d/python', {})
    assert 'ExecStart="/a\\"b\\\\c$$d/python"' in text
    with pytest.raises(UserError, match="cannot stand in a unit"):
        unit_text("/a\nExecStart=/bin/sh", {})


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not on this machine")
    file = tmp_path / NAME
    file.write_text(unit_text(sys.executable, {"DESKMATE_HOME": str(tmp_path)}))
    done = subprocess.run(
        [program, "--user", "verify", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
    )
    assert NAME not in done.stderr, done.stderr


def test_the_unit_is_where_systemd_looks_for_the_users(tmp_path: Path) -> None:
    assert unit_file({}, tmp_path) == tmp_path / ".config/systemd/user" / NAME
    assert unit_file({"XDG_CONFIG_HOME": "/c"}, tmp_path) == Path("/c/systemd/user") / NAME


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in systemd's place that notes how it was called, and fails where a file says so."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program, log = folder / "systemctl", tmp_path / "calls"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {log}\n[ -f {tmp_path}/refuse ] && echo "no bus" >&2 && exit 1\necho active\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return log


def test_it_is_installed_started_and_removed(tmp_path: Path, systemctl: Path) -> None:
    file = tmp_path / "units" / NAME
    assert install(file, {}).state == "active"
    assert file.read_text().startswith("# Written by")
    assert systemctl.read_text().splitlines() == [
        "--user daemon-reload",
        f"--user enable {NAME}",
        f"--user restart {NAME}",
        f"--user is-active {NAME}",
    ]
    assert remove(file).installed is False
    assert not file.exists()
    with pytest.raises(UserError, match="not installed"):
        remove(file)


def test_a_systemd_that_refuses_is_told(tmp_path: Path, systemctl: Path) -> None:
    from deskmate.errors import DeskmateError

    (tmp_path / "refuse").touch()
    with pytest.raises(DeskmateError, match="did not take the service: no bus"):
        install(tmp_path / NAME, {})


def test_without_systemd_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert status(tmp_path / NAME).note == "there is no systemd here"
    with pytest.raises(UserError, match="no systemd"):
        install(tmp_path / NAME, {})
