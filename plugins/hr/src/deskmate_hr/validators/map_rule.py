"""The gate for sealed maps: sealed once more from the original, the map has the same bytes, for keys that somebody named."""

from __future__ import annotations

import re
from collections.abc import Iterable

from deskmate.plugin import Deliverable, Finding, ToolInputError, ValidationContext
from deskmate_hr.marks import map_of
from deskmate_hr.sealing import seal
from deskmate_hr.tools.redact import checked_keys

RULE = "HR-MAP-SEALED"


def map_sealed(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Seal the map again, with the salt of the record, and compare.

    Source: house (SOURCES.md).
    """
    data = deliverable.data
    original = context.sources.file(deliverable.sources.get("original", ""))
    redacted = context.others.get(str(data.get("redacted", "")))
    if original is None or redacted is None:
        missing = "the original" if original is None else "the redacted file"
        yield _error(f"UNVERIFIED: {missing} is not here.")
        return
    try:
        keys = checked_keys(data["keys"])
        words = [str(word) for word in data["words"]]
        text = map_of(original, deliverable.sources["original"], redacted, words)
        if not set(keys) <= _named(context):
            yield _error(
                "It is sealed for a key that neither the user nor the setting map_recipients names."
            )
            return
        true = seal(text, keys, bytes.fromhex(str(data["salt"])))
    except (ToolInputError, KeyError, TypeError, ValueError) as problem:
        yield _error(f"It cannot be sealed again ({type(problem).__name__}).")
        return
    if context.file.read_bytes() != true:
        yield _error("It is not the map that the original and the redacted file give.")


def _named(context: ValidationContext) -> set[str]:
    """Return the keys of the setting, and what the user wrote that may be one."""
    said = context.facts.get("said", ())
    texts = [str(text) for text in (said if isinstance(said, list | tuple) else ())]
    written = {word for text in texts for word in re.findall(r"age1[0-9a-z]+", text)}
    return written | {str(key).strip() for key in context.config.get("map_recipients") or ()}


def _error(message: str) -> Finding:
    return Finding(
        rule=RULE, level="error", message=message, fix="Redact the original again with pii_redact."
    )
