"""One process with the plugin in it: loads it under watch, then tries its tools and gates in children."""

from __future__ import annotations

import builtins
import hashlib
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deskmate.errors import CorruptData
from deskmate.types.codec import from_json, to_json
from deskmate.types.probe import (
    CallSeen,
    FuzzSeen,
    GateSeen,
    GateVerdict,
    LoadSeen,
    Observed,
    Outcome,
)
from deskmate.types.wire import GIVEN, META_DELIVERABLES
from deskmate_guest.checking.cases import FOLDER, CallCase, Cases, GateCase, read_cases
from deskmate_guest.checking.children import LATE, in_child
from deskmate_guest.checking.fuzzing import odd_arguments
from deskmate_guest.checking.observing import Recorder
from deskmate_guest.checking.sameness import digest_of
from deskmate_guest.layout import Layout, PluginPlace
from deskmate_guest.loading import LoadedPlugin, PluginBroken, load_plugin
from deskmate_guest.running import FAULT, Runner
from deskmate_guest.worker import report_of

_FAULTS_KEPT = 3
_TEXT_LIMIT = 300
Tell = Callable[[Any], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOrder:
    """What a session does. `folder`: its own, below which all is laid out. `fuzz`: odd calls a tool, 0 for none.

    `config`: the plugin's settings. `call_s`: seconds that one call may take. `office`: whether examples are tried that take
    what the office image has.
    """

    name: str
    package: str
    version: str
    root: str
    wheels: str
    folder: str
    config: Mapping[str, Any] = field(default_factory=dict)
    fuzz: int = 0
    call_s: float = 30.0
    office: bool = False

    @property
    def place(self) -> PluginPlace:
        """Where the plugin lies."""
        return PluginPlace(
            name=self.name,
            package=self.package,
            version=self.version,
            order=0,
            root=Path(self.root),
            wheels=Path(self.wheels),
            uid=-1,
        )


class Session:
    """Tries one plugin."""

    def __init__(self, order: SessionOrder, recorder: Recorder) -> None:
        self._order, self._recorder = order, recorder
        self._folder = Path(order.folder)
        self._home = self._folder / "home"
        self._readable = (
            Path(order.root),
            Path(order.wheels),
            Path(sys.prefix),
            Path(sys.base_prefix),
            *(Path(entry) for entry in sys.path if entry),
        )

    def run(self, tell: Tell) -> None:
        """Tell, one after the other, how it loads and what its tools and gates do; each with its kind."""
        self._home.mkdir(parents=True, exist_ok=True)
        plugin = self._load(tell)
        if plugin is None:
            return
        try:
            cases = read_cases(plugin.place.resources)
        except CorruptData as error:
            tell({"cases_problem": error.message})
            cases = Cases()
        left: dict[str, None] = {}
        for number, case in enumerate(cases.call):
            if case.office and not self._order.office:
                left[case.tool] = None
                continue
            tell({"calls": to_json(self._call(plugin, number, case))})
        for number, gate in enumerate(cases.gate):
            if gate.office and not self._order.office:
                left[gate.rule] = None
                continue
            tell({"gates": to_json(self._gate(plugin, number, gate))})
        if left:
            tell({"left": list(left)})
        for name in plugin.tools if self._order.fuzz else ():
            tell({"fuzz": to_json(self._fuzz(plugin, name, cases))})

    def _load(self, tell: Tell) -> LoadedPlugin | None:
        before = _state()
        begin = time.monotonic()
        error, plugin = "", None
        with self._recorder.watching(write=(), read=self._readable, programs=False):
            try:
                plugin = load_plugin(self._order.place)
            except PluginBroken as broken:
                error = str(broken)
            except BaseException as stop:  # noqa: BLE001 - a plugin may raise SystemExit, too
                error = f"{type(stop).__name__}: {stop}"
        for name, value in _state().items():
            if value != before[name]:
                self._recorder.note("state", name)
        seen = LoadSeen(
            error=error[:500],
            seconds=round(time.monotonic() - begin, 3),
            observed=self._recorder.take(),
            registry=report_of(plugin) if plugin else {},
        )
        tell({"load": to_json(seen)})
        return plugin

    def _room(self, number: str, files: str) -> Layout:
        """Return a fresh workspace with the example's files."""
        room = self._folder / "room"
        if room.exists():
            shutil.rmtree(room)
        source = self._order.place.resources / FOLDER / files
        if files and source.is_dir():
            shutil.copytree(source, room / "workspace")
        (room / "workspace").mkdir(parents=True, exist_ok=True)
        (room / "clean").mkdir()
        return Layout(
            workspace=room / "workspace",
            home=self._home,
            clean=room / "clean",
            listing=room / "listing",
            results=room / "results",
            privileged=False,
        )

    def _runner(self, layout: Layout, plugin: LoadedPlugin) -> Runner:
        runner = Runner(layout, plugin, lambda message: None)
        runner.serve(self._setup({}))
        return runner

    def _setup(self, validation: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "op": "setup", "config": self._order.config, "validation": validation, "environment": {},
        }  # fmt: skip

    def _watched(self, layout: Layout, work: Callable[[], Any]) -> tuple[Any, tuple[Observed, ...]]:
        write = (layout.workspace, self._home)
        read = (*self._readable, layout.clean, layout.results)
        with self._recorder.watching(write=write, read=read, programs=True):
            answer = work()
        return answer, self._recorder.take()

    def _call(self, plugin: LoadedPlugin, number: int, case: CallCase) -> CallSeen:
        if case.tool not in plugin.tools:
            why = f"there is no tool {case.tool}"
            return CallSeen(number=number, tool=case.tool, outcome="fault", text=why)
        layout = self._room(f"call-{number}", case.files)
        before = _tree(layout.workspace, digest_of)

        def work(tell: Tell) -> None:
            runner = self._runner(layout, plugin)
            result, seen = self._watched(layout, lambda: runner.call(case.tool, case.arguments))
            tell([result, to_json(seen)])

        begin = time.monotonic()
        told, ending = in_child(
            work, min(self._order.call_s, plugin.tools[case.tool].tool.timeout_s)
        )
        seconds = round(time.monotonic() - begin, 3)
        if ending:
            outcome: Outcome = "late" if ending == LATE else "died"
            return CallSeen(
                number=number, tool=case.tool, outcome=outcome, text=ending, seconds=seconds
            )
        result, seen = told[0]
        after = _tree(layout.workspace, digest_of)
        outcome = _outcome(result)
        return CallSeen(
            number=number,
            tool=case.tool,
            outcome=outcome,
            text=_text(result)[:_TEXT_LIMIT],
            digest=_digest(json.dumps(result, sort_keys=True).encode()),
            files={path: digest for path, digest in after.items() if before.get(path) != digest},
            seconds=seconds,
            observed=tuple(from_json(Observed, one) for one in seen),
            problem=_problem(case, outcome, result),
        )

    def _fuzz(self, plugin: LoadedPlugin, name: str, cases: Cases) -> FuzzSeen:
        folders = {case.files for case in cases.call if case.tool == name} or {"files"}
        layout = self._room(f"fuzz-{name}", min(folders))
        schema = plugin.tools[name].signature.input_schema
        paths = sorted(_tree(layout.workspace))[:10]
        tries = list(odd_arguments(schema, self._order.fuzz, seed=name, paths=paths))

        def work(tell: Tell) -> None:
            runner = self._runner(layout, plugin)
            begin = time.monotonic()
            for arguments in tries:
                # slow is not stuck: with half of the time gone no more are begun, and the report counts those that were
                if time.monotonic() - begin > self._order.call_s / 2:
                    break
                tell(["begin", arguments])
                result, seen = self._watched(
                    layout,
                    lambda given=arguments: runner.call(name, given),  # type: ignore[misc]
                )
                tell([_outcome(result), _text(result)[:_TEXT_LIMIT], to_json(seen)])

        told, ending = in_child(work, self._order.call_s)
        faults: list[str] = []
        observed: dict[Observed, None] = {}
        given, tried = "", 0
        for row in told:
            if row[0] == "begin":
                given, tried = _cut(json.dumps(row[1]), 120), tried + 1
                continue
            observed.update((from_json(Observed, one), None) for one in row[2])
            if row[0] in ("fault", "unfit"):
                faults.append(f"{given}: {_cut(row[1], 200)}")
        if ending:
            faults.append(f"{given}: {ending}")
        return FuzzSeen(
            tool=name, tried=tried, faults=tuple(faults[:_FAULTS_KEPT]), observed=tuple(observed)
        )

    def _gate(self, plugin: LoadedPlugin, number: int, case: GateCase) -> GateSeen:
        if case.rule not in plugin.rules:
            why = f"there is no rule {case.rule}"
            return _seen(number, case, "crash", why)
        layout = self._room(f"gate-{number}", case.files)

        def work(tell: Tell) -> None:
            deliverable = self._lay_deliverable(layout, plugin, case)
            if isinstance(deliverable, str):
                tell(["crash", deliverable])
                return
            runner = Runner(layout, plugin, lambda message: None)
            runner.serve(self._setup({"deliverables": [deliverable]}))
            found, _ = self._watched(layout, lambda: runner.check(case.rule, 0))
            errors = [row["message"] for row in found if row["level"] == "error"]
            crashed = any(" crashed: " in text for text in errors)
            verdict: GateVerdict = "crash" if crashed else "refuse" if errors else "pass"
            tell([verdict, (errors or [""])[0][:_TEXT_LIMIT]])

        told, ending = in_child(work, self._order.call_s)
        if ending or not told:
            return _seen(number, case, "crash", ending or "it said nothing")
        return _seen(number, case, told[0][0], told[0][1])

    def _lay_deliverable(
        self, layout: Layout, plugin: LoadedPlugin, case: GateCase
    ) -> dict[str, Any] | str:
        """Lay a result and its originals into the clean room; return it, or why it cannot be had."""
        originals = _tree(layout.workspace)
        shutil.copytree(layout.workspace, layout.clean / "sources")
        evidence: list[Any] = []
        if case.tool:
            if case.tool not in plugin.tools:
                return f"there is no tool {case.tool}"
            runner = self._runner(layout, plugin)
            result, _ = self._watched(layout, lambda: runner.call(case.tool, case.arguments))
            made = result["_meta"].get(META_DELIVERABLES)
            if not made:
                return f"{case.tool} made no deliverable: {_text(result)[:200]}"
            evidence = result["_meta"].get("deskmate/evidence", [])
            deliverable = next((one for one in made if one["role"] == case.role), made[0])
            content = (layout.workspace / deliverable["path"]).read_bytes()
        else:
            file = self._order.place.resources / FOLDER / case.file
            if not file.is_file():
                return f"there is no {FOLDER}/{case.file}"
            content = file.read_bytes()
            deliverable = {
                "path": file.name, "title": file.stem, "role": case.role,
                "sources": dict(case.sources), "data": dict(case.data),
            }  # fmt: skip
        if case.find:
            if case.find.encode() not in content:
                return f"{case.find!r} is not in what {case.tool or case.file} has"
            content = content.replace(case.find.encode(), case.replace.encode())
        target = layout.clean / "deliverables" / deliverable["path"]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        given = {
            "sources": [{"path": path, "sha256": digest} for path, digest in originals.items()],
            "evidence": evidence,
            "facts": {
                "date": "2026-01-01",
                "said": "",
                "unavailable": [],
                "hosts": [],
                **case.facts,
            },
        }
        (layout.clean / GIVEN).write_text(json.dumps(given), "utf-8")
        return dict(deliverable)


def _seen(number: int, case: GateCase, found: GateVerdict, text: str) -> GateSeen:
    return GateSeen(number=number, rule=case.rule, wanted=case.verdict, found=found, text=text)


def _state() -> dict[str, Any]:
    """Return what of the process a plugin must leave as it is, by the words that say so."""
    return {
        "the environment's variables": dict(os.environ),
        "the current folder": os.getcwd(),  # noqa: PTH109
        "the built-in functions": {name: id(value) for name, value in vars(builtins).items()},
        "threads that go on": threading.active_count(),
        "sys.excepthook": sys.excepthook,
        "standard output": (sys.stdout, sys.stderr),
        "the handling of signals": tuple(
            signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)
        ),
    }


