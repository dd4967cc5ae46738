"""The usual programs in a real machine, each through its way out: what is allowed works, the rest is said why not."""

from __future__ import annotations

import io
import secrets
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from deskmate.connectors.egress.broker import Broker
from deskmate.connectors.egress.policy import NetworkPolicy
from deskmate.errors import SandboxMissing
from deskmate.ports import Flavour, SandboxSpec
from deskmate.sandbox.adapter import QemuSandbox
from deskmate.sandbox.build import build_image
from deskmate.sandbox.image import find_image
from deskmate.sandbox.machine import QemuMachine
from deskmate.testing.fake_internet import FakeAnswer, FakeInternet, FakeRequest
from deskmate.types.events import EgressAsked, Payload
from deskmate.types.ids import ThreadId
from deskmate.types.network import NetworkRule
from deskmate.types.places import Places

pytestmark = [pytest.mark.vm, pytest.mark.anyio]
PAGE, OTHER, INDEX = "page.example.test", "other.example.test", "index.example.test"
BODY = b"x" * 100_000 + b" the end"
REFUSED = "other.example.test is not allowed"
REQUESTS = """
import requests
for url in ("https://page.example.test/r", "https://other.example.test/r"):
    answer = requests.get(url, timeout=50)
    print(answer.status_code, len(answer.content), answer.text[-60:])
"""
NODE_FETCH = """
const say = (found) => console.log(found);
(async () => {
  for (const url of ["https://page.example.test/n", "https://other.example.test/n"]) {
    const answer = await fetch(url);
    const text = await answer.text();
    say(`${answer.status} ${text.length} ${text.slice(-60)}`);
  }
  const sent = await fetch("https://page.example.test/post", {method: "POST", body: "some words"});
  say(`${sent.status} ${await sent.text()}`);
})();
"""
NODE_MODULES = """
const http = require("http"), https = require("https");
const get = (kind, url) => new Promise((done, fail) => kind.get(url, (answer) => {
  let text = "";
  answer.on("data", (piece) => (text += piece)).on("end", () => done(`${answer.statusCode} ${text.length} ${text.slice(-60)}`));
}).on("error", fail));
const server = http.createServer((request, answer) => answer.end("local"));
server.listen(0, "127.0.0.1", async () => {
  const own = `http://127.0.0.1:${server.address().port}/`;
  console.log(await get(https, "https://page.example.test/m"));
  console.log(await get(https, "https://page.example.test/m"));
  console.log(await get(https, "https://other.example.test/m"));
  console.log(await get(http, "http://page.example.test/m"));
  console.log(await get(http, own));
  console.log(await (await fetch(own)).text());
  server.close();
});
"""


def wheel() -> bytes:
    """Return a package with one module and one program."""
    buffer = io.BytesIO()
    about = "greeter-1.0.dist-info"
    members = {
        "greeter.py": "def greet():\n    print('greetings from a wheel')\n",
        f"{about}/METADATA": "Metadata-Version: 2.1\nName: greeter\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/entry_points.txt": "[console_scripts]\ngreet = greeter:greet\n",
    }
    rows = "".join(f"{name},,\n" for name in [*members, f"{about}/RECORD"])
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in {**members, f"{about}/RECORD": rows}.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def index(request: FakeRequest) -> FakeAnswer:
    """Answer as a package index that has one package."""
    name = "greeter-1.0-py3-none-any.whl"
    if request.path == "/simple/greeter/":
        page = f'<!DOCTYPE html><html><body><a href="/files/{name}">{name}</a></body></html>'
        return FakeAnswer(headers=[("content-type", "text/html")], body=page.encode())
    if request.path == f"/files/{name}":
        return FakeAnswer(body=wheel())
    return FakeAnswer(status=404, body=b"not here")


def page(request: FakeRequest) -> FakeAnswer:
    return FakeAnswer(body=b"got " + request.body if request.method == "POST" else BODY)


@asynccontextmanager
async def online(
    sandbox: QemuSandbox, facts: list[Payload], flavour: Flavour = "base"
) -> AsyncIterator[QemuMachine]:
    """A machine that may reach the page and the index, of a net that has another host too."""

    async def record(fact: Payload) -> None:
        facts.append(fact)

    async with FakeInternet() as net:
        net.add(PAGE, page)
        net.add(INDEX, index)
        net.add(OTHER)
        rules = (NetworkRule(host=PAGE, methods=("GET", "POST")), NetworkRule(host=INDEX))
        broker = Broker(NetworkPolicy(rules=rules), net.outside, record)
        spec = SandboxSpec(thread=ThreadId("t-online"), plugins=(), egress=broker, flavour=flavour)
        async with sandbox.open(spec, lambda line: None) as machine:
            yield machine
        assert net.servers[OTHER].heard == b""


async def call(machine: QemuMachine, tool: str, **arguments: object) -> str:
    outcome = await machine.call(
        f"workspace__{tool}", arguments, key=secrets.token_hex(8), timeout_s=200,
        on_progress=lambda line: None,
    )  # fmt: skip
    assert isinstance(outcome.structured, dict), outcome.text
    return str(outcome.structured["output"])


