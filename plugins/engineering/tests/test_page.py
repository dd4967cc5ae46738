"""Pages in a real Chromium: what is planted is found, what is sound is left alone, and the gate opens the page again."""

from __future__ import annotations

import http.server
import os
import signal
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from deskmate.plugin import (
    Deliverable,
    Sources,
    ToolContext,
    ToolError,
    ToolInputError,
    ValidationContext,
)
from deskmate_engineering.browser.answers import answer
from deskmate_engineering.browser.pipe import Chromium, Gone, find_browser
from deskmate_engineering.browser.trees import accessible_lines, nameless
from deskmate_engineering.browser.visits import STEPS_LIMIT, Step, size_of, steps_of
from deskmate_engineering.tools.page import page_check, page_look
from deskmate_engineering.validators.page_rules import page_true


def _has_browser() -> bool:
    try:
        return bool(find_browser())
    except ToolError:
        return False


browser = pytest.mark.skipif(not _has_browser(), reason="no Chromium; make setup installs it")

BROKEN = """<!doctype html><html lang=en><title>Shop</title><link rel=stylesheet href="/site.css">
<h1>Shop</h1><h3>Items</h3><img src="/gone.png"><div id=twice></div><div id=twice></div>
<label for=nobody>Name</label><input id=name>
<button onclick="document.getElementById('out').textContent = 'Saved ' + document.getElementById('name').value; missing()">Save</button>
<div style="position:relative"><button>Covered</button><div id=veil style="position:absolute;inset:0"></div></div>
<p id=out></p><a href="#nowhere">Terms</a><script src="/app.js"></script>"""
SCRIPT = """console.error("planted", {a: 1}); fetch("/api/items").then((r) => { if (!r.ok) throw new Error("items " + r.status) });
fetch("https://elsewhere.example/x").catch(() => {}); new WebSocket("ws://127.0.0.1:1/"); alert("hello");"""
SOUND = """<!doctype html><html lang=en><title>Sound</title><meta name=viewport content="width=device-width">
<h1>Sound</h1><h2>Part</h2><h3>Piece</h3><img alt="" src="data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==">
<form><label>Mail <input name=mail></label><button aria-label="Send"></button></form><a href="#top">Up</a> <a href="#here">Here</a><p id=here>
<script>console.log("fine"); console.warn.name</script>"""


@pytest.fixture
def desk(tmp_path: Path) -> ToolContext:
    site = tmp_path / "ws" / "site"
    (site / "sub").mkdir(parents=True)
    (site / "index.html").write_text(BROKEN)
    (site / "app.js").write_text(SCRIPT)
    (site / "site.css").write_text("button { color: #036 }")
    (site / "sub" / "sound.html").write_text(SOUND)
    (tmp_path / "secret.txt").write_text("not for pages")
    return ToolContext(workspace=tmp_path / "ws", home=tmp_path, resources=tmp_path)


def room(desk: ToolContext, item: Deliverable) -> ValidationContext:
    made = {
        one.relative_to(desk.workspace).as_posix(): one
        for one in desk.workspace.rglob("*")
        if one.is_file()
    }
    originals = {name: file for name, file in made.items() if " check." not in name}
    return ValidationContext(file=desk.workspace / item.path, sources=Sources(originals, {}))


def said(item: Deliverable, context: ValidationContext) -> list[str]:
    return [finding.message for finding in page_true(item, context)]


STEPS = [
    {"do": "type", "css": "#name", "value": "Ada"},
    {"do": "click", "text": "Save"},
    {"do": "wait", "css": "#out"},
    {"do": "click", "text": "Covered"},
]


@browser
def test_planted_defects_are_found_and_the_gate_sees_the_same_and_no_lie(desk: ToolContext) -> None:
    answer = page_check(desk, request="Check page index.html please.", steps=STEPS)
    report, picture = answer.deliverables
    text = (desk.workspace / report.path).read_text()
    assert report.path == "site/index check.md"
    for words in (
        "| major | console-error | console | planted Object {a: 1} (site/app.js:1) |",
        "| major | console-exception | console | Error: items 404 (site/app.js:1) |",
        "ReferenceError: missing is not defined",
        "| major | failed-request | site/api/items | GET (fetch): status 404. |",
        "| major | failed-request | site/gone.png | GET (image): status 404. |",
        "| major | failed-request | https://elsewhere.example/x | GET (fetch): only files of the workspace are read in a check. |",
        "WebSockets are not opened here",
        "| major | broken-picture |", "| major | no-alternative |",
        '| major | duplicate-id | div#twice | The id "twice" occurs 2 times. |',
        "| major | dangling-label |", "| major | dead-anchor |", "| major | no-name | input#name |",
        "| minor | skipped-heading |", "| note | console-dialog | console | alert: hello (dismissed) |",
        "1. type “Ada” into '#name': done", "2. click “Save”: done", "3. wait '#out': done",
        "4. click “Covered”: div#veil lies over it", 'textbox = \'Ada\'', "Saved Ada",
    ):  # fmt: skip
        assert words in text, words
    assert "favicon" not in text
    assert "site/site.css" in text
    with Image.open(desk.workspace / picture.path) as shot:
        assert shot.size == (1280, 800)
    # the same again; then one line less, and a picture that shows something else
    assert said(report, room(desk, report)) == []
    lines = text.split("\n")
    (desk.workspace / report.path).write_text(
        "\n".join(row for row in lines if "duplicate-id" not in row)
    )
    with Image.open(desk.workspace / picture.path) as shot:
        shot.load()
        ImageDraw.Draw(shot).rectangle((300, 300, 420, 380), fill="red")
        shot.save(desk.workspace / picture.path)
    assert [message for message in said(report, room(desk, report)) if "duplicate-id" in message]
    assert "pixels of the picture" in said(picture, room(desk, picture))[0]


