"""The inbox and the queue over the API: what waits for the user, and what waits for a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.web.conftest import Serve, Server
from tests.web.scene import sandbox
from tests.web.test_api import ASK, EDIT, SEND, begin, decide, until

from deskmate.store.waiting import WaitingMessages


def inbox(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.ask("GET", "/api/inbox").json()["items"]
    return found


def said(thread: dict[str, Any]) -> list[str]:
    return [e["body"]["text"] for e in thread["entries"] if e["body"]["kind"] == "said"]


def test_an_approval_of_a_run_under_way_is_in_the_inbox_whole_and_answered_from_it(
    serve: Serve, folder: Path
) -> None:
    server = serve(SEND, sandbox=sandbox())
    thread = begin(server, folder)
    (item,) = until(lambda: inbox(server))
    assert (item["kind"], item["thread"], item["sends"]) == ("approval", thread, True)
    assert sorted(item["shown"]) == ["text: Hello", "to: dana@example.org"]
    assert "send" in item["sentence"]
    assert item["why"]
    assert decide(server, thread, item).status_code == 200
    assert server.wait(thread)["row"]["state"] == "done"
    assert inbox(server) == []


def test_a_parked_approval_is_in_the_inbox_of_the_next_server(serve: Serve, folder: Path) -> None:
    first = serve(SEND, sandbox=sandbox())
    thread = begin(first, folder)
    until(lambda: inbox(first))
    assert first.ask("POST", f"/api/threads/{thread}/stop").status_code == 200
    assert [one["kind"] for one in inbox(first)] == []  # a stopped run asks nothing


def test_a_question_has_its_choices_and_the_answer_lets_the_thread_go_on(serve: Serve) -> None:
    server = serve(ASK, sandbox=sandbox())
    thread = begin(server)
    server.wait(thread)
    (item,) = inbox(server)
    assert (item["kind"], item["text"], item["choices"]) == ("question", "Which?", ["A", "B"])
    server.ask("POST", f"/api/threads/{thread}/messages", {"text": "A"})
    assert server.wait(thread)["row"]["state"] == "done"
    assert inbox(server) == []


def test_what_is_finished_is_dismissed_and_a_question_is_not(serve: Serve, folder: Path) -> None:
    server = serve(EDIT, sandbox=sandbox())
    thread = begin(server, folder)
    server.wait(thread)
    (item,) = inbox(server)
    assert (item["kind"], item["thread"]) == ("deliverable", thread)
    assert server.ask("POST", f"/api/inbox/{item['id']}/dismiss").json() == {"thread": thread}
    assert inbox(server) == []
    assert server.ask("GET", f"/api/threads/{thread}").json()["row"]["pending"] == 2
    gone = server.ask("POST", f"/api/inbox/{item['id']}/dismiss")
    assert gone.status_code == 400
    asking = serve(ASK, sandbox=sandbox())
    begin(asking)
    (question,) = until(lambda: [one for one in inbox(asking) if one["kind"] == "question"])
    refused = asking.ask("POST", f"/api/inbox/{question['id']}/dismiss")
    assert refused.status_code == 400
    assert "not dismissed" in refused.json()["error"]


def test_a_message_waits_while_the_run_works_and_is_heard_after_the_step(
    serve: Serve, folder: Path
) -> None:
    server = serve(SEND, sandbox=sandbox())
    thread = begin(server, folder)
    (item,) = until(lambda: inbox(server))
    queue = f"/api/threads/{thread}/queue"
    kept = server.ask("POST", queue, {"text": "Only clause 9."})
    gone = server.ask("POST", queue, {"text": "Never mind."})
    assert (kept.status_code, gone.status_code) == (202, 202)
    shown = server.ask("GET", f"/api/threads/{thread}").json()
    assert [one["text"] for one in shown["queued"]] == ["Only clause 9.", "Never mind."]
    assert server.ask("DELETE", f"{queue}/{gone.json()['id']}").status_code == 200
    assert server.ask("DELETE", f"{queue}/{gone.json()['id']}").status_code == 404
    decide(server, thread, item)
    over = server.wait(thread)
    assert said(over) == ["Please", "Only clause 9."]
    assert over["queued"] == []
    (entry,) = [e for e in over["entries"] if e["body"].get("queued")]
    assert entry["body"]["queued"] == kept.json()["id"]


def test_a_message_that_came_as_the_run_ended_begins_the_next(serve: Serve) -> None:
    server = serve(["Done."])
    thread = begin(server, plugins=[], budget_usd=1.5, apply="new")
    server.wait(thread)
    # nothing is at work any more, and nobody asked for anything else
    assert server.ask("POST", f"/api/threads/{thread}/queue", {"text": "More"}).status_code == 202
    over = until(lambda: with_words(server, thread, ["Please", "More"]))
    assert over["queued"] == []
    assert (over["budget_usd"], over["apply"]) == (1.5, "new")  # what held goes on holding


def with_words(server: Server, thread: str, words: list[str]) -> dict[str, Any] | None:
    shown = server.wait(thread)
    return shown if said(shown) == words and not shown["queued"] else None


def test_a_message_of_a_run_that_was_cut_off_is_shown_and_sent_by_hand(serve: Serve) -> None:
    server = serve(ASK, sandbox=sandbox())
    thread = begin(server)
    server.wait(thread)
    WaitingMessages(server.places.threads, thread).put("By hand")
    shown = server.ask("GET", f"/api/threads/{thread}").json()
    (one,) = shown["queued"]
    assert shown["row"]["state"] == "needs you"
    assert server.ask("POST", f"/api/threads/{thread}/queue/q-none/send").status_code == 400
    sent = server.ask("POST", f"/api/threads/{thread}/queue/{one['id']}/send")
    assert sent.status_code == 202
    assert said(server.wait(thread)) == ["Please", "By hand"]


def test_a_pause_lets_the_step_end(serve: Serve, folder: Path) -> None:
    server = serve(SEND, sandbox=sandbox())
    thread = begin(server, folder)
    (item,) = until(lambda: inbox(server))
    assert server.ask("POST", f"/api/threads/{thread}/pause").status_code == 200
    decide(server, thread, item)
    over = server.wait(thread)
    assert over["row"]["state"] == "stopped"
    outcomes = [e["body"] for e in over["entries"] if e["body"]["kind"] == "finished"]
    assert [one["outcome"] for one in outcomes] == ["ok"]
    refused = server.ask("POST", f"/api/threads/{thread}/pause")
    assert refused.status_code == 400


@pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": 1}, {"text": "x", "more": 1}])
def test_a_queue_takes_words_and_nothing_else(serve: Serve, body: dict[str, Any]) -> None:
    server = serve(["Done."])
    thread = begin(server, plugins=[])
    server.wait(thread)
    assert server.ask("POST", f"/api/threads/{thread}/queue", body or {"no": 1}).status_code == 400
    assert server.ask("POST", "/api/threads/t-none/queue", {"text": "x"}).status_code == 404


def test_the_record_of_a_thread_is_a_file_to_keep_and_no_page_of_ours(
    serve: Serve, folder: Path
) -> None:
    server = serve(EDIT, sandbox=sandbox())
    thread = begin(server, folder, text="<script>alert(1)</script>")
    server.wait(thread)
    record = server.ask("GET", f"/api/threads/{thread}/record")
    assert record.headers["content-type"] == "application/octet-stream"
    assert record.headers["content-disposition"] == f'attachment; filename="{thread}.html"'
    assert "contracts/note.txt" in record.text
    assert "<script>alert" not in record.text
    assert server.ask("GET", "/api/threads/t-none/record").status_code == 404
