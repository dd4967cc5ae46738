"""ENG-NO-SECRETS: nothing delivered gives a secret away."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_engineering.secrets import find_secrets

NO_SECRETS = "ENG-NO-SECRETS"
LIMIT = 20
LIMIT_BYTES = 64 * 1024 * 1024


def no_secrets(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Refuse a deliverable that holds an unmasked key, token or password.

    Source: token forms after their issuers' documentation; entropy threshold house (SOURCES.md).
    """
    try:
        parts = list(_texts(context.file))
    except (zipfile.BadZipFile, OSError, RuntimeError) as problem:
        return [_finding(f"{deliverable.path} cannot be searched: {problem}.", "")]
    found = []
    for part, text in parts:
        for secret in find_secrets(text):
            where = f"{part + ', ' if part else ''}line {secret.line}"
            found.append(_finding(f"{secret.kind}: {secret.masked}", where))
    return found[:LIMIT]


def _finding(message: str, where: str) -> Finding:
    fix = "Mask it, and have it revoked."
    return Finding(rule=NO_SECRETS, level="error", message=message, location=where, fix=fix)


def _texts(file: Path) -> Iterator[tuple[str, str]]:
    """Yield (part, text) of a file; of a package such as DOCX each text part, without its tags."""
    if file.stat().st_size > LIMIT_BYTES:
        raise OSError("it is larger than 64 MiB")
    if not zipfile.is_zipfile(file):
        yield "", file.read_bytes().decode("utf-8", "replace")
        return
    with zipfile.ZipFile(file) as package:
        if sum(part.file_size for part in package.infolist()) > LIMIT_BYTES:
            raise OSError("it unpacks to more than 64 MiB")
        for part in package.infolist():
            if part.filename.endswith((".xml", ".txt", ".json", ".md")):
                text = package.read(part).decode("utf-8", "replace")
                # A paragraph or cell ends a line; other tags may split a word's runs and go without trace.
                text = re.sub(r"</(?:\w+:)?(?:p|t|si|row|tr)>(?!</(?:\w+:)?r>)", "\n", text)
                yield part.filename, re.sub(r"<[^>]*>", "", text)
