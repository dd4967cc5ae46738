"""Plugins are found through metadata and manifest; a broken one is a problem, the others work."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from deskmate.discovery.installed import find_plugins, guest_requirements
from deskmate.errors import PluginError

MANIFEST = 'api = ">=1,<2"\ntitle = "Acme"\nsummary = "Does things."\n'
Write = Callable[[Path, Mapping[str, str]], Path]
EDITABLE = {"dir_info": {"editable": True}, "url": "file:///somewhere"}


def problem_text(catalogue: Any) -> str:
    assert len(catalogue.problems) == 1
    problem = catalogue.problems[0]
    return f"{problem.message} {problem.hint}"


def test_an_installed_wheel_is_found_with_its_files(site: Any) -> None:
    site.acme()
    (plugin,) = find_plugins(site.path).plugins
    assert (plugin.name, plugin.package) == ("acme", "deskmate_acme")
    assert (plugin.distribution, plugin.version) == ("deskmate-acme", "1.0")
    assert plugin.editable is False
    assert plugin.manifest.tools == {"find": "read"}
    assert set(plugin.files) == {
        "deskmate_acme/__init__.py",
        "deskmate_acme/plugin.toml",
        "deskmate_acme/tools/find.py",
        "deskmate_acme-1.0.dist-info/METADATA",
    }
    assert Path(plugin.files["deskmate_acme/__init__.py"]).is_file()


def test_an_empty_environment_has_no_plugins_and_no_problems(tmp_path: Path) -> None:
    catalogue = find_plugins([str(tmp_path), str(tmp_path / "missing"), ""])
    assert catalogue.plugins == ()
    assert catalogue.problems == ()


def test_the_order_is_order_then_name_whatever_was_installed_first(site: Any) -> None:
    for name, order in (("zeta", 10), ("alpha", 100), ("beta", 100)):
        files = {f"{name}/plugin.toml": f"order = {order}\n{MANIFEST}"}
        site.install(f"dist-{name}", files, {name: name})
    names = [plugin.name for plugin in find_plugins(site.path).plugins]
    assert names == ["zeta", "alpha", "beta"]


def test_two_distributions_with_one_plugin_name_are_both_named_and_neither_loads(site: Any) -> None:
    site.acme("deskmate-acme", "acme")
    site.acme("other-acme", "acme")
    site.acme("deskmate-fine", "fine")
    catalogue = find_plugins(site.path)
    assert [plugin.name for plugin in catalogue.plugins] == ["fine"]
    assert catalogue.problems[0].distributions == ("deskmate-acme 1.0", "other-acme 1.0")
    assert "deskmate-acme 1.0 and other-acme 1.0" in problem_text(catalogue)
    with pytest.raises(PluginError, match="none of them is used"):
        catalogue.get("acme")


def test_the_first_folder_of_the_path_shadows_the_same_distribution_in_a_later_one(
    site: Any, tmp_path: Path
) -> None:
    site.acme()
    later = type(site)(tmp_path / "later")
    later.install("deskmate.acme", {"x/plugin.toml": MANIFEST}, {"acme": "x"}, version="9")
    catalogue = find_plugins([*site.path, *later.path])
    assert [plugin.version for plugin in catalogue.plugins] == ["1.0"]
    assert catalogue.problems == ()


def test_a_broken_manifest_is_a_problem_and_the_other_plugins_work(site: Any) -> None:
    site.acme("deskmate-acme", "acme")
    site.install("bad", {"bad/plugin.toml": "title = "}, {"bad": "bad"})
    catalogue = find_plugins(site.path)
    assert [plugin.name for plugin in catalogue.plugins] == ["acme"]
    assert "Plugin bad of bad 1.0: bad/plugin.toml is not valid TOML" in problem_text(catalogue)


def test_a_missing_manifest_is_a_problem_with_a_hint(site: Any) -> None:
    site.install("bad", {"bad/__init__.py": ""}, {"bad": "bda"})
    assert "bda/plugin.toml is missing" in problem_text(find_plugins(site.path))


def test_a_manifest_that_another_distribution_installed_is_not_taken(site: Any) -> None:
    site.acme()
    site.install("thief", {"thief/__init__.py": ""}, {"thief": "deskmate_acme"})
    assert "does not belong to it" in problem_text(find_plugins(site.path))


def test_a_file_without_a_hash_in_record_is_refused_when_the_files_are_asked_for(site: Any) -> None:
    files = {"acme/plugin.toml": MANIFEST}
    site.install("acme", files, {"acme": "acme"}, extra_record="acme/unknown.py,,\n")
    (plugin,) = find_plugins(site.path).plugins
    with pytest.raises(PluginError, match=r"no sha256 for acme/unknown\.py"):
        list(plugin.files)


def test_metadata_that_calls_itself_deskmate_makes_nobody_deskmate(site: Any) -> None:
    files = {"evil/plugin.toml": MANIFEST}
    info = site.install("evil", files, {"workspace": "evil"})
    text = (info / "METADATA").read_text().replace("Name: evil", "Name: deskmate")
    (info / "METADATA").write_text(text)
    catalogue = find_plugins(site.path)
    assert catalogue.plugins == ()
    assert "a name of Deskmate itself" in problem_text(catalogue)


@pytest.mark.parametrize("group", ["deskmate.plugin", "deskmate_plugins"])
def test_a_misspelt_group_is_named(site: Any, group: str) -> None:
    site.install("bad", {"bad/plugin.toml": MANIFEST}, {"bad": "bad"}, group=group)
    text = problem_text(find_plugins(site.path))
    assert repr(group) in text
    assert "'deskmate.plugins'" in text


@pytest.mark.parametrize("value", ["bad:plugin", "bad [extra]", "../bad", "", "bad.", "a b"])
def test_an_entry_point_that_is_no_plain_package_is_refused(site: Any, value: str) -> None:
    site.install("bad", {"bad/plugin.toml": MANIFEST}, {"bad": value})
    assert "not the plain name of a package" in problem_text(find_plugins(site.path))


@pytest.mark.parametrize("name", ["Bad", "b__d", "9bad", "b" * 33, "ba.d", "-bad"])
def test_a_name_that_cannot_go_on_the_wire_is_refused(site: Any, name: str) -> None:
    site.install("bad", {"bad/plugin.toml": MANIFEST}, {name: "bad"})
    assert "cannot be used" in problem_text(find_plugins(site.path))


def test_a_tool_whose_wire_name_is_too_long_is_refused(site: Any) -> None:
    manifest = f'{MANIFEST}[tools.{"t" * 60}]\nrisk = "read"\n'
    site.install("bad", {"bad/plugin.toml": manifest}, {"long-name": "bad"})
    assert "more than 64 characters" in problem_text(find_plugins(site.path))


@pytest.mark.parametrize("name", ["workspace", "office"])
def test_nobody_else_may_take_a_name_of_deskmate_nor_knock_it_out(site: Any, name: str) -> None:
    site.install("evil", {"evil/plugin.toml": MANIFEST}, {name: "evil"})
    package = {"workspace": "deskmate_guest.workspace", "office": "deskmate_documents"}[name]
    files = {f"{package.replace('.', '/')}/plugin.toml": MANIFEST}
    site.install("deskmate", files, {name: package})
    catalogue = find_plugins(site.path)
    assert [(p.name, p.distribution) for p in catalogue.plugins] == [(name, "deskmate")]
    assert "a name of Deskmate itself" in problem_text(catalogue)


def test_a_plugin_whose_package_is_deskmates_own_is_refused(site: Any) -> None:
    site.install(
        "evil", {"deskmate_guest/evil/plugin.toml": MANIFEST}, {"evil": "deskmate_guest.evil"}
    )
    assert "has a name of Deskmate itself" in problem_text(find_plugins(site.path))


def test_a_file_below_deskmates_own_name_is_refused_when_the_files_are_asked_for(site: Any) -> None:
    site.acme(**{"deskmate_guest/boot.py": "evil"})
    (plugin,) = find_plugins(site.path).plugins
    with pytest.raises(PluginError, match="a name of Deskmate itself"):
        list(plugin.files)


def test_a_record_that_leaves_its_folder_is_refused(site: Any) -> None:
    site.acme()
    record = site.folder / "deskmate_acme-1.0.dist-info/RECORD"
    record.write_text("deskmate_acme/../../../etc/passwd,sha256=x,1\n" + record.read_text())
    (plugin,) = find_plugins(site.path).plugins
    with pytest.raises(PluginError, match="leaves its folder"):
        list(plugin.files)


def test_scripts_caches_and_startup_hooks_are_no_files_of_a_plugin(site: Any) -> None:
    site.acme(**{"evil.pth": "import os", "deskmate_acme/__pycache__/x.pyc": "x"})
    info = site.folder / "deskmate_acme-1.0.dist-info/RECORD"
    info.write_text("../../../bin/acme,sha256=x,1\n/etc/acme.conf,sha256=x,1\n" + info.read_text())
    (plugin,) = find_plugins(site.path).plugins
    assert all(
        "pyc" not in path and "pth" not in path and "bin" not in path for path in plugin.files
    )


@pytest.mark.parametrize("record", ["", "a,b\n", "x,sha256=1,1\nx,sha256=1,1\n", '"'])
def test_a_damaged_record_is_a_problem_of_that_plugin_only(site: Any, record: str) -> None:
    site.acme("deskmate-acme", "acme")
    info = site.acme("deskmate-bad", "bad")
    (info / "RECORD").write_text(record)
    catalogue = find_plugins(site.path)
    assert [plugin.name for plugin in catalogue.plugins] == ["acme"]
    assert catalogue.problems[0].plugin == "bad"


def test_a_giant_description_is_not_read_as_metadata(site: Any) -> None:
    info = site.acme()
    with (info / "METADATA").open("a") as file:
        file.write("Requires-Dist: evil; extra == 'guest'\n" * 100_000)
    (plugin,) = find_plugins(site.path).plugins
    assert plugin.dependencies == ()
    assert plugin.version == "1.0"


def test_giant_entry_points_of_one_distribution_do_not_stop_the_others(site: Any) -> None:
    site.acme()
    giant = "[x]\n" + "a = b\n" * 200_000
    site.install("giant", {}, {}, extra_entry_points=giant)
    assert [plugin.name for plugin in find_plugins(site.path).plugins] == ["acme"]


def test_a_giant_record_is_a_problem_of_that_plugin(site: Any) -> None:
    info = site.acme()
    with (info / "RECORD").open("ab") as file:
        file.truncate(1 << 33)  # sparse: more than could be read
    assert "is larger than" in problem_text(find_plugins(site.path))


def test_one_distribution_may_bring_two_plugins(site: Any) -> None:
    files = {"one/plugin.toml": MANIFEST, "two/plugin.toml": MANIFEST}
    site.install("both", files, {"one": "one", "two": "two"})
    assert [plugin.name for plugin in find_plugins(site.path).plugins] == ["one", "two"]


def test_the_extra_guest_is_read_without_its_marker(site: Any) -> None:
    info = site.install(
        "acme",
        {"acme/plugin.toml": MANIFEST},
        {"acme": "acme"},
        metadata=(
            "Requires-Dist: deskmate<2,>=1\n"
            "Requires-Dist: eyecite[fast]>=2; extra == 'guest'\n"
            'Requires-Dist: tomli; python_version < "3.11" and extra == "guest"\n'
            "Requires-Dist: pytest; extra == 'dev'\n"
        ),
    )
    assert guest_requirements(info) == ("eyecite[fast]>=2", 'tomli ; python_version < "3.11"')


SOURCE = {
    "src/acme/__init__.py": "",
    "src/acme/plugin.toml": MANIFEST,
    "src/acme/tools/find.py": "",
    "src/acme/tests/test_find.py": "",
    "src/acme/__pycache__/x.pyc": "",
    "src/acme/.git/config": "",
}
FOUND = {
    "acme/__init__.py",
    "acme/plugin.toml",
    "acme/tools/find.py",
    "acme-1.0.dist-info/METADATA",
}


@pytest.mark.parametrize(
    "hook", ["_editable_impl_acme.pth", "acme.pth", "__editable__.acme-1.0.pth"]
)
def test_an_editable_install_by_a_path_line_is_read_from_its_source(
    site: Any, tmp_path: Path, write_tree: Write, hook: str
) -> None:
    source = write_tree(tmp_path / "project", SOURCE) / "src"
    site.install("acme", {hook: f"{source}\n"}, {"acme": "acme"}, direct_url=EDITABLE)
    (plugin,) = find_plugins(site.path).plugins
    assert plugin.editable is True
    assert set(plugin.files) == FOUND


def test_an_editable_install_by_setuptools_finder_is_read_without_running_the_finder(
    site: Any, tmp_path: Path, write_tree: Write
) -> None:
    source = write_tree(tmp_path / "project", SOURCE) / "src/acme"
    finder = (
        "from __future__ import annotations\nraise SystemExit('ran')\n"
        f"MAPPING: dict[str, str] = {{'acme': {str(source)!r}}}\nNAMESPACES: dict[str, list] = {{}}\n"
    )
    files = {
        "__editable___acme_1_0_finder.py": finder,
        "__editable__.acme-1.0.pth": "import __editable___acme_1_0_finder; __editable___acme_1_0_finder.install()",
    }
    site.install("acme", files, {"acme": "acme"}, direct_url=EDITABLE)
    (plugin,) = find_plugins(site.path).plugins
    assert set(plugin.files) == FOUND


def test_an_editable_install_by_hatchlings_exact_mode_is_found(
    site: Any, tmp_path: Path, write_tree: Write
) -> None:
    source = write_tree(tmp_path / "project", SOURCE) / "src/acme/__init__.py"
    finder = (
        "from editables.redirector import RedirectingFinder as F\nF.install()\n"
        f"F.map_module('acme', {str(source)!r})\n"
    )
    files = {
        "_editable_impl_acme.py": finder,
        "_editable_impl_acme.pth": "import _editable_impl_acme",
    }
    site.install("acme", files, {"acme": "acme"}, direct_url=EDITABLE)
    (plugin,) = find_plugins(site.path).plugins
    assert set(plugin.files) == FOUND


def test_an_editable_dotted_package_brings_the_regular_package_around_it(
    site: Any, tmp_path: Path, write_tree: Write
) -> None:
    tree = {"acme/__init__.py": "", "acme/core.py": "", "acme/mate/plugin.toml": MANIFEST}
    source = write_tree(tmp_path / "project", tree)
    site.install("acme", {"a.pth": str(source)}, {"acme": "acme.mate"}, direct_url=EDITABLE)
    (plugin,) = find_plugins(site.path).plugins
    assert {path for path in plugin.files if path.startswith("acme/")} == set(tree)


def test_an_editable_package_in_a_namespace_brings_itself_only(
    site: Any, tmp_path: Path, write_tree: Write
) -> None:
    tree = {"ns/mate/plugin.toml": MANIFEST, "ns/mate/__init__.py": "", "ns/other/x.py": ""}
    source = write_tree(tmp_path / "project", tree)
    site.install("acme", {"a.pth": str(source)}, {"acme": "ns.mate"}, direct_url=EDITABLE)
    (plugin,) = find_plugins(site.path).plugins
    assert "ns/other/x.py" not in plugin.files
    assert "ns/mate/__init__.py" in plugin.files


def test_a_link_out_of_an_editable_tree_is_never_a_file_of_the_plugin(
    site: Any, tmp_path: Path, write_tree: Write
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("key")
    source = write_tree(tmp_path / "project", SOURCE) / "src"
    (source / "acme/notes.txt").symlink_to(secret)
    site.install("acme", {"a.pth": str(source)}, {"acme": "acme"}, direct_url=EDITABLE)
    (plugin,) = find_plugins(site.path).plugins
    assert set(plugin.files) == FOUND
    (source / "acme/plugin.toml").unlink()
    (source / "acme/plugin.toml").symlink_to(secret)
    assert "link out of its package" in problem_text(find_plugins(site.path))


def test_an_editable_source_that_is_gone_is_a_problem(site: Any, tmp_path: Path) -> None:
    site.install("acme", {"a.pth": str(tmp_path / "gone")}, {"acme": "acme"}, direct_url=EDITABLE)
    assert "was not found" in problem_text(find_plugins(site.path))


def test_an_old_style_development_install_is_found(site: Any, write_tree: Write) -> None:
    tree = {
        "acme/__init__.py": "",
        "acme/plugin.toml": MANIFEST,
        "acme.egg-info/PKG-INFO": "Name: acme\nVersion: 3\n",
        "acme.egg-info/entry_points.txt": "[deskmate.plugins]\nacme = acme\n",
    }
    write_tree(site.folder, tree)
    (plugin,) = find_plugins(site.path).plugins
    assert (plugin.version, plugin.editable) == ("3", True)
    assert set(plugin.files) == {"acme/__init__.py", "acme/plugin.toml"}


def test_a_kept_manifest_gives_the_same_catalogue_and_a_damaged_cache_none(
    site: Any, tmp_path: Path
) -> None:
    site.acme()
    cache = tmp_path / "cache/manifests.json"
    first = find_plugins(site.path, cache=cache)
    assert cache.is_file()
    assert find_plugins(site.path, cache=cache).plugins[0].manifest == first.plugins[0].manifest
    cache.write_text('{"key": 1')
    assert find_plugins(site.path, cache=cache).plugins[0].manifest == first.plugins[0].manifest


def test_a_changed_manifest_is_read_anew_in_spite_of_the_cache(site: Any, tmp_path: Path) -> None:
    site.acme()
    cache = tmp_path / "manifests.json"
    find_plugins(site.path, cache=cache)
    file = site.folder / "deskmate_acme/plugin.toml"
    file.write_text(file.read_text().replace('"read"', '"send"'))
    assert find_plugins(site.path, cache=cache).plugins[0].manifest.tools == {"find": "send"}


def test_asking_for_an_unknown_plugin_names_the_known_ones(site: Any) -> None:
    site.acme()
    with pytest.raises(PluginError) as caught:
        find_plugins(site.path).get("acmee")
    assert "'acmee'" in caught.value.message
    assert "acme" in caught.value.hint


def test_a_cache_that_cannot_be_written_changes_nothing(site: Any, tmp_path: Path) -> None:
    site.acme()
    blocked = tmp_path / "file"
    blocked.write_text("")
    for cache in (blocked / "manifests.json", tmp_path):
        assert [plugin.name for plugin in find_plugins(site.path, cache=cache).plugins] == ["acme"]


def test_a_kept_manifest_of_the_wrong_shape_is_read_anew(site: Any, tmp_path: Path) -> None:
    site.acme()
    cache = tmp_path / "manifests.json"
    find_plugins(site.path, cache=cache)
    cache.write_text(cache.read_text().replace('"title"', '"tilte"'))
    assert find_plugins(site.path, cache=cache).plugins[0].manifest.title == "Acme"
