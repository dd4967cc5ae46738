"""A plugin with which no machine works is one that does not load; what a machine says is read within bounds."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from tests.unit.testing.kit.evil_plugins import CASES, SOUND, Odd

from deskmate.errors import SandboxUnavailable
from deskmate.ports import Sandbox, SandboxSpec, ToolOutcome
from deskmate.testing.kit import probing
from deskmate.testing.kit.check import laid_out
from deskmate.testing.kit.probing import probe_in_machine
from deskmate.types.probe import PROBE_LIMIT_BYTES, ProbeReport


@dataclass
class Machine:
    """Answers the shell: first with a size, then with pieces of the text."""

    text: str
    size: str = ""
    flavour: str = ""
    asked: list[str] = field(default_factory=list)

    async def put_base(self, *arguments: object) -> None:
        """Take nothing."""

    async def call(self, tool: str, arguments: Mapping[str, Any], **more: object) -> ToolOutcome:
        self.asked.append(arguments["command"])
        if len(self.asked) == 1:
            output = self.size or f"{len(self.text)}\n"
        else:
            start = int(arguments["command"].split("+")[1].split()[0]) - 1
            output = self.text[start : start + 24_000]
        return ToolOutcome(text=json.dumps({"exit_code": 0, "output": output}))


def sandbox(
    machine: Machine | None, before: Callable[[], Any] | None = None, lacks: str = ""
) -> Sandbox:
    class Double:
        async def lacks(self, flavour: str) -> str:
            return lacks

        @asynccontextmanager
        async def open(self, spec: SandboxSpec, *arguments: object) -> AsyncIterator[Machine]:
            if before is not None:
                await before()
            if machine is None:
                raise SandboxUnavailable("it gave up")
            machine.flavour = spec.flavour
            yield machine

    return cast(Sandbox, Double())


def probed(double: Sandbox, tmp_path: Path, odd: Odd = SOUND) -> ProbeReport:
    async def run() -> ProbeReport:
        with laid_out(odd.write(tmp_path), lambda line: None) as subject:
            return await probe_in_machine(double, subject.plugin, lambda line: None)

    return anyio.run(run)


def packed(text: str) -> str:
    return base64.b64encode(zlib.compress(text.encode())).decode()


def test_a_report_arrives_in_pieces(tmp_path: Path) -> None:
    noise = base64.b64encode(bytes(n * n % 251 for n in range(60_000))).decode()
    machine = Machine(packed(json.dumps({"first": {"load": {"registry": {"x": noise}}}})))
    report = probed(sandbox(machine), tmp_path)
    assert report.first.load.registry == {"x": noise}
    assert "deskmate_guest.checking" in machine.asked[0]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("!!!", "cannot be read"),
        (packed("{"), "cannot be read"),
        (packed('{"first": {"load": 1}}'), "cannot be read"),
        (packed(" " * (PROBE_LIMIT_BYTES + 1)), "too large"),
    ],
)
def test_what_is_no_report_is_a_plugin_that_does_not_load(
    text: str, why: str, tmp_path: Path
) -> None:
    assert why in probed(sandbox(Machine(text)), tmp_path).first.load.error


def test_a_probe_that_fails_says_how(tmp_path: Path) -> None:
    report = probed(sandbox(Machine("", size="Killed\n")), tmp_path)
    assert "did not come to its end: Killed" in report.first.load.error


def test_no_machine_with_it_is_a_plugin_that_does_not_load(tmp_path: Path) -> None:
    assert "it gave up" in probed(sandbox(None), tmp_path).first.load.error


def test_an_endless_import_ends_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "OPEN_S", 0.05)
    report = probed(sandbox(Machine(""), anyio.sleep_forever), tmp_path)
    assert "no virtual machine came up with it" in report.first.load.error


@pytest.mark.parametrize(
    ("cases", "lacks", "flavour"),
    [
        (CASES, "", "base"),
        (CASES + "office = true\n", "", "office"),
        (CASES + "office = true\n", "there is no such image", "base"),
        ("[[call]]\noffice = 1\n[[gate", "", "base"),
        ('call = ["office"]', "", "base"),
    ],
)
def test_the_machine_is_of_the_office_image_where_an_example_takes_it(
    tmp_path: Path, cases: str, lacks: str, flavour: str
) -> None:
    machine = Machine(packed(json.dumps({"first": {"left": ["look"]}})))
    odd = Odd(name="", check="", says="", cases=cases)
    report = probed(sandbox(machine, lacks=lacks), tmp_path, odd)
    assert report.first.left == ("look",)
    assert machine.flavour == flavour
    assert f'"office": {str(flavour == "office").lower()}' in machine.asked[0]
