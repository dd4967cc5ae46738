"""A login with a code on another device (RFC 8628), against an authorization server of this machine that a test can spoil."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.connectors.guarded import Guarded, guarded_shop

from deskmate.connectors import vault
from deskmate.connectors.logins import Logins
from deskmate.connectors.vault import Vault
from deskmate.errors import UserError
from deskmate.host.connecting import log_in_elsewhere, look_at
from deskmate.protocol import device_flow
from deskmate.protocol.device_flow import DeviceCode
from deskmate.types.connectors import ConnectorEntry
from deskmate.types.places import Places

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def served() -> Iterator[Guarded]:
    with guarded_shop() as found:
        yield found


@pytest.fixture
def shop(served: Guarded) -> Guarded:
    served.spoil, served.device_answers, served.expires_in = {}, [], 3600
    served.seen.clear()
    served.asked.clear()
    served.clients.clear()
    return served


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.setattr(
        vault, "open_vault", lambda folder, to_read=False: vault.Vault(folder, None)
    )
    return Places(data=tmp_path / "data", cache=tmp_path / "cache", config=tmp_path / "config")


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Have nobody wait; return how long they would have."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    real = device_flow.Device
    monkeypatch.setattr(device_flow, "Device", lambda **more: real(**more, sleep=sleep))
    return waited


async def log_in(places: Places, shop: Guarded, **more: Any) -> tuple[list[DeviceCode], Any]:
    shown: list[DeviceCode] = []
    entry = ConnectorEntry(name="shop", url=shop.url)
    found, listing = await log_in_elsewhere(places, entry, shown.append, **more)
    assert found.login
    return shown, listing


async def test_a_code_is_shown_and_the_login_is_kept_and_renewed(
    places: Places, shop: Guarded, waits: list[float]
) -> None:
    shop.device_answers = ["authorization_pending", "slow_down"]
    shop.expires_in = 30  # so short that it counts as over at the next look
    shown, listing = await log_in(places, shop)
    assert [(one.code, one.address) for one in shown] == [("WDJB-MJHT", f"{shop.base}/activate")]
    assert waits == [5.0, 5.0, 10.0]
    assert {pin.tool.name for pin in listing.tools} == {"find_order", "cancel_order"}
    assert shop.seen[:2] == ["register", "device"]
    assert shop.asked[0]["resource"] == shop.url
    entry = ConnectorEntry(name="shop", url=shop.url, login=True)
    await look_at(places, entry)  # with nobody there
    assert shop.seen[-1] == "refresh_token"


async def test_ones_own_registration_is_used_with_its_secret(
    places: Places, shop: Guarded, waits: list[float]
) -> None:
    Vault(places.config, None).set("connector.shop", "CLIENT_SECRET", "client-secret-1")
    await log_in(places, shop, client_id="mine")
    assert "register" not in shop.seen
    assert shop.clients[-1].startswith("Basic ")


@pytest.mark.parametrize(
    ("answers", "spoil", "why"),
    [
        (["access_denied"], {}, "you said no"),
        (["expired_token"], {}, "expired"),
        (["authorization_pending"] * 130, {}, "expired"),
        (["invalid_client"], {}, "invalid_client"),
        ([], {"metadata": {"device_authorization_endpoint": None}}, "offers no device code"),
        ([], {"metadata": {"issuer": "https://other.example.test"}}, "another issuer"),
        ([], {"resource": {"resource": "https://other.example.test/mcp"}}, "another one"),
        ([], {"metadata": {"registration_endpoint": None}}, "--client-id"),
        ([], {"device": {"user_code": None, "device_code": 7, "expires_in": "x"}}, "no code"),
        ([], {"device": {"verification_uri": "javascript:alert(1)"}}, "not an absolute URL"),
        ([], {"device": {"verification_uri": "http://169.254.169.254/"}}, "IP address"),
        (
            [],
            {"metadata": {"device_authorization_endpoint": "http://169.254.169.254/x"}},
            "IP address",
        ),
        ([], {"metadata": {"token_endpoint": "file:///etc/passwd"}}, "scheme 'file'"),
    ],
)
async def test_what_is_wrong_ends_it_in_words_and_nothing_is_kept(
    places: Places,
    shop: Guarded,
    waits: list[float],
    answers: list[str],
    spoil: dict[str, Any],
    why: str,
) -> None:
    shop.device_answers, shop.spoil = answers, spoil
    with pytest.raises(UserError, match=why):
        await log_in(places, shop)
    entry = ConnectorEntry(name="shop", url=shop.url, login=True)
    assert not Logins(places.config, Vault(places.config, None)).get(entry).token
