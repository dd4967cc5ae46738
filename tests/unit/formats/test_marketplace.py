"""Marketplaces: what lies in them, what must be fetched, and what cannot be used."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.formats.material import MemoryTree, manifest, skill

from deskmate.formats.marketplace import FILE, read_marketplace
from deskmate.types.foreign import Marketplace

SHA = "a" * 40
ELSEWHERE: dict[str, Any] = {
    "hub": {"source": "github", "repo": "acme/hub", "ref": "main", "sha": SHA},
    "git": {
        "source": "url",
        "url": "https://git.example.com/x.git",
        "sha": SHA,
        "path": "plugins/x",
    },
    "part": {
        "source": "git-subdir",
        "url": "https://git.example.com/y.git",
        "path": "p",
        "sha": SHA,
    },
    "node": {"source": "npm", "package": "@acme/x", "version": "1.0.0"},
    "file": {"source": "archive", "url": "https://example.com/x.zip", "sha256": "b" * 64},
    "made": {"source": "command", "command": "touch pwned"},
}


def market(entries: Any, **more: Any) -> tuple[Marketplace | None, list[str]]:
    tree = MemoryTree(
        {
            FILE: json.dumps({"name": "desk", "owner": {"name": "A"}, "plugins": entries, **more}),
            "plugins/legal/.claude-plugin/plugin.json": manifest("legal"),
            "plugins/legal/skills/a/SKILL.md": skill("a"),
            "sales/skills/b/SKILL.md": skill("b"),
        },
        "desk",
    )
    found = read_marketplace(tree)
    return found, [one.code for one in tree.diagnostics]


def test_all_kinds_of_sources_are_told_apart_and_none_is_fetched() -> None:
    entries = [{"name": name, "source": source} for name, source in ELSEWHERE.items()]
    found, codes = market([{"name": "legal", "source": "./plugins/legal"}, *entries])
    assert found is not None
    assert [entry.name for entry in found.entries if entry.folder is not None] == ["legal"]
    by_name = {entry.name: entry.source for entry in found.entries}
    assert by_name["hub"] == f"github: repo acme/hub, ref main, sha {SHA}"
    assert by_name["git"] == f"url: url https://git.example.com/x.git, path plugins/x, sha {SHA}"
    assert by_name["made"] == "command: command touch pwned"
    assert codes == ["market-fetch"] * 6


def test_a_bare_name_is_looked_for_in_the_root_of_plugins() -> None:
    found, codes = market(
        [{"name": "legal", "source": "legal"}, {"name": "sales", "source": "./sales"}],
        metadata={"pluginRoot": "./plugins"},
    )
    assert found is not None
    assert [entry.folder for entry in found.entries] == ["plugins/legal", "sales"]
    assert codes == []


@pytest.mark.parametrize(("entry", "code"), [
    ({"name": "a", "source": "../outside"}, "market-path"),
    ({"name": "a", "source": "/etc"}, "market-path"),
    ({"name": "a", "source": "./gone"}, "market-path"),
    ({"name": "a", "source": {"source": "carrier-pigeon"}}, "market-source"),
    ({"name": "a", "source": {"source": ["github"]}}, "market-source"),
    ({"name": "a", "source": 3}, "market-source"),
    ({"name": "a"}, "market-entry"),
    ({"source": "./sales"}, "market-entry"),
    ({"name": 3, "source": "./sales"}, "market-entry"),
    ("sales", "market-entry"),
    ({"name": "legal", "source": "./sales"}, "market-name-twice"),
])  # fmt: skip
def test_an_entry_that_cannot_be_used_is_named_and_the_others_are_there(
    entry: Any, code: str
) -> None:
    found, codes = market([{"name": "legal", "source": "./plugins/legal"}, entry])
    assert found is not None
    assert [one.name for one in found.entries] == ["legal"]
    assert codes == [code]


@pytest.mark.parametrize("text", ["[]", "{}", '{"plugins": {}}', "{", '{"plugins": null}'])
def test_a_file_that_is_no_marketplace_is_named(text: str) -> None:
    tree = MemoryTree({FILE: text})
    assert read_marketplace(tree) is None
    assert [one.code for one in tree.diagnostics] in (["manifest-shape"], ["json-broken"])


def test_renames_are_kept() -> None:
    found, _ = market([], renames={"old": "new", "gone": None})
    assert found is not None
    assert found.renames == {"old": "new", "gone": ""}
