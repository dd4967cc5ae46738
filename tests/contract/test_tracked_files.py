"""What is in the repository speaks of the project only: no registry, no machine, no secret."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# In pieces, so that this file does not contain what it looks for.
REGISTRIES = [
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "registry." + "npmjs",
    "deb." + "debian.org",
    "archive." + "ubuntu.com",
    "index-url" + " http",
    "--index-url" + "=http",
]
MACHINE = re.compile(
    "/" + r"work/(?:main|shared)\b|/" + r"root/\.|/" + r"home/(?!agent\b)[a-z]+/\."
)
SECRET = re.compile(r"sk-" + r"ant-[a-zA-Z0-9]{8}|-----BEGIN [A-Z ]*PRIVATE " + "KEY-----")


def tracked() -> list[tuple[str, str]]:
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode != 0:
        pytest.skip("not a git checkout")
    found = []
    for name in done.stdout.split("\0"):
        file = ROOT / name
        if name and file.is_file() and file.stat().st_size < 2_000_000:
            found.append((name, file.read_bytes().decode("utf-8", "replace")))
    assert len(found) > 50
    return found


def test_no_tracked_file_names_a_registry() -> None:
    assert [(name, word) for name, text in tracked() for word in REGISTRIES if word in text] == []


def test_no_tracked_file_has_a_path_of_the_machine_it_was_written_on() -> None:
    hits = [(name, match[0]) for name, text in tracked() if (match := MACHINE.search(text))]
    assert hits == []


def test_no_tracked_file_holds_a_secret() -> None:
    assert [name for name, text in tracked() if SECRET.search(text)] == []


def test_no_python_cache_or_built_file_is_tracked() -> None:
    odd = (".pyc", ".pyo", ".so", ".erofs", ".whl", ".db")
    assert [name for name, _ in tracked() if name.endswith(odd) or "__pycache__" in name] == []
