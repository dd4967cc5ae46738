"""Wheels in a fresh environment: the core works with what it declares, and a plugin arrives in one thread of two."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
import threading
import venv
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import Distribution, distribution, packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from tests.vm.desk import Desk, make_desk

from deskmate.types.places import Places

pytestmark = pytest.mark.vm
ROOT = Path(__file__).parents[2]
PLUGINS = ("engineering", "finance", "hr", "legal", "ops")
BUILT_IN = {"office", "workspace"}
OWN = BUILT_IN | {"skill", "thread"}
"""Whose tools every thread has: office brings a skill, so there are those that read skills, and those that read the thread."""
LEGAL_GATES = {"LEGAL-REJECT-ALL", "LEGAL-ACCEPT-ALL", "LEGAL-EDIT-REASON", "LEGAL-COVERAGE"}
_DEADLINE_S = 240


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a program that must succeed; return what it wrote."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=_DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheels of the core and of the five plugins by distribution name, built from a copy of the sources."""
    root = tmp_path_factory.mktemp("wheels")
    built = {}
    for source in (ROOT / "core", *(ROOT / "plugins" / name for name in PLUGINS)):
        copy, out = root / "source" / source.name, root / "out" / source.name
        left_out = shutil.ignore_patterns("__pycache__", "dist", "build", "*.egg-info")
        shutil.copytree(source, copy, ignore=left_out)
        run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", out, copy)
        (wheel,) = out.glob("*.whl")
        name = "deskmate" if source.name == "core" else f"deskmate-{source.name}"
        built[name] = wheel
    return built


def declared(wheel: Path) -> list[Requirement]:
    """Return what a wheel says that it needs, without its extras."""
    with zipfile.ZipFile(wheel) as package:
        (name,) = [n for n in package.namelist() if n.endswith(".dist-info/METADATA")]
        lines = message_from_bytes(package.read(name)).get_all("Requires-Dist", [])
    return [r for line in lines if applies(r := Requirement(line))]


def applies(wanted: Requirement, extra: str = "") -> bool:
    return wanted.marker is None or wanted.marker.evaluate({"extra": extra})


def closure(wanted: Iterable[Requirement]) -> dict[str, Distribution]:
    """Return these requirements and what they need in turn, as installed here, by name."""
    found: dict[str, Distribution] = {}
    todo = [(one.name, extra) for one in wanted for extra in ("", *one.extras)]
    seen: set[tuple[str, str]] = set()
    while todo:
        name, extra = todo.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        found[name] = distribution(name)
        for one in map(Requirement, distribution(name).requires or ()):
            if applies(one, extra):
                todo += [(one.name, inner) for inner in ("", *one.extras)]
    return found


def imported_on_the_host() -> set[str]:
    """Return the distributions that modules of `deskmate` import themselves."""
    roots: set[str] = set()
    for file in (ROOT / "core/src/deskmate").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                roots |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                roots.add(node.module.partition(".")[0])
    owners = packages_distributions()
    foreign = roots - set(sys.stdlib_module_names) - {"deskmate"}
    return {owners[root][0].lower().replace("_", "-") for root in foreign if root in owners}


def lend(dependency: Distribution, environment: Path) -> None:
    """Make an installed distribution visible in another environment, without a network."""
    (site,) = environment.glob("lib/python*/site-packages")
    source = Path(str(dependency.locate_file("")))
    for file in dependency.files or ():
        if file.parts[0] == "..":
            if file.parts[-2] == "bin" and not (environment / "bin" / file.name).exists():
                (environment / "bin" / file.name).symlink_to((source / file).resolve())
        elif file.parts[0] != "__pycache__" and not (site / file.parts[0]).exists():
            (site / file.parts[0]).symlink_to(source / file.parts[0])


class Fresh:
    """A new virtual environment that has the core's wheel and what that declares, and nothing else."""

    def __init__(self, folder: Path, core: Path) -> None:
        self.python = folder / "bin/python"
        self.program = folder / "bin/deskmate"
        venv.create(folder, with_pip=True, symlinks=True)
        for dependency in closure(declared(core)).values():
            lend(dependency, folder)
        self.pip("install", core)

    def pip(self, *arguments: str | Path) -> str:
        """Run its pip without an index."""
        quiet = ("--disable-pip-version-check", "--no-input")
        offline = ("--no-index",) if arguments[0] == "install" else ()
        return run(self.python, "-I", "-m", "pip", *quiet, *arguments, *offline)


@pytest.fixture
def fresh(wheels: dict[str, Path], tmp_path: Path) -> Fresh:
    return Fresh(tmp_path / "environment", wheels["deskmate"])


@pytest.fixture
def fresh_desk(fresh: Fresh, places: Places, tmp_path: Path) -> Desk:
    return make_desk(tmp_path / "home", places, str(fresh.program))


