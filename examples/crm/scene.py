"""A whole integration: a CRM behind its own MCP server, a plugin for it from a wheel, and a recorded thread with both.

    python examples/crm/scene.py [FOLDER]     with the ordinary commands, in a real machine
    python examples/crm/scene.py --record     make the recording anew, in a home of its own (DESKMATE_HOME)

The model's part comes from `thread.jsonl`. Everything else is real: the CRM and its database, the wheel, the connector, the virtual
machine, the gates, the file that is applied, and the visit that is written into the CRM after you allowed it.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import anyio

from deskmate.host import Host, RunOrder
from deskmate.models.record import RecordingModel
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.files import Grant
from deskmate.types.places import find_places

HERE = Path(__file__).resolve().parent
RECORDING = HERE / "thread.jsonl"
WHEEL = "deskmate_rowan-1.0.0-py3-none-any.whl"
FOLDER = "customers"
NEEDS_YOU = 4
"""Exit code of a run that waits for an approval."""
ASKED = "Prepare my visit to Harbour Foods next week."
TOLD = "I was there on 4 December: they take the doors. Write that into the CRM."
NOTES = """# Harbour Foods

Ines wants the doors before Christmas, or not this year.
They asked twice whether maintenance includes the
spare seals. Nobody has answered that.
"""
OFFERS = [
    {
        "number": "O-2031",
        "title": "Cold room doors, 4 pieces",
        "amount": "12840.50",
        "due": "2026-12-11",
    },
    {"number": "O-2044", "title": "Yearly maintenance", "amount": "2399.00", "due": "2026-12-18"},
    {"number": "O-2050", "title": "Spare seals", "amount": "84.75", "due": "2027-01-08"},
]
POINTS = [
    "Ines wants the doors before Christmas, or not this year.",
    "They asked twice whether maintenance includes the spare seals.",
]
BRIEF = {
    "customer": "Harbour Foods",
    "offers": OFFERS,
    "notes": f"{FOLDER}/harbour.md",
    "points": POINTS,
}
VISIT = {"customer": 1, "day": "2026-12-04", "note": "They take the doors (O-2031)."}
LINES = (
    (("crm__find_customer", {"name": "Harbour"}), ("workspace__read", {"path": BRIEF["notes"]})),
    (("crm__open_offers", {"customer": 1}),),
    (("rowan__visit_brief", BRIEF),),
    "The brief is ready: three open offers, and two points from your notes. Nobody has answered them on the seals.",
    (("crm__log_visit", VISIT),),
    "The visit of 4 December is in the CRM.",
)
"""What the model says, turn by turn; `--record` keeps it as the recording."""


def show(folder: Path) -> int:
    """Do the whole job below `folder`; return 0 if all went as it should."""
    work = folder.absolute() / FOLDER
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    (work / "harbour.md").write_text(NOTES, "utf-8")
    database = folder.absolute() / "crm.db"
    database.unlink(missing_ok=True)
    with served(database) as url:
        return _job(folder.absolute(), work, url) or _written(database)


@contextmanager
def served(database: Path) -> Iterator[str]:
    """Run the CRM in a process of its own while the block lasts; yield its address."""
    command = [sys.executable, str(HERE / "server.py"), str(database)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def _job(folder: Path, work: Path, url: str) -> int:
    for step in steps(folder, work, url, f"replay:{RECORDING}"):
        if code := _deskmate(step):
            return code
    print(f"\n{(work / 'Visit Harbour Foods.md').read_text('utf-8')}")
    told = ("run", TOLD, "--thread", _newest(), "--model", f"replay:{RECORDING}")
    if (code := _deskmate(told)) != NEEDS_YOU:
        return code or 1
    (waiting,) = json.loads(_output(("inbox", "list", "--json")))
    return _deskmate(("inbox", "answer", waiting["id"], "yes"))


def steps(folder: Path, work: Path, url: str, model: str) -> Iterator[Sequence[str]]:
    """Yield the commands that install, connect, ask and apply."""
    yield "plugin", "pack", str(HERE / "deskmate-rowan"), "--out", str(folder / "dist")
    yield "plugin", "install", str(folder / "dist" / WHEEL)
    yield "plugin", "enable", "rowan", "--yes"
    yield "connector", "add", "crm", url, "--category", "CRM", "--yes"
    yield "connector", "allow", "crm", "find_customer", "--as", "read"
    yield "connector", "allow", "crm", "open_offers", "--as", "read"
    use = ("--plugin", "rowan", "--connector", "crm", "--folder", f"{work}:rw")
    yield "run", ASKED, *use, "--model", model
    yield "changes", "apply"


def _deskmate(arguments: Sequence[str]) -> int:
    """Print a command as one would type it, then run it."""
    print(f"\n$ deskmate {shlex.join(arguments)}", flush=True)
    return subprocess.run([_program(), *arguments], check=False).returncode


def _output(arguments: Sequence[str]) -> str:
    done = subprocess.run([_program(), *arguments], capture_output=True, check=True, text=True)
    return done.stdout


def _program() -> str:
    beside = Path(sys.executable).with_name("deskmate")
    return str(beside) if beside.is_file() else "deskmate"


def _newest() -> str:
    rows = json.loads(_output(("thread", "list", "--json")))
    return str(max(rows, key=lambda row: row["changed"])["thread"])


def _written(database: Path) -> int:
    with closing(sqlite3.connect(database)) as db:
        days = [day for (day,) in db.execute("select day from visits order by id")]
    print(f"Visits in the CRM: {', '.join(days)}")
    return 0 if days == ["2026-09-03", "2026-12-04"] else 1


def record() -> int:
    """Drive the lines through a real machine once, and keep the model's replies as the recording."""
    part = RECORDING.with_suffix(".part")
    part.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch) / FOLDER
        work.mkdir()
        (work / "harbour.md").write_text(NOTES, "utf-8")
        with served(Path(scratch) / "crm.db") as url:
            for step in steps(Path(scratch), work, url, ""):
                if step[0] in {"plugin", "connector"} and _deskmate(step):
                    return 1
            model = RecordingModel(ScriptedModel(LINES), part)
            places = find_places(dict(os.environ), Path.home())
            anyio.run(_both, Host(places, model=model), work)
    part.replace(RECORDING)
    return 0


async def _both(host: Host, work: Path) -> None:
    thread = None
    for text in (ASKED, TOLD):
        grants = (Grant(name=FOLDER, folder=str(work)),)
        order = RunOrder(
            text=text, grants=grants, plugins=("rowan",), connectors=("crm",), apply="all"
        )
        done = await host.run(order, thread, observer=lambda _: None, approver=_Yes())
        thread = done.thread
        print(f"{done.reason}: {done.text}")


class _Yes:
    async def approve(self, tool: object, arguments: object, why: str) -> bool | None:
        return True


if __name__ == "__main__":
    if sys.argv[1:] == ["--record"]:
        sys.exit(record())
    sys.exit(show(Path(sys.argv[1] if len(sys.argv) > 1 else "demo/crm")))
