"""A marketplace: which plugins it lists, which of them lie in it, and what the others must be fetched from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deskmate.formats.texts import read_json
from deskmate.formats.tree import Tree, inside
from deskmate.types.foreign import MarketEntry, Marketplace

FILE = ".claude-plugin/marketplace.json"
ENTRIES_LIMIT = 5_000
_SHOWN_LIMIT = 300
_KINDS: Mapping[str, tuple[str, ...]] = {
    "github": ("repo", "ref", "sha"),
    "url": ("url", "path", "ref", "sha"),
    "git-subdir": ("url", "path", "ref", "sha"),
    "npm": ("package", "version", "registry"),
    "archive": ("url", "sha256"),
    "command": ("command",),
}
"""Kinds of sources that must be fetched, or run, to be had: none of them is."""


def read_marketplace(tree: Tree) -> Marketplace | None:
    """Return the marketplace that a tree is; None where it is none, or none that can be read (and noted)."""
    if FILE not in tree.files:
        return None
    data = read_json(tree, FILE)
    if not isinstance(data, dict) or not isinstance(data.get("plugins"), list):
        if data is not None:
            tree.note("manifest-shape", FILE, "plugins")
        return None
    root = (
        data.get("metadata", {}).get("pluginRoot", "")
        if isinstance(data.get("metadata"), dict)
        else ""
    )
    entries: dict[str, MarketEntry] = {}
    for item in data["plugins"][:ENTRIES_LIMIT]:
        entry = _entry(tree, item, root if isinstance(root, str) else "")
        if entry is None:
            continue
        if entry.name in entries:
            tree.note("market-name-twice", FILE, entry.name)
            continue
        entries[entry.name] = entry
    name = data.get("name")
    return Marketplace(
        name=name if isinstance(name, str) and name.strip() else tree.name,
        entries=tuple(entries.values()),
        renames=_renames(data.get("renames")),
        diagnostics=tuple(tree.diagnostics),
    )


def _renames(given: Any) -> dict[str, str]:
    if not isinstance(given, dict):
        return {}
    return {old: new if isinstance(new, str) else "" for old, new in given.items()}


def _entry(tree: Tree, item: Any, root: str) -> MarketEntry | None:
    if not isinstance(item, dict) or not isinstance(item.get("name"), str) or "source" not in item:
        named = str(item.get("name", "")) if isinstance(item, dict) else ""
        tree.note("market-entry", FILE, named)
        return None
    name, source = item["name"], item["source"]
    strict = item.get("strict", True) is not False
    if isinstance(source, str):
        folder = _folder(tree, source, root)
        if folder is None:
            tree.note("market-path", FILE, f"{name}: {source}")
            return None
        return MarketEntry(name=name, source=source, folder=folder, strict=strict, data=item)
    words = _words(source)
    if not words:
        tree.note("market-source", FILE, name)
        return None
    tree.note("market-fetch", FILE, f"{name}: {words}")
    return MarketEntry(name=name, source=words, folder=None, strict=strict, data=item)


def _folder(tree: Tree, source: str, root: str) -> str | None:
    """Return the folder of a local source; a bare name is looked for in `pluginRoot`."""
    tries = [source] if source.startswith("./") or source == "." else [f"{root}/{source}", source]
    for one in tries:
        folder = inside("", one.removeprefix("./") if one != "./" else "")
        if folder is not None and folder in tree.folders:
            return folder
    return None


def _words(source: Any) -> str:
    """Return a source in words, "" where it is of no known kind."""
    if not isinstance(source, dict):
        return ""
    kind = source.get("source")
    if not isinstance(kind, str) or kind not in _KINDS:
        return ""
    parts = [f"{key} {source[key]}" for key in _KINDS[kind] if source.get(key) is not None]
    return f"{kind}: {', '.join(parts)}"[:_SHOWN_LIMIT] if parts else ""
