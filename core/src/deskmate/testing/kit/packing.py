"""`plugin pack`: a plugin's folder → its wheel, by reading alone. No build backend and nothing of the folder runs."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from deskmate.discovery.record import walk_source
from deskmate.errors import PluginError

_TOML_LIMIT_BYTES = 1 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)
_GROUP = "deskmate.plugins"
_LICENSES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "COPYING", "NOTICE")


def pack_wheel(folder: Path, out: Path) -> Path:
    """Write the wheel of a plugin's folder into `out` and return it; the same files give the same bytes.

    Raises:
        PluginError: there is no pyproject.toml, or it leaves to a build what must be known without one.
    """
    project, packages = _project(folder)
    name, version = re.sub(r"[-_.]+", "_", project["name"]).lower(), str(project["version"])
    info = f"{name}-{version}.dist-info"
    members = dict(_package_files(folder, packages))
    licenses = _licenses(folder)
    members |= {f"{info}/licenses/{path.name}": path.read_bytes() for path in licenses}
    members[f"{info}/METADATA"] = _metadata(folder, project, licenses).encode()
    members[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: deskmate plugin pack\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    members[f"{info}/entry_points.txt"] = _entry_points(project).encode()
    record = "".join(_record_line(path, content) for path, content in sorted(members.items()))
    members[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    out.mkdir(parents=True, exist_ok=True)
    wheel = out / f"{name}-{version}-py3-none-any.whl"
    handle, part = tempfile.mkstemp(dir=out, suffix=".part")
    with (
        os.fdopen(handle, "wb") as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for path, content in sorted(members.items()):
            about = zipfile.ZipInfo(path, _EPOCH)
            about.external_attr = 0o100644 << 16
            about.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(about, content)
    Path(part).replace(wheel)
    return wheel


def _project(folder: Path) -> tuple[Mapping[str, Any], tuple[Path, ...]]:
    file = folder / "pyproject.toml"
    try:
        if file.stat().st_size > _TOML_LIMIT_BYTES:
            raise PluginError(f"{file} is larger than 1 MiB.")
        data = tomllib.loads(file.read_text("utf-8"))
        project = data["project"]
        names = [str(project[key]) for key in ("name", "version")]
        entries = project["entry-points"][_GROUP]
        tops = {str(package).partition(".")[0] for package in entries.values()}
    except OSError as error:
        raise PluginError(
            f"{folder} has no readable pyproject.toml: {error.strerror}.",
            hint="Name a plugin's folder, or a wheel. A new one: deskmate plugin new NAME",
        ) from error
    except (ValueError, RecursionError) as error:
        raise PluginError(f"{file} is not valid TOML: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise PluginError(
            f"{file} lacks {error}: name, version and an entry point must stand in it as they are.",
            hint=f'[project.entry-points."{_GROUP}"] and below it: acme = "deskmate_acme"',
        ) from error
    if not all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,63}", text) for text in names):
        raise PluginError(f"{file} has a name or version that no distribution may have.")
    listed = data.get("tool", {}).get("hatch", {}).get("build", {}).get("targets", {})
    packages = [folder / path for path in listed.get("wheel", {}).get("packages", ())]
    packages = packages or [_found(folder, top) for top in sorted(tops)]
    for package in packages:
        inside = package.resolve().is_relative_to(folder.resolve())
        if not inside or not package.is_dir():
            raise PluginError(f"{package} is no package of {folder}.")
    return project, tuple(packages)


def _found(folder: Path, top: str) -> Path:
    places = (folder / "src" / top, folder / top)
    return next((place for place in places if place.is_dir()), places[0])


def _package_files(folder: Path, packages: tuple[Path, ...]) -> Iterator[tuple[str, bytes]]:
    for package in packages:
        for file in walk_source(package):
            path = PurePosixPath(package.name) / file.relative_to(package).as_posix()
            yield str(path), file.read_bytes()


def _licenses(folder: Path) -> list[Path]:
    return [folder / name for name in _LICENSES if (folder / name).is_file()]


def _metadata(folder: Path, project: Mapping[str, Any], licenses: list[Path]) -> str:
    lines = ["Metadata-Version: 2.4", f"Name: {project['name']}", f"Version: {project['version']}"]
    summary = " ".join(str(project.get("description", "")).split())
    lines += [f"Summary: {summary}"] if summary else []
    license_ = project.get("license", "")
    if isinstance(license_, str) and license_:
        lines.append(f"License-Expression: {' '.join(license_.split())}")
    elif isinstance(license_, Mapping) and "text" in license_:
        lines.append(f"License: {' '.join(str(license_['text']).split())}")
    lines += [f"License-File: {path.name}" for path in licenses]
    if wanted := project.get("requires-python"):
        lines.append(f"Requires-Python: {wanted}")
    lines += [f"Requires-Dist: {_one(text)}" for text in project.get("dependencies", ())]
    for extra, requirements in project.get("optional-dependencies", {}).items():
        lines.append(f"Provides-Extra: {extra}")
        lines += [f"Requires-Dist: {_with_extra(_one(text), extra)}" for text in requirements]
    readme = project.get("readme")
    body = ""
    if isinstance(readme, str) and (folder / readme).is_file():
        lines.append("Description-Content-Type: text/markdown")
        body = "\n" + (folder / readme).read_text("utf-8", "replace")
    return "\n".join(lines) + "\n" + body


def _one(text: object) -> str:
    return " ".join(str(text).split())


def _with_extra(requirement: str, extra: str) -> str:
    text, _, marker = requirement.partition(";")
    old = f"({marker.strip()}) and " if marker.strip() else ""
    return f"{text.strip()} ; {old}extra == '{extra}'"


def _entry_points(project: Mapping[str, Any]) -> str:
    groups = {**project.get("entry-points", {})}
    for key, group in (("scripts", "console_scripts"), ("gui-scripts", "gui_scripts")):
        if project.get(key):
            groups[group] = project[key]
    return "".join(
        f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in entries.items()) + "\n"
        for group, entries in groups.items()
    )


def _record_line(path: str, content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
    quoted = '"' + path.replace('"', '""') + '"' if set(path) & set(',"') else path
    return f"{quoted},sha256={digest},{len(content)}\n"
