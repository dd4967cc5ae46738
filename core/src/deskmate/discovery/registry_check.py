"""The registry that a guest reports → a checked `Registry`. The report is untrusted data.

What a manifest does not name is left out and named in `Registry.problems`; the rest stays usable. A gate
that a manifest names and the guest lacks stays in, so that nothing passes without it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from deskmate.errors import CorruptData, ProtocolError
from deskmate.types.codec import from_json
from deskmate.types.registry import (
    Layer,
    Manifest,
    PromptSpec,
    Registry,
    RuleSpec,
    SkillSpec,
    ToolSpec,
)
from deskmate.types.wire import JSON_DEPTH_LIMIT, REGISTRY_LIMIT_BYTES

PROMPT_TOKENS_LIMIT = 2_000
CHARACTERS_PER_TOKEN = 4
"""Tokens are estimated: no tokenizer runs here."""
_LISTS = ("prompts", "tools", "skills", "rules")
_ITEMS_LIMIT = 1_000
_PROBLEMS_LIMIT = 100
_LINE_LIMIT = 500
_DESCRIPTION_LIMIT = 8_000
_SKILL_LIMIT = 100_000
_SCHEMA_LIMIT_BYTES = 32 * 1024
_STEPS_LIMIT = 20_000
_PROCEDURE_LIMIT_BYTES = 64 * 1024
_TIMEOUT_LIMIT_S = 3_600
_READS_LIMIT = 50
_KIND = re.compile(r"\.[a-z0-9]{1,12}")
_WIRE_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")

Spec = TypeVar("Spec", PromptSpec, ToolSpec, SkillSpec, RuleSpec)
Check = Callable[[Spec, Manifest], str]


def check_registry(data: bytes | Mapping[str, Any], layer: Layer) -> Registry:
    """Return what the guest of `layer` reported, as far as the plugins' manifests allow it.

    Args:
        data: JSON as `deskmate.types.codec` writes a `Registry`, at most 1 MiB, 32 levels deep.
        layer: the layer that the guest runs; names, risks and gates come from its manifests.

    Raises:
        ProtocolError: it is no registry at all, out of bounds, or of another set of plugins.
    """
    report = _parse(data)
    if report.get("lock") != layer.lock:
        raise ProtocolError("The guest reported a registry of another set of plugins.")
    problems = [_clip(line) for line in _list(report, "problems") if isinstance(line, str)]
    prompts = _checked(PromptSpec, _list(report, "prompts"), layer, _check_prompt, problems)
    tools = _checked(ToolSpec, _list(report, "tools"), layer, _check_tool, problems)
    skills = _checked(SkillSpec, _list(report, "skills"), layer, _check_skill, problems)
    rules = _checked(RuleSpec, _list(report, "rules"), layer, _check_rule, problems)
    rules = [_with_manifest_gate(rule, layer.manifests[rule.plugin], problems) for rule in rules]
    problems.extend(_missing(layer, tools, skills, rules))
    rules.extend(_promised(layer, rules))
    place = {name: number for number, name in enumerate(layer.plugins)}
    prompts.sort(key=lambda prompt: (place[prompt.plugin], prompt.order, prompt.name))
    return Registry(
        lock=layer.lock,
        prompts=tuple(_within_budget(prompts, problems)),
        tools=tuple(sorted(tools, key=lambda tool: tool.name)),
        skills=tuple(sorted(skills, key=lambda skill: (place[skill.plugin], skill.name))),
        rules=tuple(sorted(rules, key=lambda rule: (place[rule.plugin], rule.rule))),
        problems=tuple(problems[:_PROBLEMS_LIMIT]),
    )


def whole_registry(data: bytes | Mapping[str, Any], layer: Layer) -> Registry:
    """Return what the guest reported, checked, and the skills in other formats, which the host read itself.

    Raises ProtocolError as `check_registry` does.
    """
    registry = check_registry(data, layer)
    return replace(registry, skills=(*registry.skills, *layer.skills))


def _parse(data: bytes | Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        if isinstance(data, bytes):
            if len(data) > REGISTRY_LIMIT_BYTES:
                raise ProtocolError("The guest's registry is larger than 1 MiB.")
            report = json.loads(data)
        else:
            report = data
            if len(json.dumps(report)) > 2 * REGISTRY_LIMIT_BYTES:  # escapes may double it
                raise ProtocolError("The guest's registry is larger than 1 MiB.")
    except (ValueError, TypeError, RecursionError) as error:
        raise ProtocolError("The guest's registry is not JSON.") from error
    if not isinstance(report, Mapping) or _depth(report) > JSON_DEPTH_LIMIT:
        raise ProtocolError("The guest's registry is not a JSON object of bounded depth.")
    return report


def _depth(value: Any) -> int:
    deepest, left = 0, [(value, 1)]
    while left:
        item, depth = left.pop()
        deepest = max(deepest, depth)
        if deepest > JSON_DEPTH_LIMIT:
            break
        if isinstance(item, Mapping):
            left.extend((child, depth + 1) for child in item.values())
        elif isinstance(item, list):
            left.extend((child, depth + 1) for child in item)
    return deepest


def _list(report: Mapping[str, Any], key: str) -> Sequence[Any]:
    items = report.get(key, [])
    if not isinstance(items, list) or len(items) > _ITEMS_LIMIT:
        raise ProtocolError(f"The guest's registry has no list of at most {_ITEMS_LIMIT} {key}.")
    return items


def _clip(text: str) -> str:
    return text if len(text) <= _LINE_LIMIT else text[: _LINE_LIMIT - 1] + "…"


def _checked(
    kind: type[Spec],
    items: Sequence[Any],
    layer: Layer,
    check: Check[Spec],
    problems: list[str],
) -> list[Spec]:
    good: list[Spec] = []
    seen: set[tuple[str, str]] = set()
    for item in items:
        try:
            spec = from_json(kind, item)
        except CorruptData as error:
            problems.append(_clip(f"The guest reported something unreadable: {error.message}"))
            continue
        manifest = layer.manifests.get(spec.plugin)
        key = (spec.plugin, _name(spec))
        if manifest is None or spec.plugin not in layer.plugins:
            wrong = "its plugin is not in this set"
        elif key in seen:
            wrong = "it is there twice; the first one is used"
        else:
            wrong = check(spec, manifest)
        if wrong:
            what = kind.__name__.removesuffix("Spec").lower()
            problems.append(_clip(f"{spec.plugin}: {what} {_name(spec)!r} is left out: {wrong}."))
            continue
        seen.add(key)
        good.append(spec)
    return good


def _name(spec: PromptSpec | ToolSpec | SkillSpec | RuleSpec) -> str:
    return spec.rule if isinstance(spec, RuleSpec) else spec.name


def _check_prompt(prompt: PromptSpec, manifest: Manifest) -> str:
    return "" if 0 < len(prompt.name) <= _LINE_LIMIT else "its name is empty or too long"


def _check_tool(tool: ToolSpec, manifest: Manifest) -> str:
    prefix = f"{tool.plugin}__"
    if not _WIRE_NAME.fullmatch(tool.name) or not tool.name.startswith(prefix):
        return f"a tool's name is {prefix}<name>, at most 64 letters, digits, - and _"
    risk = manifest.tools.get(tool.name.removeprefix(prefix))
    if risk is None:
        return "plugin.toml does not name it"
    if risk != tool.risk:
        return f"its risk is {tool.risk}, plugin.toml says {risk}"
    if not tool.description.strip() or len(tool.description) > _DESCRIPTION_LIMIT:
        return f"its description is empty or longer than {_DESCRIPTION_LIMIT} characters"
    if len(tool.title) > _LINE_LIMIT or tool.definition is not None:
        return "its title is too long, or it calls itself a connector's"
    if not 0 < tool.timeout_s <= _TIMEOUT_LIMIT_S:
        return f"its time limit is {tool.timeout_s} s"
    if tool.reads is not None and (
        len(tool.reads) > _READS_LIMIT or any(len(item) > _LINE_LIMIT for item in tool.reads)
    ):
        return f"it reads more than {_READS_LIMIT} kinds of files, or one of more than {_LINE_LIMIT} characters"
    if tool.offered is not None and (
        len(tool.offered) > _READS_LIMIT or not all(_KIND.fullmatch(kind) for kind in tool.offered)
    ):
        return f"it is offered for more than {_READS_LIMIT} kinds of files, or one that is no suffix such as .pdf"
    return _check_schema(tool.input_schema) or _check_office(tool)


def _check_office(tool: ToolSpec) -> str:
    arguments = tool.input_schema.get("properties")
    known = arguments if isinstance(arguments, Mapping) else {}
    if tool.office in ("", "always") or tool.office in known:
        return ""
    return f"it takes the office image with {tool.office[:40]!r}, which is no argument of it"


def _check_schema(schema: Mapping[str, Any]) -> str:
    from jsonschema import Draft202012Validator  # noqa: PLC0415
    from jsonschema.exceptions import SchemaError  # noqa: PLC0415

    if len(json.dumps(schema)) > _SCHEMA_LIMIT_BYTES:
        return "its input schema is larger than 32 KiB"
    if schema.get("type") != "object":
        return "its input schema is not of type object"
    if _refers_elsewhere(schema):
        return "its input schema refers to something outside itself"
    if _is_explosive(schema):
        return "its input schema has references that could keep the host busy for ever"
    if _has_pattern(schema):
        return "its input schema has a pattern, which could keep the host busy for ever"
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return f"its input schema is not valid: {error.message}"
    return ""


def _refers_elsewhere(schema: Any) -> bool:
    """Say whether a reference leaves the schema: nobody may make the host fetch something."""
    if isinstance(schema, Mapping):
        for key in ("$ref", "$dynamicRef", "$schema"):
            target = schema.get(key)
            if key == "$schema" and isinstance(target, str) and "json-schema.org" in target:
                continue
            if isinstance(target, str) and not target.startswith("#"):
                return True
        return any(_refers_elsewhere(child) for child in schema.values())
    return isinstance(schema, list) and any(_refers_elsewhere(child) for child in schema)


def _is_explosive(schema: Mapping[str, Any]) -> bool:
    """Say whether following the references takes too many steps, never ends, or leads nowhere known."""
    try:
        return _Steps(schema).of(schema, frozenset()) > _STEPS_LIMIT
    except RecursionError:
        return True


class _Steps:
    """Counts the steps of one validation; references count as often as they are followed."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        found = schema.get("$defs")
        self._known: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
        self._costs: dict[str, int] = {}

    def of(self, node: Any, opened: frozenset[str]) -> int:
        if isinstance(node, list):
            return sum(self.of(child, opened) for child in node)
        if not isinstance(node, Mapping):
            return 0
        if isinstance(node.get("$id"), str):
            return _STEPS_LIMIT + 1  # below it references mean something else
        targets = [node[key] for key in ("$ref", "$dynamicRef") if isinstance(node.get(key), str)]
        below = sum(self.of(child, opened) for key, child in node.items() if key != "$defs")
        return 1 + below + sum(self._of_target(target, opened) for target in targets)

    def _of_target(self, target: str, opened: frozenset[str]) -> int:
        if target not in self._costs:
            name = target.removeprefix("#/$defs/")
            if target in opened or name not in self._known:
                return _STEPS_LIMIT + 1
            self._costs[target] = self.of(self._known[name], opened | {target})
        return self._costs[target]


