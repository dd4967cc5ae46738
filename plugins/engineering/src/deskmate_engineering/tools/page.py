"""The tools that look at a page in the machine's Chromium, and write down what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError
from deskmate_engineering.browser.answers import ORIGIN, Files
from deskmate_engineering.browser.page import look
from deskmate_engineering.browser.reports import as_markdown, counts, summary
from deskmate_engineering.browser.visits import Seen, Visit, size_of, steps_of

PAGES = (".html", ".htm", ".xhtml", ".svg")
SHOWN = 100


def page_look(
    context: ToolContext,
    page: str,
    root: str = "",
    steps: Sequence[Mapping[str, str]] = (),
    width: int = 1280,
    height: int = 800,
    picture: str = "",
) -> dict[str, Any]:
    """Open a page in Chromium, do steps on it, and say what it shows, writes to its console, asks for, and what is wrong with it.

    For a page in the workspace, one of a host that this thread may reach (https, read only), or of a server in this
    machine (http://localhost:PORT/). Each call begins anew: give all steps that lead to the state you mean.

    Args:
        context: filled in by Deskmate.
        page: workspace path of an HTML file, or an address.
        root: workspace folder that is the site's top, for paths such as /app.js. Empty: the page's own folder.
        steps: list of {do, css or text, value}. do: click, type, press or wait. css: a selector, or text: the name or text
            of a control. value: what is typed, the option that is chosen, or the key (Enter, Tab, Escape, …).
        width: of the window in pixels, 320 to 2560.
        height: likewise; the picture shows the whole page.
        picture: workspace path of a PNG to be written. Empty: none.

    Returns:
        `title`, `url`, `text`; `flaws`: list of {severity, kind, where, what}; `console`: list of {kind, text}; `requests`: list
        of {url, method, kind, status, why}; `steps`: how each went; `outline`: the DOM, `accessible`: the accessibility
        tree, both as indented lines; `cut`: some of it was left out.

    Raises:
        ToolInputError: no such page, or a step that is none.
        ToolError: there is no Chromium (it is in the office image), or the page took too long.
    """
    visit = _visit(context, page, root, steps, size_of(width, height))
    target = _target(context, picture, ".png") if picture else None
    context.on_progress("opening the page")
    seen = look(visit, _files(context), online=True)
    if target:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(seen.picture)
    return {
        "title": seen.title,
        "url": seen.url,
        "summary": counts(seen),
        "flaws": [asdict(flaw) for flaw in seen.flaws[:SHOWN]],
        "steps": list(seen.done),
        "console": [{"kind": kind, "text": text} for kind, text in seen.said[:SHOWN]],
        "requests": [asdict(one) for one in seen.asked[:SHOWN]],
        "text": seen.text,
        "outline": list(seen.outline),
        "accessible": list(seen.accessible),
        "cut": seen.cut,
        "picture": context.name_of(target) if target else "",
    }


def page_check(
    context: ToolContext,
    page: str = "",
    root: str = "",
    steps: Sequence[Mapping[str, str]] = (),
    width: int = 1280,
    height: int = 800,
    output: str = "",
    request: str = "",
) -> ToolAnswer:
    """Check a page of the workspace in Chromium and write the report and a picture of it: console, requests, DOM, accessibility, steps.

    Only files of the workspace are read; what the page asks of other hosts counts as failed.

    Args:
        context: filled in by Deskmate.
        page: workspace path of an HTML file. Empty: the one that the request names, or the only one there is.
        root: workspace folder that is the site's top. Empty: the page's own folder.
        steps: as for `page_look`; each must succeed, or the report says which did not.
        width: of the window in pixels, 320 to 2560.
        height: likewise.
        output: workspace path of the report, ending in .md; the picture lies beside it. Empty: beside the page.
        request: the user's words; a page that they name is taken if `page` is empty.

    Returns:
        `output`, `picture`, `major`, `minor`, `notes`, `summary`: the findings, one a line.

    Raises:
        ToolInputError: no such page, several, or a step that is none.
        ToolError: there is no Chromium (it is in the office image), or the page took too long.
    """
    name = page or _picked(context, request)
    if "://" in name:
        raise ToolInputError("A check reads pages of the workspace; use page_look for an address.")
    visit = _visit(context, name, root, steps, size_of(width, height))
    place = PurePosixPath(name)
    report = _target(context, output or (place.parent / f"{place.stem} check.md").as_posix(), ".md")
    context.on_progress("opening the page")
    seen = look(visit, _files(context), online=False)
    image = report.with_suffix(".png")
    report.parent.mkdir(parents=True, exist_ok=True)
    source = context.name_of(context.file(name))
    report.write_text(as_markdown(source, visit, seen), "utf-8")
    image.write_bytes(seen.picture)
    data = {"render": True, "page": source, "root": visit.root, "steps": [asdict(s) for s in visit.steps],
            "width": width, "height": height}  # fmt: skip
    made = tuple(
        Deliverable(
            path=context.name_of(file),
            title=f"{title} {source}",
            role=role,
            sources={"page": source},
            data=data,
        )
        for file, title, role in (
            (report, "Check of", "page-check"),
            (image, "Picture of", "page-picture"),
        )
    )
    return ToolAnswer(result=_told(made, seen), deliverables=made)


def _told(made: tuple[Deliverable, ...], seen: Seen) -> dict[str, Any]:
    return {
        "output": made[0].path,
        "picture": made[1].path,
        "major": seen.count("major"),
        "minor": seen.count("minor"),
        "notes": seen.count("note"),
        "steps": list(seen.done),
        "summary": summary(seen),
    }


def _visit(
    context: ToolContext,
    page: str,
    root: str,
    steps: Sequence[Mapping[str, str]],
    size: tuple[int, int],
) -> Visit:
    done = steps_of(steps)
    if "://" in page:
        parts = urlsplit(page)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ToolInputError(
                f"{page[:80]!r} is no address that is opened: http or https, no name in it."
            )
        return Visit(url=page, steps=done, width=size[0], height=size[1])
    name = context.name_of(context.file(page))
    if PurePosixPath(name).suffix.lower() not in PAGES:
        raise ToolInputError(f"{name} is no page; pages end in {', '.join(PAGES)}.")
    top = context.name_of(context.target(root)) if root else PurePosixPath(name).parent.as_posix()
    return visit_of(name, top, done, size)


def visit_of(name: str, root: str, steps: Any, size: tuple[int, int]) -> Visit:
    """Return the visit to a page of the workspace.

    Raises:
        ToolInputError: the page is not below the site's top.
    """
    try:
        below = PurePosixPath(name).relative_to(root)
    except ValueError as problem:
        raise ToolInputError(f"{name} is not below {root}.") from problem
    url = f"{ORIGIN}/{quote(below.as_posix())}"
    return Visit(url=url, root=root, steps=steps, width=size[0], height=size[1])


def _files(context: ToolContext) -> Files:
    """Return what gives the workspace's files to a page."""

    def file(path: str) -> Path | None:
        try:
            real = context.target(path)
        except ToolInputError:
            return None
        return real if real.is_file() else None

    return file


def _target(context: ToolContext, path: str, ending: str) -> Path:
    target = context.target(path)
    if target.suffix.lower() != ending:
        raise ToolInputError(f"{path} must end in {ending}.")
    return target


def _picked(context: ToolContext, request: str) -> str:
    """Return the page that is meant."""
    skipped = {"node_modules", ".git", ".venv", "site-packages"}
    pages = [
        path.relative_to(context.workspace).as_posix()
        for path in sorted(context.workspace.rglob("*"))
        if path.suffix.lower() in PAGES[:3] and not skipped & set(path.parts) and path.is_file()
    ]
    named = [
        page
        for page in pages
        if re.search(rf"(?<![\w.-]){re.escape(PurePosixPath(page).name)}\b", request)
    ]
    exact = [page for page in pages if page in request]
    first = [page for page in pages if PurePosixPath(page).name == "index.html"]
    for choice in (exact, named, pages, first):
        if len(choice) == 1:
            return choice[0]
    if not pages:
        raise ToolInputError("There is no page (.html) in the workspace.")
    raise ToolInputError(f"There are several pages: {', '.join(pages[:8])}. Name one.")
