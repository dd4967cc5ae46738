"""What the tests of the profession share: a repository that grows by commits, and a gate's verdict in a clean room."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from plugins.engineering.tests.engineering_repos import Repo, new_repo

from deskmate.plugin import Deliverable, Sources, ToolContext, ValidationContext

Verdict = Callable[..., list[str]]


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return new_repo(tmp_path)


@pytest.fixture
def verdict(tmp_path: Path) -> Verdict:
    """Return what a rule says of a deliverable: the clean room has the originals as they were when it was made."""

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
        room = tmp_path / "room"
        if room.exists():
            shutil.rmtree(room)
        shutil.copytree(context.workspace, room, symlinks=True)
        # only files travel to a clean room: folders that are empty do not
        for folder in sorted((p for p in room.rglob("*") if p.is_dir()), reverse=True):
            if not any(folder.iterdir()):
                folder.rmdir()
        files = {
            p.relative_to(room).as_posix(): p
            for p in room.rglob("*")
            if p.is_file() and p.relative_to(room).as_posix() != item.path
        }
        made = ValidationContext(
            file=context.workspace / item.path,
            sources=Sources(files if held else {}, {}),
            config=context.config,
            facts=dict(facts or {}),
        )
        return [finding.message for finding in rule(item, made)]

    return judge