def _has_pattern(schema: Any) -> bool:
    """Say whether the host would match a regular expression of the plugin's choice.

    A property that is called `pattern` has a schema, not a string.
    """
    if isinstance(schema, Mapping):
        if isinstance(schema.get("pattern"), str) or "patternProperties" in schema:
            return True
        return any(_has_pattern(child) for child in schema.values())
    return isinstance(schema, list) and any(_has_pattern(child) for child in schema)


def _check_skill(skill: SkillSpec, manifest: Manifest) -> str:
    if skill.foreign is not None:
        return "only the host says what is in another format"
    if skill.name not in manifest.skills:
        return "plugin.toml does not name it"
    if not skill.description.strip() or len(skill.description) > _DESCRIPTION_LIMIT:
        return f"its description is empty or longer than {_DESCRIPTION_LIMIT} characters"
    if len(skill.body) > _SKILL_LIMIT:
        return f"its text is longer than {_SKILL_LIMIT} characters"
    if skill.procedure is not None and len(json.dumps(skill.procedure)) > _PROCEDURE_LIMIT_BYTES:
        return "its procedure is larger than 64 KiB"
    return ""


def _check_rule(rule: RuleSpec, manifest: Manifest) -> str:
    if rule.rule not in manifest.validators:
        return "plugin.toml does not name it"
    return "" if len(rule.title) <= _LINE_LIMIT else "its title is too long"


