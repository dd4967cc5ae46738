"""Every file, function and class stays within the house's limits. There is no list of exceptions."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILE_LINES, BODY_LINES, CLASS_LINES, PARAMETERS = 500, 60, 300, 8
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources() -> list[Path]:
    found = [
        file
        for top in (ROOT / "core/src", *sorted((ROOT / "plugins").glob("*/src")))
        for file in sorted(top.rglob("*.py"))
    ]
    assert len(found) > 50
    return found


def parsed() -> Iterator[tuple[str, str, ast.Module]]:
    for file in sources():
        text = file.read_text()
        yield file.relative_to(ROOT).as_posix(), text, ast.parse(text)


def functions(tree: ast.Module) -> Iterator[Function]:
    return (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def body_lines(node: Function) -> int:
    """Count all lines below the signature, the docstring too."""
    return (node.body[-1].end_lineno or 0) - node.body[0].lineno + 1


def is_command(node: Function) -> bool:
    """A click command has one parameter an option: that is what click wants, not our shape."""
    names = {ast.unparse(item).partition("(")[0] for item in node.decorator_list}
    return any(name.endswith(".command") for name in names)


def parameters(node: Function) -> int:
    names = node.args
    return len([*names.posonlyargs, *names.args, *names.kwonlyargs])


def test_no_file_has_more_than_500_lines() -> None:
    assert [p for p, text, _ in parsed() if len(text.splitlines()) > FILE_LINES] == []


def test_no_function_has_a_body_of_more_than_60_lines() -> None:
    long = [
        f"{path}:{node.lineno} {node.name} {body_lines(node)}"
        for path, _, tree in parsed()
        for node in functions(tree)
        if body_lines(node) > BODY_LINES
    ]
    assert long == []


def test_no_function_but_a_command_has_more_than_8_parameters() -> None:
    wide = [
        f"{path}:{node.lineno} {node.name}"
        for path, _, tree in parsed()
        for node in functions(tree)
        if parameters(node) > PARAMETERS and not is_command(node)
    ]
    assert wide == []


def test_no_class_has_more_than_300_lines() -> None:
    large = [
        f"{path}:{node.lineno} {node.name}"
        for path, _, tree in parsed()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and (node.end_lineno or 0) - node.lineno > CLASS_LINES
    ]
    assert large == []


def test_every_module_says_what_lives_in_it() -> None:
    assert [
        path for path, text, tree in parsed() if text.strip() and not ast.get_docstring(tree)
    ] == []


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert [str(file) for file in sources() if file.stem.strip("_") in BANNED_NAMES] == []
