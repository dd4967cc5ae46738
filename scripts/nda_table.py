"""Measures what rules see in NDAs, on contracts of ContractNLI: precision, recall and evidence a statement, as a Markdown table.

Usage: python -m scripts.nda_table FILE (contract_nli_dev_8.json); with --write, into the legal plugin's README.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.measured import Place, main, share

PLACE = Place(name="nda")
STATEMENTS: Mapping[str, tuple[str, str]] = {
    "nda-4": ("purpose", ""),
    "nda-8": ("compelled-disclosure", "no-notice"),
    "nda-12": ("definition-exclusions", "no-independent"),
    "nda-13": ("definition-exclusions", "no-third-party"),
    "nda-15": ("no-license", "license-granted"),
    "nda-16": ("return-destroy", ""),
    "nda-18": ("non-solicit", ""),
    "nda-7": ("permitted-recipients", "employees-only"),
}
"""Statement of ContractNLI → the category that shows it, and the deviation that says that it does not hold."""


@dataclass(slots=True, kw_only=True)
class Score:
    """Of one statement. `right` of `found` are labelled entailed, as `wanted` are; `shown`: of the right, with labelled evidence."""

    name: str
    category: str
    wanted: int = 0
    found: int = 0
    right: int = 0
    shown: int = 0


def letters(text: str) -> str:
    """Return a text's letters and digits only."""
    return "".join(sign for sign in text.lower() if sign.isalnum())


def contracts(file: Path) -> Iterator[tuple[Mapping[str, Any], Any]]:
    """Yield each document of the set with the contract that was read from its text."""
    from deskmate_legal.contract import read_contract  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        for document in json.loads(file.read_text("utf-8"))["documents"]:
            path = Path(folder) / f"{document['id']}.txt"
            path.write_text(document["text"].replace("\n", "\n\n"), "utf-8")
            yield document, read_contract(path)


def scores(file: Path) -> list[Score]:
    """Return the score of each statement over all documents."""
    from deskmate_legal.nda_rules import results  # noqa: PLC0415
    from deskmate_legal.playbook import load_playbook  # noqa: PLC0415

    names = json.loads(file.read_text("utf-8"))["labels"]
    made = {
        key: Score(name=names[key]["short_description"], category=category)
        for key, (category, _) in STATEMENTS.items()
    }
    for document, contract in contracts(file):
        known = results(contract, load_playbook())
        truth = document["annotation_sets"][0]["annotations"]
        for key, (category, denied) in STATEMENTS.items():
            row, result = made[key], known[category]
            rules = {deviation.rule for deviation in result.deviations}
            found = bool(result.hits) and denied not in rules
            entailed = truth[key]["choice"] == "Entailment"
            row.wanted += entailed
            row.found += found
            if found and entailed:
                row.right += 1
                spans = [document["spans"][n] for n in truth[key]["spans"]]
                marked = [letters(document["text"][start:end]) for start, end in spans]
                own = [letters(hit.text) for hit in result.hits]
                row.shown += any(a in b or b in a for a in own for b in marked if a and b)
    return list(made.values())


def table(rows: list[Score]) -> str:
    """Return the table."""
    lines = [
        "| statement | category | labelled entailed | found | of them right | precision | recall | right, with labelled evidence |",
        "|---|---|---|---|---|---|---|---|",
    ]
    whole = Score(name="all", category="")
    for row in rows:
        for name in ("wanted", "found", "right", "shown"):
            setattr(whole, name, getattr(whole, name) + getattr(row, name))
    for row in (*rows, whole):
        lines.append(
            f"| {row.name} | {row.category} | {row.wanted} | {row.found} | {row.right} | "
            f"{share(row.right, row.found)} | {share(row.right, row.wanted)} | {row.shown} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main(PLACE, lambda path: table(scores(path)))
