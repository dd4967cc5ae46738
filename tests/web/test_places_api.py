"""Sources are opened at their places by the page's API: out of a machine, and only what the thread has a right to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from tests.unit.documents.pdfs import write_pdf
from tests.unit.tables.table_rooms import DocumentBox
from tests.web.conftest import Serve, Server
from tests.web.scene import FIND, sandbox
from tests.web.test_api import EDIT, begin

from deskmate.store.blobs import BlobStore
from deskmate.testing.scripted_model import Line
from deskmate.types.places import Places
from deskmate.web.routes_files import FileRoutes


@pytest.fixture(autouse=True)
def machines(monkeypatch: pytest.MonkeyPatch, places: Places) -> DocumentBox:
    made, blobs = DocumentBox(), BlobStore(places.blobs)
    monkeypatch.setattr(FileRoutes, "parts", lambda self: (made, blobs))
    return made


LOOK: tuple[Line, ...] = (
    ((FIND, {"path": "contracts/note.txt", "quote": "The notice period is 90 days."}),),
    "It says “The notice period is 90 days.”",
)


def looked(serve: Serve, folder: Path, lines: tuple[Line, ...] = LOOK) -> tuple[Server, str]:
    server = serve(lines, sandbox=sandbox())
    thread = begin(server, folder)
    server.wait(thread)
    return server, f"/api/threads/{thread}"


def test_an_answers_words_lead_to_the_very_file_that_was_read(serve: Serve, folder: Path) -> None:
    server, thread = looked(serve, folder)
    said = [e["body"] for e in server.ask("GET", thread).json()["entries"]]
    ((cite,),) = [body["cites"] for body in said if body["kind"] == "replied" and body["text"]]
    assert cite["label"] == "note ¶ 1"
    (file,) = server.ask("GET", f"{thread}/sources").json()["files"]
    assert (file["path"], file["places"][0]["id"]) == ("contracts/note.txt", cite["source"])
    (folder / "note.txt").write_text("All is new.\n")
    asked = f"{thread}/place?path=contracts/note.txt&source={cite['source']}&quote={cite['quote']}"
    found = server.ask("GET", asked).json()
    (shown,) = found["excerpt"]["paragraphs"]
    ((first, behind),) = shown["marks"]
    assert shown["text"][first:behind] == "The notice period is 90 days"
    assert (found["changed"], found["excerpt"]["found"]) == (False, True)
    now = server.ask("GET", f"{thread}/place?path=contracts/note.txt&side=disk").json()
    assert now["excerpt"]["paragraphs"][0]["text"] == "All is new."


def test_no_source_of_another_thread_or_file_is_opened(serve: Serve, folder: Path) -> None:
    server, thread = looked(serve, folder)
    (file,) = server.ask("GET", f"{thread}/sources").json()["files"]
    source = file["places"][0]["id"]
    other = begin(server, folder)
    server.wait(other)
    for path, name, status in (
        ("contracts/other.txt", source, 404),
        ("contracts/note.txt", "none", 404),
        ("../secret", source, 404),
    ):
        asked = f"{thread}/place?path={path}&source={name}"
        assert server.ask("GET", asked).status_code == status, asked
    (folder.parent / "secret.txt").write_text("the secret")
    for path in ("contracts/../secret.txt", "/etc/passwd", "secret.txt", "contracts"):
        for what in ("place", "place/page", "place/rows"):
            assert server.ask("GET", f"{thread}/{what}?path={path}").status_code == 400, path


def test_what_a_run_changed_is_looked_at_as_it_would_be_and_as_it_was(
    serve: Serve, folder: Path
) -> None:
    server, thread = looked(serve, folder, EDIT)
    path = f"{thread}/place?path=contracts/note.txt"

    def text(more: str) -> str:
        return str(server.ask("GET", path + more).json()["excerpt"]["paragraphs"][0]["text"])

    assert "30 days" in text("")
    assert "90 days" in text("&side=before")
    assert "90 days" in text("&side=disk")


def test_a_page_comes_with_its_words_marked(serve: Serve, folder: Path) -> None:
    pages = [[(50, 500, "First")], [(50, 400, "The fee is due in May.")]]
    write_pdf(folder / "fees.pdf", pages)
    server, thread = looked(serve, folder)
    asked = f"{thread}/place/page?path=contracts/fees.pdf&quote=due in May"
    found = server.ask("GET", asked).json()
    assert (found["page"], found["of"], found["found"]) == (2, 2, True)
    assert found["picture"].startswith("data:image/png;base64,")
    assert len(found["boxes"]) == 1


def test_rows_come_by_windows_and_are_kept(
    serve: Serve, folder: Path, machines: DocumentBox
) -> None:
    book = Workbook()
    for row in range(1, 600):
        book.active.append([row, f"=A{row}*2"])
    book.save(folder / "model.xlsx")
    server, thread = looked(serve, folder)
    asked = f"{thread}/place/rows?path=contracts/model.xlsx"
    first = server.ask("GET", f"{asked}&top=1").json()["rows"]
    assert (first["sheet"], first["rows"], first["cells"][4]) == ("Sheet", 599, ["5", "=A5*2"])
    opened = machines.opened
    assert server.ask("GET", f"{asked}&top=1").json()["rows"] == first
    assert machines.opened == opened
    later = server.ask("GET", f"{asked}&top=500").json()["rows"]
    assert later["cells"][0][0] == "500"
    for odd in ("0", "-3", "x", "9" * 30, "٣"):
        assert server.ask("GET", f"{asked}&top={odd}").json()["rows"]["top"] == 1
    (folder / "broken.xlsx").write_bytes(b"PK\x03\x04 xl/workbook.xml")
    refused = server.ask("GET", f"{thread}/place/rows?path=contracts/broken.xlsx")
    assert (refused.status_code, "broken.xlsx" in refused.json()["error"]) == (400, True)


def test_a_machine_that_answers_nonsense_is_not_believed(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deskmate.host import showing

    async def nonsense(*given: Any, **more: Any) -> Any:
        return {"kind": "docx", "found": "yes"}, {}

    monkeypatch.setattr(showing, "asked", nonsense)
    server, thread = looked(serve, folder)
    for what in ("place", "place/page", "place/rows"):
        refused = server.ask("GET", f"{thread}/{what}?path=contracts/note.txt")
        assert (refused.status_code, "malformed" in refused.json()["error"]) == (500, True), what
