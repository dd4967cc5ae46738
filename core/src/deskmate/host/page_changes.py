"""What a change set changed, for a page: every path, and the lines of text files."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator

from deskmate.ports import BlobReader
from deskmate.types.codec import from_json
from deskmate.types.files import Change, Difference, Entry
from deskmate.types.ids import Digest

_TEXT_LIMIT_BYTES = 200_000
_LINES = 400
_OPEN_LINES = 60
"""Diffs up to this length are shown at once, longer ones when they are opened."""
_WORDS = {
    "create": "new",
    "modify": "edited",
    "delete": "deleted",
    "mkdir": "new folder",
    "rmdir": "folder deleted",
    "mode": "permissions",
}


def changes_section(difference: Digest, blobs: BlobReader, escaped: Callable[[str], str]) -> str:
    """Return the changes as HTML. Raises CorruptData if the list of changes is missing or damaged."""
    changes = from_json(Difference, json.loads(blobs.read(difference))).changes
    return "".join(_change(change, blobs, escaped) for change in changes)


def _change(change: Change, blobs: BlobReader, escaped: Callable[[str], str]) -> str:
    size = change.after.size if change.after else 0
    about = f"{size:,} bytes" if change.after and change.after.kind == "file" else ""
    head = (
        f"<code>{escaped(change.path)}</code> <span class=tag>{_WORDS[change.operation]}</span> "
        f"<span class=quiet>{about}</span>"
    )
    lines = list(_lines(change, blobs))
    if not lines:
        digest = change.after.sha256 if change.after else None
        note = f"<span class=quiet>SHA-256 {digest}</span>" if digest else ""
        return f"<div class=change>{head}<br>{note}</div>"
    shown = "".join(_line(line, escaped) for line in lines[:_LINES])
    more = f"<i>… {len(lines) - _LINES:,} more lines</i>" if len(lines) > _LINES else ""
    is_open = " open" if len(lines) <= _OPEN_LINES else ""
    return f"<details class=change{is_open}><summary>{head}</summary><pre>{shown}{more}</pre></details>"


def _line(line: str, escaped: Callable[[str], str]) -> str:
    kind = {"+": "ins", "-": "del"}.get(line[:1])
    text = escaped(line.rstrip("\n"))
    return f"<{kind}>{text}</{kind}>\n" if kind else f"{text}\n"


def _lines(change: Change, blobs: BlobReader) -> Iterator[str]:
    before, after = _text(change.before, blobs), _text(change.after, blobs)
    if before is None or after is None:
        return iter(())
    found = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2)
    return (line for line in found if not line.startswith(("---", "+++")))


def _text(entry: Entry | None, blobs: BlobReader) -> str | None:
    """Return a file's text, empty where there is none, None where it is no text or too long for a page."""
    if entry is None:
        return ""
    if entry.kind != "file" or entry.sha256 is None or entry.size > _TEXT_LIMIT_BYTES:
        return None
    if not blobs.has(entry.sha256):
        return None
    try:
        text = blobs.read(entry.sha256).decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
