"""The built page: a few files that are read once and served by name."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from deskmate.errors import UserError

STATIC = Path(__file__).parent / "static"
_KINDS = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
}
_PACKED = frozenset({".css", ".html", ".js", ".svg", ".txt"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One file. `packed`: the same in gzip, empty where that saves nothing."""

    content: bytes
    kind: str
    packed: bytes = b""


class Page:
    """All files of a built page."""

    def __init__(self, folder: Path = STATIC) -> None:
        """`folder`: what the build wrote. Raises UserError if nothing is there."""
        if not (folder / "index.html").is_file():
            raise UserError(
                "The page is not built in this checkout.",
                hint="Run make setup, which builds it.",
            )
        self.shell = _read(folder / "index.html")
        assets = folder / "assets"
        files = sorted(assets.iterdir()) if assets.is_dir() else []
        self.assets: Mapping[str, Asset] = {
            file.name: _read(file) for file in files if file.suffix in _KINDS
        }

    @cached_property
    def build(self) -> str:
        """A name for just this build: a page of another one reloads itself."""
        names = "\n".join([*self.assets, hashlib.sha256(self.shell.content).hexdigest()])
        return hashlib.sha256(names.encode()).hexdigest()[:16]


def _read(file: Path) -> Asset:
    content = file.read_bytes()
    packed = gzip.compress(content, mtime=0) if file.suffix in _PACKED else b""
    return Asset(content=content, kind=_KINDS[file.suffix], packed=packed)
