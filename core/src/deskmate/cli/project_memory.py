"""`deskmate project memory`: what a project remembers, to be read, written, agreed to and forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from deskmate.cli.output import Session, json_option, say, say_json
from deskmate.errors import UserError
from deskmate.shown import one_line, plain
from deskmate.types.memory import MemoryNote

if TYPE_CHECKING:
    from deskmate.store.memory import Memories


@click.group("memory")
def memory() -> None:
    """See and change what a project remembers.

    Notes are plain files, one each; what you change there holds in each thread of the project from its next run on.
    """


def _opened(session: Session, project: str) -> tuple[Memories, str]:
    """Return the notes and the project's id. Raises UserError if there is no such project."""
    from deskmate.store.memory import Memories  # noqa: PLC0415 - only commands need it
    from deskmate.store.projects import Projects  # noqa: PLC0415

    return Memories(session.places.data), Projects(session.places.data).get(project).id


@memory.command("list", short_help="List the notes of a project.")
@click.argument("project")
@json_option
@click.pass_obj
def list_command(session: Session, project: str, as_json: bool) -> None:
    """List the notes, who wrote them, and which wait for your word."""
    memories, name = _opened(session, project)
    found = memories.read(name)
    if as_json:
        folder = str(memories.folder(name))
        say_json({"folder": folder, "notes": found.notes, "skipped": found.skipped})
        return
    for note in found.notes:
        say(f"{note.name}  {_origin(note)}")
        say(f"  {one_line(note.text, 100)}")
    for file, why in found.skipped.items():
        say(f"! {file}: {why}")
    if any(not note.confirmed for note in found.notes):
        say(f"Agree to one: deskmate project memory confirm {name} NAME")
    if found.notes or found.skipped:
        say(f"The files are in {memories.folder(name)}")
    else:
        say(
            f'Nothing is remembered. Write something down: deskmate project memory add {name} NAME "…"'
        )


def _origin(note: MemoryNote) -> str:
    if note.by == "user":
        return "by you"
    where = f"by the agent, {note.date}, in {note.thread}"
    if note.confirmed:
        return f"{where}, you agreed to it" if note.tainted else where
    return f"{where}, after it had read texts of others: waits for your word"


@memory.command("show", short_help="Show a note.")
@click.argument("project")
@click.argument("name")
@json_option
@click.pass_obj
def show(session: Session, project: str, name: str, as_json: bool) -> None:
    """Show a note whole."""
    memories, key = _opened(session, project)
    note = memories.get(key, name)
    if as_json:
        say_json(note)
        return
    say(f"{note.name}  {_origin(note)}")
    say(plain(note.text))


@memory.command("add", short_help="Write a note, or another text for one.")
@click.argument("project")
@click.argument("name")
@click.argument("text")
@click.pass_obj
def add(session: Session, project: str, name: str, text: str) -> None:
    """Write a note of your own; one that has the name is replaced.

    \b
    deskmate project memory add "Harbour deal" dates "Write dates as 29.11.2026."
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    memories, key = _opened(session, project)
    memories.write(key, MemoryNote(name=name, text=text))
    say(f"Remembered: {memories.file(key, name)}")


@memory.command("edit", short_help="Change a note in your editor.")
@click.argument("project")
@click.argument("name")
@click.pass_obj
def edit(session: Session, project: str, name: str) -> None:
    """Open a note in your editor (VISUAL or EDITOR)."""
    memories, key = _opened(session, project)
    memories.get(key, name)
    try:
        click.edit(filename=str(memories.file(key, name)))
    except click.ClickException as error:
        raise UserError(
            f"No editor can be opened: {error.message}",
            hint=f"Set EDITOR, or change the file yourself: {memories.file(key, name)}",
        ) from error
    note = memories.get(key, name)
    say(f"{note.name}  {_origin(note)}")


@memory.command("confirm", short_help="Agree to a note that the agent wrote.")
@click.argument("project")
@click.argument("name")
@click.pass_obj
def confirm(session: Session, project: str, name: str) -> None:
    """Agree to a note: each thread of the project is told it from now on. It is shown first, whole."""
    memories, key = _opened(session, project)
    before = memories.get(key, name)
    say(plain(before.text))
    note = memories.confirm(key, name)
    say(f"{note.name} holds now, in each thread of the project from its next run on.")


@memory.command("forget", short_help="Remove notes.")
@click.argument("project")
@click.argument("names", nargs=-1, required=True)
@click.pass_obj
def forget(session: Session, project: str, names: tuple[str, ...]) -> None:
    """Remove notes. What threads were told of them stays in their records: see `deskmate audit erase`."""
    memories, key = _opened(session, project)
    for name in names:
        memories.forget(key, name)
        say(f"{name} is forgotten.")
