"""What was said and found in the thread, to be read again: windows on results that were cut, or told in short only.

A reference names the same thing in every copy of the thread: a result by its tool use's id, the user's words by their
run, a reply by run and turn (`r-abc/3`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from deskmate.errors import CorruptData, ToolInputError
from deskmate.ports import BlobReader
from deskmate.types.events import Event, ModelReplied, RunResumed, ToolFinished, UserSaid
from deskmate.types.ids import Digest, ToolUseId
from deskmate.types.messages import text_of, tool_uses_of
from deskmate.types.registry import ToolSpec

READ, SEARCH = "thread__read", "thread__search"
WINDOW, LARGEST_WINDOW = 10_000, 40_000
"""Characters of a window where none are named, and at most."""
PAGE = 10
_AROUND = 150
_SEARCHED_RESULTS = 300
_ARGUMENTS_SHOWN = 100

_READ_TOOL = ToolSpec(
    plugin="thread",
    name=READ,
    title="Read again",
    description="Return a part of something that was in this thread before: a tool's result that was cut or is told "
    "in short only, the user's words, one of your replies. Files as they are now are read with the tools for files.",
    input_schema={
        "type": "object",
        "properties": {
            "ref": {"type": "string", "description": "The reference, as it was told to you."},
            "start": {
                "type": "integer",
                "minimum": 0,
                "description": "The first character of the part, from 0.",
            },
            "length": {
                "type": "integer",
                "minimum": 1,
                "maximum": LARGEST_WINDOW,
                "description": f"Characters of the part; {WINDOW} if you name none.",
            },
        },
        "required": ["ref"],
        "additionalProperties": False,
    },
    risk="read",
)
_SEARCH_TOOL = ToolSpec(
    plugin="thread",
    name=SEARCH,
    title="Search the thread",
    description="Find where words occur in this thread: in whole results of tools, also where they were cut, in the "
    "user's words and in your replies. Gives references for thread__read. The newest come first.",
    input_schema={
        "type": "object",
        "properties": {
            "words": {
                "type": "string",
                "minLength": 1,
                "description": "They must occur as they stand.",
            },
            "page": {"type": "integer", "minimum": 1, "maximum": 1000, "description": "From 1."},
        },
        "required": ["words"],
        "additionalProperties": False,
    },
    risk="read",
)
THREAD_TOOLS = (_READ_TOOL, _SEARCH_TOOL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Something that can be read again. `full`: blob with the whole of a text that was cut.

    `untrusted`, `private`: what the log says of where it comes from.
    """

    ref: str
    title: str
    text: str
    kind: Literal["said", "reply", "result"] = "result"
    full: Digest | None = None
    untrusted: bool = False
    private: bool = False


def items_of(events: Sequence[Event]) -> Iterator[Item]:
    """Yield what can be read again, in order. What was read again is no item of its own."""
    run = ""
    titles: dict[ToolUseId, str] = {}
    for event in events:
        match event.payload:
            case UserSaid(run=run, text=text):
                yield Item(ref=run, title="the user", text=text, kind="said")
            case RunResumed(run=run):
                pass
            case ModelReplied(turn=turn, content=content):
                for use in tool_uses_of(content):
                    titles[use.id] = f"{use.name} {_short(use.input)}"
                if words := text_of(content):
                    yield Item(ref=f"{run}/{turn}", title="your reply", text=words, kind="reply")
            case ToolFinished(tool=tool) as done if tool not in (READ, SEARCH):
                yield _result(done, titles.get(done.tool_use_id, tool))


def _result(done: ToolFinished, title: str) -> Item:
    return Item(
        ref=done.tool_use_id,
        title=title,
        text=done.text,
        full=done.full,
        untrusted=done.untrusted,
        private=done.private,
    )


def _short(arguments: Mapping[str, Any]) -> str:
    text = json.dumps(dict(arguments), ensure_ascii=False, default=str)
    return text if len(text) <= _ARGUMENTS_SHOWN else f"{text[: _ARGUMENTS_SHOWN - 1]}…"


class Recall:
    """Reads and searches one thread's log."""

    def __init__(self, events: Sequence[Event], blobs: BlobReader) -> None:
        self._events = events
        self._blobs = blobs

    def answer(self, tool: str, given: Mapping[str, Any], limit: int) -> Item:
        """Return what one of the tools gives, as text of an item. Raises ToolInputError.

        `limit`: characters that the model may see at once.
        """
        if tool == SEARCH:
            return self.search(str(given["words"]), int(given.get("page", 1)))
        length = min(int(given.get("length", WINDOW)), LARGEST_WINDOW, limit)
        return self.read(str(given["ref"]), int(given.get("start", 0)), length)

    def read(self, ref: str, start: int, length: int) -> Item:
        """Return a window on what a reference names. Raises ToolInputError."""
        wanted = ref.strip()
        found = [item for item in items_of(self._events) if item.ref == wanted]
        if not found:
            raise ToolInputError(f"There is no {wanted!r} in this thread; find it with {SEARCH}.")
        text = "\n\n".join(self._whole(item) for item in found)
        if start and start >= len(text):
            raise ToolInputError(f"{wanted} has {len(text):,} characters; start before its end.")
        part = text[start : start + length]
        end = start + len(part)
        more = f"; go on with start {end}" if end < len(text) else ""
        if start or more:
            part += f"\n[characters {start:,} to {end:,} of {len(text):,}{more}]"
        return replace(
            found[0],
            text=part,
            untrusted=any(item.untrusted for item in found),
            private=any(item.private for item in found),
        )

    def search(self, words: str, page: int) -> Item:
        """Return where words occur, the newest first."""
        wanted = " ".join(words.split()).lower()
        lines: list[str] = []
        untrusted = private = False
        looked = 0
        for item in reversed(list(items_of(self._events))):
            looked += item.kind == "result"
            text = self._whole(item) if looked <= _SEARCHED_RESULTS else item.text
            at = text.lower().find(wanted)
            if wanted and at >= 0:
                lines.append(f"- {item.ref}, {item.title}, character {at:,}: …{_around(text, at)}…")
                untrusted, private = untrusted or item.untrusted, private or item.private
        first = (page - 1) * PAGE
        shown = lines[first : first + PAGE]
        more = f"\nMore on page {page + 1}." if first + PAGE < len(lines) else ""
        text = "\n".join(shown) + more if shown else f"Nothing; {len(lines)} places in all."
        return Item(ref="", title="", text=text, untrusted=untrusted, private=private)

    def _whole(self, item: Item) -> str:
        if item.full is None or not self._blobs.has(item.full):
            return item.text
        try:
            return self._blobs.read(item.full).decode("utf-8", "replace")
        except CorruptData as error:
            raise ToolInputError(f"{item.ref} cannot be read again: {error.message}") from error


def _around(text: str, at: int) -> str:
    return " ".join(text[max(0, at - _AROUND) : at + _AROUND].split())
