"""Files: grants, entries of a workspace, change sets, evidence and deliverables.

Workspace paths are relative POSIX paths below `/workspace`; the first part is the grant's name:
`contracts/nda.docx` is `nda.docx` in the folder that was granted as `contracts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from deskmate.types.ids import Digest

GrantMode = Literal["ro", "rw", "rw-no-delete"]
EntryKind = Literal["file", "dir", "symlink"]
Operation = Literal["create", "modify", "delete", "mkdir", "rmdir", "mode"]
ApplyMode = Literal["review", "new", "all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A folder that the user lets a thread use. `folder` is an absolute host path."""

    name: str
    folder: str
    mode: GrantMode = "rw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file system entry as it was at one moment.

    `path`: workspace path. `mode`: permission bits, 0–0o777. `size`: bytes, 0 for directories.
    `sha256`: of the content, None for directories, symlinks, and files of a base that nobody has read yet.
    `target`: of symlinks, text only.
    `mtime_ns`: nanoseconds since the epoch.
    """

    path: str
    kind: EntryKind
    mode: int
    size: int = 0
    sha256: Digest | None = None
    target: str = ""
    mtime_ns: int = 0

    @property
    def is_listed_only(self) -> bool:
        """Say whether this is a file whose name is known and whose content is not."""
        return self.kind == "file" and self.sha256 is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference between the base and the guest's overlay.

    `before` and `after` are None where there is nothing (created, deleted).
    """

    path: str
    operation: Operation
    before: Entry | None
    after: Entry | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """All that a workspace changed against its base, ordered by path.

    `refused`: entries the guest offered and the host did not take, path → reason. The content of
    every `after` file is in the blob store under its digest.
    """

    changes: tuple[Change, ...]
    refused: Mapping[str, str] = field(default_factory=dict)


HELD = "connector:"
"""Begins the path of a source that came from a connector and that the host keeps; no granted folder's name has a colon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A recorded source location.

    `id`: unique within the thread. `source`: sha256 of the file that was read. `path`: its workspace
    path. `locator`: such as `{"page": 3, "paragraph": 12}` or `{"sheet": "PL", "cell": "C7"}`, counted
    from 1. `quote`: the words there. `value`, `unit`: a figure as a decimal string and its unit.
    """

    id: str
    source: Digest
    path: str
    locator: Mapping[str, int | str]
    quote: str = ""
    value: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """A file that came in a connector's answer, as the host keeps it. `media`: as its first bytes say, "" where they say nothing."""

    name: str
    size: int
    sha256: Digest
    media: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A statement of a deliverable that points to evidence. `text`: the words in the deliverable.

    `formula`: of a number, how it follows from the evidence, its first item called `e1`, such as `e1 / e2 - 1`;
    empty: it is one of the figures themselves.
    """

    text: str
    evidence: tuple[str, ...]
    kind: Literal["quote", "number", "statement"] = "quote"
    formula: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliverable:
    """A file that a run presents as its result.

    `path`: workspace path. `role`: what it is to its profession, such as `redline` or `memo`;
    validators choose by it. `sources`: role → workspace path of the originals it was made from, such
    as `{"original": "contracts/nda.docx"}`. `data`: JSON that the gates of its profession need.
    """

    path: str
    title: str
    role: str = "document"
    sources: Mapping[str, str] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def asks_rendering(self) -> bool:
        """Say whether its pages are to be looked at in the clean room: `data` has `render` true, or `pages`."""
        return self.data.get("render") is True or "pages" in self.data


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierResults:
    """What earlier machines of a thread presented and the user has not applied yet.

    `presented`: plugin → what its own tools said of files that are still changed, by path, the last word each.

    `originals`: the files that these were made from, as the host holds them.
    """

    presented: Mapping[str, tuple[Deliverable, ...]]
    originals: tuple[Entry, ...]
