"""Makes an index of plugins out of wheels, and looks at one as its publisher's CI does."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deskmate.discovery.permissions import permission_lines
from deskmate.discovery.wheel import shown
from deskmate.errors import CorruptData, PluginError, UserError
from deskmate.testing.kit.check import Subject, laid_out, parts_of
from deskmate.testing.kit.index import (
    ABOUT,
    REPORTS,
    WHEELS,
    About,
    Brought,
    Entry,
    Index,
    entries_there,
    read_about,
    read_index,
    refused,
)
from deskmate.testing.kit.report import Report, problem_of, read_report
from deskmate.types.codec import to_json

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A wheel for an index. `report`: what `plugin check` found, signed."""

    wheel: Path
    report: Report | None = None


def add_to_index(
    folder: Path,
    added: Sequence[Added],
    progress: Progress,
    *,
    wheelhouse: Path | None = None,
) -> tuple[Entry, ...]:
    """Pin wheels: write their entries, and put them and what they need in the machine beside. Signs nothing.

    Raises PluginError for a wheel that Deskmate would not install, and for other bytes under a version that is there.
    """
    there = {entry.path: entry for entry in entries_there(folder)}
    made = []
    for one in added:
        with laid_out(one.wheel, progress, wheelhouse=wheelhouse) as subject:
            entry = _entry_of(subject, one.report)
            before = there.get(entry.path)
            if before is not None and before.sha256 != entry.sha256:
                raise PluginError(
                    f"{entry.distribution} {entry.version} is in the index already, with other bytes.",
                    hint="A version never changes: give the new wheel a new version.",
                )
            if before is not None:
                entry = replace(entry, withdrawn=before.withdrawn)
            _put(folder, subject, entry, one.report)
            there[entry.path] = entry
            made.append(entry)
    return tuple(made)


def withdraw(folder: Path, distribution: str, version: str, why: str) -> Entry:
    """Say in an entry why its version must not be used any more. Raises PluginError if there is none."""
    wanted = (distribution.lower(), version)
    for entry in entries_there(folder):
        if (entry.distribution.lower(), entry.version) == wanted:
            changed = replace(entry, withdrawn=why)
            _write(folder / changed.path, to_json(changed, defaults=True))
            return changed
    raise refused(folder, f"has no {shown(distribution)} {shown(version)}")


def sign_index(folder: Path, private: str, *, name: str, time: str) -> About:
    """Sign the entries of a folder as they are and return what the index says then.

    `name`: of a new index; an old one keeps its own. Raises PluginError for an entry that is none.
    """
    from deskmate.store.signing import public_of, signature_of  # noqa: PLC0415

    before = read_about(folder) if (folder / ABOUT).exists() else None
    entries = {entry.path: _sha256(folder / entry.path) for entry in entries_there(folder)}
    bare = About(
        name=before.name if before else name, serial=before.serial + 1 if before else 1,
        time=time, entries=dict(sorted(entries.items())), key=public_of(private),
    )  # fmt: skip
    about = replace(bare, signature=signature_of(private, bare.body()))
    _write(folder / ABOUT, to_json(about, defaults=True))
    return about


def index_problems(
    folder: Path, progress: Progress, *, key: str = "", before: Path | None = None
) -> Iterator[str]:
    """Yield what is wrong with an index, nothing if it is sound: every wheel and report that is there is looked at.

    `key`: as for `read_index`. `before`: the index as it was; no version of it may be gone or be another now.
    """
    try:
        index = read_index(folder, key=key)
    except PluginError as error:
        yield error.message
        return
    unsigned = {entry.path for entry in entries_there(folder)} - set(index.about.entries)
    yield from (f"{path} is there and not signed" for path in sorted(unsigned))
    if before is not None:
        yield from _changed(read_index(before, key=key), index)
    for entry in index.entries:
        progress(f"looking at {entry.distribution} {entry.version}")
        yield from (f"{entry.path}: {why}" for why in _entry_problems(index, entry, progress))


