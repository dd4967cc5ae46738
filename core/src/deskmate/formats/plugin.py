"""A tree → the plugin that it is: manifest, skills, commands, agents, hooks, connectors, settings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, TypeVar

from deskmate.formats import hooks, servers
from deskmate.formats.categories import FILE as CONNECTORS
from deskmate.formats.categories import read_categories
from deskmate.formats.skills import (
    NAME,
    SKILLS_LIMIT,
    read_agent,
    read_command,
    read_skill,
    slug,
)
from deskmate.formats.texts import read_json
from deskmate.formats.tree import Tree, inside
from deskmate.types.foreign import (
    AgentProfile,
    ConnectorWanted,
    ForeignHook,
    ForeignKind,
    ForeignPlugin,
    ForeignSkill,
)

MANIFEST = ".claude-plugin/plugin.json"
SKILL = "SKILL.md"
SKILL_FOLDERS = ("skills", ".claude/skills", ".agents/skills")
_TEXTS: Mapping[str, type | tuple[type, ...]] = {
    "name": str, "description": str, "version": str, "displayName": str, "homepage": str, "license": str,
    "repository": (str, dict), "author": (str, dict), "keywords": list, "userConfig": dict,
    "dependencies": list, "channels": list, "defaultEnabled": bool, "$schema": str,
    "skills": (str, list), "commands": (str, list, dict), "agents": (str, list), "workflows": (str, list),
    "hooks": (str, list, dict), "mcpServers": (str, list, dict), "outputStyles": (str, list),
    "lspServers": (str, list, dict),
}  # fmt: skip
_FREE = frozenset({"metadata", "experimental"})
_ENTRY = frozenset({"source", "category", "tags", "strict", "relevance"})
_COMPONENTS = ("skills", "commands", "agents", "hooks", "mcpServers", "lspServers")
_UNUSED = {
    ".lsp.json": "language servers",
    "output-styles": "output styles",
    "themes": "themes",
    "monitors": "monitors",
    "workflows": "workflow scripts",
    "bin": "programs for the path",
    "settings.json": "settings of Claude Code",
}
_SETTINGS = (
    (re.compile(r"(?:.*/)?\.claude/settings\.local\.json(?:\.example)?"), "local settings"),
    (re.compile(r"(?:.*/)?hookify\.[^/]+\.local\.md(?:\.example)?"), "a rule of hookify"),
    (re.compile(r"(?:.*/)?[^/]+\.local\.md(?:\.example)?"), "local settings with text"),
)
_AGENTS_LIMIT = 1_000
T = TypeVar("T")


def is_plugin(tree: Tree) -> bool:
    """Say whether a tree looks like a plugin: a manifest, or a part where plugins have it."""
    parts = ("skills/", "commands/", "agents/", "hooks/hooks.json")
    return (
        MANIFEST in tree.files
        or servers.FILE in tree.files
        or any(path.startswith(parts) for path in tree.files)
    )


def is_skills_folder(tree: Tree) -> bool:
    """Say whether a tree is a skill, or some of its folders are."""
    return any(
        path.count("/") <= 1 and path.rpartition("/")[2] in (SKILL, "skill.md")
        for path in tree.files
    ) or any(path.startswith(SKILL_FOLDERS[1:]) for path in tree.files)


def read_plugin(tree: Tree, entry: Mapping[str, Any] | None = None) -> ForeignPlugin:
    """Return the plugin that a tree is. Never raises: what cannot be read is left out and named.

    Args:
        tree: the plugin's folder.
        entry: what a marketplace says of it; it adds to the manifest, or stands for it.
    """
    return _Reader(tree, entry).read()


def skill_file(tree: Tree, folder: str) -> str | None:
    """Return the path of a folder's SKILL.md, None if it has none."""
    for name in (SKILL, "skill.md"):
        path = f"{folder}/{name}" if folder else name
        if path in tree.files:
            return path
    return None


