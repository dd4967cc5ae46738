"""Who may use the page: single-use codes that make a browser known, and the browsers that are known.

Of codes and tokens only SHA-256 is kept. A code is a file named by its digest, so that any process of the user can
hand one out and exactly one sign-in takes it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from deskmate.store.blobs import write_file

CODE_BYTES = 24
CODE_S = 120.0
TOKEN_BYTES = 32
KEPT_S = 30 * 86_400.0
"""A browser that did not come for so long is no longer known."""
_SEEN_S = 60.0
DEVICES_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A browser that is signed in. `token`: hex SHA-256 of what it sends. `made`, `seen`: seconds since the epoch."""

    id: str
    name: str
    token: str
    made: float
    seen: float


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class SignIn:
    """Over `<data>/page`. Codes work across processes; the browsers are the serving process's to change."""

    def __init__(self, folder: Path, *, now: Callable[[], float] = time.time) -> None:
        """`folder`: made, private to the user, when something is written."""
        self._codes = folder / "codes"
        self._file = folder / "devices.json"
        self._now = now
        self._mutex = threading.Lock()
        self._known: dict[str, Known] = self._read()

    def issue(self) -> str:
        """Return a new code: 192 random bits, for one sign-in within two minutes."""
        code = secrets.token_urlsafe(CODE_BYTES)
        self._codes.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._codes.parent.chmod(0o700)
        self._sweep()
        file = os.open(
            self._codes / _digest(code), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
        )
        try:
            os.write(file, repr(self._now() + CODE_S).encode())
        finally:
            os.close(file)
        return code

    def redeem(self, code: str, name: str) -> str | None:
        """Return the token of a new session, None if the code is not valid, used, or too old."""
        place = self._codes / _digest(code)
        try:
            until = float(place.read_text("ascii"))
            place.unlink()  # of two that come at once one gets it
        except (OSError, ValueError):
            return None
        if not 0 <= until - self._now() <= CODE_S:
            return None
        token = secrets.token_urlsafe(TOKEN_BYTES)
        now = self._now()
        device = Known(id=secrets.token_hex(4), name=name, token=_digest(token), made=now, seen=now)
        with self._mutex:
            kept = sorted(self._known.values(), key=lambda known: known.seen)[-DEVICES_LIMIT + 1 :]
            self._write({known.id: known for known in (*kept, device)})
        return token

    def device(self, token: str) -> Known | None:
        """Return whose token this is, None if it is nobody's any more."""
        wanted, found = _digest(token), None
        with self._mutex:
            for known in self._known.values():
                if hmac.compare_digest(known.token, wanted):
                    found = known
            now = self._now()
            if found is None or not 0 <= now - found.seen <= KEPT_S:
                return None
            if now - found.seen > _SEEN_S:
                found = replace(found, seen=now)
                self._write({**self._known, found.id: found})
        return found

    def devices(self) -> tuple[Known, ...]:
        """Return the browsers that are signed in, the one seen last first."""
        with self._mutex:
            now = self._now()
            kept = [known for known in self._known.values() if now - known.seen <= KEPT_S]
        return tuple(sorted(kept, key=lambda known: known.seen, reverse=True))

    def revoke(self, device: str) -> bool:
        """Sign a browser out; say whether it was known."""
        with self._mutex:
            if device not in self._known:
                return False
            self._write({name: known for name, known in self._known.items() if name != device})
        return True

    def _sweep(self) -> None:
        """Remove codes that nobody used."""
        for file in self._codes.iterdir():
            with suppress(OSError, ValueError):
                if float(file.read_text("ascii")) < self._now():
                    file.unlink()

    def _read(self) -> dict[str, Known]:
        """Return what is stored; what cannot be read lets nobody in."""
        try:
            rows = json.loads(self._file.read_bytes())["devices"]
            found = [Known(**row) for row in rows]
            return {known.id: known for known in found if isinstance(known.seen, float)}
        except (OSError, ValueError, LookupError, TypeError):
            return {}

    def _write(self, known: Mapping[str, Known]) -> None:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        rows = [asdict(device) for device in known.values()]
        write_file(self._file, json.dumps({"devices": rows}, indent=1).encode())
        self._file.chmod(0o600)
        self._known = dict(known)


def as_time(seconds: float) -> str:
    """Return a moment as the log writes it, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def name_of_browser(agent: str) -> str:
    """Return what people call a browser, from what it says of itself."""
    browsers = (
        ("Edg/", "Edge"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    )
    systems = (
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    )
    browser = next((name for mark, name in browsers if mark in agent), "A browser")
    system = next((name for mark, name in systems if mark in agent), "")
    return f"{browser} on {system}" if system else browser
