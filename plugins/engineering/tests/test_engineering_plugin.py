import pytest

import deskmate_engineering
from deskmate.testing.plugin_suite import PluginUnderTest

PLUGIN = PluginUnderTest.of("engineering", deskmate_engineering)


@pytest.mark.parametrize("part", ["tools", "rules", "skills", "prompts"])
def test_the_plugin_is_what_its_manifest_says(part: str) -> None:
    getattr(PLUGIN, f"check_{part}")()


def test_its_prompts_say_role_limits_and_house_rules() -> None:
    names = [prompt.name for prompt in deskmate_engineering.deskmate_prompts(PLUGIN.context)]
    assert sorted(names) == ["house-rules", "limits", "role"]
