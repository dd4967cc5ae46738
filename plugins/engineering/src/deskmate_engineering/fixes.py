"""A fix: edits become a tree and a patch in our own git folder, and its text says what it rests on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from deskmate.plugin import ToolInputError
from deskmate_engineering.changes import ChangeSet, changes_between
from deskmate_engineering.diffs import FileDiff, parse_diff
from deskmate_engineering.repository import Repository
from deskmate_engineering.testing import BAD, TestRun

WHOLE, NAMED = "all tests", "the files of the named tests"
EDITS_LIMIT = 200
_SEPARATOR = "---"
_PLAIN_MODES = ("100644", "100755")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """A change from a commit. `tree`: id of the tree that it leads to. `patch`: its diff."""

    base: str
    tree: str
    patch: str
    files: tuple[FileDiff, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that it changes."""
        return tuple(
            sorted({path for f in self.files for path in (f.old_path, f.new_path) if path})
        )


def fix_of_edits(repository: Repository, base: str, edits: Sequence[Mapping[str, Any]]) -> Fix:
    """Return the fix that edits make of a commit.

    Raises:
        ToolInputError: an edit does not fit the commit's files, or nothing changes.
    """
    if not edits or len(edits) > EDITS_LIMIT:
        raise ToolInputError(f"Give 1 to {EDITS_LIMIT} edits.")
    texts: dict[str, str] = {}
    for number, edit in enumerate(edits, start=1):
        path = _path(edit, number)
        if path not in texts:
            data = repository.content(base, path)
            texts[path] = "" if data is None else _decoded(data, path)
            if data is None and "content" not in edit:
                raise ToolInputError(
                    f"Edit {number}: {path} is not in {base[:10]}; give its content."
                )
        texts[path] = _edited(texts[path], edit, number, path)
    with TemporaryDirectory(prefix="deskmate-index-") as folder:
        extra = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        repository.run(["read-tree", base], extra=extra)
        for path, text in texts.items():
            blob = (
                repository.run(["hash-object", "-w", "--no-filters", "--stdin"], data=text.encode())
                .decode()
                .strip()
            )
            mode = _mode(repository, base, path)
            repository.run(
                ["update-index", "--add", "--cacheinfo", f"{mode},{blob},{path}"], extra=extra
            )
        tree = repository.run(["write-tree"], extra=extra).decode().strip()
    return _fix(repository, base, tree)


def fix_of_patch(repository: Repository, base: str, text: str) -> Fix:
    """Return the fix that a patch makes of a commit.

    Raises:
        ToolInputError: it does not apply cleanly.
    """
    with TemporaryDirectory(prefix="deskmate-index-") as folder:
        extra = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        repository.run(["read-tree", base], extra=extra)
        repository.run(
            ["apply", "--cached", "--whitespace=nowarn", "-"], data=text.encode(), extra=extra
        )
        tree = repository.run(["write-tree"], extra=extra).decode().strip()
    return _fix(repository, base, tree)


def _fix(repository: Repository, base: str, tree: str) -> Fix:
    options = ("--no-ext-diff", "--no-textconv", "--no-color", "--src-prefix=a/", "--dst-prefix=b/", "--binary", "--full-index", "--no-renames")  # fmt: skip
    patch = repository.git("diff", *options, base, tree, "--")
    if not patch.strip():
        raise ToolInputError("The edits change nothing.")
    return Fix(base=base, tree=tree, patch=patch, files=tuple(parse_diff(patch, "the fix")))


def _path(edit: Mapping[str, Any], number: int) -> str:
    path = edit.get("file") if isinstance(edit, Mapping) else None
    if not isinstance(path, str) or not path or re.search(r"[\x00-\x1f]", path):
        raise ToolInputError(f"Edit {number} names no file.")
    parts = path.split("/")
    if path.startswith("/") or {"", ".", ".."} & set(parts) or ".git" in (p.lower() for p in parts):
        raise ToolInputError(f"Edit {number}: {path} is no path inside the repository.")
    return path


def _decoded(data: bytes, path: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise ToolInputError(f"{path} is not UTF-8 text.") from problem


def _edited(text: str, edit: Mapping[str, Any], number: int, path: str) -> str:
    if isinstance(content := edit.get("content"), str):
        return content
    find, replace = edit.get("find"), edit.get("replace")
    if not isinstance(find, str) or not find or not isinstance(replace, str):
        raise ToolInputError(f"Edit {number} needs find and replace, or content.")
    count = text.count(find)
    if count != 1:
        raise ToolInputError(
            f"Edit {number}: {find[:80]!r} occurs {count} times in {path}; it must occur once."
        )
    return text.replace(find, replace)


def _mode(repository: Repository, base: str, path: str) -> str:
    listed = repository.git("ls-tree", base, path).split(" ")[0]
    if listed and listed not in _PLAIN_MODES:
        raise ToolInputError(f"{path} is a link or a submodule; it is not edited.")
    return listed or "100644"


def change_of(repository: Repository, fix: Fix) -> ChangeSet:
    """Return the fix as a change with the texts before and after."""
    return changes_between(repository, fix.base, fix.tree, list(fix.files))


def failures(before: TestRun, after: TestRun, named: Sequence[str]) -> list[str]:
    """Return why the named tests are not fixed, or others are broken; empty where all is well."""
    found = []
    for name in named:
        old, new = before.tests.get(name), after.tests.get(name)
        if old is None or old.outcome not in BAD:
            what = "does not exist" if old is None else old.outcome
            found.append(f"{name} did not fail before: it {what}.")
        if new is None or new.outcome != "passed":
            said = (
                f": {new.message.strip().splitlines()[-1][:300]}"
                if new and new.message.strip()
                else ""
            )
            found.append(
                f"{name} does not pass after ({new.outcome if new else 'it is gone'}){said}."
            )
    for name, old in before.tests.items():
        new = after.tests.get(name)
        if old.outcome == "passed" and (new is None or new.outcome != "passed"):
            said = (
                f": {new.message.strip().splitlines()[-1][:300]}"
                if new and new.message.strip()
                else ""
            )
            found.append(
                f"{name} passed before and now {'is gone' if new is None else new.outcome}{said}."
            )
        elif old.outcome != "skipped" and new is not None and new.outcome == "skipped":
            found.append(f"{name} ran before and is skipped now.")
    fresh = [n for n, t in after.tests.items() if n not in before.tests and t.outcome in BAD]
    return found + [f"{name} is new and fails." for name in fresh if name not in named]


def patch_text(
    fix: Fix, *, name: str, named: Sequence[str], why: str, counts: tuple[str, str], scope: str
) -> str:
    """Return the patch with its head: git leaves out what stands before the first file."""
    lines = [
        f"Fix for {name}",
        "",
        f"Base: {fix.base}",
        *(f"File: {path}" for path in fix.paths),
        *(f"Fixed: {test}" for test in named),
        f"Tests: {counts[0]} before, {counts[1]} after; {scope}",
        "",
        *(f"    {line}" for line in why.strip().splitlines()),
        _SEPARATOR,
        "",
    ]
    return "\n".join(lines) + fix.patch


def head_of(text: str) -> dict[str, list[str]]:
    """Return what the head of a patch says, label → values."""
    found: dict[str, list[str]] = {}
    for line in text.partition(f"\n{_SEPARATOR}\n")[0].split("\n"):
        if match := re.match(r"(Base|File|Fixed|Tests): (.*)$", line):
            found.setdefault(match[1], []).append(match[2])
    return found
