"""Reads lock files and manifests as data: which packages, in which versions, from which file. Nothing is resolved or asked for."""

from __future__ import annotations

import base64
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from deskmate.plugin import ToolInputError

LIMIT_BYTES = 32 << 20
_SHA256 = re.compile(r"(?:sha256[:-])?([0-9a-f]{64})")
_PINNED = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*={2,3}\s*(?P<version>[\w.!+*-]+)"
)
_NAMED = re.compile(r"(?P<name>[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?")


_DIGESTS = {
    "sha512": ("SHA-512", 64),
    "sha384": ("SHA-384", 48),
    "sha256": ("SHA-256", 32),
    "sha1": ("SHA-1", 20),
}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Package:
    """A package as a file names it.

    `kind`: its ecosystem, as package URLs call it. `version`: empty where the file pins none. `licence`: as that file says,
    mostly nothing. `hashes`: (algorithm, hex). `only_dev`: not part of what runs.
    """

    kind: str
    name: str
    version: str
    file: str
    licence: str = ""
    hashes: tuple[tuple[str, str], ...] = field(default=())
    only_dev: bool = False

    @property
    def purl(self) -> str:
        """Its package URL."""
        name = self.name.replace("@", "%40") if self.kind == "npm" else self.name
        at = f"@{self.version.replace('+', '%2B')}" if self.version else ""
        return f"pkg:{self.kind}/{name}{at}"


Reader = Callable[[str, str], Iterator[Package]]
"""Text and path of a file → the packages that it names."""


def read_lock(data: bytes, path: str) -> tuple[Package, ...]:
    """Return the packages of one file, sorted, each once.

    Raises:
        ToolInputError: it is not of the form that its name promises; the message says where.
    """
    reader = reader_of(path)
    if reader is None:
        raise ToolInputError(f"{path} is no lock file or manifest that is read here.")
    if len(data) > LIMIT_BYTES:
        raise ToolInputError(f"{path} is larger than 32 MiB.")
    try:
        text = data.decode("utf-8-sig")
        return tuple(sorted(set(reader(text, path))))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as problem:
        said = " ".join(str(problem).split())[:120]
        raise ToolInputError(
            f"{path} cannot be read: {type(problem).__name__}: {said}."
        ) from problem


def reader_of(path: str) -> Reader | None:
    """Return what reads a file, by its name; None if nothing does."""
    name = PurePosixPath(path).name
    if name in _READERS:
        return _READERS[name]
    if re.fullmatch(r"(requirements|constraints)([-_.].*)?\.txt|[\w.-]*requirements\.txt", name):
        return _requirements
    if PurePosixPath(path).parent.name == "requirements" and name.endswith(".txt"):
        return _requirements
    return _pylock if re.fullmatch(r"pylock(\.[^.]+)?\.toml", name) else None


def canonical(name: str) -> str:
    """Return a Python package's name as indexes spell it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


# Python


def _requirements(text: str, path: str) -> Iterator[Package]:
    for line in text.replace("\\\n", " ").splitlines():
        line = re.sub(r"(^|\s)#.*$", "", line).strip()
        if not line or line.startswith("-") or "://" in line.split(" --hash")[0].split(";")[0]:
            yield from _by_address(line, path)
            continue
        words = line.split(";")[0]
        pinned = _PINNED.match(words)
        named = pinned or _NAMED.match(words)
        if named is None:
            raise ValueError(f"{line[:60]!r} names no package")
        version = pinned["version"] if pinned and "*" not in pinned["version"] else ""
        yield Package(
            kind="pypi", name=canonical(named["name"]), version=version, file=path,
            hashes=_one_hash(re.findall(r"--hash[= ]sha256:([0-9a-f]{64})", line)),
        )  # fmt: skip


def _by_address(line: str, path: str) -> Iterator[Package]:
    """Yield what `name @ address` and `…#egg=name` name; options name nothing."""
    if match := re.match(r"([\w.-]+)\s*(?:\[[^\]]*\])?\s*@\s*\S+", line) or re.search(
        r"#egg=([\w.-]+)", line
    ):
        yield Package(kind="pypi", name=canonical(match[1]), version="", file=path)


def _one_hash(found: list[str]) -> tuple[tuple[str, str], ...]:
    """Return the hash if there is one: of several, each is of another file, and none is the package's."""
    return (("SHA-256", found[0]),) if len(set(found)) == 1 else ()


