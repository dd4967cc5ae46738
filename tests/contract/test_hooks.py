"""Each hook does what its spec says, through the guest's own loader."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deskmate_guest.layout import PluginPlace
from deskmate_guest.loading import LoadedPlugin, PluginBroken, load_plugin

MANIFEST = """
api = ">=1,<2"
title = "Sample"
summary = "s"
[tools.count]
risk = "read"
[validators.SAMPLE-OK]
[skills]
names = ["do-it"]
"""
HEAD = """
from deskmate.plugin import Prompt, SkillSource, Tool, Validator, hookimpl

def count(path: str) -> int:
    '''Count.

    Args:
        path: a file.
    '''
    return 1

def check(deliverable, context):
    return []
"""
Load = Callable[[str], LoadedPlugin]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def load(hooks: str) -> LoadedPlugin:
        package = tmp_path / "plugins/sample/contract_sample"
        (package / "skills/do-it").mkdir(parents=True)
        (package / "plugin.toml").write_text(MANIFEST)
        (package / "__init__.py").write_text(HEAD + hooks)
        (package / "skills/do-it/SKILL.md").write_text(
            "---\nname: do-it\ndescription: Does it.\n---\nDo.\n"
        )
        return load_plugin(
            PluginPlace(
                name="sample",
                package="contract_sample",
                version="1.0",
                order=100,
                uid=2001,
                root=tmp_path / "plugins/sample",
                wheels=tmp_path / "wheels/sample",
            )
        )

    yield load
    sys.modules.pop("contract_sample", None)


def test_deskmate_prompts_adds_blocks_to_the_system_prompt(load: Load) -> None:
    loaded = load(
        "@hookimpl\ndef deskmate_prompts(context):\n"
        "    return [Prompt(name=context.name, text=context.version, order=3)]\n"
    )
    assert [(p.plugin, p.name, p.text, p.order) for p in loaded.prompts] == [
        ("sample", "sample", "1.0", 3)
    ]


def test_deskmate_tools_registers_functions_with_their_schema(load: Load) -> None:
    loaded = load("@hookimpl\ndef deskmate_tools(context):\n    return [Tool(function=count)]\n")
    (tool,) = loaded.tools.values()
    assert tool.spec.name == "sample__count"
    assert tool.spec.input_schema["required"] == ["path"]


def test_deskmate_tools_refuses_what_the_manifest_does_not_name(load: Load) -> None:
    with pytest.raises(PluginBroken, match=r"steal is not in plugin\.toml"):
        load(
            "def steal() -> int:\n    '''Steal.'''\n    return 1\n"
            "@hookimpl\ndef deskmate_tools(context):\n    return [Tool(function=steal)]\n"
        )


def test_deskmate_skills_reads_folders_in_the_agent_skills_format(load: Load) -> None:
    loaded = load(
        "@hookimpl\ndef deskmate_skills(context):\n"
        "    return [SkillSource(folder=context.resources / 'skills' / 'do-it')]\n"
    )
    assert [(skill.name, skill.body) for skill in loaded.skills] == [("do-it", "Do.")]


def test_deskmate_validators_registers_rules_of_the_manifest(load: Load) -> None:
    loaded = load(
        "@hookimpl\ndef deskmate_validators(context):\n"
        "    return [Validator(rule='SAMPLE-OK', title='Fine.', function=check)]\n"
    )
    (validator, spec) = loaded.rules["SAMPLE-OK"]
    assert spec.gate is True
    assert validator.title == "Fine."


def test_a_hook_may_return_none(load: Load) -> None:
    assert load("@hookimpl\ndef deskmate_prompts(context):\n    return None\n").prompts == ()


def test_a_misspelt_hook_makes_the_plugin_unusable(load: Load) -> None:
    with pytest.raises(PluginBroken, match="deskmate_tolls"):
        load("@hookimpl\ndef deskmate_tolls(context):\n    return []\n")


def test_a_hook_that_raises_makes_the_plugin_unusable_in_one_line(load: Load) -> None:
    with pytest.raises(PluginBroken, match="ValueError: no"):
        load("@hookimpl\ndef deskmate_prompts(context):\n    raise ValueError('no')\n")
