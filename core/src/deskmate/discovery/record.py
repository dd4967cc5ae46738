"""The files of a plugin: by RECORD for an installed wheel, by its source tree when editable."""

from __future__ import annotations

import ast
import csv
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from deskmate.discovery.metadata import Installed, read_bounded
from deskmate.errors import PluginError

FILES_LIMIT = 5_000
TREE_LIMIT_BYTES = 64 * 1024 * 1024
RESERVED = frozenset({"deskmate", "deskmate_guest", "deskmate_documents"})
"""Import names of Deskmate itself; no plugin may bring a file below them."""
_SKIPPED_FOLDERS = frozenset({"__pycache__", "tests", "node_modules"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedFile:
    """A line of RECORD. `sha256`: urlsafe base64 without padding, empty where there is none."""

    path: str
    sha256: str


def read_record(info: Path) -> tuple[RecordedFile, ...]:
    """Return the lines of a dist-info's RECORD.

    Raises:
        PluginError: there is no RECORD, it is no CSV of three columns, or it names a file twice.
    """
    try:
        text = read_bounded(info / "RECORD").decode()
    except (OSError, UnicodeDecodeError) as error:
        raise PluginError(f"{info.name} has no readable RECORD.") from error
    lines: dict[str, RecordedFile] = {}
    try:
        for row in csv.reader(io.StringIO(text), strict=True):
            if not row:
                continue
            path, digest, _size = row
            if path in lines:
                raise PluginError(f"{info.name}/RECORD names {path} twice.")
            kind, _, value = digest.partition("=")
            lines[path] = RecordedFile(path=path, sha256=value if kind == "sha256" else "")
    except (csv.Error, ValueError) as error:
        raise PluginError(f"{info.name}/RECORD is not a table of three columns.") from error
    return tuple(lines.values())


class RecordedFiles(Mapping[str, str]):
    """Path below the import root → absolute host path, read from RECORD when first asked for."""

    def __init__(self, installed: Installed) -> None:
        """`installed`: a distribution that was installed from a wheel."""
        self._installed = installed
        self._hashes: dict[str, str] | None = None

    def hashes(self) -> Mapping[str, str]:
        """Return path → sha256 as RECORD has it. Raises PluginError for a path out of bounds."""
        if self._hashes is None:
            self._hashes = dict(_wheel_files(self._installed))
        return self._hashes

    def __getitem__(self, path: str) -> str:
        """Return the absolute host path of one file."""
        if path not in self.hashes():
            raise KeyError(path)
        return str(self._installed.site / path)

    def __iter__(self) -> Iterator[str]:
        """Yield the paths, in RECORD's order."""
        return iter(self.hashes())

    def __len__(self) -> int:
        """Return the number of files."""
        return len(self.hashes())


def _wheel_files(installed: Installed) -> Iterator[tuple[str, str]]:
    info = installed.info.name
    for line in read_record(installed.info):
        path = PurePosixPath(line.path)
        first = path.parts[0] if path.parts else ""
        if first == ".." or path.is_absolute():
            continue  # scripts and data outside the import root: nothing that a guest imports
        if ".." in path.parts or "\\" in line.path:
            raise PluginError(
                f"{installed.label}: RECORD names {line.path}, which leaves its folder."
            )
        if "__pycache__" in path.parts or path.suffix == ".pyc":
            continue
        if first == info and path.name != "METADATA":
            continue
        if len(path.parts) == 1 and path.suffix == ".pth":
            continue
        if first in RESERVED:
            raise PluginError(f"{installed.label} brings {line.path}, a name of Deskmate itself.")
        if not line.sha256:
            raise PluginError(f"{installed.label}: RECORD has no sha256 for {line.path}.")
        yield line.path, line.sha256


class TreeFiles(Mapping[str, str]):
    """Path below the import root → absolute host path, found in a source tree when first asked for."""

    def __init__(self, root: Path, package: str, metadata: Path) -> None:
        """`root`: the import root. `package`: dotted. `metadata`: dist-info's METADATA."""
        self._root = root
        self._package = package
        self._metadata = metadata
        self._found: dict[str, str] | None = None

    def _files(self) -> dict[str, str]:
        if self._found is None:
            top = _top_package(self._root, self._package)
            self._found = {
                file.relative_to(self._root).as_posix(): str(file) for file in walk_source(top)
            }
            if self._metadata.name == "METADATA" and self._metadata.is_file():
                self._found[f"{self._metadata.parent.name}/METADATA"] = str(self._metadata)
        return self._found

    def __getitem__(self, path: str) -> str:
        """Return the absolute host path of one file."""
        return self._files()[path]

    def __iter__(self) -> Iterator[str]:
        """Yield the paths, sorted."""
        return iter(self._files())

    def __len__(self) -> int:
        """Return the number of files."""
        return len(self._files())


def _top_package(root: Path, package: str) -> Path:
    """Return the outermost regular package on the way to `package`; namespaces belong to others."""
    folder = root
    for part in package.split("."):
        folder = folder / part
        if (folder / "__init__.py").is_file():
            break
    return folder


def walk_source(top: Path) -> Iterator[Path]:
    """Yield the regular files of a source tree, sorted; no caches, tests, hidden or linked files.

    Raises:
        PluginError: more than 5,000 files or 64 MiB.
    """
    count = size = 0
    real_top = top.resolve()
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(n for n in folders if n not in _SKIPPED_FOLDERS and n[0] != ".")
        for name in sorted(names):
            file = Path(folder) / name
            if name[0] == "." or file.suffix in (".pyc", ".pyo"):
                continue
            # A link may point to anything of the user's; what it names must lie in the tree.
            if not file.is_file() or not file.resolve().is_relative_to(real_top):
                continue
            count += 1
            size += file.stat().st_size
            if count > FILES_LIMIT or size > TREE_LIMIT_BYTES:
                raise PluginError(
                    f"{top} holds more than {FILES_LIMIT} files or {TREE_LIMIT_BYTES >> 20} MiB."
                )
            yield file


def editable_root(installed: Installed, package: str, path: Sequence[str]) -> Path | None:
    """Return the folder below which an editable distribution's package lies, None if not found.

    Reads the `.pth` lines and, as text, the finder modules that setuptools and `editables` write.
    """
    place = Path(*package.split("."))
    for root in _roots(installed, package):
        if (root / place).is_dir():
            return root
    return next((Path(root) for root in path if root and (Path(root) / place).is_dir()), None)


def _roots(installed: Installed, package: str) -> Iterator[Path]:
    if installed.info.suffix == ".egg-info":
        yield installed.site
        return
    for line in read_record(installed.info):
        if "/" in line.path:
            continue
        file = installed.site / line.path
        if file.suffix == ".pth":
            yield from _path_lines(file)
        elif file.suffix == ".py" and line.path.startswith(("__editable__", "_editable_impl_")):
            yield from _mapped_roots(file, package)


def _path_lines(file: Path) -> Iterator[Path]:
    for line in _text(file).splitlines():
        text = line.strip()
        if text and not text.startswith(("#", "import ", "import\t")):
            yield file.parent / text


def _mapped_roots(file: Path, package: str) -> Iterator[Path]:
    """Yield roots from a finder's table: package (or a parent of it) → folder or `__init__.py`."""
    for name, target in _mapping(_text(file)).items():
        folder = Path(target)
        if folder.name == "__init__.py":
            folder = folder.parent
        parts = name.split(".")
        if (package == name or package.startswith(name + ".")) and (
            tuple(parts) == folder.parts[-len(parts) :]
        ):
            yield folder.parents[len(parts) - 1]


def _mapping(source: str) -> dict[str, str]:
    found: dict[str, str] = {}
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return found
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict) and len(node.keys) == len(node.values):
            pairs = zip(node.keys, node.values, strict=True)
        elif isinstance(node, ast.Call) and _called(node) == "map_module" and len(node.args) == 2:
            pairs = zip(node.args[:1], node.args[1:], strict=True)
        else:
            continue
        for key, value in pairs:
            if isinstance(key, ast.Constant) and isinstance(value, ast.Constant):
                found[str(key.value)] = str(value.value)
    return found


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


def _text(file: Path) -> str:
    try:
        return read_bounded(file, 1024 * 1024).decode("utf-8", "replace")
    except OSError:
        return ""
