"""A review: the change, what the checks find in it, what a person or model adds, and its text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deskmate_engineering.changes import ChangeSet, changes_between, changes_of_patch
from deskmate_engineering.diffs import FileDiff, parse_diff
from deskmate_engineering.inspections.classes import KINDS, OFF, SEVERITIES, severities
from deskmate_engineering.inspections.run import findings_of
from deskmate_engineering.ranges import Span, files_of
from deskmate_engineering.repository import Repository
from deskmate_engineering.secrets import masked

Finding = Mapping[str, Any]
WANTED = {"file": str, "line": int, "text": str, "severity": str, "message": str}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is reviewed. `title`: for the head of the review. `checked`: what the checks found."""

    title: str
    files: tuple[FileDiff, ...]
    change: ChangeSet
    checked: tuple[dict[str, Any], ...]
    classes: int

    def lines(self) -> dict[tuple[str, int, str], str]:
        """Return (file, line, side) → text of every line that the diff shows."""
        found: dict[tuple[str, int, str], str] = {}
        for file in self.files:
            for line in (line for hunk in file.hunks for line in hunk.lines):
                if line.new is not None:
                    found[(file.new_path or file.path, line.new, "new")] = line.text
                if line.old is not None:
                    found[(file.old_path or file.path, line.old, "old")] = line.text
        return found


def subject_of_patch(text: str, name: str, settings: Mapping[str, Any]) -> Subject:
    """Return a patch file as a subject."""
    files = tuple(parse_diff(text, name)) if text.strip() else ()
    return _subject(name, files, changes_of_patch(text, name), settings)


def subject_between(repository: Repository, span: Span, settings: Mapping[str, Any]) -> Subject:
    """Return the change between two commits as a subject."""
    files = files_of(repository, span)
    change = changes_between(repository, span.base, span.head, files)
    title = f"{repository.name}, {span.title}"
    return _subject(title, tuple(files), change, settings)


def _subject(
    title: str, files: tuple[FileDiff, ...], change: ChangeSet, settings: Mapping[str, Any]
) -> Subject:
    levels = severities(settings)
    return Subject(
        title=title,
        files=files,
        change=change,
        checked=tuple(findings_of(change, levels)),
        classes=sum(level != OFF for level in levels.values()),
    )


def misplaced(finding: Any, lines: Mapping[tuple[str, int, str], str]) -> str:
    """Return what is wrong with a finding's place, or an empty text."""
    if not isinstance(finding, Mapping) or any(
        not isinstance(finding.get(name), kind) for name, kind in WANTED.items()
    ):
        return f"it needs {', '.join(WANTED)}."
    if finding["severity"] not in SEVERITIES:
        return f"severity is {finding['severity']!r}; use {', '.join(SEVERITIES)}."
    side = finding.get("side", "new")
    place = f"{finding['file']}:{finding['line']}"
    there = lines.get((finding["file"], finding["line"], side))
    if there is None:
        return f"{place} is not a line of the {side} version in the diff."
    if finding["text"].strip() not in (there.strip(), masked(there).strip()):
        return f"{place} reads {masked(there).strip()[:120]!r}, not {masked(finding['text']).strip()[:120]!r}."
    if not finding["message"].strip():
        return f"{place} has no message."
    return ""


def merged(
    subject: Subject, given: Sequence[Finding], dismissed: Sequence[Finding]
) -> list[dict[str, Any]]:
    """Return all findings, gravest first: those given, and those of the checks that were not dismissed or said already."""
    gone = {key_of(one) for one in dismissed}
    said = {key_of(one) for one in given}
    whole = [_whole(one) for one in given]
    whole += [dict(one) for one in subject.checked if key_of(one) not in gone | said]
    order = SEVERITIES.index
    return sorted(whole, key=lambda f: (order(f["severity"]), f["file"], f["line"], f["class"]))


def _whole(finding: Finding) -> dict[str, Any]:
    kept = {name: finding[name] for name in WANTED}
    kept["text"] = masked(kept["text"]).strip()
    kept["message"] = " ".join(masked(kept["message"]).split())
    return {**kept, "side": finding.get("side", "new"), "class": str(finding.get("class", ""))}


def key_of(finding: Finding) -> tuple[str, int, str, str]:
    """Return what makes two findings the same: place and class."""
    side = str(finding.get("side", "new"))
    return (
        str(finding.get("file")),
        int(finding.get("line", 0)),
        side,
        str(finding.get("class", "")),
    )


def as_markdown(subject: Subject, findings: Sequence[Finding], dismissed: Sequence[Finding]) -> str:
    """Return the review's text, gravest findings first."""
    added = sum(file.count("added") for file in subject.files)
    removed = sum(file.count("removed") for file in subject.files)
    counts = ", ".join(
        f"{number} {level}"
        for level in SEVERITIES
        if (number := sum(f["severity"] == level for f in findings))
    )
    parts = [
        f"# Review of {subject.title}",
        "",
        f"{len(subject.files)} file{'' if len(subject.files) == 1 else 's'}, +{added} −{removed} lines. "
        f"Findings: {counts or 'none'}.",
        "",
    ]
    for finding in findings:
        known = f" ({finding['class']})" if finding["class"] in KINDS else ""
        removed_line = ", a line that goes" if finding["side"] == "old" else ""
        parts += [
            f"## {finding['severity']}: {finding['file']}:{finding['line']}{known}{removed_line}",
            "",
            f"    {finding['text']}",
            "",
            finding["message"],
            "",
        ]
    if dismissed:
        parts += ["## Found by a check and set aside", ""]
        parts += [
            f"- {one['file']}:{one['line']} ({one['class']}): {' '.join(str(one['reason']).split())}"
            for one in dismissed
        ]
        parts += [""]
    return "\n".join([*parts, *_scope(subject)])


def _scope(subject: Subject) -> list[str]:
    """Return what was looked at and what not."""
    lines = [
        "## What was looked at",
        "",
        f"- {subject.classes} classes of defects, by rules that read the change and nothing around it. No test was run.",
    ]
    if not subject.change.whole:
        lines.append(
            "- A patch shows parts of files: checks that need whole files looked at new files only."
        )
    lines += [f"- Not read: {path} ({why})." for path, why in subject.change.unread.items()]
    return [*lines, ""]
