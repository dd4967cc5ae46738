"""Page images of office files: converted once by the service, kept for the next window, told on the way."""

from __future__ import annotations

import json
import os
import socket
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pptx
import pytest
from tests.unit.documents.pdfs import write_pdf

from deskmate.errors import ToolError
from deskmate.plugin import ToolContext
from deskmate_documents import render
from deskmate_documents.office.place_tools import page_place
from deskmate_documents.office.render_tools import render_pages


class Service:
    """A service in the place of LibreOffice's: it writes a PDF of 23 pages for every job, or says no."""

    def __init__(self, pdf: bytes, socket_path: Path) -> None:
        self.jobs: list[dict[str, object]] = []
        self.error = ""
        self.waits = threading.Event()
        self.waits.set()
        self._pdf = pdf
        self.server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.server.bind(str(socket_path))
        self.server.listen(4)

    def serve(self) -> None:
        while True:
            try:
                peer, _ = self.server.accept()
            except OSError:
                return
            with peer:
                line, fds, _, _ = socket.recv_fds(peer, 4096, 4)
                self.jobs.append(json.loads(line))
                self.waits.wait(20)
                if not self.error:
                    os.write(fds[1], self._pdf)
                for fd in fds:
                    os.close(fd)
                answer = {"error": self.error} if self.error else {"by": "listener", "seconds": 7.2}
                peer.send(json.dumps(answer).encode())


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    pages = [[(50, 500, f"Slide {n}")] for n in range(1, 24)]
    made = Service(write_pdf(tmp_path / "made.pdf", pages).read_bytes(), tmp_path / "office.sock")
    monkeypatch.setattr(render, "OFFICE_SOCKET", str(tmp_path / "office.sock"))
    monkeypatch.setattr(render, "OFFICE_UID", os.getuid())
    thread = threading.Thread(target=made.serve, daemon=True)
    thread.start()
    yield made
    made.server.shutdown(socket.SHUT_RDWR)
    made.server.close()
    thread.join(5)


def test_a_deck_is_converted_once_and_shown_by_windows(service: Service, tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    said: list[str] = []
    context = ToolContext(
        workspace=tmp_path / "w", home=tmp_path / "h", resources=tmp_path, on_progress=said.append
    )
    pptx.Presentation().save(tmp_path / "w/d.pptx")
    first = render_pages("d.pptx", "look", context, pages="1-20")
    assert (len(first["pages"]), first["of"], first["next"]) == (20, 23, 21)
    assert first["by"] == "LibreOffice (listener)"
    assert (tmp_path / "w/look/page-0020.png").read_bytes().startswith(b"\x89PNG")
    assert said[:3] == ["LibreOffice converts d.pptx", "converted in 7 s", "5 of 20 pages rendered"]
    second = render_pages("d.pptx", "look", context, pages="21-40")
    assert ([p["page"] for p in second["pages"]], second["by"]) == (
        [21, 22, 23], "LibreOffice (kept from before)",
    )  # fmt: skip
    (job,) = service.jobs
    assert job.pop("asked_s")
    assert job == {"source": "pptx", "to": "pdf", "limit_s": render.LIMIT_S}
    made = pptx.Presentation()
    made.slides.add_slide(made.slide_layouts[6])
    made.save(tmp_path / "w/d.pptx")  # another content is converted anew, and only one is kept
    render_pages("d.pptx", "look", context, pages="1")
    assert len(service.jobs) == 2
    assert len(list((tmp_path / "h/.rendered").iterdir())) == 1


def test_words_of_an_office_file_are_found_on_its_rendered_pages(
    service: Service, tmp_path: Path
) -> None:
    context = ToolContext(workspace=tmp_path, home=tmp_path / "h", resources=tmp_path)
    pptx.Presentation().save(tmp_path / "d.pptx")
    found = page_place("d.pptx", "out", context, quote="Slide 17", page=3)
    assert (found["page"], found["of"], found["found"]) == (17, 23, True)
    assert (tmp_path / found["image"]).read_bytes().startswith(b"\x89PNG")
    again = page_place("d.pptx", "out", context, page=4)
    assert (again["page"], again["found"], len(service.jobs)) == (4, False, 1)


def test_a_long_conversion_says_how_long_it_has_taken(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render, "_TELL_S", 0.01)
    said: list[str] = []

    def told(line: str) -> None:
        said.append(line)
        service.waits.set()

    service.waits.clear()
    pptx.Presentation().save(tmp_path / "d.pptx")
    render.convert(tmp_path / "d.pptx", tmp_path / "d.pdf", on_progress=told)
    assert said[0] == "LibreOffice has been at d.pptx for 0 s"


def test_what_libreoffice_refuses_is_said_and_not_kept(service: Service, tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    context = ToolContext(workspace=tmp_path / "w", home=tmp_path / "h", resources=tmp_path)
    pptx.Presentation().save(tmp_path / "w/d.pptx")
    service.error = "the document is damaged"
    with pytest.raises(ToolError, match=r"d\.pptx was not converted: the document is damaged"):
        render_pages("d.pptx", "look", context)
    service.error = ""
    assert render_pages("d.pptx", "look", context, pages="1")["of"] == 23
    asked = len(service.jobs)
    for name, content, why in (
        ("nothing.docx", b"", "is empty"), ("nothing.csv", b"", "is empty"), ("noise.xlsx", b"noise", "not an Office file"),
    ):  # fmt: skip
        (tmp_path / "w" / name).write_bytes(content)
        with pytest.raises(ToolError, match=f"{name} {why}|{name} is {why}"):
            render_pages(name, "look", context)
    with zipfile.ZipFile(tmp_path / "w/d.pptx", "a") as package:
        package.writestr(
            "ppt/more.xml",
            '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a []><a/>'.encode("utf-16"),
        )
    with pytest.raises(
        ToolError, match=r"d\.pptx declares a document type in ppt/more\.xml; refused"
    ):
        render_pages("d.pptx", "look", context)
    assert len(service.jobs) == asked
