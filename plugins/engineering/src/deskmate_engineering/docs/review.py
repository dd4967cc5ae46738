"""What is wrong with a set of Markdown files: dead links and anchors, code that is none, files that are not there any more."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import textwrap
import tomllib
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote

from deskmate_engineering.docs.pages import Block, Link, Page, read_page

PAGES = (".md", ".markdown")
PAGES_LIMIT = 2_000
SKIPPED = frozenset(
    ("node_modules", ".git", ".venv", "venv", "site-packages", "vendor", "__pycache__")
)
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_NAMED = re.compile(
    r"^(?:\./)?(?:[\w.-]+/)+[\w.-]+\.(?:py|pyi|js|ts|tsx|jsx|go|rs|java|rb|c|h|cpp|sh|sql|toml|ya?ml|json|md|cfg|ini|txt|css|html)$"
)
_PROMPT = re.compile(r"^(?:>>> |\$ |# |\.\.\. )", re.MULTILINE)
_SHELLS = ("sh", "bash", "shell")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Slip:
    """Something wrong. `file`, `line`: where. `kind`: link, anchor, reference, code or stale."""

    file: str
    line: int
    kind: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """All pages that were read, what was looked at in them, and what is wrong. `away`: links to other hosts, not followed."""

    pages: tuple[str, ...]
    links: int
    away: int
    blocks: int
    tried: int
    slips: tuple[Slip, ...]


def pages_in(names: Iterable[str], folder: str) -> tuple[str, ...]:
    """Return the Markdown files below a folder."""
    return tuple(
        name
        for name in sorted(names)
        if PurePosixPath(name).suffix.lower() in PAGES
        and (not folder or PurePosixPath(name).is_relative_to(folder))
        and not SKIPPED & set(PurePosixPath(name).parts)
    )


def review_docs(names: Iterable[str], read: Callable[[str], bytes], folder: str) -> Review:
    """Return the review of the Markdown files below a folder.

    Args:
        names: every workspace path of a file.
        read: gives a file's bytes.
        folder: workspace path; empty for all.
    """
    there = frozenset(names)
    read_pages = {
        name: read_page(read(name).decode("utf-8", "replace")) for name in pages_in(there, folder)
    }
    desk = _Desk(there, read_pages)
    slips = [slip for name, page in read_pages.items() for slip in desk.slips(name, page)]
    links = [link for page in read_pages.values() for link in page.links]
    blocks = [block for page in read_pages.values() for block in page.blocks]
    return Review(
        pages=tuple(read_pages),
        links=len(links),
        away=sum(
            bool(_SCHEME.match(link.target)) or link.target.startswith("//") for link in links
        ),
        blocks=len(blocks),
        tried=sum(_parser(block) is not None for block in blocks),
        slips=tuple(sorted(set(slips))),
    )


class _Desk:
    """All that there is, and the pages read so far."""

    def __init__(self, there: frozenset[str], pages: Mapping[str, Page]) -> None:
        self._there, self._pages = there, pages
        self._folders = {
            parent.as_posix() for name in there for parent in PurePosixPath(name).parents
        }
        self._tops = {PurePosixPath(name).parts[0] for name in there if "/" in name}

    def slips(self, name: str, page: Page) -> Iterator[Slip]:
        """Yield what is wrong with a page."""
        for link in page.links:
            if problem := self._link(name, page, link.target):
                yield Slip(file=name, line=link.line, kind=problem[0], what=problem[1])
        for link in page.lost:
            what = f"[{link.target[:60]}] is defined nowhere in the file."
            yield Slip(file=name, line=link.line, kind="reference", what=what)
        for block in page.blocks:
            yield from _code(name, block)
        for span in page.spans:
            if what := self._stale(name, span):
                yield Slip(file=name, line=span.line, kind="stale", what=what)

    def _link(self, name: str, page: Page, target: str) -> tuple[str, str] | None:
        if _SCHEME.match(target) or target.startswith("//") or not target:
            return None
        path, _, anchor = target.partition("#")
        path = unquote(path.split("?")[0])
        if not path:
            return self._anchor(name, page, anchor, target)
        place = _joined(name, path)
        if place is None:
            return None  # it leads out of what was granted, where nothing is known
        if place not in self._there and place not in self._folders:
            return "link", f"{target[:120]} is not there."
        other = self._pages.get(place)
        return self._anchor(place, other, anchor, target) if other and anchor else None

    def _anchor(self, name: str, page: Page, anchor: str, target: str) -> tuple[str, str] | None:
        wanted = unquote(anchor)
        if not wanted or re.fullmatch(r"L\d+(-L\d+)?|top", wanted) or wanted in page.anchors:
            return None
        return (
            "anchor",
            f"{target[:120]}: {PurePosixPath(name).name} has no heading that makes #{wanted[:80]}.",
        )

    def _stale(self, name: str, span: Link) -> str:
        """Return why a path in inline code is stale: it begins with a folder that is there, and leads to nothing."""
        if not _NAMED.match(span.target):
            return ""
        path = span.target.removeprefix("./")
        first = path.split("/")[0]
        starts = [PurePosixPath(name).parent, *PurePosixPath(name).parents]
        known = [start for start in starts if (start / first).as_posix() in self._folders]
        if not known or any((start / path).as_posix() in self._there for start in starts):
            return ""
        return f"`{span.target[:120]}` is not there."


def _joined(name: str, path: str) -> str | None:
    """Return the workspace path that a link leads to; None if out of the workspace's folder of the page."""
    top = PurePosixPath(name).parts[0]
    parts = [top] if path.startswith("/") else list(PurePosixPath(name).parent.parts)
    for step in PurePosixPath(path.lstrip("/")).parts:
        if step == "..":
            if not parts:
                return None
            parts.pop()
        elif step != ".":
            parts.append(step)
    return "/".join(parts) or None


