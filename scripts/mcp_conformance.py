"""Runs the protocol's own conformance suite against Deskmate's connectors or `deskmate mcp serve`, and writes its table into the docs.

By hand, where npm and Node.js 22 or newer are: it downloads the suite and takes some minutes.

    npm install --prefix /tmp/suite --ignore-scripts @modelcontextprotocol/conformance@0.1.16
    python scripts/mcp_conformance.py /tmp/suite            # runs it, writes docs/how-to/connectors.md
    python scripts/mcp_conformance.py /tmp/suite --server   # that for servers, in a machine; writes docs/how-to/serve-tools.md
    python scripts/mcp_conformance.py /tmp/suite --dry      # runs it, says what it would write

Authorization servers of the suite stand on other ports of this machine, which Deskmate refuses; for the run, and only
here, that rule is lifted. `client URL` is how the suite starts one scenario. It knows no tokens, so for `--server` the
token of `deskmate mcp serve` is put into its requests.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio

from deskmate import __version__
from deskmate.connectors.book import Book
from deskmate.connectors.logins import CLIENT
from deskmate.connectors.remote import RemoteConnector
from deskmate.connectors.vault import Vault
from deskmate.connectors.way import Place, Way, parse_place
from deskmate.errors import DeskmateError, ToolError
from deskmate.host import Host, RunOrder, connecting
from deskmate.host.connector_making import accepted
from deskmate.host.tool_service import tool_service
from deskmate.protocol.serving import PATH, http_app, make_server
from deskmate.types.connectors import ConnectorEntry, Given
from deskmate.types.files import Grant
from deskmate.types.places import Places, find_places
from deskmate.web.serving import listen, serve_app

HOW_TO = Path(__file__).parents[1] / "docs/how-to"
DOCS, SERVER_DOCS = HOW_TO / "connectors.md", HOW_TO / "serve-tools.md"
BEGIN, END = "<!-- conformance -->", "<!-- conformance ends -->"
EXTENSIONS = ("auth/client-credentials-jwt", "auth/client-credentials-basic", "auth/cross-app-access-complete-flow")  # fmt: skip
"""Scenarios of extensions that Deskmate does not speak."""
WHY = {
    "elicitation-sep1034-client-defaults": "on purpose: the first call is told *cancel*, as the user has not answered yet; the call made again brings the defaults",
    "auth/scope-step-up": "on purpose: a run opens no browser; `connector login` asks for the wider scope",
    "auth/2025-03-26-oauth-metadata-backcompat": "on purpose: a login without metadata that names its issuer and PKCE is not followed",
    "auth/2025-03-26-oauth-endpoint-fallback": "on purpose: as above",
    "auth/basic-cimd": "Deskmate publishes no client metadata document: it has no address of its own to publish one at",
}

AT_ONCE = 18
"""Scenarios for one server: they end no session, and a server has twenty at most."""
SERVER_WHY = (
    ("tools-call-", "calls a tool of a test server"),
    ("json-schema-2020-12", "calls a tool of a test server"),
    ("server-sse-polling", "calls a tool of a test server"),
    ("prompts-get-", "gets a prompt of a test server"),
    ("resources-read-", "reads a resource of a test server"),
    ("resources-templates-", "reads a resource of a test server"),
    ("resources-subscribe", "not offered"),
    ("resources-unsubscribe", "not offered"),
    ("logging-", "not offered"),
    ("completion-", "not offered"),
    ("elicitation-", "calls a tool of a test server"),
)
"""Beginning of a scenario's name → why it does not apply; looked at where it fails only."""


def check_here(way: Way, url: str) -> Place:
    """In place of `Way.check`: any port of this machine, as the suite's own servers have it."""
    return parse_place(url)


def follow(address: str) -> None:
    """In place of a browser: the suite's servers agree at once."""
    urllib.request.urlopen(address, timeout=20).read()


