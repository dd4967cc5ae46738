"""Sub-agents in machines of their own read what the thread's machine never opened; the clean room checks their quotations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import docx
import pytest

from deskmate.host import Host, RunOrder
from deskmate.models.anthropic import AnthropicModel
from deskmate.models.catalogue import find_model
from deskmate.sandbox.adapter import QemuSandbox
from deskmate.store.blobs import BlobStore
from deskmate.store.thread import open_thread
from deskmate.store.verify import verify_thread
from deskmate.testing.caching_server import CachingServer, Json
from deskmate.types.events import ContentTaken, SandboxOpened, SubagentDid, ToolFinished, Validated
from deskmate.types.files import Grant
from deskmate.types.places import Places
from deskmate.types.subagents import logs_of

pytestmark = [pytest.mark.vm, pytest.mark.anyio, pytest.mark.timeout(400)]
RENT = "The rent is payable within thirty days of the invoice."
NOTICE = "Either party may end this agreement with ninety days of notice."


class Office:
    """An agent that has two sub-agents look up a sentence each, quotes one wrongly, and puts that right when it is refused."""

    def __call__(self, body: Json) -> Sequence[Json]:
        turn = sum(message["role"] == "assistant" for message in body["messages"])
        if "You are a sub-agent" in str(body["system"]):
            return self._reader(turn, body)
        match turn:
            case 0:
                tasks = [
                    {"title": "Rent", "task": f"Find: {RENT}", "files": ["docs/lease.docx"]},
                    {"title": "Notice", "task": f"Find: {NOTICE}", "files": ["docs/notice.txt"]},
                ]
                return [_use(turn, "thread__delegate", tasks=tasks)]
            case 1:
                return [_memo(turn, RENT.replace("thirty", "sixty")), _present(turn, body)]
            case 3:
                return [_memo(turn, RENT), _present(turn, body)]
        return [{"type": "text", "text": "The memo is there."}]

    def _reader(self, turn: int, body: Json) -> Sequence[Json]:
        task = str(body["messages"][0])
        words, path = (RENT, "docs/lease.docx") if RENT in task else (NOTICE, "docs/notice.txt")
        if turn == 0:
            return [_use(turn, "office__document_quote", path=path, quote=words)]
        return [{"type": "text", "text": f"It says: {words}"}]


def _use(turn: int, name: str, number: int = 0, **given: Any) -> Json:
    return {"type": "tool_use", "id": f"toolu_{turn}_{number}", "name": name, "input": given}


def _memo(turn: int, rent: str) -> Json:
    text = f"# Terms\n\nThe lease says “{rent}” and the notice says “{NOTICE}”\n"
    return _use(turn, "workspace__write", path="docs/memo.md", content=text)


def _present(turn: int, body: Json) -> Json:
    """Present with the evidence that the call told, each to its quotation."""
    told = re.findall(
        r"- (quote-[0-9a-f]{8}-\d+-[0-9a-f]{6}): (docs/\w+\.\w+)", str(body["messages"])
    )
    places = {path: evidence for evidence, path in told}
    claims = [
        {"text": words, "evidence": [places[path]], "kind": "quote"}
        for words, path in ((RENT, "docs/lease.docx"), (NOTICE, "docs/notice.txt"))
    ]
    return _use(
        turn, "office__document_present", 1, path="docs/memo.md", title="Terms", claims=claims
    )


def folder_of(root: Path) -> Path:
    """A folder so large that files come into a machine only when they are needed there."""
    folder = root / "docs"
    folder.mkdir()
    for number in range(300):
        (folder / f"{number}.txt").write_text(f"Note {number}.\n")
    lease = docx.Document()
    lease.add_paragraph("Lease of an office")
    lease.add_paragraph(f"1. {RENT}")
    lease.save(str(folder / "lease.docx"))
    (folder / "notice.txt").write_text(f"Notice\n\n{NOTICE}\n")
    return folder


class Nobody:
    async def approve(self, tool: object, arguments: object, why: str) -> bool | None:
        return None


async def test_quotations_that_only_sub_agents_read_are_checked_against_the_originals(
    sandbox: QemuSandbox, tmp_path: Path
) -> None:
    places = Places(data=tmp_path / "data", cache=tmp_path / "cache", config=tmp_path / "config")
    grant = Grant(name="docs", folder=str(folder_of(tmp_path)))
    with CachingServer(Office()) as server:
        model = AnthropicModel(find_model("sonnet", {}), api_key="none", base_url=server.url)
        host = Host(places, environ={}, sandbox=sandbox, model=model)
        order = RunOrder(text="Write a memo on the terms.", grants=(grant,))
        result = await host.run(order, None, observer=lambda item: None, approver=Nobody())
        await model.aclose()
    async with open_thread(places.threads, result.thread, write=False) as store:
        events = await store.events()
        report = await verify_thread(store, BlobStore(places.blobs), settled=True)
    said = [e.payload.text[:1500] for e in events if isinstance(e.payload, ToolFinished)]
    assert (result.reason, server.refused) == ("done", []), said
    assert report.problems == ()
    logs = logs_of(events)
    machines = [
        e.payload.machine
        for log in logs.values()
        for e in log
        if isinstance(e.payload, SandboxOpened)
    ]
    own = [e.payload.machine for e in events if isinstance(e.payload, SandboxOpened)]
    assert len({*machines, *own}) == len(machines) + len(own) == 3
    taken = [e.payload for e in events if isinstance(e.payload, ContentTaken)]
    read = [
        e.payload
        for e in events
        if isinstance(e.payload, SubagentDid) and e.payload.kind == "ContentTaken"
    ]
    assert (len(taken), len(read)) == (0, 2)
    verdicts = [e.payload for e in events if isinstance(e.payload, Validated)]
    assert [one.passed for one in verdicts] == [False, True]
    assert "G-QUOTE" in {one.rule for one in verdicts[0].findings}
    assert "G-QUOTE" in verdicts[1].rules
    assert "quote-" in said[0]
