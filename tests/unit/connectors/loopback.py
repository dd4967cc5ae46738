"""A server written with the official package, on a port of this machine, in a thread of its own."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from mcp.server import MCPServer
from mcp.types import ToolAnnotations

ABOUT = "Find an order by its number."
App = Callable[[MutableMapping[str, Any], Any, Any], Any]


def find_order(number: int) -> str:
    """Look into the shop."""
    return f"order {number}: paid"


def cancel_order(number: int) -> dict[str, int]:
    """Cancel an order."""
    return {"cancelled": number}


class Shop:
    """A shop with two tools."""

    def __init__(self) -> None:
        self.server: MCPServer[Any] = MCPServer("Shop", version="1.2")
        self._describe(ABOUT)
        self.server.add_tool(cancel_order)

    def _describe(self, description: str) -> None:
        hints = ToolAnnotations(read_only_hint=True)
        self.server.add_tool(find_order, description=description, annotations=hints)

    @contextmanager
    def changed(self, description: str) -> Iterator[None]:
        """While the block lasts the first tool says something else of itself."""
        self.server.remove_tool("find_order")
        self._describe(description)
        try:
            yield
        finally:
            self.server.remove_tool("find_order")
            self._describe(ABOUT)


@dataclass(slots=True)
class Loopback:
    """`headers`: of each request. `shop`: what answers, unless it is another app."""

    url: str
    app: App
    headers: list[dict[str, str]] = field(default_factory=list)
    shop: Shop | None = None

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Hand on."""
        if scope["type"] == "http":
            self.headers.append({key.decode(): value.decode() for key, value in scope["headers"]})
        await self.app(scope, receive, send)


@contextmanager
def loopback(app: App | None = None) -> Iterator[Loopback]:
    """Serve while the block lasts; without `app` the shop."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
    shop = Shop()
    made = Loopback(url=url, app=app or shop.server.streamable_http_app(), shop=shop)
    config = uvicorn.Config(
        made, log_level="critical", lifespan="on", ws="none", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield made
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
