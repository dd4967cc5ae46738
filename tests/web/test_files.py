"""Files of a change set in the page: taken away as they are, and looked at as pictures of a machine's making."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.unit.host.test_page_images import Box, box
from tests.web.conftest import Serve, Server
from tests.web.scene import sandbox
from tests.web.test_api import EDIT, begin

from deskmate.host.adapters import Adapters
from deskmate.host.page_images import PNG
from deskmate.store.blobs import BlobStore
from deskmate.store.thread import open_thread
from deskmate.testing.fake_workspace import Tree
from deskmate.testing.scripted_model import Line
from deskmate.types.events import ToolFinished
from deskmate.types.files import KeptFile
from deskmate.types.ids import ToolUseId
from deskmate.types.messages import Picture
from deskmate.types.places import Places


@pytest.fixture
def drawing(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Box]:
    """From its call on machines draw pages, of a document that has five."""

    def draw(tree: Tree, arguments: Mapping[str, Any]) -> Any:
        first, last = map(int, arguments["pages"].split("-"))
        for number in range(first, min(last, 5) + 1):
            tree.write(f"{arguments['folder']}/page-{number:04}.png", PNG + bytes([number]))
        return {"pages": []}

    def begin_drawing() -> Box:
        made = box(draw)
        monkeypatch.setattr(Adapters, "sandbox", lambda self: made)
        return made

    return begin_drawing


def pdf_of(content: str) -> tuple[Line, ...]:
    return (
        (("workspace__write", {"path": "contracts/new.pdf", "content": content}),),
        "It is written.",
    )


def written(serve: Serve, folder: Path, lines: tuple[Line, ...] = EDIT) -> tuple[Server, str, str]:
    """Return a server, the route of a thread's changes, and the run that made them."""
    server = serve(lines, sandbox=sandbox())
    thread = begin(server, folder)
    server.wait(thread)
    changes = f"/api/threads/{thread}/changes"
    return server, changes, server.ask("GET", changes).json()["run"]


def test_both_versions_can_be_taken_away_before_anything_is_written(
    serve: Serve, folder: Path
) -> None:
    server, changes, run = written(serve, folder)
    after = server.ask("GET", f"{changes}/file?run={run}&path=contracts/note.txt")
    assert after.text == "Between us.\nThe notice period is 30 days.\nSigned.\nTwice.\n"
    headers = after.headers
    assert headers["content-disposition"] == "attachment; filename*=UTF-8''note.txt"
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-length"] == str(len(after.content))
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    before = server.ask("GET", f"{changes}/file?path=contracts/note.txt&side=before")
    assert before.text == (folder / "note.txt").read_text()
    new = server.ask("GET", f"{changes}/file?path=contracts/new.txt&side=before")
    assert new.status_code == 400  # there was nothing before
    assert server.ask("GET", f"{changes}/file?path=contracts/other.txt").status_code == 400


def test_pages_come_a_few_at_a_time(serve: Serve, folder: Path, drawing: Callable[[], Box]) -> None:
    server, changes, run = written(serve, folder, pdf_of("%PDF-1.7 pages"))
    machines = drawing()
    asked = f"{changes}/pages?run={run}&path=contracts/new.pdf"
    first = server.ask("GET", asked).json()
    assert (first["first"], first["more"]) == (1, True)
    head = "data:image/png;base64,"
    assert [base64.b64decode(one.removeprefix(head)) for one in first["pictures"]] == [
        PNG + bytes([number]) for number in (1, 2, 3)
    ]
    rest = server.ask("GET", f"{asked}&first=4").json()
    assert (rest["first"], len(rest["pictures"]), rest["more"]) == (4, 2, False)
    for wrong in ("0", "-1", "x", "1e3", "٣", "99999999"):
        assert server.ask("GET", f"{asked}&first={wrong}").status_code == 400
    assert [spec.grants[0].folder for spec in machines.asked] == ["/nowhere", "/nowhere"]


