"""Logins by OAuth 2.1 as plain data: what is kept of one, who can make one, and why one failed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deskmate.shown import one_line

MORE_WANTED = "it wants more than the login gave"


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What a login left. `token`, `client`, `server`: as OAuth words them, in JSON. `expires_at`: seconds since 1970.

    `wants`: scopes that the server asked for when nobody was there to grant them; the next login asks for them, too.
    """

    token: Mapping[str, Any] = field(default_factory=dict, repr=False)
    client: Mapping[str, Any] = field(default_factory=dict, repr=False)
    server: Mapping[str, Any] = field(default_factory=dict)
    expires_at: float | None = None
    wants: str = ""


Keep = Callable[[Login], Awaitable[None]]
Want = Callable[[str], Awaitable[None]]
"""Notes scopes beside whatever login is kept now, which may be newer than the one in use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who can log in. `redirect`: where their browser is sent back to.

    `show`: has them open an address, which was checked. `wait`: returns what the browser was sent back with:
    code, state and, where the server says it, its issuer. `client_id`, `client_secret`: of a registration that they made
    themselves; many have no secret.
    """

    redirect: str
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    show: Callable[[str], Awaitable[None]]
    wait: Callable[[], Awaitable[Mapping[str, str]]]


def begun(person: Person) -> Login:
    """Return where a login begins: with nothing, or with the user's own registration."""
    if not person.client_id:
        return Login()
    client = {"client_id": person.client_id, "redirect_uris": [person.redirect]}
    if not person.client_secret:
        return Login(client={**client, "token_endpoint_auth_method": "none"})
    secret = {"client_secret": person.client_secret}
    return Login(client={**client, **secret, "token_endpoint_auth_method": "client_secret_basic"})


def why_no_login(error: BaseException) -> str:
    """Return why a login did not come about, "" if the error is about something else."""
    from mcp.client.auth import OAuthFlowError  # noqa: PLC0415
    from pydantic import ValidationError  # noqa: PLC0415

    if isinstance(error, OAuthFlowError):
        return f"the login failed: {one_line(str(error), 300)}"
    if isinstance(error, ValidationError):
        return "the login failed: what its server says of itself is not as OAuth has it"
    return ""
