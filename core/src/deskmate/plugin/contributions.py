"""What hooks return: prompts, tools, skills and output validators."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deskmate.plugin.contexts import ValidationContext
from deskmate.types.files import Deliverable, Evidence
from deskmate.types.findings import Finding
from deskmate.types.registry import Risk


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """Text for the system prompt while the plugin is enabled.

    All prompts of a plugin together may cost 2,000 tokens. `order`: lower comes first.
    """

    name: str
    text: str
    order: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool: an ordinary typed function with a Google-style docstring.

    Name, JSON Schema and parameter texts come from the function: the first paragraph of its docstring
    tells the model what it does and when to use it, `Args:` describes each parameter. A parameter
    annotated `ToolContext` is filled in by Deskmate and not part of the schema. The function returns
    JSON (dict, list, str, number) or a `ToolAnswer`; it raises ToolError (or ToolInputError) for what
    the model should be told. `risk` must be the one in plugin.toml.

    `reads`: which files of the granted folders it looks at; large folders are copied into the virtual
    machine only as far as tools need them. None (the default): it may look at any, so all are copied in
    before it runs. A tuple: files that its arguments or its plugin's settings name, and besides
    `"*.docx"` files by name (or by path where the pattern has a `/`), `"{path}"` the file or folder that
    the argument `path` names, everything where it is empty. Other files may not be there for it.

    `offered`: kinds of files, such as `(".pdf",)`: the model is offered the tool once the thread has such a file,
    or once it has read a skill of that name (`pdf`). None (the default): always. An empty tuple: never, because
    the program itself calls it. A tool that is not offered still runs when it is called.

    `office`: it renders, recalculates or recognizes, which takes an image of flavour `office`: "always", or the name of
    the argument that asks for it, such as `ocr`. The thread's machine is of that flavour from such a call on, where the
    image was built; without it the tool is called all the same, and says what it lacks.
    """

    function: Callable[..., Any]
    risk: Risk = "read"
    timeout_s: int = 120
    reads: tuple[str, ...] | None = None
    offered: tuple[str, ...] | None = None
    office: str = ""

    @property
    def name(self) -> str:
        """The function's name; on the wire it is `<plugin>__<name>`."""
        return self.function.__name__


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolAnswer:
    """A tool's result with what it recorded on the way.

    `result`: JSON that the model sees. `evidence`: source locations it read, ids unique in the answer.
    `deliverables`: files it made that are results for the user; validators will check them. `pictures`: content of at
    most 3 PNG or JPEG files of at most 112 KiB each that the model is to look at; a longer edge over 1,568 pixels is wasted.
    """

    result: Any
    evidence: tuple[Evidence, ...] = ()
    deliverables: tuple[Deliverable, ...] = ()
    pictures: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillSource:
    """A folder in the Agent Skills format: SKILL.md, and procedure.toml if rules can do the job."""

    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Validator:
    """An output validator: one rule, run in the clean room over each deliverable it fits.

    `rule`: stable id in capitals, such as `LEGAL-REJECT-ALL`; it must stand in plugin.toml. `roles`:
    deliverable roles it looks at; empty for all. `title`: what it makes sure of, in one sentence.
    A function that raises or takes too long counts as an error finding.
    """

    rule: str
    title: str
    function: Callable[[Deliverable, ValidationContext], Iterable[Finding]]
    roles: tuple[str, ...] = ()
