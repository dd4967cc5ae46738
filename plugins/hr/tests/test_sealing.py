"""Sealed maps: opened by a reader of the format that is written here anew, and by nobody without the key."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import docx
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from deskmate.plugin import Sources, ToolContext, ToolInputError, ValidationContext
from deskmate_hr.sealing import _ALPHABET, _checksum, public_key, seal
from deskmate_hr.tools.redact import checked_keys, pii_redact
from deskmate_hr.validators.map_rule import map_sealed

OWNER, OTHER = (X25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))


def recipient(key: X25519PrivateKey) -> str:
    """Return a public key as `age-keygen` writes it."""
    bits = int.from_bytes(key.public_key().public_bytes_raw(), "big") << 4
    words = [bits >> 5 * n & 31 for n in range(51, -1, -1)]
    spread = [3, 3, 3, 0, 1, 7, 5]  # "age", as Bech32 mixes it in
    check = _checksum([*spread, *words, *[0] * 6]) ^ 1
    words += [check >> 5 * (5 - n) & 31 for n in range(6)]
    return "age1" + "".join(_ALPHABET[word] for word in words)


def derived(secret: bytes, salt: bytes | None, info: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt, info).derive(secret)


def opened(data: bytes, key: X25519PrivateKey) -> bytes:
    """Open an age file, by the format's own words."""
    head, _, rest = data.partition(b"\n--- ")
    mark, _, body = rest.partition(b"\n")
    lines = head.split(b"\n")
    assert lines[0] == b"age-encryption.org/v1"
    for at in range(1, len(lines), 2):
        share = base64.b64decode(lines[at].removeprefix(b"-> X25519 ") + b"=")
        wrapping = derived(
            key.exchange(X25519PublicKey.from_public_bytes(share)),
            share + key.public_key().public_bytes_raw(),
            b"age-encryption.org/v1/X25519",
        )
        try:
            file_key = ChaCha20Poly1305(wrapping).decrypt(
                bytes(12), base64.b64decode(lines[at + 1] + b"=="), None
            )
        except InvalidTag:
            continue
        proof = HMAC(derived(file_key, None, b"header"), hashes.SHA256())
        proof.update(head + b"\n---")
        proof.verify(base64.b64decode(mark + b"="))
        stream = ChaCha20Poly1305(derived(file_key, body[:16], b"payload"))
        pieces = [body[n : n + 65_552] for n in range(16, len(body), 65_552)]
        return b"".join(
            stream.decrypt(n.to_bytes(11, "big") + bytes([n == len(pieces) - 1]), piece, None)
            for n, piece in enumerate(pieces)
        )
    raise InvalidTag


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 200_000])
def test_each_holder_of_a_key_opens_it_and_nobody_else(size: int) -> None:
    text = bytes(n % 251 for n in range(size))
    sealed = seal(text, [recipient(OWNER), recipient(OTHER)], b"salt")
    assert opened(sealed, OWNER) == opened(sealed, OTHER) == text
    with pytest.raises(InvalidTag):
        opened(sealed, X25519PrivateKey.generate())
    assert seal(text, [recipient(OWNER)], b"other")[-size - 32 :] != sealed[-size - 32 :]


def test_a_key_of_age_keygen_is_read_and_a_misspelt_one_refused() -> None:
    # as age-keygen 1.1.1 printed it
    known = "age1gkvsd5qyuh2ykwr7vr4c5lus9yfmqmna3rmtrk9lsdcf4j5dsd9qnhvkdj"
    assert len(public_key(known)) == 32
    assert public_key(recipient(OWNER)) == OWNER.public_key().public_bytes_raw()
    for wrong in (known[:-1] + "q", known[:-1], "AGE-SECRET-KEY-1", "age1b" + known[5:], ""):
        with pytest.raises(ToolInputError, match="no public key of age"):
            public_key(wrong)
    with pytest.raises(ToolInputError, match="1 to 20 keys"):
        seal(b"", [], b"")
    many = [recipient(X25519PrivateKey.from_private_bytes(bytes([n]) * 32)) for n in range(3, 24)]
    with pytest.raises(ToolInputError, match="1 to 20 keys"):
        checked_keys(many)  # before anything is written


