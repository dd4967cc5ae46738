"""The main job in a real browser, on a desk and on a phone, and what must hold on every view."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from tests.web.browser import AXE, CHROMIUM, DESK, PHONE, Looked, Served, looking, served
from tests.web.scene import CHANGED, MEMO, NOTE, ORIGINAL, make_folder

from deskmate.web.page import STATIC

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: make setup installs it on Debian"),
    pytest.mark.skipif(not AXE.is_file(), reason="the page was not built here: make setup"),
]
SIZES = {"desk": DESK, "phone": PHONE}
# what a screen reader would say of it first: its label, else its words
NAME_OF_FOCUS = """(() => {
    const here = document.activeElement
    return (here?.labels?.[0]?.innerText ?? here?.innerText ?? '').trim()
})()"""
REQUEST = "Compare the MSA with our playbook and write a summary for Dana."


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as run:
        started = run.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    make_folder(tmp_path)
    with served(tmp_path / "deskmate") as started:
        yield started


def begin(page: Page, request: str = REQUEST) -> None:
    """Make a new thread as a user does: request, folder, plugin, start."""
    page.get_by_role("link", name="New").first.click()
    page.get_by_label("Your request").fill(request)
    page.get_by_role("button", name="Add a folder").click()
    picker = page.get_by_role("dialog", name="Choose a folder")
    picker.get_by_role("button", name="contracts", exact=True).click()
    expect(picker.get_by_label("Path of the folder")).to_have_value(re.compile("contracts$"))
    picker.get_by_role("button", name="Use this folder").click()
    page.get_by_role("checkbox", name=re.compile("legal", re.I)).first.check()
    page.get_by_label("Model", exact=True).select_option("offline")
    page.get_by_role("button", name="Start").click()


def allow(page: Page) -> None:
    card = page.get_by_role("region", name=re.compile("May this be done"))
    expect(card).to_contain_text("dana.reyes@northwind.example")
    card.get_by_role("button", name="Allow once").click()


def open_changes(page: Page, size: dict[str, int]) -> None:
    if size is PHONE:
        page.get_by_role("link", name=re.compile("^Changes")).click()
    else:
        page.get_by_role("tab", name=re.compile("Changes")).click()


def close_changes(page: Page, size: dict[str, int]) -> None:
    if size is PHONE:
        page.get_by_role("button", name="Close the details").click()


def held(looked: Looked, what: str) -> None:
    looked.axe(what)
    looked.fits(what)


@pytest.mark.parametrize("kind", ["desk", "phone"])
def test_the_main_job(browser: Browser, server: Served, tmp_path: Path, kind: str) -> None:
    size, folder = SIZES[kind], tmp_path / "contracts"
    note, memo = folder / Path(NOTE).name, folder / Path(MEMO).name
    with looking(browser, server.link, size, "light" if kind == "desk" else "dark") as looked:
        page = looked.page
        begin(page)
        allow(page)
        conversation = page.get_by_role("log")
        expect(conversation).to_contain_text("All changes are staged for review")
        expect(conversation).to_contain_text("Read 1 file")
        conversation.get_by_text("Checked in a clean room, passed").click()
        expect(conversation).to_contain_text("The playbook is silent on governing law")
        held(looked, "a thread with findings")
        assert note.read_text() == ORIGINAL

        open_changes(page, size)
        files = page.get_by_role("list", name="Changed files")
        files.get_by_role("button", name=re.compile(Path(NOTE).name)).click()
        expect(page.get_by_role("region", name="Change 1 of 3")).to_contain_text("thirty")
        page.get_by_role("group", name="Keep or leave out change 3").get_by_role(
            "button", name="Leave out"
        ).click()
        with page.expect_download() as taken:
            page.get_by_role("link", name="Download").click()
        assert taken.value.suggested_filename == note.name
        assert taken.value.path().read_text() == CHANGED
        held(looked, "a review")
        page.get_by_role("button", name=re.compile("^Apply")).click()
        expect(page.get_by_text("2 files written.").first).to_be_visible()
        wanted = CHANGED.replace("England and Wales", "Delaware")
        assert (note.read_text(), memo.is_file()) == (wanted, True)

        close_changes(page, size)
        page.get_by_role("log").get_by_role("button", name="Undo").click()
        expect(page.get_by_text("2 files as before.").first).to_be_visible()
        assert (note.read_text(), memo.exists()) == (ORIGINAL, False)

        address = page.url
        page.get_by_role("button", name="More").click()
        page.get_by_role("button", name="Fork with its files").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("(fork)")
        assert page.url != address
        expect(page.get_by_role("log")).to_contain_text("All changes are staged for review")

        page.keyboard.press("Control+k")
        page.get_by_label("Words to look for").fill("departs notice")
        hits = page.get_by_role("dialog", name="Search all threads").get_by_role("button")
        expect(hits.filter(has_text="playbook").first).to_be_visible()
        held(looked, "a search")
        page.keyboard.press("Enter")
        expect(page.get_by_role("log")).to_be_visible()
        assert (looked.outside, looked.complaints) == ([], [])


def held_everywhere(looked: Looked, what: str) -> None:
    """Look at one view on a desk and on a phone, light and dark."""
    for kind, size in SIZES.items():
        looked.page.set_viewport_size(size)  # type: ignore[arg-type]
        for scheme in ("light", "dark"):
            looked.page.emulate_media(color_scheme=scheme)
            # what stands where is the same in both
            looked.axe(f"{what}, {kind}, {scheme}", colours_only=scheme == "dark")
            looked.fits(f"{what}, {kind}, {scheme}")
    looked.page.set_viewport_size(DESK)  # type: ignore[arg-type]


def test_nobody_is_kept_from_a_view_and_a_typed_path_is_the_folder_that_is_used(
    browser: Browser, server: Served, tmp_path: Path
) -> None:
    with looking(browser, server.link, DESK) as looked:
        page = looked.page
        expect(page.get_by_text("No threads yet.")).to_be_visible()
        held_everywhere(looked, "nothing yet")
        page.goto(f"{server.origin}#/settings")
        expect(page.get_by_text("(this one)")).to_be_visible()
        held_everywhere(looked, "settings")
        begin(page, "Tell me the rate")
        expect(page.get_by_role("region", name="Question")).to_contain_text("exchange rate")
        held_everywhere(looked, "a question")
        page.get_by_role("button", name="1.10").click()
        expect(page.get_by_role("log")).to_contain_text("Then I use that rate.")
        begin(page)
        expect(page.get_by_role("region", name=re.compile("May this"))).to_be_visible()
        page.get_by_role("button", name="More").click()
        held_everywhere(looked, "an approval, and a menu")
        page.get_by_role("button", name="Rename").click()
        expect(page.get_by_role("dialog")).to_be_visible()
        held_everywhere(looked, "a dialog")
        page.keyboard.press("Escape")
        allow(page)
        expect(page.get_by_role("region", name="Change 1 of 3")).to_be_visible()
        page.get_by_text("Checked in a clean room, passed").click()
        held_everywhere(looked, "findings and a review")
        page.get_by_role("tab", name="Changes").press("ArrowRight")
        page.get_by_role("button", name="contracts", exact=True).press("Enter")
        page.get_by_role("button", name=re.compile("Playbook.txt")).press("Enter")
        expect(page.get_by_role("complementary")).to_contain_text("thirty days or less")
        held_everywhere(looked, "a file as it is")
        page.get_by_role("button", name=re.compile("Options for Tell me")).press("Enter")
        options = page.get_by_role("dialog", name="Tell me the rate")
        expect(options.get_by_role("button", name="Archive")).to_be_visible()
        held(looked, "what is done to a thread in the list")
        options.get_by_role("button", name="Pin").press("Enter")
        expect(page.get_by_role("region", name="Pinned")).to_contain_text("Tell me the rate")
        page.goto(f"{page.url}/changes")
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        expect(page.get_by_role("region", name="Change 1 of 3")).to_be_visible()
        held_everywhere(looked, "a review over all")
        page.goto(f"{server.origin}#/new")
        page.get_by_role("checkbox", name=re.compile("legal", re.I)).first.check()
        page.get_by_role("button", name="Add a folder").click()
        picker = page.get_by_role("dialog", name="Choose a folder")
        expect(picker.get_by_role("button", name="contracts", exact=True)).to_be_visible()
        held_everywhere(looked, "a new thread and the folder picker")
        field = picker.get_by_label("Path of the folder")
        field.fill(str(tmp_path / "nowhere"))
        picker.get_by_role("button", name="Use this folder").click()
        expect(picker.get_by_role("alert")).to_be_visible()
        looked.complaints.clear()  # the browser's own word on the answer 400
        field.fill(str(tmp_path / "contracts"))
        picker.get_by_role("button", name="Use this folder").click()
        expect(picker).to_be_hidden()
        expect(page.get_by_text(str(tmp_path / "contracts")).first).to_be_visible()
        page.goto(f"{server.origin}#/")
        expect(page.get_by_role("heading", name="What should be finished?")).to_be_visible()
        held_everywhere(looked, "the list")
        assert looked.complaints == []


def test_a_thread_goes_on_while_nobody_looks_and_on_a_second_browser(
    browser: Browser, server: Served
) -> None:
    with looking(browser, server.link, DESK) as looked:
        begin(looked.page)
        expect(looked.page.get_by_role("region", name=re.compile("May this"))).to_be_visible()
        address = looked.page.url
    with looking(browser, server.new_link(), PHONE) as looked:
        page = looked.page
        row = page.get_by_role("link", name=re.compile("Compare the MSA"))
        expect(row).to_contain_text("Approve")
        row.click()
        expect(page).to_have_url(address)
        allow(page)
        expect(page.get_by_role("log")).to_contain_text("All changes are staged for review")
        page.get_by_role("link", name="All threads").click()
        expect(page.get_by_role("link", name=re.compile("Compare the MSA"))).to_contain_text(
            "Review"
        )


def test_a_server_that_ends_stores_what_ran_and_the_page_goes_on_with_the_next(
    browser: Browser, server: Served
) -> None:
    with looking(browser, server.link, DESK) as looked:
        page = looked.page
        begin(page, "Be slow, please")
        expect(page.get_by_role("button", name="Stop")).to_be_visible()
        expect(page.get_by_role("log")).to_contain_text("wait", ignore_case=True)
        page.get_by_label("Your message").fill("not sent yet")
        assert server.stop() == 0
        expect(page.get_by_text("Reconnecting.")).to_be_visible()
        with served(server.home) as again:
            assert again.origin == server.origin
            expect(page.get_by_text("Reconnecting.")).to_be_hidden()
            expect(page.get_by_role("button", name="Go on")).to_be_visible()
            expect(page.get_by_label("Your message")).to_have_value("not sent yet")
            page.get_by_role("button", name="Go on").click()
            expect(page.get_by_role("log")).to_contain_text("That took a while.")
            expect(page.get_by_role("button", name="Go on")).to_be_hidden()


def test_the_whole_job_can_be_done_by_keys_alone(
    browser: Browser, server: Served, tmp_path: Path
) -> None:
    with looking(browser, server.link, DESK) as looked:
        page, keys = looked.page, looked.page.keyboard

        def reach(name: str) -> None:
            for _ in range(60):
                keys.press("Tab")
                if page.evaluate(NAME_OF_FOCUS).lower().startswith(name.lower()):
                    return
            raise AssertionError(f"{name} cannot be reached")

        expect(page.get_by_role("link", name="New thread").first).to_be_visible()
        keys.press("Control+Shift+O")
        expect(page.get_by_label("Your request")).to_be_focused()
        keys.type(REQUEST)
        reach("Add a folder")
        keys.press("Enter")
        reach("contracts")
        keys.press("Enter")
        expect(page.get_by_label("Path of the folder")).to_have_value(re.compile("contracts$"))
        reach("Use this folder")
        keys.press("Enter")
        reach("legal")
        keys.press("Space")
        reach("Start")
        keys.press("Enter")
        expect(page.get_by_role("button", name="Allow once")).to_be_visible()
        reach("Allow once")
        keys.press("Enter")
        expect(page.get_by_role("log")).to_contain_text("All changes are staged for review")
        expect(page.get_by_role("region", name="Change 1 of 3")).to_be_visible()
        for _ in range(8):
            keys.press("F6")
            if page.evaluate("document.activeElement.getAttribute('aria-label')") == "Details":
                break
        reach("Northwind MSA.txt")
        for key in ("j", "j", "j", "x"):
            keys.press(key)
        expect(
            page.get_by_role("group", name="change 3").get_by_role("button", name="Leave out")
        ).to_have_attribute("aria-pressed", "true")
        reach("Apply")
        keys.press("Enter")
        expect(page.get_by_text("2 files written.").first).to_be_visible()
        note = tmp_path / "contracts" / Path(NOTE).name
        assert note.read_text() == CHANGED.replace("England and Wales", "Delaware")
        reach("Undo")
        keys.press("Enter")
        expect(page.get_by_text("2 files as before.").first).to_be_visible()
        assert note.read_text() == ORIGINAL
        for _ in range(8):
            keys.press("F6")
            if page.evaluate("document.activeElement.tagName") == "MAIN":
                break
        reach("Fork from here")
        keys.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_contain_text("(fork)")
        keys.press("Control+k")
        expect(page.get_by_label("Words to look for")).to_be_focused()
        keys.type("departs notice")
        hits = page.get_by_role("dialog", name="Search all threads").get_by_role("button")
        expect(hits.filter(has_text="playbook").first).to_be_visible()
        keys.press("ArrowDown")
        keys.press("Enter")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(page.get_by_role("log")).to_be_visible()


def test_the_first_load_is_small() -> None:
    files = [STATIC / "index.html"]
    files += [
        STATIC / name
        for name in re.findall(r'(?:src|href)="/(assets/[^"]+)"', files[0].read_text())
    ]
    assert len(files) >= 3
    assert sum(len(gzip.compress(file.read_bytes())) for file in files) <= 60 * 1024
