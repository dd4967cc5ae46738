"""What the tests of the profession share: a workspace, its tools' context, and a gate's verdict in a clean room."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deskmate.plugin import Deliverable, Sources, ToolContext, ValidationContext

Desk = Callable[..., ToolContext]
Verdict = Callable[..., list[str]]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Write files (name → text) and return a context; keywords are the plugin's settings."""

    def make(files: Mapping[str, str], **config: Any) -> ToolContext:
        for name, text in files.items():
            (tmp_path / name).write_text(text, "utf-8")
        return ToolContext(workspace=tmp_path, home=tmp_path, resources=tmp_path, config=config)

    return make


@pytest.fixture
def verdict() -> Verdict:
    """Return what a rule says of a deliverable, with its sources held by the host or not."""

    def judge(
        rule: Any,
        deliverable: Deliverable,
        context: ToolContext,
        *,
        held: bool = True,
        facts: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> list[str]:
        item = replace(deliverable, **changes)
        there = {path: context.workspace / path for path in item.sources.values()} if held else {}
        room = ValidationContext(
            file=context.workspace / item.path,
            sources=Sources(there, {}),
            config=context.config,
            facts=dict(facts or {}),
        )
        return [finding.message for finding in rule(item, room)]

    return judge
