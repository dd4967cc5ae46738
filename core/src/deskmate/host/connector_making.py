"""What connecting a server takes, whoever asks: a free name, headers, a program with its bounds, and what was accepted."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from deskmate.errors import PluginError, UserError
from deskmate.types.connectors import (
    ConnectorEntry,
    Program,
    RemoteTool,
    SecretHeader,
    SecretVariable,
)
from deskmate.types.files import Grant
from deskmate.types.places import Places

if TYPE_CHECKING:
    from deskmate.connectors.pins import Listing
    from deskmate.ports import Progress

_HEADER = re.compile(
    r"([A-Za-z][A-Za-z0-9-]{0,63})=(?:([A-Za-z][A-Za-z0-9-]{0,15}) )?([A-Z][A-Z0-9_]{0,63})"
)
_OUR_HEADERS = frozenset(
    {
        "host",
        "content-length",
        "content-type",
        "transfer-encoding",
        "connection",
        "accept",
        "accept-encoding",
        "cookie",
    }
)
_PLAIN_KEYS = ("type", "title", "properties", "required", "additionalProperties", "$schema")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_SECRET = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_OURS = re.compile(r"(?:LD_|PYTHON|NODE_OPTIONS|PATH$|HOME$)|(?i:.*_proxy$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramOptions:
    """What the user said of a program, as they wrote it."""

    pypi: str = ""
    npm: str = ""
    script: str = ""
    beside: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    wheelhouse: Path | None = None
    cooldown: int | None = None
    keep: bool = False
    copies: tuple[Path, ...] = ()

    def __bool__(self) -> bool:
        """Say whether a program is meant, rather than an address."""
        return bool(self.pypi or self.npm)


def check_free(places: Places, name: str) -> None:
    """Raise UserError unless a new connector may have this name."""
    from deskmate.connectors.book import Book, check_name  # noqa: PLC0415
    from deskmate.discovery.installed import find_plugins  # noqa: PLC0415

    check_name(name)
    if Book(places.config).find(name) is not None:
        hint = f"Choose another name, or take it away first: deskmate connector remove {name}"
        raise UserError(f"There is a connector {name} already.", hint=hint)
    catalogue = find_plugins(cache=places.cache / "manifests.json", store=places.plugins)
    if name in {plugin.name for plugin in catalogue.plugins}:
        raise UserError(
            f"A plugin is called {name}.", hint=f"Choose another name, such as my-{name}."
        )


def parse_header(text: str) -> SecretHeader:
    """Return the header written as `NAME=[SCHEME ]SECRET`. Raises UserError; a value that looks like one is never shown."""
    match = _HEADER.fullmatch(text.strip())
    if match is None or match[1].lower() in _OUR_HEADERS or match[1].lower().startswith("mcp-"):
        raise UserError(
            "This is no header with the name of a secret.",
            hint="Write 'Authorization=Bearer TOKEN', where TOKEN is a name; the value is asked for and never shown.",
        )
    return SecretHeader(name=match[1], scheme=match[2] or "", secret=match[3])


def argument_lines(tool: RemoteTool) -> Iterator[str]:
    """Yield a tool's arguments with all that is said of them."""
    for name, schema in tool.input_schema.get("properties", {}).items():
        words = json.dumps(schema, ensure_ascii=False, sort_keys=True)
        if isinstance(schema, Mapping) and set(schema) <= {"type", "title", "description"}:
            kind, said = schema.get("type", "any"), schema.get("description", "")
            words = f"{kind}, {said}" if said else str(kind)
        yield f"{name}: {words}"
    rest = {key: value for key, value in tool.input_schema.items() if key not in _PLAIN_KEYS}
    if rest:
        yield f"and: {json.dumps(rest, ensure_ascii=False, sort_keys=True)}"


def hinted(tool: RemoteTool) -> str:
    """Return what a server says of a tool's effects; nothing follows from it."""
    if tool.hints.get("readOnlyHint"):
        return "only reads"
    if tool.hints.get("destructiveHint"):
        return "may destroy"
    return ""


def bounds_of(options: ProgramOptions) -> Program:
    """Return what the user allows the program, in a program without content. Raises UserError."""
    from deskmate.host.network import parse_allowed  # noqa: PLC0415

    hosts = tuple(parse_allowed(text) for text in options.hosts)
    names = {rule.host for rule in hosts}
    secrets = []
    for text in options.secrets:
        name, _, places = text.partition("=")
        send_to = tuple(place.strip().lower() for place in places.split(",") if place.strip())
        if not _SECRET.fullmatch(name) or not send_to:
            hint = "Write NAME=HOST, where NAME is in capitals; its value is asked for and never shown."
            raise UserError("This is no variable with a secret and its host.", hint=hint)
        if missing := [place for place in send_to if place not in names]:
            raise UserError(
                f"{name} is to go to {missing[0]}, which the program may not reach.",
                hint=f"Add --allow-host {missing[0]}:GET,POST",
            )
        secrets.append(SecretVariable(name=name, send_to=send_to))
    environment = dict(_variable(text) for text in options.variables)
    return Program(
        command=(), packages={}, wheels={}, folder="", main="", version="",
        hosts=hosts, secrets=tuple(secrets), environment=environment,
        keeps=options.keep, folders=_copies(options),
    )  # fmt: skip


