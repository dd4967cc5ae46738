"""P2: an index that serves other bytes, another version, a source archive or something of today gets nothing in."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.attack.evil_wheels import MANIFEST, WheelOf, source_archive

from deskmate.discovery.installing import InstallOrder, InstallResult, install, remove
from deskmate.discovery.plugin_store import PluginStore
from deskmate.errors import PluginError

pytestmark = pytest.mark.attack("P2")
NAME = "deskmate-evil"
LONG_AGO = "2020-01-01T00:00:00.000000Z"
GUEST = MANIFEST + '[guest]\npackages = ["acme-lib"]\n'
NEEDS = "Provides-Extra: guest\nRequires-Dist: acme-lib ; extra == 'guest'\n"


@dataclass
class Index:
    """A package index on this machine. `files`: project → what it says of its files."""

    url: str = ""
    files: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    bytes_: dict[str, bytes] = field(default_factory=dict)

    def add(
        self, file: Path, *, time: str = LONG_AGO, said: bytes | None = None, yanked: bool = False
    ) -> None:
        """Offer a file. `said`: the bytes whose hash the index tells, where they are others."""
        project = file.name.partition("-1")[0].partition("-2")[0].replace("_", "-")
        self.bytes_[file.name] = file.read_bytes()
        sha256 = hashlib.sha256(file.read_bytes() if said is None else said).hexdigest()
        row = {
            "filename": file.name, "url": f"{self.url}/files/{file.name}", "hashes": {"sha256": sha256},
            "upload-time": time, "yanked": yanked, "requires-python": ">=3.8",
        }  # fmt: skip
        self.files.setdefault(project, []).append(row)

    def page(self, path: str) -> tuple[bytes, str] | None:
        """Return what stands at a path, and its type."""
        part = path.strip("/").split("/")
        if part[0] == "files" and part[-1] in self.bytes_:
            return self.bytes_[part[-1]], "application/octet-stream"
        if part[0] != "simple" or part[-1] not in self.files:
            return None
        versions = sorted({str(row["filename"]).split("-")[1] for row in self.files[part[-1]]})
        page = {
            "meta": {"api-version": "1.1"}, "name": part[-1], "files": self.files[part[-1]],
            "versions": versions,
        }  # fmt: skip
        return json.dumps(page).encode(), "application/vnd.pypi.simple.v1+json"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    made = Index()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = made.page(self.path)
            self.send_response(200 if found else 404)
            body, kind = found or (b"", "text/plain")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}"
    for name in (
        "UV_INDEX",
        "UV_EXTRA_INDEX_URL",
        "PIP_EXTRA_INDEX_URL",
        "PIP_FIND_LINKS",
        "UV_INDEX_URL",
    ):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "UV_DEFAULT_INDEX": f"{made.url}/simple", "PIP_INDEX_URL": f"{made.url}/simple",
        "UV_NO_CONFIG": "1", "PIP_CONFIG_FILE": "/dev/null", "NO_PROXY": "*", "no_proxy": "*",
        "UV_CACHE_DIR": str(tmp_path / "uv"), "PIP_NO_CACHE_DIR": "1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    yield made
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture
def store(tmp_path: Path) -> PluginStore:
    return PluginStore(tmp_path / "store")


def get(store: PluginStore, what: str = NAME, days: int = 7) -> InstallResult:
    order = InstallOrder(what=(what,), cooldown_days=days)
    (result,) = install(order, store, lambda line: None, path=[])
    return result


def installed(store: PluginStore) -> dict[str, str]:
    return {stored.name: stored.version for stored in store.index().plugins}


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z")


def test_what_an_index_has_had_for_long_is_installed_and_its_hash_kept(
    index: Index, store: PluginStore, tmp_path: Path
) -> None:
    wheel = WheelOf().write(tmp_path / "w")
    index.add(wheel)
    result = get(store)
    assert result.stored.source == "index"
    assert result.stored.sha256 == hashlib.sha256(wheel.read_bytes()).hexdigest()


def test_other_bytes_than_the_index_tells_are_refused(
    index: Index, store: PluginStore, tmp_path: Path
) -> None:
    index.add(WheelOf().write(tmp_path / "w"), said=b"something else")
    with pytest.raises(PluginError, match=r"(?i)hash"):
        get(store)
    assert installed(store) == {}


def test_a_version_of_today_is_left_out_until_it_is_asked_for(
    index: Index, store: PluginStore, tmp_path: Path
) -> None:
    index.add(WheelOf().write(tmp_path / "w"))
    index.add(WheelOf(version="2.0").write(tmp_path / "w"), time=now())
    assert get(store).stored.version == "1.0"
    with pytest.raises(PluginError) as caught:
        get(store, f"{NAME}==2.0")
    assert "younger than 7 days" in caught.value.hint
    assert get(store, days=0).stored.version == "2.0"


def test_an_index_that_goes_back_is_refused(
    index: Index, store: PluginStore, tmp_path: Path
) -> None:
    index.add(WheelOf(version="2.0").write(tmp_path / "w"))
    get(store)
    index.files.clear()
    index.add(WheelOf().write(tmp_path / "w"))
    with pytest.raises(PluginError, match=r"older than 2\.0"):
        get(store)
    assert installed(store) == {NAME: "2.0"}


def test_a_version_that_becomes_another_is_refused_even_after_it_was_removed(
    index: Index, store: PluginStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add(WheelOf().write(tmp_path / "w"))
    get(store)
    remove(NAME, store)
    index.files.clear()
    index.add(WheelOf(code="taken_over = 1\n").write(tmp_path / "v"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv2"))
    with pytest.raises(PluginError, match="is not what it was"):
        get(store)
    assert installed(store) == {}


def test_a_yanked_version_is_not_chosen(index: Index, store: PluginStore, tmp_path: Path) -> None:
    index.add(WheelOf().write(tmp_path / "w"))
    index.add(WheelOf(version="2.0").write(tmp_path / "w"), yanked=True)
    assert get(store).stored.version == "1.0"


def test_a_source_archive_is_not_even_fetched(
    index: Index, store: PluginStore, tmp_path: Path
) -> None:
    index.add(source_archive(tmp_path / "w", tmp_path / "marker"))
    with pytest.raises(PluginError):
        get(store)
    assert not (tmp_path / "marker").exists()
    assert installed(store) == {}


def test_what_a_plugin_needs_in_the_machine_is_held_to_the_same(
    index: Index, store: PluginStore, tmp_path: Path
) -> None:
    lib = WheelOf(name="acme_lib", plugins="[x]\n").write(tmp_path / "w")
    index.add(WheelOf(manifest=GUEST, more_metadata=NEEDS).write(tmp_path / "w"))
    index.add(lib, time=now())
    with pytest.raises(PluginError, match="guest packages"):
        get(store)
    index.files.pop("acme-lib")
    index.add(lib, said=b"something else")
    with pytest.raises(PluginError, match="guest packages"):
        get(store)
    assert installed(store) == {}
