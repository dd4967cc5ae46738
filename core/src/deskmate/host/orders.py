"""What a front door asks for, and what it is told at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deskmate.errors import UserError
from deskmate.types.events import FinishReason
from deskmate.types.files import ApplyMode, Deliverable, Grant, GrantMode
from deskmate.types.findings import Finding
from deskmate.types.ids import Digest, RunId, ThreadId
from deskmate.types.limits import Limits, Usage
from deskmate.types.network import NetworkRule
from deskmate.types.policy import Rule


def grant_for(folder: Path, mode: GrantMode = "rw") -> Grant:
    """Return the grant of a folder. Raises UserError if it is not there."""
    folder = folder.expanduser().absolute()
    if not folder.exists():
        raise UserError(f"{folder} does not exist.", hint="Name a folder that is there.")
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder.", hint=f"Its folder is {folder.parent}")
    return Grant(name=folder.name or "root", folder=str(folder), mode=mode)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unattended:
    """How questions are answered where nobody is there.

    `given`: the user's answers, by the digest of the arguments. `allowed`: (tool, target) that the user agreed to
    beforehand; `agreed_in`: where, for the log. `otherwise`: the answer to all else, None: it waits for the user;
    `by`: whose word that is. `once`: the request is said only if the thread has none yet, so that a run that was
    begun twice is one run.
    """

    given: Mapping[Digest, bool] = field(default_factory=dict)
    allowed: tuple[Rule, ...] = ()
    agreed_in: str = ""
    otherwise: bool | None = None
    by: str = ""
    once: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrder:
    """What a front door asks for. Without `text` an interrupted or parked run goes on.

    `plugins`, `grants`, `hosts` and `connectors` are added to what the thread has. `model`: None keeps the thread's last.
    `project`: the thread's project from now on, by id or name; empty: it stays as it is.
    `record`: file that gets the model's answers, for `replay:FILE`. `unattended`: nobody watches; None: somebody does.
    `web`: whether pages may be read at addresses that stand in the thread, None: as before. `queued`: the message that waited and is said now, if `text` is one. `attachments`: uploads that go with the text; `attached`:
    files that do and are in a folder of the thread's own already, which is the last grant.
    """

    text: str = ""
    model: str | None = None
    plugins: tuple[str, ...] = ()
    grants: tuple[Grant, ...] = ()
    limits: Limits = field(default_factory=Limits)
    apply: ApplyMode = "review"
    record: Path | None = None
    hosts: tuple[NetworkRule, ...] = ()
    web: bool | None = None
    project: str = ""
    connectors: tuple[str, ...] = ()
    unattended: Unattended | None = None
    queued: str = ""
    attachments: tuple[str, ...] = ()
    attached: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How a run ended. `answer`: the model's last words. `staged`: changes wait for a review.

    `applied`: one line that says what was written, empty if nothing was. `usage`: of this run.
    """

    thread: ThreadId
    run: RunId
    reason: FinishReason
    text: str = ""
    answer: str = ""
    label: str = ""
    deliverables: tuple[Deliverable, ...] = ()
    findings: tuple[Finding, ...] = ()
    staged: bool = False
    applied: str = ""
    usage: Usage = field(default_factory=Usage)
