"""Reads mails (EML): who wrote to whom, when, about what, in which words; attachments that hold text."""

from __future__ import annotations

import email
import email.policy
import html
import re
import tempfile
from dataclasses import dataclass
from email.message import EmailMessage, MIMEPart
from email.utils import getaddresses, parsedate_to_datetime
from pathlib import Path

from deskmate.plugin import ToolError, ToolInputError
from deskmate_documents.text import Passage, read_text

MAIL_LIMIT_BYTES = 32 << 20
PARTS_LIMIT = 60
_READ = (".docx", ".pdf", ".txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A sender or recipient. `mail`: in small letters, "" if there is only a name."""

    name: str
    mail: str

    @property
    def domain(self) -> str:
        """What stands behind the @."""
        return self.mail.rpartition("@")[2] if "@" in self.mail else ""

    @property
    def shown(self) -> str:
        """Name and address as a log shows them."""
        return f"{self.name} <{self.mail}>" if self.name and self.mail else self.name or self.mail


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail. `sent`: ISO date, "" if it names none. `passages`: subject first, then the text. `attachments`: names.

    `attached`: text of those attachments that hold some, by name; `unread`: name → why one was not read.
    """

    sender: tuple[Address, ...]
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    sent: str
    subject: str
    passages: tuple[Passage, ...]
    attachments: tuple[str, ...]
    attached: tuple[tuple[str, tuple[Passage, ...]], ...]
    unread: tuple[tuple[str, str], ...]


def read_mail(path: Path) -> Mail:
    """Read a mail.

    Raises:
        ToolInputError: it is larger than 32 MiB, or no mail.
    """
    if path.stat().st_size > MAIL_LIMIT_BYTES:
        raise ToolInputError(f"{path.name} is larger than 32 MiB; refused as a mail.")
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    if not isinstance(message, EmailMessage) or not any(
        message.get(name) for name in ("From", "To", "Subject", "Date")
    ):
        raise ToolInputError(
            f"{path.name} is no mail: it has no sender, recipient, subject or date."
        )
    subject = _header(message, "Subject")
    attached, unread, names = _attachments(message)
    return Mail(
        sender=_addresses(message, "From"),
        to=_addresses(message, "To"),
        cc=(*_addresses(message, "Cc"), *_addresses(message, "Bcc")),
        sent=_sent(message),
        subject=subject,
        passages=tuple(
            Passage(text=text, page=None, paragraph=number)
            for number, text in enumerate([subject, *_body(message)], 0)
            if text.strip()
        ),
        attachments=names,
        attached=attached,
        unread=unread,
    )


def _header(message: EmailMessage, name: str) -> str:
    return " ".join(str(message.get(name, "")).split())


def _addresses(message: EmailMessage, name: str) -> tuple[Address, ...]:
    values = [str(value) for value in message.get_all(name, [])]
    found = []
    for shown, mail in getaddresses(values):
        if shown or mail:
            found.append(Address(name=" ".join(shown.split()), mail=mail.strip().lower()))
    return tuple(found[:200])


def _sent(message: EmailMessage) -> str:
    try:
        return parsedate_to_datetime(str(message.get("Date", ""))).date().isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return ""


def _body(message: EmailMessage) -> list[str]:
    part = message.get_body(("plain", "html"))
    if part is None:
        return []
    text = _text(part)
    if part.get_content_subtype() == "html":
        text = re.sub(r"(?is)<(script|style|head)\b.*?</\1>", " ", text)
        text = re.sub(r"(?i)<(?:br|/p|/div|/tr|/h\d|/li)\b[^>]*>", "\n\n", text)
        text = html.unescape(re.sub(r"<[^<>]*>", " ", text))
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return [block.strip("\n") for block in re.split(r"\n[ \t]*\n", text) if block.strip()]


def _text(part: MIMEPart) -> str:
    data = part.get_payload(decode=True)
    raw = data if isinstance(data, bytes) else b""
    try:
        return raw.decode(part.get_content_charset("utf-8"), errors="replace")
    except LookupError:
        return raw.decode("utf-8", errors="replace")


def _attachments(
    message: EmailMessage,
) -> tuple[
    tuple[tuple[str, tuple[Passage, ...]], ...], tuple[tuple[str, str], ...], tuple[str, ...]
]:
    attached, unread, names = [], [], []
    body = message.get_body(("plain", "html"))
    for number, part in enumerate(message.walk(), 1):
        if number > PARTS_LIMIT:
            unread.append(("further parts", f"only {PARTS_LIMIT} are read"))
            break
        if part.is_multipart() or part is body:
            continue
        name = " ".join(str(part.get_filename() or "").split())[:200]
        if not name:
            continue
        names.append(name)
        suffix = Path(name).suffix.lower()
        if suffix not in _READ:
            unread.append((name, "its kind is not read"))
            continue
        data = part.get_payload(decode=True)
        try:
            attached.append((name, _passages(data if isinstance(data, bytes) else b"", suffix)))
        except ToolError as problem:
            unread.append((name, problem.message))
    return tuple(attached), tuple(unread), tuple(names)


def _passages(data: bytes, suffix: str) -> tuple[Passage, ...]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"attachment{suffix}"
        file.write_bytes(data)
        return read_text(file).passages
