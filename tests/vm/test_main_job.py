"""The job that all of it serves, through the command line and a real machine: review, stage, apply, undo, prove."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import docx
import pytest
from tests.vm.desk import Desk, tree

REQUEST = "Review this NDA against our playbook. Redline what deviates and write a one-page memo."
MAKE_CONTRACT = Path(__file__).parents[2] / "examples/make_contract.py"
CONTRACT = "Northlight - Harbour mutual NDA"
REDLINE, MEMO = f"{CONTRACT} - redline.docx", f"{CONTRACT} - memo.docx"
ORIGINALS = {f"{CONTRACT}.docx", "playbook.yaml"}
RULES = {
    "G-QUOTE",
    "G-PLACEHOLDER",
    "G-OOXML",
    "LEGAL-REJECT-ALL",
    "LEGAL-ACCEPT-ALL",
    "LEGAL-EDIT-REASON",
    "LEGAL-COVERAGE",
}

pytestmark = pytest.mark.vm


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def check_redline(path: Path) -> None:
    """Assert that a redline holds tracked changes with a comment each, and opens."""
    with zipfile.ZipFile(path) as package:
        assert package.testzip() is None
        body = package.read("word/document.xml").decode()
        comments = package.read("word/comments.xml").decode()
    inserted, deleted = len(re.findall(r"<w:ins ", body)), len(re.findall(r"<w:del ", body))
    assert inserted >= 10
    assert deleted >= 5
    ids = set(re.findall(r'<w:comment [^>]*w:id="(\d+)"', comments))
    assert len(ids) >= 10
    assert set(re.findall(r'<w:commentReference [^>]*w:id="(\d+)"', body)) == ids
    assert "Deskmate" in set(re.findall(r'<w:ins [^>]*w:author="([^"]+)"', body))
    docx.Document(str(path))


def check_memo(path: Path) -> None:
    """Assert that the memo names what is wrong, quotes the contract and says where."""
    memo = docx.Document(str(path))
    cells = [cell.text for table in memo.tables for row in table.rows for cell in row.cells]
    text = "\n".join([*(paragraph.text for paragraph in memo.paragraphs), *cells])
    assert "seven (7) years" in text
    assert "State of Texas" in text
    assert "General Counsel" in text
    assert re.search(r"paragraph|¶|clause", text, re.IGNORECASE)


@pytest.mark.timeout(900)
def test_an_nda_is_reviewed_staged_applied_undone_and_the_record_moves(
    desk: Desk, make_home: Callable[[], Desk], tmp_path: Path
) -> None:
    folder = tmp_path / "contracts"
    subprocess.run([sys.executable, MAKE_CONTRACT, folder], check=True, timeout=60)
    before = tree(folder)

    done = desk.json("run", REQUEST, "--plugin", "legal", "--folder", f"{folder}:rw")
    thread = done["thread"]
    assert done["reason"] == "done"
    assert "language model" in done["label"]
    assert {Path(item["path"]).name for item in done["deliverables"]} == {REDLINE, MEMO}
    (verdict,) = desk.events(thread, "Validated")
    assert verdict["passed"] is True
    assert set(verdict["rules"]) >= RULES
    assert tree(folder) == before  # staged only: nothing was written, no time of change moved

    shown = desk.json("changes", "show", "--thread", thread)
    assert {item["change"]["path"]: item["change"]["operation"] for item in shown["items"]} == {
        f"contracts/{REDLINE}": "create",
        f"contracts/{MEMO}": "create",
    }
    differences = desk.json("changes", "diff", "--thread", thread)["changes"]
    assert {item["path"] for item in differences} == {f"contracts/{REDLINE}", f"contracts/{MEMO}"}
    assert tree(folder) == before

    applied = desk.json("changes", "apply", "--thread", thread)
    assert {Path(path).name for path in applied["written"]} == {REDLINE, MEMO}
    assert names(folder) == ORIGINALS | {REDLINE, MEMO}
    check_redline(folder / REDLINE)
    check_memo(folder / MEMO)
    after = tree(folder)
    assert {name: after[name] for name in ORIGINALS} == {name: before[name] for name in ORIGINALS}

    desk.call("changes", "undo", "--thread", thread)
    assert tree(folder) == before

    check_record(desk, make_home(), thread, tmp_path / "thread.zip")


def check_record(desk: Desk, other: Desk, thread: str, archive: Path) -> None:
    """Assert that the record is sound, and the same one after it moved to another home."""
    here = desk.json("thread", "verify", thread)
    assert here["problems"] == []
    assert [report["head"] for report in desk.json("audit", "verify")["reports"]] == [here["head"]]
    desk.call("thread", "export", thread, "--output", archive)
    assert other.json("thread", "import", archive)["thread"] == thread
    assert other.json("thread", "verify", thread) == here
    log = desk.call("audit", "export", "--thread", thread).stdout
    assert other.call("audit", "export", "--thread", thread).stdout == log
    # The same archive, one word of the record changed, is not taken.
    forged = archive.with_name("forged.zip")
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(forged, "w") as new:
        for item in old.infolist():
            new.writestr(item, old.read(item).replace(b"one-page memo", b"two-page memo"))
    refused = other.call("thread", "import", forged, code=1)
    assert refused.stderr.startswith("deskmate: ")
