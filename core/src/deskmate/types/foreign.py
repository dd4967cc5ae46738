"""What a plugin in another program's format brings: skills, commands, agents, hooks, connectors. Nouns only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from deskmate.types.hooks import RUN_EVENTS, TIMEOUT_S

Severity = Literal["error", "warning", "note"]
SkillKind = Literal["skill", "command"]
ForeignKind = Literal["claude-plugin", "agent-skills"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """What was found odd on reading. `code`: stable. `path`: in the plugin. `cure`: what its author can do.

    error: that part is left out. warning: it may not be read as it was meant. note: worth knowing.
    """

    code: str
    severity: Severity
    path: str
    message: str
    cure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignSkill:
    """A skill, or a command, which is a skill in one file. `path`: of its text, in the plugin.

    `hint`: what its arguments are. `names`: of its arguments, in order. `listed`: the model may choose it by
    itself. `by_user`: it is meant to be called by `/name`. `tools`: those it says it uses, as it names them.
    `extra`: all else that its front matter says.
    """

    name: str
    kind: SkillKind
    path: str
    description: str
    hint: str = ""
    names: tuple[str, ...] = ()
    listed: bool = True
    by_user: bool = True
    tools: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentProfile:
    """A sub-agent's role: whom the text in `path` describes. `tools`: as its author names them."""

    name: str
    path: str
    description: str
    model: str = ""
    tools: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignHook:
    """Something that the plugin wants done at a moment. Kept, off. `moment`: in our words, "" if there is none.

    `does`: as it is listed. `command`, `arguments`: the whole of it, where it is a command; None: a shell runs it. `condition`:
    narrows it to some tool uses. `waits`: what it answers decides.
    """

    event: str
    matcher: str
    kind: str
    does: str
    path: str
    moment: str = ""
    command: str = ""
    arguments: tuple[str, ...] | None = None
    condition: str = ""
    timeout_s: int = TIMEOUT_S
    waits: bool = True

    @property
    def whole(self) -> str:
        """The command as people read it."""
        return " ".join((self.command, *(self.arguments or ())))

    @property
    def runs(self) -> bool:
        """Say whether it can run here, once it is approved."""
        return not self.why_not

    @property
    def why_not(self) -> str:
        """Why it cannot run here, "" if it can."""
        if self.event not in RUN_EVENTS:
            return "there is no such moment here"
        if self.kind != "command":
            return "only commands are"
        if not self.command:
            return "its command is not known; read the plugin anew: deskmate plugin update"
        if self.arguments is None and "${user_config." in self.command:
            return "a setting in a shell's command could be a command itself"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorWanted:
    """A tool server that the plugin would like. Never started. `target`: address or command line, "": to be chosen.

    `variables`: that its settings refer to. `unpinned`: what it would start may be another thing tomorrow. `headers`: those
    that are a variable, perhaps after a scheme: `Bearer ${TOKEN}`.
    """

    name: str
    transport: str
    target: str = ""
    variables: tuple[str, ...] = ()
    unpinned: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A kind of tool that texts name as `~~placeholder`. `included`, `alternatives`: products by name."""

    name: str
    placeholder: str
    included: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignPlugin:
    """All of it, as read. `name`: as its author calls it. `settings`: userConfig. `setting_files`: path → convention.

    `not_used`: path → what of it Deskmate has no use for.
    """

    name: str
    kind: ForeignKind
    title: str = ""
    version: str = ""
    description: str = ""
    author: str = ""
    licence: str = ""
    homepage: str = ""
    skills: tuple[ForeignSkill, ...] = ()
    agents: tuple[AgentProfile, ...] = ()
    hooks: tuple[ForeignHook, ...] = ()
    connectors: tuple[ConnectorWanted, ...] = ()
    categories: tuple[Category, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    setting_files: Mapping[str, str] = field(default_factory=dict)
    not_used: Mapping[str, str] = field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignPlace:
    """Where the plugin store has such a plugin. `folder`, `overlay`: absolute. `digest`: of all its content.

    `listing`, `about`: sha256 of the store's own files about it. `entry`: what a marketplace said of it.
    `shown`: the version that its author gave, and how many skills it has. `source`: what it was added from.
    """

    folder: str
    overlay: str
    digest: str
    listing: str
    about: str
    entry: Mapping[str, Any] = field(default_factory=dict)
    own_name: str = ""
    kind: ForeignKind = "claude-plugin"
    skills: int = 0
    diagnostics: int = 0
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignText:
    """What reading a foreign skill's text needs. `folder`: of the skill in the guest. `owner`: its plugin's there.

    `listed`: it stands in the catalogue. `takes`: it says that it takes arguments. `setting_files`: the plugin's.
    """

    folder: str
    owner: str
    listed: bool = True
    takes: bool = False
    hint: str = ""
    names: tuple[str, ...] = ()
    categories: tuple[Category, ...] = ()
    setting_files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketEntry:
    """A plugin of a marketplace. `source`: in words. `folder`: in the marketplace, None: it must be fetched.

    `data`: the entry itself, which adds to the plugin's manifest or stands for it.
    """

    name: str
    source: str
    folder: str | None
    strict: bool = True
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marketplace:
    """A list of plugins. `renames`: old name → new one, "" where it is gone."""

    name: str
    entries: tuple[MarketEntry, ...] = ()
    renames: Mapping[str, str] = field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] = ()
