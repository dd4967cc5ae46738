"""`deskmate connector`: the user's own tools, on servers that speak MCP, and what their tools may do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import anyio
import click

from deskmate.cli.connector_adding import (
    add_entry,
    agree_to,
    ask_secrets,
    book_of,
    count_tools,
    logged_in,
    show,
)
from deskmate.cli.connector_program import (
    forgotten_unless_kept,
    program_entry,
    program_facts,
    program_options,
    stderr_lines,
)
from deskmate.cli.output import Session, json_option, say, say_json
from deskmate.errors import UserError
from deskmate.host.connector_making import (
    ProgramOptions,
    accepted,
    check_free,
    forget,
    program_lines,
)
from deskmate.types.connectors import ConnectorEntry, ToolSetting

if TYPE_CHECKING:
    from deskmate.connectors.book import Book
    from deskmate.connectors.pins import Drift, Listing
    from deskmate.types.policy import Decision
    from deskmate.types.registry import Risk

_RISKS = ("read", "write", "send")


@click.group("connector")
def command() -> None:
    """Connect your own tools: servers that speak MCP, on the network or on this machine.

    What a server says of its tools is shown to you and pinned: a tool that changes is off until you accept it again.
    Each call is asked about unless you allow the tool, and stands in the thread's record.
    """


@command.command("add", short_help="Connect a server, after a look at its tools.")
@click.argument("name")
@click.argument("url", nargs=-1, metavar="[URL | -- ARGUMENTS]")
@program_options
@click.option(
    "--of",
    "plugin",
    default="",
    help="Take address, headers and categories from what this plugin wants.",
)
@click.option(
    "--category",
    "categories",
    multiple=True,
    help="What it is, as skills say ~~CRM: --category CRM.",
)
@click.option(
    "--secret-header",
    "headers",
    multiple=True,
    metavar="HEADER=[SCHEME ]SECRET",
    help="Send a secret of yours in a header: 'Authorization=Bearer TOKEN'. SECRET is its name, not its value.",
)
@click.option("--login", is_flag=True, help="Log in to it in your browser (OAuth).")
@click.option("--device", is_flag=True, help="Log in to it with a code, in a browser elsewhere.")
@click.option(
    "--timeout", "timeout_s", type=click.IntRange(1, 3600), default=60, help="Seconds of one call."
)
@click.option("--yes", is_flag=True, help="Accept its tools as they are, without a question.")
@json_option
@click.pass_obj
def add_command(  # noqa: PLR0913 - one parameter an option, as click wants it
    session: Session,
    /,
    name: str,
    url: tuple[str, ...],
    plugin: str,
    categories: tuple[str, ...],
    headers: tuple[str, ...],
    login: bool,
    device: bool,
    timeout_s: int,
    yes: bool,
    as_json: bool,
    **program: Any,
) -> None:
    """Connect the server at URL as NAME, or one that is a program, after you have seen and accepted its tools.

    \b
    deskmate connector add crm https://mcp.example.com/mcp --category CRM \\
        --secret-header 'Authorization=Bearer TOKEN'

    URL is https, or http to a port of this machine (http://127.0.0.1:8000/mcp).

    \b
    deskmate connector add time --pypi mcp-server-time==2026.10.19 -- --local-timezone=Europe/Paris

    A program is fetched as data, pinned, and runs in a virtual machine of its own, which reaches nothing you do not allow.
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    from deskmate.cli.connector_wanted import wanted_entry  # noqa: PLC0415
    from deskmate.cli.connector_words import parse_header  # noqa: PLC0415
    from deskmate.connectors.way import parse_server  # noqa: PLC0415

    options = ProgramOptions(**program)
    check_free(session.places, name)
    address = _address(url, program=bool(options))
    base = ConnectorEntry(name=name, url="")
    if plugin:
        base = wanted_entry(session, plugin, name, address, program=bool(options))
    own = tuple(" ".join(word.split()).removeprefix("~~") for word in categories)
    entry = replace(
        base,
        url=address or base.url,
        categories=tuple(dict.fromkeys((*own, *base.categories))),
        headers=tuple(parse_header(text) for text in headers) or base.headers,
        login=login or device,
        timeout_s=timeout_s,
    )
    if options:
        if entry.headers or entry.login:
            raise UserError(
                "A program has no headers and no login.", hint="Give it a secret: --secret-env"
            )
        with forgotten_unless_kept(session, name):
            entry = program_entry(session, entry, options, url, yes=yes)
            add_entry(session, entry, yes=yes, as_json=as_json)
        return
    parse_server(entry.url)
    if plugin:
        sends = "".join(
            f", with {header.name} from your secret {header.secret}" for header in entry.headers
        )
        agree_to(yes, f"Ask {entry.url} for its tools{sends}?", f"{name} is not connected")
    ask_secrets(session, entry)
    add_entry(session, entry, yes=yes, as_json=as_json, device=device)


def _address(words: tuple[str, ...], *, program: bool) -> str:
    """Return the one address that was given, "" for none or where the words are a program's. Raises UserError."""
    if program or not words:
        return ""
    if len(words) > 1:
        raise UserError(
            f"A server has one address, and {words[1]!r} is another word.",
            hint="The arguments of a program need --pypi or --npm.",
        )
    return words[0].strip()


@command.command("login", short_help="Log in to a connector in your browser.")
@click.argument("name")
@click.option(
    "--client-id",
    default="",
    help="Of your own registration at the server (its secret: `deskmate secret set connector.NAME CLIENT_SECRET`); without it one is made.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Where your browser is sent back to."
)
@click.option("--no-browser", is_flag=True, help="Show the address only, and open no browser.")
@click.option(
    "--device",
    is_flag=True,
    help="Show a code to be typed in a browser on any other device; for a machine without one.",
)
@click.pass_obj
def login_command(
    session: Session, /, name: str, client_id: str, port: int, no_browser: bool, device: bool
) -> int:
    """Log in to the server of a connector (OAuth 2.1). Its tokens are kept where `deskmate secret` keeps yours."""
    from deskmate.connectors.pins import drift  # noqa: PLC0415

    book = book_of(session)
    entry = book.get(name)
    found, listing = logged_in(
        session, entry, port=port, client_id=client_id, browser=not no_browser, device=device
    )
    changed = drift(entry.tools, listing.tools)
    book.save(replace(found, off={**entry.off, **changed.off()}))
    say(f"You are logged in to {name}.")
    if changed:
        say(f"It is not what you accepted: deskmate connector review {name}")
    return 0


@command.command("list")
@json_option
@click.pass_obj
def list_command(session: Session, as_json: bool) -> None:
    """List the connectors."""
    entries = book_of(session).all()
    if as_json:
        say_json([_summary(entry) for entry in entries])
        return
    for entry in entries:
        off = f", {len(entry.off)} off" if entry.off else ""
        about = f"  ~~{', ~~'.join(entry.categories)}" if entry.categories else ""
        say(f"{entry.name}  {entry.url}  {count_tools(len(entry.tools))}{off}{about}")
    if not entries:
        say("There are none. Connect one: deskmate connector add NAME URL")


def _summary(entry: ConnectorEntry) -> dict[str, Any]:
    kept = ("name", "url", "transport", "categories", "server", "protocol", "login", "of")
    return {
        **{key: getattr(entry, key) for key in kept},
        "tools": len(entry.tools),
        "off": entry.off,
        "program": program_facts(entry.program),
    }


@command.command("wanted", short_help="List the connectors that your plugins want.")
@json_option
@click.pass_obj
def wanted_command(session: Session, as_json: bool) -> None:
    """List the servers that plugins in other formats want, and how to connect each; none is asked before you do."""
    from deskmate.cli.connector_wanted import wanted_rows  # noqa: PLC0415

    rows = wanted_rows(session)
    if as_json:
        say_json(rows)
        return
    for row in rows:
        say(f"{row['plugin']}  {row['server']}  {row['target'] or '(address to be chosen)'}")
        say(f"  {row['command'] or row['why']}")
    if not rows:
        say("Your plugins want none.")


@command.command("show")
@click.argument("name")
@json_option
@click.pass_obj
def show_command(session: Session, name: str, as_json: bool) -> None:
    """Show a connector: its tools, what they may do, and what is off."""
    from deskmate.cli.connector_words import tool_lines  # noqa: PLC0415

    entry = book_of(session).get(name)
    if as_json:
        say_json(entry)
        return
    say(f"{entry.name}: {entry.url}")
    if entry.server:
        say(f"calls itself {entry.server}; protocol {entry.protocol}")
    if entry.of:
        say(f"wanted by the plugin {entry.of}")
    if entry.categories:
        say(f"serves ~~{', ~~'.join(entry.categories)}")
    for header in entry.headers:
        say(
            f"sends {header.name}: {f'{header.scheme} ' if header.scheme else ''}⟦secret {header.secret}⟧"
        )
    for line in (*program_lines(entry, whole=True)[1:], *tool_lines(entry, {})):
        say(line)


@command.command("test", short_help="Say whether a server answers, and is what you accepted.")
@click.argument("name")
@json_option
@click.pass_obj
def test_command(session: Session, name: str, as_json: bool) -> int:
    """Connect to a server and compare its tools with those that you accepted; exit code 1 if they differ."""
    book = book_of(session)
    found, listing, drift = _compared(session, book.get(name))
    _keep_off(book, name, drift)
    if as_json:
        say_json(_report(found, listing, drift))
        return 1 if drift else 0
    say(
        f"{name} answers: {found.server or 'without a name'}, protocol {found.protocol}, {count_tools(len(listing.tools))}."
    )
    for line in (*_drift_lines(drift), *stderr_lines(listing.stderr)):
        say(line)
    if drift:
        say(f"Accept what is there now: deskmate connector review {name}")
    return 1 if drift else 0


def _compared(session: Session, entry: ConnectorEntry) -> tuple[ConnectorEntry, Listing, Drift]:
    from deskmate.connectors.pins import drift  # noqa: PLC0415
    from deskmate.host.connecting import look_at  # noqa: PLC0415

    found, listing = anyio.run(look_at, session.places, entry)
    return found, listing, drift(entry.tools, listing.tools)


def _keep_off(book: Book, name: str, drift: Drift) -> None:
    """What changed is off in every thread from now on."""
    if off := drift.off():
        entry = book.get(name)
        book.save(replace(entry, off={**entry.off, **off}))


def _report(found: ConnectorEntry, listing: Listing, drift: Drift) -> dict[str, Any]:
    return {
        "name": found.name, "server": found.server, "protocol": found.protocol,
        "tools": [pin.tool.name for pin in listing.tools], "left_out": listing.left_out,
        "added": drift.added, "gone": drift.gone, "changed": drift.changed, "stderr": listing.stderr,
    }  # fmt: skip


def _drift_lines(drift: Drift) -> list[str]:
    lines = [f"new: {name}" for name in drift.added]
    lines += [f"gone: {name}" for name in drift.gone]
    for name, difference in drift.changed.items():
        lines += [f"changed: {name}", *(f"    {line}" for line in difference)]
    return lines


@command.command("review", short_help="See what changed at a server, and accept it.")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Accept what is there now, without a question.")
@click.pass_obj
def review_command(session: Session, name: str, yes: bool) -> None:
    """Show how a server's tools differ from those that you accepted and, if you accept them, use them from now on.

    What you allowed a tool that changed does not hold for what it is now.
    """
    from deskmate.cli.connector_words import tool_lines  # noqa: PLC0415

    book = book_of(session)
    entry = book.get(name)
    found, listing, drift = _compared(session, entry)
    if not drift and not entry.off:
        say(f"{name} is what you accepted.")
        return
    _keep_off(book, name, drift)
    for line in _drift_lines(drift):
        show(line)
    new = tuple(pin for pin in listing.tools if pin.tool.name in drift.added)
    for line in tool_lines(replace(entry, tools=new), {}, whole=True):
        show(line)
    agree_to(yes, "Accept this?", f"{name} stays as it was, without what changed")
    book.save(accepted(entry, found, listing))
    say(f"{name} has {count_tools(len(listing.tools))} as they are now.")


def _decision_command(word: str, decision: Decision, text: str) -> None:
    @command.command(word, help=text, short_help=text.partition("\n")[0])
    @click.argument("name")
    @click.argument("tools", nargs=-1, required=True, metavar="TOOL…")
    @click.option(
        "--as",
        "risk",
        type=click.Choice(_RISKS),
        help="Say what the tools do; without it, it stays.",
    )
    @json_option
    @click.pass_obj
    def decide(
        session: Session, name: str, tools: tuple[str, ...], risk: str | None, as_json: bool
    ) -> None:
        from deskmate.cli.connector_words import decided  # noqa: PLC0415

        book = book_of(session)
        entry = book.get(name)
        for tool in tools:
            known = _named(entry, tool)
            before = entry.setting(known)
            entry = entry.with_setting(
                known, ToolSetting(decision=decision, risk=cast("Risk", risk or before.risk))
            )
        book.save(entry)
        if as_json:
            say_json(entry)
            return
        for tool in tools:
            say(f"{name} {tool}  {decided(entry.setting(_named(entry, tool)))}")


_decision_command(
    "allow",
    "allow",
    "Let tools of a connector run unasked, in every thread that has it.\n\n"
    "Once your data and texts that others wrote are both in a thread, only those that you call reading (--as read) still "
    "run unasked. What you call sending (--as send) is always asked about.",
)
_decision_command(
    "ask",
    "ask",
    "Be asked about each call of these tools.\n\nA thread's own rules say nothing against it.",
)
_decision_command("block", "deny", "Let no thread have these tools of a connector.")


def _named(entry: ConnectorEntry, tool: str) -> str:
    for pin in entry.tools:
        if tool in (pin.tool.name, pin.wire):
            return pin.tool.name
    known = ", ".join(pin.tool.name for pin in entry.tools[:30])
    raise UserError(f"{entry.name} has no tool {tool!r}.", hint=f"It has: {known}")


@command.command("enable")
@click.argument("name")
@click.option("--thread", "-t", required=True, help="The thread that is to have it.")
@click.pass_obj
def enable_command(session: Session, name: str, thread: str) -> None:
    """Let a thread use a connector from its next run on."""
    names = _change(session, thread, lambda had: (*had, *(() if name in had else (name,))))
    say(f"{thread} has {', '.join(names)}.")


@command.command("disable", short_help="Take a connector from a thread.")
@click.argument("name")
@click.option("--thread", "-t", required=True, help="The thread that is to have it no more.")
@click.pass_obj
def disable_command(session: Session, name: str, thread: str) -> None:
    """Take a connector from a thread; what it did stays in the thread's record."""
    names = _change(session, thread, lambda had: tuple(other for other in had if other != name))
    say(f"{thread} has {', '.join(names) or 'no connectors'}.")


def _change(
    session: Session, thread: str, change: Callable[[tuple[str, ...]], tuple[str, ...]]
) -> tuple[str, ...]:
    from deskmate.host.connectors import set_thread_connectors  # noqa: PLC0415

    return anyio.run(set_thread_connectors, session.places, thread, change)


@command.command("remove", short_help="Forget a connector and its secrets.")
@click.argument("name")
@click.pass_obj
def remove_command(session: Session, name: str) -> int:
    """Forget a connector and its secrets; threads that had it go on without it."""
    known, forgotten = forget(session.places, name)
    if not known:
        say(f"There is no connector {name}.")
        return 1
    say(f"{name} is forgotten{', and its secrets' if forgotten else ''}.")
    return 0
