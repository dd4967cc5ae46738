"""Guest packages of plugins: resolved for the guest's Python, fetched by hash, unpacked as data.

Nothing of them is executed on the host: wheels only, and our own unpacking.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import deskmate
from deskmate.discovery.lock import canonical
from deskmate.discovery.metadata import normalise
from deskmate.discovery.wheel import unpack_wheel
from deskmate.errors import PluginError
from deskmate.types.registry import InstalledPlugin

PYTHON = "3.11"
PLATFORM = "x86_64-manylinux_2_34"
_GLIBC_MINORS = range(34, 4, -1)
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_RESOLVE_DEADLINE_S = 300
_FETCH_DEADLINE_S = 1800


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where wheels come from. `wheelhouse`: a folder instead of the index. `before`: RFC 3339 time.

    What was uploaded to an index after `before` is not taken, where the index tells the time.
    """

    wheelhouse: Path | None = None
    before: str = ""

    def options(self) -> list[str]:
        """Return pip's and uv's common options."""
        return (
            []
            if self.wheelhouse is None
            else ["--no-index", "--find-links", str(self.wheelhouse.absolute())]
        )

    def cooldown(self) -> list[str]:
        """Return uv's option that leaves out what is too young; files in a folder have no upload time."""
        return ["--exclude-newer", self.before] if self.before and self.wheelhouse is None else []


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestWheels:
    """What the plugins of a set need in the guest: plugin → requirements. `image`: pinned there.

    `stored`: plugin → wheels that the plugin store holds for it, file → sha256.
    """

    wanted: Mapping[str, tuple[str, ...]]
    image: Mapping[str, str] = field(default_factory=dict)
    wheelhouse: Path | None = None
    before: str = ""
    stored: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def fingerprint(self) -> str:
        """Return what changes when another resolution is due; where wheels come from does not matter."""
        if not self.wanted and not self.stored:
            return ""
        parts: list[object] = [self.wanted, self.image, PYTHON, PLATFORM]
        if self.stored:
            parts.append({name: sorted(wheels.values()) for name, wheels in self.stored.items()})
        return hashlib.sha256(canonical(parts)).hexdigest()

    def unpack(
        self, tree: Path, scratch: Path, progress: Callable[[str], None]
    ) -> Mapping[str, tuple[str, ...]]:
        """Unpack each plugin's packages below `tree`/wheels/<name>/ and return what they were.

        Returns: plugin → `name==version` or the wheel's name, of what the image does not hold already.

        Raises:
            PluginError: a package cannot be resolved, fetched, or trusted.
        """
        brought: dict[str, tuple[str, ...]] = {}
        for plugin in self.wanted:
            if fetched := self.fetch(plugin, scratch, progress):
                _unpack_all(fetched.values(), tree / "wheels" / plugin, progress)
                brought[plugin] = tuple(sorted(fetched))
        for plugin, wheels in self.stored.items():
            for wheel, sha256 in wheels.items():
                _check_stored(plugin, Path(wheel), sha256)
            _unpack_all(map(Path, wheels), tree / "wheels" / plugin, progress)
            brought[plugin] = tuple(sorted(Path(wheel).name for wheel in wheels))
        return brought

    def fetch(
        self, plugin: str, scratch: Path, progress: Callable[[str], None]
    ) -> Mapping[str, Path]:
        """Return `name==version` → wheel in `scratch`, of what one plugin needs beside the image."""
        requirements = self.wanted[plugin]
        progress(f"Resolving guest packages of {plugin}: {', '.join(requirements)}")
        folder = scratch / f"wheels-{plugin}"
        folder.mkdir()
        what = f"the guest packages of plugin {plugin}"
        source = Source(wheelhouse=self.wheelhouse, before=self.before)
        (folder / "image.txt").write_text("".join(f"{n}=={v}\n" for n, v in self.image.items()))
        found = resolve(
            requirements, folder, source, what, "--constraint", str(folder / "image.txt")
        )
        pinned = {
            name: text
            for name, text in found.items()
            if normalise(name.partition("==")[0]) not in self.image
        }
        if not pinned:
            return {}
        names = sorted(pinned, key=lambda name: normalise(name.partition("==")[0]))
        return dict(zip(names, download(pinned, folder, source, what), strict=True))


def resolve(
    requirements: Sequence[str], folder: Path, source: Source, what: str, *options: str
) -> dict[str, str]:
    """Return `name==version` → its lines with hashes, for the guest's Python, of wheels only.

    Raises:
        PluginError: it cannot be done; the message says `what` it was.
    """
    wanted, locked = folder / "in.txt", folder / "locked.txt"
    wanted.write_text("\n".join(requirements) + "\n")
    command = [
        *_uv(), "pip", "compile", "--quiet", "--no-header", "--no-annotate",
        "--no-emit-index-url", "--generate-hashes", "--only-binary", ":all:",
        "--python-version", PYTHON, "--python-platform", PLATFORM,
        *options, *source.options(), *source.cooldown(), "--output-file", str(locked), str(wanted),
    ]  # fmt: skip
    _run(command, f"resolve {what}", _RESOLVE_DEADLINE_S, folder)
    return _pinned(locked.read_text())


