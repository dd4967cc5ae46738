"""A sandbox whose machines run the real document tools in this process, a clock, and documents to ask about."""

from __future__ import annotations

import random
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio

from deskmate.errors import SandboxUnavailable
from deskmate.plugin import ToolContext
from deskmate.ports import ModelReply, ModelRequest, Progress, SandboxSpec
from deskmate.testing.fake_sandbox import FakeMachine, FakePlugin, FakeSandbox
from deskmate.testing.fake_workspace import Tree
from deskmate.testing.memory_engine import MemoryEngine
from deskmate.types.ids import ToolUseId
from deskmate.types.limits import Usage
from deskmate.types.messages import Text, ToolUse
from deskmate.types.registry import ToolSpec
from deskmate_documents.office import cell_tools, change_tools, place_tools

COLUMNS = """
[[columns]]
name = "Law"
question = "Which law governs?"
patterns = ['governed by the laws of (?P<value>(?-i:[A-Z]\\w+(?: [A-Z]\\w+)?))']

[[columns]]
name = "Fee"
question = "What is the yearly fee?"
type = "money"
patterns = ['fee of (?P<value>(?:EUR|USD) [\\d.,]*\\d)']

[[columns]]
name = "Begins"
question = "When does it begin?"
type = "date"
patterns = ['begins on (?P<value>\\w+ \\d{1,2}, \\d{4})']
"""


def contract(number: int, *, law: str = "New York") -> str:
    """Return the text of a small contract."""
    return (
        f"Service agreement number {number}\n\n"
        f"This agreement begins on March {number % 28 + 1}, 2025 and runs for a year.\n\n"
        f"The customer pays a yearly fee of EUR {1000 + number}.50 to the provider.\n\n"
        f"It is governed by the laws of {law}.\n"
    )


def write_contracts(folder: Path, count: int) -> None:
    """Write contracts 1 to `count` as text files."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, count + 1):
        (folder / f"c{number:05}.txt").write_text(contract(number), "utf-8")


def _tool(function: Callable[..., Any]) -> Callable[[Tree, Mapping[str, Any]], Any]:
    def run(tree: Tree, arguments: Mapping[str, Any]) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            top = Path(folder)
            for given in filter(None, map(arguments.get, ("path", "before", "after"))):
                real = top / given
                real.parent.mkdir(parents=True)
                real.write_bytes(tree.read(given))
            context = ToolContext(workspace=top, home=top / ".home", resources=top)
            answer = function(**arguments, context=context)
            for made in sorted((top / "out").glob("*")):
                tree.write(f"out/{made.name}", made.read_bytes())
            return answer

    return run


def office() -> FakePlugin:
    """Return the document tools that the program calls in machines of their own."""
    functions = (
        *(cell_tools.cells_find, cell_tools.cells_check, cell_tools.cells_text),
        *(place_tools.document_place, place_tools.page_place, place_tools.sheet_window),
        *(change_tools.document_changes, change_tools.document_take),
    )
    return FakePlugin(
        tools={
            f"office__{function.__name__}": (
                ToolSpec(
                    plugin="office",
                    name=function.__name__,
                    title="",
                    description="",
                    input_schema={},
                    risk="read",
                ),
                _tool(function),
            )
            for function in functions
        }
    )


class DocumentBox(FakeSandbox):
    """Machines with the document tools; some of them die on the way."""

    def __init__(self, *, dies: float = 0.0, seed: int = 1) -> None:
        """`dies`: the share of machines that are gone at their first call."""
        super().__init__({"office": office()})
        self._dies, self._random = dies, random.Random(seed)
        self.open_now = self.most = self.opened = 0

    @asynccontextmanager
    async def open(self, spec: SandboxSpec, progress: Progress) -> AsyncIterator[FakeMachine]:
        self.opened += 1
        self.open_now += 1
        self.most = max(self.most, self.open_now)
        try:
            async with super().open(replace(spec, plugins=("office",)), progress) as machine:
                if self._random.random() < self._dies:
                    raise SandboxUnavailable("The virtual machine died.")
                yield machine
        finally:
            self.open_now -= 1


class WallClock:
    """Real time for the record, none for waiting."""

    def now(self) -> str:
        return datetime.now(UTC).isoformat()

    def monotonic(self) -> float:
        return anyio.current_time()

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(0)


@asynccontextmanager
async def memory_engine(database: Path) -> AsyncIterator[MemoryEngine]:
    """Open an engine in memory, whatever the file."""
    yield MemoryEngine()


Say = Callable[[str], Sequence[Mapping[str, Any]]]


class AnsweringModel:
    """Gives the answers that `say` has for a document's text; each call costs the same."""

    def __init__(self, say: Say, *, cost: float = 0.01, ledger: Path | None = None) -> None:
        """`ledger`: gets a line when a call begins and one when it is answered, as a server would keep it."""
        self._say, self._cost, self._ledger = say, cost, ledger
        self.requests: list[ModelRequest] = []

    @property
    def name(self) -> str:
        return "scripted"

    def estimate_cost_usd(self, request: ModelRequest) -> float | None:
        return self._cost * 2

    async def reply(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelReply:
        self.requests.append(request)
        block = request.messages[0].content[0]
        assert isinstance(block, Text)
        self._note("asked", block.text)
        await anyio.sleep(0.01)
        answers = list(self._say(block.text))
        self._note("answered", block.text)
        use = ToolUse(id=ToolUseId("toolu_1"), name="table__answer", input={"answers": answers})
        usage = Usage(input_tokens=10, output_tokens=5, cost_usd=self._cost)
        return ModelReply(content=(use,), stop_reason="tool_use", usage=usage, model="scripted")

    def _note(self, what: str, text: str) -> None:
        if self._ledger is not None:
            with self._ledger.open("a", encoding="utf-8") as file:
                file.write(f"{what} {text.split(':')[0]}\n")


def reads_well(text: str) -> list[Mapping[str, Any]]:
    """Answer all columns rightly, each with its sentence."""
    lines = {
        key: next((ln for ln in text.splitlines() if key in ln), "")
        for key in ("laws of", "fee of", "begins on")
    }
    law, fee, begins = lines.values()
    return [
        {
            "column": "Law",
            "found": bool(law),
            "value": law.partition("laws of ")[2].rstrip("."),
            "quote": law,
        },
        {
            "column": "Fee",
            "found": bool(fee),
            "value": fee.partition("fee of ")[2].partition(" to ")[0],
            "quote": fee,
        },
        {
            "column": "Begins",
            "found": bool(begins),
            "value": begins.partition("begins on ")[2].partition(" and ")[0],
            "quote": begins,
        },
    ]
