"""Which model a run uses: by its name, or by what is configured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deskmate.errors import ConfigError
from deskmate.models.anthropic import ANTHROPIC_URL, AnthropicModel
from deskmate.models.catalogue import FREE, MODELS, find_model
from deskmate.models.client import NAME as CLIENT
from deskmate.models.client import ClientModel
from deskmate.models.offline import OfflineModel
from deskmate.models.record import RecordingModel
from deskmate.models.replay import ReplayModel
from deskmate.ports import Model

KEY = "ANTHROPIC_API_KEY"
URL = "DESKMATE_MODEL_URL"
URL_KEY = "DESKMATE_MODEL_KEY"
DEFAULT = "DESKMATE_MODEL"


def choose_model(
    name: str | None,
    environ: Mapping[str, str],
    config: Mapping[str, Any] | None = None,
    *,
    record: Path | None = None,
) -> Model:
    """Return the model for `name`, or the default.

    `name`: `offline`, `replay:FILE`, `local` or `local:NAME`, an alias such as `sonnet`, or a model's
    id. `config`: `model` (default name), `model_url` (server that speaks the Messages API), `models`
    (alias → overrides, see `catalogue.find_model`). `record`: file that gets its replies.
    Without a name: the configured default; else `sonnet` if there is a key; else `local` if there is
    a server; else `offline`. Raises ConfigError that says what is missing.
    """
    model = _find(name or default_name(environ, config or {}), environ, config or {})
    return RecordingModel(model, record) if record is not None else model


def _find(name: str, environ: Mapping[str, str], config: Mapping[str, Any]) -> Model:
    if name == "offline":
        return OfflineModel()
    if name == CLIENT:  # its program has gone: the run that it left is checked and staged
        return ClientModel()
    if name.startswith("replay:"):
        return ReplayModel(Path(name.removeprefix("replay:")).expanduser())
    if name == "local" or name.startswith("local:"):
        return _local(name, environ, config)
    return _remote(name, environ, config)


def default_name(environ: Mapping[str, str], config: Mapping[str, Any]) -> str:
    """Return the name of the model that is used where none is named."""
    if name := environ.get(DEFAULT) or config.get("model"):
        return str(name)
    if environ.get(KEY):
        return "sonnet"
    return "local" if _server(environ, config) else "offline"


def server_of(name: str, environ: Mapping[str, str], config: Mapping[str, Any]) -> str:
    """Return the host that the model of this name is asked at, empty for one that asks nobody."""
    if name in ("offline", CLIENT) or name.startswith("replay:"):
        return ""
    if name == "local" or name.startswith("local:"):
        return urlsplit(_server(environ, config)).hostname or ""
    return urlsplit(environ.get("ANTHROPIC_BASE_URL") or ANTHROPIC_URL).hostname or ""


def _server(environ: Mapping[str, str], config: Mapping[str, Any]) -> str:
    return environ.get(URL) or str(config.get("model_url") or "")


def model_overrides(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return alias → settings of the user's own models. Raises ConfigError if that is no table."""
    models = config.get("models", {})
    if not isinstance(models, Mapping):
        raise ConfigError(
            "The setting models is not a table.", hint="Write a table per model: [models.NAME]"
        )
    return models


def _remote(name: str, environ: Mapping[str, str], config: Mapping[str, Any]) -> Model:
    overrides = model_overrides(config)
    if name not in MODELS and name not in overrides and not name.startswith("claude-"):
        known = ", ".join(sorted({*MODELS, *overrides}))
        raise ConfigError(
            f"There is no model {name!r}.",
            hint=f"Use {known}, a model's id, offline, local:NAME or replay:FILE.",
        )
    key = environ.get(KEY, "")
    if not key:
        raise ConfigError(
            f"{name} needs an API key and there is none.",
            hint=f"Set {KEY}, or use --model offline or a local server (local:NAME).",
        )
    base_url = environ.get("ANTHROPIC_BASE_URL") or ANTHROPIC_URL
    return AnthropicModel(find_model(name, overrides), api_key=key, name=name, base_url=base_url)


def _local(name: str, environ: Mapping[str, str], config: Mapping[str, Any]) -> Model:
    url = _server(environ, config)
    if not urlsplit(url).scheme.startswith("http") or not urlsplit(url).hostname:
        problem = f"{url!r} is not a server's URL" if url else "no server is configured"
        raise ConfigError(
            f"{name}: {problem}.",
            hint=f"Set {URL} to a server that speaks the Messages API, such as http://127.0.0.1:8080",
        )
    model = name.partition(":")[2] or "default"
    info = find_model(model, model_overrides(config))
    if info.price is None and _is_this_machine(url):
        info = replace(info, price=FREE)
    # The user's Anthropic key is never sent to another server.
    key = environ.get(URL_KEY) or "none"
    label = "local model" if _is_this_machine(url) else ""
    return AnthropicModel(info, api_key=key, name=name, base_url=url, label=label)


def _is_this_machine(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