class _Reader:
    """Reads one plugin."""

    def __init__(self, tree: Tree, entry: Mapping[str, Any] | None) -> None:
        self._tree = tree
        self._kind: ForeignKind = "claude-plugin" if is_plugin(tree) else "agent-skills"
        self._entry = entry or {}
        self._manifest = self._read_manifest()
        self._categories = read_categories(tree)
        self._not_used: dict[str, str] = {}

    def read(self) -> ForeignPlugin:
        found = self._skills()
        about, tree = self._manifest, self._tree
        agents = self._agents()
        hooked, wanted = self._hooks(), self._servers()
        self._compare_connectors(wanted)
        self._look_for_unused()
        if not found and not agents and not hooked and not wanted:
            tree.note("plugin-empty", ".")
        author = about.get("author", "")
        return ForeignPlugin(
            name=self._name(),
            kind=self._kind,
            title=_line(about.get("displayName", "")),
            version=_line(about.get("version", ""), 64),
            description=_line(about.get("description", ""), 1_000),
            author=_line(author.get("name", "") if isinstance(author, dict) else author),
            licence=_line(about.get("license", "")),
            homepage=_line(about.get("homepage", "")),
            skills=found,
            agents=agents,
            hooks=hooked,
            connectors=wanted,
            categories=self._categories,
            settings=about.get("userConfig", {}),
            setting_files=dict(_setting_files(tree)),
            not_used=self._not_used,
            diagnostics=tuple(tree.diagnostics),
        )

    def _read_manifest(self) -> dict[str, Any]:
        manifest: dict[str, Any] = {}
        if MANIFEST in self._tree.files:
            data = read_json(self._tree, MANIFEST)
            if isinstance(data, dict):
                manifest = self._checked(data)
            elif data is not None:
                self._tree.note("manifest-shape", MANIFEST)
        elif self._kind == "claude-plugin" and not self._entry:
            self._tree.note("manifest-missing", MANIFEST)
        entry = self._checked({k: v for k, v in self._entry.items() if k not in _ENTRY})
        if self._entry.get("strict", True) is not False:
            return {**entry, **manifest}
        if both := [key for key in _COMPONENTS if manifest.get(key)]:
            self._tree.note("market-conflict", MANIFEST, ", ".join(both))
        about = {key: value for key, value in manifest.items() if key not in _COMPONENTS}
        return {**about, **entry}

    def _checked(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of the type that they should have, noting the others."""
        found: dict[str, Any] = {}
        for key, value in data.items():
            wanted = _TEXTS.get(key)
            if wanted is None:
                if key not in _FREE:
                    self._tree.note("field-unknown", MANIFEST, key)
            elif not isinstance(value, wanted):
                self._tree.note("field-type", MANIFEST, key)
            else:
                found[key] = value
        return found

    def _name(self) -> str:
        given = str(self._manifest.get("name", "")).strip()
        name = given or self._tree.name
        if given and self._kind == "claude-plugin" and not self._tree.name.startswith(given):
            self._tree.note("plugin-name-folder", MANIFEST, f"{given}, in {self._tree.name}")
        if NAME.fullmatch(name) and len(name) <= 64:
            return name
        if given:
            self._tree.note("plugin-name-form", MANIFEST, given)
        return slug(name) or "plugin"

    def _skills(self) -> tuple[ForeignSkill, ...]:
        paths = [*dict.fromkeys(self._skill_paths())]
        commands = [*self._listed("commands", ".md")]
        if len(paths) + len(commands) > SKILLS_LIMIT:
            self._tree.note("skill-limit", "skills", f"{len(paths) + len(commands):,}")
        found: dict[str, ForeignSkill] = {}
        for path in paths[:SKILLS_LIMIT]:
            if path.endswith("skill.md"):
                self._tree.note("skill-file-name", path)
            self._keep(found, read_skill(self._tree, path, self._categories))
        for path in commands[: SKILLS_LIMIT - len(found)]:
            self._keep(found, read_command(self._tree, path, self._categories))
        return tuple(found.values())

    def _keep(self, found: dict[str, ForeignSkill], skill: ForeignSkill | None) -> None:
        if skill is None:
            return
        name = skill.name
        if name in found:
            self._tree.note("skill-name-twice", skill.path, name)
            base = f"{name}-{skill.kind}"
            name = next(n for n in _numbered(base) if n not in found)
        found[name] = _renamed(skill, name)

    def _skill_paths(self) -> Iterator[str]:
        """Yield each SKILL.md of a skill: one level below its folder, and where the manifest says."""
        listed = [*self._paths("skills")]
        market_root = self._entry.get("source") in ("./", ".") and "skills" in self._entry
        tops = (
            ()
            if market_root
            else SKILL_FOLDERS
            if self._kind == "claude-plugin"
            else ("", *SKILL_FOLDERS)
        )
        for top in tops:
            yield from self._one_level(top)
        for folder in listed:
            if (own := skill_file(self._tree, folder)) is not None:
                yield own
            else:
                yield from self._one_level(folder)
        own = skill_file(self._tree, "")
        if (
            own is not None
            and not listed
            and not any(p.startswith("skills/") for p in self._tree.files)
        ):
            yield own

    def _one_level(self, top: str) -> Iterator[str]:
        start = f"{top}/" if top else ""
        for path in sorted(self._tree.files):
            if not path.startswith(start) or path.rpartition("/")[2] not in (SKILL, "skill.md"):
                continue
            depth = path[len(start) :].count("/")
            if depth == 1:
                yield path
            elif depth > 1 and top:
                self._tree.note("skill-nested", path)

    def _paths(self, key: str) -> Iterator[str]:
        """Yield the paths of a manifest's key that stay in the plugin and are there."""
        given = self._manifest.get(key, ())
        for path in (
            (given,) if isinstance(given, str) else given if isinstance(given, list) else ()
        ):
            place = inside("", path) if isinstance(path, str) else None
            if place is None or not (place in self._tree.files or place in self._tree.folders):
                self._tree.note("manifest-path", MANIFEST, f"{key}: {path}")
            else:
                yield place

    def _listed(self, key: str, suffix: str) -> Iterator[str]:
        """Yield the files of a kind: of the folder called like the key, or of where the manifest says instead."""
        if key in self._manifest and not isinstance(self._manifest[key], dict):
            tops: Sequence[str] = [*self._paths(key)]
        else:
            tops = [key]
        for top in tops:
            if top in self._tree.files:
                yield top
                continue
            for path in sorted(self._tree.files):
                if path.startswith(f"{top}/") and path.endswith(suffix) and _is_text(path):
                    yield path

    def _agents(self) -> tuple[AgentProfile, ...]:
        paths = [*self._listed("agents", ".md")][:_AGENTS_LIMIT]
        found = (read_agent(self._tree, path) for path in paths)
        return tuple(agent for agent in found if agent is not None)

    def _hooks(self) -> tuple[ForeignHook, ...]:
        found: list[ForeignHook] = []
        if hooks.FILE in self._tree.files:
            found += hooks.read_hooks(self._tree, hooks.FILE)
        found += self._parts("hooks", hooks.FILE, hooks.read_hooks)
        return tuple(found)

    def _servers(self) -> tuple[ConnectorWanted, ...]:
        found: list[ConnectorWanted] = []
        if servers.FILE in self._tree.files:
            found += servers.read_servers(self._tree, servers.FILE)
        found += self._parts("mcpServers", servers.FILE, servers.read_servers)
        return servers.without_twins(self._tree, MANIFEST, iter(found))

    def _parts(
        self, key: str, usual: str, read: Callable[[Tree, str, Any], tuple[T, ...]]
    ) -> Iterator[T]:
        """Yield what a manifest's key says in itself, or in other files than the usual one."""
        given = self._manifest.get(key)
        if isinstance(given, dict):
            yield from read(self._tree, MANIFEST, given)
            return
        for path in self._paths(key):
            if path != usual and path in self._tree.files:
                yield from read(self._tree, path, None)

    def _compare_connectors(self, wanted: Sequence[ConnectorWanted]) -> None:
        """Note what CONNECTORS.md calls included and no server is called like."""
        if not wanted:
            return
        named = {slug(server.name) for server in wanted}
        for category in self._categories:
            for product in category.included:
                key = slug(product)
                if key and not any(key in name or name in key for name in named if name):
                    self._tree.note("connectors-not-configured", CONNECTORS, product)

    def _look_for_unused(self) -> None:
        tops = {path.partition("/")[0] for path in self._tree.files}
        for place, what in _UNUSED.items():
            if place in tops:
                self._not_used[place] = what
        for key, what in (("lspServers", "language servers"), ("workflows", "workflow scripts")):
            if self._manifest.get(key):
                self._not_used.setdefault(key, what)
        for key in ("channels", "dependencies", "outputStyles"):
            if self._manifest.get(key):
                self._not_used[key] = f"{key} of the manifest"
        for place, what in self._not_used.items():
            self._tree.note("part-not-used", place, what)


def _is_text(path: str) -> bool:
    return PurePosixPath(path).name.lower() not in ("readme.md", "changelog.md", "license.md")


def _numbered(base: str) -> Iterator[str]:
    yield base
    number = 2
    while True:
        yield f"{base}-{number}"
        number += 1


def _renamed(skill: ForeignSkill, name: str) -> ForeignSkill:
    return skill if skill.name == name else replace(skill, name=name)


def _setting_files(tree: Tree) -> Iterator[tuple[str, str]]:
    for path in sorted(tree.files):
        for pattern, what in _SETTINGS:
            if pattern.fullmatch(path):
                yield path, what
                break


def _line(value: Any, limit: int = 300) -> str:
    return " ".join(str(value).split())[:limit] if isinstance(value, str) else ""