async def scenario(url: str) -> None:
    """Connect as a user does, then call the tools as a run does."""
    Way.check = check_here  # type: ignore[method-assign]
    name = os.environ.get("MCP_CONFORMANCE_SCENARIO", "")
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        places = Places(data=top / "data", cache=top / "cache", config=top / "config")
        entry = ConnectorEntry(name="suite", url=url, settings={}, timeout_s=20)
        if name.startswith("auth/"):
            client = str(context.get("client_id") or "")
            if secret := context.get("client_secret"):
                Vault(places.config, None).set(entry.owner, CLIENT, str(secret))
            entry = replace(entry, login=True)
            found, listing = await connecting.log_in(places, entry, follow, client_id=client)
        else:
            client = ""
            found, listing = await connecting.look_at(places, entry)
        kept = accepted(entry, found, listing)
        Book(places.config).save(kept)
        said = await call_all(places, kept)
        if entry.login and any("deskmate connector login" in one for one in said):
            await connecting.log_in(
                places, entry, follow, client_id=client
            )  # as the user is told to
            await call_all(places, kept)


async def call_all(places: Places, entry: ConnectorEntry) -> list[str]:
    """Call each tool once and return the answers; a question of the server's is answered with its defaults."""
    said = []
    means = await anyio.to_thread.run_sync(connecting.means_of, places)

    async def record(payload: object) -> None:
        return None

    async with anyio.create_task_group() as tasks:
        connector = RemoteConnector(
            entry, lambda kept: connecting.connected(entry, means, kept), tasks, lambda drift: None
        )
        for pin in entry.tools:
            arguments = {"a": 2, "b": 3} if pin.tool.name == "add_numbers" else {}
            try:
                outcome = await connector.call(
                    pin.wire, arguments, record=record, on_progress=lambda line: None
                )
            except ToolError as error:  # as dispatch tells the model
                said.append(error.message)
                continue
            said.append(outcome.text)
            if outcome.question is not None:
                given = Given(question=outcome.question, answer="{}")
                await connector.call(
                    pin.wire,
                    arguments,
                    record=record,
                    on_progress=lambda line: None,
                    answers=(given,),
                )
        connector.close()
    return said


def run_suite(
    suite: Path, node: str, url: str = "", names: Sequence[str] | None = None
) -> dict[str, tuple[int, int]]:
    """Return scenario → how many of its checks passed, and how many there are; a warning fails it, as the suite says.

    `url`: of a server to be tried; without it clients are. `names`: of the scenarios, None for all.
    """
    program = str(suite / "node_modules/@modelcontextprotocol/conformance/dist/index.js")
    kind = "server" if url else "client"
    command = f"{sys.executable} {Path(__file__).resolve()} client"
    what = ["--url", url] if url else ["--command", command, "--timeout", "90000"]
    found = {}
    for name in scenarios(node, program, kind) if names is None else names:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                [node, program, kind, *what, "--scenario", name, "-o", folder],
                capture_output=True, check=False, timeout=600,
            )  # fmt: skip
            checks: list[dict[str, Any]] = []
            for file in Path(folder).rglob("checks.json"):
                checks += json.loads(file.read_text("utf-8"))
        counted = [one for one in checks if one.get("status") in ("SUCCESS", "FAILURE", "WARNING")]
        found[name] = (sum(one["status"] == "SUCCESS" for one in counted), len(counted))
        print(name, *found[name], flush=True)
    return found


def scenarios(node: str, program: str, kind: str) -> list[str]:
    """Return the names of the suite's scenarios for clients or servers."""
    listed = subprocess.run([node, program, "list"], capture_output=True, text=True, check=True)
    part = listed.stdout.partition(f"{kind.capitalize()} scenarios")[2]
    names = []
    for line in part.splitlines()[1:]:
        if not line.startswith("  - "):
            if line.strip():
                break
            continue
        names.append(line.strip(" -").partition(" ")[0])
    return [name for name in names if name not in EXTENSIONS]


class WithToken:
    """The served app, with the token in each request: the suite knows none."""

    def __init__(self, app: Any, token: str) -> None:
        self._app, self._header = app, (b"authorization", f"Bearer {token}".encode())

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope = {**scope, "headers": [*scope["headers"], self._header]}
        await self._app(scope, receive, send)


