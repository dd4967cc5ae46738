"""The rules of the profession: each judges a result by its original, which the host holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from deskmate.plugin import Deliverable, Finding, ToolInputError, ValidationContext
from deskmate_documents.days import day_of
from deskmate_documents.scenes import picture_problems
from deskmate_documents.tables import decode, read_sheets
from deskmate_ops.card import Card
from deskmate_ops.events import read_log
from deskmate_ops.procedures import numbered, read_lines, read_tables, without_number
from deskmate_ops.risk_book import heat_scene
from deskmate_ops.runbooks import read_runbook
from deskmate_ops.scale import Scale
from deskmate_ops.tools.measures import clock_of, maps_of
from deskmate_ops.tools.risks import risks_of
from deskmate_ops.tools.vendors import card_of
from deskmate_ops.validators.card_rules import card_problems, weight_problems
from deskmate_ops.validators.log_rules import log_problems
from deskmate_ops.validators.map_rules import bpmn_problems
from deskmate_ops.validators.risk_rules import owner_problems, score_problems
from deskmate_ops.validators.sop_rules import owner_problems as sop_owner_problems

SUMS, STEPS, MAP = "OPS-SUMS-TIE", "OPS-STEPS-COMPLETE", "OPS-MAP-TRUE"
SCORES, OWNERS = "OPS-RISK-SCORES", "OPS-RISK-OWNERS"
WEIGHTS, STEP_OWNERS = "OPS-WEIGHTS", "OPS-STEP-OWNERS"
LIMIT = 20
Problem = tuple[str, str]


def step_owners(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Check that each step has an owner or is named as open, and that nothing said of it is invented.

    Source: house (SOURCES.md).
    """
    return judged(STEP_OWNERS, deliverable, context, "notes", _steps)


def _steps(deliverable: Deliverable, context: ValidationContext, source: Path) -> Iterator[Problem]:
    path = deliverable.sources["notes"]
    notes = decode(source.read_bytes(), path)
    tables = read_tables(context.file, deliverable.path)
    lines = read_lines(context.file, deliverable.path)
    yield from sop_owner_problems(tables, lines, read_runbook(notes, path), notes)


def _finding(rule: str, message: str, where: str = "") -> Finding:
    fix = (
        "Run the tool again; do not edit its figures."
        if rule not in (STEPS, STEP_OWNERS)
        else "Build it again from the notes."
    )
    return Finding(rule=rule, level="error", message=message, location=where, fix=fix)


