"""Lets every durability call of the job fail, one after another, and the job go on until it is done.

usage: python -m tests.integration.fault_trials FOLDER FAULT [FIRST LAST STEP] [listed] [handed]. FAULT: KILL, EIO, ENOSPC, or one of
the latter two with a + : from then on every call fails, as on a disk that is full. Prints one JSON object a
case: the call's number, how many faults were injected, problems, final files; the first is undisturbed. Ends with the first
number that no call has any more. Calls are counted in each thread of the process by itself, so it is said who writes the log:
the loop's own thread, or with `handed` the thread that slow writes are handed to, which writes the content as well.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import anyio
from tests.integration import crash_job

from deskmate.agent import workbench
from deskmate.store import thread as log

CALLS = (
    "fsync,fdatasync,syncfs,rename,renameat,renameat2,write,pwrite64,ftruncate,mkdir,mkdirat,"
    "unlink,unlinkat,symlinkat,fchmod,openat"
)
KINDS = {"KILL": "signal=SIGKILL", "EIO": "error=EIO", "ENOSPC": "error=ENOSPC"}
_MOST = 400
_ANY_TRACER, _SET_TRACER = ctypes.c_ulong(-1), 0x59616D61


def case(root: Path, fault: str, number: int) -> dict[str, object]:
    """Let call `number` fail in a first attempt, then let the job go on."""
    crash_job.prepare(root)
    injected = attempt_with(root, fault, number) if number else 0
    problems = crash_job.go_on(root) + anyio.run(crash_job.check, root)
    files = crash_job.files_of(root / "work")
    return {"number": number, "injected": injected, "problems": problems, "files": files}


def let_be_traced(ready: int) -> None:
    """Wait until a tracer is there, which says so by a byte."""
    ctypes.CDLL(None).prctl(_SET_TRACER, _ANY_TRACER, 0, 0, 0)
    os.read(ready, 1)


def attempt_with(root: Path, fault: str, number: int) -> int:
    """Run one attempt under strace; return how many faults it met."""
    ready, go = os.pipe()

    def begin() -> None:
        os.close(go)
        let_be_traced(ready)

    pid = crash_job.fork(root, before=begin)
    os.close(ready)
    report = root / "strace"
    when = f"{number}{'+' if fault.endswith('+') else ''}"
    calls = CALLS.removesuffix(",openat") if fault != "KILL" else CALLS
    tracer = subprocess.Popen(
        ["strace", "-f", "-p", str(pid), "-o", report, "-e", f"trace={calls}", "-e",
         f"inject={calls}:{KINDS[fault.rstrip('+')]}:when={when}"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert tracer.stderr is not None
    line = tracer.stderr.readline()
    if "attached" not in line:
        os.kill(pid, signal.SIGKILL)
        raise SystemExit(f"strace cannot trace: {line}")
    os.write(go, b"x")
    os.close(go)
    os.waitpid(pid, 0)
    tracer.communicate()
    text = report.read_text()
    return text.count("(INJECTED)") + text.count("+++ killed by SIGKILL")


def main() -> None:
    """Go through the calls."""
    folder, fault = Path(sys.argv[1]), sys.argv[2]
    words = [int(word) for word in sys.argv[3:] if word.isdigit()]
    first, last, step = words or (1, _MOST, 1)
    crash_job.load()
    if "listed" in sys.argv:
        workbench.AT_ONCE_FILES = 0
    log.QUICK_S = -1.0 if "handed" in sys.argv else 3600.0
    for number in (0, *range(first, last + 1, step)):
        root = folder / str(number)
        result = case(root, fault, number)
        shutil.rmtree(root)
        if number and not result["injected"]:
            return
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
