"""Writes the examples of the plugins' `checks/` that are no text: a small repository, patches, spoilt workbooks and documents.

Run it after a change of what the tools write; what it writes is committed. Usage: python scripts/plugin_examples.py
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from deskmate.plugin import ToolContext  # noqa: E402

CART = """def total(prices, discount=0):
    return sum(prices) - discount * len(prices)


def count(prices):
    return len(prices)
"""
MENDED = CART.replace("discount * len(prices)", "discount")
TEST = """import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from cart import count, total


def test_count():
    assert count([1, 2]) == 2


def test_discount_is_taken_once():
    assert total([10, 20], 5) == 25
"""
FEATURE = """import hashlib
import pickle
import subprocess


def load(path):
    return pickle.loads(open(path, "rb").read())


def send(name):
    subprocess.run("mail " + name, shell=True)
"""


def checks(plugin: str) -> Path:
    """Return a plugin's folder of examples."""
    return ROOT / "plugins" / plugin / "src" / f"deskmate_{plugin}" / "checks"


def desk(plugin: str) -> ToolContext:
    """Return a copy of a plugin's example files as a workspace."""
    top = Path(tempfile.mkdtemp(prefix="deskmate-examples-"))
    shutil.copytree(checks(plugin) / "files", top / "workspace")
    return ToolContext(workspace=top / "workspace", home=top, resources=top)


def keep(context: ToolContext, path: str, plugin: str, name: str) -> Path:
    """Copy a result to a plugin's `bad` examples; return the copy, which is spoilt next."""
    target = checks(plugin) / "bad" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(context.workspace / path, target)
    return target


def repository() -> None:
    """Write `shop.git`: three commits on main, one more on feature, dates and names fixed."""
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch, "shop")
        work.mkdir()

        def git(*words: str, when: str = "2025-03-03T10:00:00Z") -> None:
            fixed = {
                "GIT_CONFIG_GLOBAL": os.devnull,
                "GIT_CONFIG_SYSTEM": os.devnull,
                "GIT_AUTHOR_DATE": when,
                "GIT_COMMITTER_DATE": when,
            }
            who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
            subprocess.run(
                ["git", *who, *words],
                cwd=work,
                env={**os.environ, **fixed},
                check=True,
                capture_output=True,
            )

        def commit(files: dict[str, str], message: str, when: str) -> None:
            for name, text in files.items():
                (work / name).write_text(text)
            git("add", "-A")
            git("commit", "-q", "-m", message, when=when)

        git("init", "-q", "-b", "main")
        commit(
            {"cart.py": CART.replace(" - discount * len(prices)", ""), "README.md": "# Shop\n"},
            "Add the cart",
            "2025-03-03T10:00:00Z",
        )
        commit(
            {"cart.py": CART, "test_cart.py": TEST}, "Take a discount off", "2025-03-04T10:00:00Z"
        )
        git("checkout", "-q", "-b", "feature")
        commit({"export.py": FEATURE}, "Export carts", "2025-03-05T10:00:00Z")
        git("checkout", "-q", "main")
        git("pack-refs", "--all")
        git("repack", "-adq")
        target = checks("engineering") / "files" / "shop.git"
        shutil.rmtree(target, ignore_errors=True)
        (target / "objects" / "pack").mkdir(parents=True)
        for name in ("HEAD", "packed-refs"):
            shutil.copyfile(work / ".git" / name, target / name)
        for file in (work / ".git" / "objects" / "pack").glob("*"):
            if file.suffix in (".pack", ".idx"):
                shutil.copyfile(file, target / "objects" / "pack" / file.name)
                (target / "objects" / "pack" / file.name).chmod(0o644)


def patches() -> None:
    """Write patches that do not apply, weaken a test, and mend nothing."""
    from deskmate_engineering.tools.fix import fix_propose  # noqa: PLC0415

    context = desk("engineering")
    mend = [{"file": "cart.py", "find": "discount * len(prices)", "replace": "discount"}]
    test = "test_cart.py::test_discount_is_taken_once"
    made = fix_propose(
        context,
        mend,
        [test],
        "The discount was taken once an item.",
        path="shop.git",
        output="fix.patch",
    )
    data: Any = made.deliverables[0].data
    print(
        "base =",
        data["base"],
        "files =",
        data["files"],
        "tests =",
        data["tests"],
        "scope =",
        data["scope"],
    )
    text = (context.workspace / "fix.patch").read_text()
    bad = checks("engineering") / "bad"
    bad.mkdir(exist_ok=True)
    (bad.parent / "good").mkdir(exist_ok=True)
    (bad.parent / "good" / "fix.patch").write_text(text)
    (bad / "elsewhere.patch").write_text(
        text.replace("sum(prices) - discount * len", "sum(prices) - discount / len")
    )
    (bad / "idle.patch").write_text(
        text.replace(
            "+    return sum(prices) - discount\n",
            "+    return sum(prices) - len(prices) * discount\n",
        )
    )
    weaker = text.replace("File: cart.py", "File: cart.py\nFile: test_cart.py")
    weaker += (
        "diff --git a/test_cart.py b/test_cart.py\n--- a/test_cart.py\n+++ b/test_cart.py\n@@ -11,4 +11,4 @@ def test_count():\n \n \n"
        " def test_discount_is_taken_once():\n-    assert total([10, 20], 5) == 25\n+    assert total([10, 20], 5)\n"
    )
    (bad / "weaker.patch").write_text(weaker)


if __name__ == "__main__":
    repository()
    patches()
