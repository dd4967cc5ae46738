"""Facts of a thread itself: what it is, what it has, and what the user set for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deskmate.types.files import Grant
from deskmate.types.ids import Digest, ThreadId, ToolUseId
from deskmate.types.memory import MemoryNote
from deskmate.types.network import NetworkRule, SecretGrant
from deskmate.types.policy import Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadCreated:
    """The first event of every thread."""

    thread: ThreadId
    title: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadForked:
    """The first event of a fork: `parent`'s events up to `seq` follow, with their times, in this log.

    `head`: the hash of the last of them in the parent's log. What comes after them is the fork's own.
    """

    thread: ThreadId
    parent: ThreadId
    seq: int
    head: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadRenamed:
    """The user gave the thread another title."""

    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadMarked:
    """Where the user wants the thread in lists: pinned on top, or archived out of sight."""

    pinned: bool = False
    archived: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginsSet:
    """The thread's enabled plugins from now on. `lock`: digest of the set; `versions`: name → version.

    `permissions`: name → digest of what the user let it do.
    """

    lock: Digest
    versions: Mapping[str, str]
    permissions: Mapping[str, Digest] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantsSet:
    """The thread's folders from now on."""

    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KindsSeen:
    """Kinds of files that are in the thread's folders and were not known before: suffixes such as `.pdf`.

    `*`: there are more files than were looked at, so that any kind may be there.
    """

    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTaken:
    """The words of a document, taken out of it in the machine for the search. `words`: blob of text, bounded.

    `sha256`: of the document, whose words do not change.
    """

    path: str
    sha256: Digest
    words: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectSet:
    """The thread's project from now on; an empty `project`: none.

    `instructions`: as they hold from now on. `grants`, `plugins`: what the thread has from the project, and
    not from the user directly.
    """

    project: str
    name: str = ""
    instructions: str = ""
    grants: tuple[Grant, ...] = ()
    plugins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySet:
    """What the user decided for the thread's tools from now on."""

    rules: Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSet:
    """What the thread may reach from now on, as the user agreed; everything else is refused.

    Byte budgets begin anew with it. `web`: pages may be read at addresses that stand in the user's words or in what a source answered.
    """

    rules: tuple[NetworkRule, ...]
    secrets: tuple[SecretGrant, ...] = ()
    web: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """The user had what is personal in these events removed for good. `why`: as the user put it."""

    seqs: tuple[int, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryTold:
    """The notes of the thread's project as the model is told them from now on; a note without text by its name only."""

    project: str
    notes: tuple[MemoryNote, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """The agent wrote a note into its project's memory.

    `confirmed`: it counts at once, since nothing of others had been read; else it waits for the user's word.
    """

    project: str
    name: str
    text: str
    confirmed: bool
    tool_use_id: ToolUseId

    @property
    def in_short(self) -> str:
        """What was done, in a line for people."""
        if self.confirmed:
            return f"Remembered for the project: {self.name}."
        return f"Noted for the project, not in force before you agree: {self.name}."
