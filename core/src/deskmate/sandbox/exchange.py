"""Images as one file: written for others, and read with every byte checked before anything is used.

The file is a plain tar of fixed members in a fixed order. Nothing is unpacked by name: what is not the next
expected member ends the reading.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from deskmate.errors import CorruptData, UserError
from deskmate.ports import Progress
from deskmate.sandbox.image import (
    FILES,
    SOFTWARE,
    Image,
    data_extents,
    image_lock,
    install,
    read_manifest,
    require_architecture,
    require_intact,
)
from deskmate.sandbox.recipes import FLAVOURS, SOURCE_DATE, find_recipe, suites
from deskmate.types.ids import Digest
from deskmate.types.places import Places
from deskmate.types.progress import Counted

_TAR = 512
_CHUNK = 1 << 20
_PIECE = 1 << 16
_SPARSE = "scratch.ext4"
_MEMBERS = {
    "manifest.json": 1 << 20,
    SOFTWARE: 32 << 20,
    "vmlinuz": 128 << 20,
    "initrd": 256 << 20,
    f"{_SPARSE}.pieces": 512 << 20,
    "base.erofs": (8 << 30) - 1,
}
"""Members in order → the most bytes that each may have. Pieces: offset (8 bytes), length (4), data, again."""

ARCHIVE_LIMIT_BYTES = sum(_MEMBERS.values()) + 64 * _TAR
_SCRATCH_LIMIT_BYTES = 64 << 30


def export_image(image: Image, target: Path, progress: Progress) -> None:
    """Write an image to one file, which appears only when it is whole.

    Raises CorruptData if the image is damaged.
    """
    progress("checking the image")
    require_intact(image)
    part = target.with_name(f".{target.name}.part")
    total = image.bytes
    try:
        with part.open("wb") as file:
            for name in _MEMBERS:
                path = image.folder / name.removesuffix(".pieces")
                size = _pieces_size(path) if name.endswith(".pieces") else path.stat().st_size
                file.write(_header(name, size))
                for chunk in _pieces(path) if name.endswith(".pieces") else _chunks(path):
                    file.write(chunk)
                    progress(
                        Counted("writing the image", done=file.tell(), total=total, unit="bytes")
                    )
                file.write(bytes(-size % _TAR))
            file.write(bytes(2 * _TAR))
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def import_image(source: Path, places: Places, progress: Progress, *, digest: str = "") -> Image:
    """Check an exported image and put it beside the others; nothing of it is used before.

    Args:
        source: the file.
        places: where images lie.
        progress: told how far it is.
        digest: the image's digest, `sha256:…`, as its maker told it; empty: any whole image.

    Raises:
        UserError: not an image of this Deskmate, for another processor, or not the digest.
        CorruptData: cut short, altered, or with anything in it that does not belong.
    """
    wanted = read_digest(digest)
    size = source.stat().st_size
    with image_lock(places), source.open("rb") as file:
        if size > ARCHIVE_LIMIT_BYTES:
            raise UserError(f"{source.name} is larger than any image: {size >> 20} MiB")
        if shutil.disk_usage(places.images).free < size + (256 << 20):
            raise UserError(
                f"{places.images} has no room for an image of {size >> 20} MiB",
                hint="free some space, or set DESKMATE_CACHE to a folder on a larger disk",
            )
        with tempfile.TemporaryDirectory(prefix=".pull-", dir=places.images) as name:
            out = Path(name) / "out"
            out.mkdir(mode=0o755)
            _read_members(_Source(file, source.name, size), out, wanted, progress)
            image = read_manifest(out)
            progress("checking every file")
            require_intact(image)
            return install(places, out)


def read_digest(text: str) -> Digest | None:
    """Return the digest in `sha256:…`, None for an empty text. Raises UserError."""
    if not text:
        return None
    value = text.removeprefix("sha256:").lower()
    if len(value) != 64 or not set(value) <= set("0123456789abcdef"):
        raise UserError(
            f"{text[:80]} is not a digest", hint="it looks like sha256: and 64 hexadecimal digits"
        )
    return Digest(value)


class _Source:
    """An archive that is being read: every read is whole, or the archive is damaged."""

    def __init__(self, file: BinaryIO, name: str, size: int) -> None:
        self._file, self.name, self.size = file, name, size

    @property
    def position(self) -> int:
        return self._file.tell()

    def read(self, size: int) -> bytes:
        content = self._file.read(size)
        if len(content) != size:
            raise self.damage("it is cut short")
        return content

    def damage(self, what: str) -> CorruptData:
        return CorruptData(
            f"{self.name} is no image that can be used: {what}",
            hint="get it again, and compare its digest with what its maker says",
        )

    def chunks(self, size: int) -> Iterator[bytes]:
        while size:
            chunk = self.read(min(size, _CHUNK))
            size -= len(chunk)
            yield chunk


def _read_members(source: _Source, out: Path, wanted: Digest | None, progress: Progress) -> None:
    sizes: dict[str, int] = {}
    for name, limit in _MEMBERS.items():
        size = _read_header(source, name)
        if size > limit:
            raise source.damage(f"{name} is too large")
        if name in sizes and size != sizes[name]:
            raise source.damage(f"{name} has another size than its manifest says")
        if name == "manifest.json":
            (out / name).write_bytes(source.read(size))
            sizes = _check_manifest(source, out, wanted)
        elif name.endswith(".pieces"):
            _read_pieces(source, size, out / _SPARSE, sizes[_SPARSE])
        else:
            _read_file(source, size, out / name, progress)
        if source.read(-size % _TAR).strip(b"\0"):
            raise source.damage(f"something is hidden after {name}")
    if source.read(2 * _TAR).strip(b"\0") or source.position != source.size:
        raise source.damage("there is more in it than an image")
    for name in FILES:
        (out / name).chmod(0o644)


def _check_manifest(source: _Source, out: Path, wanted: Digest | None) -> dict[str, int]:
    """Refuse before the large files are read; return the sizes that they must have."""
    try:
        image = read_manifest(out)
    except CorruptData as error:
        raise source.damage("its manifest is none") from error
    if wanted is not None and image.digest != wanted:
        raise UserError(
            f"{source.name} is the image sha256:{image.digest}, not the one you asked for",
            hint="nothing of it was used; get the right file, or ask its maker for its digest",
        )
    require_architecture(image)
    if image.recipe not in _known_recipes(image.architecture):
        raise UserError(
            f"{source.name} was made by another version of Deskmate",
            hint="take the image that belongs to this version, or build one here",
        )
    if not 0 < image.sizes[_SPARSE] <= _SCRATCH_LIMIT_BYTES:
        raise source.damage("its scratch disk is too large")
    return dict(image.sizes)


def _known_recipes(architecture: str) -> set[Digest]:
    return {
        find_recipe(flavour, suite, architecture).digest
        for flavour in FLAVOURS
        for suite in suites()
    }


def _read_file(source: _Source, size: int, target: Path, progress: Progress) -> None:
    with target.open("wb") as file:
        for chunk in source.chunks(size):
            file.write(chunk)
            progress(
                Counted("reading the image", done=source.position, total=source.size, unit="bytes")
            )


def _read_pieces(source: _Source, size: int, target: Path, length: int) -> None:
    end = source.position + size
    with target.open("wb") as file:
        file.truncate(length)
        before = 0
        while source.position < end:
            offset = int.from_bytes(source.read(8))
            count = int.from_bytes(source.read(4))
            if not before <= offset < offset + count <= length or count > _PIECE:
                raise source.damage(f"a piece of {_SPARSE} lies outside of it")
            if source.position + count > end:
                raise source.damage(f"a piece of {_SPARSE} is cut short")
            file.seek(offset)
            file.write(source.read(count))
            before = offset + count


def _read_header(source: _Source, name: str) -> int:
    """Return the size of the next member, which must be a plain file of that name, written as we write it."""
    header = source.read(_TAR)
    try:
        size = int(header[124:135], 8)
    except ValueError as error:
        raise source.damage("it is not an exported image") from error
    if size < 0 or header != _header(name, size):
        raise source.damage(f"where {name} should be there is something else")
    return size


def _header(name: str, size: int) -> bytes:
    fields = (
        name.encode().ljust(100, b"\0"),
        b"0000644\0" + b"0000000\0" * 2,
        b"%011o\0" % size,
        b"%011o\0" % SOURCE_DATE,
        b" " * 8,
        b"0".ljust(101, b"\0"),
        b"ustar\x0000".ljust(88, b"\0"),
    )
    whole = b"".join(fields).ljust(_TAR, b"\0")
    return whole[:148] + b"%06o\0 " % sum(whole) + whole[156:]


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _pieces(path: Path) -> Iterator[bytes]:
    """Yield the pieces of a file that are not all zero, each after its place."""
    with path.open("rb") as file:
        fd = file.fileno()
        size = os.fstat(fd).st_size
        done = 0
        for start, end in data_extents(fd, size):
            for offset in range(max(done, start - start % _PIECE), end, _PIECE):
                piece = os.pread(fd, _PIECE, offset)
                done = offset + _PIECE
                if piece.strip(b"\0"):
                    yield offset.to_bytes(8) + len(piece).to_bytes(4) + piece


def _pieces_size(path: Path) -> int:
    return sum(len(piece) for piece in _pieces(path))


def archive_name(image: Image) -> str:
    """Return the usual name of an exported image."""
    return f"deskmate-{image.flavour}-{image.suite}-{image.architecture}-{image.digest[:12]}.tar"
