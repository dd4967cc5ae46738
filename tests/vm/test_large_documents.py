"""A contract of 300 pages and a workbook of 50 sheets take hardly more memory than a tenth of them: of host and machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.vm.desk import Desk
from tests.vm.large_documents import (
    BOOK,
    CONTRACT,
    PARAGRAPHS_A_PAGE,
    ROWS,
    write_book,
    write_contract,
)
from tests.vm.peaks import Peaks, run_and_watch

from deskmate.agent.compaction import ASK_FOR_SUMMARY
from deskmate.testing.caching_server import CachingServer, Json

pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.timeout(3_000)]
SMALL, LARGE = (30, 5), (300, 50)
"""Pages and sheets."""
WINDOW = 60_000
AT_A_TIME, BESIDE = 50, 2
"""Paragraphs a call, and calls a reply: a run has 60 turns."""
HOST_MIB, HOST_MORE_MIB = 260, 60
"""The host keeps the log of a run in memory, and in it what the model was told: about 0.4 MiB a window."""
MACHINE_MIB, MACHINE_MORE_MIB = 700, 64
DEADLINE_S = 900.0


@dataclass(slots=True)
class Reader:
    """A model that reads all of a contract and then all of a workbook, window by window, and says so."""

    pages: int
    sheets: int
    asked: int = 0
    summaries: int = 0

    def __call__(self, body: Json) -> Sequence[Json]:
        if body["messages"][-1]["content"][-1].get("text") == ASK_FOR_SUMMARY:
            self.summaries += 1
            return [{"type": "text", "text": f"Read {self.asked} windows; nothing of note."}]
        calls = [*self._contract(), *self._book()]
        at, self.asked = self.asked, self.asked + BESIDE
        if at >= len(calls):
            return [{"type": "text", "text": "All of it was read."}]
        return [
            {"type": "tool_use", "id": f"toolu_{n}", "name": name, "input": given}
            for n, (name, given) in enumerate(calls[at : at + BESIDE], at)
        ]

    def _contract(self) -> list[tuple[str, dict[str, Any]]]:
        last = self.pages * PARAGRAPHS_A_PAGE + 60
        return [
            (
                "office__document_read",
                {"path": f"docs/{CONTRACT}", "start": start, "limit": AT_A_TIME},
            )
            for start in range(1, last, AT_A_TIME)
        ]

    def _book(self) -> list[tuple[str, dict[str, Any]]]:
        return [
            ("office__sheet_read", {"path": f"docs/{BOOK}", "cells": f"Unit{n}!A1:N{ROWS + 1}"})
            for n in range(1, self.sheets + 1)
        ]


def read_by_a_model(desk: Desk, folder: Path, size: tuple[int, int]) -> Peaks:
    reader = Reader(*size)
    with CachingServer(reader, window=WINDOW) as server:
        desk.places.config.mkdir(exist_ok=True)
        (desk.places.config / "config.toml").write_text(
            f'[models.reader]\nid = "claude-sonnet-5-5"\ncontext_tokens = {WINDOW}\n'
        )
        own = replace(desk, extra={"DESKMATE_MODEL_URL": server.url})
        out, peaks = run_and_watch(
            own,
            "run",
            "Read all of it.",
            "--folder",
            f"{folder}:ro",
            "--model",
            "local:reader",
            "--json",
        )
    assert server.refused == []
    assert json.loads(out)["answer"] == "All of it was read."
    assert reader.asked > size[0] // 10 + size[1]
    return peaks


def check(small: Peaks, large: Peaks) -> None:
    assert small.machine > 50, "nothing was seen of the machines"
    assert large.host < HOST_MIB, (small, large)
    assert large.host - small.host < HOST_MORE_MIB, (small, large)
    assert large.machine < MACHINE_MIB, (small, large)
    assert large.machine - small.machine < MACHINE_MORE_MIB, (small, large)


def test_memory_does_not_grow_with_the_documents(
    make_home: Callable[[], Desk], tmp_path: Path
) -> None:
    found = []
    for number, size in enumerate((SMALL, LARGE)):  # each in a home of its own: both boot a machine
        folder = tmp_path / str(number) / "docs"
        write_contract(folder, size[0])
        write_book(folder, size[1])
        desk = replace(make_home(), deadline_s=DEADLINE_S)
        found.append(read_by_a_model(desk, folder, size))
    check(*found)
