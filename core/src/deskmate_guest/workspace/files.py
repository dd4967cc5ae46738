"""Reads, writes and edits text files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deskmate.plugin import ToolContext, ToolInputError
from deskmate.types.wire import BROUGHT

_SNIFF_BYTES = 8192
_EDIT_LIMIT_BYTES = 20 << 20
_WINDOW_BYTES = 60_000
_LINE_CHARACTERS = 2_000


def read(path: str, context: ToolContext, offset: int = 1, limit: int = 1000) -> dict[str, Any]:
    """Read lines of a text file. For DOCX, XLSX, PPTX and PDF use the tools made for them.

    Args:
        path: file in the workspace, such as `notes/todo.md`, or under /home/agent.
        offset: first line, counted from 1.
        limit: at most this many lines.
        context: filled in by Deskmate.
    """
    real = _of_a_skill(path) or _existing(path, context)
    if offset < 1 or limit < 1:
        raise ToolInputError("offset and limit count from 1.")
    refuse_binary(real, path)
    lines: list[str] = []
    number, size, more = 0, 0, False
    with real.open(encoding="utf-8", errors="replace", newline=None) as stream:
        for number, line in enumerate(stream, start=1):
            if number < offset:
                continue
            if len(lines) == limit or size > _WINDOW_BYTES:
                more = True
                break
            text = line.rstrip("\n")
            cut = len(text) - _LINE_CHARACTERS
            lines.append(text if cut <= 0 else f"{text[:_LINE_CHARACTERS]}[… {cut} characters]")
            size += len(lines[-1].encode()) + 1
    if not lines and number and offset > number:
        raise ToolInputError(f"{path} has {number} lines; offset {offset} is behind its end.")
    result: dict[str, Any] = {"path": path, "first_line": offset, "text": "\n".join(lines)}
    if more:
        result["next_offset"] = offset + len(lines)
        result["note"] = f"There is more: read on with offset {offset + len(lines)}."
    return result


def write(path: str, content: str, context: ToolContext) -> dict[str, Any]:
    """Write a text file, making its folders; what was there is replaced.

    Args:
        path: file in the workspace, such as `reports/summary.md`, or under /home/agent.
        content: the whole new text.
        context: filled in by Deskmate.
    """
    real = _target(path, context)
    if real.is_dir():
        raise ToolInputError(f"{path} is a folder.")
    existed = real.exists()
    try:
        real.parent.mkdir(parents=True, exist_ok=True)
        real.write_text(content, encoding="utf-8", newline="")
    except OSError as error:
        raise ToolInputError(_why(path, error)) from error
    return {"path": path, "bytes": len(content.encode()), "replaced": existed}


def edit(
    path: str, old: str, new: str, context: ToolContext, replace_all: bool = False
) -> dict[str, Any]:
    """Replace a passage of a text file; everything else stays byte for byte.

    Args:
        path: file in the workspace.
        old: the passage exactly as it stands there, long enough to occur only once.
        new: what takes its place.
        replace_all: replace every occurrence.
        context: filled in by Deskmate.
    """
    real = _existing(path, context)
    if not old:
        raise ToolInputError("old is empty; use workspace__write for a new file.")
    if real.stat().st_size > _EDIT_LIMIT_BYTES:
        raise ToolInputError(
            f"{path} is over {_EDIT_LIMIT_BYTES >> 20} MiB; edit it with a program."
        )
    refuse_binary(real, path)
    before = real.read_bytes()
    found, was, becomes = _count(before, old, new)
    if found == 0:
        raise ToolInputError(f"The passage does not occur in {path}; read the file again.")
    if found > 1 and not replace_all:
        raise ToolInputError(
            f"The passage occurs {found} times in {path}; give more of its surroundings, "
            "or set replace_all."
        )
    try:
        real.write_bytes(before.replace(was, becomes))
    except OSError as error:
        raise ToolInputError(_why(path, error)) from error
    return {"path": path, "replaced": found}


def _count(before: bytes, old: str, new: str) -> tuple[int, bytes, bytes]:
    """Return how often the passage occurs, with line ends as the file has them."""
    was, becomes = old.encode(), new.encode()
    if (found := before.count(was)) or b"\r\n" not in before:
        return found, was, becomes
    was = was.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    becomes = becomes.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return before.count(was), was, becomes


def refuse_binary(real: Path, path: str) -> None:
    """Raise ToolInputError if the file is no text."""
    with real.open("rb") as stream:
        head = stream.read(_SNIFF_BYTES)
    if b"\0" in head:
        size = real.stat().st_size
        raise ToolInputError(
            f"{path} is not text ({size} bytes); use a tool for its kind, or workspace__python."
        )


def _of_a_skill(path: str) -> Path | None:
    """Return the file of a plugin in another format that an absolute path names, None for any other path."""
    if not path.startswith(f"{BROUGHT}/"):
        return None
    real = Path(path).resolve()
    if not real.is_relative_to(BROUGHT) or not real.is_file():
        raise ToolInputError(f"{path} is not a file of a skill; list its folder with the shell.")
    return real


def _existing(path: str, context: ToolContext) -> Path:
    real = _target(path, context)
    if not real.is_file():
        raise ToolInputError(f"{path} is not a file; list what is there with workspace__glob.")
    return real


def _target(path: str, context: ToolContext) -> Path:
    """Return the real path in the workspace or the agent's home."""
    real = Path(path).resolve() if path.startswith("/") else None
    if real is not None and real.is_relative_to(context.home.resolve()):
        return real
    return context.target(path)


def _why(path: str, error: OSError) -> str:
    if error.errno in (30, 13):  # EROFS, EACCES
        return f"{path} cannot be written: its folder was granted read-only or is not yours."
    return f"{path} cannot be written: {error.strerror}."
