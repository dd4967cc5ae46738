"""What pip did besides installing: code that may have run, or runs, outside the virtual machine."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from deskmate.discovery.installed import OWN_DISTRIBUTION
from deskmate.discovery.metadata import (
    Installed,
    direct_url,
    entry_points,
    installed_with_plugins,
    is_editable,
    normalise,
    read_bounded,
)
from deskmate.discovery.record import read_record
from deskmate.errors import PluginError

NoteKind = Literal["startup", "script", "built", "unrecorded"]
_ARCHIVES = (".tar.gz", ".zip", ".tar.bz2", ".tgz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One thing that pip did on the host for a plugin's distribution.

    `startup`: a `.pth` with code, run at every start of this Python. `script`: a command that pip
    installed. `built`: its build ran code here. `unrecorded`: it cannot be known what it installed.
    """

    kind: NoteKind
    distribution: str
    what: str


def audit(path: Sequence[str] | None = None) -> tuple[Note, ...]:
    """Return what the plugin distributions of `path` (default `sys.path`) brought besides, in order.

    A distribution that pip built from an index's source archive leaves no trace of it: such builds
    are named only where pip recorded a folder, repository or archive.
    """
    notes: list[Note] = []
    for installed in installed_with_plugins(sys.path if path is None else path):
        if normalise(installed.name) != OWN_DISTRIBUTION:
            notes.extend(_notes(installed))
    return tuple(notes)


def _notes(installed: Installed) -> Iterable[Note]:
    for kind, what in (*_built(installed), *_scripts(installed), *_startup(installed)):
        yield Note(kind=kind, distribution=installed.label, what=what)


def _built(installed: Installed) -> Iterable[tuple[NoteKind, str]]:
    origin = direct_url(installed.info)
    url = str(origin.get("url", ""))
    if is_editable(installed.info):
        yield "built", f"its build ran here, editable, from {url or installed.site}"
    elif "dir_info" in origin or "vcs_info" in origin or url.endswith(_ARCHIVES):
        yield "built", f"its build ran here, from {url}"


def _scripts(installed: Installed) -> Iterable[tuple[NoteKind, str]]:
    groups = entry_points(installed.info)
    for group in ("console_scripts", "gui_scripts"):
        for name, target in groups.get(group, ()):
            yield "script", f"the command {name} ({target})"


def _startup(installed: Installed) -> Iterable[tuple[NoteKind, str]]:
    try:
        record = read_record(installed.info)
    except PluginError as error:
        yield "unrecorded", error.message
        return
    for line in record:
        at_top = "/" not in line.path and line.path.endswith(".pth")
        if at_top and (runs := _code_lines(installed.site / line.path)):
            yield "startup", f"{line.path} runs at every start of Python: {runs}"


def _code_lines(file: Path) -> str:
    try:
        text = read_bounded(file, 1 << 20).decode("utf-8", "replace")
    except (OSError, PluginError) as error:
        return str(error)
    lines = [line for line in text.splitlines() if line.startswith(("import ", "import\t"))]
    return "; ".join(lines)[:200]
