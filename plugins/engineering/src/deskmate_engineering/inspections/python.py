"""Checks that read Python's syntax tree. They yield places in the whole file; the caller keeps those that are new."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from deskmate_engineering.inspections.classes import Hit
from deskmate_engineering.inspections.names import (
    called,
    dotted,
    inner_nodes,
    is_constant_name,
    parents_of,
)
from deskmate_engineering.inspections.sql import sql_hits

_BROAD = {"Exception", "BaseException"}
_MUTABLE_CALLS = {
    "list", "dict", "set", "bytearray", "defaultdict", "collections.defaultdict", "deque",
    "collections.deque", "OrderedDict", "collections.OrderedDict", "Counter", "collections.Counter",
}  # fmt: skip
_MUTABLE_NODES = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
_LOADERS = {
    "pickle.load", "pickle.loads", "cPickle.loads", "dill.loads", "dill.load", "marshal.loads", "marshal.load",
    "shelve.open", "yaml.unsafe_load", "yaml.full_load", "jsonpickle.decode",
}  # fmt: skip
_SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
_HTTP = {
    f"requests.{verb}" for verb in ("get", "post", "put", "patch", "delete", "head", "request")
}
_GROWS = {
    "append",
    "remove",
    "pop",
    "insert",
    "add",
    "discard",
    "clear",
    "extend",
    "popitem",
    "update",
}
_DEBUGGERS = {"breakpoint", "pdb.set_trace", "ipdb.set_trace", "pudb.set_trace", "pdb.post_mortem"}
_DEBUG_MODULES = {"pdb", "ipdb", "pudb", "icecream", "snoop"}
_KEEPERS = {
    "closing", "enter_context", "enter_async_context", "push", "callback", "cast", "TextIOWrapper", "BufferedReader", "BufferedWriter", "GzipFile",
}  # fmt: skip
_OPENERS = {"open", "io.open", "codecs.open", "gzip.open", "bz2.open", "lzma.open"}
_BLOCKING = {"time.sleep", "requests.get", "requests.post", "subprocess.run", "subprocess.check_output", "urllib.request.urlopen"}  # fmt: skip


def python_hits(tree: ast.Module) -> Iterator[Hit]:
    """Yield what the checks find anywhere in a file."""
    parents = parents_of(tree)
    nodes = [tree, *parents]
    coroutines = {n.name for n in nodes if isinstance(n, ast.AsyncFunctionDef)}
    plain = {n.name for n in nodes if isinstance(n, ast.FunctionDef)}
    for node in nodes:
        for kinds, check in _BY_NODE:
            if isinstance(node, kinds):
                yield from check(node)
        if isinstance(node, ast.Call):
            yield from _call(node, parents)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            name = called(node.value)
            if name.removeprefix("self.") in coroutines - plain:
                yield Hit(kind="not-awaited", line=node.lineno, detail=f"{name} is a coroutine.")
        yield from _after_exit(node)
    yield from sql_hits(parents)


def _swallowed(node: ast.ExceptHandler) -> Iterator[Hit]:
    named = [dotted(n) for n in getattr(node.type, "elts", [node.type]) if n is not None]
    if node.type is not None and not _BROAD & {name.rpartition(".")[2] for name in named}:
        return
    if all(_says_nothing(statement) for statement in node.body):
        yield Hit(kind="swallowed-exception", line=node.lineno, end=node.end_lineno or 0)


def _says_nothing(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Pass | ast.Continue | ast.Break):
        return True
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Return) and (
        statement.value is None
        or isinstance(statement.value, ast.Constant)
        or (
            isinstance(statement.value, _MUTABLE_NODES)
            and not list(ast.iter_child_nodes(statement.value))[1:]
        )
    )


def _defaults(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Iterator[Hit]:
    for default in (*node.args.defaults, *node.args.kw_defaults):
        mutable = isinstance(default, _MUTABLE_NODES) or (
            isinstance(default, ast.Call) and called(default) in _MUTABLE_CALLS
        )
        if default is not None and mutable:
            yield Hit(kind="mutable-default", line=default.lineno, end=default.end_lineno or 0)


def _blocking(node: ast.AST) -> Iterator[Hit]:
    if not isinstance(node, ast.AsyncFunctionDef):
        return
    for inner in inner_nodes(node):
        if isinstance(inner, ast.Call) and called(inner) in _BLOCKING:
            yield Hit(
                kind="blocking-in-async",
                line=inner.lineno,
                end=inner.end_lineno or 0,
                detail=f"{called(inner)} blocks.",
            )


def _call(node: ast.Call, parents: dict[ast.AST, ast.AST]) -> Iterator[Hit]:
    name = called(node)
    keywords = {word.arg: word.value for word in node.keywords}
    if name in _OPENERS or (name.endswith(".open") and _is_path(node.func)):
        yield from _unclosed(node, parents)
    for kind, detail in (*_hostile(node, name, keywords), *_careless(node, name, keywords)):
        yield Hit(kind=kind, line=node.lineno, end=node.end_lineno or 0, detail=detail)


Words = Mapping[str | None, ast.expr]


def _hostile(node: ast.Call, name: str, keywords: Words) -> Iterator[tuple[str, str]]:
    """Yield the classes of calls that foreign input turns against the program."""
    first = node.args[0] if node.args else None
    if name in _LOADERS or (name == "yaml.load" and not _safe_loader(node, keywords)):
        yield "unsafe-load", f"{name}."
    if name in ("eval", "exec") and first is not None and not isinstance(first, ast.Constant):
        yield "dynamic-code", ""
    shell = keywords.get("shell")
    through = name in _SHELLS or (isinstance(shell, ast.Constant) and shell.value is True)
    if through and first is not None and not _is_fixed(first):
        yield "shell-injection", ""
    off = keywords.get("verify")
    unchecked = isinstance(off, ast.Constant) and off.value is False
    if unchecked or name == "ssl._create_unverified_context":
        yield "tls-off", ""
    if name in ("tempfile.mktemp", "os.tempnam", "os.tmpnam"):
        yield "insecure-temp", ""


def _careless(node: ast.Call, name: str, keywords: Words) -> Iterator[tuple[str, str]]:
    """Yield the classes of calls that go wrong by themselves."""
    if name in ("contextlib.suppress", "suppress") and _BROAD & {dotted(a) for a in node.args}:
        yield "swallowed-exception", ""
    if name in _HTTP and not {"timeout", None} & set(keywords):
        yield "no-timeout", ""
    zoneless = not node.args and "tz" not in keywords
    if name.endswith(("datetime.utcnow", "datetime.utcfromtimestamp")) or (
        name in ("datetime.now", "datetime.datetime.now") and zoneless
    ):
        yield "naive-time", ""
    mode = node.args[-1] if name.endswith("chmod") and node.args else None
    if isinstance(mode, ast.Constant) and isinstance(mode.value, int) and mode.value & 0o002:
        yield "world-writable", ""
    if name in _DEBUGGERS:
        yield "debug-leftover", f"{name} stops the program."


def _is_path(function: ast.expr) -> bool:
    """Say whether this is the method of a path, such as `Path(x).open` or `path.open`."""
    owner = function.value if isinstance(function, ast.Attribute) else None
    if isinstance(owner, ast.Call):
        return called(owner).rpartition(".")[2] == "Path"
    return isinstance(owner, ast.Name) and owner.id.lower().endswith(("path", "file"))


def _safe_loader(node: ast.Call, keywords: Words) -> bool:
    loader = keywords.get("Loader") or (node.args[1] if len(node.args) > 1 else None)
    return loader is not None and "Safe" in dotted(loader)


def _is_fixed(value: ast.expr) -> bool:
    """Say whether a command holds nothing but what the program's author wrote."""
    if isinstance(value, ast.Constant) or is_constant_name(value):
        return True
    if isinstance(value, ast.JoinedStr):
        inner = (part.value for part in value.values if isinstance(part, ast.FormattedValue))
        return all(_is_fixed(part) for part in inner)
    if isinstance(value, ast.BinOp):
        return _is_fixed(value.left) and _is_fixed(value.right)
    if isinstance(value, ast.List | ast.Tuple):
        return all(_is_fixed(part) for part in value.elts)
    return isinstance(value, ast.Call) and called(value) in ("shlex.join", "shlex.quote")


