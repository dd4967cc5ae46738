"""Lists of files as blobs: the base, a checkpoint, a change set. Canonical JSON of the types."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from deskmate.errors import CorruptData
from deskmate.ports import BlobReader, Blobs
from deskmate.types.codec import from_json, to_json
from deskmate.types.files import Difference, Entry
from deskmate.types.ids import Digest
from deskmate.types.registry import ToolSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """The granted folders' entries at one moment, ordered by path."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What brings a fresh machine to where the last one was. `home`: relative to the home folder."""

    changes: Difference
    home: tuple[Entry, ...]


def canonical(value: Any) -> bytes:
    """Return the one JSON text of a value: sorted keys, no spaces, UTF-8."""
    text = json.dumps(to_json(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def digest_of_call(spec: ToolSpec, arguments: Mapping[str, Any]) -> Digest:
    """Return the digest that an approval of a call is bound to.

    At a connector it covers the definition that the user accepted, too: what was approved is a call of that tool.
    """
    if spec.definition is None:
        return digest_of(arguments)
    return digest_of(
        {"tool": spec.name, "definition": spec.definition, "arguments": dict(arguments)}
    )


def digest_of(value: Any) -> Digest:
    """Return the sha256 of the canonical JSON."""
    return Digest(hashlib.sha256(canonical(value)).hexdigest())


def put_manifest(blobs: Blobs, value: Entries | Checkpoint | Difference) -> Digest:
    """Store a list of files and return its digest."""
    return blobs.put(canonical(value))


def read_entries(blobs: BlobReader, digest: Digest) -> tuple[Entry, ...]:
    """Return a base's entries. Raises CorruptData."""
    return from_json(Entries, _load(blobs, digest)).entries


def read_base(
    blobs: BlobReader, base: Digest, contents: Iterable[Digest], lost: Iterable[str]
) -> tuple[Entry, ...]:
    """Return a base's entries with what was read since it was listed. Raises CorruptData."""
    entries = {entry.path: entry for entry in read_entries(blobs, base)}
    for digest in contents:
        entries |= {entry.path: entry for entry in read_entries(blobs, digest)}
    for path in lost:
        entries.pop(path, None)
    return tuple(entries[path] for path in sorted(entries))


def read_checkpoint(blobs: BlobReader, digest: Digest) -> Checkpoint:
    """Return a checkpoint. Raises CorruptData."""
    return from_json(Checkpoint, _load(blobs, digest))


def read_plan_paths(blobs: BlobReader, digest: Digest) -> frozenset[str]:
    """Return the workspace paths that a plan of file changes settles. Raises CorruptData."""
    plan = _load(blobs, digest)
    try:
        return frozenset(str(step["path"]) for step in plan["steps"])
    except (KeyError, TypeError) as error:
        raise CorruptData(f"Blob {digest} is not a plan of file changes.") from error


def read_plan_states(blobs: BlobReader, digest: Digest) -> dict[str, Entry | None]:
    """Return what is at a plan's paths once it was carried out, None: nothing. Raises CorruptData."""
    plan = _load(blobs, digest)
    try:
        return {str(step["path"]): _entry(step) for step in plan["steps"]}
    except (AttributeError, KeyError, TypeError) as error:
        raise CorruptData(f"Blob {digest} is not a plan of file changes.") from error


def _entry(step: Any) -> Entry | None:
    after = step.get("after")
    if after is None:
        return None
    names = ("kind", "mode", "size", "sha256", "target", "mtime_ns")
    known = {name: after[name] for name in names if after.get(name) is not None}
    return from_json(Entry, {"path": step["path"], **known})


def read_plan_parts(blobs: BlobReader, digest: Digest) -> dict[str, tuple[Digest, int]]:
    """Return the paths of which a plan wrote only a part: digest and size of what it wrote. Raises CorruptData."""
    parts = _load(blobs, digest).get("parts", {})
    try:
        return {
            str(path): (Digest(part["sha256"]), int(part["size"])) for path, part in parts.items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CorruptData(f"Blob {digest} is not a plan of file changes.") from error


def _load(blobs: BlobReader, digest: Digest) -> Any:
    try:
        return json.loads(blobs.read(digest))
    except ValueError as error:
        raise CorruptData(f"Blob {digest} is not a list of files: {error}") from error
