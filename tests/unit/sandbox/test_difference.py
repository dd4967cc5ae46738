"""Raw facts of the overlay become changes; harmful names are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deskmate.errors import ProtocolError
from deskmate.sandbox.difference import compare, path_problem, read_facts
from deskmate.types.files import Difference, Entry
from deskmate.types.ids import Digest

A, B = Digest("a" * 64), Digest("b" * 64)
BASE = (
    Entry(path="docs/a.txt", kind="file", mode=0o644, size=1, sha256=A),
    Entry(path="docs/sub", kind="dir", mode=0o755),
    Entry(path="docs/sub/c.txt", kind="file", mode=0o644, size=1, sha256=A),
    Entry(path="docs/sub/deep", kind="dir", mode=0o755),
    Entry(path="docs/sub/deep/d.txt", kind="file", mode=0o644, size=1, sha256=A),
)


def _file(path: str, sha256: str = B, mode: int = 0o644) -> dict[str, Any]:
    return {"path": path, "kind": "file", "mode": mode, "size": 1, "sha256": sha256, "mtime_ns": 1}


def _compare(*rows: dict[str, Any]) -> Difference:
    return compare(BASE, read_facts(json.dumps({"changes": rows, "home": []}).encode()), {"docs"})


def _operations(difference: Difference) -> dict[str, str]:
    return {change.path: change.operation for change in difference.changes}


def test_create_modify_delete_and_mode_are_told_apart() -> None:
    difference = _compare(
        {"path": "docs", "kind": "dir", "mode": 0o755},
        _file("docs/new.txt"),
        _file("docs/a.txt", A, 0o755),
        {"path": "docs/sub", "kind": "dir", "mode": 0o755},
        _file("docs/sub/c.txt"),
        {"path": "docs/empty", "kind": "opaque", "mode": 0o755},
    )
    assert difference.refused == {}
    assert _operations(difference) == {
        "docs/new.txt": "create",
        "docs/a.txt": "mode",
        "docs/sub/c.txt": "modify",
        "docs/empty": "mkdir",
    }


def test_a_copy_that_changed_nothing_is_left_out() -> None:
    assert _compare(_file("docs/a.txt", A)).changes == ()


@pytest.mark.parametrize(
    ("granted", "told", "after"),
    [
        (0o644, 0o644, 0o644),
        (0o640, 0o644, 0o640),
        (0o644, 0o755, 0o755),
        (0o600, 0o755, 0o700),
        (0o755, 0o644, 0o644),
        (0o444, 0o644, 0o444),
        (0o755, 0o755, 0o755),
    ],
)
def test_of_permission_bits_only_the_owners_execute_bit_is_a_change(
    granted: int, told: int, after: int
) -> None:
    base = (Entry(path="docs/a", kind="file", mode=granted, size=1, sha256=A),)
    facts = read_facts(json.dumps({"changes": [_file("docs/a", B, told)], "home": []}).encode())
    (change,) = compare(base, facts, {"docs"}).changes
    assert change.after is not None
    assert change.after.mode == after


UNREAD = (
    Entry(path="docs/sub", kind="dir", mode=0o755),
    Entry(path="docs/sub/c.txt", kind="file", mode=0o644, size=1),
    Entry(path="docs/sub/read.txt", kind="file", mode=0o644, size=1, sha256=A),
    Entry(path="docs/top.txt", kind="file", mode=0o644, size=1),
)


def _compare_unread(*rows: dict[str, Any]) -> Difference:
    facts = read_facts(json.dumps({"changes": rows, "home": []}).encode())
    return compare(UNREAD, facts, {"docs"})


def test_a_file_that_was_never_read_is_no_change_when_the_machine_says_nothing_of_it() -> None:
    difference = _compare_unread({"path": "docs", "kind": "dir", "mode": 0o755})
    assert (difference.changes, difference.refused) == ((), {})


@pytest.mark.parametrize("kind", ["gone", "opaque"])
def test_a_removed_folder_keeps_what_was_never_read_in_it(kind: str) -> None:
    difference = _compare_unread({"path": "docs/sub", "kind": kind, "mode": 0o755})
    assert _operations(difference) == {"docs/sub/read.txt": "delete"}
    assert "docs/sub/c.txt" in difference.refused


def test_a_file_in_the_place_of_a_folder_with_unread_files_is_refused() -> None:
    difference = _compare_unread(_file("docs/sub"))
    assert _operations(difference) == {"docs/sub/read.txt": "delete"}
    assert difference.refused.keys() == {"docs/sub", "docs/sub/c.txt"}


def test_an_unread_file_that_was_written_over_is_a_change_of_what_is_not_known_yet() -> None:
    (change,) = _compare_unread(_file("docs/top.txt")).changes
    assert (change.operation, change.before) == ("modify", UNREAD[3])


def test_a_deleted_folder_lists_all_it_held() -> None:
    assert _operations(_compare({"path": "docs/sub", "kind": "gone"})) == {
        "docs/sub": "rmdir",
        "docs/sub/c.txt": "delete",
        "docs/sub/deep": "rmdir",
        "docs/sub/deep/d.txt": "delete",
    }


def test_an_opaque_folder_keeps_only_what_it_holds_now() -> None:
    difference = _compare(
        {"path": "docs/sub", "kind": "opaque", "mode": 0o755}, _file("docs/sub/c.txt", A)
    )
    assert _operations(difference) == {"docs/sub/deep": "rmdir", "docs/sub/deep/d.txt": "delete"}


def test_a_folder_that_became_a_file_loses_its_entries() -> None:
    assert _operations(_compare(_file("docs/sub"))) == {
        "docs/sub": "modify",
        "docs/sub/c.txt": "delete",
        "docs/sub/deep": "rmdir",
        "docs/sub/deep/d.txt": "delete",
    }


def test_a_whiteout_of_nothing_is_nothing() -> None:
    assert _compare({"path": "docs/never", "kind": "gone"}).changes == ()


@pytest.mark.attack("F2")
@pytest.mark.parametrize(
    "path",
    [
        "docs/../x", "/abs", "docs//x", "docs/.", "docs/new\nline", "docs/\x1b[2J", "docs/\u202etxt",
        "docs/back\\slash", "docs/" + "n" * 256, "docs/" + "d/" * 70 + "x", "", "docs/\ud800",
    ],
)  # fmt: skip
def test_a_path_that_could_harm_is_refused(path: str) -> None:
    difference = _compare(_file(path))
    assert difference.changes == ()
    assert len(difference.refused) == 1
    assert path_problem(path)


@pytest.mark.attack("F2")
@pytest.mark.parametrize(
    "path", ["docs/CON", "docs/nul.txt", "docs/dot.", "docs/space ", "docs/f:stream", "docs/A.TXT"]
)
def test_a_new_name_that_means_something_else_elsewhere_is_refused(path: str) -> None:
    difference = _compare(_file(path))
    assert difference.changes == ()
    assert list(difference.refused) == [path]


@pytest.mark.attack("F8")
def test_a_file_outside_every_grant_is_refused() -> None:
    refused = _compare(_file("loose.txt"), _file("other/x.txt")).refused
    assert refused == dict.fromkeys(["loose.txt", "other/x.txt"], "it lies in no granted folder")


def test_a_thread_without_folders_keeps_its_files_at_the_top() -> None:
    facts = read_facts(json.dumps({"changes": [_file("loose.txt")], "home": []}).encode())
    assert _operations(compare((), facts)) == {"loose.txt": "create"}


@pytest.mark.attack("F2")
def test_devices_and_fifos_are_named_with_their_reason() -> None:
    difference = _compare({"path": "docs/pipe", "kind": "other", "reason": "a fifo"})
    assert difference.refused == {"docs/pipe": "a fifo"}


def test_what_lies_in_a_refused_folder_is_refused() -> None:
    difference = _compare({"path": "docs/CON", "kind": "dir", "mode": 0o755}, _file("docs/CON/x"))
    assert difference.changes == ()
    assert set(difference.refused) == {"docs/CON", "docs/CON/x"}


@pytest.mark.parametrize(
    "document",
    [
        b"", b"[]", b"{}", b'{"changes": {}, "home": []}', b"[" * 100_000,
        b'{"changes": [1], "home": []}',
        b'{"changes": [{"path": "x"}], "home": []}',
        b'{"changes": [{"path": "d/x", "kind": []}], "home": []}',
        b'{"changes": [{"path": "d/x", "kind": "file", "size": -1}], "home": []}',
        b'{"changes": [{"path": "d/x", "kind": "file", "size": 1e3}], "home": []}',
        b'{"changes": [{"path": "d/x", "kind": "file", "sha256": "zz"}], "home": []}',
        b'{"changes": [{"path": "d/x", "kind": "gone"}, {"path": "d/x", "kind": "gone"}], "home": []}',
    ],
)  # fmt: skip
def test_a_document_of_another_shape_breaks_the_rules(document: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_facts(document)


@pytest.mark.attack("F3")
@pytest.mark.parametrize("filler", [b"{},", b"[],", b"0,"])
def test_a_document_of_millions_of_tiny_values_is_refused_unparsed(filler: bytes) -> None:
    document = b'{"changes":[' + filler * 4_000_000 + b'0],"home":[]}'
    with pytest.raises(ProtocolError, match="too many values"):
        read_facts(document)
