"""A table over real machines: a machine and then the program are killed in the middle, and every cell is there once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import docx
import pytest
from tests.unit.documents.pdfs import write_pdf
from tests.unit.tables.table_rooms import COLUMNS, contract

from deskmate.host.stopping import descendants
from deskmate.host.tables import Tables
from deskmate.types.places import Places

pytestmark = [pytest.mark.vm, pytest.mark.timeout(300)]


def write_documents(folder: Path) -> None:
    """Write five documents that say it, one that says nothing, and one that is broken."""
    folder.mkdir()
    for number in (1, 2):
        lines = contract(number).split("\n\n")
        pages = [
            [(30, 500, "Cover page")],
            [(30, 500 - 40 * at, ln) for at, ln in enumerate(lines)],
        ]
        write_pdf(folder / f"a{number}.pdf", pages)
    for number in (3, 4):
        document = docx.Document()
        for line in contract(number).split("\n\n"):
            document.add_paragraph(line)
        document.save(str(folder / f"b{number}.docx"))
    (folder / "c5.txt").write_text(contract(5))
    (folder / "d6.txt").write_text("A letter about the weather.")
    (folder / "e7.pdf").write_bytes(b"%PDF-1.7 and then nothing that is a PDF")


def begin(arguments: list[str], home: Path, places: Places) -> subprocess.Popen[bytes]:
    environ = {**os.environ, "DESKMATE_HOME": str(home), "DESKMATE_CACHE": str(places.cache)}
    command = [sys.executable, "-m", "deskmate", "table", *arguments]
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def rows_done(own: Tables) -> int:
    return sum(summary.rows_done for summary in own.summaries())


def machines(process: subprocess.Popen[bytes]) -> list[int]:
    found = []
    for child in descendants(process.pid):
        with_name = Path(f"/proc/{child.pid}/comm")
        if with_name.exists() and with_name.read_text().startswith("qemu"):
            found.append(child.pid)
    return found


def test_a_killed_machine_and_a_killed_program_cost_no_cell(places: Places, tmp_path: Path) -> None:
    write_documents(tmp_path / "docs")
    (tmp_path / "columns.toml").write_text(COLUMNS, "utf-8")
    home = tmp_path / "home"
    own = Tables(Places(data=home / "data", cache=places.cache, config=home / "config"), environ={})
    order = [
        "run",
        "Terms",
        "--over",
        str(tmp_path / "docs/*"),
        "--columns",
        str(tmp_path / "columns.toml"),
    ]
    first = begin([*order, "--model", "offline"], home, places)
    killed = 0
    deadline = time.monotonic() + 150
    while rows_done(own) < 2:
        assert first.poll() is None, first.communicate()
        assert time.monotonic() < deadline
        if not killed and rows_done(own) >= 1 and (found := machines(first)):
            os.kill(found[0], signal.SIGKILL)
            killed = found[0]
        time.sleep(0.05)
    first.kill()
    first.communicate(timeout=30)
    assert killed
    second = begin(["resume", "--json"], home, places)
    told, errors = second.communicate(timeout=150)
    assert second.returncode == 4, errors
    summary = json.loads(told)
    assert summary["cells"] == {"checked": 15, "not_found": 3, "failed": 3}
    with own.opened(own.newest()) as record:
        cells = {Path(row.path).name: record.cells(row.number) for row in record.rows()}
    for name, number in (
        ("a1.pdf", 1),
        ("a2.pdf", 2),
        ("b3.docx", 3),
        ("b4.docx", 4),
        ("c5.txt", 5),
    ):
        assert [cell.value for cell in cells[name]] == [
            "New York", f"{1000 + number}.5", f"2025-03-{number + 1:02}",
        ]  # fmt: skip
    assert {cell.page for cell in cells["a1.pdf"]} == {2}
    assert "damaged" in cells["e7.pdf"][0].why
