"""The key that a button kept is used where the environment has none, and by nobody who is no model."""

from __future__ import annotations

from pathlib import Path

import pytest

from deskmate.connectors import vault
from deskmate.connectors.vault import Vault
from deskmate.discovery import installed
from deskmate.errors import ConfigError
from deskmate.host import model_choice
from deskmate.host.adapters import Adapters
from deskmate.models.settings import CHOICE, read_settings
from deskmate.types.places import Places

SECRET = "sk-ant-secret-0123456789"


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    for module in (vault, model_choice):
        monkeypatch.setattr(module, "open_vault", lambda folder, to_read=False: Vault(folder, None))
    return Places(data=tmp_path / "data", cache=tmp_path / "cache", config=tmp_path / "config")


def test_a_kept_key_is_used_redacted_and_beaten_by_the_environment(places: Places) -> None:
    with pytest.raises(ConfigError, match="needs an API key"):
        Adapters(places, environ={}).model("sonnet")
    host = Adapters(places, environ={})
    model_choice.keep_key(SECRET, places)
    assert host.model("sonnet").name == "sonnet"  # a server that runs already takes it, too
    assert host.model(None).name == "sonnet"
    assert SECRET not in host.redactor().text(f"it is {SECRET}")
    own = {"ANTHROPIC_API_KEY": "sk-ant-other"}
    assert model_choice.environ_with_key(own, places) == own
    assert model_choice.chosen(own, places).key == "environment"
    assert model_choice.forget_key(places)
    assert model_choice.environ_with_key({}, places) == {}


def test_no_plugin_can_have_the_name_that_keys_are_kept_under() -> None:
    assert "." in model_choice.OWNER
    assert not installed._PLUGIN_NAME.fullmatch(model_choice.OWNER)


def test_a_choice_stands_below_what_is_written_by_hand(places: Places) -> None:
    model_choice.choose("offline", "", {}, places)
    assert read_settings(places.config) == {"model": "offline"}
    (places.config / "config.toml").write_text('model = "opus"')
    assert read_settings(places.config) == {"model": "opus"}
    (places.config / CHOICE).write_text("{")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_settings(places.config)
