"""Manifests that were checked before, by the digest of their text: a second look costs no schema."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from deskmate import __version__
from deskmate.discovery.manifest import read_manifest
from deskmate.errors import CorruptData
from deskmate.plugin.contexts import API_VERSION
from deskmate.types.codec import from_json, to_json
from deskmate.types.registry import Manifest

_LIMIT_BYTES = 8 * 1024 * 1024


class ManifestCache:
    """Reads manifests, keeping what was right; what was wrong is read again each time."""

    def __init__(self, file: Path | None) -> None:
        """`file`: where it is kept between processes; None keeps nothing."""
        self._file = file
        self._before = _load(file)
        self._now: dict[str, Any] = {}

    def read(self, content: bytes, where: str) -> Manifest:
        """Return the manifest in `content`. Raises ConfigError as `read_manifest` does."""
        digest = hashlib.sha256(content).hexdigest()
        kept = self._before.get(digest)
        if kept is not None:
            try:
                manifest = from_json(Manifest, kept)
            except CorruptData:
                self._before.pop(digest)
            else:
                self._now[digest] = kept
                return manifest
        manifest = read_manifest(content, where)
        self._now[digest] = to_json(manifest)
        return manifest

    def save(self) -> None:
        """Write what was read, if it is not what was there; a cache that cannot be written is none."""
        if self._file is None or self._now.keys() == self._before.keys():
            return
        text = json.dumps({"key": _key(), "manifests": self._now})
        part = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(text, encoding="utf-8")
            part.replace(self._file)
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink()


def _key() -> str:
    return f"{__version__}/{API_VERSION}/1"


def _load(file: Path | None) -> dict[str, Any]:
    try:
        if file is None or file.stat().st_size > _LIMIT_BYTES:
            return {}
        data = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(data, dict) or data.get("key") != _key():
        return {}
    manifests = data.get("manifests")
    return manifests if isinstance(manifests, dict) else {}
