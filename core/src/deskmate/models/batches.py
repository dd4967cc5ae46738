"""Message Batches: many requests sent at once, answered within a day at a share of the price. Imports the SDK late.

Source: platform.claude.com/docs, batch processing, read 2026-11-29.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from deskmate.errors import DeskmateError, ModelUnavailable, OutcomeUnknown
from deskmate.models.catalogue import ModelInfo
from deskmate.models.messages_api import request_body, translate_error, wire_errors
from deskmate.models.replies import read_content, read_usage
from deskmate.ports import BatchState, ModelReply, ModelRequest

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

SHARE = 0.5
"""Of the usual price, for prompt and reply alike."""
_WORDS = {
    "expired": "The batch was not answered within its day.",
    "canceled": "The batch was cancelled before it was answered.",
}


class MessageBatches:
    """The batches of one model behind the Messages API."""

    def __init__(self, client: Callable[[], AsyncAnthropic], info: ModelInfo, url: str) -> None:
        """`client`: opens it when it is first needed. `url`: shown in errors."""
        self._client, self._info, self._url = client, info, url

    @property
    def share(self) -> float:
        """What a call in a batch costs, as a share of the usual price."""
        return SHARE

    async def send(self, requests: Mapping[str, ModelRequest]) -> str:
        """Send requests, each under a name of 1 to 64 letters, digits, `-` and `_`; return the batch's id.

        Raises ModelUnavailable or ModelRejected where the server did not take it; OutcomeUnknown where it may have.
        """
        import anthropic  # noqa: PLC0415 - heavy
        import httpx2  # noqa: PLC0415

        calls: list[Any] = [
            {"custom_id": name, "params": request_body(request, self._info)}
            for name, request in requests.items()
        ]
        try:
            sent = await self._client().messages.batches.create(requests=calls)
        except wire_errors() as error:
            told = translate_error(error, self._info.id, self._url)
            refused = isinstance(error, anthropic.APIStatusError)
            if refused or isinstance(error.__cause__, httpx2.ConnectError):
                raise told from error
            raise OutcomeUnknown(
                f"A batch of {len(calls):,} calls was sent, and whether {self._url} took it is unknown: {told.message}",
                hint="What it may cost stays held. To send them anew: deskmate table resume",
            ) from error
        if not isinstance(sent.id, str) or not sent.id:
            raise ModelUnavailable(f"{self._url} gave the batch no id.")
        return sent.id

    async def state(self, batch: str) -> BatchState:
        """Return how far a batch is. Raises ModelUnavailable, ModelRejected."""
        try:
            found = await self._client().messages.batches.retrieve(batch)
            counts = found.request_counts
            closed = counts.succeeded + counts.errored + counts.canceled + counts.expired
            return BatchState(
                done=closed,
                total=closed + counts.processing,
                ended=found.processing_status == "ended",
            )
        except wire_errors() as error:
            raise self._told(error) from error

    async def cancel(self, batch: str) -> None:
        """Have what is not answered yet left unanswered; it ends soon after. Raises as `state`."""
        try:
            await self._client().messages.batches.cancel(batch)
        except wire_errors() as error:
            raise self._told(error) from error

    async def replies(self, batch: str) -> AsyncIterator[tuple[str, ModelReply | str]]:
        """Yield what became of each request of a batch that has ended: its reply, or why there is none.

        Raises as `state`; what was yielded before stands.
        """
        try:
            async for line in await self._client().messages.batches.results(batch):
                yield line.custom_id, self._reply(line.result)
        except wire_errors() as error:
            raise self._told(error) from error

    def _reply(self, result: Any) -> ModelReply | str:
        if result.type != "succeeded":
            error = getattr(getattr(result, "error", None), "error", None)
            said = " ".join(str(getattr(error, "message", "") or result.type).split())[:300]
            return _WORDS.get(result.type) or f"The batch's answer is an error: {said}"
        message = result.message.to_dict(mode="json", warnings=False)
        usage = read_usage(message.get("usage") or {}, self._info)
        if usage.cost_usd is not None:
            usage = replace(usage, cost_usd=usage.cost_usd * SHARE)
        return ModelReply(
            content=read_content(message.get("content") or []),
            stop_reason=str(message.get("stop_reason") or ""),
            usage=usage,
            model=str(message.get("model") or self._info.id),
        )

    def _told(self, error: Exception) -> DeskmateError:
        return translate_error(error, self._info.id, self._url)