async def shell(machine: QemuMachine, command: str) -> str:
    return await call(machine, "shell", command=command, timeout_s=180)


async def node(machine: QemuMachine, script: str) -> list[str]:
    """Run a program of Node; return the lines that say something."""
    said = await shell(machine, f"node - <<'E'\n{script}\nE")
    return [line for line in said.splitlines() if line.strip()]


def hosts(facts: list[Payload]) -> list[tuple[str, bool]]:
    return [(fact.host, fact.allowed) for fact in facts if isinstance(fact, EgressAsked)]


async def test_curl_and_wget_work_for_allowed_hosts_only(sandbox: QemuSandbox) -> None:
    facts: list[Payload] = []
    async with online(sandbox, facts) as machine:
        assert await shell(machine, f"curl -sSf https://{PAGE}/c | tail -c 7") == "the end"
        assert REFUSED in await shell(machine, f"curl -sS https://{OTHER}/c")
        assert await shell(machine, f"curl -sf https://{OTHER}/c; echo $?") == "22\n"
        assert await shell(machine, f"wget -qO- https://{PAGE}/w | tail -c 7") == "the end"
        assert await shell(machine, f"wget -qO- https://{OTHER}/w; echo $?") == "8\n"
        posted = await shell(machine, f"curl -sS -d 'some words' https://{PAGE}/post")
        assert posted == "got some words"
        # no program may choose to do without: there is nothing to talk to beside the proxy
        assert await shell(machine, f"curl -s --noproxy '*' https://{PAGE}/; echo $?") == "6\n"
        forged = f"curl -s --cacert /etc/hostname https://{PAGE}/; echo $?"
        assert (await shell(machine, forged)).strip() != "0"
    assert hosts(facts)[:3] == [(PAGE, True), (OTHER, False), (OTHER, False)]


async def test_requests_works_in_the_shell_and_in_the_python_tool(sandbox: QemuSandbox) -> None:
    async with online(sandbox, []) as machine:
        for said in (
            await shell(machine, f"python3 - <<'E'\n{REQUESTS}\nE"),
            await call(machine, "python", code=REQUESTS),
        ):
            allowed, refused = said.splitlines()[:2]
            assert allowed.startswith("200 100008")
            assert allowed.endswith("the end")
            assert refused.startswith("403")
            assert "Deskmate" in said


@pytest.mark.slow
async def test_what_pip_installs_is_there_for_shell_and_python(sandbox: QemuSandbox) -> None:
    install = f"pip install -q -i https://{INDEX}/simple greeter"
    async with online(sandbox, []) as machine:
        assert await shell(machine, f"{install}; echo $?") == "0\n"
        assert await shell(machine, "greet") == "greetings from a wheel\n"
        said = await call(machine, "python", code="import greeter; greeter.greet()")
        assert said == "greetings from a wheel\n"
        # with pip's own copy in it, which takes an emulated processor minutes, it works the same
        made = "cd ~ && python3 -m venv --without-pip --system-site-packages own"
        own = f"{made} && own/bin/python -m {install} --force-reinstall && own/bin/greet"
        assert (await shell(machine, own)).endswith("greetings from a wheel\n")
        elsewhere = f"pip install --retries 0 -i https://{OTHER}/simple absent"
        said = await shell(machine, f"{elsewhere}; echo $?")
        assert "No matching distribution" in said  # pip keeps the broker's words to itself
        assert said.endswith("1\n")


async def test_without_a_way_out_each_program_says_so_at_once(sandbox: QemuSandbox) -> None:
    spec = SandboxSpec(thread=ThreadId("t-offline"), plugins=())
    async with sandbox.open(spec, lambda line: None) as machine:
        assert "Could not resolve host" in await shell(machine, f"curl -sS https://{PAGE}/")
        assert "unable to resolve" in await shell(machine, f"wget https://{PAGE}/ 2>&1")
        assert await shell(machine, "echo ${HTTPS_PROXY:-none}") == "none\n"
        tools = "bc bzip2 curl git jq less patch pip rg sqlite3 tree wget"
        assert await shell(machine, f"for t in {tools}; do command -v $t; done | wc -l") == "12\n"


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_node_reaches_allowed_hosts_by_fetch_and_by_its_modules(
    places: Places, sandbox: QemuSandbox
) -> None:
    try:
        find_image(places, flavour="office")
    except SandboxMissing:
        build_image(places, lambda line: None, flavour="office")
    facts: list[Payload] = []
    async with online(sandbox, facts, "office") as machine:
        allowed, refused, posted = await node(machine, NODE_FETCH)
        assert (allowed[:10], allowed[-7:]) == ("200 100008", "the end")
        assert refused.startswith("403")
        assert posted == "200 got some words"
        said = await node(machine, NODE_MODULES)
        assert [line[:10] for line in said[:2]] == ["200 100008"] * 2
        assert [line[:3] for line in said[2:4]] == ["403", "403"]
        assert said[4:] == ["200 5 local", "local"]
        assert await shell(machine, "node -p '6*7'") == "42\n"
    assert (OTHER, False) in hosts(facts)
