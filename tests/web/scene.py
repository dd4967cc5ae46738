"""A day at the desk for the page's browser tests and pictures: a fake sandbox and a model that follows a script.

As a program it serves the page over them, in a process of its own: `python -m tests.web.scene HOME`.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import anyio
from tests.unit.tables.table_rooms import DocumentBox
from tests.web.papers import AGREEMENT, ANSWER, SILENT, mark_up

from deskmate.changes.differ import host_differs
from deskmate.host import Host, documents
from deskmate.host.documents import DocumentDiffer
from deskmate.host.tables import Tables
from deskmate.ports import (
    BlobReader,
    ModelReply,
    ModelRequest,
    Progress,
    ToolOutcome,
    ValidationRequest,
)
from deskmate.sandbox import cures, doctor
from deskmate.sandbox.host_checks import Check
from deskmate.store.blobs import BlobStore
from deskmate.testing.fake_sandbox import FakePlugin, FakeSandbox
from deskmate.testing.fake_workspace import Tree, workspace_tools
from deskmate.testing.scripted_model import Line, ScriptedModel
from deskmate.types.files import Deliverable, Evidence
from deskmate.types.findings import Finding
from deskmate.types.ids import Digest
from deskmate.types.messages import text_of
from deskmate.types.places import Places
from deskmate.types.registry import Risk, RuleSpec, ToolSpec
from deskmate.web.routes_files import FileRoutes
from deskmate.web.serving import Door, listen, serve

FIND = "legal__find"
NOTE = "contracts/Northwind MSA.txt"
PLAYBOOK = "contracts/Playbook.txt"
MEMO = "contracts/Summary for Dana.txt"
PARAGRAPHS = (
    "1.1 This Agreement is between Harbour Ltd and Northwind Inc.",
    "9.2 Either party may terminate this Agreement for convenience on ninety (90) days' written notice.",
    "10.1 Each party keeps the other's secrets.",
    "10.2 Secrets are kept for two years after the end.",
    "10.3 The law may ask for more.",
    "11.1 The total liability of each party is limited to the fees paid in the preceding six (6) months.",
    "12.1 Notices are given in writing.",
    "13.1 No waiver is implied.",
    "14.1 Headings are for reading only.",
    "14.3 This Agreement is governed by the laws of Delaware.",
)
ORIGINAL = "\n".join(PARAGRAPHS) + "\n"
CHANGED = (
    ORIGINAL.replace("ninety (90)", "thirty (30)")
    .replace("six (6)", "twelve (12)")
    .replace("Delaware", "England and Wales")
)
SUMMARY = "Three places depart from the playbook: notice, liability, governing law.\n"


def steps(done: int) -> list[dict[str, str]]:
    """Return the plan with so many steps behind it."""
    texts = (
        "Read the contract and the playbook",
        "Compare clause by clause",
        "Draft the changes",
        "Send the summary to Dana",
    )
    states = ["done"] * done + ["doing"] + ["todo"] * len(texts)
    return [{"text": text, "state": state} for text, state in zip(texts, states, strict=False)]


def uses(*calls: tuple[str, Mapping[str, Any]]) -> Line:
    """Return one answer that wants these tools."""
    return calls


MAIN: tuple[Line, ...] = (
    uses(("workspace__plan", {"steps": steps(0)}), ("workspace__read", {"path": NOTE})),
    uses(
        ("workspace__plan", {"steps": steps(2)}),
        ("workspace__glob", {"pattern": "*"}),
        (FIND, {"path": NOTE, "quote": "ninety (90) days' written notice"}),
        (FIND, {"path": PLAYBOOK, "quote": "Notice of thirty days or less"}),
    ),
    uses(
        ("workspace__write", {"path": NOTE, "content": CHANGED}),
        ("workspace__write", {"path": MEMO, "content": SUMMARY}),
    ),
    uses(
        ("legal__present", {"path": NOTE, "title": "Northwind MSA, marked up"}),
        ("workspace__plan", {"steps": steps(3)}),
    ),
    uses(("legal__send", {"to": "dana.reyes@northwind.example", "text": SUMMARY})),
    "The Northwind draft departs from the playbook in **three places**. The largest is the notice period: "
    "“ninety (90) days' written notice”, where the playbook says “Notice of thirty days or less”.\n\n- Notice, 9.2\n- Liability, 11.1\n- Governing law, 14.3\n\nAll changes are staged "
    "for review; your folder has not been touched.",
)
QUESTION: tuple[Line, ...] = (
    uses(
        (
            "workspace__ask",
            {
                "question": "Which exchange rate should the Berlin team use?",
                "choices": ["1.08", "1.10"],
            },
        )
    ),
    "Then I use that rate.",
)
SOURCES: tuple[Line, ...] = (
    uses(
        (FIND, {"path": NOTE, "quote": "limited to the fees paid in the preceding six (6) months"}),
        (FIND, {"path": "contracts/Fees.xlsx", "sheet": "Fees", "cell": "C400"}),
        (FIND, {"path": "contracts/lease.pdf", "page": 2}),
    ),
    "Liability is “limited to the fees paid in the preceding six (6) months”. The fee of the last month is in Fees!C400.\n\n"
    "In lease.pdf, page 2 says when the rent is due.",
)
PAPERS: tuple[Line, ...] = (
    uses(("workspace__plan", {"steps": steps(1)}), ("workspace__read", {"path": PLAYBOOK})),
    uses(
        ("legal__redline", {"path": AGREEMENT}),
        ("legal__present", {"path": AGREEMENT, "title": "MSA Northwind, marked up"}),
        ("workspace__plan", {"steps": steps(3)}),
    ),
    uses(("legal__send", {"to": "dana.reyes@northwind.example", "text": SUMMARY})),
    ANSWER,
)
LONG: tuple[Line, ...] = (
    uses(("workspace__read", {"path": PLAYBOOK})),
    "\n\n".join(
        " ".join(f"word-{at + 20 * line:03}" for at in range(20)) + "." for line in range(30)
    ),
)
SAMPLE: tuple[Line, ...] = (
    uses(("workspace__glob", {"pattern": "*"})),
    "The sample departs from the playbook in two places.",
)
SLOW: tuple[Line, ...] = (
    uses(("workspace__read", {"path": NOTE})),
    uses(("legal__wait", {"path": NOTE})),
    "That took a while.",
)


class Scripts(ScriptedModel):
    """Chooses its script by what the user said first, and says it word by word."""

    def __init__(self, home: Path) -> None:
        super().__init__(MAIN)
        self._home = home

    async def reply(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelReply:
        """Return the script's next answer."""
        first = next(text_of(m.content) for m in request.messages if m.role == "user")
        by_word = {
            "sources": SOURCES,
            "redline": PAPERS,
            "a long answer": LONG,
            "rate": QUESTION,
            "slow": SLOW,
            "one-page memo": SAMPLE,
            "ready": ("Ready.",),
        }
        lines = next((found for word, found in by_word.items() if word in first), MAIN)
        reply = await ScriptedModel(lines).reply(request, lambda text: None)
        words = text_of(reply.content).split(" ")
        for at, word in enumerate(words):
            on_text(f"{word} ")
            await anyio.sleep(0.002)
            while at == len(words) // 2 > 100 and (self._home / HELD).exists():
                await anyio.sleep(0.02)
        return reply


