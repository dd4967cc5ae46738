"""The files in a thread's folders are looked at by names that were granted, and by no other way."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.unit.host.test_page_images import box
from tests.unit.tables.table_rooms import DocumentBox
from tests.web.conftest import Serve, Server
from tests.web.scene import sandbox
from tests.web.test_api import begin

from deskmate.host.adapters import Adapters
from deskmate.host.page_images import PNG
from deskmate.host.samples import sample_files
from deskmate.testing.fake_workspace import Tree


def granted(serve: Serve, folder: Path) -> tuple[Server, str]:
    """Return a server, and the route of the files of a thread that has the folder."""
    server = serve(["Done."], sandbox=sandbox())
    thread = begin(server, folder)
    server.wait(thread)
    return server, f"/api/threads/{thread}/files"


def test_folders_are_looked_through_and_files_read_as_they_are(serve: Serve, folder: Path) -> None:
    (folder / "deep/er").mkdir(parents=True)
    (folder / "deep/er/Zahlen.csv").write_text('a;"b;c"\n1;2\n')
    (folder / ".secret").write_text("x")
    (folder / "old.txt").write_bytes("Grüße".encode("utf-16"))
    (folder / "blob.txt").write_bytes(b"a\0b")
    server, files = granted(serve, folder)
    (own,) = server.ask("GET", files).json()["entries"]
    assert own == {"name": "contracts", "path": "contracts", "size": None}
    shelf = server.ask("GET", f"{files}?path=contracts").json()
    names = [one["name"] for one in shelf["entries"]]
    assert names == ["deep", "blob.txt", "note.txt", "old.txt", "other.txt"]
    inner = server.ask("GET", f"{files}?path=contracts/deep/er").json()["entries"]
    assert inner == [{"name": "Zahlen.csv", "path": "contracts/deep/er/Zahlen.csv", "size": 12}]
    (folder / "note.txt").write_text("Changed since.\n")  # as it is, not as it was taken
    said = server.ask("GET", f"{files}/words?path=contracts/note.txt").json()
    assert (said["text"], said["cut"], said["by"]) == ("Changed since.\n", False, "")
    assert server.ask("GET", f"{files}/words?path=contracts/old.txt").json()["text"] == "Grüße"
    assert server.ask("GET", f"{files}/words?path=contracts/blob.txt").status_code == 400
    taken = server.ask("GET", f"{files}/file?path=contracts/blob.txt")
    assert taken.content == b"a\0b"
    assert taken.headers["content-type"] == "application/octet-stream"
    assert taken.headers["content-disposition"].startswith("attachment;")


def test_a_long_text_is_cut_and_a_large_file_is_not_drawn(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deskmate.host import looking

    monkeypatch.setattr(looking, "TEXT_LIMIT_BYTES", 10)
    monkeypatch.setattr(looking, "FILE_LIMIT_BYTES", 10)
    server, files = granted(serve, folder)
    said = server.ask("GET", f"{files}/words?path=contracts/note.txt").json()
    assert (said["text"], said["cut"]) == ("Between us", True)
    refused = server.ask("GET", f"{files}/pages?path=contracts/note.txt")
    assert (refused.status_code, "larger than" in refused.json()["error"]) == (400, True)


@pytest.mark.parametrize(
    "path",
    [
        "contracts/../secret.txt",
        "../secret.txt",
        "/etc/passwd",
        "contracts//note.txt",
        "contracts/./note.txt",
        "contracts/link.txt",
        "contracts/way/secret.txt",
        "contracts/none.txt",
        "contracts/pipe",
        "contracts/note.txt%00",
        "other/note.txt",
        "contracts",
    ],
)
def test_f9_no_path_leads_out_of_the_granted_folders(serve: Serve, folder: Path, path: str) -> None:
    (folder.parent / "secret.txt").write_text("the secret")
    (folder / "link.txt").symlink_to(folder.parent / "secret.txt")
    (folder / "way").symlink_to(folder.parent)
    os.mkfifo(folder / "pipe")
    server, files = granted(serve, folder)
    listed = {one["name"] for one in server.ask("GET", f"{files}?path=contracts").json()["entries"]}
    assert not listed & {"link.txt", "way", "pipe"}
    for what in ("file", "words", "pages"):
        refused = server.ask("GET", f"{files}/{what}?path={path}")
        assert refused.status_code == 400, (what, refused.text)
        assert "the secret" not in refused.text
    assert server.ask("GET", f"{files}?path=contracts/way").status_code == 400


def test_pages_are_drawn_and_words_taken_out_by_a_machine(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw(tree: Tree, arguments: Mapping[str, Any]) -> Any:
        tree.write(f"{arguments['folder']}/page-0001.png", PNG)
        return {"pages": []}

    (folder / "plan.pdf").write_bytes(b"%PDF-1.7 x")
    (folder / "seal.png").write_bytes(PNG)
    (document,) = (one for name, one in sample_files().items() if name.endswith(".docx"))
    (folder / "NDA.docx").write_bytes(document)
    server, files = granted(serve, folder)
    monkeypatch.setattr(Adapters, "sandbox", lambda self: box(draw))
    drawn = server.ask("GET", f"{files}/pages?path=contracts/plan.pdf").json()
    assert len(drawn["pictures"]) == 1
    assert drawn["pictures"][0].startswith("data:image/png;base64,")
    picture = server.ask("GET", f"{files}/pages?path=contracts/seal.png").json()
    assert len(picture["pictures"]) == 1
    assert server.ask("GET", f"{files}/pages?path=contracts/seal.png&first=x").status_code == 400
    another, files = granted(serve, folder)
    monkeypatch.setattr(Adapters, "sandbox", lambda self: DocumentBox())
    said = another.ask("GET", f"{files}/words?path=contracts/NDA.docx").json()
    assert "Confidential Information" in said["text"]
    assert said["by"] == "a virtual machine"
