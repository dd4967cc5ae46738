"""`plugin new`: writes a working plugin from the templates beside this file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Literal

from deskmate.errors import PluginError

Kind = Literal["tools", "connector", "skills"]
KINDS: tuple[Kind, ...] = ("tools", "connector", "skills")
_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_NAME_LIMIT = 32
_TAKEN = ("workspace", "office", "skill", "deskmate")
_SUMMARIES: Mapping[Kind, str] = {
    "tools": "Counts the lines, words and open tasks of texts.",
    "connector": "Prepares visits to customers from the records of a CRM.",
    "skills": "Answers complaints in the voice of the house.",
}
_SKILLS: Mapping[Kind, str] = {
    "tools": "tally-notes",
    "connector": "prepare-visit",
    "skills": "answer-complaint",
}
_SHARED = {
    "pyproject.toml": "shared/pyproject.toml",
    ".gitignore": "shared/gitignore",
    ".github/workflows/check.yml": "shared/ci.yml",
    "LICENSE": "shared/LICENSE",
}
_OF_TOOLS = {
    "@SOURCE@/tools.py": "tools/tools.py",
    "@SOURCE@/validators.py": "tools/validators.py",
    "@SOURCE@/prompts/role.md": "tools/role.md",
    "@SOURCE@/skills/@SKILL@/procedure.toml": "tools/procedure.toml",
    "@SOURCE@/checks/cases.toml": "tools/cases.toml",
    "@SOURCE@/checks/files/notes.md": "tools/notes.md",
    "@SOURCE@/checks/bad/notes-tally.md": "tools/bad.md",
    "tests/test_@MODULE@.py": "shared/test.py",
}


def new_plugin(name: str, kind: Kind, folder: Path | None = None) -> tuple[Path, tuple[str, ...]]:
    """Write a plugin's folder and return it with its files' paths, sorted.

    Args:
        name: the plugin's name, such as `acme`.
        kind: `tools` (a tool with a gate), `connector` (a skill for a connected system) or `skills`.
        folder: where it goes; `deskmate-<name>` in the current folder by default. It must not hold anything.

    Raises:
        PluginError: the name cannot be used, or the folder holds something.
    """
    check_name(name)
    target = folder or Path(f"deskmate-{name}")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise PluginError(
            f"{target} is there already, and not empty.", hint="Choose another: --folder FOLDER"
        )
    words = _words(name, kind)
    written = []
    for path, template in {**_SHARED, **_files(kind)}.items():
        place = target / _filled(path, words)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(_filled(_template(template), words), "utf-8")
        written.append(place.relative_to(target).as_posix())
    if kind == "tools":  # an example of what is no text
        picture = target / _filled("@SOURCE@/checks/files/picture.png", words)
        picture.write_bytes(b"\x89PNG\r\n\x1a\n")
        written.append(picture.relative_to(target).as_posix())
    return target, tuple(sorted(written))


def check_name(name: str) -> None:
    """Raise PluginError unless a new plugin may have this name."""
    if not _NAME.fullmatch(name) or len(name) > _NAME_LIMIT:
        raise PluginError(
            f"{name!r} cannot be a plugin's name.",
            hint=f"Lower-case letters, digits, single hyphens between them, at most {_NAME_LIMIT} characters.",
        )
    if name in _TAKEN:
        raise PluginError(f"{name} is a name of Deskmate itself.", hint="Choose another one.")


def _files(kind: Kind) -> Mapping[str, str]:
    own = {
        "README.md": f"{kind}/README.md",
        "@SOURCE@/__init__.py": f"{kind}/init.py",
        "@SOURCE@/plugin.toml": f"{kind}/plugin.toml",
        "@SOURCE@/skills/@SKILL@/SKILL.md": f"{kind}/SKILL.md",
    }
    return {
        **own,
        **(_OF_TOOLS if kind == "tools" else {"tests/test_@MODULE@.py": "shared/test.py"}),
    }


def _words(name: str, kind: Kind) -> Mapping[str, str]:
    module = name.replace("-", "_")
    return {
        "@SOURCE@": f"src/deskmate_{module}",
        "@MODULE@": module,
        "@NAME@": name,
        "@DISTRIBUTION@": f"deskmate-{name}",
        "@PACKAGE@": f"deskmate_{module}",
        "@TITLE@": " ".join(word.capitalize() for word in name.split("-")),
        "@SUMMARY@": _SUMMARIES[kind],
        "@RULE@": f"{name.upper()}-COUNTS",
        "@SKILL@": _SKILLS[kind],
    }


def _filled(text: str, words: Mapping[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def _template(name: str) -> str:
    place = resources.files("deskmate.testing.kit") / "templates" / f"{name}.tmpl"
    return place.read_text("utf-8")
