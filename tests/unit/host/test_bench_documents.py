"""The bench of documents asks for the right things and fails where a tool fails; what it times is the machine's affair."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from deskmate.errors import DeskmateError
from deskmate.host.bench_documents import bench_documents
from deskmate.ports import Flavour, ToolOutcome
from deskmate.testing.fake_sandbox import FakePlugin, FakeSandbox, ToolFunction
from deskmate.testing.fake_workspace import Tree
from deskmate.types.registry import ToolSpec

pytestmark = pytest.mark.anyio
TOOLS = ("sheet_build", "sheet_map", "sheet_edit", "deck_build", "render_pages")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Bench(FakeSandbox):
    """A sandbox whose office tools note what they were asked for."""

    def __init__(self, *, broken: str = "", lack: str = "") -> None:
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self.lack = lack

        def tool(name: str) -> ToolFunction:
            def run(tree: Tree, arguments: Mapping[str, Any]) -> ToolOutcome:
                self.asked.append((name, arguments))
                return ToolOutcome(
                    text="it broke" if name == broken else "ok", is_error=name == broken
                )

            return run

        specs = {
            f"office__{name}": (
                ToolSpec(
                    plugin="office", name=f"office__{name}", title="", description="",
                    input_schema={"type": "object"}, risk="write",
                ),
                tool(name),
            )
            for name in TOOLS
        }  # fmt: skip
        super().__init__({"office": FakePlugin(tools=specs)})

    def _names(self, plugins: Any) -> list[str]:
        return ["workspace", "office"]

    async def lacks(self, flavour: Flavour) -> str:
        return self.lack


async def test_it_measures_a_workbook_and_one_of_twice_the_sheets() -> None:
    sandbox = Bench()
    figures = await bench_documents(sandbox, lambda line: None, sheets=2, rows=3)
    built = [len(given["sheets"]) for name, given in sandbox.asked if name == "sheet_build"]
    assert built == [2, 4]
    assert [name for name, _ in sandbox.asked].count("render_pages") == 2
    assert figures.render_s is not None
    sheet = next(given for name, given in sandbox.asked if name == "sheet_build")["sheets"][0]
    assert sheet["rows"][1][-2:] == ["=SUM(B2:F2)", "=SUM(G$2:G2)/SUM(G:G)"]


async def test_without_the_office_image_it_renders_nothing_and_says_why() -> None:
    sandbox, said = Bench(lack="There is none."), list[str]()
    figures = await bench_documents(sandbox, said.append, sheets=1, rows=3)
    assert figures.render_s is None
    assert any("There is none." in line for line in said)
    assert "render_pages" not in [name for name, _ in sandbox.asked]


async def test_a_tool_that_fails_ends_it_with_the_tool_s_words() -> None:
    with pytest.raises(DeskmateError, match="it broke"):
        await bench_documents(Bench(broken="sheet_map"), lambda line: None, sheets=1, rows=3)