def _pyproject(text: str, path: str) -> Iterator[Package]:
    data = tomllib.loads(text)
    project = data.get("project", {})
    wanted = [(row, False) for row in project.get("dependencies", ())]
    extras = project.get("optional-dependencies", {})
    wanted += [(row, True) for rows in extras.values() for row in rows]
    groups = data.get("dependency-groups", {})
    wanted += [(row, True) for rows in groups.values() for row in rows if isinstance(row, str)]
    for row, only_dev in wanted:
        for package in _requirements(row, path):
            yield _marked(package, only_dev=only_dev)


def _marked(package: Package, *, only_dev: bool) -> Package:
    return Package(
        kind=package.kind, name=package.name, version=package.version, file=package.file,
        licence=package.licence, hashes=package.hashes, only_dev=only_dev,
    )  # fmt: skip


def _python_lock(text: str, path: str) -> Iterator[Package]:
    """uv.lock, poetry.lock, pdm.lock."""
    for row in tomllib.loads(text)["package"]:
        source = row.get("source", {})
        if isinstance(source, Mapping) and set(source) & {"editable", "virtual", "directory"}:
            continue  # the project itself
        files = [*row.get("files", ()), *row.get("wheels", ()), *filter(None, [row.get("sdist")])]
        hashes = [m[1] for f in files if (m := _SHA256.fullmatch(str(f.get("hash", ""))))]
        groups = row.get("groups", ())
        dev = row.get("category") == "dev" or (
            bool(groups) and not {"main", "default"} & set(groups)
        )
        yield Package(
            kind="pypi", name=canonical(row["name"]), version=str(row.get("version", "")), file=path,
            hashes=_one_hash(hashes), only_dev=dev,
        )  # fmt: skip


def _pylock(text: str, path: str) -> Iterator[Package]:
    for row in tomllib.loads(text)["packages"]:
        version = str(row.get("version", ""))
        yield Package(kind="pypi", name=canonical(row["name"]), version=version, file=path)


def _pipfile_lock(text: str, path: str) -> Iterator[Package]:
    data = json.loads(text)
    for part, only_dev in (("default", False), ("develop", True)):
        for name, row in data.get(part, {}).items():
            version = str(row.get("version", "")).removeprefix("==")
            hashes = [m[1] for one in row.get("hashes", ()) if (m := _SHA256.fullmatch(one))]
            yield Package(
                kind="pypi", name=canonical(name), version=version, file=path,
                hashes=_one_hash(hashes), only_dev=only_dev,
            )  # fmt: skip


# JavaScript


def _package_lock(text: str, path: str) -> Iterator[Package]:
    data = json.loads(text)
    if "packages" in data:
        for place, row in data["packages"].items():
            if not place or row.get("link") or "node_modules/" not in place:
                continue
            name = row.get("name") or place.rpartition("node_modules/")[2]
            yield _npm(name, row, path)
        return
    yield from _nested(data["dependencies"], path)


def _nested(rows: Mapping[str, Any], path: str) -> Iterator[Package]:
    for name, row in rows.items():
        yield _npm(name, row, path)
        yield from _nested(row.get("dependencies", {}), path)


def _npm(name: str, row: Mapping[str, Any], path: str) -> Package:
    licence = row.get("license", "")
    return Package(
        kind="npm", name=name, version=str(row.get("version", "")), file=path,
        licence=licence if isinstance(licence, str) else "", hashes=_integrity(row.get("integrity", "")),
        only_dev=bool(row.get("dev") or row.get("devOptional")),
    )  # fmt: skip


def _integrity(text: str) -> tuple[tuple[str, str], ...]:
    """Return a hash of Subresource Integrity as CycloneDX writes it."""
    found = []
    for one in text.split():
        algorithm, _, value = one.partition("-")
        name, size = _DIGESTS.get(algorithm, ("", 0))
        digest = base64.b64decode(value.partition("?")[0], validate=True) if name else b""
        if name and len(digest) == size:
            found.append((name, digest.hex()))
    return tuple(found)


