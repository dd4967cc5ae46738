"""The layers of the house hold: imports point down only."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_import_linter_keeps_every_contract() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [program, "--no-cache", "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


def test_plugins_import_only_the_public_api_the_documents_and_themselves() -> None:
    import ast

    allowed = ("deskmate.plugin", "deskmate_documents")
    wrong = []
    for file in sorted((ROOT / "plugins").glob("*/src/*/**/*.py")):
        own = file.relative_to(ROOT / "plugins").parts[2]
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            for name in names:
                if not name.startswith("deskmate") or name.split(".")[0] == own:
                    continue
                if not any(name == a or name.startswith(a + ".") for a in allowed):
                    wrong.append(f"{file.relative_to(ROOT)}:{node.lineno} {name}")
    assert wrong == []
