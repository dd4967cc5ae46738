"""`deskmate image` from outside: export here, pull there, over files and a loopback server, well-meaning or not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tests.unit.sandbox.conftest import write_image

from deskmate.sandbox.image import image_lock, install
from deskmate.types.places import find_places


def run(home: Path, *words: str | Path, code: int = 0, path: str = "") -> tuple[str, str]:
    environ = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    environ |= {"DESKMATE_HOME": str(home)} | ({"PATH": path} if path else {})
    done = subprocess.run(
        [sys.executable, "-m", "deskmate", "image", *map(str, words)],
        env=environ, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=60,
        check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with one small image."""
    home = tmp_path / "Kanzlei Müller"
    places = find_places({"DESKMATE_HOME": str(home)}, tmp_path)
    with image_lock(places):
        install(places, write_image(tmp_path / "made"))
    return home


@pytest.fixture
def archive(home: Path, tmp_path: Path) -> Path:
    run(home, "export", tmp_path / "image.tar")
    return tmp_path / "image.tar"


def digest_of(home: Path) -> str:
    (row,) = json.loads(run(home, "list", "--json")[0])
    return f"sha256:{row['digest']}"


class Files(BaseHTTPRequestHandler):
    """Serves one file, with ranges; breaks off as often as told."""

    content = b""
    tag = '"one"'
    breaks = 0
    ranges: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        type(self).ranges.append(wanted)
        start = 0
        if wanted and self.headers.get("If-Range") == self.tag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            self.send_response(206)
            last = len(self.content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(self.content)}")
        else:
            self.send_response(200 if self.path != "/missing" else 404)
        rest = self.content[start:]
        self.send_header("Content-Length", str(len(rest)))
        self.send_header("ETag", self.tag)
        self.end_headers()
        if self.breaks:
            type(self).breaks -= 1
            rest = rest[: len(rest) // 2]
        self.wfile.write(rest)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def served(content: bytes, *, breaks: int = 0) -> Iterator[tuple[str, type[Files]]]:
    handler = type("Own", (Files,), {"content": content, "breaks": breaks, "ranges": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/image.tar", handler
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("form", ["path", "url"])
def test_a_file_goes_to_another_machine(
    home: Path, archive: Path, tmp_path: Path, form: str
) -> None:
    other = tmp_path / "other"
    source = archive if form == "path" else archive.as_uri()
    run(other, "pull", source, "--digest", digest_of(home))
    assert digest_of(other) == digest_of(home)
    assert "is what was built" in run(other, "verify")[0]


def test_a_download_that_breaks_off_goes_on_where_it_stopped(
    home: Path, archive: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    with served(archive.read_bytes(), breaks=1) as (url, handler):
        _, error = run(other, "pull", url, "--digest", digest_of(home), code=2)
        assert "goes on where it stopped" in error
        assert not json.loads(run(other, "list", "--json")[0])
        run(other, "pull", url, "--digest", digest_of(home))
        half = archive.stat().st_size // 2
        assert handler.ranges == ["", f"bytes={half}-"]
    assert digest_of(other) == digest_of(home)
    assert {path.name[:9] for path in (other / "cache/images").iterdir()} & {".download"} == set()


def test_a_file_that_changed_meanwhile_is_taken_anew(
    home: Path, archive: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    with served(archive.read_bytes(), breaks=1) as (url, handler):
        run(other, "pull", url, "--digest", digest_of(home), code=2)
        handler.tag = '"two"'
        run(other, "pull", url, "--digest", digest_of(home))
    assert digest_of(other) == digest_of(home)


def test_plain_http_needs_a_digest(archive: Path, tmp_path: Path) -> None:
    with served(archive.read_bytes()) as (url, handler):
        _, error = run(tmp_path / "other", "pull", url, code=2)
        assert "--digest" in error
        assert handler.ranges == []


def test_a_tampered_download_is_refused_and_leaves_nothing(
    home: Path, archive: Path, tmp_path: Path
) -> None:
    content = bytearray(archive.read_bytes())
    content[-3000] ^= 1
    other = tmp_path / "other"
    with served(bytes(content)) as (url, _):
        _, error = run(other, "pull", url, "--digest", digest_of(home), code=1)
    assert "base.erofs" in error
    assert [path.name for path in (other / "cache/images").iterdir()] == [".lock"]


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("ftp://127.0.0.1/x", "cannot be downloaded"),
        ("data://x", "cannot be downloaded"),
        ("nothing.tar", "is no file"),
        ("file:///nothing.tar", "is no file"),
        ("https://127.0.0.1:1/x", "https://127.0.0.1:1/x cannot be reached: Connection refused"),
    ],
)
def test_what_is_no_source_is_refused_in_one_line(tmp_path: Path, source: str, word: str) -> None:
    _, error = run(tmp_path, "pull", source, code=2)
    assert word in error


def test_another_image_than_was_asked_for_is_named_by_its_address(
    archive: Path, tmp_path: Path
) -> None:
    with served(archive.read_bytes()) as (url, _):
        _, error = run(tmp_path, "pull", url, "--digest", "0" * 64, code=2)
    assert f"{url} is the image sha256:" in error
    assert ".download" not in error


def test_a_damaged_image_is_listed_with_what_is_wrong(home: Path) -> None:
    (folder,) = [path for path in (home / "cache/images").iterdir() if path.is_dir()]
    (folder / "vmlinuz").write_bytes(b"")
    said, _ = run(home, "list")
    assert "! the base image" in said
    assert "vmlinuz has 0 bytes instead of" in said
    assert "no image yet" not in said


def test_a_server_s_refusal_is_told(tmp_path: Path) -> None:
    with served(b"x") as (url, _):
        missing = url.replace("image.tar", "missing")
        _, error = run(tmp_path, "pull", missing, "--digest", "0" * 64, code=2)
    assert "the server says 404" in error


def test_a_redirect_to_another_scheme_is_not_followed(tmp_path: Path) -> None:
    class Redirect(Files):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Redirect)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        run(tmp_path, "pull", url, "--digest", "0" * 64, code=2)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_export_replaces_a_file_only_when_told(home: Path, archive: Path) -> None:
    _, error = run(home, "export", archive, code=2)
    assert "--force" in error
    run(home, "export", archive, "--force")


def test_verify_names_the_damaged_file_and_the_cure(home: Path) -> None:
    (folder,) = (home / "cache/images").glob("[!.]*")
    content = bytearray((folder / "initrd").read_bytes())
    content[0] ^= 1
    (folder / "initrd").write_bytes(content)
    _, error = run(home, "verify", code=1)
    assert "initrd" in error
    assert "deskmate image build base --force" in error


def test_without_the_tools_a_build_says_which_packages_to_install(tmp_path: Path) -> None:
    bare = tmp_path / "bin"
    bare.mkdir()
    code = (
        "import deskmate.sandbox.tools as t; t.find_tool = lambda name: None; "
        "from deskmate.cli import main; main(['image', 'build', 'office'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "DESKMATE_HOME": str(tmp_path)},
        capture_output=True, encoding="utf-8", timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    words = done.stderr.split()
    assert {"mmdebstrap", "erofs-utils", "kmod"} <= {word.strip(",;.") for word in words}
    assert len(done.stderr.strip().splitlines()) == 2


def test_list_and_show_tell_sizes_and_packages(home: Path) -> None:
    listed, _ = run(home, "list")
    assert "* base" in listed
    assert "templates" in listed
    shown, _ = run(home, "show")
    assert "GPL-2" in shown
    assert json.loads(run(home, "show", "--json")[0])["packages"][0]["name"] == "git"
