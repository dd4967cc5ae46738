"""Tools that never end: each ends at its deadline with everything it started, its result is told once."""

from __future__ import annotations

import time

import pytest
from tests.attack.conftest import OpenMachine, call_of, output_of
from tests.attack.table import Attempts

pytestmark = [pytest.mark.vm, pytest.mark.anyio, pytest.mark.attack("G9")]

DEAF = "import os, signal, time\nfor n in range(1, 65):\n  try: signal.signal(n, signal.SIG_IGN)\n  except (OSError, ValueError): pass\n"
BOMBS = {
    "sleeps": "sleep 1000",
    "ignores signals": "trap '' TERM INT HUP; while :; do sleep 1; done",
    "is deaf to all signals": f"python3 -c '{DEAF}time.sleep(1000)'",
    "forks daemons": "(setsid setsid sh -c 'trap \"\" TERM INT HUP; while :; do sleep 1; done' &); sleep 1000",
    "holds the output": "(setsid sleep 1000 &) ; exec sleep 1000",
}
DAEMONS = {
    "a background job": "sleep 1000 & echo done",
    "a daemon": "(setsid sh -c 'trap \"\" TERM; sleep 1000' > /dev/null 2>&1 &); sleep 0.3; echo done",
    "a daemon that forks on": f"python3 -c '{DEAF}\nos.fork() and os._exit(0)\nos.setsid()\nos.close(1); os.close(2)\nwhile True:\n  time.sleep(0.01)\n  if os.fork(): os._exit(0)'; echo done",
}
TIMEOUT_S = 3
SLACK_S = 20


async def test_what_never_ends_is_ended_with_all_it_started(
    open_machine: OpenMachine, attempt: Attempts
) -> None:
    async with open_machine() as machine:
        for name, command in BOMBS.items():
            began = time.monotonic()
            outcome = await call_of(machine, command, timeout_s=TIMEOUT_S)
            seconds = time.monotonic() - began
            attempt(f"{name}: runs for {seconds:.0f} s", blocked=seconds < TIMEOUT_S + SLACK_S)
            assert "killed" in str(outcome.structured) + outcome.text, outcome
            left = await output_of(machine, LEFT)
            attempt(f"{name}: leaves {left!r}", blocked=left == "")


async def test_what_a_call_leaves_behind_ends_with_it(
    open_machine: OpenMachine, attempt: Attempts
) -> None:
    async with open_machine() as machine:
        for name, command in DAEMONS.items():
            began = time.monotonic()
            said = await output_of(machine, command)
            assert said.endswith("done\n"), said
            attempt(f"{name}: holds the call", blocked=time.monotonic() - began < SLACK_S)
            left = await output_of(machine, LEFT)
            attempt(f"{name}: lives on: {left!r}", blocked=left == "")


async def test_a_tool_that_outlives_the_guests_deadline_is_killed_there(
    open_machine: OpenMachine, attempt: Attempts
) -> None:
    async with open_machine() as machine:
        code = f"{DEAF}os.fork() or time.sleep(1000)\ntime.sleep(1000)"
        outcome = await machine.call(
            "workspace__python",
            {"code": code},
            key="late",
            timeout_s=TIMEOUT_S,
            on_progress=lambda line: None,
        )
        attempt("the call goes on", blocked=outcome.is_error and "timed out" in outcome.text)
        again = await machine.call(
            "workspace__python",
            {"code": "print(1)"},
            key="late",
            timeout_s=60,
            on_progress=lambda line: None,
        )
        attempt("the result is told anew", blocked=again.text == outcome.text)
        left = await output_of(machine, LEFT)
        attempt(f"it lives on: {left!r}", blocked=left == "")


LEFT = "ps -eo pid,ppid,args --no-headers | grep -E 'sleep|setsid|time' | grep -v grep; true"
