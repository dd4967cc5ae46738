"""`plugin.toml` as text → a checked `Manifest`. Says which key of which file is wrong, and how."""

from __future__ import annotations

import difflib
import functools
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

from deskmate.errors import ConfigError
from deskmate.plugin.contexts import API_VERSION
from deskmate.types.registry import HostRule, Manifest, SecretRule

MANIFEST_NAME = "plugin.toml"
MANIFEST_LIMIT_BYTES = 64 * 1024
_SHOWN_PROBLEMS = 3
_DEEP_KEY = re.compile(r"""(?:["']?[\w-]{1,100}["']?[ \t]*\.[ \t]*){32}""")
"""Such a key takes seconds to read and nests too deep for anything that looks at it."""
_TOML_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def read_manifest(content: bytes, where: str) -> Manifest:
    """Return the manifest in `content`.

    Args:
        content: the file's bytes, at most 64 KiB of UTF-8 TOML.
        where: the file as the user knows it; every error begins with it.

    Raises:
        ConfigError: it cannot be read, a key is unknown, missing or wrong, or the plugin is for
            another version of the plugin API. Up to three problems are named.
    """
    data = _parse(content, where)
    if problems := [*_schema_problems(data)]:
        _refuse(where, problems)
    if problems := [*_meaning_problems(data)]:
        _refuse(where, problems)
    return _build(data)


def _parse(content: bytes, where: str) -> dict[str, Any]:
    if len(content) > MANIFEST_LIMIT_BYTES:
        raise ConfigError(f"{where} is larger than {MANIFEST_LIMIT_BYTES // 1024} KiB.")
    try:
        text = content.decode("utf-8-sig")
        if _DEEP_KEY.search(text):
            raise ConfigError(f"{where} is not valid TOML: a key of more than 32 parts")
        return tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{where} is not UTF-8 text (byte {error.start}).") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where} is not valid TOML: {error}") from error


def _refuse(where: str, problems: list[str]) -> None:
    more = len(problems) - _SHOWN_PROBLEMS
    shown = "; ".join(problems[:_SHOWN_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")
    raise ConfigError(f"{where}: {shown}.", hint="docs/reference/plugin-toml.md lists every key.")


@functools.cache
def _schema() -> Mapping[str, Any]:
    text = resources.files("deskmate.discovery").joinpath("plugin.schema.json").read_text("utf-8")
    schema: Mapping[str, Any] = json.loads(text)
    return schema


@functools.cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator  # noqa: PLC0415

    return Draft202012Validator(_schema())


def _schema_problems(data: Mapping[str, Any]) -> Iterable[str]:
    errors = sorted(_validator().iter_errors(data), key=lambda error: [*map(str, error.path)])
    for error in errors:
        yield _explain(error)


def _explain(error: Any) -> str:
    key = ".".join(str(part) for part in error.absolute_path)
    value = repr(error.instance)
    if len(value) > 60:
        value = value[:57] + "..."
    kind, expected = error.validator, error.validator_value
    if kind == "additionalProperties":
        return _explain_unknown(key, error.instance, error.schema.get("properties", {}))
    if "propertyNames" in error.absolute_schema_path:
        return f"[{key}] has the name {value}, which does not match {expected}"
    if kind == "required":
        missing = [name for name in expected if name not in error.instance]
        return f"{_join(key, missing[0])} is missing"
    if kind == "type":
        return f"{key} is {value}, expected {expected}"
    if kind == "enum":
        return f"{key} is {value}, expected one of {', '.join(map(str, expected))}"
    return f"{key} is {value}, which breaks {kind} = {expected}"


def _explain_unknown(key: str, instance: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    unknown = sorted(set(instance) - set(known))[0]
    near = difflib.get_close_matches(unknown, known, n=1)
    suggestion = f", did you mean {near[0]}" if near else ""
    return f"unknown key {_join(key, unknown)}{suggestion}"


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _meaning_problems(data: Mapping[str, Any]) -> Iterable[str]:
    yield from _api_problems(data["api"])
    hosts = [rule["host"] for rule in data.get("network", {}).get("hosts", ())]
    if len(set(hosts)) < len(hosts):
        yield "network.hosts names a host twice"
    for token in data.get("secrets", {}).get("tokens", ()):
        for host in token["send_to"]:
            if host not in hosts:
                yield f"secrets: {token['name']} goes to {host}, which network.hosts does not name"
    for name, setting in data.get("config", {}).items():
        yield from _setting_problems(name, setting)


def _api_problems(text: str) -> Iterable[str]:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415

    try:
        fits = SpecifierSet(text).contains(API_VERSION, prereleases=True)
    except InvalidSpecifier:
        yield f"api is {text!r}, expected a version range such as '>=1,<2'"
        return
    if not fits:
        yield f"the plugin is for plugin API {text}, this Deskmate has {API_VERSION}"


def _setting_problems(name: str, setting: Mapping[str, Any]) -> Iterable[str]:
    if problem := _value_problem(setting["default"], setting):
        yield f"config.{name}.default is {problem}"


def _value_problem(value: Any, setting: Mapping[str, Any]) -> str:
    kind, choices = setting["type"], setting.get("choices")
    wrong_bool = isinstance(value, bool) and kind != "boolean"
    if wrong_bool or not isinstance(value, _TOML_TYPES[kind]):
        return f"{value!r}, expected {kind}"
    if choices is not None and value not in choices:
        return f"{value!r}, which is not among its choices"
    return ""


def settings_of(plugin: str, manifest: Manifest, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plugin's settings: what the user gave, else the manifest's defaults.

    Raises ConfigError for a setting that the manifest does not name or that is of another type.
    """
    for name, value in given.items():
        setting = manifest.config.get(name)
        problem = "not one of its settings" if setting is None else _value_problem(value, setting)
        if problem:
            raise ConfigError(
                f"The setting plugins.{plugin}.{name} is {problem}.",
                hint=f"See deskmate plugin show {plugin}.",
            )
    return {**{name: about["default"] for name, about in manifest.config.items()}, **given}


def _build(data: Mapping[str, Any]) -> Manifest:
    guest, limits = data.get("guest", {}), data.get("limits", {})
    return Manifest(
        api=data["api"],
        title=data["title"],
        summary=data["summary"],
        tools={name: tool["risk"] for name, tool in data.get("tools", {}).items()},
        validators={n: rule.get("gate", True) for n, rule in data.get("validators", {}).items()},
        skills=tuple(data.get("skills", {}).get("names", ())),
        hosts=tuple(_host(rule) for rule in data.get("network", {}).get("hosts", ())),
        secrets=tuple(_secret(token) for token in data.get("secrets", {}).get("tokens", ())),
        config=data.get("config", {}),
        guest_packages=tuple(guest.get("packages", ())),
        guest_system_packages=tuple(guest.get("system_packages", ())),
        connectors=tuple(data.get("connectors", {}).get("categories", ())),
        memory_mib=limits.get("memory_mib", 384),
        timeout_s=limits.get("timeout_s", 120),
        data_classes=tuple(data.get("data", {}).get("classes", ())),
        order=data.get("order", 100),
    )


def _host(rule: Mapping[str, Any]) -> HostRule:
    methods = tuple(rule.get("methods", ("GET", "HEAD")))
    return HostRule(host=rule["host"], methods=methods, why=rule["why"])


def _secret(token: Mapping[str, Any]) -> SecretRule:
    return SecretRule(name=token["name"], why=token["why"], send_to=tuple(token["send_to"]))
