"""Playbooks: our positions on each kind of clause, read from YAML and checked."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deskmate.plugin import ToolInputError
from deskmate_legal.patterns import compiled

FOLDER = Path(__file__).parent / "playbooks"
LIMIT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class EditSpec:
    """How to put a deviation right: replace what `find` matches, append a sentence, or strike it."""

    find: str = ""
    replace: str = ""
    append: str = ""
    strike: bool = False
    first: bool = False
    unless: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A deviation in words: `when` occurs or `missing` does not, and `unless` does not occur."""

    id: str
    says: str
    scope: str = "sentence"
    when: str = ""
    unless: str = ""
    missing: str = ""
    twice: str = ""
    severity: str = ""
    edits: tuple[EditSpec, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A figure that code compares. `unlimited`: words for "without end"; `spare`: where they are fine."""

    kind: str = "duration"
    unit: str = "month"
    min: float | None = None
    max: float | None = None
    preferred: float | str | None = None
    allowed: tuple[str, ...] = ()
    expected: bool = True
    patterns: tuple[str, ...] = ()
    unlimited: tuple[str, ...] = ()
    spare: tuple[str, ...] = ()
    edits: tuple[EditSpec, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """One kind of clause and our position on it. `insert`: heading and text if it is absent."""

    id: str
    title: str
    detect: tuple[str, ...]
    position: str
    range: str = ""
    fallback: str = ""
    severity: str = "medium"
    approver: str = ""
    applies_to: tuple[str, ...] = ("any",)
    required: bool = False
    none: tuple[str, ...] = ()
    near: str = ""
    measure: Measure | None = None
    rules: tuple[Rule, ...] = ()
    search_terms: tuple[str, ...] = ()
    insert: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Playbook:
    """A checked playbook."""

    title: str
    version: str
    categories: tuple[Category, ...]

    def for_type(self, kind: str) -> tuple[Category, ...]:
        """Return the categories for a contract type (`nda` or `commercial`)."""
        return tuple(c for c in self.categories if {kind, "any"} & set(c.applies_to))


def load_playbook(path: Path | None = None) -> Playbook:
    """Read a playbook; without a path the one that comes with the plugin.

    A category whose id is one of the standard playbook's takes from it what it does not say itself.

    Raises:
        ToolInputError: not YAML, or not a playbook; one line with the place.
    """
    if path is None:
        return _standard()
    data = _checked(_yaml(path), path.name)
    standard = {entry["id"]: entry for entry in _raw_standard()["categories"]}
    own = {entry["id"]: entry for entry in data["categories"]}
    if len(own) < len(data["categories"]):
        raise ToolInputError(f"{path.name} has two categories with one id.")
    ids = [*standard, *(i for i in own if i not in standard)] if "extends" in data else list(own)
    merged = [_merged(standard.get(i, {}), own.get(i, {})) for i in ids]
    playbook = _playbook(data, merged, path.name)
    for category in playbook.categories:
        if category.id in own:
            _compile_all(category)
    return playbook


@functools.lru_cache(maxsize=1)
def _standard() -> Playbook:
    data = _raw_standard()  # a test checks it against the schema
    return _playbook(data, data["categories"], "default.yaml")


@functools.lru_cache(maxsize=1)
def _raw_standard() -> dict[str, Any]:
    return dict(_yaml(FOLDER / "default.yaml"))


def _yaml(path: Path) -> Any:
    import yaml  # noqa: PLC0415

    if path.stat().st_size > LIMIT_BYTES:
        raise ToolInputError(f"{path.name} is larger than 1 MiB; that is no playbook.")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(path.read_text("utf-8-sig"), Loader=loader)  # noqa: S506
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        place = " ".join(str(error).split())[:200]
        raise ToolInputError(f"{path.name} is not readable YAML: {place}") from error


def _checked(data: Any, name: str) -> Mapping[str, Any]:
    import jsonschema  # noqa: PLC0415

    schema = json.loads((FOLDER / "schema.json").read_text("utf-8"))
    error = jsonschema.exceptions.best_match(
        jsonschema.Draft202012Validator(schema).iter_errors(data)
    )
    if error is not None:
        place = error.json_path.removeprefix("$.") or "the top"
        raise ToolInputError(f"{name} is not a playbook: {place}: {error.message[:200]}")
    return dict(data)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**below, **above}
    if "measure" in below and "measure" in above:
        merged["measure"] = {**below["measure"], **above["measure"]}
        bounds = {"min", "max", "allowed", "preferred"} & set(above["measure"])
        if bounds and "range" not in above:
            merged["range"] = _range_text(merged["measure"])
        if bounds and "position" not in above:
            merged["position"] = merged["range"]
    return merged


def _range_text(measure: Mapping[str, Any]) -> str:
    if measure.get("kind") == "law":
        return " or ".join(str(name) for name in measure.get("allowed", ()))
    unit = "%" if measure.get("kind") == "percent" else f" {measure.get('unit', 'month')}s"
    low, high = measure.get("min"), measure.get("max")
    if low is None or high is None:
        return f"at most {high:g}{unit}" if low is None else f"at least {low:g}{unit}"
    return f"{low:g} to {high:g}{unit}"


def _playbook(data: Mapping[str, Any], entries: list[Any], name: str) -> Playbook:
    return Playbook(
        title=str(data["title"]),
        version=str(data.get("version", "")),
        categories=tuple(_category(entry, name) for entry in entries),
    )


def _category(entry: Mapping[str, Any], name: str) -> Category:
    if "detect" not in entry:
        raise ToolInputError(
            f"{name}: category {entry['id']} needs detect.any, the patterns that find its clauses."
        )
    detect = entry["detect"]
    insert = entry.get("insert")
    plain = {
        key: entry[key]
        for key in ("range", "fallback", "severity", "approver", "required")
        if key in entry
    }
    return Category(
        id=entry["id"],
        title=entry.get("title", entry["id"].replace("-", " ").capitalize()),
        detect=tuple(detect["any"]),
        none=tuple(detect.get("none", ())),
        near=detect.get("near", ""),
        position=entry.get("position", ""),
        applies_to=tuple(entry.get("applies_to", ("any",))),
        measure=_measure(entry["measure"]) if "measure" in entry else None,
        rules=tuple(_rule(rule) for rule in entry.get("rules", ())),
        search_terms=tuple(entry.get("search_terms", detect["any"])),
        insert=(insert["heading"], insert["text"]) if insert else None,
        **plain,
    )


def _measure(entry: Mapping[str, Any]) -> Measure:
    lists = ("allowed", "patterns", "unlimited", "spare")
    plain = {k: v for k, v in entry.items() if k not in lists and k != "edits"}
    tuples: dict[str, Any] = {k: tuple(entry[k]) for k in lists if k in entry}
    return Measure(**plain, **tuples, edits=_edits(entry))


def _rule(entry: Mapping[str, Any]) -> Rule:
    return Rule(**{k: v for k, v in entry.items() if k != "edits"}, edits=_edits(entry))


def _edits(entry: Mapping[str, Any]) -> tuple[EditSpec, ...]:
    return tuple(EditSpec(**edit) for edit in entry.get("edits", ()))


def _compile_all(category: Category) -> None:
    """Compile every pattern, so that a wrong one is named when the playbook is read."""
    kind = category.measure.kind if category.measure else "duration"
    found = [*category.detect, *category.none, category.near]
    specs: list[EditSpec] = []
    if category.measure:
        found += [*category.measure.patterns, *category.measure.unlimited, *category.measure.spare]
        specs += category.measure.edits
    for rule in category.rules:
        found += [rule.when, rule.unless, rule.missing, rule.twice]
        specs += rule.edits
    for pattern in (*found, *(s.find for s in specs), *(s.unless for s in specs)):
        compiled(pattern, kind)
