"""Adding a connector that is a program: what is fetched, what is shown of it before it is started, and what it may reach."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from deskmate.cli.connector_adding import agree_to, ask_secrets, book_of, show
from deskmate.cli.output import Session
from deskmate.errors import UserError
from deskmate.host.connector_making import (
    ProgramOptions,
    bounds_of,
    fetched_program,
    forget_program,
    program_lines,
)
from deskmate.types.connectors import ConnectorEntry, Program

_ONE, _MANY = r"(?:uvx|pipx run|uv tool run)", r"(?:npx(?: -y| --yes)?)"
_STARTED = re.compile(
    rf"(?:(?P<python>{_ONE}) (?P<pypi>[A-Za-z0-9][A-Za-z0-9._-]*(?:(?:==|@)[\w.+-]+)?)|{_MANY} (?P<npm>(?:@[\w.-]+/)?[\w.-]+(?:@[\w.-]+)?))"
    r"(?P<rest>(?: [^\s$`'\"]+)*)"
)


def program_options(decorated: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a program to a command, which gets them as one argument `program`."""
    options = (
        click.option("--pypi", default="", metavar="PACKAGE[==VERSION]", help="The server is a program of this Python package; it runs in a virtual machine of its own. Its arguments stand after --."),
        click.option("--npm", default="", metavar="PACKAGE[@VERSION]", help="The same, of this package of npm."),
        click.option("--script", default="", help="Which program of the package, where it has several."),
        click.option("--with", "beside", multiple=True, metavar="REQUIREMENT", help="Bring this Python package too, or in this version: 'mcp<2'."),
        click.option("--allow-host", "hosts", multiple=True, metavar="HOST[:GET,POST,…]", help="Let the program reach a host; without this it reaches nothing."),
        click.option("--secret-env", "secrets", multiple=True, metavar="NAME=HOST[,HOST]", help="Give it a stand-in for your secret NAME as a variable; the secret itself goes to HOST only."),
        click.option("--keep", is_flag=True, help="Let it keep a folder of its own from run to run; {kept} in its arguments and variables is the place."),
        click.option("--copy", "copies", multiple=True, type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path), metavar="FOLDER", help="Give it a copy of this folder as {folders}/NAME in each run; what it changes there is gone at the end."),
        click.option("--env", "variables", multiple=True, metavar="NAME=VALUE", help="Set a variable of the program."),
        click.option("--wheelhouse", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Take Python packages from this folder instead of the index."),
        click.option("--cooldown", type=click.IntRange(0, 3650), metavar="DAYS", help="Leave out packages that were published for less; [install] cooldown_days, else 7."),
    )  # fmt: skip
    for option in reversed(options):
        decorated = option(decorated)
    return decorated


def program_entry(
    session: Session,
    base: ConnectorEntry,
    options: ProgramOptions,
    arguments: tuple[str, ...],
    *,
    yes: bool,
) -> ConnectorEntry:
    """Fetch a program and return the connector with it, once the user has seen what was pinned. Raises UserError."""
    if options.pypi and options.npm:
        raise UserError("A program is of PyPI or of npm.", hint="Say --pypi or --npm.")
    known = bounds_of(options)
    url, fetched = fetched_program(
        session.places, base.name, options, arguments, lambda line: show(f"  {line}")
    )
    program = replace(
        fetched,
        hosts=known.hosts,
        secrets=known.secrets,
        environment=known.environment,
        keeps=known.keeps,
        folders=known.folders,
    )
    entry = replace(base, url=url, transport="stdio", program=program)
    for line in program_lines(entry, whole=True):
        show(line)
    agree_to(
        yes,
        "Start it in a virtual machine of its own and ask for its tools?",
        f"{base.name} is not connected",
    )
    ask_secrets(session, entry)
    show("  Starting it in a virtual machine, which takes a moment, the first time more")
    return entry


@contextmanager
def forgotten_unless_kept(session: Session, name: str) -> Iterator[None]:
    """Remove what was fetched for a new connector if it is not there after the block."""
    try:
        yield
    finally:
        if book_of(session).find(name) is None:
            forget_program(session.places, name)


def stderr_lines(stderr: str, limit: int = 20) -> list[str]:
    """Return the last lines of what a program wrote to stderr."""
    rows = stderr.strip().splitlines()[-limit:]
    return ["it wrote to stderr:", *(f"    {row}" for row in rows)] if rows else []


def command_for(target: str, name: str, plugin: str, variables: tuple[str, ...] = ()) -> str:
    """Return the command that adds the program which a plugin's `.mcp.json` would start, "" if there is none."""
    match = _STARTED.fullmatch(target)
    if match is None:
        return ""
    if match["pypi"]:
        what = f"--pypi {match['pypi'].replace('@', '==').removesuffix('==latest')}"
    else:
        what = f"--npm {shlex.quote(match['npm'].removesuffix('@latest'))}"
    secrets = "".join(f" --secret-env {one}=HOST --allow-host HOST" for one in variables)
    rest = f" --{match['rest']}" if match["rest"] else ""
    return f"deskmate connector add {name} {what} --of {plugin}{secrets}{rest}"


def program_facts(program: Program | None) -> Mapping[str, Any] | None:
    """Return what scripts see of a program in a list."""
    if program is None:
        return None
    return {"packages": len(program.packages), "hosts": [rule.host for rule in program.hosts]}
