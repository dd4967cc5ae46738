"""Folders and archives of strangers: every trick is named, bounded and leaves nothing outside."""

from __future__ import annotations

import io
import os
import socket
import stat
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.unit.formats.material import lay, plain

from deskmate.errors import PluginError
from deskmate.formats import tree as bounds
from deskmate.formats.opening import opened_tree
from deskmate.formats.tree import Tree, Unreadable, inside


@contextmanager
def opened(what: Path) -> Iterator[Tree]:
    with opened_tree(str(what)) as tree:
        yield tree


def check_line(message: str) -> None:
    assert message
    assert "\n" not in message


def noted(tree: Tree) -> dict[str, str]:
    return {one.path: one.code for one in tree.diagnostics}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return lay(tmp_path / "acme", plain())


def test_links_inside_are_read_as_copies_and_those_that_lead_out_are_left_out(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "elsewhere").mkdir()
    links = {
        "same.md": "skills/write/SKILL.md", "skills/copy": "write", "out.md": "../secret",
        "absolute.md": str(tmp_path / "secret"), "far": "../elsewhere", "gone": "nothing", "self": "self",
        "a": "b", "b": "a", "skills/loop": "../skills", "up": ".",
    }  # fmt: skip
    for name, target in links.items():
        (folder / name).symlink_to(target)
    with opened(folder) as tree:
        found = noted(tree)
        assert tree.read("same.md", 1000) == tree.read("skills/copy/SKILL.md", 1000)
        assert b"secret" not in b"".join(tree.read(path, 1000) for path in tree.files)
    assert {name for name, code in found.items() if code == "link-out"} == {
        "out.md", "absolute.md", "far", "gone", "self", "a", "b",
    }  # fmt: skip
    assert {name for name, code in found.items() if code == "link-loop"} == {"skills/loop", "up"}
    assert {name for name, code in found.items() if code == "link-copied"} == {
        "same.md",
        "skills/copy",
    }


@pytest.mark.parametrize(
    ("folder", "path", "found"),
    [
        ("", "a/../b", "b"),
        ("skills/x", "../y/./z", "skills/y/z"),
        ("skills", "..", ""),
        ("", "../README.md", None),
        ("skills", "../../skills/x", None),
        ("skills", "a/../../../x/../skills", None),
        ("", "/etc/passwd", None),
        ("", "a\\b", None),
    ],
)
def test_a_path_that_climbs_above_the_top_names_nothing_of_the_tree(
    folder: str, path: str, found: str | None
) -> None:
    assert inside(folder, path) == found


def test_a_folder_that_becomes_a_link_after_it_was_listed_is_not_followed(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "SKILL.md").write_text("secret")
    with opened(folder) as tree:
        (folder / "skills/write").rename(tmp_path / "away")
        (folder / "skills/write").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(Unreadable):
            tree.read("skills/write/SKILL.md", 1000)


