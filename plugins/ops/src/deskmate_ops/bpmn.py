"""Writes the flow of a process as BPMN 2.0: tasks, exclusive gateways where ways part and meet, and the diagram.

Names of elements, their order and the namespaces are those of the OMG's BPMN20.xsd, BPMNDI.xsd, DI.xsd and DC.xsd.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, SubElement, indent, register_namespace, tostring

from deskmate_ops.flows import END, START, Flow, Move, Node
from deskmate_ops.layers import lay_out

MODEL = "http://www.omg.org/spec/BPMN/20100524/MODEL"
DIAGRAM = "http://www.omg.org/spec/BPMN/20100524/DI"
BOUNDS = "http://www.omg.org/spec/DD/20100524/DC"
WAYS = "http://www.omg.org/spec/DD/20100524/DI"
TARGET = "urn:deskmate:ops:process-map"
_SIZES = {
    "task": (140.0, 80.0),
    "exclusiveGateway": (50.0, 50.0),
    "startEvent": (36.0, 36.0),
    "endEvent": (36.0, 36.0),
}
_STEP, _MARGIN = 220.0, 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A node of the diagram. `kind`: its element."""

    id: str
    kind: str
    name: str = ""
    note: str = ""
    direction: str = ""


@dataclass(slots=True, kw_only=True)
class Diagram:
    """Parts, and flows between them: id → (from, to, name)."""

    parts: dict[str, Part] = field(default_factory=dict)
    flows: dict[str, tuple[str, str, str]] = field(default_factory=dict)

    def join(self, source: str, target: str, name: str = "") -> None:
        """Add a flow."""
        self.flows[f"Flow_{len(self.flows) + 1}"] = (source, target, name)


def bpmn_of(flow: Flow, title: str) -> bytes:
    """Return the flow as a BPMN 2.0 file."""
    diagram = _diagram(flow)
    for prefix, space in (("bpmn", MODEL), ("bpmndi", DIAGRAM), ("dc", BOUNDS), ("di", WAYS)):
        register_namespace(prefix, space)
    root = Element(f"{{{MODEL}}}definitions", {"id": "Definitions_1", "targetNamespace": TARGET})
    process = SubElement(
        root, f"{{{MODEL}}}process", {"id": "Process_1", "name": title, "isExecutable": "false"}
    )
    for part in diagram.parts.values():
        _write_part(process, part, diagram)
    for key, (source, target, name) in diagram.flows.items():
        named = {"name": name} if name else {}
        ends = {"sourceRef": source, "targetRef": target}
        SubElement(process, f"{{{MODEL}}}sequenceFlow", {"id": key, **named, **ends})
    _draw(root, diagram)
    indent(root)
    return bytes(tostring(root, encoding="UTF-8", xml_declaration=True)) + b"\n"


def _diagram(flow: Flow) -> Diagram:
    diagram = Diagram()
    before: dict[Node, str] = {}
    after: dict[Node, str] = {}
    names = dict(_named(flow))
    for node, part in names.items():
        entering = sum(1 for move in flow.moves if move[1] == node)
        leaving = sum(1 for move in flow.moves if move[0] == node)
        before[node] = after[node] = part.id
        gates = []
        if entering > 1:
            gate = Part(id=f"Join_{part.id}", kind="exclusiveGateway", direction="Converging")
            diagram.parts[gate.id] = gate
            before[node] = gate.id
            gates.append((gate.id, part.id))
        diagram.parts[part.id] = part
        if leaving > 1:
            gate = Part(id=f"Split_{part.id}", kind="exclusiveGateway", direction="Diverging")
            diagram.parts[gate.id] = gate
            after[node] = gate.id
            gates.append((part.id, gate.id))
        for source, target in gates:
            diagram.join(source, target)
    for (a, b), times in flow.moves.items():
        diagram.join(after[a], before[b], str(times))
    return diagram


def _named(flow: Flow) -> Iterator[tuple[Node, Part]]:
    yield START, Part(id="Start", kind="startEvent", name="Case begins")
    for number, (name, events) in enumerate(flow.activities.items(), start=1):
        note = f"{events} events in the log"
        yield name, Part(id=f"Activity_{number}", kind="task", name=_xml(name), note=note)
    yield END, Part(id="End", kind="endEvent", name="Case ends")


def _xml(text: str) -> str:
    return "".join(c for c in text if c >= " " and not 0xD800 <= ord(c) <= 0xDFFF and c not in "￾￿")


def _write_part(process: Element, part: Part, diagram: Diagram) -> None:
    about = {"id": part.id, **({"name": part.name} if part.name else {})}
    if part.direction:
        about["gatewayDirection"] = part.direction
    node = SubElement(process, f"{{{MODEL}}}{part.kind}", about)
    if part.note:
        SubElement(node, f"{{{MODEL}}}documentation").text = part.note
    for place, kind in ((1, "incoming"), (0, "outgoing")):
        for key, ends in diagram.flows.items():
            if ends[place] == part.id:
                SubElement(node, f"{{{MODEL}}}{kind}").text = key


def _draw(root: Element, diagram: Diagram) -> None:
    """Write where everything lies: from left to right."""
    sizes = {key: _SIZES[part.kind][1] + 20 for key, part in diagram.parts.items()}
    pairs: list[Move] = list(dict.fromkeys((a, b) for a, b, _ in diagram.flows.values()))
    layout = lay_out(dict(sizes), pairs, "Start", gap=40.0, thin=24.0)
    middles = {
        str(node): (_MARGIN + layer * _STEP * 0.75, _MARGIN + across)
        for node, (across, layer) in layout.places.items()
    }
    drawn = SubElement(root, f"{{{DIAGRAM}}}BPMNDiagram", {"id": "Diagram_1"})
    plane = SubElement(
        drawn, f"{{{DIAGRAM}}}BPMNPlane", {"id": "Plane_1", "bpmnElement": "Process_1"}
    )
    for key, part in diagram.parts.items():
        width, height = _SIZES[part.kind]
        about = {"id": f"{key}_di", "bpmnElement": key}
        if part.kind == "exclusiveGateway":
            about["isMarkerVisible"] = "true"
        shape = SubElement(plane, f"{{{DIAGRAM}}}BPMNShape", about)
        x, y = middles[key]
        corner = {"x": x - width / 2, "y": y - height / 2, "width": width, "height": height}
        SubElement(shape, f"{{{BOUNDS}}}Bounds", {k: f"{v:.1f}" for k, v in corner.items()})
    for key, (source, target, _) in diagram.flows.items():
        edge = SubElement(plane, f"{{{DIAGRAM}}}BPMNEdge", {"id": f"{key}_di", "bpmnElement": key})
        bends = [
            (_MARGIN + layer * _STEP * 0.75, _MARGIN + across)
            for across, layer in layout.routes[source, target]
        ]
        for x, y in _ends(middles[source], middles[target], bends, diagram, (source, target)):
            SubElement(edge, f"{{{WAYS}}}waypoint", {"x": f"{x:.1f}", "y": f"{y:.1f}"})


def _ends(
    one: tuple[float, float],
    other: tuple[float, float],
    bends: list[tuple[float, float]],
    diagram: Diagram,
    keys: tuple[str, str],
) -> list[tuple[float, float]]:
    """Return the way of a flow: from border to border, at the side where it leaves and comes in."""
    forward = one[0] < other[0]
    halves = [_SIZES[diagram.parts[key].kind][0] / 2 for key in keys]
    sign = 1 if forward else -1
    begin, end = (one[0] + sign * halves[0], one[1]), (other[0] - sign * halves[1], other[1])
    return [begin, *bends, end]
