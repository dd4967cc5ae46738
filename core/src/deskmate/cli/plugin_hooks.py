"""`deskmate plugin hooks`: which commands a plugin in another format wants run at which moment, and the user's word on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from deskmate.cli.output import Session, json_option, say, say_json
from deskmate.errors import PluginError

if TYPE_CHECKING:
    from deskmate.discovery.hooking import HookApprovals
    from deskmate.types.registry import InstalledPlugin


@click.command(
    "hooks", short_help="Show what a plugin wants run at which moment; allow or forbid it."
)
@click.argument("name")
@click.option("--allow", is_flag=True, help="Let these commands run, as the plugin is now.")
@click.option("--forbid", is_flag=True, help="Let none of them run any more.")
@click.option("--yes", is_flag=True, help="Agree to what is shown, without a question.")
@json_option
@click.pass_obj
def hooks_command(
    session: Session, name: str, allow: bool, forbid: bool, yes: bool, as_json: bool
) -> None:
    """Show the hooks of a plugin in another format: each command, and the moment at which it would run. They are off.

    \b
    deskmate plugin hooks acme                # what would run, and when
    deskmate plugin hooks acme --allow        # from their next run on, threads that use the plugin run it
    deskmate plugin hooks acme --forbid

    Allowed hooks run inside the virtual machine, with what the agent's own commands may do there and no more. They may hold
    a tool call or your words back, end a run and add words for the model; they can never allow anything. The approval is
    for the plugin as it is: when a file of it changes, its hooks are off until you allow them anew.
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    from deskmate.cli.plugin import installed_plugins  # noqa: PLC0415
    from deskmate.discovery.hooking import HookApprovals, hook_lines  # noqa: PLC0415
    from deskmate.host.organisation import read_organisation  # noqa: PLC0415

    if allow and forbid:
        raise PluginError("Allow or forbid, not both.")
    plugin = installed_plugins(session).get(name)
    if plugin.foreign is None:
        raise PluginError(
            f"{name} is of Deskmate's own format, which has no hooks that run commands.",
            hint=f"See what it brings: deskmate plugin show {name}",
        )
    approvals = HookApprovals(session.places.plugins)
    if forbid:
        known = approvals.forbid(name)
        say(f"The hooks of {name} are off." if known else f"The hooks of {name} were off.")
        return
    if as_json and not allow:
        _say_json(plugin, approvals)
        return
    lines = [*hook_lines(plugin)]
    for line in lines:
        say(f"- {line}")
    if not lines:
        say(f"{name} has no hooks.")
    elif allow:
        read_organisation().check_hooks(name)
        _allow(plugin, approvals, yes=yes)
    else:
        say(_state(plugin, approvals))


def _say_json(plugin: InstalledPlugin, approvals: HookApprovals) -> None:
    from deskmate.discovery.foreign import read_foreign  # noqa: PLC0415
    from deskmate.discovery.hooking import hooks_digest  # noqa: PLC0415
    from deskmate.host.organisation import read_organisation  # noqa: PLC0415

    digest = hooks_digest(plugin)
    rows = [
        {
            "event": hook.event,
            "moment": hook.moment,
            "matcher": hook.matcher,
            "if": hook.condition,
            "kind": hook.kind,
            "does": hook.whole or hook.does,
            "timeout_s": hook.timeout_s,
            "runs": hook.runs,
            "why_not": hook.why_not,
        }
        for hook in read_foreign(plugin).hooks
    ]
    permitted = read_organisation().lets_hooks(plugin.name)
    allowed = permitted and approvals.of(plugin.name) == digest
    say_json({"plugin": plugin.name, "digest": digest, "allowed": allowed, "hooks": rows})


def _state(plugin: InstalledPlugin, approvals: HookApprovals) -> str:
    from deskmate.discovery.hooking import hooks_digest  # noqa: PLC0415
    from deskmate.host.organisation import read_organisation  # noqa: PLC0415

    known = approvals.of(plugin.name)
    if not read_organisation().lets_hooks(plugin.name):
        return "They are off: your organisation does not allow them."
    if known is None:
        return f"They are off. To let them run: deskmate plugin hooks {plugin.name} --allow"
    if known != hooks_digest(plugin):
        return f"They are off: the plugin changed since you allowed them. deskmate plugin hooks {plugin.name} --allow"
    return f"You allowed them. To end that: deskmate plugin hooks {plugin.name} --forbid"


def _allow(plugin: InstalledPlugin, approvals: HookApprovals, *, yes: bool) -> None:
    from deskmate.cli.permissions import someone_is_there  # noqa: PLC0415
    from deskmate.discovery.foreign import read_foreign  # noqa: PLC0415
    from deskmate.discovery.hooking import hooks_digest, runnable  # noqa: PLC0415

    if not runnable(read_foreign(plugin).hooks):
        raise PluginError(f"None of the hooks of {plugin.name} can run here.")
    digest = hooks_digest(plugin)
    if not yes and not someone_is_there():
        raise PluginError(
            f"The hooks of {plugin.name} stay off: nobody is at a terminal to agree to the list above.",
            hint="If you agree, say so with --yes.",
        )
    if not yes and not click.confirm("  Let these commands run?", default=False, err=True):
        raise PluginError(f"The hooks of {plugin.name} stay off: you did not agree.")
    if hooks_digest(plugin) != digest:
        raise PluginError(f"{plugin.name} changed meanwhile; look at its hooks again.")
    approvals.allow(plugin.name, digest)
    say(
        f"Threads that use {plugin.name} run them from their next run on, inside the virtual machine."
    )
