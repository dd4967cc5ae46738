"""What `plugin check` found: one check a line, a level, and a signature of whoever ran it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from deskmate.errors import CorruptData
from deskmate.types.codec import from_json, to_json

Status = Literal["ok", "failed", "open"]
Level = Literal["none", "loads", "tested", "verified"]
Where = Literal["virtual machine", "child process", "nowhere"]
PREFIX = b"deskmate-plugin-check-v1\0"
FORMAT = 1

LOADS = (
    "package", "manifest", "loads", "imports", "promised", "schemas", "skills", "texts", "licence", "limits",
)  # fmt: skip
"""What a plugin must keep to be of the level `loads`."""
TESTED = ("calls", "files", "network", "programs", "same", "fuzz", "gates")
"""What it must keep beside to be `tested`."""
LEVELS: tuple[Level, ...] = ("none", "loads", "tested", "verified")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check. `open`: nothing was found wrong, and nothing shows that it holds either."""

    id: str
    status: Status
    summary: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All checks of one wheel. `where`: in what the plugin's code ran. `key`, `signature`: hex, empty if unsigned."""

    plugin: str
    distribution: str
    version: str
    wheel: str
    sha256: str
    where: Where
    level: Level
    checks: tuple[Check, ...]
    deskmate: str
    time: str
    format: int = FORMAT
    key: str = ""
    signature: str = ""

    def __getitem__(self, name: str) -> Check:
        """Return the check of this id."""
        for check in self.checks:
            if check.id == name:
                return check
        raise KeyError(name)

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.status == "failed")

    def reaches(self, level: Level) -> bool:
        """Say whether nothing failed and the level is at least this."""
        return not self.failures and LEVELS.index(self.level) >= LEVELS.index(level)

    def body(self) -> bytes:
        """Return what the signature is over."""
        from deskmate.discovery.lock import canonical  # noqa: PLC0415

        return PREFIX + canonical(to_json(replace(self, signature=""), defaults=True))


def level_of(checks: Mapping[str, Check], where: Where) -> Level:
    """Return the level that these checks amount to; only a signature makes it `verified`."""
    if (
        any(name not in checks or checks[name].status != "ok" for name in LOADS)
        or where == "nowhere"
    ):
        return "none"
    if any(name not in checks or checks[name].status != "ok" for name in TESTED):
        return "loads"
    return "tested"


def signed(report: Report, private: str) -> Report:
    """Return the report with the signature of a key; a `tested` one of a virtual machine is `verified` by it."""
    from deskmate.store.signing import public_of, signature_of  # noqa: PLC0415

    level: Level = report.level
    if level == "tested" and report.where == "virtual machine":
        level = "verified"
    bare = replace(report, level=level, key=public_of(private))
    return replace(bare, signature=signature_of(private, bare.body()))


def problem_of(report: Report, *, key: str = "", sha256: str = "") -> str:
    """Return what is wrong with a signed report, empty if nothing is.

    Args:
        report: as it was read.
        key: the public key that must have signed; empty: the one that the report names, which proves less.
        sha256: of the wheel that it must be about; empty: any.
    """
    from deskmate.store.signing import fits  # noqa: PLC0415

    if not report.signature:
        return "it is not signed"
    if key and report.key != key:
        return f"it is signed with another key: {report.key}"
    if not fits(report.key, report.signature, report.body()):
        return "its signature does not fit: it was changed since, or is of another key"
    if sha256 and report.sha256 != sha256:
        return f"it is about another wheel: sha256:{report.sha256}"
    checks = {check.id: check for check in report.checks}
    best = level_of(checks, report.where)
    if report.level != best and not (best == "tested" and report.level == "verified"):
        return f"it says {report.level}, its checks amount to {best}"
    return ""


def read_report(data: Any) -> Report:
    """Return a report from JSON. Raises CorruptData."""
    report: Report = from_json(Report, data)
    if report.format != FORMAT:
        raise CorruptData(f"The report is of format {report.format}; {FORMAT} is known.")
    return report
