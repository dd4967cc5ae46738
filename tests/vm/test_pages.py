"""A page in the machine's own Chromium: planted defects are found, and the clean room sees the same, and a lie."""

from __future__ import annotations

import json

import pytest

from deskmate.errors import SandboxMissing
from deskmate.ports import SandboxSpec, SourceFile, ValidationRequest
from deskmate.sandbox.adapter import QemuSandbox
from deskmate.sandbox.image import find_image
from deskmate.testing.memory import MemoryBlobs
from deskmate.types.files import Entry, Grant
from deskmate.types.ids import ThreadId
from deskmate.types.places import Places

pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.anyio, pytest.mark.timeout(1800)]
_SPEC = SandboxSpec(
    thread=ThreadId("t-pages"),
    plugins=("engineering",),
    grants=(Grant(name="site", folder="/nowhere", mode="rw"),),
    flavour="office",
)
PAGE = """<!doctype html><html lang=en><title>Shop</title><h1>Shop</h1><div id=twice></div><div id=twice></div>
<label>Name <input></label><button onclick="out.textContent = 'Saved ' + document.querySelector('input').value">Save</button>
<p id=out></p><script src="app.js"></script>"""
SCRIPT = 'console.error("planted"); fetch("/api/items").catch(() => {});'


async def test_a_page_is_looked_at_in_the_machine_and_again_in_the_clean_room(
    places: Places, sandbox: QemuSandbox, blobs: MemoryBlobs
) -> None:
    try:
        find_image(places, flavour="office")
    except SandboxMissing:
        pytest.skip("the office image is not there: make image-office")
    files = {"site/app.js": SCRIPT.encode(), "site/index.html": PAGE.encode()}
    entries = [
        Entry(path=name, kind="file", mode=0o644, size=len(data), sha256=blobs.put(data))
        for name, data in sorted(files.items())
    ]
    steps = [
        {"do": "type", "text": "Name", "value": "Ada"},
        {"do": "click", "text": "Save"},
    ]
    async with sandbox.open(_SPEC, lambda line: None) as machine:
        await machine.put_base(entries, blobs, lambda line: None)
        outcome = await machine.call(
            "engineering__page_check", {"page": "site/index.html", "steps": steps}, key="check",
            timeout_s=540, on_progress=lambda line: None,
        )  # fmt: skip
        assert not outcome.is_error, outcome.text
        changes = (await machine.difference(entries, blobs))[0].changes
    made = {one.path: one.after.sha256 for one in changes if one.after and one.after.sha256}
    report = blobs.read(made["site/index check.md"]).decode()
    for words in (
        "console-error | console | planted (site/app.js:1)",
        "failed-request | site/api/items | GET (fetch): status 404.",
        "duplicate-id | div#twice",
        "2. click “Save”: done",
        "Saved Ada",
    ):
        assert words in report
    assert json.loads(outcome.text)["major"] == 3
    assert blobs.read(made["site/index check.png"]).startswith(b"\x89PNG")
    for spoilt in (False, True):
        text = report.replace("div#twice", "div#thrice") if spoilt else report
        request = ValidationRequest(
            deliverables=outcome.deliverables,
            files={**made, "site/index check.md": blobs.put(text.encode())},
            sources=tuple(SourceFile(path=one.path, sha256=one.sha256) for one in entries if one.sha256),
            evidence=(),
            facts={"date": "2026-11-28"},
        )  # fmt: skip
        async with sandbox.clean_room(("engineering",), lambda line: None, "office") as room:
            verdict = await room.validate(request, blobs)
        assert "ENG-PAGE-TRUE" in verdict.rules
        errors = [one.message for one in verdict.findings if one.level == "error"]
        assert bool(errors) is spoilt, errors
        assert all("thrice" in one or "twice" in one for one in errors)
