"""The tool that looks for secrets in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deskmate.plugin import ToolContext, ToolInputError
from deskmate_engineering.secrets import find_secrets

FILE_LIMIT_BYTES = 2 * 1024 * 1024
FILES_LIMIT = 20_000
FOUND_LIMIT = 200
SKIPPED = frozenset((".git", "node_modules", ".venv", "__pycache__"))


def secrets_scan(context: ToolContext, path: str = "") -> dict[str, Any]:
    """Look for keys, tokens and passwords in the text files of a folder; they are shown masked only.

    Looks at files as they are, not at git's history. A find is a lead: some are test data.

    Args:
        context: filled in by Deskmate.
        path: workspace path of a file or folder; empty for the whole workspace.

    Returns:
        `found`: list of {file, line, kind, masked}, at most 200, `count`: of all. `files`: how many were
        read. `skipped`: binary files, files over 2 MiB and links, left out.

    Raises:
        ToolInputError: no such path, or more than 20,000 files.
    """
    root = context.target(path) if path else context.workspace
    if not root.exists():
        raise ToolInputError(f"{path} is not in the workspace.")
    found: list[dict[str, Any]] = []
    read = skipped = 0
    for file in [root] if root.is_file() else _files(root):
        data = (
            b""
            if file.is_symlink() or file.stat().st_size > FILE_LIMIT_BYTES
            else file.read_bytes()
        )
        if not data or b"\0" in data[:8192]:
            skipped += 1
            continue
        read += 1
        name = context.name_of(file)
        found += [
            {"file": name, "line": s.line, "kind": s.kind, "masked": s.masked}
            for s in find_secrets(data.decode("utf-8", "replace"))
        ]
    lines = [f"- {f['file']}:{f['line']} {f['kind']}: {f['masked']}" for f in found[:FOUND_LIMIT]]
    summary = "\n".join(lines) or "Nothing that looks like a secret."
    return {
        "count": len(found),
        "found": found[:FOUND_LIMIT],
        "files": read,
        "skipped": skipped,
        "summary": summary,
    }


def _files(root: Path) -> list[Path]:
    files: list[Path] = []
    for path in sorted(root.rglob("*")):
        if SKIPPED & set(path.relative_to(root).parts) or not path.is_file():
            continue
        files.append(path)
        if len(files) > FILES_LIMIT:
            raise ToolInputError(f"There are more than {FILES_LIMIT} files; name a folder inside.")
    return files
