"""Answers what a page asks for: files of the workspace, hosts that this thread may reach, servers of this machine. Nothing else."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from mimetypes import MimeTypes
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

HOST = "workspace.test"
"""Stands for the workspace's folder; the name is reserved, nobody has it (RFC 2606)."""
ORIGIN = f"https://{HOST}"
BODY_LIMIT_BYTES = 16 << 20
FETCH_S = 20.0
LOCAL = ("localhost", "127.0.0.1", "[::1]", "::1")
_KINDS = MimeTypes(filenames=())
_KINDS.add_type("text/javascript", ".mjs")
_KINDS.add_type("font/woff2", ".woff2")
_KINDS.add_type("image/webp", ".webp")
_KINDS.add_type("application/manifest+json", ".webmanifest")
_DROPPED = frozenset(
    {"connection", "content-encoding", "content-length", "transfer-encoding", "keep-alive", "proxy-connection"}
)  # fmt: skip
Files = Callable[[str], Path | None]
"""Workspace path → the file there, None if there is none that may be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a request gets. `why`: in words why it gets nothing; then there is no status."""

    status: int = 0
    kind: str = ""
    body: bytes = b""
    headers: Mapping[str, str] | None = None
    why: str = ""


def answer(
    request: Mapping[str, Any], files: Files, root: str, *, online: bool, port: int = 0
) -> Answer:
    """Return what a request gets.

    Args:
        request: as the protocol tells it: url, method, headers, postData.
        files: gives the workspace's files.
        root: workspace path of the folder that is the site's top; empty for the workspace itself.
        online: whether anything but the workspace is asked.
        port: of the server that was started for this page; 0 for none. It is asked in any case.
    """
    url = str(request.get("url", ""))
    parts = urlsplit(url)
    if parts.hostname == HOST:
        return _of_workspace(parts.path, files, root)
    if parts.scheme not in ("http", "https"):
        return Answer(why=f"{parts.scheme or 'such'} addresses are not opened here")
    local = parts.hostname in LOCAL
    if not online and not (local and port and parts.port == port):
        return Answer(why="only files of the workspace are read in a check")
    if not local and parts.scheme != "https":
        return Answer(why="only https goes out of the machine")
    method = str(request.get("method", "GET"))
    if not local and method not in ("GET", "HEAD"):
        return Answer(why=f"a look only reads, and this is {method}")
    if not local and not urllib.request.getproxies().get("https"):
        return Answer(why=f"this thread may not reach {parts.hostname}")
    return _fetched(request, url, method, local=local)


def path_of(url: str, root: str) -> str:
    """Return the workspace path that a URL of the workspace's own origin stands for; other URLs as they are."""
    parts = urlsplit(url)
    if parts.hostname != HOST:
        return url
    return (PurePosixPath(root) / unquote(parts.path).lstrip("/")).as_posix()


def _of_workspace(path: str, files: Files, root: str) -> Answer:
    name = unquote(path).lstrip("/")
    if ".." in PurePosixPath(name).parts or "\0" in name:
        return Answer(status=404, kind="text/plain")
    place = (PurePosixPath(root) / name).as_posix()
    file = files(place)
    if file is None and (not name or name.endswith("/")):
        place = (PurePosixPath(place) / "index.html").as_posix()
        file = files(place)
    if file is None:
        return Answer(status=404, kind="text/plain")
    if file.stat().st_size > BODY_LIMIT_BYTES:
        return Answer(why="the file is larger than 16 MiB")
    kind = _KINDS.guess_type(place, strict=False)[0] or "application/octet-stream"
    charset = "; charset=utf-8" if kind.startswith("text/") else ""
    return Answer(status=200, kind=kind + charset, body=file.read_bytes())


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Leaves redirects to the browser, which asks anew."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow none."""
        return


def _fetched(request: Mapping[str, Any], url: str, method: str, *, local: bool) -> Answer:
    """Ask for it by Python's own means, which go the machine's way out: proxy and certificates are in the environment."""
    proxies = urllib.request.ProxyHandler({}) if local else urllib.request.ProxyHandler()
    opener = urllib.request.build_opener(proxies, _NoRedirect)
    data = str(request.get("postData", "")).encode() if "postData" in request else None
    asked = urllib.request.Request(url, data=data, method=method)  # noqa: S310 - the scheme is checked
    for name, value in request.get("headers", {}).items():
        if name.lower() in ("accept", "content-type", "origin", "referer", "cookie", "range"):
            asked.add_header(name, str(value))
    try:
        with opener.open(asked, timeout=FETCH_S) as response:
            return _read(response.status, response)
    except urllib.error.HTTPError as refused:
        with refused:
            return _read(refused.code, refused)
    except (OSError, http.client.HTTPException, ValueError) as problem:
        reason = " ".join(str(getattr(problem, "reason", problem)).split())[:160]
        if "Tunnel connection failed: 403" in reason:
            reason = f"this thread may not reach {urlsplit(url).hostname}"
        return Answer(why=reason or type(problem).__name__)


def _read(status: int, response: Any) -> Answer:
    body = response.read(BODY_LIMIT_BYTES + 1)
    if len(body) > BODY_LIMIT_BYTES:
        return Answer(why="the answer is larger than 16 MiB")
    headers = {k: v for k, v in response.headers.items() if k.lower() not in _DROPPED}
    return Answer(
        status=status, kind=response.headers.get_content_type(), body=body, headers=headers
    )