def _tool(name: str, risk: Risk) -> ToolSpec:
    plugin = name.partition("__")[0]
    schema = {"type": "object", "additionalProperties": True}
    return ToolSpec(
        plugin=plugin, name=name, title=name, description=name, input_schema=schema, risk=risk
    )


def _present(tree: Tree, arguments: Mapping[str, Any]) -> ToolOutcome:
    shown = Deliverable(path=arguments["path"], title=arguments["title"], role="redline")
    return ToolOutcome(text="presented", deliverables=(shown,))


def _find(tree: Tree, arguments: Mapping[str, Any]) -> ToolOutcome:
    given = dict(arguments)
    path, quote = given.pop("path"), given.pop("quote", "")
    content = tree.read(path)
    if quote:
        assert quote in content.decode()
        given["paragraph"] = 1
    found = Evidence(
        id=f"place-{hashlib.sha256(repr(arguments).encode()).hexdigest()[:10]}",
        source=Digest(hashlib.sha256(content).hexdigest()),
        path=path,
        locator=given,
        quote=quote,
    )
    return ToolOutcome(text="found", evidence=(found,))


async def _wait(tree: Tree, arguments: Mapping[str, Any]) -> str:
    await anyio.sleep(60)
    return "waited"


def _check(request: ValidationRequest, blobs: BlobReader) -> Iterable[Finding]:
    if any(deliverable.path == AGREEMENT for deliverable in request.deliverables):
        yield SILENT
        return
    yield Finding(
        rule="LEGAL-PLAYBOOK",
        level="warning",
        message="The playbook is silent on governing law; a person must decide.",
        location="line 10",
        path=NOTE,
    )