class Ears:
    """A model server that remembers each request, and answers with the next scripted reply, else with words."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.replies: list[list[tuple[str, dict[str, Any]]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.requests.append(json.loads(body))
                answer = outer.answer()
                self.send_response(200)
                self.send_header("content-type", "text/event-stream; charset=utf-8")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *arguments: Any) -> None:
                """Be quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def answer(self) -> bytes:
        """Return the next reply as the Messages API streams it."""
        uses = self.replies.pop(0) if self.replies else []
        blocks: list[tuple[dict[str, Any], dict[str, Any]]] = [
            (
                {"type": "tool_use", "id": f"call_{len(self.requests)}_{n}", "name": name},
                {"type": "input_json_delta", "partial_json": json.dumps(arguments)},
            )
            for n, (name, arguments) in enumerate(uses)
        ]
        if not blocks:
            blocks = [({"type": "text", "text": ""}, {"type": "text_delta", "text": "I heard."})]
        stop = "tool_use" if uses else "end_turn"
        return b"".join(
            f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
            for event in _stream(blocks, stop)
        )


def _stream(
    blocks: Sequence[tuple[dict[str, Any], dict[str, Any]]], stop: str
) -> Iterator[dict[str, Any]]:
    message: dict[str, Any] = {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "ears",
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": 1, "output_tokens": 0},
    }
    yield {"type": "message_start", "message": message}
    for index, (block, delta) in enumerate(blocks):
        start = {**block, "input": {}} if block["type"] == "tool_use" else block
        yield {"type": "content_block_start", "index": index, "content_block": start}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    end = {"stop_reason": stop, "stop_sequence": None}
    yield {"type": "message_delta", "delta": end, "usage": {"output_tokens": 1}}
    yield {"type": "message_stop"}


@pytest.fixture
def ears() -> Iterator[Ears]:
    one = Ears()
    yield one
    one.close()


def heard(request: dict[str, Any]) -> tuple[set[str], str]:
    """Return what a model was given: the names of its tools, and the system prompt."""
    tools = {tool["name"] for tool in request.get("tools", ())}
    return tools, "\n".join(block["text"] for block in request["system"])


def owners(tools: set[str]) -> set[str]:
    return {tool.partition("__")[0] for tool in tools}