def _with_manifest_gate(rule: RuleSpec, manifest: Manifest, problems: list[str]) -> RuleSpec:
    """Return the rule with the manifest's `gate`: a guest must not be able to open a gate."""
    gate = manifest.validators[rule.rule]
    if rule.gate or not gate:
        return replace(rule, gate=gate)
    problems.append(f"{rule.plugin}: rule {rule.rule} has gate = {gate}, as plugin.toml says.")
    return replace(rule, gate=gate)


def _missing(
    layer: Layer,
    tools: Sequence[ToolSpec],
    skills: Sequence[SkillSpec],
    rules: Sequence[RuleSpec],
) -> Iterable[str]:
    named = {tool.name for tool in tools}
    taught = {(skill.plugin, skill.name) for skill in skills}
    checked = {(rule.plugin, rule.rule) for rule in rules}
    for plugin in layer.plugins:
        manifest = layer.manifests[plugin]
        for tool in manifest.tools:
            if f"{plugin}__{tool}" not in named:
                yield f"{plugin}: plugin.toml names the tool {tool}, which the plugin lacks."
        for skill in manifest.skills:
            if (plugin, skill) not in taught:
                yield f"{plugin}: plugin.toml names the skill {skill}, which the plugin lacks."
        for rule in manifest.validators:
            if (plugin, rule) not in checked:
                yield f"{plugin}: plugin.toml names the rule {rule}, which the plugin lacks."


def _promised(layer: Layer, rules: Sequence[RuleSpec]) -> list[RuleSpec]:
    """Return the gates that plugin.toml promises and the guest lacks: they cannot run, so no file passes."""
    checked = {(rule.plugin, rule.rule) for rule in rules}
    return [
        RuleSpec(plugin=plugin, rule=rule, title="")
        for plugin in layer.plugins
        for rule, gate in layer.manifests[plugin].validators.items()
        if gate and (plugin, rule) not in checked
    ]


def _within_budget(prompts: Sequence[PromptSpec], problems: list[str]) -> Iterable[PromptSpec]:
    used: dict[str, int] = {}
    for prompt in prompts:
        tokens = -(-len(prompt.text) // CHARACTERS_PER_TOKEN)
        total = used.get(prompt.plugin, 0) + tokens
        if total > PROMPT_TOKENS_LIMIT:
            problems.append(
                f"{prompt.plugin}: prompt {_clip(prompt.name)!r} is left out: with it the plugin's "
                f"prompts cost about {total} tokens (estimated at {CHARACTERS_PER_TOKEN} characters "
                f"each), {PROMPT_TOKENS_LIMIT} are allowed."
            )
            continue
        used[prompt.plugin] = total
        yield prompt
