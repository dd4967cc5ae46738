"""Logins are kept in two places, and answers of a browser are taken from the one login that is under way."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from mcp.shared.auth import OAuthToken
from tests.unit.connectors.fake_mcp import FakeMcp, entry_for

from deskmate.connectors.callback import listening
from deskmate.connectors.logins import Logins, secrets_of, token_place
from deskmate.connectors.vault import Vault
from deskmate.errors import ConfigError, ToolError
from deskmate.protocol.oauth import Login
from deskmate.protocol.oauth_flow import _Kept

pytestmark = pytest.mark.anyio
LOGIN = Login(
    token={
        "access_token": "access-12345678",
        "refresh_token": "refresh-1234567",
        "token_type": "Bearer",
        "scope": "a b",
    },
    client={"client_id": "id", "client_secret": "client-12345678"},
    server={
        "issuer": "https://auth.example.test",
        "token_endpoint": "https://auth.example.test/token",
    },
    expires_at=1234.5,
)
SECRETS = ("access-12345678", "refresh-1234567", "client-12345678")


def test_tokens_are_in_the_vault_and_nowhere_else(tmp_path: Path) -> None:
    logins, entry = Logins(tmp_path, Vault(tmp_path, None)), entry_for(FakeMcp())
    logins.keep(entry, LOGIN)
    assert logins.get(entry) == LOGIN
    kept = tmp_path / "connectors" / "crm.login.json"
    assert not any(value in kept.read_text() for value in SECRETS)
    assert kept.stat().st_mode & 0o777 == 0o600
    assert sorted(secrets_of(LOGIN).values()) == sorted(SECRETS)
    assert token_place(LOGIN) == "https://auth.example.test/token"
    logins.forget(entry)
    assert logins.get(entry) == Login()
    assert not any(value in (tmp_path / "secrets.json").read_text() for value in SECRETS)


def test_a_token_that_is_not_renewed_is_forgotten(tmp_path: Path) -> None:
    logins, entry = Logins(tmp_path, Vault(tmp_path, None)), entry_for(FakeMcp())
    logins.keep(entry, LOGIN)
    logins.keep(entry, Login(token={"access_token": "another-1234567", "token_type": "Bearer"}))
    assert "refresh_token" not in logins.get(entry).token


def test_a_damaged_login_is_named(tmp_path: Path) -> None:
    logins, entry = Logins(tmp_path, Vault(tmp_path, None)), entry_for(FakeMcp())
    logins.keep(entry, LOGIN)
    (tmp_path / "connectors" / "crm.login.json").write_text("{")
    with pytest.raises(ConfigError, match="log"):
        logins.get(entry)


async def get(address: str, target: str, host: str = "") -> bytes:
    port = int(address.rpartition(":")[2].partition("/")[0])
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        named = host or f"127.0.0.1:{port}"
        await stream.send(f"GET {target} HTTP/1.1\r\nHost: {named}\r\n\r\n".encode())
        return await stream.receive()


async def test_only_the_answer_of_the_login_under_way_counts() -> None:
    async with listening() as callback:
        assert b"400" in await get(callback.address, "/callback?code=x&state=")
        callback.expect("https://auth.example.test/authorize?state=right&x=1")
        for target, host in (
            ("/callback?code=x", ""),
            ("/callback?code=x&state=wrong", ""),
            ("/callback?code=x&state=right&state=wrong", ""),
            ("/other?code=x&state=right", ""),
            ("/callback?code=x&state=right", "evil.example.test"),
        ):
            answer = await get(callback.address, target, host)
            assert b"404" in answer or b"400" in answer, target
        answer = await get(callback.address, "/callback?code=the-code&state=right&iss=i")
        assert b"200 OK" in answer
        assert await callback.wait() == {"code": "the-code", "state": "right", "iss": "i"}


async def test_a_refusal_is_told_in_one_line_and_noise_ends_nothing() -> None:
    async with listening() as callback:
        callback.expect("https://auth.example.test/authorize?state=right")
        port = int(callback.address.rpartition(":")[2].partition("/")[0])
        for noise in (b"\r\n\r\n", b"\x16\x03\x01" + bytes(50) + b"\r\n\r\n", b"x" * 20_000):
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await stream.send(noise)
        await get(
            callback.address,
            "/callback?error=access_denied&error_description=No%0A%1bno&state=right",
        )
        with pytest.raises(ToolError, match=r"refused: No \\x1bno"):
            await callback.wait()


async def test_wanted_scopes_are_noted_beside_the_newest_login_and_a_renewal_keeps_them() -> None:
    kept: list[Login] = []
    wanted: list[str] = []

    async def keep(login: Login) -> None:
        kept.append(login)

    async def want(scopes: str) -> None:
        wanted.append(scopes)

    held = _Kept(Login(token={"access_token": "old", "token_type": "Bearer"}), keep, want)
    await held.want("orders:read")
    assert (wanted, kept) == (["orders:read"], []), "the token in use may not be the newest"
    await held.set_tokens(OAuthToken(access_token="new", token_type="Bearer"))
    assert kept[-1].wants == "orders:read", "a renewal asked nobody"
    held.granted()
    await held.set_tokens(OAuthToken(access_token="newer", token_type="Bearer"))
    assert kept[-1].wants == ""
