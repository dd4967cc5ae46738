"""The fake sandbox's file tree, and the built-in workspace tools over it."""

from __future__ import annotations

import fnmatch
import hashlib
import posixpath
import shlex
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

import anyio

from deskmate.errors import ContentMissing, ToolInputError
from deskmate.ports import Blobs
from deskmate.types.files import Entry
from deskmate.types.ids import Digest
from deskmate.types.registry import Risk, ToolSpec

_FILE_MODE, _DIR_MODE = 0o644, 0o755


class Tree:
    """Files and folders in memory, by workspace path. The grants' own folders always exist."""

    def __init__(self, grants: Sequence[str]) -> None:
        self._grants = set(grants)
        self._entries: dict[str, Entry] = {}
        self._content: dict[str, bytes] = {}
        self._listed: dict[str, Entry] = {}

    def note(self, entry: Entry) -> None:
        """Note a base file by name and size; it is not in the tree."""
        self._listed[entry.path] = entry

    def lists(self, path: str) -> bool:
        """Say whether a file is known by name only."""
        return path in self._listed and path not in self._entries

    def strike(self, path: str) -> None:
        """Forget a file that was listed."""
        self._listed.pop(path, None)

    def fill(self, entry: Entry, content: bytes) -> None:
        """Put a listed file, unless something was put in its place meanwhile."""
        listed = self._listed.pop(entry.path, None)
        if listed is not None and entry.path not in self._entries:
            self.lay(entry, content)

    def lay(self, entry: Entry, content: bytes) -> None:
        """Put a base entry as it was."""
        self._entries[entry.path] = entry
        if entry.kind == "file":
            self._content[entry.path] = content

    def put(self, entry: Entry, content: bytes) -> None:
        """Put a checkpoint's entry, making the folders above it."""
        self._parents(entry.path)
        self.lay(entry, content)

    def write(self, path: str, content: bytes) -> None:
        """Write a file; a file that was there keeps its mode."""
        path = self._inside(path)
        self._parents(path)
        mode = self._entries[path].mode if path in self._entries else _FILE_MODE
        digest = Digest(hashlib.sha256(content).hexdigest())
        self.lay(
            Entry(path=path, kind="file", mode=mode, size=len(content), sha256=digest), content
        )

    def read(self, path: str) -> bytes:
        """Return a file's content."""
        path = self._inside(path)
        if self.lists(path):
            raise ContentMissing(f"{path} has not been copied in yet.", paths=(path,))
        if path not in self._content:
            raise ToolInputError(f"{path} is not a file in the workspace.")
        return self._content[path]

    def remove(self, path: str) -> None:
        """Remove a file or a folder with all below it."""
        path = self._inside(path)
        for known in [p for p in self._entries if p == path or p.startswith(path + "/")]:
            del self._entries[known]
            self._content.pop(known, None)

    def mkdir(self, path: str) -> None:
        """Make a folder."""
        path = self._inside(path)
        self._parents(path)
        self._entries[path] = Entry(path=path, kind="dir", mode=_DIR_MODE)

    def entries(self, blobs: Blobs) -> Iterator[Entry]:
        """Yield all entries by path; their content is in `blobs`."""
        for path in sorted(self._entries):
            if path in self._content:
                blobs.put(self._content[path])
            yield self._entries[path]

    def paths(self) -> list[str]:
        """Return all paths, sorted."""
        return sorted(self._entries.keys() | self._listed.keys())

    def _inside(self, path: str) -> str:
        path = posixpath.normpath(path.removeprefix("/workspace/"))
        if path.split("/")[0] not in self._grants and self._grants:
            raise ToolInputError(f"{path} is outside the workspace.")
        return path

    def _parents(self, path: str) -> None:
        parent = posixpath.dirname(path)
        while parent and parent not in self._entries and parent not in self._grants:
            self._entries[parent] = Entry(path=parent, kind="dir", mode=_DIR_MODE)
            parent = posixpath.dirname(parent)


def _write(tree: Tree, arguments: Mapping[str, Any]) -> Any:
    content = arguments["content"].encode()
    tree.write(arguments["path"], content)
    return {"path": arguments["path"], "bytes": len(content)}


def _read(tree: Tree, arguments: Mapping[str, Any]) -> Any:
    return tree.read(arguments["path"]).decode(errors="replace")


def _glob(tree: Tree, arguments: Mapping[str, Any]) -> Any:
    return [path for path in tree.paths() if fnmatch.fnmatch(path, arguments["pattern"])]


async def _shell(tree: Tree, arguments: Mapping[str, Any]) -> Any:
    """Understand just enough for the conformance suite: rm, mv, mkdir, sleep."""
    match shlex.split(arguments["command"]):
        case ["rm", "-rf", path]:
            tree.remove(path)
        case ["mv", source, target]:
            content = tree.read(source)
            tree.remove(source)
            tree.write(target, content)
        case ["mkdir", path]:
            tree.mkdir(path)
        case ["sleep", seconds]:
            await anyio.sleep(float(seconds))
        case _:
            raise ToolInputError(f"The fake shell cannot do: {arguments['command']}")
    return ""


def _object(**properties: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in properties.items()},
        "required": list(properties),
    }


def workspace_tools() -> list[
    tuple[str, ToolSpec, Callable[[Tree, Mapping[str, Any]], Any | Awaitable[Any]]]
]:
    """Return the workspace tools that the fake has: wire name, spec, function."""
    rows: list[
        tuple[
            str,
            Risk,
            dict[str, Any],
            Callable[[Tree, Mapping[str, Any]], Any],
            tuple[str, ...] | None,
        ]
    ] = [
        ("write", "write", _object(path="string", content="string"), _write, ()),
        ("read", "read", _object(path="string"), _read, ()),
        ("glob", "read", _object(pattern="string"), _glob, ()),
        ("shell", "write", _object(command="string"), _shell, None),
    ]
    return [
        (
            f"workspace__{name}",
            ToolSpec(
                plugin="workspace",
                name=f"workspace__{name}",
                title=name,
                description=f"The fake's {name}.",
                input_schema=schema,
                risk=risk,
                reads=reads,
            ),
            function,
        )
        for name, risk, schema, function, reads in rows
    ]
