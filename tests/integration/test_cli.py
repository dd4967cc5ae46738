"""The command line as a whole: help, JSON, exit codes, and a terminal that nothing can command."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from deskmate.changes.apply import Place, apply_changes
from deskmate.changes.staged import find_staged
from deskmate.cli import root
from deskmate.cli.output import plain, say_json
from deskmate.cli.render import Renderer
from deskmate.cli.run import EXIT_CODES, show_result
from deskmate.host import Host, RunOrder, RunResult
from deskmate.ports import Delta, ToolOutcome, ValidationRequest
from deskmate.store.blobs import BlobStore
from deskmate.store.thread import open_thread
from deskmate.testing.fake_sandbox import FakePlugin, FakeSandbox
from deskmate.testing.scripted_model import Line, ScriptedModel
from deskmate.types.events import ToolFinished
from deskmate.types.files import Deliverable, Grant
from deskmate.types.findings import Finding
from deskmate.types.places import find_places
from deskmate.types.registry import RuleSpec, ToolSpec

Run = Callable[..., subprocess.CompletedProcess[str]]
REFERENCE = Path(__file__).parents[2] / "docs/reference/cli-json.md"


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every command and group."""
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, (*path, name))


@pytest.mark.parametrize("path", list(commands(root)), ids=" ".join)
def test_help_is_whole_sentences_that_are_not_cut(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(root, [*path, "--help"], prog_name="deskmate")
    assert result.exit_code == 0
    body = result.output.split("\n\n")
    assert body[0].startswith("Usage: deskmate")
    assert body[1].strip()
    listed = result.output.partition("Commands:")[2]
    assert "..." not in listed  # no line of a list of commands is cut off
    for line in listed.splitlines():
        assert not line.strip() or line.endswith("."), line


def test_every_command_with_json_is_in_the_reference() -> None:
    text = REFERENCE.read_text("utf-8")
    for path in commands(root):
        command: click.Command = root
        for name in path:
            assert isinstance(command, click.Group)
            found = command.get_command(click.Context(command), name)
            assert found is not None
            command = found
        if any("--json" in parameter.opts for parameter in command.params):
            assert f"`{' '.join(path)}`" in text or path[-1] == "build", path


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (("thread", "list"), None),
        (("plugin", "list"), {"plugins"}),
        (("plugin", "show", "legal"), {"name", "version", "state", "permissions", "hint"}),
        (("plugin", "audit"), {"notes"}),
        (("skill", "list"), {"skills"}),
        (("model", "list"), {"default", "models"}),
        (("model", "test", "offline"), {"model", "answers", "text", "usage"}),
        (("doctor", "--quick"), {"ok", "checks"}),
        (("image", "list"), None),
        (("template", "list"), None),
        (("audit", "verify"), {"reports", "damaged"}),
    ],
)
def test_json_is_one_document_with_its_keys(
    deskmate: Run, arguments: tuple[str, ...], keys: set[str] | None
) -> None:
    data = json.loads(deskmate(*arguments, "--json").stdout)
    if keys is None:
        assert data == []
    else:
        assert keys <= data.keys()
    if "doctor" in arguments:
        assert all(check.keys() == {"name", "state", "cause", "cure"} for check in data["checks"])


def test_the_json_of_a_run_has_all_documented_keys_also_the_empty_ones(
    deskmate: Run, folder: Path
) -> None:
    done = deskmate("run", "Go", "--folder", folder, "--json")
    assert done.returncode == 1  # tools are off
    data = json.loads(done.stdout)
    documented = REFERENCE.read_text("utf-8").partition("| `run`")[2].partition("\n")[0]
    assert data.keys() <= set(re.findall(r"`(\w+)`", documented))
    assert {"deliverables", "findings", "applied", "usage"} <= data.keys()
    assert (data["reason"], data["deliverables"], data["applied"]) == ("failed", [], "")
    listed = json.loads(deskmate("thread", "list", "--json").stdout)
    assert [(row["thread"], row["problem"]) for row in listed] == [(data["thread"], "")]
    shown = json.loads(deskmate("thread", "show", "--json").stdout)
    assert [row["event"]["seq"] for row in shown] == list(range(1, len(shown) + 1))
    changes = json.loads(deskmate("changes", "history", "--json").stdout)
    assert changes == []


