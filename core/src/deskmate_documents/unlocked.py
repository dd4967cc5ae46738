"""Copies without a password as originals: the clean room opens the host's own encrypted file once more.

`document_unlock` records which file it opened, with which password, and the digest of the copy. None of that is
believed: what counts is what the host's bytes give with that password, and only if it is the copy, byte for byte.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path

from deskmate.errors import ToolError
from deskmate.plugin import Deliverable, Digest, Evidence, Finding, Sources, ValidationContext

COPIES_LIMIT = 20
Check = Callable[[Deliverable, ValidationContext], Iterable[Finding]]


def evidence_of(source: Path, path: str, copy: Path, target: str, password: str) -> Evidence:
    """Return what is recorded of a copy: `path`, the encrypted file; `target`, its copy (workspace paths)."""
    return Evidence(
        id=f"unlocked-{_digest(source)[:8]}-{hashlib.sha256(target.encode()).hexdigest()[:8]}",
        source=Digest(_digest(source)),
        path=path,
        locator={"copy": target, "sha256": _digest(copy), "password": password},
    )


def with_copies(check: Check) -> Check:
    """Return a rule that also finds, among the originals, the copies that the host's encrypted files give."""

    def checked(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
        return check(deliverable, opened(context))

    return checked


def opened(context: ValidationContext) -> ValidationContext:
    """Return the context with the copies among its sources; a path that the host itself holds stays the host's."""
    copies = [item for item in context.evidence if "copy" in item.locator][-COPIES_LIMIT:]
    found = {
        str(item.locator["copy"]): (file, str(item.locator["sha256"]))
        for item in copies
        if str(item.locator["copy"]) not in context.sources
        and (file := _opened(item, context.sources))
    }
    if not found:
        return context
    held = context.sources
    files = {path: file for path in held if (file := held.file(path)) is not None}
    digests = {path: digest for path in held if (digest := held.digest(path)) is not None}
    files |= {path: file for path, (file, _) in found.items()}
    digests |= {path: digest for path, (_, digest) in found.items()}
    return replace(context, sources=Sources(files, digests))


def _opened(item: Evidence, sources: Sources) -> Path | None:
    original = sources.file(item.path)
    if original is None or sources.digest(item.path) != item.source:
        return None
    copy = _unlocked(original, item.source, str(item.locator.get("password", "")))
    return copy if copy is not None and _digest(copy) == item.locator.get("sha256") else None


@lru_cache(COPIES_LIMIT)
def _unlocked(original: Path, digest: str, password: str) -> Path | None:
    """Return the file without its password, once for all rules; None where the password does not open it.

    `digest`: of the original, so that another file of that name is opened anew.
    """
    from deskmate_documents.protection import unlock  # noqa: PLC0415

    key = hashlib.sha256(f"{digest}\n{password}".encode()).hexdigest()
    copy = Path(_room().name) / f"{key}{original.suffix}"
    try:
        unlock(original, copy, password)
    except ToolError:
        return None
    return copy


@cache
def _room() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="deskmate-unlocked-")


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
