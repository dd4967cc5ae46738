"""The suite for plugins finds each way in which a plugin and its manifest can differ."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from deskmate.plugin import Prompt, SkillSource, Tool, ToolContext, Validator
from deskmate.testing.plugin_suite import PluginUnderTest

MANIFEST = """
[tools.look]
risk = "read"
[validators.ACME-RULE]
gate = true
[skills]
names = ["job"]
"""


def look(path: str, context: ToolContext) -> str:
    """Look.

    Args:
        path: what at.
        context: filled in.
    """
    return path


def silent(path: str) -> str:
    return path


silent.__name__ = "look"  # the tool of the manifest, but it tells the model nothing


@pytest.fixture
def module(tmp_path: Path) -> ModuleType:
    """A plugin that keeps its promises."""
    (tmp_path / "plugin.toml").write_text(MANIFEST)
    skill = tmp_path / "skills/job"
    skill.mkdir(parents=True)
    (skill / "SKILL.md").write_text("---\nname: job\n---\n")
    (skill / "procedure.toml").write_text(
        '[[steps]]\ntool = "acme__look"\narguments = { path = "x" }\n'
    )
    made: Any = ModuleType("acme")
    made.__file__ = str(tmp_path / "__init__.py")
    made.deskmate_tools = lambda context: [Tool(function=look)]
    made.deskmate_validators = lambda context: [
        Validator(rule="ACME-RULE", title="t", function=lambda deliverable, context: [])
    ]
    made.deskmate_skills = lambda context: [SkillSource(folder=skill)]
    made.deskmate_prompts = lambda context: [Prompt(name="role", text="Be good.")]
    plugin: ModuleType = made
    return plugin


def procedure(text: str) -> Callable[[Any], None]:
    def write(module: Any) -> None:
        file = Path(module.__file__).parent / "skills/job/procedure.toml"
        file.write_text(f"[[steps]]\n{text}\n")

    return write


def test_a_plugin_that_keeps_its_promises_passes(module: ModuleType) -> None:
    PluginUnderTest.of("acme", module).check_all()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda m: setattr(m, "deskmate_tools", lambda context: []),
        lambda m: setattr(m, "deskmate_tools", lambda c: [Tool(function=look, risk="send")]),
        lambda m: setattr(m, "deskmate_tools", lambda c: [Tool(function=silent)]),
        lambda m: setattr(m, "deskmate_validators", lambda context: []),
        lambda m: setattr(m, "deskmate_skills", lambda context: []),
        lambda m: setattr(m, "deskmate_prompts", lambda context: []),
        lambda m: setattr(m, "deskmate_prompts", lambda c: [Prompt(name="r", text="x" * 8_001)]),
        lambda m: setattr(m, "deskmate_prompts", lambda c: [Prompt(name="r", text="x")] * 2),
        procedure('tool = "other__look"'),
        procedure('tool = "acme__nothing"'),
        procedure('tool = "acme__look"\narguments = { no_such = 1 }'),
    ],
)
def test_each_broken_promise_is_found(module: ModuleType, spoil: Callable[[Any], None]) -> None:
    spoil(module)
    with pytest.raises(AssertionError):
        PluginUnderTest.of("acme", module).check_all()
