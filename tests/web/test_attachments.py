"""Files that come with a message: in pieces, by checked names, read by the run and written by nobody."""

from __future__ import annotations

import base64
import os
import shutil
from pathlib import Path

import pytest
from tests.web.conftest import Serve, Server
from tests.web.scene import sandbox
from tests.web.test_api import SEND, begin, decide, until
from tests.web.test_inbox import inbox, with_words

from deskmate.errors import UserError
from deskmate.host import attachments
from deskmate.host.attachments import Uploads, checked_name, free_names
from deskmate.testing.scripted_model import Line
from deskmate.types.places import Places

READ: tuple[Line, ...] = (
    (("workspace__read", {"path": "attachments/Offer.txt"}),),
    (("workspace__write", {"path": "attachments/Offer.txt", "content": "changed"}),),
    "I read it.",
)


def upload(server: Server, name: str, content: bytes, piece: int = 300_000) -> str:
    made = server.ask("POST", "/api/uploads", {"name": name, "size": len(content)})
    assert made.status_code == 201, made.text
    name = str(made.json()["id"])
    for at in range(0, len(content), piece):
        data = base64.b64encode(content[at : at + piece]).decode()
        sent = server.ask("POST", f"/api/uploads/{name}", {"at": at, "data": data})
        assert sent.status_code == 200, sent.text
    return name


def test_a_run_reads_what_came_with_the_message_and_nobody_s_folder_is_touched(
    serve: Serve,
) -> None:
    server = serve(READ, sandbox=sandbox())
    content = b"Our offer: 12 EUR.\n"
    thread = begin(server, attachments=[upload(server, "Offer.txt", content)])
    over = server.wait(thread)
    (said,) = [e["body"]["text"] for e in over["entries"] if e["body"]["kind"] == "said"]
    assert said == "Please\n\nAttached: attachments/Offer.txt"
    results = [e["body"] for e in over["entries"] if e["body"]["kind"] == "finished"]
    assert "12 EUR" in results[0]["text"]
    (change,) = server.ask("GET", f"/api/threads/{thread}/changes").json()["items"]
    assert change["standing"] != "open", change  # it is for reading
    (granted,) = over["folders"]
    assert (granted["name"], granted["mode"]) == ("attachments", "ro")
    kept = Path(granted["folder"])
    assert kept.is_relative_to(server.places.threads / thread)
    assert (kept / "Offer.txt").read_bytes() == content
    assert not list((server.places.data / "page/uploads").iterdir())


def test_a_second_message_brings_its_own_and_the_first_stays(serve: Serve) -> None:
    server = serve(["Done."], sandbox=sandbox())
    thread = begin(server, attachments=[upload(server, "a.txt", b"one")])
    server.wait(thread)
    body = {"text": "And this", "attachments": [upload(server, "a.txt", b"two")]}
    assert server.ask("POST", f"/api/threads/{thread}/messages", body).status_code == 202
    over = server.wait(thread)
    assert [one["name"] for one in over["folders"]] == ["attachments", "attachments-2"]
    words = [e["body"]["text"] for e in over["entries"] if e["body"]["kind"] == "said"]
    assert words[1].endswith("Attached: attachments-2/a.txt")


def test_a_thread_that_came_without_its_attachments_goes_on(serve: Serve) -> None:
    server = serve(["Done."], sandbox=sandbox())
    thread = begin(server, attachments=[upload(server, "a.txt", b"one")])
    (granted,) = server.wait(thread)["folders"]
    shutil.rmtree(granted["folder"])  # as after an import elsewhere
    server.ask("POST", f"/api/threads/{thread}/messages", {"text": "Go on"})
    over = server.wait(thread)
    assert (over["row"]["state"], over["folders"], over["trouble"]) == ("done", [], None)


def test_a_large_file_comes_whole_over_many_pieces(serve: Serve, places: Places) -> None:
    server = serve()
    content = os.urandom(1_500_000)
    name = upload(server, "Scan.pdf", content, 500_000)
    assert (places.data / "page/uploads" / f"{name}.part").read_bytes() == content
    found = Uploads(places).get(name)
    assert (found.received, found.size) == (1_500_000, 1_500_000)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../..", ".bashrc", "a\x00b", "a\nb", "x" * 201, "\u202egpj.exe", "/", "\\"],
)  # fmt: skip
def test_a_name_that_no_file_may_have_is_refused(serve: Serve, name: str) -> None:
    server = serve()
    refused = server.ask("POST", "/api/uploads", {"name": name, "size": 1})
    assert refused.status_code == 400, refused.text
    assert not (server.places.data / "page/uploads").exists()


def test_of_a_path_only_the_name_counts(serve: Serve) -> None:
    server = serve()
    for name in ("../../etc/passwd", "C:\\Users\\me\\passwd", "/root/passwd"):
        made = server.ask("POST", "/api/uploads", {"name": name, "size": 1}).json()
        assert made["name"] == "passwd"


