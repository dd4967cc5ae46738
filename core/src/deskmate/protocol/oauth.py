"""OAuth 2.1 as the official client does it: discovery, registration, PKCE, refresh. What is kept goes in and out as plain data."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from deskmate.errors import ToolDenied, ToolError
from deskmate.shown import one_line

if TYPE_CHECKING:
    import httpx2
    from mcp.shared.auth import AuthorizationCodeResult

EARLY_S = 60.0
"""How long before its end a token counts as over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What a login left. `token`, `client`, `server`: as OAuth words them, in JSON. `expires_at`: seconds since 1970."""

    token: Mapping[str, Any] = field(default_factory=dict, repr=False)
    client: Mapping[str, Any] = field(default_factory=dict, repr=False)
    server: Mapping[str, Any] = field(default_factory=dict)
    expires_at: float | None = None


Keep = Callable[[Login], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who can log in. `redirect`: where their browser is sent back to.

    `show`: has them open an address, which was checked. `wait`: returns what the browser was sent back with:
    code, state and, where the server says it, its issuer. `client_id`: of a registration that they made themselves.
    """

    redirect: str
    client_id: str = ""
    show: Callable[[str], Awaitable[None]]
    wait: Callable[[], Awaitable[Mapping[str, str]]]


NOBODY = "the login is over and nobody is there to renew it"


def oauth(
    url: str, login: Login, keep: Keep, person: Person | None, check: Callable[[str], None]
) -> httpx2.Auth:
    """Return what adds the login to requests.

    Args:
        url: of the connector's server.
        login: what was kept.
        keep: keeps what is new: tokens, a registration.
        person: who logs in where that is needed; None: nobody, and the request fails.
        check: raises ToolDenied for an address that no browser may be sent to.
    """
    from mcp.client.auth import OAuthClientProvider  # noqa: PLC0415
    from mcp.shared.auth import (  # noqa: PLC0415
        AuthorizationCodeResult,
        OAuthClientInformationFull,
        OAuthClientMetadata,
        OAuthMetadata,
        OAuthToken,
    )
    from pydantic import AnyUrl  # noqa: PLC0415 - the client's own types

    logging.getLogger("mcp").addHandler(logging.NullHandler())
    now = [_anew(person) if person is not None else login]

    class Storage:
        async def get_tokens(self) -> OAuthToken | None:
            return OAuthToken.model_validate(now[0].token) if now[0].token else None

        async def set_tokens(self, tokens: OAuthToken) -> None:
            context = provider.context
            server = context.oauth_metadata
            now[0] = replace(
                now[0],
                token=tokens.model_dump(mode="json", exclude_none=True),
                expires_at=time.time() + tokens.expires_in if tokens.expires_in else None,
                server=server.model_dump(mode="json", exclude_none=True) if server else {},
            )
            await keep(now[0])

        async def get_client_info(self) -> OAuthClientInformationFull | None:
            known = now[0].client
            return OAuthClientInformationFull.model_validate(known) if known else None

        async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
            now[0] = replace(now[0], client=client_info.model_dump(mode="json", exclude_none=True))

    class Provider(OAuthClientProvider):
        async def _initialize(self) -> None:
            """After a restart the token's end and the server's endpoints are known, too."""
            await super()._initialize()
            if now[0].expires_at is not None:
                self.context.token_expiry_time = now[0].expires_at - EARLY_S
            if now[0].server:
                self.context.oauth_metadata = OAuthMetadata.model_validate(now[0].server)

    async def show(address: str) -> None:
        if person is None:
            raise ToolError(NOBODY)
        server = provider.context.oauth_metadata
        if server is not None and "S256" not in (server.code_challenge_methods_supported or ()):
            raise ToolDenied("its login does not offer PKCE with S256, so a code could be stolen")
        check(address)
        await person.show(address)

    async def wait() -> AuthorizationCodeResult:
        if person is None:
            raise ToolError(NOBODY)
        given = await person.wait()
        return AuthorizationCodeResult(code=given["code"], state=given.get("state"), iss=given.get("iss"))

    metadata = OAuthClientMetadata(
        client_name="Deskmate",
        redirect_uris=[AnyUrl(person.redirect if person else "http://127.0.0.1:1/callback")],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
        token_endpoint_auth_method="none",
    )
    provider = Provider(url, metadata, Storage(), redirect_handler=show, callback_handler=wait)
    return provider


def _anew(person: Person) -> Login:
    """Return where a login begins: with nothing, or with the user's own registration."""
    if not person.client_id:
        return Login()
    return Login(
        client={
            "client_id": person.client_id,
            "redirect_uris": [person.redirect],
            "token_endpoint_auth_method": "none",
        }
    )


def why_no_login(error: BaseException) -> str:
    """Return why a login did not come about, "" if the error is about something else."""
    from mcp.client.auth import OAuthFlowError  # noqa: PLC0415
    from pydantic import ValidationError  # noqa: PLC0415

    if isinstance(error, OAuthFlowError):
        return f"the login failed: {one_line(str(error), 300)}"
    if isinstance(error, ValidationError):
        return "the login failed: what its server says of itself is not as OAuth has it"
    return ""
