"""`deskmate skill`: the skills that plugins bring, in any format, read as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from deskmate.cli.output import Session, json_option, say, say_json
from deskmate.cli.plugin import installed_plugins
from deskmate.errors import PluginError

if TYPE_CHECKING:
    from deskmate.discovery.skills import SkillText

_SHOWN = 200


@click.group("skill")
def command() -> None:
    """List and show the skills of the installed plugins."""


@command.command("list", short_help="List the skills, and what rules alone can do.")
@json_option
@click.pass_obj
def list_command(session: Session, as_json: bool) -> None:
    """List the skills: what each is for, and whether rules alone can do it."""
    from deskmate.discovery.skills import skills_of  # noqa: PLC0415

    skills = [skill for plugin in installed_plugins(session).plugins for skill in skills_of(plugin)]
    if as_json:
        say_json(
            {
                "skills": [
                    {
                        "plugin": skill.plugin,
                        "name": skill.name,
                        "description": skill.description,
                        "has_procedure": skill.has_procedure,
                        "problem": skill.problem,
                        "kind": skill.kind,
                        "hint": skill.hint,
                        "path": skill.path,
                        "listed": skill.listed,
                    }
                    for skill in skills
                ]
            }
        )
        return
    lines = [_line(skill) for skill in skills] or ["No installed plugin brings a skill."]
    say("\n".join(lines))  # at once: thousands of writes take their time


def _line(skill: SkillText) -> str:
    if skill.problem:
        return f"/{skill.name} ({skill.plugin})  NOT USABLE: {skill.problem}"
    if not skill.path:
        mark = " · works without a language model" if skill.has_procedure else ""
        return f"/{skill.name} ({skill.plugin}{mark})  {skill.description}"
    hint = f" {skill.hint}" if skill.hint else ""
    marks = [skill.kind, *(() if skill.listed else ("only when you call it",))]
    text = skill.description
    short = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
    return f"/{skill.name}{hint} ({', '.join(marks)})  {short}"


@command.command("show")
@click.argument("name")
@click.pass_obj
def show_command(session: Session, name: str) -> None:
    """Show the text of a skill, as NAME, PLUGIN:NAME or PLUGIN/NAME."""
    from deskmate.discovery.skills import body_of, skills_of  # noqa: PLC0415

    wanted = name.removeprefix("/").replace("/", ":")
    owner, _, short = wanted.rpartition(":")
    found = [
        (plugin, skill)
        for plugin in installed_plugins(session).plugins
        if owner in ("", plugin.name)
        for skill in skills_of(plugin)
        if skill.name in (wanted, short) or skill.name == f"{plugin.name}:{short}"
    ]
    if not found:
        raise PluginError(
            f"There is no skill {name!r}.", hint="`deskmate skill list` has them all."
        )
    for plugin, skill in found:
        where = f" ({skill.path})" if skill.path else ""
        said = skill.name if skill.path else f"{skill.plugin}/{skill.name}"
        say(f"{said}{where}: {skill.problem or skill.description}")
        say()
        say(body_of(plugin, skill))