def _outcome(result: Mapping[str, Any]) -> Outcome:
    text = _text(result)
    if not result["isError"]:
        return "answer"
    if FAULT in text:
        return "fault"
    if text.startswith(("The tool returned something", "The result has ")):
        return "unfit"
    return "refused"


def _text(result: Mapping[str, Any]) -> str:
    return str(result["content"][0]["text"])


def _problem(case: CallCase, outcome: Outcome, result: Mapping[str, Any]) -> str:
    """Return what of the answer is not as the example says; what no tool may do is not said here."""
    if case.refused != (outcome == "refused") and outcome in ("answer", "refused"):
        said = "it answers, and must refuse" if case.refused else "it refuses"
        return f"{said}: {_text(result)}"[:_TEXT_LIMIT]
    if outcome != "answer":
        return ""
    answer = result.get("structuredContent", _text(result))
    for key, value in case.expect.items():
        found = answer.get(key) if isinstance(answer, dict) else None
        if found != value:
            return f"{key} is {found!r}, expected {value!r}"[:_TEXT_LIMIT]
    return ""


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _bytes_of(name: str, data: bytes) -> str:
    return _digest(data)


def _tree(folder: Path, digest: Callable[[str, bytes], str] = _bytes_of) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): digest(path.name, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def main() -> None:
    """Read an order from stdin and tell what is seen on the descriptor that it names."""
    import socket  # noqa: F401, PLC0415 - what everybody imports is not the plugin's doing
    import subprocess  # noqa: F401, PLC0415
    import tempfile  # noqa: F401, PLC0415

    order = from_json(SessionOrder, json.load(sys.stdin))
    writer = int(sys.argv[1])

    def tell(value: Any) -> None:
        data = json.dumps(value).encode() + b"\n"
        while data:
            data = data[os.write(writer, data) :]

    Session(order, Recorder()).run(tell)
    tell({"end": True})
    os._exit(0)
