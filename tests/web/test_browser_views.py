"""The inbox, the queue, attachments and the pages around threads in a real browser, at every size and in every theme."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from tests.unit.connectors.loopback import loopback
from tests.web.browser import AXE, CHROMIUM, DESK, PHONE, Looked, Served, looking, served
from tests.web.places import (
    QUOTE,
    TABLE,
    make_answers,
    make_connector,
    make_project,
    make_schedules,
)
from tests.web.scene import UNBUILT, make_folder
from tests.web.test_browser import allow, begin, browser, held, held_everywhere

from deskmate.types.places import Places
from deskmate.web.serving import Door

__all__ = ["browser"]
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: make setup installs it on Debian"),
    pytest.mark.skipif(not AXE.is_file(), reason="the page was not built here: make setup"),
]


# the browser of a test shows no notices: what it would be given is kept instead
KEEP_NOTICES = """() => {
    ServiceWorkerRegistration.prototype.showNotification = async (title, { body, tag }) => {
        document.documentElement.dataset.notice = `${tag}: ${title}, ${body}`
    }
}"""


@pytest.fixture
def home(tmp_path: Path) -> Places:
    base = tmp_path / "deskmate"
    return Places(data=base / "data", cache=base / "cache", config=base / "config")


@pytest.fixture
def server(tmp_path: Path, home: Places) -> Iterator[Served]:
    make_folder(tmp_path)
    with served(tmp_path / "deskmate") as started:
        yield started


def test_what_waits_is_answered_from_the_inbox_and_on_a_phone_from_a_sheet(
    browser: Browser, server: Served
) -> None:
    with looking(browser, server.link, DESK) as looked:
        page = looked.page
        begin(page, "Tell me the rate")
        expect(page.get_by_role("region", name="Question")).to_be_visible()
        begin(page)
        expect(page.get_by_role("region", name=re.compile("May this"))).to_be_visible()
        rail = page.get_by_role("navigation", name="Threads").get_by_role("link", name="Inbox")
        expect(rail).to_contain_text("2")
        rail.click()
        waiting = page.get_by_role("region", name="Waiting for your answer")
        expect(waiting).to_contain_text("dana.reyes@northwind.example")
        held_everywhere(looked, "the inbox")
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        page.get_by_role("button", name=re.compile("Which exchange rate")).click()
        sheet = page.get_by_role("dialog", name=re.compile("Which exchange rate"))
        expect(sheet.get_by_role("heading", level=2)).to_be_focused()
        held(looked, "a question's sheet")
        sheet.get_by_role("button", name="1.10").click()
        expect(page.get_by_text("Answered. The work goes on.").first).to_be_visible()
        page.get_by_role("button", name=re.compile("May this be done")).click()
        sheet = page.get_by_role("dialog", name=re.compile("May this"))
        expect(sheet.get_by_role("heading", level=2)).to_be_focused()
        held(looked, "an approval's sheet")
        page.keyboard.press("Escape")  # closing decides nothing
        expect(page.get_by_role("button", name=re.compile("May this be done"))).to_be_visible()
        page.set_viewport_size(DESK)  # type: ignore[arg-type]
        waiting.get_by_role("button", name="Allow once").click()
        review = page.get_by_role("region", name="Ready for your review")
        expect(review).to_contain_text("wait for your review")
        review.get_by_role("button", name="Take out of the inbox").click()
        expect(page.get_by_text("Nothing waits for you")).to_be_visible()
        held_everywhere(looked, "an empty inbox")
        assert (looked.outside, looked.complaints) == ([], [])


def test_what_is_said_while_it_works_waits_in_sight_and_is_heard(
    browser: Browser, server: Served
) -> None:
    with looking(browser, server.link, DESK) as looked:
        page = looked.page
        begin(page)
        expect(page.get_by_role("region", name=re.compile("May this"))).to_be_visible()
        say = page.get_by_label("Your message")
        for words in ("Only clause nine, please.", "Never mind that."):
            say.fill(words)
            page.keyboard.press("Enter")
            expect(say).to_have_value("")
        queue = page.get_by_role("list", name="Messages that wait")
        expect(queue.get_by_role("listitem")).to_have_count(2)
        queue.get_by_role("listitem").last.get_by_role("button", name="Withdraw").click()
        expect(queue.get_by_role("listitem")).to_have_count(1)
        page.get_by_role("button", name="More").click()
        page.get_by_role("button", name="What it may do").click()
        rules = page.get_by_role("dialog", name="What this thread may do")
        expect(rules.get_by_label("What its connectors may do")).to_have_value("auto-read")
        rules.get_by_text("Decide on another tool").click()
        rules.get_by_label("Tool", exact=True).fill("legal__wait")
        rules.get_by_label("Only with these arguments").fill("path=x")
        held(looked, "the rules of a thread")
        expect(rules.get_by_role("button", name="Keep this rule")).to_be_enabled()
        page.keyboard.press("Escape")
        page.get_by_role("tab", name="Progress").click()
        page.get_by_role("button", name="Edit plan").click()
        plan = page.get_by_role("dialog", name="Edit the plan")
        expect(plan).to_be_visible()
        held(looked, "the plan being edited")
        plan.get_by_label("Step 1", exact=True).fill("Show the summary here instead")
        plan.get_by_role("button", name="Use this plan").click()
        expect(queue.get_by_role("listitem")).to_have_count(2)
        held_everywhere(looked, "messages that wait")
        assert looked.complaints == []
        server.process.kill()  # as a power cut does
        server.process.wait()
        with served(server.home) as again:
            assert again.origin == server.origin
            page.reload()
            expect(queue.get_by_role("listitem")).to_have_count(2)
            expect(page.get_by_role("button", name="Go on")).to_be_visible()
            allow(page)
            log = page.get_by_role("log")
            expect(log).to_contain_text("All changes are staged for review")
            expect(queue).to_be_hidden()
            text = log.inner_text()
        assert text.index("Only clause nine") < text.index("Show the summary here instead")
        assert text.count("Only clause nine") == 1
        assert "Never mind" not in text


def test_a_file_is_attached_shown_and_read(
    browser: Browser, server: Served, tmp_path: Path
) -> None:
    offer = tmp_path / "Offer 2026.txt"
    offer.write_text("Our offer.\n" * 100_000)
    with looking(browser, server.link, PHONE) as looked:
        page = looked.page
        page.get_by_role("link", name="New").first.click()
        page.get_by_label("Your request").fill("Compare the MSA")
        page.get_by_label("Files to attach").set_input_files([offer])
        files = page.get_by_role("list", name="Attached files")
        expect(files).to_contain_text("1.1 MB")
        held(looked, "an attached file")
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_role("log")).to_contain_text("Attached: attachments/Offer 2026.txt")
        (kept,) = (tmp_path / "deskmate").glob("data/threads/*/attachments/1/*")
        assert kept.read_bytes() == offer.read_bytes()
        assert (looked.outside, looked.complaints) == ([], [])


def test_the_pages_around_threads_are_for_everybody(
    browser: Browser, server: Served, home: Places, tmp_path: Path
) -> None:
    with looking(browser, server.link, DESK) as looked:
        page = looked.page

        def go(path: str, heading: str) -> None:
            page.goto(f"{server.origin}#/{path}")
            expect(page.get_by_role("heading", level=1)).to_have_text(heading)

        for empty in ("schedules", "tables", "connectors", "projects"):
            go(empty, empty.capitalize())
            expect(page.get_by_role("heading", level=2)).to_contain_text("yet")
            held(looked, f"no {empty}")
        make_schedules(home)
        make_answers(home, rows=400)
        make_connector(home)
        make_project(home, tmp_path / "contracts")

        go("schedules", "Schedules")
        page.reload()
        expect(page.get_by_role("link", name=re.compile("Monday metrics"))).to_be_visible()
        held_everywhere(looked, "schedules")
        page.get_by_role("link", name=re.compile("Monday metrics")).click()
        expect(page.get_by_text("asleep")).to_be_visible()
        held_everywhere(looked, "a schedule")
        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_role("button", name="Go on")).to_be_visible()

        go("schedules/new", "New schedule")
        page.get_by_label("What is to be done each time").fill("Tell me what changed")
        page.get_by_label("Its name").fill("Weekly look")
        page.get_by_label("How often").select_option("Every week")
        page.get_by_label("Model", exact=True).select_option("offline")
        held_everywhere(looked, "a schedule being made")
        page.get_by_role("button", name="Keep as a draft").press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Weekly look")
        expect(page.get_by_text("only after a dry run that succeeded")).to_be_visible()
        held_everywhere(looked, "a draft")
        page.get_by_role("button", name="Delete this schedule").press("Enter")
        page.get_by_role("button", name="Delete it for good").press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Schedules")

        go("tables", "Tables")
        page.get_by_role("link", name=re.compile("supplier agreements")).click()
        sheet = page.get_by_role("region", name="The sheet")
        expect(sheet).to_contain_text("England and Wales")
        held_everywhere(looked, "a sheet")
        sheet.get_by_role("button", name=re.compile("England and Wales")).click()
        proof = page.get_by_role("dialog", name="Governing law")
        expect(proof).to_contain_text(QUOTE)
        expect(proof).to_contain_text("page 7")
        held(looked, "the evidence of a cell")
        page.keyboard.press("Escape")
        sheet.evaluate("box => box.scrollTo(0, box.scrollHeight)")
        expect(sheet).to_contain_text("Supplier 0400.pdf")
        assert page.locator("[role=row]").count() < 120  # what is out of sight is not drawn
        with page.expect_download() as taken:
            page.get_by_role("link", name="Workbook").click()
        assert taken.value.suggested_filename == f"{TABLE}.xlsx"

        make_table(looked, server)

        go("connectors", "Connectors")
        page.get_by_text("2 tools").click()
        page.get_by_label("Whether find_customer may run").select_option("Allowed")
        expect(page.get_by_text("find_customer: kept.").first).to_be_visible()
        held_everywhere(looked, "connectors")
        connect(looked, server)

        go("projects", "Projects")
        page.get_by_role("button", name="Change Harbour deal").click()
        expect(page.get_by_label("Name")).to_be_visible()
        held_everywhere(looked, "a project")
        page.get_by_label("Name").fill("Harbour")
        page.get_by_role("button", name="Keep", exact=True).click()
        expect(page.get_by_role("heading", name="Harbour", exact=True)).to_be_visible()

        go("plugins", "Plugins and models")
        expect(page.get_by_role("region", name="Models")).to_contain_text("offline")
        held_everywhere(looked, "plugins and models")

        go("health", "This computer")
        expect(page.get_by_role("main")).to_contain_text("kept in")
        held_everywhere(looked, "this computer")
        go("phone", "Phone")
        expect(page.get_by_text("tailscale serve --bg")).to_be_visible()
        held_everywhere(looked, "a phone")
        assert (looked.outside, looked.complaints) == ([], [])


def make_table(looked: Looked, server: Served) -> None:
    """Make a table by the page, by rules, and see it answered."""
    page = looked.page
    page.goto(f"{server.origin}#/tables/new")
    page.get_by_label("What it is about").fill("What do they say of notice?")
    page.get_by_role("button", name="Choose a folder").click()
    picker = page.get_by_role("dialog", name="Choose a folder")
    picker.get_by_role("button", name="contracts", exact=True).click()
    expect(picker.get_by_label("Path of the folder")).to_have_value(re.compile("contracts$"))
    picker.get_by_role("button", name="Use this folder").click()
    documents = page.get_by_role("list", name="Documents")
    documents.get_by_role("checkbox", name=re.compile("Playbook")).uncheck()
    expect(page.get_by_text("1 of 2 documents")).to_be_visible()
    ask = page.get_by_role("group", name="Question 1")
    ask.get_by_label("Heading").fill("Notice")
    ask.get_by_label("The answer is").select_option("A number")
    ask.get_by_label("Question", exact=True).fill("How many days of notice?")
    page.get_by_label("Answered by").select_option("offline")
    expect(page.get_by_text("each question needs a pattern")).to_be_visible()
    ask.get_by_text("Answer it by rules").click()
    ask.get_by_label("Patterns").fill(r"\((?P<value>\d+)\) days")
    held_everywhere(looked, "a table being made")
    page.reload()  # what was typed is kept
    expect(page.get_by_label("What it is about")).to_have_value("What do they say of notice?")
    page.get_by_label("Answered by").select_option("offline")
    documents.get_by_role("checkbox", name=re.compile("Playbook")).uncheck()
    page.get_by_role("button", name="See what it takes").press("Enter")
    price = page.get_by_role("region", name="What it takes")
    expect(price).to_contain_text("1 document × 1 question = 1 cell, answered by rules only")
    held_everywhere(looked, "what a table takes")
    price.get_by_role("button", name="Start").press("Enter")
    cell = page.get_by_role("region", name="The sheet").get_by_role("button", name="90")
    cell.click()
    proof = page.get_by_role("dialog", name="Notice")
    expect(proof).to_contain_text("ninety (90) days")
    proof.get_by_role("button", name="Answer it again").click()
    expect(cell).to_be_visible()


def connect(looked: Looked, server: Served) -> None:
    """Connect a server by the page: see its tools, accept them, and remove it again."""
    page = looked.page
    page.goto(f"{server.origin}#/connectors/new")
    page.get_by_label("Its name here").fill("shop")
    page.get_by_label("Where it is").select_option("A program, a Python package")
    page.get_by_role("button", name="Add a secret").click()
    held_everywhere(looked, "a program being connected")
    page.get_by_label("Where it is").select_option("At an address")
    page.get_by_role("button", name="Add a secret").click()
    page.get_by_role("group", name="Secret 1").get_by_label("Value").fill("s3cret-value")
    held_everywhere(looked, "a server being connected")
    with loopback() as remote:
        page.get_by_label("Address").fill(remote.url)
        page.get_by_role("button", name="Ask for its tools").press("Enter")
        way = page.get_by_role("region", name="shop")
        expect(way.get_by_role("list", name="Its tools")).to_contain_text("Find an order by")
        held_everywhere(looked, "a server that waits to be accepted")
        way.get_by_role("button", name="Accept 2 tools as described").press("Enter")
        expect(page.get_by_text("shop is connected").first).to_be_visible()
    page.get_by_role("button", name="Remove shop").press("Enter")
    page.get_by_role("button", name="Remove it for good").press("Enter")
    expect(page.get_by_role("region", name="shop")).to_have_count(0)


def test_who_was_never_here_is_led_from_a_bare_computer_to_a_task_that_runs(
    browser: Browser, server: Served, tmp_path: Path
) -> None:
    unbuilt = tmp_path / "deskmate" / UNBUILT
    unbuilt.touch()
    with looking(browser, server.link, DESK, welcomed=False) as looked:
        page = looked.page
        expect(page.get_by_role("heading", level=1)).to_have_text("Welcome to Deskmate")
        computer = page.get_by_role("region", name="This computer")
        expect(computer).to_contain_text("has to be built once")
        start = page.get_by_role("button", name="Make the folder and start")
        expect(start).to_be_disabled()
        held_everywhere(looked, "the first steps on a bare computer")
        page.set_viewport_size(DESK)  # type: ignore[arg-type]
        computer.get_by_role("button", name=re.compile("Build it now")).press("Enter")
        expect(computer).to_contain_text("step 2 of 4: unpacking 180 packages")
        page.reload()  # it goes on, and is shown again
        expect(computer).to_contain_text("step 2 of 4: unpacking 180 packages")
        unbuilt.unlink()
        expect(computer).to_contain_text("All that the virtual machine needs is here.")

        model = page.get_by_role("region", name="A model")
        model.get_by_label("Claude, with a key of mine").check()
        expect(model.get_by_label("API key")).to_be_visible()
        held(looked, "a key being given")
        model.get_by_label("A model on a server of mine").check()
        held(looked, "a server being named")
        model.get_by_label("No language model, for now").check()
        model.get_by_role("button", name="Use rules only").press("Enter")
        expect(model.get_by_role("status")).to_contain_text("From now on by rules only")
        start.press("Enter")
        expect(page.get_by_role("log")).to_contain_text("departs from the playbook")
        names = {path.name for path in (tmp_path / "Deskmate sample").iterdir()}
        assert names == {"Northlight - Harbour mutual NDA.docx", "playbook.yaml"}
        page.goto(f"{server.origin}#/")
        expect(page.get_by_role("heading", level=1).last).to_have_text("What should be finished?")
        assert (looked.outside, looked.complaints) == ([], [])


def test_an_installed_page_opens_while_its_computer_is_asleep(
    browser: Browser, server: Served
) -> None:
    with looking(browser, server.link, PHONE) as looked:
        page = looked.page
        expect(page.get_by_text("No threads yet.")).to_be_visible()
        # one visit is enough; 'ready' alone tells of a worker that may still be about to take over
        page.wait_for_function(
            "navigator.serviceWorker.controller?.state === 'activated'"
            " && localStorage.getItem('last') !== null"
        )
        kept = page.evaluate(
            "caches.open('page').then(c => c.keys()).then(all => all.map(r => new URL(r.url).pathname))"
        )
        assert "/" in kept
        assert not [path for path in kept if path.startswith("/api")]
        shell = page.evaluate("fetch('/').then(r => r.text())")
        assert set(re.findall(r'(?:src|href)="(/assets/[^"]+)"', shell)) <= set(kept)
        assert server.stop() == 0
        port = int(server.origin.rstrip("/").rpartition(":")[2])
        asleep = socket.socket()  # so that nobody else is given the port meanwhile: it refuses
        asleep.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        asleep.bind(("127.0.0.1", port))
        page.reload()
        expect(page.get_by_text("it was last there today")).to_be_visible()
        held(looked, "offline")
        with asleep, served(server.home) as again:
            assert again.origin == server.origin
            expect(page.get_by_text("No threads yet.")).to_be_visible()
            expect(page.get_by_text("Reconnecting.")).to_be_hidden()


def test_it_is_an_app_that_gives_notice_and_shows_the_way_in_for_a_phone(
    browser: Browser, home: Places, tmp_path: Path
) -> None:
    make_folder(tmp_path)
    Door(home).set_name("laptop.tail1234.ts.net")
    with served(home.data.parent) as server, looking(browser, server.link, PHONE) as looked:
        page = looked.page
        told = page.evaluate(
            "fetch(document.querySelector('link[rel=manifest]').href).then(r => r.json())"
        )
        assert (told["display"], told["start_url"]) == ("standalone", "/")
        for icon in told["icons"]:
            size = page.evaluate(
                "src => fetch(src).then(r => r.blob()).then(createImageBitmap)"
                ".then(b => `${b.width}x${b.height}`)",
                icon["src"],
            )
            assert size == icon["sizes"]
        page.evaluate(KEEP_NOTICES)
        page.goto(f"{server.origin}#/settings")
        page.context.grant_permissions(["notifications"])
        page.get_by_role("checkbox", name=re.compile("Tell me when something waits")).check()
        page.evaluate("Object.defineProperty(document, 'hidden', { value: true })")
        begin(page, "Tell me the rate")
        said = "waits: Deskmate, 1 thing waits for you."
        expect(page.locator("html")).to_have_attribute("data-notice", said)
        page.goto(f"{server.origin}#/phone")
        expect(page.get_by_role("img", name="The code to let a phone in")).to_be_visible()
        expect(page.get_by_text("Your phone opens laptop.tail1234.ts.net.")).to_be_visible()
        held_everywhere(looked, "the way in for a phone")
        dots = page.locator(".qr path")
        before = str(dots.get_attribute("d"))
        page.get_by_role("button", name="Show a new code").click()
        expect(dots).not_to_have_attribute("d", before)
        assert (looked.outside, looked.complaints) == ([], [])
