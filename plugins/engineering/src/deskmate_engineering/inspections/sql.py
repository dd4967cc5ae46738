"""Finds SQL that is put together from text in Python."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from deskmate_engineering.inspections.classes import Hit
from deskmate_engineering.inspections.names import called, is_constant_name

_SQL = re.compile(
    r"^\s*(?:SELECT\b.*\bFROM\b|INSERT\s+INTO\b|UPDATE\b.*\bSET\b|DELETE\s+FROM\b|DROP\s+(?:TABLE|DATABASE|INDEX)\b|ALTER\s+TABLE\b"
    r"|CREATE\s+(?:TABLE|INDEX|DATABASE)\b|WITH\b.*\bSELECT\b|MERGE\s+INTO\b|TRUNCATE\b|REPLACE\s+INTO\b)",
    re.IGNORECASE | re.DOTALL,
)
_FRAGMENT = re.compile(r"\b(?:WHERE|ORDER\s+BY|VALUES\s*\(|LIKE|LIMIT)\b", re.IGNORECASE)
_RUNNERS = {
    "execute", "executemany", "executescript", "raw", "read_sql", "read_sql_query", "text", "exec_driver_sql", "fetch",
    "fetchrow", "fetchval", "mogrify",
}  # fmt: skip


Texts = tuple[str, bool]
"""The fixed text of an expression, and whether values of the running program become part of it."""


def sql_hits(parents: dict[ast.AST, ast.AST]) -> Iterator[Hit]:
    """Yield the places where a value becomes part of a statement's text. `parents`: all nodes of a file."""
    reader = _Reader(list(parents))
    found: dict[int, int] = {}
    for node in parents:
        if not isinstance(node, ast.JoinedStr | ast.BinOp | ast.Call):
            continue
        if reader.is_part(node, parents.get(node)):
            continue
        text, dynamic = reader.parts(node) or ("", False)
        runs = _is_run(node, parents)
        if dynamic and (_SQL.search(text) or (runs and _FRAGMENT.search(text))):
            found[node.lineno] = node.end_lineno or 0
    for line, end in sorted(found.items()):
        yield Hit(kind="sql-format", line=line, end=end)


class _Reader:
    """Reads texts that are put together. Names that only ever hold literals or placeholders count as fixed."""

    def __init__(self, nodes: Sequence[ast.AST]) -> None:
        self._values: dict[str, list[ast.expr]] = {}
        self._seen: set[str] = set()
        for node in nodes:
            targets = node.targets if isinstance(node, ast.Assign) else ()
            for target in targets:
                if isinstance(target, ast.Name) and isinstance(node, ast.Assign):
                    self._values.setdefault(target.id, []).append(node.value)
        # what is a parameter, a loop's variable or grows is not fixed by its assignments
        loose = {a.arg for a in nodes if isinstance(a, ast.arg)}
        for node in nodes:
            if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension | ast.AugAssign):
                loose |= {n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)}
            elif isinstance(node, ast.withitem) and node.optional_vars is not None:
                loose |= {n.id for n in ast.walk(node.optional_vars) if isinstance(n, ast.Name)}
        for name in loose:
            self._values.pop(name, None)

    def is_part(self, node: ast.AST, parent: ast.AST | None) -> bool:
        """Say whether a node is a part of a larger text, which is looked at instead."""
        if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Add | ast.Mod):
            return self.parts(parent) is not None
        return isinstance(parent, ast.Attribute) and parent.attr == "format"

    def parts(self, node: ast.AST) -> Texts | None:
        """Return what an expression's text is made of; None where it is no text."""
        if isinstance(node, ast.Constant):
            return (node.value, False) if isinstance(node.value, str) else None
        if isinstance(node, ast.JoinedStr):
            fixed = (str(p.value) if isinstance(p, ast.Constant) else "?" for p in node.values)
            values = [p.value for p in node.values if isinstance(p, ast.FormattedValue)]
            return "".join(fixed), any(self._is_dynamic(value) for value in values)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
            values = list(node.right.elts) if isinstance(node.right, ast.Tuple) else [node.right]
            return self._filled(node.left, values)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self._joined(node)
        function = node.func if isinstance(node, ast.Call) else None
        if isinstance(node, ast.Call) and isinstance(function, ast.Attribute):
            values = [*node.args, *(word.value for word in node.keywords)]
            return self._filled(function.value, values) if function.attr == "format" else None
        return None

    def _filled(self, template: ast.AST, values: list[ast.expr]) -> Texts | None:
        fixed = self.parts(template)
        return fixed and (fixed[0], fixed[1] or any(self._is_dynamic(value) for value in values))

    def _joined(self, node: ast.BinOp) -> Texts | None:
        left, right = self.parts(node.left), self.parts(node.right)
        if left is None and right is None:
            return None
        dynamic = any(
            part[1] if part else self._is_dynamic(side)
            for part, side in ((left, node.left), (right, node.right))
        )
        return (left[0] if left else "?") + (right[0] if right else "?"), dynamic

    def _is_dynamic(self, value: ast.AST) -> bool:
        """Say whether a value may come from outside: no literal, no constant in capitals, no placeholders."""
        if isinstance(value, ast.Constant) or is_constant_name(value):
            return False
        if isinstance(value, ast.Name) and value.id in self._values and value.id not in self._seen:
            self._seen.add(value.id)
            dynamic = any(self._is_dynamic(one) for one in self._values[value.id])
            self._seen.discard(value.id)
            return dynamic
        if isinstance(value, ast.Call):
            name = called(value)
            if name in ("int", "float", "len", "id") or name.endswith(
                ("quote_ident", "Identifier")
            ):
                return False
            # ",".join("?" * n): a list of placeholders
            return not (name.endswith("join") and value.args and _is_placeholders(value.args[0]))
        if isinstance(value, ast.BinOp):
            return not _is_placeholders(value) and (
                self._is_dynamic(value.left) or self._is_dynamic(value.right)
            )
        parts = self.parts(value)
        return parts[1] if parts else True


def _is_placeholders(node: ast.AST) -> bool:
    if isinstance(node, ast.GeneratorExp | ast.ListComp):
        node = node.elt
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        node = node.left
    if isinstance(node, ast.List) and len(node.elts) == 1:
        node = node.elts[0]
    return isinstance(node, ast.Constant) and node.value in ("?", "%s", "?,", "%s,", ", ?", ", %s")


def _is_run(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    parent = parents.get(node)
    if not isinstance(parent, ast.Call) or node not in parent.args:
        return False
    return called(parent).rpartition(".")[2] in _RUNNERS
