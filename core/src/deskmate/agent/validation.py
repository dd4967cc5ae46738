"""The verdict over a run's deliverables, from a clean room that the agent cannot reach. Fails closed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import anyio

from deskmate.agent.manifests import digest_of
from deskmate.agent.world import Setup, World
from deskmate.errors import DeskmateError, ProtocolError, SandboxUnavailable
from deskmate.ports import Flavour, Progress, SourceFile, ValidationReport, ValidationRequest
from deskmate.types.events import (
    ERASED,
    ContentTaken,
    DeliverableSigned,
    EgressAsked,
    Event,
    SubagentDid,
    ToolFinished,
    UserSaid,
    Validated,
)
from deskmate.types.files import HELD, Deliverable, Difference, Entry, Evidence
from deskmate.types.findings import Finding
from deskmate.types.ids import Digest, RunId
from deskmate.types.registry import Registry
from deskmate.types.subagents import told

ATTEMPTS = 2
DEADLINE_S = 900.0
SOURCES_BYTES = 64 << 20
"""More originals than this are not put into a clean room, whose files lie in its memory, unasked."""
SAID_CHARACTERS = 40_000
LOST_PATHS = 500
NO_VERDICT = "G-CLEAN-ROOM"
MISSING = "G-PRESENT"
NOT_RUN = "G-RULE-RAN"


def build_validation(
    deliverables: Iterable[Deliverable],
    difference: Difference,
    base: Iterable[Entry],
    events: Iterable[Event],
    date: str,
) -> ValidationRequest:
    """Return what goes into the clean room: files by their digests, the originals, the evidence.

    `date`: ISO date of the run. A deliverable that has no file is missing in `files`. Of originals that were
    read, all are sources; where they are more than a clean room holds, those that evidence names and those
    of changed files.
    """
    files = {entry.path: entry for entry in base if entry.sha256 is not None}
    originals = {path: entry.sha256 for path, entry in files.items() if entry.sha256 is not None}
    contents = dict(originals)
    for change in difference.changes:
        if change.after is None or change.after.sha256 is None:
            contents.pop(change.path, None)
        else:
            contents[change.path] = change.after.sha256
    chosen = tuple(sorted(deliverables, key=lambda deliverable: deliverable.path))
    evidence = _evidence(events)
    if sum(entry.size for entry in files.values()) > SOURCES_BYTES:
        wanted = {item.path for item in evidence} | {item.path for item in chosen}
        wanted |= {change.path for change in difference.changes}
        originals = {path: sha256 for path, sha256 in originals.items() if path in wanted}
    # what a connector's server sent is no file of the user's, and the host holds the very words
    originals |= {path: source for path, source in _held(events).items() if path not in files}
    return ValidationRequest(
        deliverables=chosen,
        files={item.path: contents[item.path] for item in chosen if item.path in contents},
        sources=tuple(
            SourceFile(path=path, sha256=sha256) for path, sha256 in sorted(originals.items())
        ),
        evidence=evidence,
        facts={
            "date": date,
            "paths_read": sorted({item.path for item in evidence}),
            **_facts(events),
        },
    )


def _facts(events: Iterable[Event]) -> dict[str, Any]:
    """Return what the host itself knows of the thread, for rules that must not believe the agent.

    `said`: the user's words, the last ones where there are many. `unavailable`: granted files that could not be
    read. `hosts`: those that an allowed request went to. `signatures`: path → who signed which bytes of it last.
    """
    said: list[str] = []
    lost: set[str] = set()
    hosts: set[str] = set()
    signatures: dict[str, dict[str, str]] = {}
    for event in events:
        match event.payload:
            case UserSaid(text=text):
                said.append(text[-SAID_CHARACTERS:])
            case ContentTaken() as taken:
                lost.update(taken.lost)
            case EgressAsked(host=host, allowed=True):
                hosts.add(host)
            case DeliverableSigned(name=name) as signed if name != ERASED:
                signatures[signed.path] = {"name": signed.name, "sha256": signed.sha256}
    kept = said
    while len(kept) > 1 and sum(map(len, kept)) > SAID_CHARACTERS:
        kept = kept[1:]
    facts = {"said": kept, "unavailable": sorted(lost)[:LOST_PATHS], "hosts": sorted(hosts)}
    return {**facts, "signatures": signatures} if signatures else facts


def _evidence(events: Iterable[Event]) -> tuple[Evidence, ...]:
    """All evidence of the thread and its sub-agents; a later one of the same id replaces the earlier."""
    found: dict[str, Evidence] = {}
    for event in events:
        payload = event.payload
        if isinstance(payload, SubagentDid) and payload.kind == ToolFinished.__name__:
            payload = told(payload)
        if isinstance(payload, ToolFinished):
            found |= {item.id: item for item in payload.evidence}
    return tuple(found.values())


def _held(events: Iterable[Event]) -> dict[str, Digest]:
    """Return the sources that came from connectors, path → digest; no machine's tool can claim one."""
    return {
        item.path: item.source
        for event in events
        if isinstance(event.payload, ToolFinished) and event.payload.private
        for item in event.payload.evidence
        if item.path.startswith(HELD)
    }


