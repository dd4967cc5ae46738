"""The audit names what pip did on the host for a plugin, and is silent where it did nothing."""

from pathlib import Path
from typing import Any

import pytest

from deskmate.discovery.audit import audit

MANIFEST = 'api = ">=1,<2"\ntitle = "Acme"\nsummary = "s"\n'


def test_an_ordinary_wheel_has_nothing_to_tell(site: Any) -> None:
    site.acme()
    assert audit(site.path) == ()


def test_a_startup_hook_is_named_with_what_it_runs(site: Any) -> None:
    site.acme(**{"zz_acme.pth": "import os; os.system('x')\n"})
    (note,) = audit(site.path)
    assert (note.kind, note.distribution) == ("startup", "deskmate-acme 1.0")
    assert "zz_acme.pth" in note.what
    assert "os.system('x')" in note.what


def test_a_path_line_is_no_code(site: Any) -> None:
    site.acme(**{"zz_acme.pth": "/somewhere\n# import os\n"})
    assert audit(site.path) == ()


def test_a_command_is_named(site: Any) -> None:
    scripts = "[console_scripts]\nacme = acme:main\n"
    site.install(
        "acme", {"acme/plugin.toml": MANIFEST}, {"acme": "acme"}, extra_entry_points=scripts
    )
    (note,) = audit(site.path)
    assert note.kind == "script"
    assert "the command acme (acme:main)" in note.what


@pytest.mark.parametrize(
    "origin",
    [
        {"url": "file:///x", "dir_info": {}},
        {"url": "file:///x", "dir_info": {"editable": True}},
        {"url": "https://x/y.git", "vcs_info": {"vcs": "git"}},
        {"url": "https://x/acme-1.0.tar.gz", "archive_info": {}},
    ],
)
def test_a_build_on_this_machine_is_named(site: Any, origin: dict[str, object]) -> None:
    site.install("acme", {"acme/plugin.toml": MANIFEST}, {"acme": "acme"}, direct_url=origin)
    (note,) = audit(site.path)
    assert note.kind == ("editable" if "'editable': True" in str(origin) else "built")
    assert str(origin["url"]) in note.what


def test_a_wheel_by_address_was_not_built_here(site: Any) -> None:
    origin = {"url": "https://x/acme-1.0-py3-none-any.whl", "archive_info": {}}
    site.install("acme", {"acme/plugin.toml": MANIFEST}, {"acme": "acme"}, direct_url=origin)
    assert audit(site.path) == ()


def test_an_unreadable_record_is_said(site: Any) -> None:
    (site.acme() / "RECORD").unlink()
    (note,) = audit(site.path)
    assert note.kind == "unrecorded"


def test_deskmates_own_distribution_is_not_audited(site: Any) -> None:
    scripts = "[console_scripts]\ndeskmate = deskmate.cli:main\n"
    site.install("deskmate", {}, {"office": "deskmate_documents"}, extra_entry_points=scripts)
    assert audit(site.path) == ()


def test_a_file_that_was_changed_or_removed_since_is_named(site: Any) -> None:
    site.acme()
    (site.folder / "deskmate_acme/tools/find.py").write_text("evil = 1")
    (site.folder / "deskmate_acme/__init__.py").unlink()
    notes = {note.what: note.kind for note in audit(site.path)}
    assert notes == {
        "deskmate_acme/tools/find.py was changed since": "changed",
        "deskmate_acme/__init__.py is missing": "changed",
    }


def test_a_file_beside_the_packages_and_files_without_a_hash_are_named(site: Any) -> None:
    files = {"acme/plugin.toml": MANIFEST}
    extra = "../../../etc/cron.d/evil,sha256=AAAA,1\nacme/unknown.py,,\n"
    site.install("acme", files, {"acme": "acme"}, extra_record=extra)
    kinds = {(note.kind, note.what) for note in audit(site.path)}
    assert ("outside", "../../../etc/cron.d/evil lies beside its packages") in kinds
    assert ("unrecorded", "its RECORD has no hash for 1 of its files") in kinds


def test_a_wheel_that_pip_built_and_kept_in_its_cache_is_named(
    site: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "cache/wheels/aa/bb/cc/rest/deskmate_acme-1.0-py3-none-any.whl"
    kept.parent.mkdir(parents=True)
    kept.touch()
    site.acme()
    assert audit(site.path) == ()
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "cache"))
    (note,) = audit(site.path)
    assert note.kind == "built"
    assert kept.name in note.what
