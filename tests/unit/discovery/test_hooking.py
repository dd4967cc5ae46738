"""Hooks of plugins in other formats: off until the user approved them, as they were then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.formats.material import MANIFEST, lay, manifest, plain, read

from deskmate.discovery.bringing import BringOrder, bring
from deskmate.discovery.hooking import (
    FILE,
    HookApprovals,
    allowed_line,
    hook_lines,
    hook_specs,
    hooks_digest,
    lapsed,
)
from deskmate.discovery.installed import find_plugins
from deskmate.discovery.plugin_store import PluginStore
from deskmate.formats.hooks import MOMENTS
from deskmate.types.hooks import LONGEST_S, RUN_EVENTS
from deskmate.types.registry import InstalledPlugin


def hooks_of(**events: Any) -> str:
    return json.dumps({"hooks": events})


def one(handler: dict[str, Any], matcher: str = "") -> list[dict[str, Any]]:
    return [{"matcher": matcher, "hooks": [{"type": "command", **handler}]}]


TIDY = {"command": "python3 ${CLAUDE_PLUGIN_ROOT}/tidy.py", "timeout": 5, "if": "Edit(*.md)"}
FILES = {
    "hooks/hooks.json": hooks_of(
        PostToolUse=one(TIDY, "Edit|Write"),
        Stop=one({"command": "node", "args": ["${CLAUDE_PLUGIN_ROOT}/a.js", "${user_config.tone}"], "asyncRewake": True}),
        PreCompact=one({"command": "never"}),
        SessionStart=one({"command": "say ${user_config.tone}"}),
    ),
    "tidy.py": "print('tidied')\n",
}  # fmt: skip


def add(store: PluginStore, folder: Path, files: dict[str, Any] | None = None) -> InstalledPlugin:
    laid = lay(folder, plain(**{**FILES, **(files or {})}))
    bring(BringOrder(what=str(laid)), store, lambda line: None)
    return find_plugins([], store=store.folder).get("acme")


@pytest.fixture
def store(tmp_path: Path) -> PluginStore:
    return PluginStore(tmp_path / "store")


def test_nothing_is_in_force_before_the_user_approved_it_as_it_is(
    store: PluginStore, tmp_path: Path
) -> None:
    plugin, approvals = add(store, tmp_path / "acme"), HookApprovals(store.folder)
    assert [*hook_specs(plugin, approvals, {})] == []
    assert not lapsed(plugin, approvals)
    approvals.allow("acme", hooks_digest(plugin))
    tidy, stop = hook_specs(plugin, approvals, {"tone": "dry; rm -rf /"})
    assert (tidy.event, tidy.matcher, tidy.condition, tidy.timeout_s) == (
        "PostToolUse", "Edit|Write", "Edit(*.md)", 5,
    )  # fmt: skip
    assert tidy.command == "python3 /opt/plugins/brought/acme/tidy.py"
    assert tidy.environment["CLAUDE_PLUGIN_ROOT"] == "/opt/plugins/brought/acme"
    assert tidy.environment["CLAUDE_PLUGIN_OPTION_TONE"] == "dry; rm -rf /"
    assert stop.arguments == ("/opt/plugins/brought/acme/a.js", "dry; rm -rf /")
    assert not stop.waits
    assert approvals.forbid("acme")
    assert [*hook_specs(plugin, approvals, {})] == []


@pytest.mark.parametrize(
    "change",
    [
        {"tidy.py": "print('changed')\n"},
        {"hooks/hooks.json": hooks_of(PostToolUse=one({"command": "rm -rf /"}))},
        {MANIFEST: manifest(version="2")},
    ],
)
def test_whatever_of_the_plugin_changes_its_hooks_are_off_again(
    store: PluginStore, tmp_path: Path, change: dict[str, str]
) -> None:
    plugin, approvals = add(store, tmp_path / "acme"), HookApprovals(store.folder)
    assert allowed_line(plugin, approvals) == ""
    approvals.allow("acme", hooks_digest(plugin))
    assert "You allowed its hooks: they run" in allowed_line(plugin, approvals)
    changed = add(store, tmp_path / "acme", change)
    assert "they are off" in allowed_line(changed, approvals)
    assert [*hook_specs(changed, approvals, {})] == []
    assert lapsed(changed, approvals)


def test_the_users_own_files_over_it_are_part_of_what_is_approved(
    store: PluginStore, tmp_path: Path
) -> None:
    plugin, approvals = add(store, tmp_path / "acme"), HookApprovals(store.folder)
    approvals.allow("acme", hooks_digest(plugin))
    (store.overlay("acme") / "tidy.py").write_text("print('mine')\n")
    changed = find_plugins([], store=store.folder).get("acme")
    assert [*hook_specs(changed, approvals, {})] == []
    approvals.allow("acme", hooks_digest(changed))
    assert len([*hook_specs(changed, approvals, {})]) == 2


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"format": 2, "approved": {}}', '{"format": 1, "approved": 3}']
)
def test_an_answer_that_cannot_be_read_is_none(store: PluginStore, damage: str) -> None:
    store.folder.mkdir()
    (store.folder / FILE).write_text(damage)
    assert HookApprovals(store.folder).of("acme") is None


def test_what_runs_when_is_said_in_words_and_what_never_does(
    store: PluginStore, tmp_path: Path
) -> None:
    lines = [*hook_lines(add(store, tmp_path / "acme"))]
    assert lines == [
        "PostToolUse (after a tool ran), for Edit|Write, only Edit(*.md): python3 ${CLAUDE_PLUGIN_ROOT}/tidy.py (at most 5 s)",
        "Stop (a run ends): node ${CLAUDE_PLUGIN_ROOT}/a.js ${user_config.tone} (at most 60 s; its answer holds nothing back)",
        "PreCompact: not run here (there is no such moment here): command never",
        "SessionStart: not run here (a setting in a shell's command could be a command itself): command say ${user_config.tone}",
    ]  # fmt: skip


def test_each_moment_that_is_told_can_run_and_the_other_way_round() -> None:
    assert MOMENTS.keys() == RUN_EVENTS


@pytest.mark.parametrize(
    ("handler", "runs", "seconds"),
    [
        ({"command": "x", "timeout": 1e12}, True, 60),
        ({"command": "x", "timeout": 9_000}, True, LONGEST_S),
        ({"command": "x", "timeout": True}, True, 60),
        ({"command": "x", "timeout": -1}, True, 60),
        ({"command": "x" * 9_000}, False, 60),
        ({"command": ""}, False, 60),
        ({"type": "http", "url": "https://x"}, False, 60),
        ({"type": "prompt", "prompt": "x"}, False, 60),
    ],
)
def test_odd_handlers_are_bounded_or_never_run(
    handler: dict[str, Any], runs: bool, seconds: int
) -> None:
    plugin = read(plain(**{"hooks/hooks.json": hooks_of(Stop=[{"hooks": [handler]}])}))
    (found,) = plugin.hooks
    assert (found.runs, found.timeout_s) == (runs, seconds)


@pytest.mark.parametrize("matcher", ["(a+)+$", "x" * 501, "["])
def test_a_matcher_that_cannot_be_tried_leaves_its_hooks_out_and_says_so(matcher: str) -> None:
    plugin = read(
        plain(**{"hooks/hooks.json": hooks_of(PreToolUse=one({"command": "x"}, matcher))})
    )
    assert plugin.hooks == ()
    assert "hook-matcher" in {one.code for one in plugin.diagnostics}
