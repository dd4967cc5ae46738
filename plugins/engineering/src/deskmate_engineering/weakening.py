"""Finds out whether a change makes tests say less: a fix mends what is tested, not the test."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from deskmate_engineering.changes import ChangeSet, FileChange, is_test
from deskmate_engineering.inspections.lines import TESTS_OFF

Weak = tuple[str, str]
"""What is weaker, and the path."""
_SETTINGS = {"pytest.ini", ".pytest.ini", "tox.ini", "setup.cfg", "conftest.py", "sitecustomize.py", "usercustomize.py", "noxfile.py", "Makefile", ".coveragerc"}  # fmt: skip
_PARTS = {
    "pyproject.toml": ("tool", "pytest"),
    "package.json": ("scripts", "jest", "mocha", "vitest", "ava"),
}
_KNOWS = re.compile(
    r"\bpytest\b|\bunittest\b|PYTEST_CURRENT_TEST|\bos\._exit\b|\bsys\.modules\b|\b_pytest\b|\bsys\.(?:settrace|setprofile|meta_path)\b|\binspect\.stack\b|\b__assert|\bbuiltins\b"
)
_OTHER_CASE = re.compile(
    r"\b(?:expect|assert\w*|should|it|test|describe|require\.\w+|t\.(?:Error|Fatal)f?)\b"
)
_TAKEN = {"pytestmark", "collect_ignore", "collect_ignore_glob", "__test__", "load_tests"}


def weaker_tests(change: ChangeSet) -> Iterator[Weak]:
    """Yield what the change takes from the tests, and code that asks whether it is being tested."""
    for file in change.files:
        name = PurePosixPath(file.path).name
        old = PurePosixPath(file.old_path).name if file.old_path else name
        if name in _SETTINGS or old in _SETTINGS or name.endswith(".pth"):
            yield "It changes how tests are set up or run.", file.path
        elif name in _PARTS and _part_changed(file, _PARTS[name]):
            yield "It changes how tests are run.", file.path
        elif is_test(file.path) or is_test(file.old_path):
            yield from ((message, file.path) for message in _test_file(file))
        else:
            for number, text in file.added.items():
                if _KNOWS.search(text) and not text.lstrip().startswith(("#", "//")):
                    yield (
                        f"Line {number} reaches for the test runner or Python's own workings.",
                        file.path,
                    )


def _part_changed(file: FileChange, keys: tuple[str, ...]) -> bool:
    def read(text: str | None) -> Any:
        if text is None:
            return None
        data: Any = tomllib.loads(text) if file.suffix == ".toml" else json.loads(text)
        if file.suffix == ".toml":
            return data.get("tool", {}).get("pytest")
        return {key: data.get(key) for key in keys}

    try:
        return bool(read(file.before) != read(file.after))
    except (ValueError, AttributeError):
        return True


def _test_file(file: FileChange) -> Iterator[str]:
    if file.is_new and file.after is not None:
        if any(TESTS_OFF.search(line) for line in file.added.values()):
            yield "It switches tests off."
        return
    if file.after is None or file.before is None:
        yield "It deletes or moves tests, or makes them unreadable."
    elif file.path != file.old_path:
        yield f"It moves the tests of {file.old_path}."
    elif file.suffix == ".py":
        yield from _python(file)
    else:
        if any(line.strip() for line in file.removed.values()):
            yield "It changes or takes out lines of a test or of what tests use."
        if any(TESTS_OFF.search(line) for line in file.added.values()):
            yield "It switches tests off."


def _python(file: FileChange) -> Iterator[str]:
    old, new = file.old_tree, file.tree
    if not isinstance(old, ast.Module) or not isinstance(new, ast.Module):
        yield "Its tests cannot be compared: Python cannot read the file."
        return
    before, after = _named(old), _named(new)
    for name, parts in before.items():
        if after.get(name) != parts:
            yield f"{name} is changed or gone."
    for name, parts in after.items():
        if name in before:
            continue
        if name.startswith("import "):
            continue
        if name.rpartition(".")[2] in _TAKEN or name == "other statements":
            yield f"It adds {name}, which may switch tests off."
        elif any("autouse" in part for part in parts):
            yield f"It adds {name}, which acts on tests that are there."
    if any(TESTS_OFF.search(line) for line in file.added.values()):
        yield "It switches tests off."


def _named(tree: ast.Module) -> dict[str, list[str]]:
    """Return what a file defines, name → its code in a form without comments and layout; members of classes one by one."""
    found: dict[str, list[str]] = {}

    def put(prefix: str, body: list[ast.stmt]) -> None:
        for node in body:
            code = ast.dump(node)
            if isinstance(node, ast.ClassDef):
                head = ast.dump(
                    ast.ClassDef(node.name, node.bases, node.keywords, [], node.decorator_list)
                )
                found.setdefault(f"{prefix}class {node.name}", []).append(head)
                put(f"{prefix}{node.name}.", node.body)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found.setdefault(prefix + node.name, []).append(code)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                for alias in node.names:
                    module = getattr(node, "module", "") or ""
                    found.setdefault(f"import {module} {alias.name} {alias.asname}", []).append("")
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    found.setdefault(prefix + ast.unparse(target), []).append(code)
            elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
                found.setdefault(f"{prefix}other statements", []).append(code)

    put("", tree.body)
    return found
