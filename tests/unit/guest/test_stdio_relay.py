"""The guest's relay for a connector's program: bytes in, bytes out, bounded, and its end told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.connectors.fake_program import exchanged

from deskmate.errors import ToolError, ToolInputError
from deskmate.plugin import ToolContext
from deskmate_guest.layout import PluginPlace
from deskmate_guest.stdio import relay


@pytest.fixture
def context(tmp_path: Path) -> Iterator[ToolContext]:
    yield ToolContext(
        workspace=tmp_path, home=tmp_path, resources=tmp_path, config={}, on_progress=lambda line: None
    )  # fmt: skip
    while relay._running:
        relay._running.pop().end()


def run(context: ToolContext, code: str, **environment: str) -> None:
    assert relay.start(context, ["{python}", "-I", "-c", code], environment) == "started"


def until(context: ToolContext, end: bytes, data: bytes = b"") -> bytes:
    """Send `data`, and return all that comes out, up to what ends with `end`."""
    found = b""
    while not found.endswith(end):
        answer, data = exchanged(context, data), b""
        assert not answer["ended"] or answer["out"], answer
        found += answer["out"]
    return found


def test_lines_go_in_and_come_out_of_a_program_in_its_own_folder(
    context: ToolContext, tmp_path: Path
) -> None:
    run(context, "import os\nprint(os.getcwd(), os.environ['KEY'])\nprint(input()[::-1])", KEY="v")
    assert until(context, b"\n").startswith(f"{tmp_path} v\n".encode())
    assert until(context, b"cba\n", b"abc\n") == b"cba\n"


def test_the_end_of_a_program_is_told_with_its_code_and_its_last_words(
    context: ToolContext,
) -> None:
    run(context, "import sys\nsys.stderr.write('a' * 40_000 + 'no licence')\nsys.exit(3)")
    answer = exchanged(context)
    while not answer["ended"]:
        answer = exchanged(context)
    assert (answer["out"], answer["ended"], answer["code"]) == (b"", True, 3)
    assert answer["stderr"].endswith("no licence")
    assert len(answer["stderr"]) == relay.STDERR_BYTES


def test_what_a_program_writes_comes_in_parts_and_waits_there_for_the_host(
    context: ToolContext,
) -> None:
    run(context, "import sys\nsys.stdout.write('x' * 9_000_000 + '\\n')")
    part = exchanged(context)
    while not part["out"]:
        part = exchanged(context)
    assert len(part["out"]) <= relay.CHUNK_BYTES
    program = relay._running[0]
    assert len(program._outgoing) <= relay.WAITING_BYTES + (1 << 16)
    assert len(part["out"]) + len(until(context, b"\n")) == 9_000_001


def test_a_program_that_does_not_read_is_not_fed_for_ever(context: ToolContext) -> None:
    run(context, "import time\ntime.sleep(600)")
    for _ in range(relay.WAITING_BYTES // 500_000):
        exchanged(context, b"x" * 500_000, 0.0)
    with pytest.raises(ToolError, match="does not read"):
        exchanged(context, b"x" * 500_000, 0.0)


def test_a_new_start_ends_the_program_before(context: ToolContext) -> None:
    run(context, "import time\ntime.sleep(600)")
    before = relay._running[0]
    run(context, "print('second')")
    assert before._process.returncode is not None
    assert until(context, b"second\n")


def test_what_cannot_be_started_or_passed_on_is_said(context: ToolContext) -> None:
    with pytest.raises(ToolError, match="not started"):
        relay.exchange(context, "", 0.0)
    with pytest.raises(ToolInputError, match="no command"):
        relay.start(context, [], {})
    with pytest.raises(ToolError, match="cannot be started"):
        relay.start(context, ["/nowhere/at-all"], {})
    run(context, "input()")
    with pytest.raises(ToolInputError, match="base64"):
        relay.exchange(context, "%%%", 0.0)


def test_only_a_connector_s_program_outlives_its_call(tmp_path: Path) -> None:
    def place(package: str) -> PluginPlace:
        return PluginPlace(
            name="a", package=package, version="1", order=1, root=tmp_path, wheels=tmp_path, uid=2001
        )  # fmt: skip

    assert place("deskmate_guest.stdio").keeps
    assert not place("deskmate_guest.workspace").keeps


TALKS = """
import json, pathlib, sys
heard = []
for line in sys.stdin:
    message = json.loads(line)
    heard.append(message["method"])
    if "id" in message:
        print("a greeting", flush=True)
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": {}}), flush=True)
pathlib.Path("heard").write_text(" ".join(heard))
"""


def test_a_program_is_loaded_once_and_ended_as_a_client_ends_it(
    context: ToolContext, tmp_path: Path
) -> None:
    assert relay.warm(context, ["{python}", "-c", TALKS], {}).startswith("it listed its tools")
    heard = "initialize notifications/initialized tools/list"
    assert (tmp_path / "heard").read_text() == heard  # it came to its own end
    assert relay._running == []


@pytest.mark.parametrize("code", ["raise SystemExit(1)", "print('no JSON')"])
def test_a_program_that_does_not_get_so_far_is_no_fault(context: ToolContext, code: str) -> None:
    assert relay.warm(context, ["{python}", "-c", code], {}).startswith("it gave no list")


def test_one_that_hangs_is_ended(context: ToolContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "LONGEST_LOAD_S", 0.3)
    code = "import time; time.sleep(60)"
    assert relay.warm(context, ["{python}", "-c", code], {}).startswith("it gave no list")
    with pytest.raises(ToolError, match="cannot be started"):
        relay.warm(context, ["/nowhere/at/all"], {})


def test_what_is_translated_stays_in_the_program_s_folder_and_is_found_by_the_next_start(
    context: ToolContext, tmp_path: Path
) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    (packages / "their_module.py").write_text("X = 1\n")
    variables = {"PYTHONPATH": str(packages)}
    relay.warm(context, ["{python}", "-c", "import their_module"], variables)
    assert not (packages / "__pycache__").exists()
    assert list((tmp_path / ".translated" / "python").rglob("their_module*.pyc"))


def test_a_program_starts_in_the_folder_that_it_keeps(context: ToolContext, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    run(context, "import os\nprint(os.getcwd())")
    assert until(context, b"\n") == f"{tmp_path}/kept\n".encode()
