"""What lasts in a real browser: a long answer over a cut and in ten tabs, and a redline with its reasons, desk and phone."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.web.browser import AXE, CHROMIUM, DESK, PHONE, Served, looking, served
from tests.web.papers import AGREEMENT, PARAGRAPHS, make_papers
from tests.web.scene import HELD, LONG, make_folder
from tests.web.test_browser import allow, begin, browser, held, held_everywhere

from deskmate_documents.docx.reading import read_docx

__all__ = ["browser"]
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: make setup installs it on Debian"),
    pytest.mark.skipif(not AXE.is_file(), reason="the page was not built here: make setup"),
]
TABS = 10
WATCH_SHIFTS = """
    window.shifts = []
    new PerformanceObserver((list) => list.getEntries().forEach((one) => shifts.push(
        [one.value, ...one.sources.map((source) => source.node?.className ?? '')]
    ))).observe({ type: 'layout-shift' })
"""


class Line:
    """A line between a browser and a server that can be cut and mended."""

    def __init__(self, port: int) -> None:
        self._to, self._whole, self._ends = port, True, list[socket.socket]()
        self._carriers: list[threading.Thread] = []
        self._own = socket.create_server(("127.0.0.1", 0))
        self._server = threading.Thread(target=self._serve, daemon=True)
        self.port: int = self._own.getsockname()[1]

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *exc: object) -> None:
        with suppress(OSError):
            self._own.shutdown(socket.SHUT_RDWR)  # who waits for the next one hears of it
        self._server.join()
        self.cut()
        for thread in self._carriers:
            thread.join()
        for end in (self._own, *self._ends):
            end.close()

    def cut(self) -> None:
        """Break all that is open, and take nothing new."""
        self._whole = False
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let through what comes from now on."""
        self._whole = True

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._own.accept()
                if not self._whole:
                    near.close()
                    continue
                self._ends.append(near)
                far = socket.create_connection(("127.0.0.1", self._to))
                self._ends.append(far)
                for one, other in ((near, far), (far, near)):
                    thread = threading.Thread(target=_carry, args=(one, other), daemon=True)
                    self._carriers.append(thread)
                    thread.start()


