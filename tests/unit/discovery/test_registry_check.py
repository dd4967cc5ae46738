"""What a guest reports is believed only as far as the plugins' manifests go."""

import copy
import json
from dataclasses import replace
from typing import Any

import pytest

from deskmate.discovery.registry_check import check_registry, whole_registry
from deskmate.errors import ProtocolError
from deskmate.types.codec import to_json
from deskmate.types.ids import Digest
from deskmate.types.registry import Layer, Manifest, Registry, SkillSpec
from deskmate.types.wire import REGISTRY_LIMIT_BYTES

LOCK = Digest("a" * 64)


def layer() -> Layer:
    acme = Manifest(
        api=">=1",
        title="Acme",
        summary="s",
        tools={"find": "read", "edit": "write"},
        validators={"ACME-OK": True, "ACME-HINT": False},
        skills=("do-it",),
    )
    other = Manifest(api=">=1", title="Other", summary="s")
    return Layer(
        digest=LOCK,
        disk="/x",
        lock=LOCK,
        plugins=("other", "acme"),
        versions={"acme": "1", "other": "1"},
        manifests={"acme": acme, "other": other},
    )


def tool(name: str = "find", risk: str = "read", **more: Any) -> dict[str, Any]:
    return {
        "plugin": "acme",
        "name": f"acme__{name}",
        "title": name,
        "description": "Finds things.",
        "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}},
        "risk": risk,
        **more,
    }


def report(**more: Any) -> dict[str, Any]:
    return {
        "lock": LOCK,
        "prompts": [{"plugin": "acme", "name": "role", "text": "You are Acme."}],
        "tools": [tool("find"), tool("edit", "write")],
        "skills": [{"plugin": "acme", "name": "do-it", "description": "Does it.", "body": "Do."}],
        "rules": [
            {"plugin": "acme", "rule": "ACME-OK", "title": "It is so."},
            {"plugin": "acme", "rule": "ACME-HINT", "title": "A hint.", "gate": False},
        ],
        **more,
    }


def check(**more: Any) -> Registry:
    return check_registry(json.dumps(report(**more)).encode(), layer())


def only_problem(registry: Registry) -> str:
    assert len(registry.problems) >= 1, registry
    return registry.problems[0]


def test_an_honest_report_comes_through_whole() -> None:
    registry = check()
    assert registry.problems == ()
    assert [item.name for item in registry.tools] == ["acme__edit", "acme__find"]
    assert [item.rule for item in registry.rules] == ["ACME-HINT", "ACME-OK"]
    assert registry.skills[0].name == "do-it"
    assert registry.prompts[0].text == "You are Acme."


def test_bytes_and_object_are_the_same_and_survive_the_codec() -> None:
    once = check()
    assert check_registry(report(), layer()) == once
    assert check_registry(to_json(once), layer()) == once


def test_a_tool_that_the_manifest_does_not_name_is_left_out() -> None:
    registry = check(tools=[tool("find"), tool("edit", "write"), tool("steal")])
    assert [item.name for item in registry.tools] == ["acme__edit", "acme__find"]
    assert "'acme__steal' is left out: plugin.toml does not name it" in only_problem(registry)


def test_a_tool_with_a_milder_risk_than_the_manifest_is_left_out() -> None:
    registry = check(tools=[tool("find"), tool("edit", "read")])
    assert [item.name for item in registry.tools] == ["acme__find"]
    assert "its risk is read, plugin.toml says write" in only_problem(registry)


@pytest.mark.parametrize(
    "name", ["other__find", "acme_find", "acme__", "acme__fi nd", "acme__" + "f" * 60, "find"]
)
def test_a_wrong_wire_name_is_left_out(name: str) -> None:
    registry = check(tools=[{**tool("find"), "name": name}, tool("edit", "write")])
    assert [item.name for item in registry.tools] == ["acme__edit"]


def test_a_plugin_cannot_speak_for_another() -> None:
    registry = check(tools=[tool("find", plugin="other")])
    assert registry.tools == ()
    registry = check(tools=[tool("find", plugin="nobody")])
    assert registry.tools == ()


def test_a_second_tool_of_the_same_name_is_left_out() -> None:
    registry = check(
        tools=[tool("find"), tool("find", description="Other."), tool("edit", "write")]
    )
    assert [item.description for item in registry.tools] == ["Finds things."] * 2
    assert "twice" in only_problem(registry)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "string"},
        {"type": "object", "properties": {"x": {"type": "strnig"}}},
        {"type": "object", "properties": []},
        {"type": "object", "properties": {"x": {"type": "string", "pattern": "(a+)+$"}}},
        {"type": "object", "patternProperties": {"(a+)+$": {}}},
        {"type": "object", "$ref": "https://evil.example/schema"},
        {"type": "object", "properties": {"x": {"$ref": "file:///etc/passwd"}}},
        {"type": "object", "description": "x" * 40_000},
    ],
)
def test_a_schema_that_is_wrong_too_large_or_points_elsewhere_is_left_out(schema: Any) -> None:
    registry = check(tools=[tool("find", input_schema=schema), tool("edit", "write")])
    assert [item.name for item in registry.tools] == ["acme__edit"]
    assert "input schema" in only_problem(registry)


def doubling(levels: int) -> dict[str, Any]:
    """Return a schema whose validation takes two to the power of `levels` steps."""
    defs: dict[str, Any] = {
        f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(levels)
    }
    return {
        "type": "object",
        "$defs": {**defs, f"a{levels}": {"type": "object"}},
        "allOf": [{"$ref": "#/$defs/a0"}],
    }


