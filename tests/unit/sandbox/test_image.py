"""Recipes, manifests and damage of images, without building one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deskmate.errors import CorruptData, SandboxMissing, UserError
from deskmate.sandbox.image import (
    FILES,
    find_image,
    image_lock,
    list_images,
    prune_images,
    recipe_digest,
    sparse_digest,
    verify_image,
)
from deskmate.types.places import Places, find_places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return find_places({"DESKMATE_HOME": str(tmp_path)}, tmp_path)


def _built(places: Places) -> Path:
    folder = places.images / recipe_digest("bookworm")
    folder.mkdir(parents=True)
    for name in FILES:
        (folder / name).write_bytes(name.encode())
    rows = {name: {"bytes": 1, "sha256": sparse_digest(folder / name)} for name in FILES}
    about = {"recipe": folder.name, "suite": "bookworm", "python": "3.11", "built_at": "now"}
    (folder / "manifest.json").write_text(json.dumps({**about, "files": rows}))
    return folder


def test_a_missing_image_names_the_command_that_builds_it(places: Places) -> None:
    with pytest.raises(SandboxMissing) as caught:
        find_image(places)
    assert "deskmate image build" in caught.value.hint


def test_a_built_image_is_found_and_intact(places: Places) -> None:
    _built(places)
    image = find_image(places)
    assert verify_image(image) == ()
    assert [found.recipe for found in list_images(places)] == [image.recipe]


def test_a_changed_byte_is_found_by_verify(places: Places) -> None:
    (_built(places) / "vmlinuz").write_bytes(b"vmlinux")
    assert verify_image(find_image(places)) == ("vmlinuz",)


@pytest.mark.parametrize("manifest", ["", "{}", "[]", '{"files": 1}'])
def test_an_unreadable_manifest_is_damage(places: Places, manifest: str) -> None:
    (_built(places) / "manifest.json").write_text(manifest)
    with pytest.raises(CorruptData):
        find_image(places)
    assert list_images(places) == ()


def test_a_missing_file_is_damage(places: Places) -> None:
    (_built(places) / "initrd").unlink()
    with pytest.raises(CorruptData, match="initrd"):
        find_image(places)


def test_pruning_keeps_the_image_in_use_and_removes_the_rest(places: Places) -> None:
    kept = _built(places)
    (places.images / ".build-left").mkdir()
    (places.images / ("0" * 64)).mkdir()
    assert len(prune_images(places, keep=recipe_digest("bookworm"))) == 2
    assert kept.is_dir()


def test_two_builds_do_not_collide(places: Places) -> None:
    with image_lock(places), pytest.raises(UserError, match="another"), image_lock(places):
        pass


def test_every_suite_has_its_own_recipe() -> None:
    assert recipe_digest("bookworm") != recipe_digest("trixie")
