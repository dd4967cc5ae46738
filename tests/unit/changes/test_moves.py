from __future__ import annotations

from deskmate.changes.moves import find_moves
from deskmate.types.files import Change, Entry
from deskmate.types.ids import Digest


def _changes(gone: dict[str, str], come: dict[str, str]) -> list[Change]:
    """Deleted and created files: path → content."""

    def entry(path: str, content: str) -> Entry:
        digest = Digest(content.ljust(64, "0"))
        return Entry(path=path, kind="file", mode=0o644, size=len(content), sha256=digest)

    return [
        *(Change(path=p, operation="delete", before=entry(p, c), after=None) for p, c in gone.items()),
        *(Change(path=p, operation="create", before=None, after=entry(p, c)) for p, c in come.items()),
    ]  # fmt: skip


def test_a_renamed_file_is_a_move() -> None:
    assert find_moves(_changes({"d/a": "x"}, {"d/b": "x"})) == {"d/b": "d/a"}


def test_a_moved_folder_is_moves_even_where_files_are_equal_or_empty() -> None:
    gone = {"d/old/x/init": "", "d/old/y/init": "", "d/old/x/a": "same", "d/old/y/a": "same"}
    come = {path.replace("old", "new"): content for path, content in gone.items()}
    assert find_moves(_changes(gone, come)) == {
        path.replace("old", "new"): path for path in gone
    }  # fmt: skip


def test_what_cannot_be_told_apart_is_no_move() -> None:
    assert find_moves(_changes({"d/a": "x"}, {"d/b": "x", "d/c": "x"})) == {}
    assert find_moves(_changes({"d/a": "x", "d/b": "x"}, {"d/c": "x"})) == {}
    assert find_moves(_changes({"d/a": ""}, {"d/b": ""})) == {}
    assert find_moves(_changes({"d/a": "x"}, {"d/a2": "y"})) == {}


def test_one_of_several_copies_that_keeps_its_name_is_the_move() -> None:
    found = find_moves(_changes({"d/a": "x"}, {"e/a": "x", "e/copy of a": "x"}))
    assert found == {"e/a": "d/a"}
