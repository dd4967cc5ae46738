"""The guest's raw facts and the host's own base become a `Difference`; names that could harm are refused."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from deskmate.errors import ProtocolError
from deskmate.types.files import Change, Difference, Entry, EntryKind, Operation
from deskmate.types.ids import Digest

FACTS_LIMIT = 200_000
_VALUES_LIMIT = 4_000_000
"""Commas and brackets in the document: each value takes far more memory than it has bytes."""
_NAME_LIMIT_BYTES = 255
_PATH_LIMIT_BYTES = 4000
_DEPTH_LIMIT = 64
_SIZE_LIMIT_BYTES = 8 << 30
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f\\]")
_DEVICE = re.compile(r"(?i)(con|prn|aux|nul|com[1-9]|lpt[1-9])(\..*)?")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_KINDS = {"file", "dir", "symlink", "gone", "opaque", "other"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the guest reported, its shape checked. Each is (kind, entry); `reasons`: path → why not."""

    changes: tuple[tuple[str, Entry], ...]
    home: tuple[Entry, ...]
    reasons: Mapping[str, str]


def read_facts(document: bytes) -> Facts:
    """Return the facts of a difference document. Raises ProtocolError where it is not one."""
    if sum(document.count(mark) for mark in (b",", b"[", b"{")) > _VALUES_LIMIT:
        raise ProtocolError("the guest's difference has too many values")
    try:
        data = json.loads(document)
        rows, home_rows = data["changes"], data["home"]
        if not isinstance(rows, list) or not isinstance(home_rows, list):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ProtocolError("the guest's difference is not the document it should be") from error
    if len(rows) + len(home_rows) > FACTS_LIMIT:
        raise ProtocolError(f"the guest's difference has more than {FACTS_LIMIT} entries")
    reasons: dict[str, str] = {}
    changes = [_fact(row, reasons, "") for row in rows]
    home = [_fact(row, reasons, "~/") for row in home_rows]
    return Facts(
        changes=_unique(changes),
        home=tuple(entry for kind, entry in _unique(home) if kind in ("file", "dir", "symlink")),
        reasons=reasons,
    )


def _unique(facts: Sequence[tuple[str, Entry] | None]) -> tuple[tuple[str, Entry], ...]:
    found = {fact[1].path: fact for fact in facts if fact is not None}
    if len(found) != sum(fact is not None for fact in facts):
        raise ProtocolError("the guest's difference names a path twice")
    return tuple(found[path] for path in sorted(found))


def _fact(row: Any, reasons: dict[str, str], prefix: str) -> tuple[str, Entry] | None:
    """Return (kind, entry), or None with a line in `reasons` for what is not taken."""
    if (
        not isinstance(row, dict)
        or not isinstance(row.get("path"), str)
        or not isinstance(row.get("kind"), str)
        or row["kind"] not in _KINDS
    ):
        raise ProtocolError("the guest's difference has an entry without path or kind")
    path, kind = row["path"], row["kind"]
    shown = prefix + path.encode("utf-8", "backslashreplace").decode()[:_PATH_LIMIT_BYTES]
    if problem := path_problem(path):
        reasons[shown] = problem
        return None
    if kind == "other":
        reasons[shown] = str(row.get("reason", "not a file, folder or link"))[:200]
        return None
    entry = Entry(
        path=path,
        kind=_entry_kind(kind),
        mode=_number(row, "mode", 0o777),
        size=_number(row, "size", _SIZE_LIMIT_BYTES),
        sha256=_digest(row) if kind == "file" else None,
        target=_target(row) if kind == "symlink" else "",
        mtime_ns=_number(row, "mtime_ns", 1 << 63),
    )
    return kind, entry


def _entry_kind(kind: str) -> EntryKind:
    return "symlink" if kind == "symlink" else "dir" if kind in ("dir", "opaque") else "file"


def _number(row: Mapping[str, Any], name: str, limit: int) -> int:
    value = row.get(name, 0)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ProtocolError(f"the guest's difference has a {name} that is not a whole number")
    if name == "mtime_ns":  # tools set the wildest times; they are told, not used
        return min(max(value, 0), limit)
    if not 0 <= value <= limit:
        raise ProtocolError(f"the guest's difference has a {name} out of range")
    return value


def _digest(row: Mapping[str, Any]) -> Digest:
    value = row.get("sha256")
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise ProtocolError("the guest's difference has a file without a digest")
    return Digest(value)


def _target(row: Mapping[str, Any]) -> str:
    target = row.get("target")
    if not isinstance(target, str) or not 0 < len(target) <= _PATH_LIMIT_BYTES:
        raise ProtocolError("the guest's difference has a link without a target")
    return target.encode("utf-8", "replace").decode()


def path_problem(path: str) -> str:
    """Return why a path is never taken from a guest, empty if it is fine in form."""
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    parts = path.split("/")
    if size > _PATH_LIMIT_BYTES or len(parts) > _DEPTH_LIMIT:
        return "its path is too long or too deep"
    if any(part in ("", ".", "..") for part in parts):
        return "its path leaves the workspace"
    if any(len(part.encode()) > _NAME_LIMIT_BYTES for part in parts):
        return "its name is too long"
    if _UNSAFE.search(path):
        return "its name has control characters, direction marks or a backslash"
    return ""


