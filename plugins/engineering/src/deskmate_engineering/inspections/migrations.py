"""Checks of changes to a database's structure: SQL, Django and Alembic."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from deskmate_engineering.changes import FileChange
from deskmate_engineering.inspections.classes import Hit
from deskmate_engineering.inspections.names import called

_PLACE = re.compile(r"(?:^|/)(?:migrations?|alembic/versions|versions|db/migrate|flyway|liquibase|changelogs?|schema)/|(?:^|/)V\d+__\w+\.sql$", re.IGNORECASE)  # fmt: skip
_LOSS = re.compile(r"\bDROP\s+(?:TABLE|COLUMN|DATABASE|SCHEMA)\b|\bTRUNCATE\b|\bALTER\s+TABLE\b.*\bDROP\s+(?!CONSTRAINT|INDEX|DEFAULT|NOT)\w", re.IGNORECASE)  # fmt: skip
_UNBOUND = re.compile(r"^\s*(?:DELETE\s+FROM\s+[\w.\"`]+\s*$|UPDATE\s+[\w.\"`]+\s+SET\b(?!.*\bWHERE\b))", re.IGNORECASE | re.DOTALL)  # fmt: skip
_NOT_NULL = re.compile(r"\bADD\s+(?:COLUMN\s+)?(?!CONSTRAINT)[\w\"`]+\s+\w+.*\bNOT\s+NULL\b(?!.*\bDEFAULT\b)", re.IGNORECASE)  # fmt: skip
_SET_NOT_NULL = re.compile(r"\bALTER\s+(?:COLUMN\s+)?[\w\"`]+\s+(?:SET\s+NOT\s+NULL|(?:SET\s+DATA\s+)?TYPE\b)|\bMODIFY\s+(?:COLUMN\s+)?\w+", re.IGNORECASE)  # fmt: skip
_INDEX = re.compile(r"\bCREATE\s+(?:UNIQUE\s+)?INDEX\s+(?!.*\bCONCURRENTLY\b)", re.IGNORECASE)
_RENAME = re.compile(r"\bRENAME\s+(?:TO|COLUMN)\b|\bRENAME\s+\w+\s+TO\b", re.IGNORECASE)
_CALLS = {
    "RemoveField": "migration-loss",
    "DeleteModel": "migration-loss",
    "drop_column": "migration-loss",
    "drop_table": "migration-loss",
    "RenameField": "migration-rename",
    "RenameModel": "migration-rename",
    "rename_table": "migration-rename",
}


def is_migration(path: str) -> bool:
    """Say whether a file changes a database's structure, by its place and name."""
    return bool(_PLACE.search(path)) and path.lower().endswith((".sql", ".py"))


def migration_hits(file: FileChange) -> Iterator[Hit]:
    """Yield what a migration destroys, locks or renames; what stands in its way back is no step forward."""
    if not is_migration(file.path):
        return
    if isinstance(file.tree, ast.Module):
        yield from _python(file.tree)
    elif file.suffix == ".sql" and not re.search(
        r"(?:down|rollback|undo|revert)", file.path, re.IGNORECASE
    ):
        yield from _sql(file)


def _python(tree: ast.Module) -> Iterator[Hit]:
    back = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "downgrade"]
    skipped = {inner for node in back for inner in ast.walk(node)}
    for node in back:
        if not any(isinstance(inner, ast.Call) for inner in ast.walk(node)):
            yield Hit(kind="migration-one-way", line=node.lineno, end=node.end_lineno or 0)
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and call not in skipped:
            yield from _operation(call, called(call).rpartition(".")[2])


def _operation(node: ast.Call, name: str) -> Iterator[Hit]:
    words = {word.arg: word.value for word in node.keywords}
    line, end = node.lineno, node.end_lineno or 0
    if name in _CALLS:
        yield Hit(kind=_CALLS[name], line=line, end=end, detail=f"{name}.")
    elif name == "add_column":
        yield from _added_column(node)
    elif name == "AddField":
        yield from _added_field(node, words.get("field"))
    elif name == "alter_column":
        if "new_column_name" in words:
            yield Hit(kind="migration-rename", line=line, end=end)
        if "type_" in words or _is_false(words.get("nullable")):
            yield Hit(kind="migration-lock", line=line, end=end)
    no_way_back = len(node.args) < 2 and not {"reverse_code", "reverse_sql"} & set(words)
    if name in ("RunPython", "RunSQL") and no_way_back:
        yield Hit(kind="migration-one-way", line=line, end=end)
    if name in ("execute", "RunSQL") and node.args and isinstance(node.args[0], ast.Constant):
        yield from _statement(str(node.args[0].value), line, end)


def _added_column(node: ast.Call) -> Iterator[Hit]:
    for column in node.args:
        words = {w.arg: w.value for w in column.keywords} if isinstance(column, ast.Call) else {}
        if _is_false(words.get("nullable")) and "server_default" not in words:
            yield Hit(
                kind="migration-lock",
                line=node.lineno,
                end=node.end_lineno or 0,
                detail="The column must be filled and has no default.",
            )


def _added_field(node: ast.Call, field: ast.expr | None) -> Iterator[Hit]:
    field = field or (node.args[2] if len(node.args) > 2 else None)
    if not isinstance(field, ast.Call):
        return
    words = {w.arg: w.value for w in field.keywords}
    null = words.get("null")
    may_be_null = isinstance(null, ast.Constant) and null.value is True
    if (
        not may_be_null
        and "default" not in words
        and "db_default" not in words
        and "ManyToMany" not in called(field)
    ):
        yield Hit(
            kind="migration-lock",
            line=node.lineno,
            end=node.end_lineno or 0,
            detail="The field must be filled and has no default.",
        )


def _is_false(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def _sql(file: FileChange) -> Iterator[Hit]:
    """Yield the hits of each statement. Of a patch alone, only its new lines are known."""
    whole = file.after is not None
    text = file.after if file.after is not None else "\n".join(file.added.values())
    numbers = list(range(1, text.count("\n") + 2)) if whole else list(file.added)
    line, start, statement = 1, 1, ""
    for part in re.split(r"(;|\n)", text):
        if part == "\n":
            line += 1
            statement += " " if statement.strip() else ""
        elif part == ";":
            yield from _statement(statement, numbers[start - 1], numbers[line - 1])
            statement = ""
        else:
            words = re.sub(r"--.*$", "", part)
            if not statement.strip() and words.strip():
                start = line
            statement += words
    if statement.strip():
        yield from _statement(statement, numbers[start - 1], numbers[-1])


def _statement(text: str, line: int, end: int) -> Iterator[Hit]:
    if _LOSS.search(text):
        yield Hit(kind="migration-loss", line=line, end=end)
    elif _UNBOUND.search(text):
        yield Hit(kind="migration-loss", line=line, end=end, detail="It concerns every row.")
    if _RENAME.search(text):
        yield Hit(kind="migration-rename", line=line, end=end)
    if _NOT_NULL.search(text) or _SET_NOT_NULL.search(text):
        yield Hit(kind="migration-lock", line=line, end=end)
    elif _INDEX.search(text):
        told = "Building the index locks the table; build it concurrently."
        yield Hit(kind="migration-lock", line=line, end=end, detail=told)
