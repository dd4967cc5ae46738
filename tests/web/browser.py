"""A real browser before a real server, each in a process of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect

ROOT = Path(__file__).parents[2]
AXE = ROOT / "web/node_modules/axe-core/axe.min.js"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DESK = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
# how long anything may take to appear, in ms: a busy machine is not a failure
PATIENCE = 30_000
expect.set_options(timeout=PATIENCE)


@dataclass(slots=True)
class Served:
    """A server under way. `link`: signs one browser in."""

    home: Path
    link: str
    process: subprocess.Popen[str]

    @property
    def origin(self) -> str:
        return self.link.partition("#")[0]

    def new_link(self) -> str:
        """Return another link, as a second `deskmate serve` prints it."""
        code = (
            "import sys; from pathlib import Path; from deskmate.types.places import Places; "
            "from deskmate.web.serving import Door; h = Path(sys.argv[1]); "
            "print(Door(Places(data=h / 'data', cache=h / 'cache', config=h / 'config')).link())"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(self.home)], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def stop(self) -> int:
        """End the server as Ctrl-C does; return its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=PATIENCE / 1000 * 2)


@contextmanager
def served(home: Path) -> Iterator[Served]:
    """Serve the scene from a home of its own."""
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith("ANTHROPIC")
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.web.scene", str(home)],
        cwd=ROOT,
        env={**environ, "HOME": str(home.parent), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        link = process.stdout.readline().strip()
        assert "#code=" in link, "the server did not begin"
        yield Served(home, link, process)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


@dataclass(slots=True)
class Looked:
    """A page, and what it must not do: ask others for anything, or complain."""

    page: Page
    origin: str
    outside: list[str]
    complaints: list[str]

    def axe(self, what: str, *, colours_only: bool = False) -> None:
        """Assert that nothing on the page is out of reach for anybody. `colours_only`: all else was looked at before."""
        self.settle()
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE.read_text("utf-8"))
        every = "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']"
        rules = "{type: 'rule', values: ['color-contrast']}" if colours_only else every
        found: dict[str, Any] = self.page.evaluate(
            f"axe.run(document, {{runOnly: {rules}, resultTypes: ['violations']}})"
        )
        told = [
            f"{hit['id']}: {hit['help']}: {node['target']} {node['html'][:120]} {node['failureSummary'][:200]}"
            for hit in found["violations"]
            for node in hit["nodes"]
        ]
        assert told == [], f"{what}:\n" + "\n".join(told)

    def settle(self) -> None:
        """Wait until the view that was asked for stands: what is being fetched is not looked at."""
        expect(self.page.locator(".bone")).to_have_count(0)
        expect(self.page.locator("h1")).not_to_have_count(0)

    def fits(self, what: str) -> None:
        """Assert that nothing has to be moved sideways to be read."""
        over = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert over <= 0, f"{what} is {over} px too wide"


@contextmanager
def looking(
    browser: Browser,
    link: str,
    size: dict[str, int],
    scheme: str = "light",
    *,
    welcomed: bool = True,
) -> Iterator[Looked]:
    """Open the page, signed in, at a size, in a colour scheme. `welcomed`: past the first steps."""
    context = browser.new_context(
        viewport=size,  # type: ignore[arg-type]
        color_scheme=scheme,  # type: ignore[arg-type]
        reduced_motion="reduce",
        has_touch=size is PHONE,
    )
    context.set_default_timeout(PATIENCE)
    if welcomed:
        context.add_init_script(
            "if (location.protocol === 'http:') localStorage.setItem('welcomed', '1')"
        )
    page = context.new_page()
    origin = link.partition("#")[0]
    looked = Looked(page, origin, [], [])
    page.on(
        "request",
        lambda asked: None if asked.url.startswith(origin) else looked.outside.append(asked.url),
    )
    page.on(
        "console",
        lambda said: looked.complaints.append(said.text) if said.type == "error" else None,
    )
    page.on("pageerror", lambda error: looked.complaints.append(str(error)))
    page.goto(link)
    try:
        yield looked
    finally:
        context.close()
