"""What the agent adds to the bare SDK: a thread of many turns against a server on this machine that caches prompts.

Here and not beside the other benches because it needs the doubles: the server, and a sandbox in memory.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deskmate.host import Host, RunOrder
from deskmate.models.anthropic import AnthropicModel
from deskmate.models.bench import BareCall, BareSdk, bare_sdk
from deskmate.models.catalogue import ModelInfo, find_model
from deskmate.ports import Delta, Progress
from deskmate.testing.caching_server import CachingServer, Json
from deskmate.testing.fake_sandbox import FakeSandbox
from deskmate.types.events import Event, ModelReplied, ToolFinished, UserSaid
from deskmate.types.files import Grant
from deskmate.types.ids import ThreadId
from deskmate.types.places import Places
from deskmate.types.registry import ToolSpec

TURNS_A_RUN = 5
READ_TARGET = 0.95
OVERHEAD_TARGET_MS = 10.0
FIRST_TARGET = 1.05
_FILE_BYTES = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFigures:
    """One run. `first_token_ms`: how long the server takes to begin, as set.

    `prompt_tokens`: of all requests; `read_share`: of them, read from the cache. `bare_ms`: a call by the SDK alone,
    `turn_ms`: a whole turn with its tool call and all that is stored, medians; `overhead_ms`: between them.
    `first_ratio`: from the moment when the last result was there to the first text, over the SDK alone.
    """

    turns: int
    first_token_ms: float
    prompt_tokens: int
    read_share: float
    bare_ms: float
    turn_ms: float
    overhead_ms: float
    bare_first_ms: float
    first_ms: float
    first_ratio: float
    targets_met: bool


class _Watch:
    """Notes when things happened. `turns`: from a reply to the next one of the same run."""

    def __init__(self) -> None:
        self.turns: list[float] = []
        self.firsts: list[float] = []
        self._ready: float | None = None
        self._replied: float | None = None

    def __call__(self, item: Event | Delta) -> None:
        now = time.perf_counter()
        if isinstance(item, Delta):
            if item.kind == "text" and item.text and self._ready is not None:
                self.firsts.append(now - self._ready)
                self._ready = None
            return
        match item.payload:
            case UserSaid():
                self._replied = None
            case ToolFinished():
                self._ready = now
            case ModelReplied():
                if self._replied is not None:
                    self.turns.append(now - self._replied)
                self._replied = now


class _Nobody:
    async def approve(self, tool: ToolSpec, arguments: Mapping[str, Any], why: str) -> bool | None:
        return None


async def bench_agent(
    data: Path, progress: Progress, *, turns: int = 50, first_token_ms: float = 300.0
) -> AgentFigures:
    """Measure in a folder of its own below `data`, on the disk that threads are on; it is removed."""
    data.mkdir(parents=True, exist_ok=True)
    watch = _Watch()
    first_s = first_token_ms / 1000
    with (
        tempfile.TemporaryDirectory(prefix=".bench-", dir=data) as own,
        tempfile.TemporaryDirectory(prefix="deskmate-bench-") as work,
        CachingServer(_next, first_token_s=first_s) as server,
        CachingServer(_next, first_token_s=first_s) as alone,
    ):
        _files(Path(work), turns)
        async with bare_sdk(alone.url) as bare:
            await bare.send([_warm_up()])  # the SDK's import is no call's
            bare.calls.clear()
            measured = _Measured(server=server, watch=watch, bare=bare)
            await _thread(Path(own), Path(work), measured, turns, progress)
    prompt = sum(one.prompt for one in server.served)
    return _figures(
        watch, bare.calls, first_token_ms, len(server.served), prompt, server.read_share
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """A thread's server, who notes the times, and the SDK that sends the same requests elsewhere."""

    server: CachingServer
    watch: _Watch
    bare: BareSdk


def _figures(
    watch: _Watch,
    bare: Sequence[BareCall],
    first_token_ms: float,
    turns: int,
    prompt: int,
    share: float,
) -> AgentFigures:
    bare_ms = 1000 * statistics.median(call.whole_s for call in bare)
    bare_first = 1000 * statistics.median(call.first_s for call in bare)
    turn_ms = 1000 * statistics.median(watch.turns)
    first = 1000 * statistics.median(watch.firsts)
    overhead = turn_ms - bare_ms
    return AgentFigures(
        turns=turns,
        first_token_ms=first_token_ms,
        prompt_tokens=prompt,
        read_share=round(share, 4),
        bare_ms=round(bare_ms, 1),
        turn_ms=round(turn_ms, 1),
        overhead_ms=round(overhead, 1),
        bare_first_ms=round(bare_first, 1),
        first_ms=round(first, 1),
        first_ratio=round(first / bare_first, 3),
        targets_met=share >= READ_TARGET
        and overhead <= OVERHEAD_TARGET_MS
        and first / bare_first <= FIRST_TARGET,
    )


def _files(folder: Path, count: int) -> None:
    for number in range(count):
        line = (
            f"Part {number}: the rent is {1000 + number} a month, due on day {number % 28 + 1}.\n"
        )
        (folder / f"{number}.txt").write_text(line * (_FILE_BYTES // len(line)))


async def _thread(
    own: Path, work: Path, measured: _Measured, turns: int, progress: Progress
) -> None:
    """Run after run, and after each the same requests by the SDK alone: what else the machine does meets both."""
    model = AnthropicModel(bench_model(), api_key="none", base_url=measured.server.url)
    places = Places(data=own / "data", cache=own / "cache", config=own / "config")
    host = Host(places, environ={}, sandbox=FakeSandbox(), model=model)
    thread: ThreadId | None = None
    for number in range(max(turns // TURNS_A_RUN, 1)):
        progress(
            f"a thread of {turns} turns, and the same by the SDK alone: {number * TURNS_A_RUN}"
        )
        grants = (Grant(name="work", folder=str(work)),) if thread is None else ()
        order = RunOrder(text=f"Read on, request {number}.", grants=grants)
        sent = len(measured.server.served)
        result = await host.run(order, thread, observer=measured.watch, approver=_Nobody())
        thread = result.thread
        await measured.bare.send(one.body for one in measured.server.served[sent:])
    await model.aclose()


def bench_model() -> ModelInfo:
    """Return a model that is like the everyday one and costs the same."""
    return replace(find_model("sonnet", {}), title="bench")


def _next(body: Json) -> Sequence[Json]:
    """Read one file a turn, and end each run with words."""
    done = sum(message["role"] == "assistant" for message in body["messages"])
    if done % TURNS_A_RUN == TURNS_A_RUN - 1:
        return [{"type": "text", "text": f"Read up to part {done}."}]
    use = {
        "id": f"toolu_{done:04}",
        "name": "workspace__read",
        "input": {"path": f"work/{done}.txt"},
    }
    return [{"type": "text", "text": f"Part {done}."}, {"type": "tool_use", **use}]


def _warm_up() -> dict[str, Any]:
    return {
        "model": "warm-up",
        "max_tokens": 10,
        "messages": [{"role": "user", "content": "Hello"}],
    }
