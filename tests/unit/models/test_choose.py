"""Which model is used: by name, by key, by server, or rules only; and what a mistake says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from deskmate.errors import ConfigError
from deskmate.models.anthropic import AnthropicModel
from deskmate.models.catalogue import FREE
from deskmate.models.choose import choose_model
from deskmate.models.offline import OfflineModel
from deskmate.models.record import RecordingModel

KEY = {"ANTHROPIC_API_KEY": "sk-x"}
SERVER = {"DESKMATE_MODEL_URL": "http://127.0.0.1:8080"}


@pytest.mark.parametrize(
    ("name", "environ", "config", "expected"),
    [
        (None, {}, {}, "offline"),
        (None, KEY, {}, "sonnet"),
        (None, SERVER, {}, "local"),
        (None, {}, {"model_url": "http://127.0.0.1:1"}, "local"),
        (None, {**KEY, **SERVER}, {}, "sonnet"),
        (None, KEY, {"model": "opus"}, "opus"),
        (None, {**KEY, "DESKMATE_MODEL": "offline"}, {"model": "opus"}, "offline"),
        ("offline", KEY, {}, "offline"),
        ("opus", KEY, {}, "opus"),
        ("claude-from-tomorrow", KEY, {}, "claude-from-tomorrow"),
        ("mine", KEY, {"models": {"mine": {"id": "some-id"}}}, "mine"),
        ("local:qwen", SERVER, {}, "local:qwen"),
    ],
)
def test_the_model_follows_from_name_environment_and_settings(
    name: str | None, environ: Mapping[str, str], config: Mapping[str, Any], expected: str
) -> None:
    assert choose_model(name, environ, config).name == expected


@pytest.mark.parametrize(
    ("name", "environ", "config", "words"),
    [
        ("sonnet", {}, {}, "needs an API key"),
        ("sonet", KEY, {}, "no model 'sonet'"),
        ("local", {}, {}, "no server is configured"),
        ("local:x", {"DESKMATE_MODEL_URL": "127.0.0.1:80"}, {}, "not a server's URL"),
        ("replay:/does/not/exist", {}, {}, "cannot be read"),
        ("sonnet", KEY, {"models": 3}, "models is not a table"),
        ("sonnet", KEY, {"models": {"sonnet": {"colour": 1}}}, "has no colour"),
        ("sonnet", KEY, {"models": {"sonnet": 1}}, "is not a table"),
        ("sonnet", KEY, {"models": {"sonnet": {"input_usd": "1"}}}, "input_usd"),
        ("mine", KEY, {"models": {"mine": {"input_usd": 1}}}, "both"),
    ],
)
def test_a_mistake_is_named_in_one_line(
    name: str, environ: Mapping[str, str], config: Mapping[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        choose_model(name, environ, config)


def test_a_local_server_never_gets_the_anthropic_key_and_costs_nothing() -> None:
    model = choose_model("local:x", {**KEY, **SERVER})
    assert isinstance(model, AnthropicModel)
    assert model._api_key == "none"
    assert model.info.price == FREE
    remote = choose_model("local:x", {"DESKMATE_MODEL_URL": "https://models.example.com"})
    assert isinstance(remote, AnthropicModel)
    assert remote.info.price is None
    own = choose_model("local:x", {**SERVER, "DESKMATE_MODEL_KEY": "k"})
    assert isinstance(own, AnthropicModel)
    assert own._api_key == "k"


def test_recording_is_part_of_the_choice(tmp_path: Path) -> None:
    model = choose_model("offline", {}, record=tmp_path / "x.jsonl")
    assert isinstance(model, RecordingModel)
    assert isinstance(model._model, OfflineModel)