def _unclosed(node: ast.Call, parents: dict[ast.AST, ast.AST]) -> Iterator[Hit]:
    parent = parents.get(node)
    while isinstance(parent, ast.IfExp | ast.Await | ast.NamedExpr):
        parent = parents.get(parent)
    if isinstance(parent, ast.withitem | ast.Return | ast.Yield | ast.Lambda | ast.Starred):
        return
    if isinstance(parent, ast.Call) and called(parent).rpartition(".")[2] in _KEEPERS:
        return
    if isinstance(parent, ast.Assign | ast.AnnAssign):
        targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
        target = targets[0]
        if not isinstance(target, ast.Name) or _is_looked_after(target.id, node, parents):
            return
    elif isinstance(parent, ast.Dict | ast.List | ast.Tuple | ast.keyword):
        return
    yield Hit(kind="unclosed-file", line=node.lineno, end=node.end_lineno or 0)


def _is_looked_after(name: str, node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Say whether a name is closed, managed, returned, kept or handed on in the scope that it is in."""
    scope: ast.AST | None = node
    while scope in parents and not isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
        scope = parents[scope]
    for inner in ast.walk(scope) if scope is not None else ():
        if not (
            isinstance(inner, ast.Name) and inner.id == name and isinstance(inner.ctx, ast.Load)
        ):
            continue
        parent = parents.get(inner)
        if isinstance(
            parent, ast.withitem | ast.Return | ast.Yield | ast.Tuple | ast.Dict | ast.List
        ):
            return True
        if isinstance(parent, ast.Attribute) and parent.attr in ("close", "aclose", "__exit__"):
            return True
        if isinstance(parent, ast.Assign) and not isinstance(parent.targets[0], ast.Name):
            return True
        if isinstance(parent, ast.Call) and called(parent).rpartition(".")[2] in (
            "closing",
            "enter_context",
            "Popen",
        ):
            return True
    return False


def _identity(node: ast.Compare) -> Iterator[Hit]:
    sides = [node.left, *node.comparators]
    for place, operator in enumerate(node.ops):
        literals = (sides[place], sides[place + 1])
        fixed = any(
            isinstance(side, ast.Constant) and isinstance(side.value, str | bytes | int | float) and not isinstance(side.value, bool)
            for side in literals
        )  # fmt: skip
        if isinstance(operator, ast.Is | ast.IsNot) and fixed:
            yield Hit(kind="identity-literal", line=node.lineno, end=node.end_lineno or 0)


def _assert_tuple(node: ast.Assert) -> Iterator[Hit]:
    if isinstance(node.test, ast.Tuple) and node.test.elts:
        yield Hit(kind="assert-tuple", line=node.lineno)


def _changed_while_iterated(node: ast.For | ast.AsyncFor) -> Iterator[Hit]:
    walked = node.iter
    if isinstance(walked, ast.Call) and called(walked).endswith((".items", ".keys", ".values")):
        walked = walked.func.value if isinstance(walked.func, ast.Attribute) else walked
    name = dotted(walked)
    if not name:
        return
    for inner in (found for part in node.body for found in (part, *inner_nodes(part))):
        grows = isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute) and inner.func.attr in _GROWS and dotted(inner.func.value) == name  # fmt: skip
        cut = isinstance(inner, ast.Delete) and any(isinstance(t, ast.Subscript) and dotted(t.value) == name for t in inner.targets)  # fmt: skip
        if (grows or cut) and not _leaves(node.body, inner):
            yield Hit(kind="changed-while-iterated", line=getattr(inner, "lineno", node.lineno))


def _leaves(body: list[ast.stmt], node: ast.AST) -> bool:
    """Say whether the loop is left right after the statement that a node is in."""
    for place, statement in enumerate(body):
        if node is not statement and node not in ast.walk(statement):
            continue
        if any(
            isinstance(after, ast.Break | ast.Return | ast.Raise) for after in body[place + 1 :][:1]
        ):
            return True
        blocks = [getattr(statement, name, []) for name in ("body", "orelse", "finalbody")]
        return any(_leaves(block, node) for block in blocks if isinstance(block, list) and block)
    return False


def _left_finally(node: ast.Try) -> Iterator[Hit]:
    for statement in node.finalbody:
        for inner in (statement, *inner_nodes(statement)):
            if isinstance(inner, ast.Return):
                yield Hit(kind="lost-in-finally", line=inner.lineno, end=inner.end_lineno or 0)


def _debug_import(node: ast.Import | ast.ImportFrom) -> Iterator[Hit]:
    names = (
        [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
    )
    if _DEBUG_MODULES & set(names):
        yield Hit(
            kind="debug-leftover",
            line=node.lineno,
            end=node.end_lineno or 0,
            detail="A debugger is imported.",
        )


def _after_exit(node: ast.AST) -> Iterator[Hit]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if not isinstance(block, list):
            continue
        for place, statement in enumerate(block[:-1]):
            if isinstance(statement, ast.Return | ast.Raise | ast.Continue | ast.Break):
                yield Hit(kind="unreachable", line=block[place + 1].lineno)
                break


_BY_NODE: tuple[tuple[Any, Callable[[Any], Iterator[Hit]]], ...] = (
    (ast.ExceptHandler, _swallowed),
    ((ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda), _defaults),
    (ast.AsyncFunctionDef, _blocking),
    (ast.Compare, _identity),
    (ast.Assert, _assert_tuple),
    ((ast.For, ast.AsyncFor), _changed_while_iterated),
    (ast.Try, _left_finally),
    ((ast.Import, ast.ImportFrom), _debug_import),
)
