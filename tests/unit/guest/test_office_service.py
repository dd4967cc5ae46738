"""The keeper of LibreOffice: a document that it never ends with, or that nobody waits for, does not hold up the next one."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deskmate_guest import office, soffice
from deskmate_guest.office import Job, Patience, Refused, Service

JOB = Job("docx", "pdf", 10.0, 0.0)


def _forever(*_: object) -> None:
    time.sleep(60)


def _write(source: Path, target: Path, to: str) -> None:
    target.write_bytes(b"%PDF-")


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A service whose LibreOffice is a program that waits."""

    def start(profile: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True
        )

    monkeypatch.setattr(soffice, "start_listener", start)
    monkeypatch.setattr(soffice, "connect", lambda: None)
    monkeypatch.setattr(soffice, "convert", _write)
    made = Service(tmp_path)
    yield made
    made.stop()


def _program(folder: Path, code: str) -> Path:
    """Return a program in LibreOffice's place; `$out` is where its result goes."""
    made = folder / "soffice"
    made.write_text(f'#!/bin/sh\nwhile [ "$1" != --outdir ]; do shift; done; out=$2\n{code}\n')
    made.chmod(0o755)
    return made


def test_what_does_not_end_in_time_is_refused_and_the_next_document_is_converted(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.start()
    monkeypatch.setattr(soffice, "convert", _forever)
    with pytest.raises(Refused, match=r"LibreOffice did not end within 0\.1 s"):
        service.convert(tmp_path / "a.docx", tmp_path / "a.pdf", JOB, Patience(0.1))
    monkeypatch.setattr(soffice, "convert", _write)
    target = tmp_path / "b.pdf"
    assert service.convert(tmp_path / "b.docx", target, JOB, Patience(20)) == "listener"
    assert target.read_bytes() == b"%PDF-"


def test_the_time_that_a_job_waited_for_its_turn_is_its_own(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.start()
    monkeypatch.setattr(soffice, "convert", _forever)
    waited = Patience(60, asked_s=time.monotonic() - 60)
    with pytest.raises(Refused, match="did not end within 60 s"):
        service.convert(tmp_path / "a.docx", tmp_path / "a.pdf", JOB, waited)


def test_a_job_that_nobody_waits_for_any_more_ends(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.start()
    monkeypatch.setattr(soffice, "convert", _forever)
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with near:
        assert Patience(60, near).left_s > 0
        far.close()
        with pytest.raises(Refused):
            service.convert(tmp_path / "a.docx", tmp_path / "a.pdf", JOB, Patience(60, near))


def test_a_document_over_which_libreoffice_died_is_tried_in_a_process_of_its_own(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "ready", lambda: None)
    monkeypatch.setattr(soffice, "PROGRAM", _program(tmp_path, 'echo %PDF- > "$out/a.pdf"'))
    target = tmp_path / "a.pdf"
    assert service.convert(tmp_path / "a.docx", target, JOB, Patience(20)) == "fresh start"
    assert target.read_bytes() == b"%PDF-\n"
    monkeypatch.setattr(soffice, "PROGRAM", _program(tmp_path, "exit 1"))
    (other := tmp_path / "other").mkdir()
    with pytest.raises(Refused, match="cannot convert it"):
        service.convert(tmp_path / "a.docx", other / "b.pdf", JOB, Patience(20))


def test_that_process_ends_with_its_time_and_all_that_it_started(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "ready", lambda: None)
    note = tmp_path / "pid"
    code = f"sleep 60 & echo $! > {note}; wait"
    monkeypatch.setattr(soffice, "PROGRAM", _program(tmp_path, code))
    with pytest.raises(Refused, match="did not end within"):
        service.convert(tmp_path / "a.docx", tmp_path / "a.pdf", JOB, Patience(2))
    state = Path(f"/proc/{note.read_text().strip()}/stat")
    assert not state.exists() or ") Z " in state.read_text()


@pytest.mark.parametrize(("asked", "given"), [("5", 10.0), ("100", 100.0), ("1e9", 540.0)])
def test_who_asks_says_how_long_within_bounds(asked: str, given: float) -> None:
    line = f'{{"source": "DOCX", "to": "pdf", "limit_s": {asked}, "asked_s": 0.5}}'.encode()
    assert office.read_job(line) == Job("docx", "pdf", given, 0.5)
    with pytest.raises(Refused, match="source, to, limit_s and asked_s"):
        office.read_job(b'{"source": "docx", "to": "pdf"}')
