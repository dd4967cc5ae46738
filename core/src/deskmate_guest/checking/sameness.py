"""What makes two files the same: their bytes, and of an Office file its parts without the hour at which it was made."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile

_OFFICE = (".docx", ".xlsx", ".xlsm", ".pptx")
_MADE = re.compile(rb"<dcterms:(created|modified)[^>]*>[^<]*</dcterms:\1>")
_TRACKED = re.compile(rb'(\bw:date="\d{4}-\d\d-\d\d)T[\d:.]+Z?"')
"""When a change was tracked or a comment was made: people read the hour, but the next one makes the same file."""
_PARTS_LIMIT, _BYTES_LIMIT, _DEPTH_LIMIT = 5_000, 256 * 1024 * 1024, 3


def digest_of(name: str, data: bytes, depth: int = 0) -> str:
    """Return the digest of a file; `name` says by its ending whether it is an Office file.

    Such a file is a package: its parts count in the order of their names, not the clock of the packing, nor when it says
    that it was created or modified, nor the hour of a tracked change or comment. Packages within it, such as a chart's workbook, are taken likewise.
    """
    if not name.lower().endswith(_OFFICE) or depth >= _DEPTH_LIMIT:
        return hashlib.sha256(data).hexdigest()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            parts = package.infolist()
            if len(parts) > _PARTS_LIMIT or sum(part.file_size for part in parts) > _BYTES_LIMIT:
                return hashlib.sha256(data).hexdigest()
            contents = sorted((part.filename, package.read(part)) for part in parts)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError):
        return hashlib.sha256(data).hexdigest()
    whole = hashlib.sha256()
    for part, content in contents:
        kept = _without_hour(part, content)
        whole.update(f"{part}\0{digest_of(part, kept, depth + 1)}\0".encode())
    return whole.hexdigest()


def _without_hour(part: str, content: bytes) -> bytes:
    if part == "docProps/core.xml":
        return _MADE.sub(b"", content)
    return _TRACKED.sub(rb"\1", content) if part.startswith("word/") else content
