"""Takes the pictures of the page in docs/images: `python scripts/page_pictures.py` in a checkout that is set up."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, Page, expect, sync_playwright  # noqa: E402
from tests.unit.connectors.loopback import loopback  # noqa: E402
from tests.web.browser import CHROMIUM, DESK, PHONE, Served, looking, served  # noqa: E402
from tests.web.papers import make_papers  # noqa: E402
from tests.web.places import (  # noqa: E402
    TABLE,
    make_answers,
    make_documents,
    make_project,
    make_schedules,
)
from tests.web.scene import UNBUILT, make_folder  # noqa: E402
from tests.web.test_browser import REQUEST, allow, begin  # noqa: E402

from deskmate.types.places import Places  # noqa: E402

TARGET = ROOT / "docs/images"
REDLINE = "Please redline the Northwind MSA against our playbook and tell Dana."


def take(page: Page, name: str) -> None:
    """Write one picture, once the letters are there and nothing is spoken of any more."""
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(400)
    page.screenshot(path=TARGET / f"{name}.png")
    print(name)


def both(page: Page, name: str) -> None:
    """Write one picture in light and one in dark."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        take(page, f"{name}-{scheme}")


def main() -> None:
    """Go through the main job and look at it."""
    TARGET.mkdir(parents=True, exist_ok=True)
    above = Path(tempfile.mkdtemp()) / "Northwind"
    folder = make_folder(above)
    make_documents(folder)
    make_papers(folder)
    with served(above / "deskmate") as server, sync_playwright() as run:
        browser = run.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        first_steps(browser, server)
        with looking(browser, server.new_link(), DESK) as looked:
            page = looked.page
            begin(page, "Which rate should the Q3 headcount model use?")
            expect(page.get_by_role("region", name="Question")).to_be_visible()
            begin(page, REDLINE)
            expect(page.get_by_role("button", name="Allow once")).to_be_visible()
            page.get_by_role("tab", name="Progress").click()
            both(page, "page-approval")
            allow(page)
            page.get_by_role("tab", name=re.compile("Changes")).click()
            a_redline(page)
            page.get_by_text("Checked in a clean room, passed").click()
            page.get_by_role("group", name="change 6").get_by_role(
                "button", name="Leave out"
            ).click()
            page.mouse.move(0, 0)
            both(page, "page-review")
            address = page.url
            begin(page, REQUEST)
            allow(page)
            expect(page.get_by_role("log")).to_contain_text("staged for review")
            a_source(page)
            a_file(page)
            around(server, above)
            other_views(page, server)
            being_made(page, server)
            page.get_by_role("link", name="New").first.click()
            page.get_by_label("Your request").fill("Review this NDA against our playbook.")
            page.get_by_role("checkbox", name=re.compile("legal", re.I)).first.check()
            page.emulate_media(color_scheme="light")
            take(page, "page-new-light")
        on_a_phone(browser, server, address)
        browser.close()


def on_a_phone(browser: Browser, server: Served, address: str) -> None:
    """Look at the same on a phone; `address`: of the thread with the redline."""
    with looking(browser, server.new_link(), PHONE) as looked:
        page = looked.page
        expect(page.get_by_role("link", name=re.compile("redline the"))).to_be_visible()
        both(page, "phone-threads")
        page.goto(address)
        expect(page.get_by_role("log")).to_contain_text("staged for review")
        both(page, "phone-thread")
        page.goto(f"{address}/changes")
        a_redline(page)
        both(page, "phone-review")
        page.goto(f"{server.origin}#/inbox")
        page.get_by_role("button", name=re.compile("Which exchange rate")).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        both(page, "phone-sheet")


def first_steps(browser: Browser, server: Served) -> None:
    """Look at what somebody sees who was never here, on a computer that lacks the image."""
    unbuilt = server.home / UNBUILT
    unbuilt.touch()
    for size, name in ((DESK, "page-welcome"), (PHONE, "phone-welcome")):
        with looking(browser, server.new_link(), size, welcomed=False) as looked:
            page = looked.page
            expect(page.get_by_role("button", name=re.compile("Build it now"))).to_be_visible()
            page.get_by_label("Claude, with a key of mine").check()
            both(page, name)
    unbuilt.unlink()


