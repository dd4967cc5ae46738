"""What the built-in tools weigh in a request: a thread pays for the kinds of files that it has."""

from __future__ import annotations

import json
from pathlib import Path

import deskmate_documents
import deskmate_guest.workspace
from deskmate.agent.context import offered_tools
from deskmate.plugin import PluginContext, Tool
from deskmate.store.rows import make_event
from deskmate.types.events import KindsSeen
from deskmate.types.ids import Digest
from deskmate.types.registry import Registry, ToolSpec
from deskmate_documents import deskmate_tools
from deskmate_guest.schema import read_signature

FOLDER = Path(deskmate_documents.__file__).parent
NONE = Digest("0" * 64)


def spec(plugin: str, tool: Tool) -> ToolSpec:
    signature = read_signature(tool.function)
    return ToolSpec(
        plugin=plugin,
        name=f"{plugin}__{tool.name}",
        title="",
        description=signature.description,
        input_schema=signature.input_schema,
        risk=tool.risk,
        offered=tool.offered,
    )


def registry() -> Registry:
    office = PluginContext(name="office", version="1", resources=FOLDER)
    inside = PluginContext(name="workspace", version="1", resources=FOLDER)
    tools = [spec("office", tool) for tool in deskmate_tools(office)]
    tools += [spec("workspace", tool) for tool in deskmate_guest.workspace.deskmate_tools(inside)]
    return Registry(lock=NONE, tools=tuple(tools))


def weigh(*kinds: str) -> int:
    """Return the bytes of the tools as a request has them."""
    log = [make_event(1, "2026-11-28T00:00:00.000000Z", KindsSeen(kinds=kinds), "")[0]]
    return sum(
        len(json.dumps({"name": t.name, "description": t.description, "input_schema": t.input_schema}))
        for t in offered_tools(log, registry())
    )  # fmt: skip


def test_a_thread_without_documents_pays_less_than_half() -> None:
    whole = weigh("*")
    assert weigh(".py", ".md") * 2 < whole
    for kind in (".docx", ".xlsx", ".pptx", ".pdf"):
        assert weigh() < weigh(kind) < whole


def test_what_the_program_calls_itself_is_never_offered() -> None:
    log = [make_event(1, "2026-11-28T00:00:00.000000Z", KindsSeen(kinds=("*",)), "")[0]]
    offered = {tool.name for tool in offered_tools(log, registry())}
    assert not offered & {
        "office__document_changes", "office__document_take", "office__document_words",
        "office__cells_find", "office__cells_check", "office__cells_text",
        "office__document_place", "office__page_place", "office__sheet_window",
    }  # fmt: skip


def test_new_documents_can_be_made_in_any_thread() -> None:
    offered = {tool.name for tool in offered_tools([], registry())}
    assert offered >= {
        "office__docx_build", "office__sheet_build", "office__deck_build", "office__document_read",
        "office__document_present", "workspace__python",
    }  # fmt: skip