def name_problem(path: str) -> str:
    """Return why a new path would not do on every system, empty if it would."""
    for part in path.split("/"):
        if _DEVICE.fullmatch(part):
            return "its name is a device on some systems"
        if part.endswith((".", " ")) or ":" in part:
            return "its name means something else on some systems"
    return ""


def compare(base: Sequence[Entry], facts: Facts, grants: Set[str] = frozenset()) -> Difference:
    """Return what changed against `base`, ordered by path.

    `grants`: names of the granted folders; with none the thread's files lie at the workspace's top.

    Copies that changed nothing are left out, a deleted or replaced folder becomes the deletion of all
    the base had in it and the guest knew, and new names that could harm on some system are refused.
    """
    before = {entry.path: entry for entry in base}
    after = dict(before)
    refused = dict(facts.reasons)
    replaced = {entry.path for kind, entry in facts.changes if kind in ("opaque", "gone")}
    replaced |= {
        entry.path
        for kind, entry in facts.changes
        if kind in ("file", "symlink") and _is(before.get(entry.path), "dir")
    }
    unread = {path for path, entry in before.items() if entry.is_listed_only}
    kept = _unread_below(unread, replaced)
    for path in before:
        if path not in kept and any(parent in replaced for parent in _parents(path)):
            del after[path]
    for kind, entry in facts.changes:
        if entry.path in kept:
            refused[entry.path] = "its place holds files that the agent has not read"
            continue
        after.pop(entry.path, None)
        if kind != "gone":
            after[entry.path] = _as_granted(entry, before.get(entry.path))
    refused |= dict.fromkeys(kept & unread, "it stays: the agent has not read it")
    _refuse(before, after, refused, grants)
    changes = []
    for path in sorted(before.keys() | after.keys()):
        change = _change(path, before.get(path), after.get(path))
        if change is not None:
            changes.append(change)
    return Difference(changes=tuple(changes), refused=refused)


def _unread_below(unread: Set[str], replaced: Set[str]) -> set[str]:
    """Return the files in removed folders that were never in the guest, and the folders above them.

    Who removed the folder there removed what it saw.
    """
    kept: set[str] = set()
    for path in unread if replaced else ():
        parents = _parents(path)
        if any(parent in replaced for parent in parents):
            kept |= {path, *parents}
    return kept


def _as_granted(entry: Entry, before: Entry | None) -> Entry:
    """Return an entry with the permission bits to tell: as git, only the owner's execute bit counts.

    In the guest the group may always write, and programs replace files by new ones with other bits;
    neither is the user's wish.
    """
    if entry.kind == "symlink":
        return replace(entry, mode=0o777)
    if before is None or before.kind != entry.kind:
        runs = entry.kind == "dir" or bool(entry.mode & 0o100)
        return replace(entry, mode=0o755 if runs else 0o644)
    if entry.kind == "dir" or bool(entry.mode & 0o100) == bool(before.mode & 0o100):
        return replace(entry, mode=before.mode)
    readers = (before.mode & 0o444) >> 2
    runs = bool(entry.mode & 0o100)
    return replace(entry, mode=before.mode | readers if runs else before.mode & ~0o111)


def _refuse(
    before: Mapping[str, Entry], after: dict[str, Entry], refused: dict[str, str], grants: Set[str]
) -> None:
    """Take new entries out of `after` that lie outside a grant, or whose names could harm."""
    names: dict[str, str] = {_folded(path): path for path in before if path in after}
    for path in sorted(after):
        if path in before:
            continue
        problem = name_problem(path)
        if path in grants and after[path].kind == "dir":
            del after[path]  # the granted folder itself
            continue
        if grants and ("/" not in path or path.split("/")[0] not in grants):
            problem = "it lies in no granted folder"
        elif (twin := names.setdefault(_folded(path), path)) != path:
            problem = problem or f"its name differs from {twin} in case or accents only"
        elif any(parent in refused for parent in _parents(path)):
            problem = "its folder was refused"
        if problem:
            refused[path] = problem
            del after[path]


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:length]) for length in range(1, len(parts))]


def _is(entry: Entry | None, kind: str) -> bool:
    return entry is not None and entry.kind == kind


def _change(path: str, old: Entry | None, new: Entry | None) -> Change | None:
    operation: Operation
    if old is None and new is None:
        return None
    if old is None:
        operation = "mkdir" if _is(new, "dir") else "create"
    elif new is None:
        operation = "rmdir" if old.kind == "dir" else "delete"
    elif (old.kind, old.sha256, old.target) != (new.kind, new.sha256, new.target):
        operation = "modify"
    elif old.kind != "symlink" and old.mode != new.mode:
        operation = "mode"
    else:
        return None
    return Change(path=path, operation=operation, before=old, after=new)
