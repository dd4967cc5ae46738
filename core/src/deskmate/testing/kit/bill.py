"""What a wheel is made of, as CycloneDX JSON, and whether the licences go together with being installed by others."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deskmate.discovery.metadata import parse_headers
from deskmate.discovery.wheel import opened
from deskmate.errors import PluginError

_LIMIT_BYTES = 1 << 20
_STRONG = re.compile(
    r"\b(A?GPL|SSPL|GNU (Affero )?General Public|Commons-Clause|BUSL|Business Source)",
    re.IGNORECASE,
)
_WEAK = re.compile(r"\bLGPL|Lesser General Public", re.IGNORECASE)
_CLASSIFIER = "License :: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One distribution. `licence`: as its metadata says, empty if it says nothing. `sha256`: of its wheel, or empty."""

    name: str
    version: str
    licence: str
    sha256: str = ""
    wants: tuple[str, ...] = ()
    has_text: bool = field(default=False)


def part_of(wheel: Path, sha256: str = "") -> Part:
    """Return what a wheel's metadata says. Raises PluginError where it has none that can be read."""
    with opened(wheel) as archive:
        names = [
            n for n in archive.namelist() if n.endswith(".dist-info/METADATA") and n.count("/") == 1
        ]
        if len(names) != 1 or archive.getinfo(names[0]).file_size > _LIMIT_BYTES:
            raise PluginError(f"{wheel.name} has no readable METADATA.")
        fields = parse_headers(_text(archive, names[0]))
        has_text = any(
            re.search(r"(LICEN[CS]E|COPYING|NOTICE)", n, re.IGNORECASE) for n in archive.namelist()
        )
    return Part(
        name=_field(fields, "name"),
        version=_field(fields, "version"),
        licence=_licence(fields),
        sha256=sha256,
        wants=tuple(fields.get("requires-dist", ())),
        has_text=has_text,
    )


def _text(archive: zipfile.ZipFile, name: str) -> str:
    return archive.read(name).decode("utf-8", "replace")


def _field(fields: Mapping[str, Sequence[str]], name: str) -> str:
    return (fields.get(name) or [""])[0].strip()


def _licence(fields: Mapping[str, Sequence[str]]) -> str:
    if found := _field(fields, "license-expression"):
        return found
    classifiers = [c for c in fields.get("classifier", ()) if c.startswith(_CLASSIFIER)]
    if classifiers:
        return "; ".join(one.rpartition(" :: ")[2] for one in classifiers)
    return " ".join(_field(fields, "license").split())[:100]


def licence_problems(own: Part, parts: Sequence[Part]) -> Iterator[str]:
    """Yield what stands in the way of others installing the plugin with what it brings."""
    if not own.licence:
        yield f'{own.name} says no licence; write license = "…" (SPDX) into pyproject.toml'
    if not own.has_text:
        yield f"{own.name} brings no licence text; put a file LICENSE beside pyproject.toml"
    for part in parts:
        if not part.licence:
            yield f"{part.name} {part.version} says no licence"
        elif _STRONG.search(part.licence) and not _WEAK.search(part.licence):
            yield f"{part.name} {part.version} is under {part.licence}, which binds all that it is delivered with"


def cyclonedx(own: Part, parts: Sequence[Part], *, time: str, version: str) -> dict[str, Any]:
    """Return the bill of materials (CycloneDX 1.6). `time`: RFC 3339. `version`: of Deskmate."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": time,
            "tools": {
                "components": [{"type": "application", "name": "deskmate", "version": version}]
            },
            "component": _component(own, "application"),
        },
        "components": [_component(part, "library") for part in parts],
        "dependencies": [
            {"ref": _purl(own), "dependsOn": [_purl(part) for part in parts]},
            *({"ref": _purl(part), "dependsOn": []} for part in parts),
        ],
    }


def _component(part: Part, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": kind, "bom-ref": _purl(part), "name": part.name, "version": part.version, "purl": _purl(part),
    }  # fmt: skip
    if part.licence:
        found["licenses"] = [{"license": {"name": part.licence}}]
    if part.sha256:
        found["hashes"] = [{"alg": "SHA-256", "content": part.sha256}]
    return found


def _purl(part: Part) -> str:
    return f"pkg:pypi/{re.sub(r'[-_.]+', '-', part.name).lower()}@{part.version}"
