"""The gate for privilege screens: every file of the folder is in the log, with the signs that it has, and nothing is decided."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import PurePosixPath

from deskmate.plugin import Deliverable, Finding, ToolError, ValidationContext

RULE = "LEGAL-SCREEN-COMPLETE"
ROLES = ("privilege_screen",)
FINDINGS_LIMIT = 25


def check_screen(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Every original is screened again by the same lists; log, reasons and digests are those, and no file is left out."""
    from deskmate_legal.listing import problems  # noqa: PLC0415
    from deskmate_legal.privilege import listing  # noqa: PLC0415
    from deskmate_legal.tools.privilege import paths_of, screen_from  # noqa: PLC0415

    files = {}
    for path in paths_of(deliverable.sources):
        file = context.sources.file(path)
        if file is None:
            yield _error(f"UNVERIFIED: the host never held {path}.")
            return
        files[path] = file
    if not files:
        yield _error("UNVERIFIED: it names no file that was screened.")
        return
    yield from _left_out(deliverable, context)
    yield from _named(deliverable, context)
    try:
        screen = screen_from(files, deliverable.data, context.config)
    except ToolError as problem:
        yield _error(f"It cannot be screened again: {problem.message}")
        return
    for problem_text in islice(problems(context.file, listing(screen)), FINDINGS_LIMIT):
        yield _error(problem_text)


def _left_out(deliverable: Deliverable, context: ValidationContext) -> Iterator[Finding]:
    """No file of the folder that the host holds is missing from the log."""
    from deskmate_legal.tools.privilege import is_output, paths_of  # noqa: PLC0415

    known = set(paths_of(deliverable.sources))
    folder = str(deliverable.data.get("folder", "")).strip("/")
    for path in context.sources:
        name = PurePosixPath(path)
        inside = not folder or path.startswith(f"{folder}/")
        hidden = any(part.startswith((".", "~$")) for part in name.parts)
        if inside and not hidden and path not in known and not is_output(name.name):
            yield _error(f"{path} is in the folder and not in the log.")


def _named(deliverable: Deliverable, context: ValidationContext) -> Iterator[Finding]:
    """Who is counsel, and which domains are the client's, was said by the user; the settings are read by themselves."""
    said = context.facts.get("said", ())
    words = " ".join(map(str, said if isinstance(said, list | tuple) else ())).lower()
    listed = [*deliverable.data.get("counsel", ()), *deliverable.data.get("own_domains", ())]
    for one in map(str, listed):
        key = " ".join(one.lower().lstrip("@").split())
        if not re.search(rf"(?<![\w.]){re.escape(key)}(?![\w])", " ".join(words.split())):
            yield _error(
                f"{one[:80]} is taken for counsel or the client; neither the user nor the settings say so.",
                "Ask who counsel is.",
            )


def _error(message: str, fix: str = "Screen the folder again with privilege_screen.") -> Finding:
    return Finding(rule=RULE, level="error", message=message, fix=fix)
