"""What an image is made of: every Debian package and wheel with its version, source and licences."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Mapping
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

_LICENCE_LINE = re.compile(r"^License:[ \t]*(\S[^\n]*)$", re.MULTILINE)
_COMMON = re.compile(r"/usr/share/common-licenses/([A-Za-z0-9.+-]+)")
_WORDS = (
    ("Apache License", "Apache-2.0"),
    ("GNU LESSER GENERAL PUBLIC", "LGPL"),
    ("GNU Lesser General Public", "LGPL"),
    ("GNU GENERAL PUBLIC", "GPL"),
    ("GNU General Public", "GPL"),
    ("Permission is hereby granted, free of charge", "MIT"),
    ("Redistribution and use in source and binary forms", "BSD"),
    ("public domain", "public-domain"),
    ("Public Domain", "public-domain"),
)
_FIELD_LIMIT = 300
UNKNOWN = "see the package's copyright file"
"""Said of a licence that no field and no known sentence names."""


def debian_packages(root: Path) -> list[dict[str, Any]]:
    """Return the installed packages of an unpacked root, by name."""
    rows = []
    for fields in _paragraphs((root / "var/lib/dpkg/status").read_text("utf-8")):
        if not fields.get("Status", "").endswith(" installed"):
            continue
        name = fields["Package"]
        source, _, version = fields.get("Source", name).partition(" ")
        rows.append(
            {
                "kind": "deb",
                "name": name,
                "version": fields["Version"],
                "source": source,
                "source_version": version.strip("()") or fields["Version"],
                "licence": debian_licence(_copyright(root, name)),
            }
        )
    return sorted(rows, key=lambda row: str(row["name"]))


def extracted_packages(root: Path) -> list[dict[str, Any]]:
    """Return packages that were unpacked but not installed, such as the kernel, by their changelogs."""
    rows: list[dict[str, Any]] = []
    for path in sorted((root / "usr/share/doc").glob("*/changelog*.gz")):
        with gzip.open(path, "rt", encoding="utf-8", errors="replace") as file:
            match = re.match(r"(\S+) \((\S+)\)", file.readline())
        name = path.parent.name
        if match is None or any(row["name"] == name for row in rows):
            continue
        rows.append(
            {
                "kind": "deb",
                "name": name,
                "version": match[2],
                "source": match[1],
                "source_version": match[2],
                "licence": debian_licence(_copyright(root, name)),
            }
        )
    return rows


def wheels(folder: Path) -> list[dict[str, Any]]:
    """Return the Python distributions in a folder, by name."""
    rows = []
    for path in folder.glob("*.dist-info/METADATA"):
        about = HeaderParser().parsestr(path.read_text("utf-8", "replace"))
        name = about["Name"].lower().replace("_", "-")
        classifiers = [
            row.rpartition(" :: ")[2]
            for row in about.get_all("Classifier") or ()
            if row.startswith("License ::") and row.count("::") > 1
        ]
        licence = about["License-Expression"] or ", ".join(classifiers) or about["License"] or ""
        rows.append(
            {
                "kind": "wheel",
                "name": name,
                "version": about["Version"],
                "source": name,
                "source_version": about["Version"],
                "licence": _short(licence) or UNKNOWN,
            }
        )
    return sorted(rows, key=lambda row: str(row["name"]))


def debian_licence(text: str) -> str:
    """Return the licences that a copyright file names, sorted, in one line.

    Machine-readable files name them in fields; of others the standard texts they point to, or the
    sentences they are known by.
    """
    names: Iterable[str] = ()
    if "Format:" in text[:400]:
        names = _LICENCE_LINE.findall(text)
    names = names or _COMMON.findall(text)
    found = {name.strip().rstrip(".,") for name in names}
    if not found:
        found = {name for words, name in _WORDS if words in text}
    return _short(", ".join(sorted(found))) or UNKNOWN


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _FIELD_LIMIT else line[: _FIELD_LIMIT - 1] + "…"


def _copyright(root: Path, name: str) -> str:
    path = root / "usr/share/doc" / name / "copyright"
    try:
        # a link may stand in for another package's folder, but must not lead out of the root
        if not path.resolve().is_relative_to(root.resolve()):
            return ""
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _paragraphs(status: str) -> Iterable[Mapping[str, str]]:
    for paragraph in status.split("\n\n"):
        fields = dict(
            line.split(": ", 1)
            for line in paragraph.splitlines()
            if ": " in line and not line.startswith(" ")
        )
        if "Package" in fields and "Version" in fields:
            yield fields
