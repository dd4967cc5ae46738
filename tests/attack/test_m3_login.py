"""M3: what a server says of its login leads no browser, request or token to another place."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest
from tests.attack.table import Attempts
from tests.unit.connectors.guarded import Guarded, browser, guarded_shop

from deskmate.connectors import vault
from deskmate.errors import ToolError, UserError
from deskmate.host.connecting import log_in
from deskmate.types.connectors import ConnectorEntry
from deskmate.types.places import Places

pytestmark = [pytest.mark.anyio, pytest.mark.attack("M3")]


HOSTILE: dict[str, dict[str, Any]] = {
    "a file": {"metadata": {"authorization_endpoint": "file:///etc/passwd"}},
    "a script": {"metadata": {"authorization_endpoint": "javascript:alert(1)"}},
    "a command": {"metadata": {"authorization_endpoint": "a:$(touch pwned)"}},
    "an option": {"metadata": {"authorization_endpoint": "--flag"}},
    "plain http": {"metadata": {"authorization_endpoint": "http://auth.example.test/authorize"}},
    "the cloud's metadata": {"metadata": {"authorization_endpoint": "http://169.254.169.254/x"}},
    "another port here": {"metadata": {"authorization_endpoint": "http://127.0.0.1:22/authorize"}},
    "another issuer": {"metadata": {"issuer": "https://evil.example.test"}},
    "no PKCE": {"metadata": {"code_challenge_methods_supported": ["plain"]}},
    "PKCE not named": {"metadata": {"code_challenge_methods_supported": None}},
    "a token endpoint here": {"metadata": {"token_endpoint": "http://127.0.0.1:22/token"}},
    "a registration inside": {"metadata": {"registration_endpoint": "http://10.0.0.1/register"}},
    "another resource": {"resource": {"resource": "https://bank.example.test/mcp"}},
    "a server inside": {"resource": {"authorization_servers": ["http://169.254.169.254/"]}},
    "garbage": {"metadata": {"issuer": 7, "token_endpoint": []}},
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_metadata_open_no_browser_and_leave_no_login(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attempt: Attempts, name: str
) -> None:
    monkeypatch.setattr(
        vault, "open_vault", lambda folder, to_read=False: vault.Vault(folder, None)
    )
    places = Places(data=tmp_path / "data", cache=tmp_path / "cache", config=tmp_path / "config")
    with guarded_shop() as guarded:
        guarded.spoil = HOSTILE[name]
        opened, why = await try_login(places, guarded)
        here = all(urlsplit(address).netloc == urlsplit(guarded.url).netloc for address in opened)
    allowed = () if name != "a token endpoint here" else opened
    nothing_kept = vault.Vault(places.config, None).names() == () and not guarded.tokens
    attempt(
        name,
        blocked=bool(why) and "\n" not in why and here and opened == list(allowed) and nothing_kept,
    )


async def try_login(places: Places, guarded: Guarded) -> tuple[list[str], str]:
    """Return the addresses that a browser was sent to, and why the login failed, "" if it did not."""
    opened: list[str] = []

    def page(address: str) -> None:
        opened.append(address)
        browser(address)

    try:
        with anyio.fail_after(20):
            await log_in(places, ConnectorEntry(name="shop", url=guarded.url), page)
    except (UserError, ToolError) as error:
        return opened, error.message
    return opened, ""
