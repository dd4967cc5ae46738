"""Which two commits a change lies between, from names that the user gives or says."""

from __future__ import annotations

import re
from dataclasses import dataclass

from deskmate.plugin import ToolInputError
from deskmate_engineering.diffs import FileDiff, parse_diff
from deskmate_engineering.repository import Repository

_AGAINST = {
    "against",
    "from",
    "since",
    "onto",
    "into",
    "with",
    "to",
    "vs",
    "versus",
    "over",
    "base",
}
_MAIN = ("main", "master", "trunk", "develop")
DIFF = (
    "diff", "--no-ext-diff", "--no-textconv", "--no-color", "--src-prefix=a/", "--dst-prefix=b/", "--unified=3", "--inter-hunk-context=0",
    "--diff-algorithm=myers", "--no-indent-heuristic", "-M", "--full-index", "--submodule=short",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A change from `base` to `head`, both full commit ids; the names are those that were said."""

    base: str
    head: str
    base_name: str
    head_name: str

    @property
    def title(self) -> str:
        """The names with short ids; of a commit that was named by its id, the short id."""
        ends = ((self.base_name, self.base), (self.head_name, self.head))
        words = (i[:10] if i.startswith(name) else f"{name} ({i[:10]})" for name, i in ends)
        return " to ".join(words)


def span_of(repository: Repository, base: str, head: str, request: str = "") -> Span:
    """Return the change that is meant, from where the two parted to the head.

    Names that are not given are taken from the user's words; else the head is what is checked out, and the base the main
    branch, or on it the commit before.

    Raises:
        ToolInputError: a revision is not there, the two have no common commit, or there is nothing to compare with.
    """
    if not base and not head:
        base, head = _said(repository, request)
    head_name = head or repository.current_branch() or "HEAD"
    tip = repository.commit(head or "HEAD")
    base_name = base or _usual_base(repository, tip)
    if not base_name:
        raise ToolInputError(f"{head_name} has no commit before it; name the base.")
    other = repository.commit(base_name)
    try:
        parted = repository.git("merge-base", other, tip).strip()
    except ToolInputError as problem:
        raise ToolInputError(f"{base_name} and {head_name} have no common commit.") from problem
    return Span(base=parted, head=tip, base_name=base_name, head_name=head_name)


def _usual_base(repository: Repository, tip: str) -> str:
    branches = repository.branches()
    for name in (*_MAIN, *(f"origin/{name}" for name in _MAIN)):
        if name in branches and branches[name] != tip and name != repository.current_branch():
            return name
    parents = repository.git("rev-list", "--parents", "-1", tip).split()[1:]
    return parents[0] if parents else ""


def _said(repository: Repository, request: str) -> tuple[str, str]:
    """Return (base, head) as far as the words name revisions."""
    known = repository.branches()
    base = head = before = ""
    for raw in re.split(r"[\s,;()'\"`]+", request):
        for word in re.split(r"\.{2,3}", raw) if ".." in raw else [raw]:
            name = word.rstrip(".?!:")
            is_id = re.fullmatch(r"(?=.*\d)[0-9a-f]{7,40}|HEAD(?:[~^]\d*)*", name) is not None
            if name in known or is_id:
                if before in _AGAINST or (head and not base):
                    base = base or name
                elif ".." in raw and not base and not head and raw.index(word) == 0:
                    base = name
                else:
                    head = head or name
            before = word.lower()
    return (base, head) if base != head else ("", head)


def diff_of(repository: Repository, base: str, head: str) -> str:
    """Return the unified diff between two commits; the repository's attributes and settings have no say."""
    return repository.git(*DIFF, base, head, "--")


def files_of(repository: Repository, span: Span) -> list[FileDiff]:
    """Return the files of a change. Binary ones are marked and have no lines."""
    text = diff_of(repository, span.base, span.head)
    files = parse_diff(text, span.title) if text.strip() else []
    for file in files:
        shown = (line.text for hunk in file.hunks for line in hunk.lines)
        if any("\0" in text for text in shown):
            file.binary = True
            file.hunks.clear()
    return files
