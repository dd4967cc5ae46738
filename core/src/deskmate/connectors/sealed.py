"""Seals secrets in a file, with a key in a file beside it, on machines that have no keyring.

That protects a copy of the one file without the other: a backup, a folder that is synchronised, a file that was sent by
mistake. It does not protect against who can read this user's files.
"""

from __future__ import annotations

import base64
import binascii
import os
from contextlib import suppress
from pathlib import Path

from deskmate.errors import ConfigError

KEY_FILE = "secrets.key"
_KEY_BYTES, _NONCE_BYTES = 32, 12


class FileKey:
    """The key in one folder; it is made when something is sealed for the first time."""

    def __init__(self, folder: Path) -> None:
        """`folder`: need not exist."""
        self.file = folder / KEY_FILE

    def seal(self, name: str, value: str) -> str:
        """Return a value that only the key opens, and only under this name. Raises ConfigError, OSError."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - heavy

        key = self._read()
        nonce = os.urandom(_NONCE_BYTES)
        sealed = AESGCM(self._made() if key is None else key).encrypt(
            nonce, value.encode(), name.encode()
        )
        return base64.b64encode(nonce + sealed).decode()

    def open(self, name: str, sealed: str) -> str:
        """Return what was sealed under a name. Raises ConfigError where key or value are not what they were."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        key = self._read()
        if key is None:
            raise ConfigError(
                f"The secret {name} cannot be opened: its key {self.file} is gone.",
                hint="Put the key back from where you keep it, or set the secret again.",
            )
        try:
            data = base64.b64decode(sealed, validate=True)
            return (
                AESGCM(key)
                .decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], name.encode())
                .decode()
            )
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise ConfigError(
                f"The secret {name} cannot be opened: it was sealed with another key, or changed.",
                hint="Set the secret again.",
            ) from error

    def _read(self) -> bytes | None:
        try:
            key = self.file.read_bytes()
        except FileNotFoundError:
            return None
        if len(key) != _KEY_BYTES:
            raise ConfigError(
                f"{self.file} is no key.", hint="Move it away and set the secrets again."
            )
        return key

    def _made(self) -> bytes:
        """Make the key, durably before anything is sealed with it; of two processes that do so the first counts."""
        folder = self.file.parent
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = folder / f".{KEY_FILE}.{os.getpid()}"
        part.unlink(missing_ok=True)
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(os.urandom(_KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):  # whole or not at all, and never over another
                os.link(part, self.file)
        finally:
            part.unlink(missing_ok=True)
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
        key = self._read()
        assert key is not None
        return key