def tool(name: str, risk: Any) -> ToolSpec:
    return ToolSpec(
        plugin="lab",
        name=f"lab__{name}",
        title=name,
        description=name,
        input_schema={"type": "object"},
        risk=risk,
    )


def present(tree: Any, arguments: Mapping[str, Any]) -> ToolOutcome:
    tree_file = Deliverable(path="contracts/note.txt", title="It", role="memo")
    return ToolOutcome(text="shown", deliverables=(tree_file,))


def refuse(request: ValidationRequest, blobs: Any) -> Iterable[Finding]:
    yield Finding(rule="L-NO", level="error", message="Never good.", path="contracts/note.txt")


LAB = FakePlugin(
    tools={
        "lab__present": (tool("present", "read"), present),
        "lab__send": (tool("send", "send"), lambda tree, arguments: "sent"),
    },
    rules={"L-NO": (RuleSpec(plugin="lab", rule="L-NO", title="No."), refuse)},
)


class Nobody:
    async def approve(self, tool: object, arguments: object, why: str) -> bool | None:
        return None


async def carry_out(home: Path, folder: Path, *script: Line, **order: Any) -> RunResult:
    places = find_places({"DESKMATE_HOME": str(home)}, home)
    host = Host(places, sandbox=FakeSandbox({"lab": LAB}), model=ScriptedModel(script))
    grant = Grant(name="contracts", folder=str(folder))
    asked = RunOrder(text="Go", plugins=("lab",), grants=(grant,), **order)
    return await host.run(asked, None, observer=Renderer(), approver=Nobody())


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("code", "script", "words"),
    [
        (0, ("All good.",), "All good."),
        (3, ((("lab__present", {}),), "Here it is."), "rejected: The output checks found 1"),
        (4, ((("lab__send", {}),), "Sent."), "needs you: send waits for your approval"),
    ],
)
async def test_the_exit_code_says_how_a_run_ended(
    code: int,
    script: tuple[Line, ...],
    words: str,
    home: Path,
    folder: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    result = await carry_out(home, folder, *script)
    show_result(result)
    assert EXIT_CODES[result.reason] == code
    assert words in capfd.readouterr().out
    say_json(result)
    assert json.loads(capfd.readouterr().out)["reason"] == result.reason


@pytest.mark.anyio
async def test_what_was_rejected_is_not_applied_by_a_later_run_that_may_apply(
    home: Path, folder: Path
) -> None:
    write = ("workspace__write", {"path": "contracts/note.txt", "content": "Mine."})
    places = find_places({"DESKMATE_HOME": str(home)}, home)
    script: Any = ((write, ("lab__present", {})), "Here it is.", "I cannot.", "Because.")
    host = Host(places, sandbox=FakeSandbox({"lab": LAB}), model=ScriptedModel(script))
    order = RunOrder(
        text="Go",
        plugins=("lab",),
        grants=(Grant(name="contracts", folder=str(folder)),),
        apply="all",
    )
    first = await host.run(order, None, observer=Renderer(), approver=Nobody())
    why = RunOrder(text="Why?", apply="all")
    second = await host.run(why, first.thread, observer=Renderer(), approver=Nobody())
    assert (first.reason, first.applied) == ("rejected", "")
    assert second.reason == "done"
    assert "refused" in second.applied  # the fixture sees that the folder is as it was


class Died(BaseException):
    """The process ended here."""


@pytest.mark.anyio
async def test_a_run_first_settles_the_apply_that_a_crash_cut_short(
    home: Path, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "note.txt").write_text("Ours.")
    write = ("workspace__write", {"path": "work/note.txt", "content": "Mine."})
    places = find_places({"DESKMATE_HOME": str(home)}, home)
    model = ScriptedModel(((write,), "Written.", "Yes."))
    host = Host(places, sandbox=FakeSandbox({"lab": LAB}), model=model)
    order = RunOrder(text="Go", grants=(Grant(name="work", folder=str(work)),))
    first = await host.run(order, None, observer=Renderer(), approver=Nobody())

    def crash(name: str) -> None:
        if name == "backed_up":
            raise Died

    async with open_thread(places.threads, first.thread) as store:
        blobs = BlobStore(places.blobs)
        place = Place(store=store, blobs=blobs, journal=store.folder / "apply", failpoint=crash)
        staged = find_staged(await store.events())
        with pytest.raises(Died):
            await apply_changes(place, staged.difference, staged.grants)
    assert (work / "note.txt").read_text() == "Ours."
    ask = RunOrder(text="Is it written?")
    await host.run(ask, first.thread, observer=Renderer(), approver=Nobody())
    assert (work / "note.txt").read_text() == "Mine."
    assert [path.name for path in work.iterdir()] == ["note.txt"]


def test_exit_codes_on_the_command_line(deskmate: Run, folder: Path) -> None:
    assert deskmate("model", "test", "offline").returncode == 0
    assert deskmate("run", "Go", "--folder", folder).returncode == 1  # tools are off
    assert deskmate("run").returncode == 2
    dear = deskmate("run", "Go", "--model", "sonnet", "--budget", "0", ANTHROPIC_API_KEY="k")
    assert dear.returncode == 5
    assert "over budget: " in dear.stdout


def test_without_a_terminal_or_with_no_color_nothing_is_coloured(
    deskmate: Run, folder: Path
) -> None:
    for environ in ({}, {"NO_COLOR": "1"}, {"TERM": "dumb"}):
        done = deskmate("run", "Go", "--folder", folder, **environ)
        assert "\x1b" not in done.stdout + done.stderr


def test_no_color_holds_on_a_terminal_too(
    clean_environ: dict[str, str], tmp_path: Path, deskmate: Run
) -> None:
    import os
    import pty
    import sys

    shown = {}
    for name, extra in {"plain": {"NO_COLOR": "1"}, "coloured": {}}.items():
        ours, theirs = pty.openpty()
        environ = {k: v for k, v in clean_environ.items() if k != "NO_COLOR"} | extra
        done = subprocess.run(
            [sys.executable, "-m", "deskmate", "run", "Go", "--model", "offline"],
            env={**environ, "TERM": "xterm"},
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            timeout=120,
            check=False,
        )
        os.close(theirs)
        output = b""
        try:
            while piece := os.read(ours, 65536):
                output += piece
        except OSError:  # the other end is closed
            pass
        os.close(ours)
        assert done.returncode == 1
        shown[name] = output
    assert b"\x1b[3" not in shown["plain"]
    assert b"\x1b[3" in shown["coloured"]


def test_what_tools_files_and_models_say_cannot_command_a_terminal(
    deskmate: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    evil = "a\x1b[2J\x07\r\x9b31m\u202eb"
    assert plain(evil) == "a\\x1b[2J\\x07\\x0d\\x9b31m\\x202eb"
    show = Renderer()
    show(Delta(kind="progress", text=evil))
    failed = ToolFinished(tool_use_id="u", tool=evil, outcome="error", text=evil)  # type: ignore[arg-type]
    event = type("Event", (), {"payload": failed})()
    show(event)
    show_result(RunResult(thread="t-1", run="r-1", reason="failed", text=evil, answer=evil))  # type: ignore[arg-type]
    shown = capfd.readouterr()
    named = deskmate("run", "Go", "--folder", evil)
    for text in (shown.out, shown.err, named.stderr):
        assert "[2J" in text
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text)
