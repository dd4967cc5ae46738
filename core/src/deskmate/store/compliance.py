"""A thread's log as activities for compliance tools: who did what to what and when, without any content.

The keys are those of the activity feeds that such tools read already; what a local program cannot know, such as an
address or an organisation, is null. `record` ties each activity to the log, where its hash proves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]
USER, AGENT, SYSTEM = "user", "agent", "system"
_ACTIVITIES: Mapping[str, tuple[str, str]] = {
    "ThreadCreated": ("thread_created", USER),
    "ThreadForked": ("thread_forked", USER),
    "ThreadRenamed": ("thread_renamed", USER),
    "ThreadMarked": ("thread_marked", USER),
    "PluginsSet": ("plugins_changed", USER),
    "ProjectSet": ("project_changed", USER),
    "MemoryTold": ("memory_read", SYSTEM),
    "Remembered": ("memory_written", AGENT),
    "GrantsSet": ("folders_granted", USER),
    "KindsSeen": ("file_kinds_seen", SYSTEM),
    "TextTaken": ("text_indexed", SYSTEM),
    "UserSaid": ("prompt_submitted", USER),
    "RunResumed": ("run_resumed", USER),
    "BaseTaken": ("folders_read", SYSTEM),
    "ContentTaken": ("files_read", SYSTEM),
    "SandboxOpened": ("machine_started", SYSTEM),
    "ModelAsked": ("model_request_sent", SYSTEM),
    "ModelReplied": ("model_response_received", AGENT),
    "ModelFailed": ("model_request_failed", SYSTEM),
    "Compacted": ("conversation_compacted", SYSTEM),
    "PolicySet": ("policy_changed", USER),
    "ApprovalAsked": ("approval_requested", AGENT),
    "ApprovalGiven": ("approval_decided", USER),
    "ApprovalUsed": ("approval_used", SYSTEM),
    "ToolStarted": ("tool_call_started", AGENT),
    "ToolFinished": ("tool_call_finished", SYSTEM),
    "CheckpointMade": ("checkpoint_made", SYSTEM),
    "ChangesStaged": ("changes_staged", AGENT),
    "Validated": ("output_checked", SYSTEM),
    "DeliverableSigned": ("deliverable_signed", USER),
    "RunFinished": ("run_finished", SYSTEM),
    "ApplyStarted": ("apply_started", USER),
    "ApplyFinished": ("apply_finished", SYSTEM),
    "ChangesDiscarded": ("changes_discarded", USER),
    "Refused": ("action_refused", SYSTEM),
    "Erased": ("records_erased", USER),
    "NetworkSet": ("network_rules_changed", USER),
    "ConnectorsSet": ("connectors_changed", USER),
    "ConnectorAsked": ("server_asked", SYSTEM),
    "EgressAsked": ("network_request", AGENT),
    "EgressEnded": ("network_request_ended", SYSTEM),
    "SubagentStarted": ("subagent_started", AGENT),
    "SubagentDid": ("subagent_activity", AGENT),
    "HookStarted": ("hook_started", SYSTEM),
    "HookFinished": ("hook_finished", SYSTEM),
}
_FACTS: Mapping[str, tuple[str, ...]] = {
    "ThreadForked": ("parent", "seq"),
    "ThreadMarked": ("pinned", "archived"),
    "PluginsSet": ("lock", "versions", "permissions"),
    "ProjectSet": ("project", "plugins"),
    "MemoryTold": ("project",),
    "Remembered": ("project", "confirmed", "tool_use_id"),
    "KindsSeen": ("kinds",),
    "TextTaken": ("sha256",),
    "UserSaid": ("model", "apply"),
    "BaseTaken": ("manifest", "files", "size"),
    "ContentTaken": ("manifest", "files", "size"),
    "SandboxOpened": ("machine", "template", "isolation"),
    "ModelAsked": ("turn", "model", "request", "purpose"),
    "ModelReplied": ("turn", "model", "stop_reason", "usage"),
    "ModelFailed": ("turn", "retryable"),
    "Compacted": ("turn", "kept_run", "kept_turn", "retrievable", "usage"),
    "PolicySet": ("rules",),
    "ApprovalAsked": ("tool_use_id", "tool", "arguments", "expires"),
    "ApprovalGiven": ("tool_use_id", "arguments", "allow", "by", "expires"),
    "ApprovalUsed": ("arguments",),
    "ToolStarted": ("tool_use_id", "tool", "key"),
    "ToolFinished": ("tool_use_id", "tool", "outcome", "wrote", "synthetic", "untrusted", "private"),
    "CheckpointMade": ("manifest", "files", "size"),
    "ChangesStaged": ("difference", "created", "modified", "deleted"),
    "Validated": ("inputs", "rules", "passed"),
    "DeliverableSigned": ("sha256",),
    "RunFinished": ("reason",),
    "ApplyStarted": ("plan", "undo_of", "by"),
    "ApplyFinished": ("plan", "applied"),
    "ChangesDiscarded": ("difference",),
    "Refused": ("what",),
    "Erased": ("seqs", "why"),
    "NetworkSet": ("rules",),
    "ConnectorsSet": ("connectors",),
    "ConnectorAsked": ("tool_use_id",),
    "EgressAsked": ("request", "method", "host", "port", "allowed", "size", "secrets", "stripped"),
    "EgressEnded": ("request", "status", "sent", "received"),
    "SubagentStarted": ("child", "tool_use_id", "manifest", "files", "limits"),
    "SubagentDid": ("child", "kind"),
    "HookStarted": ("key", "hook", "plugin", "event", "at", "command", "approved"),
    "HookFinished": ("key", "hook", "plugin", "event", "at", "outcome", "exit_code", "refused", "wrote"),
}  # fmt: skip
"""Kind → fields that say what happened and nothing of what was said, read or written."""


def as_feed(records: Iterable[Json], *, version: str, since: str = "", until: str = "") -> Json:
    """Return the activities from `since` on and before `until` (RFC 3339, empty: all), newest last."""
    data = [
        activity
        for activity in _activities(records, version)
        if (not since or activity["created_at"] >= since)
        and (not until or activity["created_at"] < until)
    ]
    return {
        "data": data,
        "has_more": False,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }


def _activities(records: Iterable[Json], version: str) -> Iterator[dict[str, Any]]:
    thread = run = ""
    for record in records:
        kind, payload = record["kind"], record["payload"]
        thread = thread or str(payload.get("thread", ""))
        run = str(payload.get("run", run)) if kind != "RunFinished" else run
        name, actor = _ACTIVITIES.get(kind, (kind, SYSTEM))
        yield {
            "id": f"{thread}:{record['seq']}",
            "created_at": record["time"],
            "organization_id": None,
            "organization_uuid": None,
            "actor": {
                "type": _actor(payload, actor),
                "email_address": None,
                "user_id": None,
                "ip_address": None,
                "user_agent": f"deskmate/{version}",
            },
            "type": name,
            "thread_id": thread,
            "run_id": run or None,
            "details": {key: payload[key] for key in _FACTS.get(kind, ()) if key in payload},
            "erased": record.get("salt") == "",
            "record": {"seq": record["seq"], "hash": record["hash"]},
        }


def _actor(payload: Json, usual: str) -> str:
    """A decision names who made it: the user, a policy that the user set, or a deadline."""
    by = payload.get("by")
    return str(by) if isinstance(by, str) and by else usual
