"""A tree of files as somebody gave it, read with bounds: regular files only, nothing outside, no link followed out."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeVar

from deskmate.formats.codes import diagnose
from deskmate.types.foreign import Diagnostic

FILES_LIMIT = 20_000
TREE_LIMIT_BYTES = 256 << 20
FILE_LIMIT_BYTES = 32 << 20
ENTRIES_LIMIT = 100_000
DEPTH_LIMIT = 16
DIAGNOSTICS_LIMIT = 500
_NAME_LIMIT, _PATH_LIMIT = 200, 1_000
_LINKS_LIMIT = 8
_FOLDER_LINKS_LIMIT = 100
SILENT = frozenset({".git", ".hg", ".svn", "__pycache__", "__MACOSX", ".DS_Store", "Thumbs.db"})
"""What every checkout has and no plugin means to bring."""
PACKAGES = frozenset({"node_modules", ".venv", "venv"})
T = TypeVar("T")
_ODD = frozenset('\\:*?"<>|')


class TreeRefused(Exception):
    """The tree as a whole is out of bounds; the message says why in one line."""


class Unreadable(Exception):
    """A file of the tree cannot be read; the message says why in one line."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A regular file. `place`: where the tree itself finds it, another path where a link names it."""

    size: int
    executable: bool
    place: str


class Tree:
    """Paths with `/`, relative, plain. Subclasses say where content comes from."""

    def __init__(self, name: str) -> None:
        """`name`: of the folder or archive, for messages and as a last resort for the plugin's name."""
        self.name = name
        self.files: dict[str, Fact] = {}
        self.diagnostics: list[Diagnostic] = []
        self._folded: dict[str, str] = {}
        self._links: dict[str, str] = {}
        self._size = 0
        self._seen = 0
        self._known: tuple[int, frozenset[str]] = (-1, frozenset())
        self._folder_links = 0

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield a file's content. Raises Unreadable."""
        raise NotImplementedError

    def read(self, path: str, limit_bytes: int) -> bytes:
        """Return a file's content. Raises Unreadable, also where it is longer than the limit."""
        found = bytearray()
        for chunk in self.chunks(path):
            found += chunk
            if len(found) > limit_bytes:
                raise Unreadable(f"it is longer than {limit_bytes >> 10} KiB")
        return bytes(found)

    def note(self, code: str, path: str, detail: str = "") -> None:
        """Keep a diagnostic, of which there are at most 500."""
        if len(self.diagnostics) < DIAGNOSTICS_LIMIT:
            self.diagnostics.append(diagnose(code, safe(path), safe(detail)))

    def count(self) -> None:
        """Count one entry of whatever kind. Raises TreeRefused."""
        self._seen += 1
        if self._seen > ENTRIES_LIMIT:
            raise TreeRefused(f"{self.name} holds more than {ENTRIES_LIMIT:,} entries")

    def accept(self, path: str) -> bool:
        """Say whether a name can be used, and note why not."""
        parts = path.split("/")
        if any(_is_odd(part) for part in parts) or len(path) > _PATH_LIMIT:
            self.note("name-odd", path)
            return False
        if len(parts) > DEPTH_LIMIT + 1:
            self.note("folder-too-deep", path)
            return False
        return True

    def add(self, path: str, fact: Fact) -> None:
        """Take a file in. Raises TreeRefused where all of them are too many or too large."""
        if fact.size > FILE_LIMIT_BYTES:
            self.note("file-too-large", path, f"{fact.size >> 20} MiB")
            return
        if (other := self._collision(path)) is not None:
            self.note("name-collides", path, other)
            return
        self.files[path] = fact
        self._size += fact.size
        if len(self.files) > FILES_LIMIT or self._size > TREE_LIMIT_BYTES:
            raise TreeRefused(
                f"{self.name} holds more than {FILES_LIMIT:,} files or {TREE_LIMIT_BYTES >> 20} MiB"
            )

    def _collision(self, path: str) -> str | None:
        """Return the path that this one would overwrite where case and accents do not count."""
        parts = path.split("/")
        for end in range(1, len(parts) + 1):
            part = "/".join(parts[:end])
            folded = unicodedata.normalize("NFC", part).casefold()
            other = self._folded.get(folded)
            is_last = end == len(parts)
            if other is not None and (other != part or is_last or other in self.files):
                return other
            self._folded[folded] = part
        return None

    def add_link(self, path: str, target: str) -> None:
        """Take a link in; what it means is decided when all files are known."""
        self._links[path] = target

    @property
    def folders(self) -> frozenset[str]:
        """The folders that hold files, at any depth. "" is the top."""
        if len(self.files) != self._known[0]:
            found = {""}
            for path in self.files:
                while (path := path.rpartition("/")[0]) not in found:
                    found.add(path)
            self._known = (len(self.files), frozenset(found))
        return self._known[1]

    def settle_links(self) -> None:
        """Read each link to a file or folder of the tree as a copy of it; leave the others out."""
        for path in sorted(self._links):
            target = self._goal(path)
            if target is None:
                self.note("link-out", path, self._links[path])
            elif target in self.files:
                self.note("link-copied", path, target)
                self.add(path, self.files[target])
            else:
                self._copy_folder(path, target)

    def _copy_folder(self, path: str, target: str) -> None:
        inside = f"{target}/" if target else ""
        if path.startswith(inside):
            self.note("link-loop", path, target or ".")
            return
        self._folder_links += 1
        if target not in self.folders or self._folder_links > _FOLDER_LINKS_LIMIT:
            self.note("link-out", path, target)
            return
        self.note("link-copied", path, target)
        below = [name for name in self.files if name.startswith(inside)]
        for name in below:
            alias = f"{path}/{name[len(inside) :]}"
            if self.accept(alias):
                self.add(alias, self.files[name])

    def _goal(self, path: str) -> str | None:
        """Return the path in the tree that a link means, through links to files; None: outside, or a circle."""
        for _ in range(_LINKS_LIMIT):
            found = inside(PurePosixPath(path).parent.as_posix(), self._links[path])
            if found is None or found not in self._links:
                return found
            path = found
        return None


