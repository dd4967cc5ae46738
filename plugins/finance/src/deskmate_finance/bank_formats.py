"""Which of the banks' own formats a file is, told by its content, and its reading."""

from __future__ import annotations

from pathlib import Path

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import LIMIT_BYTES, decode
from deskmate_finance.bai2 import is_bai2, read_bai2
from deskmate_finance.camt import read_camt
from deskmate_finance.mt940 import is_mt940, read_mt940
from deskmate_finance.ofx import read_ofx
from deskmate_finance.sides import Side

OFX_SUFFIXES = (".ofx", ".qfx", ".qbo")
BANK_SUFFIXES = (
    *OFX_SUFFIXES, ".sta", ".mt940", ".940", ".mt9", ".swi", ".swift", ".xml", ".camt", ".053", ".bai", ".bai2",
)  # fmt: skip


def read_bank_format(file: Path, name: str, account: str = "") -> Side | None:
    """Return one account's movements of an OFX, MT940, CAMT.053 or BAI2 file; None if it is a table.

    Raises:
        ToolInputError: it has such a file's ending or marks, and cannot be read whole.
    """
    suffix = file.suffix.lower()
    if suffix in OFX_SUFFIXES:
        return read_ofx(file, name, account)
    if suffix not in BANK_SUFFIXES and suffix != ".txt":
        return None
    if file.stat().st_size > LIMIT_BYTES:
        raise ToolInputError(f"{name} is larger than {LIMIT_BYTES // 2**20} MiB.")
    data = file.read_bytes()
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") and suffix != ".txt":
        if b"<OFX>" in data[:4096].upper():
            return read_ofx(file, name, account)
        return read_camt(data, name, account)
    text = decode(data, name)
    if is_bai2(text):
        return read_bai2(text, name, account)
    if is_mt940(text):
        return read_mt940(text, name, account)
    if suffix == ".txt":
        return None
    raise ToolInputError(f"{name} is no OFX, MT940, CAMT.053 or BAI2 file, or is cut off.")