def test_pieces_that_do_not_fit_are_refused_and_a_half_file_is_not_sent(serve: Serve) -> None:
    server = serve()
    made = server.ask("POST", "/api/uploads", {"name": "a.txt", "size": 4}).json()["id"]
    one = f"/api/uploads/{made}"
    good = base64.b64encode(b"ab").decode()
    for body in (
        {"at": 1, "data": good},
        {"at": 0, "data": "***"},
        {"at": 0, "data": base64.b64encode(b"abcde").decode()},
        {"at": -1, "data": good},
        {"data": good},
    ):
        assert server.ask("POST", one, body).status_code == 400, body
    assert server.ask("POST", one, {"at": 0, "data": good}).json()["received"] == 2
    assert server.ask("POST", one, {"at": 0, "data": good}).status_code == 400  # not twice
    half = server.ask("POST", "/api/threads", {"text": "Go", "attachments": [made]})
    assert half.status_code == 400
    assert "not here whole" in half.json()["error"]
    assert server.ask("GET", "/api/threads").json()["rows"] == []
    assert server.ask("DELETE", one).status_code == 200
    assert server.ask("POST", one, {"at": 2, "data": good}).status_code == 400


@pytest.mark.parametrize("name", ["u-none", "..", "%2e%2e%2fdevices", "u-0123456789abcdef"])
def test_an_upload_is_named_by_its_id_and_by_no_path(serve: Serve, name: str) -> None:
    server = serve()
    body = {"at": 0, "data": ""}
    assert server.ask("POST", f"/api/uploads/{name}", body).status_code in (400, 404, 405)
    gone = server.ask("POST", "/api/threads", {"text": "Go", "attachments": [name]})
    assert gone.status_code == 400


def test_files_are_bounded_alone_and_together(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads = Uploads(places)
    with pytest.raises(UserError, match="larger than 100 MiB"):
        uploads.begin("a.bin", (100 << 20) + 1)
    monkeypatch.setattr(attachments, "STAGED_LIMIT_BYTES", 10)
    first = uploads.begin("a.bin", 8)
    uploads.add(first.id, 0, b"12345678")
    with pytest.raises(UserError, match="waits to be sent"):
        uploads.begin("b.bin", 3)
    with pytest.raises(UserError, match="20 different files"):
        uploads.check([first.id, first.id])
    os.utime(places.data / "page/uploads" / f"{first.id}.part", (0, 0))
    uploads.begin("b.bin", 3)  # what nobody sent is gone after a day
    with pytest.raises(UserError, match="not here any more"):
        uploads.get(first.id)


def test_names_that_are_there_twice_are_numbered() -> None:
    assert free_names(["a.txt", "A.TXT", "a.txt", "b", "b"]) == (
        "a.txt",
        "A-2.TXT",
        "a-3.txt",
        "b",
        "b-2",
    )
    assert checked_name("e\u0301.txt") == "\u00e9.txt"
    with pytest.raises(UserError, match="no text"):
        checked_name("half a letter \ud800")


def test_files_of_a_message_that_waits_are_read_by_the_next_run_and_go_when_it_is_withdrawn(
    serve: Serve, folder: Path
) -> None:
    server = serve((*SEND[:1], "Sent.", *READ), sandbox=sandbox())
    thread = begin(server, folder)
    (item,) = until(lambda: inbox(server))
    queue = f"/api/threads/{thread}/queue"
    ids = [upload(server, "Offer.txt", b"Our offer: 12 EUR.\n"), upload(server, "Old.txt", b"old")]
    kept = server.ask("POST", queue, {"text": "Read this", "attachments": ids[:1]}).json()
    gone = server.ask("POST", queue, {"text": "And this", "attachments": ids[1:]}).json()
    assert kept["attached"] == ["Offer.txt"]
    assert (Path(gone["folder"]) / "Old.txt").read_bytes() == b"old"  # not swept with uploads
    assert not list((server.places.data / "page/uploads").iterdir())
    assert server.ask("DELETE", f"{queue}/{gone['id']}").status_code == 200
    assert not Path(gone["folder"]).exists()
    decide(server, thread, item)
    words = ["Please", "Read this\n\nAttached: attachments/Offer.txt"]
    over = until(lambda: with_words(server, thread, words))
    assert Path(kept["folder"]).is_dir()
    assert not list((server.places.threads / thread / "waiting").glob("q-*"))  # heard once
    results = [e["body"]["text"] for e in over["entries"] if e["body"]["kind"] == "finished"]
    assert any("12 EUR" in text for text in results)
    assert server.ask("POST", queue, {"text": "x", "attachments": ["u-none"]}).status_code == 400
    assert server.ask("GET", f"/api/threads/{thread}").json()["queued"] == []


def test_only_a_folder_of_the_thread_s_own_attachments_is_ever_removed(
    serve: Serve, folder: Path
) -> None:
    server = serve(["Done."])
    thread = begin(server, plugins=[])
    server.wait(thread)
    above = server.places.threads / thread / "attachments"
    for odd in (folder, above, above / "1/..", above.parent):
        attachments.withdrawn(server.places, thread, str(odd))
    assert (folder / "note.txt").exists()
    assert above.parent.is_dir()
