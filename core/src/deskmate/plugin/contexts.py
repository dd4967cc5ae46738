"""What a hook, a tool and a validator are told about where they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deskmate.errors import ContentMissing, ToolInputError
from deskmate.types.files import Deliverable, Evidence

_NAME_BYTES, _PATH_LETTERS = 255, 1_000
API_VERSION = "1.0"
"""The version of this API, as manifests name it in `api = ">=1,<2"`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginContext:
    """What hooks get, once, when the template is made.

    `name`: the plugin's name. `version`: of its distribution. `resources`: folder of its package, for
    prompts and skills. `api`: version of this API.
    """

    name: str
    version: str
    resources: Path
    api: str = API_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext:
    """What a tool gets if it has a parameter annotated `ToolContext`.

    `workspace`: the folder that holds the granted folders; every path a tool takes is relative to it.
    `home`: for the built-in workspace tools the agent's folder, kept in checkpoints, never shown to the
    user as a change; for every other plugin a folder of its own, gone with the machine.
    `config`: the plugin's settings, defaults filled in. `resources`: the plugin's package folder.
    `listed`: workspace path → bytes of the files whose content is not there yet; they are not in the
    folders either. `file` and `target` have the host bring such a file; see `Tool.reads`.
    `results`: workspace path → what this plugin's tools presented there in earlier machines of the thread, without its
    claims, as long as the user has not applied it; a tool that goes on with its own result reads there what it said of
    it. The file may have changed since. `originals`: folder of what those results were made from; see `original`.
    """

    workspace: Path
    home: Path
    resources: Path
    config: Mapping[str, Any] = field(default_factory=dict)
    on_progress: Callable[[str], None] = lambda line: None
    listed: Mapping[str, int] = field(default_factory=dict)
    results: Mapping[str, Deliverable] = field(default_factory=dict)
    originals: Path | None = None

    def original(self, path: str) -> Path | None:
        """Return the file that an earlier result was made from, as the host holds it; None if it is not here.

        Args:
            path: workspace path, one of the result's `sources`.
        """
        if self.originals is None:
            return None
        real = (self.originals / path).resolve()
        return real if real.is_relative_to(self.originals.resolve()) and real.is_file() else None

    def file(self, path: str) -> Path:
        """Return the real path of an existing workspace file.

        Args:
            path: relative to the workspace, such as `contracts/nda.docx`; `/workspace/…` works too.

        Raises:
            ToolInputError: it is not there, is not a regular file, or leaves the workspace.
        """
        real = self.target(path)
        if not real.is_file():
            raise ToolInputError(
                f"{path} is not a file in the workspace; list it with workspace__glob."
            )
        return real

    def target(self, path: str) -> Path:
        """Return the real path for a file to be written; its folder is inside the workspace.

        Raises:
            ToolInputError: it would leave the workspace, or no file can have such a name.
            ContentMissing: there is such a file, and its content is not here yet.
        """
        text = path.removeprefix("/workspace/")
        _check_name(text)
        real = (self.workspace / text).resolve()
        top = self.workspace.resolve()
        if not real.is_relative_to(top):
            raise ToolInputError(f"{path} is outside the workspace.")
        if self.listed:
            self._need(real.relative_to(top).as_posix(), real)
        return real

    def _need(self, name: str, real: Path) -> None:
        if name in self.listed and not real.exists():
            raise ContentMissing(
                f"{name} has not been copied into the virtual machine yet.", paths=(name,)
            )

    def name_of(self, real: Path) -> str:
        """Return the workspace path of a real path."""
        return real.resolve().relative_to(self.workspace.resolve()).as_posix()


def _check_name(path: str) -> None:
    """Raise ToolInputError for a path that the system itself would refuse with an error of its own."""
    try:
        parts = path.encode().split(b"/")
    except UnicodeEncodeError as error:
        raise ToolInputError(f"{path[:60]!r} is not a name that a file can have.") from error
    if "\0" in path or max(map(len, parts)) > _NAME_BYTES or len(path) > _PATH_LETTERS:
        raise ToolInputError(
            f"{path[:60]!r}… is not a name that a file can have: too long, or NUL."
        )


class Sources:
    """The originals that the host holds, as a clean room sees them."""

    def __init__(self, files: Mapping[str, Path], digests: Mapping[str, str]) -> None:
        """`files`: workspace path → real path in the clean room. `digests`: workspace path → sha256."""
        self._files = dict(files)
        self._digests = dict(digests)

    def __contains__(self, path: str) -> bool:
        """Say whether the host held this original."""
        return path in self._files

    def __iter__(self) -> Iterator[str]:
        """Yield the workspace paths, sorted."""
        return iter(sorted(self._files))

    def file(self, path: str) -> Path | None:
        """Return the original's file, or None if the host never held it (then: UNVERIFIED)."""
        return self._files.get(path)

    def digest(self, path: str) -> str | None:
        """Return the original's sha256, or None."""
        return self._digests.get(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationContext:
    """What a validator gets, in the clean room.

    `file`: the deliverable's own file. `sources`: the originals from the host. `evidence`: what the
    run recorded, a claim to be re-derived, never believed. `facts`: what the host knows of the run
    (`date`: ISO date; `said`: the user's words; `unavailable`: granted files that could not be read; `hosts`: those
    that a request went to). `others`: workspace path → file of the run's other deliverables; `presented`: workspace
    path → what was said of them, claims to be checked as well.
    """

    file: Path
    sources: Sources
    evidence: tuple[Evidence, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    others: Mapping[str, Path] = field(default_factory=dict)
    presented: Mapping[str, Deliverable] = field(default_factory=dict)
    resources: Path = Path()
