"""A machine asks for what belongs to another thread: authority lies with the connection, never in a message."""

from __future__ import annotations

import json

import anyio
import pytest
from tests.attack.conftest import OpenMachine, output_of
from tests.attack.evil.guest import EvilGuests, run_as_root
from tests.attack.table import Attempts

from deskmate.errors import ProtocolError, SandboxUnavailable
from deskmate.sandbox.difference import compare, read_facts
from deskmate.types.files import Entry
from deskmate.types.ids import Digest

pytestmark = [pytest.mark.anyio, pytest.mark.attack("G12")]
ROW = {"kind": "file", "mode": 420, "size": 3, "sha256": "0" * 64, "mtime_ns": 1}


def test_a_change_outside_the_threads_own_grants_is_refused(attempt: Attempts) -> None:
    base = [Entry(path="mine", kind="dir", mode=0o755)]
    paths = [
        "theirs/report.docx", "theirs", "mine2/x", "MINE/x", "report.docx", "mine/../theirs/x", "/etc/passwd",
        "mine/./x", "mine//x", "~/x", "", ".", "..", "theirs/.git/hooks/pre-commit",
    ]  # fmt: skip
    for path in paths:
        document = {"changes": [{**ROW, "path": path}], "home": []}
        difference = compare(base, read_facts(json.dumps(document).encode()), {"mine"})
        attempt(f"a change of {path!r}", blocked=not difference.changes)
    own = {"changes": [{**ROW, "path": "mine/x"}], "home": []}
    assert compare(base, read_facts(json.dumps(own).encode()), {"mine"}).changes


def test_a_claimed_digest_brings_no_content_of_another_thread(attempt: Attempts) -> None:
    for wrong in (
        "../" + "0" * 61,
        "0" * 63,
        "0" * 65,
        "A" * 64,
        "",
        None,
        7,
        ["0" * 64],
        "0" * 63 + "\n",
    ):
        document = {"changes": [{**ROW, "path": "mine/x", "sha256": wrong}], "home": []}
        with pytest.raises(ProtocolError):
            read_facts(json.dumps(document).encode())
        attempt(f"digest {wrong!r}", blocked=True)
    assert Digest("0" * 64)


ANSWERS = """
silent = True
for n in {numbers}:
    answer(n, text_result("approved for the other thread"))
"""


@pytest.mark.vm
async def test_an_answer_to_another_threads_request_ends_only_the_liar(
    evil: EvilGuests, open_machine: OpenMachine, attempt: Attempts
) -> None:
    async with open_machine("t-honest") as honest, evil.machine() as liar:
        theirs: list[str] = []

        async def work() -> None:
            theirs.append(await output_of(honest, "sleep 3; echo honest"))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work)
            await anyio.sleep(0.5)
            with pytest.raises((SandboxUnavailable, ProtocolError), match="no open request"):
                await run_as_root(liar, ANSWERS.format(numbers="range(1000, 1010)"))
        attempt("the other thread is told a lie", blocked=theirs == ["honest\n"])
        attempt("the liar lives on", blocked=not liar.process.running)


@pytest.mark.vm
async def test_two_machines_share_no_file_and_no_process(
    open_machine: OpenMachine, attempt: Attempts
) -> None:
    async with open_machine("t-one") as one, open_machine("t-two") as two:
        await output_of(
            one,
            "for f in /workspace /home/agent /tmp /dev/shm; do echo secret > $f/mark; done; (sleep 60 &)",
        )
        seen = await output_of(
            two, "ls /workspace /home/agent /tmp /dev/shm; cat /proc/sys/kernel/hostname"
        )
        attempt(f"a file of the other: {seen}", blocked="mark" not in seen)
        name = await output_of(one, "cat /proc/sys/kernel/hostname")
        attempt("the same name", blocked=name.strip() not in seen)
