"""What a thread reaches is set in the page: its connectors, and the hosts of its machine."""

from __future__ import annotations

from pathlib import Path

from tests.web.conftest import Serve
from tests.web.places import make_connector
from tests.web.scene import sandbox
from tests.web.test_api import begin


def test_a_thread_gets_a_connector_and_hosts_and_loses_them(serve: Serve, folder: Path) -> None:
    server = serve(["Done."], sandbox=sandbox())
    thread = begin(server, folder)
    server.wait(thread)
    reach = f"/api/threads/{thread}/reach"
    assert server.ask("GET", reach).json() == {"connectors": [], "hosts": []}
    make_connector(server.places)
    (row,) = server.ask("GET", reach).json()["connectors"]
    assert (row["name"], row["tools"], row["on"]) == ("crm", 1, False)
    given = server.ask("POST", f"{reach}/connectors", {"name": "crm", "on": True}).json()
    assert given["connectors"][0]["on"]
    assert (
        server.ask("POST", f"{reach}/connectors", {"name": "none", "on": True}).status_code == 400
    )
    taken = server.ask("POST", f"{reach}/connectors", {"name": "crm", "on": False}).json()
    assert not taken["connectors"][0]["on"]

    allowed = server.ask("POST", f"{reach}/hosts", {"host": "api.example.com:GET,POST"}).json()
    assert [(h["host"], h["mine"]) for h in allowed["hosts"]] == [("api.example.com", True)]
    assert "POST" in allowed["hosts"][0]["words"]
    assert server.ask("GET", f"/api/threads/{thread}").json()["hosts"] == ["api.example.com"]
    for wrong in ("*", "http://a.b", "localhost", "a.example.com:STEAL", ""):
        refused = server.ask("POST", f"{reach}/hosts", {"host": wrong})
        assert refused.status_code == 400, wrong
    gone = server.ask("DELETE", f"{reach}/hosts", {"host": "api.example.com"}).json()
    assert gone["hosts"] == []
    assert server.ask("DELETE", f"{reach}/hosts", {"host": "api.example.com"}).status_code == 400
    assert server.ask("GET", "/api/threads/t-none/reach").status_code == 404
