"""Runs the protocol's own conformance suite for clients against Deskmate's connectors, and writes its table into the docs.

By hand, where npm and Node.js 22 or newer are: it downloads the suite and takes some minutes.

    npm install --prefix /tmp/suite --ignore-scripts @modelcontextprotocol/conformance@0.1.16
    python scripts/mcp_conformance.py /tmp/suite            # runs it, writes docs/how-to/connectors.md
    python scripts/mcp_conformance.py /tmp/suite --dry      # runs it, says what it would write

Authorization servers of the suite stand on other ports of this machine, which Deskmate refuses; for the run, and only
here, that rule is lifted. `client URL` is how the suite starts one scenario.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio

from deskmate.connectors.book import Book
from deskmate.connectors.logins import CLIENT
from deskmate.connectors.remote import RemoteConnector
from deskmate.connectors.vault import Vault
from deskmate.connectors.way import Place, Way, parse_place
from deskmate.errors import DeskmateError
from deskmate.host import connecting
from deskmate.host.connector_making import accepted
from deskmate.types.connectors import ConnectorEntry, Given
from deskmate.types.places import Places

DOCS = Path(__file__).parents[1] / "docs/how-to/connectors.md"
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
            found, listing = await connecting.look_at(places, entry)
        kept = accepted(entry, found, listing)
        Book(places.config).save(kept)
        await call_all(places, kept)


async def call_all(places: Places, entry: ConnectorEntry) -> None:
    """Call each tool once; a question of the server's is answered with its defaults."""
    means = await anyio.to_thread.run_sync(connecting.means_of, places)

    async def record(payload: object) -> None:
        return None

    async with anyio.create_task_group() as tasks:
        connector = RemoteConnector(
            entry, lambda kept: connecting.connected(entry, means, kept), tasks, lambda drift: None
        )
        for pin in entry.tools:
            arguments = {"a": 2, "b": 3} if pin.tool.name == "add_numbers" else {}
            outcome = await connector.call(
                pin.wire, arguments, record=record, on_progress=lambda line: None
            )
            if outcome.question is not None:
                said = Given(question=outcome.question, answer="{}")
                await connector.call(
                    pin.wire,
                    arguments,
                    record=record,
                    on_progress=lambda line: None,
                    answers=(said,),
                )
        connector.close()


def run_suite(suite: Path, node: str) -> dict[str, tuple[int, int]]:
    """Return scenario → how many of its checks passed, and how many there are; a warning fails it, as the suite says."""
    program = suite / "node_modules/@modelcontextprotocol/conformance/dist/index.js"
    listed = subprocess.run([node, program, "list"], capture_output=True, text=True, check=True)
    names = listed.stdout.partition("Client scenarios")[2].splitlines()
    found = {}
    for line in names:
        name = line.strip(" -").partition(" ")[0]
        if not line.startswith("  - ") or name in EXTENSIONS:
            continue
        with tempfile.TemporaryDirectory() as folder:
            command = f"{sys.executable} {Path(__file__).resolve()} client"
            subprocess.run(
                [node, program, "client", "--command", command, "--scenario", name, "-o", folder, "--timeout", "90000"],
                capture_output=True, check=False,
            )  # fmt: skip
            checks: list[dict[str, Any]] = []
            for file in Path(folder).rglob("checks.json"):
                checks += json.loads(file.read_text("utf-8"))
        counted = [one for one in checks if one.get("status") in ("SUCCESS", "FAILURE", "WARNING")]
        found[name] = (sum(one["status"] == "SUCCESS" for one in counted), len(counted))
        print(name, *found[name], flush=True)
    return found


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
    parser.add_argument("--dry", action="store_true")
    given = parser.parse_args()
    text = table(run_suite(given.suite, given.node))
    if given.dry:
        print(text)
        return
    before, _, rest = DOCS.read_text("utf-8").partition(BEGIN)
    DOCS.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}", "utf-8")


if __name__ == "__main__":
    main()
