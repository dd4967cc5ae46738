"""Unpacks a wheel as data: strict about names, sizes and RECORD; nothing is run or compiled."""

from __future__ import annotations

import base64
import csv
import filecmp
import hashlib
import io
import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from deskmate.discovery.record import RESERVED
from deskmate.errors import PluginError

FILES_LIMIT = 20_000
SIZE_LIMIT_BYTES = 512 * 1024 * 1024
RATIO_LIMIT = 200
_RECORD_LIMIT_BYTES = 16 * 1024 * 1024
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    ValueError,
    OverflowError,
    OSError,
)
"""What the standard library raises on archives that are damaged, encrypted or of another kind."""
_KEPT_SCHEMES = ("purelib", "platlib")


def unpack_wheel(wheel: Path, target: Path) -> None:
    """Unpack the importable part of a wheel into `target`; scripts, headers and data are left out.

    Raises:
        PluginError: it is no wheel, is too large, has a member that leaves its folder, stands twice,
            is no regular file, is not in RECORD or differs from it, is a top-level `.pth`, or
            differs from a file of the same name that is there.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = _checked_members(wheel.name, archive)
            hashes = _record(wheel.name, archive, members)
            for member in members.values():
                place = _place(wheel.name, member.filename)
                if place is not None:
                    _unpack(wheel.name, archive, member, hashes, target / place)
    except _DAMAGE as error:
        raise PluginError(f"{wheel.name} cannot be unpacked as a wheel: {error}") from error


def _checked_members(wheel: str, archive: zipfile.ZipFile) -> Mapping[str, zipfile.ZipInfo]:
    infos = archive.infolist()
    if len(infos) > FILES_LIMIT or sum(info.file_size for info in infos) > SIZE_LIMIT_BYTES:
        raise PluginError(f"{wheel} unpacks to too much: {len(infos)} files.")
    members: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        _check_member(wheel, info)
        if info.is_dir():
            continue
        if info.filename in members:
            raise PluginError(f"{wheel} holds {info.filename} twice.")
        members[info.filename] = info
    return members


def _check_member(wheel: str, info: zipfile.ZipInfo) -> None:
    path = PurePosixPath(info.filename)
    if not path.parts or len(path.parts) > 30 or max(map(len, path.parts)) > 200:
        raise PluginError(f"{wheel} holds a file without a usable name.")
    if path.is_absolute() or ".." in path.parts or "\\" in info.filename or ":" in path.parts[0]:
        raise PluginError(f"{wheel} holds {info.filename!r}, which leaves its folder.")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if not info.is_dir() and kind not in (0, stat.S_IFREG):
        raise PluginError(f"{wheel} holds {info.filename}, which is not a regular file.")
    if info.file_size > 1 << 20 and info.file_size > RATIO_LIMIT * max(info.compress_size, 1):
        raise PluginError(f"{wheel}: {info.filename} is packed more than {RATIO_LIMIT} times.")
    if len(path.parts) == 1 and path.suffix == ".pth":
        raise PluginError(f"{wheel} brings {path}, which runs at every start of Python.")
    if path.parts[0] in RESERVED:
        raise PluginError(f"{wheel} brings {info.filename}, a name of Deskmate itself.")


def _record(
    wheel: str, archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo]
) -> Mapping[str, str]:
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
