"""Exported images: whole ones come back equal, everything else is refused and leaves nothing behind."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.sandbox.conftest import MakeImage, write_image

from deskmate.errors import CorruptData, DeskmateError, UserError
from deskmate.sandbox import exchange
from deskmate.sandbox.exchange import archive_name, export_image, import_image, read_digest
from deskmate.sandbox.image import find_image, list_images, read_image, verify_image
from deskmate.sandbox.recipes import recipe_digest
from deskmate.types.places import Places, find_places


def silent(line: str) -> None:
    pass


@pytest.fixture
def archive(make_image: MakeImage, tmp_path: Path) -> Path:
    target = tmp_path / "bild ✓.tar"
    export_image(make_image(), target, silent)
    return target


@pytest.fixture
def other(tmp_path: Path) -> Places:
    return find_places({"DESKMATE_HOME": str(tmp_path / "andere Maschine")}, tmp_path)


def test_an_exported_image_comes_back_equal(home: Places, archive: Path, other: Places) -> None:
    image = import_image(archive, other, silent, digest=f"sha256:{find_image(home).digest}")
    assert image.digest == find_image(home).digest
    assert verify_image(find_image(other)) == ()
    before, after = (find_image(p).file("scratch.ext4") for p in (home, other))
    assert before.read_bytes() == after.read_bytes()
    assert {path.name for path in other.images.iterdir()} == {".lock", image.name}


def test_the_same_image_gives_the_same_archive(home: Places, archive: Path, tmp_path: Path) -> None:
    export_image(find_image(home), tmp_path / "again.tar", silent)
    assert (tmp_path / "again.tar").read_bytes() == archive.read_bytes()


def test_tar_can_list_it(archive: Path) -> None:
    with tarfile.open(archive) as tar:
        assert tar.getnames()[0] == "manifest.json"
        assert all(member.isreg() for member in tar)


def test_the_name_says_what_it_is(home: Places, archive: Path) -> None:
    assert archive_name(find_image(home)).startswith("deskmate-base-bookworm-")


def _refused(archive: Path, other: Places, error: type[DeskmateError], digest: str = "") -> str:
    with pytest.raises(error) as caught:
        import_image(archive, other, silent, digest=digest)
    assert list_images(other) == ()
    assert {path.name for path in other.images.glob("*")} <= {".lock"}
    return caught.value.message


def test_every_flipped_byte_is_found(archive: Path, other: Places) -> None:
    whole = archive.read_bytes()
    for position in range(0, len(whole), len(whole) // 97):
        changed = bytearray(whole)
        changed[position] ^= 0x41
        archive.write_bytes(changed)
        _refused(archive, other, DeskmateError)


def test_every_cut_is_found(archive: Path, other: Places) -> None:
    whole = archive.read_bytes()
    for length in (0, 1, 511, 512, 700, len(whole) // 2, len(whole) - 1024, len(whole) - 1):
        archive.write_bytes(whole[:length])
        _refused(archive, other, CorruptData)


@pytest.mark.parametrize("more", [b"\0", b"\0" * 512, b"hidden" * 100])
def test_what_follows_the_end_is_refused(archive: Path, other: Places, more: bytes) -> None:
    archive.write_bytes(archive.read_bytes() + more)
    assert "more in it" in _refused(archive, other, CorruptData)


Spoil = Callable[[tarfile.TarInfo], None]


def _path(name: str) -> Spoil:
    def spoil(info: tarfile.TarInfo) -> None:
        info.name = name

    return spoil


def _link(kind: bytes, target: str) -> Spoil:
    def spoil(info: tarfile.TarInfo) -> None:
        info.type, info.linkname, info.size = kind, target, 0

    return spoil


@pytest.mark.parametrize("member", [0, 2, 5])
@pytest.mark.parametrize(
    "spoil",
    [
        _path("../../escaped"),
        _path("/tmp/escaped"),
        _path("vmlinuz/../../x"),
        _path("x" * 90),
        _path("ü" * 120),
        _link(tarfile.SYMTYPE, "/etc/passwd"),
        _link(tarfile.LNKTYPE, "manifest.json"),
        _link(tarfile.DIRTYPE, ""),
        _link(tarfile.CHRTYPE, ""),
    ],
)
def test_names_and_kinds_that_do_not_belong_are_refused(
    archive: Path, other: Places, tmp_path: Path, member: int, spoil: Spoil
) -> None:
    made = io.BytesIO()
    with tarfile.open(archive) as old, tarfile.open(fileobj=made, mode="w") as new:
        for number, info in enumerate(old.getmembers()):
            content = old.extractfile(info)
            assert content is not None
            data = content.read()
            if number == member:
                spoil(info)
            new.addfile(info, io.BytesIO(data))
    archive.write_bytes(made.getvalue())
    _refused(archive, other, CorruptData)
    assert not list(tmp_path.rglob("escaped*"))


def test_another_digest_is_refused_before_the_files_are_read(
    archive: Path, other: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "_read_file", None)
    message = _refused(archive, other, UserError, digest="sha256:" + "0" * 64)
    assert "not the one you asked for" in message


@pytest.mark.parametrize(
    "digest", ["md5:1", "sha256:", "sha256:zz", "0" * 63, "sha256:" + "g" * 64]
)
def test_what_is_no_digest_is_refused(digest: str) -> None:
    with pytest.raises(UserError):
        read_digest(digest)


def test_an_image_of_another_processor_or_version_is_refused(other: Places, tmp_path: Path) -> None:
    for words, architecture, recipe in (
        ("for s390x", "s390x", ""),
        ("another version", "", "d" * 64),
    ):
        archive = tmp_path / "foreign.tar"
        made = write_image(tmp_path / words, architecture=architecture, recipe=recipe)
        export_image(read_image(made), archive, silent)
        assert words in _refused(archive, other, UserError)


def test_a_manifest_that_lies_about_a_size_is_refused(other: Places, tmp_path: Path) -> None:
    made = write_image(tmp_path / "made")
    archive = tmp_path / "a.tar"
    export_image(read_image(made), archive, silent)
    whole = archive.read_bytes()
    size = str((made / "base.erofs").stat().st_size).encode()
    archive.write_bytes(whole.replace(b'"bytes": ' + size, b'"bytes": ' + b"9" * len(size), 1))
    _refused(archive, other, DeskmateError)


def test_a_piece_outside_the_scratch_disk_is_refused(
    archive: Path, other: Places, home: Places
) -> None:
    size = find_image(home).sizes["scratch.ext4"]
    whole = archive.read_bytes()
    place = whole.index(b"scratch.ext4.pieces") + 512
    archive.write_bytes(whole[:place] + (size - 1).to_bytes(8) + whole[place + 8 :])
    assert "outside" in _refused(archive, other, CorruptData)


def test_something_larger_than_any_image_is_refused_unread(
    archive: Path, other: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "ARCHIVE_LIMIT_BYTES", 1000)
    assert "larger than any image" in _refused(archive, other, UserError)


def test_a_member_over_its_limit_is_refused(
    archive: Path, other: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(exchange._MEMBERS, "vmlinuz", 10)
    assert "vmlinuz is too large" in _refused(archive, other, CorruptData)


def test_a_damaged_image_is_not_exported(
    home: Places, make_image: MakeImage, tmp_path: Path
) -> None:
    image = make_image()
    image.file("vmlinuz").write_bytes(bytes(image.sizes["vmlinuz"]))
    with pytest.raises(CorruptData, match="vmlinuz"):
        export_image(image, tmp_path / "x.tar", silent)
    assert not list(tmp_path.glob("*x.tar*"))


def test_today_s_recipe_is_what_counts(home: Places, archive: Path) -> None:
    assert find_image(home).recipe == recipe_digest()
