"""What a change is, for those who check it: per file its lines before and after, and which of them are new."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath

from deskmate_engineering.diffs import FileDiff, parse_diff
from deskmate_engineering.repository import Repository

FILE_LIMIT_BYTES = 2 * 1024 * 1024
FILES_LIMIT = 500
CODE = frozenset(
    ".py .js .jsx .mjs .cjs .ts .tsx .go .java .kt .rb .rs .php .cs .c .cc .cpp .h .hpp .swift .scala .sh".split()  # noqa: SIM905 - one line is enough
)


@dataclass(frozen=True, kw_only=True)
class FileChange:
    """One file of a change. `added`, `removed`: line number (in its version, from 1) → text.

    `before`, `after`: the whole text, None where there is no such version or it is not known or not text.
    """

    path: str
    old_path: str
    added: Mapping[int, str]
    removed: Mapping[int, str]
    before: str | None
    after: str | None
    binary: bool = False

    @property
    def is_new(self) -> bool:
        """Say whether the change makes the file."""
        return not self.old_path

    @property
    def is_deleted(self) -> bool:
        """Say whether the change takes the file away; `path` is then the old one."""
        return self.path == self.old_path and self.after is None and not self.added

    @property
    def suffix(self) -> str:
        """The name's ending in small letters."""
        return PurePosixPath(self.path).suffix.lower()

    @cached_property
    def tree(self) -> ast.Module | SyntaxError | None:
        """The syntax tree after the change; the error where Python cannot read it; None where it is no Python."""
        return python_tree(self.after) if self.suffix in (".py", ".pyi") else None

    @cached_property
    def old_tree(self) -> ast.Module | SyntaxError | None:
        """The syntax tree before the change, likewise."""
        old = PurePosixPath(self.old_path).suffix.lower()
        return python_tree(self.before) if old in (".py", ".pyi") else None


def python_tree(text: str | None) -> ast.Module | SyntaxError | None:
    """Return Python's syntax tree of a text, or why there is none."""
    if text is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except SyntaxError as problem:
        return problem
    except (ValueError, RecursionError, MemoryError) as problem:
        return SyntaxError(str(problem))


@dataclass(frozen=True, kw_only=True)
class ChangeSet:
    """All files of a change. `names`: paths of all files of the reviewed version, empty where only a patch is known.

    `tests_text`: texts of the changed tests, for those who look for a name in them. `unread`: path → why it was not looked at.
    """

    files: tuple[FileChange, ...]
    names: frozenset[str] = frozenset()
    whole: bool = True
    unread: Mapping[str, str] = field(default_factory=dict)


def is_test(path: str) -> bool:
    """Say whether a path is a test's or belongs to tests, by the usual names."""
    parts = PurePosixPath(path.lower())
    name = parts.name
    folders = set(parts.parts[:-1])
    if folders & {"tests", "test", "__tests__", "spec", "specs", "testing"}:
        return True
    stem = name.partition(".")[0]
    return (
        stem.startswith("test_")
        or stem.endswith(("_test", "_tests", "_spec"))
        or stem == "conftest"
        or ".test." in name
        or ".spec." in name
    )


def is_code(path: str) -> bool:
    """Say whether a path is program text, by its ending."""
    return PurePosixPath(path).suffix.lower() in CODE


def changes_of_patch(text: str, name: str) -> ChangeSet:
    """Return a patch as a change: of new files the whole text is known, of others only what the patch shows."""
    files = []
    for file in parse_diff(text, name) if text.strip() else []:
        lines = [line for hunk in file.hunks for line in hunk.lines]
        whole = "\n".join(line.text for line in lines if line.new) + "\n"
        files.append(_file_change(file, None, whole if not file.old_path else None))
    return ChangeSet(files=tuple(files), whole=False)


def changes_between(
    repository: Repository, base: str, head: str, files: list[FileDiff]
) -> ChangeSet:
    """Return the change from one commit to another with the texts before and after. `files`: its diff."""
    found, unread = [], {}
    for number, file in enumerate(files):
        if number >= FILES_LIMIT:
            unread[file.path] = f"more than {FILES_LIMIT} files"
            continue
        before = _text_of(repository, base, file.old_path)
        after = _text_of(repository, head, file.new_path)
        if file.binary:
            unread[file.path] = "binary"
        elif file.new_path and after is None:
            unread[file.path] = "larger than 2 MiB, or no text"
        found.append(_file_change(file, before, after))
    return ChangeSet(files=tuple(found), names=frozenset(repository.names(head)), unread=unread)


def _text_of(repository: Repository, commit: str, path: str) -> str | None:
    data = repository.content(commit, path) if path else None
    if data is None or len(data) > FILE_LIMIT_BYTES or b"\0" in data[:8192]:
        return None
    return data.decode("utf-8", "replace").replace("\r\n", "\n")


def _file_change(file: FileDiff, before: str | None, after: str | None) -> FileChange:
    lines = [line for hunk in file.hunks for line in hunk.lines]
    return FileChange(
        path=file.path,
        old_path=file.old_path,
        added={n.new: n.text for n in lines if n.kind == "added" and n.new is not None},
        removed={n.old: n.text for n in lines if n.kind == "removed" and n.old is not None},
        before=before,
        after=after,
        binary=file.binary,
    )
