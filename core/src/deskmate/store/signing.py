r"""Signed checkpoints: a log's length and head with an Ed25519 signature, checked with the public key alone.

The signature is over `"deskmate-checkpoint-v1\0"` and the canonical JSON of the checkpoint without
`signature`. Keys and signatures are lower-case hex. In an exported log a checkpoint is a line of its own,
`{"checkpoint": {…}}`, and no part of the chain.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deskmate.errors import CorruptData, UserError
from deskmate.store import chain

PREFIX = b"deskmate-checkpoint-v1\0"
_FIELDS = frozenset({"thread", "size", "head", "time", "key", "signature"})
_KEY_HEX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCheckpoint:
    """A log's length and head at a time, signed. `key`: the public key."""

    thread: str
    size: int
    head: str
    time: str
    key: str
    signature: str = ""

    def body(self) -> bytes:
        """Return what the signature is over."""
        fields = {
            "thread": self.thread,
            "size": self.size,
            "head": self.head,
            "time": self.time,
            "key": self.key,
        }
        return PREFIX + chain.canonical(fields)


Head = SignedCheckpoint | chain.Checkpoint
"""A log's length and head, kept somewhere else."""


def new_key() -> str:
    """Return a new private key as hex."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415 - heavy
        Ed25519PrivateKey,
    )

    return Ed25519PrivateKey.generate().private_bytes_raw().hex()


def public_of(private: str) -> str:
    """Return the public key of a private one. Raises CorruptData if it is none."""
    return _private(private).public_key().public_bytes_raw().hex()  # type: ignore[no-any-return]


def sign(report: chain.ChainReport, private: str, *, time: str) -> SignedCheckpoint:
    """Return the signed checkpoint of a log that was found sound. Raises UserError if it was not."""
    if report.problem:
        raise UserError(
            f"The log of {report.thread} is not signed: {report.problem}.",
            hint="See deskmate thread verify.",
        )
    bare = SignedCheckpoint(
        thread=report.thread,
        size=report.size,
        head=report.head,
        time=time,
        key=public_of(private),
    )
    return _with_signature(bare, signature_of(private, bare.body()))


def signature_of(private: str, body: bytes) -> str:
    """Return the signature over a body as hex. Raises CorruptData if the key is none."""
    return _private(private).sign(body).hex()  # type: ignore[no-any-return]


def _with_signature(bare: SignedCheckpoint, signature: str) -> SignedCheckpoint:
    from dataclasses import replace  # noqa: PLC0415

    return replace(bare, signature=signature)


def problem_of(
    checkpoint: SignedCheckpoint, records: Iterable[Mapping[str, Any]], key: str = ""
) -> str:
    """Return what is wrong with a signed checkpoint of a log, empty if nothing is.

    `records`: of a log whose chain was checked already. `key`: the public key that must have signed;
    empty: the one that the checkpoint names, which proves less.
    """
    if key and checkpoint.key != key:
        return f"the checkpoint of {checkpoint.time} is signed with another key: {checkpoint.key}"
    if not _is_signed(checkpoint):
        return f"the signature of the checkpoint of {checkpoint.time} does not fit"
    known = chain.Checkpoint(thread=checkpoint.thread, size=checkpoint.size, head=checkpoint.head)
    return chain.check(records, known).problem


def _is_signed(checkpoint: SignedCheckpoint) -> bool:
    return fits(checkpoint.key, checkpoint.signature, checkpoint.body())


def fits(key: str, signature: str, body: bytes) -> bool:
    """Say whether a signature over a body is that of a public key; all that is no key or no signature does not fit."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PublicKey,
    )

    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
        public.verify(bytes.fromhex(signature), body)
    except (InvalidSignature, ValueError):
        return False
    return True


def parse_signed(data: Any) -> SignedCheckpoint:
    """Return a signed checkpoint read from JSON. Raises CorruptData."""
    try:
        if data.keys() != _FIELDS or isinstance(data["size"], bool):
            raise ValueError("its fields are not those of a checkpoint")
        words = {name: str(data[name]) for name in _FIELDS - {"size"}}
        return SignedCheckpoint(size=int(data["size"]), **words)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CorruptData(f"The checkpoint cannot be read: {error}.") from error


def split(
    lines: Iterable[str],
) -> tuple[list[Mapping[str, Any]], list[SignedCheckpoint], str]:
    """Return the records and the signed checkpoints of an exported log, and what cannot be read of it.

    Raises CorruptData for a checkpoint that is none.
    """
    records: list[Mapping[str, Any]] = []
    checkpoints: list[SignedCheckpoint] = []
    try:
        for item in chain.read_lines(lines):
            if isinstance(item, Mapping) and item.keys() == {"checkpoint"}:
                checkpoints.append(parse_signed(item["checkpoint"]))
            else:
                records.append(item)
    except (ValueError, RecursionError) as error:
        return records, checkpoints, f"record {len(records) + 1} cannot be read: {error}"
    return records, checkpoints, ""


def parse_checkpoint(text: str) -> chain.Checkpoint:
    """Return the checkpoint in a JSON text. Raises CorruptData."""
    try:
        data = json.loads(text)
        return chain.Checkpoint(
            thread=str(data["thread"]), size=int(data["size"]), head=str(data["head"])
        )
    except (ValueError, TypeError, KeyError) as error:
        raise CorruptData(f"The checkpoint cannot be read: {error}.") from error


def read_heads(text: str) -> tuple[Head, ...]:
    """Return the checkpoints of a file: of `audit sign`, of `audit export --checkpoint`, or of a signed export.

    Raises CorruptData where there is none, or one cannot be read.
    """
    _, signed, unread = split(text.splitlines())
    if signed and not unread:
        return tuple(signed)
    return (parse_checkpoint(text),)


def newest(checkpoints: Iterable[SignedCheckpoint]) -> tuple[SignedCheckpoint, ...]:
    """Return of each thread and key the checkpoint that has seen most: what fits it fits all before it."""
    found: dict[tuple[str, str], SignedCheckpoint] = {}
    for one in checkpoints:
        seen = found.setdefault((one.thread, one.key), one)
        if one.size > seen.size:
            found[one.thread, one.key] = one
    return tuple(found.values())


def problems_of(
    heads: Iterable[Head], records: Sequence[Mapping[str, Any]], key: str = ""
) -> Iterator[str]:
    """Yield what does not fit of the checkpoints of a log whose chain was checked already; `key` as in `problem_of`."""
    for head in heads:
        if isinstance(head, SignedCheckpoint):
            problem = problem_of(head, records, key)
        else:
            problem = chain.check(records, head).problem
        if problem:
            yield problem


def parse_key(text: str) -> str:
    """Return a public key that a user gave as hex. Raises UserError."""
    key = text.strip().lower()
    if len(key) != _KEY_HEX or any(letter not in "0123456789abcdef" for letter in key):
        raise UserError(
            "That is no public key.",
            hint="Give the 64 hex digits that `deskmate audit key` prints.",
        )
    return key


def _private(private: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PrivateKey,
    )

    try:
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(private))
    except ValueError as error:
        raise CorruptData(
            "The signing key is damaged.", hint="Move it away; a new one is made."
        ) from error
