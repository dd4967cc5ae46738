"""Unpacks a wheel as data: strict about names, sizes and RECORD; nothing is run or compiled."""

from __future__ import annotations

import base64
import csv
import filecmp
import hashlib
import io
import stat
import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from deskmate.discovery.record import RESERVED
from deskmate.errors import PluginError
from deskmate.formats.archive import DAMAGE

FILES_LIMIT = 20_000
SIZE_LIMIT_BYTES = 512 * 1024 * 1024
RATIO_LIMIT = 200
_DIRECTORY_LIMIT_BYTES = 8 * 1024 * 1024
_END = struct.Struct("<4s4H2LH")
_SHOWN_LIMIT = 120
_RECORD_LIMIT_BYTES = 16 * 1024 * 1024
_KEPT_SCHEMES = ("purelib", "platlib")


def unpack_wheel(wheel: Path, target: Path, *, whole: bool = False) -> None:
    """Unpack the importable part of a wheel into `target`; scripts, headers and data are left out.

    `whole`: also what guests do not import of other people's packages, so that RECORD stays true.

    Raises:
        PluginError: it is no wheel, is too large, has a member that leaves its folder, stands twice,
            is no regular file, is not in RECORD or differs from it, is a top-level `.pth`, or
            differs from a file of the same name that is there.
    """
    label = shown(wheel.name)
    with opened(wheel) as archive:
        members = members_of(label, archive)
        hashes = read_record(label, archive, members)
        for member in members.values():
            name = member.filename
            place = PurePosixPath(name) if whole else _place(label, name)
            if place is not None:
                _unpack(label, archive, member, hashes, target / place)


@contextmanager
def opened(wheel: Path) -> Iterator[zipfile.ZipFile]:
    """Open a wheel whose directory is of bounded size.

    Raises PluginError where the archive is damaged, here or while it is read in the block.
    """
    try:
        _check_directory(wheel)
        with zipfile.ZipFile(wheel) as archive:
            yield archive
    except DAMAGE as error:
        why = shown(str(error), 300)
        raise PluginError(f"{shown(wheel.name)} cannot be unpacked as a wheel: {why}") from error


def _check_directory(wheel: Path) -> None:
    """Raise BadZipFile unless the archive is the file, all of it, with a directory that fits memory.

    Two programs must not see two archives in one file, and reading a directory of millions of entries
    takes the memory before anything can be counted.
    """
    size = wheel.stat().st_size
    with wheel.open("rb") as file:
        first = file.read(4)
        file.seek(max(size - _END.size, 0))
        last = file.read(_END.size)
    if len(last) < _END.size or not first.startswith(b"PK") or not last.startswith(b"PK\5\6"):
        raise zipfile.BadZipFile("it is not a zip archive, or has something before or after it")
    _, disk, start, here, entries, length, offset, comment = _END.unpack(last)
    if disk or start or comment or here != entries or offset + length + _END.size != size:
        raise zipfile.BadZipFile("its directory is not where it should be")
    if length > _DIRECTORY_LIMIT_BYTES or entries > FILES_LIMIT:
        raise zipfile.BadZipFile(f"it unpacks to too much: {entries} files")


