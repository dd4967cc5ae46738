"""The page's API over the rooms of the house: threads, approvals, changes, and what else the page needs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.web.conftest import Serve, Server
from tests.web.scene import sandbox

from deskmate.errors import DeskmateError, ModelRejected, StorageFailed
from deskmate.host import Host, RunOrder, RunResult
from deskmate.store.blobs import BlobStore
from deskmate.store.listing import summary_of
from deskmate.testing.scripted_model import Line, ScriptedModel
from deskmate.types.places import Places

EDIT: tuple[Line, ...] = (
    (
        (
            "workspace__write",
            {
                "path": "contracts/note.txt",
                "content": "Between us.\nThe notice period is 30 days.\nSigned.\nTwice.\n",
            },
        ),
        ("workspace__write", {"path": "contracts/new.txt", "content": "New.\n"}),
    ),
    "Both are written.",
)
SEND: tuple[Line, ...] = (
    (("legal__send", {"to": "dana@example.org", "text": "Hello"}),),
    "It is sent.",
)
ASK: tuple[Line, ...] = (
    (("workspace__ask", {"question": "Which?", "choices": ["A", "B"]}),),
    "Then A.",
)


def begin(server: Server, folder: Path | None = None, **more: Any) -> str:
    folders = [{"folder": str(folder), "mode": "rw"}] if folder else []
    body = {"text": "Please", "folders": folders, "plugins": ["legal"], **more}
    response = server.ask("POST", "/api/threads", body)
    assert response.status_code == 201, response.text
    return str(response.json()["thread"])


def kinds(thread: dict[str, Any]) -> list[str]:
    return [entry["body"]["kind"] for entry in thread["entries"]]


def until(found: Callable[[], Any]) -> Any:
    for _ in range(400):
        if value := found():
            return value
        time.sleep(0.02)
    raise AssertionError("it did not come")


def asked(server: Server, thread: str) -> dict[str, Any] | None:
    shown = server.ask("GET", f"/api/threads/{thread}").json()
    open_ = [e["body"] for e in shown["entries"] if e["body"]["kind"] == "asked"]
    return open_[-1] if open_ else None


def decide(server: Server, thread: str, question: dict[str, Any], **more: Any) -> Any:
    body = {"use": question["use"], "arguments": question["arguments"], "allow": True, **more}
    return server.ask("POST", f"/api/threads/{thread}/decisions", body)


def test_a_request_becomes_a_thread_with_its_story(serve: Serve, folder: Path) -> None:
    server = serve(EDIT, sandbox=sandbox())
    thread = begin(server, folder, budget_usd=2.5)
    shown = server.wait(thread)
    call = ["started", "finished"]
    assert kinds(shown) == ["said", "replied", *call, *call, "replied", "staged", "ended"]
    assert shown["folders"] == [{"name": "contracts", "folder": str(folder), "mode": "rw"}]
    assert (shown["budget_usd"], shown["model"]) == (2.5, "scripted")
    assert list(shown["plugins"]) == ["legal"]
    row = shown["row"]
    assert (row["group"], row["fact"], row["pending"]) == ("needs you", "Review 2", 2)
    (listed,) = server.ask("GET", "/api/threads").json()["rows"]
    assert listed == row
    later = server.ask("GET", f"/api/threads/{thread}?after={shown['next'] - 1}").json()
    assert [entry["seq"] for entry in later["entries"]] == [shown["next"]]


def test_changes_are_reviewed_applied_in_parts_undone_and_discarded(
    serve: Serve, folder: Path
) -> None:
    server = serve(EDIT, sandbox=sandbox())
    thread = begin(server, folder)
    server.wait(thread)
    changes = f"/api/threads/{thread}/changes"
    found = server.ask("GET", changes).json()
    assert [(i["path"], i["operation"], i["standing"]) for i in found["items"]] == [
        ("contracts/new.txt", "create", "open"),
        ("contracts/note.txt", "modify", "open"),
    ]
    looks = server.ask("GET", f"{changes}/differences?path=contracts/note.txt").json()["changes"]
    assert [(c["path"], c["hunks"]) for c in looks] == [("contracts/note.txt", ["1", "2"])]

    body = {
        "run": found["run"],
        "leave_out": ["contracts/new.txt"],
        "hunks": {"contracts/note.txt": ["1"]},
    }
    done = server.ask("POST", f"{changes}/apply", body)
    assert done.json()["written"] == ["contracts/note.txt"], done.text
    text = "Between us.\nThe notice period is 30 days.\nSigned.\n"
    assert (folder / "note.txt").read_text() == text
    assert not (folder / "new.txt").exists()
    past = server.ask("GET", changes).json()["past"]
    undone = server.ask("POST", f"{changes}/undo", {"plan": past[-1]["plan"]})
    assert undone.json()["written"] == ["contracts/note.txt"]
    assert "90 days" in (folder / "note.txt").read_text()

    assert server.ask("POST", f"{changes}/discard", {"run": found["run"]}).status_code == 200
    refused = server.ask("POST", f"{changes}/apply", body)
    assert (refused.status_code, "discarded" in refused.json()["error"]) == (400, True)


def test_a_file_that_changed_meanwhile_stays_and_an_undo_over_it_is_a_conflict(
    serve: Serve, folder: Path
) -> None:
    server = serve(EDIT, sandbox=sandbox())
    thread = begin(server, folder)
    server.wait(thread)
    changes = f"/api/threads/{thread}/changes"
    (folder / "note.txt").write_text("Mine.\n")
    found = server.ask("GET", changes).json()
    assert found["items"][1]["standing"] == "conflict"
    done = server.ask("POST", f"{changes}/apply", {"run": found["run"]}).json()
    assert (done["written"], list(done["left_out"])) == (
        ["contracts/new.txt"],
        ["contracts/note.txt"],
    )
    (folder / "new.txt").write_text("Mine, too.\n")
    plan = server.ask("GET", changes).json()["past"][-1]["plan"]
    assert server.ask("POST", f"{changes}/undo", {"plan": plan}).status_code == 409
    assert (folder / "new.txt").read_text() == "Mine, too.\n"


@pytest.mark.parametrize("allow", [True, False])
def test_an_approval_waits_and_is_stored_before_it_is_answered(serve: Serve, allow: bool) -> None:
    server = serve(SEND, sandbox=sandbox())
    thread = begin(server)
    question = until(lambda: asked(server, thread))
    assert question["shown"] == {"to": "dana@example.org", "text": "Hello"}
    row = until(
        lambda: next(
            (
                row
                for row in server.ask("GET", "/api/threads").json()["rows"]
                if row["fact"] == "Approve"
            ),
            None,
        )
    )
    assert row["group"] == "needs you"
    other = {**question, "arguments": "0" * 64}
    assert decide(server, thread, other).status_code == 400
    assert decide(server, thread, {**question, "use": "toolu_x"}).status_code == 400
    assert decide(server, thread, question, allow=allow).status_code == 200
    stored = server.ask("GET", f"/api/threads/{thread}").json()
    answers = [e["body"] for e in stored["entries"] if e["body"]["kind"] == "answered"]
    assert [(a["allow"], a["by"]) for a in answers] == [(allow, "user")]
    shown = server.wait(thread)
    (finished,) = [e["body"] for e in shown["entries"] if e["body"]["kind"] == "finished"]
    assert finished["outcome"] == ("ok" if allow else "denied")
    assert decide(server, thread, question).status_code == 400  # once


def test_an_approval_of_a_stopped_run_is_not_answered_any_more(
    serve: Serve, tmp_path: Path
) -> None:
    first = serve(SEND, sandbox=sandbox())
    thread = begin(first)
    question = until(lambda: asked(first, thread))
    assert first.ask("POST", f"/api/threads/{thread}/stop").status_code == 200
    assert first.wait(thread)["row"]["state"] == "stopped"
    second = serve(SEND, sandbox=sandbox())
    # a stopped run closed its calls: going on asks anew, and the old answer fits nothing
    assert decide(second, thread, question).status_code == 400


class Nobody:
    async def approve(self, tool: object, arguments: object, why: str) -> bool | None:
        return None


def test_an_approval_that_was_parked_elsewhere_is_answered_here_and_the_run_goes_on(
    serve: Serve, places: Places
) -> None:
    host = Host(places, sandbox=sandbox(), model=ScriptedModel(SEND))

    async def in_a_terminal_that_nobody_looks_at() -> RunResult:
        order = RunOrder(text="Please", plugins=("legal",))
        return await host.run(order, None, observer=lambda item: None, approver=Nobody())

    parked = anyio.run(in_a_terminal_that_nobody_looks_at)
    assert parked.reason == "needs_you"
    server = serve(SEND, sandbox=sandbox())
    (row,) = server.ask("GET", "/api/threads").json()["rows"]
    assert (row["id"], row["group"], row["fact"]) == (parked.thread, "needs you", "Waits for you")
    question = asked(server, parked.thread)
    assert question is not None
    assert decide(server, parked.thread, {**question, "use": "toolu_x"}).status_code == 400
    assert decide(server, parked.thread, question).status_code == 200
    shown = server.wait(parked.thread)
    assert shown["row"]["state"] == "done"
    assert [e["body"]["allow"] for e in shown["entries"] if e["body"]["kind"] == "answered"] == [
        True
    ]


def test_a_question_is_answered_by_the_next_words(serve: Serve) -> None:
    server = serve(ASK, sandbox=sandbox())
    thread = begin(server)
    shown = server.wait(thread)
    (call,) = [c for e in shown["entries"] for c in e["body"].get("calls", ())]
    assert (call["question"], call["choices"]) == ("Which?", ["A", "B"])
    assert shown["row"]["fact"] == "Waits for you"
    said = server.ask("POST", f"/api/threads/{thread}/messages", {"text": "A"})
    assert said.status_code == 202
    assert server.wait(thread)["row"]["state"] == "done"


def test_a_run_is_stopped_and_goes_on_and_nothing_else_begins_meanwhile(serve: Serve) -> None:
    server = serve(((("legal__wait", {}),), "Done."), sandbox=sandbox())
    thread = begin(server)
    until(lambda: "started" in kinds(server.ask("GET", f"/api/threads/{thread}").json()))
    busy = server.ask("POST", f"/api/threads/{thread}/messages", {"text": "More"})
    assert (busy.status_code, "at work" in busy.json()["error"]) == (400, True)
    assert server.ask("PATCH", f"/api/threads/{thread}", {"title": "X"}).status_code == 400
    assert server.ask("POST", f"/api/threads/{thread}/stop").status_code == 200
    assert server.wait(thread)["row"]["state"] == "stopped"
    assert server.ask("POST", f"/api/threads/{thread}/resume").status_code == 202
    assert server.ask("POST", f"/api/threads/{thread}/stop").status_code == 200


def test_what_cannot_begin_says_why_and_leaves_no_thread(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    gone = [{"folder": str(tmp_path / "gone"), "mode": "rw"}]
    near = [{"folder": "contracts", "mode": "rw"}]
    for body, word in (
        ({"text": "x", "folders": gone}, "does not exist"),
        ({"text": "x", "folders": near}, "whole path"),
        ({"text": ""}, "does not fit"),
        ({}, "does not fit"),
        ({"text": "x", "more": 1}, "does not fit"),
        ({"text": "x", "budget_usd": -1}, "does not fit"),
        ({"text": "x", "folders": [{"folder": "/", "mode": "rwx"}]}, "does not fit"),
    ):
        response = server.ask("POST", "/api/threads", body or {"nothing": True})
        assert (response.status_code, word in response.json()["error"]) == (400, True), body
    assert server.ask("GET", "/api/threads").json() == {"rows": []}


@pytest.mark.parametrize("name", ["t-none", "..", "t-%2e%2e", "t-abc%00", "T-ABC"])
def test_a_thread_that_is_not_there_is_not_found(serve: Serve, name: str) -> None:
    server = serve()
    for method, rest, body in (
        ("GET", "", None),
        ("PATCH", "", {"title": "x"}),
        ("POST", "/messages", {"text": "x"}),
        ("POST", "/stop", {}),
        ("GET", "/changes", None),
    ):
        assert server.ask(method, f"/api/threads/{name}{rest}", body).status_code in (403, 404, 405)


def test_owners_rename_pin_archive_fork_and_find_threads(serve: Serve, folder: Path) -> None:
    server = serve(EDIT, sandbox=sandbox())
    thread = begin(server, folder)
    seq = server.wait(thread)["next"]
    for body in ({"title": "Harbour NDA"}, {"pinned": True}, {"archived": True}):
        assert server.ask("PATCH", f"/api/threads/{thread}", body).status_code == 200
    row = server.ask("GET", f"/api/threads/{thread}").json()["row"]
    assert (row["title"], row["group"], row["pinned"]) == ("Harbour NDA", "archived", False)
    made = server.ask("POST", f"/api/threads/{thread}/forks", {"seq": seq})
    fork = server.ask("GET", f"/api/threads/{made.json()['thread']}").json()
    assert fork["forked_from"] == thread
    assert server.ask("POST", f"/api/threads/{thread}/forks", {"seq": 999}).status_code == 400
    hits = server.ask("GET", "/api/search?q=both written").json()["hits"]
    assert {hit["thread"] for hit in hits} == {thread, fork["row"]["id"]}
    assert server.ask("GET", "/api/search?q=%20").status_code == 400


def test_a_thread_that_another_process_made_appears_and_a_damaged_one_says_so(
    serve: Serve, folder: Path
) -> None:
    server = serve(EDIT, sandbox=sandbox())
    thread = begin(server, folder)
    server.wait(thread)
    database = server.places.threads / thread / "thread.db"
    for file in database.parent.glob("thread.db-*"):
        file.unlink()
    database.write_bytes(b"not a database at all" * 400)
    (row,) = server.ask("GET", "/api/threads").json()["rows"]
    assert (row["group"], row["fact"], bool(row["problem"])) == ("needs you", "Damaged", True)
    broken = server.ask("GET", f"/api/threads/{thread}")
    assert broken.status_code == 500
    assert broken.json()["error"]
    assert summary_of(database.parent).problem


def test_the_folder_picker_shows_folders_only_and_no_hidden_ones(
    serve: Serve, tmp_path: Path
) -> None:
    above = tmp_path / "above"
    for name in ("b", "A", ".hidden"):
        (above / name).mkdir(parents=True)
    (above / "file.txt").write_text("x")
    server = serve()
    found = server.ask("GET", f"/api/folders?path={above}").json()
    assert [place["name"] for place in found["folders"]] == ["A", "b"]
    assert (found["parent"], found["files"]) == (str(tmp_path), 1)
    for wrong in (str(above / "gone"), "above", str(above / "file.txt"), "/%00"):
        assert server.ask("GET", f"/api/folders?path={wrong}").status_code == 400
    assert server.ask("GET", "/api/folders?path=/").json()["parent"] == ""


def test_the_desk_tells_models_plugins_and_what_they_may_do(serve: Serve) -> None:
    server = serve()
    desk = server.ask("GET", "/api/desk").json()
    assert "offline" in {model["name"] for model in desk["models"]}
    legal = next(plugin for plugin in desk["plugins"] if plugin["name"] == "legal")
    assert "Its code runs inside the virtual machine only." in legal["permissions"]
    wrong = server.ask("POST", "/api/plugins/legal/agree", {"version": "0.0.0"})
    assert (wrong.status_code, "another version" in wrong.json()["error"]) == (400, True)
    right = server.ask("POST", "/api/plugins/legal/agree", {"version": legal["version"]})
    assert right.status_code == 200
    assert server.ask("POST", "/api/plugins/nobody/agree", {"version": "1"}).status_code == 400


def test_a_fault_of_our_own_is_told_in_one_line_and_ends_nothing(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def __str__(self) -> str:
            return "secret detail"

    server = serve(((("workspace__read", {"path": Broken()}),),), sandbox=sandbox())
    thread = begin(server)
    shown = server.wait(thread)
    assert shown["trouble"] is not None
    assert "secret detail" not in json.dumps(shown)
    assert server.ask("GET", "/api/threads").status_code == 200


@pytest.mark.parametrize("what", ["the disk is full", "the key is wrong"])
def test_what_goes_wrong_is_one_line_with_what_to_do_and_the_thread_goes_on(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    server = serve(EDIT, sandbox=sandbox())
    with monkeypatch.context() as broken:
        if what == "the disk is full":
            error: DeskmateError = StorageFailed("The disk is full.", hint="Free some space.")
            broken.setattr(BlobStore, "put", _raising(error))
        else:
            error = ModelRejected("The key is not accepted.", hint="Set another.", status=401)
            broken.setattr(ScriptedModel, "reply", _raising(error))
        thread = begin(server, folder)
        shown = server.wait(thread)
    said = json.dumps(shown)
    assert error.message in said
    assert error.hint in said
    assert "Traceback" not in said
    assert (folder / "note.txt").read_text().startswith("Between us.\nThe notice period is 90")
    assert server.ask("POST", f"/api/threads/{thread}/resume", {}).status_code == 202
    assert "Both are written." in json.dumps(server.wait(thread))


def _raising(error: Exception) -> Callable[..., Any]:
    def fail(*arguments: Any, **named: Any) -> Any:
        raise error

    return fail
