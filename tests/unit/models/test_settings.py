"""The model settings: read, or named as broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from deskmate.errors import ConfigError
from deskmate.models.settings import read_settings

KEY = {"ANTHROPIC_API_KEY": "sk-x"}
SERVER = {"DESKMATE_MODEL_URL": "http://127.0.0.1:8080"}


def test_settings_are_read_or_named_as_broken(tmp_path: Path) -> None:
    assert read_settings(tmp_path) == {}
    (tmp_path / "config.toml").write_text('model = "opus"')
    assert read_settings(tmp_path) == {"model": "opus"}
    (tmp_path / "config.toml").write_text("model = ")
    with pytest.raises(ConfigError, match="is not TOML"):
        read_settings(tmp_path)
