"""Where change and complexity meet: how often a file was changed, times how many ways lead through it."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath

from deskmate.plugin import ToolInputError
from deskmate_engineering.repository import Repository
from deskmate_engineering.windows import Window

COMMITS_LIMIT = 20_000
FILE_BYTES = 1 << 20
FILES_LIMIT = 3_000
SHOWN = 25
CODE = frozenset(
    (".py", ".pyi", ".js", ".jsx", ".mjs", ".ts", ".tsx", ".go", ".rs", ".java", ".kt", ".scala", ".c", ".h", ".cc", ".cpp", ".hpp",
     ".cs", ".rb", ".php", ".swift", ".sh", ".sql", ".lua", ".pl")
)  # fmt: skip
_BRANCHES = (
    ast.If,
    ast.IfExp,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.ExceptHandler,
    ast.Assert,
    ast.comprehension,
    ast.match_case,
)
_WORDS = re.compile(
    r"\b(?:if|elif|elsif|for|foreach|while|case|when|catch|rescue|except)\b|&&|\|\||\?(?=[^.?:\s]*[^?:]*:)"
)
_STRINGS = re.compile(
    r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|//[^\n]*|/\*.*?\*/|(?:^|(?<=\s))#[^\n]*", re.DOTALL
)
_HEAD = re.compile(r"([0-9a-f]{40,64}) (\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A file. `commits`, `lines`: that changed it in the window, and lines that they added and removed. `ways`: its complexity."""

    path: str
    commits: int
    lines: int
    authors: int
    ways: int
    length: int

    @property
    def score(self) -> int:
        """Commits times ways."""
        return self.commits * self.ways


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    """All spots of a repository, hottest first. `commits`: in the window, merges left out. `unread`: changed files that are no code, too large, or gone."""

    commit: str
    commits: int
    spots: tuple[Spot, ...]
    unread: int


def map_of(repository: Repository, window: Window, revision: str) -> Map:
    """Return the hotspots of a commit and what led to it.

    Raises:
        ToolInputError: no such revision, too many commits, or no commit in the window.
    """
    head = repository.commit(revision or "HEAD")
    counts: dict[str, list[int]] = {}
    authors: dict[str, set[str]] = {}
    commits = 0
    for author, rows in _commits(repository, window, head):
        commits += 1
        for path, lines in rows:
            one = counts.setdefault(path, [0, 0])
            one[0] += 1
            one[1] += lines
            authors.setdefault(path, set()).add(author)
    if not commits:
        raise ToolInputError(f"{repository.name} has no commit in the window {window.title}.")
    there = set(repository.names(head))
    spots = []
    code = [p for p in sorted(counts) if p in there and PurePosixPath(p).suffix.lower() in CODE]
    if len(code) > FILES_LIMIT:
        raise ToolInputError(f"{len(code)} files of code changed; give a shorter window.")
    for path in code:
        data = repository.content(head, path)
        if data is None or len(data) > FILE_BYTES or b"\0" in data:
            continue
        text = data.decode("utf-8", "replace")
        spots.append(
            Spot(
                path=path, commits=counts[path][0], lines=counts[path][1], authors=len(authors[path]),
                ways=ways_through(path, text), length=text.count("\n") + (not text.endswith("\n")),
            )
        )  # fmt: skip
    spots.sort(key=lambda one: (-one.score, one.path))
    return Map(commit=head, commits=commits, spots=tuple(spots), unread=len(counts) - len(spots))


def _commits(
    repository: Repository, window: Window, head: str
) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """Yield author and (path, lines) of each commit in the window that leads to `head`; binary files have 0 lines."""
    # The committer's time orders a log; the window asks for the author's.
    said = repository.git(
        "log", "--no-merges", "--no-renames", "--numstat", "-z", "--format=%x01%H %at %an", head
    )
    records = said.split("\x01")[1:]
    if len(records) > COMMITS_LIMIT:
        raise ToolInputError(
            f"There are more than {COMMITS_LIMIT} commits; name a later revision or a part."
        )
    for record in records:
        first, _, rest = record.partition("\0")
        match = _HEAD.match(first)
        if match is None:
            raise ToolInputError("git's log cannot be read.")
        at = datetime.fromtimestamp(int(match[2]), UTC)
        if not window.since <= at < window.until:
            continue
        rows = []
        for row in rest.strip("\0\n").split("\0"):
            parts = row.strip("\n").split("\t", 2)
            if len(parts) == 3:
                rows.append((parts[2], sum(0 if n == "-" else int(n) for n in parts[:2])))
        yield first[match.end() + 1 :].casefold(), rows


def ways_through(path: str, text: str) -> int:
    """Return the cyclomatic complexity of a file: of Python by its syntax tree, else by the words that branch; 1 at least."""
    if PurePosixPath(path).suffix.lower() in (".py", ".pyi"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return 1 + _python_ways(ast.parse(text))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            pass
    return 1 + len(_WORDS.findall(_STRINGS.sub(" ", text)))


def _python_ways(tree: ast.AST) -> int:
    count = 0
    for node in ast.walk(tree):
        if isinstance(node, _BRANCHES):
            count += 1 + (len(node.ifs) if isinstance(node, ast.comprehension) else 0)
        elif isinstance(node, ast.BoolOp):
            count += len(node.values) - 1
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            count += 1
    return count


def as_markdown(name: str, window: str, found: Map) -> str:
    """Return the report. `window`: in words."""
    lines = [
        f"# Hotspots of {name}", "",
        f"From {window}, up to `{found.commit[:10]}`. Commits: {found.commits}, files of code: {len(found.spots)}, other files, left out: {found.unread}.", "",
        "| rank | file | commits | authors | lines changed | complexity | length | score |", "|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for rank, spot in enumerate(found.spots[:SHOWN], start=1):
        path = spot.path.replace("|", "\\|")
        lines.append(
            f"| {rank} | {path} | {spot.commits} | {spot.authors} | {spot.lines} | {spot.ways} | {spot.length} | {spot.score} |"
        )
    if len(found.spots) > SHOWN:
        lines += ["", f"{len(found.spots) - SHOWN} cooler files are left out."]
    lines += [
        "",
        "Score: commits × complexity. It says where a change costs most attention, not that something is wrong, and nothing of people.",
        "",
    ]
    return "\n".join(lines)
