"""Skills, commands and agents: Markdown with front matter, read as leniently as it is written in the wild."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from deskmate.formats.categories import unknown_categories
from deskmate.formats.substitutions import has_shell
from deskmate.formats.texts import (
    Document,
    Quoted,
    first_paragraph,
    read_document,
    text_of,
    unquoted,
)
from deskmate.formats.tree import Tree, Unreadable
from deskmate.types.foreign import AgentProfile, Category, ForeignSkill, SkillKind

SKILLS_LIMIT = 10_000
NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
DESCRIPTION_SHOULD = 1_024
DESCRIPTION_LIMIT = 4_000
"""Longer ones are cut where they are listed; the file keeps them."""
_NAME_LIMIT = 64
_TAGS = re.compile(r"<[a-zA-Z/!][^>]{0,200}>")
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_SPEC = frozenset({"name", "description", "license", "compatibility", "metadata", "allowed-tools"})
_CLAUDE = frozenset(
    {
        "when_to_use", "argument-hint", "arguments", "disable-model-invocation", "user-invocable",
        "disallowed-tools", "model", "effort", "context", "agent", "background", "hooks", "paths", "shell",
    }
)  # fmt: skip
_AGENT = frozenset(
    {
        "name", "description", "model", "color", "tools", "effort", "maxTurns", "initialPrompt", "isolation",
        "memory", "skills", "background", "disallowedTools",
    }
)  # fmt: skip
_AGENT_REFUSED = ("hooks", "mcpServers", "permissionMode")


def read_skill(tree: Tree, path: str, categories: tuple[Category, ...]) -> ForeignSkill | None:
    """Return the skill whose SKILL.md is at `path`; None, and a note, where nothing of it can be used."""
    folder = PurePosixPath(path).parent.name or tree.name
    return _read(tree, path, "skill", folder, categories)


def read_command(tree: Tree, path: str, categories: tuple[Category, ...]) -> ForeignSkill | None:
    """Return the command in a file of its own; its name is the file's."""
    return _read(tree, path, "command", PurePosixPath(path).stem, categories)


def _read(
    tree: Tree, path: str, kind: SkillKind, fallback: str, categories: tuple[Category, ...]
) -> ForeignSkill | None:
    document = _document(tree, path)
    if document is None:
        return None
    head = _Head(tree, path, document.head)
    if not document.has_head:
        tree.note("frontmatter-missing", path)
    description = _description(tree, path, head, document)
    if not description and not document.body.strip():
        tree.note("skill-empty", path)
        return None
    hint = " ".join(head.text("argument-hint", as_list=True).split())
    names = head.words("arguments")
    name = _name(tree, path, head.text("name"), fallback) if kind == "skill" else fallback
    if has_shell(document.body):
        tree.note("skill-shell", path)
    for unknown in unknown_categories(document.body, categories):
        tree.note("category-unknown", path, unknown)
    return ForeignSkill(
        name=name,
        kind=kind,
        path=path,
        description=description,
        hint=hint,
        names=names,
        listed=not head.flag("disable-model-invocation", default=False),
        by_user=head.flag("user-invocable", default=True),
        tools=head.words("allowed-tools"),
        extra=head.rest(_SPEC | _CLAUDE),
    )


def _document(tree: Tree, path: str) -> Document | None:
    try:
        return read_document(tree, path)
    except Unreadable as error:
        too_long = "longer" in str(error)
        tree.note("text-too-long" if too_long else "file-unreadable", path, str(error))
        return None


def _description(tree: Tree, path: str, head: _Head, document: Document) -> str:
    found = " ".join(head.text("description").split())
    if more := " ".join(head.text("when_to_use").split()):
        found = f"{found} {more}".strip()
    if not found:
        found = first_paragraph(document.body)
        tree.note("skill-description-missing", path)
    if len(found) > DESCRIPTION_SHOULD:
        tree.note("skill-description-long", path, f"{len(found)}")
    if _TAGS.search(found):
        tree.note("skill-description-tags", path)
    return found[:DESCRIPTION_LIMIT]


def _name(tree: Tree, path: str, given: str, folder: str) -> str:
    name = given.strip() or folder
    if not NAME.fullmatch(name) or len(name) > _NAME_LIMIT:
        tree.note("skill-name-form", path, name)
        name = slug(name) or slug(folder) or "skill"
    elif given and name != folder:
        tree.note("skill-name-folder", path, f"{name}, in {folder}")
    return name


def slug(text: str) -> str:
    """Return lower-case letters, digits and single hyphens of a text, at most 64; "" if none is left."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:_NAME_LIMIT].strip("-")


def read_agent(tree: Tree, path: str) -> AgentProfile | None:
    """Return the sub-agent that a file describes; None, and a note, where it cannot be read."""
    document = _document(tree, path)
    if document is None:
        return None
    head = _Head(tree, path, document.head)
    if not document.has_head:
        tree.note("frontmatter-missing", path)
    for key in _AGENT_REFUSED:
        if key in document.head:
            tree.note("agent-field", path, key)
    description = " ".join(head.text("description").split()) or first_paragraph(document.body)
    return AgentProfile(
        name=slug(head.text("name")) or slug(PurePosixPath(path).stem) or "agent",
        path=path,
        description=description[:DESCRIPTION_LIMIT],
        model=head.text("model"),
        tools=head.words("tools"),
        extra=head.rest(_AGENT | frozenset(_AGENT_REFUSED)),
    )


class _Head:
    """Front matter by what each key should be."""

    def __init__(self, tree: Tree, path: str, data: Mapping[str, Any]) -> None:
        self._tree, self._path, self._data = tree, path, data

    def text(self, key: str, *, as_list: bool = False) -> str:
        """Return a text. `as_list`: `[a, b]` without quotes was meant as text, and is noted."""
        value = self._data.get(key)
        if value is None:
            return ""
        found = text_of(value)
        if found is None:
            self._tree.note("field-type", self._path, key)
            if as_list and isinstance(value, list):
                found = "[" + ", ".join(text_of(item) or "" for item in value) + "]"
        return found or ""

    def flag(self, key: str, *, default: bool) -> bool:
        """Return a yes or no, also where it is written as text."""
        value = self._data.get(key)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        said = (text_of(value) or "").strip().lower()
        if isinstance(value, Quoted) or said not in (*_TRUE, *_FALSE):
            self._tree.note("field-type", self._path, key)
        return True if said in _TRUE else False if said in _FALSE else default

    def words(self, key: str) -> tuple[str, ...]:
        """Return a list, also where it is a text of words between commas or spaces."""
        value = self._data.get(key)
        if value is None:
            return ()
        if isinstance(value, list):
            return tuple(found for item in value if (found := text_of(item)))
        found = text_of(value)
        if found is None:
            self._tree.note("field-type", self._path, key)
            return ()
        return tuple(_split(found))

    def rest(self, known: frozenset[str]) -> dict[str, Any]:
        """Return what else there is, as plain JSON, and note what nobody documents."""
        for key in self._data:
            if key not in known:
                self._tree.note("field-unknown", self._path, key)
        kept = ("name", "description", "argument-hint", "arguments", "allowed-tools", "tools")
        return {key: unquoted(value) for key, value in self._data.items() if key not in kept}


def _split(text: str) -> Iterator[str]:
    """Yield words between commas or spaces; what stands in brackets, as in `Bash(git add:*)`, stays whole."""
    for match in re.finditer(r"(?:[^\s,()]|\([^()]*\))+", text):
        yield match[0]
