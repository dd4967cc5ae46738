"""A revoked version is not installed, not usable and not gone back to; a damaged list refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from deskmate.discovery.installed import find_plugins
from deskmate.discovery.installing import InstallOrder, install
from deskmate.discovery.plugin_store import PluginStore
from deskmate.discovery.revocation import FILE, Revocations, Revoked, parse_revoked
from deskmate.errors import PluginError

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.attack.evil_wheels import WheelOf

NAME = "deskmate-evil"


@pytest.fixture
def store(tmp_path: Path) -> PluginStore:
    return PluginStore(tmp_path / "store")


def put(store: PluginStore, version: str, folder: Path) -> None:
    wheel = WheelOf(version=version).write(folder)
    install(InstallOrder(what=(str(wheel),)), store, lambda line: None, path=[])


def revoke(store: PluginStore, **fields: str) -> None:
    Revocations(store.folder).add((Revoked(name=NAME, why="it leaks", **fields),))


@pytest.mark.parametrize(
    ("fields", "hit"),
    [
        ({}, True),
        ({"versions": "<2"}, True),
        ({"versions": ">=2"}, False),
        ({"sha256": "0" * 64}, False),
    ],
)
def test_what_is_revoked_is_refused_with_the_reason(
    fields: dict[str, str], hit: bool, store: PluginStore, tmp_path: Path
) -> None:
    revoke(store, **fields)
    if not hit:
        put(store, "1.0", tmp_path)
        return
    with pytest.raises(PluginError, match="is revoked: it leaks"):
        put(store, "1.0", tmp_path)
    assert store.index().plugins == ()


def test_what_was_installed_before_is_not_usable_any_more(
    store: PluginStore, tmp_path: Path
) -> None:
    put(store, "1.0", tmp_path)
    assert find_plugins([], store=store.folder).get("evil").version == "1.0"
    revoke(store)
    with pytest.raises(PluginError, match="is revoked"):
        find_plugins([], store=store.folder).get("evil")
    put_fixed = pytest.raises(PluginError, match="is revoked")
    with put_fixed:
        put(store, "1.1", tmp_path)
    assert Revocations(store.folder).drop("Deskmate_Evil") == 1
    assert find_plugins([], store=store.folder).get("evil").version == "1.0"


def test_a_newer_version_takes_the_place_of_a_revoked_one(
    store: PluginStore, tmp_path: Path
) -> None:
    put(store, "1.0", tmp_path)
    revoke(store, versions="<1.1")
    put(store, "1.1", tmp_path)
    assert find_plugins([], store=store.folder).get("evil").version == "1.1"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"format": 2, "revoked": []}', '{"format": 1, "revoked": [{"name": "x"}]}'],
)
def test_a_damaged_list_refuses_all_but_deskmates_own(
    text: str, store: PluginStore, tmp_path: Path
) -> None:
    put(store, "1.0", tmp_path)
    (store.folder / FILE).write_text(text)
    found = find_plugins([], store=store.folder)
    assert found.plugins == ()
    assert "cannot be read" in found.problems[0].message
    with pytest.raises(PluginError, match="cannot be read"):
        put(store, "1.1", tmp_path)
    assert {plugin.name for plugin in find_plugins(store=store.folder).plugins} >= {
        "office",
        "workspace",
    }


def test_a_range_that_is_none_is_refused() -> None:
    data = {"format": 1, "revoked": [{"name": "a", "why": "b", "versions": "newer"}]}
    with pytest.raises(PluginError, match="no list"):
        parse_revoked(json.loads(json.dumps(data)), PluginError("no list"))


def test_the_same_entry_stands_once(store: PluginStore) -> None:
    revoke(store)
    revoke(store)
    assert len(Revocations(store.folder).entries()) == 1
