"""ENG-SBOM-VALID, ENG-LICENCES: the bill and the report follow from the original lock files, and the bill keeps its schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

from deskmate.plugin import Deliverable, Finding, ToolInputError, ValidationContext
from deskmate_documents.tables import decode
from deskmate_engineering.deps.audit import Audit, audit
from deskmate_engineering.deps.bill import as_markdown, bill_of, schema_problems
from deskmate_engineering.validators.originals import (
    Missing,
    Problem,
    judged,
    line_problems,
    original_file,
)

VALID, LICENCES = "ENG-SBOM-VALID", "ENG-LICENCES"
FIX = "Make it again with deps_audit; do not edit it."
LIMIT_BYTES = 64 << 20


def sbom_valid(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Check the bill against the schema of CycloneDX 1.6, and each of its components against the original lock files.

    Source: ECMA-424 (CycloneDX 1.6) and its JSON schema; house (SOURCES.md).
    """
    return judged(VALID, FIX, deliverable, context, _bill)


def licences_told(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Audit the originals again: the report has every package that is denied, waived or to be looked at, and the verdict that follows.

    Source: SPDX 2.3, Annex D; the policy: house (SOURCES.md).
    """
    return judged(LICENCES, FIX, deliverable, context, _report)


def _again(deliverable: Deliverable, context: ValidationContext) -> Audit:
    folder = str(deliverable.data["folder"])
    for role in deliverable.sources:
        original_file(deliverable, context, role)
    advisories = deliverable.sources.get("advisories", "")
    locks = [file for role, file in deliverable.sources.items() if role != "advisories"]
    names = [name for name in context.sources if name != deliverable.path]

    def read(name: str) -> bytes:
        file = context.sources.file(name)
        if file is None:
            raise Missing(f"{name} is not among the originals.")
        return file.read_bytes()

    today = date.fromisoformat(str(context.facts.get("date") or date.max))
    found = audit(
        names, read, folder=folder, config=context.config, today=today, advisories=advisories
    )
    if sorted(locks) != sorted(found.files):
        raise ToolInputError(f"the lock files there are {', '.join(found.files)}; it names others.")
    return found


def _bill(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    if context.file.stat().st_size > LIMIT_BYTES:
        raise ToolInputError("the bill is larger than 64 MiB.")
    said = json.loads(context.file.read_bytes())
    yield from (
        (f"It is not valid CycloneDX 1.6: {problem}", "") for problem in schema_problems(said)
    )
    true = bill_of(_again(deliverable, context))
    theirs, ours = _by_ref(said), _by_ref(true)
    for ref in sorted(ours.keys() - theirs.keys()):
        yield f"{ref} is left out.", ""
    for ref in sorted(theirs.keys() - ours.keys()):
        yield f"{ref} is in no lock file.", ""
    for ref in sorted(ours.keys() & theirs.keys()):
        for name in sorted(ours[ref].keys() | theirs[ref].keys()):
            if ours[ref].get(name) != theirs[ref].get(name):
                yield (
                    f"{ref}: {name} is {_short(theirs[ref].get(name))}; the files say {_short(ours[ref].get(name))}.",
                    "",
                )
    if len(said.get("components", ())) != len(theirs):
        yield "A component stands there twice.", ""
    for name in sorted((said.keys() | true.keys()) - {"components"}):
        if said.get(name) != true.get(name):
            yield (
                f"{name} is {_short(said.get(name))}; the files give {_short(true.get(name))}.",
                name,
            )


def _by_ref(bill: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {str(one.get("bom-ref")): one for one in bill.get("components", ())}


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:119]}…"


def _report(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    said = decode(context.file.read_bytes(), deliverable.path).split("\n")
    true = as_markdown(_again(deliverable, context)).split("\n")
    yield from line_problems(said, true)
