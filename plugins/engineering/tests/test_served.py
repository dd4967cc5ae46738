"""Pages of a server that the tool starts itself from a folder of the workspace: what is planted is found, the gate starts it again."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
from plugins.engineering.tests.test_page import browser, room, said

from deskmate.plugin import ToolContext, ToolError, ToolInputError
from deskmate_engineering.browser import serving as serving_module
from deskmate_engineering.browser.answers import answer
from deskmate_engineering.browser.serving import Server, below, server_of, serving, tree_of
from deskmate_engineering.tools.page import page_check, page_look

APP = '''
import http.server, os, sys, urllib.parse

PAGE = """<!doctype html><html lang=en><title>Orders</title><h1>Orders</h1><div id=twice></div><div id=twice></div>
<form method=post action=/add><label>Item <input name=item></label><button>Add</button></form><ul>%s</ul>
<script src=/app.js></script>"""
ITEMS = ["anchor"]

class App(http.server.BaseHTTPRequestHandler):
    def say(self, status, text, kind="text/html"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(text.encode())

    def do_GET(self):
        path = urllib.parse.urlsplit(self.path).path
        if path == "/app.js":
            return self.say(200, 'console.error("planted"); fetch("/api/stock").catch(() => {});', "text/javascript")
        if path == "/":
            return self.say(200, PAGE % "".join(f"<li>{item}" for item in ITEMS))
        self.say(500 if path == "/api/stock" else 404, "no")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        ITEMS.append(urllib.parse.parse_qs(body)["item"][0])
        open("orders.txt", "w").write("kept beside the code")
        self.send_response(303)
        self.send_header("Location", "/")
        self.end_headers()

    def log_message(self, *_):
        pass

print("listening", flush=True)
http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), App).serve_forever()
'''
STEPS = [{"do": "type", "text": "Item", "value": "rope"}, {"do": "click", "text": "Add"}]


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def desk(tmp_path: Path) -> ToolContext:
    shop = tmp_path / "ws" / "shop"
    (shop / ".git").mkdir(parents=True)
    (shop / ".git" / "config").write_text("x")
    (shop / "app.py").write_text(APP)
    return ToolContext(workspace=tmp_path / "ws", home=tmp_path, resources=tmp_path)


@browser
def test_a_page_of_a_started_server_is_checked_and_the_gate_starts_it_again(
    desk: ToolContext, port: int
) -> None:
    made = page_check(
        desk, page=f"http://localhost:{port}/", root="shop", serve="python3 app.py", steps=STEPS
    )
    report = made.deliverables[0]
    text = (desk.workspace / report.path).read_text()
    assert report.path == "shop/page check.md"
    for words in (
        f"Served from shop at port {port} by: `python3 app.py`",
        f"| major | console-error | console | planted (http://localhost:{port}/app.js:1) |",
        f"| major | failed-request | http://localhost:{port}/api/stock | GET (fetch): status 500. |",
        "| major | duplicate-id | div#twice |", "2. click “Add”: done", 'StaticText "rope"',
        f"| 303 | POST | document | http://localhost:{port}/add |",
    ):  # fmt: skip
        assert words in text, words
    assert sorted(path.name for path in (desk.workspace / "shop").iterdir()) == [
        ".git", "app.py", "page check.md", "page check.png",
    ]  # fmt: skip
    assert said(report, room(desk, report)) == []
    (desk.workspace / report.path).write_text(text.replace("status 500", "status 200"))
    assert said(report, room(desk, report)) != []
    (desk.workspace / report.path).write_text(text)
    shutil.rmtree(desk.workspace / "shop" / ".git")
    (desk.workspace / "shop" / "app.py").unlink()
    assert "0 files" in said(report, room(desk, report))[0]


@browser
def test_a_look_at_a_started_server_gives_a_picture_and_leaves_no_process(
    desk: ToolContext, port: int
) -> None:
    found = page_look(
        desk,
        f"http://127.0.0.1:{port}/?late=1",
        root="shop",
        serve="python3 app.py",
        picture="shot.png",
    )
    assert (found["title"], found["url"]) == ("Orders", f"http://localhost:{port}/?late=1")
    assert (desk.workspace / "shot.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=2)


@pytest.mark.parametrize(
    ("serve", "says"),
    [("echo no such table >&2; exit 3", "ended with code 3 .* It said last: no such table"), ("exit 0", "It said nothing")],
)  # fmt: skip
def test_a_server_that_ends_is_told_with_its_last_words(
    desk: ToolContext, port: int, serve: str, says: str
) -> None:
    with pytest.raises(ToolError, match=says) as refused:
        page_look(desk, f"http://localhost:{port}/", root="shop", serve=serve)
    assert "\n" not in refused.value.message


def test_a_server_that_never_listens_is_given_up_and_ended(
    desk: ToolContext, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_module, "START_S", 0.1)
    with pytest.raises(ToolError, match="took no connection"):
        page_look(desk, f"http://localhost:{port}", root="shop", serve="sleep 600")


def test_a_port_that_is_taken_is_not_somebody_elses_page(desk: ToolContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        page = f"http://localhost:{other.getsockname()[1]}/"
        with pytest.raises(ToolError, match="is taken"):
            page_look(desk, page, root="shop", serve="python3 app.py")


@pytest.mark.parametrize(
    ("more", "says"),
    [({"serve": "a\nb"}, "one line"), ({"serve": "x" * 501}, "one line"), ({"root": "none"}, "no folder"), ({"root": "../.."}, "outside"),
     *(({"page": page}, "With `serve` the page is") for page in ("/", "http://localhost/", "http://localhost:80/", "https://example.com:8000/", "http://localhost:x/"))],
)  # fmt: skip
def test_bad_orders_are_refused_before_anything_starts(
    desk: ToolContext, more: Any, says: str
) -> None:
    given = {"page": "http://localhost:9000/", "root": "shop", "serve": "touch started", **more}
    with pytest.raises(ToolInputError, match=says):
        page_look(desk, **given)


def test_an_empty_folder_starts_nothing(tmp_path: Path) -> None:
    server = Server(command="true", folder="shop", port=9001)
    with pytest.raises(ToolInputError, match="0 files"), serving(server, {}):
        pass


def test_a_check_asks_the_started_server_and_no_other() -> None:
    url = {"url": "http://localhost:9001/", "method": "GET"}
    assert "only files" in answer(url, lambda path: None, "", online=False).why
    assert "only files" in answer(url, lambda path: None, "", online=False, port=9002).why
    assert "only files" not in answer(url, lambda path: None, "", online=False, port=9001).why


def test_the_files_of_a_folder_are_the_same_in_the_clean_room(desk: ToolContext) -> None:
    shop = desk.workspace / "shop"
    (shop / "link").symlink_to("/etc/hostname")
    files = {f"shop/{name}": shop / name for name in ("app.py", ".git/config")}
    assert [*tree_of(shop)] == [*below(files, "shop")] == ["app.py"]
    assert [*below(files, "")] == ["shop/app.py"]
    server, url = server_of(" run ", "", "http://127.0.0.1:8000/x?y=1#z")
    assert (server.command, url) == ("run", "http://localhost:8000/x?y=1")