def shown(text: str, limit: int = _SHOWN_LIMIT) -> str:
    """Return text of a stranger for a message: cut, with control and format characters escaped."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in cut)


def members_of(wheel: str, archive: zipfile.ZipFile) -> Mapping[str, zipfile.ZipInfo]:
    """Return name → member of the regular files, each checked by its name, kind and size.

    Raises PluginError.
    """
    infos = archive.infolist()
    if len(infos) > FILES_LIMIT or sum(info.file_size for info in infos) > SIZE_LIMIT_BYTES:
        raise PluginError(f"{wheel} unpacks to too much: {len(infos)} files.")
    members: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        _check_member(wheel, info)
        if info.is_dir():
            continue
        if info.filename in members:
            raise PluginError(f"{wheel} holds {shown(info.filename)} twice.")
        members[info.filename] = info
    return members


def _check_member(wheel: str, info: zipfile.ZipInfo) -> None:
    name = shown(info.filename)
    path = PurePosixPath(info.filename)
    if not path.parts or len(path.parts) > 30 or max(map(len, path.parts)) > 200:
        raise PluginError(f"{wheel} holds a file without a usable name.")
    if not info.filename.isprintable() or info.orig_filename != info.filename:
        raise PluginError(f"{wheel} holds {name}, a name with characters that cannot be shown.")
    if path.is_absolute() or ".." in path.parts or "\\" in info.filename or ":" in path.parts[0]:
        raise PluginError(f"{wheel} holds {name!r}, which leaves its folder.")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if not info.is_dir() and kind not in (0, stat.S_IFREG):
        raise PluginError(f"{wheel} holds {name}, which is not a regular file.")
    if info.file_size > 1 << 20 and info.file_size > RATIO_LIMIT * max(info.compress_size, 1):
        raise PluginError(f"{wheel}: {name} is packed more than {RATIO_LIMIT} times.")
    if len(path.parts) == 1 and path.suffix == ".pth":
        raise PluginError(f"{wheel} brings {name}, which runs at every start of Python.")
    if path.parts[0] in RESERVED:
        raise PluginError(f"{wheel} brings {name}, a name of Deskmate itself.")


def read_record(
    wheel: str, archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo]
) -> Mapping[str, str]:
    """Return name → `sha256=…` by the wheel's RECORD. Raises PluginError."""
    names = [n for n in members if n.endswith(".dist-info/RECORD") and n.count("/") == 1]
    if len(names) != 1 or members[names[0]].file_size > _RECORD_LIMIT_BYTES:
        raise PluginError(f"{wheel} has no single readable RECORD.")
    try:
        text = archive.read(names[0]).decode()
        rows = [row for row in csv.reader(io.StringIO(text), strict=True) if row]
        hashes = {row[0]: row[1] for row in rows}
    except (UnicodeDecodeError, csv.Error, IndexError) as error:
        raise PluginError(f"{wheel} has no single readable RECORD.") from error
    if len(hashes) != len(rows):
        raise PluginError(f"{wheel}: RECORD names a file twice.")
    return hashes


def _place(wheel: str, name: str) -> PurePosixPath | None:
    """Return where a member goes, None for what a guest does not import."""
    path = PurePosixPath(name)
    if path.suffix == ".pyc" or path.parts[0] == "tests":
        return None  # many wheels bring a top-level `tests` by mistake; they would clash
    if not path.parts[0].endswith(".data"):
        return path
    if len(path.parts) < 3 or path.parts[1] not in _KEPT_SCHEMES:
        return None
    rest = PurePosixPath(*path.parts[2:])
    if rest.parts[0] in RESERVED or (len(rest.parts) == 1 and rest.suffix == ".pth"):
        raise PluginError(f"{wheel} brings {name}, which no wheel may.")
    return rest


def _unpack(
    wheel: str,
    archive: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    hashes: Mapping[str, str],
    target: Path,
) -> None:
    name = member.filename
    signed = name.endswith((".dist-info/RECORD", ".dist-info/RECORD.jws", ".dist-info/RECORD.p7s"))
    digest = hashlib.sha256()
    part = target.with_name(f"{target.name}.unpacking")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with part.open("xb") as file:
            for chunk in _chunks(wheel, archive, member):
                digest.update(chunk)
                file.write(chunk)
        if target.exists() and not filecmp.cmp(part, target, shallow=False):
            raise FileExistsError
        part.replace(target)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise PluginError(f"{wheel} brings {name}, which another wheel brought too.") from error
    target.chmod(0o755 if (member.external_attr >> 16) & 0o100 else 0o644)
    found = "sha256=" + base64.urlsafe_b64encode(digest.digest()).decode().rstrip("=")
    if not signed and hashes.get(name, "").rstrip("=") != found:
        raise PluginError(f"{wheel}: {name} is not what its RECORD says.")


def _chunks(wheel: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    left = member.file_size
    with archive.open(member) as stream:
        while chunk := stream.read(1 << 20):
            left -= len(chunk)
            if left < 0:  # the header lied about the size
                raise PluginError(f"{wheel}: {member.filename} is larger than it says.")
            yield chunk