def _code(name: str, block: Block) -> Iterator[Slip]:
    if not block.closed:
        yield Slip(
            file=name, line=block.line - 1, kind="code", what="The block of code is not closed."
        )
        return
    parser = _parser(block)
    if parser is None:
        return
    try:
        parser(block.text)
    except _Wrong as problem:
        line, said = problem.args
        what = f"The {block.language} is none: {' '.join(str(said).split())[:160]}."
        yield Slip(file=name, line=block.line + max(int(line or 1), 1) - 1, kind="code", what=what)


class _Wrong(Exception):
    """Code that its language does not know: line within it, and why."""


def _parser(block: Block) -> Callable[[str], None] | None:
    """Return what tries a block; None for languages that are not tried, for sessions at a prompt, and for parts with dots."""
    text = block.text
    if not text.strip() or "..." in text.replace("...)", "") or "…" in text or _PROMPT.match(text):
        return None
    if re.search(r"<[A-Z_]{2,}>|\{\{", text):
        return None
    if block.language in ("python", "py", "python3"):
        return _python
    if block.language in _SHELLS:
        return _shell
    return {"json": _json, "toml": _toml, "yaml": _yaml, "yml": _yaml}.get(block.language)


def _python(text: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(textwrap.dedent(text))
    except SyntaxError as problem:
        raise _Wrong(problem.lineno, problem.msg) from problem
    except (ValueError, RecursionError, MemoryError) as problem:
        raise _Wrong(1, type(problem).__name__) from problem


def _json(text: str) -> None:
    try:
        json.loads(text)
    except json.JSONDecodeError as problem:
        raise _Wrong(problem.lineno, problem.msg) from problem
    except RecursionError as problem:
        raise _Wrong(1, "it is nested too deeply") from problem


def _toml(text: str) -> None:
    try:
        tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        found = re.search(r"line (\d+)", str(problem))
        raise _Wrong(int(found[1]) if found else 1, problem) from problem


def _yaml(text: str) -> None:
    import yaml  # noqa: PLC0415 - few need it

    try:
        for _ in yaml.parse(text, Loader=yaml.SafeLoader):
            pass
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        said = getattr(problem, "problem", None) or "it cannot be read"
        raise _Wrong(mark.line + 1 if mark else 1, said) from problem


def _shell(text: str) -> None:
    """Have a shell read it without running any of it."""
    try:
        done = subprocess.run(
            ["/bin/sh", "-n"], input=text.encode(), capture_output=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return
    said = done.stderr.decode("utf-8", "replace")
    # dash does not know what bash and zsh add to it; only what no shell closes is wrong for sure
    if done.returncode and ("Unterminated" in said or "end of file" in said):
        found = re.search(r"(\d+): Syntax error: (.*)", said)
        raise _Wrong(int(found[1]) if found else 1, found[2] if found else "it is not closed")


def as_markdown(title: str, review: Review) -> str:
    """Return the report of a review."""
    return "\n".join(_lines(title, review))


def verdict(review: Review) -> str:
    """Return the counts in one line."""
    kinds = {
        kind: sum(slip.kind == kind for slip in review.slips)
        for kind in ("link", "anchor", "reference", "code", "stale")
    }
    told = ", ".join(f"{count} {kind}" for kind, count in kinds.items() if count) or "none"
    return (
        f"Pages: {len(review.pages)}. Links: {review.links} (to other hosts, not followed: {review.away}). "
        f"Blocks of code: {review.blocks} (tried: {review.tried}). Findings: {told}."
    )


def _lines(title: str, review: Review) -> Iterator[str]:
    yield f"# Check of the documentation in {title}"
    yield ""
    yield verdict(review)
    yield ""
    if review.slips:
        yield "| where | kind | what |"
        yield "|---|---|---|"
        for slip in review.slips:
            what = slip.what.replace("|", "\\|")
            yield f"| {slip.file}:{slip.line} | {slip.kind} | {what} |"
        yield ""
    yield "Code was parsed, not run. Links to other hosts were not followed."
    yield ""
