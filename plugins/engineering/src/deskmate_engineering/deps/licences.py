"""Which licence a package is under, as its own installed metadata says; a name is never guessed at."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from deskmate_engineering.deps.locks import Package, canonical

UNKNOWN = "unknown"
_SCHEMAS = Path(__file__).parents[1] / "schemas"
_METADATA_BYTES = 1 << 20
_WORDS = re.compile(r"\(|\)|[^\s()]+")
# Only classifiers that mean one SPDX identifier; "BSD License" and "Apache Software License" do not.
_CLASSIFIERS = {
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Mozilla Public License 1.1 (MPL 1.1)": "MPL-1.1",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "zlib/libpng License": "Zlib",
    "Boost Software License 1.0 (BSL-1.0)": "BSL-1.0",
}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Licence:
    """What is said of a package's licence. `said`: the words. `where`: the file that says so; both empty if none does."""

    said: str = ""
    where: str = ""

    @property
    def is_expression(self) -> bool:
        """Whether it is an SPDX expression of known identifiers."""
        return parse(self.said) is not None


Expression = str | tuple[str, "Expression", "Expression"]
"""An identifier, perhaps with its exception, or (AND or OR, one, other)."""


@cache
def spdx_ids() -> Mapping[str, str]:
    """Return every SPDX identifier by its small letters, from the list that comes with CycloneDX."""
    data = json.loads((_SCHEMAS / "spdx.schema.json").read_text("utf-8"))
    return {name.lower(): name for name in data["enum"]}


def parse(text: str) -> Expression | None:
    """Return an SPDX licence expression as a tree; None if it is none (SPDX 2.3, Annex D)."""
    words = _WORDS.findall(text)
    if not words or len(words) > 200:
        return None
    try:
        tree, rest = _either(words)
    except (ValueError, RecursionError):
        return None
    return tree if not rest else None


def _either(words: list[str]) -> tuple[Expression, list[str]]:
    left, words = _both(words)
    while words and words[0].upper() == "OR":
        right, words = _both(words[1:])
        left = ("OR", left, right)
    return left, words


def _both(words: list[str]) -> tuple[Expression, list[str]]:
    left, words = _one(words)
    while words and words[0].upper() == "AND":
        right, words = _one(words[1:])
        left = ("AND", left, right)
    return left, words


def _one(words: list[str]) -> tuple[Expression, list[str]]:
    if not words:
        raise ValueError("it ends too soon")
    first, *rest = words
    if first == "(":
        inner, rest = _either(rest)
        if not rest or rest[0] != ")":
            raise ValueError("a bracket is not closed")
        return inner, rest[1:]
    known = spdx_ids().get(first.removesuffix("+").lower())
    if known is None and not re.fullmatch(r"LicenseRef-[A-Za-z0-9.-]+", first):
        raise ValueError(first)
    name = (known or first) + ("+" if known and first.endswith("+") else "")
    if len(rest) >= 2 and rest[0].upper() == "WITH":
        if spdx_ids().get(rest[1].lower()) is None:
            raise ValueError(rest[1])
        return f"{name} WITH {spdx_ids()[rest[1].lower()]}", rest[2:]
    return name, rest


class Installed:
    """Finds what installed packages say of themselves, in the folders that were given.

    `names`: every path there is; `read`: its bytes.
    """

    def __init__(self, names: Iterable[str], read: Callable[[str], bytes]) -> None:
        self._read = read
        self._places: dict[tuple[str, str], list[str]] = {}
        for name in sorted(names):
            if key := _key(name):
                self._places.setdefault(key, []).append(name)

    def licence_of(self, package: Package) -> Licence:
        """Return what its metadata says, else what its lock file says, else nothing."""
        for place in self._places.get((package.kind, package.name), ()):
            data = self._read(place)[:_METADATA_BYTES]
            version, said = _SAYS[package.kind](data.decode("utf-8", "replace"))
            if said and (not package.version or version == package.version):
                return Licence(said=" ".join(said.split())[:200], where=place)
        if package.licence:
            return Licence(said=" ".join(package.licence.split())[:200], where=package.file)
        return Licence()


def _key(path: str) -> tuple[str, str] | None:
    """Return ecosystem and name of the package whose metadata a path is."""
    parts = PurePosixPath(path).parts
    if len(parts) < 2:
        return None
    folder, name = parts[-2], parts[-1]
    if name == "METADATA" and folder.endswith(".dist-info"):
        return "pypi", canonical(folder.removesuffix(".dist-info").split("-")[0])
    if name == "PKG-INFO" and folder.endswith(".egg-info"):
        return "pypi", canonical(folder.removesuffix(".egg-info").split("-")[0])
    if name == "package.json" and "node_modules" in parts[:-1]:
        after = len(parts) - 1 - parts[::-1].index("node_modules")
        inner = parts[after + 1 : -1]
        if len(inner) == (2 if inner and inner[0].startswith("@") else 1):
            return "npm", "/".join(inner)
    if name == "Cargo.toml" and len(parts) >= 3 and parts[-3] == "vendor":
        return "cargo", re.sub(r"-\d+\.\d+\.\d+.*$", "", folder)
    return None


def _python_says(text: str) -> tuple[str, str]:
    """Return version and licence of METADATA: its expression, else its one clear classifier, else its words."""
    fields: dict[str, list[str]] = {}
    for line in re.split(r"\n\n", text.replace("\r\n", "\n"), maxsplit=1)[0].split("\n"):
        name, mark, value = line.partition(":")
        if mark and not line.startswith((" ", "\t")):
            fields.setdefault(name.lower(), []).append(value.strip())
    version = fields.get("version", [""])[0]
    if found := fields.get("license-expression"):
        return version, found[0]
    told = [
        one.rpartition(" :: ")[2]
        for one in fields.get("classifier", ())
        if one.startswith("License :: ")
    ]
    told = [one for one in told if one != "OSI Approved"]
    if len(told) == 1:
        return version, _CLASSIFIERS.get(told[0], told[0])
    words = fields.get("license", [""])[0]
    return version, words if words.upper() != "UNKNOWN" else ""


def _node_says(text: str) -> tuple[str, str]:
    try:
        data = json.loads(text)
    except ValueError:
        return "", ""
    if not isinstance(data, dict):
        return "", ""
    licence = data.get("license", "")
    if isinstance(licence, dict):
        licence = licence.get("type", "")
    said = licence if isinstance(licence, str) and not licence.upper().startswith("SEE ") else ""
    return str(data.get("version", "")), said


def _cargo_says(text: str) -> tuple[str, str]:
    try:
        package = tomllib.loads(text).get("package", {})
    except ValueError:
        return "", ""
    # before 2018 a slash was written for OR
    return str(package.get("version", "")), str(package.get("license", "")).replace("/", " OR ")


def _nothing(text: str) -> tuple[str, str]:
    return "", ""


_SAYS: Mapping[str, Callable[[str], tuple[str, str]]] = {
    "pypi": _python_says, "npm": _node_says, "cargo": _cargo_says,
    "golang": _nothing, "gem": _nothing, "composer": _nothing,
}  # fmt: skip
