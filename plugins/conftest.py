"""What the tests of professions share: a desk with files, a rule's verdict in a clean room, and lies for it to find."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
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
            facts={"date": "2026-11-29", **(facts or {})},
        )
        return [finding.message for finding in rule(item, room)]

    return judge


@pytest.fixture
def change() -> Callable[..., None]:
    """Return a function that types a value into a cell; formulas keep what they show."""

    def typed(file: Path, sheet: str, cell: str, value: Any) -> None:
        book = openpyxl.load_workbook(file, data_only=True)
        book[sheet][cell] = value
        book.save(file)

    return typed


@pytest.fixture
def lies(verdict: Verdict, change: Any) -> Callable[..., None]:
    """Type one lie after the other into a workbook; the rule must find each, by words that say what is wrong."""

    def told(
        rule: Any,
        item: Deliverable,
        context: ToolContext,
        cells: Sequence[tuple[str, str, Any, str]],
    ) -> None:
        file = context.workspace / item.path
        whole = file.read_bytes()
        for sheet, cell, value, says in cells:
            change(file, sheet, cell, value)
            found = verdict(rule, item, context)
            assert any(re.search(says, message) for message in found), (sheet, cell, found)
            file.write_bytes(whole)

    return told