def _yarn_lock(text: str, path: str) -> Iterator[Package]:
    name = ""
    for line in text.splitlines():
        if head := re.match(r'"?((?:@[^@/"\s]+/)?[^@"\s]+)@.*:$', line):
            name = head[1]
        elif name and (row := re.match(r'\s+version:?\s+"?([^"\s]+)"?$', line)):
            if row[1] != "0.0.0-use.local":
                yield Package(kind="npm", name=name, version=row[1], file=path)
            name = ""


def _pnpm_lock(text: str, path: str) -> Iterator[Package]:
    import yaml  # noqa: PLC0415 - few need it

    for key, row in (yaml.safe_load(text).get("packages") or {}).items():
        plain = key.lstrip("/").split("(")[0]
        name, _, version = plain.rpartition("@")
        if not name:
            name, _, version = plain.rpartition("/")
        hashes = _integrity((row or {}).get("resolution", {}).get("integrity", ""))
        dev = bool((row or {}).get("dev"))
        yield Package(
            kind="npm", name=name, version=version, file=path, hashes=hashes, only_dev=dev
        )


# Others


def _cargo_lock(text: str, path: str) -> Iterator[Package]:
    for row in tomllib.loads(text)["package"]:
        if "source" not in row:
            continue  # of the workspace itself
        found = _SHA256.fullmatch(str(row.get("checksum", "")))
        hashes = (("SHA-256", found[1]),) if found else ()
        yield Package(
            kind="cargo", name=row["name"], version=row["version"], file=path, hashes=hashes
        )


def _go_mod(text: str, path: str) -> Iterator[Package]:
    within = False
    for line in text.splitlines():
        line = line.split("//")[0].strip()
        if re.fullmatch(r"require\s*\(", line):
            within = True
        elif line == ")":
            within = False
        elif (within or line.startswith("require")) and (
            match := re.fullmatch(r"(?:require\s+)?(\S+)\s+(v\d\S*)", line)
        ):
            yield Package(kind="golang", name=match[1], version=match[2], file=path)


def _go_sum(text: str, path: str) -> Iterator[Package]:
    """Only modules whose content was needed: those of which go.mod alone was read are no part."""
    for line in text.splitlines():
        if not line.strip():
            continue
        name, version, _ = line.split()
        if not version.endswith("/go.mod"):
            yield Package(kind="golang", name=name, version=version, file=path)


def _gemfile_lock(text: str, path: str) -> Iterator[Package]:
    part = ""
    for line in text.splitlines():
        if line and not line.startswith(" "):
            part = line.strip()
        elif part in ("GEM", "GIT") and (row := re.fullmatch(r" {4}([\w.-]+) \(([^)]+)\)", line)):
            yield Package(kind="gem", name=row[1], version=row[2], file=path)


def _composer_lock(text: str, path: str) -> Iterator[Package]:
    data = json.loads(text)
    for part, only_dev in (("packages", False), ("packages-dev", True)):
        for row in data.get(part, ()):
            licence = " OR ".join(row.get("license", ()))
            yield Package(
                kind="composer", name=row["name"], version=row["version"], file=path,
                licence=licence, only_dev=only_dev,
            )  # fmt: skip


_READERS: Mapping[str, Reader] = {
    "pyproject.toml": _pyproject, "uv.lock": _python_lock, "poetry.lock": _python_lock,
    "pdm.lock": _python_lock, "Pipfile.lock": _pipfile_lock, "package-lock.json": _package_lock,
    "npm-shrinkwrap.json": _package_lock, "yarn.lock": _yarn_lock, "pnpm-lock.yaml": _pnpm_lock,
    "Cargo.lock": _cargo_lock, "go.mod": _go_mod, "go.sum": _go_sum, "Gemfile.lock": _gemfile_lock,
    "composer.lock": _composer_lock,
}  # fmt: skip
SUPERSEDED: Mapping[str, tuple[str, ...]] = {
    "pyproject.toml": ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pylock.toml"),
    "go.sum": ("go.mod",),
}
"""File → those beside it that say the same and more exactly; then it is not read."""
