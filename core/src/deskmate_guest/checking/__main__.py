"""`python -m deskmate_guest.checking`: reads an order from stdin, runs two sessions, writes the report to a file."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import deskmate_guest
from deskmate.errors import CorruptData
from deskmate.types.codec import from_json, to_json
from deskmate.types.probe import (
    PROBE_LIMIT_BYTES,
    CallSeen,
    FuzzSeen,
    GateSeen,
    LoadSeen,
    ProbeReport,
    SessionSeen,
)

_SESSION = (
    "import sys; sys.path[:0] = [{lib!r}]; from deskmate_guest.checking.session import main; main()"
)
_LOAD_S = 60.0


def probe(order: Mapping[str, Any], deadline_s: float) -> ProbeReport:
    """Return what two sessions see, each with another order of sets and only the first with odd arguments."""
    begin = time.monotonic()
    order = _placed(order)
    with tempfile.TemporaryDirectory(prefix="deskmate-check-") as top:
        room = Path(top, "room")  # the same for both, so that paths in answers are the same
        first, problem = _session({**order}, room, "1", deadline_s)
        left = max(deadline_s - (time.monotonic() - begin), 1.0)
        if first.load.error or first.problem:
            return ProbeReport(first=first, cases_problem=problem)
        second, _ = _session({**order, "fuzz": 0}, room, "2", left)
    return ProbeReport(first=first, second=second, cases_problem=problem)


def _placed(order: Mapping[str, Any]) -> dict[str, Any]:
    """Return the order with the first of the folders that the plugin may lie in and does."""
    places = [(order["root"], order["wheels"])]
    if "other_root" in order:
        places.append((order["other_root"], order["other_wheels"]))
    found = next((place for place in places if Path(place[0]).is_dir()), places[0])
    rest = {key: value for key, value in order.items() if not key.startswith("other_")}
    return {**rest, "root": found[0], "wheels": found[1]}


def _session(
    order: dict[str, Any], room: Path, seed: str, deadline_s: float
) -> tuple[SessionSeen, str]:
    room.mkdir(mode=0o700)
    try:
        lines, late = _run({**order, "folder": str(room)}, room, seed, deadline_s)
    finally:
        shutil.rmtree(room, ignore_errors=True)
    return _read(lines, late)


def _run(
    order: dict[str, Any], folder: Path, seed: str, deadline_s: float
) -> tuple[list[bytes], bool]:
    reader, writer = os.pipe()
    lib = str(Path(deskmate_guest.__file__).parents[1])
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder / "home"), "TMPDIR": str(folder / "home"),
        "LANG": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": seed, "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
    }  # fmt: skip
    command = [sys.executable, "-c", _SESSION.format(lib=lib), str(writer)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd=folder,
        pass_fds=(writer,),
        start_new_session=True,
    ) as process:
        os.close(writer)
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(order).encode())
            process.stdin.close()
            data, late = _collect(reader, deadline_s)
        finally:
            os.close(reader)
            _kill(process.pid)
    return data.split(b"\n")[:-1], late


def _kill(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def _collect(reader: int, deadline_s: float) -> tuple[bytes, bool]:
    """Read until the session closes its end or a deadline comes; loading has a shorter one."""
    begin, data = time.monotonic(), bytearray()
    while len(data) <= PROBE_LIMIT_BYTES:
        allowed = deadline_s if data else min(_LOAD_S, deadline_s)
        left = begin + allowed - time.monotonic()
        if left <= 0 or not select.select([reader], [], [], left)[0]:
            return bytes(data), True
        piece = os.read(reader, 1 << 16)
        data += piece
        if not piece or data.endswith(b'{"end": true}\n'):
            return bytes(data), False
    return bytes(data), False


def _read(lines: list[bytes], late: bool) -> tuple[SessionSeen, str]:
    kinds: Mapping[str, Any] = {"calls": CallSeen, "fuzz": FuzzSeen, "gates": GateSeen}
    found: dict[str, list[Any]] = {kind: [] for kind in kinds}
    load, cases, ended = None, "", False
    left: tuple[str, ...] = ()
    try:
        for line in lines:
            for kind, value in json.loads(line).items():
                if kind == "load":
                    load = from_json(LoadSeen, value)
                elif kind in kinds:
                    found[kind].append(from_json(kinds[kind], value))
                elif kind == "left":
                    left = tuple(map(str, value))
                elif kind == "cases_problem":
                    cases = str(value)
                ended = ended or kind == "end"
    except (ValueError, AttributeError, CorruptData, RecursionError) as error:
        return SessionSeen(problem=f"what it told cannot be read: {error}"[:300]), cases
    problem = ""
    if load is None:
        problem = (
            f"did not load within {_LOAD_S:g} s" if late else "its process ended while it loaded"
        )
    elif not ended:
        problem = "did not come to its end in time" if late else "its process ended"
    seen = {kind: tuple(rows) for kind, rows in found.items()}
    load = load or LoadSeen(error=problem)
    return SessionSeen(load=load, problem=problem, left=left, **seen), cases


def main() -> int:
    """Read `{"order": {...}, "deadline_s": n, "report": path}` from stdin and write the report there."""
    request = json.load(sys.stdin)
    report = to_json(probe(request["order"], float(request["deadline_s"])))
    text = json.dumps(report, separators=(",", ":"))
    if len(text) > PROBE_LIMIT_BYTES:
        problem = f"the report has {len(text)} bytes, {PROBE_LIMIT_BYTES} are allowed"
        text = json.dumps(to_json(ProbeReport(first=SessionSeen(problem=problem))))
    Path(request["report"]).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
