"""Checks that look at all files of a change together: tests that are missing or gone, lock files that lag behind."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from deskmate_engineering.changes import ChangeSet, FileChange, is_code, is_test
from deskmate_engineering.inspections.classes import Hit
from deskmate_engineering.inspections.migrations import is_migration

Found = tuple[FileChange, Hit]
LOCKS = {
    "package.json": ("package-lock.json", "yarn.lock", "pnpm-lock.yaml", "npm-shrinkwrap.json", "bun.lock", "bun.lockb"),
    "pyproject.toml": ("uv.lock", "poetry.lock", "pdm.lock", "pylock.toml"),
    "Pipfile": ("Pipfile.lock",),
    "Cargo.toml": ("Cargo.lock",),
    "go.mod": ("go.sum",),
    "Gemfile": ("Gemfile.lock",),
    "composer.json": ("composer.lock",),
    "requirements.in": ("requirements.txt",),
}  # fmt: skip
_BY_LOCK = {lock: manifest for manifest, locks in LOCKS.items() for lock in locks}
_NPM = ("dependencies", "devDependencies", "peerDependencies", "optionalDependencies")
_COMMENT = re.compile(r"^\s*(?:#|//|/\*|\*|--|$)")
_TEST_CASE = re.compile(
    r"^\s*(?:it|test)\s*(?:\.each\b.*)?\(\s*[\"'`](?P<name>[^\"'`]+)|^func\s+(?P<go>Test\w+)|@Test\b"
)


def set_hits(change: ChangeSet) -> Iterator[Found]:
    """Yield what the files of a change say together."""
    yield from _missing_tests(change)
    yield from _lost_tests(change)
    yield from _locks(change)


def _missing_tests(change: ChangeSet) -> Iterator[Found]:
    tests = [f for f in change.files if is_test(f.path) and not f.is_deleted]
    told = "\n".join(f.after or "\n".join(f.added.values()) for f in tests if f.added)
    for file in change.files:
        if (
            not is_code(file.path)
            or is_test(file.path)
            or is_migration(file.path)
            or not file.added
        ):
            continue
        lines = _behaviour(file)
        names = {PurePosixPath(file.path).stem, *(name for name in lines.values() if name)} - {
            "__init__"
        }
        if lines and not any(re.search(rf"\b{re.escape(name)}\b", told) for name in names):
            yield file, Hit(kind="missing-test", line=min(lines))


def _behaviour(file: FileChange) -> dict[int, str]:
    """Return the new lines that change what a file does → the function that they are in; comments and names of types do not."""
    tree, old = file.tree, file.old_tree
    if not isinstance(tree, ast.Module):
        lines = {n: "" for n, text in file.added.items() if not _COMMENT.match(text)}
        return {} if file.suffix == ".py" and tree is not None else lines
    if isinstance(old, ast.Module) and _shape(tree) == _shape(old):
        return {}
    found: dict[int, str] = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        said = {n for d in _docstrings(node) for n in range(d.lineno, (d.end_lineno or 0) + 1)}
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1):
            if (
                number in file.added
                and number not in said
                and not _COMMENT.match(file.added[number])
            ):
                found[number] = node.name
    return found


def _docstrings(node: ast.AST) -> list[ast.expr]:
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return []
    first = node.body[0] if node.body else None
    said = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return [first.value] if said and isinstance(first, ast.Expr) else []


def _shape(tree: ast.Module) -> str:
    """Return what a program does, without its docstrings and the places of its lines."""
    plain = ast.parse(ast.unparse(tree))
    for node in ast.walk(plain):
        if _docstrings(node):
            node.body = node.body[1:] or [ast.Pass()]  # type: ignore[attr-defined]
    return ast.dump(plain)


def _lost_tests(change: ChangeSet) -> Iterator[Found]:
    there = {
        name for file in change.files for name in _cases(file.after, file) if not file.is_deleted
    }
    for file in change.files:
        if not is_test(file.old_path or file.path):
            continue
        gone = [
            (line, name)
            for name, line in _cases(file.before, file).items()
            if name not in there and line in file.removed
        ]
        for line, name in gone:
            yield file, Hit(kind="test-removed", line=line, detail=f"{name}.", old=True)


def _cases(text: str | None, file: FileChange) -> dict[str, int]:
    """Return the names of a file's tests → their first line."""
    if text is None:
        return {}
    if file.suffix != ".py":
        matches = ((n, _TEST_CASE.match(line)) for n, line in enumerate(text.split("\n"), start=1))
        return {m["name"] or m["go"] or f"@Test in line {n}": n for n, m in matches if m}
    tree = file.tree if text is file.after else file.old_tree
    if not isinstance(tree, ast.Module):
        return {}
    return {
        n.name: n.lineno
        for n in ast.walk(tree)
        if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) and n.name.startswith("test")
    }


