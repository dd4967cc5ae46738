"""Whether a folder changed: bounded, by names, sizes and times."""

from __future__ import annotations

from pathlib import Path

import pytest

from deskmate.errors import UserError
from deskmate.host.scheduling import watching
from deskmate.host.scheduling.watching import (
    differing,
    from_note,
    is_own,
    look_at,
    named,
    to_note,
)


def test_files_below_are_seen_and_hidden_ones_and_links_are_not(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/deep.csv").write_text("1")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/x.csv").write_text("1")
    (tmp_path / "link.csv").symlink_to("/etc/passwd")
    assert list(look_at(tmp_path)) == ["a/b/deep.csv"]


def test_a_look_comes_back_from_its_note(tmp_path: Path) -> None:
    (tmp_path / "ä.csv").write_text("1")
    look = look_at(tmp_path)
    assert from_note(to_note(look)) == look


def test_what_came_went_and_changed_differs(tmp_path: Path) -> None:
    assert differing(
        {"a": (1, 1), "b": (1, 1), "c": (1, 1)}, {"b": (1, 2), "c": (1, 1), "d": (1, 1)}
    ) == ("a", "b", "d")


def test_many_changes_are_named_in_one_line() -> None:
    assert named(["a"]) == "a changed"
    assert named(list("abcde")) == "a, b, c and 2 more changed"


def test_a_folder_that_is_not_there_or_too_large_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="is not there"):
        look_at(tmp_path / "none")
    monkeypatch.setattr(watching, "LIMIT_FILES", 2)
    for number in range(3):
        (tmp_path / f"{number}.csv").write_text("")
    with pytest.raises(UserError, match="too many to watch"):
        look_at(tmp_path)
    assert len(look_at(tmp_path, "1*")) == 1


def test_a_file_is_its_own_only_with_just_that_content(tmp_path: Path) -> None:
    import hashlib

    file = tmp_path / "a.md"
    file.write_text("made")
    digests = frozenset({hashlib.sha256(b"made").hexdigest()})
    assert is_own(file, digests)
    file.write_text("changed by hand")
    assert not is_own(file, digests)
    assert not is_own(tmp_path / "none", digests)
