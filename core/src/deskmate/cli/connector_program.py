"""Adding a connector that is a program: what is fetched, what is shown of it before it is started, and what it may reach."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deskmate.cli.connector_adding import agree_to, ask_secrets, book_of, show
from deskmate.cli.output import Session
from deskmate.errors import PluginError, UserError
from deskmate.types.connectors import ConnectorEntry, Program, SecretVariable
from deskmate.types.files import Grant
from deskmate.types.places import Places

if TYPE_CHECKING:
    from deskmate.ports import Progress

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_SECRET = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_OURS = re.compile(r"(?:LD_|PYTHON|NODE_OPTIONS|PATH$|HOME$)|(?i:.*_proxy$)")
_ONE, _MANY = r"(?:uvx|pipx run|uv tool run)", r"(?:npx(?: -y| --yes)?)"
_STARTED = re.compile(
    rf"(?:(?P<python>{_ONE}) (?P<pypi>[A-Za-z0-9][A-Za-z0-9._-]*(?:(?:==|@)[\w.+-]+)?)|{_MANY} (?P<npm>(?:@[\w.-]+/)?[\w.-]+(?:@[\w.-]+)?))"
    r"(?P<rest>(?: [^\s$`'\"]+)*)"
)


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
    known = _settings(options)
    url, fetched = _fetch(session, base.name, options, arguments)
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


def _settings(options: ProgramOptions) -> Program:
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


def _fetch(
    session: Session, name: str, options: ProgramOptions, arguments: tuple[str, ...]
) -> tuple[str, Program]:
    from deskmate.discovery.fetching import ProgramOrder, fetch_program  # noqa: PLC0415
    from deskmate.discovery.guest_wheels import Source  # noqa: PLC0415
    from deskmate.discovery.installing import cooldown_days, uploaded_before  # noqa: PLC0415
    from deskmate.models.settings import read_settings  # noqa: PLC0415

    days = options.cooldown
    if days is None:
        days = cooldown_days(read_settings(session.places.config))
    progress: Progress = lambda line: show(f"  {line}")  # noqa: E731
    order = ProgramOrder(
        kind="pypi" if options.pypi else "npm",
        package=options.pypi or options.npm,
        script=options.script,
        beside=options.beside,
        arguments=arguments,
        folder=program_folder(session.places, name),
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
