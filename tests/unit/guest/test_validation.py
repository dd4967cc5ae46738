from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from deskmate.types.codec import to_json
from deskmate.types.files import Claim, Deliverable, Evidence
from deskmate.types.ids import Digest

pytestmark = pytest.mark.anyio

RULES = """
    import os, time
    from deskmate.plugin import Finding, Validator, hookimpl

    def sees(deliverable, context):
        source = context.sources.file("docs/a.txt")
        yield Finding(
            rule="ACME-SEES", level="note", message=" ".join([
                context.file.read_text(), source.read_text(), str("docs/gone.txt" in context.sources),
                context.evidence[0].quote, context.facts["date"], ",".join(context.others),
                context.config["limit"], str(len(context.evidence[1].quote)),
            ]),
        )

    def crashes(deliverable, context):
        raise ValueError("bad luck")

    def dies(deliverable, context):
        os._exit(1)

    def odd(deliverable, context):
        return ["not a finding"]

    def writes(deliverable, context):
        context.file.write_text("patched")
        return []

    def fine(deliverable, context):
        return []

    def many(deliverable, context):
        found = [Finding(rule="ACME-MANY", level="note", message=str(n)) for n in range(500)]
        return [*found, Finding(rule="ACME-MANY", level="error", message="the last one")]

    @hookimpl
    def deskmate_validators(context):
        rows = [("SEES", sees, ("memo",)), ("CRASH", crashes, ("memo",)), ("DIES", dies, ("memo",)),
                ("ODD", odd, ("memo",)), ("WRITES", writes, ("memo",)), ("FINE", fine, ()),
                ("MANY", many, ("long",)),
                ("NEVER", fine, ("sheet",))]
        return [Validator(rule=f"ACME-{name}", title="t", function=function, roles=roles)
                for name, function, roles in rows]
"""
MANIFEST = "\n".join(
    f"[validators.ACME-{name}]"
    for name in ("SEES", "CRASH", "DIES", "ODD", "WRITES", "FINE", "MANY", "NEVER")
)


async def test_every_rule_that_fits_runs_and_what_fails_is_an_error_finding(
    start_real_guest: Any, plugin: Any
) -> None:
    row = plugin("acme", RULES, MANIFEST)
    digest = Digest("0" * 64)
    memo = Deliverable(
        path="docs/memo.md", title="M", role="memo", claims=(Claim(text="t", evidence=("e1",)),)
    )
    other = Deliverable(path="docs/other.md", title="O")
    evidence = Evidence(id="e1", source=digest, path="docs/a.txt", locator={"line": 1}, quote="q")
    async with start_real_guest(row) as guest:
        files = {
            "deliverables/docs/memo.md": b"memo",
            "deliverables/docs/other.md": b"other",
            "sources/docs/a.txt": b"alpha",
            "given.json": json.dumps(
                {
                    "sources": [
                        {"path": f"docs/{name}.txt", "sha256": digest} for name in ("a", "gone")
                    ],
                    "evidence": [
                        to_json(evidence),
                        to_json(replace(evidence, id="e2", quote="q" * (3 << 19))),
                    ],
                    "facts": {"date": "2026-01-31"},
                }
            ).encode(),
        }
        assert await guest.put("clean", files) == 4
        report = await guest.client.validate(
            deliverables=(memo, other),
            files={"docs/memo.md": digest, "docs/other.md": digest},
            config={"acme": {"limit": "7"}},
            timeout_s=60,
        )
        assert (guest.root / "clean/deliverables/docs/memo.md").read_text() == "memo"
    found = {item.rule: item for item in report.findings}
    assert len(found) == len(report.findings)
    assert found["ACME-SEES"].message == "memo alpha False q 2026-01-31 docs/other.md 7 1572864"
    errors = {rule for rule, item in found.items() if item.level == "error"}
    assert errors == {"ACME-CRASH", "ACME-DIES", "ACME-ODD", "ACME-WRITES"}
    assert "ValueError: bad luck" in found["ACME-CRASH"].message
    assert {item.path for item in report.findings} == {"docs/memo.md"}
    assert set(report.rules) == {"ACME-SEES", "ACME-FINE", *errors}


async def test_an_error_is_told_however_many_notes_come_before_it(
    start_real_guest: Any, plugin: Any
) -> None:
    row = plugin("acme", RULES, MANIFEST)
    long = Deliverable(path="docs/long.md", title="L", role="long")
    async with start_real_guest(row) as guest:
        files = {
            "deliverables/docs/long.md": b"long",
            "given.json": json.dumps({"sources": [], "evidence": [], "facts": {}}).encode(),
        }
        await guest.put("clean", files)
        report = await guest.client.validate(
            deliverables=(long,),
            files={"docs/long.md": Digest("0" * 64)},
            config={"acme": {}},
            timeout_s=60,
        )
    assert len(report.findings) < 500
    assert [item.message for item in report.findings if item.level == "error"] == ["the last one"]
