"""Finding, checking and installing images, without building one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.unit.sandbox.conftest import MakeImage, write_image

from deskmate.errors import CorruptData, SandboxMissing, UserError
from deskmate.sandbox.build import drop_programs
from deskmate.sandbox.image import (
    FILES,
    find_image,
    image_lock,
    install,
    list_images,
    read_image,
    software_of,
    sparse_digest,
    verify_image,
)
from deskmate.sandbox.recipes import recipe_digest
from deskmate.types.places import Places, find_places


def test_a_missing_image_names_the_command_that_builds_it(home: Places) -> None:
    with pytest.raises(SandboxMissing) as caught:
        find_image(home)
    assert caught.value.hint.endswith("deskmate image build")
    with pytest.raises(SandboxMissing) as caught:
        find_image(home, flavour="office")
    assert caught.value.hint.endswith("deskmate image build office")


def test_an_installed_image_is_found_and_intact(home: Places, make_image: MakeImage) -> None:
    make_image()
    image = find_image(home)
    assert verify_image(image) == ()
    assert image.recipe == recipe_digest()
    assert [found.digest for found in list_images(home)] == [image.digest]
    assert software_of(image)[0]["licence"] == "GPL-2"


def test_flavours_lie_beside_each_other(home: Places, make_image: MakeImage) -> None:
    base, office = make_image("a"), make_image("a", flavour="office")
    assert find_image(home).digest == base.digest
    assert find_image(home, flavour="office").digest == office.digest


@pytest.mark.parametrize("name", FILES)
def test_a_changed_byte_is_named_with_the_cure_and_is_never_booted(
    home: Places, make_image: MakeImage, name: str
) -> None:
    path = make_image().file(name)
    content = bytearray(path.read_bytes())
    content[5] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptData, match=name) as caught:
        find_image(home)
    assert "deskmate image build base --force" in caught.value.hint


def test_a_file_of_another_size_is_damage_at_once(home: Places, make_image: MakeImage) -> None:
    image = make_image()
    with image.file("base.erofs").open("ab") as file:
        file.write(b"x")
    with pytest.raises(CorruptData, match=r"base\.erofs has \d+ bytes instead of"):
        find_image(home)


def test_new_times_cost_one_full_check_and_no_more(
    home: Places, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = make_image()
    os.utime(image.file("vmlinuz"))
    find_image(home)

    def never(path: Path) -> str:
        raise AssertionError(path)

    monkeypatch.setattr("deskmate.sandbox.image.sparse_digest", never)
    find_image(home)


@pytest.mark.parametrize("manifest", ["", "{}", "[]", '{"files": 1}', "[" * 100_000])
def test_an_unreadable_manifest_is_damage(
    home: Places, make_image: MakeImage, manifest: str
) -> None:
    (make_image().folder / "manifest.json").write_text(manifest)
    with pytest.raises(CorruptData):
        find_image(home)
    assert list_images(home) == ()


def test_a_missing_file_is_damage(home: Places, make_image: MakeImage) -> None:
    make_image().file("initrd").unlink()
    with pytest.raises(CorruptData, match="initrd"):
        find_image(home)


def test_a_newer_image_lies_beside_the_old_one_and_is_taken(
    home: Places, make_image: MakeImage
) -> None:
    old = make_image("old")
    new = make_image("new")
    assert old.digest != new.digest
    assert find_image(home).digest == new.digest
    assert read_image(old.folder).digest == old.digest


def test_the_same_image_again_replaces_a_damaged_one(home: Places, make_image: MakeImage) -> None:
    image = make_image()
    image.file("vmlinuz").write_bytes(b"")
    make_image()
    assert find_image(home).digest == image.digest
    assert len(list(home.images.glob("[!.]*"))) == 1


def test_an_image_of_another_processor_is_refused(home: Places, tmp_path: Path) -> None:
    made = write_image(tmp_path / "made", architecture="s390x")
    with image_lock(home), pytest.raises(UserError, match="s390x"):
        install(home, made)
    assert list_images(home) == ()


def test_the_digest_covers_what_the_manifest_says_an_image_is(home: Places, tmp_path: Path) -> None:
    one = read_image(write_image(tmp_path / "one"))
    other = read_image(write_image(tmp_path / "other", recipe="f" * 64))
    assert one.digest != other.digest


def test_two_builds_do_not_collide(home: Places) -> None:
    with image_lock(home), pytest.raises(UserError), image_lock(home):
        pass


def test_holes_and_where_they_lie_do_not_change_a_digest(tmp_path: Path) -> None:
    full, sparse = tmp_path / "full", tmp_path / "sparse"
    content = bytes(3 << 20) + b"x" * 5000 + bytes(1 << 20)
    full.write_bytes(content)
    with sparse.open("wb") as file:
        file.truncate(len(content))
        file.seek(3 << 20)
        file.write(b"x" * 5000)
    assert sparse.stat().st_blocks < full.stat().st_blocks
    assert sparse_digest(full) == sparse_digest(sparse)


def test_moved_bytes_change_a_digest(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"x" + bytes(1 << 21))
    other.write_bytes(bytes(1 << 20) + b"x" + bytes(1 << 20))
    assert sparse_digest(one) != sparse_digest(other)


def test_the_cache_can_lie_elsewhere_than_the_rest(tmp_path: Path) -> None:
    places = find_places({"DESKMATE_CACHE": str(tmp_path / "große Platte")}, tmp_path)
    assert places.images == tmp_path / "große Platte" / "images"
    assert places.data == tmp_path / ".local/share/deskmate"
    both = {"DESKMATE_HOME": str(tmp_path / "h"), "DESKMATE_CACHE": str(tmp_path / "c")}
    assert find_places(both, tmp_path).cache == tmp_path / "c"
    assert find_places(both, tmp_path).data == tmp_path / "h/data"


def test_nothing_of_the_builder_s_python_stays_in_the_libraries(tmp_path: Path) -> None:
    found = []
    for name, python in (("one", "/usr/bin/python3"), ("two", "/home/anne/my venv/bin/python")):
        target = tmp_path / name
        (target / "bin").mkdir(parents=True)
        (target / "bin/acme").write_text(f"#!{python}\n")
        about = target / "acme-1.0.dist-info"
        about.mkdir()
        rows = f'bin/acme,sha256={len(python)},{len(python)}\n"acme/a, b.py",,\nacme/bin/x.py,,\n'
        (about / "RECORD").write_text(rows)
        drop_programs(target)
        assert not (target / "bin").exists()
        found.append((about / "RECORD").read_text())
    assert found == ['"acme/a, b.py",,\nacme/bin/x.py,,\n'] * 2
