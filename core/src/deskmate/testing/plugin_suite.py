"""What holds for every plugin: its hooks keep what its `plugin.toml` promises. For plugins' own tests."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from deskmate.plugin import PluginContext

PROMPT_CHARACTERS = 8_000
"""About 2,000 tokens, the budget of one plugin's prompts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginUnderTest:
    """A plugin's package with its manifest. Each method raises AssertionError for what does not hold."""

    module: ModuleType
    context: PluginContext
    manifest: Mapping[str, Any]

    @classmethod
    def of(cls, name: str, module: ModuleType) -> PluginUnderTest:
        """Return the plugin `name` whose hooks live in the package `module`."""
        package = Path(str(module.__file__)).parent
        manifest = tomllib.loads((package / "plugin.toml").read_text("utf-8"))
        context = PluginContext(name=name, version="0.1.0", resources=package)
        return cls(module=module, context=context, manifest=manifest)

    def check_all(self) -> None:
        """Check tools, rules, skills and prompts."""
        self.check_tools()
        self.check_rules()
        self.check_skills()
        self.check_prompts()

    def check_tools(self) -> None:
        """The tools are those of the manifest with their risk, and say what their arguments are."""
        tools = list(self.module.deskmate_tools(self.context))
        promised = {name: row["risk"] for name, row in self.manifest.get("tools", {}).items()}
        assert {tool.name: tool.risk for tool in tools} == promised
        silent = [tool.name for tool in tools if "Args:" not in (tool.function.__doc__ or "")]
        assert silent == []

    def check_rules(self) -> None:
        """The rules are those of the manifest, each once."""
        rules = [rule.rule for rule in self.module.deskmate_validators(self.context)]
        assert sorted(rules) == sorted(self.manifest.get("validators", {}))

    def check_skills(self) -> None:
        """The skills are those of the manifest; their procedures call tools of this plugin only."""
        folders = [skill.folder for skill in self.module.deskmate_skills(self.context)]
        promised = self.manifest.get("skills", {}).get("names", [])
        assert sorted(folder.name for folder in folders) == sorted(promised)
        for folder in folders:
            assert f"name: {folder.name}\n" in (folder / "SKILL.md").read_text("utf-8")
            self._check_procedure(folder / "procedure.toml")

    def _check_procedure(self, file: Path) -> None:
        if not file.exists():
            return
        tools = {tool.name: tool.function for tool in self.module.deskmate_tools(self.context)}
        for step in tomllib.loads(file.read_text("utf-8"))["steps"]:
            plugin, _, name = step["tool"].partition("__")
            assert plugin == self.context.name, step["tool"]
            assert name in tools, step["tool"]
            parameters = set(tools[name].__code__.co_varnames)
            assert set(step.get("arguments", {})) <= parameters, step["tool"]

    def check_prompts(self) -> None:
        """There are prompts, each of its own name, and together they keep the budget."""
        prompts = list(self.module.deskmate_prompts(self.context))
        assert prompts
        assert len({prompt.name for prompt in prompts}) == len(prompts)
        assert sum(len(prompt.text) for prompt in prompts) < PROMPT_CHARACTERS