def download(pinned: Mapping[str, str], folder: Path, source: Source, what: str) -> list[Path]:
    """Return the wheels of pinned requirements, sorted by name; other bytes than pinned are refused.

    Raises:
        PluginError: they cannot be had; the message says `what` they were.
    """
    chosen, wheels = folder / "fetch.txt", folder / "fetched"
    chosen.write_text("\n".join(pinned.values()) + "\n")
    platforms = [f"manylinux_2_{minor}_x86_64" for minor in _GLIBC_MINORS]
    platforms += ["manylinux2014_x86_64", "linux_x86_64"]
    command = [
        *_pip(), "download", "--quiet", "--no-deps", "--require-hashes",
        "--only-binary", ":all:", "--python-version", PYTHON, "--implementation", "cp",
        *(f"--platform={name}" for name in platforms),
        *source.options(), "--dest", str(wheels), "--requirement", str(chosen),
    ]  # fmt: skip
    _run(command, f"fetch {what}", _FETCH_DEADLINE_S, folder)
    found = sorted(wheels.iterdir(), key=lambda file: normalise(file.name.partition("-")[0]))
    if len(found) != len(pinned) or any(file.suffix != ".whl" for file in found):
        raise PluginError(f"Fetching {what}: {len(pinned)} wheels asked, {len(found)} came.")
    return found


def _unpack_all(wheels: Iterable[Path], target: Path, progress: Callable[[str], None]) -> None:
    target.mkdir(parents=True)
    for wheel in wheels:
        progress(f"Unpacking {wheel.name}")
        unpack_wheel(wheel, target)


def _check_stored(plugin: str, wheel: Path, sha256: str) -> None:
    try:
        with wheel.open("rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        same = False
    if not same:
        raise PluginError(
            f"Plugin {plugin}: {wheel} is missing or is not what was installed.",
            hint="Remove the plugin and install it anew.",
        )


def plan_wheels(plugins: Sequence[InstalledPlugin], wheelhouse: Path | None) -> GuestWheels:
    """Return what these plugins need beside the image.

    Raises:
        PluginError: `[guest] packages` names something that the extra `guest` does not require.
    """
    if not any(plugin.manifest.guest_packages for plugin in plugins):
        return GuestWheels(wanted={})
    image = image_packages()
    stored = {p.name: p.wheels for p in plugins if p.wheels}
    wanted = {plugin.name: _requirements(plugin, image) for plugin in plugins}
    for plugin in plugins:
        if plugin.wheels is not None:
            _check_complete(plugin, wanted.pop(plugin.name))
    return GuestWheels(
        wanted={name: lines for name, lines in wanted.items() if lines},
        image=image,
        wheelhouse=wheelhouse,
        stored=stored,
    )


def _check_complete(plugin: InstalledPlugin, wanted: Sequence[str]) -> None:
    """Refuse what was installed for another image: the store must not fetch behind the user's back."""
    from packaging.requirements import Requirement  # noqa: PLC0415

    held = {normalise(Path(wheel).name.partition("-")[0]) for wheel in plugin.wheels or ()}
    for line in wanted:
        if normalise(Requirement(line).name) not in held:
            raise PluginError(
                f"Plugin {plugin.name} needs {line}, which neither the image nor the plugin store has.",
                hint=f"Install it anew: deskmate plugin remove {plugin.name}, then plugin install.",
            )


def image_packages() -> Mapping[str, str]:
    """Return what the base image holds for Python: normalised name → version."""
    file = Path(deskmate.__file__).parent / "sandbox" / "guest.txt"
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        raise PluginError(
            f"{file} is missing, so nobody knows what the image holds.", hint="Reinstall deskmate."
        ) from error
    pairs = (line.partition("==") for line in _pinned(text))
    return {normalise(name): version for name, _, version in pairs}


def _requirements(plugin: InstalledPlugin, image: Mapping[str, str]) -> tuple[str, ...]:
    from packaging.requirements import Requirement  # noqa: PLC0415

    required = {normalise(Requirement(line).name): line for line in plugin.dependencies}
    lines = []
    for package in plugin.manifest.guest_packages:
        line = required.get(normalise(package))
        if line is None:
            raise PluginError(
                f"Plugin {plugin.name} wants {package} in the guest, but {plugin.distribution}'s "
                "extra `guest` does not require it.",
                hint="Its author adds it to [project.optional-dependencies] guest.",
            )
        version = image.get(normalise(package))
        if version is None or not Requirement(line).specifier.contains(version, prereleases=True):
            lines.append(line)
    return tuple(sorted(lines))


def _pinned(text: str) -> dict[str, str]:
    """Return `name==version` → the requirement with its hashes, from a hash-pinned file."""
    pinned: dict[str, str] = {}
    for line in text.replace("\\\n", " ").splitlines():
        words = line.split()
        if words and "==" in words[0]:
            pinned[words[0]] = line
    return pinned


def _uv() -> list[str]:
    scripts = sysconfig.get_path("scripts")
    program = shutil.which("uv", path=os.pathsep.join((scripts, os.environ.get("PATH", ""))))
    if program is None:
        raise PluginError(
            "uv is missing; it resolves a plugin's packages for the virtual machine.",
            hint="Install it: pip install uv.",
        )
    return [program]


def _pip() -> list[str]:
    if find_spec("pip") is None:
        raise PluginError(
            "pip is missing in Deskmate's environment; it fetches a plugin's packages.",
            hint="Add it: python -m ensurepip.",
        )
    return [sys.executable, "-I", "-m", "pip", "--disable-pip-version-check", "--no-input"]


def _run(command: Sequence[str], what: str, deadline_s: int, folder: Path) -> None:
    # uv brings its own certificates, which know no company's proxy
    certificates = {"UV_SYSTEM_CERTS": "1"} if _CERTIFICATES.exists() else {}
    environment = {**certificates, **os.environ}
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=deadline_s, check=False, env=environment,
            cwd=folder,  # not the user's: settings of a project there could name another index
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise PluginError(f"Could not {what} within {deadline_s} s.") from error
    if done.returncode != 0:
        text = done.stderr.decode("utf-8", "replace").strip()
        raise PluginError(
            f"Could not {what}: {' '.join(text.split())[:600]}",
            hint="Without a network: deskmate plugin enable NAME --thread T --wheelhouse FOLDER",
        )
