"""The batches of the Messages API, against a loopback server that answers as its documentation says."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from deskmate.errors import ModelRejected, ModelUnavailable, OutcomeUnknown
from deskmate.models.anthropic import AnthropicModel
from deskmate.models.catalogue import find_model
from deskmate.ports import Batched, ModelReply, ModelRequest
from deskmate.types.messages import Message, Text

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]
USAGE = {"input_tokens": 1_000_000, "output_tokens": 0}
MESSAGE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
    "stop_sequence": None, "usage": USAGE, "content": [{"type": "text", "text": "hello"}],
}  # fmt: skip


class Office:
    """A server with one batch. `ends`: what becomes of each request. `status`: of every answer. `cut`: no answer."""

    def __init__(self) -> None:
        self.ends: dict[str, Any] = {}
        self.status, self.cut = 200, False
        self.requests: list[Any] = []
        self.ended = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                if self.path.endswith("/cancel"):
                    outer.ended = True
                else:
                    outer.requests = json.loads(body)["requests"]
                self.answer(outer.batch())

            def do_GET(self) -> None:
                if self.path.endswith("/results"):
                    self.answer(*({"custom_id": n, "result": r} for n, r in outer.ends.items()))
                else:
                    self.answer(outer.batch())

            def answer(self, *rows: Any) -> None:
                if outer.cut:
                    self.close_connection = True
                    return
                failure = {"type": "error", "error": {"type": "not_found_error", "message": "No."}}
                told = rows if outer.status == 200 else (failure,)
                content = "".join(json.dumps(row) + "\n" for row in told).encode()
                self.send_response(outer.status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *arguments: Any) -> None:
                """Be quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def batch(self) -> dict[str, Any]:
        closed = len(self.ends) if self.ended else 0
        return {
            "id": "msgbatch_1",
            "type": "message_batch",
            "processing_status": "ended" if self.ended else "in_progress",
            "request_counts": {
                "processing": len(self.requests) - closed, "succeeded": closed, "errored": 0,
                "canceled": 0, "expired": 0,
            },
            "results_url": f"{self.url}/v1/messages/batches/msgbatch_1/results",
            "created_at": "2026-01-01T00:00:00Z",
            "expires_at": "2026-01-02T00:00:00Z",
        }  # fmt: skip

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def office() -> Iterator[Office]:
    one = Office()
    yield one
    one.stop()


def model_at(url: str) -> AnthropicModel:
    return AnthropicModel(find_model("sonnet", {}), api_key="k", base_url=url)


def request(text: str) -> ModelRequest:
    return ModelRequest(
        model="sonnet",
        system=("s",),
        tools=(),
        messages=(Message(role="user", content=(Text(text=text),)),),
        max_tokens=9,
    )


async def test_requests_are_sent_awaited_and_answered_at_half_the_price(office: Office) -> None:
    model = model_at(office.url)
    assert isinstance(model, Batched)
    batches = model.batches
    assert await batches.send({"a-1": request("x"), "a-2": request("y")}) == "msgbatch_1"
    assert [one["custom_id"] for one in office.requests] == ["a-1", "a-2"]
    params = office.requests[1]["params"]
    assert params["model"] == model.info.id
    assert (params["max_tokens"], params["messages"][0]["content"][0]["text"]) == (9, "y")
    state = await batches.state("msgbatch_1")
    assert (state.done, state.total, state.ended) == (0, 2, False)
    office.ends = {"a-2": {"type": "succeeded", "message": MESSAGE}, "a-1": {"type": "expired"}}
    office.ended = True
    assert await batches.state("msgbatch_1") == type(state)(done=2, total=2, ended=True)
    told = {name: reply async for name, reply in batches.replies("msgbatch_1")}
    assert told["a-1"] == "The batch was not answered within its day."
    reply = told["a-2"]
    assert isinstance(reply, ModelReply)
    assert reply.content == (Text(text="hello"),)
    price = model.info.price
    assert price is not None
    assert reply.usage.cost_usd == pytest.approx(price.input / 2)
    await model.aclose()


async def test_what_a_batch_does_not_answer_says_why(office: Office) -> None:
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": "too long"}}
    office.ends = {"a": {"type": "errored", "error": error}, "b": {"type": "canceled"}}
    batches = model_at(office.url).batches
    office.requests = [1, 2]
    await batches.cancel("msgbatch_1")
    assert (await batches.state("msgbatch_1")).ended
    told = {name: reply async for name, reply in batches.replies("msgbatch_1")}
    assert told == {
        "a": "The batch's answer is an error: too long",
        "b": "The batch was cancelled before it was answered.",
    }


async def test_a_server_that_refuses_took_nothing(office: Office) -> None:
    batches = model_at(office.url).batches
    office.status = 404
    with pytest.raises(ModelRejected):
        await batches.send({"a": request("x")})
    office.status = 529
    with pytest.raises(ModelUnavailable):
        await batches.send({"a": request("x")})
    with pytest.raises(ModelUnavailable):
        await batches.state("msgbatch_1")


async def test_a_server_that_hangs_up_may_have_taken_it(office: Office) -> None:
    office.cut = True
    with pytest.raises(OutcomeUnknown, match="took it is unknown"):
        await model_at(office.url).batches.send({"a": request("x")})


async def test_a_server_that_is_not_there_took_nothing(office: Office) -> None:
    office.stop()
    with pytest.raises(ModelUnavailable, match="cannot be reached"):
        await model_at(office.url).batches.send({"a": request("x")})