def test_devices_pipes_and_sockets_are_named_and_never_opened(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(folder)  # the path of a socket is short
        listener.bind("door")
        with opened(folder) as tree:
            assert noted(tree) == {"pipe": "file-not-regular", "door": "file-not-regular"}


@pytest.mark.parametrize(
    "name",
    [
        b"bad\xff.md",
        b"two\nlines.md",
        b"esc\x1b[2J.md",
        b"a:b.md",
        b"trailing.",
        "\u202egpj.md".encode(),
        b"x" * 201,
        b"back\\slash.md",
    ],
)
def test_names_that_cannot_be_used_everywhere_are_left_out_and_shown_safely(
    folder: Path, name: bytes
) -> None:
    (Path(os.fsdecode(os.fsencode(folder) + b"/" + name))).write_text("x")
    with opened(folder) as tree:
        (one,) = tree.diagnostics
        assert (one.code, one.path.isprintable()) == ("name-odd", True)
        assert len(tree.files) == 2


def test_names_that_differ_by_case_or_accents_only_collide(folder: Path) -> None:
    for name in ("Readme.md", "README.md", "caf\u00e9.md", "cafe\u0301.md", "Skills/x.md"):
        lay(folder, {name: "x"})
    with opened(folder) as tree:
        assert sorted(code for code in noted(tree).values()) == ["name-collides"] * 3


def test_deep_large_and_installed_folders_are_left_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "FILE_LIMIT_BYTES", 1_000)
    lay(
        folder,
        {
            "/".join("d" * 20) + "/x": "x",
            "big": "x" * 1_001,
            "node_modules/a/b.js": "x",
            ".git/config": "x",
        },
    )
    with (folder / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    with opened(folder) as tree:
        found = noted(tree)
    assert set(found.values()) == {"folder-too-deep", "file-too-large", "folder-left-out"}
    assert not [path for path in tree.files if path.startswith(".git")]


@pytest.mark.parametrize(
    ("limit", "value"), [("FILES_LIMIT", 1), ("TREE_LIMIT_BYTES", 10), ("ENTRIES_LIMIT", 2)]
)
def test_a_tree_that_is_too_much_is_refused_in_one_line(
    folder: Path, limit: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, limit, value)
    with pytest.raises(PluginError, match="acme holds more than") as caught, opened(folder):
        pass
    assert "\n" not in caught.value.message


def test_gits_own_files_are_never_looked_at(folder: Path) -> None:
    hostile = {
        ".git/config": "[core]\n\tfsmonitor = touch pwned\n\thooksPath = hooks\n",
        ".git/hooks/post-checkout": "#!/bin/sh\ntouch pwned\n",
        ".gitattributes": "* filter=evil\n",
    }
    lay(folder, hostile)
    with opened(folder) as tree:
        assert ".gitattributes" in tree.files
        assert not [path for path in tree.files if path.startswith(".git/")]
    assert not [*folder.rglob("pwned")]


@pytest.mark.parametrize(
    "what",
    ["https://example.com/x.git", "git@example.com:x/y", "github:x/y", "npm:thing", "ssh://x"],
)
def test_what_would_be_fetched_says_so_and_names_the_source(what: str) -> None:
    with pytest.raises(PluginError, match="would have to be fetched") as caught, opened_tree(what):
        pass
    assert what in caught.value.message


@pytest.mark.timeout(20)  # a pipe without a writer is waited for
@pytest.mark.parametrize("make", ["missing", "empty", "text", "bare-git", "pipe"])
def test_what_is_no_tree_is_refused_in_one_line(tmp_path: Path, make: str) -> None:
    what = tmp_path / make
    if make == "text":
        what.write_text("hello")
    elif make == "pipe":
        os.mkfifo(what)
    elif make == "empty":
        what.write_bytes(b"")
    elif make == "bare-git":
        lay(what, {"HEAD": "x", "objects/a": "x", "refs/a": "x"})
    with pytest.raises(PluginError) as caught, opened(what):
        pass
    assert caught.value.hint


# --- archives


def packed(target: Path, files: dict[str, bytes], **more: zipfile.ZipInfo) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target


CONTENT = {
    path: content.encode() if isinstance(content, str) else content
    for path, content in plain().items()
}


@pytest.mark.parametrize("top", ["", "acme-1.2/"])
def test_a_zip_is_read_also_where_one_folder_holds_all_of_it(tmp_path: Path, top: str) -> None:
    file = packed(
        tmp_path / "acme.plugin", {f"{top}{path}": content for path, content in CONTENT.items()}
    )
    with opened(file) as tree:
        assert set(tree.files) == set(CONTENT)
        assert tree.read("skills/write/SKILL.md", 1000) == CONTENT["skills/write/SKILL.md"]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("../evil", "member-leaves"),
        ("/etc/evil", "member-leaves"),
        ("a/../../evil", "member-leaves"),
        ("C:/evil", "member-leaves"),
        ("a\\..\\evil", "member-leaves"),
        ("a//b", "name-odd"),
        ("./a", "name-odd"),
        ("tr\u0131ck\u202e", "name-odd"),
        ("x" * 300, "name-odd"),
    ],
)
def test_members_that_leave_their_folder_are_named_and_left_out(
    tmp_path: Path, name: str, code: str
) -> None:
    file = packed(tmp_path / "acme.zip", CONTENT)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(name, b"evil")
    with opened(file) as tree:
        assert set(tree.files) == set(CONTENT)
        assert [one.code for one in tree.diagnostics] == [code]


