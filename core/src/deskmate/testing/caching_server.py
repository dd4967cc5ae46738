"""A server on this machine that speaks the Messages API and caches prompts by the documented rules.

It keeps what a request's cache breakpoints say, up to each of them, byte for byte, in the order tools, system, messages;
looks for it at each breakpoint of a later request and at the 20 blocks before, no further; keeps nothing below a minimum of
tokens, and nothing longer than five minutes unread; refuses a fifth breakpoint, a tool use without its result, and a prompt
that is longer than its window. A prefix that changed is a miss, and its usage says so. Tokens are a fourth of the characters.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

MOST_BREAKPOINTS = 4
LOOK_BACK = 20
TTL_S = 300.0
CHARACTERS_PER_TOKEN = 4

Json = Mapping[str, Any]
Reply = Callable[[Json], Sequence[Json]]
"""Returns the blocks of the reply to a request's body, in the API's shape."""


class Refused(Exception):
    """A request that the API would not take; the message is the API's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What one request took: tokens read from the cache, written to it, and neither. `body`: as it came."""

    read: int
    written: int
    fresh: int
    body: Json

    @property
    def prompt(self) -> int:
        """All tokens of the prompt."""
        return self.read + self.written + self.fresh


class PromptCache:
    """What the server keeps of prompts."""

    def __init__(
        self, *, least_tokens: int = 1_024, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`least_tokens`: shorter prefixes are not kept. `clock`: seconds; for tests."""
        self._least = least_tokens
        self._clock = clock
        self._kept: dict[str, float] = {}

    def take(self, body: Json) -> Served:
        """Return what the request reads, writes and neither, and keep what it says. Raises Refused."""
        prefixes, sizes, marks = _prefixes(body)
        if len(marks) > MOST_BREAKPOINTS:
            raise Refused(
                f"A maximum of {MOST_BREAKPOINTS} blocks with cache_control may be provided. Found {len(marks)}."
            )
        now = self._clock()
        self._kept = {key: until for key, until in self._kept.items() if until > now}
        hit = max((place for mark in marks for place in self._found(prefixes, mark)), default=-1)
        kept = [mark for mark in marks if sum(sizes[: mark + 1]) >= self._least]
        for place in (*kept, *([hit] if hit >= 0 else ())):  # to be read is to be kept longer
            self._kept[prefixes[place]] = now + TTL_S
        end = max((*kept, hit), default=-1)
        return Served(
            read=sum(sizes[: hit + 1]),
            written=sum(sizes[hit + 1 : end + 1]),
            fresh=sum(sizes[end + 1 :]),
            body=body,
        )

    def _found(self, prefixes: Sequence[str], mark: int) -> Iterator[int]:
        for place in range(mark, max(mark - LOOK_BACK, 0) - 1, -1):
            if prefixes[place] in self._kept:
                yield place
                return


def _prefixes(body: Json) -> tuple[list[str], list[int], list[int]]:
    """Return the digest of the prompt up to each block, each block's tokens, and the places of breakpoints."""
    running = hashlib.sha256(str(body.get("model")).encode())
    prefixes: list[str] = []
    sizes: list[int] = []
    marks: list[int] = []
    for place, (where, block) in enumerate(_blocks(body)):
        plain = {name: value for name, value in block.items() if name != "cache_control"}
        text = json.dumps(plain, ensure_ascii=False)  # in the order it came: bytes count
        running.update(f"{where}\0{text}\0".encode())
        prefixes.append(running.hexdigest())
        sizes.append(-(-len(text) // CHARACTERS_PER_TOKEN))
        if "cache_control" in block:
            marks.append(place)
    return prefixes, sizes, marks


def _blocks(body: Json) -> Iterator[tuple[str, Json]]:
    for tool in body.get("tools", ()):
        yield "tool", tool
    system = body.get("system", ())
    for block in [{"type": "text", "text": system}] if isinstance(system, str) else system:
        yield "system", block
    for number, message in enumerate(body["messages"]):
        for block in _content(message):
            yield f"{number} {message['role']}", block


def _content(message: Json) -> Sequence[Json]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def check_pairs(messages: Sequence[Json]) -> None:
    """Raise Refused unless users and assistants take turns and each tool use has its result in the next message."""
    waiting: set[str] = set()
    for number, message in enumerate(messages):
        if message["role"] != ("user", "assistant")[number % 2]:
            raise Refused(f"messages.{number}: roles must alternate, the user first")
        blocks = _content(message)
        if not blocks:
            raise Refused(f"messages.{number}: content is empty")
        results = {b["tool_use_id"] for b in blocks if b["type"] == "tool_result"}
        if message["role"] == "user" and results != waiting:
            raise Refused(
                f"messages.{number}: `tool_use` ids were found without `tool_result` blocks immediately after, "
                f"or results without a use: {', '.join(sorted(results ^ waiting))}"
            )
        waiting = {b["id"] for b in blocks if b["type"] == "tool_use"}
    if waiting:
        raise Refused("the last message asks for tools")


class CachingServer:
    """Serves on the loopback address while it is entered."""

    def __init__(
        self,
        reply: Reply,
        *,
        cache: PromptCache | None = None,
        window: int | None = None,
        first_token_s: float = 0.0,
    ) -> None:
        """`window`: the most tokens of a prompt. `first_token_s`: how long it takes to begin to answer, as models do."""
        self._reply = reply
        self._cache = cache or PromptCache()
        self._window = window
        self._first_token_s = first_token_s
        self._taking = threading.Lock()
        self.served: list[Served] = []
        self.refused: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else each answer waits for an acknowledgement

            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                outer._answer(self, json.loads(self.rfile.read(length)))

            def log_message(self, *arguments: Any) -> None:
                """Be quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def read_share(self) -> float:
        """The share of all prompt tokens so far that came from the cache."""
        prompt = sum(one.prompt for one in self.served)
        return sum(one.read for one in self.served) / prompt if prompt else 0.0

    def _answer(self, handler: BaseHTTPRequestHandler, body: Json) -> None:
        try:
            with self._taking:
                served = self._take(body)
                blocks = self._reply(body)
        except Refused as refused:
            self.refused.append(str(refused))
            error = {"type": "invalid_request_error", "message": str(refused)}
            data = json.dumps({"type": "error", "error": error}).encode()
            _send(handler, 400, "application/json", data)
            return
        if self._first_token_s:
            time.sleep(self._first_token_s)
        _send(handler, 200, "text/event-stream", b"".join(_events(blocks, served)))

    def _take(self, body: Json) -> Served:
        check_pairs(body["messages"])
        prompt = sum(_prefixes(body)[1])
        if self._window is not None and prompt + body["max_tokens"] > self._window:
            raise Refused(f"prompt is too long: {prompt} tokens > {self._window} maximum")
        served = self._cache.take(body)
        self.served.append(served)
        return served


def _send(handler: BaseHTTPRequestHandler, status: int, kind: str, data: bytes) -> None:
    handler.send_response(status)
    handler.send_header("content-type", kind)
    handler.send_header("content-length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


def _events(blocks: Sequence[Json], served: Served) -> Iterator[bytes]:
    usage = {
        "input_tokens": served.fresh,
        "cache_read_input_tokens": served.read,
        "cache_creation_input_tokens": served.written,
        "output_tokens": 1,
    }
    about = {"id": "msg_1", "type": "message", "role": "assistant", "model": served.body["model"]}
    message = {
        **about,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    yield _sse({"type": "message_start", "message": message})
    for index, block in enumerate(blocks):
        empty: dict[str, Any] = {"text": ""}
        if block["type"] == "text":
            delta = {"type": "text_delta", "text": block["text"]}
        else:
            empty = {"input": {}}
            partial = json.dumps(block["input"])
            delta = {"type": "input_json_delta", "partial_json": partial}
        begun = {**block, **empty}
        yield _sse({"type": "content_block_start", "index": index, "content_block": begun})
        yield _sse({"type": "content_block_delta", "index": index, "delta": delta})
        yield _sse({"type": "content_block_stop", "index": index})
    uses = any(block["type"] == "tool_use" for block in blocks)
    end = {"stop_reason": "tool_use" if uses else "end_turn", "stop_sequence": None}
    output = sum(-(-len(json.dumps(block)) // CHARACTERS_PER_TOKEN) for block in blocks)
    yield _sse({"type": "message_delta", "delta": end, "usage": {"output_tokens": output}})
    yield _sse({"type": "message_stop"})


def _sse(event: Json) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