def _carry(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(65_536):
            other.sendall(data)
    for end in (one, other):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextmanager
def by_line(browser: Browser, port: int, line: int) -> Iterator[Browser]:
    """Start a browser that reaches the server by a line and knows nothing of it."""
    rule = f"--host-resolver-rules=MAP 127.0.0.1:{port} 127.0.0.1:{line}"
    started = browser.browser_type.launch(executable_path=CHROMIUM, args=["--no-sandbox", rule])
    yield started
    started.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    make_papers(make_folder(tmp_path))
    with served(tmp_path / "deskmate") as started:
        yield started


def whole(page: Page, answers: int = 1) -> None:
    """Expect the long answer, all of it and once, so many times."""
    said = "".join(str(LONG[-1]).split())
    for number in range(answers):
        # not as it is laid out: what is out of sight is not
        shown = page.locator(".answer").nth(number).locator(".md")
        expect(shown).to_contain_text("word-599.")
        assert "".join(str(shown.text_content()).split()) == said
    expect(page.locator(".answer")).to_have_count(answers)


def test_a_long_answer_is_whole_in_ten_tabs_after_a_cut_and_moves_nothing(
    browser: Browser, server: Served
) -> None:
    (server.home / HELD).touch()
    port = urlsplit(server.origin).port or 0
    with (
        Line(port) as line,
        by_line(browser, port, line.port) as cut_off,
        looking(cut_off, server.link, DESK) as looked,
    ):
        first = looked.page
        begin(first, "Give me a long answer")
        expect(first.get_by_role("log")).to_contain_text("word-000")
        first.evaluate(WATCH_SHIFTS)
        expect(first.get_by_role("log")).to_contain_text("word-290")
        tabs = [first, *(first.context.new_page() for _ in range(TABS - 1))]
        for tab in tabs[1:]:
            tab.goto(first.url)
            expect(tab.get_by_role("log")).to_contain_text("word-290")
        line.cut()
        expect(first.get_by_text("Reconnecting.")).to_be_visible()
        with looking(browser, server.new_link(), PHONE) as other:
            other.page.goto(first.url)
            expect(other.page.get_by_role("log")).to_contain_text("word-290")
            (server.home / HELD).unlink()
            whole(other.page)
            # who was cut off has nothing of it yet
            assert "word-599" not in first.get_by_role("log").inner_text()
        line.mend()
        for tab in tabs:
            whole(tab)
        expect(first.get_by_text("Reconnecting.")).to_be_hidden()
        # what the browser counts as good is below 0.1
        moved = first.evaluate("shifts")
        assert sum(one[0] for one in moved) < 0.01, moved

        # the tab that listened for all is closed: the others go on by themselves
        first.close()
        say = tabs[1].get_by_label("Your message")
        say.fill("Once more")
        say.press("Enter")
        for tab in tabs[1:]:
            whole(tab, answers=2)


def test_a_redline_is_reviewed_with_its_reasons_on_a_desk_and_a_phone(
    browser: Browser, server: Served, tmp_path: Path
) -> None:
    agreement = tmp_path / "contracts" / Path(AGREEMENT).name
    with looking(browser, server.link, DESK) as looked:
        page = looked.page
        begin(page, "Please redline the Northwind agreement against our playbook.")
        expect(page.get_by_role("region", name="Plan")).to_contain_text("3 of 4 done")
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        page.get_by_role("link", name=re.compile("3 of 4 done · waiting for you")).click()
        expect(page.get_by_role("tab", name="Progress")).to_have_attribute("aria-selected", "true")
        expect(page.get_by_role("button", name="Edit plan")).to_be_visible()
        held(looked, "the plan on a phone")
        page.get_by_role("button", name="Close the details").click()
        page.set_viewport_size(DESK)  # type: ignore[arg-type]
        card = page.get_by_role("region", name=re.compile("May this be done"))
        expect(card).to_contain_text("This leaves your computer. It cannot be taken back.")
        allow(page)
        page.get_by_role("tab", name=re.compile("Changes")).click()
        files = page.get_by_role("list", name="Changed files")
        expect(files.get_by_role("button", name=re.compile("MSA Northwind"))).to_contain_text(
            "6 changes, 1 needs your call"
        )
        expect(files.get_by_role("button", name=re.compile("Clause"))).to_contain_text(
            "4 cells in 1 sheet"
        )
        files.get_by_role("button", name=re.compile("MSA Northwind")).click()
        notice = page.get_by_role("region", name="Change 1 of 6")
        expect(notice).to_contain_text(
            "Either party may terminate this Agreement for convenience on"
        )
        expect(notice).to_contain_text("Deskmate: Playbook rule 7: notice of 30 days or less")
        law = page.get_by_role("region", name="Change 6 of 6")
        expect(law).to_contain_text("The playbook is silent on governing law. Your call.")
        held_everywhere(looked, "a redline with its reasons")
        page.set_viewport_size(DESK)  # type: ignore[arg-type]
        law.get_by_role("button", name="Leave out").click()
        shown = page.get_by_role("group", name="How MSA Northwind.docx is shown")
        shown.get_by_role("button", name="Page").click()
        expect(notice).to_be_hidden()
        expect(page.get_by_role("group", name="Which version")).to_be_visible()
        held(looked, "the page of a result")
        shown.get_by_role("button", name="Redline").click()
        expect(law.get_by_role("button", name="Leave out")).to_have_attribute(
            "aria-pressed", "true"
        )
        page.get_by_role("button", name=re.compile("^Apply")).click()
        expect(page.get_by_text("3 files written.").first).to_be_visible()
    written = read_docx(agreement)
    assert written.has_tracked_changes
    assert len(written.comments) == 3
    assert PARAGRAPHS[-1] in [paragraph.text for paragraph in written.paragraphs]