@pytest.mark.parametrize(
    "schema",
    [
        doubling(60),
        {"type": "object", "properties": {"x": {"$ref": "#"}}},
        {"type": "object", "properties": {"x": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"$ref": "#/$defs/x"}}},
        {"type": "object", "properties": {"x": {"$id": "y", **doubling(60)}}, "$defs": {"a0": {}}},
    ],
)  # fmt: skip
def test_a_schema_that_would_keep_the_host_busy_is_left_out(schema: Any) -> None:
    registry = check(tools=[tool("find", input_schema=schema), tool("edit", "write")])
    assert [item.name for item in registry.tools] == ["acme__edit"]
    assert "busy for ever" in only_problem(registry)


def test_a_schema_may_refer_to_its_own_definitions() -> None:
    assert len(check(tools=[tool("find", input_schema=doubling(3))]).tools) == 1


def test_a_parameter_may_be_called_pattern() -> None:
    schema = {"type": "object", "properties": {"pattern": {"type": "string"}}}
    assert len(check(tools=[tool("find", input_schema=schema)]).tools) == 1


@pytest.mark.parametrize("seconds", [0, -1, 10**9])
def test_an_absurd_time_limit_is_left_out(seconds: int) -> None:
    assert len(check(tools=[tool("find", timeout_s=seconds)]).tools) == 0


def test_an_item_of_the_wrong_shape_is_named_and_the_rest_stays() -> None:
    registry = check(tools=[tool("find", extra=1), 7, {"plugin": "acme"}, tool("edit", "write")])
    assert [item.name for item in registry.tools] == ["acme__edit"]
    assert len([p for p in registry.problems if "unreadable" in p]) == 3


def test_a_guest_cannot_open_a_gate() -> None:
    rules = copy.deepcopy(report()["rules"])
    rules[0]["gate"] = False
    registry = check(rules=rules)
    assert {rule.rule: rule.gate for rule in registry.rules} == {
        "ACME-OK": True,
        "ACME-HINT": False,
    }
    assert "ACME-OK has gate = True" in only_problem(registry)


def test_what_the_manifest_names_and_the_guest_lacks_is_a_problem() -> None:
    registry = check(tools=[tool("find")], rules=[], skills=[])
    text = "\n".join(registry.problems)
    for missing in ("tool edit", "rule ACME-OK", "rule ACME-HINT", "skill do-it"):
        assert missing in text


def test_a_promised_gate_that_the_guest_lacks_still_has_to_run() -> None:
    registry = check(rules=[{"plugin": "acme", "rule": "ACME-OK", "title": 3}])
    (kept,) = registry.rules
    assert (kept.rule, kept.gate, kept.roles) == ("ACME-OK", True, ())


def test_prompts_beyond_two_thousand_tokens_are_left_out_and_said_to_be_estimated() -> None:
    prompts = [
        {"plugin": "acme", "name": "big", "text": "x" * 7_900, "order": 1},
        {"plugin": "acme", "name": "more", "text": "x" * 200, "order": 2},
        {"plugin": "other", "name": "own", "text": "x" * 8_000},
    ]
    registry = check(prompts=prompts)
    assert [prompt.name for prompt in registry.prompts] == ["own", "big"]
    assert "estimated at 4 characters each" in only_problem(registry)


def test_prompts_come_in_the_order_of_plugins_then_their_own() -> None:
    prompts = [
        {"plugin": "acme", "name": "b", "text": "b"},
        {"plugin": "acme", "name": "a", "text": "a", "order": 200},
        {"plugin": "other", "name": "z", "text": "z"},
    ]
    assert [prompt.name for prompt in check(prompts=prompts).prompts] == ["z", "b", "a"]


def test_the_guests_own_problems_are_kept_and_clipped() -> None:
    registry = check(problems=["hr: no", "x" * 5_000, 3])
    assert registry.problems[0] == "hr: no"
    assert len(registry.problems[1]) <= 500


def test_a_report_of_another_set_is_refused() -> None:
    with pytest.raises(ProtocolError, match="another set"):
        check(lock="b" * 64)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"lock": NaN',
        b"[" * 100_000,
        b" " * (REGISTRY_LIMIT_BYTES + 1),
        json.dumps({"lock": LOCK, "tools": {}}).encode(),
        json.dumps({"lock": LOCK, "tools": [1] * 1_001}).encode(),
        json.dumps({"lock": LOCK, "x": json.loads("[" * 40 + "]" * 40)}).encode(),
    ],
)
def test_what_is_no_registry_breaks_the_protocol(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        check_registry(data, layer())


def test_a_guest_does_not_say_that_a_skill_is_in_another_format() -> None:
    place = {"folder": "/workspace", "owner": "/workspace"}
    row = {
        "plugin": "acme",
        "name": "do-it",
        "description": "Does it.",
        "body": "Do.",
        "foreign": place,
    }
    registry = check(skills=[row])
    assert registry.skills == ()
    assert "only the host says what is in another format" in only_problem(registry)


def test_skills_that_the_host_read_come_beside_those_of_the_guest() -> None:
    own = SkillSpec(plugin="kit", name="kit:write", description="Writes.", body="How to.")
    whole = whole_registry(report(), replace(layer(), skills=(own,)))
    assert [skill.name for skill in whole.skills] == ["do-it", "kit:write"]
