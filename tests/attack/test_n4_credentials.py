"""N4: a guest's own keys reach nobody, and models' servers are never reached."""

from __future__ import annotations

import base64
import secrets

import pytest
from tests.attack.table import Attempts
from tests.unit.connectors.gates import make_gate

from deskmate.connectors.egress.headers import stand_in
from deskmate.connectors.egress.refused import DROP_HOSTS, MODEL_HOSTS
from deskmate.testing.fake_internet import FakeInternet
from deskmate.types.network import NetworkRule, SecretGrant

pytestmark = [pytest.mark.attack("N4"), pytest.mark.anyio]
HOST = "api.example.test"
NAMES = (
    *(
        "Authorization",
        "authorization",
        "Cookie",
        "Cookie2",
        "X-Api-Key",
        "x-api-key",
        "Api-Key",
        "X-Auth-Token",
    ),
    *(
        "Proxy-Authorization",
        "X-Amz-Security-Token",
        "X-Goog-Api-Key",
        "Private-Token",
        "X-Access-Token",
    ),
    *(
        "X-GitHub-Token",
        "X-Csrf-Token",
        "X-Session",
        "Session-Id",
        "X-Vault-Token",
        "apikey",
        "X-Password",
    ),
    *("X-Client-Secret", "Authentication", "X-Signature", "X-Jwt", "Ocp-Apim-Subscription-Key"),
)


async def test_credential_headers_do_not_arrive(attempt: Attempts) -> None:
    async with FakeInternet() as net:
        server = net.add(HOST)
        for name in NAMES:
            key = secrets.token_hex(8)
            gate = make_gate(net, NetworkRule(host=HOST))
            await gate.https(HOST, headers=[f"{name}: {key}"])
            stripped = name.lower() in gate.asked[0].stripped
            attempt(name, blocked=stripped and key.encode() not in bytes(server.heard))


async def test_credentials_beside_a_stand_in_do_not_arrive(attempt: Attempts) -> None:
    real = secrets.token_hex(16)
    name = stand_in("shop", "KEY")
    async with FakeInternet() as net:
        server = net.add(HOST)
        for form in (
            "Bearer {key}, {name}",
            "{name}{key}",
            "{key}{name}",
            "Bearer {name} {key}",
            "Basic " + base64.b64encode(b"k" * 100 + f":{name}".encode()).decode() + "{key}",
        ):
            key = secrets.token_hex(8)
            gate = make_gate(
                net,
                NetworkRule(host=HOST),
                secrets=[SecretGrant(plugin="shop", name="KEY", send_to=(HOST,))],
                values={("shop", "KEY"): real},
            )
            await gate.https(HOST, headers=[f"Authorization: {form.format(key=key, name=name)}"])
            heard = bytes(server.heard)
            attempt(form, blocked=key.encode() not in heard and real.encode() not in heard)


async def test_servers_of_models_and_drop_places_are_not_reached(attempt: Attempts) -> None:
    async with FakeInternet() as net:
        for name in (*MODEL_HOSTS, *DROP_HOSTS):
            for host in (name, f"api.{name}", name.upper()):
                net.add(host.lower())
                for rule in (
                    NetworkRule(host=host.lower(), methods=("GET", "POST"), credentials=True),
                    NetworkRule(host=host.lower(), opaque=True),
                ):
                    gate = make_gate(net, rule)
                    reply = await gate.https(host, "/v1/files", headers=["X-Api-Key: attacker"])
                    attempt(
                        f"{host} {rule.opaque}", blocked=reply.status == 403 and not net.connections
                    )
