"""Recipes of images: what goes into each flavour, as data, and the digest that names the result."""

from __future__ import annotations

import functools
import hashlib
import json
import platform
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any, get_args

from deskmate.errors import UserError
from deskmate.ports import Flavour
from deskmate.types.ids import Digest

FLAVOURS: tuple[Flavour, ...] = get_args(Flavour)
DEFAULT_SUITE = "bookworm"
SCRATCH_BYTES = 8 << 30
SOURCE_DATE = 1_735_689_600
"""The time of every file in an image, in seconds since 1970: the first of January 2025, UTC."""

_FORMAT = 2
_FIRST_PROGRAM = "recipe/init.sh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """What the guest's processor decides. `wheels`: uv's name of the platform. `verified`: it was booted."""

    name: str
    debian: str
    kernel: tuple[str, ...]
    modules: tuple[str, ...]
    wheels: str
    verified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All that decides what an image becomes.

    `wheels`, `scripts`: files of the recipe; scripts run in this order in the new root. `memory_mib`: the least
    that a machine of this flavour gets. `boot_deadline_s`: how long its template may take to get ready.
    """

    flavour: Flavour
    suite: str
    python: str
    architecture: Architecture
    summary: str
    packages: tuple[str, ...]
    wheels: str
    scripts: tuple[str, ...]
    memory_mib: int
    boot_deadline_s: float

    @property
    def digest(self) -> Digest:
        """The recipe's name: equal digests mean an equal recipe."""
        files = (_FIRST_PROGRAM, self.wheels, *self.scripts)
        content = {
            **asdict(self),
            "format": _FORMAT,
            "scratch": SCRATCH_BYTES,
            "date": SOURCE_DATE,
            "parts": {name: hashlib.sha256(recipe_part(name)).hexdigest() for name in files},
        }
        for name in (
            "summary",
            "memory_mib",
            "boot_deadline_s",
        ):  # of the machine, not of the image
            del content[name]
        return Digest(hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest())


def recipe_part(name: str) -> bytes:
    """Return a file of the recipe that ships with Deskmate."""
    return (files("deskmate.sandbox") / name).read_bytes()


@functools.cache
def find_recipe(
    flavour: Flavour = "base", suite: str = DEFAULT_SUITE, architecture: str | None = None
) -> Recipe:
    """Return a recipe, for this machine's architecture unless another is named.

    Raises UserError for a flavour, suite or architecture that has none.
    """
    targets = _read("targets")
    machine = architecture or platform.machine()
    _known("flavour", flavour, FLAVOURS)
    _known("suite", suite, targets["suites"])
    _known("architecture", machine, targets["architectures"])
    data = _read(flavour)
    base = _read(data["extends"]) if "extends" in data else {}
    return Recipe(
        flavour=flavour,
        suite=suite,
        python=targets["suites"][suite]["python"],
        architecture=_architecture(machine, targets["architectures"][machine]),
        summary=data["summary"],
        packages=tuple(sorted({*base.get("packages", ()), *data["packages"]})),
        wheels={**base, **data}["wheels"],
        scripts=tuple(data["scripts"]),
        memory_mib=int(data["memory_mib"]),
        boot_deadline_s=float(data["boot_deadline_s"]),
    )


def suites() -> tuple[str, ...]:
    """Return the Debian suites that an image can be built from."""
    return tuple(sorted(_read("targets")["suites"]))


def recipe_digest(suite: str = DEFAULT_SUITE, flavour: Flavour = "base") -> Digest:
    """Return the digest of today's recipe."""
    return find_recipe(flavour, suite).digest


def flavour_for(system_packages: tuple[str, ...]) -> Flavour:
    """Return the smallest flavour that has all these Debian packages. Raises UserError if none has."""
    for flavour in FLAVOURS:
        if set(system_packages) <= set(find_recipe(flavour).packages):
            return flavour
    missing = sorted(set(system_packages) - set(find_recipe(FLAVOURS[-1]).packages))
    raise UserError(
        f"no image has the system packages {', '.join(missing)}",
        hint=f"images have: {', '.join(find_recipe(FLAVOURS[-1]).packages)}",
    )


def _architecture(name: str, row: Mapping[str, Any]) -> Architecture:
    return Architecture(
        name=name,
        debian=row["debian"],
        kernel=tuple(row["kernel"]),
        modules=tuple(row["modules"]),
        wheels=row["wheels"],
        verified=bool(row["verified"]),
    )


def _known(what: str, name: str, names: Mapping[str, Any] | tuple[str, ...]) -> None:
    if name not in names:
        known = ", ".join(sorted(names))
        raise UserError(f"there is no recipe for the {what} {name}", hint=f"known: {known}")


@functools.cache
def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(recipe_part(f"recipe/{name}.toml").decode())
