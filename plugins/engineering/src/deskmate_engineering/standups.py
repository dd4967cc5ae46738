"""Commits of a window by author and theme, and their text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

from deskmate.plugin import ToolInputError
from deskmate_engineering.changes import is_test
from deskmate_engineering.repository import Repository
from deskmate_engineering.secrets import masked
from deskmate_engineering.windows import Window

COMMITS_LIMIT = 500
_FORMAT = "%x1e%H%x1f%an%x1f%aI%x1f%s%x1f%b%x1f"
_CONVENTIONAL = re.compile(r"^(?P<kind>[a-z]+)(?:\([^)]*\))?!?:\s")
_KINDS: Mapping[str, str] = {
    "feat": "Features",
    "feature": "Features",
    "fix": "Fixes",
    "bugfix": "Fixes",
    "hotfix": "Fixes",
    "perf": "Performance",
    "refactor": "Refactoring",
    "docs": "Documentation",
    "doc": "Documentation",
    "test": "Tests",
    "tests": "Tests",
    "build": "Build and dependencies",
    "deps": "Build and dependencies",
    "ci": "Build and dependencies",
    "chore": "Chores",
    "style": "Chores",
    "revert": "Reverts",
}
_DOCS = (".md", ".rst", ".adoc", ".txt")
_TICKET = re.compile(r"\b[A-Z][A-Z0-9]{1,9}-\d+\b|(?<![\w/])#\d+\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCount:
    """A file of a commit; None where it is binary."""

    path: str
    added: int | None
    removed: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit. `name`, `at`: its author's name and time."""

    id: str
    name: str
    at: datetime
    subject: str
    body: str
    files: tuple[FileCount, ...]

    @property
    def added(self) -> int:
        """Lines added."""
        return sum(file.added or 0 for file in self.files)

    @property
    def removed(self) -> int:
        """Lines removed."""
        return sum(file.removed or 0 for file in self.files)

    @property
    def title(self) -> str:
        """Its subject on one line, secrets masked."""
        return " ".join(masked(self.subject).split()) or "(no subject)"

    @property
    def theme(self) -> str:
        """What it is about: the kind that its subject names, else what it touches most."""
        match = _CONVENTIONAL.match(self.subject)
        if match and match["kind"] in _KINDS:
            return _KINDS[match["kind"]]
        if self.subject.startswith('Revert "'):
            return "Reverts"
        return theme_of_paths([file.path for file in self.files])

    @property
    def tickets(self) -> tuple[str, ...]:
        """Tickets that its message names."""
        return tuple(dict.fromkeys(_TICKET.findall(f"{self.subject}\n{self.body}")))


def theme_of_paths(paths: Sequence[str]) -> str:
    """Return the theme of a set of files: tests, documents, or the top folder that most of them are in."""
    if not paths:
        return "No files"
    if all(is_test(path) for path in paths):
        return "Tests"
    if all(path.lower().endswith(_DOCS) or path.startswith(("docs/", "doc/")) for path in paths):
        return "Documentation"
    tops = [
        PurePosixPath(p).parts[0] if "/" in p else "top folder" for p in paths if not is_test(p)
    ]
    return max(sorted(set(tops)), key=tops.count)


def commits_of(
    repository: Repository, window: Window, author: str = ""
) -> tuple[list[Commit], int]:
    """Return the commits of local branches that were written in the window, newest first, and how many merges there were.

    Raises:
        ToolInputError: more than 500.
    """
    if repository.empty:
        return [], 0
    listed = repository.git("log", *repository.tips(), "--date-order", "--format=%H %at %p|%an|%ae")
    chosen, merges = [], 0
    for line in listed.splitlines():
        head, _, who = line.partition("|")
        commit, seconds, *parents = head.split()
        moment = datetime.fromtimestamp(int(seconds), window.since.tzinfo)
        if not window.holds(moment) or author.lower() not in who.lower():
            continue
        if len(parents) > 1:
            merges += 1
        else:
            chosen.append(commit)
    if len(chosen) > COMMITS_LIMIT:
        raise ToolInputError(
            f"There are {len(chosen)} commits in {window.title}; at most {COMMITS_LIMIT} fit. Name a shorter window or an author."
        )
    if not chosen:
        return [], merges
    options = (
        "--no-walk=unsorted",
        "--stdin",
        "--numstat",
        "--no-ext-diff",
        "--no-textconv",
        "--no-renames",
    )
    ids = "".join(f"{commit}\n" for commit in chosen).encode()
    text = repository.git("log", *options, f"--format={_FORMAT}", data=ids)
    return [_commit(record) for record in text.split("\x1e")[1:]], merges