async def serve_and_run(suite: Path, node: str) -> dict[str, tuple[int, int]]:
    """Serve the workspace's and the office tools, as `deskmate mcp serve --port` does, and run the suite against them."""
    places = find_places(dict(os.environ), Path.home())
    token = secrets.token_urlsafe(32)
    found: dict[str, tuple[int, int]] = {}
    with tempfile.TemporaryDirectory() as folder:
        own = replace(places, data=Path(folder) / "data", config=Path(folder) / "config")
        (Path(folder) / "papers").mkdir()
        (Path(folder) / "papers/a.txt").write_text("A line.\n")
        order = RunOrder(grants=(Grant(name="papers", folder=f"{folder}/papers"),))

        program = str(suite / "node_modules/@modelcontextprotocol/conformance/dist/index.js")
        names = scenarios(node, program, "server")
        async with tool_service(lambda model: Host(own, model=model), order, print) as service:
            for at in range(0, len(names), AT_ONCE):
                async with (
                    http_app(make_server(service, __version__), token) as app,
                    anyio.create_task_group() as tasks,
                ):
                    with listen(0) as socket:
                        url = f"http://127.0.0.1:{socket.getsockname()[1]}{PATH}"
                        ready = anyio.Event()
                        tasks.start_soon(serve_app, WithToken(app, token), socket, ready.set)
                        await ready.wait()
                        part = names[at : at + AT_ONCE]
                        found |= await anyio.to_thread.run_sync(run_suite, suite, node, url, part)
                        tasks.cancel_scope.cancel()
    return found


def server_table(found: dict[str, tuple[int, int]]) -> str:
    """Return the table as it stands in the docs of `deskmate mcp serve`."""
    passed = [name for name, (good, all_) in found.items() if all_ and good == all_]
    day = datetime.now(UTC).strftime("%-d %B %Y")
    rows = [
        f"| `{name}` | {'pass' if name in passed else 'fail'}, {good} of {all_} checks | {_server_why(name) if name not in passed else ''} |"
        for name, (good, all_) in found.items()
    ]
    head = (
        "The protocol's own conformance suite for servers (npm `@modelcontextprotocol/conformance` 0.1.16, run and written here by "
        f"`scripts/mcp_conformance.py --server` on {day}, with the token put into its requests): {len(passed)} of {len(found)} scenarios pass.\n"
        "Most of the others want the tools, prompts and resources of a test server, which Deskmate is not. The scenarios end no session and a "
        "server has twenty at most, so the last were run against a second one.\n"
    )
    return "\n".join((head, "| scenario | result | |", "|---|---|---|", *rows))


def _server_why(name: str) -> str:
    return next((why for start, why in SERVER_WHY if name.startswith(start)), "")


def table(found: dict[str, tuple[int, int]]) -> str:
    """Return the table as it stands in the docs."""
    passed = [name for name, (good, all_) in found.items() if all_ and good == all_]
    day = datetime.now(UTC).strftime("%-d %B %Y")
    head = (
        "The protocol's own conformance suite for clients (npm `@modelcontextprotocol/conformance` 0.1.16, run and written "
        f"here by `scripts/mcp_conformance.py` on {day}): {len(passed)} of {len(found)} scenarios pass.\n"
        "Its authorization servers stand on other ports of the machine, which Deskmate refuses; for the run, and only there, that rule was lifted.\n"
    )
    rows = [
        f"| `{name}` | {'pass' if name in passed else 'fail'}, {good} of {all_} checks | {WHY.get(name, '') if name not in passed else ''} |"
        for name, (good, all_) in found.items()
    ]
    return "\n".join((head, "| scenario | result | |", "|---|---|---|", *rows))


def main() -> None:
    """Be one scenario's client, or run all and write."""
    if sys.argv[1:2] == ["client"]:
        try:
            anyio.run(scenario, sys.argv[2])
        except DeskmateError as error:
            sys.exit(f"{error.message} {error.hint}")
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite", type=Path)
    parser.add_argument("--node", default="node")
    parser.add_argument("--server", action="store_true")
    parser.add_argument("--dry", action="store_true")
    given = parser.parse_args()
    docs = SERVER_DOCS if given.server else DOCS
    if given.server:
        text = server_table(anyio.run(serve_and_run, given.suite, given.node))
    else:
        text = table(run_suite(given.suite, given.node))
    if given.dry:
        print(text)
        return
    before, _, rest = docs.read_text("utf-8").partition(BEGIN)
    docs.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}", "utf-8")


if __name__ == "__main__":
    main()
