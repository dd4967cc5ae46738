"""Connectors as the user keeps them: where a server is, what it was seen to offer, what its tools may do; and a thread's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from deskmate.types.ids import Digest, ToolUseId
from deskmate.types.network import NetworkRule
from deskmate.types.policy import Decision
from deskmate.types.registry import Risk

OWNER = "connector."
"""Begins the owner of a connector's secrets; no plugin's name has a dot, so none can ask for them."""
PLUGIN = "connector--"
"""Begins the name by which a machine knows a connector's program; no plugin's name has two hyphens."""
Transport = Literal["http", "stdio"]
Kind = Literal["tool", "prompt", "resource"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretHeader:
    """A header that the host adds to each request. `secret`: its name in the vault. `scheme`: such as Bearer."""

    name: str
    secret: str
    scheme: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteTool:
    """A tool as its server describes it. Untrusted. `hints`: what it says of itself; no policy follows them.

    `kind`: whether it is a tool, a prompt of the server, or one of the two by which its resources are listed and read.
    """

    name: str
    title: str = ""
    description: str = ""
    input_schema: Mapping[str, Any] = field(default_factory=dict)
    output_schema: Mapping[str, Any] | None = None
    hints: Mapping[str, bool] = field(default_factory=dict)
    kind: Kind = "tool"


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedTool:
    """A tool as the user accepted it. `wire`: its name for the model. `digest`: of the whole definition."""

    tool: RemoteTool
    wire: str
    digest: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSetting:
    """What the user says of a tool. `risk`: what it does; a server's own word on that does not count."""

    decision: Decision | None = None
    risk: Risk = "write"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretVariable:
    """A variable of a program that holds a stand-in; the host puts the secret there in requests to `send_to`."""

    name: str
    send_to: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A server that is a program. `command`: its words in the virtual machine, in which `{python}` and `{packages}` stand.

    `packages`: what was installed, `name version` → integrity as its registry has it. `wheels`: files below `folder` →
    sha256; they and nothing else are brought into the machine. `main`: the one of them that names the layer. `hosts`: what
    it may reach. `environment`: plain variables of it. `keeps`: it has a folder of its own that stays from run to run. `folders`: name in the
    machine → absolute path of a folder of the user's that it gets copies of; what it does to them is gone with the machine.
    """

    command: tuple[str, ...]
    packages: Mapping[str, str]
    wheels: Mapping[str, str]
    folder: str
    main: str
    version: str
    hosts: tuple[NetworkRule, ...] = ()
    secrets: tuple[SecretVariable, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    keeps: bool = False
    folders: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorEntry:
    """One connector. `url`: of the server; of a program, its package: `pypi:NAME==VERSION`. `server`, `protocol`: what it called itself, and spoke, when last asked.

    `categories`: what texts may call it as `~~category`. `headers`: filled from the vault. `login`: it wants a login by
    OAuth. `settings`: by the server's name of a tool. `off`: server's name of a tool → why it is not offered.
    `of`: the plugin that brought it. `timeout_s`: of one call. `program`: what is started, where `transport` is `stdio`.
    """

    name: str
    url: str
    transport: Transport = "http"
    categories: tuple[str, ...] = ()
    headers: tuple[SecretHeader, ...] = ()
    login: bool = False
    tools: tuple[PinnedTool, ...] = ()
    settings: Mapping[str, ToolSetting] = field(default_factory=dict)
    off: Mapping[str, str] = field(default_factory=dict)
    server: str = ""
    protocol: str = ""
    of: str = ""
    timeout_s: int = 60
    program: Program | None = None

    @property
    def owner(self) -> str:
        """Whose its secrets are, in the vault."""
        return f"{OWNER}{self.name}"

    @property
    def plugin(self) -> str:
        """The name by which a machine knows its program."""
        return f"{PLUGIN}{self.name}"

    def setting(self, tool: str) -> ToolSetting:
        """Return what the user says of a tool, by the server's name."""
        return self.settings.get(tool, ToolSetting())

    def offered(self) -> tuple[PinnedTool, ...]:
        """Return the tools that a thread may be offered: accepted, not changed since, not blocked."""
        return tuple(
            pin
            for pin in self.tools
            if pin.tool.name not in self.off and self.setting(pin.tool.name).decision != "deny"
        )

    def with_setting(self, tool: str, setting: ToolSetting) -> ConnectorEntry:
        """Return the connector with another word of the user on a tool."""
        return replace(self, settings={**self.settings, tool: setting})


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a server asks the user in the middle of a call. Untrusted.

    `message`, `schema`: as the server put it. `text`: as the user is shown it; two that differ in it alone are the same.
    """

    connector: str = ""
    message: str = ""
    schema: Mapping[str, Any] = field(default_factory=dict)
    text: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A server's question and what the user said to it, None as long as they have not."""

    question: Question
    answer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorAsked:
    """A server wants to know something of the user before it does a call; it was told that nobody can say it now.

    The user's next message is the answer, and has the call made again.
    """

    tool_use_id: ToolUseId
    question: Question = field(default_factory=Question)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorsSet:
    """The thread's connectors from now on: name → digest of the definitions of its tools that the user accepted."""

    connectors: Mapping[str, Digest]
