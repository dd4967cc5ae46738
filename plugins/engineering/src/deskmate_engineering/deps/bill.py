"""The bill of materials as CycloneDX 1.6 JSON, and the report that people read. Both follow from the audit alone."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from deskmate_engineering.deps.audit import Audit, Row

_SCHEMAS = Path(__file__).parents[1] / "schemas"
_FILES = ("bom-1.6.schema.json", "spdx.schema.json", "jsf-0.82.schema.json")
_SPACE = uuid.UUID("0d1b1f0e-4f8e-5d0a-9a51-2f3f0f6b7c11")
"""Names of bills live here; the same packages give the same serial number."""
PROBLEMS_LIMIT = 20


def bill_of(audit: Audit) -> dict[str, Any]:
    """Return the bill of materials (CycloneDX 1.6)."""
    root = f"deskmate:{audit.title}"
    components = [_component(row) for row in audit.rows]
    known = list(_vulnerabilities(audit))
    named = [audit.title, components, known] if known else [audit.title, components]
    serial = uuid.uuid5(_SPACE, json.dumps(named, sort_keys=True))
    bill: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "deskmate-engineering"}]},
            "component": {"type": "application", "bom-ref": root, "name": audit.title},
        },
        "components": components,
        # who needs whom is not read, and that is what this says
        "compositions": [{"aggregate": "unknown", "dependencies": [root]}],
    }
    return bill | ({"vulnerabilities": known} if known else {})


def _vulnerabilities(audit: Audit) -> Iterator[dict[str, Any]]:
    """Yield what the advisories say; a package whose version cannot be compared is `in_triage`."""
    for hit in audit.advisories.hits if audit.advisories else ():
        found: dict[str, Any] = {"id": hit.advisory, "affects": [{"ref": hit.package.purl}]}
        found |= {"description": hit.summary} if hit.summary else {}
        found |= {"analysis": {"state": "in_triage", "detail": hit.why}} if hit.why else {}
        yield found


def _component(row: Row) -> dict[str, Any]:
    package = row.package
    properties = [{"name": "deskmate:from", "value": file} for file in row.files]
    if row.licence.where:
        properties.append({"name": "deskmate:licence-from", "value": row.licence.where})
    group, _, name = (
        package.name.rpartition("/")
        if package.kind in ("npm", "composer")
        else ("", "", package.name)
    )
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": package.purl,
        "name": name,
        "purl": package.purl,
    }
    found |= {"group": group} if group else {}
    found |= {"version": package.version} if package.version else {}
    found |= {"scope": "excluded"} if package.only_dev else {}
    if package.hashes:
        found["hashes"] = [{"alg": name, "content": value} for name, value in package.hashes]
    if row.licence.said:
        said = row.licence.said
        found["licenses"] = (
            [{"expression": said}] if row.licence.is_expression else [{"license": {"name": said}}]
        )
    found["properties"] = properties
    return found


def as_json(audit: Audit) -> str:
    """Return the bill's text."""
    return json.dumps(bill_of(audit), indent=1, ensure_ascii=False) + "\n"


@cache
def _validator() -> Any:
    from jsonschema import Draft7Validator  # noqa: PLC0415 - heavy
    from referencing import Registry  # noqa: PLC0415
    from referencing.jsonschema import DRAFT7  # noqa: PLC0415

    bom, spdx, jsf = (json.loads((_SCHEMAS / name).read_text("utf-8")) for name in _FILES)
    parts = [(one["$id"], DRAFT7.create_resource(one)) for one in (bom, spdx, jsf)]
    # the schema names its parts by the files of its own repository
    parts += [(f"http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json", parts[place][1])
              for place, name in ((1, "spdx"), (2, "jsf-0.82"))]  # fmt: skip
    return Draft7Validator(bom, registry=Registry().with_resources(parts))


def schema_problems(bill: Mapping[str, Any]) -> Iterator[str]:
    """Yield where a bill is not valid by the schema of CycloneDX 1.6, at most 20 places."""
    errors = sorted(
        _validator().iter_errors(bill), key=lambda one: [str(step) for step in one.absolute_path]
    )
    for error in errors[:PROBLEMS_LIMIT]:
        place = "/".join(map(str, error.absolute_path)) or "the top"
        yield f"{place}: {error.message[:160]}"


