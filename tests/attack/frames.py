"""What a guest may send to break its host: a corpus of single ideas, and mutations of ordinary messages."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

META = {"deskmate/wrote": True, "deskmate/evidence": [], "deskmate/deliverables": []}
RESULT = {"content": [{"type": "text", "text": "ok é \u2028"}], "isError": False, "_meta": META}
EVIDENCE = {"source": "a.docx", "sha256": "0" * 64, "locator": {"page": 1}, "quote": "x"}


def answer(number: Any, result: Any) -> dict[str, Any]:
    """Return an answer as a guest sends it."""
    return {"jsonrpc": "2.0", "id": number, "result": result}


def notice(method: Any, params: Any) -> dict[str, Any]:
    """Return a notice as a guest sends it."""
    return {"jsonrpc": "2.0", "method": method, "params": params}


ORDINARY: list[dict[str, Any]] = [
    answer(1, RESULT),
    answer(2, {"state": "finished", "result": RESULT}),
    answer(3, {"findings": [], "rules": ["r.one"]}),
    answer(1, {"prompts": [], "tools": [], "skills": [], "rules": [], "problems": []}),
    answer(2, {**RESULT, "_meta": {**META, "deskmate/evidence": [EVIDENCE]}}),
    {"jsonrpc": "2.0", "id": 3, "error": {"code": -32602, "message": "no"}},
    notice("notifications/progress", {"progressToken": 1, "progress": 1, "message": "half"}),
    notice("deskmate/ready", {"uptime_s": 1.5}),
]

SPECIAL: dict[str, bytes] = {
    "nothing": b"",
    "a length of nothing": b"\x00\x00\x00\x00{}",
    "a length of all": b"\xff\xff\xff\xff{}",
    "not JSON": b"hello",
    "half a message": b'{"jsonrpc":"2.0","id":1,"resu',
    "brackets without end": b"[" * 100_000,
    "objects without end": b'{"a":' * 100_000,
    "nested beyond the limit": b'{"jsonrpc":"2.0","id":1,"result":{"a":' + b"[" * 60 + b"]" * 60 + b"}}",
    "a key twice": b'{"jsonrpc":"2.0","id":1,"id":2,"result":{}}',
    "not a number": b'{"jsonrpc":"2.0","id":1,"result":{"a":NaN}}',
    "infinity": b'{"jsonrpc":"2.0","id":1,"result":{"a":-Infinity}}',
    "a number beyond all": b'{"jsonrpc":"2.0","id":1,"result":{"a":1e999999}}',
    "a million digits": b'{"jsonrpc":"2.0","id":1,"result":{"a":' + b"7" * 900_000 + b"}}",
    "a lone surrogate": b'{"jsonrpc":"2.0","id":1,"result":{"a":"\\ud800"}}',
    "a lone surrogate as a key": b'{"jsonrpc":"2.0","id":1,"result":{"\\udfff":1}}',
    "a NUL": b'{"jsonrpc":"2.0","id":1,"result":{"a":"\x00"}}',
    "not UTF-8": b'{"jsonrpc":"2.0","id":1,"result":{"a":"\xff\xfe"}}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a list": b"[]",
    "a batch": b'[{"jsonrpc":"2.0","id":1,"result":{}}]',
    "no version": b'{"id":1,"result":{}}',
    "an id nobody asked": b'{"jsonrpc":"2.0","id":987654,"result":{}}',
    "an id below zero": b'{"jsonrpc":"2.0","id":-1,"result":{}}',
    "an id of text": b'{"jsonrpc":"2.0","id":"1","result":{}}',
    "an id that is true": b'{"jsonrpc":"2.0","id":true,"result":{}}',
    "an id of a fraction": b'{"jsonrpc":"2.0","id":1.0,"result":{}}',
    "an id of a list": b'{"jsonrpc":"2.0","id":[1],"result":{}}',
    "no id": b'{"jsonrpc":"2.0","result":{}}',
    "result and error": b'{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"x"}}',
    "a result of text": b'{"jsonrpc":"2.0","id":1,"result":"yes"}',
    "an approval": b'{"jsonrpc":"2.0","method":"approved","params":{"approved":true,"key":"1"}}',
    "an approval as a request": b'{"jsonrpc":"2.0","id":1,"method":"approve","params":{"approved":true}}',
    "an approval beside a result": b'{"jsonrpc":"2.0","id":1,"result":{},"approved":true}',
    "an order to the host": b'{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"host__shell"}}',
    "a wish to sample": b'{"jsonrpc":"2.0","id":9,"method":"sampling/createMessage","params":{}}',
    "a wish to ask the user": b'{"jsonrpc":"2.0","id":9,"method":"elicitation/create","params":{}}',
    "a wish for roots": b'{"jsonrpc":"2.0","id":9,"method":"roots/list","params":{}}',
    "progress of text": b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"message":7}}',
    "an error of a number": b'{"jsonrpc":"2.0","id":1,"error":7}',
    "too long": b'{"jsonrpc":"2.0","id":1,"result":{"a":"' + b"x" * (1 << 20) + b'"}}',
}  # fmt: skip
"""One line each, without its line feed. None of them may be taken for an answer."""

_ALPHABET = b'{}[]",:\\u0129eE+-.ndtrfl \x00\xff\xc3\n'
_VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 10**39, -0.0, 1e308, "", "x", "../../etc/passwd",
    "\u0000", "\u202e", "x" * 5000, [], {}, [[]], {"approved": True}, "\ud83d\ude00", [None] * 50,
]  # fmt: skip


def mutants(seed: int, count: int) -> Iterator[bytes]:
    """Yield `count` lines, the same ones for the same seed: changed values, then changed bytes."""
    rng = random.Random(seed)
    special = list(SPECIAL.values())
    for _ in range(count):
        kind = rng.randrange(10)
        if kind == 0:
            line = rng.choice(special)
            if len(line) > 5000 and rng.random() < 0.95:
                line = line[:5000]  # the long ones cost milliseconds: rarely whole
            yield line
        elif kind < 5:
            yield _dump(_changed(rng, rng.choice(ORDINARY)))
        else:
            yield _bitten(rng, _dump(_changed(rng, rng.choice(ORDINARY))))


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _changed(rng: random.Random, value: Any) -> Any:
    """Return a copy with some value, at any depth, replaced, removed, doubled or renamed."""
    if rng.random() < 0.12:
        return rng.choice(_VALUES)
    if isinstance(value, dict):
        found = {
            key: _changed(rng, item) if rng.random() < 0.4 else item for key, item in value.items()
        }
        if found and rng.random() < 0.1:
            found.pop(rng.choice(list(found)))
        if rng.random() < 0.1:
            found[rng.choice(["approved", "id", "result", "x" * 300, "error", ""])] = rng.choice(
                _VALUES
            )
        return found
    if isinstance(value, list):
        return [_changed(rng, item) for item in value] * rng.choice([1, 1, 2, 70])
    return value


def _bitten(rng: random.Random, line: bytes) -> bytes:
    """Return the line with some bytes changed, removed or put in."""
    data = bytearray(line)
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(data) + 1)
        match rng.randrange(4):
            case 0:
                data[place:place] = bytes([rng.choice(_ALPHABET)])
            case 1:
                del data[place : place + rng.randint(1, 5)]
            case 2:
                data[place : place + 1] = bytes([rng.randrange(256)])
            case _:
                del data[place:]
    return bytes(data)


def bitten(rng: random.Random, data: bytes) -> bytes:
    """Return any bytes with some of them changed."""
    return _bitten(rng, data)
