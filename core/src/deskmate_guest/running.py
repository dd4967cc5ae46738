"""What a worker does with one message: run a tool, or one rule over one deliverable."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from deskmate.errors import ContentMissing, CorruptData, ToolError, ToolInputError
from deskmate.plugin.contexts import Sources, ToolContext, ValidationContext
from deskmate.plugin.contributions import Tool
from deskmate.types.codec import from_json
from deskmate.types.files import Deliverable, Evidence
from deskmate.types.findings import Finding
from deskmate.types.registry import ToolSpec
from deskmate.types.wire import GIVEN
from deskmate_guest.earlier import Earlier
from deskmate_guest.layout import Layout
from deskmate_guest.listed import Listed
from deskmate_guest.loading import LoadedPlugin, LoadedTool
from deskmate_guest.results import Result, answer_result, error_result
from deskmate_guest.schema import read_signature

Message = dict[str, Any]
_FINDINGS_LIMIT = 200
_WARM_ROUNDS = 20
FAULT = "failed; this is a fault of the plugin"
"""Stands in what a model is told of a tool that raised what no tool may."""


class Runner:
    """Runs one plugin's tools and rules. `send`: takes progress messages to the supervisor."""

    def __init__(
        self, layout: Layout, plugin: LoadedPlugin, send: Callable[[Mapping[str, Any]], None]
    ) -> None:
        self._layout, self._plugin, self._send = layout, plugin, send
        self._listed = Listed(layout.listing)
        self._earlier = Earlier(layout.results / f"{plugin.place.name}.json")
        self._config: Mapping[str, Any] = {}
        self._validation: Mapping[str, Any] = {}
        self._given: Mapping[str, Any] | None = None

    def serve(self, message: Message) -> Message | None:
        """Return the reply to one message, None where it has none."""
        match message["op"]:
            case "setup":
                self._config = message["config"]
                self._validation = message["validation"]
                self._given = None
                os.environ.update(message["environment"])
                return None
            case "warm":
                return {"id": message["id"], "result": self._warm()}
            case "call":
                result = self.call(message["tool"], message["arguments"], message["id"])
                return {"id": message["id"], "result": result}
            case _:
                found = self.check(message["rule"], message["deliverable"])
                return {"id": message["id"], "findings": found}

    def _warm(self) -> Result:
        """Do what a call does, with a tool that does nothing, so that the first real one finds it done."""
        for _ in range(_WARM_ROUNDS):
            result = self._call(_NOTHING, {"pattern": "*"}, 0)
        return result

    def call(self, name: str, arguments: Mapping[str, Any], number: int = 0) -> Result:
        """Run a tool and return its result; nothing it raises escapes."""
        return self._call(self._plugin.tools[name], arguments, number)

    def _call(self, loaded: LoadedTool, arguments: Mapping[str, Any], number: int) -> Result:
        wrote = loaded.tool.risk != "read"
        try:
            os.chdir(self._layout.workspace)
        except FileNotFoundError:
            os.chdir("/")
        try:
            return answer_result(
                loaded.tool.function(**self._bind(loaded, arguments, number)), wrote=wrote
            )
        except ToolError as error:
            text = f"{error.message} {error.hint}" if error.hint else error.message
            needs = error.paths if isinstance(error, ContentMissing) else ()
            return error_result(text, wrote=wrote, needs=needs)
        except Exception as error:  # noqa: BLE001 — tool dispatch: a tool may raise anything
            traceback.print_exc()
            if path := self._unread(error):
                text = f"The tool {loaded.spec.name} did not find {path}: it is not copied in yet."
                return error_result(text, wrote=wrote, needs=(path,))
            return error_result(
                f"The tool {loaded.spec.name} {FAULT} "
                f"{self._plugin.place.name}, not of the call: {brief(error)}",
                wrote=wrote,
            )
        finally:
            os.chdir("/")

    def _unread(self, error: BaseException | None) -> str:
        """Return the listed file that a tool tried to open by itself, or nothing."""
        while error is not None:
            if isinstance(error, FileNotFoundError) and isinstance(error.filename, str):
                real = Path(self._layout.workspace, error.filename)
                if real.is_relative_to(self._layout.workspace):
                    path = real.relative_to(self._layout.workspace).as_posix()
                    return path if path in self._listed else ""
            error = error.__cause__ or error.__context__
        return ""

    def _bind(
        self, loaded: LoadedTool, arguments: Mapping[str, Any], number: int
    ) -> dict[str, Any]:
        schema = loaded.signature.input_schema
        if unknown := [name for name in arguments if name not in schema["properties"]]:
            raise ToolInputError(
                f"{loaded.spec.name} has no argument {', '.join(sorted(unknown))}; it takes "
                f"{', '.join(schema['properties']) or 'none'}."
            )
        if missing := [name for name in schema.get("required", ()) if name not in arguments]:
            raise ToolInputError(f"{loaded.spec.name} needs the argument {', '.join(missing)}.")
        hints = loaded.signature.hints
        bound = {name: _build(hints[name], value) for name, value in arguments.items()}
        if loaded.signature.context:
            bound[loaded.signature.context] = ToolContext(
                workspace=self._layout.workspace,
                home=self._layout.home_of(self._plugin.place),
                resources=self._plugin.place.resources,
                config=self._config,
                listed=self._listed,
                results=self._earlier,
                originals=self._layout.results / "originals",
                on_progress=lambda line: self._send({"id": number, "progress": str(line)[:500]}),
            )
        return bound

    def check(self, rule: str, number: int) -> list[Message]:
        """Return the findings of one rule over deliverable `number`; a crash is an error finding."""
        validator, _ = self._plugin.rules[rule]
        deliverables = [
            from_json(Deliverable, item) for item in self._validation.get("deliverables", [])
        ]
        deliverable = deliverables[number]
        try:
            found = list(validator.function(deliverable, self._context(deliverable, deliverables)))
            wrong = [item for item in found if not isinstance(item, Finding)]
            if wrong:
                raise TypeError(f"the rule returned {type(wrong[0]).__name__}, expected Finding")
        except Exception as error:  # noqa: BLE001 — a rule may raise anything: fail closed
            traceback.print_exc()
            found = [failed_rule(rule, deliverable.path, f"crashed: {brief(error)}")]
        # what is cut off must never be what fails the file
        found.sort(key=lambda item: item.level != "error")
        return [
            {**item.to_json(), "rule": rule, "path": deliverable.path}
            for item in found[:_FINDINGS_LIMIT]
        ]

    def _context(
        self, deliverable: Deliverable, deliverables: list[Deliverable]
    ) -> ValidationContext:
        clean = self._layout.clean
        if self._given is None:
            self._given = json.loads((clean / GIVEN).read_bytes())
        data = self._given
        digests = {row["path"]: row["sha256"] for row in data["sources"]}
        originals = {path: clean / "sources" / path for path in digests}
        made = {item.path: clean / "deliverables" / item.path for item in deliverables}
        return ValidationContext(
            file=made[deliverable.path],
            sources=Sources(
                {path: real for path, real in originals.items() if real.is_file()}, digests
            ),
            evidence=tuple(from_json(Evidence, item) for item in data["evidence"]),
            facts=data["facts"],
            config=self._config,
            others={path: real for path, real in made.items() if path != deliverable.path},
            presented={item.path: item for item in deliverables if item.path != deliverable.path},
            resources=self._plugin.place.resources,
        )


