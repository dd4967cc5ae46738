"""What of an event is personal, and what is left of it when that is erased.

A sealed record's hash covers its public part and a commitment to the whole payload: the digest of a salt and the
payload. While both are there the commitment proves the payload; when they are erased the chain still holds, and
without the salt nobody can find out by guessing what had been there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from deskmate.store import chain
from deskmate.types.events import ERASED

_SALT_BYTES = 16
Json = Mapping[str, Any]

_TEXTS: Mapping[str, tuple[str, ...]] = {
    "ThreadCreated": ("title",),
    "ThreadRenamed": ("title",),
    "ProjectSet": ("name", "instructions"),
    "Remembered": ("name", "text"),
    "UserSaid": ("text",),
    "ModelFailed": ("error",),
    "Compacted": ("summary",),
    "ApprovalAsked": ("arguments", "why"),
    "ApprovalGiven": ("arguments",),
    "ApprovalUsed": ("arguments",),
    "ToolFinished": ("text",),
    "DeliverableSigned": ("name", "role"),
    "RunFinished": ("text",),
    "ApplyFinished": ("text",),
    "Refused": ("why",),
    "EgressAsked": ("path", "why"),
    "EgressEnded": ("why",),
    "SubagentStarted": ("title", "task"),
    "HookFinished": ("text", "context", "notice"),
}
"""Kind → fields whose text is personal. Digests of arguments are, too: few arguments can be tried out."""
_LEFT_OUT: Mapping[str, tuple[str, ...]] = {
    "MemoryTold": ("notes",),
    "ApprovalAsked": ("shown",),
    "ToolFinished": ("evidence", "deliverables", "full", "pictures", "kept"),
    "ConnectorAsked": ("question",),
    "ChangesStaged": ("refused", "deliverables"),
    "Validated": ("findings",),
}
"""Kind → fields that are personal and may be missing."""


def seal(
    kind: str, payload: Json, text: str, make_salt: Callable[[int], str]
) -> tuple[str, str] | None:
    """Return the sealed form and the salt of an event's payload, None where nothing of it is personal.

    `payload`: as JSON reads, and `text`: its canonical form. `make_salt`: returns so many random bytes as hex.
    """
    if kind not in _TEXTS and kind not in _LEFT_OUT and kind not in ("ModelReplied", "SubagentDid"):
        return None
    public = _public(kind, payload)
    if public == payload:
        return None
    salt = make_salt(_SALT_BYTES)
    return chain.canonical_text({**public, chain.COMMITMENT: chain.commitment(salt, text)}), salt


def _public(kind: str, payload: Json) -> dict[str, Any]:
    if kind == "SubagentDid":  # of a sub-agent's fact the same is personal as of the thread's own
        return {**payload, "fact": _public(payload["kind"], payload["fact"])}
    public = {name: value for name, value in payload.items() if name not in _LEFT_OUT.get(kind, ())}
    for name in _TEXTS.get(kind, ()):
        if public.get(name):
            public[name] = ERASED
    if kind == "ModelReplied":
        public["content"] = [_block(block) for block in payload["content"]]
    return public


def _block(block: Json) -> dict[str, Any]:
    """Return what is left of a block: that there was one, and which call it asked for."""
    if block.get("type") == "tool_use":
        return {"type": "tool_use", "id": block["id"], "name": block["name"], "input": {}}
    return {"type": "text", "text": ERASED}
