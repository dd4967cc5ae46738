"""A set of plugins becomes one disk: the same content, the same digest; built once."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from deskmate.discovery.bringing import BringOrder, bring
from deskmate.discovery.installed import Catalogue, find_plugins
from deskmate.discovery.layer import build_layer
from deskmate.discovery.plugin_store import PluginStore
from deskmate.discovery.registry_check import whole_registry
from deskmate.errors import PluginError, SandboxMissing
from deskmate.types.places import Places
from deskmate.types.registry import Layer

MANIFEST = 'api = ">=1,<2"\ntitle = "Acme"\nsummary = "Does things."\n'
RULED = MANIFEST + "[validators.ACME-OK]\ngate = {}\n"
pytestmark = pytest.mark.skipif(
    shutil.which("mkfs.erofs", path=os.environ["PATH"] + ":/usr/sbin") is None,
    reason="erofs-utils is not installed",
)


def catalogue(site: Any) -> Catalogue:
    """What is in the test's site, with Deskmate's two built-in plugins as an installation has them."""
    if not list(site.folder.glob("deskmate-0*")):
        files = {
            "deskmate_guest/workspace/plugin.toml": MANIFEST,
            "deskmate_documents/plugin.toml": MANIFEST,
        }
        own = {"workspace": "deskmate_guest.workspace", "office": "deskmate_documents"}
        site.install("deskmate", files, own, version="0.1.0")
    return find_plugins(site.path)


def build(site: Any, places: Places, names: Sequence[str] = ("acme",), **more: Any) -> Layer:
    return build_layer(names, catalogue(site), places, lambda line: None, **more)


def unpack(layer: Layer, target: Path) -> Path:
    command = ["fsck.erofs", f"--extract={target}", layer.disk]
    environ = {"PATH": os.environ["PATH"] + ":/usr/sbin"}
    subprocess.run(command, check=True, capture_output=True, timeout=60, env=environ)
    return target


def test_the_disk_has_the_documented_layout(site: Any, places: Places, tmp_path: Path) -> None:
    site.acme()
    layer = build(site, places)
    disk = unpack(layer, tmp_path / "x")
    assert {item.name for item in disk.iterdir()} == {"lib", "plugins", "lock.json"}
    assert {item.name for item in (disk / "lib").iterdir()} == {
        "deskmate",
        "deskmate_guest",
        "deskmate_documents",
    }
    own = {item.name for item in (disk / "lib/deskmate").iterdir()}
    assert own == {"__init__.py", "py.typed", "errors.py", "types", "plugin"}
    assert (disk / "plugins/acme/deskmate_acme/tools/find.py").is_file()
    assert not list(disk.rglob("__pycache__"))


def test_the_lock_lists_builtin_plugins_first_with_their_roots(
    site: Any, places: Places, tmp_path: Path
) -> None:
    site.install("first", {"first/plugin.toml": "order = 1\n" + MANIFEST}, {"first": "first"})
    layer = build(site, places, ("first",))
    lock = json.loads((unpack(layer, tmp_path / "x") / "lock.json").read_text())
    assert lock["lock"] == layer.lock
    assert [(row["name"], row["root"]) for row in lock["plugins"]] == [
        ("office", "lib"),
        ("workspace", "lib"),
        ("first", "plugins/first"),
    ]
    assert layer.plugins == ("office", "workspace", "first")
    assert layer.versions["first"] == "1.0"
    assert layer.manifests["first"].title == "Acme"


def test_the_same_content_has_the_same_digest_and_the_same_disk_anywhere(
    site: Any, places: Places, tmp_path: Path
) -> None:
    site.acme()
    first = build(site, places)
    elsewhere = type(site)(tmp_path / "elsewhere")
    elsewhere.acme()
    other_places = Places(data=tmp_path / "b", cache=tmp_path / "b", config=tmp_path / "b")
    before = os.umask(0o077)
    try:
        second = build(elsewhere, other_places)
    finally:
        os.umask(before)
    assert (first.digest, first.lock) == (second.digest, second.lock)
    assert Path(first.disk).read_bytes() == Path(second.disk).read_bytes()


def test_the_order_of_names_does_not_matter(site: Any, places: Places) -> None:
    site.acme("deskmate-acme", "acme")
    site.acme("deskmate-beta", "beta")
    assert build(site, places, ("acme", "beta")) == build(site, places, ("beta", "acme", "acme"))


def test_a_layer_is_built_once(site: Any, places: Places) -> None:
    site.acme()
    told: list[str] = []
    first = build_layer(["acme"], catalogue(site), places, told.append)
    assert len(told) == 1
    assert build_layer(["acme"], catalogue(site), places, told.append) == first
    assert len(told) == 1


def test_two_builders_at_once_build_once_and_agree(site: Any, places: Places) -> None:
    site.acme()
    found, told = catalogue(site), list[str]()
    with ThreadPoolExecutor(2) as pool:
        layers = list(
            pool.map(lambda n: build_layer(["acme"], found, places, told.append), range(2))
        )
    assert layers[0] == layers[1]
    assert len(told) == 1


def test_another_set_has_another_lock(site: Any, places: Places) -> None:
    site.acme("deskmate-acme", "acme")
    site.acme("deskmate-beta", "beta")
    assert build(site, places, ("acme",)).lock != build(site, places, ("acme", "beta")).lock


def test_a_file_that_differs_from_record_stops_the_build(site: Any, places: Places) -> None:
    site.acme()
    (site.folder / "deskmate_acme/tools/find.py").write_text("changed")
    with pytest.raises(PluginError, match=r"find\.py is not what was installed"):
        build(site, places)
    assert list(places.layers.glob("*.erofs")) == []
    assert list(places.layers.glob("staging-*")) == []


def test_a_file_that_is_gone_stops_the_build(site: Any, places: Places) -> None:
    site.acme()
    (site.folder / "deskmate_acme/tools/find.py").unlink()
    with pytest.raises(PluginError, match=r"find\.py cannot be read"):
        build(site, places)


def test_an_edited_source_makes_a_new_layer(site: Any, places: Places, tmp_path: Path) -> None:
    source = tmp_path / "project"
    (source / "acme").mkdir(parents=True)
    (source / "acme/plugin.toml").write_text(MANIFEST)
    (source / "acme/tool.py").write_text("1")
    editable = {"dir_info": {"editable": True}}
    site.install("acme", {"a.pth": str(source)}, {"acme": "acme"}, direct_url=editable)
    first = build(site, places)
    (source / "acme/tool.py").write_text("22")
    assert build(site, places).digest != first.digest


def test_a_removed_disk_is_made_again(site: Any, places: Places) -> None:
    site.acme()
    layer = build(site, places)
    content = Path(layer.disk).read_bytes()
    Path(layer.disk).unlink()
    assert Path(build(site, places).disk).read_bytes() == content


def test_a_truncated_disk_is_made_again(site: Any, places: Places) -> None:
    site.acme()
    layer = build(site, places)
    content = Path(layer.disk).read_bytes()
    Path(layer.disk).chmod(0o644)
    os.truncate(layer.disk, 100)
    assert Path(build(site, places).disk).read_bytes() == content


def test_a_damaged_index_only_costs_a_build(site: Any, places: Places) -> None:
    site.acme()
    layer = build(site, places)
    for index in (places.layers / "index").iterdir():
        index.write_text("{")
    assert build(site, places) == layer


def test_what_a_killed_build_left_is_cleared_away(site: Any, places: Places) -> None:
    site.acme()
    left = places.layers / "staging-dead/tree"
    left.mkdir(parents=True)
    build(site, places)
    assert not left.parent.exists()


def test_an_unknown_plugin_is_named(site: Any, places: Places) -> None:
    with pytest.raises(PluginError, match="no plugin 'nix'"):
        build(site, places, ("nix",))


def test_a_plugin_with_a_problem_is_refused_with_its_problem(site: Any, places: Places) -> None:
    site.install("bad", {"bad/plugin.toml": "x = 1"}, {"bad": "bad"})
    with pytest.raises(PluginError, match="unknown key x"):
        build(site, places, ("bad",))


def test_a_built_in_plugin_that_is_broken_is_said_and_never_left_out(
    site: Any, places: Places
) -> None:
    site.acme()
    with pytest.raises(PluginError, match="no plugin 'workspace'"):
        build_layer(["acme"], find_plugins(site.path), places, lambda line: None)


def test_without_mkfs_the_package_to_install_is_named(
    site: Any, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.acme()
    monkeypatch.setattr("deskmate.discovery.layer.shutil.which", lambda *a, **k: None)
    with pytest.raises(SandboxMissing) as caught:
        build(site, places)
    assert "erofs-utils" in caught.value.hint


GUEST = MANIFEST + '[guest]\npackages = ["acme-lib"]\n'


def needs_lib(site: Any, requires: str = "acme-lib>=1") -> None:
    metadata = f"Provides-Extra: guest\nRequires-Dist: {requires}; extra == 'guest'\n"
    site.install("acme", {"acme/plugin.toml": GUEST}, {"acme": "acme"}, metadata=metadata)


def test_guest_packages_come_from_a_wheelhouse_with_what_they_need(
    site: Any, places: Places, tmp_path: Path, make_wheel: Callable[..., Path]
) -> None:
    house = tmp_path / "house"
    metadata = (
        "Requires-Dist: acme-deep\nRequires-Dist: lxml\n"
        "Requires-Dist: never; python_version < '3.11' or sys_platform == 'win32'\n"
    )
    make_wheel("acme_lib", {"acme_lib.py": "x = 1\n"}, folder=house, metadata=metadata)
    make_wheel("acme_deep", {"acme_deep/__init__.py": ""}, folder=house)
    make_wheel("lxml", {"lxml.py": "not the image's"}, folder=house, version=image_version("lxml"))
    needs_lib(site)
    layer = build(site, places, wheelhouse=house)
    disk = unpack(layer, tmp_path / "x")
    assert (disk / "wheels/acme/acme_lib.py").read_text() == "x = 1\n"
    assert (disk / "wheels/acme/acme_deep/__init__.py").is_file()
    assert not (disk / "wheels/acme/lxml.py").exists(), "the image holds it already"
    assert build(site, places) == layer, "once resolved, the wheelhouse is not needed any more"


def image_version(name: str) -> str:
    from deskmate.discovery.guest_wheels import image_packages

    return image_packages()[name]


def test_a_guest_package_that_the_image_holds_is_not_fetched(site: Any, places: Places) -> None:
    manifest = MANIFEST + '[guest]\npackages = ["lxml"]\n'
    metadata = "Requires-Dist: lxml>=5; extra == 'guest'\n"
    site.install("acme", {"acme/plugin.toml": manifest}, {"acme": "acme"}, metadata=metadata)
    assert build(site, places).plugins[-1] == "acme"


def test_a_guest_package_that_cannot_be_had_says_whose_it_is(
    site: Any, places: Places, tmp_path: Path
) -> None:
    house = tmp_path / "house"
    house.mkdir()
    needs_lib(site)
    with pytest.raises(PluginError, match="resolve the guest packages of plugin acme"):
        build(site, places, wheelhouse=house)


def test_a_guest_package_outside_the_extra_is_refused(site: Any, places: Places) -> None:
    needs_lib(site, "something-else")
    with pytest.raises(PluginError, match="wants acme-lib in the guest"):
        build(site, places)


def test_a_source_archive_is_never_built_for_the_guest(
    site: Any, places: Places, tmp_path: Path
) -> None:
    house = tmp_path / "house"
    house.mkdir()
    (tmp_path / "acme_lib-1.0").mkdir()
    marker = tmp_path / "ran"
    (tmp_path / "acme_lib-1.0/setup.py").write_text(f"open({str(marker)!r}, 'w')\n")
    (tmp_path / "acme_lib-1.0/PKG-INFO").write_text("Name: acme-lib\nVersion: 1.0\n")
    shutil.make_archive(str(house / "acme_lib-1.0"), "gztar", tmp_path, "acme_lib-1.0")
    needs_lib(site)
    with pytest.raises(PluginError):
        build(site, places, wheelhouse=house)
    assert not marker.exists()


def test_two_plugins_of_a_set_cannot_share_the_name_of_a_rule(site: Any, places: Places) -> None:
    site.acme("deskmate-acme", "acme", **{"deskmate_acme/plugin.toml": RULED.format("true")})
    site.acme("deskmate-evil", "evil", **{"deskmate_evil/plugin.toml": RULED.format("false")})
    with pytest.raises(
        PluginError, match=r"ACME-OK is in acme .*1\.0.* and in evil \(of deskmate-evil"
    ):
        build(site, places, ("acme", "evil"))
    assert "acme" in build(site, places, ("acme",)).plugins


def test_a_plugin_in_another_format_lies_in_the_layer_and_its_skills_come_with_it(
    site: Any, places: Places, tmp_path: Path
) -> None:
    files = {
        "skills/write/SKILL.md": "---\nname: write\ndescription: Writes.\n---\nHow to.\n",
        "skills/write/run.sh": "#!/bin/sh\n",
    }
    for path, content in files.items():
        place = tmp_path / "kit" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)
    store = PluginStore(tmp_path / "store")
    bring(BringOrder(what=str(tmp_path / "kit")), store, lambda line: None)
    catalogue(site)

    def layer() -> Layer:
        found = find_plugins(site.path, store=store.folder)
        return build_layer(("kit",), found, places, lambda line: None)

    one = layer()
    disk = unpack(one, tmp_path / "x")
    assert (disk / "brought/kit/skills/write/SKILL.md").read_text() == files[
        "skills/write/SKILL.md"
    ]
    lock = json.loads((disk / "lock.json").read_text())
    assert sorted(row["name"] for row in lock["plugins"]) == ["office", "workspace"]
    assert [(skill.name, skill.body) for skill in one.skills] == [("kit:write", "How to.\n")]
    again = layer()
    assert (again.digest, again.skills) == (one.digest, one.skills)
    mine = store.overlay("kit") / "skills/write/run.sh"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    other = layer()
    assert other.lock != one.lock, "the user's own files are in the lock of the set"
    assert (unpack(other, tmp_path / "y") / "brought/kit/skills/write/run.sh").read_text() == "mine"
    registry = whole_registry({"lock": other.lock}, other)
    assert [skill.name for skill in registry.skills] == ["kit:write"]


def test_files_of_another_format_that_were_changed_reach_no_layer(
    site: Any, places: Places, tmp_path: Path
) -> None:
    place = tmp_path / "kit/skills/write"
    place.mkdir(parents=True)
    (place / "SKILL.md").write_text("---\nname: write\ndescription: Writes.\n---\nHow to.\n")
    (place / "run.sh").write_text("#!/bin/sh\n")
    store = PluginStore(tmp_path / "store")
    bring(BringOrder(what=str(tmp_path / "kit")), store, lambda line: None)
    catalogue(site)
    (changed,) = store.folder.rglob("run.sh")
    changed.write_text("evil")
    with pytest.raises(PluginError, match="is not what was installed"):
        build_layer(
            ("kit",), find_plugins(site.path, store=store.folder), places, lambda line: None
        )
