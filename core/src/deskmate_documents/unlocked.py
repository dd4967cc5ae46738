"""What was behind a password as an original: the clean room opens the host's own encrypted file once more.

`document_unlock` records which file it opened, with which password, and the digest of the copy. None of that is
believed: what counts is what the host's bytes give with that password, and only if it is the copy, byte for byte.
Of a PDF, which is read where it lies, the password is recorded; what the host's file says with it is what counts.
"""

from __future__ import annotations

import hashlib
import shutil
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


def opening_of(file: Path, path: str, password: str) -> tuple[Evidence, ...]:
    """Return what is recorded of a PDF that was read with a password; nothing of one that needs none.

    `path`: the file's workspace path.
    """
    from deskmate_documents.pdf.opening import is_encrypted  # noqa: PLC0415

    if not password or not is_encrypted(file, password):
        return ()
    digest = _digest(file)
    return (
        Evidence(
            id=f"opened-{digest[:8]}-{hashlib.sha256(password.encode()).hexdigest()[:8]}",
            source=Digest(digest),
            path=path,
            locator={"password": password},
        ),
    )


def with_copies(check: Check) -> Check:
    """Return a rule that also finds, among the originals, the copies that the host's encrypted files give."""

    def checked(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
        return check(deliverable, opened(context))

    return checked


def opened(context: ValidationContext) -> ValidationContext:
    """Return the context with the copies among its sources; a path that the host itself holds stays the host's.

    An encrypted PDF that the host holds is given without its encryption, under its own digest.
    """
    copies = [item for item in context.evidence if "copy" in item.locator][-COPIES_LIMIT:]
    found = {
        str(item.locator["copy"]): (file, str(item.locator["sha256"]))
        for item in copies
        if str(item.locator["copy"]) not in context.sources
        and (file := _opened(item, context.sources))
    }
    held = context.sources
    read = [item for item in context.evidence if set(item.locator) == {"password"}][-COPIES_LIMIT:]
    plain = {item.path: file for item in read if (file := _read(item, held))}
    if not found and not plain:
        return context
    files = {path: file for path in held if (file := held.file(path)) is not None}
    digests = {path: digest for path in held if (digest := held.digest(path)) is not None}
    files |= {path: file for path, (file, _) in found.items()} | plain
    digests |= {path: digest for path, (_, digest) in found.items()}
    return replace(context, sources=Sources(files, digests))


def _opened(item: Evidence, sources: Sources) -> Path | None:
    original = sources.file(item.path)
    if original is None or sources.digest(item.path) != item.source:
        return None
    copy = _unlocked(original, item.source, str(item.locator.get("password", "")))
    return copy if copy is not None and _digest(copy) == item.locator.get("sha256") else None


def _read(item: Evidence, sources: Sources) -> Path | None:
    """Return the host's PDF without its encryption, if the recorded password opens it."""
    original = sources.file(item.path)
    if original is None or sources.digest(item.path) != item.source:
        return None
    return _decrypted(original, item.source, str(item.locator["password"]))


@lru_cache(COPIES_LIMIT)
def _decrypted(original: Path, digest: str, password: str) -> Path | None:
    """Return a PDF without its encryption, once for all rules; None where there is none or it does not open."""
    from deskmate_documents.pdf.writing import unlocked  # noqa: PLC0415

    folder = Path(tempfile.mkdtemp(dir=_room().name))
    try:
        with unlocked(original, password) as copy:
            if copy == original:
                return None
            return Path(shutil.copy(copy, folder / original.name))
    except ToolError:
        return None


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
