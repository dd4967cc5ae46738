"""What the Messages API answers: blocks, and tokens with their price."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deskmate.models.catalogue import ModelInfo, cost_usd
from deskmate.types.limits import Usage
from deskmate.types.messages import Block, block_from_json


def read_content(blocks: list[Mapping[str, Any]]) -> tuple[Block, ...]:
    """Return the reply's blocks; those that Deskmate does not act on stay exactly as they are."""
    return tuple(block_from_json(_tidy(block)) for block in blocks)


def _tidy(block: Mapping[str, Any]) -> Mapping[str, Any]:
    if block.get("type") == "text":
        # Fields that the SDK adds or that are empty are not accepted back by every server.
        return {k: v for k, v in block.items() if v is not None and k != "parsed_output"}
    if block.get("type") == "tool_use" and not isinstance(block.get("input"), dict):
        return {**block, "input": {}}
    return block


def read_usage(data: Mapping[str, Any], info: ModelInfo) -> Usage:
    """Return the tokens and their price; servers may leave any count out."""
    usage = Usage(
        input_tokens=data.get("input_tokens") or 0,
        output_tokens=data.get("output_tokens") or 0,
        cache_read_tokens=data.get("cache_read_input_tokens") or 0,
        cache_write_tokens=data.get("cache_creation_input_tokens") or 0,
    )
    return Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        cost_usd=cost_usd(info, usage),
    )
