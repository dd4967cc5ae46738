"""Real documents that nobody here wrote: as edited files they pass the gates, as new ones no figure is called wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.documents.gate_rooms import errors, room

from deskmate.plugin import Deliverable, ToolError
from deskmate_documents.content import KINDS
from deskmate_documents.office.gates import shared_gates

FOLDER = Path(__file__).parents[4] / "shared" / "cases"
pytestmark = [
    pytest.mark.cases,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="the cases folder is not beside the checkout"),
]
GATES = {gate.rule: gate for gate in shared_gates()}
EDITED = ("G-NUM", "G-SUM", "G-SOURCE", "G-ACTION", "G-PII", "G-META", "G-SCHEMA", "G-REVIEW", "G-RENDER")  # fmt: skip
NEW = ("G-NUM", "G-SUM", "G-ACTION", "G-PII", "G-SCHEMA", "G-REVIEW")
LIMIT_BYTES = 3_000_000
KINDS_OF_CASES = ("legal", "finance", "hr", "ops", "pptx", "pdf")


def cases_of(kind: str) -> list[Path]:
    return sorted(
        path
        for path in (FOLDER / kind).rglob("*")
        if path.is_file()
        and path.suffix.lower() in KINDS | {".json"}
        and path.stat().st_size < LIMIT_BYTES
    )


def found(path: Path, rules: tuple[str, ...], *, held: bool) -> list[str]:
    name = f"w/{path.name}"
    context = room(path, {name: path} if held else {})
    messages = []
    for rule in rules:
        try:
            gate = GATES[rule].function(Deliverable(path=name, title="A"), context)
            messages += [f"{path.name} {rule}: {message}" for message in errors(gate)]
        except ToolError as error:
            assert "encrypted" in error.message or "damaged" in error.message  # noqa: PT017
    return [m for m in messages if "is not a PDF that can be shown" not in m]  # encrypted ones


@pytest.mark.parametrize("kind", KINDS_OF_CASES)
def test_an_edited_file_is_not_blamed_for_what_it_had(kind: str) -> None:
    assert [m for path in cases_of(kind) for m in found(path, EDITED, held=True)] == []


@pytest.mark.parametrize("kind", KINDS_OF_CASES)
def test_no_total_action_or_person_of_a_real_file_is_called_wrong(kind: str) -> None:
    assert [m for path in cases_of(kind) for m in found(path, NEW, held=False)] == []
