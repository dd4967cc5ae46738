import tomllib
from pathlib import Path

import deskmate_hr
from deskmate.plugin import PluginContext

PACKAGE = Path(deskmate_hr.__file__).parent
CONTEXT = PluginContext(name="hr", version="0.1.0", resources=PACKAGE)
MANIFEST = tomllib.loads((PACKAGE / "plugin.toml").read_text())


def test_the_tools_are_those_of_the_manifest_with_their_risk() -> None:
    tools = deskmate_hr.deskmate_tools(CONTEXT)
    assert {t.name: t.risk for t in tools} == {k: v["risk"] for k, v in MANIFEST["tools"].items()}
    assert all(tool.function.__doc__ and "Args:" in tool.function.__doc__ for tool in tools)


def test_the_rules_are_those_of_the_manifest() -> None:
    rules = [v.rule for v in deskmate_hr.deskmate_validators(CONTEXT)]
    assert rules == list(MANIFEST["validators"])


def test_the_skills_are_those_of_the_manifest_and_procedures_use_known_tools() -> None:
    folders = [s.folder for s in deskmate_hr.deskmate_skills(CONTEXT)]
    assert sorted(f.name for f in folders) == sorted(MANIFEST["skills"]["names"])
    for folder in folders:
        assert f"name: {folder.name}\n" in (folder / "SKILL.md").read_text()
        procedure = folder / "procedure.toml"
        if procedure.exists():
            for step in tomllib.loads(procedure.read_text())["steps"]:
                plugin, _, tool = step["tool"].partition("__")
                assert plugin == "hr"
                assert tool in MANIFEST["tools"]


def test_the_prompts_stay_far_below_two_thousand_tokens() -> None:
    prompts = list(deskmate_hr.deskmate_prompts(CONTEXT))
    assert [p.name for p in prompts] == ["role", "limits", "house-rules"]
    assert sum(len(p.text) for p in prompts) < 4_000