def test_a_name_with_a_nul_is_left_out(tmp_path: Path) -> None:
    file = packed(tmp_path / "acme.zip", {**CONTENT, "skills/SECRET_x.md": b"x"})
    file.write_bytes(file.read_bytes().replace(b"SECRET_x", b"SECRET\0x"))
    with opened(file) as tree:
        assert [one.code for one in tree.diagnostics] == ["name-odd"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_stands_twice_is_left_out_both_times(tmp_path: Path) -> None:
    file = packed(tmp_path / "acme.zip", CONTENT)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("skills/write/SKILL.md", b"other")
    with opened(file) as tree:
        assert set(noted(tree).values()) == {"member-twice"}
        assert "skills/write/SKILL.md" not in tree.files


def test_a_file_that_is_a_folder_too_collides(tmp_path: Path) -> None:
    file = packed(
        tmp_path / "acme.zip", {**CONTENT, "a": b"x", "a/b": b"x", "c/d": b"x", "c": b"x"}
    )
    with opened(file) as tree:
        assert noted(tree) == {"a/b": "name-collides", "c": "name-collides"}


def test_links_and_devices_in_archives_go_nowhere(tmp_path: Path) -> None:
    file = packed(tmp_path / "acme.zip", CONTENT)
    with zipfile.ZipFile(file, "a") as archive:
        for name, kind, content in (
            ("out", stat.S_IFLNK, b"/etc/passwd"),
            ("in.md", stat.S_IFLNK, b"skills/write/SKILL.md"),
            ("dev", stat.S_IFCHR, b""),
        ):
            info = zipfile.ZipInfo(name)
            info.external_attr = (kind | 0o644) << 16
            archive.writestr(info, content)
    with opened(file) as tree:
        assert noted(tree) == {"out": "link-out", "dev": "file-not-regular", "in.md": "link-copied"}
        assert tree.read("in.md", 1000) == CONTENT["skills/write/SKILL.md"]


def test_bombs_are_named_by_their_ratio_or_stopped_while_they_are_read(tmp_path: Path) -> None:
    file = packed(tmp_path / "acme.zip", {**CONTENT, "bomb": b"\0" * (8 << 20)})
    with opened(file) as tree:
        assert noted(tree) == {"bomb": "member-packed"}
    lying = packed(tmp_path / "lying.zip", {**CONTENT, "bomb": b"\0" * (8 << 20)})
    data = lying.read_bytes()
    size = struct.pack("<L", 8 << 20)
    lying.write_bytes(data.replace(size, struct.pack("<L", 100)))
    with opened(lying) as tree, pytest.raises(Unreadable):
        tree.read("bomb", 64 << 20)


def test_encrypted_members_and_other_packings_are_named(tmp_path: Path) -> None:
    file = packed(tmp_path / "acme.zip", CONTENT)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_LZMA) as archive:
        archive.writestr("lzma", b"x" * 100)
    with opened(file) as tree:
        assert noted(tree) == {"lzma": "member-packed"}
    data = bytearray(packed(tmp_path / "locked.zip", {"skills/a/SKILL.md": b"x"}).read_bytes())
    at = data.find(b"PK\1\2")
    data[at + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(data)
    with opened(tmp_path / "locked.zip") as tree:
        assert set(noted(tree).values()) == {"member-packed"}


def test_an_archive_of_millions_of_names_is_refused_before_its_directory_is_read(
    tmp_path: Path,
) -> None:
    data = bytearray(packed(tmp_path / "acme.zip", CONTENT).read_bytes())
    end = data.rfind(b"PK\5\6")
    struct.pack_into("<L", data, end + 12, 200 << 20)
    (tmp_path / "acme.zip").write_bytes(data)
    with pytest.raises(PluginError, match="too many members"), opened(tmp_path / "acme.zip"):
        pass


def test_a_cut_or_scribbled_archive_is_an_error_in_one_line_or_a_named_file(tmp_path: Path) -> None:
    whole = packed(tmp_path / "acme.zip", CONTENT).read_bytes()
    broken = tmp_path / "broken.zip"
    for at in range(0, len(whole), 7):
        for data in (whole[:at], whole[:at] + b"\xff" + whole[at + 1 :]):
            broken.write_bytes(data)
            try:
                with opened(broken) as tree:
                    for path in tree.files:
                        try:
                            tree.read(path, 1 << 20)
                        except Unreadable as error:
                            check_line(str(error))
            except PluginError as error:
                check_line(error.message)


def test_a_zip64_archive_is_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a", b"x")
    data = stream.getvalue()
    end = data.rfind(b"PK\5\6")
    locator = b"PK\6\7" + bytes(16)
    (tmp_path / "a.zip").write_bytes(data[:end] + locator + data[end:])
    with pytest.raises(PluginError, match="zip64"), opened(tmp_path / "a.zip"):
        pass
