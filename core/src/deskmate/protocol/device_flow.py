"""A login without a browser on this machine: the device authorization grant (RFC 8628). Imported when one is made.

The addresses come from the server's own metadata, as in the flow with a browser; each is checked before anything is sent.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import anyio
import httpx2
from mcp.client.auth.utils import (
    build_oauth_authorization_server_metadata_discovery_urls,
    build_protected_resource_metadata_discovery_urls,
    extract_resource_metadata_from_www_auth,
    issuers_match,
)

from deskmate.errors import ToolError
from deskmate.protocol.oauth import Login
from deskmate.shown import one_line

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
LONGEST_S = 1_800.0
"""How long a code is waited for, whatever the server says."""
_INTERVAL_S = 5.0
_SLOWER_S = 5.0
_SLOWEST_S = 60.0
_NOWHERE = "http://127.0.0.1:1/callback"
"""The client's own registration wants one; no browser is ever sent there."""
_FORM = {"accept": "application/json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCode:
    """What the user is told. `address`: to be opened anywhere. `whole`: the same with the code in it, "" if there is none."""

    address: str
    code: str
    whole: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """Somebody who has a browser elsewhere.

    `show`: tells them address and code. `check`: raises ToolDenied for an address that nothing may be sent to.
    `client_id`, `client_secret`: of a registration that they made themselves. `sleep`: waits so many seconds.
    """

    show: Callable[[DeviceCode], Awaitable[None]]
    check: Callable[[str], None]
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep


async def log_in_by_device(url: str, client: httpx2.AsyncClient, device: Device) -> Login:
    """Return the login that the user made elsewhere. Raises ToolError, saying what failed; ToolDenied."""
    resource, server = await _discover(url, client)
    if not isinstance(server.get("device_authorization_endpoint"), str):
        raise ToolError("its login offers no device code; log in in a browser: leave --device away")
    registered = await _registered(server, client, device)
    asked = {"resource": url, **_scope(resource)}
    begun = await _post(client, str(server["device_authorization_endpoint"]), asked, registered)
    if "error" in begun:
        raise ToolError(f"its login refuses to begin: {_why(begun)}")
    try:
        code = str(begun["device_code"])
        told = DeviceCode(
            address=str(begun["verification_uri"]),
            code=one_line(str(begun["user_code"]), 64),
            whole=str(begun.get("verification_uri_complete") or ""),
        )
        lasts_s = min(float(begun["expires_in"]), LONGEST_S)
        interval_s = max(float(begun.get("interval", _INTERVAL_S)), 1.0)
    except (KeyError, TypeError, ValueError) as error:
        raise ToolError("its login gave no code that can be used") from error
    # a place that nothing may be sent to is no network that is gone for a while
    for address in filter(None, (told.address, told.whole, str(server["token_endpoint"]))):
        device.check(address)
    await device.show(told)
    poll = _Poll(client, str(server["token_endpoint"]), registered, device.sleep)
    token = await poll.wait({"grant_type": GRANT, "device_code": code, "resource": url}, lasts_s, interval_s)  # fmt: skip
    return _login(token, registered, server)


async def _discover(url: str, client: httpx2.AsyncClient) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the server says of itself, and what its authorization server does (RFC 9728, RFC 8414)."""
    hello = await _sent(client.post(url, json={}, headers={"accept": "application/json"}))
    named = extract_resource_metadata_from_www_auth(hello)
    for address in build_protected_resource_metadata_discovery_urls(named, url):
        resource = await _get(client, address)
        issuers = resource.get("authorization_servers")
        if not isinstance(issuers, list) or not issuers:
            continue
        if not _covers(str(resource.get("resource", "")), url):
            raise ToolError("the login failed: what its server says of itself is of another one")
        return resource, await _metadata(str(issuers[0]), url, client)
    raise ToolError("the login failed: its server says nothing of its login that could be followed")


def _covers(resource: str, url: str) -> bool:
    """Say whether a resource is the server, or what the server lies below."""
    whose, ours = urlsplit(resource), urlsplit(url)
    below = (ours.path.rstrip("/") + "/").startswith(whose.path.rstrip("/") + "/")
    return (whose.scheme, whose.netloc) == (ours.scheme, ours.netloc) and below


async def _metadata(issuer: str, url: str, client: httpx2.AsyncClient) -> dict[str, Any]:
    for address in build_oauth_authorization_server_metadata_discovery_urls(issuer, url):
        found = await _get(client, address)
        if not isinstance(found.get("token_endpoint"), str):
            continue
        if not issuers_match(str(found.get("issuer", "")), issuer):
            raise ToolError("the login failed: its metadata are of another issuer")
        return found
    raise ToolError("the login failed: its server says nothing of its login that could be followed")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Registered:
    """The client as the authorization server knows it, in OAuth's words."""

    known: Mapping[str, Any]

    def form(self) -> dict[str, str]:
        """Return what goes into each form."""
        given = {"client_id": str(self.known["client_id"])}
        if self.known.get("token_endpoint_auth_method") == "client_secret_post":
            given["client_secret"] = str(self.known.get("client_secret", ""))
        return given

    def headers(self) -> dict[str, str]:
        """Return what goes into the head of each form."""
        if self.known.get("token_endpoint_auth_method") != "client_secret_basic":
            return dict(_FORM)
        pair = ":".join(quote(str(self.known.get(key, "")), safe="") for key in ("client_id", "client_secret"))  # fmt: skip
        return {**_FORM, "authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


async def _registered(
    server: Mapping[str, Any], client: httpx2.AsyncClient, device: Device
) -> _Registered:
    """Return the user's own registration, or one that is made now (RFC 7591)."""
    if device.client_id:
        method = "client_secret_basic" if device.client_secret else "none"
        secret = {"client_secret": device.client_secret} if device.client_secret else {}
        known = {"client_id": device.client_id, "token_endpoint_auth_method": method, **secret}
        return _Registered(known={**known, "redirect_uris": [_NOWHERE]})
    place = server.get("registration_endpoint")
    if not isinstance(place, str):
        raise ToolError("its login registers nobody by itself; give a registration: --client-id")
    wanted = {
        "client_name": "Deskmate",
        "grant_types": [GRANT, "refresh_token"],
        "response_types": [],
        "redirect_uris": [_NOWHERE],
        "token_endpoint_auth_method": "none",
    }
    answer = await _sent(client.post(place, json=wanted, headers=_FORM))
    known = _object(answer)
    if answer.status_code not in (200, 201) or not isinstance(known.get("client_id"), str):
        raise ToolError(f"its login did not register Deskmate: {_why(known)}")
    return _Registered(known={**wanted, **known, "redirect_uris": [_NOWHERE]})


@dataclass(slots=True)
class _Poll:
    """Asks for the token until the user has answered elsewhere."""

    client: httpx2.AsyncClient
    place: str
    registered: _Registered
    sleep: Callable[[float], Awaitable[None]]

    async def wait(self, form: Mapping[str, str], lasts_s: float, interval_s: float) -> dict[str, Any]:  # fmt: skip
        """Return the token. Raises ToolError when the user said no, or said nothing in time."""
        waited = 0.0
        while waited < lasts_s:
            await self.sleep(interval_s)
            waited += interval_s
            try:
                answer = await _post(self.client, self.place, form, self.registered)
            except (
                ToolError
            ):  # the network may be gone for a while; RFC 8628 asks for longer pauses then
                interval_s = min(interval_s * 2, _SLOWEST_S)
                continue
            match answer.get("error"):
                case None if isinstance(answer.get("access_token"), str):
                    return answer
                case "authorization_pending":
                    continue
                case "slow_down":
                    interval_s += _SLOWER_S
                case "access_denied":
                    raise ToolError("you said no to the login")
                case "expired_token":
                    break
                case _:
                    raise ToolError(f"the login failed: {_why(answer)}")
        raise ToolError("the code has expired, and nobody had used it; log in again")


def _login(token: Mapping[str, Any], registered: _Registered, server: Mapping[str, Any]) -> Login:
    expires = token.get("expires_in")
    issuer = str(server["issuer"]).rstrip("/")
    return Login(
        token={"token_type": "Bearer", **token},
        client=registered.known,
        # a server for devices alone names no place for browsers, and whoever renews the login reads one
        server={"authorization_endpoint": f"{issuer}/authorize", **server},
        expires_at=time.time() + expires if isinstance(expires, int) and expires > 0 else None,
    )


def _scope(resource: Mapping[str, Any]) -> dict[str, str]:
    scopes = resource.get("scopes_supported")
    return {"scope": " ".join(map(str, scopes))} if isinstance(scopes, list) and scopes else {}


async def _post(
    client: httpx2.AsyncClient, place: str, form: Mapping[str, str], registered: _Registered
) -> dict[str, Any]:
    data = {**form, **registered.form()}
    return _object(await _sent(client.post(place, data=data, headers=registered.headers())))


async def _get(client: httpx2.AsyncClient, place: str) -> dict[str, Any]:
    answer = await _sent(client.get(place, headers=_FORM))
    return _object(answer) if answer.status_code == 200 else {}


async def _sent(sending: Awaitable[httpx2.Response]) -> httpx2.Response:
    try:
        return await sending
    except httpx2.TransportError as error:
        raise ToolError(one_line(str(error), 300)) from error


def _object(answer: httpx2.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {"error": f"HTTP {answer.status_code}"}
    return found if isinstance(found, dict) else {"error": f"HTTP {answer.status_code}"}


def _why(answer: Mapping[str, Any]) -> str:
    return one_line(str(answer.get("error_description") or answer.get("error") or "no reason"), 200)
