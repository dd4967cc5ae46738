"""An upgrade says what changes, the version before comes back, and a lock tells what is not as it was."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from deskmate.discovery.consent import Consents
from deskmate.discovery.installed import find_plugins
from deskmate.discovery.installing import InstallOrder, install, remove
from deskmate.discovery.plugin_store import PluginStore
from deskmate.discovery.revocation import Revocations, Revoked
from deskmate.discovery.upgrade import lock_differences, lock_of, roll_back, upgrades_of
from deskmate.errors import PluginError

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.attack.evil_wheels import MANIFEST, PACKAGE, WheelOf

HOSTED = MANIFEST + '[network]\nhosts = [{ host = "api.example.com", why = "to look" }]\n'


@pytest.fixture
def store(tmp_path: Path) -> PluginStore:
    store = PluginStore(tmp_path / "store")
    put(store, tmp_path, "1.0", MANIFEST, "Be kind.\n")
    return store


def put(store: PluginStore, folder: Path, version: str, manifest: str, text: str) -> None:
    files = {f"{PACKAGE}/prompts/role.md": text}
    wheel = WheelOf(version=version, manifest=manifest, files=files).write(folder)
    install(InstallOrder(what=(str(wheel),)), store, lambda line: None, path=[])


def version(store: PluginStore) -> str:
    return find_plugins([], store=store.folder).get("evil").version


def test_an_upgrade_says_what_it_wants_more_and_how_its_texts_differ(
    store: PluginStore, tmp_path: Path
) -> None:
    assert upgrades_of(store.index().plugins[0], store) == ()
    put(store, tmp_path, "2.0", HOSTED, "Be brief.\n")
    (upgrade,) = upgrades_of(store.index().plugins[0], store)
    assert (upgrade.before, upgrade.now) == ("1.0", "2.0")
    assert upgrade.more == ("to reach api.example.com (GET, HEAD)",)
    assert upgrade.less == ()
    assert upgrade.files == (f"{PACKAGE}/plugin.toml", f"{PACKAGE}/prompts/role.md")
    assert {"-Be kind.", "+Be brief."} <= {*upgrade.texts}


def test_an_upgrade_that_wants_more_is_asked_for_again(store: PluginStore, tmp_path: Path) -> None:
    consents = Consents(store.folder)
    consents.accept([find_plugins([], store=store.folder).get("evil")])
    put(store, tmp_path, "2.0", HOSTED, "Be kind.\n")
    assert consents.missing(find_plugins([], store=store.folder).get("evil"))


def test_going_back_and_forth_leaves_both_versions_whole(
    store: PluginStore, tmp_path: Path
) -> None:
    put(store, tmp_path, "2.0", HOSTED, "Be brief.\n")
    now, was = roll_back("evil", store)
    assert (now.version, was.version, version(store)) == ("1.0", "2.0", "1.0")
    with store.changing():
        pass  # sweeps what no list names
    now, _ = roll_back("deskmate-evil", store)
    assert (now.version, version(store)) == ("2.0", "2.0")


def test_without_a_version_before_there_is_no_way_back(store: PluginStore, tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="No version before"):
        roll_back("evil", store)
    put(store, tmp_path, "2.0", MANIFEST, "Be kind.\n")
    remove("evil", store)
    with pytest.raises(PluginError, match="There is no 'evil'"):
        roll_back("evil", store)
    with store.changing():
        pass
    assert [*(store.folder / "items").iterdir()] == []


def test_a_version_before_that_was_changed_or_revoked_is_not_used(
    store: PluginStore, tmp_path: Path
) -> None:
    put(store, tmp_path, "2.0", MANIFEST, "Be kind.\n")
    Revocations(store.folder).add((Revoked(name="deskmate-evil", why="bad", versions="<2"),))
    with pytest.raises(PluginError, match="is revoked: bad"):
        roll_back("evil", store)
    Revocations(store.folder).drop("deskmate-evil")
    old = store.index().previous["deskmate-evil"]
    record = next((store.item(old) / "site").glob("*.dist-info/RECORD"))
    record.write_text("")
    with pytest.raises(PluginError, match="not what was installed"):
        roll_back("evil", store)
    assert version(store) == "2.0"


def test_a_lock_names_each_difference(store: PluginStore, tmp_path: Path) -> None:
    def now() -> dict[str, object]:
        return lock_of(find_plugins([], store=store.folder), store)

    before = now()
    assert [*lock_differences(before, now())] == []
    put(store, tmp_path, "2.0", HOSTED, "Be kind.\n")
    text = "\n".join(lock_differences(before, now()))
    for word in ("version is 2.0, the lock has 1.0", "sha256", "permissions"):
        assert word in text
    remove("evil", store)
    assert [*lock_differences(before, now())] == ["evil 1.0 is not installed"]
    assert [*lock_differences(now(), before)] == ["evil 1.0 is installed, and not in the lock"]


@pytest.mark.parametrize(
    "data", [None, [], {}, {"format": 9, "plugins": {}}, {"format": 1, "plugins": {"a": 1}}]
)
def test_what_is_no_lock_is_refused(data: object, store: PluginStore) -> None:
    with pytest.raises(PluginError, match="no lock"):
        list(lock_differences(data, {"plugins": {}}))
