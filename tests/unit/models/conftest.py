"""A loopback server that answers with given bytes, and small requests."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from deskmate.ports import ModelRequest
from deskmate.types.messages import Block, Message, Text
from deskmate.types.registry import SkillSpec, ToolSpec


@dataclass
class Answer:
    """One HTTP answer. `cut`: close the connection in the middle of a promised body."""

    body: bytes
    status: int = 200
    content_type: str = "text/event-stream; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


class Server:
    """Answers every POST with the same answer, and remembers what was asked."""

    def __init__(self) -> None:
        self.answer = Answer(body=b"")
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                outer.requests.append(json.loads(self.rfile.read(length)))
                outer.keys.append(self.headers.get("authorization"))
                answer = outer.answer
                self.send_response(answer.status)
                self.send_header("content-type", answer.content_type)
                self.send_header(
                    "content-length", str(len(answer.body) + (1000 if answer.cut else 0))
                )
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)
                if answer.cut:
                    self.close_connection = True

            def log_message(self, *arguments: Any) -> None:
                """Be quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    one.start()
    yield one
    one.stop()


@pytest.fixture
def make_answer() -> Callable[..., Answer]:
    return Answer


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def cases() -> Path:
    """The third-party cases beside the checkout."""
    folder = Path(__file__).resolve().parents[4] / "shared" / "cases"
    if not folder.is_dir():
        pytest.skip("there is no cases folder beside the checkout")
    return folder


def request_of(
    *messages: Message, tools: tuple[ToolSpec, ...] = (), skills: tuple[SkillSpec, ...] = ()
) -> ModelRequest:
    return ModelRequest(
        model="test", system=("You help.",), tools=tools, messages=messages, skills=skills
    )


@pytest.fixture
def make_request() -> Callable[..., ModelRequest]:
    return request_of


@pytest.fixture
def user() -> Callable[..., Message]:
    def make(*content: str | Block) -> Message:
        blocks = tuple(Text(text=item) if isinstance(item, str) else item for item in content)
        return Message(role="user", content=blocks)

    return make


@pytest.fixture
def assistant() -> Callable[..., Message]:
    def make(*content: str | Block) -> Message:
        blocks = tuple(Text(text=item) if isinstance(item, str) else item for item in content)
        return Message(role="assistant", content=blocks)

    return make