def sandbox() -> FakeSandbox:
    """Return machines with the tools of the scripts."""
    workspace = {name: (spec, function) for name, spec, function in workspace_tools()}
    workspace["workspace__plan"] = (_tool("workspace__plan", "read"), lambda tree, given: "noted")
    workspace["workspace__ask"] = (_tool("workspace__ask", "read"), lambda tree, given: "asked")
    legal = FakePlugin(
        tools={
            "legal__present": (_tool("legal__present", "read"), _present),
            FIND: (_tool(FIND, "read"), _find),
            "legal__send": (_tool("legal__send", "send"), lambda tree, given: "sent"),
            "legal__redline": (_tool("legal__redline", "write"), mark_up),
            "legal__wait": (_tool("legal__wait", "read"), _wait),
        },
        rules={
            "LEGAL-PLAYBOOK": (RuleSpec(plugin="legal", rule="LEGAL-PLAYBOOK", title="P"), _check)
        },
    )
    return FakeSandbox({"workspace": FakePlugin(tools=workspace), "legal": legal})


def make_folder(above: Path) -> Path:
    """Make the user's folder of the scripts."""
    folder = above / "contracts"
    folder.mkdir(parents=True)
    (folder / Path(NOTE).name).write_text(ORIGINAL)
    (folder / "Playbook.txt").write_text(
        "7. Notice of thirty days or less.\n12. A cap of twelve months.\n"
    )
    return folder


class Office(Host):
    """A host whose tables are answered by the real document tools, in this process."""

    def __init__(self, places: Places) -> None:
        super().__init__(places, sandbox=sandbox(), model=Scripts(places.data.parent))
        self._places = places

    def tables(self) -> Tables:
        """Return tables with machines of their own."""
        return Tables(self._places, environ={}, sandbox=DocumentBox())


HELD = "held"
"""A file with this name in the home: answers stop in their middle for as long as the file is."""
UNBUILT = "unbuilt"
"""A file with this name in the home: the image is not there, and its building goes on as long as the file is."""


def fake_checks(home: Path) -> None:
    """Let this process see a computer on which all is well, but for the image while it is `UNBUILT`."""

    async def examine(places: Places, boot: object) -> tuple[Check, ...]:
        well = Check(name="machine", state="ok", cause="Linux on x86_64")
        cause = "The virtual machine's image has not been built."
        built = Check(name="image", state="ok", cause="built")
        lacking = Check(name="image", state="fail", cause=cause, cure="deskmate image build")
        return (well, lacking if (home / UNBUILT).exists() else built)

    def cure(check: Check, places: Places, progress: Progress) -> str:
        progress("step 2 of 4: unpacking 180 packages")
        while (home / UNBUILT).exists():
            time.sleep(0.05)
        return "built the image"

    doctor.examine = examine
    cures.cure = cure


def main(home: Path) -> None:
    """Serve until told to end; the link that signs in goes to stdout."""
    fake_checks(home)
    # what documents say and how they look comes from the real tools, in this process
    machines, blobs = DocumentBox(), BlobStore(home / "data/blobs")
    FileRoutes.parts = lambda self: (machines, blobs)  # type: ignore[method-assign]
    documents.document_differs = lambda places, blobs, progress: (
        *host_differs(),
        DocumentDiffer(machines, blobs, progress),
    )
    places = Places(data=home / "data", cache=home / "cache", config=home / "config")
    door = Door(places)
    host = Office(places)
    lock = door.hold()
    with listen(0, kept=door.port()) as own:
        anyio.run(serve, host, places, own, door, lambda address: print(door.link(), flush=True))
    lock.release()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
