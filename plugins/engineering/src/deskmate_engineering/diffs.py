"""Unified diffs as files, hunks and numbered lines."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

from deskmate.plugin import ToolInputError
from deskmate_engineering.secrets import masked

_HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)$")
Kind = Literal["added", "removed", "context"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a hunk. `old`, `new`: its number in either version, from 1, or None where it is not in it."""

    kind: Kind
    text: str
    old: int | None
    new: int | None


@dataclass(slots=True, kw_only=True)
class Hunk:
    """A run of changed lines. `section`: what git says it is in, such as a function's head."""

    old_start: int
    new_start: int
    section: str
    lines: list[Line] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class FileDiff:
    """One file's changes. `old_path` or `new_path` is empty for a new or deleted file."""

    old_path: str
    new_path: str
    binary: bool = False
    hunks: list[Hunk] = field(default_factory=list)

    @property
    def path(self) -> str:
        """The path by which one speaks of the file."""
        return self.new_path or self.old_path

    def count(self, kind: Kind) -> int:
        """Return how many lines of a kind it has."""
        return sum(line.kind == kind for hunk in self.hunks for line in hunk.lines)


def parse_diff(text: str, name: str) -> list[FileDiff]:
    """Return the files of a unified diff, as git or `diff -u` write it.

    Raises:
        ToolInputError: it holds no file, or a hunk is shorter or longer than its head says.
    """
    files: list[FileDiff] = []
    # only line feeds end a line here: form feeds and the like are part of it
    lines = text.replace("\r\n", "\n").split("\n")
    index = 0
    while index < len(lines):
        line = lines[index]
        if line.startswith("diff --git "):
            files.append(_git_head(line))
        elif (
            line.startswith("--- ")
            and index + 1 < len(lines)
            and lines[index + 1].startswith("+++ ")
        ):
            _name_file(files, line[4:], lines[index + 1][4:])
            index += 1
        elif line.startswith(("Binary files ", "GIT binary patch")) and files:
            files[-1].binary = True
        elif line.startswith(("rename to ", "new file mode", "deleted file mode")) and files:
            _note(files[-1], line)
        elif (head := _HUNK.match(line)) and files:
            index = _take_hunk(files[-1], head, lines, index + 1, name)
            continue
        index += 1
    if not files:
        raise ToolInputError(f"{name} is not a unified diff.")
    return files


def _git_head(line: str) -> FileDiff:
    paths = re.match(r'diff --git (?P<old>"?a/.*?) (?P<new>"?b/.*)$', line)
    if paths is None:
        return FileDiff(old_path="", new_path="")
    return FileDiff(old_path=_plain(paths["old"], "a/"), new_path=_plain(paths["new"], "b/"))


def _name_file(files: list[FileDiff], old: str, new: str) -> None:
    if not files or files[-1].hunks:
        files.append(FileDiff(old_path="", new_path=""))
    files[-1].old_path, files[-1].new_path = _plain(old, "a/"), _plain(new, "b/")


def _plain(path: str, prefix: str) -> str:
    path = path.split("\t")[0].strip() if not path.startswith('"') else _unquoted(path)
    return "" if path == "/dev/null" else path.removeprefix(prefix)


def _unquoted(path: str) -> str:
    """Return a path that git quoted as C does: escapes, and bytes in octal."""
    inner = path.strip().strip('"').encode("utf-8", "surrogateescape")
    plain = {
        b"n": b"\n",
        b"t": b"\t",
        b"r": b"\r",
        b"a": b"\a",
        b"b": b"\b",
        b"f": b"\f",
        b"v": b"\v",
    }

    def one(match: re.Match[bytes]) -> bytes:
        code = match[1]
        return bytes([int(code, 8)]) if code.isdigit() else plain.get(code, code)

    return re.sub(rb"\\([0-3][0-7]{2}|.)", one, inner).decode("utf-8", "replace")


def _note(file: FileDiff, line: str) -> None:
    if line.startswith("rename to "):
        file.new_path = _plain(line.removeprefix("rename to "), "")
    elif line.startswith("new"):
        file.old_path = ""
    else:
        file.new_path = ""


def _take_hunk(file: FileDiff, head: re.Match[str], lines: list[str], index: int, name: str) -> int:
    old, new = int(head[1]), int(head[3])
    old_end, new_end = old + int(head[2] or 1), new + int(head[4] or 1)
    hunk = Hunk(old_start=old, new_start=new, section=head[5])
    file.hunks.append(hunk)
    while old < old_end or new < new_end:
        last = index >= len(lines) - 1 and not lines[-1:][0]
        mark, text = ("", "") if last else (lines[index][:1] or " ", lines[index][1:])
        if mark == "+" and new < new_end:
            hunk.lines.append(Line(kind="added", text=text, old=None, new=new))
            new += 1
        elif mark == "-" and old < old_end:
            hunk.lines.append(Line(kind="removed", text=text, old=old, new=None))
            old += 1
        elif mark == " " and old < old_end and new < new_end:
            hunk.lines.append(Line(kind="context", text=text, old=old, new=new))
            old, new = old + 1, new + 1
        elif mark != "\\":
            raise ToolInputError(
                f"{name} is damaged: the hunk of {file.path} at {head[0]!r} is not whole."
            )
        index += 1
    return index


def as_json(files: list[FileDiff], limit: int) -> tuple[list[dict[str, Any]], bool]:
    """Return the files as JSON with at most `limit` lines in all, and whether lines were left out."""
    left, cut = limit, False
    shown = []
    for file in files:
        hunks = []
        for hunk in file.hunks:
            lines = [
                {"kind": n.kind, "old": n.old, "new": n.new, "text": masked(n.text)[:500]}
                for n in hunk.lines[:left]
            ]
            cut = cut or len(lines) < len(hunk.lines)
            left -= len(lines)
            if lines:
                hunks.append(
                    {
                        "old_start": hunk.old_start,
                        "new_start": hunk.new_start,
                        "section": hunk.section,
                        "lines": lines,
                    }
                )
        status = "added" if not file.old_path else "deleted" if not file.new_path else "modified"
        if status == "modified" and file.old_path != file.new_path:
            status = "renamed"
        counts = {"added": file.count("added"), "removed": file.count("removed")}
        shown.append(
            {
                "path": file.path,
                "old_path": file.old_path,
                "status": status,
                "binary": file.binary,
                **counts,
                "hunks": hunks,
            }
        )
    return shown, cut