def _copies(options: ProgramOptions) -> Mapping[str, str]:
    """Return name → folder of those that the program gets copies of. Raises UserError."""
    from deskmate.changes.scan import check_grants  # noqa: PLC0415
    from deskmate.host.kept import KEPT  # noqa: PLC0415

    if options.copies and options.hosts:
        raise UserError(
            "A program that has copies of your folders reaches no host: it could send them away unasked.",
            hint="Leave out --copy or --allow-host.",
        )
    grants = [Grant(name=folder.name, folder=str(folder)) for folder in options.copies]
    if any(grant.name == KEPT for grant in grants):
        raise UserError(
            f"The name {KEPT} is taken in the virtual machine.", hint="Rename the folder."
        )
    check_grants(grants)
    return {grant.name: grant.folder for grant in grants}


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not _VARIABLE.fullmatch(name) or not value.isprintable():
        raise UserError(f"{name!r} is no variable with a value.", hint="Write --env NAME=VALUE")
    if _OURS.match(name):
        raise UserError(
            f"{name} is Deskmate's to set in the virtual machine.", hint="Leave it out."
        )
    return name, value


def fetched_program(
    places: Places,
    name: str,
    options: ProgramOptions,
    arguments: tuple[str, ...],
    progress: Progress,
) -> tuple[str, Program]:
    """Fetch a program and return its address and what was pinned. Raises UserError, PluginError. Blocks."""
    from deskmate.discovery.fetching import ProgramOrder, fetch_program  # noqa: PLC0415
    from deskmate.discovery.guest_wheels import Source  # noqa: PLC0415
    from deskmate.discovery.installing import cooldown_days, uploaded_before  # noqa: PLC0415
    from deskmate.models.settings import read_settings  # noqa: PLC0415

    days = options.cooldown
    if days is None:
        days = cooldown_days(read_settings(places.config))
    order = ProgramOrder(
        kind="pypi" if options.pypi else "npm",
        package=options.pypi or options.npm,
        script=options.script,
        beside=options.beside,
        arguments=arguments,
        folder=program_folder(places, name),
        source=Source(wheelhouse=options.wheelhouse, before=uploaded_before(days)),
    )
    try:
        return fetch_program(order, progress)
    except PluginError as error:
        if not order.source.before or order.source.wheelhouse is not None:
            raise
        young = (
            f"What was published after {order.source.before} is left out; --cooldown 0 takes it."
        )
        raise PluginError(error.message, hint=f"{error.hint} {young}".strip()) from error


def program_folder(places: Places, name: str) -> Path:
    """Return where a connector's pinned packages lie."""
    return places.data / "programs" / name


def forget_program(places: Places, name: str) -> None:
    """Remove a connector's packages."""
    from deskmate.host.kept import forget_kept  # noqa: PLC0415

    shutil.rmtree(program_folder(places, name), ignore_errors=True)
    forget_kept(places, name)


def program_lines(entry: ConnectorEntry, *, whole: bool = False) -> list[str]:
    """Return what a program is made of and may reach. `whole`: each package with its integrity."""
    from deskmate.host.network import shown  # noqa: PLC0415

    program = entry.program
    if program is None:
        return []
    reach = ", ".join(shown(rule) for rule in program.hosts) or "nothing"
    arguments = program.command[3:] if entry.url.startswith("pypi:") else program.command[2:]
    lines = [
        f"{entry.url}, a program in a virtual machine of its own; it may reach {reach}",
        *([f"  arguments: {shlex.join(arguments)}"] if arguments else []),
        *(f"  variable {name}={value}" for name, value in program.environment.items()),
        *(
            f"  variable {secret.name}: a stand-in for your secret, which goes to {', '.join(secret.send_to)} only"
            for secret in program.secrets
        ),
    ]
    if whole:
        lines += [f"  {name}  {pin}" for name, pin in program.packages.items()]
    if program.keeps:
        lines.append(
            "  it keeps a folder of its own from run to run, which every thread with it shares"
        )
    lines += [
        f"  it gets a copy of {folder} as {name}, in each run anew"
        for name, folder in program.folders.items()
    ]
    many = len(program.packages)
    lines.append(f"  {many} package{'' if many == 1 else 's'}, pinned")
    return lines


def accepted(entry: ConnectorEntry, found: ConnectorEntry, listing: Listing) -> ConnectorEntry:
    """Return a connector whose tools are those that were shown now.

    What was allowed a tool that changed does not hold for what it is now.
    """
    from deskmate.connectors.pins import drift  # noqa: PLC0415

    off = drift(entry.tools, listing.tools).off()
    kept = {
        tool: setting
        for tool, setting in entry.settings.items()
        if tool not in off or setting.decision == "deny"
    }
    return replace(found, tools=listing.tools, off={}, settings=kept)


def forget(places: Places, name: str) -> tuple[bool, bool]:
    """Forget a connector with its secrets; say whether there was one, and whether it had secrets. Blocks."""
    from deskmate.connectors.book import Book  # noqa: PLC0415

    if not Book(places.config).remove(name):
        return False, False
    forget_program(places, name)
    return True, forget_secrets(places, name)


def forget_secrets(places: Places, name: str) -> bool:
    """Forget a connector's login and secrets; say whether there were any. Blocks."""
    from deskmate.connectors.logins import Logins  # noqa: PLC0415
    from deskmate.connectors.vault import open_vault  # noqa: PLC0415

    vault = open_vault(places.config)
    entry = ConnectorEntry(name=name, url="")
    Logins(places.config, vault).forget(entry)
    forgotten = [secret for kept, secret in vault.names() if kept == entry.owner]
    for secret in forgotten:
        vault.remove(entry.owner, secret)
    return bool(forgotten)
