"""Known vulnerabilities, from a file of advisories that the user brought (OSV). Nothing is asked of a network."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath
from typing import Any, Literal

from deskmate.plugin import ToolInputError
from deskmate_engineering.deps.locks import Package
from deskmate_engineering.deps.versions import Order, order_of

State = Literal["affected", "unclear"]
LIMIT_BYTES = 1 << 30
RECORD_BYTES = 16 << 20
RECORDS_LIMIT = 400_000
_ECOSYSTEMS = {
    "pypi": "PyPI", "npm": "npm", "cargo": "crates.io", "golang": "Go", "gem": "RubyGems", "composer": "Packagist",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """An advisory that is about a package. `unclear`: it cannot be told whether about this version; `why` says so."""

    package: Package
    state: State
    advisory: str
    aliases: tuple[str, ...]
    severity: str
    fixed: tuple[str, ...]
    summary: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisories:
    """What a file of advisories says of some packages. `newest`: when its newest record changed, as it says."""

    file: str
    records: int
    newest: str
    hits: tuple[Hit, ...]

    def of(self, state: State) -> tuple[Hit, ...]:
        """Return the hits of a state."""
        return tuple(one for one in self.hits if one.state == state)


def look_up(data: bytes, path: str, packages: Iterable[Package]) -> Advisories:
    """Return what a file of advisories says of packages.

    Args:
        data: an OSV record, a JSON list of them, `{"vulns": […]}`, JSON lines, or a ZIP of records.
        path: its name, for messages.
        packages: what is looked up.

    Raises:
        ToolInputError: it is not of that form, holds no record, or is too large.
    """
    wanted: dict[tuple[str, str], list[Package]] = {}
    for package in packages:
        wanted.setdefault(_key(_ECOSYSTEMS.get(package.kind, ""), package.name), []).append(package)
    hits: dict[tuple[str, str], Hit] = {}
    number, newest = 0, ""
    for record in _records(data, path):
        number += 1
        if number > RECORDS_LIMIT:
            raise ToolInputError(f"{path} has more than {RECORDS_LIMIT} advisories.")
        try:
            newest = max(newest, date.fromisoformat(str(record["modified"])[:10]).isoformat())
            found = list(_hits(record, wanted)) if not record.get("withdrawn") else []
        except (KeyError, TypeError, AttributeError, ValueError) as problem:
            raise ToolInputError(
                f"{path}: advisory {number} is not of the OSV form ({type(problem).__name__})."
            ) from problem
        for hit in found:
            place = (hit.package.purl, hit.advisory)
            if place not in hits or hit.state == "affected":
                hits[place] = hit
    if not number:
        raise ToolInputError(f"{path} holds no advisory of the OSV form.")
    return Advisories(
        file=path,
        records=number,
        newest=newest,
        hits=tuple(hits[place] for place in sorted(hits)),
    )


def _key(ecosystem: str, name: str) -> tuple[str, str]:
    plain = name
    if ecosystem == "PyPI":
        plain = "-".join(part for part in name.lower().replace("_", "-").replace(".", "-").split("-") if part)  # fmt: skip
    elif ecosystem in ("npm", "Packagist"):
        plain = name.lower()
    return ecosystem, plain


def _records(data: bytes, path: str) -> Iterator[Mapping[str, Any]]:
    if PurePosixPath(path).suffix.lower() == ".zip":
        yield from _zipped(data, path)
        return
    if len(data) > LIMIT_BYTES:
        raise ToolInputError(f"{path} is larger than 1 GiB.")
    yield from _read(data, path)


def _zipped(data: bytes, path: str) -> Iterator[Mapping[str, Any]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as bundle:
            total = 0
            for item in sorted(bundle.infolist(), key=lambda one: one.filename):
                if item.is_dir() or not item.filename.lower().endswith(".json"):
                    continue
                total += item.file_size
                if item.file_size > RECORD_BYTES or total > LIMIT_BYTES:
                    raise ToolInputError(f"{path}: {item.filename} makes it larger than is read here.")  # fmt: skip
                yield from _read(bundle.read(item), f"{path}: {item.filename}")
    except (
        zipfile.BadZipFile,
        RuntimeError,
        NotImplementedError,
        OSError,
        EOFError,
        zlib.error,
    ) as problem:
        raise ToolInputError(f"{path} is not a whole ZIP file.") from problem


def _read(data: bytes, path: str) -> Iterator[Mapping[str, Any]]:
    try:
        text = data.decode("utf-8-sig")
        try:
            whole = json.loads(text)
        except json.JSONDecodeError:
            rows = [row for row in text.splitlines() if row.strip()]
            if len(rows) < 2:
                raise
            whole = [json.loads(row) for row in rows]
    except (ValueError, RecursionError) as problem:
        raise ToolInputError(f"{path} is not JSON.") from problem
    if isinstance(whole, dict) and isinstance(whole.get("vulns"), list):
        whole = whole["vulns"]
    for record in whole if isinstance(whole, list) else [whole]:
        if not isinstance(record, dict) or "id" not in record or "modified" not in record:
            raise ToolInputError(f"{path} is not of the OSV form: id and modified are missing.")
        yield record


def _hits(
    record: Mapping[str, Any], wanted: Mapping[tuple[str, str], list[Package]]
) -> Iterator[Hit]:
    affected = record.get("affected") or ()
    for block in affected:
        about = block.get("package") or {}
        ecosystem = str(about.get("ecosystem", "")).partition(":")[0]
        for package in wanted.get(_key(ecosystem, str(about.get("name", ""))), ()):
            state, why = _state(package, block)
            if state is not None:
                yield Hit(
                    package=package, state=state, why=why, advisory=str(record["id"]),
                    aliases=tuple(sorted(map(str, record.get("aliases") or ()))),
                    severity=_severity(record, block), fixed=_fixed(block),
                    summary=" ".join(str(record.get("summary") or record.get("details") or "").split())[:160],
                )  # fmt: skip


def _severity(record: Mapping[str, Any], block: Mapping[str, Any]) -> str:
    for place in (record, block):
        said = (place.get("database_specific") or {}).get("severity")
        if isinstance(said, str) and said:
            return said.lower()
    for place in (block, record):
        for one in place.get("severity") or ():
            return str(one.get("score", ""))
    return ""


def _fixed(block: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(
            str(event["fixed"])
            for part in block.get("ranges") or ()
            if part.get("type") != "GIT"
            for event in part.get("events") or ()
            if "fixed" in event
        )
    )


def _state(package: Package, block: Mapping[str, Any]) -> tuple[State | None, str]:
    """Return whether a version is affected, by the evaluation that the OSV schema prescribes."""
    if not package.version:
        return "unclear", "no version is pinned"
    order = order_of(package.kind)
    mine = order(package.version)
    listed = [str(one) for one in block.get("versions") or ()]
    bare = package.version.removeprefix("v") if package.kind == "golang" else package.version
    if bare in listed or package.version in listed:
        return "affected", ""
    if mine is not None and any(order(one) == mine for one in listed):
        return "affected", ""
    ranges = [one for one in block.get("ranges") or () if one.get("type") != "GIT"]
    if not ranges:
        return (None, "") if listed else ("unclear", "the advisory names no versions")
    answers = [_inside(mine, one, block, order) for one in ranges]
    if True in answers:
        return "affected", ""
    if None in answers and not listed:
        return "unclear", "the versions cannot be compared"
    return None, ""


def _inside(
    mine: Any, part: Mapping[str, Any], block: Mapping[str, Any], order: Order
) -> bool | None:
    """Return whether a version lies in a range; None: that cannot be told."""
    if mine is None:
        return None
    events: list[tuple[Any, int, str]] = []
    kinds = {"fixed": 0, "introduced": 1, "last_affected": 2}
    for event in part.get("events") or ():
        for kind, value in event.items():
            if kind not in kinds:
                continue
            at = order(str(value)) if value != "0" else None
            if at is None and value != "0":
                return None
            events.append((at, kinds[kind], kind))
    starts = [one for one in events if one[0] is None]
    later = sorted((one for one in events if one[0] is not None), key=lambda one: one[:2])
    inside = bool(starts)
    for at, _, kind in later:
        if kind == "introduced" and mine >= at:
            inside = True
        elif (kind == "fixed" and mine >= at) or (kind == "last_affected" and mine > at):
            inside = False
    ended = any(kind != "introduced" for _, _, kind in events)
    return inside and (ended or _below_known_end(mine, block, order))


def _below_known_end(mine: Any, block: Mapping[str, Any], order: Order) -> bool:
    """Return whether a version lies below the end that GitHub's older records state beside the range."""
    said = str((block.get("database_specific") or {}).get("last_known_affected_version_range", ""))
    sign, end = ("<=", said[2:]) if said.startswith("<=") else ("<", said[1:])
    at = order(end.strip()) if said.startswith("<") else None
    if at is None:
        return True
    return bool(mine <= at if sign == "<=" else mine < at)
