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
from deskmate_engineering.browser.serving import Tree, server_of, tree_of
from deskmate_engineering.browser.visits import WINDOW, Seen, Step, Visit, size_of, steps_of

PAGES = (".html", ".htm", ".xhtml", ".svg")
SHOWN = 100


def page_look(
    context: ToolContext,
    page: str,
    root: str = "",
    steps: Sequence[Mapping[str, str]] = (),
    window: str = WINDOW,
    picture: str = "",
    serve: str = "",
) -> dict[str, Any]:
    """Open a page in Chromium, do steps on it, and say what it shows, writes to its console, asks for, and what is wrong with it.

    For a page in the workspace, one of a host that this thread may reach (https, read only), or of a server in this
    machine (http://localhost:PORT/); `serve` has that server started first. Each call begins anew: give all steps that lead
    to the state you mean.

    Args:
        context: filled in by Deskmate.
        page: workspace path of an HTML file, or an address; with `serve` an address of that server, such as
            http://localhost:8000/orders?late=1.
        root: workspace folder that is the site's top, for paths such as /app.js. Empty: the page's own folder. With `serve`: the
            folder in which the command runs, on a copy; what it writes is gone afterwards.
        steps: list of {do, css or text, value}. do: click, type, press or wait. css: a selector, or text: the name or text
            of a control. value: what is typed, the option that is chosen, or the key (Enter, Tab, Escape, …).
        window: its width and height in pixels, 320 to 2560 each; the picture shows the whole page.
        picture: workspace path of a PNG to be written. Empty: none.
        serve: command that starts a server, such as "python3 app.py" or "python3 -m http.server 8000"; it is told PORT and
            HOST in its environment, and ended after the look. Empty: none is started.

    Returns:
        `title`, `url`, `text`; `flaws`: list of {severity, kind, where, what}; `console`: list of {kind, text}; `requests`: list
        of {url, method, kind, status, why}; `steps`: how each went; `outline`: the DOM, `accessible`: the accessibility
        tree, both as indented lines; `cut`: some of it was left out.

    Raises:
        ToolInputError: no such page, or a step that is none.
        ToolError: there is no Chromium (it is in the office image), or the page took too long.
    """
    size = size_of(window)
    tree: Tree | None = None
    if serve:
        visit, tree = _served(context, page, root, steps_of(steps), size, serve)
    else:
        visit = _visit(context, page, root, steps, size)
    target = _target(context, picture, ".png") if picture else None
    context.on_progress("starting the server and opening the page" if serve else "opening the page")
    seen = look(visit, _files(context), online=True, tree=tree)
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
    window: str = WINDOW,
    output: str = "",
    request: str = "",
    serve: str = "",
) -> ToolAnswer:
    """Check a page of the workspace in Chromium and write the report and a picture of it: console, requests, DOM, accessibility, steps.

    Only files of the workspace are read, and the server that `serve` starts from them is asked; what the page asks of other
    hosts counts as failed.

    Args:
        context: filled in by Deskmate.
        page: workspace path of an HTML file. Empty: the one that the request names, or the only one there is. With `serve`: an
            address of that server, such as http://localhost:8000/orders.
        root: workspace folder that is the site's top. Empty: the page's own folder. With `serve`: where the command runs.
        steps: as for `page_look`; each must succeed, or the report says which did not.
        window: its width and height in pixels, 320 to 2560 each.
        output: workspace path of the report, ending in .md; the picture lies beside it. Empty: beside the page.
        request: the user's words; a page that they name is taken if `page` is empty.
        serve: as for `page_look`; the check starts it once more, from the files as they were granted or are presented.

    Returns:
        `output`, `picture`, `major`, `minor`, `notes`, `summary`: the findings, one a line.

    Raises:
        ToolInputError: no such page, several, or a step that is none.
        ToolError: there is no Chromium (it is in the office image), or the page took too long.
    """
    size = size_of(window)
    tree: Tree | None = None
    if serve:
        visit, tree = _served(context, page, root, steps_of(steps), size, serve)
        source, place = visit.url, PurePosixPath(visit.root, "page")
    else:
        name = page or _picked(context, request)
        if "://" in name:
            raise ToolInputError(
                "A check reads pages of the workspace; use page_look for an address."
            )
        visit = _visit(context, name, root, steps, size)
        source, place = context.name_of(context.file(name)), PurePosixPath(name)
    report = _target(context, output or (place.parent / f"{place.stem} check.md").as_posix(), ".md")
    context.on_progress("starting the server and opening the page" if serve else "opening the page")
    seen = look(visit, _files(context), online=False, tree=tree)
    return _delivered(context, report, source, visit, seen)


def _delivered(
    context: ToolContext, report: Path, source: str, visit: Visit, seen: Seen
) -> ToolAnswer:
    """Write the report and the picture beside it. `source`: the page, as the report names it."""
    image = report.with_suffix(".png")
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(as_markdown(source, visit, seen), "utf-8")
    image.write_bytes(seen.picture)
    data = {"render": True, "page": source, "root": visit.root, "steps": [asdict(s) for s in visit.steps],
            "width": visit.width, "height": visit.height, "serve": visit.serve, "port": visit.port}  # fmt: skip
    made = tuple(
        Deliverable(
            path=context.name_of(file),
            title=f"{title} {source}",
            role=role,
            sources={} if visit.serve else {"page": source},
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


def _served(
    context: ToolContext,
    page: str,
    root: str,
    steps: tuple[Step, ...],
    size: tuple[int, int],
    serve: str,
) -> tuple[Visit, Tree]:
    """Return the visit to a page of a server that is to be started, and the files that it is started from."""
    folder = context.target(root or ".")
    if not folder.is_dir():
        raise ToolInputError(f"{root} is no folder of the workspace.")
    name = context.name_of(folder)
    return visit_served(page, "" if name == "." else name, steps, size, serve), tree_of(folder)


def visit_served(
    page: str,
    root: str,
    steps: tuple[Step, ...],
    size: tuple[int, int],
    serve: str,
) -> Visit:
    """Return the visit to a page of a server that `serve` starts.

    Raises:
        ToolInputError: no such command, or no address of this machine with a port.
    """
    started, url = server_of(serve, root, page)
    return Visit(
        url=url, root=root, steps=steps, width=size[0], height=size[1], serve=started.command, port=started.port
    )  # fmt: skip


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
