"""A check by a library that nobody here wrote: the content model of the Open XML SDK, part by part."""

from __future__ import annotations

from pathlib import Path

from openxml_audit import OpenXmlValidator

ADVICE = ("inline-string",)
"""What the library says of files that are valid."""


def schema_errors(file: Path, original: Path | None = None) -> list[str]:
    """Return what breaks the schemas in a file and was not so in its original."""
    known = set(_errors(original)) if original is not None else set()
    return [error for error in _errors(file) if error not in known]


def _errors(file: Path) -> list[str]:
    found = [f"{e.part_uri}: {e.description}" for e in OpenXmlValidator().validate(file).errors]
    return [text for text in found if not any(word in text for word in ADVICE)]
