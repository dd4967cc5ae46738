"""HR-ORG-TRUE: an organisation chart is what the table's lines give, followed again from each person upwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deskmate.plugin import Deliverable, Finding, ToolInputError, ValidationContext
from deskmate_documents.opc import Package
from deskmate_documents.scenes import picture_problems
from deskmate_documents.shown import sheet_problems
from deskmate_documents.tables import read_sheets
from deskmate_hr.org_book import (
    BESIDE_LIMIT,
    FINDING_HEADER,
    FINDINGS,
    HEADER,
    LAYER_HEADER,
    LAYERS,
    NOT_CONNECTED,
    NOTES,
    PEOPLE,
    box_text,
    finding_rows,
    note_lines,
    org_scene,
    slide_title,
    slides_of,
)
from deskmate_hr.orgs import Organisation
from deskmate_hr.tools.org import organisation_from
from deskmate_hr.validators.findings import Problem, findings, unheld

RULE = "HR-ORG-TRUE"
FIX = "Run org_chart again; if a line of reporting is wrong, correct the table."


def org_true(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Follow each person upwards in the original; compare people, layers, findings, boxes, and draw the picture again.

    Source: house (SOURCES.md).
    """
    return findings(RULE, _untrue(deliverable, context), FIX)


def _untrue(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    missing = unheld(deliverable, context, "people")
    if missing:
        yield from missing
        return
    path = deliverable.sources["people"]
    file = context.sources.file(path)
    assert file is not None
    given = deliverable.data.get("settings")
    options = {str(k): str(v) for k, v in given.items()} if isinstance(given, Mapping) else {}
    organisation, levels = organisation_from(file, path, options)
    chains = {key: _chain(organisation, key) for key in organisation.people}
    yield from _lost(organisation, chains)
    suffix = context.file.suffix.lower()
    if deliverable.role == "org_deck":
        yield from _deck(context.file, organisation)
    elif deliverable.role == "org_picture":
        scene = org_scene(organisation, levels, path)
        drawn = scene.svg().encode() if suffix == ".svg" else scene.png()
        yield from picture_problems(context.file, drawn)
    else:
        shown = read_sheets(context.file, name=deliverable.path)
        yield from sheet_problems(shown, _sheets(organisation, chains, shown, path))


Chain = list[str]


def _chain(organisation: Organisation, key: str) -> Chain:
    """Return somebody's managers up to the top, beginning with themselves; empty where the top is not reached."""
    chain = [key]
    while chain[-1] != organisation.root:
        above = organisation.people[chain[-1]].manager
        if above not in organisation.people or above in chain:
            return []
        chain.append(above)
    return chain


def _lost(organisation: Organisation, chains: Mapping[str, Chain]) -> Iterator[Problem]:
    """Yield people whose trouble the findings do not name."""
    for key, chain in chains.items():
        if chain and organisation.layers.get(key) != len(chain):
            yield f"{key} is in layer {len(chain)}.", "layers"
        if not chain and key in organisation.layers:
            yield f"{key} is not connected to the top.", "layers"


def _sheets(
    organisation: Organisation, chains: Mapping[str, Chain], shown: Mapping[str, Any], path: str
) -> dict[str, list[list[str]]]:
    everybody = dict.fromkeys(organisation.people, 0)
    for chain in chains.values():
        for above in chain[1:]:
            everybody[above] += 1
    order = [str(row[0]) for row in shown.get(PEOPLE, ())[1:] if row]
    known = [key for key in order if key in organisation.people]
    rows = [list(HEADER)]
    for key in [*dict.fromkeys(known), *(k for k in organisation.people if k not in known)]:
        person, chain = organisation.people[key], chains[key]
        direct = [k for k, p in organisation.people.items() if p.manager == key and k != key]
        rows.append(
            [
                key,
                person.name,
                person.title,
                person.unit,
                person.manager,
                str(len(chain)) if chain else "",
                str(len(direct)),
                str(everybody[key]) if chain else "",
                str(person.row),
            ]
        )
    depth = max(len(chain) for chain in chains.values())
    layers = [list(LAYER_HEADER)]
    leads = {chain[1] for chain in chains.values() if len(chain) > 1}
    sizes = [sum(len(chain) == n for chain in chains.values()) for n in range(1, depth + 2)]
    for layer in range(1, depth + 1):
        managers = sum(len(chains[key]) == layer for key in leads)
        span = str(sizes[layer] / managers) if managers else ""
        layers.append([str(layer), str(sizes[layer - 1]), str(managers), span])
    layers.append(["Total", str(sum(sizes)), str(len(leads))])
    apart = [
        [
            NOT_CONNECTED,
            key,
            f"{organisation.people[key].name} (row {organisation.people[key].row})",
        ]
        for key, chain in chains.items()
        if not chain
    ]
    found = finding_rows(organisation)
    kept = [row for row in found if row[0] != NOT_CONNECTED]
    notes = [["Notes"], *([line] for line in note_lines(organisation, path))]
    return {
        PEOPLE: rows,
        LAYERS: layers,
        FINDINGS: [list(FINDING_HEADER), *kept, *apart],
        NOTES: notes,
    }


def _deck(file: Path, organisation: Organisation) -> Iterator[Problem]:
    """Yield boxes of the slides that are not those of the table."""
    import pptx  # noqa: PLC0415 - heavy

    Package(file).main_part()  # refuses bombs, encrypted and damaged files with one line
    try:
        deck: Any = pptx.Presentation(str(file))
    except (KeyError, ValueError, AttributeError) as problem:
        raise ToolInputError(f"The deck is not readable: {problem}.") from problem
    wanted = slides_of(organisation)
    if len(deck.slides) != max(len(wanted), 1):
        yield f"It has {len(deck.slides)} slides; there are {len(wanted)} managers to show.", "deck"
    for number, (slide, (key, below)) in enumerate(zip(deck.slides, wanted, strict=False), start=1):
        shapes = {
            name: [s.text_frame.text for s in slide.shapes if s.name == name]
            for name in ("Manager", "Report")
        }
        title = slide.shapes.title.text if slide.shapes.title is not None else ""
        where = f"slide {number}"
        if title != slide_title(organisation, key):
            yield (
                f"Its title is {title[:80]!r}; it should be {slide_title(organisation, key)[:80]!r}.",
                where,
            )
        if shapes["Manager"] != [box_text(organisation, key)]:
            yield (
                f"The manager is {shapes['Manager']}; it is {organisation.people[key].name}.",
                where,
            )
        right = sorted(box_text(organisation, one) for one in below[:BESIDE_LIMIT])
        for text in sorted(set(right) ^ set(shapes["Report"])):
            yield f"{text!r} is {'missing' if text in right else 'no report of theirs'}.", where
        extra = [
            s
            for s in slide.shapes
            if s.has_text_frame
            and s.name not in ("Manager", "Report", "Source")
            and not s.is_placeholder
        ]
        yield from (
            (f"There is a text that the table does not give: {s.text_frame.text[:60]!r}.", where)
            for s in extra
            if not s.text_frame.text.startswith("and ")
        )