@browser
def test_a_sound_page_has_no_findings_and_a_page_that_changed_is_refused(desk: ToolContext) -> None:
    answer = page_check(desk, page="site/sub/sound.html", output="site/r.md", window="390x800")
    assert answer.result["summary"].startswith(
        "Findings: 0 major, 0 minor, 0 note. Requests: 1, failed: 0."
    )
    report = answer.deliverables[0]
    context = room(desk, report)
    (desk.workspace / "site/sub/sound.html").write_text(
        SOUND.replace("<h2>Part", "<h2 id=top><h2>Part")
    )
    (found, *_) = said(report, context)
    assert "does not" in found or "leaves out" in found


@browser
def test_a_page_of_a_server_in_this_machine_is_looked_at_and_nothing_outside_the_site_is_given(
    desk: ToolContext, tmp_path: Path
) -> None:
    served = tmp_path / "served"
    served.mkdir()
    (served / "index.html").write_text(
        "<!doctype html><html lang=en><title>Served</title><h1>Hello</h1>"
        "<script>fetch('https://workspace.test/../secret.txt').then(r => r.text()).then(t => console.error('got ' + t))</script>"
    )

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *given: Any, **more: Any) -> None:
            super().__init__(*given, directory=str(served), **more)

        def log_message(self, *_: Any) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found = page_look(desk, f"http://127.0.0.1:{server.server_port}/", picture="site/shot.png")
        server.shutdown()
    assert found["title"] == "Served"
    assert 'heading "Hello"' in found["accessible"]
    assert "  body" in found["outline"]
    assert "not for pages" not in str(found)
    assert (desk.workspace / "site/shot.png").read_bytes().startswith(b"\x89PNG")


@browser
def test_a_browser_that_is_killed_or_never_done_ends_the_call_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    with Chromium(lambda event: None, limit_s=30) as chromium:
        home = chromium._home
        os.killpg(chromium._pid, signal.SIGKILL)
        with pytest.raises(Gone, match="ended by itself"):
            chromium.call("Target.getTargets")
    assert not home.exists()
    with Chromium(lambda event: None, limit_s=0) as slow, pytest.raises(Gone, match="more than"):
        slow.pump(0.1)


@browser
def test_a_page_that_is_not_there_any_more_is_unverified(desk: ToolContext) -> None:
    item = Deliverable(path="site/index.html", title="C", role="page-check", sources={"page": "site/lost.html"},
                       data={"page": "site/lost.html", "root": "site", "steps": [], "width": 800, "height": 600})  # fmt: skip
    assert said(item, room(desk, item))[0].startswith("UNVERIFIED")


@pytest.mark.parametrize(
    "data",
    [{}, {"page": "site/index.html"}, {"page": "site/index.html", "root": "other", "steps": [], "width": 800, "height": 600},
     {"page": "site/index.html", "root": "site", "steps": [{"do": "fly"}], "width": 800, "height": 600},
     {"page": "site/index.html", "root": "site", "steps": [], "width": 1, "height": 600}],
)  # fmt: skip
def test_what_a_result_says_of_itself_is_checked_before_a_browser_is_started(
    desk: ToolContext, data: Any
) -> None:
    item = Deliverable(
        path="site/index.html",
        title="C",
        role="page-check",
        sources={"page": "site/index.html"},
        data=data,
    )
    assert len(said(item, room(desk, item))) == 1


