"""A plugin with all that it needs in one signed file, for machines without a network."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from deskmate import __version__
from deskmate.discovery.lock import canonical
from deskmate.discovery.wheel import shown
from deskmate.errors import CorruptData, PluginError
from deskmate.testing.kit.check import Subject, bill_of
from deskmate.testing.kit.report import Report
from deskmate.types.codec import from_json, to_json

SUFFIX = ".bundle.zip"
FORMAT = 1
PREFIX = b"deskmate-plugin-bundle-v1\0"
ABOUT, BILL, REPORT, WHEELS = "bundle.json", "bill.cdx.json", "report.json", "wheels"
FILES_LIMIT = 500
TOTAL_LIMIT_BYTES = 2 << 30
_ABOUT_LIMIT_BYTES = 1 << 20
_PIECE = 1 << 20
_TIME = (1980, 1, 1, 0, 0, 0)
_NAME = re.compile(rf"(?:{WHEELS}/[\w.+-]+\.whl|{re.escape(BILL)}|{re.escape(REPORT)})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What a bundle says of itself. `wheel`: the plugin's. `files`: path in the bundle → sha256. `key`, `signature`: hex."""

    distribution: str
    version: str
    wheel: str
    files: Mapping[str, str]
    time: str
    deskmate: str
    format: int = FORMAT
    key: str = ""
    signature: str = ""

    @property
    def sha256(self) -> str:
        """The hash of the plugin's wheel."""
        return self.files[f"{WHEELS}/{self.wheel}"]

    def body(self) -> bytes:
        """Return what the signature is over."""
        return PREFIX + canonical(to_json(replace(self, signature=""), defaults=True))


def make_bundle(
    subject: Subject, out: Path, private: str, *, time: str, report: Report | None = None
) -> tuple[Path, Bundle]:
    """Write a bundle into a folder and return its file and what it says.

    Args:
        subject: the plugin, laid out with what it needs in the virtual machine.
        out: the folder; made if it is not there.
        private: key to sign with.
        time: RFC 3339 UTC, for the bundle and its bill of materials.
        report: of `plugin check`, about this very wheel.

    Raises:
        PluginError: Deskmate would not install the plugin, or the report is about another wheel.
    """
    from deskmate.store.signing import public_of, signature_of  # noqa: PLC0415

    if subject.refused is not None:
        raise subject.refused
    if report is not None and report.sha256 != subject.sha256:
        raise PluginError(
            f"The report is about another wheel: sha256:{report.sha256}.",
            hint="Check this one: deskmate plugin check WHEEL --report FILE",
        )
    stored = subject.store.index().plugins[0]
    parts = {f"{WHEELS}/{Path(file).name}": Path(file) for file in subject.store.wheels(stored)}
    parts[f"{WHEELS}/{stored.wheel}"] = subject.wheel
    texts = {BILL: _text(bill_of(subject))}
    if report is not None:
        texts[REPORT] = _text(to_json(report, defaults=True))
    hashes = {name: _sha256(file) for name, file in parts.items()}
    hashes |= {name: hashlib.sha256(text).hexdigest() for name, text in texts.items()}
    bare = Bundle(
        distribution=stored.name, version=stored.version, wheel=stored.wheel,
        files=dict(sorted(hashes.items())), time=time, deskmate=__version__, key=public_of(private),
    )  # fmt: skip
    about = replace(bare, signature=signature_of(private, bare.body()))
    out.mkdir(parents=True, exist_ok=True)
    target = out / f"{stored.name}-{stored.version}{SUFFIX}"
    part = target.with_name(f".{target.name}.part")
    texts = {ABOUT: _text(to_json(about, defaults=True)), **texts}
    try:
        _pack(part, texts, parts)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target, about


def _pack(target: Path, texts: Mapping[str, bytes], parts: Mapping[str, Path]) -> None:
    with zipfile.ZipFile(target, "w") as package:
        for name, text in texts.items():
            package.writestr(zipfile.ZipInfo(name, _TIME), text)
        for name, file in sorted(parts.items()):
            with package.open(zipfile.ZipInfo(name, _TIME), "w") as sink, file.open("rb") as source:
                while piece := source.read(_PIECE):
                    sink.write(piece)


@contextmanager
def opened_bundle(file: Path, *, key: str = "") -> Iterator[tuple[Bundle, Path]]:
    """Yield what a bundle says and a folder with its wheels, every file checked; the folder is gone afterwards.

    `key`: the public key that must have signed; empty: the one that the bundle names, which proves less.
    Raises PluginError if it cannot be read, was changed, or holds what no bundle holds.
    """
    with tempfile.TemporaryDirectory(prefix="deskmate-bundle-") as scratch:
        try:
            with zipfile.ZipFile(file) as package:
                about = _about(file, package, key)
                _unpack(file, package, about, Path(scratch))
        except (OSError, zipfile.BadZipFile, NotImplementedError, EOFError) as error:
            raise _refused(file, f"cannot be read: {error}") from error
        yield about, Path(scratch, WHEELS)


def _about(file: Path, package: zipfile.ZipFile, key: str) -> Bundle:
    """Return what the bundle says of itself, signed."""
    from deskmate.store.signing import fits  # noqa: PLC0415

    try:
        with package.open(ABOUT) as stream:
            text = stream.read(_ABOUT_LIMIT_BYTES + 1)
        if len(text) > _ABOUT_LIMIT_BYTES:
            raise CorruptData("its list is too long")
        about: Bundle = from_json(Bundle, json.loads(text))
    except (KeyError, ValueError, RecursionError, CorruptData) as error:
        raise _refused(file, "is no bundle of Deskmate, or is damaged") from error
    if about.format != FORMAT:
        raise _refused(file, f"is of format {about.format}; {FORMAT} is known")
    if key and about.key != key:
        raise _refused(file, f"is signed with another key: {shown(about.key)}")
    if not fits(about.key, about.signature, about.body()):
        raise _refused(file, "was changed since it was signed, or is signed with another key")
    if f"{WHEELS}/{about.wheel}" not in about.files:
        raise _refused(file, "lacks its plugin's wheel")
    return about


def _unpack(file: Path, package: zipfile.ZipFile, about: Bundle, folder: Path) -> None:
    infos = [info for info in package.infolist() if info.filename != ABOUT]
    names = [info.filename for info in infos]
    if len(infos) > FILES_LIMIT or sum(info.file_size for info in infos) > TOTAL_LIMIT_BYTES:
        raise _refused(file, "is larger than any bundle")
    if sorted(names) != sorted(about.files) or not all(_NAME.fullmatch(name) for name in names):
        raise _refused(file, "holds other files than it lists")
    (folder / WHEELS).mkdir()
    for info in infos:
        digest, left = hashlib.sha256(), info.file_size
        with (
            package.open(info) as source,
            (folder / PurePosixPath(info.filename)).open("xb") as sink,
        ):
            while piece := source.read(min(_PIECE, left + 1)):
                left -= len(piece)
                if left < 0:
                    raise _refused(file, "is larger than any bundle")
                digest.update(piece)
                sink.write(piece)
        if digest.hexdigest() != about.files[info.filename]:
            raise _refused(file, f"holds another {shown(info.filename)} than was signed")


def _refused(file: Path, why: str) -> PluginError:
    return PluginError(f"{shown(file.name)} {why}.", hint="Ask whoever made it for a sound copy.")


def _text(data: Any) -> bytes:
    return (json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
