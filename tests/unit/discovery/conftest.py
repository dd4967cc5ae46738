"""Hand-made site folders: what pip leaves behind when it installs a plugin, without pip."""

import base64
import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from deskmate.types.places import Places

MANIFEST = """
api = ">=1,<2"
title = "Acme"
summary = "Does what Acme does."
[tools.find]
risk = "read"
"""
BOMB = "raise SystemExit('plugin code ran on the host')\n"


def record_line(path: str, content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
    return f"{path},sha256={digest},{len(content)}\n"


def entry_points(plugins: Mapping[str, str], group: str = "deskmate.plugins") -> str:
    return f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in plugins.items())


class Site:
    """A folder as it stands on `sys.path`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def path(self) -> list[str]:
        return [str(self.folder)]

    def install(
        self,
        name: str,
        files: Mapping[str, str | bytes],
        plugins: Mapping[str, str],
        *,
        version: str = "1.0",
        group: str = "deskmate.plugins",
        metadata: str = "",
        direct_url: Mapping[str, object] | None = None,
        extra_record: str = "",
        extra_entry_points: str = "",
    ) -> Path:
        """Lay out what a wheel's installation leaves; returns the dist-info folder."""
        info = f"{name.replace('-', '_')}-{version}.dist-info"
        head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}\nText.\n"
        everything: dict[str, str | bytes] = {
            **files,
            f"{info}/METADATA": head,
            f"{info}/entry_points.txt": entry_points(plugins, group) + extra_entry_points,
        }
        if direct_url is not None:
            everything[f"{info}/direct_url.json"] = json.dumps(direct_url)
        record = ""
        for path, text in everything.items():
            content = text.encode() if isinstance(text, str) else text
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            record += record_line(path, content)
        record += extra_record + f"{info}/RECORD,,\n"
        (self.folder / info / "RECORD").write_text(record)
        return self.folder / info

    def acme(self, name: str = "deskmate-acme", plugin: str = "acme", **more: str | bytes) -> Path:
        """Install an ordinary plugin whose Python would end the process if it were imported."""
        package = name.replace("-", "_")
        files: dict[str, str | bytes] = {
            f"{package}/__init__.py": BOMB,
            f"{package}/plugin.toml": MANIFEST,
            f"{package}/tools/find.py": BOMB,
            **more,
        }
        return self.install(name, files, {plugin: package})


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")


@pytest.fixture
def places(tmp_path: Path) -> Places:
    home = tmp_path / "home"
    return Places(data=home / "data", cache=home / "cache", config=home / "config")


@pytest.fixture
def write_tree() -> Callable[[Path, Mapping[str, str]], Path]:
    def write(root: Path, files: Mapping[str, str]) -> Path:
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        return root

    return write


@pytest.fixture
def make_wheel(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a wheel: files, members to add raw, RECORD to replace."""

    def make(
        name: str,
        files: Mapping[str, str],
        *,
        version: str = "1.0",
        raw: Mapping[str, bytes] | None = None,
        record: str | None = None,
        metadata: str = "",
        folder: Path | None = None,
    ) -> Path:
        place = (folder or tmp_path) / f"{name}-{version}-py3-none-any.whl"
        place.parent.mkdir(parents=True, exist_ok=True)
        info = f"{name}-{version}.dist-info"
        members = {
            **files,
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        lines = "".join(record_line(path, text.encode()) for path, text in members.items())
        with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, text in members.items():
                archive.writestr(path, text)
            for path, content in (raw or {}).items():
                archive.writestr(path, content)
            archive.writestr(
                f"{info}/RECORD", (lines if record is None else record) + f"{info}/RECORD,,\n"
            )
        return place

    return make
