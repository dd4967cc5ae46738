"""The shop behind a login: OAuth 2.1 with discovery, registration, PKCE and renewal, each of which a test can spoil."""

from __future__ import annotations

import base64
import hashlib
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from tests.unit.connectors.loopback import Shop, loopback


@dataclass(slots=True)
class Guarded:
    """The shop behind OAuth 2.1. `spoil`: changes what the authorization server says of itself.

    `device_answers`: errors that a device gets for its code, one a time, before it gets a token. `needs`: a scope that each
    request's token must have, or that of the method `at`; `scopes`: what was asked for, login by login.
    """

    shop: Shop = field(default_factory=Shop)
    spoil: dict[str, Any] = field(default_factory=dict)
    url: str = ""
    tokens: set[str] = field(default_factory=set)
    challenges: dict[str, str] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    clients: list[str] = field(default_factory=list)
    made: int = 0
    expires_in: int = 3600
    device_answers: list[str] = field(default_factory=list)
    needs: str = ""
    at: str = ""
    scopes: list[str] = field(default_factory=list)
    granted: dict[str, str] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)

    @property
    def base(self) -> str:
        return self.url.removesuffix("/mcp")

    def app(self) -> Any:
        inner = self.shop.server.streamable_http_app()

        async def guarded(scope: Any, receive: Any, send: Any) -> None:
            headers = {k.decode(): v.decode() for k, v in scope["headers"]}
            token = headers.get("authorization", "").removeprefix("Bearer ")
            meant = self.at in ("", headers.get("mcp-method", ""))
            lacks = meant and self.needs and self.needs not in self.granted.get(token, "").split()
            if token in self.tokens and not lacks:
                await inner(scope, receive, send)
                return
            if token in self.tokens:
                more = f'Bearer error="insufficient_scope", scope="{self.needs}"'
                await Response(status_code=403, headers={"www-authenticate": more})(
                    scope, receive, send
                )
                return
            told = (
                f'Bearer resource_metadata="{self.base}/.well-known/oauth-protected-resource/mcp"'
            )
            await Response(status_code=401, headers={"www-authenticate": told})(
                scope, receive, send
            )

        return Starlette(
            lifespan=lambda app: inner.router.lifespan_context(inner),  # type: ignore[arg-type]
            routes=[
                Route("/.well-known/oauth-protected-resource/mcp", self.resource),
                Route("/.well-known/oauth-authorization-server", self.metadata),
                Route("/register", self.register, methods=["POST"]),
                Route("/authorize", self.authorize),
                Route("/token", self.token, methods=["POST"]),
                Route("/device", self.device, methods=["POST"]),
                Mount("/", guarded),
            ],
        )

    async def resource(self, request: Request) -> Response:
        found = {"resource": self.url, "authorization_servers": [self.base]}
        return JSONResponse({**found, **self.spoil.get("resource", {})})

    async def metadata(self, request: Request) -> Response:
        found = {
            "issuer": self.base,
            "authorization_endpoint": f"{self.base}/authorize",
            "token_endpoint": f"{self.base}/token",
            "device_authorization_endpoint": f"{self.base}/device",
            "registration_endpoint": f"{self.base}/register",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
        }
        return JSONResponse({**found, **self.spoil.get("metadata", {})})

    async def register(self, request: Request) -> Response:
        self.seen.append("register")
        return JSONResponse({**await request.json(), "client_id": "client-1"}, status_code=201)

    async def authorize(self, request: Request) -> Response:
        asked = request.query_params
        self.seen.append("authorize")
        self.scopes.append(asked.get("scope", ""))
        self.challenges["the-code"] = asked["code_challenge"]
        answer = urlencode({"code": "the-code", "state": asked["state"]})
        return RedirectResponse(f"{asked['redirect_uri']}?{answer}")

    async def device(self, request: Request) -> Response:
        rows = parse_qs((await request.body()).decode())
        self.seen.append("device")
        self.asked.append({key: values[0] for key, values in rows.items()})
        found = {
            "device_code": "the-device",
            "user_code": "WDJB-MJHT",
            "verification_uri": f"{self.base}/activate",
            "expires_in": 600,
            "interval": 5,
        }
        return JSONResponse({**found, **self.spoil.get("device", {})})

    async def token(self, request: Request) -> Response:
        given = {
            key: values[0] for key, values in parse_qs((await request.body()).decode()).items()
        }
        self.seen.append(given["grant_type"])
        self.clients.append(request.headers.get("authorization", given.get("client_id", "")))
        if given["grant_type"] == "authorization_code":
            digest = hashlib.sha256(given["code_verifier"].encode()).digest()
            if base64.urlsafe_b64encode(digest).decode().rstrip("=") != self.challenges.get(
                given["code"]
            ):
                return JSONResponse({"error": "invalid_grant"}, status_code=400)
        elif given["grant_type"].endswith(":device_code"):
            if given["device_code"] != "the-device":
                return JSONResponse({"error": "invalid_grant"}, status_code=400)
            if self.device_answers:
                return JSONResponse({"error": self.device_answers.pop(0)}, status_code=400)
        elif given.get("refresh_token") != f"refresh-token-{self.made}":
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        self.made += 1
        access = f"access-token-{self.made}"
        self.tokens.add(access)
        self.granted[access] = self.scopes[-1] if self.scopes else ""
        return JSONResponse(
            {"scope": self.granted[access], "access_token": access, "token_type": "Bearer", "expires_in": self.expires_in, "refresh_token": f"refresh-token-{self.made}"}
        )  # fmt: skip


@contextmanager
def guarded_shop() -> Iterator[Guarded]:
    """Serve it while the block lasts."""
    made = Guarded()
    with loopback(made.app()) as found:
        made.url = found.url
        yield made


def browser(address: str) -> None:
    """Follow an address as a browser does, in a thread of its own."""
    threading.Thread(target=_follow, args=(address,), daemon=True).start()


def _follow(address: str) -> None:
    with urllib.request.urlopen(address, timeout=10) as answer:
        answer.read()