def inputs_of(request: ValidationRequest, registry: Registry, flavour: Flavour = "base") -> Digest:
    """Return the digest over everything a verdict depends on. `flavour`: of the clean room."""
    code = {"lock": registry.lock, "code": registry.code, "rules": registry.rules}
    room = {} if flavour == "base" else {"flavour": flavour}
    return digest_of({"request": request, **code, **room})


async def flavour_of_room(world: World, request: ValidationRequest) -> Flavour:
    """Return which image the clean room is of: where a result asks to be rendered, the one that can, if it is there."""
    asks = any(item.asks_rendering for item in request.deliverables)
    return "office" if asks and not await world.sandbox.lacks("office") else "base"


def earlier_verdict(events: Iterable[Event], inputs: Digest) -> Validated | None:
    """Return a verdict on the very same inputs, unless the clean room failed then."""
    verdict: Validated | None = None
    for event in events:
        payload = event.payload
        if isinstance(payload, Validated) and payload.inputs == inputs and payload.rules:
            verdict = payload
    return verdict


async def validate(
    world: World,
    setup: Setup,
    request: ValidationRequest,
    run: RunId,
    progress: Progress,
    *,
    flavour: Flavour = "base",
) -> Validated:
    """Return the verdict. What cannot be checked is an error finding, never a pass. `flavour`: of the clean room."""
    findings, rules = _missing(request), tuple[str, ...]()
    if not findings:
        report = await _in_clean_room(world, setup, request, progress, flavour)
        findings = (*report.findings, *_not_run(request, report, setup.registry))
        rules = report.rules
    # who else uses a gate's name does not open the gate
    open_rules = {rule.rule for rule in setup.registry.rules} - {
        rule.rule for rule in setup.registry.rules if rule.gate
    }
    failed = any(item.level == "error" and item.rule not in open_rules for item in findings)
    return Validated(
        run=run,
        inputs=inputs_of(request, setup.registry, flavour),
        rules=rules,
        findings=findings,
        passed=not failed,
    )


def _missing(request: ValidationRequest) -> tuple[Finding, ...]:
    return tuple(
        Finding(
            rule=MISSING,
            level="error",
            message="The file was presented as a result but is not in the workspace.",
            fix="Write the file, or present the one that is meant.",
            path=item.path,
        )
        for item in request.deliverables
        if item.path not in request.files
    )


def _not_run(
    request: ValidationRequest, report: ValidationReport, registry: Registry
) -> tuple[Finding, ...]:
    roles = {item.role for item in request.deliverables}
    said = {*report.rules, *(finding.rule for finding in report.findings)}
    return tuple(
        Finding(rule=NOT_RUN, level="error", message=f"The rule {rule.rule} did not run.")
        for rule in registry.rules
        if rule.rule not in said and (not rule.roles or roles & set(rule.roles))
    )


async def _in_clean_room(
    world: World,
    setup: Setup,
    request: ValidationRequest,
    progress: Progress,
    flavour: Flavour,
) -> ValidationReport:
    why = ""
    for _ in range(ATTEMPTS):
        try:
            async with world.sandbox.clean_room(setup.plugins, progress, flavour) as machine:
                with anyio.fail_after(DEADLINE_S):
                    return await machine.validate(request, world.blobs)
        except (SandboxUnavailable, ProtocolError) as error:
            why = error.message
        except DeskmateError as error:
            why = error.message
            break
        except TimeoutError:
            why = f"no verdict within {DEADLINE_S:.0f} s"
    finding = Finding(rule=NO_VERDICT, level="error", message=f"The checks could not be run: {why}")
    return ValidationReport(findings=(finding,), rules=())