def _nothing(context: ToolContext, pattern: str = "") -> dict[str, Any]:
    """Look at the workspace, change nothing.

    Args:
        pattern: any text.
        context: filled in by Deskmate.
    """
    return {"files": [path.name for path in context.workspace.glob(pattern)], "warm": [1, "two"]}


_NOTHING = LoadedTool(
    tool=Tool(function=_nothing),
    signature=read_signature(_nothing),
    spec=ToolSpec(
        plugin="", name="nothing", title="", description="", input_schema={}, risk="read"
    ),
)


def failed_rule(rule: str, path: str, why: str) -> Finding:
    """Return the error finding of a rule that did not run to its end."""
    return Finding(
        rule=rule,
        level="error",
        message=f"The check {rule} {why}, so nothing is known about this file.",
        fix="Report this to the plugin's author; the file counts as not checked.",
        path=path,
    )


def brief(error: BaseException) -> str:
    """Return the class and the short message of an exception."""
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _build(hint: Any, value: Any) -> Any:
    """Return a dataclass for an object where the tool asked for one; other values as they are."""
    if isinstance(value, dict) and is_dataclass(hint) and isinstance(hint, type):
        try:
            return from_json(hint, value)
        except CorruptData as error:
            raise ToolInputError(error.message) from error
    return value
