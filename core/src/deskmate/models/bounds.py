"""What a model's server may send at most: it is not trusted to stop, nor with what its bytes grow to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx2

REPLY_LIMIT_BYTES = 64 * 1024 * 1024
"""Far more than the longest reply with all its events."""


def bounded_client() -> httpx2.AsyncClient:
    """Return the SDK's usual HTTP client, which takes nothing compressed and no more than the limit of a reply."""
    import anthropic  # noqa: PLC0415 - heavy

    client: Any = anthropic.DefaultAsyncHttpxClient(event_hooks={"response": [_bound]})
    client.headers["accept-encoding"] = "identity"
    return client  # type: ignore[no-any-return]  # the SDK's class has no types


async def _bound(response: httpx2.Response) -> None:
    """Refuse what is compressed, and count what comes. Raises httpx2.DecodingError."""
    import httpx2  # noqa: PLC0415 - heavy

    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        await response.aclose()
        raise httpx2.DecodingError(
            f"the server compressed it ({coding[:20]}), which was not asked for",
            request=response.request,
        )
    response.stream = _counted(response.stream)


def _counted(inner: Any) -> Any:
    import httpx2  # noqa: PLC0415 - heavy

    class Counted(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            size = 0
            async for chunk in inner:
                size += len(chunk)
                if size > REPLY_LIMIT_BYTES:
                    raise httpx2.ReadError(f"it is longer than {REPLY_LIMIT_BYTES >> 20} MiB")
                yield chunk

        async def aclose(self) -> None:
            await inner.aclose()

    return Counted()
