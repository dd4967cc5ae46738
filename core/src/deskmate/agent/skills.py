"""Skills as the model meets them: the catalogue, a few that fit the user's words, the text of one.

Up to 50 skills stand in the system prompt. More would cost tens of thousands of tokens in every request: then the
prompt says how many there are and whose, each request names those that fit it, and a tool pages through the rest. All of
it depends on the skills and the words alone, so that what was sent before stays the same and cached.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from deskmate.agent.ranking import SkillIndex
from deskmate.errors import ToolInputError
from deskmate.formats.categories import fill_categories
from deskmate.formats.substitutions import Filling, fill, without_shell
from deskmate.formats.tools import aliases_in
from deskmate.types.foreign import ForeignText
from deskmate.types.registry import Registry, SkillSpec, ToolSpec
from deskmate.types.wire import HOME, WORKSPACE

READ, SEARCH = "skill__read", "skill__search"
LISTED_SKILLS = 50
LISTED_CHARACTERS = 24_000
"""The catalogue is paged above either."""
SUGGESTED = 8
PAGE = 20
_LINE, _SHORT_LINE = 500, 240
_PLUGINS_NAMED = 40
_HEADING = "Skills (read one with skill__read before you use it; then its tools are offered, too):"
_CALLED = "A message that begins with /NAME calls the skill of that name; the words behind it are its arguments."
_NAME = {"type": "string", "description": "The skill's name."}
_ARGUMENTS = {
    "type": "string",
    "description": "What the user wrote behind the skill's name, as it stands; it is put into the text.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a skill's text is filled in with. `connected`: what it may call a connector → its name. `config`: the plugins' settings."""

    connected: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    thread: str = ""


def skill_tools(registry: Registry) -> tuple[ToolSpec, ...]:
    """Return the tools that skills are read and found with, () without skills."""
    if not registry.skills:
        return ()
    properties = {"name": _NAME}
    if any(skill.foreign is not None for skill in registry.skills):
        properties["arguments"] = _ARGUMENTS
    read = ToolSpec(
        plugin="skill",
        name=READ,
        title="Read a skill",
        description="Return the full instructions of a skill from the catalogue. Read a skill before "
        "you do work that its description covers.",
        input_schema={
            "type": "object",
            "properties": properties,
            "required": ["name"],
            "additionalProperties": False,
        },
        risk="read",
    )
    return (read, _SEARCH_TOOL) if is_paged(registry) else (read,)


_SEARCH_TOOL = ToolSpec(
    plugin="skill",
    name=SEARCH,
    title="Search the skills",
    description="Find skills by what they are for; the catalogue is too long to be shown. Search before you do "
    "work that somebody may have written instructions for.",
    input_schema={
        "type": "object",
        "properties": {
            "query": {
                "type": "string",
                "description": "Words that describe the work; empty lists all by name.",
            },
            "page": {"type": "integer", "minimum": 1, "maximum": 1000, "description": "From 1."},
        },
        "required": ["query"],
        "additionalProperties": False,
    },
    risk="read",
)


def is_paged(registry: Registry) -> bool:
    """Say whether the catalogue is too long for the system prompt."""
    listed = _listed(registry)
    return (
        len(listed) > LISTED_SKILLS
        or sum(len(_line(skill, _LINE)) for skill in listed) > LISTED_CHARACTERS
    )


def catalogue(registry: Registry) -> str:
    """Return what the system prompt says of the skills; it depends on the enabled plugins only."""
    listed = _listed(registry)
    foreign = any(skill.foreign is not None for skill in registry.skills)
    called = (_CALLED,) if foreign else ()
    if not is_paged(registry):
        return "\n".join((_HEADING, *sorted(_line(skill, _LINE) for skill in listed), *called))
    own = sorted(_line(skill, _LINE) for skill in listed if skill.foreign is None)
    own = own if len(own) <= LISTED_SKILLS else []
    counts = Counter(skill.plugin for skill in listed if skill.foreign is not None or not own)
    named = [f"{plugin} ({count})" for plugin, count in sorted(counts.items())]
    more = f" and {len(named) - _PLUGINS_NAMED} more plugins" if len(named) > _PLUGINS_NAMED else ""
    return "\n".join(
        (
            f"There are {len(listed)} skills, too many to list. Those that fit best are named beside each request; "
            f"find others with {SEARCH}, and read one with {READ} before you use it.",
            f"Skills by plugin: {', '.join(named[:_PLUGINS_NAMED])}{more}.",
            *own,
            *called,
        )
    )


def suggestions(registry: Registry) -> Callable[[str], str]:
    """Return what gives, for words of the user, the skills that fit them; "" while the catalogue is whole."""
    if not registry.skills or not is_paged(registry):
        return lambda text: ""
    index = _index(_Same(registry))

    def beside(text: str) -> str:
        found = index.find(text)[:SUGGESTED]
        if not found:
            return ""
        return "Skills that may fit:\n" + "\n".join(_line(skill, _SHORT_LINE) for skill in found)

    return beside


