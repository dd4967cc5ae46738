"""The gate for signature checks: the verdict is what the very file gives, and nobody approved it but who the user named."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from deskmate.plugin import Deliverable, Finding, ToolError, ValidationContext

RULE = "LEGAL-SIGN-CHECKED"
ROLES = ("signature_check",)
FINDINGS_LIMIT = 25


def check_preflight(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Every check is made again on the original; verdict, states, findings and digest are those."""
    from deskmate_legal.listing import problems  # noqa: PLC0415
    from deskmate_legal.preflight import listing  # noqa: PLC0415
    from deskmate_legal.tools.preflight import preflight_from  # noqa: PLC0415

    name = deliverable.sources.get("original", "")
    original = context.sources.file(name)
    if original is None:
        yield _error("UNVERIFIED: the host never held the file that is to be signed.")
        return
    attached = [path for role, path in deliverable.sources.items() if role.startswith("attachment")]
    for path in attached:
        if context.sources.file(path) is None:
            yield _error(f"UNVERIFIED: the host never held the exhibit {path}.")
    approved = str(deliverable.data.get("approved_by", ""))
    said = context.facts.get("said", ())
    words = " ".join(" ".join(map(str, said if isinstance(said, list | tuple) else ())).split())
    if approved and " ".join(approved.split()).lower() not in words.lower():
        yield _error(
            f"It says that {approved[:80]} approved it; the user said no such thing.",
            "Leave approved_by empty.",
        )
    try:
        made = preflight_from(original, name, attached, approved)
    except ToolError as problem:
        yield _error(f"It cannot be checked again: {problem.message}")
        return
    digest = context.sources.digest(name)
    if digest and digest != made.contract.sha256:
        yield _error("The original's SHA-256 is not the one that was checked.")
    for problem_text in islice(problems(context.file, listing(made)), FINDINGS_LIMIT):
        yield _error(problem_text)


def _error(message: str, fix: str = "Check the file again with signature_preflight.") -> Finding:
    return Finding(rule=RULE, level="error", message=message, fix=fix)
