"""Downloads of images: by the user's command on the host, resumed where they broke off, bounded."""

from __future__ import annotations

import hashlib
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any

from deskmate.errors import UserError
from deskmate.ports import Progress
from deskmate.types.places import Places
from deskmate.types.progress import Counted

_CHUNK = 1 << 20
_SILENCE_S = 60.0
_RANGE_GONE = 416


def fetch(url: str, places: Places, progress: Progress, *, limit_bytes: int) -> Path:
    """Download a URL (http, https) to the cache and return the file, which is the caller's to remove.

    What an earlier attempt got is used again if the server still has the same file.
    Raises UserError: not reachable, refused, too large, or broke off (call again to go on).
    """
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise UserError(f"{url} cannot be downloaded", hint="give a file, or a http(s) URL")
    places.images.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = places.images / f".download-{hashlib.sha256(url.encode()).hexdigest()[:16]}"
    about = part.with_suffix(".about")
    try:
        _fetch(url, part, about, progress, limit_bytes)
    except urllib.error.HTTPError as error:
        raise UserError(f"{shown_url(url)}: the server says {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise UserError(
            f"{shown_url(url)} cannot be reached: {_reason(error.reason)}",
            hint="check the address and this machine's network, or bring the file on a disk",
        ) from error
    except (OSError, HTTPException) as error:
        raise UserError(
            f"{shown_url(url)}: the download broke off: {_reason(error)}",
            hint="the same command goes on where it stopped",
        ) from error
    about.unlink(missing_ok=True)
    return part


def _fetch(url: str, part: Path, about: Path, progress: Progress, limit_bytes: int) -> None:
    tag = _known_tag(about) if part.exists() else ""
    had = part.stat().st_size if tag else 0
    headers = {"Range": f"bytes={had}-", "If-Range": tag} if had else {}
    request = urllib.request.Request(url, headers={"User-Agent": "deskmate", **headers})  # noqa: S310
    try:
        answer = _opener().open(request, timeout=_SILENCE_S)
    except urllib.error.HTTPError as error:
        if error.code != _RANGE_GONE or not had:
            raise
        part.unlink()  # the whole file was there, or the server has a shorter one: from the start
        _fetch(url, part, about, progress, limit_bytes)
        return
    with answer:
        resumed = answer.status == 206 and _resumes_at(answer, had)
        _write_tag(about, answer)
        _receive(answer, part, had if resumed else 0, progress, limit_bytes)


def _receive(
    answer: HTTPResponse, part: Path, had: int, progress: Progress, limit_bytes: int
) -> None:
    total = had + int(answer.headers.get("Content-Length") or 0)
    if total > limit_bytes:
        raise UserError(f"the file has {total >> 20} MiB; an image has at most {limit_bytes >> 20}")
    with part.open("r+b" if had else "wb") as file:
        file.seek(had)
        file.truncate()
        while chunk := answer.read(_CHUNK):
            had += len(chunk)
            if had > limit_bytes:
                raise UserError(f"the file has over {limit_bytes >> 20} MiB; no image has")
            file.write(chunk)
            progress(Counted("downloading the image", done=had, total=total or had, unit="bytes"))
    if total and had < total:
        raise OSError(f"{had} of {total} bytes came")


def _resumes_at(answer: HTTPResponse, had: int) -> bool:
    return str(answer.headers.get("Content-Range", "")).startswith(f"bytes {had}-")


def _known_tag(about: Path) -> str:
    try:
        return str(json.loads(about.read_text("utf-8"))["tag"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _write_tag(about: Path, answer: Any) -> None:
    tag = str(answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "")
    if tag.startswith("W/"):  # a weak tag does not promise the same bytes
        tag = ""
    about.write_text(json.dumps({"tag": tag}), "utf-8")


def _opener() -> urllib.request.OpenerDirector:
    """Return what opens http and https only, also after a redirect."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPRedirectHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _reason(error: object) -> str:
    return getattr(error, "strerror", None) or str(error)


def shown_url(url: str) -> str:
    """Return a URL without what may be secret in it."""
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