def _commit(record: str) -> Commit:
    commit, name, at, subject, body, numbers = record.split("\x1f", 5)
    files = (re.match(r"(\d+|-)\t(\d+|-)\t(.*)", line) for line in numbers.split("\n"))
    return Commit(
        id=commit,
        name=name,
        at=datetime.fromisoformat(at),
        subject=subject,
        body=body.strip(),
        files=tuple(
            FileCount(path=m[3], added=_number(m[1]), removed=_number(m[2])) for m in files if m
        ),
    )


def _number(text: str) -> int | None:
    return None if text == "-" else int(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One author's commits, newest first. `name`: as the newest has it."""

    name: str
    commits: tuple[Commit, ...]

    def themes(self) -> dict[str, list[Commit]]:
        """Return theme → commits, the theme with most first."""
        found: dict[str, list[Commit]] = {}
        for commit in self.commits:
            found.setdefault(commit.theme, []).append(commit)
        return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def people_of(commits: Sequence[Commit]) -> list[Person]:
    """Return the authors, told apart by the names that their commits give, most commits first.

    Not by address: a mailbox that several share would give one the work of another.
    """
    found: dict[str, list[Commit]] = {}
    for commit in sorted(commits, key=lambda c: c.at, reverse=True):
        found.setdefault(commit.name.casefold(), []).append(commit)
    people = [Person(name=group[0].name, commits=tuple(group)) for group in found.values()]
    return sorted(people, key=lambda person: (-len(person.commits), person.name))


def plural(count: int, word: str) -> str:
    """Return a count with its word."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def as_markdown(
    name: str,
    window: Window,
    commits: Sequence[Commit],
    merges: int,
    highlights: Sequence[tuple[str, Sequence[str]]] = (),
) -> str:
    """Return the stand-up: each line names the commits that it rests on. `highlights`: text and ids."""
    parts = [f"# Stand-up of {name}, {window.title}", "", totals(commits, merges), ""]
    if highlights:
        parts += ["## Highlights", ""]
        parts += [f"- {text} ({', '.join(f'`{i[:10]}`' for i in ids)})" for text, ids in highlights]
        parts += [""]
    for person in people_of(commits):
        parts += [head_line(person), ""]
        for theme, group in person.themes().items():
            parts += [f"*{theme}*", "", *(bullet(commit) for commit in group), ""]
    return "\n".join(parts)


def totals(commits: Sequence[Commit], merges: int) -> str:
    """Return the line of totals."""
    if not commits:
        return f"No commits. Merges left out: {merges}."
    paths = {file.path for commit in commits for file in commit.files}
    added, removed = sum(c.added for c in commits), sum(c.removed for c in commits)
    people = len(people_of(commits))
    who = "1 person" if people == 1 else f"{people} people"
    return (
        f"{plural(len(commits), 'commit')} by {who}, +{added} −{removed} lines in {plural(len(paths), 'file')}. "
        f"Merges left out: {merges}."
    )


def head_line(person: Person) -> str:
    """Return a person's line."""
    added, removed = sum(c.added for c in person.commits), sum(c.removed for c in person.commits)
    return f"**{person.name}** ({plural(len(person.commits), 'commit')}, +{added} −{removed})"


def bullet(commit: Commit) -> str:
    """Return a commit's line."""
    return f"- {commit.title} (`{commit.id[:10]}`, {plural(len(commit.files), 'file')})"
