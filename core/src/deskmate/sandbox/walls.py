"""Which walls around QEMU stand, which an older kernel or another machine lacks, and whether that will do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from deskmate.errors import ConfigError, SandboxMissing

Demand = Literal["any", "walls", "strict"]
"""What must stand before a virtual machine starts. `walls`: the whole second wall. `strict`: hardware too."""
SETTING = "require_isolation"

LANDLOCK = {
    1: ("5.13", "opening and making files and folders"),
    2: ("5.19", "moving files between folders"),
    3: ("6.2", "emptying files"),
    4: ("6.7", "TCP connections"),
    5: ("6.10", "orders to devices"),
    6: ("6.12", "hidden sockets and signals to other processes"),
}
"""Version → first kernel that has it, and what it can take away."""
_COVERED = {2: "files", 3: "seccomp", 4: "network", 5: "files", 6: "seccomp"}
"""What else refuses the same: rights on files at all, the filter of system calls, the empty network."""


def missing_walls(walls: Mapping[str, Any]) -> tuple[str, ...]:
    """Return one line for each part of the second wall that does not stand, as the launcher reported it."""
    lines = []
    abi = int(walls.get("landlock", 0))
    if not abi:
        lines.append(
            "no Landlock: files are guarded by the user id only (a kernel from 5.13 on has it)"
        )
    if not walls.get("seccomp"):
        lines.append(
            "no filter of system calls: this processor's are not listed, so sockets, other processes "
            "and the attributes of files are not refused"
        )
    if walls.get("network") != "none":
        lines.append("no empty network namespace: this user may not make one")
    if not walls.get("no_new_privs"):
        lines.append("programs could gain rights")
    if not walls.get("processes"):
        lines.append(
            "no bound on the number of processes (a kernel from 5.14 on has it for plain users)"
        )
    lines += [line for line in landlock_gaps(abi) if not _covered(line, walls)]
    return tuple(lines)


def landlock_gaps(abi: int) -> tuple[str, ...]:
    """Return what this version of Landlock cannot take away, and the kernel that could."""
    return tuple(
        f"Landlock {abi} does not guard {what} (version {version}, kernel {kernel}, does)"
        for version, (kernel, what) in LANDLOCK.items()
        if 0 < abi < version
    )


def _covered(line: str, walls: Mapping[str, Any]) -> bool:
    version = int(line.partition("(version ")[2].partition(",")[0])
    by = _COVERED.get(version)
    if by == "network":
        return walls.get("network") == "none" or bool(walls.get("seccomp"))
    return bool(walls.get("seccomp")) if by == "seccomp" else by == "files"


def read_demand(settings: Mapping[str, Any]) -> Demand:
    """Return what the user's settings demand. Raises ConfigError for a word that is none of the three."""
    match settings.get(SETTING, "any"):
        case "any":
            return "any"
        case "walls":
            return "walls"
        case "strict":
            return "strict"
        case other:
            raise ConfigError(
                f"The setting {SETTING} is {other!r}; it must be any, walls or strict.",
                hint="Mend it in config.toml.",
            )


def check_demand(demand: Demand, walls: Mapping[str, Any], *, hardware: bool) -> None:
    """Raise SandboxMissing if what is demanded does not stand here: nothing is started then."""
    lines = [] if demand == "any" else list(missing_walls(walls))
    if demand == "strict" and not hardware:
        lines.insert(0, "no hardware virtualization: emulation is not a boundary")
    if lines:
        raise SandboxMissing(
            f"{SETTING} is {demand}, and this machine lacks: {'; '.join(lines)}.",
            hint=f"Run deskmate doctor, or set {SETTING} to a lower demand in config.toml.",
        )
