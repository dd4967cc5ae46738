"""The office scene: one thread that edits an Excel model, makes a deck of it and reads a PDF; then a lie for each gate.

    python examples/office_scene.py [FOLDER]      the recorded thread, with the ordinary commands, in a real machine
    python examples/office_scene.py --record      make the recording anew, from the lines below

The model's part comes from `office_scene.jsonl`, a recording of the lines in `office_lines.py`. Everything else is real:
the virtual machine, the tools, the clean room, the changes that are applied and undone.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import anyio

from deskmate.errors import SandboxMissing
from deskmate.host import Host, RunOrder
from deskmate.models.record import RecordingModel
from deskmate.sandbox.image import find_image
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.files import Grant
from deskmate.types.places import find_places

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from make_sales_model import main as make_files  # noqa: E402
from office_lines import HONEST, LIES, LINES, LYING  # noqa: E402

RECORDING = HERE / "office_scene.jsonl"
FOLDER = "board"
"""Name of the granted folder: the recorded paths begin with it."""


def show(folder: Path) -> int:
    """Run the recorded thread on new files below `folder`; return 0 if all went as it should."""
    work = folder.absolute() / FOLDER
    shutil.rmtree(work, ignore_errors=True)
    make_files(work)
    replay = ("--model", f"replay:{RECORDING}")
    if _deskmate("run", HONEST, "--folder", f"{work}:rw", *replay):
        return 1
    _deskmate("changes", "show")
    _deskmate("changes", "diff")
    for name in ("Sales summary.pptx", "Board brief.docx") if _can_draw() else ():
        look = work.parent / "pages" / Path(name).stem
        shutil.rmtree(look, ignore_errors=True)
        _deskmate("changes", "pages", f"{FOLDER}/{name}", "--to", str(look))
    _deskmate("changes", "apply")
    thread = _newest()
    print(
        f"\nNow the same thread presents {len(LIES)} files with a lie each, one for every shared gate."
    )
    code = _deskmate("run", LYING, "--thread", thread, *replay)
    print(
        "All of them were refused." if code == 3 else "They were not refused: please report this."
    )
    _deskmate("changes", "discard", "--thread", thread)
    return 0 if code == 3 else 1


def _deskmate(*arguments: str) -> int:
    """Print a command as one would type it, then run it."""
    print(f"\n$ deskmate {shlex.join(arguments)}", flush=True)
    return subprocess.run([_program(), *arguments], check=False).returncode


def _program() -> str:
    beside = Path(sys.executable).with_name("deskmate")
    return str(beside) if beside.is_file() else "deskmate"


def _can_draw() -> bool:
    """Say whether the image is there whose LibreOffice draws pages; without it the scene goes on without pictures."""
    try:
        find_image(find_places(dict(os.environ), Path.home()), flavour="office")
    except SandboxMissing:
        return False
    return True


def _newest() -> str:
    listed = subprocess.run(
        [_program(), "thread", "list", "--json"], capture_output=True, check=True, text=True
    )
    # the list has those first that need somebody, which need not be this one
    return str(max(json.loads(listed.stdout), key=lambda row: row["changed"])["thread"])


def record() -> int:
    """Drive the lines through real machines once, and keep the model's replies as the recording."""
    part = RECORDING.with_suffix(".part")
    part.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / FOLDER
        make_files(work)
        places = find_places(dict(os.environ), Path.home())
        places = replace(places, data=Path(folder) / "data")
        model = RecordingModel(ScriptedModel(LINES), part)
        ended = anyio.run(_both, Host(places, model=model), work)
    print(*ended, sep="\n")
    part.replace(RECORDING)
    return 0


async def _both(host: Host, work: Path) -> list[str]:
    grants = (Grant(name=FOLDER, folder=str(work)),)
    shown: list[str] = []
    thread = None
    for text in (HONEST, LYING):
        order = RunOrder(text=text, grants=grants, apply="all" if text == HONEST else "review")
        result = await host.run(order, thread, observer=_tell, approver=_Nobody())
        thread = result.thread
        shown.append(f"{result.reason}: {result.text}")
        shown += [f"  {f.level} {f.rule} {f.path}: {f.message}" for f in result.findings]
    return shown


def _tell(item: object) -> None:
    payload = getattr(item, "payload", None)
    if type(payload).__name__ == "ToolFinished":
        print(f"{payload.tool}: {payload.outcome}: {payload.text[:300]}", flush=True)


class _Nobody:
    async def approve(self, tool: object, arguments: object, why: str) -> bool | None:
        return None


if __name__ == "__main__":
    if sys.argv[1:] == ["--record"]:
        sys.exit(record())
    sys.exit(show(Path(sys.argv[1] if len(sys.argv) > 1 else "demo")))
