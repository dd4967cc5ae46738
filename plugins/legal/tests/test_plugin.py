import subprocess
import sys
import tomllib
from pathlib import Path

import deskmate_legal
from deskmate.plugin import PluginContext

PACKAGE = Path(deskmate_legal.__file__).parent
CONTEXT = PluginContext(name="legal", version="0.1.0", resources=PACKAGE)
MANIFEST = tomllib.loads((PACKAGE / "plugin.toml").read_text("utf-8"))


def test_tools_rules_and_skills_are_those_of_the_manifest() -> None:
    tools = {tool.name: tool.risk for tool in deskmate_legal.deskmate_tools(CONTEXT)}
    rules = {rule.rule for rule in deskmate_legal.deskmate_validators(CONTEXT)}
    skills = [skill.folder.name for skill in deskmate_legal.deskmate_skills(CONTEXT)]
    assert tools == {name: entry["risk"] for name, entry in MANIFEST["tools"].items()}
    assert rules == set(MANIFEST["validators"])
    assert skills == MANIFEST["skills"]["names"]


def test_prompts_fit_their_budget() -> None:
    texts = [prompt.text for prompt in deskmate_legal.deskmate_prompts(CONTEXT)]
    assert len(texts) == 3
    assert sum(map(len, texts)) < 2000 * 3


def test_procedures_call_tools_of_this_plugin_with_their_parameters() -> None:
    tools = {f"legal__{t.name}": t.function for t in deskmate_legal.deskmate_tools(CONTEXT)}
    procedures = list(PACKAGE.glob("skills/*/procedure.toml"))
    assert len(procedures) == 9
    for path in procedures:
        steps = tomllib.loads(path.read_text("utf-8"))["steps"]
        for step in steps:
            names = tools[step["tool"]].__code__.co_varnames
            assert set(step["arguments"]) <= set(names)


def test_importing_the_plugin_loads_no_document_library() -> None:
    code = (
        "import sys, deskmate_legal; "
        "print([n for n in ('docx', 'eyecite', 'lxml', 'yaml', 'jsonschema', 'pypdfium2') if n in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
