"""How a changed PDF is written: as an addition to the original's bytes where that is possible, and never half."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deskmate.errors import ToolInputError
from deskmate_documents.pdf.opening import guarded, parsed, shown


@dataclass(slots=True)
class Revision:
    """A file that is being changed. `notes`: what to tell the user about it."""

    writer: Any
    reader: Any
    notes: list[str] = field(default_factory=list)


@contextmanager
def revised(source: Path, target: Path, password: str = "") -> Iterator[Revision]:
    """Open a PDF to be changed; when the block ends well, the result is written to `target`.

    The original's bytes stay as they are and the changes are appended to them, which keeps signatures of the
    earlier state checkable. Encrypted and mended files are written anew instead; an encrypted one is encrypted
    again with the password that opened it. A result that does not open with as many pages is not delivered.

    Raises:
        ToolInputError: encrypted or damaged.
    """
    import pypdf  # noqa: PLC0415

    with parsed(source, password) as reader, guarded(source):
        if reader.is_encrypted:
            writer = pypdf.PdfWriter(clone_from=reader)
        else:
            writer = pypdf.PdfWriter(reader, incremental=True)
        revision = Revision(writer=writer, reader=reader)
        yield revision
        if reader.is_encrypted:
            revision.notes.append(encrypt_again(writer, password))
        save(writer, target, pages=len(reader.pages), password=password)


@contextmanager
def unlocked(path: Path, password: str = "") -> Iterator[Path]:
    """Yield the file itself, or of an encrypted one a copy without encryption, which is removed afterwards.

    Raises:
        ToolInputError: encrypted and not opened by the password, or damaged.
    """
    import pypdf  # noqa: PLC0415

    with parsed(path, password) as reader, guarded(path):
        if not reader.is_encrypted:
            yield path
            return
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / path.name
            save(pypdf.PdfWriter(clone_from=reader), copy, pages=len(reader.pages))
            yield copy


def encrypt_again(writer: Any, password: str) -> str:
    """Encrypt a result with the password that opened its source; return what to tell the user."""
    if not password:
        return (
            "The source was encrypted without a password to open it; the result is not encrypted."
        )
    writer.encrypt(password, algorithm="AES-256")
    return "The result is encrypted with the same password (AES-256)."


def save(writer: Any, target: Path, *, pages: int, password: str = "") -> None:
    """Write a whole file that opens, or none.

    Raises:
        ToolInputError: what was written does not open with this many pages.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    try:
        with part.open("wb") as stream:
            writer.write(stream)
        with shown(part, password) as document:
            if len(document) != pages:
                raise ToolInputError(
                    f"{target.name} was not written: the source is damaged; write its pages anew with pdf_pages first."
                )
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
