"""Skills of installed plugins, read as text: what `skill list` shows without a virtual machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deskmate.discovery.foreign import foreign_text, read_foreign
from deskmate.discovery.metadata import read_bounded
from deskmate.errors import ConfigError, DeskmateError
from deskmate.types.foreign import SkillKind
from deskmate.types.registry import InstalledPlugin

SKILL_FILE = "SKILL.md"
_LIMIT_BYTES = 256 * 1024
_FENCE = "---"


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillText:
    """A skill as its files say. `problem`: why it cannot be read, empty if it can.

    `path`, `hint`, `kind`, `listed`: of one in another format; its body is read by `body_of`.
    """

    plugin: str
    name: str
    description: str = ""
    body: str = ""
    has_procedure: bool = False
    problem: str = ""
    path: str = ""
    hint: str = ""
    kind: SkillKind = "skill"
    listed: bool = True


def skills_of(plugin: InstalledPlugin) -> Iterator[SkillText]:
    """Yield the skills that the plugin's manifest names, in its order; broken ones with a problem.

    Those of a plugin in another format are called `plugin:skill`, and come without their bodies.
    """
    if plugin.foreign is not None:
        yield from _foreign(plugin)
        return
    for name in plugin.manifest.skills:
        try:
            yield _read(plugin, name)
        except (DeskmateError, OSError) as error:
            yield SkillText(plugin=plugin.name, name=name, problem=str(error))


def _foreign(plugin: InstalledPlugin) -> Iterator[SkillText]:
    try:
        about = read_foreign(plugin)
    except DeskmateError as error:
        yield SkillText(plugin=plugin.name, name=f"{plugin.name}:?", problem=str(error))
        return
    for skill in about.skills:
        yield SkillText(
            plugin=plugin.name,
            name=f"{plugin.name}:{skill.name}",
            description=skill.description,
            path=skill.path,
            hint=skill.hint,
            kind=skill.kind,
            listed=skill.listed,
        )


def body_of(plugin: InstalledPlugin, skill: SkillText) -> str:
    """Return a skill's text. Raises PluginError where that of another format was changed."""
    return foreign_text(plugin, skill.path) if plugin.foreign is not None else skill.body


def _read(plugin: InstalledPlugin, name: str) -> SkillText:
    tail = f"/{name}/{SKILL_FILE}"
    place = next((path for path in sorted(plugin.files) if path.endswith(tail)), None)
    if place is None:
        raise ConfigError(f"There is no {name}/{SKILL_FILE} in {plugin.package}.")
    head, body = _split(read_bounded(Path(plugin.files[place]), _LIMIT_BYTES), place)
    description = head.get("description")
    if head.get("name", name) != name:
        raise ConfigError(f"{place} has the name {head['name']!r}, its folder is {name}.")
    if not isinstance(description, str) or not description.strip():
        raise ConfigError(f"{place} has no description.")
    return SkillText(
        plugin=plugin.name,
        name=name,
        description=" ".join(description.split()),
        body=body.strip(),
        has_procedure=place.removesuffix(SKILL_FILE) + "procedure.toml" in plugin.files,
    )


def _split(content: bytes, place: str) -> tuple[dict[str, object], str]:
    import yaml  # noqa: PLC0415

    try:
        lines = content.decode("utf-8-sig").splitlines()
        end = lines.index(_FENCE, 1) if lines[:1] == [_FENCE] else 0
        head = yaml.safe_load("\n".join(lines[1:end]))
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{place} has no readable front matter between two lines ---.") from error
    if not isinstance(head, dict):
        raise ConfigError(f"{place} begins without front matter (name, description).")
    return head, "\n".join(lines[end + 1 :])
