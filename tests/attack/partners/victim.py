"""An honest plugin beside an evil one: holds a secret while it works, and has a gate."""

import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from deskmate.plugin import (
    Deliverable,
    Finding,
    PluginContext,
    Tool,
    ValidationContext,
    Validator,
    hookimpl,
)


def hold(seconds: float) -> dict[str, str]:
    """Work for a while with a secret in the environment, at home and in temporary files.

    Args:
        seconds: how long.
    """
    os.environ["VICTIM_SECRET"] = "canary"
    home = Path(os.environ["HOME"])
    files = [home / "secret", Path("/tmp/victim.txt"), Path("/dev/shm/victim.txt")]
    for file in files:
        file.write_text("canary")
    time.sleep(seconds)
    return {
        "home": str(home),
        "temporary": tempfile.gettempdir(),
        **{file.name + str(number): file.read_text() for number, file in enumerate(files)},
    }


def check(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """The gate: what says `bad` is bad."""
    if "bad" in context.file.read_text():
        yield Finding(rule="VICTIM-OK", level="error", message="It is bad.")


@hookimpl
def deskmate_tools(context: PluginContext) -> Iterable[Tool]:
    return [Tool(function=hold, timeout_s=120)]


@hookimpl
def deskmate_validators(context: PluginContext) -> Iterable[Validator]:
    return [Validator(rule="VICTIM-OK", function=check, title="Nothing is bad.")]
