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
from collections.abc import Callable, Mapping, Sequence
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
class GuestWheels:
    """What the plugins of a set need in the guest: plugin → requirements. `image`: pinned there."""

    wanted: Mapping[str, tuple[str, ...]]
    image: Mapping[str, str] = field(default_factory=dict)
    wheelhouse: Path | None = None

    def fingerprint(self) -> str:
        """Return what changes when another resolution is due; where wheels come from does not matter."""
        if not self.wanted:
            return ""
        parts = [self.wanted, self.image, PYTHON, PLATFORM]
        return hashlib.sha256(canonical(parts)).hexdigest()

    def unpack(
        self, tree: Path, scratch: Path, progress: Callable[[str], None]
    ) -> Mapping[str, tuple[str, ...]]:
        """Unpack each plugin's packages below `tree`/wheels/<name>/ and return what they were.

        Returns: plugin → `name==version sha256`, of what the image does not hold already.

        Raises:
            PluginError: a package cannot be resolved, fetched, or trusted.
        """
        brought: dict[str, tuple[str, ...]] = {}
        for plugin, requirements in self.wanted.items():
            progress(f"Resolving guest packages of {plugin}: {', '.join(requirements)}")
            folder = scratch / f"wheels-{plugin}"
            folder.mkdir()
            pinned = self._resolve(plugin, requirements, folder)
            if not pinned:
                continue
            target = tree / "wheels" / plugin
            target.mkdir(parents=True)
            for wheel in self._fetch(plugin, pinned, folder):
                progress(f"Unpacking {wheel.name}")
                unpack_wheel(wheel, target)
            brought[plugin] = tuple(sorted(pinned))
        return brought

    def _resolve(self, plugin: str, requirements: Sequence[str], folder: Path) -> dict[str, str]:
        """Return `name==version` → its lines for pip, of what the image does not hold."""
        wanted, constraints, locked = (folder / n for n in ("in.txt", "image.txt", "locked.txt"))
        wanted.write_text("\n".join(requirements) + "\n")
        constraints.write_text("".join(f"{n}=={v}\n" for n, v in self.image.items()))
        command = [
            *_uv(), "pip", "compile", "--quiet", "--no-header", "--no-annotate",
            "--no-emit-index-url", "--generate-hashes", "--only-binary", ":all:",
            "--python-version", PYTHON, "--python-platform", PLATFORM,
            "--constraint", str(constraints), *self._index(), "--output-file", str(locked), str(wanted),
        ]  # fmt: skip
        _run(command, f"resolve the guest packages of plugin {plugin}", _RESOLVE_DEADLINE_S)
        pinned = _pinned(locked.read_text())
        return {
            name: text
            for name, text in pinned.items()
            if normalise(name.partition("==")[0]) not in self.image
        }

    def _fetch(self, plugin: str, pinned: Mapping[str, str], folder: Path) -> list[Path]:
        chosen, wheels = folder / "fetch.txt", folder / "fetched"
        chosen.write_text("\n".join(pinned.values()) + "\n")
        platforms = [f"manylinux_2_{minor}_x86_64" for minor in _GLIBC_MINORS]
        platforms += ["manylinux2014_x86_64", "linux_x86_64"]
        command = [
            *_pip(), "download", "--quiet", "--no-deps", "--require-hashes",
            "--only-binary", ":all:", "--python-version", PYTHON, "--implementation", "cp",
            *(f"--platform={name}" for name in platforms),
            *self._index(), "--dest", str(wheels), "--requirement", str(chosen),
        ]  # fmt: skip
        _run(command, f"fetch the guest packages of plugin {plugin}", _FETCH_DEADLINE_S)
        found = sorted(wheels.iterdir())
        if len(found) != len(pinned) or any(file.suffix != ".whl" for file in found):
            raise PluginError(f"Plugin {plugin}: {len(pinned)} wheels asked, {len(found)} came.")
        return found

    def _index(self) -> list[str]:
        if self.wheelhouse is None:
            return []
        return ["--no-index", "--find-links", str(self.wheelhouse)]


def plan_wheels(plugins: Sequence[InstalledPlugin], wheelhouse: Path | None) -> GuestWheels:
    """Return what these plugins need beside the image.

    Raises:
        PluginError: `[guest] packages` names something that the extra `guest` does not require.
    """
    if not any(plugin.manifest.guest_packages for plugin in plugins):
        return GuestWheels(wanted={})
    image = image_packages()
    wanted = {plugin.name: _requirements(plugin, image) for plugin in plugins}
    return GuestWheels(
        wanted={name: lines for name, lines in wanted.items() if lines},
        image=image,
        wheelhouse=wheelhouse,
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


def _run(command: Sequence[str], what: str, deadline_s: int) -> None:
    # uv brings its own certificates, which know no company's proxy
    certificates = {"UV_SYSTEM_CERTS": "1"} if _CERTIFICATES.exists() else {}
    environment = {**certificates, **os.environ}
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=deadline_s, check=False, env=environment
        )
    except subprocess.TimeoutExpired as error:
        raise PluginError(f"Could not {what} within {deadline_s} s.") from error
    if done.returncode != 0:
        text = done.stderr.decode("utf-8", "replace").strip()
        raise PluginError(
            f"Could not {what}: {' '.join(text.split())[:600]}",
            hint="Without a network: deskmate plugin enable NAME --thread T --wheelhouse FOLDER",
        )
