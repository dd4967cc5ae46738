"""Spans from a log: the conventions' names, parents, times, and no text unless it is asked for."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from deskmate.errors import DeskmateError, UserError
from deskmate.host.collector import send_spans
from deskmate.store.telemetry import as_otlp

TEXT = "private words"


def records(*facts: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    first = ("ThreadCreated", {"thread": "t-x", "title": TEXT})
    return [
        {"seq": seq, "time": f"2026-11-23T09:00:{seq:02}.000001Z", "kind": kind, "payload": payload}
        for seq, (kind, payload) in enumerate((first, *facts), 1)
    ]


RUN = records(
    ("UserSaid", {"run": "r-1", "text": TEXT, "model": "sonnet"}),
    ("ModelAsked", {"turn": 1, "model": "sonnet", "request": "0"}),
    (
        "ModelReplied",
        {
            "turn": 1,
            "model": "claude",
            "stop_reason": "tool_use",
            "usage": {"input_tokens": 10, "output_tokens": 5},
            "content": [{"type": "tool_use", "id": "u1", "name": "p__t", "input": {"a": TEXT}}],
        },
    ),
    ("ToolStarted", {"tool_use_id": "u1", "tool": "p__t", "key": "k"}),
    ("ToolFinished", {"tool_use_id": "u1", "tool": "p__t", "outcome": "error", "text": TEXT}),
    ("ToolFinished", {"tool_use_id": "u2", "tool": "p__s", "outcome": "denied", "text": TEXT}),
    ("RunFinished", {"run": "r-1", "reason": "done"}),
)


def spans(request: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = request["resourceSpans"][0]["scopeSpans"][0]["spans"]
    return found


def values(span: dict[str, Any]) -> dict[str, Any]:
    return {item["key"]: next(iter(item["value"].values())) for item in span["attributes"]}


def test_a_run_is_one_trace_of_spans_with_the_names_of_the_conventions() -> None:
    chat, tool, denied, run = spans(as_otlp(RUN, version="1"))
    assert [span["name"] for span in (run, chat, tool, denied)] == [
        "invoke_agent deskmate",
        "chat sonnet",
        "execute_tool p__t",
        "execute_tool p__s",
    ]
    assert {span["traceId"] for span in (run, chat, tool)} == {run["traceId"]}
    assert all(span["parentSpanId"] == run["spanId"] for span in (chat, tool, denied))
    assert len({span["spanId"] for span in (run, chat, tool, denied)}) == 4
    assert values(chat)["gen_ai.usage.input_tokens"] == "10"
    assert values(chat)["gen_ai.response.finish_reasons"] == {
        "values": [{"stringValue": "tool_use"}]
    }
    assert values(tool)["gen_ai.conversation.id"] == "t-x"
    assert values(tool)["error.type"] == "error"
    assert values(denied)["error.type"] == "denied"
    assert "status" not in run
    assert int(run["endTimeUnixNano"]) - int(run["startTimeUnixNano"]) == 6_000_000_000
    assert run["startTimeUnixNano"].endswith("000001000")


def test_texts_arguments_and_results_go_in_only_when_asked_for() -> None:
    assert TEXT not in json.dumps(as_otlp(RUN, version="1"))
    chat, tool, _, run = spans(as_otlp(RUN, version="1", content=True))
    assert TEXT in values(run)["gen_ai.input.messages"]
    assert TEXT in values(chat)["gen_ai.output.messages"]
    assert TEXT in values(tool)["gen_ai.tool.call.arguments"]
    assert TEXT in values(tool)["gen_ai.tool.call.result"]


def test_what_was_cut_short_is_told_as_such() -> None:
    cut = spans(as_otlp(RUN[:5], version="1"))
    assert {values(span).get("error.type") for span in cut if span["name"] != "chat sonnet"} == {
        "interrupted"
    }
    assert spans(as_otlp([], version="1")) == []


@pytest.fixture
def collector() -> Iterator[Callable[[int], tuple[str, list[tuple[str, bytes]]]]]:
    servers = []

    def start(status: int) -> tuple[str, list[tuple[str, bytes]]]:
        got: list[tuple[str, bytes]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(status)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                return

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}", got

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_collector_on_this_machine_gets_the_spans(collector: Any) -> None:
    url, got = collector(200)
    send_spans(b"{}", url)
    assert got == [("/v1/traces", b"{}")]


def test_a_collector_that_refuses_or_is_not_there_is_an_error(collector: Any) -> None:
    url, _ = collector(500)
    with pytest.raises(DeskmateError, match="500"):
        send_spans(b"{}", url)
    with pytest.raises(DeskmateError, match="does not take"):
        send_spans(b"{}", "http://127.0.0.1:1")


@pytest.mark.parametrize(
    "url",
    ["http://collector.example.test:4318", "https://127.0.0.1", "http://127.0.0.1.example.test",
     "http://127.0.0.1@example.test", "file:///etc/passwd", "http://[", "127.0.0.1:4318"],
)  # fmt: skip
def test_spans_never_go_to_another_machine(url: str) -> None:
    with pytest.raises(UserError):
        send_spans(b"{}", url)
