"""What a policy says of itself (day it takes effect, whom it applies to, its state), and which of several is in force."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import parse_times

_LINE = re.compile(
    r"^\W*(?P<name>effective(?:[ _-](?:date|from))?|date[ _]effective|in force from|valid from|date[ _]approved|applies to|"
    r"jurisdiction|country|location|status|title)\W*[:=]\s*(?P<value>.+?)\W*$",
    re.IGNORECASE | re.MULTILINE,
)
_GONE = re.compile(
    r"\b(?:superseded|withdrawn|obsolete|repealed|archived|draft|expired|retired)\b", re.IGNORECASE
)
_VERSION = re.compile(
    r"[\s_.()-]*(?:\b(?:v|ver|version|rev)[\s_.-]*\d+(?:\.\d+)*|(?:19|20)\d\d(?:[-_.]\d\d){0,2}|\bold|\bnew|\bfinal|\bcopy)\b",
    re.IGNORECASE,
)
_EVERYWHERE = frozenset(
    ("all", "everyone", "global", "worldwide", "all employees", "all staff", "any")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What a policy says of itself. `family`: its name without numbers of versions; `effective`: None if it says no day."""

    family: str
    effective: date | None
    applies: str
    status: str


def version_of(path: str, first: Sequence[str]) -> Version:
    """Return what the first paragraphs of a policy say.

    Args:
        path: its workspace path.
        first: its first paragraphs.
    """
    said: dict[str, str] = {}
    for text in first:
        for match in _LINE.finditer(text):
            name = re.sub(r"[ _-]+", " ", match["name"].lower())
            said.setdefault(name, match["value"].strip().strip("\"'*_"))
    day = next(
        (
            said[name]
            for name in said
            if name.startswith(("effective", "date", "in force", "valid"))
        ),
        "",
    )
    applies = said.get("applies to") or said.get("jurisdiction") or said.get("country", "")
    return Version(
        family=family_of(path),
        effective=_day(day),
        applies=applies,
        status=said.get("status", ""),
    )


def family_of(path: str) -> str:
    """Return what all versions of a file are called: its folder and name without years and numbers of versions."""
    pure = PurePosixPath(path)
    stem = re.sub(r"[\W_]+", " ", _VERSION.sub("", pure.stem.replace("_", " "))).strip().lower()
    return f"{pure.parent}/{stem}"


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        (moment,) = parse_times([(1, text)], "effective date", "dmy")
    except ToolInputError:
        return None
    return moment.date() if moment else None


def left_out(versions: Mapping[str, Version], as_of: date, jurisdiction: str) -> dict[str, str]:
    """Return path → why it is not quoted: not in force on that day, replaced, or for somewhere else."""
    out: dict[str, str] = {}
    for path, version in versions.items():
        gone = _GONE.search(version.status)
        if gone:
            out[path] = f"its status is {gone[0].lower()}"
        elif version.effective and version.effective > as_of:
            out[path] = f"it takes effect on {version.effective} only"
        elif jurisdiction and not _applies(version.applies, jurisdiction):
            out[path] = f"it applies to {version.applies}, not to {jurisdiction}"
    for path, version in versions.items():
        newer = [
            (other.effective, name)
            for name, other in versions.items()
            if name not in out
            and other.family == version.family
            and other.applies.lower() == version.applies.lower()
            and other.effective
            and version.effective
            and other.effective > version.effective
        ]
        if path not in out and newer:
            day, name = max(newer)
            out[path] = f"replaced by {name} from {day}"
    return out


def _applies(applies: str, jurisdiction: str) -> bool:
    """Say whether a policy is for this place; one that names none is for all."""
    said, wanted = applies.lower(), jurisdiction.lower()
    if not said or said in _EVERYWHERE:
        return True
    return (
        re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", said) is not None
        or re.search(rf"(?<!\w){re.escape(said)}(?!\w)", wanted) is not None
    )
