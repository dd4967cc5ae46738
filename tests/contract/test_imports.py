"""Modules import alone and without warnings; the command line loads no more than it needs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {"anthropic", "mcp", "starlette", "pydantic"}

EACH_ALONE = """
import ast, importlib, os, sys, traceback, warnings
names, own = sys.argv[1].split(","), ("deskmate",)
found = set()
for line in open(sys.argv[2]).read().split():
    for node in ast.parse(open(line).read()).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
with warnings.catch_warnings():  # what others warn of is theirs; and they load once, not per module
    warnings.simplefilter("ignore")
    for name in sorted(found):
        if not name.startswith(own):
            try:
                importlib.import_module(name)
            except ImportError:
                pass
assert not [name for name in sys.modules if name.startswith(own)]
warnings.simplefilter("error")
bad = []
for name in names:
    child = os.fork()
    if child == 0:
        code = 0
        try:
            importlib.import_module(name)
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stderr.flush()
        os._exit(code)
    if os.waitpid(child, 0)[1]:
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


def test_each_module_imports_alone_without_a_warning(tmp_path: Path) -> None:
    found = modules()
    assert len(found) > 50
    listing = tmp_path / "files"
    listing.write_text("\n".join(str(file) for _, file in found))
    done = subprocess.run(
        [sys.executable, "-c", EACH_ALONE, ",".join(name for name, _ in found), str(listing)],
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
