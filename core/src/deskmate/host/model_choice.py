"""Which model the user chose by a button: its key in the vault, its name and server beside the settings file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import anyio

from deskmate.connectors.vault import Vault, open_vault
from deskmate.errors import ModelUnavailable, UserError
from deskmate.types.places import Places

if TYPE_CHECKING:
    from deskmate.ports import Model, ModelReply

OWNER = "deskmate.model"
"""Whose the keys of models are in the vault: it has a dot, so that no plugin can have that name and be sent them."""
DEADLINE_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The model that a run uses where none is named.

    `key`: where the one for Claude comes from; `place`: where one would be kept, in words. `url`: of the local server.
    `fixed`: what decides instead of a button; empty: a button does.
    """

    name: str
    key: Literal["", "environment", "kept"]
    place: str
    url: str
    fixed: str


def environ_with_key(environ: Mapping[str, str], places: Places) -> dict[str, str]:
    """Return the environment, with the key that the user kept where it has none. Raises ConfigError. Blocks."""
    from deskmate.models.choose import KEY  # noqa: PLC0415

    found = dict(environ)
    # names are in a file: without a key of ours no keyring is looked for
    if not found.get(KEY) and (OWNER, KEY) in Vault(places.config, None).names():
        found[KEY] = open_vault(places.config, to_read=True).get(OWNER, KEY) or ""
    return found


def chosen(environ: Mapping[str, str], places: Places) -> Chosen:
    """Return what is chosen now. Raises ConfigError. Blocks."""
    from deskmate.models.choose import KEY, URL, default_name  # noqa: PLC0415
    from deskmate.models.settings import read_settings  # noqa: PLC0415

    settings, whole = read_settings(places.config), environ_with_key(environ, places)
    kept: Literal["", "kept"] = "kept" if whole.get(KEY) else ""
    return Chosen(
        name=default_name(whole, settings),
        key="environment" if environ.get(KEY) else kept,
        place=open_vault(places.config).place,
        url=environ.get(URL) or str(settings.get("model_url") or ""),
        fixed=_fixed(environ, places),
    )


def choose(name: str, url: str, environ: Mapping[str, str], places: Places) -> None:
    """Use this model from now on. `url`: of the server of a local one, else empty.

    Raises UserError for a model that cannot be used, that is not allowed here, or where something else decides. Blocks.
    """
    from deskmate.host.organisation import read_organisation  # noqa: PLC0415
    from deskmate.models.choose import choose_model, server_of  # noqa: PLC0415
    from deskmate.models.settings import CHOICE, read_settings  # noqa: PLC0415
    from deskmate.store.blobs import write_file  # noqa: PLC0415

    if fixed := _fixed(environ, places):
        raise UserError(f"The model is chosen by {fixed}.", hint="Change it there.")
    own = {"model": name, **({"model_url": url} if url else {})}
    settings = {**read_settings(places.config), **own}
    whole = environ_with_key(environ, places)
    choose_model(name, whole, settings)
    server = server_of(name, whole, settings)
    read_organisation().check_model(name, [server] if server else [])
    places.config.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_file(places.config / CHOICE, json.dumps(own).encode())


def keep_key(value: str, places: Places) -> None:
    """Keep the key for Claude. Raises UserError for what cannot be one, ConfigError. Blocks."""
    from deskmate.models.choose import KEY  # noqa: PLC0415

    open_vault(places.config).set(OWNER, KEY, value.strip())


def forget_key(places: Places) -> bool:
    """Forget the key that was kept; say whether there was one. Blocks."""
    from deskmate.models.choose import KEY  # noqa: PLC0415

    return open_vault(places.config).remove(OWNER, KEY)


async def try_model(model: Model) -> ModelReply:
    """Ask a model for one word, which costs a few tokens. Raises ModelUnavailable, and what it raises itself."""
    from deskmate.ports import ModelRequest  # noqa: PLC0415
    from deskmate.types.messages import Message, Text  # noqa: PLC0415

    words = Message(role="user", content=(Text(text="Answer with the single word: ready"),))
    request = ModelRequest(
        model=model.name, system=(), tools=(), messages=(words,), max_tokens=2_000
    )
    try:
        with anyio.fail_after(DEADLINE_S):
            return await model.reply(request, lambda text: None)
    except TimeoutError:
        raise ModelUnavailable(f"{model.name} did not answer in {DEADLINE_S:.0f} s.") from None


def _fixed(environ: Mapping[str, str], places: Places) -> str:
    from deskmate.models.choose import DEFAULT  # noqa: PLC0415
    from deskmate.models.settings import read_own  # noqa: PLC0415

    if environ.get(DEFAULT):
        return f"the environment ({DEFAULT}={environ[DEFAULT]})"
    own = read_own(places.config)
    return f"{places.config / 'config.toml'} (model = {own['model']!r})" if "model" in own else ""
