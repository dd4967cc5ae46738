"""W1–W8: nobody but a signed-in page of this very server gets anything. The routes are those of the router."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.routing import Route
from starlette.websockets import WebSocketDisconnect
from tests.web.conftest import HOST, ORIGIN, PORT, Serve, Server

from deskmate.types.places import Places
from deskmate.web import guard
from deskmate.web.app import cookie_name, routes
from deskmate.web.desk import Desk
from deskmate.web.page import Page
from deskmate.web.signin import CODE_S, SignIn

OPEN = {("GET", "/"), ("GET", "/assets/{name}"), ("POST", "/api/session")}
"""What works before a sign-in, and nothing else does. Think twice before adding to it."""
FROM_PAGE = {"origin": ORIGIN, "sec-fetch-site": "same-origin"}
FOREIGN: list[dict[str, str]] = [
    {"origin": "null"},
    {"origin": "http://evil.test"},
    {"origin": f"http://localhost:{PORT + 1}"},
    {"origin": f"http://{HOST}.evil.test"},
    {"origin": ORIGIN, "sec-fetch-site": "cross-site"},
    {"origin": ORIGIN, "sec-fetch-site": "same-site"},
]


def every(places: Places, page: Page) -> list[tuple[str, str]]:
    """Return method and path of every route there is."""
    found = routes(Desk.__new__(Desk), SignIn(places.data / "page"), page, "c", lambda: False)
    assert all(isinstance(route, Route) for route in found)
    return [
        (method, route.path)
        for route in found
        for method in sorted(route.methods or ())
        if method != "HEAD"
    ]


def at(path: str) -> str:
    return path.format(
        thread="t-abc",
        name="index-1.js",
        device="d",
        item="i-1",
        message="q-1",
        table="tb-1",
        number="1",
        schedule="s",
        connector="c",
        project="p",
        upload="u-1",
    )


@pytest.fixture
def guarded(serve: Serve) -> Server:
    return serve(signed_in=False)


def send(server: Server, method: str, path: str, **headers: str) -> Any:
    if method == "GET":
        return server.client.request(method, path, headers={**FROM_PAGE, **headers})
    sent = {**FROM_PAGE, "content-type": "application/json", **headers}
    return server.client.request(method, path, headers=sent, content=b"{}")


def test_w1_every_route_but_three_refuses_who_is_not_signed_in(
    guarded: Server, places: Places, built_page: Page
) -> None:
    found = every(places, built_page)
    assert len(found) > 20
    assert set(found) >= OPEN
    cookie = cookie_name(PORT)
    used = guarded.sign_in.redeem(guarded.sign_in.issue(), "Gone")
    assert used is not None
    guarded.sign_in.revoke(guarded.sign_in.devices()[0].id)
    said = set()
    for method, path in found:
        if (method, path) in OPEN:
            continue
        for headers in (
            {},
            {"cookie": f"{cookie}=wrong"},
            {"cookie": f"{cookie}="},
            {"cookie": f"deskmate_{PORT + 1}={used}"},
            {"cookie": f"{cookie}={used}"},
            {"authorization": f"Bearer {used}"},
        ):
            response = send(guarded, method, at(path), **headers)
            assert response.status_code == 401, (method, path, headers)
            said.add(response.text)
        assert send(guarded, method, f"{at(path)}?token={used}").status_code == 401
    assert send(guarded, "GET", "/api/nothing").status_code == 401
    assert len(said) == 1  # nothing tells one refusal from another


@pytest.mark.parametrize(
    "host",
    ["evil.test", f"127.0.0.1.nip.io:{PORT}", f"localhost:{PORT + 1}", "127.0.0.1", "", f"{HOST}."],
)
def test_w2_w6_a_name_that_is_not_ours_gets_nothing(
    guarded: Server, places: Places, built_page: Page, host: str
) -> None:
    for method, path in every(places, built_page):
        assert send(guarded, method, at(path), host=host).status_code == 421, (method, path)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("names", "target"),
    [([], "/"), ([HOST, HOST], "/"), ([HOST, "evil.test"], "/"), ([HOST], f"http://{HOST}/")],
)
async def test_w2_no_host_two_hosts_and_whole_addresses_are_refused(
    names: list[str], target: str
) -> None:
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("it got through")

    async def keep(message: Any) -> None:
        sent.append(message)

    guarding = guard.Guard(app, hosts=lambda: frozenset({HOST}), cookie="c", device=lambda t: None)
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "raw_path": target.encode(),
        "headers": [(b"host", name.encode()) for name in names],
    }
    await guarding(scope, keep, keep)  # type: ignore[arg-type]
    assert sent[0]["status"] == 421


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_w3_w7_other_sites_are_refused_at_every_route_also_signed_in(
    serve: Serve, places: Places, built_page: Page, headers: dict[str, str]
) -> None:
    server = serve()
    for method, path in every(places, built_page):
        assert send(server, method, at(path), **headers).status_code == 403, (method, path)


def test_w3_what_changes_something_needs_an_origin_and_json(
    serve: Serve, places: Places, built_page: Page
) -> None:
    server = serve()
    for method, path in every(places, built_page):
        if method == "GET":
            continue
        bare = server.client.request(method, at(path), json={}, headers={})
        assert bare.status_code == 403, (method, path)
        for kind in (
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "",
            "application/json-patch+json",
        ):
            response = send(server, method, at(path), **{"content-type": kind})
            assert response.status_code == 415, (method, path, kind)


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PUT", "CONNECT", "PROPFIND"])
def test_w3_other_methods_are_refused(serve: Serve, method: str) -> None:
    server = serve()
    for path in ("/", "/api/threads", "/api/session"):
        assert server.client.request(method, path, headers=FROM_PAGE).status_code == 403
    override = send(server, "GET", "/api/session", **{"x-http-method-override": "DELETE"})
    assert override.status_code == 405


def test_w4_the_stream_refuses_before_it_begins_and_there_are_no_sockets(guarded: Server) -> None:
    assert send(guarded, "GET", "/api/events").status_code == 401
    with (
        pytest.raises(WebSocketDisconnect) as refused,
        guarded.client.websocket_connect("/api/events"),
    ):
        pass
    assert refused.value.code == 1008


def test_w7_a_guessed_approval_of_a_signed_in_page_decides_nothing(serve: Serve) -> None:
    server = serve()
    thread = server.ask("POST", "/api/threads", {"text": "Go"}).json()["thread"]
    server.wait(thread)
    body = {"use": "toolu_000_00", "arguments": "0" * 64, "allow": True}
    refused = server.ask("POST", f"/api/threads/{thread}/decisions", body)
    assert refused.status_code == 400
    assert "Nothing waits" in refused.json()["error"]


def test_w8_a_body_that_is_too_large_or_too_deep_is_refused(serve: Serve) -> None:
    server = serve()
    large = server.ask("POST", "/api/threads", {"text": "x" * guard.BODY_LIMIT})
    assert large.status_code == 413
    deep = server.client.post(
        "/api/threads",
        content=b"[" * 100_000,
        headers={**FROM_PAGE, "content-type": "application/json"},
    )
    assert deep.status_code == 400
    assert server.ask("GET", "/api/threads").status_code == 200


def test_every_answer_has_the_headers_that_keep_others_out(serve: Serve) -> None:
    server = serve()
    answers = [
        server.ask("GET", "/"),
        server.ask("GET", "/assets/index-1.js"),
        server.ask("GET", "/assets/nothing.js"),
        server.ask("GET", "/api/threads"),
        server.ask("GET", "/api/threads/t-none"),
        send(server, "GET", "/", host="evil.test"),
    ]
    for response in answers:
        policy = response.headers["content-security-policy"]
        assert policy == guard.POLICY
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert response.headers["x-content-type-options"] == "nosniff"
        assert not [name for name in response.headers if name.startswith("access-control")]
    assert server.ask("GET", "/api/threads").headers["cache-control"] == "no-store"


def test_a_link_from_elsewhere_may_open_the_page_and_a_frame_or_script_may_not(
    guarded: Server,
) -> None:
    visit = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    for destination, status in (("document", 200), ("iframe", 403), ("script", 403)):
        headers = {**visit, "sec-fetch-dest": destination}
        assert guarded.client.get("/", headers=headers).status_code == status
        assert guarded.client.get("/api/threads", headers=headers).status_code == 403


@pytest.mark.parametrize(
    "name",
    [
        "../index.html",
        "..%2findex.html",
        "%2e%2e/%2e%2e/contract.py",
        "..%5cindex.html",
        "index-1.js%00",
        "%2fetc%2fpasswd",
    ],
)
def test_f9_files_are_served_by_the_names_that_were_built_and_by_no_path(
    guarded: Server, name: str
) -> None:
    assert guarded.client.get(f"/assets/{name}").status_code in (401, 404)


def test_a_code_signs_in_once_within_its_time_and_only_digests_are_kept(places: Places) -> None:
    now = 1_000_000.0
    sign_in = SignIn(places.data / "page", now=lambda: now)
    code, late = sign_in.issue(), sign_in.issue()
    assert len(code) == 32  # 192 bits
    assert sign_in.redeem("x" + code[1:], "B") is None
    token = sign_in.redeem(code, "B")
    assert token
    assert sign_in.redeem(code, "B") is None
    now += CODE_S + 1
    assert sign_in.redeem(late, "B") is None
    kept = b"".join(file.read_bytes() for file in places.data.rglob("*") if file.is_file())
    names = " ".join(file.name for file in places.data.rglob("*"))
    assert token.encode() not in kept
    assert code.encode() not in kept
    assert code not in names
    modes = {file.stat().st_mode & 0o077 for file in (places.data / "page").rglob("*")}
    assert modes == {0}
    again = SignIn(places.data / "page", now=lambda: now)
    known = again.device(token)
    assert known is not None
    assert again.revoke(known.id)
    assert again.device(token) is None
    now += 31 * 86_400
    assert again.devices() == ()


def test_signing_in_over_the_wire_sets_a_cookie_that_scripts_cannot_read(guarded: Server) -> None:
    code = guarded.sign_in.issue()
    response = guarded.ask("POST", "/api/session", {"code": code})
    assert response.status_code == 200
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert guarded.ask("GET", "/api/threads").status_code == 200
    assert guarded.ask("POST", "/api/session", {"code": code}).status_code == 403
    (device,) = guarded.ask("GET", "/api/desk").json()["devices"]
    assert device["here"]
    assert guarded.ask("DELETE", f"/api/devices/{device['id']}").status_code == 200
    assert guarded.ask("GET", "/api/threads").status_code == 401


def test_a_damaged_list_of_browsers_lets_nobody_in(places: Places) -> None:
    sign_in = SignIn(places.data / "page")
    token = sign_in.redeem(sign_in.issue(), "B")
    assert token
    file = places.data / "page/devices.json"
    for text in ("", "{}", "[]", '{"devices": [{}]}', json.dumps({"devices": [{"token": ""}]})):
        file.write_text(text)
        assert SignIn(places.data / "page").device(token) is None
