"""Small questions about Python's syntax trees that several checks ask."""

from __future__ import annotations

import ast
from collections.abc import Iterator


def dotted(node: ast.AST | None) -> str:
    """Return `a.b.c` for names and attributes, else an empty text."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value)
        return f"{owner}.{node.attr}" if owner else ""
    return ""


def called(node: ast.Call) -> str:
    """Return the dotted name of what is called; of a method of something unnamed, the method's name."""
    name = dotted(node.func)
    return name or (f".{node.func.attr}" if isinstance(node.func, ast.Attribute) else "")


def parents_of(tree: ast.AST) -> dict[ast.AST, ast.AST]:
    """Return node → the node that it is part of, for all but the tree itself; one walk serves all checks."""
    found: dict[ast.AST, ast.AST] = {}
    left = [tree]
    while left:
        node = left.pop()
        children = list(ast.iter_child_nodes(node))
        found |= dict.fromkeys(children, node)
        left += children
    return found


def inner_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what is below a node, without what belongs to functions and classes defined in it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            continue
        yield child
        yield from inner_nodes(child)


def is_constant_name(node: ast.AST) -> bool:
    """Say whether a node is a name in capitals, by convention a constant of the program."""
    last = dotted(node).rpartition(".")[2]
    return len(last) > 1 and last.isupper()
