"""What is to be done with a page, and what was seen of it: data only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deskmate.plugin import ToolInputError

STEPS_LIMIT = 30
TEXT_LIMIT = 2_000
SIZES = (320, 2_560)
WINDOW = "1280x800"
DOINGS = ("click", "type", "press", "wait")
KEYS: Mapping[str, tuple[int, str]] = {
    "Enter": (13, "\r"), "Tab": (9, ""), "Escape": (27, ""), "Space": (32, " "), "Backspace": (8, ""),
    "ArrowUp": (38, ""), "ArrowDown": (40, ""), "ArrowLeft": (37, ""), "ArrowRight": (39, ""),
}  # fmt: skip
"""Key → its code on Windows, which the protocol wants, and the text that it writes."""
SEVERITIES = ("major", "minor", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do. `css` or `text` says with what; `value`: what is typed, or the key."""

    do: str
    css: str = ""
    text: str = ""
    value: str = ""

    @property
    def told(self) -> str:
        """The step in words."""
        what = f"`{self.css}`" if self.css else f"“{self.text}”" if self.text else ""
        words = {"click": f"click {what}", "type": f"type “{self.value}” into {what}"}
        return words.get(self.do, f"{self.do} {self.value or what}").strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A page to look at. `url`: its address. `root`: workspace folder that is the site's top.

    `serve`: command that starts the page's server in `root`, at `port`; "" where nothing is to be started.
    """

    url: str
    root: str = ""
    serve: str = ""
    port: int = 0
    steps: tuple[Step, ...] = ()
    width: int = 1_280
    height: int = 800


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Asked:
    """A request. `status`: 0 where there was no answer; `why` says then what came between."""

    url: str
    method: str
    kind: str
    status: int = 0
    why: str = ""

    @property
    def failed(self) -> bool:
        """Whether it gave nothing that can be used."""
        return bool(self.why) or self.status >= 400


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Flaw:
    """What is wrong with a page. `severity`: major, minor or note."""

    severity: str
    kind: str
    where: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A page as it was after all steps. `said`: what it wrote to the console, in order. `done`: each step and how it went.

    `outline`, `accessible`: lines, indented by depth. `cut`: some of that was left out. `picture`: PNG of the whole page.
    """

    title: str
    url: str
    text: str
    said: tuple[tuple[str, str], ...]
    asked: tuple[Asked, ...]
    flaws: tuple[Flaw, ...]
    done: tuple[str, ...]
    outline: tuple[str, ...]
    accessible: tuple[str, ...]
    cut: bool
    picture: bytes

    def count(self, severity: str) -> int:
        """Return how many flaws are of a severity."""
        return sum(flaw.severity == severity for flaw in self.flaws)


def steps_of(rows: Sequence[Mapping[str, Any]]) -> tuple[Step, ...]:
    """Return steps as they were given.

    Raises:
        ToolInputError: too many, or one that is none.
    """
    if len(rows) > STEPS_LIMIT:
        raise ToolInputError(f"There are {len(rows)} steps; at most {STEPS_LIMIT} are done.")
    return tuple(_step(row, number) for number, row in enumerate(rows, start=1))


def _step(row: Mapping[str, Any], number: int) -> Step:
    known = {"do", "css", "text", "value"}
    if (
        not isinstance(row, Mapping)
        or set(row) - known
        or not all(isinstance(value, str) for value in row.values())
    ):
        raise ToolInputError(f"Step {number} is no {{do, css or text, value}} of texts.")
    step = Step(**row)
    if step.do not in DOINGS:
        raise ToolInputError(f"Step {number}: {step.do[:40]!r} is none of {', '.join(DOINGS)}.")
    if max(len(step.css), len(step.text), len(step.value)) > TEXT_LIMIT:
        raise ToolInputError(f"Step {number} has more than {TEXT_LIMIT} characters in one text.")
    if step.do == "press":
        if step.value not in KEYS:
            raise ToolInputError(f"Step {number}: a key is one of {', '.join(KEYS)}.")
    elif bool(step.css) == bool(step.text):
        raise ToolInputError(f"Step {number} ({step.do}) needs either css or text.")
    return step


def size_of(window: str) -> tuple[int, int]:
    """Return a window's width and height.

    Raises:
        ToolInputError: it is no size that is shown.
    """
    low, high = SIZES
    match = re.fullmatch(r"\s*(\d{1,5})\s*[x×,]\s*(\d{1,5})\s*", window)
    width, height = (int(match[1]), int(match[2])) if match else (0, 0)
    if not (low <= width <= high and low <= height <= high):
        raise ToolInputError(f"A window is {low} to {high} pixels wide and high, such as {WINDOW}.")
    return width, height
