"""Adds eight real MCP servers as connectors, calls each in two machines, and writes what they answered into the docs.

By hand, where npm, the package index and a built image are; it takes half an hour without hardware acceleration.

    python scripts/mcp_programs.py                 # all, writes docs/how-to/connectors.md
    python scripts/mcp_programs.py --only git time --dry

Each program is added as `deskmate connector add` does it: fetched as data, pinned, started in a machine of its own, asked for its
tools. Then it does something of use, in one machine, and in a second one what shows that the first left its files.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio

from deskmate.connectors.egress.outside import Outside
from deskmate.errors import DeskmateError, ToolError
from deskmate.host.adapters import Adapters
from deskmate.host.connector_making import ProgramOptions, accepted, bounds_of, fetched_program
from deskmate.host.programs import connected_program, look_at_program
from deskmate.testing.fake_internet import FakeAnswer, FakeInternet, FakeRequest
from deskmate.types.connectors import ConnectorEntry
from deskmate.types.places import Places, find_places

DOCS = Path(__file__).parents[1] / "docs/how-to/connectors.md"
BEGIN, END = "<!-- programs -->", "<!-- programs end -->"
PAGE = "page.example.test"
CALL_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call, and words that stand in the answer. `arguments`: may name `{repository}`."""

    tool: str
    arguments: Mapping[str, Any]
    wants: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A program and what is asked of it. `first`, `second`: in one machine and in the next. `says`: for the table."""

    name: str
    shown: str
    options: ProgramOptions
    arguments: tuple[str, ...] = ()
    first: tuple[Call, ...]
    second: tuple[Call, ...]
    says: str


@dataclass(slots=True, kw_only=True)
class Row:
    """What came of a trial."""

    package: str = ""
    tools: int = 0
    seconds: list[float] = field(default_factory=list)
    problem: str = ""


def trials(repository: Path) -> Sequence[Trial]:
    """Return the eight."""
    return (*_python_trials(repository), *_node_trials())


def _python_trials(repository: Path) -> Sequence[Trial]:
    folder = f"/workspace/{repository.name}"
    return (
        Trial(
            name="time", shown="PyPI `mcp-server-time`", options=ProgramOptions(pypi="mcp-server-time"),
            arguments=("--local-timezone=Europe/Paris",),
            first=(Call(tool="convert_time", arguments={"source_timezone": "Europe/Paris", "time": "16:30", "target_timezone": "Asia/Tokyo"}, wants="Asia/Tokyo"),),
            second=(Call(tool="get_current_time", arguments={"timezone": "Europe/Paris"}, wants="Europe/Paris"),),
            says="half past four in Paris as Tokyo has it; in the second machine the time now",
        ),
        Trial(
            name="git", shown="PyPI `mcp-server-git`, `--copy` of a repository", options=ProgramOptions(pypi="mcp-server-git", copies=(repository,)),
            arguments=("--repository", f"{{folders}}/{repository.name}"),
            first=(
                Call(tool="git_log", arguments={"repo_path": folder, "max_count": 5}, wants="the second thing"),
                Call(tool="git_diff", arguments={"repo_path": folder, "target": "HEAD~1"}, wants="+two"),
            ),
            second=(Call(tool="git_status", arguments={"repo_path": folder}, wants="notes.txt"),),
            says="its log and what the last commit changed; in the second machine the file that is changed and not committed",
        ),
        Trial(
            name="fetch", shown="PyPI `mcp-server-fetch`, `--allow-host` of a host in the trial's own process", options=ProgramOptions(pypi="mcp-server-fetch", hosts=(PAGE,)),
            first=(Call(tool="fetch", arguments={"url": f"https://{PAGE}/prices"}, wants="Harbour dues rose"),),
            second=(Call(tool="fetch", arguments={"url": f"https://{PAGE}/prices", "raw": True}, wants="<h1>"),),
            says="the page's words through the broker; in the second machine its HTML",
        ),
        Trial(
            name="sqlite", shown="PyPI `mcp-server-sqlite`, `--with 'mcp<2' --keep`", options=ProgramOptions(pypi="mcp-server-sqlite", beside=("mcp<2",), keep=True),
            arguments=("--db-path", "{kept}/books.db"),
            first=(
                Call(tool="create_table", arguments={"query": "CREATE TABLE dues (port TEXT, cents INTEGER)"}, wants="created"),
                Call(tool="write_query", arguments={"query": "INSERT INTO dues VALUES ('Calais', 1250), ('Dover', 990)"}, wants="2"),
            ),
            second=(Call(tool="read_query", arguments={"query": "SELECT sum(cents) AS total FROM dues"}, wants="2240"),),
            says="made a table and two rows; in the second machine their sum",
        ),
    )  # fmt: skip


def _node_trials() -> Sequence[Trial]:
    anna = {
        "name": "Anna Weber",
        "entityType": "person",
        "observations": ["keeps the Harbour file"],
    }
    return (
        Trial(
            name="everything", shown="npm `server-everything`", options=ProgramOptions(npm="@modelcontextprotocol/server-everything"),
            first=(Call(tool="echo", arguments={"message": "ahoy"}, wants="ahoy"),),
            second=(Call(tool="get-sum", arguments={"a": 2, "b": 40}, wants="42"),),
            says="an echo; in the second machine a sum",
        ),
        Trial(
            name="filesystem", shown="npm `server-filesystem`, `--keep`", options=ProgramOptions(npm="@modelcontextprotocol/server-filesystem", keep=True),
            arguments=("{kept}",),
            first=(
                Call(tool="write_file", arguments={"path": "/workspace/kept/dues.txt", "content": "Calais 12.50\n"}, wants="dues.txt"),
                Call(tool="edit_file", arguments={"path": "/workspace/kept/dues.txt", "edits": [{"oldText": "12.50", "newText": "13.00"}]}, wants="13.00"),
            ),
            second=(
                Call(tool="read_text_file", arguments={"path": "/workspace/kept/dues.txt"}, wants="Calais 13.00"),
                Call(tool="search_files", arguments={"path": "/workspace/kept", "pattern": "*.txt"}, wants="dues.txt"),
            ),
            says="wrote a file and changed it; in the second machine it read and found it",
        ),
        Trial(
            name="memory", shown="npm `server-memory`, `--keep` and `MEMORY_FILE_PATH`", options=ProgramOptions(npm="@modelcontextprotocol/server-memory", keep=True, variables=("MEMORY_FILE_PATH={kept}/memory.json",)),
            first=(Call(tool="create_entities", arguments={"entities": [anna]}, wants="Anna Weber"),),
            second=(Call(tool="search_nodes", arguments={"query": "Harbour"}, wants="Anna Weber"),),
            says="noted a person; in the second machine it found her by what it knows of her",
        ),
        Trial(
            name="thinking", shown="npm `server-sequential-thinking`", options=ProgramOptions(npm="@modelcontextprotocol/server-sequential-thinking"),
            first=(Call(tool="sequentialthinking", arguments={"thought": "Dues first.", "thoughtNumber": 1, "totalThoughts": 2, "nextThoughtNeeded": True}, wants="thoughtHistoryLength"),),
            second=(Call(tool="sequentialthinking", arguments={"thought": "Then berths.", "thoughtNumber": 2, "totalThoughts": 2, "nextThoughtNeeded": False}, wants="thoughtHistoryLength"),),
            says="its count of thoughts",
        ),
    )  # fmt: skip


def repository_in(top: Path) -> Path:
    """Make a repository with two commits and a file that is changed since."""
    folder = top / "harbour"
    folder.mkdir()
    who = {**os.environ, "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.com"}  # fmt: skip

    def git(*words: str) -> None:
        subprocess.run(["git", *words], cwd=folder, env=who, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    for text, said in (("one\n", "the first thing"), ("one\ntwo\n", "the second thing")):
        (folder / "notes.txt").write_text(text)
        git("add", ".")
        git("commit", "-q", "-m", said)
    (folder / "notes.txt").write_text("one\ntwo\nthree\n")
    return folder


def page(request: FakeRequest) -> FakeAnswer:
    """Answer as the host that `fetch` may reach."""
    if request.path == "/robots.txt":
        return FakeAnswer(status=404)
    body = b"<html><head><title>Prices</title></head><body><article><h1>Prices</h1><p>Harbour dues rose by four per cent in March, said the port.</p></article></body></html>"
    return FakeAnswer(headers=[("content-type", "text/html; charset=utf-8")], body=body)


async def tried(trial: Trial, places: Places, outside: Outside, say: Callable[[str], None]) -> Row:
    """Add a program, call it in two machines; return what came of it."""
    row, adapters = Row(), Adapters(places, outside=outside)
    began = time.monotonic()
    try:
        known = bounds_of(trial.options)
        url, program = await anyio.to_thread.run_sync(
            fetched_program, places, trial.name, trial.options, trial.arguments, say
        )
        program = replace(program, hosts=known.hosts, environment=known.environment, keeps=known.keeps, folders=known.folders)  # fmt: skip
        entry = ConnectorEntry(name=trial.name, url=url, transport="stdio", program=program)
        row.package = url.partition(":")[2]
        say(f"fetched {url} in {time.monotonic() - began:.0f} s")
        entry = await _in_machine(entry, adapters, trial.first, row, say, add=True)
        await _in_machine(entry, adapters, trial.second, row, say, add=False)
    except DeskmateError as error:
        row.problem = error.message[:200]
    return row


async def _in_machine(
    entry: ConnectorEntry,
    adapters: Adapters,
    calls: Sequence[Call],
    row: Row,
    say: Callable[[str], None],
    *,
    add: bool,
) -> ConnectorEntry:
    if add:  # as `connector add` does: asked for its tools in a machine, which are then pinned
        began = time.monotonic()
        found, listing = await look_at_program(adapters.places, entry, adapters)
        row.seconds.append(time.monotonic() - began)
        row.tools = len(listing.tools)
        entry = accepted(entry, found, listing)
        adapters.connectors().save(entry)
    began = time.monotonic()
    async with connected_program(entry, adapters, progress=say) as server:
        await server.list_tools()
        if not add:
            row.seconds.append(time.monotonic() - began)
        for call in calls:
            result = await server.call(
                call.tool, call.arguments, timeout_s=CALL_S, on_progress=lambda line: None
            )
            words = json.dumps(list(result.content), ensure_ascii=False)
            if result.is_error or call.wants not in words:
                raise ToolError(f"{call.tool} said {words[:160]}")
            say(f"{call.tool}: {words[:200]}")
    return entry


async def all_tried(only: Sequence[str]) -> dict[str, tuple[Trial, Row]]:
    """Try them one after the other, in places of their own but for image and templates."""
    usual = find_places(dict(os.environ), Path.home())
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        places = Places(data=top / "data", cache=usual.cache, config=top / "config")
        async with FakeInternet() as net:
            net.add(PAGE, page)
            for trial in trials(repository_in(top)):
                if only and trial.name not in only:
                    continue

                def say(line: str, name: str = trial.name) -> None:
                    print(f"{name}: {line}", flush=True)

                row = await tried(trial, places, net.outside, say)
                print(
                    trial.name,
                    row.package,
                    row.tools,
                    [round(s) for s in row.seconds],
                    row.problem,
                    flush=True,
                )
                found[trial.name] = (trial, row)
    return found


def table(found: Mapping[str, tuple[Trial, Row]]) -> str:
    """Return the table as it stands in the docs."""
    day = datetime.now(UTC).strftime("%-d %B %Y")
    good = sum(not row.problem for _, row in found.values())
    load = os.getloadavg()[2]
    head = (
        f"Added, listed and called by `scripts/mcp_programs.py` on {day} with {os.cpu_count()} processors at a load of {load:.0f}: {good} of {len(found)} did all that was asked.\n"
        "The first seconds are those of adding, where its machine is made, loaded and frozen; the second those until its tools are listed in a later run.\n"
    )
    rows = [
        f"| {trial.shown} ({row.package.rpartition('==')[2].rpartition('@')[2]}) | {row.tools} | {row.problem or trial.says} | {', '.join(f'{one:.0f}' for one in row.seconds)} |"
        for trial, row in found.values()
    ]
    return "\n".join(
        (head, "| program | tools | what it answered | seconds |", "|---|---|---|---|", *rows)
    )


def main() -> None:
    """Try them, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--dry", action="store_true")
    given = parser.parse_args()
    text = table(anyio.run(all_tried, given.only))
    if given.dry or given.only:
        print(text)
        return
    before, _, rest = DOCS.read_text("utf-8").partition(BEGIN)
    DOCS.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}", "utf-8")


if __name__ == "__main__":
    main()
