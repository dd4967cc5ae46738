"""Puts packages, licences and policy together: one row a package, and what has to be said of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath
from typing import Any

from deskmate.plugin import ToolInputError
from deskmate_engineering.deps.advisories import Advisories, look_up
from deskmate_engineering.deps.licences import UNKNOWN, Installed, Licence
from deskmate_engineering.deps.locks import SUPERSEDED, Package, read_lock, reader_of
from deskmate_engineering.deps.policy import Policy, Verdict, policy_of

PACKAGES_LIMIT = 20_000
_SKIPPED = frozenset(("node_modules", "site-packages", "vendor", ".git", ".venv", "venv"))
Read = Callable[[str], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A package with its licence and the verdict on it. `files`: all that name it. `waived`: why and until when."""

    package: Package
    files: tuple[str, ...]
    licence: Licence
    verdict: Verdict
    waived: str = ""

    @property
    def said(self) -> str:
        """The licence in words."""
        return self.licence.said or UNKNOWN

    @property
    def refused(self) -> bool:
        """Whether it is denied and nobody waived it."""
        return self.verdict == "denied" and not self.waived


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """All packages of a project. `title`: its name. `doubts`: what was not, or not exactly, known.

    `advisories`: what the file of known vulnerabilities says; None where none was given.
    """

    title: str
    files: tuple[str, ...]
    rows: tuple[Row, ...]
    doubts: tuple[str, ...]
    advisories: Advisories | None = None

    def count(self, verdict: str) -> int:
        """Return how many packages have a verdict; waived ones are `waived`."""
        return sum(((one.waived and "waived") or one.verdict) == verdict for one in self.rows)

    @property
    def unknown(self) -> int:
        """How many packages nothing is known of."""
        return sum(not one.licence.said for one in self.rows)

    @property
    def passes(self) -> bool:
        """Whether nothing is denied that is not waived, and no package is known to be vulnerable."""
        known = self.advisories is not None and self.advisories.of("affected")
        return not known and not any(one.refused for one in self.rows)


def audit(
    names: Iterable[str], read: Read, *, folder: str, config: Mapping[str, Any], today: date, advisories: str = ""
) -> Audit:  # fmt: skip
    """Return the audit of a folder.

    Args:
        names: every workspace path there is.
        read: gives a file's bytes.
        folder: workspace path; empty for all.
        config: the settings.
        today: by which waivers hold or have ended.
        advisories: workspace path of a file of known vulnerabilities; empty for none.

    Raises:
        ToolInputError: no lock file there, one that cannot be read, too many packages, or settings of another shape.
    """
    within = [name for name in names if not folder or PurePosixPath(name).is_relative_to(folder)]
    files = _files(within)
    if not files:
        raise ToolInputError(
            f"There is no lock file or manifest in {folder or 'the workspace'}: requirements.txt, pyproject.toml, uv.lock, "
            "package-lock.json, Cargo.lock, go.mod, …"
        )
    found: dict[str, list[Package]] = {}
    for file in files:
        for package in read_lock(read(file), file):
            found.setdefault(package.purl, []).append(package)
    if len(found) > PACKAGES_LIMIT:
        raise ToolInputError(
            f"There are {len(found)} packages; at most {PACKAGES_LIMIT} are read. Name a folder inside."
        )
    policy, installed = policy_of(config), Installed(within, read)
    rows = tuple(_row(found[purl], installed, policy, today) for purl in sorted(found))
    parts = PurePosixPath(folder or files[0]).parts
    title = parts[-1] if folder else (parts[0] if len(parts) > 1 else "workspace")
    known = None
    if advisories:
        known = look_up(read(advisories), advisories, [row.package for row in rows])
    doubts = (*_doubts(rows, policy, today), *_not_looked_up(known))
    return Audit(title=title, files=files, rows=rows, doubts=doubts, advisories=known)


def _files(names: Iterable[str]) -> tuple[str, ...]:
    """Return the lock files, and manifests only where no lock file beside them says more."""
    there = set(names)
    found = [
        n for n in sorted(there) if reader_of(n) and not _SKIPPED & set(PurePosixPath(n).parts[:-1])
    ]
    return tuple(
        name
        for name in found
        if not any(
            (PurePosixPath(name).parent / other).as_posix() in there
            for other in SUPERSEDED.get(PurePosixPath(name).name, ())
        )
    )


def _row(same: list[Package], installed: Installed, policy: Policy, today: date) -> Row:
    first = same[0]
    best = Package(
        kind=first.kind, name=first.name, version=first.version, file=first.file,
        licence=next((one.licence for one in same if one.licence), ""),
        hashes=next((one.hashes for one in same if one.hashes), ()),
        only_dev=all(one.only_dev for one in same),
    )  # fmt: skip
    licence = installed.licence_of(best)
    verdict = policy.of_licence(licence)
    waiver = policy.waiver_of(best) if verdict == "denied" else None
    waived = f"until {waiver.until}: {waiver.why}" if waiver and waiver.until >= today else ""
    files = tuple(sorted({one.file for one in same}))
    return Row(package=best, files=files, licence=licence, verdict=verdict, waived=waived)


def _doubts(rows: tuple[Row, ...], policy: Policy, today: date) -> Iterable[str]:
    if loose := [row.package.name for row in rows if not row.package.version]:
        yield f"{len(loose)} packages have no pinned version ({', '.join(loose[:8])}{', …' if len(loose) > 8 else ''}); which one is installed is not known."
    names = {row.package.name for row in rows}
    for waiver in policy.waivers:
        if waiver.until < today:
            yield f"The waiver for {waiver.package} ended on {waiver.until}; it counts no more."
        elif waiver.package not in names:
            yield f"The waiver for {waiver.package} is for nothing that is used."


def _not_looked_up(known: Advisories | None) -> Iterable[str]:
    if known is None:
        yield "Known vulnerabilities were not looked up: no file of advisories was given."
        return
    yield (
        f"Vulnerabilities are those that {known.file} names (advisories: {known.records}, the newest of {known.newest}); "
        "later ones, and those of ecosystems that it leaves out, are not known. Whether your code reaches them is not looked at."
    )