def test_a_picture_is_shown_as_it_is_and_markup_is_none(
    serve: Serve, folder: Path, drawing: Callable[[], Box]
) -> None:
    content = "GIF89a and more"
    lines: tuple[Line, ...] = (
        (
            ("workspace__write", {"path": "contracts/a.gif", "content": content}),
            ("workspace__write", {"path": "contracts/b.svg", "content": "<svg onload='x'/>"}),
            (
                "workspace__write",
                {"path": "contracts/c.png", "content": "<html><script>x</script>"},
            ),
        ),
        "They are written.",
    )
    server, changes, _ = written(serve, folder, lines)
    machines = drawing()
    shown = server.ask("GET", f"{changes}/pages?path=contracts/a.gif").json()
    assert shown["pictures"] == [
        "data:image/gif;base64," + base64.b64encode(content.encode()).decode()
    ]
    for path in ("contracts/b.svg", "contracts/c.png"):
        refused = server.ask("GET", f"{changes}/pages?path={path}")
        assert (refused.status_code, "pages cannot be shown" in refused.text) == (400, True)
    assert not hasattr(machines, "asked")  # nothing of it reached a machine


def test_without_the_office_image_the_page_says_what_to_do(
    serve: Serve, folder: Path, drawing: Callable[[], Box]
) -> None:
    text = "PK\x03\x04 ppt/presentation"
    server, changes, _ = written(serve, folder, pdf_of(text))
    drawing().has_office = False
    refused = server.ask("GET", f"{changes}/pages?path=contracts/new.pdf").json()
    assert refused["hint"] == "Build it once: deskmate image build office"


def test_files_and_pictures_of_an_answer_are_looked_at_or_taken_away_and_no_other_content_is(
    serve: Serve, folder: Path, places: Places
) -> None:
    server, changes, _ = written(serve, folder)
    thread = changes.split("/")[3]
    blobs = BlobStore(places.blobs)
    picture, page, other = PNG + b"x", b"<script>x</script>", b"somebody else's"
    files = tuple(
        KeptFile(name=name, size=len(data), sha256=blobs.put(data), media=media)
        for name, data, media in (("a.png", picture, "image/png"), ("b.bin", page, ""))
    )
    scan = PNG + b"a scan"
    seen = Picture(media="image/png", sha256=blobs.put(scan), bytes=len(scan))
    came = ToolFinished(
        tool_use_id=ToolUseId("u"),
        tool="crm__draw",
        outcome="ok",
        text="drawn",
        kept=files,
        pictures=(seen,),
    )

    async def store() -> None:
        async with open_thread(places.threads, thread) as log:
            await log.append(came)

    anyio.run(store)
    place = f"/api/threads/{thread}/kept?sha256="
    shown = server.ask("GET", f"{place}{files[0].sha256}&look")
    assert (shown.content, shown.headers["content-type"]) == (picture, "image/png")
    for file, data in zip(files, (picture, page), strict=True):
        taken = server.ask("GET", f"{place}{file.sha256}")
        assert taken.content == data
        assert taken.headers["content-type"] == "application/octet-stream"
        assert "attachment" in taken.headers["content-disposition"]
    assert (
        "octet-stream"
        in server.ask("GET", f"{place}{files[1].sha256}&look").headers["content-type"]
    )
    looked = server.ask("GET", f"{place}{seen.sha256}&look")
    assert (looked.content, looked.headers["content-type"]) == (scan, "image/png")
    for wrong in (blobs.put(other), "", "../../etc/passwd"):
        assert server.ask("GET", f"{place}{wrong}").status_code == 404
    entries = server.ask("GET", f"/api/threads/{thread}").json()["entries"]
    kept = [entry["body"]["kept"] for entry in entries if entry["body"].get("kept")]
    assert [[(one["name"], one["media"]) for one in row] for row in kept] == [
        [("a.png", "image/png"), ("b.bin", "")]
    ]
    pictures = [one for entry in entries for one in entry["body"].get("pictures", ())]
    assert pictures == [{"sha256": seen.sha256, "media": "image/png"}]
