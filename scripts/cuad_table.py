"""Measures how well clauses are found without a model, on contracts of CUAD: precision and recall a type, as a Markdown table.

Usage: python -m scripts.cuad_table FOLDER (with *.txt and *.labels.json); with --write, into the legal plugin's README.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.measured import Place, main, share

PLACE = Place(name="cuad")
LEAST_LETTERS = 15
"""Shorter spans (a date, a name) are no clause."""
TYPES: Mapping[str, tuple[str, ...]] = {
    "governing-law": ("Governing Law",),
    "assignment": ("Anti-Assignment",),
    "liability-cap": ("Cap On Liability", "Uncapped Liability"),
    "audit": ("Audit Rights",),
    "insurance": ("Insurance",),
    "minimum-commitment": ("Minimum Commitment",),
    "auto-renewal": ("Renewal Term",),
    "liquidated-damages": ("Liquidated Damages",),
    "non-compete": ("Exclusivity", "Non-Compete"),
}
"""Category of the standard playbook → the types of CUAD that it is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Of one category. `right` of `found` hits are labelled so; `met` of `wanted` labelled clauses are found."""

    category: str
    found: int
    right: int
    wanted: int
    met: int


def letters(text: str) -> str:
    """Return a text's letters and digits only: line breaks and hyphens of the files differ."""
    return re.sub(r"\W+", "", text).lower()


def scores(folder: Path) -> Iterator[Score]:
    """Yield the score of each category over all contracts of a folder."""
    from deskmate_legal.contract import read_contract  # noqa: PLC0415
    from deskmate_legal.playbook import load_playbook  # noqa: PLC0415
    from deskmate_legal.review import review  # noqa: PLC0415

    counts = {category: [0, 0, 0, 0] for category in TYPES}
    for path in sorted(folder.glob("*.labels.json")):
        labels = json.loads(path.read_text("utf-8"))["labels"]
        contract = read_contract(path.with_name(path.name.replace(".labels.json", ".txt")))
        results = {one.category.id: one for one in review(contract, load_playbook())}
        for category, names in TYPES.items():
            hits = (
                [letters(hit.text) for hit in results[category].hits] if category in results else []
            )
            clauses = [
                one["text"] for name in names for one in labels.get(name, {}).get("clauses", ())
            ]
            parts = [letters(part) for text in clauses for part in text.split("<omitted>")]
            parts = [part for part in parts if len(part) > LEAST_LETTERS]
            row = counts[category]
            row[0] += len(hits)
            row[1] += sum(any(part in hit or hit in part for part in parts) for hit in hits)
            row[2] += len(parts)
            row[3] += sum(any(part in hit or hit in part for hit in hits) for part in parts)
    for category, (found, right, wanted, met) in counts.items():
        yield Score(category=category, found=found, right=right, wanted=wanted, met=met)


def table(rows: list[Score]) -> str:
    """Return the table."""
    lines = [
        "| category | types of CUAD | found | of them labelled so | precision | labelled | of them found | recall |",
        "|---|---|---|---|---|---|---|---|",
    ]
    total = Score(
        category="all", found=sum(r.found for r in rows), right=sum(r.right for r in rows),
        wanted=sum(r.wanted for r in rows), met=sum(r.met for r in rows),
    )  # fmt: skip
    for row in (*rows, total):
        types = ", ".join(TYPES.get(row.category, ()))
        cells = (
            row.category,
            types,
            row.found,
            row.right,
            share(row.right, row.found),
            row.wanted,
            row.met,
            share(row.met, row.wanted),
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(PLACE, lambda path: table(list(scores(path))))
