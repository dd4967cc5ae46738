"""Takes in what the browser tells of a page - requests, console, loading - and answers what the page asks for."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from deskmate.plugin import ToolError
from deskmate_engineering.browser.answers import Answer, Files, answer, path_of
from deskmate_engineering.browser.pipe import Chromium, Event, Gone
from deskmate_engineering.browser.visits import Asked

SETTLE_S, QUIET_S = 60.0, 0.4
BEGIN_S = 5.0
"""How long a page that is to be left may take to begin; what is another program's, such as mailto:, never does."""
_TURNS = "new Promise((done) => setTimeout(() => setTimeout(done)))"
SAID_LIMIT, ASKED_LIMIT = 200, 500
GIVEN_UP = "given up by the page"
_SERIOUS = {"error": "error", "assert": "error", "warning": "warning"}


class Watcher:
    """Takes in what the browser tells of a page, and answers its requests."""

    def __init__(self, files: Files, root: str, *, online: bool, port: int = 0) -> None:
        """`port`: of the server that was started for this page, 0 for none."""
        self._files, self._root, self._online, self._port = files, root, online, port
        self.browser: Chromium
        self.session = ""
        self.said: list[tuple[str, str]] = []
        self.requests: dict[str, Asked] = {}
        self._open: set[str] = set()
        self._why: dict[str, str] = {}
        self._loading: set[str] = set()
        self._leaving: dict[str, float] = {}
        self._last = time.monotonic()
        self._takers = {
            "Fetch.requestPaused": self._paused,
            "Network.requestWillBeSent": self._sent,
            "Network.responseReceived": self._received,
            "Network.loadingFinished": self._finished,
            "Network.loadingFailed": self._failed,
            "Network.webSocketCreated": self._socket,
            "Runtime.consoleAPICalled": self._console,
            "Runtime.exceptionThrown": self._thrown,
            "Log.entryAdded": self._logged,
            "Page.javascriptDialogOpening": self._dialog,
            "Page.frameRequestedNavigation": self._leaves,
            "Page.frameStartedLoading": self._starts,
            "Page.frameStoppedLoading": self._stops,
            "Page.frameDetached": self._stops,
            "Inspector.targetCrashed": self._crashed,
        }

    def take(self, event: Event) -> None:
        """Take one event in."""
        if taker := self._takers.get(event["method"]):
            self._last = time.monotonic()
            taker(event.get("params", {}))

    def settle(self) -> None:
        """Wait until the page is loaded and asks for nothing more, or no longer than 60 s."""
        until = time.monotonic() + SETTLE_S
        while (now := time.monotonic()) < until:
            quiet = now - self._last
            if self._is_idle and quiet >= QUIET_S:
                self._take_turns()
                if self._is_idle and time.monotonic() - self._last >= QUIET_S:
                    return
                continue
            self.browser.pump(max(QUIET_S - quiet, 0.05))

    @property
    def _is_idle(self) -> bool:
        now = time.monotonic()
        leaving = any(now - begun < BEGIN_S for begun in self._leaving.values())
        return not self._open and not self._loading and not leaving

    def _take_turns(self) -> None:
        """Let the page do what it had put off; what begins by that was told when this returns."""
        try:
            self.browser.call(
                "Runtime.evaluate", self.session, expression=_TURNS, awaitPromise=True,
                contextId=self.world(),
            )  # fmt: skip
        except Gone:
            raise
        except ToolError:
            return  # it was left for another page meanwhile

    def world(self) -> int:
        """Return a world of our own in the page as it is now."""
        tree = self.browser.call("Page.getFrameTree", self.session)["frameTree"]
        made = self.browser.call(
            "Page.createIsolatedWorld", self.session, frameId=tree["frame"]["id"], worldName="deskmate"
        )  # fmt: skip
        return int(made["executionContextId"])

    def call_on(self, handle: str, function: str, *values: Any) -> Any:
        """Run a function on an element; return its value."""
        arguments = [{"value": value} for value in values]
        done = self.browser.call(
            "Runtime.callFunctionOn", self.session, objectId=handle, functionDeclaration=function,
            arguments=arguments, returnByValue=True,
        )  # fmt: skip
        return done.get("result", {}).get("value")

    # requests

    def _paused(self, about: Event) -> None:
        given = answer(
            about["request"], self._files, self._root, online=self._online, port=self._port
        )
        if given.status == 404 and _is_icon(about):
            given = Answer(status=204)
        if given.why:
            self._why[str(about.get("networkId"))] = given.why
            self._post("Fetch.failRequest", requestId=about["requestId"], errorReason="Failed")
            return
        headers = {"Content-Type": given.kind} if given.kind else {}
        headers |= dict(given.headers or {})
        self._post(
            "Fetch.fulfillRequest",
            requestId=about["requestId"],
            responseCode=given.status,
            responseHeaders=[{"name": k, "value": v} for k, v in headers.items()],
            body=base64.b64encode(given.body).decode("ascii"),
        )

    def _post(self, method: str, **parameters: Any) -> None:
        self.browser.post(method, self.session, **parameters)

    def _sent(self, about: Event) -> None:
        number, request = about["requestId"], about["request"]
        if request["url"].startswith(("data:", "blob:", "about:")) or _is_icon(about):
            return
        if redirect := about.get("redirectResponse"):
            before = self.requests.pop(number, None)
            if before:
                kept = f"{number} {len(self.requests)}"
                self.requests[kept] = _changed(before, status=int(redirect["status"]))
        if len(self.requests) < ASKED_LIMIT:
            url = path_of(request["url"], self._root)[:300]
            self.requests[number] = Asked(
                url=url, method=request["method"], kind=str(about.get("type", "Other")).lower()
            )
            self._open.add(number)

    def _received(self, about: Event) -> None:
        number = about["requestId"]
        if asked := self.requests.get(number):
            self.requests[number] = _changed(asked, status=int(about["response"]["status"]))

    def _finished(self, about: Event) -> None:
        self._open.discard(about["requestId"])

    def _failed(self, about: Event) -> None:
        number = about["requestId"]
        self._open.discard(number)
        if (asked := self.requests.get(number)) is None:
            return
        if about.get(
            "canceled"
        ):  # after the head of an answer: nobody read the rest, which is no failure
            if not asked.status:
                self.requests[number] = _changed(asked, why=GIVEN_UP)
            return
        cors = about.get("corsErrorStatus", {}).get("corsError")
        said = f"refused by the browser: {cors}" if cors else about.get("blockedReason")
        why = self._why.get(number) or said or about.get("errorText", "failed")
        self.requests[number] = _changed(asked, why=str(why))

    def _socket(self, about: Event) -> None:
        number = f"socket {about['requestId']}"
        url = str(about.get("url", ""))[:300]
        why = "WebSockets are not opened here"
        self.requests[number] = Asked(url=url, method="GET", kind="websocket", why=why)

    # the console

    def _say(self, kind: str, text: str) -> None:
        if len(self.said) < SAID_LIMIT:
            self.said.append((kind, " ".join(text.split())[:500]))

    def _console(self, about: Event) -> None:
        words = " ".join(_shown(value) for value in about.get("args", ())[:20])
        frames = about.get("stackTrace", {}).get("callFrames", ())
        kind = _SERIOUS.get(about["type"], "log")
        place = self._place(frames[0]) if frames and kind != "log" else ""
        self._say(kind, words + place)

    def _thrown(self, about: Event) -> None:
        details = about["exceptionDetails"]
        said = details.get("exception", {}).get("description") or details.get("text", "")
        frames = details.get("stackTrace", {}).get("callFrames", ())
        place = self._place(frames[0] if frames else details)
        self._say("exception", said.split("\n")[0] + place)

    def _place(self, frame: Event) -> str:
        url = path_of(str(frame.get("url", "")), self._root)
        return f" ({url}:{int(frame.get('lineNumber', 0)) + 1})" if url else ""

    def _logged(self, about: Event) -> None:
        entry = about["entry"]
        if entry["source"] != "network" and entry["level"] in ("error", "warning"):
            self._say(entry["level"], entry["text"])

    def _dialog(self, about: Event) -> None:
        self._say("dialog", f"{about['type']}: {about['message']} (dismissed)")
        self._post("Page.handleJavaScriptDialog", accept=False)

    def _leaves(self, about: Event) -> None:
        self._leaving[about["frameId"]] = time.monotonic()

    def _starts(self, about: Event) -> None:
        self._leaving.pop(about["frameId"], None)
        self._loading.add(about["frameId"])

    def _stops(self, about: Event) -> None:
        self._leaving.pop(about["frameId"], None)
        self._loading.discard(about["frameId"])

    def _crashed(self, about: Event) -> None:
        raise Gone("The page crashed, perhaps for want of memory.")


def _is_icon(about: Event) -> bool:
    """Say whether it is the picture for a tab that browsers ask for unasked."""
    kind = about.get("resourceType") or about.get("type")
    return kind == "Other" and str(about["request"]["url"]).endswith("/favicon.ico")


def _changed(asked: Asked, *, status: int = 0, why: str = "") -> Asked:
    return Asked(
        url=asked.url, method=asked.method, kind=asked.kind, status=status or asked.status, why=why[:200]
    )  # fmt: skip


def _shown(value: Event) -> str:
    if "value" in value:
        return value["value"] if isinstance(value["value"], str) else json.dumps(value["value"])
    if (preview := value.get("preview")) and value.get("subtype") != "error":
        inside = ", ".join(f"{p['name']}: {p.get('value', '…')}" for p in preview["properties"][:8])
        return f"{preview.get('description', '')} {{{inside}}}"
    return str(value.get("description") or value.get("unserializableValue") or value["type"])
