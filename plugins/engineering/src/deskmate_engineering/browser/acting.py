"""Does the steps of a visit as a person would: a click goes to the middle of what is seen, and to nothing that is covered."""

from __future__ import annotations

import json
import time
from pathlib import Path

from deskmate.plugin import ToolError
from deskmate_engineering.browser.pipe import Gone
from deskmate_engineering.browser.visits import KEYS, Flaw, Step
from deskmate_engineering.browser.watching import Watcher

FIND_S = 10.0
_COVERED = """function (x, y) {
  let at = document.elementFromPoint(x, y);
  while (at && at.shadowRoot && at.shadowRoot.elementFromPoint(x, y) !== at && at.shadowRoot.elementFromPoint(x, y)) at = at.shadowRoot.elementFromPoint(x, y);
  if (!at || at === this || this.contains(at) || at.contains(this) || (at.control && at.control === this)) return "";
  return at.localName + (at.id ? "#" + at.id : at.classList.length ? "." + at.classList[0] : "");
}"""
_READY = """function (value) {
  if (this.localName !== "select") { if (this.select) this.select(); return ""; }
  const option = [...this.options].find((o) => o.textContent.trim() === value || o.value === value);
  if (!option) return "it has no such option";
  this.value = option.value;
  for (const kind of ["input", "change"]) this.dispatchEvent(new Event(kind, { bubbles: true }));
  return "chosen";
}"""


def script(name: str) -> str:
    """Return the function in a file beside this one."""
    source = (Path(__file__).parent / name).read_text("utf-8").rstrip().removesuffix(";")
    return source[source.index("\n(") + 1 :]


def do_steps(watcher: Watcher, steps: tuple[Step, ...]) -> tuple[list[str], list[Flaw]]:
    """Do the steps until one cannot be done; return how each went, and what stopped them.

    Raises:
        Gone: the browser ended, or the time was up.
    """
    done: list[str] = []
    for number, step in enumerate(steps, start=1):
        problem = _do(watcher, step)
        if problem:
            done.append(f"{step.told}: {problem}")
            what = f"It cannot be done: {problem}."
            where = f"step {number}, {step.told}"
            return done, [Flaw(severity="major", kind="step-failed", where=where, what=what)]
        watcher.settle()
        done.append(f"{step.told}: done")
    return done, []


def _do(watcher: Watcher, step: Step) -> str:
    """Do one step; return why it cannot be done, empty if it was."""
    if step.do == "press":
        code, text = KEYS[step.value]
        name = " " if step.value == "Space" else step.value
        key = {"key": name, "code": step.value, "windowsVirtualKeyCode": code}
        down = {**key, "text": text} if text else key
        watcher.browser.call(
            "Input.dispatchKeyEvent", watcher.session, type="keyDown" if text else "rawKeyDown", **down
        )  # fmt: skip
        watcher.browser.call("Input.dispatchKeyEvent", watcher.session, type="keyUp", **key)
        return ""
    handle, problem = _found(watcher, step)
    if problem or step.do == "wait":
        return problem
    return _click(watcher, handle) if step.do == "click" else _type(watcher, handle, step.value)


def _found(watcher: Watcher, step: Step) -> tuple[str, str]:
    """Return the handle of the step's element, and why there is none."""
    source = script("find.js")
    until = time.monotonic() + FIND_S
    while True:
        last = time.monotonic() >= until
        given = ", ".join(json.dumps(value) for value in (step.css, step.text, last))
        try:
            result = watcher.browser.call(
                "Runtime.evaluate", watcher.session, expression=f"({source})({given})",
                contextId=watcher.world(),
            )["result"]  # fmt: skip
        except Gone:
            raise
        except ToolError:  # it was left for another page meanwhile
            result = {}
        if handle := result.get("objectId"):
            return str(handle), ""
        if last:
            return "", str(result.get("value") or "there is nothing like it")
        watcher.browser.pump(0.1)


def _click(watcher: Watcher, handle: str) -> str:
    x, y, problem = _middle(watcher, handle)
    if problem:
        return problem
    press = {"x": x, "y": y, "button": "left", "clickCount": 1}
    watcher.browser.call("Input.dispatchMouseEvent", watcher.session, type="mouseMoved", x=x, y=y)
    for kind in ("mousePressed", "mouseReleased"):
        watcher.browser.call("Input.dispatchMouseEvent", watcher.session, type=kind, **press)
    return ""


def _middle(watcher: Watcher, handle: str) -> tuple[float, float, str]:
    """Return the point of an element that a person would click, and why it cannot be."""
    try:
        watcher.browser.call("DOM.scrollIntoViewIfNeeded", watcher.session, objectId=handle)
        quads = watcher.browser.call("DOM.getContentQuads", watcher.session, objectId=handle)
    except Gone:
        raise
    except ToolError:
        return 0, 0, "it is not shown"
    if not quads["quads"]:
        return 0, 0, "it is not shown"
    quad = quads["quads"][0]
    x, y = sum(quad[0::2]) / 4, sum(quad[1::2]) / 4
    cover = watcher.call_on(handle, _COVERED, x, y)
    return x, y, f"{cover} lies over it" if cover else ""


def _type(watcher: Watcher, handle: str, value: str) -> str:
    try:
        watcher.browser.call("DOM.focus", watcher.session, objectId=handle)
    except Gone:
        raise
    except ToolError:
        return "nothing can be typed into it"
    said = watcher.call_on(handle, _READY, value)
    if said:
        return "" if said == "chosen" else str(said)
    watcher.browser.call("Input.insertText", watcher.session, text=value)
    return ""
