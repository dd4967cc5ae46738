"""Documents that are none: the legal review ends, names them, and leaves the folder as it was."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from deskmate.types.places import Places

pytestmark = [pytest.mark.vm, pytest.mark.timeout(900)]

CASES = Path(__file__).parents[3] / "shared/cases/hostile/poi"
REQUEST = "Review this NDA against our playbook. Redline what deviates and write a one-page memo."
W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-'
    'officedocument.wordprocessingml.document.main+xml"/></Types>'
)
RELATIONS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
    'relationships/officeDocument" Target="word/document.xml"/></Relationships>'
)
NDA = (
    "MUTUAL NON-DISCLOSURE AGREEMENT",
    "This Mutual Non-Disclosure Agreement is made on 1 March 2026 between Alder Ltd and Birch Ltd.",
    "1. Confidential Information means all information that a party discloses to the other.",
    "2. The receiving party shall hold Confidential Information in confidence for ten years.",
    "3. This Agreement is governed by the laws of England.",
)


def document(*paragraphs: str, prolog: str = "") -> str:
    body = "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in paragraphs)
    return f'{prolog}<w:document xmlns:w="{W}"><w:body>{body}</w:body></w:document>'


def write_docx(path: Path, main: str | bytes) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("[Content_Types].xml", TYPES)
        package.writestr("_rels/.rels", RELATIONS)
        package.writestr("word/document.xml", main)


def write_bad_documents(folder: Path) -> list[str]:
    """Write one of each kind and return their names."""
    (folder / "nothing.docx").write_bytes(b"")
    (folder / "noise.docx").write_bytes(hashlib.shake_256(b"noise").digest(5000))
    with zipfile.ZipFile(folder / "hollow.docx", "w") as package:
        package.writestr("[Content_Types].xml", TYPES)
    entities = '<!ENTITY a0 "lol">' + "".join(
        f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10)
    )
    write_docx(folder / "laughs.docx", document("&a9;", prolog=f"<!DOCTYPE d [{entities}]>"))
    write_docx(folder / "bomb.docx", document("a" * (300 << 20)))  # a thousandth of it when packed
    return sorted(path.name for path in folder.iterdir())


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def environ(tmp_path: Path, places: Places) -> dict[str, str]:
    """Threads of this test only, with the machine's own image and templates."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home/cache").symlink_to(places.cache)
    return {**os.environ, "DESKMATE_HOME": str(tmp_path / "home"), "DESKMATE_MODEL": "offline"}


def start(environ: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "deskmate", *arguments],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def review(environ: dict[str, str], folder: Path) -> tuple[int, str, str]:
    process = start(environ, "run", REQUEST, "--plugin", "legal", "--folder", f"{folder}:rw")
    try:
        out, err = process.communicate(timeout=400)
    finally:
        process.kill()
        process.wait()
    return process.returncode, out, err


def test_only_bad_documents_end_the_run_as_failed_with_every_one_named(
    environ: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "contracts"
    folder.mkdir()
    names = write_bad_documents(folder)
    before = digests(folder)
    code, out, err = review(environ, folder)
    assert code == 1, err
    assert digests(folder) == before
    assert "Traceback" not in out + err
    assert [name for name in names if name not in out] == []
    assert "nothing.docx is empty (0 bytes)" in out
    assert "■ failed" in err


def test_a_sound_contract_among_bad_ones_is_reviewed_and_the_bad_ones_are_named(
    environ: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "contracts"
    folder.mkdir()
    names = write_bad_documents(folder)
    write_docx(folder / "nda.docx", document(*NDA))
    before = digests(folder)
    code, out, err = review(environ, folder)
    assert code == 0, out + err
    assert digests(folder) == before
    assert "nda - memo.docx" in out
    assert [name for name in names if name not in out] == []


def test_ctrl_c_in_a_tool_call_leaves_no_machine_and_the_run_goes_on_later(
    environ: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "contracts"
    folder.mkdir()
    write_docx(folder / "nda.docx", document(*NDA))
    before = digests(folder)
    process = start(environ, "run", REQUEST, "--plugin", "legal", "--folder", f"{folder}:rw")
    try:
        assert process.stderr is not None
        while (line := process.stderr.readline()) and "▸" not in line:
            pass
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, err
    assert "Stopped by you; nothing is lost." in err
    assert left_of(process.pid) == []
    resumed = start(environ, "thread", "resume")
    out, err = resumed.communicate(timeout=400)
    assert resumed.returncode == 0, out + err
    assert "nda - memo.docx" in out
    assert digests(folder) == before


def left_of(session: int) -> list[str]:
    """Return the command lines of a session's processes that are still there."""
    time.sleep(0.2)
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] != "Z":
                found.append((path / "cmdline").read_text())
        except OSError:
            continue
    return found


@pytest.mark.cases
def test_encrypted_and_fuzzed_documents_of_others_are_named(
    environ: dict[str, str], tmp_path: Path
) -> None:
    if not CASES.is_dir():
        pytest.skip("the cases folder is not beside the checkout")
    folder = tmp_path / "contracts"
    folder.mkdir()
    names = sorted(path.name for path in CASES.glob("*.docx"))
    for name in names:
        (folder / name).write_bytes((CASES / name).read_bytes())
    before = digests(folder)
    code, out, err = review(environ, folder)
    assert code == 1, out + err
    assert digests(folder) == before
    assert "Traceback" not in out + err
    assert "protected_agile.docx is encrypted with a password" in out
