"""What travels of a thread's log: each event as the page shows it; part of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from deskmate.types.events import FinishReason
from deskmate.types.events import Outcome as ToolEnd
from deskmate.types.findings import Finding

StepState = Literal["todo", "doing", "done"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of the agent's plan."""

    text: str
    state: StepState = "todo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The model wants a tool. `sentence`: in human words. `question`, `choices`: where it asks the user.

    `steps`: where it tells its plan. `arguments`: name → value as a short text.
    """

    id: str
    tool: str
    sentence: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    question: str = ""
    choices: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that is presented as a result."""

    path: str
    title: str
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A file that came in a connector's answer. `media`: of a picture that may be shown, else empty."""

    name: str
    size: int
    sha256: str
    media: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A picture that the model looked at beside a tool's answer. `media`: PNG or JPEG."""

    sha256: str
    media: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The user asked for something. `queued`: the message that had waited for it, if one did."""

    text: str
    model: str
    queued: str
    kind: Literal["said"] = "said"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cite:
    """Words of an answer that name a place in a source. `mark`: the words. `label`: to show behind them; empty: they say it.

    `source`: id of the evidence, empty where none was recorded there. `where`: page, paragraph, line, row, sheet, cell.
    """

    mark: str
    path: str
    label: str = ""
    source: str = ""
    where: Mapping[str, str] = field(default_factory=dict)
    quote: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replied:
    """The model's finished message. `cost_usd`: None where the price is not known. `cites`: in order."""

    text: str
    label: str
    calls: tuple[Call, ...]
    tokens: int
    cost_usd: float | None
    cites: tuple[Cite, ...] = ()
    kind: Literal["replied"] = "replied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A tool call began."""

    use: str
    kind: Literal["started"] = "started"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The result of a tool call. `text`: at most a few thousand characters of it; `cut`: there is more."""

    use: str
    outcome: ToolEnd
    text: str
    cut: bool
    files: tuple[File, ...]
    wrote: bool
    kept: tuple[Kept, ...] = ()
    pictures: tuple[Looked, ...] = ()
    kind: Literal["finished"] = "finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A call waits for the user. `use`, `arguments`: what an answer must name. `shown`: all that it would do."""

    use: str
    arguments: str
    title: str
    why: str
    shown: Mapping[str, str]
    sends: bool
    expires: str
    kind: Literal["asked"] = "asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The decision on one call. `by`: the user, or the deadline."""

    use: str
    arguments: str
    allow: bool
    by: str
    kind: Literal["answered"] = "answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """The run's changes wait for a review."""

    run: str
    created: int
    modified: int
    deleted: int
    files: tuple[File, ...]
    refused: Mapping[str, str]
    kind: Literal["staged"] = "staged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The clean room's verdict."""

    passed: bool
    rules: int
    findings: tuple[Finding, ...]
    kind: Literal["checked"] = "checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The run's honest end."""

    reason: FinishReason
    text: str
    kind: Literal["ended"] = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """A plan of file changes was carried out, or not. `plan`: names it for an undo."""

    plan: str
    undo: bool
    by: str
    applied: bool
    text: str
    left: int | None
    kind: Literal["applied"] = "applied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """One line of what happened beside the work. `level`: attention is for what the user should see."""

    text: str
    level: Literal["quiet", "attention"] = "quiet"
    kind: Literal["noted"] = "noted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What can be chosen. `value`: as it is sent; `label`: as it is shown."""

    value: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Blank:
    """One thing that a server's form asks for. `default`: as text, empty without one."""

    name: str
    title: str
    about: str
    kind: Literal["text", "number", "yes_no", "choice", "choices"]
    choices: tuple[Choice, ...]
    required: bool
    default: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A connector's server asks the user before it does a call. The user's next message is the answer. Untrusted."""

    use: str
    connector: str
    message: str
    problem: str
    blanks: tuple[Blank, ...]
    kind: Literal["wanted"] = "wanted"


Body = (
    Said
    | Replied
    | Started
    | Finished
    | Asked
    | Answered
    | Staged
    | Checked
    | Ended
    | Applied
    | Noted
    | Wanted
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One event of a thread's log as the page shows it."""

    seq: int
    time: str
    body: Body
