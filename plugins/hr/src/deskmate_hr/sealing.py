"""Seals a text for those who hold the keys: an age file (age-encryption.org/v1), which `age -d -i KEY` opens.

What age draws by lot is drawn here from a random salt and the text itself. The salt stays in the thread's record, beside the
original: whoever has it can seal the same text again and compare, as the gate does, and learns nothing that the record
does not hold. The file alone gives nothing away.

Source: the age file encryption format, version 1 (C2SP age.md): X25519 recipients; from knowledge, held to `age` itself by hand.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

from deskmate.plugin import ToolInputError

_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_PREFIX = "age"
_CHUNK = 64 << 10
_HEAD = b"age-encryption.org/v1\n"
RECIPIENTS_LIMIT = 20


def seal(text: bytes, recipients: Sequence[str], salt: bytes) -> bytes:
    """Return the age file of a text. The same text, recipients and salt give the same bytes.

    Raises:
        ToolInputError: a recipient is no public key of age, or there are none or too many.
    """
    from cryptography.hazmat.primitives.asymmetric.x25519 import (  # noqa: PLC0415
        X25519PrivateKey,
        X25519PublicKey,
    )
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415

    if not 0 < len(recipients) <= RECIPIENTS_LIMIT:
        raise ToolInputError(f"A map is sealed for 1 to {RECIPIENTS_LIMIT} keys.")
    drawn = hashlib.sha256(text).digest()
    key = _derived(drawn, salt, b"file key")[:16]
    head = _HEAD
    for number, recipient in enumerate(recipients):
        theirs = public_key(recipient)
        ephemeral = X25519PrivateKey.from_private_bytes(
            _derived(drawn, salt, b"ephemeral %d" % number)
        )
        share = ephemeral.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        secret = ephemeral.exchange(X25519PublicKey.from_public_bytes(theirs))
        wrapping = _derived(secret, share + theirs, b"age-encryption.org/v1/X25519")
        wrapped = ChaCha20Poly1305(wrapping).encrypt(bytes(12), key, None)
        head += b"-> X25519 " + _plain(share) + b"\n" + _plain(wrapped) + b"\n"
    head += b"---"
    mark = hmac.new(_derived(key, b"", b"header"), head, hashlib.sha256).digest()
    nonce = _derived(drawn, salt, b"nonce")[:16]
    stream = ChaCha20Poly1305(_derived(key, nonce, b"payload"))
    chunks = [text[at : at + _CHUNK] for at in range(0, len(text), _CHUNK)] or [b""]
    sealed = [
        stream.encrypt(number.to_bytes(11, "big") + bytes([number == len(chunks) - 1]), chunk, None)
        for number, chunk in enumerate(chunks)
    ]
    return head + b" " + _plain(mark) + b"\n" + nonce + b"".join(sealed)


def public_key(recipient: str) -> bytes:
    """Return the 32 bytes of a public key written as `age1…` (Bech32).

    Raises:
        ToolInputError: it is none.
    """
    text = recipient.strip()
    words = [_ALPHABET.find(sign) for sign in text.removeprefix(f"{_PREFIX}1")]
    if not text.startswith(f"{_PREFIX}1") or len(words) != 58 or -1 in words:
        raise ToolInputError(f"{text[:80]!r} is no public key of age, such as age1… of 62 letters.")
    spread = [ord(sign) >> 5 for sign in _PREFIX] + [0] + [ord(sign) & 31 for sign in _PREFIX]
    if _checksum([*spread, *words]) != 1:
        raise ToolInputError(f"{text!r} is no public key of age: a letter is wrong.")
    bits = 0
    for word in words[:-6]:
        bits = bits << 5 | word
    return (bits >> 4).to_bytes(32, "big")


def _checksum(words: Sequence[int]) -> int:
    """Source: BIP 173, Bech32."""
    found = 1
    for word in words:
        top, found = found >> 25, (found & 0x1FFFFFF) << 5 ^ word
        for number, part in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            found ^= part if top >> number & 1 else 0
    return found


def _derived(secret: bytes, salt: bytes, purpose: bytes) -> bytes:
    """HKDF with SHA-256, 32 bytes (RFC 5869)."""
    middle = hmac.new(salt or bytes(32), secret, hashlib.sha256).digest()
    return hmac.new(middle, purpose + b"\x01", hashlib.sha256).digest()


def _plain(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")
