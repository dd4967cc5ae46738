"""`deskmate skill`: the skills that installed plugins bring, read as text."""

from __future__ import annotations

import click

from deskmate.cli.output import Session, json_option, say, say_json
from deskmate.cli.plugin import installed_plugins
from deskmate.errors import PluginError


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
                    }
                    for skill in skills
                ]
            }
        )
        return
    for skill in skills:
        mark = " · works without a language model" if skill.has_procedure else ""
        if skill.problem:
            say(f"/{skill.name} ({skill.plugin})  NOT USABLE: {skill.problem}")
        else:
            say(f"/{skill.name} ({skill.plugin}{mark})  {skill.description}")
    if not skills:
        say("No installed plugin brings a skill.")


@command.command("show")
@click.argument("name")
@click.pass_obj
def show_command(session: Session, name: str) -> None:
    """Show the text of a skill, as NAME or PLUGIN/NAME."""
    from deskmate.discovery.skills import skills_of  # noqa: PLC0415

    owner, _, short = name.removeprefix("/").rpartition("/")
    found = [
        skill
        for plugin in installed_plugins(session).plugins
        if owner in ("", plugin.name)
        for skill in skills_of(plugin)
        if skill.name == short
    ]
    if not found:
        raise PluginError(
            f"There is no skill {name!r}.", hint="`deskmate skill list` has them all."
        )
    for skill in found:
        say(f"{skill.plugin}/{skill.name}: {skill.problem or skill.description}")
        say()
        say(skill.body)
