"""A connector that is a program, in a real machine: kept from call to call, alone, nobody's, with nothing but its scratch."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.discovery.test_fetching import wheel

from deskmate.discovery.fetching import ProgramOrder, fetch_program
from deskmate.discovery.guest_wheels import Source
from deskmate.errors import OutcomeUnknown
from deskmate.host.adapters import Adapters
from deskmate.host.kept import forget_kept
from deskmate.host.programs import connected_program
from deskmate.types.connectors import ConnectorEntry
from deskmate.types.places import Places

pytestmark = [pytest.mark.vm, pytest.mark.anyio]

SERVER = """
import json, os, pathlib, socket, subprocess, sys

def kept():
    file = pathlib.Path("/workspace/kept/count")
    if not file.parent.is_dir():
        return 0
    number = int(file.read_text()) + 1 if file.exists() else 1
    file.write_text(str(number))
    return number

def facts():
    def can(work):
        try:
            work()
        except OSError:
            return False
        return True

    child = subprocess.run(["id", "-u"], capture_output=True, text=True).stdout.strip()
    return {
        "pid": os.getpid(),
        "uid": os.getuid(),
        "child": child,
        "home": os.environ["HOME"],
        "cwd": os.getcwd(),
        "scratch": can(lambda: open("note", "w").close()),
        "root": can(lambda: open("/etc/note", "w")),
        "network": can(lambda: socket.create_connection(("1.1.1.1", 443), 2)),
        "proxy": can(lambda: socket.create_connection(("127.0.0.1", 3128), 2)),
        "granted": os.listdir("/workspace"),
        "arguments": sys.argv[1:],
        "translated": any(pathlib.Path(os.environ["HOME"]).rglob("facts_mcp*.pyc")),
        "kept": kept(),
        "copied": can(lambda: open("/workspace/papers/a.txt").close()),
        "privileges": [line.split()[1] for line in open("/proc/self/status") if line.startswith(("NoNewPrivs", "CapEff"))],
    }

def main():
    schema = {"type": "object", "properties": {}}
    for line in sys.stdin:
        message = json.loads(line)
        method, number = message.get("method"), message.get("id")
        if number is None:
            continue
        answer = {"jsonrpc": "2.0", "id": number}
        if method == "initialize":
            answer["result"] = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "facts", "version": "1"}}
        elif method == "tools/list":
            answer["result"] = {"tools": [{"name": "facts", "inputSchema": schema}, {"name": "die", "inputSchema": schema}]}
        elif method == "tools/call" and message["params"]["name"] == "die":
            print("goodbye", file=sys.stderr, flush=True)
            os._exit(9)
        elif method == "tools/call":
            answer["result"] = {"content": [{"type": "text", "text": json.dumps(facts())}]}
        else:
            answer["error"] = {"code": -32601, "message": "Method not found"}
        print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_program_answers_from_a_machine_of_its_own_and_reaches_nothing(
    places: Places, tmp_path: Path
) -> None:
    house = tmp_path / "house"
    house.mkdir()
    wheel(house, "facts_mcp", {"facts_mcp.py": SERVER}, "facts-mcp = facts_mcp:main")
    order = ProgramOrder(
        kind="pypi", package="facts-mcp==1.0", arguments=("--one", "two"),
        folder=tmp_path / "kept", source=Source(wheelhouse=house),
    )  # fmt: skip
    url, program = fetch_program(order, lambda line: None)
    entry = ConnectorEntry(name="facts", url=url, transport="stdio", program=program)
    async with connected_program(entry, Adapters(places, environ={})) as server:
        assert server.name == "facts 1"
        assert [row["name"] for row in await server.list_tools()] == ["facts", "die"]
        said = []
        for _ in range(2):
            result = await server.call("facts", {}, timeout_s=60, on_progress=lambda line: None)
            said.append(json.loads(result.content[0]["text"]))
        assert said[0]["pid"] == said[1]["pid"]
        assert said[0] == said[1]
        assert (said[0]["kept"], said[0]["copied"]) == (0, False)
        assert said[0]["translated"]  # it had been loaded once before the freeze
        facts = said[0]
        assert facts["uid"] >= 2001
        assert facts["child"] == str(facts["uid"])
        assert facts["home"] == facts["cwd"] == "/run/plugins/connector--facts"
        assert (facts["scratch"], facts["root"]) == (True, False)
        assert (facts["network"], facts["proxy"], facts["granted"]) == (False, False, [])
        assert facts["arguments"] == ["--one", "two"]
        assert set(facts["privileges"]) == {"1", "0000000000000000"}
        with pytest.raises(OutcomeUnknown):
            await server.call("die", {}, timeout_s=60, on_progress=lambda line: None)
        assert server.said() == "the program ended with code 9; it said: goodbye"

    papers = tmp_path / "papers"
    papers.mkdir()
    (papers / "a.txt").write_text("mine")
    keeps = replace(program, keeps=True, folders={"papers": str(papers)})
    for number in (1, 2):  # what it kept is in its next machine, beside another copy of the folder
        with_files = replace(entry, program=keeps)
        async with connected_program(with_files, Adapters(places, environ={})) as server:
            result = await server.call("facts", {}, timeout_s=60, on_progress=lambda line: None)
            facts = json.loads(result.content[0]["text"])
            assert (facts["kept"], facts["copied"], facts["cwd"]) == (
                number,
                True,
                "/workspace/kept",
            )
            assert sorted(facts["granted"]) == ["kept", "papers"]
    forget_kept(places, "facts")
