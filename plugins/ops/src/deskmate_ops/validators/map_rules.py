"""OPS-MAP-TRUE: a map shows moves of the log with their true counts; the BPMN is whole; pictures are what the log draws."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from deskmate.plugin import ToolInputError
from deskmate_ops.bpmn import BOUNDS, DIAGRAM, MODEL, WAYS
from deskmate_ops.events import Log

Problem = tuple[str, str]
BEGIN, FINISH = "(begin)", "(end)"
KINDS = frozenset({"startEvent", "endEvent", "task", "exclusiveGateway", "sequenceFlow"})


def counted_moves(log: Log) -> Counter[tuple[str, str]]:
    """Return how often which activity follows which, with begin and end, by one walk over the events in time."""
    last: dict[str, str] = {}
    moves: Counter[tuple[str, str]] = Counter()
    for event in sorted(log.events, key=lambda e: (e.at, e.row)):
        moves[last.get(event.case, BEGIN), event.activity] += 1
        last[event.case] = event.activity
    for activity in last.values():
        moves[activity, FINISH] += 1
    return moves


def bpmn_problems(file: Path, log: Log) -> Iterator[Problem]:
    """Yield what is wrong with a BPMN file: its parts, its ways, its diagram, its counts."""
    root = _parsed(file)
    process = root.find(f"{{{MODEL}}}process")
    if root.tag != f"{{{MODEL}}}definitions" or process is None:
        yield "It has no process of BPMN 2.0.", ""
        return
    ids = [node.get("id", "") for node in root.iter() if node.get("id") is not None]
    if len(set(ids)) < len(ids):
        yield "Two of its parts have the same id.", ""
    parts = {node.get("id", ""): node for node in process if _kind(node) != "sequenceFlow"}
    flows = {node.get("id", ""): node for node in process if _kind(node) == "sequenceFlow"}
    for node in process:
        if _kind(node) not in KINDS:
            yield f"It has a part {_kind(node)!r} that no log gives.", node.get("id", "")
    lost = [
        key
        for key, flow in flows.items()
        if {flow.get("sourceRef"), flow.get("targetRef")} - set(parts)
    ]
    for key in lost:
        yield "A flow begins or ends nowhere.", key
    if lost:
        return
    yield from _ways(parts, flows)
    yield from _diagram(root, parts, flows)
    yield from _counts(parts, flows, log)


def _parsed(file: Path) -> Element:
    from defusedxml.common import DefusedXmlException  # noqa: PLC0415
    from defusedxml.ElementTree import ParseError, parse  # noqa: PLC0415

    try:
        root: Element = parse(file).getroot()
    except (ParseError, DefusedXmlException, OSError, UnicodeDecodeError) as problem:
        raise ToolInputError(f"The BPMN file is not readable XML: {problem}.") from problem
    return root


def _kind(node: Element) -> str:
    return node.tag.rpartition("}")[2]


def _ways(parts: Mapping[str, Element], flows: Mapping[str, Element]) -> Iterator[Problem]:
    """Yield what the flows do not keep: incoming and outgoing as listed, gateways balanced, all within reach."""
    into: dict[str, list[str]] = defaultdict(list)
    out: dict[str, list[str]] = defaultdict(list)
    for key, flow in flows.items():
        out[flow.get("sourceRef", "")].append(key)
        into[flow.get("targetRef", "")].append(key)
    kinds = Counter(_kind(node) for node in parts.values())
    if kinds["startEvent"] != 1 or kinds["endEvent"] != 1:
        yield "It has not exactly one start and one end.", ""
        return
    for key, node in parts.items():
        listed = {
            kind: sorted(child.text or "" for child in node.findall(f"{{{MODEL}}}{kind}"))
            for kind in ("incoming", "outgoing")
        }
        if listed != {"incoming": sorted(into[key]), "outgoing": sorted(out[key])}:
            yield "Its incoming and outgoing flows are not those that lead to it.", key
        widths = (len(into[key]), len(out[key]))
        if not _fits(_kind(node), node.get("gatewayDirection", ""), widths):
            yield f"A {_kind(node)} has {widths[0]} ways in and {widths[1]} out.", key
    targets = {key: [flows[f].get("targetRef", "") for f in out[key]] for key in parts}
    sources = {key: [flows[f].get("sourceRef", "") for f in into[key]] for key in parts}
    for what, ways in (("startEvent", targets), ("endEvent", sources)):
        root = next(key for key, node in parts.items() if _kind(node) == what)
        for key in sorted(set(parts) - _reached(root, ways)):
            yield f"It is not connected with the {what}.", key


def _fits(kind: str, direction: str, widths: tuple[int, int]) -> bool:
    into, out = widths
    match kind, direction:
        case "startEvent", _:
            return into == 0 and out == 1
        case "endEvent", _:
            return into == 1 and out == 0
        case "exclusiveGateway", "Converging":
            return into > 1 and out == 1
        case "exclusiveGateway", "Diverging":
            return into == 1 and out > 1
    return kind == "task" and widths == (1, 1)


def _reached(root: str, ways: Mapping[str, list[str]]) -> set[str]:
    found, waiting = {root}, [root]
    while waiting:
        for other in ways[waiting.pop()]:
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found


def _diagram(
    root: Element, parts: Mapping[str, Element], flows: Mapping[str, Element]
) -> Iterator[Problem]:
    shapes = [
        node.get("bpmnElement", "")
        for node in root.iter(f"{{{DIAGRAM}}}BPMNShape")
        if node.find(f"{{{BOUNDS}}}Bounds") is not None
    ]
    edges = [
        node.get("bpmnElement", "")
        for node in root.iter(f"{{{DIAGRAM}}}BPMNEdge")
        if len(node.findall(f"{{{WAYS}}}waypoint")) > 1
    ]
    if sorted(shapes) != sorted(parts) or sorted(edges) != sorted(flows):
        yield "The diagram does not draw each part and flow once.", ""


def _counts(
    parts: Mapping[str, Element], flows: Mapping[str, Element], log: Log
) -> Iterator[Problem]:
    """Yield moves that the log does not have so often, and activities that are missing."""
    truth = counted_moves(log)
    names = {key: _name(node) for key, node in parts.items() if _kind(node) != "exclusiveGateway"}
    events = Counter(event.activity for event in log.events)
    shown = Counter(name for name in names.values() if name not in (BEGIN, FINISH))
    if set(shown) != set(events) or max(shown.values(), default=1) > 1:
        yield "Its tasks are not the activities of the log, each once.", ""
        return
    for key, node in parts.items():
        note = node.findtext(f"{{{MODEL}}}documentation")
        if _kind(node) == "task" and note != f"{events[names[key]]} events in the log":
            yield f"It says {note!r}; the log has {events[names[key]]} events.", key
    for key, flow in flows.items():
        ends = (flow.get("sourceRef", ""), flow.get("targetRef", ""))
        inner = ends[0] == f"Join_{ends[1]}" or ends[1] == f"Split_{ends[0]}"
        if inner:
            continue
        one = names.get(ends[0].removeprefix("Split_"), "")
        other = names.get(ends[1].removeprefix("Join_"), "")
        if flow.get("name") != str(truth[one, other]) or not truth[one, other]:
            yield (
                f"{one} → {other} says {flow.get('name')!r}; the log has {truth[one, other]}.",
                key,
            )


def _name(node: Element) -> str:
    kinds: dict[str, Any] = {"startEvent": BEGIN, "endEvent": FINISH}
    return str(kinds.get(_kind(node), node.get("name", "")))
