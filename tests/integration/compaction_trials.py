"""Ends a job whose conversation outgrows its window by SIGKILL at each failpoint around the first compaction.

usage: python -m tests.integration.compaction_trials FOLDER. Prints one JSON object a trial: the point, whether the process was
killed, compactions in the log, final files, problems; the first is undisturbed.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import anyio
from tests.integration import crash_job
from tests.integration.failpoint_trials import trial

from deskmate.agent.compaction import ASK_FOR_SUMMARY
from deskmate.agent.window import size_of
from deskmate.ports import Model, ModelReply, ModelRequest
from deskmate.store.thread import open_thread
from deskmate.types.events import Compacted
from deskmate.types.ids import ToolUseId
from deskmate.types.limits import Usage
from deskmate.types.messages import Block, Text, ToolUse

TURNS = 16
WINDOW_TOKENS = 24_000
PADDING = 6_000
"""Characters of one call, so that about ten fill the window."""
COMPACTED = "log:Compacted:before"


class Talker:
    """Calls the counting tool turn after turn; where it stands it sees from the ids that it is told, whole or in short."""

    name = "talker"
    context_tokens = WINDOW_TOKENS

    async def reply(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelReply:
        """Summarise where that is asked, else make the next call, else end."""
        usage = Usage(input_tokens=size_of(request) // 4, output_tokens=5, cost_usd=0.0)
        last = request.messages[-1].content[-1]
        seen = [int(number) for number in re.findall(r"toolu_(\d{3})", str(request.messages))]
        turn = max(seen, default=-1) + 1
        content: Block = Text(text="All done.")
        if isinstance(last, Text) and last.text == ASK_FOR_SUMMARY:
            content = Text(text=f"Counted up to toolu_{turn - 1:03}.")
        elif turn < TURNS:
            given = {"padding": f"{turn} " + "x" * PADDING}
            content = ToolUse(id=ToolUseId(f"toolu_{turn:03}"), name="proof__count", input=given)
        ends = "tool_use" if isinstance(content, ToolUse) else "end_turn"
        return ModelReply(content=(content,), stop_reason=ends, usage=usage, model=self.name)

    def estimate_cost_usd(self, request: ModelRequest) -> float | None:
        """It costs nothing."""
        return 0.0


def talker(vm: bool) -> Model:
    """Return the model of this job."""
    return Talker()


async def compactions(root: Path) -> int:
    """Return how often the trial's conversation was compacted."""
    thread = crash_job.thread_of(root)
    assert thread is not None
    async with open_thread(crash_job.places_of(root).threads, thread, write=False) as store:
        return sum(isinstance(event.payload, Compacted) for event in await store.events())


def looked(root: Path) -> dict[str, object]:
    """Return what is told of a trial beside the rest."""
    return {"compactions": anyio.run(compactions, root)}


def around(points: list[str]) -> list[str]:
    """Return the points from the question for a summary to the reply after it, each with how often it was reached."""
    reached: Counter[str] = Counter()
    numbered = []
    for name in points:
        reached[name] += 1
        numbered.append(f"{name}:{reached[name]}")
    at = points.index(COMPACTED)
    asked = max(n for n in range(at) if points[n] == "log:ModelAsked:before")
    replied = next(n for n in range(at, len(points)) if points[n] == "log:ModelReplied:after")
    return numbered[asked : replied + 1]


def main() -> None:
    """List the points, then die at each of those around the first compaction."""
    folder = Path(sys.argv[1])
    crash_job.make_model = talker
    crash_job.load()
    log = folder / "points"
    print(json.dumps({"point": "", **trial(folder / "0", f"log:{log}", looked)}), flush=True)
    for number, point in enumerate(around(log.read_text().splitlines()), 1):
        print(
            json.dumps({"point": point, **trial(folder / str(number), point, looked)}), flush=True
        )


if __name__ == "__main__":
    main()
