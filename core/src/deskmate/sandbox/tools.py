"""The host's programs that a build uses: which are missing, and how one is run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from deskmate.errors import SandboxMissing, UserError
from deskmate.sandbox.recipes import SOURCE_DATE

TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "mkfs.erofs": "erofs-utils",
    "mkfs.ext4": "e2fsprogs",
    "depmod": "kmod",
    "modprobe": "kmod",
    "tar": "tar",
}
"""Program that a build needs → Debian package that holds it."""

_ROOTLESS = {"newuidmap": "uidmap"}
"""The same, when a plain user builds: Debian is unpacked in a user namespace."""

_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_STEP_LIMIT_S = 1800


def missing_tools() -> dict[str, str]:
    """Return the programs for building that this machine lacks → the package that has each."""
    needed = TOOLS if os.geteuid() == 0 else {**TOOLS, **_ROOTLESS}
    missing = {tool: package for tool, package in needed.items() if not find_tool(tool)}
    if find_uv() is None:
        missing["uv"] = "uv (a Python package)"
    return missing


def require_tools() -> None:
    """Raise SandboxMissing, with the packages to install, if a build cannot be made here."""
    if missing := missing_tools():
        packages = " ".join(sorted(set(missing.values())))
        raise SandboxMissing(
            f"Building an image needs {', '.join(sorted(missing))}.",
            hint=f"Install: {packages}; or bring an image with `deskmate image pull`.",
        )


def find_uv() -> str | None:
    """Return the path of uv: beside this Python, else on the path."""
    beside = Path(sys.executable).parent / "uv"
    return str(beside) if beside.is_file() else shutil.which("uv")


def find_tool(name: str) -> str | None:
    """Return the path of a program, also of those that only root has on the path."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin")


def run_tool(command: list[str], *, folder: Path | None = None) -> bytes:
    """Run one step of a build and return its output. Raises UserError with its last words."""
    program = find_tool(command[0]) or command[0]
    certificates = {"UV_SYSTEM_CERTS": "1"} if _CERTIFICATES.exists() else {}
    environment = {
        **certificates,  # uv brings its own, which know no company's proxy
        **os.environ,
        "LC_ALL": "C",
        "SOURCE_DATE_EPOCH": str(SOURCE_DATE),
        "E2FSPROGS_FAKE_TIME": str(SOURCE_DATE),
        "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin",
    }
    try:
        done = subprocess.run(
            [program, *command[1:]],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_STEP_LIMIT_S,
            env=environment,
            check=True,
        )
    except OSError as error:
        raise UserError(
            f"building the image: {command[0]} does not start: {error.strerror}"
        ) from error
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode("utf-8", "replace").strip().splitlines()
        words = [line for line in lines if not line.startswith("Unsuccessful stat")]  # perl's noise
        raise UserError(
            f"building the image failed in {command[0]}: {words[-1] if words else 'no message'}",
            hint="the step's last lines: " + " | ".join(words[-4:-1]),
        ) from error
    except subprocess.TimeoutExpired as error:
        raise UserError(f"building the image: {command[0]} took over {_STEP_LIMIT_S} s") from error
    return done.stdout
