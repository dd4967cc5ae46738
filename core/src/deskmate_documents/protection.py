"""Office files that are encrypted with a password ([MS-OFFCRYPTO], agile and standard): opened into a copy, and made."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from deskmate.errors import ToolInputError
from deskmate_documents.opc import FILE_LIMIT_BYTES, Package, is_encrypted

UNASKED = "VelvetSweatshop"
"""Office tries this password by itself: such a file looks open to the people who use it. Source: [MS-XLS] 2.2.10."""
SPINS_LIMIT = 1_000_000
"""Rounds of hashing for one key. Office makes 100,000; the format permits ten million, minutes in an emulated machine."""
INFO_LIMIT_BYTES = 64 << 10
"""Of the description of the encryption, which is about 1 KiB."""
PASSWORD_LIMIT = 255
_RIGHTS = "DRMEncryptedTransform"
_DAMAGED = (
    struct.error, IndexError, KeyError, ValueError, TypeError, OverflowError, AttributeError, OSError, EOFError,
    ExpatError, MemoryError, RecursionError,
)  # fmt: skip


def unlock(source: Path, target: Path, password: str) -> None:
    """Write the document inside an encrypted file to `target`, whole and checked, or nothing.

    An empty password means the one that Office itself tries. Every part is read against its checksum; the keyed one of
    the encryption is not looked at.

    Raises:
        ToolInputError: not encrypted, another password, protected by rights management, altered or damaged, or not an
            Office document inside.
    """
    if not is_encrypted(source):
        Package(source)  # says what else is wrong with it
        raise ToolInputError(f"{source.name} is not encrypted; read it as it is.")
    plain = _decrypted(source, password or UNASKED, asked=bool(password))
    with _written(target) as part:
        part.write_bytes(plain)
        try:
            package = Package(part)  # what is inside may be a bomb, or no document
            for name in package.names:
                package.read(name)
        except ToolInputError as error:
            raise ToolInputError(
                error.message.replace(part.name, f"What is inside {source.name}")
            ) from error


def lock(source: Path, target: Path, password: str) -> None:
    """Write an encrypted copy of an Office file to `target`, opened again with the password before it is there.

    Raises:
        ToolInputError: no password, one that is too long, or no Office file.
    """
    from msoffcrypto.format.ooxml import OOXMLFile  # noqa: PLC0415

    if not 1 <= len(password) <= PASSWORD_LIMIT:
        raise ToolInputError(f"A password has 1 to {PASSWORD_LIMIT} characters.")
    Package(source)
    plain = source.read_bytes()
    made = io.BytesIO()
    OOXMLFile(io.BytesIO(plain)).encrypt(password, made)
    with _written(target) as part:
        part.write_bytes(made.getvalue())
        if _decrypted(part, password, asked=True) != plain:
            raise ToolInputError(f"{target.name} was not written: it did not open again.")


def _decrypted(source: Path, password: str, *, asked: bool) -> bytes:
    from msoffcrypto import exceptions  # noqa: PLC0415
    from msoffcrypto.format.ooxml import OOXMLFile  # noqa: PLC0415

    plain = io.BytesIO()
    try:
        with source.open("rb") as stream:
            _check(source, stream)
            file = OOXMLFile(stream)
            _check_spins(source, file.info)
            file.load_key(password=password)  # whether it is the right one shows in what comes out
            file.decrypt(plain)
    except exceptions.InvalidKeyError as error:
        if asked:
            raise ToolInputError(f"The password does not open {source.name}.") from error
        raise ToolInputError(
            f"{source.name} is encrypted with a password; ask the user for it."
        ) from error
    except (exceptions.DecryptionError, exceptions.ParseError, exceptions.FileFormatError) as error:
        raise ToolInputError(
            f"{source.name} is encrypted in a way that cannot be opened here ({error}); ask for a copy without."
        ) from error
    except _DAMAGED as error:
        raise ToolInputError(
            f"{source.name} is encrypted and damaged; ask for a sound copy."
        ) from error
    if plain.tell() > FILE_LIMIT_BYTES or not zipfile.is_zipfile(plain):
        raise ToolInputError(f"What is inside {source.name} is no Office document.")
    return plain.getvalue()


def _check(source: Path, stream: Any) -> None:
    """Refuse what a library would take long over, or could never open."""
    import olefile  # noqa: PLC0415

    with olefile.OleFileIO(stream.read()) as compound:
        if any(_RIGHTS in name for entry in compound.listdir(storages=True) for name in entry):
            raise ToolInputError(
                f"{source.name} is protected by its owner's rights management, not by a password; ask for a copy without."
            )
        description = compound.openstream("EncryptionInfo").read(INFO_LIMIT_BYTES + 1)
    if len(description) > INFO_LIMIT_BYTES or b"<!" in description[8:]:
        raise ToolInputError(
            f"{source.name} describes its encryption in a way that Office never does; refused."
        )


def _check_spins(source: Path, info: dict[str, Any]) -> None:
    if int(info.get("spinValue", 0)) > SPINS_LIMIT:
        raise ToolInputError(
            f"{source.name} wants its password hashed more than {SPINS_LIMIT:,} times; refused."
        )


@contextmanager
def _written(target: Path) -> Iterator[Path]:
    """Yield where to write; what is there when the block ends well becomes the target."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
