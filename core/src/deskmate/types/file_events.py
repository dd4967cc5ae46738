"""Facts about files: as they were found, as the machine left them, checked, signed, applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deskmate.types.files import Deliverable
from deskmate.types.findings import Finding
from deskmate.types.ids import Digest, RunId


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseTaken:
    """The granted folders were listed. `manifest`: blob with the entries; small folders' content is in blobs."""

    manifest: Digest
    files: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentTaken:
    """Files of the base were read when first needed. `manifest`: blob with their entries as they then were.

    These replace the base's. `lost`: path → why it could not be read; it is no longer in the base.
    """

    manifest: Digest
    files: int
    size: int
    lost: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointMade:
    """The overlay's difference and the home folder are in blobs. `manifest`: blob with their list."""

    manifest: Digest
    files: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesStaged:
    """The run's change set. `difference`: blob; counts for people."""

    run: RunId
    difference: Digest
    created: int
    modified: int
    deleted: int
    refused: Mapping[str, str] = field(default_factory=dict)
    deliverables: tuple[Deliverable, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Validated:
    """The clean room's verdict. `inputs`: digest over deliverables, sources and rules."""

    run: RunId
    inputs: Digest
    rules: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    passed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverableSigned:
    """A person signed a deliverable: these very bytes, no other version. `path`: in the workspace.

    `name`, `role`: as they gave them; who sits at the machine is not known to it. `run`: whose deliverable it is.
    """

    run: RunId
    path: str
    sha256: Digest
    name: str
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyStarted:
    """Intent: a plan of file changes is about to be carried out. `plan`: blob.

    `by`: `user`, or `policy` where the thread's mode applies without a review; empty in old logs.
    """

    plan: Digest
    undo_of: Digest | None = None
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyFinished:
    """The plan was carried out whole (`applied`) or not at all. `text`: why not.

    `left`: how many changes of the set stay staged; None for an undo, and in old logs.
    """

    plan: Digest
    applied: bool
    text: str = ""
    left: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesDiscarded:
    """The user threw a change set away, or these paths of it; its content stays in blobs until collected.

    `left`: how many changes of the set stay staged, None where that is not known.
    """

    difference: Digest
    paths: tuple[str, ...] = ()
    left: int | None = None
