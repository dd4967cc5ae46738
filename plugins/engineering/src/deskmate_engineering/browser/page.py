"""Looks at one page: opens it, does the steps, and takes down what it says, asks for and shows."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from deskmate.plugin import ToolError
from deskmate_engineering.browser.acting import do_steps, script
from deskmate_engineering.browser.answers import Files, path_of
from deskmate_engineering.browser.pipe import Chromium, Gone, attached
from deskmate_engineering.browser.serving import Server, Tree, serving
from deskmate_engineering.browser.trees import accessible_lines, nameless
from deskmate_engineering.browser.visits import Asked, Flaw, Seen, Visit
from deskmate_engineering.browser.watching import GIVEN_UP, Watcher

PAGE_S = 300.0
"""For opening, all steps and looking, without hardware help too; a start comes before."""
FLAWS_LIMIT = 200
NODES_LIMIT, LETTERS_LIMIT = 400, 6_000
PICTURE_HEIGHT = 6_000
_LABEL = """function () {
  const parts = [this.localName + (this.id ? "#" + this.id : "")];
  if (!this.id && this.classList && this.classList.length) parts.push("." + this.classList[0]);
  return parts.join("");
}"""


def look(visit: Visit, files: Files, *, online: bool, tree: Tree | None = None) -> Seen:
    """Return what is seen of a page.

    Args:
        visit: the page and the steps.
        tree: the files from which the visit's server is started, where it has one.
        files: gives the workspace's files; the page gets no others.
        online: whether hosts are asked that this thread may reach, and servers of this machine.

    Raises:
        ToolError: there is no browser or no server, it ended, or took too long.
        ToolInputError: a server cannot be started from these files.
    """
    if visit.serve:
        server = Server(command=visit.serve, folder=visit.root, port=visit.port)
        with serving(server, tree or {}):
            return _looked(visit, files, online=online)
    return _looked(visit, files, online=online)


def _looked(visit: Visit, files: Files, *, online: bool) -> Seen:
    watcher = Watcher(files, visit.root, online=online, port=visit.port)
    with Chromium(watcher.take, limit_s=PAGE_S) as browser:
        watcher.browser = browser
        session = watcher.session = attached(browser, _commands(visit))
        begun = browser.call("Page.navigate", session, url=visit.url)
        watcher.settle()
        if error := str(begun.get("errorText", "")):
            page = next((one for one in watcher.requests.values()), None)
            why = page.why if page and page.why else error
            raise ToolError(f"{path_of(visit.url, visit.root)} cannot be opened: {why}.")
        done, problems = do_steps(watcher, visit.steps)
        return _seen(watcher, visit, done, problems)


def _commands(visit: Visit) -> list[tuple[str, Mapping[str, Any]]]:
    size = {"width": visit.width, "height": visit.height, "deviceScaleFactor": 1, "mobile": False}
    still = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    return [
        ("Page.enable", {}),
        ("Runtime.enable", {}),
        ("Log.enable", {}),
        ("Network.enable", {}),
        ("DOM.enable", {}),
        ("Network.setBypassServiceWorker", {"bypass": True}),
        ("Emulation.setDeviceMetricsOverride", size),
        ("Emulation.setEmulatedMedia", {"features": still}),
        ("Emulation.setTimezoneOverride", {"timezoneId": "UTC"}),
        ("Fetch.enable", {"patterns": [{"urlPattern": "*"}]}),
    ]


def _seen(watcher: Watcher, visit: Visit, done: list[str], problems: list[Flaw]) -> Seen:
    browser, session = watcher.browser, watcher.session
    limits = {"nodes": NODES_LIMIT, "findings": FLAWS_LIMIT, "text": LETTERS_LIMIT}
    expression = f"({script('look.js')})({json.dumps(limits)})"
    told = browser.call(
        "Runtime.evaluate", session, expression=expression, contextId=watcher.world(), returnByValue=True
    )  # fmt: skip
    if "exceptionDetails" in told:
        raise ToolError("The page could not be read; it may be no HTML.")
    found = json.loads(told["result"]["value"])
    nodes = browser.call("Accessibility.getFullAXTree", session)["nodes"]
    lines, cut = accessible_lines(nodes, NODES_LIMIT)
    flaws = [*problems, *_console_flaws(watcher.said), *_request_flaws(watcher.requests.values())]
    flaws += [Flaw(**row) for row in found["findings"]]
    flaws += [_nameless(watcher, node) for node in nameless(nodes)[:FLAWS_LIMIT]]
    return Seen(
        title=found["title"],
        url=path_of(found["url"], visit.root),
        text=found["text"],
        said=tuple(watcher.said),
        asked=tuple(sorted(watcher.requests.values())),
        flaws=tuple(sorted(set(flaws))),
        done=tuple(done),
        outline=tuple(found["lines"]),
        accessible=tuple(lines),
        cut=bool(found["cut"]) or cut,
        picture=_picture(watcher, visit),
    )


def _console_flaws(said: Sequence[tuple[str, str]]) -> list[Flaw]:
    kinds = {"exception": "major", "error": "major", "warning": "minor", "dialog": "note"}
    return [
        Flaw(severity=kinds[kind], kind=f"console-{kind}", where="console", what=text)
        for kind, text in said
        if kind in kinds
    ]


def _request_flaws(asked: Iterable[Asked]) -> list[Flaw]:
    return [
        Flaw(
            severity="note" if one.why == GIVEN_UP else "major",
            kind="failed-request",
            where=one.url,
            what=f"{one.method} ({one.kind}): {one.why or f'status {one.status}'}.",
        )
        for one in asked
        if one.failed
    ]


def _nameless(watcher: Watcher, node: Mapping[str, Any]) -> Flaw:
    role = node["role"]["value"]
    where = role
    try:
        made = watcher.browser.call(
            "DOM.resolveNode", watcher.session, backendNodeId=node["backendDOMNodeId"],
            executionContextId=watcher.world(),
        )  # fmt: skip
        where = str(watcher.call_on(made["object"]["objectId"], _LABEL))
    except Gone:
        raise
    except ToolError:
        pass  # it is gone meanwhile
    what = f"The {role} has no name that a screen reader could say."
    return Flaw(severity="major", kind="no-name", where=where, what=what)


def _picture(watcher: Watcher, visit: Visit) -> bytes:
    """Return the whole page as PNG, at most 6,000 pixels of its height."""
    size = watcher.browser.call("Page.getLayoutMetrics", watcher.session)["cssContentSize"]
    height = min(max(int(size["height"]), visit.height), PICTURE_HEIGHT)
    clip = {"x": 0, "y": 0, "width": visit.width, "height": height, "scale": 1}
    shot = watcher.browser.call(
        "Page.captureScreenshot", watcher.session, format="png", clip=clip, captureBeyondViewport=True
    )  # fmt: skip
    return base64.b64decode(shot["data"])
