"""OAuth 2.1 as the official client does it: discovery, registration, PKCE, refresh. Imported when a login is needed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace

import httpx2
from mcp.client.auth import OAuthClientProvider
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthMetadata,
    OAuthToken,
)
from pydantic import AnyUrl

from deskmate.errors import ToolDenied, ToolError
from deskmate.protocol.oauth import MORE_WANTED, Keep, Login, Person, Want, begun
from deskmate.shown import one_line

EARLY_S = 60.0
"""How long before its end a token counts as over."""
NOBODY = "the login is over and nobody is there to renew it"
_NOWHERE = "http://127.0.0.1:1/callback"


def oauth(
    url: str,
    login: Login,
    keep: Keep,
    want: Want,
    person: Person | None,
    check: Callable[[str], None],
) -> httpx2.Auth:
    """Return what adds the login to requests.

    Args:
        url: of the connector's server.
        login: what was kept.
        keep: keeps what is new: tokens, a registration.
        want: notes scopes that the server asked for when nobody was there to grant them.
        person: who logs in where that is needed; None: nobody, and the request fails.
        check: raises ToolDenied for an address that no browser may be sent to.
    """
    # its messages quote servers, and without a handler Python would write them to the terminal
    logging.getLogger("mcp").addHandler(logging.NullHandler())
    start = replace(begun(person), wants=login.wants) if person is not None else login
    return _Flow(url, _Kept(start, keep, want), person, check)


class _Kept:
    """What the client asks to be kept, and is given back."""

    def __init__(self, login: Login, keep: Keep, want: Want) -> None:
        self.login = login
        self.wants = login.wants
        self._keep, self._want = keep, want
        self.server: OAuthMetadata | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return OAuthToken.model_validate(self.login.token) if self.login.token else None

    async def set_tokens(self, tokens: OAuthToken) -> None:
        server = self.server.model_dump(mode="json", exclude_none=True) if self.server else {}
        self.login = replace(
            self.login,
            token=tokens.model_dump(mode="json", exclude_none=True),
            expires_at=time.time() + tokens.expires_in if tokens.expires_in else None,
            server=server,
        )
        await self._keep(self.login)

    async def want(self, scopes: str) -> None:
        """Keep that these scopes were asked for, for the next login."""
        self.login = replace(self.login, wants=scopes)
        await self._want(scopes)

    def granted(self) -> None:
        """Forget them: a person was asked."""
        self.login = replace(self.login, wants="")

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        known = self.login.client
        return OAuthClientInformationFull.model_validate(known) if known else None

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        client = client_info.model_dump(mode="json", exclude_none=True)
        self.login = replace(self.login, client=client)


class _Flow(OAuthClientProvider):
    """The client's flow, which after a restart knows the token's end and the server's places, too."""

    def __init__(
        self, url: str, kept: _Kept, person: Person | None, check: Callable[[str], None]
    ) -> None:
        self._kept, self._person, self._check = kept, person, check
        metadata = OAuthClientMetadata(
            client_name="Deskmate",
            redirect_uris=[AnyUrl(person.redirect if person else _NOWHERE)],
            grant_types=["authorization_code", "refresh_token"],
            response_types=["code"],
            token_endpoint_auth_method="none",  # noqa: S106 - a public client, without a secret
        )
        super().__init__(
            url, metadata, kept, redirect_handler=self._show, callback_handler=self._wait
        )

    async def _initialize(self) -> None:
        await super()._initialize()
        if self._kept.login.expires_at is not None:
            self.context.token_expiry_time = self._kept.login.expires_at - EARLY_S
        if self._kept.login.server:
            self.context.oauth_metadata = OAuthMetadata.model_validate(self._kept.login.server)
            self._kept.server = self.context.oauth_metadata

    async def _perform_authorization_code_grant(self) -> tuple[str, str]:
        """Ask, beside what the server names now, for what it wanted when nobody was there."""
        named = (self.context.client_metadata.scope or "").split()
        asked = dict.fromkeys([*named, *self._kept.wants.split()])
        self.context.client_metadata.scope = " ".join(asked) or None
        granted = await super()._perform_authorization_code_grant()
        self._kept.granted()
        return granted

    async def _show(self, address: str) -> None:
        if self._person is None:
            raise ToolError(await self._missed())
        server = self._kept.server = self.context.oauth_metadata
        if server is None:
            raise ToolDenied("its server says nothing of its login that could be followed")
        if "S256" not in (server.code_challenge_methods_supported or ()):
            raise ToolDenied("its login does not offer PKCE with S256, so a code could be stolen")
        self._check(address)
        await self._person.show(address)

    async def _missed(self) -> str:
        """Return why nobody logs in; scopes that the login did not give are kept for the next one."""
        granted = str(self._kept.login.token.get("scope") or "").split()
        asked = (self.context.client_metadata.scope or "").split()
        more = [scope for scope in asked if scope not in granted]
        if not self._kept.login.token or not more:
            return NOBODY
        await self._kept.want(" ".join(asked))
        return f"{MORE_WANTED}: {one_line(' '.join(more), 200)}"

    async def _wait(self) -> AuthorizationCodeResult:
        if self._person is None:
            raise ToolError(NOBODY)
        given = await self._person.wait()
        return AuthorizationCodeResult(
            code=given["code"], state=given.get("state"), iss=given.get("iss")
        )