@pytest.fixture
def desk(tmp_path: Path) -> ToolContext:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "roster.csv").write_text("id,name\n1,Ada Okafor\n2,Will Brandt\n")
    document = docx.Document()
    document.add_paragraph("Ada Okafor will report to Will Brandt.")
    document.add_paragraph("Reach her at ada@corp.com; Okafor signed.")
    document.save(str(workspace / "note.docx"))
    config = {"map_recipients": [recipient(OWNER)]}
    return ToolContext(workspace=workspace, home=tmp_path, resources=tmp_path, config=config)


def verdict(desk: ToolContext, item: Any, **changes: Any) -> list[str]:
    room = ValidationContext(
        file=desk.workspace / item.path,
        sources=Sources({"note.docx": desk.workspace / "note.docx"}, {}),
        config=desk.config,
        others={"note - redacted.docx": desk.workspace / "note - redacted.docx"},
    )
    return [finding.message for finding in map_sealed(item, replace(room, **changes))]


def test_the_map_leads_from_each_mark_to_its_words_and_the_gate_makes_it_again(
    desk: ToolContext,
) -> None:
    answer = pii_redact(desk, path="note.docx", roster="roster.csv")
    item = answer.deliverables[1]
    assert answer.result["map"] == item.path == "note - redacted - map.age"
    data = (desk.workspace / item.path).read_bytes()
    assert b"Ada" not in data
    about = json.loads(opened(data, OWNER))
    assert [(one["mark"], one["words"]) for one in about["marks"]] == [
        (1, "Ada Okafor"), (2, "Will Brandt"), (3, "ada@corp.com"), (4, "Okafor"),
    ]  # fmt: skip
    text = "\n".join(
        p.text for p in docx.Document(str(desk.workspace / "note - redacted.docx")).paragraphs
    )
    for one in about["marks"]:
        text = text.replace("█████", one["words"], 1)
    assert (
        text == "Ada Okafor will report to Will Brandt.\nReach her at ada@corp.com; Okafor signed."
    )
    assert verdict(desk, item) == []
    spoilt = {**item.data, "words": ["Ada Okafor"]}
    assert "not the map" in verdict(desk, replace(item, data=spoilt))[0]
    assert "neither the user" in verdict(desk, item, config={})[0]
    said = {"said": [f"Seal it for {recipient(OWNER)}, please."]}
    assert verdict(desk, item, config={}, facts=said) == []
    assert "UNVERIFIED: the original" in verdict(desk, item, sources=Sources({}, {}))[0]
    assert "UNVERIFIED: the redacted" in verdict(desk, item, others={})[0]
    for broken in ({}, {**item.data, "salt": "x"}, {**item.data, "words": None}):
        kept = {"redacted": "note - redacted.docx", **broken}
        assert "cannot be sealed again" in verdict(desk, replace(item, data=kept))[0]
    (desk.workspace / item.path).write_bytes(data[:-1] + b"x")
    assert "not the map" in verdict(desk, item)[0]


def test_without_keys_there_is_no_map_and_a_wrong_key_stops_before_anything_is_written(
    desk: ToolContext,
) -> None:
    answer = pii_redact(replace(desk, config={}), path="note.docx", roster="roster.csv")
    assert (answer.result["map"], len(answer.deliverables)) == ("", 1)
    (desk.workspace / "note - redacted.docx").unlink()
    with pytest.raises(ToolInputError, match="no public key of age"):
        pii_redact(replace(desk, config={"map_recipients": ["age1"]}), path="note.docx")
    assert not (desk.workspace / "note - redacted.docx").exists()
