"""`deskmate model`: which models there are, and whether one answers."""

from __future__ import annotations

import os
from typing import Any

import click

from deskmate.cli.output import Session, json_option, say, say_json


@click.group("model")
def command() -> None:
    """List and test models."""


@command.command("list", short_help="List the models and what they cost.")
@json_option
@click.pass_obj
def list_models(session: Session, as_json: bool) -> None:
    """List the models that have a name, what they cost, and which one is the default.

    Prices are US dollars for a million tokens, as published on the date shown.
    """
    from deskmate.host.model_choice import environ_with_key  # noqa: PLC0415
    from deskmate.models.catalogue import MODELS, find_model  # noqa: PLC0415
    from deskmate.models.choose import KEY, URL, default_name, model_overrides  # noqa: PLC0415
    from deskmate.models.settings import read_settings  # noqa: PLC0415

    config = read_settings(session.places.config)
    overrides = model_overrides(config)
    environ = environ_with_key(os.environ, session.places)
    default = default_name(environ, config)
    names = sorted({*MODELS, *overrides})
    infos = [find_model(name, overrides) for name in names]
    if as_json:
        say_json({"default": default, "models": infos})
        return
    ready = "" if environ.get(KEY) else f"  (needs {KEY})"
    for info in infos:
        say(f"{info.alias:10} {info.title}{ready}")
        say(f"{'':10} {info.id}, {_price_text(info)}")
    say(f"{'offline':10} Rules only, no language model: follows the procedures of skills. Free.")
    server = os.environ.get(URL) or config.get("model_url") or f"none; set {URL}"
    say(f"{'local:NAME':10} A model on a server that speaks the Messages API: {server}")
    say(f"{'replay:FILE':10} Answers from a run recorded with --record FILE.")
    say(f"Default: {default}")


def _price_text(info: Any) -> str:
    if info.price is None:
        return "price unknown"
    text = f"{info.price.input:g} in, {info.price.output:g} out"
    if info.long_price is not None:
        text += (
            f" ({info.long_price.input:g} and {info.long_price.output:g} for prompts over "
            f"{info.long_over_tokens:,} tokens)"
        )
    return f"{text}; {info.price.source}" + (f", {info.price.read}" if info.price.read else "")


@command.command("test")
@click.argument("name", required=False)
@json_option
@click.pass_obj
def test_model(session: Session, name: str | None, as_json: bool) -> int:
    """Ask a model for one word and say what came back. Costs a few tokens.

    NAME: as in `model list`; without it the default. Exit code 1 if it does not answer.
    """
    import anyio  # noqa: PLC0415

    from deskmate.host.model_choice import environ_with_key, try_model  # noqa: PLC0415
    from deskmate.models.choose import choose_model  # noqa: PLC0415
    from deskmate.models.settings import read_settings  # noqa: PLC0415
    from deskmate.types.messages import text_of  # noqa: PLC0415

    environ = environ_with_key(os.environ, session.places)
    model = choose_model(name, environ, read_settings(session.places.config))
    reply = anyio.run(try_model, model)
    text = text_of(reply.content)
    if as_json:
        say_json({"model": model.name, "answers": True, "text": text, "usage": reply.usage})
    else:
        label = f" ({reply.label})" if reply.label else ""
        say(f"{model.name}{label} answers: {text}")
    return 0
