"""Modules import alone and without warnings; the command line loads no more than it needs."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {"anthropic", "mcp", "starlette", "pydantic"}

IN_ORDER = """
import importlib, sys, traceback, warnings
warnings.simplefilter("error")
bad = []
for name in sys.argv[1].split(","):
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            importlib.import_module(name)
        except BaseException:
            traceback.print_exc()
            bad.append(name)
    own = [w for w in heard if "deskmate" in w.filename]  # what others warn of is theirs
    if own:
        sys.stderr.write(f"{name}: {own[0].message}\\n")
        bad.append(name)
print(",".join(bad))
"""


def tops() -> list[Path]:
    return [ROOT / "core/src", *sorted((ROOT / "plugins").glob("*/src"))]


def modules() -> list[tuple[str, Path]]:
    found = []
    for top in tops():
        for file in sorted(top.rglob("*.py")):
            parts = file.relative_to(top).with_suffix("").parts
            if parts[-1] == "__main__" or "recipe" in parts:
                continue
            found.append((".".join(parts).removesuffix(".__init__"), file))
    return found


def imported_first(name: str, file: Path, known: set[str]) -> set[str]:
    """Return what must have been imported when the module's own lines run; its packages come before it anyway."""
    found: set[str] = set()
    for node in outermost(ast.parse(file.read_text()).body):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name} has an import that is relative"
            found.add(str(node.module))
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return (found & known) - {name}


def outermost(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that run when a module is imported."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        for part in ("body", "orelse", "finalbody"):
            yield from outermost(getattr(node, part, []))
        for handler in getattr(node, "handlers", []):
            yield from outermost(handler.body)


def order_of_imports() -> list[str]:
    """Return all modules, each after what it imports. Raises CycleError.

    A package and a module in it that it imports are in a circle in which nothing can go wrong: the package is always
    begun first. So only what the lines of a module name counts, and a package's lines where a module needs its names.
    """
    found = dict(modules())
    known = set(found)
    needs = {name: imported_first(name, file, known) for name, file in found.items()}
    return list(TopologicalSorter(needs).static_order())


def test_each_module_imports_alone_without_a_warning() -> None:
    """Where there is no circle, a module that imports after all that it needs imports alone, too."""
    order = order_of_imports()
    assert len(order) > 50
    done = subprocess.run(
        [sys.executable, "-c", IN_ORDER, ",".join(order)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, tops()))},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "", done.stderr


def loaded_by(arguments: list[str], home: Path) -> set[str]:
    code = (
        "import sys, json\n"
        "from deskmate.cli import main\n"
        "try:\n    main(json.loads(sys.argv[1]))\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "print('\\\n' + json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"DESKMATE_HOME": str(home), "PATH": ""},
    )
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    loaded = loaded_by(arguments, tmp_path)
    heavy = HEAVY | {"sqlite_utils", "jsonschema", "rich", "anyio", "zstandard", "yaml"}
    assert loaded & heavy == set()


@pytest.mark.parametrize(
    "arguments", [["plugin", "list"], ["plugin", "list", "--json"], ["skill", "list"]]
)
def test_listing_plugins_loads_no_model_protocol_or_store(
    arguments: list[str], tmp_path: Path
) -> None:
    loaded = loaded_by(arguments, tmp_path)
    assert "jsonschema" in loaded, "the first listing checks every manifest"
    assert loaded & (HEAVY | {"sqlite_utils"}) == set()
    assert (
        loaded & {"deskmate_guest", "deskmate_documents", "deskmate_legal", "deskmate_hr"} == set()
    )


def test_a_second_listing_does_not_check_manifests_again(tmp_path: Path) -> None:
    loaded_by(["plugin", "list"], tmp_path)
    assert "jsonschema" not in loaded_by(["plugin", "list"], tmp_path)


def test_its_version_is_told_before_anything_is_loaded_and_as_the_command_line_tells_it() -> None:
    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "deskmate", "--version"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    asked = subprocess.run(
        [sys.executable, "-c", "from deskmate.cli import main; main(['--version'])"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert told.stdout == asked.stdout
    loaded = {line.rpartition("|")[2].strip() for line in told.stderr.splitlines()}
    assert "deskmate" in loaded
    assert not loaded & {"click", "deskmate.cli"}
