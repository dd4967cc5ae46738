"""Schedules as a service of the user's own systemd: what its unit says, and putting it there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deskmate.errors import DeskmateError, UserError
from deskmate.store.blobs import make_folder, write_file

NAME = "deskmate-schedules.service"
STOP_S = 60
"""What a run needs to store that it was stopped, and its machines to end, with some to spare."""
_PASSED = ("DESKMATE_HOME", "DESKMATE_CACHE", "DESKMATE_MODEL_URL", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")  # fmt: skip
"""What of the environment says where things are. Keys are not in it: a unit can be read by others."""
_UNIT = """# Written by `deskmate service install`; `deskmate service remove` takes it away.
[Unit]
Description=Deskmate carries out schedules

[Service]
Type=exec
ExecStart={command}
{environment}Restart=always
RestartSec=5
KillMode=mixed
TimeoutStopSec={stop}

[Install]
WantedBy=default.target
"""
_CALL_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """How the service stands. `state`: as systemd says it, empty where it cannot be asked; `note` says why."""

    unit: str
    installed: bool
    state: str = ""
    note: str = ""


def unit_text(python: str, environ: Mapping[str, str]) -> str:
    """Return the unit's content for this interpreter."""
    words = [python, "-m", "deskmate", "schedule", "serve"]
    passed = [f"{name}={environ[name]}" for name in _PASSED if environ.get(name)]
    return _UNIT.format(
        command=" ".join(_quoted(word).replace("$", "$$") for word in words),
        environment="".join(f"Environment={_quoted(one)}\n" for one in passed),
        stop=STOP_S,
    )


def _quoted(word: str) -> str:
    """Return a word as a unit takes it. Raises UserError for one that no unit can hold."""
    if any(ord(letter) < 32 for letter in word):
        raise UserError(
            f"{word!r} cannot stand in a unit of systemd.", hint="Choose another place."
        )
    inside = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{inside}"'


def unit_file(environ: Mapping[str, str], home: Path) -> Path:
    """Return where the user's units are, and this one among them."""
    config = environ.get("XDG_CONFIG_HOME", "")
    base = Path(config) if config.startswith("/") else home / ".config"
    return base / "systemd" / "user" / NAME


def install(file: Path, environ: Mapping[str, str]) -> Service:
    """Write the unit and let systemd start it, now and at each sign-in. Raises DeskmateError if it refuses."""
    _check_there()
    make_folder(file.parent)
    write_file(file, unit_text(sys.executable, environ).encode())
    file.chmod(0o644)
    for words in (["daemon-reload"], ["enable", NAME], ["restart", NAME]):
        done = _systemctl(*words)
        if done.returncode:
            raise DeskmateError(
                f"systemd did not take the service: {_last_line(done)}.",
                hint=f"The unit is in {file}; without it: deskmate schedule serve",
            )
    return status(file)


def status(file: Path) -> Service:
    """Return how the service stands."""
    installed = file.is_file()
    if shutil.which("systemctl") is None:
        return Service(unit=str(file), installed=installed, note="there is no systemd here")
    done = _systemctl("is-active", NAME)
    state = done.stdout.strip()
    note = "" if state else f"systemd cannot be asked: {_last_line(done)}"
    return Service(unit=str(file), installed=installed, state=state, note=note)


def remove(file: Path) -> Service:
    """Stop the service and take its unit away; schedules stay."""
    if not file.is_file():
        raise UserError("The service is not installed.", hint="deskmate service install")
    if shutil.which("systemctl") is not None:
        _systemctl("disable", "--now", NAME)
    file.unlink(missing_ok=True)
    if shutil.which("systemctl") is not None:
        _systemctl("daemon-reload")
    return status(file)


def _check_there() -> None:
    if shutil.which("systemctl") is None:
        raise UserError(
            "There is no systemd on this machine.",
            hint="Keep this running by other means: deskmate schedule serve",
        )


def _systemctl(*words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["systemctl", "--user", *words],
            capture_output=True,
            text=True,
            timeout=_CALL_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DeskmateError("systemd did not answer.", hint="systemctl --user status") from error


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr or done.stdout).strip().splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"
