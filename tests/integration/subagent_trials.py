"""Ends a job with sub-agents by SIGKILL at failpoints of their facts, and lets it go on until it is done.

usage: python -m tests.integration.subagent_trials FOLDER STEP. Each STEP-th point is tried. Prints one JSON object a trial: the point,
whether the process was killed, the thread's cost, sub-agents with how each ended, final files, problems; the first is undisturbed.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import anyio
from tests.integration import crash_job
from tests.integration.failpoint_trials import trial

from deskmate.agent.delegate_tool import DELEGATE
from deskmate.agent.state import fold
from deskmate.agent.subagents import READER
from deskmate.ports import Model, ModelReply, ModelRequest
from deskmate.store.thread import open_thread
from deskmate.types.ids import ToolUseId
from deskmate.types.limits import Usage
from deskmate.types.messages import Block, Text, ToolUse
from deskmate.types.subagents import logs_of

PRICE = 0.25
CALLS = 2 + 2 * 2
"""Of the model: the agent's two, and two of each sub-agent."""
OF_THEM = ("log:SubagentStarted:", "log:SubagentDid:", "log:ToolFinished:")


class Lead:
    """Has two files read by sub-agents, then counts once and ends. Its calls have a price."""

    name = "lead"

    async def reply(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelReply:
        """Say the next line of whoever asks."""
        turn = sum(message.role == "assistant" for message in request.messages)
        is_reader = READER in request.system
        content = _read(request, turn) if is_reader else _lead(turn)
        ends = "tool_use" if any(isinstance(block, ToolUse) for block in content) else "end_turn"
        usage = Usage(input_tokens=10, output_tokens=5, cost_usd=PRICE)
        return ModelReply(content=content, stop_reason=ends, usage=usage, model=self.name)

    def estimate_cost_usd(self, request: ModelRequest) -> float | None:
        """Each call costs the same."""
        return PRICE


def _lead(turn: int) -> tuple[Block, ...]:
    if turn:
        return (Text(text="All done."),)
    tasks = [
        {"title": name, "task": f"What is in {name}?", "files": [f"work/{name}"]}
        for name in ("a.txt", "b.txt")
    ]
    return (
        ToolUse(id=ToolUseId("toolu_0"), name=DELEGATE, input={"tasks": tasks}),
        ToolUse(id=ToolUseId("toolu_1"), name="proof__count", input={}),
    )


def _read(request: ModelRequest, turn: int) -> tuple[Block, ...]:
    if turn:
        return (Text(text="It was read."),)
    name = "a.txt" if "in a.txt" in str(request.messages[0]) else "b.txt"
    given = {"path": f"work/{name}"}
    return (ToolUse(id=ToolUseId("toolu_r"), name="workspace__read", input=given),)


def lead(vm: bool) -> Model:
    """Return the model of this job."""
    return Lead()


async def _look(root: Path) -> dict[str, object]:
    thread = crash_job.thread_of(root)
    assert thread is not None
    async with open_thread(crash_job.places_of(root).threads, thread, write=False) as store:
        events = await store.events()
    ends = {name: fold(log).ended for name, log in logs_of(events).items()}
    return {
        "cost": fold(events).spent_usd,
        "ends": {name: end.reason if end else "" for name, end in ends.items()},
    }


def looked(root: Path) -> dict[str, object]:
    """Return what is told of a trial beside the rest."""
    return anyio.run(_look, root)


def main() -> None:
    """List the points, then die at each STEP-th of those that are about sub-agents."""
    folder, step = Path(sys.argv[1]), int(sys.argv[2])
    crash_job.make_model = lead
    crash_job.load()
    log = folder / "points"
    print(json.dumps({"point": "", **trial(folder / "0", f"log:{log}", looked)}), flush=True)
    reached: Counter[str] = Counter()
    points = []
    for name in log.read_text().splitlines():
        reached[name] += 1
        if name.startswith(OF_THEM):
            points.append(f"{name}:{reached[name]}")
    for number, point in enumerate(points[::step], 1):
        told = trial(folder / str(number), point, looked)
        print(json.dumps({"point": point, **told}), flush=True)


if __name__ == "__main__":
    main()
