"""Measures how well citations are found, on pairs of a text and the citations that it holds, as a Markdown table.

Each text becomes a Word document, with what its markup sets in italics in italics, and goes through the tool's own reading.
Usage: python -m scripts.citation_table FILE (eyecite_pairs.jsonl); with --write, into the legal plugin's README.
"""

from __future__ import annotations

import html
import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.measured import Place, main, share

PLACE = Place(name="citations")
KINDS: Mapping[str, tuple[str, ...]] = {
    "case_citation": ("case",),
    "law_citation": ("law",),
    "id_citation": ("id",),
    "supra_citation": ("supra",),
    "reference_citation": ("reference",),
}
NAMES = {
    "case_citation": "case (full)", "short": "case (short form)", "law_citation": "statute", "id_citation": "id.",
    "supra_citation": "supra", "reference_citation": "by name",
}  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Score:
    """Of one kind. `right` of `found` are in the truth, which names `wanted`; `parts` of `told` details agree."""

    kind: str
    wanted: int = 0
    found: int = 0
    right: int = 0
    told: int = 0
    parts: int = 0


def document(text: str, target: Path) -> None:
    """Write a text as a Word document: its tags gone, what they set in italics in italics."""
    import docx  # noqa: PLC0415

    paragraph = docx.Document().add_paragraph()
    made = paragraph.part.document
    italic = 0
    for piece in re.split(r"(<[^<>]*>)", text):
        if re.match(r"</?(?:i|em)\b", piece):
            italic += -1 if piece.startswith("</") else 1
        elif piece and not piece.startswith("<"):
            paragraph.add_run(re.sub(r"\s+", " ", html.unescape(piece))).italic = italic > 0 or None
    made.save(str(target))


def results(file: Path) -> Iterator[tuple[list[dict[str, Any]], list[Any]]]:
    """Yield of each pair what is to be found, and what was."""
    from deskmate_legal.authorities import checked  # noqa: PLC0415
    from deskmate_legal.readings import read  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        for line in file.read_text("utf-8").splitlines():
            pair = json.loads(line)
            target = Path(folder) / "pair.docx"
            document(pair["text"], target)
            yield (
                pair["expected"],
                [one for one in checked(read(target), 2026) if one.kind != "unreadable"],
            )


def matches(wanted: Mapping[str, Any], one: Any) -> bool:
    """Say whether this is the citation: its kind, and volume and page as far as the truth names them."""
    kinds = ("short",) if wanted.get("short") else KINDS[wanted["kind"]]
    if one.kind not in kinds:
        return False
    return all(
        str(wanted[name]) == getattr(one, name) for name in ("volume", "page") if name in wanted
    )


def details(wanted: Mapping[str, Any], one: Any) -> list[bool]:
    """Return of each detail that the truth has whether it agrees: pin cite, parties, year."""
    meta = wanted.get("metadata", {})
    told = [one.pin_cite == meta["pin_cite"]] if "pin_cite" in meta else []
    if wanted["kind"] == "case_citation" and not wanted.get("short"):
        told += [meta[name] in one.parties for name in ("plaintiff", "defendant") if name in meta]
        year = wanted.get("year", meta.get("year"))
        told += [str(year) == one.year] if year else []
    return told


def scores(file: Path) -> list[Score]:
    """Return the score of each kind over all pairs."""
    made = {kind: Score(kind=kind) for kind in NAMES}
    for expected, found in results(file):
        left = list(found)
        for one in found:
            kind = next((k for k, own in KINDS.items() if one.kind in own), one.kind)
            made.setdefault(kind, Score(kind=kind)).found += 1
        for wanted in expected:
            row = made["short" if wanted.get("short") else wanted["kind"]]
            row.wanted += 1
            hit = next((one for one in left if matches(wanted, one)), None)
            if hit is not None:
                left.remove(hit)
                row.right += 1
                told = details(wanted, hit)
                row.told += len(told)
                row.parts += sum(told)
    return list(made.values())


def table(rows: Sequence[Score]) -> str:
    """Return the table."""
    lines = [
        "| kind | in the texts | found | of them right | precision | recall | pin cites, parties, years right |",
        "|---|---|---|---|---|---|---|",
    ]
    whole = Score(kind="all")
    for row in rows:
        for name in ("wanted", "found", "right", "told", "parts"):
            setattr(whole, name, getattr(whole, name) + getattr(row, name))
    for row in (*rows, whole):
        lines.append(
            f"| {NAMES.get(row.kind, row.kind)} | {row.wanted} | {row.found} | {row.right} | "
            f"{share(row.right, row.found)} | {share(row.right, row.wanted)} | {row.parts} of {row.told} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main(PLACE, lambda path: table(scores(path)))
