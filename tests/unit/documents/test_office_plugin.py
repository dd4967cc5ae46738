"""The office plugin as the guest loads it: every tool can be told to a model, and is what its manifest promises."""

from __future__ import annotations

import tomllib
from pathlib import Path

import deskmate_documents
from deskmate.plugin import PluginContext
from deskmate_documents import deskmate_skills, deskmate_tools, deskmate_validators
from deskmate_guest.schema import read_signature
from deskmate_guest.skills import read_skill

FOLDER = Path(deskmate_documents.__file__).parent
CONTEXT = PluginContext(name="office", version="1", resources=FOLDER)
MANIFEST = tomllib.loads((FOLDER / "plugin.toml").read_text("utf-8"))


def test_tools_and_rules_are_those_of_the_manifest() -> None:
    tools = {tool.name: tool.risk for tool in deskmate_tools(CONTEXT)}
    assert tools == {name: entry["risk"] for name, entry in MANIFEST["tools"].items()}
    assert {v.rule for v in deskmate_validators(CONTEXT)} == set(MANIFEST["validators"])


def test_every_parameter_of_every_tool_is_explained() -> None:
    for tool in deskmate_tools(CONTEXT):
        signature = read_signature(tool.function)
        assert signature.context == "context", tool.name
        assert len(signature.description) < 1_500, tool.name
        for name, entry in signature.input_schema["properties"].items():
            assert entry.get("description"), f"{tool.name}: {name}"


def test_files_that_a_tool_names_are_brought_alone() -> None:
    """None of these tools has every file of a large folder copied in."""
    assert [tool.name for tool in deskmate_tools(CONTEXT) if tool.reads is None] == []


def test_skills_are_readable_and_name_tools_that_exist() -> None:
    tools = {tool.name for tool in deskmate_tools(CONTEXT)}
    names = set()
    for source in deskmate_skills(CONTEXT):
        skill = read_skill("office", source.folder)
        names.add(source.folder.name)
        text = (source.folder / "SKILL.md").read_text("utf-8")
        named = {
            word.strip("`.,;:()") for word in text.replace("`", " ").split() if word.startswith("office__")
        }  # fmt: skip
        assert {name.removeprefix("office__") for name in named} <= tools, skill
    assert names == set(MANIFEST["skills"]["names"])
