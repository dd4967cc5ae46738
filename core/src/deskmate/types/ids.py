"""Identifiers. Made here and nowhere else."""

from __future__ import annotations

import secrets
from typing import NewType

ThreadId = NewType("ThreadId", str)
RunId = NewType("RunId", str)
ToolUseId = NewType("ToolUseId", str)
Digest = NewType("Digest", str)
"""Lower-case hex sha256 of the exact bytes, 64 characters."""

_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # no look-alikes: people read these aloud


def _token(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def new_thread_id() -> ThreadId:
    """Return a new thread id: `t-` and 10 characters."""
    return ThreadId("t-" + _token(10))


def new_run_id() -> RunId:
    """Return a new run id: `r-` and 10 characters."""
    return RunId("r-" + _token(10))


def new_table_id() -> str:
    """Return a new table's id: `tb-` and 8 characters."""
    return "tb-" + _token(8)


def new_tool_use_id() -> ToolUseId:
    """Return a new tool use id in the form the Messages API uses."""
    return ToolUseId("toolu_" + secrets.token_hex(12))