class _Same:
    """A registry by its identity: a run asks of the same one many times."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    def __hash__(self) -> int:
        return id(self.registry)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.registry is self.registry


@lru_cache(maxsize=2)
def _index(same: _Same) -> SkillIndex:
    """Return the index of a registry's skills, made once: with thousands it takes a good part of a second."""
    return SkillIndex(_listed(same.registry))


def search_skills(registry: Registry, query: str, page: int) -> str:
    """Return a page of the skills that fit a query, the best first; without words all of them by name."""
    listed = _listed(registry)
    found: Sequence[SkillSpec] = (
        _index(_Same(registry)).find(query)
        if query.strip()
        else sorted(listed, key=lambda s: s.name)
    )
    start = (page - 1) * PAGE
    lines = [_line(skill, _SHORT_LINE) for skill in found[start : start + PAGE]]
    if not lines:
        return f"No skill {'on this page' if found else 'fits'}; {len(found)} of {len(listed)} skills fit."
    shown = f"{start + 1} to {start + len(lines)} of {len(found)} that fit"
    more = f"; more on page {page + 1}" if start + len(lines) < len(found) else ""
    return "\n".join((f"Skills {shown}{more}:", *lines))


def _listed(registry: Registry) -> list[SkillSpec]:
    return [s for s in registry.skills if s.foreign is None or s.foreign.listed]


def _line(skill: SkillSpec, limit: int) -> str:
    description = skill.description
    if skill.foreign is not None and len(description) > limit:
        description = f"{description[: limit - 1]}…"
    hint = f" {skill.foreign.hint[:80]}" if skill.foreign is not None and skill.foreign.hint else ""
    return f"- {skill.name}{hint}: {description}"


def find_skill(skills: Iterable[SkillSpec], name: str) -> SkillSpec | None:
    """Return the skill of a name, also without its plugin's where only one has it; None if there is none."""
    wanted = name.strip().removeprefix("/")
    by_name = [skill for skill in skills if skill.name == wanted]
    if by_name:
        return by_name[0]
    short = [skill for skill in skills if skill.name.rpartition(":")[2] == wanted]
    return short[0] if len(short) == 1 else None


def read_skill(registry: Registry, name: str, arguments: str, reading: Reading) -> str:
    """Return a skill's text, filled in. Raises ToolInputError where there is none of that name."""
    skill = find_skill(registry.skills, name)
    if skill is None:
        raise ToolInputError(_no_such(registry, name))
    if skill.foreign is None:
        return skill.body
    return _filled(skill, skill.foreign, arguments, reading)


def _no_such(registry: Registry, name: str) -> str:
    wanted = name.strip().removeprefix("/")
    same = [s.name for s in registry.skills if s.name.rpartition(":")[2] == wanted]
    if same:
        return f"Several skills are called {name!r}: {', '.join(sorted(same))}."
    if is_paged(registry):
        return f"There is no skill {name!r}; find one with {SEARCH}."
    names = ", ".join(sorted(skill.name for skill in _listed(registry)))
    return f"There is no skill {name!r}; there are: {names}."


def _filled(skill: SkillSpec, text: ForeignText, arguments: str, reading: Reading) -> str:
    settings = reading.config.get(skill.plugin, {})
    variables = {
        "CLAUDE_PLUGIN_ROOT": text.owner,
        "CLAUDE_SKILL_DIR": text.folder,
        "CLAUDE_PLUGIN_DATA": f"{HOME}/plugin-data/{skill.plugin}",
        "CLAUDE_PROJECT_DIR": WORKSPACE,
        "CLAUDE_SESSION_ID": reading.thread,
        **{f"user_config.{name}": str(value) for name, value in settings.items()},
    }
    # what texts would have run is settled before anything of the user's is put in
    body = fill_categories(without_shell(skill.body), text.categories, reading.connected)
    filling = Filling(variables=variables, arguments=arguments, names=text.names, takes=text.takes)
    return f"{_preface(skill, text)}\n\n{fill(body, filling)}"


def _preface(skill: SkillSpec, text: ForeignText) -> str:
    lines = [
        f"[deskmate] This skill's files are in {text.folder}, those of its plugin in {text.owner}: read-only, "
        "for workspace__read and the shell."
    ]
    if found := aliases_in(skill.body):
        lines.append(
            f"Tools it names by other names: {', '.join(f'{a} is {b}' for a, b in found)}."
        )
    if text.setting_files:
        lines.append(f"Settings of the plugin may be in {', '.join(text.setting_files[:10])}.")
    return " ".join(lines)
