"""Loads one plugin in its own process: imports it, runs its hooks once, checks what they return."""

from __future__ import annotations

import importlib
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pluggy

from deskmate.plugin import hookspecs
from deskmate.plugin.contexts import PluginContext
from deskmate.plugin.contributions import Prompt, SkillSource, Tool, Validator
from deskmate.plugin.hookspecs import PROJECT
from deskmate.types.registry import PromptSpec, RuleSpec, SkillSpec, ToolSpec
from deskmate_guest.layout import PluginPlace
from deskmate_guest.schema import SchemaError, Signature, read_signature
from deskmate_guest.skills import SkillError, read_skill

_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_RULE_NAME = re.compile(r"[A-Z][A-Z0-9-]{1,63}")
T = TypeVar("T")


class PluginBroken(Exception):
    """The plugin cannot be used; the message says why, in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedTool:
    """A registered tool with the signature that was read from it."""

    tool: Tool
    signature: Signature
    spec: ToolSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedPlugin:
    """All that one plugin registered, ready to be called. `problems`: parts that were left out."""

    place: PluginPlace
    prompts: tuple[PromptSpec, ...] = ()
    tools: Mapping[str, LoadedTool] = field(default_factory=dict)
    skills: tuple[SkillSpec, ...] = ()
    rules: Mapping[str, tuple[Validator, RuleSpec]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def load_plugin(place: PluginPlace) -> LoadedPlugin:
    """Import the plugin, run its hooks and return what it brings. Raises PluginBroken."""
    for folder in (place.wheels, place.root):
        if folder.is_dir() and str(folder) not in sys.path:
            sys.path.append(str(folder))
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    try:
        manifest = tomllib.loads((place.resources / "plugin.toml").read_text())
        manager.register(importlib.import_module(place.package), name=place.name)
        manager.check_pending()
        return _collect(place, manager, manifest)
    except (PluginBroken, pluggy.PluginValidationError, tomllib.TOMLDecodeError) as error:
        raise PluginBroken(_one_line(str(error))) from error
    except Exception as error:  # the loader: a plugin's import and hooks may raise anything
        raise PluginBroken(_one_line(f"{type(error).__name__}: {error}")) from error


def _collect(
    place: PluginPlace, manager: pluggy.PluginManager, manifest: Mapping[str, Any]
) -> LoadedPlugin:
    context = PluginContext(name=place.name, version=place.version, resources=place.resources)
    prompts = _returned(manager.hook.deskmate_prompts(context=context), Prompt)
    tools = _returned(manager.hook.deskmate_tools(context=context), Tool)
    sources = _returned(manager.hook.deskmate_skills(context=context), SkillSource)
    rules = _returned(manager.hook.deskmate_validators(context=context), Validator)
    skills, problems = _load_skills(place.name, sources)
    return LoadedPlugin(
        place=place,
        prompts=tuple(
            PromptSpec(plugin=place.name, name=item.name, text=item.text, order=item.order)
            for item in prompts
        ),
        tools=_load_tools(place.name, tools, manifest.get("tools", {})),
        skills=skills,
        rules=_load_rules(place.name, rules, manifest.get("validators", {})),
        problems=problems,
    )


def _returned(results: Iterable[Iterable[Any] | None], kind: type[T]) -> list[T]:
    found: list[T] = []
    for result in results:
        for item in result or ():
            if not isinstance(item, kind):
                raise PluginBroken(
                    f"a hook returned {type(item).__name__} where {kind.__name__} is expected"
                )
            found.append(item)
    return found


def _load_tools(
    plugin: str, tools: list[Tool], declared: Mapping[str, Any]
) -> Mapping[str, LoadedTool]:
    loaded: dict[str, LoadedTool] = {}
    for tool in tools:
        name, wire_name = tool.name, f"{plugin}__{tool.name}"
        if not _TOOL_NAME.fullmatch(wire_name):
            raise PluginBroken(f"tool {name}: {wire_name!r} is not a name MCP allows")
        if name in loaded:
            raise PluginBroken(f"tool {name} is registered twice")
        if name not in declared:
            raise PluginBroken(f"tool {name} is not in plugin.toml")
        if tool.risk != (risk := declared[name].get("risk", "read")):
            raise PluginBroken(f"tool {name} has risk {tool.risk}, plugin.toml says {risk}")
        try:
            signature = read_signature(tool.function)
        except SchemaError as error:
            raise PluginBroken(f"tool {name}: {error}") from error
        spec = ToolSpec(
            plugin=plugin,
            name=wire_name,
            title=name.replace("_", " ").capitalize(),
            description=signature.description,
            input_schema=signature.input_schema,
            risk=tool.risk,
            timeout_s=tool.timeout_s,
            reads=None if tool.reads is None else tuple(tool.reads),
            offered=None if tool.offered is None else tuple(tool.offered),
            office=tool.office,
        )
        loaded[name] = LoadedTool(tool=tool, signature=signature, spec=spec)
    return loaded


def _load_rules(
    plugin: str, rules: list[Validator], declared: Mapping[str, Any]
) -> Mapping[str, tuple[Validator, RuleSpec]]:
    loaded: dict[str, tuple[Validator, RuleSpec]] = {}
    for item in rules:
        if not _RULE_NAME.fullmatch(item.rule):
            raise PluginBroken(f"rule {item.rule!r} is not a name in capitals, such as LEGAL-QUOTE")
        if item.rule in loaded:
            raise PluginBroken(f"rule {item.rule} is registered twice")
        if item.rule not in declared:
            raise PluginBroken(f"rule {item.rule} is not in plugin.toml")
        spec = RuleSpec(
            plugin=plugin,
            rule=item.rule,
            title=item.title,
            roles=tuple(item.roles),
            gate=bool(declared[item.rule].get("gate", True)),
        )
        loaded[item.rule] = (item, spec)
    return loaded


def _load_skills(
    plugin: str, sources: list[SkillSource]
) -> tuple[tuple[SkillSpec, ...], tuple[str, ...]]:
    skills: dict[str, SkillSpec] = {}
    problems: list[str] = []
    for source in sources:
        try:
            skill = read_skill(plugin, source.folder)
        except SkillError as error:
            problems.append(f"{plugin}: skill {source.folder.name} left out: {error}")
            continue
        if skill.name in skills:
            problems.append(f"{plugin}: skill {skill.name} is there twice; the first one is used")
            continue
        skills[skill.name] = skill
    return tuple(skills.values()), tuple(problems)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:500]
