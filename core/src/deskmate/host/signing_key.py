"""The key that signs checkpoints: made at first need, kept in the system's keyring, else in a file for the user alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deskmate.types.places import Places

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deskmate.store.signing import SignedCheckpoint

_OWNER, _NAME = "deskmate-audit-key", "SIGNING_KEY"
CHECKPOINTS = "checkpoints.jsonl"
"""A second place beside the threads, in which every signed checkpoint is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """`private`, `public`: hex. `place`: where it is kept, in words. `fresh`: it was made just now."""

    private: str
    public: str
    place: str
    fresh: bool


def signing_key(places: Places) -> SigningKey:
    """Return the user's key. Raises ConfigError if the keyring refuses, CorruptData if the key is damaged."""
    from deskmate.connectors.vault import open_vault  # noqa: PLC0415 - only commands need it
    from deskmate.store.signing import new_key, public_of  # noqa: PLC0415

    # a vault of its own: what plugins may ask for can never name this key
    vault = open_vault(places.config / "audit")
    private = vault.get(_OWNER, _NAME)
    fresh = private is None
    if private is None:
        private = new_key()
        vault.set(_OWNER, _NAME, private)
    return SigningKey(private=private, public=public_of(private), place=vault.place, fresh=fresh)


def keep_checkpoint(places: Places, checkpoint: SignedCheckpoint) -> None:
    """Append a checkpoint to the file of all of them, durably."""
    import os  # noqa: PLC0415

    from deskmate.store import chain  # noqa: PLC0415
    from deskmate.types.codec import to_json  # noqa: PLC0415

    folder = places.data / "audit"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    line: Mapping[str, object] = {"checkpoint": to_json(checkpoint)}
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    file = os.open(folder / CHECKPOINTS, flags, 0o600)
    try:
        os.write(file, chain.canonical(line) + b"\n")
        os.fsync(file)
    finally:
        os.close(file)


def kept_checkpoints(places: Places) -> tuple[tuple[SignedCheckpoint, ...], int]:
    """Return what `keep_checkpoint` kept, of each thread the newest, and how many lines cannot be read."""
    from deskmate.errors import CorruptData  # noqa: PLC0415
    from deskmate.store import signing  # noqa: PLC0415

    path = places.data / "audit" / CHECKPOINTS
    found: list[SignedCheckpoint] = []
    unread = 0
    for line in path.read_text("utf-8", "replace").splitlines() if path.exists() else ():
        try:
            _, checkpoints, problem = signing.split([line])
        except CorruptData:
            checkpoints, problem = [], "it is none"
        found += checkpoints
        unread += bool(problem) or not checkpoints
    return signing.newest(found), unread
