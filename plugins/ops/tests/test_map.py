"""The map of a process: what it shows, and that a map which says anything else is found."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest
from PIL import Image

from deskmate.plugin import ToolInputError
from deskmate_documents.scenes import _ascii
from deskmate_ops.bpmn import MODEL
from deskmate_ops.layers import lay_out
from deskmate_ops.tools.measures import process_map
from deskmate_ops.validators.rules import map_true

PATHS = (
    ["Open", "Check", "Close"],
    ["Open", "Check", "Ask", "Check", "Close"],
    ["Open", "Check", "Check", "Close"],
    ["Open", "Close"],
    ["Check", "Refuse <now>"],
)


def log(paths: Any = PATHS) -> str:
    rows = [
        f'{case},"{name}",2025-01-0{case + 1}T{8 + hour:02}:00'
        for case, path in enumerate(paths)
        for hour, name in enumerate(path)
    ]
    return "case,activity,timestamp\n" + "\n".join(rows) + "\n"


def test_all_moves_are_drawn_with_their_counts(desk: Any, verdict: Any, tmp_path: Path) -> None:
    context = desk({"log.csv": log()})
    answer = process_map(context, coverage="1")
    assert (answer.result["share_percent"], answer.result["left_out"]) == ("100.0", 0)
    svg = (tmp_path / "process-map.svg").read_text()
    fromstring(svg)
    assert "<title>Open → Check: 3</title>" in svg
    assert "<title>Check → Refuse &lt;now&gt;: 1</title>" in svg
    assert "<title>begin → Check: 1</title>" in svg
    assert "1 at once again" in svg
    with Image.open(tmp_path / "process-map.png") as picture:
        assert picture.width >= 640
        assert len(picture.convert("RGB").getcolors(1 << 20) or ()) > 5
    root = fromstring((tmp_path / "process-map.bpmn").read_bytes())
    tasks = [node.get("name") for node in root.iter(f"{{{MODEL}}}task")]
    assert sorted(map(str, tasks)) == ["Ask", "Check", "Close", "Open", "Refuse <now>"]
    for deliverable in answer.deliverables:
        assert verdict(map_true, deliverable, context) == []


def test_a_lower_coverage_leaves_rare_moves_out_and_keeps_all_activities_within_reach(
    desk: Any, verdict: Any
) -> None:
    context = desk({"log.csv": log([*[PATHS[0]] * 8, PATHS[1]])}, map_coverage="0.5")
    answer = process_map(context)
    assert answer.result["activities"] == 4
    assert answer.result["left_out"] == 0 or answer.result["share_percent"] != "100.0"
    for deliverable in answer.deliverables:
        assert verdict(map_true, deliverable, context) == []


@pytest.mark.parametrize(
    ("find", "replace", "says"),
    [
        (r'name="3" sourceRef', 'name="4" sourceRef', "the log has 3"),
        (r'name="Ask"', 'name="Asked"', "not the activities of the log"),
        (r">1 events in the log<", ">2 events in the log<", "the log has 1 events"),
        (r"<bpmn:outgoing>Flow_1</bpmn:outgoing>", "", "not those that lead to it"),
        (r'targetRef="End"', 'targetRef="Nowhere"', "begins or ends nowhere"),
        (r'gatewayDirection="Converging"', 'gatewayDirection="Diverging"', "ways in and"),
        (r"<di:waypoint[^>]*>\s*(</bpmndi:BPMNEdge>)", r"\1", "does not draw each part"),
        (r'id="Plane_1"', 'id="Start"', "the same id"),
        (r"<bpmn:task ", "<bpmn:userTask ", "not readable XML"),
        (r"(?s)^.*$", "<a/>", "no process of BPMN"),
    ],
)
def test_a_bpmn_that_says_anything_else_is_found(
    desk: Any, verdict: Any, tmp_path: Path, find: str, replace: str, says: str
) -> None:
    context = desk({"log.csv": log()})
    file = tmp_path / "process-map.bpmn"
    deliverable = process_map(context, coverage="1").deliverables[2]
    text, count = re.subn(find, replace, file.read_text(), count=1)
    assert count == 1
    file.write_text(text)
    assert any(says in message for message in verdict(map_true, deliverable, context))


def test_a_picture_that_was_touched_or_broken_is_found(
    desk: Any, verdict: Any, tmp_path: Path
) -> None:
    context = desk({"log.csv": log()})
    svg, png, _ = process_map(context).deliverables
    file = tmp_path / "process-map.png"
    with Image.open(file) as picture:
        again = picture.copy()
    again.save(file, optimize=True)  # other bytes, the same picture
    assert verdict(map_true, png, context) == []
    again.putpixel((5, 5), (0, 0, 0))
    again.save(file)
    assert "not the one that its source gives" in verdict(map_true, png, context)[0]
    file.write_bytes(b"junk")
    assert "not a readable PNG" in verdict(map_true, png, context)[0]
    text = (tmp_path / "process-map.svg").read_text()
    (tmp_path / "process-map.svg").write_text(text.replace("Open → Check: 3", "Open → Check: 2"))
    assert "not the one that its source gives" in verdict(map_true, svg, context)[0]
    assert "UNVERIFIED" in verdict(map_true, svg, context, held=False)[0]


@pytest.mark.parametrize("coverage", ["0", "1.1", "much"])
def test_a_coverage_that_is_no_share_is_refused(desk: Any, coverage: str) -> None:
    with pytest.raises(ToolInputError, match="coverage"):
        process_map(desk({"log.csv": log()}), coverage=coverage)


def test_too_many_activities_for_a_map_are_refused(desk: Any) -> None:
    with pytest.raises(ToolInputError, match="at most 100"):
        process_map(desk({"log.csv": log([[f"a{n}" for n in range(14)], *[[f"b{c}-{n}" for n in range(13)] for c in range(7)]])}))  # fmt: skip


def test_layers_go_down_and_neighbours_do_not_overlap() -> None:
    edges = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("d", "a"), ("a", "d")]
    layout = lay_out(dict.fromkeys("abcd", 100.0), edges, "a", gap=10, thin=5)
    level = {node: place[1] for node, place in layout.places.items()}
    assert (level["a"], level["b"], level["c"], level["d"]) == (0, 1, 1, 2)
    assert abs(layout.places["b"][0] - layout.places["c"][0]) >= 110
    assert len(layout.routes["a", "d"]) == 1
    assert len(layout.routes["d", "a"]) == 1


def test_signs_that_the_plain_font_lacks_are_told_as_such() -> None:
    assert _ascii("Prüfen → 3 × ж") == "Prufen -> 3 x ?"