@pytest.mark.timeout(600)
def test_the_wheels_hold_all_that_a_guest_and_a_reader_need(wheels: dict[str, Path]) -> None:
    core = set(zipfile.ZipFile(wheels["deskmate"]).namelist())
    assert core >= {
        "deskmate/py.typed",
        "deskmate/discovery/plugin.schema.json",
        "deskmate/sandbox/guest.txt",
        "deskmate/sandbox/recipe/init.sh",
        "deskmate/sandbox/recipe/customize.sh",
        "deskmate_guest/boot.py",
        "deskmate_guest/workspace/plugin.toml",
        "deskmate_guest/workspace/prompts/workspace.md",
        "deskmate_documents/plugin.toml",
        "deskmate_documents/prompts/office.md",
    }
    for name in PLUGINS:
        source = ROOT / "plugins" / name / "src"
        wanted = {
            str(path.relative_to(source))
            for path in source.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        held = zipfile.ZipFile(wheels[f"deskmate-{name}"]).namelist()
        assert wanted - set(held) == set()
        assert f"deskmate_{name}/plugin.toml" in wanted
        assert [path for path in held if path.endswith((".pth", "console_scripts"))] == []


BY_CHOICE = {"dbos", "sqlalchemy", "xlsxwriter", "pytest"}
"""Of the extra `scale`, and of partners' own tests; no module but the last one's needs them to be imported."""


@pytest.mark.timeout(600)
def test_the_core_alone_works_with_nothing_but_what_it_declares(
    fresh: Fresh, fresh_desk: Desk, wheels: dict[str, Path]
) -> None:
    assert "No broken requirements" in fresh.pip("check")
    names = {wanted.name.lower() for wanted in declared(wheels["deskmate"])}
    assert imported_on_the_host() - names == BY_CHOICE
    run(fresh.python, "-I", "-W", "error", "-c", _IMPORT_ALL, cwd=fresh_desk.home)
    assert "changes" in fresh_desk.call("--help").stdout
    found = fresh_desk.json("plugin", "list")["plugins"]
    assert {plugin["name"] for plugin in found} == BUILT_IN
    assert {(plugin["state"], plugin["editable"]) for plugin in found} == {("ok", False)}
    report = fresh_desk.json("doctor", "--quick")
    assert report["ok"] is True, report
    missing = fresh_desk.call("run", "Review.", "--plugin", "legal", code=2)
    assert "legal" in missing.stderr
    assert len(missing.stderr.splitlines()) <= 2


_IMPORT_ALL = """
import importlib, pkgutil, deskmate
names = [m.name for m in pkgutil.walk_packages(deskmate.__path__, "deskmate.")]
assert len(names) > 100, names
for name in names:
    if not name.endswith(("__main__", "testing.pytest_plugin")):
        importlib.import_module(name)
for late in ("anthropic", "jsonschema", "mcp", "mcp_types", "sqlite_utils", "yaml", "zstandard"):
    importlib.import_module(late)
"""


@pytest.mark.timeout(600)
def test_each_plugin_works_alone_beside_the_core(
    fresh: Fresh, fresh_desk: Desk, wheels: dict[str, Path]
) -> None:
    for name in PLUGINS:
        fresh.pip("install", wheels[f"deskmate-{name}"])
        found = fresh_desk.json("plugin", "list")["plugins"]
        assert {plugin["name"] for plugin in found} == {*BUILT_IN, name}
        (mine,) = [plugin for plugin in found if plugin["name"] == name]
        assert (mine["state"], mine["editable"]) == ("ok", False), mine
        skills = fresh_desk.json("skill", "list")["skills"]
        assert {skill["plugin"] for skill in skills} == {
            "office",
            name,
        }  # office brings one of its own
        assert [skill["problem"] for skill in skills if skill["problem"]] == []
        assert "virtual machine only" in fresh_desk.call("plugin", "show", name).stdout
        fresh.pip("uninstall", "--yes", f"deskmate-{name}")
    names = {plugin["name"] for plugin in fresh_desk.json("plugin", "list")["plugins"]}
    assert names == BUILT_IN


@pytest.mark.timeout(900)
def test_a_plugin_enabled_in_the_middle_of_a_thread_is_there_at_its_next_turn_and_nowhere_else(
    fresh: Fresh, fresh_desk: Desk, wheels: dict[str, Path], ears: Ears, tmp_path: Path
) -> None:
    desk = Desk(
        program=fresh_desk.program,
        home=fresh_desk.home,
        extra={"DESKMATE_MODEL_URL": ears.url},
    )
    folder = tmp_path / "contracts"
    run(sys.executable, ROOT / "examples/make_contract.py", folder)

    def say(text: str, *options: str | Path) -> dict[str, Any]:
        answer: dict[str, Any] = desk.json("run", text, "--model", "local:ears", *options)
        assert answer["reason"] == "done", answer
        return answer

    thread = say("Good morning.", "--folder", f"{folder}:rw")["thread"]
    other = say("Good evening.", "--folder", f"{folder}:rw")["thread"]
    for request in ears.requests:
        tools, system = heard(request)
        assert owners(tools) == OWN
        assert "playbook" not in system

    fresh.pip("install", wheels["deskmate-legal"])
    assert "legal" in {plugin["name"] for plugin in desk.json("plugin", "list")["plugins"]}
    enabled = desk.call("plugin", "enable", "legal", "--thread", thread, "--yes").stdout
    assert "LEGAL-REJECT-ALL" in enabled

    say("And now?", "--thread", thread)
    tools, system = heard(ears.requests[-1])
    assert {tool for tool in tools if tool.startswith("legal__")} == {
        f"legal__{name}"
        for name in (
            *("contract_find", "contract_parse", "contract_compare", "contract_redline"),
            *("memo_write", "nda_triage", "playbook_review", "terms_check"),
            *("cite_check", "authorities_write", "redact", "deadline_calc", "deadlines_write"),
            *("signature_preflight", "privilege_screen"),
        )
    }
    assert "skill__read" in tools
    assert "- review-contract: " in system
    for prompt in ("role", "limits", "house-rules"):
        with zipfile.ZipFile(wheels["deskmate-legal"]) as wheel:
            text = wheel.read(f"deskmate_legal/prompts/{prompt}.md").decode()
        assert text.strip() in system
    assert "Good morning." in json.dumps(ears.requests[-1]["messages"])

    # Its gates judge what this thread delivers; the other thread has neither its tools nor its gates.
    review = desk.json("run", "Review this NDA against our playbook.", "--thread", thread,
                       "--model", "offline")  # fmt: skip
    assert review["reason"] == "done"
    assert set(desk.events(thread, "Validated")[-1]["rules"]) >= LEGAL_GATES

    ears.replies = [
        [("legal__contract_find", {"request": "Review this NDA."})],
        [("workspace__write", {"path": "contracts/note.md", "content": "# A note\n\nHello.\n"})],
        [("workspace__present", {"files": [{"path": "contracts/note.md", "title": "A note"}]})],
    ]
    say("Do what you can.", "--thread", other)
    tools, system = heard(ears.requests[-1])
    assert owners(tools) == OWN
    assert "playbook" not in system
    refused = next(
        block
        for message in ears.requests[-1]["messages"]
        for block in message["content"]
        if block["type"] == "tool_result"
    )
    assert refused["is_error"] is True
    (verdict,) = desk.events(other, "Validated")
    assert verdict["passed"] is True
    assert not set(verdict["rules"]) & LEGAL_GATES

    desk.call("plugin", "disable", "legal", "--thread", thread)
    say("What now?", "--thread", thread)
    tools, system = heard(ears.requests[-1])
    assert owners(tools) == OWN
    assert "playbook" not in system
    assert "review-contract" not in system
