"""What can be said of a plugin by reading its files alone: skills, texts, sizes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from deskmate.discovery.metadata import read_bounded
from deskmate.errors import DeskmateError
from deskmate.formats.folder import opened_folder
from deskmate.formats.skills import read_skill
from deskmate.testing.kit.report import Check
from deskmate.testing.kit.wording import suspicions
from deskmate.types.registry import InstalledPlugin

WHEEL_LIMIT_BYTES = 10 << 20
"""A plugin is text and Python; what is larger belongs into a package of its own."""
_TEXT_LIMIT_BYTES = 256 * 1024
_TEXTS = (".md", ".toml", ".txt")
_SHOWN = 20


def skill_check(plugin: InstalledPlugin) -> Check:
    """Return whether each skill that the manifest names keeps the format, strictly."""
    details: list[str] = []
    for name in plugin.manifest.skills:
        details.extend(_skill_problems(plugin, name))
    count = len(plugin.manifest.skills)
    words = (
        f"{count} skill{'' if count == 1 else 's'} in the format"
        if count
        else "there are no skills"
    )
    return check("skills", details, words)


def _skill_problems(plugin: InstalledPlugin, name: str) -> Iterator[str]:
    tail = f"/skills/{name}/"
    files = {path: real for path, real in plugin.files.items() if tail in f"/{path}"}
    if not any(path.endswith(f"{tail.lstrip('/')}SKILL.md") for path in files):
        yield f"skills/{name}/SKILL.md is missing"
        return
    with tempfile.TemporaryDirectory(prefix="deskmate-skill-") as scratch:
        for path, real in files.items():
            place = Path(scratch, "skills", name, f"/{path}".partition(tail)[2])
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(real, place)
        with opened_folder(Path(scratch)) as tree:
            found = read_skill(tree, f"skills/{name}/SKILL.md", ())
            notes = list(tree.diagnostics)
    if found is None and not notes:
        yield f"skills/{name}/SKILL.md cannot be used"
    for note in notes:
        if note.code == "category-unknown" and plugin.manifest.connectors:
            continue
        yield f"{note.path}: {note.code}: {note.message} {note.cure}"


def text_check(plugin: InstalledPlugin) -> Check:
    """Return whether a text of the plugin steers a model behind its user's back; manifests and examples included."""
    details: list[str] = []
    count = 0
    for path, real in sorted(plugin.files.items()):
        if not path.lower().endswith((*_TEXTS, ".py")) or ".dist-info/" in path:
            continue
        count += 1
        try:
            text = read_bounded(Path(real), _TEXT_LIMIT_BYTES * 4).decode("utf-8")
        except (UnicodeDecodeError, DeskmateError, OSError) as error:
            if path.lower().endswith(_TEXTS) and "/checks/" not in path:
                details.append(f"{path}: it cannot be read as text: {error}")
            continue
        if not path.endswith(
            ".py"
        ):  # what a model sees of Python is its docstrings, in the registry
            details.extend(suspicions(path, text))
    return check("texts", details, f"{count} texts hold nothing that hides or steers")


def limit_check(wheel: Path, plugin: InstalledPlugin) -> Check:
    """Return whether the wheel is of a size that people download without a thought."""
    size = wheel.stat().st_size
    details = []
    if size > WHEEL_LIMIT_BYTES:
        details.append(f"the wheel has {size >> 20} MiB, {WHEEL_LIMIT_BYTES >> 20} are allowed")
    return check(
        "limits", details, f"the wheel has {max(size >> 10, 1)} KiB, {len(plugin.files)} files"
    )


def check(name: str, details: list[str], words: str, *, open_words: str = "") -> Check:
    """Return a check that failed if there are details, is open if `open_words`, else holds."""
    if details:
        more = f", {len(details) - _SHOWN} more" if len(details) > _SHOWN else ""
        count = f"{len(details)} problems" if len(details) > 1 else "1 problem"
        return Check(
            id=name, status="failed", summary=count + more, details=tuple(details[:_SHOWN])
        )
    if open_words:
        return Check(id=name, status="open", summary=open_words)
    return Check(id=name, status="ok", summary=words)
