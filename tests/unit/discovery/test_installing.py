"""Wheels become plugins of the store: all of them or none, by hash, and never an older or another one."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deskmate.discovery.audit import audit
from deskmate.discovery.installed import Catalogue, find_plugins
from deskmate.discovery.installing import (
    InstallOrder,
    InstallResult,
    cooldown_days,
    install,
    remove,
)
from deskmate.discovery.layer import build_layer
from deskmate.discovery.plugin_store import PluginStore
from deskmate.errors import ConfigError, PluginError
from deskmate.types.places import Places

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.attack.evil_wheels import GROUP, MANIFEST, PACKAGE, WheelOf

GUEST = MANIFEST + '[guest]\npackages = ["acme-lib"]\n'
NEEDS = (
    "Requires-Dist: acme-lib>=1 ; extra == 'guest'\nRequires-Dist: pandas\nProvides-Extra: guest\n"
)


@pytest.fixture
def store(tmp_path: Path) -> PluginStore:
    return PluginStore(tmp_path / "home/data/plugins")


def put(store: PluginStore, *wheels: Path | str, **more: object) -> tuple[InstallResult, ...]:
    order = InstallOrder(what=tuple(map(str, wheels)), **more)  # type: ignore[arg-type]
    return install(order, store, lambda line: None, path=[])


def found(store: PluginStore, path: list[str] | None = None) -> Catalogue:
    return find_plugins(path or [], store=store.folder)


def honest(folder: Path, version: str = "1.0", **more: object) -> Path:
    return WheelOf(version=version, **more).write(folder)  # type: ignore[arg-type]


def contents(store: PluginStore) -> dict[str, bytes]:
    files = (p for p in store.folder.rglob("*") if p.is_file() and p.name != ".lock")
    return {p.relative_to(store.folder).as_posix(): p.read_bytes() for p in files}


def test_a_wheel_is_found_beside_what_pip_installed(
    store: PluginStore, tmp_path: Path, site: object
) -> None:
    site.acme()  # type: ignore[attr-defined]
    (result,) = put(store, honest(tmp_path))
    assert (result.stored.plugins, result.new) == (("evil",), True)
    catalogue = found(store, site.path)  # type: ignore[attr-defined]
    assert {p.name: p.origin for p in catalogue.plugins} == {"acme": "pip", "evil": "store"}
    assert catalogue.problems == ()
    assert f"{PACKAGE}/__init__.py" in catalogue.get("evil").files


def test_the_same_wheel_again_changes_nothing(store: PluginStore, tmp_path: Path) -> None:
    wheel = honest(tmp_path)
    put(store, wheel)
    before = contents(store)
    (again,) = put(store, wheel)
    assert not again.new
    assert contents(store) == before


def test_a_newer_version_replaces_the_older_one_of_which_one_is_kept_to_go_back_to(
    store: PluginStore, tmp_path: Path
) -> None:
    put(store, honest(tmp_path))
    put(store, honest(tmp_path, "1.1"))
    assert found(store).get("evil").version == "1.1"
    put(store, honest(tmp_path, "1.2"))
    assert found(store).get("evil").version == "1.2"
    assert len(list((store.folder / "items").iterdir())) == 2


def test_an_older_version_and_other_bytes_of_a_version_are_refused(
    store: PluginStore, tmp_path: Path
) -> None:
    put(store, honest(tmp_path, "1.1"))
    with pytest.raises(PluginError, match=r"older than 1\.1"):
        put(store, honest(tmp_path))
    with pytest.raises(PluginError, match="not what it was"):
        put(store, honest(tmp_path, "1.1", code="changed = 1\n"))
    remove("evil", store)
    with pytest.raises(PluginError, match="not what it was"):
        put(store, honest(tmp_path, "1.1", code="changed = 1\n"))
    put(store, honest(tmp_path))
    assert found(store).get("evil").version == "1.0"


def test_a_wheel_must_have_the_hash_that_was_asked_for(store: PluginStore, tmp_path: Path) -> None:
    wheel = honest(tmp_path)
    with pytest.raises(PluginError, match="not the one asked for"):
        put(store, wheel, hashes=("sha256:" + "0" * 64,))
    with pytest.raises(PluginError, match="is not a hash"):
        put(store, wheel, hashes=("md5:abc",))
    (result,) = put(store, wheel, hashes=())
    remove("evil", store)
    put(store, wheel, hashes=("0" * 64, f"sha256:{result.stored.sha256.upper()}"))


def test_one_refused_wheel_keeps_all_of_them_out(store: PluginStore, tmp_path: Path) -> None:
    good = honest(tmp_path)
    bad = WheelOf(name="other", plugins=f"[{GROUP}]\nworkspace = {PACKAGE}\n").write(tmp_path)
    with pytest.raises(PluginError):
        put(store, good, bad)
    assert contents(store) == {}
    with pytest.raises(PluginError, match="of one distribution"):
        put(store, good, honest(tmp_path, "1.1"))
    with pytest.raises(PluginError, match=r"belongs to deskmate.evil"):
        put(store, good, WheelOf(name="other").write(tmp_path))


def test_a_name_comes_from_a_wheelhouse(store: PluginStore, tmp_path: Path) -> None:
    house = tmp_path / "house"
    honest(house)
    honest(house, "2.0")
    (result,) = put(store, "deskmate-evil==1.0", wheelhouse=house)
    assert (result.stored.version, result.stored.source) == ("1.0", "wheelhouse")
    (result,) = put(store, "deskmate-evil", wheelhouse=house)
    assert result.stored.version == "2.0"
    with pytest.raises(PluginError, match="the plugin deskmate-none"):
        put(store, "deskmate-none", wheelhouse=house)


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("deskmate-evil[all]", "more than a name"),
        ("evil @ file:///etc/passwd", "cannot be read"),
        ("-r requirements.txt", "neither a name"),
        ("--index-url=x", "neither a name"),
        ("./not-there-1.0-py3-none-any.whl", "No such file"),
        ("not a name", "neither a name"),
    ],
)
def test_what_is_no_name_and_no_file_is_one_clear_error(
    store: PluginStore, what: str, why: str
) -> None:
    with pytest.raises(PluginError, match=why) as caught:
        put(store, what)
    assert caught.value.hint


def test_guest_packages_are_fetched_once_and_the_layer_takes_just_them(
    store: PluginStore, tmp_path: Path, make_wheel: Callable[..., Path]
) -> None:
    house = tmp_path / "house"
    make_wheel(
        "acme_lib", {"acme_lib.py": "x = 1\n"}, folder=house, metadata="Requires-Dist: deep\n"
    )
    make_wheel("deep", {"deep.py": "y = 1\n"}, folder=house)
    wheel = honest(tmp_path, manifest=GUEST, more_metadata=NEEDS)
    (result,) = put(store, wheel, wheelhouse=house)
    assert sorted(result.stored.guest) == [
        "acme_lib-1.0-py3-none-any.whl",
        "deep-1.0-py3-none-any.whl",
    ]
    assert result.left_out == ("pandas",)
    make_wheel("acme_lib", {"acme_lib.py": "evil = 1\n"}, folder=house)
    home = tmp_path / "home"
    places = Places(data=home / "data", cache=home / "cache", config=home / "config")
    catalogue = find_plugins(store=store.folder)
    layer = build_layer(("evil",), catalogue, places, lambda line: None)
    assert "evil" in layer.plugins, "neither index nor wheelhouse was asked again"
    held = next(store.folder.glob("items/*/wheels/acme_lib*"))
    held.write_bytes(held.read_bytes()[:-1] + b"x")
    with pytest.raises(PluginError, match="not what was installed"):
        build_layer(("evil",), catalogue, places.__class__(
            data=places.data, cache=home / "cache2", config=places.config), lambda line: None)  # fmt: skip


def test_guest_packages_that_cannot_be_had_keep_the_plugin_out(
    store: PluginStore, tmp_path: Path
) -> None:
    (tmp_path / "house").mkdir()
    wheel = honest(tmp_path, manifest=GUEST, more_metadata=NEEDS)
    with pytest.raises(PluginError, match="resolve the guest packages"):
        put(store, wheel, wheelhouse=tmp_path / "house")
    assert contents(store) == {}


def test_removing_takes_the_files_and_says_what_is_not_there(
    store: PluginStore, tmp_path: Path
) -> None:
    put(store, honest(tmp_path))
    assert remove("deskmate-evil", store).plugins == ("evil",)
    assert found(store).plugins == ()
    assert list((store.folder / "items").iterdir()) == []
    with pytest.raises(PluginError, match="no 'evil' in the plugin store"):
        remove("evil", store)


def test_one_plugin_by_pip_and_from_the_store_is_an_error_that_names_both(
    store: PluginStore, tmp_path: Path, site: object
) -> None:
    put(store, honest(tmp_path))
    site.acme("deskmate-late", "evil")  # type: ignore[attr-defined]
    (problem,) = found(store, site.path).problems  # type: ignore[attr-defined]
    assert "deskmate-late 1.0" in problem.message
    assert "deskmate_evil 1.0 (in the plugin store)" in problem.message


def test_a_changed_record_and_a_changed_file_are_noticed(
    store: PluginStore, tmp_path: Path
) -> None:
    put(store, honest(tmp_path))
    record = next(store.folder.glob("items/*/site/*.dist-info/RECORD"))
    code = next(store.folder.glob(f"items/*/site/{PACKAGE}/__init__.py"))
    code.write_text("evil = 1\n")
    home = tmp_path / "home"
    places = Places(data=home / "data", cache=home / "cache", config=home / "config")
    with pytest.raises(PluginError, match="is not what was installed"):
        build_layer(("evil",), find_plugins(store=store.folder), places, lambda line: None)
    record.write_text(record.read_text().replace("sha256=", "sha256=A"))
    (problem,) = found(store).problems
    assert "not what was installed" in problem.message


def test_the_audit_looks_into_the_store_too(store: PluginStore, tmp_path: Path) -> None:
    put(store, honest(tmp_path))
    assert audit([], store=store.folder) == ()
    next(store.folder.glob(f"items/*/site/{PACKAGE}/__init__.py")).write_text("evil = 1\n")
    (note,) = audit([], store=store.folder)
    assert (note.kind, note.what) == ("changed", f"{PACKAGE}/__init__.py was changed since")
    assert "in the plugin store" in note.distribution
    next(store.folder.glob("items/*/site/*.dist-info/RECORD")).unlink()
    (note,) = audit([], store=store.folder)
    assert "not what was installed" in note.what
    (store.folder / "store.json").write_text("{")
    (note,) = audit([], store=store.folder)
    assert (note.kind, note.distribution) == ("unrecorded", "plugin store")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 9}', '{"format": 1, "store": {"plugins": 3}}']
)
def test_a_damaged_list_is_one_problem_and_pips_plugins_still_work(
    store: PluginStore, text: str, site: object
) -> None:
    site.acme()  # type: ignore[attr-defined]
    store.folder.mkdir(parents=True)
    (store.folder / "store.json").write_text(text)
    catalogue = found(store, site.path)  # type: ignore[attr-defined]
    assert [plugin.name for plugin in catalogue.plugins] == ["acme"]
    (problem,) = catalogue.problems
    assert "cannot be read" in problem.message


def test_a_folder_name_in_the_list_cannot_lead_out(store: PluginStore, tmp_path: Path) -> None:
    put(store, honest(tmp_path))
    data = json.loads((store.folder / "store.json").read_text())
    data["store"]["plugins"][0]["folder"] = "../../.."
    (store.folder / "store.json").write_text(json.dumps(data))
    (problem,) = found(store).problems
    assert "names the folder" in problem.message


def test_a_store_on_pythons_path_is_refused(
    store: PluginStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, honest(tmp_path))
    (site,) = store.folder.glob("items/*/site")
    monkeypatch.syspath_prepend(str(site))
    catalogue = find_plugins([], store=store.folder)
    assert catalogue.plugins == ()
    assert "on Python's path" in catalogue.problems[0].message


def test_the_cooldown_is_a_whole_number_of_days() -> None:
    assert cooldown_days({}) == 7
    assert cooldown_days({"install": {"cooldown_days": 0}}) == 0
    for wrong in (-1, 1.5, "7", True, None):
        with pytest.raises(ConfigError, match="cooldown_days"):
            cooldown_days({"install": {"cooldown_days": wrong}})
    with pytest.raises(ConfigError):
        cooldown_days({"install": 3})


def kills(act: Callable[[], object], folder: Path) -> Iterator[int]:
    """Run `act` in children that die at their first, second, … change below `folder`, until one lives."""
    names = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree", "os.chmod"}
    for number in range(1, 2000):
        pid = os.fork()
        if not pid:
            left = number

            def hook(name: str, arguments: tuple[object, ...]) -> None:
                nonlocal left
                if name in names and str(folder) in str(arguments[0]):
                    left -= 1
                    if not left:
                        os._exit(9)

            sys.addaudithook(hook)
            try:
                act()
            finally:
                os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        yield code
        if code == 0:
            return


def test_who_dies_while_installing_leaves_the_store_as_it_was_or_as_it_is_to_be(
    store: PluginStore, tmp_path: Path
) -> None:
    put(store, honest(tmp_path))
    old, other = honest(tmp_path, "1.1"), WheelOf(
        name="other", plugins=f"[{GROUP}]\nother = {PACKAGE}\n").write(tmp_path)  # fmt: skip
    before = {"evil": "1.0"}
    codes = []
    for code in kills(lambda: put(store, old, other), store.folder):
        codes.append(code)
        catalogue = found(store)
        assert catalogue.problems == ()
        versions = {plugin.name: plugin.version for plugin in catalogue.plugins}
        assert versions in (before, {"evil": "1.1", "other": "1.0"})
        for plugin in catalogue.plugins:
            assert all(Path(real).is_file() for real in plugin.files.values())
    assert codes.count(9) > 30
    put(store, honest(tmp_path, "1.2"))
    assert {item.name.partition("-1")[0] for item in (store.folder / "items").iterdir()} == {
        "deskmate-evil", "other",
    }  # fmt: skip
