"""Hooks of a Claude plugin: what would be done at which moment. Mapped and listed; nothing here runs any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deskmate.formats.texts import read_json
from deskmate.formats.tree import Tree
from deskmate.types.foreign import ForeignHook

FILE = "hooks/hooks.json"
HOOKS_LIMIT = 500
MOMENTS: Mapping[str, str] = {
    "SessionStart": "a thread's machine opens",
    "Setup": "a thread's machine opens",
    "SessionEnd": "a thread's machine closes",
    "UserPromptSubmit": "you say something",
    "UserPromptExpansion": "you say something",
    "PreToolUse": "before a tool runs",
    "PermissionRequest": "a tool needs your approval",
    "PostToolUse": "after a tool ran",
    "PostToolUseFailure": "after a tool failed",
    "PostToolBatch": "after tools ran",
    "Stop": "a run ends",
    "StopFailure": "a run ends with an error",
    "FileChanged": "a file changed",
}
"""Event → the moment in Deskmate that it is."""
_WITHOUT = frozenset(
    {
        "SubagentStart", "SubagentStop", "TaskCreated", "TaskCompleted", "TeammateIdle", "Notification",
        "PreCompact", "PostCompact", "InstructionsLoaded", "ConfigChange", "CwdChanged", "WorktreeCreate",
        "WorktreeRemove", "Elicitation", "ElicitationResult", "PermissionDenied", "MessageDisplay",
    }
)  # fmt: skip
"""Events that have no such moment here."""
_DOES = {"command": "command", "http": "url", "mcp_tool": "tool", "prompt": "prompt", "agent": "prompt"}  # fmt: skip
_SHOWN_LIMIT = 500


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
            matcher = group.get("matcher", "")
            for handler in handlers:
                if isinstance(handler, dict):
                    yield _hook(tree, path, event, str(matcher or "")[:_SHOWN_LIMIT], handler)
                else:
                    tree.note("hooks-shape", path, event)


def _hook(
    tree: Tree, path: str, event: str, matcher: str, handler: Mapping[str, Any]
) -> ForeignHook:
    kind = str(handler.get("type", "command"))
    if kind not in _DOES:
        tree.note("hook-type", path, kind)
    does = handler.get(_DOES.get(kind, "command"), "")
    arguments = handler.get("args")
    if isinstance(arguments, list):
        does = " ".join((str(does), *map(str, arguments)))
    return ForeignHook(
        event=event[:100],
        matcher=matcher,
        kind=kind[:40],
        does=str(does)[:_SHOWN_LIMIT],
        path=path,
        moment=MOMENTS.get(event, ""),
    )