@pytest.mark.parametrize(
    ("page", "more", "says"),
    [("nope.html", {}, "not a file"), ("site/app.js", {}, "no page"), ("site/index.html", {"root": "site/sub"}, "not below"),
     ("ftp://host/x", {}, "no address"), ("http://me@host/", {}, "no address"), ("site/index.html", {"window": "10x800"}, "320 to 2560"),
     ("site/index.html", {"steps": [{"do": "fly"}]}, "none of click"), ("site/index.html", {"steps": [{"do": "click"}]}, "css or text"),
     ("site/index.html", {"steps": [{"do": "press", "value": "F13"}]}, "a key is one of"),
     ("site/index.html", {"steps": [{"do": "click", "text": 1}]}, "of texts"), ("site/index.html", {"picture": "a.jpg"}, "must end in .png"),
     ("../secret.txt", {}, "outside")],
)  # fmt: skip
def test_bad_input_is_refused_in_one_line(
    desk: ToolContext, page: Any, more: Any, says: Any
) -> None:
    with pytest.raises(ToolInputError, match=says) as refused:
        page_look(desk, page, **more)
    assert "\n" not in refused.value.message


def test_which_page_is_meant_is_asked_where_there_are_several(
    desk: ToolContext, tmp_path: Path
) -> None:
    (desk.workspace / "site/other.html").write_text("x")
    (desk.workspace / "site/index.html").rename(desk.workspace / "site/first.html")
    with pytest.raises(ToolInputError, match=r"several pages: site/first\.html, site/other\.html"):
        page_check(desk, request="check the page")
    with pytest.raises(ToolInputError, match="use page_look"):
        page_check(desk, page="https://host/")
    empty = ToolContext(workspace=tmp_path / "none", home=tmp_path, resources=tmp_path)
    (tmp_path / "none").mkdir()
    with pytest.raises(ToolInputError, match="no page"):
        page_check(empty)


def test_without_a_browser_the_tool_says_where_it_is(
    desk: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("deskmate_engineering.browser.pipe.PROGRAMS", ("no-such-chromium",))
    with pytest.raises(ToolError, match="office image"):
        page_check(desk, page="site/index.html")


@pytest.mark.parametrize(
    ("url", "method", "online", "why"),
    [("http://example.com/", "GET", True, "only https"), ("https://example.com/", "POST", True, "only reads"),
     ("https://example.com/", "GET", False, "only files"), ("file:///etc/passwd", "GET", True, "file addresses"),
     ("https://example.com/", "GET", True, "may not reach example.com"), ("http://localhost:1/", "GET", False, "only files")],
)  # fmt: skip
def test_a_page_gets_nothing_else(
    monkeypatch: pytest.MonkeyPatch, url: str, method: str, online: bool, why: str
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    given = answer({"url": url, "method": method}, lambda path: None, "", online=online)
    assert given.status == 0
    assert why in given.why


@pytest.fixture
def files(tmp_path: Path) -> Any:
    (tmp_path / "a.woff2").write_bytes(b"x")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "index.html").write_text("x")
    return lambda path: file if (file := tmp_path / path).is_file() else None


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [("/a.woff2", 200, "font/woff2"), ("/d/", 200, "text/html; charset=utf-8"), ("/d/../a.woff2", 404, "text/plain"),
     ("/%2e%2e/x", 404, "text/plain"), ("/%00", 404, "text/plain"), ("/none", 404, "text/plain")],
)  # fmt: skip
def test_files_are_given_by_their_kind_and_from_the_site_only(
    files: Any, path: str, status: int, kind: str
) -> None:
    given = answer({"url": f"https://workspace.test{path}"}, files, "", online=False)
    assert (given.status, given.kind) == (status, kind)


def test_steps_have_a_bound_and_say_what_they_do() -> None:
    with pytest.raises(ToolInputError, match="at most"):
        steps_of([{"do": "press", "value": "Tab"}] * (STEPS_LIMIT + 1))
    with pytest.raises(ToolInputError, match="characters"):
        steps_of([{"do": "type", "css": "a", "value": "x" * 3000}])
    assert Step(do="type", text="Mail", value="a@b").told == "type “a@b” into “Mail”"
    assert Step(do="press", value="Tab").told == "press Tab"
    assert size_of("320 × 2560") == (320, 2560)


def test_the_accessibility_tree_is_cut_and_hides_what_is_no_content() -> None:
    def node(
        number: int, role: str, name: str = "", parent: int = 0, **more: Any
    ) -> dict[str, Any]:
        return {"nodeId": str(number), "parentId": str(parent), "role": {"value": role}, "name": {"value": name},
                "childIds": [], "backendDOMNodeId": number, **more}  # fmt: skip

    top = node(1, "RootWebArea") | {"childIds": ["2", "3", "4"]}
    nodes = [top, node(2, "button", "", 1), node(3, "link", "Go", 1, properties=[{"name": "disabled", "value": {"value": True}}]),
             node(4, "StaticText", "Words", 1), node(5, "button", "", 9, ignored=True)]  # fmt: skip
    assert accessible_lines(nodes, 10) == (
        ["button", 'link "Go" [disabled]', 'StaticText "Words"'],
        False,
    )
    assert accessible_lines(nodes, 1) == (["button"], True)
    assert [one["nodeId"] for one in nameless(nodes)] == ["2"]
    assert replace(Step(do="wait", text="x"), text="y").told == "wait “y”"
