"""A Messages API server of bytes: each request is answered by the next play of its script, fault or reply."""

from __future__ import annotations

import functools
import gzip
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

Play = Callable[["Line"], None]


class Line:
    """One request's connection."""

    def __init__(self, connection: socket.socket, over: threading.Event) -> None:
        self._connection = connection
        self.over = over

    def head(self, status: int = 200, *headers: str, kind: str = "text/event-stream") -> None:
        """Send a status and headers; the body ends with the connection."""
        lines = (f"HTTP/1.1 {status} X", f"content-type: {kind}", "connection: close", *headers)
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode())

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def reset(self) -> None:
        """Close without the usual good-bye."""
        linger = struct.pack("ii", 1, 0)
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._connection.close()


class ScriptedServer:
    """Plays a script, then its last play again and again. Remembers the bodies of all requests."""

    def __init__(self, script: Iterable[Play]) -> None:
        self.script = list(script)
        self.requests: list[dict[str, Any]] = []
        self.codings: list[str] = []
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._serve, daemon=True)]

    def __enter__(self) -> ScriptedServer:
        self._threads[0].start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._answer, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                head, body = _request(connection)
                self.requests.append(json.loads(body))
                self.codings.append(head.get("accept-encoding", ""))
                play = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                play(Line(connection, self._over))
            except OSError:
                return  # the client went away


def _request(connection: socket.socket) -> tuple[dict[str, str], bytes]:
    """Read the headers and the body of a request."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65_536)
    first, _, body = data.partition(b"\r\n\r\n")
    lines = (line.partition(": ") for line in first.decode().lower().split("\r\n"))
    head = {name: value for name, _, value in lines}
    while len(body) < int(head["content-length"]):
        body += connection.recv(65_536)
    return head, body


def sse(*events: dict[str, Any], end: str = "\n") -> bytes:
    """Events as they travel."""
    parts = (
        f"event: {event['type']}{end}data: {json.dumps(event, ensure_ascii=False)}{end}{end}"
        for event in events
    )
    return "".join(parts).encode()


def start() -> dict[str, Any]:
    usage = {"input_tokens": 7, "output_tokens": 0}
    about = {"id": "m", "type": "message", "role": "assistant", "model": "a-model", "content": []}
    message = {**about, "stop_reason": None, "stop_sequence": None, "usage": usage}
    return {"type": "message_start", "message": message}


def text_block(index: int, *parts: str) -> list[dict[str, Any]]:
    return _block(
        index, {"type": "text", "text": ""}, [{"type": "text_delta", "text": t} for t in parts]
    )


def tool_block(index: int, *parts: str, use: str = "toolu_1") -> list[dict[str, Any]]:
    block = {"type": "tool_use", "id": use, "name": "proof__count", "input": {}}
    return _block(
        index, block, [{"type": "input_json_delta", "partial_json": part} for part in parts]
    )


def _block(index: int, block: dict[str, Any], deltas: list[dict[str, Any]]) -> list[dict[str, Any]]:
    begin = {"type": "content_block_start", "index": index, "content_block": block}
    inner = [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
    return [begin, *inner, {"type": "content_block_stop", "index": index}]


def finish(reason: str) -> list[dict[str, Any]]:
    delta = {"stop_reason": reason, "stop_sequence": None}
    usage = {"output_tokens": 5}
    return [
        {"type": "message_delta", "delta": delta, "usage": usage},
        {"type": "message_stop"},
    ]


DONE = "All done – für “alle” 😀."
TOOL_EVENTS = [start(), *tool_block(0, "{", "}"), *finish("tool_use")]
DONE_EVENTS = [start(), *text_block(0, DONE[:9], DONE[9:]), *finish("end_turn")]


def reply(*events: dict[str, Any]) -> Play:
    """A whole reply."""

    def play(line: Line) -> None:
        line.head()
        line.send(sse(*events))

    return play


CALL, END = reply(*TOOL_EVENTS), reply(*DONE_EVENTS)


def status(code: int, kind: str, *headers: str) -> Play:
    """A refusal as the API words it."""
    body = {"type": "error", "error": {"type": kind, "message": f"said {code}"}}

    def play(line: Line) -> None:
        line.head(code, *headers, kind="application/json")
        line.send(json.dumps(body).encode())

    return play


def broken(*events: dict[str, Any], raw: bytes = b"", reset: bool = False) -> Play:
    """The beginning of a reply, then raw bytes, then the end of the connection."""

    def play(line: Line) -> None:
        line.head()
        line.send(sse(*events) + raw)
        if reset:
            time.sleep(0.05)  # what was sent arrives first
            line.reset()

    return play


def in_pieces(data: bytes, size: int) -> Play:
    """A whole reply in pieces that keep to no boundary."""

    def play(line: Line) -> None:
        line.head()
        for at in range(0, len(data), size):
            line.send(data[at : at + size])
            time.sleep(0.001)  # else the pieces travel as one

    return play


def dribble(data: bytes, every_s: float) -> Play:
    """One byte at a time, so often, for ever."""

    def play(line: Line) -> None:
        line.head()
        place = 0
        while not line.over.wait(every_s):
            line.send(data[place % len(data) :][:1])
            place += 1

    return play


def silence(line: Line) -> None:
    """Headers, and then nothing."""
    line.head()
    line.over.wait(8)


@functools.cache
def _bomb() -> bytes:
    return gzip.compress(b"data: " + bytes(100 * 1024 * 1024), 9)


def gzip_bomb(line: Line) -> None:
    """Zeros that become a thousand times as many."""
    line.head(200, "content-encoding: gzip")
    line.send(_bomb())


def endless_line(line: Line) -> None:
    """A line that never ends, as fast as it is taken."""
    line.head()
    line.send(b"data: ")
    while not line.over.is_set():
        line.send(b"x" * 1_000_000)
