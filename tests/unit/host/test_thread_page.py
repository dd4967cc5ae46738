"""The page of a thread: nothing in it acts, nothing is loaded, and what was said and changed is there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from deskmate.host.thread_page import thread_page
from deskmate.store import chain
from deskmate.store.blobs import BlobStore
from deskmate.store.rows import make_event
from deskmate.types.codec import to_json
from deskmate.types.events import (
    ApplyFinished,
    ApplyStarted,
    ApprovalAsked,
    ApprovalGiven,
    ChangesStaged,
    Event,
    GrantsSet,
    ModelReplied,
    Payload,
    Refused,
    RunFinished,
    ThreadCreated,
    ThreadForked,
    ToolFinished,
    UserSaid,
    Validated,
)
from deskmate.types.files import Change, Deliverable, Difference, Entry, Grant
from deskmate.types.findings import Finding
from deskmate.types.ids import Digest, RunId, ThreadId, ToolUseId
from deskmate.types.messages import Text, ToolUse

NONE = Digest("0" * 64)
RUN, USE = RunId("r-1"), ToolUseId("toolu_1")
EVIL = "</pre></title><script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)>\"'&\u202e\x1b[31m"


class Reader(HTMLParser):
    """What a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def log(*payloads: Payload) -> list[Event]:
    head, events = chain.GENESIS, []
    for seq, payload in enumerate(payloads, start=1):
        event, _ = make_event(seq, "2026-01-02T03:04:05.000006Z", payload, head)
        head = event.hash
        events.append(event)
    return events


def page(events: Iterable[Event], blobs: BlobStore) -> tuple[str, Reader]:
    text = "".join(thread_page(list(events), blobs))
    reader = Reader()
    reader.feed(text)
    return text, reader


def staged(blobs: BlobStore, path: str, before: bytes | None, after: bytes | None) -> ChangesStaged:
    def entry(content: bytes | None) -> Entry | None:
        if content is None:
            return None
        return Entry(
            path=path, kind="file", mode=0o644, size=len(content), sha256=blobs.put(content)
        )

    operation = "create" if before is None else "delete" if after is None else "modify"
    change = Change(path=path, operation=operation, before=entry(before), after=entry(after))  # type: ignore[arg-type]
    digest = blobs.put(json.dumps(to_json(Difference(changes=(change,)))).encode())
    return ChangesStaged(run=RUN, difference=digest, created=1, modified=0, deleted=0)


def everywhere(text: str, blobs: BlobStore) -> list[Event]:
    """A log in which a text stands wherever one can."""
    use = ToolUse(id=USE, name=text, input={text: text})
    item = Deliverable(path=text, title=text)
    finding = Finding(rule=text, level="error", message=text, path=text)
    return log(
        ThreadForked(thread=ThreadId("t-1"), parent=ThreadId(text), seq=1),
        ThreadCreated(thread=ThreadId("t-0"), title=text, version="1"),
        GrantsSet(grants=(Grant(name="a", folder=text),)),
        UserSaid(run=RUN, text=text, model="m"),
        ModelReplied(
            turn=1, model=text, content=(Text(text=text), use), stop_reason="", label=text
        ),
        ApprovalAsked(tool_use_id=USE, tool=text, arguments=NONE, why=text),
        ApprovalGiven(tool_use_id=USE, arguments=NONE, allow=True, by=text),
        ToolFinished(tool_use_id=USE, tool=text, outcome="ok", text=text, deliverables=(item,)),
        staged(blobs, text, text.encode(), f"{text}\n{text}".encode()),
        Validated(run=RUN, inputs=NONE, rules=(), findings=(finding,)),
        Refused(what=text, why=text),
        ApplyStarted(plan=NONE),
        ApplyFinished(plan=NONE, applied=False, text=text),
        RunFinished(run=RUN, reason="failed", text=text),
    )


def test_no_text_of_a_log_becomes_markup_or_directs_the_reader(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path)
    text, evil = page(everywhere(EVIL, blobs), blobs)
    _, plain = page(everywhere("plain", blobs), blobs)
    assert [tag for tag, _ in evil.tags] == [tag for tag, _ in plain.tags]
    assert [sorted(names) for _, names in evil.tags] == [sorted(names) for _, names in plain.tags]
    assert "\u202e" not in text
    assert "\x1b" not in text
    assert "".join(evil.words).count("<script>alert(1)</script>") >= 20


def test_nothing_is_loaded_and_nothing_runs(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path)
    text, reader = page(everywhere("x", blobs), blobs)
    tags = {tag for tag, _ in reader.tags}
    assert tags.isdisjoint({"script", "img", "link", "iframe", "object", "form", "base", "video"})
    links = [names.get("href") or "" for tag, names in reader.tags if tag == "a"]
    assert links
    assert all(link.startswith("#e") for link in links)
    assert not any("src" in names or "style" in names for _, names in reader.tags)
    assert "default-src 'none'" in text
    assert "url(" not in text
    assert "@import" not in text


def test_what_was_said_done_and_changed_can_be_read(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path)
    use = ToolUse(id=USE, name="workspace__write", input={"path": "a.txt"})
    text, reader = page(
        log(
            ThreadCreated(thread=ThreadId("t-1"), title="The title", version="1"),
            UserSaid(run=RUN, text="Please do it", model="m"),
            ModelReplied(turn=1, model="m", content=(use,), stop_reason="tool_use"),
            ToolFinished(tool_use_id=USE, tool="workspace__write", outcome="ok", text="written"),
            staged(blobs, "work/a.txt", b"one\ntwo\n", b"one\nthree\n"),
            staged(blobs, "work/b.bin", None, b"\xff\x00\x01"),
            RunFinished(run=RUN, reason="done"),
        ),
        blobs,
    )
    words = "".join(reader.words)
    for part in ("The title", "Please do it", '"path": "a.txt"', "written", "work/a.txt"):
        assert part in words
    assert "<del>-two</del>" in text
    assert "<ins>+three</ins>" in text
    assert "SHA-256" in words  # of the file that is no text


def test_content_that_is_gone_is_said_in_its_place(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path)
    lost = ChangesStaged(run=RUN, difference=NONE, created=1, modified=0, deleted=0)
    text, _ = page(log(lost, UserSaid(run=RUN, text="Still here", model="m")), blobs)
    assert f"Blob {NONE} is missing." in text
    assert "Still here" in text


def test_a_long_result_is_cut_and_says_so(tmp_path: Path) -> None:
    result = ToolFinished(tool_use_id=USE, tool="t", outcome="ok", text="x" * 100_000)
    text, _ = page(log(result), BlobStore(tmp_path))
    assert "80,000 more characters" in text
    assert len(text) < 50_000


@pytest.mark.parametrize("lone", ["\ud800", "\udfff x"])
def test_half_a_character_does_not_break_the_page(tmp_path: Path, lone: str) -> None:
    blobs = BlobStore(tmp_path)
    text, _ = page(log(UserSaid(run=RUN, text=lone, model="m")), blobs)
    text.encode("utf-8")


def test_a_log_without_events_is_a_page_too(tmp_path: Path) -> None:
    assert "0 events" in page([], BlobStore(tmp_path))[0]
