"""What may be used: a table of licences, and waivers that end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from typing import Any, Literal

from deskmate.plugin import ToolInputError
from deskmate_engineering.deps.licences import Expression, Licence, parse
from deskmate_engineering.deps.locks import Package

Verdict = Literal["allowed", "look", "denied"]
ORDER: tuple[Verdict, ...] = ("allowed", "look", "denied")
ALLOWED = (
    "0BSD", "Apache-2.0", "BlueOak-1.0.0", "BSD-1-Clause", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0",
    "CC-BY-4.0", "HPND", "ISC", "MIT", "MIT-0", "MIT-CMU", "PostgreSQL", "PSF-2.0", "Python-2.0", "Python-2.0.1",
    "Unicode-3.0", "Unlicense", "Zlib",
)  # fmt: skip
DENIED = ("AGPL-*", "BUSL-*", "CC-BY-NC*", "Elastic-*", "RPL-*", "SSPL-*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """Somebody's word that a package may be used all the same. `until`: the last day that it holds."""

    package: str
    until: date
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Patterns of SPDX identifiers. What neither allows nor denies is to be looked at."""

    allowed: tuple[str, ...] = ALLOWED
    denied: tuple[str, ...] = DENIED
    waivers: tuple[Waiver, ...] = ()

    def of_licence(self, licence: Licence) -> Verdict:
        """Return the verdict on a licence; of a choice the best, of a sum the worst."""
        tree = parse(licence.said)
        if tree is None:
            return "look"
        return self._of(tree)

    def _of(self, tree: Expression) -> Verdict:
        if isinstance(tree, str):
            name = tree.split(" WITH ")[0].removesuffix("+")
            if any(fnmatchcase(name, pattern) for pattern in self.denied):
                return "denied"
            return "allowed" if any(fnmatchcase(name, one) for one in self.allowed) else "look"
        verdicts = (self._of(tree[1]), self._of(tree[2]))
        chosen = min if tree[0] == "OR" else max
        return chosen(verdicts, key=ORDER.index)

    def waiver_of(self, package: Package) -> Waiver | None:
        """Return the waiver for a package, by its name."""
        return next((one for one in self.waivers if one.package == package.name), None)


def policy_of(config: Mapping[str, Any]) -> Policy:
    """Return the policy of the settings.

    Raises:
        ToolInputError: it is of another shape; the message says what.
    """
    data = config.get("licence_policy") or {}
    if not isinstance(data, Mapping) or set(data) - {"allowed", "denied", "waivers"}:
        raise ToolInputError("licence_policy has allowed, denied and waivers, and nothing else.")
    lists = {}
    for name, usual in (("allowed", ALLOWED), ("denied", DENIED)):
        rows = data.get(name, usual)
        if isinstance(rows, str) or not all(isinstance(row, str) for row in rows):
            raise ToolInputError(
                f"licence_policy.{name} is a list of SPDX identifiers or patterns."
            )
        lists[name] = tuple(rows)
    waivers = tuple(_waiver(row) for row in data.get("waivers", ()))
    return Policy(allowed=lists["allowed"], denied=lists["denied"], waivers=waivers)


def _waiver(row: Any) -> Waiver:
    try:
        waiver = Waiver(
            package=str(row["package"]),
            until=date.fromisoformat(str(row["until"])),
            why=str(row["why"]),
        )
    except (KeyError, TypeError, ValueError) as problem:
        raise ToolInputError(
            "A waiver is { package, until = an ISO date, why }; one without an end is none."
        ) from problem
    if len(waiver.why.split()) < 2:
        raise ToolInputError(f"The waiver for {waiver.package} does not say why.")
    return waiver
