"""Checks I11 over a log: an approval is for exactly one call, is used once at most, and before it expires."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from deskmate.types.events import ERASED

MARK = "⟦secret:"


class _Approvals:
    """What was asked and allowed so far, by use and digest of the arguments. A request has no use."""

    def __init__(self) -> None:
        self.inputs: dict[str, Any] = {}
        self.asked: set[tuple[str, str]] = set()
        self.waiting: dict[str, str] = {}
        self.allowed: dict[tuple[str, str], str] = {}

    def replied(self, payload: Mapping[str, Any], *, erased: bool) -> None:
        """Note the arguments of the calls that the model wants, as far as they are there."""
        for block in payload.get("content", ()):
            if block.get("type") == "tool_use":
                self.inputs[str(block.get("id"))] = ERASED if erased else block.get("input")

    def ask(self, payload: Mapping[str, Any]) -> str:
        """Note a question; return what is wrong with it."""
        use, digest = str(payload["tool_use_id"]), str(payload["arguments"])
        self.asked.add((use, digest))
        if use:
            self.waiting[use] = digest
        shown = self.inputs.get(use) if use else payload.get("shown", {})
        if (definition := payload.get("definition")) and shown not in (None, ERASED):
            # at a connector what is approved is a call of the tool as it was accepted
            shown = {"tool": payload["tool"], "definition": definition, "arguments": shown}
        # where a secret was taken out before it was stored, the digest is of what was shown
        if ERASED not in (digest, shown) and _shows_another(shown, digest):
            return "a question shows something else than it asks for"
        return ""

    def give(self, payload: Mapping[str, Any]) -> str:
        """Note a decision; return what is wrong with it."""
        use, digest = str(payload["tool_use_id"]), str(payload["arguments"])
        asked = _one_of(self.asked, use, digest)
        if asked is None:
            return "a decision on what nobody asked"
        self.asked.discard(asked)
        if payload.get("allow"):
            self.allowed[use, digest] = str(payload.get("expires", ""))
        return ""

    def use(self, use: str, digest: str, time: str) -> str:
        """Use an approval up; return what is wrong with that."""
        known = _one_of(self.allowed, use, digest)
        expires = self.allowed.pop(known) if known else None
        if expires is None:
            return "it began without an approval, or with one that was used before"
        if expires and datetime.fromisoformat(time) >= datetime.fromisoformat(expires):
            return "it began after its approval had expired"
        return ""


def check_approvals(records: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield one line for each use of an approval that does not hold."""
    known = _Approvals()
    for record in records:
        payload, problem = record["payload"], ""
        match record["kind"]:
            case "ModelReplied":
                known.replied(payload, erased=record.get("salt") == "")
            case "ApprovalAsked":
                problem = known.ask(payload)
            case "ApprovalGiven":
                problem = known.give(payload)
            case "ApprovalUsed":
                problem = known.use("", str(payload["arguments"]), record["time"])
            case "ToolStarted":
                use = str(payload["tool_use_id"])
                if use in known.waiting:
                    problem = known.use(use, known.waiting.pop(use), record["time"])
        if problem:
            yield f"event {record['seq']}: {problem}"


def _one_of(known: Iterable[tuple[str, str]], use: str, digest: str) -> tuple[str, str] | None:
    """Return what is known of just this; where a digest was erased, what may be it."""
    fitting = [
        key for key in known if key[0] == use and (key[1] == digest or ERASED in (key[1], digest))
    ]
    exact = [key for key in fitting if key[1] == digest]
    return next(iter(exact or fitting), None)


def _shows_another(shown: Any, digest: str) -> bool:
    return shown is not None and _digest(shown) != digest and MARK not in str(shown)


def _digest(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
