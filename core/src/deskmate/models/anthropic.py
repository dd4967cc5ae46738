"""The Messages API: Anthropic's own servers, and any other server that speaks it. Imports the SDK late."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from deskmate.errors import ModelUnavailable
from deskmate.models.batches import MessageBatches
from deskmate.models.bounds import bounded_client
from deskmate.models.catalogue import ModelInfo, cost_usd
from deskmate.models.messages_api import (
    pictures_in,
    request_body,
    translate_error,
    wire_errors,
)
from deskmate.models.replies import read_content, read_usage
from deskmate.ports import ModelReply, ModelRequest
from deskmate.types.limits import Usage

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from anthropic.lib.streaming import AsyncMessageStream

ANTHROPIC_URL = "https://api.anthropic.com"
SILENCE_S = 300.0
"""A stream that sends nothing at all, not even a ping, for so long is dead."""
CONNECT_S = 15.0
PICTURE_TOKENS = 1_600
"""The most that a picture takes; larger ones are made smaller there."""
BYTES_PER_TOKEN = 2.5
"""Fewer than text really has, so that an estimate is an upper one."""


class AnthropicModel:
    """One model behind the Messages API, streaming, with prompt caching."""

    def __init__(
        self,
        info: ModelInfo,
        *,
        api_key: str,
        name: str = "",
        base_url: str = ANTHROPIC_URL,
        extra_body: Mapping[str, Any] | None = None,
        label: str = "",
        silence_s: float = SILENCE_S,
    ) -> None:
        """`name`: as users say it. `extra_body`: more fields of the request, such as `temperature`.

        `label`: shown beside everything it says, such as that it is a local model. `silence_s`: how
        long one request may bring nothing.
        """
        self._info = info
        self._name = name or info.alias
        self._api_key = api_key
        self._base_url = base_url
        self._extra_body = dict(extra_body or {})
        self._label = label
        self._silence_s = silence_s
        self._client: AsyncAnthropic | None = None

    @property
    def name(self) -> str:
        """The name users and the log know it by."""
        return self._name

    @property
    def info(self) -> ModelInfo:
        """What the catalogue says of it."""
        return self._info

    @property
    def context_tokens(self) -> int | None:
        """Tokens that prompt and reply may have together, as the catalogue or the user says."""
        return self._info.context_tokens

    @property
    def batches(self) -> MessageBatches:
        """Its calls that may wait."""
        return MessageBatches(self._open_client, self._info, self._base_url)

    def estimate_cost_usd(self, request: ModelRequest) -> float | None:
        """Return an upper estimate: nothing cached, the output as long as it may be."""
        body = request_body(replace(request, pictures={}), self._info)
        tokens = int(len(json.dumps(body, ensure_ascii=False).encode()) / BYTES_PER_TOKEN)
        tokens += PICTURE_TOKENS * pictures_in(request) if self._info.pictures else 0
        output = min(request.max_tokens, self._info.max_output_tokens)
        return cost_usd(self._info, Usage(cache_write_tokens=tokens, output_tokens=output))

    async def reply(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelReply:
        """Return the complete reply; only a stream that reached its end counts.

        Raises ModelUnavailable or ModelRejected; nothing of a broken reply is kept.
        """
        body = request_body(request, self._info)
        try:
            async with self._open_client().messages.stream(
                **body, extra_body=self._extra_body or None
            ) as stream:
                return await self._read(stream, on_text)
        except wire_errors() as error:
            raise translate_error(error, self._info.id, self._base_url) from error

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    def _open_client(self) -> AsyncAnthropic:
        if self._client is None:
            import anthropic  # noqa: PLC0415 - heavy

            # The key is always given, so that the SDK never sends another one that it finds.
            self._client = anthropic.AsyncAnthropic(
                api_key=self._api_key,
                base_url=self._base_url,
                max_retries=0,
                http_client=bounded_client(),
                timeout=anthropic.Timeout(self._silence_s, connect=CONNECT_S),
            )
        return self._client

    async def _read(
        self, stream: AsyncMessageStream[Any], on_text: Callable[[str], None]
    ) -> ModelReply:
        begun = ended = False
        arguments: dict[int, str] = {}
        async for event in stream:
            begun = True
            on_text("")  # long arguments of a tool are no silence
            match event.type:
                case "text":
                    on_text(event.text)
                case "content_block_delta" if event.delta.type == "input_json_delta":
                    so_far = arguments.get(event.index, "")
                    arguments[event.index] = so_far + event.delta.partial_json
                case "message_stop":
                    ended = True
        if not begun:
            hint = "Does it speak the Messages API?"
            raise ModelUnavailable(f"{self._base_url} sent no reply that can be read.", hint=hint)
        if not ended:
            raise ModelUnavailable(f"The reply of {self._info.id} was cut before its end.")
        message: dict[str, Any] = stream.current_message_snapshot.to_dict(
            mode="json", warnings=False
        )
        stop_reason = message.get("stop_reason") or ""
        blocks = message.get("content") or []
        for index, text in arguments.items():
            self._put_arguments(blocks[index], text, cut=stop_reason == "max_tokens")
        usage = read_usage(message.get("usage") or {}, self._info)
        return ModelReply(
            content=read_content(blocks),
            stop_reason=str(stop_reason),
            usage=usage,
            model=str(message.get("model") or self._info.id),
            label=self._label,
        )

    def _put_arguments(self, block: dict[str, Any], text: str, *, cut: bool) -> None:
        """Read the arguments of any kind of tool use ourselves.

        The SDK knows some kinds only, and reads cut JSON as far as it goes; half an argument must
        never reach a tool. `cut`: the reply hit the output limit, so its tool uses are not run.
        """
        try:
            block["input"] = json.loads(text or "{}")
        except ValueError as error:
            if not cut:
                message = f"The reply of {self._info.id} has tool arguments that are cut or broken."
                raise ModelUnavailable(message) from error