def _locks(change: ChangeSet) -> Iterator[Found]:
    changed = {file.path: file for file in change.files}
    for file in change.files:
        name = PurePosixPath(file.path).name
        folder = PurePosixPath(file.path).parent
        if name in LOCKS and file.added and _dependencies_changed(file, name):
            # a workspace has one lock file, at its top
            places = [parent / lock for parent in (folder, *folder.parents) for lock in LOCKS[name]]
            there = [str(place) for place in places if str(place) in change.names]
            if there and not any(place in changed for place in there):
                line = _first_dependency(file, name)
                yield file, Hit(kind="lock-drift", line=line, detail=f"{there[0]} is as it was.")
        if name in _BY_LOCK and name != "requirements.txt" and file.added:
            manifests = [path for path in changed if PurePosixPath(path).name == _BY_LOCK[name]]
            if change.whole and not manifests and not file.is_new:
                yield file, Hit(kind="lock-only", line=min(file.added))


def _dependencies_changed(file: FileChange, name: str) -> bool:
    if file.before is None or file.after is None:
        return file.is_new or bool(_dependency_lines(file, name))
    before, after = _dependencies(file.before, name), _dependencies(file.after, name)
    return (
        before != after
        if before is not None and after is not None
        else bool(_dependency_lines(file, name))
    )


def _dependencies(text: str, name: str) -> Any:
    """Return what a manifest asks for; None where it cannot be read."""
    try:
        if name in ("package.json", "composer.json"):
            data = json.loads(text)
            keys = _NPM if name == "package.json" else ("require", "require-dev")
            return {key: data.get(key) for key in keys}
        if name in ("pyproject.toml", "Cargo.toml", "Pipfile"):
            data = tomllib.loads(text)
            project, tool = data.get("project", {}), data.get("tool", {})
            kept = [
                project.get("dependencies"),
                project.get("optional-dependencies"),
                data.get("dependency-groups"),
            ]
            kept += [
                {
                    k: v
                    for k, v in tool.get("poetry", {}).items()
                    if k in ("dependencies", "group", "dev-dependencies")
                }
            ]
            kept += [
                {
                    k: v
                    for k, v in data.items()
                    if k.endswith("dependencies") or k in ("packages", "dev-packages", "target")
                }
            ]
            return kept
    except (ValueError, AttributeError):
        return None
    lines = (re.sub(r"(?:#|//).*$", "", line).strip() for line in text.split("\n"))
    return sorted(line for line in lines if line)


def _dependency_lines(file: FileChange, name: str) -> list[int]:
    form = re.compile(
        r"[\"'][^\"']+[\"']\s*[:=,]|^\s*[\"'][\w.-]+.*[<>=~^]|^\s*\w[\w.-]*\s*=|^\s*gem\b|^\s*[\w./-]+\s+v\d|^\s*[\w.-]+\s*[<>=~]="
    )
    return [number for number, text in file.added.items() if form.search(text)]


def _first_dependency(file: FileChange, name: str) -> int:
    return next(iter(_dependency_lines(file, name)), min(file.added))