class Below(Tree):
    """A folder of a tree, as a tree."""

    def __init__(self, tree: Tree, folder: str) -> None:
        """`folder`: path in `tree`, "" for all of it."""
        super().__init__(PurePosixPath(folder).name or tree.name)
        self._tree, self._inside = tree, f"{folder}/" if folder else ""
        size = len(self._inside)
        self.files = {
            path[size:]: fact for path, fact in tree.files.items() if path.startswith(self._inside)
        }
        for one in tree.diagnostics:
            if one.path.startswith(self._inside):
                self.diagnostics.append(one)

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield a file's content. Raises Unreadable."""
        return self._tree.chunks(self._inside + path)


class Overlaid(Tree):
    """A tree with the user's own files over it."""

    def __init__(self, tree: Tree, overlay: Tree) -> None:
        """`overlay`: its files stand for those of the same path, and beside the others."""
        super().__init__(tree.name)
        self._tree, self._overlay = tree, overlay
        self.files = merged(tree.files, overlay.files)
        self.diagnostics = [*tree.diagnostics, *overlay.diagnostics]

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield a file's content. Raises Unreadable."""
        return (self._overlay if path in self._overlay.files else self._tree).chunks(path)


def merged(under: Mapping[str, T], over: Mapping[str, T]) -> dict[str, T]:
    """Return the files of both; those of `over` count, also where one has a file and the other a folder."""
    found = dict(under)
    folders = {path[:end] for path in over for end, mark in enumerate(path) if mark == "/"}
    for path in under:
        parents = (path[:end] for end, mark in enumerate(path) if mark == "/")
        if path in folders or any(parent in over for parent in parents):
            del found[path]
    return found | dict(over)


def inside(folder: str, path: str) -> str | None:
    """Return `path`, as written in `folder`, as a path of the tree; None where it leaves it. "" is the top."""
    if path.startswith("/") or "\\" in path or "\0" in path:
        return None
    parts: list[str] = []
    for part in (*PurePosixPath(folder).parts, *path.split("/")):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def safe(text: str) -> str:
    """Return text of strangers that any file, terminal and database takes."""
    cut = text[:_PATH_LIMIT]
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in cut)


def _is_odd(part: str) -> bool:
    return (
        part in ("", ".", "..")
        or len(part.encode("utf-8", "surrogatepass")) > _NAME_LIMIT
        or not part.isprintable()
        or part[-1] in ". "
        or bool(_ODD & set(part))
    )
