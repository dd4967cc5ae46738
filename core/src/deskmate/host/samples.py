"""A task to begin with: a made contract and a playbook that it leaves, in a folder of the user's own."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

from deskmate.errors import UserError
from deskmate.types.places import Places

REQUEST = "Review this NDA against our playbook. Redline what deviates and write a one-page memo."
SKILL = "review-contract"
"""By which the task is done, whichever plugin brings it."""
NAME = "Deskmate sample"
_SOURCE = Path(__file__).parent / "sample"
"""Written by examples/make_contract.py; a test compares the two."""


def sample_plugin(places: Places) -> str:
    """Return the plugin that the task is done with: the first that brings its skill; empty: there is none. Blocks."""
    from deskmate.discovery.installed import find_plugins  # noqa: PLC0415

    found = find_plugins(cache=places.cache / "manifests.json", store=places.plugins).plugins
    return next((plugin.name for plugin in found if SKILL in plugin.manifest.skills), "")


def sample_files() -> Mapping[str, bytes]:
    """Return the files of the sample by name."""
    return {path.name: path.read_bytes() for path in sorted(_SOURCE.iterdir()) if path.is_file()}


def make_sample(home: Path) -> Path:
    """Return a folder below `home` that holds just the sample, made if none is as it was made.

    What the user changed in an earlier one is left alone. Raises UserError if nothing can be written there. Blocks.
    """
    files = sample_files()
    try:
        for number in itertools.count(1):
            folder = home / (NAME if number == 1 else f"{NAME} {number}")
            if folder.is_dir() and _holds_just(folder, files):
                return folder
            if folder.exists() or folder.is_symlink():
                continue
            folder.mkdir(parents=True)
            for name, content in files.items():
                (folder / name).write_bytes(content)
            return folder
    except OSError as error:
        raise UserError(
            f"The sample cannot be written to {home}: {error.strerror}.",
            hint="Make room or take back the protection of that folder, and try again.",
        ) from error
    raise AssertionError("there is always another number")


def _holds_just(folder: Path, files: Mapping[str, bytes]) -> bool:
    found = sorted(folder.iterdir())
    return [path.name for path in found] == sorted(files) and all(
        path.is_file() and path.read_bytes() == files[path.name] for path in found
    )
