"""Hooks of a Claude plugin: what would be done at which moment. Mapped and listed; nothing here runs any, and none runs before it is approved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deskmate.formats.hook_matching import is_quick
from deskmate.formats.texts import read_json
from deskmate.formats.tree import Tree
from deskmate.types.foreign import ForeignHook
from deskmate.types.hooks import LONGEST_S, TIMEOUT_S

FILE = "hooks/hooks.json"
HOOKS_LIMIT = 500
MOMENTS: Mapping[str, str] = {
    "SessionStart": "a thread begins",
    "UserPromptSubmit": "you say something",
    "UserPromptExpansion": "you call a command with /",
    "PreToolUse": "before a tool runs",
    "PostToolUse": "after a tool ran",
    "PostToolUseFailure": "after a tool failed",
    "Stop": "a run ends",
}
"""Event → the moment in Deskmate that it is."""
_WITHOUT = frozenset(
    {
        "SubagentStart", "SubagentStop", "TaskCreated", "TaskCompleted", "TeammateIdle", "Notification",
        "PreCompact", "PostCompact", "InstructionsLoaded", "ConfigChange", "CwdChanged", "WorktreeCreate",
        "WorktreeRemove", "Setup", "SessionEnd", "PermissionRequest", "PostToolBatch", "StopFailure", "FileChanged", "Elicitation", "ElicitationResult", "PermissionDenied", "MessageDisplay",
    }
)  # fmt: skip
"""Events at which nothing can run here."""
_DOES = {"command": "command", "http": "url", "mcp_tool": "tool", "prompt": "prompt", "agent": "prompt"}  # fmt: skip
_SHOWN_LIMIT = 500
_COMMAND_LIMIT = 8_000


def read_hooks(tree: Tree, path: str, given: Any = None) -> tuple[ForeignHook, ...]:
    """Return the hooks of a file, or those `given` in the manifest at `path`."""
    data = read_json(tree, path) if given is None else given
    if data is None:
        return ()
    if isinstance(data, list) and not data:
        tree.note("hooks-empty", path)
        return ()
    if not isinstance(data, dict):
        tree.note("hooks-shape", path)
        return ()
    events = data.get("hooks", data if given is not None else {})
    if not isinstance(events, dict):
        tree.note("hooks-shape", path, "hooks")
        return ()
    found = [*_hooks(tree, path, events)][:HOOKS_LIMIT]
    if not found:
        tree.note("hooks-empty", path)
    return tuple(found)


def _hooks(tree: Tree, path: str, events: Mapping[str, Any]) -> Iterator[ForeignHook]:
    for event, groups in events.items():
        if event not in MOMENTS and event not in _WITHOUT:
            tree.note("hook-event", path, event)
        if not isinstance(groups, list):
            tree.note("hooks-shape", path, event)
            continue
        for group in groups:
            handlers = group.get("hooks") if isinstance(group, dict) else None
            if not isinstance(handlers, list):
                tree.note("hooks-shape", path, event)
                continue
            matcher = str(group.get("matcher") or "")
            if len(matcher) > _SHOWN_LIMIT or not is_quick(matcher):
                tree.note("hook-matcher", path, matcher)
                continue
            for handler in handlers:
                if isinstance(handler, dict):
                    yield _hook(tree, path, event, matcher, handler)
                else:
                    tree.note("hooks-shape", path, event)


def _hook(
    tree: Tree, path: str, event: str, matcher: str, handler: Mapping[str, Any]
) -> ForeignHook:
    kind = str(handler.get("type", "command"))
    if kind not in _DOES:
        tree.note("hook-type", path, kind)
    command = str(handler.get(_DOES.get(kind, "command"), ""))
    given = handler.get("args")
    arguments = tuple(map(str, given)) if isinstance(given, list) else None
    does = " ".join((command, *(arguments or ())))
    runs = kind == "command" and len(does) <= _COMMAND_LIMIT
    condition = handler.get("if")
    return ForeignHook(
        event=event[:100],
        matcher=matcher,
        kind=kind[:40],
        does=does[:_SHOWN_LIMIT],
        path=path,
        moment=MOMENTS.get(event, ""),
        command=command if runs else "",
        arguments=arguments if runs else None,
        condition=condition[:_SHOWN_LIMIT] if isinstance(condition, str) else "",
        timeout_s=_seconds(handler.get("timeout")),
        waits=not (handler.get("async") is True or handler.get("asyncRewake") is True),
    )


def _seconds(given: Any) -> int:
    """Return how long a hook may take: what its author wrote, within bounds."""
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given < 1e9:
        return TIMEOUT_S
    return min(max(round(given), 1), LONGEST_S)
