from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from deskmate_guest.layout import PluginPlace
from deskmate_guest.loading import LoadedPlugin, PluginBroken, load_plugin

HEAD = """
from deskmate.plugin import Prompt, SkillSource, Tool, Validator, hookimpl

def greet(name: str) -> str:
    '''Greet.'''
    return name

def check(deliverable, context):
    return []
"""
Load = Callable[[str, str], LoadedPlugin]


@pytest.fixture
def load(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Load]:
    """`load(hooks, manifest)`: load a plugin in this process and forget it afterwards."""
    before = (list(sys.path), set(sys.modules))
    package = f"acme_{abs(hash(request.node.name))}"

    def run(hooks: str, manifest: str) -> LoadedPlugin:
        folder = tmp_path / package
        folder.mkdir()
        (folder / "__init__.py").write_text(HEAD + dedent(hooks))
        (folder / "plugin.toml").write_text(dedent(manifest))
        place = PluginPlace(
            name="acme",
            package=package,
            version="1",
            order=1,
            root=tmp_path,
            wheels=tmp_path / "no-wheels",
            uid=0,
        )
        return load_plugin(place)

    yield run
    sys.path[:] = before[0]
    for name in set(sys.modules) - before[1]:
        del sys.modules[name]


def test_a_plugin_brings_prompts_tools_and_rules(load: Load) -> None:
    plugin = load(
        """
        @hookimpl
        def deskmate_prompts(context):
            return [Prompt(name="role", text=f"{context.name} {context.version} {context.api}")]

        @hookimpl
        def deskmate_tools(context):
            yield Tool(function=greet, risk="send", timeout_s=9)

        @hookimpl
        def deskmate_validators(context):
            return [Validator(rule="ACME-ONE", title="One.", function=check, roles=("memo",))]
        """,
        """
        [tools.greet]
        risk = "send"
        [validators.ACME-ONE]
        gate = false
        """,
    )
    assert [item.text for item in plugin.prompts] == ["acme 1 1.0"]
    spec = plugin.tools["greet"].spec
    assert (spec.name, spec.risk, spec.timeout_s) == ("acme__greet", "send", 9)
    _, rule = plugin.rules["ACME-ONE"]
    assert (rule.plugin, rule.roles, rule.gate) == ("acme", ("memo",), False)


@pytest.mark.parametrize(
    ("hooks", "manifest", "why"),
    [
        ("raise RuntimeError('no\\nluck')", "", "RuntimeError: no luck"),
        ("@hookimpl\ndef deskmate_tool(context): return []", "", "deskmate_tool"),
        ("@hookimpl\ndef deskmate_tools(contex): return []", "", "contex"),
        ("@hookimpl\ndef deskmate_tools(context): return [greet]", "", "function where Tool"),
        ("@hookimpl\ndef deskmate_tools(context): 1 / 0", "", "ZeroDivisionError"),
        (
            "@hookimpl\ndef deskmate_tools(context): return [Tool(function=greet)]",
            "",
            "plugin.toml",
        ),
        (
            "@hookimpl\ndef deskmate_tools(context): return [Tool(function=greet)] * 2",
            "[tools.greet]",
            "registered twice",
        ),
        (
            "@hookimpl\ndef deskmate_tools(context): return [Tool(function=greet)]",
            "[tools.greet]\nrisk = 'write'",
            "risk read, plugin.toml says write",
        ),
        (
            "@hookimpl\ndef deskmate_tools(context): return [Tool(function=check)]",
            "[tools.check]",
            "tool check: has no docstring",
        ),
        (
            "greet.__name__ = 'grüß'\n"
            "@hookimpl\ndef deskmate_tools(context): return [Tool(function=greet)]",
            "",
            "not a name MCP allows",
        ),
        (
            "@hookimpl\ndef deskmate_validators(context):\n"
            "    return [Validator(rule='ACME-TWO', title='', function=check)]",
            "",
            "rule ACME-TWO is not in plugin.toml",
        ),
        (
            "@hookimpl\ndef deskmate_validators(context):\n"
            "    return [Validator(rule='acme two', title='', function=check)]",
            "",
            "capitals",
        ),
        ("", "tools = [", "Invalid"),
    ],
)
def test_a_broken_plugin_says_why_in_one_line(
    load: Load, hooks: str, manifest: str, why: str
) -> None:
    with pytest.raises(PluginBroken, match=why) as caught:
        load(hooks, manifest)
    assert "\n" not in str(caught.value)


def test_an_unreadable_skill_is_left_out_and_named(load: Load, tmp_path: Path) -> None:
    good = tmp_path / "good"
    good.mkdir()
    (good / "SKILL.md").write_text("---\nname: good\ndescription: It works.\n---\nBody.\n")
    plugin = load(
        f"""
        from pathlib import Path

        @hookimpl
        def deskmate_skills(context):
            root = Path({str(tmp_path)!r})
            return [SkillSource(folder=root / name) for name in ("good", "missing", "good")]
        """,
        "",
    )
    assert [skill.name for skill in plugin.skills] == ["good"]
    assert len(plugin.problems) == 2
    assert plugin.problems[0].startswith("acme: skill missing left out: SKILL.md cannot be read")
