"""The public API for plugin authors is exactly what it says, and documented."""

import ast
import inspect
import re
import sys
from pathlib import Path
from types import FunctionType

import pytest

import deskmate.plugin
from deskmate.plugin import hookspecs

ROOT = Path(__file__).parents[2]
PARTS = ("When called", "Arguments", "Returns", "Errors", "Example", "Added in")


def hooks() -> dict[str, FunctionType]:
    return {
        name: value
        for name, value in vars(hookspecs).items()
        if isinstance(value, FunctionType) and name.startswith("deskmate_")
    }


def page() -> str:
    return (ROOT / "docs/reference/hooks.md").read_text()


def test_all_names_exactly_the_public_names() -> None:
    public = {
        name
        for name, value in vars(deskmate.plugin).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert set(deskmate.plugin.__all__) == public
    assert len(deskmate.plugin.__all__) == len(public)


def test_every_public_name_has_a_docstring_of_its_own() -> None:
    # A dataclass without one gets its signature, a NewType or constant that of its type.
    bare = []
    for name in deskmate.plugin.__all__:
        value = getattr(deskmate.plugin, name)
        if not isinstance(value, type | FunctionType):
            continue
        text = value.__doc__ or ""
        if not text.strip() or text.startswith(f"{name}("):
            bare.append(name)
    assert bare == []


def test_every_public_method_and_property_has_a_docstring() -> None:
    bare = []
    for name in deskmate.plugin.__all__:
        value = getattr(deskmate.plugin, name)
        if not isinstance(value, type):
            continue
        for key, member in vars(value).items():
            is_ours = isinstance(member, FunctionType | property) and not key.startswith("_")
            if is_ours and not (member.__doc__ or "").strip():
                bare.append(f"{name}.{key}")
    assert bare == []


def test_importing_the_api_loads_nothing_but_pluggy_and_the_standard_library() -> None:
    import subprocess

    code = (
        "import sys, deskmate.plugin; print(' '.join({m.partition('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    baseline = subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            "import sys; print(' '.join({m.partition('.')[0] for m in sys.modules}))",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    new = set(done.stdout.split()) - set(baseline.stdout.split()) - set(sys.stdlib_module_names)
    assert {name for name in new if not name.startswith("_")} == {"deskmate", "pluggy"}


def test_there_are_four_hooks() -> None:
    assert list(hooks()) == [
        "deskmate_prompts",
        "deskmate_tools",
        "deskmate_skills",
        "deskmate_validators",
    ]


@pytest.mark.parametrize("name", list(hooks()))
def test_a_hookspec_says_when_what_and_since_when(name: str) -> None:
    text = inspect.getdoc(hooks()[name]) or ""
    places = [text.find(f"{part}: ") for part in PARTS]
    assert -1 not in places
    assert places == sorted(places)


@pytest.mark.parametrize("name", list(hooks()))
def test_the_hooks_page_has_the_signature_and_every_word_of_the_spec(name: str) -> None:
    section = page().split(f"## {name}\n")[1].split("\n## ")[0]
    signature = f"def {name}{inspect.signature(hooks()[name])}".replace("'", "")
    assert signature in section
    summary, *lines = [line for line in (inspect.getdoc(hooks()[name]) or "").splitlines() if line]
    assert summary in section
    for line in lines:
        part, _, words = line.partition(": ")
        assert f"- **{part}:** {words}" in section


def test_the_hooks_page_describes_no_other_hook() -> None:
    assert re.findall(r"^## (\S+)$", page(), re.M) == list(hooks())


def test_the_hooks_pages_example_is_real() -> None:
    code = re.findall(r"```python\n(from.*?)```", page(), re.S)[0]
    names: dict[str, object] = {}
    exec(compile(code, "hooks.md", "exec"), names)
    tools = names["deskmate_tools"](None)  # type: ignore[operator]
    assert [tool.name for tool in tools] == ["word_count"]


def test_every_hook_has_a_test_named_for_it() -> None:
    tested = {
        node.name
        for file in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    missing = [
        name for name in hooks() if not any(test.startswith(f"test_{name}_") for test in tested)
    ]
    assert missing == []