def _changed(old: Index, new: Index) -> Iterator[str]:
    if new.about.serial <= old.about.serial and new.about != old.about:
        yield f"its serial is {new.about.serial}, before it was {old.about.serial}"
    now = {entry.path: entry for entry in new.entries}
    for entry in old.entries:
        if entry.path not in now:
            yield f"{entry.path} is gone; withdraw a version, do not remove it"
        elif now[entry.path].pinned != entry.pinned:
            yield f"{entry.path} is not what it was; a version never changes"
        elif entry.withdrawn and not now[entry.path].withdrawn:
            yield f"{entry.path} was withdrawn and is offered again"


def _entry_problems(index: Index, entry: Entry, progress: Progress) -> Iterator[str]:
    report, why = _report_there(index.folder, entry)
    if why:
        yield why
    wheel = index.wheel(entry)
    if wheel is None:
        return
    wheels = index.folder / WHEELS
    if missing := [name for name in entry.guest if not (wheels / name).is_file()]:
        yield f"it brings its wheel and lacks {', '.join(missing)}"
        return
    if _sha256(wheel) != entry.sha256:
        yield f"{WHEELS}/{entry.wheel} is not the wheel that was pinned"
        return
    try:
        with laid_out(wheel, progress, wheelhouse=wheels) as subject:
            found = _entry_of(subject, report)
    except UserError as error:
        yield error.message
        return
    if found.pinned != replace(entry.pinned, level=found.level, checked_by=found.checked_by):
        yield "it does not say what its wheel is"


def _report_there(folder: Path, entry: Entry) -> tuple[Report | None, str]:
    """Return the report that an entry speaks of, and what is wrong with it."""
    file = folder / REPORTS / f"{entry.wheel}.json"
    if not entry.level:
        return None, ""
    try:
        report = read_report(json.loads(file.read_bytes()))
    except (OSError, ValueError, RecursionError, CorruptData):
        return None, f"its report {REPORTS}/{file.name} cannot be read"
    if why := problem_of(report, key=entry.checked_by, sha256=entry.sha256):
        return None, f"its report does not hold: {why}"
    if report.level != entry.level:
        return None, f"it says {shown(entry.level)}, its report {report.level}"
    return report, ""


def _entry_of(subject: Subject, report: Report | None) -> Entry:
    if subject.refused is not None:
        raise subject.refused
    if report is not None and (why := problem_of(report, sha256=subject.sha256)):
        raise PluginError(
            f"The report for {subject.wheel.name} does not hold: {why}.",
            hint="Make it anew: deskmate plugin check WHEEL --report FILE",
        )
    stored = subject.store.index().plugins[0]
    own, _ = parts_of(subject)
    plugin = subject.plugin
    wants = tuple(permission_lines(plugin))
    return Entry(
        distribution=stored.name, version=stored.version, wheel=stored.wheel, sha256=stored.sha256,
        size=subject.wheel.stat().st_size, licence=own.licence,
        plugins=(Brought(name=plugin.name, summary=plugin.manifest.summary, wants=wants),),
        guest=dict(sorted(stored.guest.items())),
        level=report.level if report else "", checked_by=report.key if report else "",
    )  # fmt: skip


def _put(folder: Path, subject: Subject, entry: Entry, report: Report | None) -> None:
    """Write an entry and what it names; the entry last, so that it never names what is not there."""
    wheels = folder / WHEELS
    wheels.mkdir(parents=True, exist_ok=True)
    stored = subject.store.index().plugins[0]
    guest = {Path(file).name: Path(file) for file in subject.store.wheels(stored)}
    for name, source in {entry.wheel: subject.wheel, **guest}.items():
        target = wheels / name
        if target.is_file() and _sha256(target) == _sha256(source):
            continue
        part = target.with_name(f".{name}.part")
        shutil.copyfile(source, part)
        part.replace(target)
    if report is not None:
        _write(folder / REPORTS / f"{entry.wheel}.json", to_json(report, defaults=True))
    _write(folder / entry.path, to_json(entry, defaults=True))


def _write(file: Path, data: Mapping[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    text = json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    part.write_text(text, "utf-8")
    part.replace(file)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
