"""A guest that was taken over: does as root whatever a test asks, and says whatever a test wants on its ports.

It is the initial program of a machine of its own, in place of Deskmate's. It answers as the protocol wants
until a call of the tool `evil` brings it code.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import time
import traceback
from pathlib import Path
from typing import Any

PORTS: dict[str, int] = {}


def say(message: dict[str, Any]) -> None:
    """Write one line as the protocol wants it."""
    write("agent", json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")


def write(port: str, data: bytes) -> None:
    """Write raw bytes."""
    view = memoryview(data)
    while view:
        view = view[os.write(PORTS[port], view) :]


def answer(number: int, result: dict[str, Any]) -> None:
    """Answer one request."""
    say({"id": number, "result": result})


def text_result(text: str) -> dict[str, Any]:
    """Return a tool's result."""
    parts = {"content": [{"type": "text", "text": text}], "isError": False}
    return {**parts, "structuredContent": {"output": text}, "resultType": "complete", "_meta": {}}


def run(code: str, number: int) -> None:
    """Run a test's code; it may answer by itself, else what it prints is the answer."""
    out = io.StringIO()
    names = {"PORTS": PORTS, "write": write, "say": say, "answer": answer, "number": number}
    names |= {"text_result": text_result, "silent": False}
    with contextlib.redirect_stdout(out):
        try:
            exec(code, names)
        except BaseException:  # noqa: BLE001 — a test's own code: show it what it did
            out.write(traceback.format_exc())
    if not names["silent"]:
        answer(number, text_result(out.getvalue()[-200_000:]))


def serve(message: dict[str, Any]) -> None:
    """Answer one request of the host."""
    number, params = message["id"], message.get("params", {})
    match message["method"]:
        case "deskmate/resume":
            answer(number, {"workers": []})
        case "deskmate/open":
            answer(number, {"workspace": "/workspace"})
        case "tools/call" if params.get("name") == "evil":
            run(params["arguments"]["code"], number)
        case "tools/call":
            answer(number, text_result("nothing"))
        case _:
            answer(number, {})


def main() -> None:
    """Open the ports, say ready, serve for ever."""
    for _ in range(1000):
        for entry in Path("/sys/class/virtio-ports").glob("*"):
            if (entry / "name").exists() and (name := (entry / "name").read_text().strip()):
                PORTS.setdefault(name, os.open(f"/dev/{entry.name}", os.O_RDWR))
        if {"agent", "bulk", "egress"} <= PORTS.keys():
            break
        time.sleep(0.01)
    say({"method": "deskmate/ready", "params": {"uptime_s": 1.0}})
    buffer = b""
    while True:
        data = os.read(PORTS["agent"], 1 << 16)
        if not data:
            time.sleep(0.002)  # no peer: it is being frozen or copied
            continue
        *lines, buffer = (buffer + data).split(b"\n")
        for line in lines:
            serve(json.loads(line))


if __name__ == "__main__":
    main()
