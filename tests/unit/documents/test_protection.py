"""Office files with a password: opened into a copy, refused in one line, made; hostile ones in bounded time."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import olefile
import openpyxl
import pytest
from msoffcrypto.format.ooxml import OOXMLFile
from msoffcrypto.method.container.ecma376_encrypted import ECMA376Encrypted

from deskmate.errors import ToolInputError
from deskmate.plugin import ToolContext
from deskmate_documents import protection
from deskmate_documents.office.password_tools import document_lock, document_unlock
from deskmate_documents.opc import Package


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    (tmp_path / "w").mkdir()
    return ToolContext(workspace=tmp_path / "w", home=tmp_path / "h", resources=tmp_path)


def book(path: Path, filler: int = 0) -> Path:
    """Write a workbook; `filler`: bytes that do not pack."""
    made = openpyxl.Workbook()
    assert made.active is not None
    made.active["A1"] = 1450
    made.save(path)
    with zipfile.ZipFile(path, "a") as package:
        package.writestr("xl/media/noise.bin", os.urandom(filler))
    return path


def streams(path: Path) -> tuple[bytes, bytes]:
    with olefile.OleFileIO(path) as compound:
        info, package = (
            compound.openstream(name).read() for name in ("EncryptionInfo", "EncryptedPackage")
        )
        return info, package


def rebuild(path: Path, info: bytes, package: bytes) -> None:
    out = io.BytesIO()
    ECMA376Encrypted(package, info).write_to(out)
    path.write_bytes(out.getvalue())


@pytest.mark.parametrize("filler", [0, 300_000, 9_000_000])  # the last needs a table of tables
def test_a_locked_file_opens_with_its_password_and_holds_the_same_bytes(
    context: ToolContext, filler: int
) -> None:
    before = book(context.workspace / "pay.xlsx", filler).read_bytes()
    locked = document_lock("pay.xlsx", "out/locked.xlsx", "schön & 2026", context)
    assert locked["path"] == "out/locked.xlsx"
    with pytest.raises(ToolInputError, match="is encrypted with a password; document_unlock"):
        Package(context.workspace / "out/locked.xlsx")
    done = document_unlock("out/locked.xlsx", "open.xlsx", context, "schön & 2026").result
    assert done["path"] == "open.xlsx"
    assert "without its password" in done["notes"][0]
    assert (context.workspace / "open.xlsx").read_bytes() == before
    assert (context.workspace / "pay.xlsx").read_bytes() == before
    assert sorted(p.name for p in (context.workspace).iterdir()) == ["open.xlsx", "out", "pay.xlsx"]


def test_without_the_password_nothing_is_written_and_one_line_says_so(context: ToolContext) -> None:
    book(context.workspace / "pay.xlsx")
    document_lock("pay.xlsx", "locked.xlsx", "right", context)
    for password, words in (("", "ask the user for it"), ("wrong", "password does not open")):
        with pytest.raises(ToolInputError, match=words) as caught:
            document_unlock("locked.xlsx", "open.xlsx", context, password)
        assert "\n" not in caught.value.message
    assert not (context.workspace / "open.xlsx").exists()
    assert not list(context.workspace.glob(".*"))


def test_what_office_opens_unasked_opens_unasked(context: ToolContext) -> None:
    book(context.workspace / "pay.xlsx")
    document_lock("pay.xlsx", "locked.xlsx", protection.UNASKED, context)
    document_unlock("locked.xlsx", "open.xlsx", context)
    assert openpyxl.load_workbook(context.workspace / "open.xlsx")["Sheet"]["A1"].value == 1450


def test_a_file_altered_after_it_was_encrypted_is_not_opened(context: ToolContext) -> None:
    path = context.workspace / "locked.xlsx"
    book(context.workspace / "pay.xlsx", 50_000)
    document_lock("pay.xlsx", "locked.xlsx", "right", context)
    info, package = streams(path)
    altered = bytearray(package)
    altered[20_000] ^= 1
    rebuild(path, info, bytes(altered))
    with pytest.raises(
        ToolInputError, match=r"^What is inside locked.xlsx is damaged in xl/media/noise.bin"
    ):
        document_unlock("locked.xlsx", "open.xlsx", context, "right")


def test_descriptions_that_office_never_writes_are_refused(
    context: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = context.workspace / "locked.xlsx"
    book(context.workspace / "pay.xlsx")
    document_lock("pay.xlsx", "locked.xlsx", "right", context)
    info, package = streams(path)
    bomb = b'<!DOCTYPE e [<!ENTITY a "aaaaaaaaaa">]>'
    cases = {
        "hashed more than 1,000,000 times": info.replace(b'"100000"', b'"9999999"'),
        "in a way that Office never does": info[:8] + info[8:].replace(b"<enc", bomb + b"<enc", 1),
        "encrypted and damaged": info[:200],
        "in a way that cannot be opened here": b"\x03\x00\x03\x00" + info[4:],
        r"damaged|cannot be opened|password does not": info.replace(b"keyBits", b"keyBots"),
    }
    for words, changed in cases.items():
        rebuild(path, changed, package)
        with pytest.raises(ToolInputError, match=words) as caught:
            document_unlock("locked.xlsx", "open.xlsx", context, "right")
        assert "\n" not in caught.value.message
    rebuild(path, info, b"\0" * 8)
    with pytest.raises(ToolInputError, match=r"password does not open|no Office document"):
        document_unlock("locked.xlsx", "open.xlsx", context, "right")
    rebuild(path, info, package)
    monkeypatch.setattr(protection, "INFO_LIMIT_BYTES", 512)
    with pytest.raises(ToolInputError, match="in a way that Office never does"):
        document_unlock("locked.xlsx", "open.xlsx", context, "right")
    assert not (context.workspace / "open.xlsx").exists()


def test_rights_management_is_told_apart_from_a_password(
    context: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    book(context.workspace / "pay.xlsx")
    document_lock("pay.xlsx", "locked.xlsx", "right", context)
    monkeypatch.setattr(protection, "_RIGHTS", "StrongEncryptionTransform")
    with pytest.raises(ToolInputError, match="rights management"):
        document_unlock("locked.xlsx", "open.xlsx", context, "right")


def test_what_is_inside_must_be_a_document_and_no_bomb(context: ToolContext) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr(
            "[Content_Types].xml",
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        )
        package.writestr("word/document.xml", b"a" * (64 << 20))
    out = io.BytesIO()
    office_file: Any = OOXMLFile
    office_file(bomb).encrypt("right", out)
    (context.workspace / "locked.docx").write_bytes(out.getvalue())
    with pytest.raises(ToolInputError, match="refused as a zip bomb"):
        document_unlock("locked.docx", "open.docx", context, "right")
    assert not list(context.workspace.glob("*open*"))


def test_odd_requests_are_refused(context: ToolContext) -> None:
    book(context.workspace / "pay.xlsx")
    (context.workspace / "words.xlsx").write_text("words")
    cases: tuple[tuple[Callable[[], object], str], ...] = (
        (lambda: document_unlock("pay.xlsx", "open.xlsx", context, "x"), "is not encrypted"),
        (lambda: document_unlock("words.xlsx", "open.xlsx", context, "x"), "not an Office file"),
        (lambda: document_unlock("pay.xlsx", "words.xlsx", context, "x"), "is there already"),
        (lambda: document_unlock("pay.xlsx", "open.docx", context, "x"), "must end in .xlsx"),
        (lambda: document_lock("pay.xlsx", "out.xlsx", "", context), "1 to 255 characters"),
        (lambda: document_lock("words.xlsx", "out.xlsx", "x", context), "not an Office file"),
    )
    for work, words in cases:
        with pytest.raises(ToolInputError, match=words):
            work()


@pytest.mark.cases
def test_files_of_other_programs_open_with_their_passwords(
    cases: Path, context: ToolContext
) -> None:
    folder = cases / "hostile/poi"
    passwords: dict[str, str] = json.loads((folder / "PASSWORDS.json").read_text())
    opened = 0
    for name, password in passwords.items():
        source = context.workspace / name
        source.write_bytes((folder / name).read_bytes())
        if source.read_bytes()[:2] == b"PK":
            continue  # its sheets are protected; the file is not encrypted
        with pytest.raises(ToolInputError, match="password does not open"):
            document_unlock(name, f"open-{name}", context, "not this")
        document_unlock(name, f"open-{name}", context, password)
        assert Package(context.workspace / f"open-{name}").main_part()
        opened += 1
    assert opened
