"""Sources opened at their places, sheets as grids, files that two changed, and what servers ask, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio
import pytest
from playwright.sync_api import Browser, expect
from tests.web.browser import AXE, CHROMIUM, DESK, PHONE, Served, looking, served
from tests.web.places import make_connector, make_documents, make_question
from tests.web.scene import CHANGED, NOTE, ORIGINAL, make_folder
from tests.web.test_browser import allow, begin, browser, held, held_everywhere

from deskmate.types.places import Places

__all__ = ["browser"]
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: make setup installs it on Debian"),
    pytest.mark.skipif(not AXE.is_file(), reason="the page was not built here: make setup"),
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    make_documents(make_folder(tmp_path))
    with served(tmp_path / "deskmate") as started:
        yield started


def places_of(tmp_path: Path) -> Places:
    base = tmp_path / "deskmate"
    return Places(data=base / "data", cache=base / "cache", config=base / "config")


def test_an_answer_s_sources_open_where_their_words_stand(browser: Browser, server: Served) -> None:
    with looking(browser, server.link, DESK) as looked:
        page = looked.page
        begin(page, "Show me the sources of the fee.")
        answer = page.locator(".answer").last
        chip = answer.get_by_role("button", name="Northwind MSA ¶ 1")
        expect(chip).to_be_visible()
        side = page.get_by_role("complementary", name="Details")

        chip.click()
        mark = side.locator("mark")
        expect(mark).to_have_text("limited to the fees paid in the preceding six (6) months")
        expect(mark).to_be_in_viewport()
        expect(side.get_by_role("heading", name="Northwind MSA.txt")).to_be_focused()
        held_everywhere(looked, "a source's words")

        page.set_viewport_size(DESK)  # type: ignore[arg-type]
        answer.get_by_role("button", name="Fees!C400").click()
        cell = side.locator(".hit")
        expect(cell).to_contain_text("600")
        expect(cell).to_be_in_viewport()
        expect(side.locator(".cellbar")).to_have_text("C400 600")
        assert side.get_by_role("row").count() < 120  # what is out of sight is not drawn
        held_everywhere(looked, "a cell of a sheet")
        page.set_viewport_size(DESK)  # type: ignore[arg-type]
        grid = side.get_by_role("grid")
        grid.focus()
        for key in ("Control+End", "ArrowUp", "ArrowLeft"):
            page.keyboard.press(key)
        expect(side.locator(".cellbar")).to_have_text("B4999 Customer 4999")
        side.get_by_role("button", name="Notes").press("Enter")
        expect(side.get_by_role("grid")).to_contain_text("Fees are in euros.")

        answer.get_by_role("button", name="lease.pdf").click()
        expect(side.get_by_role("heading", name="lease.pdf")).to_be_visible()
        answer.get_by_role("button", name="page 2").click()
        expect(side.locator(".goal")).to_contain_text("The rent is due")
        side.get_by_role("button", name="Page", exact=True).press("Enter")
        expect(side.get_by_role("img", name="lease.pdf, page 2")).to_be_visible()
        expect(side.get_by_text("Page 2 of 2")).to_be_visible()
        held_everywhere(looked, "a source's page")

        page.set_viewport_size(DESK)  # type: ignore[arg-type]
        side.get_by_role("button", name="All sources").press("Enter")
        files = side.get_by_role("region", name="Fees.xlsx")
        expect(files).to_contain_text("Fees!C400")
        held_everywhere(looked, "the list of sources")
        assert (looked.outside, looked.complaints) == ([], [])


def test_a_source_is_opened_on_a_phone_and_by_keys(browser: Browser, server: Served) -> None:
    with looking(browser, server.link, PHONE, "dark") as looked:
        page = looked.page
        begin(page, "Show me the sources of the fee.")
        page.get_by_role("button", name="Northwind MSA ¶ 1").press("Enter")
        side = page.get_by_role("complementary", name="Details")
        expect(side.locator("mark")).to_be_in_viewport()
        held(looked, "a source on a phone")
        page.get_by_role("button", name="Close the details").press("Enter")
        expect(page.get_by_role("log")).to_be_visible()
        page.get_by_role("button", name="Fees!C400").press("Enter")
        expect(side.locator(".hit")).to_be_in_viewport()
        assert (looked.outside, looked.complaints) == ([], [])


def test_a_file_that_both_changed_waits_for_a_choice(
    browser: Browser, server: Served, tmp_path: Path
) -> None:
    note = tmp_path / "contracts" / Path(NOTE).name
    mine = ORIGINAL.replace("Harbour Ltd", "Harbour GmbH")
    with looking(browser, server.link, DESK) as looked:
        page = looked.page
        begin(page)
        plan = page.get_by_role("region", name="Plan")
        expect(plan).to_contain_text("3 of 4 done")
        expect(plan).to_contain_text("Waiting for you")
        held_everywhere(looked, "a plan in the conversation")
        page.set_viewport_size(DESK)  # type: ignore[arg-type]
        allow(page)
        expect(page.get_by_role("region", name="Change 1 of 3")).to_be_visible()
        note.write_text(mine)
        page.reload()
        choice = page.get_by_role("group", name="You changed it, too")
        expect(choice.get_by_role("radio", name="Keep yours")).not_to_be_checked()
        held_everywhere(looked, "a file that both changed")
        page.set_viewport_size(DESK)  # type: ignore[arg-type]
        choice.get_by_role("radio", name="Keep both").check()
        page.get_by_role("button", name="Apply 2 files").press("Enter")
        expect(page.get_by_text("2 files written.").first).to_be_visible()
        beside = note.with_name("Northwind MSA (Deskmate).txt")
        assert (note.read_text(), beside.read_text()) == (mine, CHANGED)
        page.get_by_role("log").get_by_role("button", name="Undo").click()
        expect(page.get_by_text("2 files as before.").first).to_be_visible()
        assert (note.read_text(), beside.exists()) == (mine, False)


def test_the_new_version_wins_and_comes_back_by_undo(
    browser: Browser, server: Served, tmp_path: Path
) -> None:
    note = tmp_path / "contracts" / Path(NOTE).name
    mine = ORIGINAL.replace("Harbour Ltd", "Harbour GmbH")
    with looking(browser, server.link, PHONE) as looked:
        page = looked.page
        begin(page)
        allow(page)
        expect(page.get_by_role("log")).to_contain_text("All changes are staged for review")
        note.write_text(mine)
        page.reload()
        page.get_by_role("link", name=re.compile("^Changes")).click()
        page.get_by_role("radio", name="Take the new one").check()
        page.get_by_role("button", name="Apply 2 files").click()
        expect(page.get_by_text("2 files written.").first).to_be_visible()
        assert note.read_text() == CHANGED
        side = page.get_by_role("complementary", name="Details")
        side.get_by_role("button", name="Undo", exact=True).click()
        expect(page.get_by_text("2 files as before.").first).to_be_visible()
        assert note.read_text() == mine
        assert looked.complaints == []


def test_a_server_s_form_is_filled_where_it_is_asked(
    browser: Browser, server: Served, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(1) as beside:  # in this thread the browser's loop runs
        thread = beside.submit(anyio.run, make_question, places_of(tmp_path)).result()
    with looking(browser, server.link, DESK) as looked:
        page = looked.page
        page.goto(f"{server.origin}#/t/{thread}")
        form = page.get_by_role("region", name="Question of crm")
        expect(form).to_contain_text("Which parcel is it?")
        send = form.get_by_role("button", name="Send the answer")
        expect(send).to_be_disabled()
        held_everywhere(looked, "a server's form")
        page.set_viewport_size(DESK)  # type: ignore[arg-type]
        form.get_by_label("Size").select_option("Large")
        form.get_by_label("How many").fill("3")
        form.get_by_label("A gift").select_option("Yes")
        form.get_by_label("bow").check()
        send.press("Enter")
        said = page.get_by_role("log").get_by_text("size: l")
        for line in ("count: 3", "gift: yes", "extras: bow"):
            expect(said).to_contain_text(line)
        expect(send).to_have_count(0)


def test_what_a_thread_reaches_is_set_in_its_menu(
    browser: Browser, server: Served, tmp_path: Path
) -> None:
    make_connector(places_of(tmp_path))
    with looking(browser, server.link, DESK) as looked:
        page = looked.page
        begin(page, "Are you ready?")
        expect(page.get_by_role("log")).to_contain_text("Ready.")
        expect(page.get_by_role("button", name="Stop")).to_be_hidden()
        page.get_by_role("button", name="More").click()
        page.get_by_role("button", name="What it may do").click()
        rules = page.get_by_role("dialog", name="What this thread may do")
        rules.get_by_role("checkbox", name=re.compile("crm")).check()
        expect(page.get_by_text("Kept. It holds from the next run on.").first).to_be_attached()
        rules.get_by_label("Let it read from a host").fill("api.example.com")
        give = rules.get_by_role("button", name="Allow", exact=True)
        expect(give).to_be_enabled()
        give.press("Enter")
        expect(rules.get_by_role("button", name="Take api.example.com away")).to_be_enabled()
        held_everywhere(looked, "what a thread reaches")
        page.set_viewport_size(DESK)  # type: ignore[arg-type]
        page.keyboard.press("Escape")
        expect(page.get_by_text("Network: 1 site allowed.")).to_be_visible()
        page.get_by_role("button", name="More").click()
        page.get_by_role("button", name="What it may do").click()
        expect(rules.get_by_role("checkbox", name=re.compile("crm"))).to_be_checked()
        rules.get_by_role("button", name="Take api.example.com away").press("Enter")
        expect(rules).to_contain_text("None: it reaches nothing.")
        assert (looked.outside, looked.complaints) == ([], [])
