"""`deskmate project`: folders, plugins and instructions that threads share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import click

from deskmate.cli.output import Session, json_option, say, say_json
from deskmate.cli.project_memory import memory
from deskmate.errors import UserError

if TYPE_CHECKING:
    from deskmate.store.projects import Projects
    from deskmate.types.files import Grant
    from deskmate.types.projects import Project


@click.group("project")
def command() -> None:
    """Give threads common folders, plugins and instructions.

    What a project holds is in each of its threads from the thread's next run on.
    """


command.add_command(memory)

_folders = click.option(
    "--folder",
    "-f",
    "folders",
    multiple=True,
    metavar="PATH[:ro|rw|rw-no-delete]",
    help="A folder for its threads.",
)
_plugins = click.option(
    "--plugin", "-p", "plugins", multiple=True, help="A plugin for its threads."
)
_instructions = click.option(
    "--instructions", help="What holds in each of its threads; @FILE reads a file."
)


def projects(session: Session) -> Projects:
    """Return the user's projects."""
    from deskmate.store.projects import Projects  # noqa: PLC0415 - only commands need it

    return Projects(session.places.data)


@command.command("new", short_help="Make a project.")
@click.argument("name")
@_folders
@_plugins
@_instructions
@json_option
@click.pass_obj
def new(
    session: Session,
    name: str,
    folders: tuple[str, ...],
    plugins: tuple[str, ...],
    instructions: str | None,
    as_json: bool,
) -> None:
    """Make a project and say its id.

    \b
    deskmate project new "Harbour deal" --folder ~/harbour --plugin legal --instructions "Answer in German."
    deskmate run "Review the NDA." --project "Harbour deal"
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    grants = _grants(folders, ())
    _agree(session, plugins)
    project = projects(session).new(
        name, instructions=_read(instructions or ""), grants=grants, plugins=plugins
    )
    _show(session, project, as_json=as_json)


@command.command("list", short_help="List projects.")
@json_option
@click.pass_obj
def list_command(session: Session, as_json: bool) -> None:
    """List the projects with how many threads each has."""
    counts = _threads(session)
    found = projects(session).all()
    if as_json:
        say_json([{"project": one, "threads": len(counts.get(one.id, ()))} for one in found])
        return
    for one in found:
        number = len(counts.get(one.id, ()))
        say(f"{one.id}  {one.name}  {number} thread{'' if number == 1 else 's'}")
    if not found:
        say('There is no project yet. Make one: deskmate project new "…"')


@command.command("show", short_help="Show a project and its threads.")
@click.argument("project")
@json_option
@click.pass_obj
def show(session: Session, project: str, as_json: bool) -> None:
    """Show what a project holds, and its threads."""
    _show(session, projects(session).get(project), as_json=as_json)


@command.command("change", short_help="Change what a project holds.")
@click.argument("project")
@click.option("--name", help="Another name.")
@_folders
@_plugins
@click.option("--remove", "-r", "out", multiple=True, metavar="PATH|PLUGIN", help="Take it out.")
@_instructions
@json_option
@click.pass_obj
def change(
    session: Session,
    project: str,
    name: str | None,
    folders: tuple[str, ...],
    plugins: tuple[str, ...],
    out: tuple[str, ...],
    instructions: str | None,
    as_json: bool,
) -> None:
    """Change a project; its threads follow at their next run.

    What is taken out of the project is taken from its threads too, unless a thread was given it by itself.
    """
    from deskmate.store.projects import checked_name  # noqa: PLC0415

    store = projects(session)
    found = _without(store.get(project), out)
    _agree(session, plugins)
    found = replace(
        found,
        name=_free(store, checked_name(name), found) if name is not None else found.name,
        grants=_grants(folders, found.grants),
        plugins=tuple(dict.fromkeys((*found.plugins, *plugins))),
        instructions=found.instructions if instructions is None else _read(instructions),
    )
    store.save(found)
    _show(session, found, as_json=as_json)


@command.command("delete", short_help="Delete a project; its threads stay.")
@click.argument("project")
@click.pass_obj
def delete(session: Session, project: str) -> None:
    """Delete a project. Its threads stay, and keep what they have of it."""
    from deskmate.store.memory import Memories  # noqa: PLC0415 - only commands need it

    found = projects(session).get(project)
    projects(session).delete(found)
    say(f"The project {found.name} is deleted.")
    notes = Memories(session.places.data).folder(found.id)
    if notes.is_dir() and any(notes.iterdir()):
        say(f"  its notes stay in {notes}; remove them there")
    for line in _threads(session).get(found.id, []):
        say(f"  stays    {line}")


@command.command("add", short_help="Put threads into a project.")
@click.argument("project")
@click.argument("threads", nargs=-1, required=True)
@click.pass_obj
def add(session: Session, project: str, threads: tuple[str, ...]) -> None:
    """Put threads into a project; each is in one at most."""
    from deskmate.host.projects import set_thread_project  # noqa: PLC0415

    for thread in threads:
        anyio.run(set_thread_project, session.places, thread, project)
        say(f"{thread} is in the project {projects(session).get(project).name}.")


@command.command("remove", short_help="Take threads out of their project.")
@click.argument("threads", nargs=-1, required=True)
@click.pass_obj
def remove(session: Session, threads: tuple[str, ...]) -> None:
    """Take threads out of their project; what it gave them goes at their next run."""
    from deskmate.host.projects import set_thread_project  # noqa: PLC0415

    for thread in threads:
        anyio.run(set_thread_project, session.places, thread, "")
        say(f"{thread} is in no project.")


def _without(project: Project, out: tuple[str, ...]) -> Project:
    """Return the project without these folders and plugins. Raises UserError for one it does not have."""
    for name in out:
        folder = str(Path(name).expanduser().absolute())
        grants = tuple(grant for grant in project.grants if grant.folder != folder)
        plugins = tuple(plugin for plugin in project.plugins if plugin != name)
        if (grants, plugins) == (project.grants, project.plugins):
            raise UserError(
                f"The project {project.name} has no folder or plugin {name}.",
                hint=f"See: deskmate project show {project.id}",
            )
        project = replace(project, grants=grants, plugins=plugins)
    return project


def _free(store: Projects, name: str, project: Project) -> str:
    other = store.find(name)
    if other is not None and other.id != project.id:
        raise UserError(f"There is a project {name} already.", hint="Choose another name.")
    return name


def _grants(folders: tuple[str, ...], had: tuple[Grant, ...]) -> tuple[Grant, ...]:
    """Return the grants with these folders added, or with another mode."""
    from deskmate.changes.scan import check_grants  # noqa: PLC0415
    from deskmate.cli.run import parse_folder  # noqa: PLC0415
    from deskmate.host.projects import beside  # noqa: PLC0415

    grants = had
    for folder in folders:
        fresh = parse_folder(folder)
        same = {
            one.folder: replace(one, mode=fresh.mode)
            for one in grants
            if one.folder == fresh.folder
        }
        grants = tuple(same.get(one.folder, one) for one in grants) + beside((fresh,), grants)
    check_grants(grants)
    return grants


def _read(text: str) -> str:
    """Return the instructions, out of a file if they begin with @. Raises UserError."""
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UserError(f"{text[1:]} cannot be read: {why}.") from error


def _agree(session: Session, plugins: tuple[str, ...]) -> None:
    """Refuse plugins that are not there, and ask for what the user has not agreed to."""
    from deskmate.cli.permissions import ask_what_is_new  # noqa: PLC0415
    from deskmate.host.adapters import Adapters  # noqa: PLC0415

    Adapters(session.places).check_plugins(plugins)
    ask_what_is_new(session, plugins, None)


def _threads(session: Session) -> dict[str, list[str]]:
    """Return project → its threads."""
    from deskmate.cli.own_thread import catalogue  # noqa: PLC0415

    found: dict[str, list[str]] = {}
    for summary in catalogue(session).summaries():
        if summary.project:
            found.setdefault(summary.project, []).append(f"{summary.thread}  {summary.title}")
    return found


def _show(session: Session, project: Project, *, as_json: bool) -> None:
    threads = _threads(session).get(project.id, [])
    if as_json:
        say_json({"project": project, "threads": [line.partition("  ")[0] for line in threads]})
        return
    say(f"{project.id}  {project.name}")
    for grant in project.grants:
        say(f"  folder   {grant.folder} ({grant.mode})")
    for plugin in project.plugins:
        say(f"  plugin   {plugin}")
    for line in project.instructions.strip().splitlines():
        say(f"  | {line}")
    for line in threads:
        say(f"  thread   {line}")