def a_redline(page: Page) -> None:
    """Open the changes of the agreement, once the files say how much of them changes."""
    files = page.get_by_role("list", name="Changed files")
    agreement = files.get_by_role("button", name=re.compile("MSA Northwind"))
    expect(agreement).to_contain_text("6 changes")
    agreement.click()
    expect(page.get_by_role("region", name="Change 1 of 6")).to_be_visible()


def a_source(page: Page) -> None:
    """Look at words of the answer where they stand in the contract, and at a cell in its sheet."""
    side = page.get_by_role("complementary", name="Details")
    page.get_by_role("button", name="Northwind MSA ¶ 1").click()
    expect(side.locator("mark")).to_be_in_viewport()
    page.mouse.move(0, 0)
    both(page, "page-source")
    page.get_by_role("tab", name="Files").click()
    page.get_by_role("button", name="contracts", exact=True).click()
    page.get_by_role("button", name=re.compile("Fees.xlsx")).click()
    expect(side.get_by_role("grid")).to_contain_text("Customer 2")
    side.get_by_role("grid").focus()
    for _ in range(4):
        page.keyboard.press("ArrowDown")
    both(page, "page-sheet")
    side.get_by_role("button", name=re.compile("^Back to")).click()
    side.get_by_role("button", name=re.compile("^Back to")).click()


def a_file(page: Page) -> None:
    """Look at a file of the thread's folder."""
    page.emulate_media(color_scheme="light")
    page.get_by_role("tab", name="Files").click()
    page.get_by_role("button", name="contracts", exact=True).click()
    page.get_by_role("button", name=re.compile("Playbook.txt")).click()
    expect(page.get_by_role("complementary")).to_contain_text("thirty days")
    page.mouse.move(0, 0)
    take(page, "page-files-light")


def other_views(page: Page, server: Served) -> None:
    """Look at what stands around threads."""
    for view, name in (("inbox", "page-inbox"), (f"tables/{TABLE}", "page-table")):
        page.goto(f"{server.origin}#/{view}")
        expect(page.get_by_role("heading", level=1)).to_contain_text(re.compile("Inbox|What do"))
        both(page, name)
    page.goto(f"{server.origin}#/schedules/monday-metrics-1")
    expect(page.get_by_text("asleep")).to_be_visible()
    page.emulate_media(color_scheme="light")
    take(page, "page-schedule-light")


def being_made(page: Page, server: Served) -> None:
    """Look at a table and a connector while they are made."""
    page.goto(f"{server.origin}#/tables/new")
    page.get_by_label("What it is about").fill("What do the contracts say of notice?")
    page.get_by_role("button", name="Choose a folder").click()
    picker = page.get_by_role("dialog", name="Choose a folder")
    picker.get_by_role("button", name="contracts", exact=True).click()
    expect(picker.get_by_label("Path of the folder")).to_have_value(re.compile("contracts$"))
    picker.get_by_role("button", name="Use this folder").click()
    ask = page.get_by_role("group", name="Question 1")
    ask.get_by_label("Heading").fill("Notice")
    ask.get_by_label("The answer is").select_option("A number")
    ask.get_by_label("Question", exact=True).fill("How many days of notice?")
    page.get_by_role("list", name="Documents").wait_for()
    both(page, "page-table-new")
    with loopback() as remote:
        page.goto(f"{server.origin}#/connectors/new")
        page.get_by_label("Its name here").fill("shop")
        page.get_by_label("Address").fill(remote.url)
        page.get_by_role("button", name="Ask for its tools").click()
        expect(page.get_by_role("list", name="Its tools")).to_be_visible()
        both(page, "page-connecting")
        page.get_by_role("button", name="Give it up").click()
        expect(page.get_by_role("heading", name="No connectors yet")).to_be_visible()


def around(server: Served, above: Path) -> None:
    """Make what stands around threads."""
    places = Places(
        data=server.home / "data", cache=server.home / "cache", config=server.home / "config"
    )
    make_schedules(places)
    make_answers(places, rows=120)
    make_project(places, above / "contracts")


if __name__ == "__main__":
    main()
