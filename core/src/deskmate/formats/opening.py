"""A path of the user's → the tree that it is: a folder, a checkout, an archive. What would need the network says so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deskmate.errors import PluginError
from deskmate.formats.archive import opened_zip
from deskmate.formats.folder import opened_folder
from deskmate.formats.tree import Tree, TreeRefused, safe

_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]*://|git@|github:|npm:)", re.IGNORECASE)


@contextmanager
def opened_tree(what: str) -> Iterator[Tree]:
    """Open what the user named. Raises PluginError where it is none of these, or is out of bounds."""
    if _ADDRESS.match(what):
        raise PluginError(
            f"{safe(what)} would have to be fetched; nothing is fetched from the network here.",
            hint="Clone or download it yourself, then: deskmate plugin add FOLDER-OR-ZIP",
        )
    path = Path(what).expanduser()
    try:
        if path.is_dir():
            if _is_git_itself(path):
                raise PluginError(
                    f"{safe(what)} is git's own folder, which is not looked into.",
                    hint="Name the checkout, the folder that has the files.",
                )
            with opened_folder(path) as tree:
                yield tree
        else:
            with opened_zip(path) as tree:
                yield tree
    except TreeRefused as error:
        raise PluginError(
            f"{error}.", hint="deskmate plugin add FOLDER, or a .zip or .plugin file."
        ) from error
    except OSError as error:
        raise PluginError(
            f"{safe(what)} cannot be read: {error.strerror or error}.",
            hint="Name a folder, a checkout, or a .zip or .plugin file.",
        ) from error


def _is_git_itself(path: Path) -> bool:
    return (path / "HEAD").is_file() and (path / "objects").is_dir() and (path / "refs").is_dir()
