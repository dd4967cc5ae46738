"""Files of the workspace: what is a contract, what is our own output, which playbook counts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from deskmate.plugin import ToolContext, ToolInputError
from deskmate_legal.playbook import Playbook, load_playbook

CONTRACT_SUFFIXES = (".docx", ".pdf", ".txt")
_OUTPUT = re.compile(
    r" - (?:redline|memo|comparison|authorities|deadlines|signature check|redacted)(?: \d+)?\.(?:docx|pdf)$|^privilege screen(?: \d+)?\.docx$",
    re.IGNORECASE,
)
_PLAYBOOK = re.compile(r"playbook", re.IGNORECASE)


def candidates(workspace: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """Yield the files with one of the suffixes, sorted; hidden files, locks and our outputs left out."""
    for path in sorted(workspace.rglob("*")):
        parts = path.relative_to(workspace).parts
        if any(part.startswith((".", "~$")) for part in parts) or _OUTPUT.search(path.name):
            continue
        if path.suffix.lower() in suffixes and path.is_file() and not path.is_symlink():
            yield path


def find_playbook(context: ToolContext, request: str = "") -> str:
    """Return the workspace path of the user's playbook, "" for the one that comes with the plugin.

    Raises:
        ToolInputError: there are several and the request names none.
    """
    configured = str(context.config.get("playbook", "") or "")
    if configured:
        return context.name_of(context.file(configured))
    found = [
        path
        for path in candidates(context.workspace, (".yaml", ".yml"))
        if _PLAYBOOK.search(path.name)
    ]
    if len(found) > 1:
        found = [p for p in found if mentioned(p, request)] or found
    if len(found) > 1:
        names = ", ".join(context.name_of(path) for path in found[:5])
        raise ToolInputError(
            f"There are {len(found)} playbooks: {names}. Name one in the request or the settings."
        )
    return context.name_of(found[0]) if found else ""


def open_playbook(context: ToolContext, path: str) -> tuple[Playbook, str]:
    """Return the playbook and its workspace path; "" as path means: the user's if there is one."""
    name = path or find_playbook(context)
    return load_playbook(context.file(name) if name else None), name


def mentioned(path: Path, request: str) -> bool:
    """Say whether a request names the file, with or without its ending."""
    text = " ".join(request.lower().split())
    stem = path.stem.lower()
    return path.name.lower() in text or (
        len(stem) > 3 and re.search(rf"(?<!\w){re.escape(stem)}(?!\w)", text) is not None
    )


def beside(context: ToolContext, path: str, what: str, target: str = "") -> str:
    """Return the workspace path for a result: `target`, or "<name> - <what>.docx" next to the file.

    Raises:
        ToolInputError: the target is no DOCX, leaves the workspace or would replace the original.
    """
    if not target:
        folder, _, name = path.rpartition("/")
        stem = name.rsplit(".", 1)[0] if "." in name else name
        target = f"{folder}/{stem} - {what}.docx" if folder else f"{stem} - {what}.docx"
    if not target.lower().endswith(".docx"):
        raise ToolInputError(f"{target}: the result is a Word document; its name ends in .docx.")
    real = context.target(target)
    if real == context.target(path):
        raise ToolInputError(f"{target} is the original; give the result another name.")
    return context.name_of(real)


def sha256(path: Path) -> str:
    """Return a file's sha256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
