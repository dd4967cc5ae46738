"""What plugins bring: the manifest the host reads, and the registry the guest reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from deskmate.types.foreign import ForeignPlace, ForeignText
from deskmate.types.ids import Digest

Risk = Literal["read", "write", "send"]
Origin = Literal["deskmate", "pip", "source", "store", "brought"]
"""Where a plugin comes from: with Deskmate, installed by pip, pip's link to a source folder, the plugin store as a
wheel, or there in another program's format."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRule:
    """A host that a plugin wants to reach, with methods and the reason shown to the user."""

    host: str
    methods: tuple[str, ...] = ("GET", "HEAD")
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRule:
    """A secret that a plugin wants sent, only ever by the host, to the named hosts."""

    name: str
    why: str
    send_to: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A plugin's static `plugin.toml`, checked against its schema."""

    api: str
    title: str
    summary: str
    tools: Mapping[str, Risk] = field(default_factory=dict)
    validators: Mapping[str, bool] = field(default_factory=dict)
    skills: tuple[str, ...] = ()
    hosts: tuple[HostRule, ...] = ()
    secrets: tuple[SecretRule, ...] = ()
    config: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    guest_packages: tuple[str, ...] = ()
    guest_system_packages: tuple[str, ...] = ()
    connectors: tuple[str, ...] = ()
    memory_mib: int = 384
    timeout_s: int = 120
    data_classes: tuple[str, ...] = ()
    order: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledPlugin:
    """A plugin found in the environment, without importing it.

    `files`: path in the layer (below the plugin's import root) → absolute host path.
    `editable`: read from a source tree instead of an installation's RECORD. `wheels`: guest packages that
    the plugin store holds, file → sha256; None where they are resolved when a layer is built. `foreign`: it is
    in another program's format, has no code of ours, and lies there. `warm`: arguments of its tool `warm`, which is
    called once before a machine with it is frozen; None: it has no such tool.
    """

    name: str
    package: str
    distribution: str
    version: str
    manifest: Manifest
    files: Mapping[str, str]
    editable: bool = False
    dependencies: tuple[str, ...] = ()
    origin: Origin = "pip"
    wheels: Mapping[str, str] | None = None
    foreign: ForeignPlace | None = None
    warm: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSpec:
    """A prompt block. `plugin` is the plugin's name."""

    plugin: str
    name: str
    text: str
    order: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """A tool as the model and the policy see it. `name` is the wire name `<plugin>__<tool>`.

    `reads`: which files of the granted folders it looks at, as `deskmate.plugin.Tool` says; None: any.
    `offered`: kinds of files that make it worth its place in a request, as there; None: any thread.
    `office`: when it takes a machine of flavour `office`, as there: "always", or with that argument; "": never.
    `definition`: of a connector's tool, the digest of what the user accepted; only the host says so, never a guest.
    """

    plugin: str
    name: str
    title: str
    description: str
    input_schema: Mapping[str, Any]
    risk: Risk
    timeout_s: int = 120
    reads: tuple[str, ...] | None = None
    offered: tuple[str, ...] | None = None
    office: str = ""
    definition: Digest | None = None

    def wants_office(self, arguments: Mapping[str, Any]) -> bool:
        """Say whether a call with these arguments takes a machine that renders, recalculates and recognizes."""
        return self.office == "always" or bool(self.office and arguments.get(self.office))


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillSpec:
    """A skill. `body` is SKILL.md without its front matter; `procedure` is procedure.toml or None.

    `triggers`: lower-case words or phrases; all words of one trigger in a request call the skill. `foreign`: it is
    of another format, and its text is filled in when it is read; only the host says so, never a guest.
    """

    plugin: str
    name: str
    description: str
    body: str
    triggers: tuple[str, ...] = ()
    procedure: Mapping[str, Any] | None = None
    foreign: ForeignText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleSpec:
    """A sub-agent's role, as a plugin in another format describes it. Untrusted text; only the host says so, never a guest.

    `tools`: the only ones that it may use, by our names; None: all that sub-agents have. `without`: those that it may not. `model`:
    the one that its author had in mind.
    """

    plugin: str
    name: str
    description: str
    text: str
    tools: tuple[str, ...] | None = None
    without: tuple[str, ...] = ()
    model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSpec:
    """An output validator. `roles`: deliverable roles it looks at, empty for all."""

    plugin: str
    rule: str
    title: str
    roles: tuple[str, ...] = ()
    gate: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """All that one set of plugins brings, in the order that the model sees. Untrusted text.

    `lock`: digest of the set it was made from. `code`: of all that runs beside it, Deskmate's own guest
    code and the image too; None where nothing runs. The host says it, never the guest, and so with `roles`.
    """

    lock: Digest
    prompts: tuple[PromptSpec, ...] = ()
    tools: tuple[ToolSpec, ...] = ()
    skills: tuple[SkillSpec, ...] = ()
    rules: tuple[RuleSpec, ...] = ()
    problems: tuple[str, ...] = ()
    code: Digest | None = None
    roles: tuple[RoleSpec, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A read-only disk that holds Deskmate's guest code and a set of plugins.

    `digest`: of its content, not of the disk file. `disk`: absolute path of the EROFS file. `lock`:
    digest of the set. `plugins`: names in order, built-in ones first. `manifests`: name → manifest. `skills`: those of
    plugins in other formats, read on the host. `warm`: plugin → arguments of its tool `warm`, to be called before a freeze.
    """

    digest: Digest
    disk: str
    lock: Digest
    plugins: tuple[str, ...]
    versions: Mapping[str, str]
    manifests: Mapping[str, Manifest]
    skills: tuple[SkillSpec, ...] = ()
    warm: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
