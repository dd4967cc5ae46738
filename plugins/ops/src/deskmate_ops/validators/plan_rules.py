"""The rules of capacity plans, control matrices, status reports and checked changes: each judged by its originals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from deskmate.plugin import Deliverable, Finding, ToolInputError, ValidationContext
from deskmate_documents.days import day_of
from deskmate_documents.scenes import Scene, picture_problems
from deskmate_documents.tables import read_sheets
from deskmate_ops.capacity import Limits
from deskmate_ops.capacity_book import capacity_scene
from deskmate_ops.change_book import change_scene
from deskmate_ops.control_book import control_scene
from deskmate_ops.tools.capacity import load_from, scenarios_of
from deskmate_ops.tools.changes import checked_from
from deskmate_ops.tools.controls import PROOF, matrix_from
from deskmate_ops.tools.status import status_from
from deskmate_ops.validators.capacity_rules import capacity_problems
from deskmate_ops.validators.change_rules import change_problems
from deskmate_ops.validators.control_rules import control_problems
from deskmate_ops.validators.rules import Problem, judged, texts_of
from deskmate_ops.validators.status_rules import status_problems

CAPACITY, CONTROLS = "OPS-CAPACITY-TIES", "OPS-CONTROL-COVERAGE"
STATUS, CHANGES = "OPS-STATUS-TRUE", "OPS-CHANGE-CHECKED"


def capacity_ties(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Add up capacity and demand again in fractions, compare each cell, and draw the heat map again.

    Source: arithmetic; house (SOURCES.md).
    """
    return judged(CAPACITY, deliverable, context, "capacity", _capacity)


def control_coverage(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Judge each control and risk again, hash the evidence again, and look for gaps that are hidden or made up.

    Source: house (SOURCES.md).
    """
    return judged(CONTROLS, deliverable, context, "controls", _controls)


def status_true(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Count the task list again, compare each table, line and chart, and compute each colour again.

    Source: house (SOURCES.md).
    """
    return judged(STATUS, deliverable, context, "tasks", _status)


def change_checked(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Check each change again, overlaps by going through time, and look for open points that are hidden or made up.

    Source: house (SOURCES.md).
    """
    return judged(CHANGES, deliverable, context, "changes", _changes)


def _held(deliverable: Deliverable, context: ValidationContext) -> dict[str, Path]:
    """Return role → original of all sources. Raises ToolInputError if one is not held."""
    found = {role: context.sources.file(path) for role, path in deliverable.sources.items()}
    missing = [deliverable.sources[role] for role, file in found.items() if file is None]
    if missing:
        raise ToolInputError(f"{missing[0]} is not among the originals.")
    return {role: file for role, file in found.items() if file is not None}


def _options(deliverable: Deliverable, context: ValidationContext) -> dict[str, str]:
    """Return the settings of a result, with the day as of which it holds."""
    day = day_of(deliverable.data, context.facts)
    return {**texts_of(deliverable.data.get("settings")), "as_of": day.isoformat()}


def _drawn(context: ValidationContext, scene: Scene) -> Iterable[Problem]:
    is_svg = context.file.suffix.lower() == ".svg"
    return picture_problems(context.file, scene.svg().encode() if is_svg else scene.png())


def _capacity(
    deliverable: Deliverable, context: ValidationContext, source: Path
) -> Iterator[Problem]:
    names = deliverable.sources
    load = load_from(_held(deliverable, context), names, texts_of(deliverable.data.get("settings")))
    limits = Limits.of(context.config)
    if deliverable.role == "capacity_map":
        yield from _drawn(
            context, capacity_scene(load, limits, PurePosixPath(names["demand"]).name)
        )
        return
    given = deliverable.data.get("scenarios")
    asked = (
        [texts_of(one) for one in given if isinstance(one, Mapping)]
        if isinstance(given, list | tuple)
        else []
    )
    scenarios = scenarios_of(load, asked, str(deliverable.data.get("stress", "")))
    shown = read_sheets(context.file, name=deliverable.path)
    yield from capacity_problems(shown, load, scenarios, limits, list(names.values()))


def _controls(
    deliverable: Deliverable, context: ValidationContext, source: Path
) -> Iterator[Problem]:
    names, files = deliverable.sources, _held(deliverable, context)
    matrix = matrix_from(files, names, _options(deliverable, context), context.config)
    if deliverable.role == "control_picture":
        yield from _drawn(context, control_scene(matrix, PurePosixPath(names["controls"]).name))
        return
    proofs = {names[role]: file for role, file in files.items() if role.startswith(PROOF)}
    shown = read_sheets(context.file, name=deliverable.path)
    yield from control_problems(shown, matrix, proofs, [names["controls"], names["risks"]])


def _status(
    deliverable: Deliverable, context: ValidationContext, source: Path
) -> Iterator[Problem]:
    files, options = _held(deliverable, context), _options(deliverable, context)
    status = status_from(files, deliverable.sources, options, context.config)
    yield from status_problems(context.file, status)


def _changes(
    deliverable: Deliverable, context: ValidationContext, source: Path
) -> Iterator[Problem]:
    names, files = deliverable.sources, _held(deliverable, context)
    checked = checked_from(files, names, _options(deliverable, context), context.config)
    if deliverable.role == "change_picture":
        yield from _drawn(context, change_scene(checked, PurePosixPath(names["changes"]).name))
        return
    shown = read_sheets(context.file, name=deliverable.path)
    yield from change_problems(shown, checked, list(names.values()))