def as_markdown(audit: Audit) -> str:
    """Return the report."""
    return "\n".join(
        [*_head(audit), *_known(audit), *_rows(audit), *_licences(audit), *_doubts(audit), ""]
    )


def verdict(audit: Audit) -> str:
    """Return the verdict and its figures in one line."""
    word = (
        "FAILS"
        if not audit.passes
        else "OPEN"
        if audit.count("look") or _unclear(audit)
        else "PASSES"
    )
    denied = sum(row.refused for row in audit.rows)
    return (
        f"{word}. Packages: {len(audit.rows)}; denied: {denied}, waived: {audit.count('waived')}, to look at: {audit.count('look')} "
        f"(of unknown licence: {audit.unknown}), allowed: {audit.count('allowed')}."
        f"{_known_line(audit)}"
    )


def _known_line(audit: Audit) -> str:
    if audit.advisories is None:
        return ""
    hits = audit.advisories.of("affected")
    packages = len({one.package.purl for one in hits})
    return f" Known vulnerabilities: {len(hits)}, packages with any: {packages}, unclear: {len(audit.advisories.of('unclear'))}."


def _known(audit: Audit) -> Iterator[str]:
    if audit.advisories is None or not audit.advisories.hits:
        return
    yield "## Known vulnerabilities"
    yield ""
    yield f"Read from `{audit.advisories.file}`; advisories: {audit.advisories.records}, the newest of {audit.advisories.newest}."
    yield ""
    yield "| package | version | advisory | severity | mended in | what | |"
    yield "|---|---|---|---|---|---|---|"
    for hit in (*audit.advisories.of("affected"), *audit.advisories.of("unclear")):
        package = hit.package
        ids = ", ".join((hit.advisory, *(one for one in hit.aliases if one != hit.advisory)))
        cells = (f"{package.kind} {package.name}", package.version or "not pinned", ids, hit.severity or "not stated",
                 ", ".join(hit.fixed) or "not stated", hit.summary, f"unclear: {hit.why}" if hit.why else "")  # fmt: skip
        yield f"| {' | '.join(_cell(one) for one in cells)} |"
    yield ""


def _unclear(audit: Audit) -> bool:
    return audit.advisories is not None and bool(audit.advisories.of("unclear"))


def _head(audit: Audit) -> Iterator[str]:
    yield f"# Dependencies and licences of {audit.title}"
    yield ""
    yield verdict(audit)
    yield ""
    yield f"Read from {', '.join(f'`{file}`' for file in audit.files)}."
    yield ""


def _rows(audit: Audit) -> Iterator[str]:
    titles = (
        ("Denied", [row for row in audit.rows if row.refused]),
        ("Waived", [row for row in audit.rows if row.waived]),
        ("To look at", [row for row in audit.rows if row.verdict == "look"]),
    )
    for title, rows in titles:
        if not rows:
            continue
        yield f"## {title}"
        yield ""
        yield "| package | version | licence | says so | used by | |"
        yield "|---|---|---|---|---|---|"
        for row in rows:
            package = row.package
            cells = (f"{package.kind} {package.name}", package.version or "not pinned", row.said,
                     row.licence.where or "nobody", ", ".join(row.files), _note(row))  # fmt: skip
            yield f"| {' | '.join(_cell(one) for one in cells)} |"
        yield ""


def _note(row: Row) -> str:
    notes = [row.waived] if row.waived else []
    if row.licence.said and not row.licence.is_expression:
        notes.append("no SPDX expression")
    if row.package.only_dev:
        notes.append("development only")
    return "; ".join(notes)


def _licences(audit: Audit) -> Iterator[str]:
    counts: dict[str, int] = {}
    for row in audit.rows:
        counts[row.said] = counts.get(row.said, 0) + 1
    yield "## All licences"
    yield ""
    yield "| licence | packages |"
    yield "|---|---|"
    for said, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        yield f"| {_cell(said)} | {count} |"
    yield ""


def _doubts(audit: Audit) -> Iterator[str]:
    yield "## What is not known"
    yield ""
    yield from (f"- {one}" for one in audit.doubts)
    yield ""
    yield "What a licence asks for in your case is for counsel to say; this is a list of what packages say of themselves."


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