def sums_tie(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Compute the original a second time, in another way, and compare every figure of the workbook.

    Source: house (SOURCES.md).
    """
    return judged(SUMS, deliverable, context, "source", _sums)


def map_true(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Check a map against its log: counts, connections and diagram of the BPMN; the pictures made again.

    Source: BPMN 2.0 (OMG formal/2011-01-03), 10.3 to 10.6 and 12; house (SOURCES.md).
    """
    return judged(MAP, deliverable, context, "source", _map)


def risk_scores(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Check a register against its table: ids, ratings, scores, bands, days, counts; and the heat map made again.

    Source: house (SOURCES.md), after ISO 31000:2018, 6.4 to 6.6.
    """
    return judged(SCORES, deliverable, context, "source", _scores)


def risk_owners(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Check that no risk is without owner, treatment or review unless the open points name it.

    Source: house (SOURCES.md).
    """
    return judged(OWNERS, deliverable, context, "source", _owners)


def weights_hold(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Check that weights are those given and add up to 1, scores lie in 0 to 100, and every figure names its source.

    Source: house (SOURCES.md).
    """
    return judged(WEIGHTS, deliverable, context, "source", _weights)


def judged(
    rule: str,
    deliverable: Deliverable,
    context: ValidationContext,
    role: str,
    problems: Callable[[Deliverable, ValidationContext, Path], Iterable[Problem]],
) -> list[Finding]:
    """Return the findings of a rule that needs the original."""
    path = deliverable.sources.get(role, "")
    source = context.sources.file(path) if path else None
    if source is None:
        what = f"UNVERIFIED: the {role} {path or '(none named)'} is not among the originals."
        return [_finding(rule, what)]
    try:
        found = list(problems(deliverable, context, source))
    except ToolInputError as problem:
        found = [(f"It cannot be computed again: {problem.message}", "")]
    return [_finding(rule, message, where) for message, where in found][:LIMIT]


def _sums(deliverable: Deliverable, context: ValidationContext, source: Path) -> Iterator[Problem]:
    shown = read_sheets(context.file, name=deliverable.path)
    path = deliverable.sources["source"]
    if deliverable.role == "process_metrics":
        settings = texts_of(deliverable.data.get("settings"))
        log = read_log(source, path, settings)
        yield from log_problems(shown, log, clock_of(settings, context.config))
    else:
        yield from card_problems(shown, _card(deliverable, context, source))


def _weights(
    deliverable: Deliverable, context: ValidationContext, source: Path
) -> Iterator[Problem]:
    shown = read_sheets(context.file, name=deliverable.path)
    yield from weight_problems(shown, _card(deliverable, context, source))


def _card(deliverable: Deliverable, context: ValidationContext, source: Path) -> Card:
    files = {"source": source}
    if "costs" in deliverable.sources:
        costs = context.sources.file(deliverable.sources["costs"])
        if costs is None:
            raise ToolInputError(f"{deliverable.sources['costs']} is not among the originals.")
        files["costs"] = costs
    lower = deliverable.data.get("lower_is_better")
    data = {
        "weights": texts_of(deliverable.data.get("weights")),
        "lower_is_better": [str(name) for name in lower] if isinstance(lower, list | tuple) else [],
        "settings": texts_of(deliverable.data.get("settings")),
    }
    return card_of(files, deliverable.sources, data, context.config)


def _map(deliverable: Deliverable, context: ValidationContext, source: Path) -> Iterator[Problem]:
    path = deliverable.sources["source"]
    data: dict[str, Any] = {
        "settings": texts_of(deliverable.data.get("settings")),
        "coverage": str(deliverable.data.get("coverage", "")),
    }
    log = read_log(source, path, data["settings"])
    if context.file.suffix.lower() == ".bpmn":
        yield from bpmn_problems(context.file, log)
        return
    scene, _, _ = maps_of(source, path, data, context.config)
    is_svg = context.file.suffix.lower() == ".svg"
    yield from picture_problems(context.file, scene.svg().encode() if is_svg else scene.png())


def _scores(
    deliverable: Deliverable, context: ValidationContext, source: Path
) -> Iterator[Problem]:
    scale = Scale.of(context.config)
    day = day_of(deliverable.data, context.facts)
    path = deliverable.sources["source"]
    risks = risks_of(source, path, texts_of(deliverable.data.get("settings")), scale)
    if deliverable.role == "risk_register":
        yield from score_problems(
            read_sheets(context.file, name=deliverable.path), risks, scale, day
        )
        return
    scene = heat_scene(risks, scale, day, PurePosixPath(path).name)
    is_svg = context.file.suffix.lower() == ".svg"
    yield from picture_problems(context.file, scene.svg().encode() if is_svg else scene.png())


def _owners(
    deliverable: Deliverable, context: ValidationContext, source: Path
) -> Iterator[Problem]:
    scale = Scale.of(context.config)
    day = day_of(deliverable.data, context.facts)
    yield from owner_problems(read_sheets(context.file, name=deliverable.path), scale, day)


def texts_of(value: object) -> dict[str, str]:
    """Return settings as texts; nothing for what is none."""
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, Mapping) else {}


def steps_complete(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Check that each step of the notes stands in the procedure, word for word and in order, and no other.

    Source: house (SOURCES.md).
    """
    path = deliverable.sources.get("notes", "")
    source = context.sources.file(path) if path else None
    if source is None:
        return [
            _finding(
                STEPS,
                f"UNVERIFIED: the notes {path or '(none named)'} are not among the originals.",
            )
        ]
    try:
        book = read_runbook(decode(source.read_bytes(), path), path)
        lines = read_lines(context.file, deliverable.path)
    except ToolInputError as problem:
        return [_finding(STEPS, problem.message)]
    wanted = [
        (number, " ".join(step.text.split()))
        for _, steps in numbered(book)
        for number, step in steps
    ]
    found = list(_missing(wanted, [" ".join(line.split()) for line in lines]))
    return [_finding(STEPS, message, where) for message, where in found][:LIMIT]


def _missing(wanted: Sequence[tuple[str, str]], lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    at = 0
    for number, text in wanted:
        expected = f"{number} {text}"
        place = next((i for i in range(at, len(lines)) if lines[i] == expected), None)
        if place is not None:
            at = place + 1
        elif any(without_number(line) == text for line in lines):
            yield f"The step {text[:120]!r} is out of order or misnumbered.", f"step {number}"
        else:
            yield f"The step {text[:120]!r} of the notes is missing or altered.", f"step {number}"
    known = {f"{number} {text}" for number, text in wanted}
    for line in lines:
        if line not in known and without_number(line) != line and "." in line.split()[0]:
            yield f"The step {line[:120]!r} is not in the notes.", ""
