"""A thread's log as OpenTelemetry spans: one trace a run, made from the records alone. Contents only if asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from deskmate.store import semconv as names
from deskmate.types.subagents import records_of

_INTERNAL, _CLIENT = 1, 3
_ERROR = 2


class Spans:
    """Gathers the spans of one thread from its records, in order."""

    def __init__(self, thread: str, *, content: bool) -> None:
        """`content`: what was said, and arguments and results of tools, go in."""
        self._thread = thread
        self._content = content
        self._run = ""
        self._open: dict[str, dict[str, Any]] = {}
        self._arguments: dict[str, Any] = {}
        self.done: list[dict[str, Any]] = []

    def take(self, record: Mapping[str, Any]) -> None:
        """Take in one record."""
        payload, time = record["payload"], _nanoseconds(record["time"])
        handler = getattr(self, f"_on_{record['kind']}", None)
        if handler is not None:
            handler(payload, time)

    def end(self) -> None:
        """Close what never ended: a run that was cut short."""
        for key in list(self._open):
            self._close(key, self._open[key]["startTimeUnixNano"], error="interrupted")

    def _on_UserSaid(self, payload: Mapping[str, Any], time: str) -> None:
        self._run = str(payload["run"])
        if "run" in self._open:
            return  # an answer: the run goes on
        self._start("run", f"{names.INVOKE_AGENT} deskmate", time, _INTERNAL, parent="")
        self._put("run", names.OPERATION, names.INVOKE_AGENT)
        self._put("run", names.AGENT, "deskmate")
        if self._content:
            said = {"role": "user", "parts": [{"type": "text", "content": payload["text"]}]}
            self._put("run", names.INPUT_MESSAGES, json.dumps([said], ensure_ascii=False))

    def _on_RunFinished(self, payload: Mapping[str, Any], time: str) -> None:
        reason = str(payload["reason"])
        self._close("run", time, error="" if reason == "done" else reason)

    def _on_RunResumed(self, payload: Mapping[str, Any], time: str) -> None:
        if "run" not in self._open:
            self._on_UserSaid({**payload, "text": ""}, time)

    def _on_ModelAsked(self, payload: Mapping[str, Any], time: str) -> None:
        model = str(payload["model"])
        self._start("chat", f"{names.CHAT} {model}", time, _CLIENT)
        self._put("chat", names.OPERATION, names.CHAT)
        self._put("chat", names.PROVIDER, "anthropic" if model in ("sonnet", "opus") else model)
        self._put("chat", names.REQUEST_MODEL, model)

    def _on_ModelReplied(self, payload: Mapping[str, Any], time: str) -> None:
        usage = payload.get("usage", {})
        self._put("chat", names.RESPONSE_MODEL, payload["model"])
        self._put("chat", names.FINISH_REASONS, [payload["stop_reason"]])
        self._put("chat", names.INPUT_TOKENS, int(usage.get("input_tokens", 0)))
        self._put("chat", names.OUTPUT_TOKENS, int(usage.get("output_tokens", 0)))
        for block in payload.get("content", ()):
            if block.get("type") == "tool_use":
                self._arguments[str(block.get("id"))] = block.get("input")
        if self._content:
            said = json.dumps(payload.get("content", []), ensure_ascii=False)
            self._put("chat", names.OUTPUT_MESSAGES, said)
        self._close("chat", time)

    def _on_Compacted(self, payload: Mapping[str, Any], time: str) -> None:
        usage = payload.get("usage", {})
        self._put("chat", names.INPUT_TOKENS, int(usage.get("input_tokens", 0)))
        self._put("chat", names.OUTPUT_TOKENS, int(usage.get("output_tokens", 0)))
        self._close("chat", time)

    def _on_ModelFailed(self, payload: Mapping[str, Any], time: str) -> None:
        self._close("chat", time, error="model_failed")

    def _on_ToolStarted(self, payload: Mapping[str, Any], time: str) -> None:
        use, tool = str(payload["tool_use_id"]), str(payload["tool"])
        self._start(use, f"{names.EXECUTE_TOOL} {tool}", time, _INTERNAL)
        self._put(use, names.OPERATION, names.EXECUTE_TOOL)
        self._put(use, names.TOOL, tool)
        self._put(use, names.TOOL_CALL, use)
        self._put(use, names.TOOL_TYPE, "function")
        if self._content:
            arguments = json.dumps(self._arguments.get(use), ensure_ascii=False)
            self._put(use, names.TOOL_ARGUMENTS, arguments)

    def _on_ToolFinished(self, payload: Mapping[str, Any], time: str) -> None:
        use, outcome = str(payload["tool_use_id"]), str(payload["outcome"])
        if use not in self._open:  # refused, or never run: that is a fact as well
            self._on_ToolStarted(payload, time)
        if self._content:
            self._put(use, names.TOOL_RESULT, payload["text"])
        self._close(use, time, error="" if outcome == "ok" else outcome)

    def _start(self, key: str, name: str, time: str, kind: int, *, parent: str = "run") -> None:
        trace = _digest(self._thread, self._run)[:32]
        number = str(len(self.done) + len(self._open))
        span = {
            "traceId": trace,
            "spanId": _digest(self._thread, self._run, key, number)[:16],
            "name": name,
            "kind": kind,
            "startTimeUnixNano": time,
            "attributes": [_attribute(names.CONVERSATION, self._thread)],
        }
        if parent and parent in self._open:
            span["parentSpanId"] = self._open[parent]["spanId"]
        self._open[key] = span

    def _put(self, key: str, name: str, value: Any) -> None:
        if key in self._open:
            self._open[key]["attributes"].append(_attribute(name, value))

    def _close(self, key: str, time: str, *, error: str = "") -> None:
        span = self._open.pop(key, None)
        if span is None:
            return
        span["endTimeUnixNano"] = time
        if error:
            span["status"] = {"code": _ERROR}
            span["attributes"].append(_attribute(names.ERROR, error))
        self.done.append(span)


def as_otlp(
    records: Iterable[Mapping[str, Any]], *, version: str, content: bool = False
) -> dict[str, Any]:
    """Return an OTLP trace request in its JSON form. `version`: Deskmate's own. `content`: texts go in too.

    A sub-agent's run is a trace of its own.
    """
    log = tuple(records)
    done = [
        span for own in (log, *records_of(log).values()) for span in _spans_of(own, content=content)
    ]
    resource = [_attribute("service.name", "deskmate"), _attribute("service.version", version)]
    scope = {"name": "deskmate", "version": version}
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": resource},
                "scopeSpans": [{"scope": scope, "spans": done}],
            }
        ]
    }


def _spans_of(records: Sequence[Mapping[str, Any]], *, content: bool) -> list[dict[str, Any]]:
    if not records:
        return []
    spans = Spans(str(records[0]["payload"].get("thread", "")), content=content)
    for record in records:
        spans.take(record)
    spans.end()
    return spans.done


def _attribute(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, int):
        return {"key": name, "value": {"intValue": str(value)}}
    if isinstance(value, list):
        values = [{"stringValue": str(item)} for item in value]
        return {"key": name, "value": {"arrayValue": {"values": values}}}
    return {"key": name, "value": {"stringValue": str(value)}}


def _nanoseconds(time: str) -> str:
    moment = datetime.fromisoformat(time)
    return str(int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1_000)


def _digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode()).hexdigest()
