"""The main job in the page, by a browser and a real machine: ask, watch, review, apply, undo."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright
from tests.vm.desk import Desk, tree
from tests.vm.test_main_job import MAKE_CONTRACT, MEMO, ORIGINALS, REDLINE, REQUEST, names
from tests.web.browser import AXE, CHROMIUM, DESK, PHONE, looking

pytestmark = [
    pytest.mark.vm,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: make setup installs it on Debian"),
    pytest.mark.skipif(not AXE.is_file(), reason="the page was not built here: make setup"),
]
MACHINE_MS = 240_000  # emulated, on a machine that others use too; nothing here is timed


@pytest.fixture
def link(desk: Desk) -> Iterator[str]:
    """Serve the page as a user does, and return the link that it prints."""
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DESKMATE_", "ANTHROPIC_", "PYTHON"))
    }
    process = subprocess.Popen(
        [*desk.program, "serve", "--no-browser"],
        env={**environ, "DESKMATE_HOME": str(desk.home)},
        cwd=desk.home,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if found := re.search(r"http://\S+#code=\S+", line):
                yield found[0]
                break
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


def another_link(desk: Desk) -> str:
    """Let one more browser in, as a second `deskmate serve` does."""
    said = desk.call("serve", "--no-browser").stdout
    found = re.search(r"http://\S+#code=\S+", said)
    assert found, said
    return found[0]


@pytest.mark.timeout(600)
def test_an_nda_is_reviewed_in_the_page_applied_and_undone_and_on_a_phone(
    desk: Desk, link: str, tmp_path: Path
) -> None:
    folder = tmp_path / "contracts"
    subprocess.run([sys.executable, MAKE_CONTRACT, folder], check=True, timeout=60)
    before = tree(folder)
    with sync_playwright() as run:
        browser = run.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        with looking(browser, link, DESK) as looked:
            page = looked.page
            page.get_by_role("link", name="New").first.click()
            page.get_by_label("Your request").fill(REQUEST)
            page.get_by_role("button", name="Add a folder").click()
            picker = page.get_by_role("dialog", name="Choose a folder")
            picker.get_by_label("Path of the folder").fill(str(folder))
            picker.get_by_role("button", name="Use this folder").click()
            expect(page.get_by_text(str(folder)).first).to_be_visible()
            page.get_by_role("checkbox", name=re.compile("legal", re.I)).first.check()
            page.get_by_label("Model", exact=True).select_option("offline")
            page.get_by_role("button", name="Start").click()
            log = page.get_by_role("log")
            expect(log).to_contain_text("Checked in a clean room, passed", timeout=MACHINE_MS)
            files = page.get_by_role("list", name="Changed files")
            expect(files).to_contain_text(REDLINE)
            looked.axe("a review of real changes")
            assert tree(folder) == before

            rail = page.get_by_role("navigation", name="Threads").get_by_role("link", name="Inbox")
            expect(rail).to_contain_text("1")
            redline = files.get_by_role("button", name=re.compile(re.escape(REDLINE)))
            expect(redline).to_contain_text("tracked change", timeout=MACHINE_MS)
            redline.click()
            # what changes, among the words around it, with the reason that the plugin wrote beside it
            first = page.get_by_role("region", name=re.compile("^Change 1 of"))
            expect(first).to_contain_text("Deskmate: ")
            expect(first.locator("ins, del").first).to_be_visible()
            files.get_by_role("button", name=re.compile(re.escape(MEMO))).click()
            page.get_by_role("button", name="Leave out").first.click()
            page.get_by_role("button", name=re.compile("^Apply")).click()
            expect(page.get_by_text(re.compile(r"1 file written")).first).to_be_visible()
            assert names(folder) == ORIGINALS | {REDLINE}
            log.get_by_role("button", name="Undo").click()
            expect(page.get_by_text(re.compile(r"1 file as before")).first).to_be_visible()
            assert tree(folder) == before
            assert (looked.outside, looked.complaints) == ([], [])
            address = page.url
        with looking(browser, another_link(desk), PHONE, "dark") as looked:
            looked.page.goto(address)
            looked.page.get_by_role("log").get_by_role("button", name="Redo").click()
            expect(looked.page.get_by_text(re.compile(r"1 file as before")).first).to_be_visible()
            assert names(folder) == ORIGINALS | {REDLINE}
            looked.axe("the same thread on a phone that a second code let in")
        browser.close()
